/** The zoo: numbers of parameters, outputs and gradients as PyTorch has them, and what the options do. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import {
  ArgumentError,
  add,
  applications,
  type Device,
  keep,
  type Model,
  modelFromJson,
  mul,
  optimizers,
  randomNormal,
  scope,
  setDefaultDevice,
  setSeed,
  sum,
  sumSquares,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { withDefaultDevice } from '../src/runtime/default-device.ts';
import { ShapeDevice } from '../src/runtime/shape-device.ts';
import { CASES, type Case, namesHash, noise, scriptWeights } from './support/applications.ts';
import { cpuDevice, isLong, suite, testDevice } from './support/harness.ts';

const test = suite('applications', { timeout: isLong ? 900_000 : 60_000 });

interface Literal {
  readonly weights: number;
  readonly names: number;
  readonly outputs: readonly (readonly number[])[];
  readonly norm: number;
  readonly input?: readonly number[];
}

const literals = JSON.parse(
  readFileSync(new URL('./literals/applications.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Literal>>;

const { countParameters } = applications;

const COUNTS: readonly [title: string, make: () => Model, trainable: number, total?: number][] = [
  ['LeNet-5', () => applications.lenet5(), 61_706],
  ['classic LeNet-5', () => applications.lenet5({ variant: 'classic' }), 61_706],
  ['AlexNet', () => applications.alexnet(), 61_100_840],
  ['AlexNet for larger images', () => applications.alexnet({ inputShape: [256, 320, 3] }), 61_100_840],
  ['the original AlexNet', () => applications.alexnet({ variant: 'original' }), 60_965_224],
  ['GoogLeNet', () => applications.googlenet(), 6_624_904],
  ['GoogLeNet with heads', () => applications.googlenet({ auxiliary: true }), 13_004_888],
  ['the original GoogLeNet', () => applications.googlenet({ variant: 'original' }), 6_998_552],
  [
    'the original GoogLeNet with heads',
    () => applications.googlenet({ variant: 'original', auxiliary: true }),
    13_378_280,
  ],
  ['ResNet-18', () => applications.resnet18(), 11_689_512],
  ['ResNet-34', () => applications.resnet34(), 21_797_672],
  ['ResNet-50', () => applications.resnet50(), 25_557_032],
  ['ResNet-50 for any size', () => applications.resnet50({ inputShape: [null, null, 3] }), 25_557_032],
  ['ResNet-20', () => applications.resnet20(), 269_722],
  ['ResNet-56', () => applications.resnet56(), 853_018],
  ['VGG-11', () => applications.vgg11(), 132_863_336],
  ['VGG-16', () => applications.vgg16(), 138_357_544],
  ['MobileNet', () => applications.mobilenet(), 4_231_976, 4_253_864],
  ['MobileNet of half the width', () => applications.mobilenet({ alpha: 0.5 }), 1_331_592, 1_342_536],
  ['MLP', () => applications.mlp({ units: [512, 256] }), 785 * 512 + 513 * 256 + 257 * 10],
  ['text CNN', () => applications.textCnn(), 20_000 * 300 + (300 * 12 + 3) * 100 + 301 * 2],
];

test('as many parameters as in the papers and in torchvision, counted without their memory', async () => {
  const device = await testDevice();
  const before = device.memory();
  for (const [title, make, trainable, total = null] of COUNTS) {
    const found = countParameters(make);
    assert.is(found.trainable, trainable, title);
    if (total !== null) assert.is(found.total, total, title);
  }
  assert.equal(device.memory(), before);
});

/** Cotangents for the outputs, as in the script; the sum of products is what is derived. */
const lossOf = (outputs: readonly Tensor[]): Tensor =>
  outputs
    .map((z) => sum(mul(z, tensor(noise('cotangent', z.size), { shape: z.shape, dtype: 'float' }))))
    .reduce((a, b) => add(a, b));

function inputFor({ inputShape }: Case, model: ReturnType<Case['make']>): Tensor {
  const shape = [2, ...inputShape];
  const u = noise(
    'input',
    shape.reduce((a, b) => a * b),
  );
  if (model.inputSpecs?.[0]?.dtype === 'int32')
    return tensor(
      u.map((value) => Math.floor((value + 1) * 25)),
      { shape, dtype: 'int32' },
    );
  return tensor(u, { shape, dtype: 'float', requiresGrad: true });
}

