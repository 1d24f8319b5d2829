/** The training loop: what it does in which order, what it costs, and how it ends. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import {
  type Callback,
  data,
  type FitOptions,
  type History,
  input,
  layers,
  type Model,
  model,
  optimizers,
  sequential,
  setSeed,
  type TrainingData,
  tensor,
} from '../src/node.ts';
import { isLong, suite, testDevice } from './support/harness.ts';
import { rejects } from './support/values.ts';

const device = await testDevice();
const test = suite('fit', { timeout: isLong ? 600_000 : 60_000 });

/** Rounding of a sum of a few float32 products. */
const CLOSE = 1e-5;

const near = (actual: number | undefined, expected: number, what = 'the value'): void =>
  assert.ok(
    Math.abs((actual ?? Number.NaN) - expected) <= CLOSE * Math.max(1, Math.abs(expected)),
    `${what} is ${actual}, expected ${expected}`,
  );

/** Three classes in the plane. */
async function blobs(samples: number): Promise<{ x: data.Column; y: data.Column }> {
  const { x, y } = await data.blobs({ samples, seed: 4 }).arrays();
  return { x, y };
}

const classifier = (options: { metrics?: string[]; units?: number } = {}): Model => {
  const { metrics = [], units = 3 } = options;
  const net = sequential([
    input({ shape: [2] }),
    layers.dense({ units: 8, activation: 'tanh' }),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units, activation: 'softmax' }),
  ]);
  return net.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics });
};

async function weightsOf(net: Model): Promise<number[][]> {
  return Promise.all(net.weights.map(async ({ value }) => Array.from(await value.data())));
}

const recorder = (): { events: string[]; callback: Callback } => {
  const events: string[] = [];
  return {
    events,
    callback: {
      onTrainBegin: () => void events.push('train begin'),
      onEpochBegin: (epoch) => void events.push(`epoch ${epoch} begin`),
      onStepBegin: (step) => void events.push(`step ${step} begin`),
      onStepEnd: (step) => void events.push(`step ${step} end`),
      onEpochEnd: (epoch) => void events.push(`epoch ${epoch} end`),
      onTrainEnd: () => void events.push('train end'),
    },
  };
};

test('ten epochs leave the memory that the first one left', async () => {
  const net = classifier({ metrics: ['accuracy'] });
  const arrays = await blobs(60);
  const used = [];
  for (const epochs of [1, 10]) {
    await net.fit(arrays, { epochs, batchSize: 7, validationSplit: 0.1 });
    const { tensors, bytes, buffers } = device.memory();
    used.push({ tensors, bytes, buffers });
  }
  assert.equal(used[1], used[0]);
  net.dispose();
});

test('the device is waited for once in ten steps at most', async () => {
  const net = classifier();
  const arrays = await blobs(80);
  await net.fit(arrays); // Everything is built.
  let waits = 0;
  const { read, idle } = device;
  Object.assign(device, {
    read: (...args: Parameters<typeof read>) => {
      waits++;
      return read.apply(device, args);
    },
    idle: () => {
      waits++;
      return idle.apply(device);
    },
  });
  try {
    await net.fit(arrays, { batchSize: 1, epochs: 2 });
  } finally {
    Object.assign(device, { read, idle });
    for (const name of ['read', 'idle']) Reflect.deleteProperty(device, name);
  }
  // Eight looks and the end, in each epoch.
  assert.is(waits, 2 * 9);
  net.dispose();
});

test('a step of adam over a hundred parameters takes three dispatches at most', async () => {
  const many = Array.from({ length: 50 }, () => layers.dense({ units: 2 }));
  const net = sequential([input({ shape: [2] }), ...many]);
  net.compile({ optimizer: optimizers.adam({ clipNorm: 1 }), loss: 'meanSquaredError' });
  assert.is(net.trainableWeights.length, 100);
  const { optimizer } = net.trainer;
  const counts: number[] = [];
  let dispatches = 0;
  const unwatch = device.observe({
    dispatch: () => {
      dispatches++;
    },
  });
  const step = optimizer.step.bind(optimizer);
  optimizer.step = () => {
    const before = dispatches;
    step();
    counts.push(dispatches - before);
  };
  await net.fit({ x: [[1, 2]], y: [[1, 2]] }, { epochs: 3 });
  unwatch();
  assert.is(counts.length, 3);
  assert.ok(Math.max(...counts) <= 3, `dispatches: ${counts}`);
  net.dispose();
});

