/** Checkpoints: what they hold, that they are whole, and that a run goes on from them with the same bits. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import {
  type Callback,
  callbacks,
  input,
  layers,
  loadCheckpoint,
  type RunState,
  readSafetensorsHeader,
  sequential,
  setSeed,
  WeightsError,
} from '../src/node.ts';
import { isLong, seed, suite, testDevice } from './support/harness.ts';
import { uniforms } from './support/random.ts';
import { type CaseName, caseNames, outcomeOf, trainCase } from './support/train-cases.ts';
import { rejects } from './support/values.ts';

const device = await testDevice();
const test = suite('checkpoint', { timeout: isLong ? 900_000 : 120_000 });

/** Runs `body` with a folder of its own. */
async function inFolder(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'wgrad-checkpoint-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Runs `body` and returns what it warned of. */
async function warningsOf(body: () => Promise<void>): Promise<string[]> {
  const { warn } = console;
  const found: string[] = [];
  console.warn = (...parts: unknown[]) => found.push(parts.join(' '));
  try {
    await body();
  } finally {
    console.warn = warn;
  }
  return found;
}

/** Trains a case to its end, from the start or from a state, with further callbacks; returns the digest. */
async function train(
  name: CaseName,
  { resume = null, more = [] }: { resume?: RunState | null; more?: Callback[] } = {},
): Promise<string> {
  const { model, data, options } = await trainCase(name, resume ? 77 : 1);
  try {
    const all = [...(options.callbacks ?? []), ...more];
    const history = await model.fit(data, { ...options, resume, callbacks: all });
    return await outcomeOf(model, history);
  } finally {
    model.dispose();
  }
}

for (const name of caseNames) {
  test(`${name}: from any step and any epoch, new objects go on with the same bits`, () =>
    inFolder(async (directory) => {
      const undisturbed = await train(name);
      assert.is(await train(name), undisturbed);
      const saving = callbacks.checkpoint({ directory, everySteps: 1, keep: 100 });
      assert.is(await train(name, { more: [saving] }), undisturbed, 'saving has no influence');
      const files = (await readdir(directory)).sort();
      assert.is(files.length, name === 'endless' ? 3 * 5 : 3 * 6, files.join());
      for (const file of files) {
        const resume = await loadCheckpoint(join(directory, file));
        assert.is(await train(name, { resume }), undisturbed, file);
        resume?.dispose();
      }
    }));
}

test('a run that was resumed saves what the undisturbed one saves, byte for byte', () =>
  inFolder(async (directory) => {
    const [one, two] = [join(directory, 'one'), join(directory, 'two')];
    await train('withNoise', { more: [callbacks.checkpoint({ directory: one, everySteps: 2, keep: 100 })] });
    const resume = await loadCheckpoint(join(one, 'checkpoint-000001-000002.safetensors'));
    await train('withNoise', {
      resume,
      more: [callbacks.checkpoint({ directory: two, everySteps: 2, keep: 100 })],
    });
    resume?.dispose();
    const files = await readdir(two);
    assert.is(files.length, 5);
    for (const file of files)
      assert.ok((await readFile(join(one, file))).equals(await readFile(join(two, file))), file);
  }));

test('the newest files stay, named by the place that comes next', () =>
  inFolder(async (directory) => {
    await train('withNoise', { more: [callbacks.checkpoint({ directory, everySteps: 2, keep: 3 })] });
    assert.equal((await readdir(directory)).sort(), [
      'checkpoint-000002-000002.safetensors',
      'checkpoint-000002-000004.safetensors',
      'checkpoint-000003-000000.safetensors',
    ]);
    const state = await loadCheckpoint(directory);
    assert.is(state?.json.epoch, 3);
    assert.is(state?.json.step, 0);
    assert.is(state?.json.history.length, 3);
    state?.dispose();
    const file = await readFile(join(directory, 'checkpoint-000003-000000.safetensors'));
    const { entries } = readSafetensorsHeader(file);
    const kernel = entries.get('weights/dense.kernel');
    assert.equal(kernel?.shape, [2, 8]);
    assert.is(kernel?.dtype, device.kind === 'cpu' ? 'F64' : 'F32');
  }));

test('every other epoch, and the last one', () =>
  inFolder(async (directory) => {
    await train('endless', { more: [callbacks.checkpoint({ directory, everyEpochs: 2, keep: 9 })] });
    const files = (await readdir(directory)).sort();
    assert.equal(files, ['checkpoint-000002-000000.safetensors', 'checkpoint-000003-000000.safetensors']);
  }));

test('only the best epochs', () =>
  inFolder(async (directory) => {
    const losses = [3, 1, 2, Number.NaN, 0.5];
    const model = sequential([input({ shape: [1] }), layers.dense({ units: 1 })]);
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const fake: Callback = {
      onEpochEnd: (epoch, logs) => {
        Object.assign(logs, { loss: losses[epoch] });
      },
    };
    const best = callbacks.checkpoint({ directory, bestOnly: 'loss', keep: 9 });
    await model.fit({ x: [[1]], y: [[1]] }, { epochs: 5, callbacks: [best, fake] });
    assert.equal(
      (await readdir(directory)).sort(),
      [1, 2, 5].map((epoch) => `checkpoint-00000${epoch}-000000.safetensors`),
    );
    // A NaN in the history survives the way through JSON.
    const state = await loadCheckpoint(directory);
    assert.equal(
      state?.json.history.map(({ loss }) => loss),
      losses,
    );
    state?.dispose();
    model.dispose();
  }));

test('damaged files are skipped with a warning that names them', () =>
  inFolder(async (directory) => {
    assert.is(await loadCheckpoint(join(directory, 'missing')), null);
    assert.is(await loadCheckpoint(directory), null);
    await train('endless', { more: [callbacks.checkpoint({ directory, keep: 3 })] });
    const [oldest, middle, newest] = (await readdir(directory)).sort().map((file) => join(directory, file));
    const whole = await readFile(newest as string);
    // A bit in the last tensor, which only the checksum tells.
    const flipped = Buffer.from(whole);
    flipped[flipped.length - 1] = (flipped[flipped.length - 1] as number) ^ 1;
    await writeFile(newest as string, flipped);
    await truncate(middle as string, Math.floor(whole.length / 2));
    const warnings = await warningsOf(async () => {
      const state = await loadCheckpoint(directory);
      assert.is(state?.json.epoch, 1);
      state?.dispose();
    });
    assert.is(warnings.length, 2);
    assert.match(warnings[0] as string, newest as string);
    assert.match(warnings[1] as string, middle as string);
    await rejects(loadCheckpoint(newest as string), 'format', /checksum/);
    for (const bytes of [0, 7, 40, whole.length - 1]) {
      await writeFile(oldest as string, whole.subarray(0, bytes));
      await rejects(loadCheckpoint(oldest as string), 'format', /loadCheckpoint/);
    }
    const all = await warningsOf(async () => assert.is(await loadCheckpoint(directory), null));
    assert.is(all.length, 3);
  }));

test('a new run does not mix with the checkpoints of another, a resumed one clears its future', () =>
  inFolder(async (directory) => {
    await train('endless', { more: [callbacks.checkpoint({ directory, keep: 9 })] });
    await rejects(
      train('endless', { more: [callbacks.checkpoint({ directory })] }),
      'argument',
      /holds checkpoints of another run.*resume/,
    );
    await writeFile(join(directory, '.checkpoint-000009-000000.safetensors.4711.tmp'), 'half');
    const resume = await loadCheckpoint(join(directory, 'checkpoint-000001-000000.safetensors'));
    const saving = callbacks.checkpoint({ directory, everySteps: 1 });
    await train('endless', {
      resume,
      more: [saving, { onStepEnd: (step, run) => (step === 1 ? run.stop('enough') : undefined) }],
    });
    resume?.dispose();
    assert.equal((await readdir(directory)).sort(), [
      'checkpoint-000001-000001.safetensors',
      'checkpoint-000001-000002.safetensors',
    ]);
  }));

test('a run that is stopped within an epoch goes on with the rest of it', () =>
  inFolder(async (directory) => {
    const undisturbed = await train('withNoise');
    const stop: Callback = { onStepEnd: (_, run) => (run.epoch === 1 ? run.stop('time is up') : undefined) };
    await train('withNoise', { more: [callbacks.checkpoint({ directory }), stop] });
    const resume = await loadCheckpoint(directory);
    assert.equal([resume?.json.epoch, resume?.json.step], [1, 1]);
    assert.is(await train('withNoise', { resume }), undisturbed);
    resume?.dispose();
  }));

test('weights that are not finite are not saved', () =>
  inFolder(async (directory) => {
    const model = sequential([input({ shape: [1] }), layers.dense({ units: 1 })]);
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const huge = device.kind === 'cpu' ? 1e200 : 1e30; // Its square is infinite.
    const warnings = await warningsOf(async () => {
      await model.fit(
        { x: [[huge]], y: [[-huge]] },
        { epochs: 5, callbacks: [callbacks.checkpoint({ directory })] },
      );
    });
    model.dispose();
    assert.is(warnings.length, 5);
    assert.match(warnings[0] as string, /'dense.kernel' is not finite/);
    assert.equal(await readdir(directory), []);
  }));

test('the state of another model, optimizer or data is refused, and changes nothing', async () => {
  const { model, data, options } = await trainCase('withNoise', 1);
  let state: RunState | undefined;
  const capture: Callback = {
    onEpochEnd: (_epoch, _logs, run) => {
      state?.dispose();
      state = run.capture();
    },
  };
  await model.fit(data, { ...options, epochs: 1, callbacks: [capture] });
  const resume = state as RunState;
  const { callbacks: _, ...plain } = options;
  setSeed(3);
  const other = sequential([input({ shape: [2] }), layers.dense({ units: 3, activation: 'softmax' })]);
  other.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  const before = await other.weights[0]?.value.data();
  await rejects(other.fit(data, { ...plain, resume }), 'argument', /random stream/);
  const withoutStreams = { ...resume, json: { ...resume.json, generators: {} } } as RunState;
  try {
    await other.fit(data, { ...plain, resume: withoutStreams });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, WeightsError);
    assert.match((error as Error).message, /missing|shape: dense.kernel is \(2, 8\), the model has \(2, 3\)/);
  }
  assert.equal(await other.weights[0]?.value.data(), before);
  const fresh = await trainCase('withNoise', 1);
  fresh.model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
  await rejects(fresh.model.fit(data, { ...plain, resume }), 'argument', /state is that of 'adam'/);
  await rejects(fresh.model.fit(data, { ...plain, batchSize: 8, resume }), 'argument', /had batchSize 9/);
  await rejects(fresh.model.fit(data, { ...plain, seed: 1, resume }), 'argument', /no other seed/);
  await rejects(fresh.model.fit(data, { ...plain, shuffle: false, resume }), 'argument', /has seed/);
  for (const own of [model, other, fresh.model, resume]) own.dispose();
});

