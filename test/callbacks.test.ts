/** The callbacks of `fit`: when they act, what they say, and that they leave nothing behind. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import {
  assign,
  type Callback,
  callbacks,
  data,
  full,
  type History,
  input,
  Layer,
  type Logs,
  layers,
  type Model,
  mul,
  noGrad,
  optimizers,
  type RunState,
  schedules,
  scope,
  sequential,
  setSeed,
  sqrt,
  type Tensor,
} from '../src/node.ts';
import { Monitor } from '../src/train/callbacks/monitor.ts';
import { suite, testDevice } from './support/harness.ts';
import { fails, rejects } from './support/values.ts';

const device = await testDevice();
const test = suite('callbacks');

/** y = 2x, one number. */
const line = { x: [[0], [1], [2], [3]], y: [[0], [2], [4], [6]] };

function small(options: { learningRate?: number } = {}): Model {
  setSeed(1);
  const model = sequential([input({ shape: [1] }), layers.dense({ units: 1 })]);
  model.compile({ optimizer: optimizers.sgd({ learningRate: 0.01, ...options }), loss: 'meanSquaredError' });
  return model;
}

/** Puts these numbers in the place of the epochs' own. */
const pretend = (name: string, values: readonly number[]): Callback => ({
  onEpochEnd: (epoch, logs) => {
    Object.assign(logs, { [name]: values[epoch] });
  },
});

async function weightsOf(model: Model): Promise<number[][]> {
  return Promise.all(model.weights.map(async ({ value }) => Array.from(await value.data())));
}

/** Trains for as many epochs as there are values, unless it is stopped. */
async function trainOn(values: readonly number[], callback: Callback, name = 'loss'): Promise<History> {
  const model = small();
  try {
    return await model.fit(line, {
      epochs: values.length,
      shuffle: false,
      validationData: line,
      callbacks: [pretend(name, values), callback],
    });
  } finally {
    model.dispose();
  }
}

test('early stopping ends where Keras ends', async () => {
  type Row = [
    values: number[],
    options: callbacks.EarlyStoppingOptions,
    stopped: number | null,
    best: number,
  ];
  const { NaN: nan } = Number;
  // The epoch after which it stops, and the best one; −1 for none.
  const table: Row[] = [
    [[3, 2, 1, 0], {}, null, 3],
    [[3, 2, 2, 0], {}, 2, 1],
    [[3, 2, 2, 2, 0], { patience: 2 }, 3, 1],
    [[3, 2, 2, 1, 1, 1, 0], { patience: 2 }, 5, 3],
    [[3, 2.6, 2.4, 2.3, 2.2, 2.1], { patience: 2, minDelta: 0.5 }, 4, 2],
    [[3, 2.6, 2.4, 2.3, 2.2, 2.1], { patience: 2, minDelta: -0.5 }, 4, 2],
    [[3, 2, 1.5, 1.5, 1], { patience: 2, baseline: 1 }, 3, 2],
    [[3, 2, 0.5, 0.5, 0.5, 0], { patience: 2, baseline: 1 }, 4, 2],
    [[1, 5, 5, 5, 0], { startFromEpoch: 2 }, 3, 2],
    [[1, 2, 2, 3], { mode: 'max' }, 2, 1],
    [[nan, nan, 1], {}, 1, -1],
    [[nan, 2, nan, 1, 1], { patience: 2 }, null, 3],
  ];
  for (const [values, options, stopped, best] of table) {
    const stopping = callbacks.earlyStopping({ monitor: 'loss', ...options });
    const history = await trainOn(values, stopping);
    const row = JSON.stringify([values, options]);
    assert.is(history.epochs.length, stopped === null ? values.length : stopped + 1, row);
    assert.is(stopping.bestEpoch, best < 0 ? null : best, row);
    assert.is(history.stoppedBy !== null, stopped !== null, row);
  }
});

test('auto knows the direction by the name, or asks', async () => {
  const history = await trainOn([0.1, 0.2, 0.2, 0.3], callbacks.earlyStopping(), 'valLoss');
  assert.is(history.epochs.length, 2);
  assert.is(history.stoppedBy, 'valLoss has not improved for 1 epoch');
  const modes = Object.entries({
    valAccuracy: 'max',
    acc: 'max',
    out_auc: 'max',
    valMeanAbsoluteError: 'min',
    binaryCrossentropy: 'min',
    head_loss: 'min',
  });
  for (const [monitor, mode] of modes) assert.is(new Monitor('test', { monitor }).mode, mode);
  fails(() => callbacks.earlyStopping({ monitor: 'mine' }), 'argument', /'mine' does not tell its direction/);
});