/** |own − expected| ≤ share · the largest expected. */
function near(what: string, own: ArrayLike<number>, expected: readonly number[], share: number): void {
  const largest = Math.max(...expected.map(Math.abs));
  assert.is(own.length, expected.length, what);
  expected.forEach((value, index) => {
    const apart = Math.abs((own[index] as number) - value) / largest;
    assert.ok(
      apart <= share,
      `${what}[${index}] is ${own[index]}, expected ${value}: ${apart.toExponential(1)}`,
    );
  });
}

async function compareWithPyTorch(key: string, device: Device): Promise<void> {
  const own = CASES[key] as Case;
  const literal = literals[key] as Literal;
  setDefaultDevice(device);
  const model = own.make();
  const given = scriptWeights(model, own.source, device);
  const x = inputFor(own, model);
  try {
    assert.is(Object.keys(given).length, literal.weights);
    assert.is(namesHash(model, own.source), literal.names, 'names and shapes');
    await applications.loadPretrained(model, given, { source: own.source });
    const outputs = scope(() => {
      const found = model.applyAll(x);
      lossOf(found).backward();
      return found.map((z) => keep(z.detach()));
    });
    const isExact = device.kind === 'cpu';
    for (const [index, expected] of literal.outputs.entries()) {
      const z = outputs[index] as Tensor;
      const values = await z.data();
      const columns = z.shape[1] as number;
      const shown = Array.from(values).filter((_, place) => place % columns < 5);
      near(`output ${index}`, shown, expected, isExact ? 1e-6 : 1e-4);
      z.dispose();
    }
    let squares = 0;
    const gradients = [...model.trainableWeights.map(({ grad }) => grad), x.grad];
    for (const gradient of gradients)
      for (const value of gradient ? await gradient.data() : []) squares += value * value;
    near('the norm of all gradients', [Math.sqrt(squares)], [literal.norm], isExact ? 1e-6 : 1e-4);
    if (literal.input) {
      const first = Array.from((await (x.grad as Tensor).data()).subarray(0, 6));
      near('the gradient of the input', first, literal.input, isExact ? 1e-6 : 1e-3);
    }
  } finally {
    for (const value of Object.values(given)) value.dispose();
    x.dispose();
    model.dispose();
  }
}

for (const key of Object.keys(CASES))
  test(`${key}: outputs and gradients are those of PyTorch`, async () => {
    await compareWithPyTorch(key, await testDevice());
  });

/** The rest runs in the long tests. */
const EXACT = ['lenet5', 'textCnn', 'alexnetOriginal', 'resnet20', 'mobilenet'];
for (const key of Object.keys(CASES))
  if (isLong || EXACT.includes(key))
    test(`${key}: in float64 to six digits`, () => compareWithPyTorch(key, cpuDevice()));

test('every model is saved as JSON and made again', () => {
  withDefaultDevice(new ShapeDevice('float32'), () => {
    for (const [key, { make }] of Object.entries(CASES)) {
      const model = make();
      const again = modelFromJson(JSON.parse(JSON.stringify(model)));
      const described = ({ namedWeights }: Model, own: Model) =>
        namedWeights.call(own).map(([path, { shape, trainable }]) => ({ path, shape, trainable }));
      assert.equal(described(again, again), described(model, model), key);
      assert.equal(again.signature(), model.signature(), key);
    }
  });
});

test('wrong options are refused', async () => {
  await testDevice();
  const wrong: [pattern: RegExp, make: () => unknown][] = [
    [
      /vgg16: weights is 'imagenet'; no weights come with the package/,
      () => applications.vgg16({ weights: 'imagenet' as never }),
    ],
    [/resnet18: no option 'include'/, () => applications.resnet18({ include: 1 } as never)],
    [
      /lenet5: there is no variant 'clasic'. Did you mean 'classic'/,
      () => applications.lenet5({ variant: 'clasic' as never }),
    ],
    [/vgg11: width is 0; pass a finite number > 0/, () => applications.vgg11({ width: 0 })],
    [/resnet20: classes is 2.5/, () => applications.resnet20({ classes: 2.5 })],
    [/alexnet: dropout is 1/, () => applications.alexnet({ dropout: 1 })],
    [/mobilenet: no option 'width'.*alpha/, () => applications.mobilenet({ width: 0.5 } as never)],
    [/mlp: units\[1\] is 0/, () => applications.mlp({ units: [8, 0] })],
    [/textCnn: kernelSizes is/, () => applications.textCnn({ kernelSizes: [3, 3] })],
    [/googlenet: auxiliary is 1/, () => applications.googlenet({ auxiliary: 1 as never })],
  ];
  for (const [pattern, make] of wrong)
    assert.throws(
      make,
      (error: unknown) => error instanceof ArgumentError && pattern.test(error.message),
      String(pattern),
    );
});

