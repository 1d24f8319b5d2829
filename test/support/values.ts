/** Short ways to get at values and errors in tests. */
import * as assert from 'uvu/assert';
import { type NestedArray, scope, type Tensor, WgradError } from '../../src/node.ts';

/** Runs `body` in a scope and reads its result; leaves no tensor behind. */
export async function resultOf(body: () => Tensor): Promise<NestedArray> {
  const result = scope(body);
  try {
    return await result.array();
  } finally {
    result.dispose();
  }
}

/** The same for several results. */
export async function resultsOf(body: () => Tensor[]): Promise<NestedArray[]> {
  const results = scope(body);
  try {
    return await Promise.all(results.map((result) => result.array()));
  } finally {
    for (const result of results) result.dispose();
  }
}

/** How `close` compares. */
export interface Closeness {
  /** What an element may differ by, whatever it is. Default: 0, so that small numbers count as much as large ones. */
  abs?: number;
  /** What an element may differ by, as a share of the expected one. Default: 1e-6. */
  rel?: number;
  /** Tell −0 from 0. Default: false. */
  signedZeros?: boolean;
}

/** Below the normal float32 numbers; GPUs may flush these to 0. */
const TINY = 2 ** -126;

/**
 * Whether both have the same shape, the same kinds of elements, and all elements differ by at most abs + rel·|expected|;
 * NaN equals NaN. A number in place of the options is `rel`.
 */
export function close(actual: NestedArray, expected: NestedArray, closeness: number | Closeness = {}): void {
  const {
    abs = 0,
    rel = 1e-6,
    signedZeros = false,
  } = typeof closeness === 'number' ? { rel: closeness } : closeness;
  const compare = (a: NestedArray, b: NestedArray, place: string): void => {
    if (Array.isArray(a) && Array.isArray(b)) {
      assert.is(a.length, b.length, `${place} has ${a.length} parts, expected ${b.length}`);
      for (const [index, part] of a.entries()) compare(part, b[index] as NestedArray, `${place}[${index}]`);
      return;
    }
    assert.is(typeof a, typeof b, `${place} is ${String(a)}, expected ${String(b)}`);
    if (typeof a !== 'number' || typeof b !== 'number') {
      assert.equal(a, b, `${place} is ${String(a)}, expected ${String(b)}`);
      return;
    }
    const flushed = a === 0 && Math.abs(b) < TINY;
    const same =
      Object.is(a, b) ||
      (!Number.isFinite(b) ? a === b : flushed || Math.abs(a - b) <= abs + rel * Math.abs(b));
    const zeros = !signedZeros || a !== 0 || b !== 0 || Object.is(a, b);
    assert.ok(same && zeros, `${place} is ${show(a)}, expected ${show(b)} within ${abs} + ${rel}·|expected|`);
  };
  compare(actual, expected, 'result');
}

const show = (value: number): string => (Object.is(value, -0) ? '−0' : String(value));

function check(error: unknown, code: string, parts: readonly RegExp[]): void {
  if (!(error instanceof WgradError)) throw error;
  assert.is(error.code, code, error.message);
  for (const part of parts) assert.match(error.message, part);
}

/** `body` throws a `WgradError` with this code and these parts in its message. */
export function fails(body: () => unknown, code: string, ...parts: RegExp[]): void {
  let result: unknown;
  try {
    result = body();
  } catch (error) {
    check(error, code, parts);
    return;
  }
  assert.unreachable(`expected an error with code ${code}, got ${String(result)}`);
}

/** The promise rejects with a `WgradError` with this code and these parts in its message. */
export async function rejects(promise: Promise<unknown>, code: string, ...parts: RegExp[]): Promise<void> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    check(error, code, parts);
    return;
  }
  assert.unreachable(`expected a rejection with code ${code}, got ${String(result)}`);
}

/** The number of the line that calls this, as stack traces count. */
export function line(): number {
  const frame = (new Error().stack ?? '').split('\n')[2] ?? '';
  return Number(/:(\d+):\d+\)?$/.exec(frame)?.[1]);
}
