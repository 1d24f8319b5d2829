/** Layers of convolutions: results and gradients of the ops, weights, options, memory. */
import * as assert from 'uvu/assert';
import { collectingLosses } from '../src/nn/call-context.ts';
import type { Layer } from '../src/nn/layer.ts';
import * as layers from '../src/nn/layers/index.ts';
import { BUILT_IN_LAYERS } from '../src/nn/layers/registry.ts';
import { input } from '../src/nn/symbolic.ts';
import * as w from '../src/node.ts';
import { ones, type Shape, scope, setDefaultDevice, setSeed, sum, type Tensor } from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { doesAs, numbers, promisesItsShape, withoutDevice, wrong } from './support/layer-checks.ts';
import { resultOf } from './support/values.ts';

const test = suite('layers, convolutions');

/** The name of a layer and of its op, the layer's options, and the shape of an input. */
type Case = readonly [name: string, options: object, shape: Shape];

const CASES: readonly Case[] = [
  ['conv1d', { filters: 4, kernelSize: 3 }, [2, 7, 3]],
  [
    'conv1d',
    { filters: 4, kernelSize: 2, padding: 'causal', dilationRate: 3, groups: 2, activation: 'tanh' },
    [2, 7, 6],
  ],
  [
    'conv2d',
    { filters: 5, kernelSize: [3, 2], strides: [2, 1], padding: 'same', activation: 'relu' },
    [2, 6, 5, 3],
  ],
  [
    'conv2d',
    { filters: 3, kernelSize: 3, padding: [[1, 0], 2], useBias: false, activation: 'softmax' },
    [1, 5, 5, 2],
  ],
  [
    'conv3d',
    { filters: 4, kernelSize: 2, strides: 2, padding: 'same', activation: 'sigmoid' },
    [1, 3, 4, 5, 2],
  ],
  ['conv1dTranspose', { filters: 4, kernelSize: 3, strides: 2, outputPadding: 1, groups: 2 }, [2, 5, 6]],
  [
    'conv2dTranspose',
    { filters: 3, kernelSize: [3, 2], strides: 2, padding: 'same', activation: 'relu' },
    [2, 4, 3, 5],
  ],
  ['conv3dTranspose', { filters: 2, kernelSize: 2, dilationRate: 2, padding: 1 }, [1, 3, 3, 2, 3]],
  [
    'depthwiseConv1d',
    { kernelSize: 3, depthMultiplier: 2, padding: 'causal', activation: 'tanh' },
    [2, 6, 3],
  ],
  ['depthwiseConv2d', { kernelSize: 3, strides: 2, padding: 'same', activation: 'gelu' }, [2, 5, 6, 3]],
  ['separableConv1d', { filters: 4, kernelSize: 3, dilationRate: 2, activation: 'relu' }, [2, 8, 3]],
  [
    'separableConv2d',
    { filters: 4, kernelSize: [2, 3], depthMultiplier: 2, padding: 'same', useBias: false },
    [2, 5, 4, 3],
  ],
];

const make = ([name, options]: Case): Layer =>
  // A bias of ones, so that one that is forgotten shows.
  (BUILT_IN_LAYERS[name] as (options: object) => Layer)({ biasInitializer: 'ones', ...options });

/** What the kernels apply themselves; the others are functions after them. */
const FUSED: readonly unknown[] = ['linear', 'relu', 'sigmoid', 'tanh'];

/** What a layer is to do, with its weights in order. */
function expected([name, options]: Case, x: Tensor, weights: Tensor[]): Tensor {
  const { filters, kernelSize, depthMultiplier, useBias, activation, ...moving } = options as Record<
    string,
    unknown
  >;
  const bias = useBias === false ? {} : { bias: weights.pop() };
  const fused = FUSED.includes(activation) ? { activation } : {};
  const op = (w as unknown as Record<string, (...operands: unknown[]) => Tensor>)[name];
  const y = (op as (...operands: unknown[]) => Tensor)(x, ...weights, { ...moving, ...bias, ...fused });
  return FUSED.includes(activation) ? y : w.getActivation(activation as w.ActivationName)(y);
}