/** Pictures of noise, one quarter of which is brighter: the class. */
function quarters(samples: number, side: number): { x: Float32Array; y: Int32Array } {
  const x = Float32Array.from(noise('quarters', samples * side * side), (value) => value / 2);
  const y = Int32Array.from({ length: samples }, (_, sample) => sample % 4);
  const half = side / 2;
  for (const [sample, quarter] of y.entries())
    for (let row = 0; row < half; row++)
      for (let column = 0; column < half; column++) {
        const [top, left] = [row + half * (quarter >> 1), column + half * (quarter & 1)];
        (x[(sample * side + top) * side + left] as number) += 1;
      }
  return { x, y };
}

test('a ResNet-20 of a quarter of the width learns generated pictures', async () => {
  await testDevice();
  setSeed(1);
  const model = applications.resnet20({ width: 0.25, classes: 4, inputShape: [12, 12, 1] });
  const optimizer = optimizers.adam({ learningRate: 0.01 });
  model.compile({ optimizer, loss: 'sparseCategoricalCrossentropy' });
  const { x, y } = quarters(64, 12);
  const data = { x: tensor(x, { shape: [64, 12, 12, 1] }), y: tensor(y) };
  const { epochs } = await model.fit(data, { epochs: 6, batchSize: 32 });
  for (const own of Object.values(data)) own.dispose();
  model.dispose();
  const [first, last] = [epochs[0]?.loss as number, epochs.at(-1)?.loss as number];
  assert.ok(last < 0.7 * first, `loss ${first} in the first epoch, ${last} in the last`);
});

const FULL: readonly [title: string, make: () => Model, shape: readonly number[]][] = [
  ['AlexNet', () => applications.alexnet(), [224, 224, 3]],
  ['the original AlexNet', () => applications.alexnet({ variant: 'original' }), [227, 227, 3]],
  ['GoogLeNet', () => applications.googlenet({ auxiliary: true }), [224, 224, 3]],
  ['ResNet-18', () => applications.resnet18(), [224, 224, 3]],
  ['ResNet-34', () => applications.resnet34(), [224, 224, 3]],
  ['ResNet-50', () => applications.resnet50(), [224, 224, 3]],
  ['ResNet-56', () => applications.resnet56(), [32, 32, 3]],
  ['VGG-11', () => applications.vgg11(), [224, 224, 3]],
  ['VGG-16', () => applications.vgg16(), [224, 224, 3]],
  ['MobileNet', () => applications.mobilenet(), [224, 224, 3]],
];

/** Forward and backward of one picture: probabilities, and a gradient for every weight that is trained. */
async function runAtFullSize(make: () => Model, shape: readonly number[]): Promise<void> {
  setSeed(1);
  const model = make();
  const x = randomNormal([1, ...shape]);
  const first = scope(() => {
    // As in training: batch normalisation by statistics that nobody has measured yet would let the signal fade.
    const outputs = model.applyAll(x, { training: true });
    lossOf(outputs).backward();
    return (outputs[0] as Tensor).detach();
  });
  const total = scope(() => sum(first));
  assert.ok(Math.abs((await total.item()) - 1) < 1e-4, `the probabilities add up to ${await total.item()}`);
  for (const [path, { grad, trainable }] of model.namedWeights()) {
    if (!trainable) continue;
    const squares = scope(() => sumSquares(grad as Tensor));
    const found = await squares.item();
    squares.dispose();
    assert.ok(found > 0 && Number.isFinite(found), `the gradient of ${path} has the squares ${found}`);
  }
  for (const own of [x, total, first]) own.dispose();
  model.dispose();
}

if (isLong && process.env.WGRAD_ADAPTER !== 'cpu')
  for (const [title, make, shape] of FULL)
    test(`${title}: forward and backward at full width`, async () => {
      await testDevice();
      await runAtFullSize(make, shape);
    });
else test.skip('forward and backward at full width', 'npm run test:long, on a GPU device');
