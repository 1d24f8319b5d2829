/**
 * Runs every `test/**\/*.test.ts`, or those whose path contains one of the arguments, one after another in this
 * process. The last line is `N passed, N failed`, with `, N skipped` where something was skipped.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A suite in uvu's queue: errors as text or `true`, then how many passed, were skipped, and were there. */
type Runner = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;

// uvu starts a queue on its own unless this stands before it loads.
const uvu = globalThis as unknown as { UVU_DEFER?: number; UVU_QUEUE?: (Runner | null)[][] };
uvu.UVU_DEFER = 1;
const queue: Runner[] = [];
uvu.UVU_QUEUE = [queue];

const { destroyDevices, records, takeSuites, testDevice } = await import('./support/harness.ts');

/** The harness's own tests run the runner on other folders. */
const folder = process.env.WGRAD_TEST_FOLDER || fileURLToPath(new URL('.', import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => wanted.length === 0 || wanted.some((part) => `test/${file}`.includes(part)))
  .sort();

const sum = { passed: 0, failed: 0, skipped: 0 };
let finished = false;

process.on('exit', () => {
  if (finished) return;
  console.error('The process ended before the tests did: a promise never settled, or a test called exit().');
  process.exitCode = 1;
});

// A reader may stop before the end, as `head` does. To report that would fail in the same way, again and again.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', () => {
    finished = true;
    process.exit(1);
  });
}

function fail(where: string, error: unknown): void {
  sum.failed++;
  console.error(
    `  FAIL ${where}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
}

let current = 'the runner';
process.on('unhandledRejection', (error) =>
  fail(`${current}: a promise was rejected and nobody listened`, error),
);
process.on('uncaughtException', (error) => fail(`${current}: an error outside of any test`, error));

async function runFile(file: string): Promise<void> {
  current = `test/${file}`;
  console.log(`\n${current}`);
  const start = performance.now();
  const before = { ...sum };
  let suites: ReturnType<typeof takeSuites> = [];
  try {
    await import(pathToFileURL(join(folder, file)).href);
    suites = takeSuites();
    if (suites.length === 0) throw new Error('The file makes no suite.');
  } catch (error) {
    takeSuites();
    fail(current, error);
    return;
  }
  for (const suite of suites) {
    if (suite.count() === 0) fail(current, new Error(`The suite "${suite.name}" has no test.`));
    else suite.enqueue();
  }
  for (const run of queue.splice(0)) {
    const [errors, passed, skipped, total] = await run();
    sum.passed += passed;
    sum.failed += total - passed;
    sum.skipped += skipped;
    if (errors !== true) console.error(`\n${errors}`);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `  ${sum.passed - before.passed} passed, ${sum.failed - before.failed} failed, ` +
      `${sum.skipped - before.skipped} skipped in ${seconds} s`,
  );
}

try {
  await testDevice();
} catch (error) {
  console.log(`no device: ${error instanceof Error ? error.message : String(error)}`);
}

if (files.length === 0) fail('the runner', new Error(`No test file matches ${wanted.join(' ')}.`));
for (const file of files) await runFile(file);

if (sum.passed + sum.failed + sum.skipped === 0)
  fail('the runner', new Error(`No test title contains ${process.env.WGRAD_TEST_ONLY}.`));

const slowest = [...records].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, 5);
if (slowest.length > 0) console.log('\nslowest:');
for (const { suite, name, milliseconds } of slowest) {
  console.log(`  ${(milliseconds / 1000).toFixed(2)} s  ${suite}: ${name}`);
}
destroyDevices();
// Rejections that the destruction causes are reported before the verdict.
await new Promise((resolve) => setTimeout(resolve, 20));
finished = true;
process.exitCode = sum.failed > 0 ? 1 : 0;
console.log(
  `\n${sum.passed} passed, ${sum.failed} failed${sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''}`,
);