test('results and gradients are those of the op with the same weights', async () => {
  await testDevice();
  setSeed(1);
  for (const one of CASES) await doesAs(make(one), one[2], (x, ...weights) => expected(one, x, weights));
});

test('constructors need no device, and options survive JSON', () => {
  setDefaultDevice(cpuDevice());
  for (const one of CASES) {
    const layer = withoutDevice(() => make(one));
    const again = (BUILT_IN_LAYERS[layer.type] as (options: never) => Layer)(
      wrong(JSON.parse(JSON.stringify(layer.getConfig()))),
    );
    assert.is(again.constructor, layer.constructor);
    assert.equal(again.options, layer.options);
    promisesItsShape(() => again, one[2]);
  }
});

test('weights: names, shapes and numbers', () => {
  setDefaultDevice(cpuDevice());
  const filters = 6;
  const rows: readonly (readonly [Layer, Shape, Record<string, Shape>])[] = [
    [layers.conv1d({ filters, kernelSize: 3 }), [8, 4], { kernel: [3, 4, 6], bias: [6] }],
    [
      layers.conv2d({ filters, kernelSize: [3, 2], groups: 2 }),
      [8, 8, 4],
      { kernel: [3, 2, 2, 6], bias: [6] },
    ],
    [layers.conv3d({ filters, kernelSize: 2, useBias: false }), [8, 8, 8, 1], { kernel: [2, 2, 2, 1, 6] }],
    [layers.conv1dTranspose({ filters, kernelSize: 3 }), [8, 4], { kernel: [3, 6, 4], bias: [6] }],
    [
      layers.conv2dTranspose({ filters, kernelSize: [3, 2], groups: 2 }),
      [8, 8, 4],
      { kernel: [3, 2, 3, 4], bias: [6] },
    ],
    [
      layers.conv3dTranspose({ filters, kernelSize: 2 }),
      [4, 4, 4, 1],
      { kernel: [2, 2, 2, 6, 1], bias: [6] },
    ],
    [layers.depthwiseConv1d({ kernelSize: 3 }), [8, 4], { kernel: [3, 4, 1], bias: [4] }],
    [
      layers.depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 3 }),
      [8, 8, 4],
      { kernel: [3, 2, 4, 3], bias: [12] },
    ],
    [
      layers.separableConv1d({ filters, kernelSize: 3 }),
      [8, 4],
      { depthwiseKernel: [3, 4, 1], pointwiseKernel: [1, 4, 6], bias: [6] },
    ],
    [
      layers.separableConv2d({ filters, kernelSize: 3, depthMultiplier: 2, useBias: false }),
      [8, 8, 4],
      { depthwiseKernel: [3, 3, 4, 2], pointwiseKernel: [1, 1, 8, 6] },
    ],
  ];
  for (const [layer, shape, expected] of rows) {
    assert.is(layer.countParams(), 0);
    layer.apply(input({ shape }));
    const weights = layer.namedWeights().map(([name, { shape }]) => [name, [...shape]] as const);
    assert.equal(Object.fromEntries(weights), expected, layer.type);
    assert.equal(
      weights.map(([name]) => name),
      Object.keys(expected),
      layer.type,
    );
    const count = Object.values(expected).reduce(
      (sum, extents) => sum + extents.reduce((a, b) => a * b, 1),
      0,
    );
    assert.is(layer.countParams(), count, layer.type);
    layer.dispose();
    assert.is(layer.countParams(), 0);
  }
});

test('a layer that is not trainable lets gradients through to its input alone', () => {
  setDefaultDevice(cpuDevice());
  for (const one of CASES) {
    const layer = make(one);
    layer.trainable = false;
    scope(() => {
      const x = numbers(one[2]);
      sum(layer.apply(x)).backward();
      assert.ok(x.grad, layer.type);
      assert.is(layer.trainableWeights.length, 0);
      assert.is(layer.nonTrainableWeights.length, layer.weights.length);
      for (const weight of layer.weights) assert.is(weight.grad, null, weight.name);
      layer.trainable = true;
      assert.is(layer.trainableWeights.length, layer.weights.length);
      sum(layer.apply(x)).backward();
      for (const weight of layer.weights) assert.ok(weight.grad, weight.name);
    });
    layer.dispose();
  }
});

