/** Masks: where they come from, which layers hand them on, and what they do to states, losses and metrics. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { Layer } from '../src/nn/layer.ts';
import * as layers from '../src/nn/layers/index.ts';
import {
  assign,
  backward,
  compareDevices,
  concat,
  Generator,
  gather,
  getMask,
  gradcheckModel,
  input,
  model,
  mul,
  type NestedArray,
  noGrad,
  Layer as OwnLayer,
  ones,
  randomNormal,
  readModel,
  reshape,
  type Shape,
  scope,
  sequential,
  setMask,
  setSeed,
  slice,
  sub,
  sum,
  type Tensor,
  tensor,
  writeModel,
} from '../src/node.ts';
import type { LossFunction } from '../src/train/losses.ts';
import { suite, testDevice } from './support/harness.ts';
import { close, fails, rejects, resultOf, resultsOf } from './support/values.ts';

await testDevice();
const test = suite('masks');

interface Listed {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

interface Literals {
  readonly tagger: {
    readonly tokens: readonly (readonly number[])[];
    readonly target: Listed;
    readonly sampleWeight: readonly number[];
    readonly weights: readonly Listed[];
    readonly prediction: Listed;
    readonly loss: number;
    readonly weightedLoss: number;
    readonly meanAbsoluteError: number;
  };
  readonly reader: { readonly x: Listed; readonly weights: readonly Listed[]; readonly last: Listed };
}

const { tagger, reader } = JSON.parse(
  readFileSync(new URL('literals/recurrent-layers.json', import.meta.url), 'utf8'),
) as Literals;

const tensorOf = ({ shape, values }: Listed): Tensor => tensor(Float64Array.from(values), { shape });

const normal = (shape: Shape, seed = 1): Tensor =>
  randomNormal(shape, 0, 1, { generator: new Generator(seed) });

const tokens = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, (rows[0] as readonly number[]).length] });

const bools = (rows: readonly (readonly number[])[]): Tensor => tensor(rows as number[][], { dtype: 'bool' });

function fill(layer: Layer, weights: readonly Listed[]): void {
  assert.is(layer.weights.length, weights.length);
  layer.weights.forEach(({ value }, index) => {
    const { values } = weights[index] as Listed;
    noGrad(() => assign(value, Float64Array.from(values)));
  });
}

const makeTagger = () => {
  const net = sequential([
    input({ shape: [null], dtype: 'int32' }),
    layers.embedding({ inputDim: 6, outputDim: 3, maskZero: true }),
    layers.bidirectional({ layer: layers.lstm({ units: 2, returnSequences: true }) }),
    layers.dropout({ rate: 0.1 }),
    layers.gru({ units: 2, returnSequences: true }),
    layers.timeDistributed({ layer: layers.dense({ units: 1 }) }),
  ]);
  fill(net, tagger.weights);
  return net;
};

test('a tagger of padded rows predicts and loses what the formulas of Keras say', async () => {
  const net = makeTagger();
  net.compile({
    optimizer: 'sgd',
    loss: 'meanSquaredError',
    metrics: ['meanAbsoluteError'],
    weightedMetrics: ['meanSquaredError'],
  });
  // Nine digits in the file, and a few dozen roundings of 6e-8 on a GPU.
  const near = { abs: 2e-6, rel: 2e-6 };
  const prediction = (await resultOf(() => net.apply(tokens(tagger.tokens)))) as NestedArray[];
  close(prediction.flat(2), [...tagger.prediction.values], near);
  const { data, shape } = { data: Float32Array.from(tagger.target.values), shape: tagger.target.shape };
  const y = { data, shape, dtype: 'float32' as const };
  const logs = await net.testOnBatch({ x: tagger.tokens as number[][], y });
  close(logs.loss as number, tagger.loss, near);
  close(logs.meanAbsoluteError as number, tagger.meanAbsoluteError, near);
  const weighted = await net.testOnBatch({
    x: tagger.tokens as number[][],
    y,
    sampleWeight: [...tagger.sampleWeight],
  });
  close(weighted.loss as number, tagger.weightedLoss, near);
  const share = tagger.tokens.flatMap((row, index) =>
    row.map((token) => (token === 0 ? 0 : (tagger.sampleWeight[index] as number))),
  );
  const total = share.reduce((a, b) => a + b, 0);
  const count = tagger.tokens.flat().filter((token) => token !== 0).length;
  close(weighted.meanSquaredError as number, (tagger.weightedLoss * count) / total, near);
  net.dispose();
});

test('the gradients of a tagger of padded rows are right', async () => {
  const net = makeTagger();
  const x = tokens(tagger.tokens);
  const y = tensorOf(tagger.target);
  const { ok, first } = await gradcheckModel(net, x, y, { loss: 'meanSquaredError' });
  assert.ok(ok, JSON.stringify(first));
  for (const own of [x, y, net]) own.dispose();
});

test('masking() lets a layer skip steps of one value', async () => {
  const net = sequential([
    input({ shape: [null, 2] }),
    layers.masking({ maskValue: -1 }),
    layers.gru({ units: 3 }),
  ]);
  fill(net, reader.weights);
  const last = (await resultOf(() => net.apply(tensorOf(reader.x)))) as NestedArray[];
  close(last.flat(2), [...reader.last.values], { abs: 2e-6, rel: 2e-6 });
  net.dispose();
});

const recurrent: Readonly<Record<string, () => layers.RecurrentLayer>> = {
  simpleRnn: () => layers.simpleRnn({ units: 3 }),
  lstm: () => layers.lstm({ units: 3 }),
  gru: () => layers.gru({ units: 3 }),
};

for (const [type, make] of Object.entries(recurrent))
  test(`rows of different lengths in one batch of a ${type} are the rows one by one`, async () => {
    const layer = make();
    const lengths = [5, 2, 1, 4];
    const [together, apart] = await resultsOf(() => {
      const x = normal([4, 5, 2]);
      setMask(x, bools(lengths.map((length) => [0, 1, 2, 3, 4].map((step) => (step < length ? 1 : 0)))));
      const rows = lengths.map((length, row) => layer.apply(slice(x, { 0: [row, row + 1], 1: [0, length] })));
      return [layer.apply(x), concat(rows)];
    });
    close(together as NestedArray, apart as NestedArray, { abs: 1e-6 });
    layer.dispose();
  });

test('no gradient reaches a step that is masked', async () => {
  const layer = layers.bidirectional({ layer: layers.lstm({ units: 2 }) });
  const [gradient] = (await resultsOf(() => {
    const x = randomNormal([2, 3, 2], 0, 1, { requiresGrad: true });
    setMask(
      x,
      bools([
        [1, 0, 1],
        [1, 1, 0],
      ]),
    );
    backward(sum(layer.apply(x)));
    return [mul(x.grad as Tensor, 1)];
  })) as [number[][][]];
  assert.equal(gradient[0]?.[1], [0, 0]);
  assert.equal(gradient[1]?.[2], [0, 0]);
  assert.ok(gradient[0]?.[2]?.some((value) => value !== 0));
  layer.dispose();
});

/** What becomes of the mask [[1, 1, 0], [1, 0, 0]] behind a layer; null for none. */
const behind = async (layer: Layer, shape: Shape = [2, 3, 4]): Promise<NestedArray | null> => {
  const found = scope(() => {
    const x = normal(shape);
    setMask(
      x,
      bools([
        [1, 1, 0],
        [1, 0, 0],
      ]),
    );
    return layer.applyAll(x).map((y) => getMask(y)?.detach());
  });
  const [first] = found;
  const result = first ? await first.array() : null;
  for (const mask of found) mask?.dispose();
  layer.dispose();
  return result;
};