test('wrong options are refused', async () => {
  const wrong: [options: object, message: RegExp][] = [
    [{}, /directory is undefined/],
    [{ directory: '' }, /directory/],
    [{ directory: 'x', keep: 0 }, /keep is 0/],
    [{ directory: 'x', everySteps: 1.5 }, /everySteps is 1.5/],
    [{ directory: 'x', every: 1 }, /every/],
    [{ directory: 'x', mode: 'min' }, /mode is for bestOnly/],
    [{ directory: 'x', bestOnly: 'valLoss', everySteps: 3 }, /leave everySteps or bestOnly out/],
    [{ directory: 'x', bestOnly: 'mine' }, /'mine' does not tell its direction/],
  ];
  for (const [options, message] of wrong) {
    await rejects((async () => callbacks.checkpoint(options as never))(), 'argument', message);
  }
  await rejects(loadCheckpoint(3 as never), 'argument', /the path is 3/);
  await rejects(loadCheckpoint('x', { where: 1 } as never), 'argument', /where/);
});

interface Ended {
  readonly output: string;
  readonly signal: NodeJS.Signals | null;
}

const root = fileURLToPath(new URL('../', import.meta.url));

/** Runs the child, and kills it so many milliseconds after so many steps. */
function runChild(directory: string, kill?: { steps: number; after: number }): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--import', './scripts/register.mjs', 'test/support/train-child.ts', directory, 'withNoise'],
      { cwd: root, timeout: 60_000, killSignal: 'SIGKILL' },
    );
    let output = '';
    let killed = false;
    child.stderr.on('data', (text) => (output += text));
    child.stdout.on('data', (text) => {
      output += text;
      if (!kill || killed || output.split('step\n').length <= kill.steps) return;
      killed = true;
      setTimeout(() => child.kill('SIGKILL'), kill.after);
    });
    child.on('error', reject);
    child.on('close', (_, signal) => resolve({ output, signal }));
  });
}

