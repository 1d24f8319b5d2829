/** The test harness notices what it is there to notice; each case is a small file that runs in a process of its own. */
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from './support/harness.ts';

const test = suite('harness');
const root = fileURLToPath(new URL('../', import.meta.url));

/** A folder with one test file, and how to start the runner on it. */
function prepare(body: string): { folder: string; args: string[]; options: SpawnOptions } {
  const folder = mkdtempSync(join(tmpdir(), 'wgrad-harness-'));
  mkdirSync(join(folder, 'cases'));
  writeFileSync(
    join(folder, 'cases', 'case.test.ts'),
    `import { suite, cpuDevice, testDevice } from ${JSON.stringify(join(root, 'test/support/harness.ts'))};\n${body}`,
  );
  return {
    folder,
    args: ['--import', './scripts/register.mjs', 'test/run.ts'],
    options: {
      cwd: root,
      env: { ...process.env, WGRAD_ADAPTER: 'cpu', WGRAD_TEST_FOLDER: join(folder, 'cases') },
    },
  };
}

/** Runs one test file through a copy of the runner's folder layout. */
function run(body: string): { code: number | null; output: string; last: string } {
  const { folder, args, options } = prepare(body);
  try {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { ...options, encoding: 'utf8' });
    return { code: status, output: stdout + stderr, last: stdout.trimEnd().split('\n').at(-1) ?? '' };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('counts what passes, fails and is skipped', () => {
  const { code, output, last } = run(`
    const test = suite('three');
    test('good', () => {});
    test('bad', () => { throw new Error('on purpose'); });
    test.skip('later', 'no reason at all');
  `);
  assert.is(last, '1 passed, 1 failed, 1 skipped');
  assert.is(code, 1);
  assert.match(output, /on purpose/);
  assert.match(output, /no reason at all/);
  assert.match(output, /case\.test\.ts:\d+/);
});

test('a green run has a plain last line and exit code 0', () => {
  const { code, output, last } = run(`suite('one')('good', async () => { await testDevice(); });`);
  assert.is(last, '1 passed, 0 failed');
  assert.is(code, 0);
  assert.match(output, /^CPU device/);
});

test('a tensor left behind fails the test that left it, and no other', () => {
  const { output, last } = run(`
    const test = suite('leaks');
    test('good', () => cpuDevice().allocate('t', 'int32', 4).release());
    test('leaky', () => { cpuDevice().allocate('t', 'int32', 4); });
    test('good again', () => cpuDevice().allocate('t', 'int32', 4).release());
  `);
  assert.is(last, '2 passed, 1 failed');
  assert.match(output, /held 0 tensors before this test and holds 1 after it/);
});

test('a test that never ends, and one that fails late, are failures', () => {
  const { output, last } = run(`
    const test = suite('late', { timeout: 50 });
    test('endless', () => new Promise(() => {}));
    test('good, but leaves a rejection behind', () => { Promise.reject(new Error('unheard')); });
    test('gives the rejection time', () => new Promise((resolve) => setTimeout(resolve, 10)));
  `);
  assert.is(last, '2 passed, 2 failed');
  assert.match(output, /longer than 50 ms/);
  assert.match(output, /unheard/);
});

test('a file without a test, and one that does not load, are failures', () => {
  assert.is(run('').last, '0 passed, 1 failed');
  assert.is(run(`suite('empty');`).last, '0 passed, 1 failed');
  assert.is(run(`throw new Error('at import');`).last, '0 passed, 1 failed');
});

test('a reader who leaves early ends the run, without a word', async () => {
  const { folder, args, options } = prepare(`
    suite('talkative')('goes on and on', async () => {
      for (;;) {
        console.log('still here');
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
  `);
  try {
    for (const leavesBoth of [false, true]) {
      const child = spawn(process.execPath, args, { ...options, stdio: 'pipe', timeout: 20_000 });
      let complaints = '';
      child.stderr.on('data', (text) => {
        complaints += text;
      });
      child.stdout.once('data', () => {
        child.stdout.destroy();
        if (leavesBoth) child.stderr.destroy();
      });
      assert.equal(await once(child, 'close'), [1, null]);
      assert.is(complaints, '');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
