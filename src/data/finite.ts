/** NaN and infinities among the numbers on the host, told by row and column before they spoil a training. */
import { isFloat } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import type { Column } from './batch.ts';

/** Where an element stands: `row 17`, `row 17, column 3 ('alcohol')`, `row 17, place [2, 0, 3]`. All count from 0. */
function placeOf({ shape }: Column, at: number, names: readonly string[]): string {
  const inner = shape.slice(1);
  const width = sizeOf(inner);
  const row = `row ${Math.floor(at / width)}`;
  if (inner.length === 0) return row;
  const place: number[] = [];
  let rest = at % width;
  for (const extent of [...inner].reverse()) {
    place.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  const name = names[place.at(-1) as number];
  const where = place.length === 1 ? `column ${place[0]}` : `place [${place.join(', ')}]`;
  return `${row}, ${where}${name === undefined ? '' : ` ('${name}')`}`;
}

/**
 * Refuses NaN and infinities in a column of floats, whose first axis counts the rows, and tells where the first one
 * stands; other columns hold none. One pass.
 *
 * ```ts
 * assertFinite('fit: x', wine.x, wine.columns);   // fit: x: NaN at row 17, column 3 ('alcohol'). Mend …
 * ```
 *
 * @param names What the places along the last axis are called.
 * @throws ArgumentError
 */
export function assertFinite(op: string, column: Column, names: readonly string[] = []): void {
  const { data, dtype } = column;
  if (!isFloat(dtype)) return;
  for (let at = 0; at < data.length; at++) {
    const value = data[at] as number;
    if (value - value === 0) continue; // Of NaN and infinities the difference is NaN.
    const where =
      column.shape.length === 0 ? 'where one number was given' : `at ${placeOf(column, at, names)}`;
    throw new ArgumentError(`${op}: ${value} ${where}. Mend or drop such rows first.`);
  }
}
