/** Recurrent layers and their wrappers: against their ops, long sequences, pairs of layers and models; their edges. */
import * as assert from 'uvu/assert';
import type { Layer } from '../src/nn/layer.ts';
import * as layers from '../src/nn/layers/index.ts';
import { BUILT_IN_LAYERS } from '../src/nn/layers/registry.ts';
import {
  assign,
  backward,
  concat,
  flip,
  full,
  Generator,
  grad,
  gradcheckModel,
  gru,
  input,
  keep,
  type LayerOptions,
  lstm,
  Model,
  matmul,
  model,
  modelFromJson,
  mul,
  type NestedArray,
  noGrad,
  optimizers,
  type Parameter,
  randomNormal,
  readModel,
  resetStates,
  reshape,
  type Shape,
  scope,
  sequential,
  setSeed,
  simpleRnn,
  slice,
  sub,
  sum,
  type Tensor,
  tensor,
  truncatedSteps,
  writeModel,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { checkLayerCase, type LayerCase } from './support/layer-case.ts';
import { close, fails, rejects, resultOf, resultsOf } from './support/values.ts';

const device = await testDevice();
const test = suite('recurrent layers');

const normal = (shape: Shape, seed = 1): Tensor =>
  randomNormal(shape, 0, 1, { generator: new Generator(seed) });

type Weights = Readonly<Record<string, Tensor>>;
const of = (weights: Weights, prefix = '') => ({
  kernel: weights[`${prefix}kernel`] as Tensor,
  recurrentKernel: weights[`${prefix}recurrentKernel`] as Tensor,
  bias: weights[`${prefix}bias`],
});

const cases: readonly LayerCase[] = [
  {
    name: 'simpleRnn',
    make: () => layers.simpleRnn({ units: 4 }),
    inputs: [[3, 5, 2]],
    weights: { kernel: [2, 4], recurrentKernel: [4, 4], bias: [4] },
    expected: ([x], weights) => simpleRnn(x as Tensor, of(weights)).last,
  },
  {
    name: 'simpleRnn with relu, a whole sequence, backwards',
    make: () => layers.simpleRnn({ units: 3, activation: 'relu', returnSequences: true, goBackwards: true }),
    inputs: [[3, 5, 2]],
    weights: { kernel: [2, 3], recurrentKernel: [3, 3], bias: [3] },
    expected: ([x], weights) =>
      simpleRnn(x as Tensor, { ...of(weights), activation: 'relu', goBackwards: true }).sequences,
  },
  {
    name: 'lstm',
    make: () => layers.lstm({ units: 4 }),
    inputs: [[3, 5, 2]],
    weights: { kernel: [2, 16], recurrentKernel: [4, 16], bias: [16] },
    expected: ([x], weights) => lstm(x as Tensor, of(weights)).last,
  },
  {
    name: 'lstm with options',
    make: () =>
      layers.lstm({
        units: 3,
        activation: null,
        recurrentActivation: 'hardSigmoid',
        useBias: false,
        returnSequences: true,
      }),
    inputs: [[2, 4, 2]],
    weights: { kernel: [2, 12], recurrentKernel: [3, 12] },
    expected: ([x], weights) =>
      lstm(x as Tensor, {
        kernel: weights.kernel as Tensor,
        recurrentKernel: weights.recurrentKernel as Tensor,
        activation: 'linear',
        recurrentActivation: 'hardSigmoid',
      }).sequences,
  },
  {
    name: 'lstm with states of yours',
    make: () => layers.lstm({ units: 3, goBackwards: true }),
    inputs: [
      [2, 4, 2],
      [2, 3],
      [2, 3],
    ],
    weights: { kernel: [2, 12], recurrentKernel: [3, 12], bias: [12] },
    expected: ([x, h, c], weights) =>
      lstm(x as Tensor, {
        ...of(weights),
        goBackwards: true,
        initialState: [h as Tensor, c as Tensor],
      }).last,
  },
  {
    name: 'gru',
    make: () => layers.gru({ units: 4 }),
    inputs: [[3, 5, 2]],
    weights: { kernel: [2, 12], recurrentKernel: [4, 12], bias: [2, 12] },
    expected: ([x], weights) => gru(x as Tensor, of(weights)).last,
  },
  {
    name: 'gru that resets before the product',
    make: () => layers.gru({ units: 3, resetAfter: false, recurrentActivation: 'hardSigmoid' }),
    inputs: [
      [3, 5, 2],
      [3, 3],
    ],
    weights: { kernel: [2, 9], recurrentKernel: [3, 9], bias: [9] },
    expected: ([x, h], weights) =>
      gru(x as Tensor, {
        ...of(weights),
        resetAfter: false,
        recurrentActivation: 'hardSigmoid',
        initialState: h as Tensor,
      }).last,
  },
  ...(
    [
      ['concat', (a: Tensor, b: Tensor) => concat([a, b], -1)],
      ['mul', mul],
    ] as const
  ).map(
    ([mergeMode, merge]): LayerCase => ({
      name: `bidirectional, ${mergeMode}`,
      make: () => layers.bidirectional({ layer: layers.gru({ units: 3, returnSequences: true }), mergeMode }),
      inputs: [[2, 4, 2]],
      weights: {
        'forward_gru.kernel': [2, 9],
        'forward_gru.recurrentKernel': [3, 9],
        'forward_gru.bias': [2, 9],
        'backward_gru.kernel': [2, 9],
        'backward_gru.recurrentKernel': [3, 9],
        'backward_gru.bias': [2, 9],
      },
      expected: ([x], weights) =>
        merge(
          gru(x as Tensor, of(weights, 'forward_gru.')).sequences,
          flip(gru(x as Tensor, { ...of(weights, 'backward_gru.'), goBackwards: true }).sequences, 1),
        ),
    }),
  ),
  {
    name: 'timeDistributed dense',
    make: () => layers.timeDistributed({ layer: layers.dense({ units: 3 }) }),
    inputs: [[2, 4, 5]],
    weights: { 'dense.kernel': [5, 3], 'dense.bias': [3] },
    expected: ([x], weights) =>
      reshape(
        matmul(reshape(x as Tensor, [8, 5]), weights['dense.kernel'] as Tensor, {
          bias: weights['dense.bias'] as Tensor,
        }),
        [2, 4, 3],
      ),
  },
];
for (const given of cases) test(given.name, () => checkLayerCase(given));

const values = async (layer: Layer, name: string): Promise<number[]> => {
  const [, { value }] = layer.namedWeights().find(([path]) => path === name) as [string, Parameter];
  return ((await value.array()) as NestedArray[]).flat(2) as number[];
};

test('the bias of the forget gate starts at 1, that of the others at 0', async () => {
  const layer = layers.lstm({ units: 2 });
  const plain = layers.lstm({ units: 2, unitForgetBias: false, biasInitializer: 'ones' });
  scope(() => {
    layer.apply(normal([1, 2, 3]));
    plain.apply(normal([1, 2, 3]));
  });
  assert.equal(await values(layer, 'bias'), [0, 0, 1, 1, 0, 0, 0, 0]);
  assert.equal(await values(plain, 'bias'), [1, 1, 1, 1, 1, 1, 1, 1]);
  layer.dispose();
  plain.dispose();
});

test('the recurrent kernel starts orthogonal', async () => {
  const layer = layers.gru({ units: 3 });
  scope(() => {
    layer.apply(normal([1, 2, 2]));
  });
  const product = await resultOf(() => {
    const kernel = layer.weights[1]?.value as Tensor;
    return matmul(kernel, kernel, { transposeB: true });
  });
  const identity = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  close(product, identity, { abs: 1e-5 });
  layer.dispose();
});

test('returnState gives the last states behind the output', async () => {
  const whole = layers.lstm({ units: 3, returnSequences: true, returnState: true });
  const last = layers.lstm({ units: 3, returnState: true });
  const results = await resultsOf(() => {
    const x = normal([2, 4, 2]);
    const outputs = whole.applyAll(x);
    assert.equal(
      outputs.map(({ shape }) => shape),
      [
        [2, 4, 3],
        [2, 3],
        [2, 3],
      ],
    );
    last.applyAll(x);
    whole.weights.forEach(({ value }, index) => {
      noGrad(() => assign(last.weights[index]?.value as Tensor, value));
    });
    return [...outputs, ...last.applyAll(x)];
  });
  const [sequence, h, c, out, again, cell] = results as [NestedArray[][], ...NestedArray[]];
  assert.equal(sequence.map((row) => row.at(-1)) as NestedArray, h);
  assert.equal([out, again, cell] as NestedArray, [h, h, c] as NestedArray);
  fails(() => scope(() => last.apply(normal([2, 4, 2]))), 'argument', /applyAll/);
  whole.dispose();
  last.dispose();
});

test('a symbolic layer knows its shapes, steps that are open included', () => {
  const x = input({ shape: [null, 4] });
  const shapesOf = (layer: Layer) => {
    const shapes = layer.applyAll(x).map(({ shape }) => shape);
    layer.dispose();
    return shapes;
  };
  assert.equal(shapesOf(layers.lstm({ units: 3 })), [[null, 3]]);
  assert.equal(shapesOf(layers.gru({ units: 3, returnSequences: true })), [[null, null, 3]]);
  assert.equal(shapesOf(layers.lstm({ units: 3, returnState: true })), [
    [null, 3],
    [null, 3],
    [null, 3],
  ]);
  const inner = () => layers.simpleRnn({ units: 3, returnSequences: true });
  assert.equal(shapesOf(layers.bidirectional({ layer: inner() })), [[null, null, 6]]);
  assert.equal(shapesOf(layers.bidirectional({ layer: inner(), mergeMode: null })), [
    [null, null, 3],
    [null, null, 3],
  ]);
  assert.equal(shapesOf(layers.timeDistributed({ layer: layers.dense({ units: 2 }) })), [[null, null, 2]]);
  assert.equal(shapesOf(layers.timeDistributed({ layer: layers.batchNormalization() })), [[null, null, 4]]);
});

test('dropout is the same at all steps, new at each call, and off out of training', async () => {
  const layer = layers.simpleRnn({
    units: 2,
    kernelInitializer: 'ones',
    recurrentInitializer: 'zeros',
    activation: 'linear',
    dropout: 0.5,
    seed: 3,
    returnSequences: true,
  });
  const [first, second, off] = (await resultsOf(() => {
    const x = full([40, 3, 1], 1);
    return [layer.apply(x, { training: true }), layer.apply(x, { training: true }), layer.apply(x)];
  })) as [number[][][], number[][][], number[][][]];
  for (const row of first) for (const step of row) assert.equal(step, row[0]);
  const dropped = first.filter(([step]) => step?.[0] === 0).length;
  assert.ok(dropped > 5 && dropped < 35, `${dropped} of 40 are dropped`);
  assert.ok(first.every(([step]) => step?.[0] === 0 || step?.[0] === 2));
  assert.not.equal(first, second);
  assert.ok(off.flat(2).every((value) => value === 1));
  layer.dispose();
});

test('recurrent dropout acts on the state before the kernel', async () => {
  const layer = layers.simpleRnn({
    units: 1,
    kernelInitializer: 'ones',
    recurrentInitializer: 'ones',
    activation: 'linear',
    recurrentDropout: 0.5,
    seed: 4,
  });
  const [result] = (await resultsOf(() => [layer.apply(full([40, 3, 1], 1), { training: true })])) as [
    number[][],
  ];
  // h = 1 at each step where the state is dropped, else h = 1 + 2·(1 + 2·1).
  assert.ok(result.every(([h]) => h === 1 || h === 7));
  assert.ok(result.some(([h]) => h === 1) && result.some(([h]) => h === 7));
  layer.dispose();
});

for (const make of [
  (options: LayerOptions & { stateful?: boolean }) => layers.lstm({ units: 3, ...options }),
  (options: LayerOptions & { stateful?: boolean }) => layers.gru({ units: 3, ...options }),
  (options: LayerOptions & { stateful?: boolean }) => layers.simpleRnn({ units: 3, ...options }),
]) {
  const { type } = make({});
  test(`a stateful ${type} in parts gives what one long sequence does`, async () => {
    const layer = make({ stateful: true });
    const results = await resultsOf(() => {
      const x = normal([2, 6, 2]);
      const parts = [0, 2, 4].map((from) => layer.apply(slice(x, { 1: [from, from + 2] })));
      resetStates(layer);
      assert.is(layer.states, null);
      return [parts[2] as Tensor, layer.apply(x)];
    });
    close(results[0] as NestedArray, results[1] as NestedArray, 1e-5);
    fails(
      () => scope(() => layer.apply(normal([3, 2, 2]))),
      'shape',
      /batch of 3 follows batches of 2/,
      /resetStates/,
    );
    layer.resetStates();
    scope(() => {
      layer.apply(normal([3, 2, 2]));
    });
    layer.dispose();
  });
}

test('gradients of a stateful layer end at the border of the batch, and the state is no weight', () => {
  const layer = layers.gru({ units: 2, stateful: true });
  scope(() => {
    const x = randomNormal([2, 3, 2], 0, 1, { requiresGrad: true });
    layer.apply(x);
    const y = layer.apply(randomNormal([2, 3, 2], 0, 1));
    backward(sum(y));
    assert.is(x.grad, null);
  });
  assert.is(layer.weights.length, 3);
  assert.equal(
    layer.states?.map(({ shape }) => shape),
    [[2, 2]],
  );
  layer.dispose();
  assert.is(layer.states, null);
});

/** h of a stateful layer. */
async function stateOf({ states }: layers.RecurrentLayer): Promise<NestedArray> {
  const [h] = states as readonly [Tensor];
  return h.array();
}

test('checks and shapes leave the state of a model alone', async () => {
  const net = sequential([
    input({ shape: [3, 2] }),
    layers.lstm({ units: 2, stateful: true }),
    layers.dense({ units: 1 }),
  ]);
  const x = normal([2, 3, 2]);
  const [own] = net.layers as [layers.Lstm];
  assert.is(own.states, null);
  (await net.predict(x)).dispose();
  const before = await stateOf(own);
  assert.ok((await gradcheckModel(net, x)).ok);
  net.summary();
  assert.equal(await stateOf(own), before);
  x.dispose();
  net.dispose();
});

test('fit goes on from batch to batch of one size, and begins anew where it is told to', async () => {
  const net = sequential([
    input({ shape: [3, 2] }),
    layers.bidirectional({ layer: layers.gru({ units: 2, stateful: true }) }),
    layers.dense({ units: 1 }),
  ]);
  net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const [both] = net.layers as [layers.Bidirectional];
  const data = { x: new Float32Array(36), y: new Float32Array(6) };
  const x = { data: data.x, shape: [6, 3, 2], dtype: 'float32' as const };
  const seen: boolean[] = [];
  const onEpochBegin = (): void => {
    resetStates(net);
    seen.push(both.forwardLayer.states === null && both.backwardLayer.states === null);
  };
  await net.fit({ x, y: data.y }, { batchSize: 3, epochs: 2, callbacks: [{ onEpochBegin }] });
  assert.equal(seen, [true, true]);
  assert.is(both.backwardLayer.states?.length, 1);
  resetStates(net);
  await rejects(
    net.fit({ x, y: data.y }, { batchSize: 4 }),
    'shape',
    /forward_gru/,
    /batch of 2 follows batches of 4/,
  );
  net.dispose();
});

test('bidirectional gives the states of both, forward first, and takes them', async () => {
  const layer = layers.bidirectional({
    layer: layers.lstm({ units: 2, returnState: true }),
    mergeMode: 'ave',
  });
  const results = await resultsOf(() => {
    const x = normal([2, 3, 2]);
    const states = [1, 2, 3, 4].map((seed) => normal([2, 2], seed));
    const outputs = layer.applyAll([x, ...states]);
    const front = layer.forwardLayer.applyAll([x, ...states.slice(0, 2)]);
    const back = layer.backwardLayer.applyAll([x, ...states.slice(2)]);
    const mean = mul(sub(front[0] as Tensor, mul(back[0] as Tensor, -1)), 0.5);
    return [...outputs, mean, ...front.slice(1), ...back.slice(1)];
  });
  assert.is(results.length, 10);
  results.slice(0, 5).forEach((value, index) => {
    close(value, results[index + 5] as NestedArray, { abs: 1e-6 });
  });
  layer.dispose();
});

test('bidirectional takes a backward layer of its own, and names', () => {
  const layer = layers.bidirectional({
    layer: layers.lstm({ units: 3, name: 'reader' }),
    backwardLayer: layers.gru({ units: 2, goBackwards: true }),
  });
  assert.equal(layer.apply(input({ shape: [null, 2] })).shape, [null, 5]);
  assert.equal(
    layer.sublayers().map(([name]) => name),
    ['forward_reader', 'backward_gru'],
  );
  layer.dispose();
});

/** Subtracts the mean of the batch, so that steps must not be joined. */
class Centred extends Model {
  calls = 0;
  override call([x]: readonly Tensor[]): Tensor {
    this.calls++;
    const all = x as Tensor;
    return sub(all, mul(sum(all, { axis: 0 }), 1 / (all.shape[0] as number)));
  }
}

test('timeDistributed calls what it does not know once for each step', async () => {
  const inner = new Centred();
  const layer = layers.timeDistributed({ layer: inner });
  const results = await resultsOf(() => {
    const x = normal([3, 4, 2]);
    const y = layer.apply(x);
    assert.is(inner.calls, 4);
    const steps = [0, 1, 2, 3].map((step) => inner.apply(reshape(slice(x, { 1: [step, step + 1] }), [3, 2])));
    return [
      y,
      concat(
        steps.map((step) => reshape(step, [3, 1, 2])),
        1,
      ),
    ];
  });
  assert.equal(results[0], results[1]);
});

test('timeDistributed joins the steps of images, texts and models', async () => {
  const conv = layers.timeDistributed({ layer: layers.conv2d({ filters: 2, kernelSize: 2 }) });
  const text = layers.timeDistributed({
    layer: sequential([
      layers.embedding({ inputDim: 5, outputDim: 2, maskZero: true }),
      layers.lstm({ units: 3 }),
    ]),
  });
  const results = await resultsOf(() => {
    const video = normal([2, 3, 4, 4, 1]);
    const y = conv.apply(video);
    assert.equal(y.shape, [2, 3, 3, 3, 2]);
    const frame = conv.layer.apply(reshape(slice(video, { 1: [1, 2] }), [2, 4, 4, 1]));
    const tokens = tensor(Int32Array.from([1, 2, 0, 3, 0, 0, 4, 4, 1, 2, 3, 4]), { shape: [2, 2, 3] });
    const z = text.apply(tokens);
    const second = text.layer.apply(reshape(slice(tokens, { 1: [1, 2] }), [2, 3]));
    return [
      reshape(slice(y, { 1: [1, 2] }), frame.shape),
      frame,
      reshape(slice(z, { 1: [1, 2] }), [2, 3]),
      second,
    ];
  });
  close(results[0] as NestedArray, results[1] as NestedArray, { abs: 1e-6 });
  close(results[2] as NestedArray, results[3] as NestedArray, { abs: 1e-6 });
  conv.dispose();
  text.dispose();
});

test('hiddenGradient tells the gradient of each step', async () => {
  const layer = layers.gru({ units: 2 });
  let seen: Promise<NestedArray> | undefined;
  const copies: Tensor[] = [];
  layer.hiddenGradient = (gradient) => {
    const copy = keep(gradient.detach());
    copies.push(copy);
    seen = copy.array();
  };
  scope(() => backward(sum(layer.apply(normal([2, 4, 2])))));
  const norms = ((await seen) as number[][][]).map((row) => row.map((step) => Math.hypot(...step)));
  // The gradient of a sum arrives at the last step, and shrinks on its way back.
  for (const row of norms) assert.ok((row[3] as number) > (row[0] as number) && (row[0] as number) > 0);
  for (const copy of copies) copy.dispose();
  layer.dispose();
});

const everything = () => {
  const x = input({ shape: [4, 3] });
  const [sequence, h, c] = layers
    .lstm({ units: 3, returnSequences: true, returnState: true, dropout: 0.1, name: 'encoder' })
    .applyAll(x) as [typeof x, typeof x, typeof x];
  const second = layers
    .lstm({ units: 3, returnSequences: true, kernelRegularizer: 'l2', unitForgetBias: false })
    .apply([sequence, h, c]);
  const both = layers
    .bidirectional({
      layer: layers.gru({ units: 2, returnSequences: true, resetAfter: false }),
      mergeMode: 'sum',
    })
    .apply(layers.masking().apply(second));
  const each = layers
    .timeDistributed({ layer: sequential([layers.dense({ units: 2 })], { name: 'head' }) })
    .apply(both);
  return model({ inputs: x, outputs: layers.simpleRnn({ units: 1, activation: 'relu' }).apply(each) });
};

test('models with all of them pass through JSON and files', async () => {
  const net = everything();
  (net.layers.find(({ type }) => type === 'bidirectional') as layers.Bidirectional).backwardLayer.trainable =
    false;
  const copy = modelFromJson(JSON.parse(JSON.stringify(net)));
  assert.equal(
    copy.namedWeights().map(([path, { shape, trainable }]) => [path, [...shape], trainable]),
    net.namedWeights().map(([path, { shape, trainable }]) => [path, [...shape], trainable]),
  );
  assert.equal(JSON.parse(JSON.stringify(copy)), JSON.parse(JSON.stringify(net)));
  const read = readModel(await writeModel(net, { float: 'float64' }));
  const [a, b] = await resultsOf(() => {
    const x = normal([2, 4, 3]);
    return [net.apply(x), read.apply(x)];
  });
  assert.equal(a, b);
  for (const own of [net, copy, read]) own.dispose();
});

test('the gradients of a model of all of them are right', async () => {
  setSeed(5);
  const net = everything();
  const [x, y] = scope(() => [normal([2, 4, 3]), normal([2, 1], 2)]) as [Tensor, Tensor];
  const { ok, first, rows } = await gradcheckModel(net, x, y, { loss: 'meanSquaredError' });
  assert.ok(ok, JSON.stringify(first));
  const checked = new Set(rows.map(({ type }) => type));
  for (const type of ['lstm', 'gru', 'bidirectional', 'timeDistributed', 'simpleRnn', 'functional', 'loss'])
    assert.ok(checked.has(type), type);
  x.dispose();
  y.dispose();
  net.dispose();
});

test('a frozen layer gets no gradient', () => {
  const layer = layers.bidirectional({ layer: layers.lstm({ units: 2 }), trainable: false });
  scope(() => {
    const y = layer.apply(randomNormal([2, 3, 2], 0, 1, { requiresGrad: true }));
    backward(sum(y));
    assert.is(layer.trainableWeights.length, 0);
    assert.is(layer.nonTrainableWeights.length, 6);
    for (const { grad: gradient } of layer.weights) assert.is(gradient, null);
  });
  layer.dispose();
});

test('second derivatives pass through a layer', async () => {
  const layer = layers.lstm({ units: 2 });
  const [second] = await resultsOf(() => {
    const x = randomNormal([1, 3, 2], 0, 1, { requiresGrad: true });
    const [first] = grad([sum(layer.apply(x))], [x], { createGraph: true }) as [Tensor];
    return grad([sum(mul(first, first))], [x]) as Tensor[];
  });
  assert.ok((second as NestedArray[]).flat(3).every((value) => Number.isFinite(value)));
  assert.ok((second as NestedArray[]).flat(3).some((value) => value !== 0));
  layer.dispose();
});

test('every kind is in the list of built-in layers', () => {
  for (const type of ['simpleRnn', 'lstm', 'gru', 'bidirectional', 'timeDistributed', 'masking'])
    assert.type(BUILT_IN_LAYERS[type], 'function');
});

const wrong = (value: unknown): never => value as never;

test('what is wrong is refused in words', () => {
  const refusals: readonly (readonly [() => unknown, string, ...RegExp[]])[] = [
    [() => layers.lstm(wrong({})), 'argument', /lstm: units is undefined/],
    [() => layers.lstm({ units: 0 }), 'argument', /whole number ≥ 1/],
    [() => layers.lstm(wrong({ units: 2, unroll: true })), 'argument', /no option 'unroll'/],
    [
      () => layers.lstm(wrong({ units: 2, activation: 'gelu' })),
      'argument',
      /no activation of recurrent layers 'gelu'/,
      /tanh, relu, sigmoid, linear, hardSigmoid/,
      /subclass of Layer/,
    ],
    [
      () => layers.gru(wrong({ units: 2, recurrentActivation: 'sigmod' })),
      'argument',
      /Did you mean 'sigmoid'/,
    ],
    [() => layers.gru({ units: 2, dropout: 1 }), 'argument', /dropout is 1/],
    [() => layers.gru({ units: 2, recurrentDropout: -0.1 }), 'argument', /recurrentDropout is -0.1/],
    [() => layers.gru(wrong({ units: 2, resetAfter: 1 })), 'argument', /resetAfter is 1/],
    [() => layers.lstm(wrong({ units: 2, unitForgetBias: 'yes' })), 'argument', /unitForgetBias/],
    [() => layers.simpleRnn(wrong({ units: 2, stateful: 1 })), 'argument', /stateful is 1/],
    [
      () => layers.simpleRnn(wrong({ units: 2, recurrentActivation: 'tanh' })),
      'argument',
      /no option 'recurrentActivation'/,
    ],
    [
      () => layers.lstm({ units: 2 }).apply(input({ shape: [4] })),
      'shape',
      /layer 'lstm'/,
      /\(batch, steps, features\)/,
    ],
    [() => layers.lstm({ units: 2 }).apply(input({ shape: [4, null] })), 'shape', /last axis open/],
    [() => layers.lstm({ units: 2 }).resetStates(), 'argument', /stateful: true/],
    [
      () => layers.bidirectional(wrong({ layer: layers.dense({ units: 2 }) })),
      'argument',
      /a layer of type dense/,
    ],
    [
      () => layers.bidirectional(wrong({ layer: layers.lstm({ units: 2 }), mergeMode: 'add' })),
      'argument',
      /no mergeMode 'add'/,
    ],
    [
      () =>
        layers.bidirectional({ layer: layers.lstm({ units: 2 }), backwardLayer: layers.lstm({ units: 2 }) }),
      'argument',
      /same direction/,
    ],
    [
      () =>
        layers.bidirectional({
          layer: layers.lstm({ units: 2 }),
          backwardLayer: layers.lstm({ units: 2, goBackwards: true, returnSequences: true }),
        }),
      'argument',
      /returnSequences is false forward and true backward/,
    ],
    [() => layers.timeDistributed(wrong({ layer: 'dense' })), 'argument', /pass a layer/],
    [
      () => layers.timeDistributed({ layer: layers.dense({ units: 2 }) }).apply(input({ shape: [3] })),
      'shape',
      /\(batch, steps, …\)/,
    ],
  ];
  for (const row of refusals) fails(...row);
  const layer = layers.lstm({ units: 2 });
  scope(() => {
    layer.apply(normal([2, 3, 2]));
    fails(() => layer.apply(normal([2, 3, 4])), 'shape', /built for a last axis of 2/);
    fails(() => layer.apply([normal([2, 3, 2]), normal([2, 2])]), 'argument', /\[x, h, c\]/, /2 inputs/);
    fails(() => layer.apply([normal([2, 3, 2]), normal([3, 2]), normal([3, 2])]), 'shape', /\(2, 2\)/);
  });
  layer.dispose();
});

test('an empty sequence leaves the state as it is', async () => {
  const layer = layers.gru({ units: 2, returnSequences: true, returnState: true });
  const [sequence, h, start] = await resultsOf(() => {
    layer.applyAll(normal([2, 1, 3]));
    const state = normal([2, 2]);
    const [all, last] = layer.applyAll([normal([2, 0, 3]), state]) as [Tensor, Tensor];
    assert.equal(all.shape, [2, 0, 2]);
    return [all, last, state];
  });
  assert.equal(sequence, [[], []]);
  assert.equal(h, start);
  layer.dispose();
});

test('truncated backpropagation over a long series takes the memory of a window', async () => {
  setSeed(1);
  const net = sequential([
    input({ shape: [null, 1] }),
    layers.gru({ units: 4, stateful: true, returnSequences: true }),
    layers.dense({ units: 1 }),
  ]);
  net.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
  const steps = 1000;
  const wave = Array.from({ length: steps + 1 }, (_, step) => Math.sin(step / 5));
  const [x, y] = scope(() => [
    tensor(Float64Array.from(wave.slice(0, -1)), { shape: [1, steps, 1] }),
    tensor(Float64Array.from(wave.slice(1)), { shape: [1, steps, 1] }),
  ]) as [Tensor, Tensor];
  const run = async (options: { k1: number; k2?: number }) => {
    const tensors: number[] = [];
    const bytes: number[] = [];
    let last = 0;
    for await (const { to } of truncatedSteps(net, { x, y }, options)) {
      const memory = device.memory();
      tensors.push(memory.tensors);
      bytes.push(memory.bytes);
      last = to;
    }
    assert.is(last, steps);
    assert.is(new Set(tensors.slice(2)).size, 1, 'the number of tensors');
    assert.is(Math.max(...bytes.slice(10)), Math.min(...bytes.slice(10)), 'the bytes');
    return { windows: tensors.length, loss: (await net.trainer.logs()).loss as number };
  };
  const first = await run({ k1: 5 });
  assert.is(first.windows, 200);
  const longer = await run({ k1: 5, k2: 20 });
  assert.is(longer.windows, 197);
  assert.ok(longer.loss < first.loss, `${longer.loss} after ${first.loss}`);
  await rejects(truncatedSteps(net, { x, y }, { k1: 5, k2: 4 }).next(), 'argument', /k2 is 4/);
  await rejects(truncatedSteps(net, { x, y }, { k1: 2000 }).next(), 'argument', /1000 steps/);
  await rejects(truncatedSteps(net, wrong({ x: [1], y }), { k1: 5 }).next(), 'argument', /pass a tensor/);
  x.dispose();
  y.dispose();
  net.dispose();
});

test('with k2 > k1 each window begins where the last one had moved to', async () => {
  const layer = layers.lstm({ units: 2, stateful: true, returnSequences: true });
  const net = sequential([input({ shape: [null, 1] }), layer]);
  // A rate of 0: the weights stay, and so the states are those of one walk.
  net.compile({ optimizer: optimizers.sgd({ learningRate: 1e-30 }), loss: 'meanSquaredError' });
  const [x, y] = scope(() => [normal([2, 8, 1]), normal([2, 8, 2])]) as [Tensor, Tensor];
  const seen: NestedArray[] = [];
  for await (const { from } of truncatedSteps(net, { x, y }, { k1: 2, k2: 4 })) {
    void from;
    seen.push(await stateOf(layer));
  }
  const fresh = layers.lstm({ units: 2, returnSequences: true });
  const whole = (await resultOf(() => {
    fresh.apply(x);
    layer.weights.forEach(({ value }, index) => {
      noGrad(() => assign(fresh.weights[index]?.value as Tensor, value));
    });
    return fresh.apply(x);
  })) as number[][][];
  assert.is(seen.length, 3);
  const targets = (await y.array()) as number[][][];
  /** The mean over rows and units of some steps. */
  const lossOf = (from: number, to: number): number => {
    const squares = whole.flatMap((row, index) =>
      row
        .slice(from, to)
        .flatMap((step, at) =>
          step.map((value, unit) => (value - (targets[index]?.[from + at]?.[unit] as number)) ** 2),
        ),
    );
    return squares.reduce((a, b) => a + b) / squares.length;
  };
  // All steps of the first window are new, and the last two of each later one.
  const expected = (lossOf(0, 4) + lossOf(4, 6) + lossOf(6, 8)) / 3;
  close((await net.trainer.logs()).loss as number, expected, 1e-5);
  seen.forEach((state, index) => {
    close(
      state,
      whole.map((row) => row[2 * index + 1] as number[]),
      { abs: 1e-6 },
    );
  });
  for (const own of [x, y, net, fresh]) own.dispose();
});

test('an lstm learns to remember the first symbol', async () => {
  setSeed(2);
  const rows = 256;
  const steps = 8;
  const generator = new Generator(9);
  const x = new Float32Array(rows * steps);
  const y = new Int32Array(rows);
  const draw = await resultOf(() => randomNormal([rows, steps], 0, 1, { generator }));
  (draw as number[][]).forEach((row, index) => {
    row.forEach((value, step) => {
      x[index * steps + step] = step === 0 ? Math.sign(value) : value / 3;
    });
    y[index] = (row[0] as number) > 0 ? 1 : 0;
  });
  const net = sequential([
    input({ shape: [steps, 1] }),
    layers.lstm({ units: 8 }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ]);
  net.compile({
    optimizer: optimizers.adam({ learningRate: 0.03 }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
  });
  const data = { x: { data: x, shape: [rows, steps, 1], dtype: 'float32' as const }, y };
  const { epochs } = await net.fit(data, { epochs: 8, batchSize: 32 });
  assert.ok((epochs.at(-1)?.accuracy as number) > 0.97, JSON.stringify(epochs));
  net.dispose();
});