const MASK = [
  [true, true, false],
  [true, false, false],
];

test('layers that work step by step hand a mask on', async () => {
  const handing: readonly Layer[] = [
    layers.activation({ activation: 'tanh' }),
    layers.relu(),
    layers.leakyRelu(),
    layers.prelu({ sharedAxes: 1 }),
    layers.elu(),
    layers.softmax(),
    layers.thresholdedRelu(),
    layers.activityRegularization({ l2: 0.1 }),
    layers.dropout({ rate: 0.5 }),
    layers.alphaDropout({ rate: 0.5 }),
    layers.spatialDropout1d({ rate: 0.5 }),
    layers.gaussianDropout({ rate: 0.5 }),
    layers.gaussianNoise({ stddev: 1 }),
    layers.dense({ units: 2 }),
    layers.batchNormalization(),
    layers.layerNormalization(),
    layers.rmsNormalization(),
    layers.unitNormalization(),
    layers.timeDistributed({ layer: layers.dense({ units: 2 }) }),
    layers.bidirectional({ layer: layers.gru({ units: 2, returnSequences: true }) }),
    layers.simpleRnn({ units: 2, returnSequences: true }),
    sequential([layers.dense({ units: 2 }), layers.relu()]),
  ];
  for (const layer of handing) assert.equal(await behind(layer), MASK, layer.type);
  assert.equal(await behind(layers.lstm({ units: 2, returnSequences: true, goBackwards: true })), [
    [false, true, true],
    [false, false, true],
  ]);
});

