/** The display of a training, by its exact text: a fake stream, a fake clock. */
import * as assert from 'uvu/assert';
import { ArgumentError } from '../src/core/errors.ts';
import { input, layers, sequential } from '../src/exports.ts';
import type { Callback, Run } from '../src/train/callbacks.ts';
import {
  formatBar,
  formatDone,
  formatLive,
  formatLogs,
  formatSeconds,
  type ProgressState,
  progress,
} from '../src/train/progress.ts';
import { suite, testDevice } from './support/harness.ts';

const test = suite('progress');

const state: ProgressState = {
  epoch: 3,
  epochs: 10,
  step: 120,
  steps: 157,
  logs: { loss: 0.24058, acc: 0.9302 },
  elapsed: 1500,
  speed: 80,
  perStep: 64,
};

test('averages are written as Keras writes them', () => {
  assert.is(
    formatLogs({ loss: 0.24058, valLoss: 0.1234, valSparseTopK: 1 }),
    ' - loss: 0.2406 - val_loss: 0.1234 - val_sparse_top_k: 1.0000',
  );
  assert.is(
    formatLogs({ loss: 0.00025, mae: 0, x: Number.NaN }),
    ' - loss: 2.5000e-4 - mae: 0.0000 - x: NaN',
  );
});

test('times are short', () => {
  const texts = [0, 4400, 59_499, 65_000, 3_600_000, 7_620_000].map(formatSeconds);
  assert.equal(texts, ['0s', '4s', '59s', '1m 05s', '1h 00m', '2h 07m']);
});

test('the bar fills from empty to full', () => {
  const bars = [0, 1, 5, 9, 10].map((step) => formatBar(step, 10, 10));
  assert.equal(bars, ['[>.........]', '[=>........]', '[=====>....]', '[=========>]', '[==========]']);
});

test('the live line tells epoch, bar, step, averages, rate and what is left', () => {
  assert.is(
    formatLive(state, 120),
    'Epoch 3/10  [======================>.......]  120/157 - loss: 0.2406 - acc: 0.9302 - 5120 samples/s - 0s left',
  );
  const { perStep, ...rest } = state;
  assert.is(perStep, 64);
  assert.match(formatLive({ ...rest, perStep: undefined }, 120), / - 80\.0 steps\/s - 0s left$/);
  assert.is(
    formatLive({ ...state, steps: undefined }, 120),
    'Epoch 3/10  step 120 - loss: 0.2406 - acc: 0.9302 - 5120 samples/s',
  );
  assert.is(
    formatLive({ ...state, step: 0, speed: null, logs: {} }, 120),
    'Epoch 3/10  [>.............................]  0/157',
  );
});

test('the live line fits any width', () => {
  for (let columns = 20; columns <= 140; columns++)
    assert.ok(formatLive(state, columns).length <= columns, `${columns}`);
  assert.is(
    formatLive(state, 90),
    'Epoch 3/10  [========>..]  120/157 - loss: 0.2406 - acc: 0.9302 - 5120 samples/s - 0s left',
  );
  assert.is(
    formatLive(state, 79),
    'Epoch 3/10  120/157 - loss: 0.2406 - acc: 0.9302 - 5120 samples/s - 0s left',
  );
  assert.is(formatLive(state, 62), 'Epoch 3/10  120/157 - loss: 0.2406 - acc: 0.9302 - 0s left');
  assert.is(formatLive(state, 30), 'Epoch 3/10  120/157 - loss: 0.');
});

test('the end of an epoch is never cut', () => {
  const done = { ...state, step: 157, logs: { ...state.logs, valLoss: 0.1234, valAcc: 0.95 } };
  const tail = ' 157/157 - 2s - loss: 0.2406 - acc: 0.9302 - val_loss: 0.1234 - val_acc: 0.9500';
  assert.is(formatDone(done, 120), `Epoch 3/10  [${'='.repeat(26)}] ${tail}`);
  assert.is(formatDone(done, 40), `Epoch 3/10 ${tail}`);
});

interface Fake {
  readonly written: string[];
  readonly callback: Callback;
  readonly clock: { time: number };
}

function fake(
  isTTY: boolean,
  options: { interval?: number; verbose?: 0 | 1 | 2; columns?: number } = {},
): Fake {
  const { columns = 100, ...rest } = options;
  const written: string[] = [];
  const clock = { time: 0 };
  const stream = { isTTY, columns, write: (text: string) => written.push(text) };
  return { written, clock, callback: progress({ stream, now: () => clock.time, ...rest }) };
}

