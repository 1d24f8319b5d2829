/** Diagonals and triangles of matrices. */
import { type TriangleAttrs, triangleKernel } from '../../kernels/triangle.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ArgumentError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, normalizeAxis } from '../core/shape.ts';
import { assertTensor, checkMovable } from './operand.ts';
import { sum } from './reduce.ts';
import { permute, reshape } from './shape.ts';
import { place, sliceRegion } from './slice.ts';

function checkOffset(op: string, offset: number): void {
  if (!Number.isInteger(offset)) throw new ArgumentError(`${op}: offset ${offset} is no whole number.`);
}

/** The diagonal of the last two axes, as the last axis: every (columns + 1)-th element of the flat matrix. */
function lastDiagonal(x: Tensor, offset: number): Tensor {
  const batch = x.shape.slice(0, -2);
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const count = Math.max(0, Math.min(rows + Math.min(offset, 0), columns - Math.max(offset, 0)));
  const first = count === 0 ? 0 : offset >= 0 ? offset : -offset * columns;
  return sliceRegion(reshape(x, [...batch, rows * columns]), {
    shape: [...batch, count],
    start: [...batch.map(() => 0), first],
    step: [...batch.map(() => 1), columns + 1],
  });
}

function diagonalOf(op: string, x: Tensor, offset: number, axis1: number, axis2: number): Tensor {
  assertTensor(op, x);
  checkMovable(op, x);
  if (x.rank < 2)
    throw new ShapeError(`${op}: a matrix has at least two axes, got shape ${formatShape(x.shape)}.`);
  checkOffset(op, offset);
  const first = normalizeAxis(op, axis1, x.rank);
  const second = normalizeAxis(op, axis2, x.rank);
  if (first === second) throw new ArgumentError(`${op}: axis ${first} is named twice.`);
  const rest = x.shape.map((_, axis) => axis).filter((axis) => axis !== first && axis !== second);
  const order = [...rest, first, second];
  return lastDiagonal(order.every((axis, index) => axis === index) ? x : permute(x, order), offset);
}

/** The elements with axis2 − axis1 = offset; they make the last axis of the result, as in NumPy. */
export const diagonal = (x: Tensor, offset = 0, axis1 = 0, axis2 = 1): Tensor =>
  scope(() => diagonalOf('diagonal', x, offset, axis1, axis2));

/** Σ of a diagonal; of each matrix that the axes span. */
export function trace(x: Tensor, offset = 0, axis1 = 0, axis2 = 1): Tensor {
  return scope(() => {
    const elements = diagonalOf('trace', x, offset, axis1, axis2);
    if (x.dtype === 'bool')
      throw new DTypeError("trace: takes floats or int32, got bool; cast it first: cast(x, 'int32').");
    return sum(elements, { axis: -1 });
  });
}

/** A square matrix with the vector x on its diagonal number `offset`, zero elsewhere; or that diagonal of a matrix. */
export function diag(x: Tensor, offset = 0): Tensor {
  assertTensor('diag', x);
  checkMovable('diag', x);
  if (x.rank !== 1 && x.rank !== 2)
    throw new ShapeError(
      `diag: takes a vector or a matrix, got shape ${formatShape(x.shape)}; use diagonal().`,
    );
  checkOffset('diag', offset);
  if (x.rank === 2) return scope(() => lastDiagonal(x, offset));
  const extent = x.size + Math.abs(offset);
  return scope(() => {
    const flat = place(x, {
      shape: [extent * extent],
      start: [offset >= 0 ? offset : -offset * extent],
      step: [extent + 1],
      value: 0,
    });
    return reshape(flat, [extent, extent]);
  });
}

function triangleOp(name: 'triu' | 'tril'): Op<TriangleAttrs> {
  const op: Op<TriangleAttrs> = {
    name,
    forward: ([x], attrs) => runKernel1(name, triangleKernel, [x as Tensor], attrs),
    backward: ({ grad, attrs }) => [() => apply(op, [grad], attrs)],
  };
  return op;
}
const triuOp = triangleOp('triu');
const trilOp = triangleOp('tril');

/** Zero below diagonal `offset` of the last two axes. */
export const triu = (x: Tensor, offset = 0): Tensor => apply(triuOp, [x], { upper: true, diagonal: offset });

/** Zero above diagonal `offset` of the last two axes. */
export const tril = (x: Tensor, offset = 0): Tensor => apply(trilOp, [x], { upper: false, diagonal: offset });
