/** Small networks learn what they are known to learn, from seeds; an L1 penalty finds the columns that matter. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import {
  type Device,
  data,
  input,
  layers,
  optimizers,
  regularizers,
  sequential,
  setSeed,
} from '../src/node.ts';
import { isLong, suite, testDevice } from './support/harness.ts';
import { learnsLike } from './support/learning.ts';
import { uniforms } from './support/random.ts';

const inner = suite('learning', { timeout: isLong ? 300_000 : 60_000 });
const test = (title: string, body: (device: Device) => Promise<void>): void =>
  inner(title, async () => body(await testDevice()));

test('xor: four corners and one hidden layer', async () => {
  setSeed(1);
  const corners = {
    x: [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ],
    y: [[0], [1], [1], [0]],
  };
  const net = sequential([
    input({ shape: [2] }),
    layers.dense({ units: 8, activation: 'tanh' }),
    layers.dense({ units: 1, activation: 'sigmoid' }),
  ]).compile({
    optimizer: optimizers.adam({ learningRate: 0.05 }),
    loss: 'binaryCrossentropy',
    metrics: ['accuracy'],
  });
  const before = await net.evaluate(corners);
  await net.fit(corners, { epochs: 300, batchSize: 4 });
  const after = await net.evaluate(corners);
  net.dispose();
  assert.ok((before.loss as number) > 0.5, `loss before ${before.loss}`);
  assert.ok((after.loss as number) < 0.02, `loss after ${after.loss}`);
  assert.is(after.accuracy, 1);
});

test('two moons', async () => {
  await learnsLike(
    { mean: 0.96, deviation: 0.0225 },
    { hidden: [16], activation: 'tanh', rate: 0.05, batchSize: 32, epochs: 40 },
    (seed) => data.twoMoons({ samples: 400, noise: 0.2, seed }),
  );
});

test('spirals', async () => {
  await learnsLike(
    { mean: 0.998, deviation: 0.0049 },
    { hidden: [32, 32], activation: 'tanh', rate: 0.02, batchSize: 64, epochs: 80 },
    (seed) => data.spirals({ samples: 600, noise: 0.02, seed }),
  );
});

const COLUMNS = 50;
/** The only columns that matter, and by how much. */
const INFORMATIVE = [2, -1.5, 1, -0.5, 0.75];

/** The weights of a linear regression on 400 rows, 5 of whose 50 columns make the target. */
async function regressed(kernelRegularizer: regularizers.Regularizer | null): Promise<number[]> {
  setSeed(1);
  const rows = 400;
  const next = uniforms(1);
  /** Mean 0 and variance 1. */
  const draw = (): number => Math.sqrt(12) * (next() - 0.5);
  const x = Float64Array.from({ length: rows * COLUMNS }, draw);
  const y = Float64Array.from({ length: rows }, (_, row) =>
    INFORMATIVE.reduce((sum, weight, at) => sum + weight * (x[row * COLUMNS + at] as number), 0.05 * draw()),
  );
  const net = sequential([
    input({ shape: [COLUMNS] }),
    layers.dense({ units: 1, ...(kernelRegularizer && { kernelRegularizer }) }),
  ]).compile({ optimizer: optimizers.sgd({ learningRate: 0.03 }), loss: 'meanSquaredError' });
  const data = { x: { data: x, shape: [rows, COLUMNS] }, y: { data: y, shape: [rows, 1] } };
  await net.fit(data, { epochs: 300, batchSize: rows });
  const [kernel] = net.weights;
  const found = [...((await kernel?.value.data()) ?? [])];
  net.dispose();
  assert.is(found.length, COLUMNS);
  return found;
}

/** Plain gradient descent keeps a weight that is drawn to 0 within rate · l1 = 6e-4 of it. */
const small = (weights: readonly number[]): number =>
  weights.filter((weight) => Math.abs(weight) < 1e-3).length;

test('l1 leaves the columns that matter, l2 does not', async () => {
  const [l1, l2, none] = [
    await regressed(regularizers.l1(0.02)),
    await regressed(regularizers.l2(0.02)),
    await regressed(null),
  ];
  assert.ok(small(l1) >= 40, `l1: ${small(l1)} of ${COLUMNS} weights are small`);
  assert.ok(small(l2) < 30, `l2: ${small(l2)} of ${COLUMNS} weights are small`);
  assert.ok(small(none) < 30, `no penalty: ${small(none)} of ${COLUMNS} weights are small`);
  // Half of l1 is what the penalty takes from each of the others.
  for (const [at, weight] of INFORMATIVE.entries())
    assert.ok(Math.abs((l1[at] as number) - weight) < 0.03, `l1: weight ${at} is ${l1[at]}, not ${weight}`);
});

inner('the multilayer perceptron of the examples runs as printed', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', './scripts/register.mjs', 'examples/multilayer-perceptron.ts'],
    {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, WGRAD_ADAPTER: process.env.WGRAD_ADAPTER || 'swiftshader' },
      encoding: 'utf8',
    },
  );
  assert.is(status, 0, stderr);
  const logs = [...stdout.matchAll(/loss: (\d\.\d{4}) - accuracy: (0\.\d{4})$/gm)];
  assert.is(logs.length, 21, stdout);
  const losses = logs.map(([, loss]) => Number(loss));
  const [first, last, held] = [losses[0], losses[19], losses[20]] as [number, number, number];
  assert.ok(first > last, `loss from ${first} to ${last}`);
  // Random labels: nobody does better than ln 10 on others of them.
  for (const loss of [last, held]) assert.ok(Math.abs(loss - Math.log(10)) < 0.1, `loss ${loss}`);
});