test('a monitor that does not exist is told with the nearest name', async () => {
  const model = small();
  for (const make of [callbacks.earlyStopping, callbacks.reduceLearningRateOnPlateau]) {
    await rejects(
      model.fit(line, { callbacks: [make({ monitor: 'val_loss' })] }),
      'argument',
      /'val_loss'.*nothing is validated.*validationData/,
    );
    await rejects(
      model.fit(line, { validationData: line, callbacks: [make({ monitor: 'val_loss' })] }),
      'argument',
      /no monitor 'val_loss'. Did you mean 'valLoss'\? There are loss, valLoss/,
    );
  }
  model.dispose();
});

test('the weights of the best epoch come back, and only where they are asked for', async () => {
  const values = [3, 1, 2, 2];
  for (const restoreBestWeights of [true, false]) {
    const model = small();
    const seen: number[][][] = [];
    const look: Callback = {
      onEpochEnd: async () => {
        seen.push(await weightsOf(model));
      },
    };
    const stopping = callbacks.earlyStopping({ monitor: 'loss', patience: 2, restoreBestWeights });
    const all = [pretend('loss', values), look, stopping];
    await model.fit(line, { epochs: 9, shuffle: false, callbacks: all });
    assert.is(seen.length, 4);
    assert.equal(await weightsOf(model), seen[restoreBestWeights ? 1 : 3]);
    assert.not.equal(seen[1], seen[3]);
    model.dispose();
  }
});

test('after an abort the weights stay, and the copies are given back', async () => {
  const model = small();
  await model.fit(line); // Builds the optimizer.
  const before = device.memory().tensors;
  const aborter = new AbortController();
  let last: number[][] = [];
  const abort: Callback = {
    onEpochEnd: async (epoch) => {
      last = await weightsOf(model);
      if (epoch === 2) aborter.abort(new Error('enough'));
    },
  };
  const stopping = callbacks.earlyStopping({ monitor: 'loss', patience: 5, restoreBestWeights: true });
  const run = model.fit(line, {
    epochs: 9,
    signal: aborter.signal,
    callbacks: [pretend('loss', [1, 2, 3]), abort, stopping],
  });
  await run.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'enough'),
  );
  assert.is(stopping.bestEpoch, 0);
  assert.equal(await weightsOf(model), last);
  assert.is(device.memory().tensors, before);
  model.dispose();
});

test('a run that early stopping ended stays ended when it is resumed', async () => {
  const stopping = () => callbacks.earlyStopping({ monitor: 'loss', restoreBestWeights: true });
  const first = small();
  let state: RunState | undefined;
  const capture: Callback = {
    last: true,
    onEpochEnd: (_epoch, _logs, run) => {
      state?.dispose();
      state = run.capture();
    },
  };
  const all = [pretend('loss', [3, 1, 2, 2]), stopping(), capture];
  const history = await first.fit(line, { epochs: 9, callbacks: all });
  assert.is(history.epochs.length, 3);
  const second = small();
  const resume = state as RunState;
  const again = await second.fit(line, { epochs: 9, resume, callbacks: [stopping()] });
  assert.equal(again, history);
  assert.equal(await weightsOf(second), await weightsOf(first));
  for (const own of [first, second, resume]) own.dispose();
});

/** The learning rate after each epoch. */
async function ratesOf(model: Model, epochs: number, all: readonly Callback[]): Promise<number[]> {
  const rates: number[] = [];
  const tell: Callback = {
    last: true,
    onEpochEnd: (_e, _l, { optimizer }) => void rates.push(optimizer.learningRate),
  };
  await model.fit(line, { epochs, callbacks: [...all, tell] });
  return rates;
}

