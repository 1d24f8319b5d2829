/**
 * Trains a two-layer network on two moons with the raw ops: forward, backward, and a plain gradient step.
 * Run it with `node --import ./scripts/register.mjs examples/two-moons.ts`.
 */
import {
  add,
  assign,
  cast,
  data,
  equal,
  greater,
  init,
  keep,
  logSigmoid,
  matmul,
  mean,
  mul,
  neg,
  noGrad,
  randomNormal,
  scope,
  setSeed,
  sub,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';

const POINTS = 400;
const HIDDEN = 32;
const STEPS = 400;
const LEARNING_RATE = 1;

const device = await init();
console.log(`device: ${device.description}`);
setSeed(1);

const moons = await data.twoMoons({ samples: POINTS, noise: 0.1 }).arrays();
const x = tensor(moons.x.data, { shape: moons.x.shape });
const labels = tensor(moons.y.data, { shape: [POINTS, 1], dtype: 'float' });

const weights1 = randomNormal([2, HIDDEN], 0, 1, { requiresGrad: true });
const bias1 = zeros([HIDDEN], { requiresGrad: true });
const weights2 = randomNormal([HIDDEN, 1], 0, 1 / Math.sqrt(HIDDEN), { requiresGrad: true });
const bias2 = zeros([1], { requiresGrad: true });
const parameters = [weights1, bias1, weights2, bias2];

function logitsOf(inputs: Tensor): Tensor {
  const hidden = matmul(inputs, weights1, { bias: bias1, activation: 'tanh' });
  return matmul(hidden, weights2, { bias: bias2 });
}

/** Binary cross-entropy: −y·ln σ(z) − (1 − y)·ln σ(−z), on average. */
function crossEntropy(logits: Tensor): Tensor {
  const hit = mul(labels, logSigmoid(logits));
  const miss = mul(sub(1, labels), logSigmoid(neg(logits)));
  return neg(mean(add(hit, miss)));
}

const started = performance.now();
for (let step = 1; step <= STEPS; step++) {
  const report = step === 1 || step % 100 === 0;
  const loss = scope(() => {
    const value = crossEntropy(logitsOf(x));
    value.backward();
    noGrad(() => {
      for (const parameter of parameters) {
        assign(parameter, sub(parameter, mul(parameter.grad as Tensor, LEARNING_RATE)));
        parameter.grad = null;
      }
    });
    return report ? keep(value.detach()) : null;
  });
  if (loss) {
    const accuracy = scope(() =>
      noGrad(() => mean(cast(equal(cast(greater(logitsOf(x), 0), 'float'), labels), 'float'))),
    );
    const [lossNow, accuracyNow] = await Promise.all([loss.item(), accuracy.item()]);
    console.log(`step ${step}/${STEPS} - loss: ${lossNow.toFixed(4)} - accuracy: ${accuracyNow.toFixed(4)}`);
    loss.dispose();
    accuracy.dispose();
  }
}
console.log(`${STEPS} steps in ${((performance.now() - started) / 1000).toFixed(1)} s`);
device.destroy();