const outcome = ({ output }: Ended): string => {
  const [, digest] = /^outcome (\w+)$/m.exec(output) ?? [];
  if (digest === undefined) throw new Error(`the child did not end its training:\n${output}`);
  return digest;
};

test('killed at random moments, it goes on until the same bits', () =>
  inFolder(async (directory) => {
    const undisturbed = outcome(await runChild(join(directory, 'undisturbed')));
    const next = uniforms(seed);
    const folder = join(directory, 'killed');
    let killed = 0;
    for (let round = 0; round < (isLong ? 20 : 3); round++) {
      const plan = { steps: Math.floor(8 * next()), after: 15 * next() };
      const ended = await runChild(folder, plan);
      if (ended.signal !== 'SIGKILL') {
        // It came to its end first: the next one starts anew.
        assert.is(outcome(ended), undisturbed);
        await rm(folder, { recursive: true });
        continue;
      }
      killed++;
      const files = (await readdir(folder)).filter((file) => file.startsWith('checkpoint-')).sort();
      const newest = files.at(-1);
      if (newest !== undefined) (await loadCheckpoint(join(folder, newest)))?.dispose();
    }
    assert.ok(killed >= 2, `only ${killed} children were killed in time`);
    assert.is(outcome(await runChild(folder)), undisturbed);
    assert.ok((await readdir(folder)).every((file) => !file.endsWith('.tmp')));
  }));