test('the rate falls on a plateau, by the rule of schedules.reduceOnPlateau', async () => {
  const values = [5, 4, 4, 4, 4, 4, 3, 3, 3];
  const options = { patience: 2, factor: 0.5, cooldown: 1, minDelta: 0.1, minLr: 0.003 };
  const model = small();
  const callback = callbacks.reduceLearningRateOnPlateau({ monitor: 'loss', ...options });
  const rates = await ratesOf(model, values.length, [pretend('loss', values), callback]);
  const plateau = schedules.reduceOnPlateau(options);
  let rate = 0.01;
  const expected = values.map((value) => (rate = plateau.update(value, rate)));
  assert.equal(rates, expected);
  assert.equal(rates.slice(0, 4), [0.01, 0.01, 0.01, 0.005]);
  // Another run starts anew.
  const again = await ratesOf(model, 3, [pretend('loss', [9, 9, 9]), callback]);
  assert.equal(again, [rate, rate, Math.max(rate / 2, 0.003)]);
  model.dispose();
});

test('a scheduler sets the rate of each epoch', async () => {
  const model = small();
  const seen: [number, number][] = [];
  const scheduler = callbacks.learningRateScheduler((epoch, rate) => {
    seen.push([epoch, rate]);
    return rate / 2;
  });
  assert.equal(await ratesOf(model, 3, [scheduler]), [0.005, 0.0025, 0.00125]);
  assert.equal(seen, [
    [0, 0.01],
    [1, 0.005],
    [2, 0.0025],
  ]);
  for (const wrong of [Number.NaN, -1, '1' as never]) {
    const bad = callbacks.learningRateScheduler(() => wrong);
    await rejects(model.fit(line, { callbacks: [bad] }), 'argument', /the rate of epoch 0 is/);
  }
  model.dispose();
});

test('wrong options are refused', () => {
  const wrong: [make: () => unknown, message: RegExp][] = [
    [() => callbacks.earlyStopping({ monitor: 'loss', patience: -1 }), /patience is -1/],
    [() => callbacks.earlyStopping({ monitor: 'loss', mode: 'up' as never }), /mode is 'up'/],
    [() => callbacks.earlyStopping({ monitor: '' }), /monitor is ''/],
    [() => callbacks.earlyStopping({ baseline: Number.NaN }), /baseline is NaN/],
    [() => callbacks.earlyStopping({ restoreBestWeights: 1 as never }), /restoreBestWeights is 1/],
    [() => callbacks.earlyStopping({ restore: true } as never), /restore/],
    [() => callbacks.earlyStopping({ minDelta: Infinity }), /minDelta is Infinity/],
    [() => callbacks.reduceLearningRateOnPlateau({ factor: 1 }), /factor is 1/],
    [() => callbacks.reduceLearningRateOnPlateau({ minLR: 0 } as never), /minLR/],
    [() => callbacks.learningRateScheduler(0.1 as never), /0.1 is no function/],
    [() => callbacks.csvLogger(''), /the path is ''/],
    [() => callbacks.csvLogger('a.csv', { separator: ';;' }), /delimiter is ';;'/],
    [() => callbacks.csvLogger('a.csv', { append: 1 as never }), /append is 1/],
  ];
  for (const [make, message] of wrong) fails(make, 'argument', message);
});

/** Multiplies by a number that the test chooses, in the forward pass. */
class Factor extends Layer {
  factor = 1;
  override call([x]: readonly [Tensor]): Tensor {
    return mul(x, this.factor);
  }
}

/** √(0·x): finite itself, while its gradient is ∞·0. */
class Edge extends Layer {
  on = false;
  override call([x]: readonly [Tensor]): Tensor {
    return this.on ? sqrt(mul(x, 0)) : x;
  }
}

interface Trap {
  readonly model: Model;
  readonly factor: Factor;
  readonly edge: Edge;
}

function trap(): Trap {
  setSeed(2);
  const factor = new Factor({ name: 'factor' });
  const edge = new Edge({ name: 'edge' });
  const model = sequential([
    input({ shape: [1] }),
    layers.dense({ units: 3, activation: 'tanh' }),
    edge,
    layers.dense({ units: 3, activation: 'tanh' }),
    factor,
    layers.dense({ units: 1 }),
  ]);
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  return { model, factor, edge };
}

/** Thirty steps an epoch, each of one example. */
const thirty = { x: Float32Array.from({ length: 30 }, (_, i) => i / 30), y: new Float32Array(30) };
const rows = { x: { data: thirty.x, shape: [30, 1] }, y: { data: thirty.y, shape: [30, 1] } };

/** Does something before a step, and counts the steps. */
function at(epoch: number, step: number, body: () => void): Callback & { steps: number } {
  const callback = {
    steps: 0,
    onStepBegin(own: number, run: { readonly epoch: number }) {
      callback.steps++;
      if (run.epoch === epoch && own === step) body();
    },
  };
  return callback;
}