test('a mask ends at layers that change the steps, or have one output for all', async () => {
  const ending: readonly Layer[] = [
    layers.lstm({ units: 2 }),
    layers.bidirectional({ layer: layers.gru({ units: 2 }) }),
    layers.flatten(),
    layers.reshape({ targetShape: [4, 3] }),
    layers.permute({ dims: [2, 1] }),
    layers.conv1d({ filters: 2, kernelSize: 2 }),
    layers.globalMaxPooling1d(),
    layers.globalAveragePooling1d(),
    layers.lambda((x) => mul(x as Tensor, 2)),
    layers.embedding({ inputDim: 2, outputDim: 2 }),
  ];
  for (const layer of ending) {
    if (layer.type !== 'embedding') assert.is(await behind(layer), null, layer.type);
    else {
      const mask = scope(() => getMask(layer.apply(tokens([[0, 1]]))));
      assert.is(mask, null);
      layer.dispose();
    }
  }
});

test('joined inputs count where Keras says', async () => {
  const given = async (layer: Layer, second: number[][] | null): Promise<NestedArray | null> => {
    const mask = scope(() => {
      const [a, b] = [normal([2, 3, 4]), normal([2, 3, 4], 2)];
      setMask(
        a,
        bools([
          [1, 1, 0],
          [1, 0, 0],
        ]),
      );
      if (second) setMask(b, bools(second));
      return getMask(layer.apply([a, b]))?.detach() ?? null;
    });
    const result = mask && (await mask.array());
    mask?.dispose();
    return result;
  };
  const second = [
    [0, 1, 1],
    [0, 0, 0],
  ];
  const either = [
    [true, true, true],
    [true, false, false],
  ];
  const all = [layers.add, layers.subtract, layers.multiply, layers.average, layers.maximum, layers.minimum];
  for (const make of all) {
    assert.equal(await given(make(), second), either, make().type);
    assert.is(await given(make(), null), null, make().type);
  }
  assert.equal(await given(layers.concatenate(), second), either);
  assert.is(await given(layers.concatenate(), null), null);
  assert.equal(await given(layers.concatenate({ axis: 1 }), second), [
    [true, true, false, false, true, true],
    [true, false, false, false, false, false],
  ]);
  assert.equal(await given(layers.concatenate({ axis: 1 }), null), [
    [true, true, false, true, true, true],
    [true, false, false, true, true, true],
  ]);
  assert.is(((await given(layers.concatenate({ axis: 0 }), null)) as NestedArray[]).length, 4);
  assert.is(await given(layers.dot({ axes: 2 }), second), null);
});

