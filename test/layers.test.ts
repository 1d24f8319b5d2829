/** Layers over one op each: activations, noise, shapes, embedding, functions; and the list of all layers. */
import * as assert from 'uvu/assert';
import type { Layer } from '../src/nn/layer.ts';
import * as layers from '../src/nn/layers/index.ts';
import { BUILT_IN_LAYERS } from '../src/nn/layers/registry.ts';
import { input } from '../src/nn/symbolic.ts';
import {
  alphaDropout,
  backward,
  cast,
  defaultDevice,
  dropout,
  elu,
  embedding,
  full,
  Generator,
  gaussianDropout,
  gaussianNoise,
  glu,
  leakyRelu,
  maxout,
  mul,
  ones,
  type Parameter,
  permute,
  prelu,
  randomNormal,
  relu,
  reshape,
  scope,
  setSeed,
  softmax,
  spatialDropout1d,
  spatialDropout2d,
  spatialDropout3d,
  sum,
  type Tensor,
  tensor,
  thresholdedRelu,
  tile,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { checkLayerCase, type LayerCase } from './support/layer-case.ts';
import { withoutDevice } from './support/layer-checks.ts';
import { close, fails, rejects, resultOf, resultsOf } from './support/values.ts';

await testDevice();
const test = suite('layers');

const one =
  (op: (x: Tensor) => Tensor): LayerCase['expected'] =>
  ([x]) =>
    op(x as Tensor);

const cases: readonly LayerCase[] = [
  { name: 'relu', make: () => layers.relu(), inputs: [[3, 4]], expected: one((x) => relu(x)) },
  {
    name: 'relu with options',
    make: () => layers.relu({ maxValue: 0.8, negativeSlope: 0.1, threshold: 0.2 }),
    inputs: [[3, 40]],
    expected: one((x) => relu(x, { maxValue: 0.8, negativeSlope: 0.1, threshold: 0.2 })),
  },
  {
    name: 'relu with a maxValue of null',
    make: () => layers.relu({ maxValue: null, threshold: 0.5 }),
    inputs: [[3, 40]],
    expected: one((x) => relu(x, { threshold: 0.5 })),
  },
  {
    name: 'leakyRelu',
    make: () => layers.leakyRelu(),
    inputs: [[3, 40]],
    expected: one((x) => leakyRelu(x, 0.3)),
  },
  {
    name: 'leakyRelu with a slope',
    make: () => layers.leakyRelu({ negativeSlope: 0.05 }),
    inputs: [[3, 40]],
    expected: one((x) => leakyRelu(x, 0.05)),
  },
  {
    name: 'prelu',
    make: () => layers.prelu(),
    inputs: [[3, 4, 5]],
    weights: { alpha: [4, 5] },
    expected: ([x], { alpha }) => prelu(x as Tensor, alpha as Tensor),
  },
  {
    name: 'prelu with a slope to each channel',
    make: () => layers.prelu({ sharedAxes: [1, 2] }),
    inputs: [[3, 4, 5, 6]],
    weights: { alpha: [1, 1, 6] },
    expected: ([x], { alpha }) => prelu(x as Tensor, alpha as Tensor),
  },
  {
    name: 'prelu with one shared axis',
    make: () => layers.prelu({ sharedAxes: 1 }),
    inputs: [[3, 4]],
    weights: { alpha: [1] },
    expected: ([x], { alpha }) => prelu(x as Tensor, alpha as Tensor),
  },
  { name: 'elu', make: () => layers.elu(), inputs: [[3, 40]], expected: one((x) => elu(x)) },
  {
    name: 'elu with alpha',
    make: () => layers.elu({ alpha: 0.5 }),
    inputs: [[3, 40]],
    expected: one((x) => elu(x, 0.5)),
  },
  { name: 'softmax', make: () => layers.softmax(), inputs: [[3, 4, 5]], expected: one((x) => softmax(x)) },
  {
    name: 'softmax along axis 1',
    make: () => layers.softmax({ axis: 1 }),
    inputs: [[3, 4, 5]],
    expected: one((x) => softmax(x, 1)),
  },
  {
    name: 'thresholdedRelu',
    make: () => layers.thresholdedRelu(),
    inputs: [[3, 40]],
    expected: one((x) => thresholdedRelu(x, 1)),
  },
  {
    name: 'thresholdedRelu with theta',
    make: () => layers.thresholdedRelu({ theta: 0.25 }),
    inputs: [[3, 40]],
    expected: one((x) => thresholdedRelu(x, 0.25)),
  },
  {
    name: 'maxout',
    make: () => layers.maxout({ pieces: 3 }),
    inputs: [[3, 4, 6]],
    expected: one((x) => maxout(x, { pieces: 3 })),
  },
  {
    name: 'maxout along axis 1',
    make: () => layers.maxout({ pieces: 2, axis: 1 }),
    inputs: [[3, 4, 6]],
    expected: one((x) => maxout(x, { pieces: 2, axis: 1 })),
  },
  { name: 'glu', make: () => layers.glu(), inputs: [[3, 4, 6]], expected: one((x) => glu(x)) },
  {
    name: 'glu along axis 1',
    make: () => layers.glu({ axis: 1 }),
    inputs: [[3, 4, 5]],
    expected: one((x) => glu(x, 1)),
  },
  {
    name: 'flatten',
    make: () => layers.flatten(),
    inputs: [[3, 4, 5]],
    expected: one((x) => reshape(x, [3, 20])),
  },
  {
    name: 'flatten of scalars in a batch',
    make: () => layers.flatten(),
    inputs: [[3]],
    expected: one((x) => reshape(x, [3, 1])),
  },
  {
    name: 'reshape',
    make: () => layers.reshape({ targetShape: [2, 10] }),
    inputs: [[3, 4, 5]],
    expected: one((x) => reshape(x, [3, 2, 10])),
  },
  {
    name: 'reshape with an open extent',
    make: () => layers.reshape({ targetShape: [2, -1, 5] }),
    inputs: [[3, 4, 5]],
    expected: one((x) => reshape(x, [3, 2, 2, 5])),
  },
  {
    name: 'reshape to scalars',
    make: () => layers.reshape({ targetShape: [] }),
    inputs: [[3, 1]],
    expected: one((x) => reshape(x, [3])),
  },
  {
    name: 'permute',
    make: () => layers.permute({ dims: [3, 1, 2] }),
    inputs: [[3, 4, 5, 6]],
    expected: one((x) => permute(x, [0, 3, 1, 2])),
  },
  {
    name: 'repeatVector',
    make: () => layers.repeatVector({ n: 5 }),
    inputs: [[3, 4]],
    expected: one((x) => tile(reshape(x, [3, 1, 4]), [1, 5, 1])),
  },
  {
    name: 'embedding',
    make: () => layers.embedding({ inputDim: 5, outputDim: 4 }),
    inputs: [[3, 6]],
    dtype: 'int32',
    weights: { embeddings: [5, 4] },
    expected: ([x], { embeddings }) => embedding(embeddings as Tensor, x as Tensor),
  },
  {
    name: 'lambda of two inputs',
    make: () => layers.lambda((a, b) => mul(a as Tensor, b as Tensor)),
    inputs: [
      [3, 4],
      [3, 1],
    ],
    expected: ([a, b]) => mul(a as Tensor, b as Tensor),
  },
  {
    name: 'activityRegularization',
    make: () => layers.activityRegularization({ l2: 0.1 }),
    inputs: [[3, 4]],
    expected: one((x) => mul(x, 1)),
  },
];

for (const given of cases) test(given.name, () => checkLayerCase(given));

const noise: readonly [
  name: string,
  make: (own: { seed?: number }) => Layer,
  op: (x: Tensor, generator: Generator) => Tensor,
  shape: number[],
][] = [
  [
    'dropout',
    (own) => layers.dropout({ rate: 0.4, ...own }),
    (x, generator) => dropout(x, { rate: 0.4, generator }),
    [3, 40],
  ],
  [
    'spatialDropout1d',
    (own) => layers.spatialDropout1d({ rate: 0.4, ...own }),
    (x, generator) => spatialDropout1d(x, { rate: 0.4, generator }),
    [3, 4, 20],
  ],
  [
    'spatialDropout2d',
    (own) => layers.spatialDropout2d({ rate: 0.4, ...own }),
    (x, generator) => spatialDropout2d(x, { rate: 0.4, generator }),
    [3, 2, 3, 20],
  ],
  [
    'spatialDropout3d',
    (own) => layers.spatialDropout3d({ rate: 0.4, ...own }),
    (x, generator) => spatialDropout3d(x, { rate: 0.4, generator }),
    [3, 2, 3, 2, 20],
  ],
  [
    'alphaDropout',
    (own) => layers.alphaDropout({ rate: 0.4, noiseShape: [null, 1, null], ...own }),
    (x, generator) => alphaDropout(x, { rate: 0.4, noiseShape: [null, 1, null], generator }),
    [3, 4, 20],
  ],
  [
    'gaussianDropout',
    (own) => layers.gaussianDropout({ rate: 0.4, ...own }),
    (x, generator) => gaussianDropout(x, { rate: 0.4, generator }),
    [3, 40],
  ],
  [
    'gaussianNoise',
    (own) => layers.gaussianNoise({ stddev: 0.4, ...own }),
    (x, generator) => gaussianNoise(x, { stddev: 0.4, generator }),
    [3, 40],
  ],
];

for (const [name, make, op, shape] of noise) {
  const x = (): Tensor => randomNormal(shape, 0, 1, { generator: new Generator(3) });

  test(`${name} hands its input on out of training, and draws nothing`, async () => {
    const layer = make({ seed: 5 });
    const [y, same] = await resultsOf(() => [layer.apply(x()), x()]);
    assert.equal(y, same);
    assert.equal(layer.apply(input({ shape: shape.slice(1) })).shape, [null, ...shape.slice(1)]);
    assert.equal(
      layer.namedGenerators().map(([path, { seed, counter }]) => [path, seed, counter]),
      [['noise', 5, 0]],
    );
  });

  test(`${name} with a seed has a stream of its own, which goes on`, async () => {
    const layer = make({ seed: 5 });
    const generator = new Generator(5);
    const results = await resultsOf(() => [
      layer.apply(x(), { training: true }),
      layer.apply(x(), { training: true }),
      op(x(), generator),
      op(x(), generator),
      x(),
    ]);
    const [first, second, wanted, next, plain] = results;
    assert.equal([first, second], [wanted, next]);
    assert.not.equal(first, second);
    assert.not.equal(first, plain);
  });

  test(`${name} without a seed draws from the stream of setSeed`, async () => {
    const layer = make({});
    assert.equal(layer.namedGenerators(), []);
    setSeed(9);
    const [first, wanted] = await resultsOf(() => [
      layer.apply(x(), { training: true }),
      op(x(), new Generator(9)),
    ]);
    assert.equal(first, wanted);
  });
}

test('the gradient of noise goes through its mask', async () => {
  const layer = layers.spatialDropout1d({ rate: 0.5, seed: 1 });
  const [y, grad] = await resultsOf(() => {
    const x = ones([2, 3, 8], { requiresGrad: true });
    const result = layer.apply(x, { training: true });
    backward(sum(result));
    return [result, mul(x.grad as Tensor, 1)];
  });
  assert.equal(y, grad);
});

test('prelu starts as relu', async () => {
  const layer = layers.prelu();
  close(await resultOf(() => layer.apply(tensor([[-2, 3]]))), [[0, 3]]);
  layer.dispose();
});

test('initializers, regularizers and constraints reach alpha and the table', async () => {
  const alpha = layers.prelu({ alphaInitializer: 'ones', alphaRegularizer: 'l1', alphaConstraint: 'nonNeg' });
  const table = layers.embedding({
    inputDim: 3,
    outputDim: 2,
    embeddingsInitializer: 'ones',
    embeddingsRegularizer: 'l2',
    embeddingsConstraint: 'unitNorm',
  });
  alpha.apply(input({ shape: [2] }));
  table.apply(input({ shape: [2], dtype: 'int32' }));
  for (const layer of [alpha, table]) {
    const weight = layer.weights[0] as Parameter;
    assert.is(typeof weight.regularizer, 'function');
    assert.is(typeof weight.constraint, 'function');
    assert.equal(new Set(((await weight.value.array()) as unknown[]).flat()), new Set([1]));
    layer.dispose();
  }
});

test('embeddings start uniform between −0.05 and 0.05', async () => {
  const layer = layers.embedding({ inputDim: 50, outputDim: 20 });
  layer.apply(input({ shape: [], dtype: 'int32' }));
  const values = ((await (layer.weights[0] as { value: Tensor }).value.array()) as number[][]).flat();
  assert.ok(values.every((value) => Math.abs(value) <= 0.05));
  assert.ok(Math.max(...values) > 0.045 && Math.min(...values) < -0.045);
  layer.dispose();
});

test('embedding takes any rank of int32 and adds one axis', () => {
  const layer = layers.embedding({ inputDim: 5, outputDim: 4 });
  assert.equal(layer.apply(input({ shape: [null], dtype: 'int32' })).shape, [null, null, 4]);
  assert.equal(layer.apply(input({ shape: [], dtype: 'int32' })).shape, [null, 4]);
  assert.equal(layer.apply(input({ shape: [2, 3], dtype: 'int32' })).shape, [null, 2, 3, 4]);
  fails(() => layer.apply(input({ shape: [2] })), 'dtype', /takes int32/);
  fails(() => scope(() => layer.apply(ones([2, 3]))), 'dtype', /^layer 'embedding': it takes int32/);
  layer.dispose();
});

test('embedding tells a number that is out of range at the readback', async () => {
  const layer = layers.embedding({ inputDim: 5, outputDim: 4 });
  const read = async (): Promise<unknown> =>
    resultOf(() => layer.apply(tensor([[1, 5]], { dtype: 'int32' })));
  await rejects(read(), 'index', /5/);
  layer.dispose();
});

test('the gradient of a table counts each use', async () => {
  const layer = layers.embedding({ inputDim: 3, outputDim: 1 });
  const grad = await resultOf(() => {
    backward(sum(layer.apply(tensor([[2, 0, 2]], { dtype: 'int32' }))));
    return mul(layer.weights[0]?.grad as Tensor, 1);
  });
  assert.equal(grad, [[1], [0], [2]]);
  layer.dispose();
});

test('shapes with open extents', () => {
  const open = input({ shape: [null, 6] });
  assert.equal(layers.flatten().apply(open).shape, [null, null]);
  assert.equal(layers.reshape({ targetShape: [-1, 3, 2] }).apply(open).shape, [null, null, 3, 2]);
  assert.equal(layers.permute({ dims: [2, 1] }).apply(open).shape, [null, 6, null]);
  assert.equal(layers.maxout({ pieces: 2 }).apply(open).shape, [null, null, 3]);
  const shared = layers.prelu({ sharedAxes: 1 });
  assert.equal(shared.apply(open).shape, [null, null, 6]);
  shared.dispose();
  fails(() => layers.prelu().apply(open), 'shape', /^layer 'prelu': .*axis 1 open/);
});

test('an empty batch gives an empty batch', () => {
  scope(() => {
    const x = ones([0, 4, 6]);
    assert.equal(layers.flatten().apply(x).shape, [0, 24]);
    assert.equal(layers.reshape({ targetShape: [-1, 3] }).apply(x).shape, [0, 8, 3]);
    assert.equal(layers.permute({ dims: [2, 1] }).apply(x).shape, [0, 6, 4]);
    assert.equal(layers.glu().apply(x).shape, [0, 4, 3]);
    assert.equal(layers.repeatVector({ n: 2 }).apply(ones([0, 4])).shape, [0, 2, 4]);
    const table = layers.embedding({ inputDim: 5, outputDim: 4 });
    assert.equal(table.apply(cast(full([0, 3], 0), 'int32')).shape, [0, 3, 4]);
    table.dispose();
  });
});

test('lambda: several outputs, names, and no configuration', () => {
  const layer = layers.lambda((x) => [x as Tensor, mul(x as Tensor, 2)], { name: 'twice' });
  assert.equal(
    layer.applyAll(input({ shape: [3] })).map(({ shape }) => shape),
    [
      [null, 3],
      [null, 3],
    ],
  );
  fails(() => layer.apply(input({ shape: [3] })), 'argument', /^layer 'twice': it has 2 outputs/);
  fails(() => layer.getConfig(), 'argument', /layer 'twice': a function cannot be saved/);
  fails(() => JSON.stringify(layer.getConfig()), 'argument', /cannot be saved/);
  fails(() => layers.lambda(3 as never), 'argument', /lambda: got 3/);
  fails(() => layers.lambda((x) => x as Tensor, { units: 3 } as never), 'argument', /no option 'units'/);
  const none = layers.lambda((() => undefined) as never);
  fails(() => scope(() => none.apply(ones([2]))), 'argument', /^layer 'lambda': call\(\) returned undefined/);
  const promise = layers.lambda((async (x: Tensor) => x) as never);
  fails(() => scope(() => promise.apply(ones([2]))), 'argument', /returned a Promise/);
});

/** Options that the constructor refuses. */
const refused: readonly [make: (options: never) => Layer, options: readonly object[]][] = [
  [layers.relu, [{ maxValue: -1 }, { negativeSlope: -0.1 }, { threshold: '0' }, { alpha: 1 }]],
  [layers.leakyRelu, [{ negativeSlope: -1 }, { negativeSlope: null }, { alpha: 0.1 }]],
  [
    layers.prelu,
    [
      { sharedAxes: 0 },
      { sharedAxes: [1, -1] },
      { sharedAxes: 'all' },
      { sharedAxes: [1.5] },
      { alpha: 0.1 },
    ],
  ],
  [layers.elu, [{ alpha: Number.NaN }, { alpha: '1' }]],
  [layers.softmax, [{ axis: 0.5 }, { axis: [1, 2] }]],
  [layers.thresholdedRelu, [{ theta: -1 }, { theta: Infinity }]],
  [layers.maxout, [{ pieces: 0 }, { pieces: 1.5 }, { pieces: 2, axis: 'x' }]],
  [layers.glu, [{ axis: null }]],
  [
    layers.spatialDropout1d,
    [{ rate: 1 }, { rate: -0.1 }, { rate: '0.5' }, { rate: 0.5, noiseShape: [1] }, { rate: 0.5, seed: -1 }],
  ],
  [layers.spatialDropout2d, [{ rate: 50 }, { rate: Number.NaN }]],
  [layers.spatialDropout3d, [{ rate: null }]],
  [layers.alphaDropout, [{ rate: 1 }, { rate: 0.5, seed: 1.5 }]],
  [layers.gaussianDropout, [{ rate: 1 }, { stddev: 1 }]],
  [layers.gaussianNoise, [{ stddev: -1 }, { stddev: Infinity }, { rate: 0.5 }]],
  [
    layers.reshape,
    [
      { targetShape: 3 },
      { targetShape: [-1, -1] },
      { targetShape: [0] },
      { targetShape: [2.5] },
      { targetShape: ['2'] },
      { shape: [2] },
    ],
  ],
  [layers.permute, [{ dims: [0, 1] }, { dims: [1, 1] }, { dims: [2, 3] }, { dims: [] }, { dims: 1 }]],
  [layers.repeatVector, [{ n: 0 }, { n: 1.5 }, { n: '2' }]],
  [layers.flatten, [{ axis: 1 }]],
  [
    layers.embedding,
    [
      { outputDim: 2, inputDim: 0 },
      { inputDim: 2, outputDim: 1.5 },
      { inputDim: 2, outputDim: 2, maskZero: 1 },
    ],
  ],
];

/** The message names the option that is told last; what a seed must be, its generator tells. */
const refusal = (op: string, options: object): RegExp => {
  const key = Object.keys(options).at(-1) as string;
  return key === 'seed' ? /seed/ : new RegExp(`${op}: .*${key}`);
};

for (const [make, list] of refused) {
  test(`${make.name}: wrong options`, () => {
    for (const options of list) fails(() => make(options as never), 'argument', refusal(make.name, options));
  });
}

test('options that are needed are missed', () => {
  const missing: readonly [make: (options: never) => Layer, message: RegExp][] = [
    [layers.maxout, /maxout: pieces is undefined/],
    [layers.dot, /dot: axes is undefined/],
    [layers.spatialDropout1d, /spatialDropout1d: rate is undefined/],
    [layers.alphaDropout, /alphaDropout: rate is undefined/],
    [layers.gaussianDropout, /gaussianDropout: rate is undefined/],
    [layers.gaussianNoise, /gaussianNoise: stddev is undefined/],
    [layers.reshape, /reshape: targetShape is undefined/],
    [layers.permute, /permute: dims is undefined/],
    [layers.repeatVector, /repeatVector: n is undefined/],
    [layers.embedding, /embedding: inputDim is undefined/],
  ];
  for (const [make, message] of missing) {
    fails(() => make({} as never), 'argument', message);
    fails(() => make(undefined as never), 'argument', message);
    fails(() => make(null as never), 'argument', /null stands where an options object is expected/);
  }
});

/** Calls that are refused, and what the message says. */
const calls: readonly [layer: () => Layer, shape: readonly number[], code: string, message: RegExp][] = [
  [() => layers.softmax({ axis: 2 }), [2, 3], 'shape', /axis 2/],
  [() => layers.maxout({ pieces: 2 }), [2, 3], 'shape', /no multiple of 2 pieces/],
  [() => layers.glu(), [2, 3], 'shape', /glu/],
  [() => layers.prelu({ sharedAxes: 2 }), [2, 3], 'shape', /no axis 2 to share.*1 to 1/],
  [() => layers.reshape({ targetShape: [5] }), [2, 3], 'shape', /examples of shape \(3,\) with 3 elements/],
  [() => layers.reshape({ targetShape: [-1, 2] }), [2, 3], 'shape', /do not fill targetShape \(-1, 2\)/],
  [() => layers.permute({ dims: [2, 1] }), [2, 3], 'shape', /2 axes of dims/],
  [() => layers.repeatVector({ n: 2 }), [2, 3, 4], 'shape', /takes \(batch, features\)/],
  [() => layers.spatialDropout1d({ rate: 0.5 }), [2, 3], 'shape', /\(batch, steps, channels\)/],
  [() => layers.spatialDropout2d({ rate: 0.5 }), [2, 3], 'shape', /\(batch, height, width, channels\)/],
  [
    () => layers.spatialDropout3d({ rate: 0.5 }),
    [2, 3],
    'shape',
    /\(batch, depth, height, width, channels\)/,
  ],
];

test('wrong ranks and axes are refused under the name of the layer, and symbolically too', () => {
  for (const [make, shape, code, message] of calls) {
    const layer = make();
    const name = new RegExp(`^layer '${layer.type}': `);
    fails(() => scope(() => layer.apply(ones(shape))), code, message, name);
    fails(() => make().apply(input({ shape: shape.slice(1) })), code, message, name);
    assert.is(layer.built && layer.weights.length > 0, false);
  }
});

test('a second input is refused', () => {
  for (const make of [
    layers.relu,
    layers.prelu,
    layers.glu,
    layers.flatten,
    layers.batchNormalization,
    layers.unitNormalization,
  ]) {
    const layer = make();
    fails(
      () => scope(() => layer.apply([ones([2, 4]), ones([2, 4])])),
      'argument',
      /takes one input, and was called on 2/,
    );
    fails(() => layer.apply([]), 'argument', /called on 0/);
    layer.dispose();
  }
});

/** What a layer cannot be made without. */
const NEEDED: Readonly<Record<string, object>> = {
  activation: { activation: 'tanh' },
  alphaDropout: { rate: 0.5 },
  dense: { units: 2 },
  dot: { axes: 1 },
  dropout: { rate: 0.5 },
  embedding: { inputDim: 2, outputDim: 3 },
  gaussianDropout: { rate: 0.5 },
  gaussianNoise: { stddev: 1 },
  maxout: { pieces: 2 },
  permute: { dims: [2, 1] },
  repeatVector: { n: 2 },
  reshape: { targetShape: [-1] },
  spatialDropout1d: { rate: 0.5 },
  spatialDropout2d: { rate: 0.5 },
  spatialDropout3d: { rate: 0.5 },
};

const OWN = [...Object.keys(NEEDED), ...refused.map(([{ name }]) => name)].concat(
  ['add', 'average', 'concatenate', 'maximum', 'minimum', 'multiply', 'subtract', 'activityRegularization'],
  ['batch', 'group', 'instance', 'layer', 'localResponse', 'rms', 'unit'].map(
    (name) => `${name}Normalization`,
  ),
);

test('layers are made without a device, from their type and their options as JSON', () => {
  for (const type of new Set(OWN)) {
    const make = BUILT_IN_LAYERS[type];
    assert.ok(make, type);
    const first = withoutDevice(() => make({ name: 'first', ...NEEDED[type] } as never));
    assert.is(first.type, type);
    const again = withoutDevice(() => make(JSON.parse(JSON.stringify(first.getConfig())) as never));
    assert.equal(again.options, first.options);
    assert.is(again.name, 'first');
  }
  assert.ok(defaultDevice());
});

test('every function that makes a layer is listed by its type, but for lambda', () => {
  const makers = Object.entries(layers).filter(([name]) => /^[a-z]/.test(name));
  const listed = Object.entries(BUILT_IN_LAYERS);
  assert.equal(
    listed,
    makers.filter(([name]) => name !== 'lambda').sort(([a], [b]) => (a < b ? -1 : 1)),
  );
});