for (const value of [Number.NaN, Infinity, -Infinity]) {
  test(`${value} in the output of a layer is found, with its step`, async () => {
    const { model, factor } = trap();
    const guard = callbacks.terminateOnNaN();
    const set = at(1, 17, () => {
      factor.factor = value;
    });
    const history = await model.fit(rows, { epochs: 5, batchSize: 1, callbacks: [guard, set] });
    const { kind } = guard.found ?? {};
    // tanh has either sign, so that an infinite factor makes both infinities, and NaN wins over them.
    assert.ok(kind === 'NaN' ? Number.isNaN(value) : !Number.isNaN(value), `found ${kind}`);
    assert.is(history.stoppedBy, `${kind} in the output of layer 'factor' at epoch 1, step 17`);
    assert.equal(guard.found, { kind, in: 'output', name: 'factor', epoch: 1, step: 17 });
    const late = set.steps - (30 + 18);
    assert.ok(late >= 0 && late <= (device.kind === 'cpu' ? 0 : 20), `noticed ${late} steps later`);
    model.dispose();
  });
}

test('a gradient is found where it leaves the numbers, though every output is finite', async () => {
  const { model, edge } = trap();
  const guard = callbacks.terminateOnNaN();
  const set = at(0, 3, () => {
    edge.on = true;
  });
  const history = await model.fit(rows, { epochs: 2, batchSize: 1, callbacks: [guard, set] });
  assert.match(history.stoppedBy ?? '', /^NaN in the gradient of 'dense\.(kernel|bias)' at epoch 0, step 3$/);
  assert.is(guard.found?.in, 'gradient');
  model.dispose();
});

test('a weight, the data and the targets are told apart', async () => {
  const poisoned = trap();
  const guard = callbacks.terminateOnNaN();
  const poison = at(0, 2, () => {
    const weight = poisoned.model.namedWeights().find(([path]) => path === 'dense_1.bias')?.[1];
    scope(() => noGrad(() => assign(weight?.value as Tensor, full([3], Number.NaN))));
  });
  const history = await poisoned.model.fit(rows, { batchSize: 1, callbacks: [guard, poison] });
  assert.is(history.stoppedBy, "NaN in the output of layer 'dense_1' at epoch 0, step 2");
  poisoned.model.dispose();

  const withNaN = Float32Array.from(thirty.x, (value, index) => (index === 4 ? Number.NaN : value));
  const batches = (x: Float32Array, y: Float32Array) =>
    data.fromArrays({ x: { data: x, shape: [30, 1] }, y: { data: y, shape: [30, 1] } }).batch(1);
  for (const [dataset, where] of [
    [batches(withNaN, thirty.y), "NaN in the input of layer 'dense'"],
    [batches(thirty.x, withNaN), 'NaN in the loss'],
  ] as const) {
    const { model } = trap();
    const found = await model.fit(dataset, { callbacks: [callbacks.terminateOnNaN()] });
    assert.is(found.stoppedBy, `${where} at epoch 0, step 4`);
    model.dispose();
  }
});

test('infinite probabilities end the training in order, others out of range fail it', async () => {
  for (const value of [Infinity, 1e3]) {
    const factor = new Factor({ name: 'factor' });
    const model = sequential([
      input({ shape: [1] }),
      layers.dense({ units: 1, activation: 'sigmoid' }),
      factor,
    ]);
    model.compile({ optimizer: 'sgd', loss: 'binaryCrossentropy' });
    const set = at(0, 5, () => {
      factor.factor = value;
    });
    const run = model.fit(rows, { batchSize: 1, callbacks: [set, callbacks.terminateOnNaN()] });
    if (value === Infinity)
      assert.is((await run).stoppedBy, "Infinity in the output of layer 'factor' at epoch 0, step 5");
    else await rejects(run, 'value-range', /outside of \[0, 1\]/);
    model.dispose();
  }
});

test('a training that stays finite is not disturbed, and the next one starts anew', async () => {
  const outcome = async (all: readonly Callback[]): Promise<[History, number[][]]> => {
    const { model } = trap();
    const history = await model.fit(rows, { epochs: 2, batchSize: 4, seed: 1, callbacks: all });
    const weights = await weightsOf(model);
    model.dispose();
    return [history, weights];
  };
  const guard = callbacks.terminateOnNaN();
  assert.equal(await outcome([guard]), await outcome([]));
  assert.is(guard.found, null);

  const { model, factor } = trap();
  factor.factor = Number.NaN;
  await model.fit(rows, { callbacks: [guard] });
  assert.ok(guard.found);
  factor.factor = 1;
  for (const { value } of model.weights) scope(() => noGrad(() => assign(value, full(value.shape, 0.1))));
  const history = await model.fit(rows, { callbacks: [guard] });
  assert.is(guard.found, null);
  assert.is(history.stoppedBy, null);
  model.dispose();
});

