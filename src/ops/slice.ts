/** Strided parts of a tensor: slices, flips, and their adjoint. */
import { copyKernel } from '../../kernels/copy.ts';
import { type PlaceAttrs, placeKernel } from '../../kernels/place.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, IndexError, ShapeError } from '../core/errors.ts';
import { formatShape, normalizeAxes, normalizeAxis, type Shape, stridesOf } from '../core/shape.ts';
import { assertTensor, checkMovable } from './operand.ts';
import { reshape } from './shape.ts';

/** `out[c] = x[start + c·step]`; the region lies inside of x. */
interface Region {
  readonly shape: Shape;
  readonly start: readonly number[];
  readonly step: readonly number[];
}

const sliceOp: Op<Region> = {
  name: 'slice',
  forward([x], { shape, start, step }) {
    const input = x as Tensor;
    const strides = stridesOf(input.shape);
    return runKernel1('slice', copyKernel, [input], {
      shape,
      strides: step.map((by, axis) => by * (strides[axis] as number)),
      offset: start.reduce((sum, at, axis) => sum + at * (strides[axis] as number), 0),
    });
  },
  backward: ({ grad, attrs: { start, step }, inputs: [input] }) => [
    () => place(grad, { shape: (input as { shape: Shape }).shape, start, step, value: 0 }),
  ],
};

interface Place extends PlaceAttrs {
  readonly op: string;
}

const placeOp: Op<Place> = {
  name: 'place',
  forward: ([x], { op, ...attrs }) => runKernel1(op, placeKernel, [x as Tensor], attrs),
  backward: ({ grad, attrs: { start, step }, inputs: [input] }) => [
    () => sliceRegion(grad, { shape: (input as { shape: Shape }).shape, start, step }),
  ],
};

/** The part of x that a region names; it must lie inside of x. */
export const sliceRegion = (x: Tensor, region: Region): Tensor => apply(sliceOp, [x], region);

/** x as a strided region of a larger tensor that holds `value` elsewhere: the adjoint of a slice. `op` calls it. */
export const place = (x: Tensor, attrs: PlaceAttrs, op = 'place'): Tensor =>
  apply(placeOp, [x], { ...attrs, op });

/** Elements `from` to `to`, exclusive, of one axis. */
export function along(x: Tensor, axis: number, from: number, to: number): Tensor {
  return sliceRegion(x, {
    shape: x.shape.map((extent, a) => (a === axis ? to - from : extent)),
    start: x.shape.map((_, a) => (a === axis ? from : 0)),
    step: x.shape.map(() => 1),
  });
}

/** Start, end (exclusive) and step of one axis; null or a missing entry stands for NumPy's default. */
export type SliceRange = readonly [start?: number | null, end?: number | null, step?: number | null];

/** One start, end or step for each of the leading axes. */
export type SliceList = readonly (number | null)[];

/** A whole number, or an error that says what is none. */
export function whole(op: string, what: string, value: unknown): number {
  if (!Number.isInteger(value))
    throw new ArgumentError(`${op}: ${what} ${describe(value)} is no whole number; pass one.`);
  return value as number;
}

/** Python's rule: bounds below 0 count from the end, and all are cut off at the ends. */
function rangeOf(
  [start, end, step]: SliceRange,
  extent: number,
): { start: number; step: number; count: number } {
  const by = whole('slice', 'step', step ?? 1);
  if (by === 0) throw new ArgumentError('slice: step 0; a step is a whole number other than 0.');
  const [low, high] = by > 0 ? [0, extent] : [-1, extent - 1];
  const bound = (value: number): number =>
    Math.min(high, Math.max(low, whole('slice', 'bound', value) + (value < 0 ? extent : 0)));
  const from = start == null ? (by > 0 ? low : high) : bound(start);
  const to = end == null ? (by > 0 ? high : low) : bound(end);
  const count = Math.max(0, Math.ceil((to - from) / by));
  return { start: count > 0 ? from : 0, step: by, count };
}

/** An index as a range of one element. */
function pick(index: number, axis: number, extent: number): SliceRange {
  const at = whole('slice', 'index', index) + (index < 0 ? extent : 0);
  if (at < 0 || at >= extent) throw new IndexError('slice', axis, index, -extent, extent);
  return [at, at + 1];
}

function assertBounds(what: string, list: unknown): void {
  if (list == null || Array.isArray(list)) return;
  throw new ArgumentError(`slice: ${what} ${describe(list)} is no array; pass a list for the leading axes.`);
}