test('callbacks are called in order, and promises are waited for', async () => {
  const net = classifier();
  const { events, callback } = recorder();
  const slow: Callback = {
    onEpochBegin: async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      events.push('slow begin');
    },
    onEpochEnd: () => void events.push('slow end'),
  };
  const last: Callback = { last: true, onEpochEnd: () => void events.push('last end') };
  await net.fit(await blobs(4), { batchSize: 2, epochs: 2, callbacks: [last, callback, slow] });
  const epoch = (n: number): string[] => [
    `epoch ${n} begin`,
    'slow begin',
    'step 0 begin',
    'step 0 end',
    'step 1 begin',
    'step 1 end',
    `epoch ${n} end`,
    'slow end',
    'last end',
  ];
  assert.equal(events, ['train begin', ...epoch(0), ...epoch(1), 'train end']);
  net.dispose();
});

test('a callback sees the run, and averages that are some steps old', async () => {
  const net = classifier({ metrics: ['accuracy'] });
  const seen: unknown[] = [];
  let looks = 0;
  const spy: Callback = {
    onTrainBegin: ({ epochs, steps, examples, names, epoch, step, stoppedBy }) =>
      void seen.push({ epochs, steps, examples, names, epoch, step, stoppedBy }),
    onLogs: (logs, run) => {
      looks++;
      assert.equal(run.logs, logs);
      assert.equal(Object.keys(logs), ['loss', 'accuracy']);
    },
  };
  const history = await net.fit(await blobs(55), {
    batchSize: 2,
    epochs: 2,
    validationSplit: 0.1,
    callbacks: [spy],
  });
  assert.equal(seen, [
    {
      epochs: 2,
      steps: 25,
      examples: 50,
      names: ['loss', 'accuracy', 'valLoss', 'valAccuracy'],
      epoch: 0,
      step: 0,
      stoppedBy: null,
    },
  ]);
  assert.is(looks, 2); // After the second look of each epoch, the first one is there.
  assert.equal(
    history.epochs.map((logs) => Object.keys(logs)),
    [seen[0], seen[0]].map((run) => (run as { names: string[] }).names),
  );
  net.dispose();
});

test('stop() ends the training after the step, the epoch, or before anything', async () => {
  const cases: [stopping: Callback, epochs: number, steps: number][] = [
    [{ onStepEnd: (step, run) => (step === 1 ? run.stop('mine') : undefined) }, 1, 2],
    [{ onEpochEnd: (epoch, _, run) => (epoch === 1 ? run.stop('mine') : undefined) }, 2, 6],
    [{ onTrainBegin: (run) => run.stop('mine') }, 0, 0],
    [{ onEpochBegin: (epoch, run) => (epoch === 1 ? run.stop('mine') : undefined) }, 1, 3],
    [{ onStepBegin: (step, run) => (step === 0 ? run.stop('mine') : undefined) }, 1, 1],
  ];
  for (const [stopping, epochs, steps] of cases) {
    const net = classifier();
    let done = 0;
    const count: Callback = {
      onStepEnd: () => {
        done++;
      },
    };
    const history = await net.fit(await blobs(6), {
      batchSize: 2,
      epochs: 4,
      callbacks: [stopping, count],
    });
    assert.is(history.stoppedBy, 'mine');
    assert.is(history.epochs.length, epochs);
    assert.is(done, steps);
    net.dispose();
  }
});

test('an abort rejects with its reason, and the model goes on learning', async () => {
  const net = classifier();
  const arrays = await blobs(40);
  await net.fit(arrays);
  const before = device.memory().tensors;
  for (const step of [0, 13]) {
    const aborter = new AbortController();
    const reason = new Error('the user left');
    const { events, callback } = recorder();
    const abort: Callback = { onStepEnd: (own) => (own === step ? aborter.abort(reason) : undefined) };
    const run = net.fit(arrays, {
      batchSize: 1,
      signal: aborter.signal,
      callbacks: [callback, abort],
    });
    await run.then(
      () => assert.unreachable(),
      (error) => assert.is(error, reason),
    );
    assert.is(events.filter((event) => event.endsWith('begin')).length, 2 + step + 1);
    assert.is(events.at(-1), 'train end');
    assert.is(device.memory().tensors, before);
  }
  const early = net.fit(arrays, { signal: AbortSignal.abort(new Error('never began')) });
  await early.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'never began'),
  );
  const history = await net.fit(arrays, { epochs: 2 });
  assert.is(history.epochs.length, 2);
  net.dispose();
});