test('the average over a sequence leaves masked steps out', async () => {
  const [actual, expected] = await resultsOf(() => {
    const x = normal([2, 3, 4]);
    setMask(
      x,
      bools([
        [1, 0, 1],
        [0, 1, 0],
      ]),
    );
    const row = (indices: number[], at: number): Tensor =>
      layers.globalAveragePooling1d().apply(gather(slice(x, { 0: [at, at + 1] }), indices, 1));
    return [layers.globalAveragePooling1d().apply(x), concat([row([0, 2], 0), row([1], 1)])];
  });
  close(actual as NestedArray, expected as NestedArray, { abs: 1e-6 });
});

test('zeroOutputForMask and bidirectional put zeros at masked steps', async () => {
  const zero = layers.simpleRnn({
    units: 2,
    returnSequences: true,
    zeroOutputForMask: true,
    goBackwards: true,
  });
  const both = layers.bidirectional({
    layer: layers.simpleRnn({ units: 2, returnSequences: true }),
    mergeMode: null,
  });
  const held = layers.simpleRnn({ units: 2, returnSequences: true });
  const [a, b, c, d] = (await resultsOf(() => {
    const x = normal([1, 3, 2]);
    setMask(x, bools([[1, 1, 0]]));
    return [zero.apply(x), ...both.applyAll(x), held.apply(x)];
  })) as number[][][][];
  assert.equal(a?.[0]?.[0], [0, 0]);
  assert.not.equal(a?.[0]?.[1], [0, 0]);
  assert.equal(b?.[0]?.[2], [0, 0]);
  assert.equal(c?.[0]?.[2], [0, 0]);
  assert.not.equal(c?.[0]?.[1], [0, 0]);
  assert.equal(d?.[0]?.[2], d?.[0]?.[1] as number[]);
  for (const layer of [zero, both, held]) layer.dispose();
});

test('masks pass through graphs of layers and saved models, and to other devices', async () => {
  const words = input({ shape: [null], dtype: 'int32', name: 'words' });
  const embedded = layers.embedding({ inputDim: 6, outputDim: 3, maskZero: true }).apply(words);
  const [sequence, ...states] = layers
    .lstm({ units: 3, returnSequences: true, returnState: true })
    .applyAll(layers.layerNormalization().apply(embedded));
  const joined = layers.add().apply([sequence as typeof words, embedded]);
  const net = model({ inputs: words, outputs: layers.lstm({ units: 3 }).apply([joined, ...states]) });
  const read = readModel(await writeModel(net, { float: 'float64' }));
  const [padded, plain, copy] = await resultsOf(() => [
    net.apply(tokens([[1, 2, 3, 0, 0]])),
    net.apply(tokens([[1, 2, 3]])),
    read.apply(tokens([[1, 2, 3, 0, 0]])),
  ]);
  close(padded as NestedArray, plain as NestedArray, { abs: 1e-6 });
  assert.equal(copy, padded);
  const x = tokens([[1, 0, 3, 0, 5]]);
  assert.is((await compareDevices(net, x)).first, null);
  x.dispose();
  net.dispose();
  read.dispose();
});

test('training leaves padding out: what stands there changes nothing', async () => {
  const trained = async (padding: number): Promise<NestedArray[]> => {
    const net = makeTagger();
    net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const y = tagger.tokens.map((row) => row.map((token) => [token === 0 ? padding : token / 5]));
    await net.trainOnBatch({ x: tagger.tokens as number[][], y });
    const values = await Promise.all(net.weights.map(({ value }) => value.array()));
    net.dispose();
    return values;
  };
  // Dropout is drawn from one seed for both.
  setSeed(3);
  const first = await trained(0);
  setSeed(3);
  assert.equal(await trained(1000), first);
});