/** Refuses what is no object from axes to positions and ranges; their numbers are judged where they are used. */
function assertRanges(ranges: unknown): asserts ranges is Record<string, number | SliceRange> {
  if (
    typeof ranges !== 'object' ||
    ranges === null ||
    ArrayBuffer.isView(ranges) ||
    ranges instanceof Tensor
  ) {
    throw new ArgumentError(
      `slice: ${typeof ranges === 'number' ? ranges : 'this'} is no list of starts and no object of ranges; pass [start, …], or ` +
        '{ axis: position } for one position.',
    );
  }
  for (const [key, range] of Object.entries(ranges)) {
    if (!/^-?\d+$/.test(key))
      throw new ArgumentError(`slice: '${key}' is no axis; name axes by whole numbers.`);
    if (typeof range === 'number' || (Array.isArray(range) && range.length <= 3)) continue;
    throw new ArgumentError(
      `slice: axis ${key} has ${Array.isArray(range) ? `a range of ${range.length} numbers` : String(range)}; give a ` +
        'position, or [start, end, step].',
    );
  }
}

/**
 * x[start:end:step, …], as in NumPy: bounds below 0 count from the end, bounds beyond an end are cut off, a negative
 * step runs backwards. The ranges are lists for the leading axes, with `null` for a default, or an object from axes to
 * `[start, end, step]`; there, a single number picks one position and drops the axis:
 *
 * ```ts
 * slice(x, [1, null], [-1, 4]);              // x[1:-1, :4]
 * slice(x, [null], null, [-1]);              // x[::-1]
 * slice(x, { 1: [0, 5], [-1]: [null, null, 2] }); // x[:, 0:5, …, ::2]
 * slice(x, { 0: 3 });                        // x[3]
 * ```
 */
export function slice(
  x: Tensor,
  starts: SliceList,
  ends?: SliceList | null,
  steps?: SliceList | null,
): Tensor;
export function slice(x: Tensor, ranges: Readonly<Record<number, number | SliceRange>>): Tensor;
export function slice(
  x: Tensor,
  first: SliceList | Readonly<Record<number, number | SliceRange>>,
  ends?: SliceList | null,
  steps?: SliceList | null,
): Tensor {
  assertTensor('slice', x);
  const ranges: SliceRange[] = x.shape.map(() => []);
  const dropped: number[] = [];
  if (Array.isArray(first)) {
    const starts = first as SliceList;
    assertBounds('ends', ends);
    assertBounds('steps', steps);
    const longest = Math.max(starts.length, ends?.length ?? 0, steps?.length ?? 0);
    if (longest > x.rank) {
      throw new ShapeError(`slice: ranges for ${longest} axes, but ${formatShape(x.shape)} has ${x.rank}.`);
    }
    for (let axis = 0; axis < longest; axis++)
      ranges[axis] = [starts[axis] ?? null, ends?.[axis] ?? null, steps?.[axis] ?? null];
  } else {
    assertRanges(first);
    if (ends != null || steps != null)
      throw new ArgumentError(
        'slice: ends and steps go with a list of starts; an object holds whole ranges.',
      );
    const named = new Set<number>();
    for (const [key, range] of Object.entries(first)) {
      const axis = normalizeAxis('slice', Number(key), x.rank);
      if (named.has(axis)) throw new ArgumentError(`slice: axis ${axis} is named twice.`);
      named.add(axis);
      if (typeof range === 'number') dropped.push(axis);
      ranges[axis] = typeof range === 'number' ? pick(range, axis, x.shape[axis] as number) : range;
    }
  }
  const list = ranges.map((range, axis) => rangeOf(range, x.shape[axis] as number));
  const region: Region = {
    shape: list.map(({ count }) => count),
    start: list.map(({ start }) => start),
    step: list.map(({ step }) => step),
  };
  if (dropped.length === 0) return sliceRegion(x, region);
  return scope(() =>
    reshape(
      sliceRegion(x, region),
      region.shape.filter((_, axis) => !dropped.includes(axis)),
    ),
  );
}

/** Everything, with the named axes read backwards. */
function flipRegion(shape: Shape, axes: readonly number[]): Region {
  return {
    shape,
    start: shape.map((extent, axis) => (axes.includes(axis) && extent > 0 ? extent - 1 : 0)),
    step: shape.map((_, axis) => (axes.includes(axis) ? -1 : 1)),
  };
}

const flipOp: Op<readonly number[]> = {
  name: 'flip',
  forward: ([x], axes) => sliceRegion(x as Tensor, flipRegion((x as Tensor).shape, axes)),
  backward: ({ grad, attrs: axes }) => [() => apply(flipOp, [grad], axes)],
};

/** The elements in reverse order along the named axes, all of them by default. */
export function flip(x: Tensor, axes?: number | readonly number[]): Tensor {
  assertTensor('flip', x);
  checkMovable('flip', x);
  return apply(flipOp, [x], normalizeAxes('flip', axes, x.rank));
}