test('an error of a callback ends the training; another one may take its place', async () => {
  const net = classifier();
  const arrays = await blobs(4);
  const fail: Callback = {
    onStepBegin: () => {
      throw new Error('first');
    },
  };
  const told = async (translate?: Callback['onError']): Promise<string> => {
    const all = translate ? [fail, { onError: translate }] : [fail];
    return net.fit(arrays, { callbacks: all }).then(
      (history: History) => `resolved, ${history.stoppedBy}`,
      (error: Error) => error.message,
    );
  };
  assert.is(await told(), 'first');
  assert.is(
    await told((error) => new Error(`second after ${(error as Error).message}`)),
    'second after first',
  );
  assert.is(await told(async () => undefined), 'first');
  assert.is(
    await told(async (_, run) => {
      run.stop('known');
      return null;
    }),
    'resolved, known',
  );
  net.dispose();
});

test('steps() hands over after each step, and ends in order when one breaks off', async () => {
  const net = classifier();
  const arrays = await blobs(40);
  await net.fit(arrays);
  const before = device.memory().tensors;
  const { events, callback } = recorder();
  const places: [number, number][] = [];
  for await (const { epoch, step, run } of net.steps(arrays, {
    batchSize: 2,
    epochs: 3,
    callbacks: [callback],
  })) {
    places.push([epoch, step]);
    assert.is(run.step, step + 1);
    if (epoch === 1 && step === 11) break;
  }
  assert.is(places.length, 32);
  assert.equal(places.at(-1), [1, 11]);
  assert.is(events.at(-1), 'train end');
  assert.is(net.history?.epochs.length, 1);
  assert.is(device.memory().tensors, before);
  net.dispose();
});

test('an endless dataset takes stepsPerEpoch, and goes on where the epoch ended', async () => {
  const net = classifier();
  const seen: unknown[] = [];
  const rows = data.fromArrays({ x: Array.from({ length: 5 }, (_, i) => [i, i]), y: new Int32Array(5) });
  const batches = rows
    .repeat()
    .batch(2)
    .map((batch) => {
      seen.push(Array.from(batch.x.data).filter((_, index) => index % 2 === 0));
      return batch;
    });
  await rejects(net.fit(batches), 'argument', /has no end; pass stepsPerEpoch/);
  await rejects(net.evaluate(batches), 'argument', /has no end/);
  const history = await net.fit(batches, { epochs: 2, stepsPerEpoch: 3 });
  assert.is(history.epochs.length, 2);
  assert.equal(seen, [
    [0, 1],
    [2, 3],
    [4, 0],
    [1, 2],
    [3, 4],
    [0, 1],
  ]);
  net.dispose();
});

test('what is validated is the last part, or other data, and every so many epochs', async () => {
  const arrays = await blobs(20);
  const part = (from: number, to: number) => ({
    x: { data: arrays.x.data.subarray(2 * from, 2 * to), shape: [to - from, 2] },
    y: { data: arrays.y.data.subarray(from, to), shape: [to - from] },
  });
  const net = classifier({ metrics: ['accuracy'] });
  const split = await net.fit(arrays, { epochs: 2, batchSize: 5, validationSplit: 0.25 });
  const measured = await net.evaluate(part(15, 20) as TrainingData);
  near(split.epochs[1]?.valLoss, measured.loss as number, 'valLoss');
  assert.is(split.epochs[1]?.valAccuracy, measured.accuracy);
  const validationData = part(3, 9) as TrainingData;
  const other = await net.fit(arrays, { epochs: 4, validationData, validationFrequency: 2 });
  near(other.epochs[3]?.valLoss, (await net.evaluate(validationData)).loss as number, 'valLoss');
  assert.equal(
    other.epochs.map((logs) => 'valLoss' in logs),
    [false, true, false, true],
  );
  await rejects(
    net.fit(arrays, { validationData, validationSplit: 0.5 }),
    'argument',
    /validationSplit and validationData/,
  );
  net.dispose();
});

/** One number in, one out: ŷ = w·x + b. */
const line = (): Model => {
  const net = sequential([
    input({ shape: [1] }),
    layers.dense({ units: 1, kernelInitializer: 'ones', biasInitializer: 'zeros' }),
  ]);
  return net.compile({ optimizer: optimizers.sgd({ learningRate: 0.1 }), loss: 'meanSquaredError' });
};

