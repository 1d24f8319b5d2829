/** Layers of normalisation: the ops with weights of their own. */
import * as assert from 'uvu/assert';
import { collectingLosses } from '../src/nn/call-context.ts';
import { Layer } from '../src/nn/layer.ts';
import * as layers from '../src/nn/layers/index.ts';
import { input } from '../src/nn/symbolic.ts';
import {
  add,
  batchNorm,
  div,
  groupNorm,
  instanceNorm,
  layerNorm,
  localResponseNormalization,
  norm2,
  ones,
  rmsNorm,
  scope,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { checkLayerCase, type LayerCase } from './support/layer-case.ts';
import { close, fails, resultOf } from './support/values.ts';

await testDevice();
const test = suite('layers-norm');

/** Runs `body`, and leaves nothing of what it makes. */
const quietly = (body: () => unknown): void =>
  scope(() => {
    body();
  });

const run = (layer: Layer, shape: readonly number[]): void => quietly(() => layer.apply(ones(shape)));

const image = [3, 4, 5, 6];

const cases: readonly LayerCase[] = [
  {
    name: 'batchNormalization',
    make: () => layers.batchNormalization(),
    inputs: [image],
    weights: { gamma: [6], beta: [6], movingMean: [6], movingVariance: [6] },
    fixed: ['movingMean', 'movingVariance'],
    expected: ([x], weights) => batchNorm(x as Tensor, weights),
  },
  {
    name: 'batchNormalization in training',
    make: () => layers.batchNormalization({ epsilon: 1e-2 }),
    inputs: [image],
    training: true,
    weights: { gamma: [6], beta: [6], movingMean: [6], movingVariance: [6] },
    fixed: ['movingMean', 'movingVariance'],
    expected: ([x], { gamma, beta }) =>
      batchNorm(x as Tensor, { gamma, beta, training: true, epsilon: 1e-2 }),
  },
  {
    name: 'batchNormalization along axis 1 without beta',
    make: () => layers.batchNormalization({ axis: 1, center: false }),
    inputs: [image],
    weights: { gamma: [4], movingMean: [4], movingVariance: [4] },
    fixed: ['movingMean', 'movingVariance'],
    expected: ([x], weights) => batchNorm(x as Tensor, { ...weights, axis: 1 }),
  },
  {
    name: 'batchNormalization of vectors without gamma and beta',
    make: () => layers.batchNormalization({ center: false, scale: false }),
    inputs: [[3, 4]],
    training: true,
    weights: { movingMean: [4], movingVariance: [4] },
    fixed: ['movingMean', 'movingVariance'],
    expected: ([x]) => batchNorm(x as Tensor, { training: true }),
  },
  {
    name: 'layerNormalization',
    make: () => layers.layerNormalization(),
    inputs: [image],
    weights: { gamma: [6], beta: [6] },
    expected: ([x], weights) => layerNorm(x as Tensor, weights),
  },
  {
    name: 'layerNormalization over two axes without gamma',
    make: () => layers.layerNormalization({ axis: [-2, -1], scale: false, epsilon: 0.1 }),
    inputs: [image],
    weights: { beta: [5, 6] },
    expected: ([x], weights) => layerNorm(x as Tensor, { ...weights, axis: [-2, -1], epsilon: 0.1 }),
  },
  {
    name: 'groupNormalization',
    make: () => layers.groupNormalization({ groups: 3 }),
    inputs: [image],
    weights: { gamma: [6], beta: [6] },
    expected: ([x], weights) => groupNorm(x as Tensor, { ...weights, groups: 3 }),
  },
  {
    name: 'groupNormalization with its default of 32 groups',
    make: () => layers.groupNormalization(),
    inputs: [[2, 3, 64]],
    weights: { gamma: [64], beta: [64] },
    expected: ([x], weights) => groupNorm(x as Tensor, { ...weights, groups: 32 }),
  },
  {
    name: 'groupNormalization with a group to each channel of axis 2',
    make: () => layers.groupNormalization({ groups: -1, axis: 2 }),
    inputs: [image],
    weights: { gamma: [5], beta: [5] },
    expected: ([x], weights) => instanceNorm(x as Tensor, { ...weights, axis: 2 }),
  },
  {
    name: 'instanceNormalization',
    make: () => layers.instanceNormalization({ epsilon: 0.2 }),
    inputs: [image],
    weights: { gamma: [6], beta: [6] },
    expected: ([x], weights) => instanceNorm(x as Tensor, { ...weights, epsilon: 0.2 }),
  },
  {
    name: 'rmsNormalization',
    make: () => layers.rmsNormalization(),
    inputs: [image],
    weights: { scale: [6] },
    expected: ([x], { scale }) => rmsNorm(x as Tensor, { gamma: scale }),
  },
  {
    name: 'unitNormalization',
    make: () => layers.unitNormalization({ axis: [1, 3] }),
    inputs: [image],
    expected: ([x]) => div(x as Tensor, norm2(x as Tensor, { axis: [1, 3], keepDims: true })),
  },
  {
    name: 'localResponseNormalization',
    make: () => layers.localResponseNormalization(),
    inputs: [image],
    expected: ([x]) =>
      localResponseNormalization(x as Tensor, { depthRadius: 5, bias: 1, alpha: 1, beta: 0.5 }),
  },
  {
    name: 'localResponseNormalization as in AlexNet',
    make: () => layers.localResponseNormalization({ depthRadius: 2, bias: 2, alpha: 1e-4, beta: 0.75 }),
    inputs: [image],
    expected: ([x]) =>
      localResponseNormalization(x as Tensor, { depthRadius: 2, bias: 2, alpha: 1e-4, beta: 0.75 }),
  },
];

for (const given of cases) test(given.name, () => checkLayerCase(given));

const moving = async (layer: Layer): Promise<unknown[]> =>
  Promise.all(layer.nonTrainableWeights.slice(-2).map(({ value }) => value.array()));

test('batchNormalization moves its statistics in training only, by 1 − momentum', async () => {
  const layer = layers.batchNormalization({ momentum: 0.75 });
  // Mean 3 and variance 4 in each channel.
  const run = (training: boolean): Tensor =>
    scope(() =>
      layer.apply(
        tensor([
          [1, 1],
          [5, 5],
        ]),
        { training },
      ),
    );
  run(false).dispose();
  assert.equal(await moving(layer), [
    [0, 0],
    [1, 1],
  ]);
  run(true).dispose();
  close((await moving(layer)) as never, [
    [0.75, 0.75],
    [1.75, 1.75],
  ]);
  run(false).dispose();
  close((await moving(layer)) as never, [
    [0.75, 0.75],
    [1.75, 1.75],
  ]);
  layer.dispose();
});

test('by default the statistics keep 0.99 of what they were', async () => {
  const layer = layers.batchNormalization();
  quietly(() => layer.apply(tensor([[1], [5]]), { training: true }));
  close((await moving(layer)) as never, [[0.03], [1.03]]);
  layer.dispose();
});

test('working out shapes, in training too, moves no statistics', async () => {
  const layer = layers.batchNormalization();
  layer.apply(input({ shape: [4] }));
  scope(() => {
    class Outer extends Layer {
      override call([x]: readonly Tensor[]): Tensor {
        layer.outputSpecs([{ shape: [null, 4], dtype: 'float' }]);
        return x as Tensor;
      }
    }
    new Outer().apply(ones([2, 4]), { training: true });
  });
  assert.equal(await moving(layer), [
    [0, 0, 0, 0],
    [1, 1, 1, 1],
  ]);
  layer.dispose();
});

test('a frozen batchNormalization behaves as out of training', async () => {
  const layer = layers.batchNormalization({ trainable: false });
  const x = [
    [1, 1],
    [5, 5],
  ];
  const frozen = await resultOf(() => layer.apply(tensor(x), { training: true }));
  close(
    frozen,
    await resultOf(() => batchNorm(tensor(x), { movingMean: zeros([2]), movingVariance: ones([2]) })),
  );
  assert.equal(await moving(layer), [
    [0, 0],
    [1, 1],
  ]);
  assert.is(layer.trainableWeights.length, 0);
  layer.trainable = true;
  assert.is(layer.trainableWeights.length, 2);
  const trained = await resultOf(() => layer.apply(tensor(x), { training: true }));
  close(trained, await resultOf(() => batchNorm(tensor(x), { training: true })));
  layer.dispose();
});

test('initializers, regularizers and constraints reach gamma and beta', async () => {
  const penalty = (): Tensor => ones([]);
  const constraint = (value: Tensor): Tensor => add(value, 0);
  for (const make of [
    layers.batchNormalization,
    layers.layerNormalization,
    layers.groupNormalization,
    layers.instanceNormalization,
  ]) {
    const options = {
      gammaInitializer: { initializer: 'constant', options: { value: 3 } },
      betaInitializer: 'ones',
      gammaRegularizer: penalty,
      betaConstraint: constraint,
    } as const;
    const layer = make(options);
    layer.apply(input({ shape: [5, 32] }));
    const [gamma, beta] = layer.weights;
    assert.is(gamma?.regularizer, penalty);
    assert.is(gamma?.constraint, null);
    assert.is(beta?.regularizer, null);
    assert.is(beta?.constraint, constraint);
    assert.equal(await gamma?.value.array(), new Array(32).fill(3));
    assert.equal(await beta?.value.array(), new Array(32).fill(1));
    layer.dispose();
  }
  const layer = layers.batchNormalization({
    movingMeanInitializer: 'ones',
    movingVarianceInitializer: { initializer: 'constant', options: { value: 2 } },
  });
  layer.apply(input({ shape: [2] }));
  assert.equal(await moving(layer), [
    [1, 1],
    [2, 2],
  ]);
  layer.dispose();
});

test('unitNormalization leaves zeros alone', async () => {
  const y = await resultOf(() =>
    layers.unitNormalization().apply(
      tensor([
        [0, 0],
        [3, -4],
      ]),
    ),
  );
  close(y, [
    [0, 0],
    [0.6, -0.8],
  ]);
});

test('activityRegularization hands its input on and adds its penalty', async () => {
  const layer = layers.activityRegularization({ l1: 0.5, l2: 0.25 });
  const x = tensor([
    [1, -2],
    [0, 3],
  ]);
  const { result, losses } = scope(() => collectingLosses(() => layer.apply(x)));
  assert.equal(await result.array(), await x.array());
  assert.is(losses.length, 1);
  close(await (losses[0] as Tensor).array(), 0.5 * 6 + 0.25 * 14);
  for (const made of [x, result, ...losses]) made.dispose();

  const none = layers.activityRegularization();
  const silent = scope(() => collectingLosses(() => none.apply(ones([2, 2]))).losses.length);
  assert.is(silent, 0);
});

/** Options that the constructor refuses. */
const refused: readonly [make: (options: never) => Layer, options: readonly object[]][] = [
  [
    layers.batchNormalization,
    [
      { axis: 0.5 },
      { axis: [1] },
      { momentum: 1.5 },
      { momentum: '0.9' },
      { epsilon: 0 },
      { epsilon: Number.NaN },
      { center: 1 },
      { scale: 'yes' },
      { gammaInitializer: 'one' },
      { movingMeanInitializer: 'zero' },
      { movingVarianceInitializer: 3 },
      { betaRegularizer: 'l3' },
      { gammaConstraint: 'norm' },
      { renorm: true },
    ],
  ],
  [
    layers.layerNormalization,
    [{ axis: 'last' }, { axis: [] }, { axis: [0.5] }, { epsilon: -1 }, { groups: 2 }, { center: null }],
  ],
  [
    layers.groupNormalization,
    [{ groups: 0 }, { groups: 1.5 }, { groups: -2 }, { axis: [1] }, { epsilon: 0 }],
  ],
  [layers.instanceNormalization, [{ groups: 2 }, { axis: '1' }, { epsilon: Infinity }]],
  [layers.rmsNormalization, [{ axis: null }, { axis: 1.5 }, { epsilon: 0 }, { center: true }]],
  [layers.unitNormalization, [{ axis: 'x' }, { order: 2 }]],
  [
    layers.localResponseNormalization,
    [{ depthRadius: -1 }, { depthRadius: 1.5 }, { bias: Number.NaN }, { alpha: '1' }, { beta: null }],
  ],
  [layers.activityRegularization, [{ l1: -1 }, { l2: Infinity }, { l1: '1' }, { l3: 0 }]],
];

for (const [make, list] of refused) {
  test(`${make.name}: wrong options`, () => {
    for (const options of list) {
      const [key] = Object.keys(options) as [string];
      // A name that is looked up is told in the message instead of the option.
      const told = /Initializer|Regularizer|Constraint/.test(key)
        ? /initializers|regularizers|constraints/
        : new RegExp(key);
      fails(() => make(options as never), 'argument', told);
    }
  });
}

/** Calls that are refused, and what the message says. */
const calls: readonly [
  name: string,
  layer: () => Layer,
  shape: readonly number[],
  code: string,
  message: RegExp,
][] = [
  ['an axis that is not there', () => layers.batchNormalization({ axis: 3 }), [2, 3], 'shape', /axis 3/],
  [
    'channels along the batch',
    () => layers.batchNormalization({ axis: 0 }),
    [2, 3],
    'shape',
    /axis of channels open/,
  ],
  [
    'axes that are not the last',
    () => layers.layerNormalization({ axis: 1 }),
    [2, 3, 4],
    'argument',
    /not its last ones/,
  ],
  ['the batch as an axis', () => layers.layerNormalization({ axis: [0, 1] }), [2, 3], 'shape', /axis 0 open/],
  [
    'groups that do not divide',
    () => layers.groupNormalization({ groups: 4 }),
    [2, 3, 6],
    'argument',
    /4 groups/,
  ],
  ['examples of one position', () => layers.instanceNormalization(), [2, 3], 'shape', /one element/],
  ['a norm along no axis', () => layers.unitNormalization({ axis: 2 }), [2, 3], 'shape', /axis 2/],
];

test('wrong ranks and axes are refused under the name of the layer, and symbolically too', () => {
  for (const [, make, shape, code, message] of calls) {
    const layer = make();
    fails(() => run(layer, shape), code, message, new RegExp(`^layer '${layer.type}': `));
    layer.dispose();
    const symbolic = make();
    fails(() => symbolic.apply(input({ shape: shape.slice(1) })), code, message);
    symbolic.dispose();
  }
});

test('other channels than those at the first call are refused', () => {
  for (const layer of [layers.batchNormalization(), layers.layerNormalization(), layers.rmsNormalization()]) {
    run(layer, [2, 3]);
    fails(() => run(layer, [2, 4]), 'shape', /\(3,\)/, /\(4,\)/);
    layer.dispose();
  }
});
