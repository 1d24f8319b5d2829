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

const flat = (value: NestedArray): (number | boolean)[] =>
  Array.isArray(value) ? value.flatMap(flat) : [value];

const shapeOf = (value: NestedArray): number[] =>
  Array.isArray(value) ? [value.length, ...(value.length > 0 ? shapeOf(value[0] as NestedArray) : [])] : [];

/** Whether all elements differ by at most `tolerance`·max(1, |expected|); NaN equals NaN. */
export function close(actual: NestedArray, expected: NestedArray, tolerance = 1e-6): void {
  assert.equal(shapeOf(actual), shapeOf(expected));
  const wanted = flat(expected);
  flat(actual).forEach((value, index) => {
    const a = Number(value);
    const b = Number(wanted[index]);
    const same = Object.is(a, b) || Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));
    assert.ok(same, `element ${index} is ${a}, expected ${b} within ${tolerance}`);
  });
}

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
