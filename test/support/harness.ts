/**
 * Test suites on uvu, with what uvu lacks: suites register themselves, every test has a timeout, and no test may
 * leave tensors behind on a shared device.
 */
import { suite as uvuSuite } from 'uvu';
import { CpuDevice } from '../../src/runtime/cpu-device.ts';
import { defaultDevice, setDefaultDevice } from '../../src/runtime/default-device.ts';
import type { Device } from '../../src/runtime/device.ts';
import type { AdapterChoice } from '../../src/runtime/init.ts';
import { init } from '../../src/runtime/node/init.ts';

/** `npm run test:long`: the full number of cases. */
export const isLong = process.env.WGRAD_TEST_LONG === '1';

/** The seed of every random draw in the tests. */
export const seed = Number(process.env.WGRAD_TEST_SEED || 1);
if (!Number.isSafeInteger(seed))
  throw new Error(`WGRAD_TEST_SEED=${process.env.WGRAD_TEST_SEED} is no whole number.`);

const DEFAULT_TIMEOUT = 60_000;

let opening: Promise<Device> | undefined;
let cpu: CpuDevice | undefined;
/** The shared devices that are open, by the name that a leak is reported under. */
const shared = new Map<string, Device>();

/** One CPU device for the whole run. */
export function cpuDevice(): CpuDevice {
  if (!cpu) {
    cpu = new CpuDevice();
    shared.set('cpuDevice()', cpu);
  }
  return cpu;
}

async function open(): Promise<Device> {
  const adapter = (process.env.WGRAD_ADAPTER || 'swiftshader') as AdapterChoice;
  const device = adapter === 'cpu' ? cpuDevice() : await init({ adapter });
  if (adapter !== 'cpu') shared.set('testDevice()', device);
  console.log(device.description);
  return device;
}

/** The device under test, opened once and made the default device by each call. `WGRAD_ADAPTER` chooses it. */
export async function testDevice(): Promise<Device> {
  opening ??= open();
  const device = await opening;
  setDefaultDevice(device);
  return device;
}

/** Destroys the shared devices, so that the process can end. */
export function destroyDevices(): void {
  for (const device of shared.values()) device.destroy();
  shared.clear();
}

/** What became of a test. */
export interface TestRecord {
  readonly suite: string;
  readonly name: string;
  readonly milliseconds: number;
}

/** A suite as `test/run.ts` sees it. */
export interface Registered {
  readonly name: string;
  /** Tests and skips; 0 means that the suite says nothing. */
  count(): number;
  /** Hands the tests to uvu's queue. */
  enqueue(): void;
}

const pending: Registered[] = [];

/** Times of the tests that ran, for the list of the slowest. */
export const records: TestRecord[] = [];

/** The suites that were made since the last call. */
export const takeSuites = (): Registered[] => pending.splice(0);

const countTensors = (): Map<string, number> =>
  new Map([...shared].map(([name, device]) => [name, device.memory().tensors]));

/** Devices on which a failed test left tensors; the garbage collector may free those at any time. */
const littered = new Set<string>();

function checkLeaks(before: ReadonlyMap<string, number>, failed: boolean): void {
  for (const [name, after] of countTensors()) {
    const expected = before.get(name) ?? 0;
    if (after === expected || (after < expected && littered.has(name))) continue;
    littered.add(name);
    if (failed) continue;
    throw new Error(`${name} held ${expected} tensors before this test and holds ${after} after it.`);
  }
}

function withTimeout(body: () => unknown, milliseconds: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`The test ran longer than ${milliseconds} ms.`)), milliseconds);
  });
  const work = (async () => body())();
  return Promise.race([work, expiry]).finally(() => clearTimeout(timer));
}

function currentDefault(): Device | null {
  try {
    return defaultDevice();
  } catch {
    return null;
  }
}

/** uvu prints the message, then the stack from its second line on, which would repeat the rest of a long message. */
function readable(thrown: unknown): Error {
  const error = thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`);
  const frames = error.stack?.indexOf('\n    at ') ?? -1;
  if (frames >= 0) error.stack = `${error.name}${error.stack?.slice(frames)}`;
  return error;
}

async function runTest(body: () => unknown, timeout: number): Promise<void> {
  const before = countTensors();
  const device = currentDefault();
  let failed = true;
  try {
    await withTimeout(body, timeout);
    failed = false;
  } catch (error) {
    throw readable(error);
  } finally {
    if (device) setDefaultDevice(device);
    checkLeaks(before, failed);
  }
}

export interface Suite {
  (name: string, body: () => unknown): void;
  /** Counts the test as skipped and prints the reason. */
  skip(name: string, reason: string): void;
}

export interface SuiteOptions {
  /** Milliseconds for each test. Default: 60,000. */
  timeout?: number;
}

/** Only tests whose title contains this text run, where it is given; others do not count. */
const ONLY = process.env.WGRAD_TEST_ONLY ?? '';

/**
 * A suite that registers itself. Each test gets the default device that it found back for the next one, has
 * `timeout` milliseconds, and fails when the shared devices hold other numbers of tensors after it than before.
 */
export function suite(name: string, { timeout = DEFAULT_TIMEOUT }: SuiteOptions = {}): Suite {
  const inner = uvuSuite(name);
  let count = 0;
  const test = (title: string, body: () => unknown): void => {
    count++;
    if (!title.includes(ONLY)) return;
    inner(title, async () => {
      const start = performance.now();
      try {
        await runTest(body, timeout);
      } finally {
        records.push({ suite: name, name: title, milliseconds: performance.now() - start });
      }
    });
  };
  const skip = (title: string, reason: string): void => {
    count++;
    if (!title.includes(ONLY)) return;
    inner.skip(title);
    console.log(`  skipped: ${name}: ${title} (${reason})`);
  };
  pending.push({ name, count: () => count, enqueue: () => inner.run() });
  return Object.assign(test, { skip });
}
