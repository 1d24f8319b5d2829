/** What the indexing kernels share: which row an index names, as a shape rule, for a GPU and on the host. */
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { checkShape, formatShape, type Shape, sizeOf, stridesOf } from '../src/core/shape.ts';
import type { HostTensor, Offence, TensorSpec } from './kernel.ts';
import { divider } from './strided.ts';

/**
 * How indices pick elements of x:
 * - `take`: each index picks a slice of one axis; the indices' axes stand in that axis' place (NumPy's `take`).
 * - `along`: indices has x's shape but for one axis, and each picks one element of that axis (`take_along_axis`).
 * - `nd`: the last axis of indices holds tuples that index the leading axes of x (TensorFlow's `gather_nd`).
 */
export type IndexMode = 'take' | 'along' | 'nd';

export interface IndexAttrs {
  readonly mode: IndexMode;
  /** The indexed axis, ≥ 0; not used by `nd`. */
  readonly axis: number;
  /** The indices were checked before: what is out of range is not reported once more. */
  readonly checked?: boolean;
}

/** x as (outer, rows, inner), and what the index tuples pick as (outer, m, inner). */
export interface Picks {
  readonly outer: number;
  readonly rows: number;
  readonly inner: number;
  readonly m: number;
  /** The indexed axes: extents, and strides in rows. */
  readonly extents: readonly number[];
  readonly strides: readonly number[];
  /** The shape of what is picked. */
  readonly shape: Shape;
}

/** @throws ShapeError, DTypeError or ArgumentError for an x and indices that do not go together. */
export function picksOf(op: string, x: TensorSpec, indices: TensorSpec, attrs: IndexAttrs): Picks {
  checkIndices(op, indices);
  if (x.dtype === 'uint8')
    throw new DTypeError(`${op}: packed uint8 cannot be indexed; cast it to float first.`);
  const { mode, axis } = attrs;
  if (mode === 'nd') {
    const depth = indices.shape.at(-1) ?? 0;
    if (depth < 1 || depth > x.shape.length) {
      throw new ShapeError(
        `${op}: the last axis of indices holds tuples of 1 to ${x.shape.length} indices into ${formatShape(x.shape)}; ` +
          `indices of shape ${formatShape(indices.shape)} hold ${depth}.`,
      );
    }
    const extents = x.shape.slice(0, depth);
    const rest = x.shape.slice(depth);
    const tuples = indices.shape.slice(0, -1);
    const shape = [...tuples, ...rest];
    checkShape(op, shape);
    return {
      outer: 1,
      rows: sizeOf(extents),
      inner: sizeOf(rest),
      m: sizeOf(tuples),
      extents,
      strides: stridesOf(extents),
      shape,
    };
  }
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  if (mode === 'along') {
    const fits =
      indices.shape.length === x.shape.length &&
      indices.shape.every((extent, at) => at === axis || extent === x.shape[at]);
    if (!fits) {
      throw new ShapeError(
        `${op}: indices of shape ${formatShape(indices.shape)} must have the shape ${formatShape(x.shape)} of x in all ` +
          `axes but axis ${axis}.`,
      );
    }
  }
  const rows = x.shape[axis] as number;
  const shape = mode === 'along' ? indices.shape : [...before, ...indices.shape, ...after];
  checkShape(op, shape);
  return {
    outer: sizeOf(before),
    rows,
    inner: sizeOf(after),
    m: mode === 'along' ? (indices.shape[axis] as number) : sizeOf(indices.shape),
    extents: [rows],
    strides: [1],
    shape,
  };
}

export function checkIndices(op: string, indices: TensorSpec | undefined): void {
  if (!indices) throw new ArgumentError(`${op}: a tensor and its indices expected.`);
  if (indices.dtype !== 'int32') {
    throw new DTypeError(`${op}: indices are ${indices.dtype}; cast them: cast(indices, 'int32').`);
  }
}

/** Four uniform words for `divideBy` in WGSL. */
export const dividerWords = (d: number): number[] => (d <= 1 ? [1, 0, 0, 0] : [d, ...divider(d), 0]);

/** Extents and strides of the indexed axes as sixteen uniform words from word `at` on. */
export function writeIndexedAxes(uniforms: Uint32Array, at: number, { extents, strides }: Picks): void {
  uniforms.set(extents, at);
  uniforms.set(strides, at + 8);
}

/**
 * Set in the uniform word of an extent, and in the error record, where negative indices do not count from the end: for
 * labels and counts, in which a −1 is a mistake.
 */
export const NO_WRAP = 0x80000000;

/** An index with a negative one counted from the end, or −1 when it is out of range. */
export function wrapIndex(index: number, limit: number): number {
  const wrapped = index < 0 ? index + limit : index;
  return wrapped >= 0 && wrapped < limit ? wrapped : -1;
}

/** The row that index tuple `tuple` names, or −1. */
export function rowOf(indices: HostTensor, tuple: number, { extents, strides }: Picks): number {
  let row = 0;
  for (let d = 0; d < extents.length; d++) {
    const index = wrapIndex(indices.data[tuple * extents.length + d] as number, extents[d] as number);
    if (index < 0) return -1;
    row += index * (strides[d] as number);
  }
  return row;
}

/** The first index out of range; `extents` are the limits of the places in a tuple; `wraps`: negative ones are welcome. */
export function findOffence(
  indices: HostTensor,
  extents: readonly number[],
  wraps: boolean,
): Offence | undefined {
  for (let position = 0; position < indices.data.length; position++) {
    const value = indices.data[position] as number;
    const limit = extents[position % extents.length] as number;
    const lowest = wraps ? -limit : 0;
    if (value < lowest || value >= limit) return { position, value, lowest, limit };
  }
  return undefined;
}

/** Calls `visit` with the place of each picked element and its place in x, −1 for an index out of range, in order. */
export function forEachPick(
  indices: HostTensor,
  picks: Picks,
  mode: IndexMode,
  visit: (picked: number, place: number) => void,
): void {
  const { outer, rows, inner, m } = picks;
  let picked = 0;
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < m; j++) {
      for (let i = 0; i < inner; i++) {
        const row = rowOf(indices, mode === 'along' ? picked : j, picks);
        visit(picked, row < 0 ? -1 : (o * rows + row) * inner + i);
        picked++;
      }
    }
  }
}