test('a sample weight counts as by hand', async () => {
  const net = line();
  const x = [[1], [2], [-1]];
  const y = [[0], [1], [3]];
  const weights = [2, 0.5, 1];
  // L = Σ w (x − y)² / 3 at w = 1, b = 0.
  const errors = [1, 1, -4];
  const loss = errors.reduce((sum, e, i) => sum + (weights[i] as number) * e * e, 0) / 3;
  const slope =
    errors.reduce(
      (sum, e, i) => sum + 2 * (weights[i] as number) * e * ((x[i] as number[])[0] as number),
      0,
    ) / 3;
  const shift = errors.reduce((sum, e, i) => sum + 2 * (weights[i] as number) * e, 0) / 3;
  const logs = await net.trainOnBatch({ x, y, sampleWeight: weights });
  near(logs.loss, loss, 'the loss');
  const [kernel, bias] = await weightsOf(net);
  near(kernel?.[0], 1 - 0.1 * slope, 'the kernel');
  near(bias?.[0], -0.1 * shift, 'the bias');
  net.dispose();
});

test('a class weight counts as by hand, in fit and in trainOnBatch', async () => {
  const make = (): Model => {
    const net = sequential([
      input({ shape: [1] }),
      layers.dense({ units: 2, activation: 'softmax', kernelInitializer: 'zeros' }),
    ]);
    const optimizer = optimizers.sgd({ learningRate: 0.1 });
    return net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy' });
  };
  const batch = { x: [[1], [2], [3]], y: Int32Array.of(0, 1, 1) };
  const classWeight = { 0: 3, 1: 0.5 };
  const of = [3, 0.5, 0.5];
  // Both classes have ½: L = Σ w ln 2 / 3, and the gradient of the logits is w (p − onehot) / 3.
  const loss = (Math.LN2 * (of[0] as number) + 2 * Math.LN2 * 0.5) / 3;
  const signs = [-1, 1, 1];
  const slope = signs.reduce((sum, sign, i) => sum + ((of[i] as number) * sign * 0.5 * (i + 1)) / 3, 0);
  for (const inFit of [true, false]) {
    const net = make();
    const logs = inFit
      ? (await net.fit(batch, { classWeight })).epochs[0]
      : await net.trainOnBatch(batch, { classWeight });
    near(logs?.loss, loss, 'the loss');
    const [kernel] = await weightsOf(net);
    near(kernel?.[0], -0.1 * slope, 'the kernel');
    near(kernel?.[1], 0.1 * slope, 'the kernel');
    net.dispose();
  }
});