test('an abort and an error give the record back', async () => {
  const { model } = trap();
  const before = device.memory().tensors;
  const error = new Error('mine');
  const fail = at(0, 12, () => {
    throw error;
  });
  const run = model.fit(rows, { batchSize: 1, callbacks: [callbacks.terminateOnNaN(), fail] });
  await run.then(
    () => assert.unreachable(),
    (caught: unknown) => assert.is(caught, error),
  );
  assert.is(device.memory().tensors, before);
  model.dispose();
});

test('a layer is checked once, whatever stands around it', async () => {
  const { model } = trap();
  const counted: string[] = [];
  const unwatch = device.observe({
    dispatch: ({ op }) => {
      if (op === 'terminateOnNaN') counted.push(op);
    },
  });
  await model.fit(rows, { batchSize: 30, callbacks: [callbacks.terminateOnNaN()] });
  unwatch();
  // The input, three dense layers, the factor (the edge hands its input on), the loss and the gradients.
  assert.is(counted.length, 7);
  model.dispose();
});

async function inFolder(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'wgrad-callbacks-'));
  try {
    await body(join(folder, 'history.csv'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('a table has a row for each epoch, and columns as they come up', () =>
  inFolder(async (path) => {
    const model = small();
    const log = callbacks.csvLogger(path);
    const options = { epochs: 4, validationData: line, validationFrequency: 2 };
    const { epochs } = await model.fit(line, { ...options, callbacks: [log] });
    const cell = (logs: Logs | undefined, name: string): string => String(logs?.[name] ?? '');
    const expected = epochs.map((logs, epoch) => `${epoch},${cell(logs, 'loss')},${cell(logs, 'valLoss')}`);
    assert.is(await readFile(path, 'utf8'), `${['epoch,loss,valLoss', ...expected].join('\n')}\n`);
    assert.match(expected[0] as string, /,$/);
    // Without append, another run replaces it.
    await model.fit(line, { callbacks: [log] });
    assert.is((await readFile(path, 'utf8')).split('\n').length, 3);
    model.dispose();
  }));

test('append goes on behind what is there', () =>
  inFolder(async (path) => {
    const model = small();
    const log = () => callbacks.csvLogger(path, { append: true, separator: ';' });
    await model.fit(line, { epochs: 2, callbacks: [pretend('a;b', [1, Number.NaN]), log()] });
    await model.fit(line, { callbacks: [log()] });
    const text = (await readFile(path, 'utf8')).split('\n');
    assert.match(text[0] as string, /^epoch;loss;"a;b"$/);
    assert.equal(
      text.slice(1).map((row) => row.replace(/;[\d.e-]+;/, ';…;')),
      ['0;…;1', '1;…;NaN', '0;…;', ''],
    );
    await writeFile(path, 'name;value\nx;1\n');
    await rejects(model.fit(line, { callbacks: [log()] }), 'argument', /no table of epochs/);
    await writeFile(path, 'epoch;loss\n0;1;2\n');
    await rejects(model.fit(line, { callbacks: [log()] }), 'format', /row 2/);
    model.dispose();
  }));

test('a resumed run repeats no row', () =>
  inFolder(async (path) => {
    for (const append of [false, true]) {
      const log = () => callbacks.csvLogger(path, { append });
      const model = small();
      let state: RunState | undefined;
      const capture: Callback = {
        last: true,
        onStepEnd: (_step, run) => {
          if (run.epoch === 2) state ??= run.capture();
        },
      };
      await model.fit(line, { epochs: 4, batchSize: 2, callbacks: [log(), capture] });
      const whole = await readFile(path, 'utf8');
      const fresh = small();
      const resume = state as RunState;
      await fresh.fit(line, { epochs: 4, batchSize: 2, resume, callbacks: [log()] });
      assert.is(await readFile(path, 'utf8'), whole);
      for (const own of [model, fresh, resume]) own.dispose();
    }
  }));