/** Runs the hooks of two epochs of four steps, each of which takes 60 ms; it stops within the second after `until` steps. */
function play({ callback, clock }: Fake, until = 4, kind: 'cpu' | 'gpu' = 'cpu'): void {
  const run = {
    epochs: 2,
    steps: 4,
    examples: 128,
    epoch: 0,
    step: 0,
    logs: {} as Record<string, number>,
    device: { kind },
  };
  const seen = run as unknown as Run;
  callback.onTrainBegin?.(seen);
  for (run.epoch = 0; run.epoch < 2; run.epoch++) {
    run.logs = {};
    callback.onEpochBegin?.(run.epoch, seen);
    const steps = run.epoch === 1 ? until : 4;
    for (let step = 0; step < steps; step++) {
      clock.time += 60;
      run.step = step + 1;
      if (step === 1) run.logs = { loss: 0.5 };
      if (step % 2 === 1) callback.onLogs?.(run.logs, seen);
      callback.onStepEnd?.(step, seen);
    }
    if (steps < 4) break;
    run.step = 0;
    callback.onEpochEnd?.(run.epoch, { loss: 0.25, valLoss: 0.75 }, seen);
  }
  callback.onTrainEnd?.(seen);
}

test("elsewhere than on a terminal the text is Keras's log", () => {
  const log = fake(false);
  play(log);
  assert.is(
    log.written.join(''),
    'Epoch 1/2\n - 0s - loss: 0.2500 - val_loss: 0.7500\nEpoch 2/2\n - 0s - loss: 0.2500 - val_loss: 0.7500\n',
  );
});

test('on a terminal one line is overwritten, at most every 100 ms, and ends with the epoch', () => {
  const live = fake(true);
  play(live);
  const bar = (done: number): string => formatBar(done, 4, 30);
  const clear = '\r\x1b[K';
  assert.equal(live.written.slice(0, 4), [
    `${clear}Epoch 1/2  ${bar(0)}  0/4`,
    `${clear}Epoch 1/2  ${bar(2)}  2/4 - loss: 0.5000 - 533 samples/s - 0s left`,
    `${clear}Epoch 1/2  ${bar(4)}  4/4 - loss: 0.5000 - 533 samples/s - 0s left`,
    `${clear}Epoch 1/2  ${bar(4)}  4/4 - 0s - loss: 0.2500 - val_loss: 0.7500\n`,
  ]);
  assert.is(live.written.length, 8);
});

test('on a GPU the rate comes from the averages that arrive, and outlives the epoch', () => {
  const live = fake(true);
  play(live, 4, 'gpu');
  const rates = live.written.map((text) => / - (\d+) samples\/s/.exec(text)?.[1]);
  // Averages arrive after the steps 2 and 4, 120 ms apart; steps that are only recorded tell nothing.
  assert.equal(rates, [undefined, undefined, '533', undefined, '533', '533', '533', undefined]);
});

test('after an error the live line is closed', () => {
  const live = fake(true);
  play(live, 3);
  assert.is(live.written.at(-1), '\n');
  const before = live.written.length;
  live.callback.onTrainEnd?.({} as Run);
  assert.is(live.written.length, before, 'it is closed once');
});

test('verbose decides in the place of the stream', () => {
  const silent = fake(true, { verbose: 0 });
  play(silent);
  assert.equal(silent.written, []);
  const lines = fake(true, { verbose: 2 });
  play(lines);
  assert.is(lines.written[0], 'Epoch 1/2\n');
});

test('wrong options are refused', () => {
  for (const options of [{ stream: {} }, { interval: -1 }, { verbose: 3 }, { colour: true }])
    assert.throws(
      () => progress(options as object),
      (error: unknown) => error instanceof ArgumentError && error.message.startsWith('progress: '),
    );
});

test('a real training is shown, also where it is aborted', async () => {
  await testDevice();
  const model = sequential([input({ shape: [1] }), layers.dense({ units: 1 })]);
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  try {
    const data = { x: [[0], [1], [2], [3]], y: [[0], [1], [2], [3]] };
    const log = fake(false);
    await model.fit(data, {
      epochs: 2,
      batchSize: 2,
      seed: 1,
      callbacks: [log.callback],
      validationData: data,
    });
    const line = / - 0s - loss: \d\.\d{4} - val_loss: \d\.\d{4}\n/.source;
    assert.match(log.written.join(''), new RegExp(`^Epoch 1/2\n${line}Epoch 2/2\n${line}$`));
    const live = fake(true, { interval: 0 });
    const controller = new AbortController();
    const abort = { onStepEnd: (step: number) => step === 0 && controller.abort(new Error('enough')) };
    const { signal } = controller;
    let told = '';
    await model
      .fit(data, { batchSize: 2, seed: 1, signal, callbacks: [live.callback, abort as unknown as Callback] })
      .catch((error: Error) => {
        told = error.message;
      });
    assert.is(told, 'enough');
    assert.match(live.written.at(-2) ?? '', /Epoch 1\/1 {2}\[=+>\.+\] {2}1\/2/);
    assert.is(live.written.at(-1), '\n');
  } finally {
    model.dispose();
  }
});
