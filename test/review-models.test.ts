/** Models and training as somebody meets them who comes from Keras: what must be seen, weighted, ended and refused. */
import * as assert from 'uvu/assert';
import {
  abs,
  type Callback,
  callbacks,
  data,
  input,
  type Layer,
  layers,
  losses,
  Model,
  mean,
  model,
  optimizers,
  type Port,
  type Signature,
  sequential,
  sub,
  type Tensor,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { fails, rejects } from './support/values.ts';

const device = await testDevice();
const test = suite('models, as a stranger uses them');

const near = (actual: number | undefined, expected: number): void =>
  assert.ok(
    Math.abs((actual ?? Number.NaN) - expected) <= 1e-5 * Math.max(1, Math.abs(expected)),
    `${actual}, expected ${expected}`,
  );

const X = [
  [1, 2],
  [3, 4],
  [5, 6],
];
const Y = [[1], [2], [4]];
const WEIGHTS = [1, 0, 3];

/** One that does not move, so that all of its numbers can be worked out from its predictions. */
const still = (): Model => sequential([input({ shape: [2] }), layers.dense({ units: 1 })]);
const atRest = (): ReturnType<typeof optimizers.sgd> => optimizers.sgd({ learningRate: 0 });

async function errorsOf(net: Model): Promise<number[]> {
  const predicted = await net.predict(X);
  const values = await predicted.data();
  predicted.dispose();
  return Y.map(([y = 0], index) => Math.abs(y - (values[index] as number)));
}

class Nested extends Model {
  readonly blocks = [[layers.dense({ units: 2 })], [layers.dense({ units: 2 })]];
  readonly heads = { 'the.main': layers.dense({ units: 1 }) };
  readonly circle: { self?: object } = {};
  constructor() {
    super();
    this.circle.self = this.circle;
  }
  override call([x]: readonly [Tensor]): Tensor {
    const inner = this.blocks.flat().reduce((value, layer) => layer.apply(value), x);
    return this.heads['the.main'].apply(inner);
  }
}

test('layers in nested arrays and in plain objects belong to the layer', async () => {
  const net = new Nested().compile({ loss: 'meanSquaredError' });
  await net.fit({ x: X, y: Y });
  assert.equal(
    net.namedWeights().map(([path]) => path),
    ['blocks_0_0', 'blocks_1_0', 'heads_the_main'].flatMap((name) => [`${name}.kernel`, `${name}.bias`]),
  );
  net.dispose();
});

test('a loss of one number for each sample is weighted and averaged as the named ones', async () => {
  const net = still();
  const each = (yTrue: Tensor, yPred: Tensor): Tensor => mean(abs(sub(yTrue, yPred)), { axis: -1 });
  net.compile({ optimizer: atRest(), loss: each });
  const errors = await errorsOf(net);
  const [a = 0, b = 0, c = 0] = errors;
  near((await net.evaluate({ x: X, y: Y })).loss, (a + b + c) / 3);
  near((await net.evaluate({ x: X, y: Y, sampleWeight: WEIGHTS })).loss, (a + 3 * c) / 3);
  const classWeight = { 1: 2, 4: 0.5 };
  near((await net.fit({ x: X, y: Y }, { classWeight })).epochs[0]?.loss, (2 * a + b + c / 2) / 3);
  net.dispose();
});

test('a loss that is a scalar takes the weights itself, or is told that they would count for nothing', async () => {
  const net = still();
  const weighted = { x: X, y: Y, sampleWeight: WEIGHTS };
  net.compile({ optimizer: atRest(), loss: (yTrue, yPred) => losses.huber(yTrue, yPred, { delta: 9 }) });
  await net.fit({ x: X, y: Y });
  await rejects(net.fit(weighted), 'argument', /cannot heed the sampleWeight/);
  net.compile({
    optimizer: atRest(),
    loss: (yTrue, yPred, options) => losses.meanAbsoluteError(yTrue, yPred, options),
  });
  const [a = 0, , c = 0] = await errorsOf(net);
  near((await net.evaluate(weighted)).loss, (a + 3 * c) / 3);
  net.compile({ loss: (() => 1) as never });
  await rejects(net.fit({ x: X, y: Y }), 'argument', /what the loss returned/);
  net.dispose();
});

test('weighted metrics heed class weights as well, and have names of their own', async () => {
  const net = sequential([input({ shape: [2] }), layers.dense({ units: 3, activation: 'softmax' })]);
  const [labels, oneHot] = [
    [0, 2, 2],
    [
      [1, 0, 0],
      [0, 0, 1],
      [0, 0, 1],
    ],
  ];
  const classWeight = { 0: 1, 2: 4 };
  const predicted = await net.predict(X);
  const rows = (await predicted.array()) as number[][];
  predicted.dispose();
  const hits = rows.map((row, index) => Number(row.indexOf(Math.max(...row)) === labels[index]));
  const [a = 0, b = 0, c = 0] = hits;
  for (const [loss, y] of [
    ['sparseCategoricalCrossentropy', labels],
    ['sparseCategoricalCrossentropy', labels.map((label) => [label])],
    ['categoricalCrossentropy', oneHot],
  ] as const) {
    net.compile({ optimizer: atRest(), loss, metrics: ['accuracy'], weightedMetrics: ['accuracy'] });
    const { epochs } = await net.fit({ x: X, y, sampleWeight: [1, 2, 1] }, { classWeight });
    near(epochs[0]?.accuracy, (a + b + c) / 3);
    near(epochs[0]?.weightedAccuracy, (a + 8 * b + 4 * c) / 13);
  }
  fails(
    () => net.compile({ loss: 'meanSquaredError', metrics: ['mae', 'mae'] }),
    'argument',
    /two metrics are called 'mae'/,
  );
  net.dispose();
});

test('one training at a time: a second one is refused, and the first goes on', async () => {
  const net = still().compile({ loss: 'meanSquaredError' });
  const first = net.fit({ x: X, y: Y }, { epochs: 3, batchSize: 1 });
  const { history } = net;
  await rejects(net.fit({ x: X, y: Y }), 'argument', /is being trained/);
  assert.is(await first, history);
  assert.is(history?.epochs.length, 3);
  for await (const _ of net.steps({ x: X, y: Y }, { batchSize: 1 })) break;
  await net.fit({ x: X, y: Y });
  net.dispose();
});

test('every callback is ended, also behind one that throws there', async () => {
  const net = still().compile({ loss: 'meanSquaredError' });
  const ended: string[] = [];
  const bad: Callback = {
    onTrainEnd: () => {
      throw new Error('at the end');
    },
  };
  await net.fit({ x: X, y: Y });
  const usual = device.memory().tensors;
  const all = [
    bad,
    callbacks.earlyStopping({ monitor: 'loss', restoreBestWeights: true }),
    callbacks.terminateOnNaN(),
    { onTrainEnd: () => void ended.push('last') },
  ];
  let message = '';
  await net.fit({ x: X, y: Y }, { callbacks: all }).catch((error: Error) => {
    message = error.message;
  });
  assert.is(message, 'at the end');
  assert.equal(ended, ['last']);
  assert.is(device.memory().tensors, usual, 'nothing of the callbacks is left');
  net.dispose();
});

test('the look at the first batch that builds a model closes what it opened', async () => {
  let open = 0;
  const examples = data.from(function* () {
    open++;
    try {
      for (const [index, x] of X.entries()) yield { x, y: Y[index] as number[] };
    } finally {
      open--;
    }
  });
  const net = sequential([layers.dense({ units: 1 })]).compile({ loss: 'meanSquaredError' });
  await net.fit(examples.batch(2), { epochs: 2 });
  assert.is(open, 0);
  net.dispose();
});

class Pair extends Model {
  readonly a = layers.dense({ units: 1 });
  readonly b = layers.dense({ units: 1 });
  override signature(): Signature {
    const port = (name: string): Port => ({ name, shape: null, dtype: null, layer: null });
    return { inputs: ['left', 'right'].map(port), outputs: ['a', 'b'].map(port) };
  }
  override call([left, right]: readonly [Tensor, Tensor]): readonly Tensor[] {
    return [this.a.apply(left), this.b.apply(right)];
  }
}

test('a subclass with several inputs and outputs names them in its signature', async () => {
  const net = new Pair().compile({ loss: 'meanSquaredError' });
  const { epochs } = await net.fit({ x: { left: X, right: X }, y: { a: Y, b: Y } });
  const { loss = 0, a_loss: a = 0, b_loss: b = 0 } = epochs[0] ?? {};
  near(loss, a + b);
  net.dispose();
});

test('predict takes the datasets that fit and evaluate take', async () => {
  const net = still();
  const expected = await errorsOf(net);
  const rows = X.map((x, index) => ({ x, y: Y[index] as number[] }));
  const [x, z] = [input({ shape: [2], name: 'x' }), input({ shape: [2], name: 'z' })];
  const two = model({ inputs: [x, z], outputs: layers.subtract().apply([x, z]) });
  for (const examples of [
    data.from(rows),
    data.from(rows.map(({ x }) => ({ x }))),
    data.from(rows.map(({ x, y }) => [x, y])),
    data.from(X),
  ]) {
    const predicted = await net.predict(examples.batch(2));
    const values = await predicted.data();
    for (const [index, [y = 0]] of Y.entries())
      near(Math.abs(y - (values[index] as number)), expected[index] as number);
    predicted.dispose();
  }
  for (const examples of [
    data.from(X.map((own) => ({ x: own, z: own }))),
    data.from(X.map((own) => ({ x: { x: own, z: own }, y: own }))),
    data.from(X.map((own) => [{ x: own, z: own }, own])),
    data.from(X.map((own) => [own, own])),
  ]) {
    const zeros = await two.predict(examples.batch(3));
    assert.equal(Array.from(await zeros.data()), [0, 0, 0, 0, 0, 0]);
    zeros.dispose();
  }
  net.dispose();
});

test('inputs that cannot be told apart are refused', () => {
  const [a, b] = [input({ shape: [2] }), input({ shape: [2], name: 'input' })];
  const sum = layers.add();
  fails(
    () => model({ inputs: [a, b], outputs: sum.apply([a, b]) }),
    'argument',
    /two inputs are named 'input'/,
  );
  fails(() => model({ inputs: [a, a], outputs: layers.relu().apply(a) }), 'argument', /listed twice/);
});

test('wrong options and data without batches are told in words of the user', async () => {
  const net = still().compile({ loss: 'meanSquaredError' });
  for (const [options, words] of [
    [{ signal: {} }, /signal is a plain object/],
    [{ resume: {} }, /resume is a plain object/],
  ] as const)
    await rejects(net.fit({ x: X, y: Y }, options as never), 'argument', words);
  const examples = data.from([{ x: [1, 2], y: [1] }]);
  await rejects(net.fit(examples), 'argument', /call batch\(\) on the dataset/);
  net.dispose();
});

test('a layer that is trained by two models says what to do', async () => {
  const shared: Layer = layers.dense({ units: 2 });
  const around = (): Model =>
    sequential([input({ shape: [2] }), shared, layers.dense({ units: 1 })]).compile({
      loss: 'meanSquaredError',
    });
  const nets = [around(), around()] as const;
  for (const net of nets) await net.fit({ x: X, y: Y });
  await rejects(nets[0].fit({ x: X, y: Y }), 'argument', /compile\(\) it again/);
  nets[0].compile({ loss: 'meanSquaredError' });
  await nets[0].fit({ x: X, y: Y });
  for (const net of nets) net.dispose();
});

test('a token that an embedding has no row for is refused before the first step, with its row', async () => {
  const tokens = () => layers.embedding({ inputDim: 5, outputDim: 2 });
  const rest = () => [layers.flatten(), layers.dense({ units: 1 })] as const;
  const x = input({ shape: [3], dtype: 'int32' });
  const chain = rest().reduce((value, layer) => layer.apply(value), tokens().apply(x));
  const nets = [
    sequential([tokens(), ...rest()]),
    sequential([input({ shape: [3], dtype: 'int32' }), tokens(), ...rest()]),
    model({ inputs: x, outputs: chain }),
  ];
  const good = [
    [0, 1, 2],
    [2, 3, 4],
  ];
  for (const net of nets) {
    net.compile({ loss: 'mse', optimizer: 'sgd' });
    const bad = [...good, [1, 5, 0]];
    const y = [[1], [2], [3]];
    await rejects(net.fit({ x: bad, y }), 'argument', /x holds 5 in row 2.*'embedding' takes 0 to 4/);
    await rejects(net.predict([[0, -1, 2]]), 'argument', /x holds -1 in row 0/);
    const { epochs } = await net.fit({ x: good, y: y.slice(0, 2) }, { epochs: 1 });
    assert.ok(Number.isFinite(epochs[0]?.loss), 'the weights are whole');
    net.dispose();
  }
});

test('a measurement inside a callback leaves the averages of the epoch as they are', async () => {
  const net = still().compile({ loss: 'mae', metrics: ['mse'], optimizer: atRest() });
  const data = { x: X, y: Y };
  const alone = await net.fit(data, { batchSize: 1 });
  const other = { x: [[9, 9]], y: [[0]] };
  const measured = await net.fit(data, {
    batchSize: 1,
    callbacks: [{ onStepEnd: async () => void [await net.evaluate(other), await net.testOnBatch(other)] }],
  });
  assert.equal(measured.epochs, alone.epochs);
  net.dispose();
});