test('each kernel has its own initializer, regularizer and constraint', async () => {
  setDefaultDevice(cpuDevice());
  const layer = layers.separableConv2d({
    filters: 2,
    kernelSize: 2,
    depthwiseInitializer: 'ones',
    depthwiseRegularizer: 'l1',
    pointwiseInitializer: { initializer: 'constant', options: { value: 2 } },
    pointwiseConstraint: 'nonNeg',
    biasInitializer: 'ones',
    biasRegularizer: 'l2',
  });
  // Four taps of ones over three channels, times 2, and a bias of 1.
  const y = await resultOf(() => layer.apply(ones([1, 2, 2, 3])));
  assert.equal(y, [[[[25, 25]]]]);
  const parts = layer.weights.map(({ regularizer, constraint }) => [
    regularizer !== null,
    constraint !== null,
  ]);
  assert.equal(parts, [
    [true, false],
    [false, true],
    [true, false],
  ]);
  layer.dispose();
  const depthwise = layers.depthwiseConv1d({
    kernelSize: 2,
    depthwiseInitializer: 'ones',
    depthwiseConstraint: 'unitNorm',
  });
  const z = await resultOf(() => depthwise.apply(ones([1, 3, 2])));
  assert.equal(z, [
    [
      [2, 2],
      [2, 2],
    ],
  ]);
  assert.equal(
    depthwise.weights.map(({ constraint }) => constraint !== null),
    [true, false],
  );
  depthwise.dispose();
});

test('an activity regularizer adds a penalty on the result', async () => {
  setDefaultDevice(cpuDevice());
  const layer = layers.conv1d({
    filters: 1,
    kernelSize: 2,
    kernelInitializer: 'ones',
    activityRegularizer: { regularizer: 'l1', options: { l1: 0.5 } },
  });
  const penalty = await resultOf(() => {
    const { losses } = collectingLosses(() => layer.apply(ones([1, 3, 1])));
    assert.is(losses.length, 1);
    return losses[0] as Tensor;
  });
  assert.is(penalty, 2);
  layer.dispose();
});

test('causal: no result sees a later step', async () => {
  setDefaultDevice(cpuDevice());
  const layer = layers.conv1d({
    filters: 1,
    kernelSize: 2,
    padding: 'causal',
    dilationRate: 2,
    kernelInitializer: 'ones',
  });
  const y = await resultOf(() => layer.apply(w.tensor([[[1], [10], [100], [1000]]])));
  assert.equal(y, [[[1], [10], [101], [1010]]]);
  layer.dispose();
});

test('an activation of its own: a function', async () => {
  setDefaultDevice(cpuDevice());
  const layer = layers.conv1d({
    filters: 1,
    kernelSize: 1,
    kernelInitializer: 'ones',
    activation: (x) => w.mul(x, w.add(x, 1)),
  });
  const y = await resultOf(() => layer.apply(w.tensor([[[1], [2]]])));
  assert.equal(y, [[[2], [6]]]);
  layer.dispose();
});

test('no call leaves more behind than its result, and dispose() leaves nothing', () => {
  const device = cpuDevice();
  setDefaultDevice(device);
  for (const one of CASES) {
    const before = device.memory().tensors;
    const layer = make(one);
    const x = numbers(one[2], false);
    layer.apply(x).dispose();
    const built = device.memory().tensors;
    assert.is(built, before + 1 + layer.weights.length, layer.type);
    w.noGrad(() => layer.apply(x)).dispose();
    assert.is(device.memory().tensors, built, layer.type);
    layer.dispose();
    layer.apply(x).dispose();
    layer.dispose();
    x.dispose();
    assert.is(device.memory().tensors, before, layer.type);
  }
});