test('a loss of your own gets the mask, and a scalar one that cannot heed it is refused', async () => {
  const net = makeTagger();
  const y = tagger.tokens.map((row) => row.map((token) => [token / 5]));
  const lossOf = async (loss: LossFunction): Promise<number> => {
    net.compile({ optimizer: 'sgd', loss });
    return (await net.testOnBatch({ x: tagger.tokens as number[][], y })).loss as number;
  };
  const squares = (a: Tensor, b: Tensor): Tensor =>
    reshape(mul(sub(a, b), sub(a, b)), [a.shape[0] as number, a.shape[1] as number]);
  net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const named = (await net.testOnBatch({ x: tagger.tokens as number[][], y })).loss as number;
  close(await lossOf((a, b) => squares(a, b)), named, 1e-5);
  let seen: Shape | undefined;
  await lossOf((a, b, options) => {
    seen = options?.mask?.shape;
    return sum(squares(a, b));
  });
  assert.equal(seen, [4, 4]);
  await rejects(
    lossOf((a, b) => sum(squares(a, b))),
    'argument',
    /cannot heed the mask/,
  );
  net.dispose();
});

/** Drops every second step, and says what becomes of the mask. */
class EverySecond extends OwnLayer {
  override get supportsMasking(): boolean {
    return true;
  }

  override computeMask(_inputs: readonly Tensor[], [mask]: readonly (Tensor | null)[]) {
    return mask ? slice(mask, { 1: [null, null, 2] }) : null;
  }

  override call([x]: readonly Tensor[]): Tensor {
    return slice(x as Tensor, { 1: [null, null, 2] });
  }
}

test('a layer of your own says what becomes of a mask', async () => {
  assert.equal(await behind(new EverySecond()), [
    [true, false],
    [true, false],
  ]);
});

test('masks that do not fit are refused', () => {
  scope(() => {
    const layer = layers.lstm({ units: 2 });
    const x = normal([2, 3, 2]);
    fails(() => setMask(x, ones([2, 4], { dtype: 'bool' })), 'shape', /\(2, 4\)/, /\(2, 3, 2\)/);
    fails(() => setMask(x, ones([2, 3, 2, 1], { dtype: 'bool' })), 'shape', /first axes/);
    fails(() => setMask(x, ones([2, 3])), 'dtype', /cast\(mask, 'bool'\)/);
    setMask(x, ones([2, 3], { dtype: 'bool' }));
    setMask(x, null);
    assert.is(getMask(x), null);
    fails(() => setMask(x, 'yes' as never), 'argument', /pass a bool tensor/);
    fails(() => layers.masking({ maskValue: Number.NaN }), 'argument', /maskValue/);
    fails(() => layers.masking().apply(normal([2, 3])), 'shape', /\(batch, steps, features\)/);
    fails(
      () => layers.embedding({ inputDim: 2, outputDim: 2, maskZero: 1 as never }),
      'argument',
      /maskZero/,
    );
    layer.dispose();
  });
});

test('a mask lives as long as its tensor, whatever becomes of what it was made of', async () => {
  const layer = layers.embedding({ inputDim: 5, outputDim: 2, maskZero: true });
  const consumer = layers.gru({ units: 2, returnSequences: true });
  // The tokens, and the vectors in between, end with the scope.
  const y = scope(() => consumer.apply(layer.apply(tokens([[1, 2, 0]]))));
  const mask = getMask(y) as Tensor;
  assert.equal(await mask.array(), [[true, true, false]]);
  y.dispose();
  assert.ok(mask.disposed);
  const x = normal([1, 2, 3]);
  const first = bools([[1, 0]]);
  setMask(x, first);
  const own = getMask(x) as Tensor;
  setMask(x, null);
  assert.ok(own.disposed && !first.disposed);
  for (const tensor of [x, first]) tensor.dispose();
  layer.dispose();
  consumer.dispose();
});