test('inputs, outputs, losses and metrics find each other by name', async () => {
  const left = input({ shape: [2], name: 'left' });
  const right = input({ shape: [3], name: 'right' });
  const joined = layers.concatenate().apply([left, right]);
  const net = model({
    inputs: [left, right],
    outputs: [
      layers.dense({ units: 1, name: 'price' }).apply(joined),
      layers.dense({ units: 4, name: 'kind', activation: 'softmax' }).apply(joined),
    ],
  });
  net.compile({
    optimizer: 'adam',
    loss: { kind: 'sparseCategoricalCrossentropy', price: 'meanSquaredError' },
    lossWeights: { kind: 0.5 },
    metrics: { kind: ['accuracy'], price: ['meanAbsoluteError'] },
  });
  const x = {
    right: [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ],
    left: [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  };
  const y = { kind: Int32Array.of(0, 3, 1), price: [[1], [2], [3]] };
  const history = await net.fit({ x, y }, { epochs: 2, batchSize: 2, validationData: { x, y } });
  const names = ['loss', 'price_loss', 'price_meanAbsoluteError', 'kind_loss', 'kind_accuracy'];
  const validated = [
    'valLoss',
    'valPrice_loss',
    'valPrice_meanAbsoluteError',
    'valKind_loss',
    'valKind_accuracy',
  ];
  assert.equal(Object.keys(history.epochs[1] ?? {}), [...names, ...validated]);
  const logs = await net.evaluate({ x, y });
  near(logs.loss, (logs.price_loss as number) + 0.5 * (logs.kind_loss as number), 'the loss');
  const outputs = await net.predictAll(x, { batchSize: 2 });
  assert.equal(
    outputs.map(({ shape }) => shape),
    [
      [3, 1],
      [3, 4],
    ],
  );
  for (const output of outputs) output.dispose();
  await rejects(net.predict(x), 'argument', /2 outputs; call predictAll/);
  await rejects(
    net.fit({ x: { left: x.left, rigth: x.right }, y }),
    'argument',
    /'rigth'. Did you mean 'right'/,
  );
  await rejects(net.fit({ x, y: { kind: y.kind } }), 'argument', /y lacks 'price'/);
  await rejects(net.fit({ x: x.left, y }), 'argument', /x is one array.*\{ left, right \}/);
  net.dispose();
});

test('one batch, a measurement and predictions agree with each other', async () => {
  const net = classifier({ metrics: ['accuracy'] });
  const arrays = await blobs(9);
  const tested = await net.testOnBatch(arrays);
  const evaluated = await net.evaluate(arrays, { batchSize: 4 });
  near(tested.loss, evaluated.loss as number, 'the loss');
  near(tested.accuracy, evaluated.accuracy as number, 'the accuracy');
  assert.equal(await net.testOnBatch(arrays), tested, 'measuring changes nothing');
  const predicted = await net.predict(arrays.x, { batchSize: 4 });
  const rows = (await predicted.array()) as number[][];
  predicted.dispose();
  const labels = arrays.y.data;
  near(
    -rows.reduce((sum, row, i) => sum + Math.log(row[labels[i] as number] as number), 0) / 9,
    tested.loss as number,
  );
  const onDevice = tensor(arrays.x.data as Float64Array, { shape: [9, 2], dtype: device.float });
  const again = await net.predict(onDevice, { batchSize: 2 });
  assert.equal(await again.array(), rows);
  onDevice.dispose();
  again.dispose();
  let loss = Number.POSITIVE_INFINITY;
  for (let step = 0; step < 60; step++) loss = (await net.trainOnBatch(arrays)).loss as number;
  assert.ok(loss < (tested.loss as number), `${loss} after 60 steps, ${tested.loss} before`);
  net.dispose();
});

test('the same seeds give the same bits, others give others', async () => {
  const arrays = await blobs(30);
  const train = async (seed: number, options: FitOptions = {}): Promise<unknown> => {
    setSeed(seed);
    const net = classifier();
    const history = await net.fit(arrays, { epochs: 2, batchSize: 4, ...options });
    const weights = await weightsOf(net);
    net.dispose();
    return [history, weights];
  };
  assert.equal(await train(1), await train(1));
  assert.equal(await train(1, { seed: 5 }), await train(1, { seed: 5 }));
  assert.not.equal(await train(1, { seed: 5 }), await train(1, { seed: 6 }));
  assert.not.equal(await train(1, { shuffle: false }), await train(1));
  // Weights and masks alike, the order of the data follows from setSeed as well.
  const orders = new Set<string>();
  for (const seed of [1, 2, 3]) {
    setSeed(seed);
    const net = line();
    const { epochs } = await net.fit({ x: [[1], [2], [3], [4]], y: [[0], [0], [0], [0]] }, { batchSize: 1 });
    orders.add(JSON.stringify(epochs));
    net.dispose();
  }
  assert.ok(orders.size > 1, 'every seed gave the same order');
});

test('averages of the weights take their place at the end', async () => {
  const ends: number[][][] = [];
  for (const useEma of [false, true]) {
    const net = line();
    const optimizer = optimizers.sgd({ learningRate: 0.1, useEma, emaMomentum: 0.5 });
    net.compile({ optimizer, loss: 'meanSquaredError' });
    await net.fit({ x: [[1]], y: [[0]] }, { epochs: 2 });
    ends.push(await weightsOf(net));
    net.dispose();
  }
  // w: 1 → 0.8 → 0.68 beside b: 0 → −0.2 → −0.32; the average starts at the first step.
  near(ends[0]?.[0]?.[0], 0.68, 'the last kernel');
  near(ends[1]?.[0]?.[0], 0.5 * 0.8 + 0.5 * 0.68, 'the average');
  for (const _ of []) break;
});

const PLAIN = { x: [[1, 2]], y: [0] };

test('what cannot be trained on is refused, and nothing is left behind', async () => {
  const net = classifier({ metrics: ['accuracy'] });
  const x = [
    [1, 2],
    [3, 4],
    [5, 6],
  ];
  const labels = Int32Array.of(0, 1, 2);
  const y = labels;
  const single = data.fromArrays({ x, y });
  await net.fit({ x, y }); // Builds the optimizer and the metrics.
  const before = device.memory().tensors;
  type Row = [data: unknown, options: unknown, code: string, message: RegExp];
  const table: Row[] = [
    [{ x, y }, { batchSize: 0 }, 'argument', /batchSize is 0/],
    [{ x, y }, { batchSize: 1.5 }, 'argument', /batchSize is 1.5/],
    [{ x, y }, { epochs: 0 }, 'argument', /epochs is 0/],
    [{ x, y }, { epoch: 3 }, 'argument', /'epoch'.*epochs/],
    [{ x, y }, 5, 'argument', /5 stands where an options object/],
    [{ x, y }, { validationSplit: 1 }, 'argument', /validationSplit is 1/],
    [{ x, y }, { seed: -1 }, 'argument', /seed is -1/],
    [{ x, y }, { shuffle: 1 }, 'argument', /shuffle is 1/],
    [{ x, y }, { callbacks: {} }, 'argument', /callbacks is a plain object/],
    [{ x, y }, { callbacks: [() => 1] }, 'argument', /a function is no callback/],
    [{ x, y }, { callbacks: [{ onEpochsEnd: () => 1 }] }, 'argument', /no callback/],
    [{ x: [], y: [] }, {}, 'argument', /no rows; pass at least one/],
    [{ x: [[1, 2, 3]], y: [0] }, {}, 'shape', /x has shape \(1, 3\).*'dense'.*takes \(null, 2\)/],
    [{ x, y: Int32Array.of(0, 1) }, {}, 'shape', /y has 2 rows, x has 3/],
    [{ x, y: Int32Array.of(0, 3, 1) }, {}, 'argument', /label 3 of y in row 1.*0 to 2/],
    [{ x, y: [0, 1, -1] }, {}, 'argument', /label -1 of y in row 2/],
    [{ x, y: [0, 0.5, 1] }, {}, 'argument', /0.5 in row 1.*whole/],
    [
      {
        x: [
          [1, 2],
          [3, Number.NaN],
          [5, 6],
        ],
        y,
      },
      {},
      'argument',
      /x: NaN at row 1, column 1/,
    ],
    [{ x, y: [0, Number.NaN, 1] }, {}, 'argument', /y: NaN at row 1/],
    [{ x }, {}, 'argument', /there are no targets/],
    [{ x, y, z: y }, {}, 'argument', /no part 'z'/],
    [null, {}, 'argument', /the data are null/],
    [single, {}, 'shape', /axis of examples is missing: batch/],
    [single.batch(2), { batchSize: 2 }, 'argument', /batchSize is for arrays/],
    [single.batch(2), { validationSplit: 0.5 }, 'argument', /validationSplit is for arrays/],
    [single.batch(2).repeat(), {}, 'argument', /no end; pass stepsPerEpoch/],
    [data.fromArrays({ a: x }).batch(2), {}, 'argument', /yields a plain object.*\{ x, y \}/],
    [data.fromArrays({ x }).batch(2), {}, 'argument', /there are no targets/],
  ];
  for (const [given, options, code, message] of table) {
    const what = `${JSON.stringify(given)}, ${JSON.stringify(options)}`;
    try {
      await rejects(net.fit(given as TrainingData, options as FitOptions), code, message);
      assert.is(device.memory().tensors, before);
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}`);
    }
  }
  net.dispose();

  const fresh = sequential([input({ shape: [2] }), layers.dense({ units: 1 })]);
  for (const call of [
    () => fresh.fit(PLAIN),
    () => fresh.evaluate(PLAIN),
    () => fresh.trainOnBatch(PLAIN),
    () => fresh.testOnBatch(PLAIN),
  ])
    await rejects(call(), 'argument', /call compile\(/);
  fresh.dispose();
});

const root = fileURLToPath(new URL('../', import.meta.url));

/** Resident memory after each epoch, in MB, in a process that collects its garbage first. */
function residentMemory(): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--expose-gc', '--import', './scripts/register.mjs', 'test/support/train-memory.ts'],
      { cwd: root, timeout: 300_000, killSignal: 'SIGKILL' },
    );
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', () => {
      const found = output.split('\n').flatMap((line) => /^rss (\d+)$/.exec(line)?.[1] ?? []);
      if (found.length === 10) resolve(found.map(Number));
      else reject(new Error(`the child did not end its training:\n${output}`));
    });
  });
}

const steady = 'ten epochs take the memory of two';
if (isLong) {
  test(steady, async () => {
    const used = await residentMemory();
    const [, second = 0] = used;
    const bound = Math.max(1.05 * second, second + 20);
    assert.ok((used.at(-1) as number) <= bound, `MB after each epoch: ${used.join(', ')}`);
  });
} else test.skip(steady, 'a process of its own; npm run test:long runs it');
