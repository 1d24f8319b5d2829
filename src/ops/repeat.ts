/** Repetition along axes: tile, repeat, meshgrid. */
import { broadcastTo } from '../autograd/engine-ops.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { checkShape, formatShape, MAX_RANK, normalizeAxis, type Shape, sizeOf } from '../core/shape.ts';
import { assertTensor, assertTensors, checkMovable } from './operand.ts';
import { apart, reshape } from './shape.ts';

function checkCount(op: string, count: unknown): void {
  if (!Number.isInteger(count) || (count as number) < 0)
    throw new ArgumentError(`${op}: ${describe(count)} repetitions; their number is a whole number ≥ 0.`);
}

/** x between axes of extent 1 that are stretched: before each axis whose count is not 1. */
function tileOnce(x: Tensor, counts: readonly number[]): Tensor {
  const view: number[] = [];
  const wide: number[] = [];
  x.shape.forEach((extent, axis) => {
    const count = counts[axis] as number;
    if (count !== 1) {
      view.push(1);
      wide.push(count);
    }
    view.push(extent);
    wide.push(extent);
  });
  if (view.length <= MAX_RANK) {
    const shape = x.shape.map((extent, axis) => extent * (counts[axis] as number));
    return reshape(broadcastTo(reshape(x, view), wide), shape);
  }
  // Too many axes at once: one after the other, each between all axes before it and all behind.
  return counts.reduce((y, count, axis) => {
    if (count === 1) return y;
    const outer = sizeOf(y.shape.slice(0, axis));
    const inner = sizeOf(y.shape.slice(axis));
    const shape = y.shape.map((extent, a) => (a === axis ? extent * count : extent));
    return reshape(broadcastTo(reshape(y, [outer, 1, inner]), [outer, count, inner]), shape);
  }, x);
}

/** x side by side with itself, `reps[axis]` times; the shorter of shape and reps is led by ones, as in NumPy. */
export function tile(x: Tensor, reps: number | readonly number[]): Tensor {
  assertTensor('tile', x);
  const list = Array.isArray(reps) ? (reps as readonly number[]) : [reps as number];
  for (const count of list) checkCount('tile', count);
  const rank = Math.max(x.rank, list.length);
  const ones = (missing: number): number[] => new Array<number>(missing).fill(1);
  const shape = [...ones(rank - x.rank), ...x.shape];
  checkShape('tile', shape);
  checkMovable('tile', x);
  return scope(() => apart(tileOnce(reshape(x, shape), [...ones(rank - list.length), ...list]), x));
}

/** Each element `count` times in a row along `axis`; of the flattened tensor without an axis. */
export function repeat(x: Tensor, count: number, axis?: number): Tensor {
  assertTensor('repeat', x);
  checkMovable('repeat', x);
  checkCount('repeat', count);
  const shape: Shape = axis === undefined ? [x.size] : x.shape;
  const at = axis === undefined ? 0 : normalizeAxis('repeat', axis, x.rank);
  const outer = sizeOf(shape.slice(0, at + 1));
  const inner = sizeOf(shape.slice(at + 1));
  return scope(() => {
    const y = broadcastTo(reshape(x, [outer, 1, inner]), [outer, count, inner]);
    return reshape(
      apart(y, x),
      shape.map((extent, a) => (a === at ? extent * count : extent)),
    );
  });
}

/**
 * The coordinates of a grid from one vector for each axis. With 'ij' result i varies along axis i; with 'xy', the
 * default as in NumPy, the first two axes are swapped, so that x runs along columns and y along rows.
 */
export function meshgrid(tensors: readonly Tensor[], indexing: 'xy' | 'ij' = 'xy'): Tensor[] {
  if (indexing !== 'xy' && indexing !== 'ij')
    throw new ArgumentError(`meshgrid: no indexing ${describe(indexing)}; there are 'xy' and 'ij'.`);
  assertTensors('meshgrid', tensors);
  for (const tensor of tensors) {
    const { shape } = tensor;
    checkMovable('meshgrid', tensor);
    if (shape.length > 1)
      throw new ShapeError(`meshgrid: takes vectors, got shape ${formatShape(shape)}; flatten it first.`);
  }
  const axisOf = (index: number): number =>
    indexing === 'xy' && tensors.length > 1 && index < 2 ? 1 - index : index;
  const grid = tensors.map((_, axis) => (tensors[axisOf(axis)] as Tensor).size);
  checkShape('meshgrid', grid);
  return scope(() =>
    tensors.map((tensor, index) => {
      const view = grid.map((_, axis) => (axis === axisOf(index) ? tensor.size : 1));
      return apart(broadcastTo(reshape(tensor, view), grid), tensor);
    }),
  );
}
