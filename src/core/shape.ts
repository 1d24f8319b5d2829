import { describe } from './describe.ts';
import { ArgumentError, ShapeError } from './errors.ts';

export type Shape = readonly number[];

export const MAX_RANK = 8;

/** The number of elements; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);

/** `(2, 3)`, as NumPy prints shapes. */
export const formatShape = (shape: Shape): string =>
  shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** Refuses extents that are not whole numbers ≥ 0, and ranks above 8. */
export function checkShape(op: string, shape: Shape): void {
  if (shape.length > MAX_RANK) {
    throw new ShapeError(
      `${op}: rank ${shape.length} of ${formatShape(shape)} is above the largest rank, ${MAX_RANK}.`,
    );
  }
  for (const extent of shape) {
    if (!Number.isInteger(extent) || extent < 0) {
      throw new ShapeError(
        `${op}: shape ${formatShape(shape)} holds ${describe(extent)}; extents are whole numbers ≥ 0.`,
      );
    }
  }
}

/** NumPy's broadcasting rule: right-aligned, extents are equal or 1. */
export function broadcastShapes(op: string, ...shapes: Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const shift = rank - shape.length;
    for (let axis = 0; axis < shape.length; axis++) {
      const extent = shape[axis] as number;
      const known = result[shift + axis] as number;
      if (extent === known || extent === 1) continue;
      if (known !== 1) {
        throw new ShapeError(
          `${op}: shapes ${shapes.map(formatShape).join(' and ')} do not broadcast: counted from the right, each pair ` +
            `of extents must be equal or hold a 1. Reshape one of them, for instance with expandDims.`,
        );
      }
      result[shift + axis] = extent;
    }
  }
  return result;
}

/** Strides that read `shape` as if it had been broadcast to `target`: 0 along the stretched axes. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const shift = target.length - shape.length;
  const own = stridesOf(shape);
  return target.map((_, axis) =>
    axis < shift || shape[axis - shift] === 1 ? 0 : (own[axis - shift] as number),
  );
}

/** The axis as a number in [0, rank). */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const fault = Number.isInteger(axis) ? 'is out of range' : 'is no whole number';
    throw new ShapeError(
      rank === 0
        ? `${op}: axis ${describe(axis)} of a scalar; a scalar has no axes.`
        : `${op}: axis ${describe(axis)} ${fault}; a tensor of rank ${rank} has the axes ${-rank} to ${rank - 1}.`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/** Axes in ascending order, all of them when none is named; a repeated axis is an error. */
export function normalizeAxes(
  op: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  // What is neither a number nor a list is judged as an axis.
  const named = Array.isArray(axes) ? (axes as readonly number[]) : [axes as number];
  const list = named.map((axis) => normalizeAxis(op, axis, rank));
  list.sort((a, b) => a - b);
  for (let i = 1; i < list.length; i++) {
    if (list[i] === list[i - 1]) throw new ArgumentError(`${op}: axis ${list[i]} is named twice.`);
  }
  return list;
}

/** `shape` without the named axes, or with extents of 1 in their place. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  if (keepDims) return shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  return shape.filter((_, axis) => !axes.includes(axis));
}

/** Calls `visit` with the flat offsets of every element of `shape`, in row-major order, one offset per stride list. */
export function forEachOffset(
  shape: Shape,
  strides: readonly (readonly number[])[],
  visit: (index: number, offsets: readonly number[]) => void,
): void {
  const size = sizeOf(shape);
  const coordinate = new Array<number>(shape.length).fill(0);
  const offsets = new Array<number>(strides.length).fill(0);
  for (let index = 0; index < size; index++) {
    visit(index, offsets);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (coordinate[axis] as number) + 1;
      const wrap = next === shape[axis];
      const step = wrap ? 1 - next : 1;
      coordinate[axis] = wrap ? 0 : next;
      for (let s = 0; s < strides.length; s++) {
        offsets[s] = (offsets[s] as number) + step * ((strides[s] as readonly number[])[axis] as number);
      }
      if (!wrap) break;
    }
  }
}
