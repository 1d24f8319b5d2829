/**
 * Shapes: free views (reshape and its kin), and copies by strides (permute).
 *
 * The rule about memory: `reshape`, `flatten`, `squeeze`, `expandDims`, `linear` and `detach()` return views, always, and
 * so do `dropout` and its relatives where they add no noise (not in training, at rate or deviation 0); a write in place
 * (`assign`) through one handle is seen through all. Every other op returns memory of its own, always: a call that happens
 * to change nothing, such as `tile(x, 1)` or `roll(x, 0)`, returns a copy.
 */
import { copyKernel } from '../../kernels/copy.ts';
import { copyOf, broadcastTo as stretch } from '../autograd/engine-ops.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { Tensor } from '../autograd/tensor.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import {
  checkShape,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sizeOf,
  stridesOf,
} from '../core/shape.ts';
import { assertList, assertTensor } from './operand.ts';

/** y, or a copy of it where it would share memory with x. */
export const apart = (y: Tensor, x: Tensor): Tensor => (y.storage === x.storage ? copyOf(y) : y);

/**
 * Repeats x along new and stretched axes until it has `shape`.
 *
 * @throws ShapeError when NumPy's rule does not stretch x's shape to `shape`.
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  assertTensor('broadcastTo', x);
  assertList('broadcastTo', 'shape', shape);
  checkShape('broadcastTo', shape);
  return apart(stretch(x, shape), x);
}

const reshapeOp: Op<Shape> = {
  name: 'reshape',
  forward: ([x], shape) => {
    const { storage, dtype } = x as Tensor;
    return Tensor.adopt({ storage: storage.retain(), shape, dtype }, 'reshape');
  },
  backward: ({ grad, inputs: [input] }) => [() => reshape(grad, (input as { shape: Shape }).shape)],
};

/** The same elements in another shape, without a copy; one extent may be −1 and is then worked out. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  assertTensor('reshape', x);
  assertList('reshape', 'shape', shape);
  const open = shape.indexOf(-1);
  let target = shape;
  if (open >= 0) {
    const rest = sizeOf(shape.filter((_, axis) => axis !== open));
    if (rest === 0 || x.size % rest !== 0) {
      throw new ShapeError(
        `reshape: no extent in place of -1 makes ${formatShape(shape)} hold the ${x.size} elements of ${formatShape(x.shape)}.`,
      );
    }
    target = shape.map((extent, axis) => (axis === open ? x.size / rest : extent));
  }
  checkShape('reshape', target);
  if (sizeOf(target) !== x.size) {
    throw new ShapeError(
      `reshape: ${formatShape(target)} holds ${sizeOf(target)} elements, the tensor of shape ${formatShape(x.shape)} has ${x.size}.`,
    );
  }
  return apply(reshapeOp, [x], target);
}

/** All elements in one axis, or those of the axes from `startAxis` to `endAxis`. */
export function flatten(x: Tensor, startAxis = 0, endAxis = -1): Tensor {
  assertTensor('flatten', x);
  if (x.rank === 0) return reshape(x, [1]);
  const start = normalizeAxis('flatten', startAxis, x.rank);
  const end = normalizeAxis('flatten', endAxis, x.rank);
  if (start > end)
    throw new ArgumentError(
      `flatten: startAxis ${startAxis} lies behind endAxis ${endAxis} in shape ${formatShape(x.shape)}; name them in ascending order.`,
    );
  return reshape(x, [
    ...x.shape.slice(0, start),
    sizeOf(x.shape.slice(start, end + 1)),
    ...x.shape.slice(end + 1),
  ]);
}

/** Drops axes of extent 1: the named ones, or all. */
export function squeeze(x: Tensor, axes?: number | readonly number[]): Tensor {
  assertTensor('squeeze', x);
  const list =
    axes === undefined
      ? x.shape.flatMap((extent, axis) => (extent === 1 ? [axis] : []))
      : normalizeAxes('squeeze', axes, x.rank);
  for (const axis of list) {
    if (x.shape[axis] !== 1)
      throw new ShapeError(
        `squeeze: axis ${axis} of ${formatShape(x.shape)} has extent ${x.shape[axis]}, not 1; name axes of extent 1 only.`,
      );
  }
  return reshape(
    x,
    x.shape.filter((_, axis) => !list.includes(axis)),
  );
}

/** Inserts an axis of extent 1 before `axis` of the result. */
export function expandDims(x: Tensor, axis: number): Tensor {
  assertTensor('expandDims', x);
  const at = normalizeAxis('expandDims', axis, x.rank + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

const permutation = (name: string): Op<readonly number[]> => ({
  name,
  forward([x], axes) {
    const input = x as Tensor;
    const strides = stridesOf(input.shape);
    return runKernel1(name, copyKernel, [input], {
      shape: axes.map((axis) => input.shape[axis] as number),
      strides: axes.map((axis) => strides[axis] as number),
      offset: 0,
    });
  },
  backward: ({ grad, attrs: axes }) => [
    () =>
      permute(
        grad,
        axes.map((_, axis) => axes.indexOf(axis)),
      ),
  ],
});
const permuteOp = permutation('permute');
const transposeOp = permutation('transpose');

function permuted(op: Op<readonly number[]>, x: Tensor, axes: readonly number[]): Tensor {
  assertList(op.name, 'axes', axes);
  const list = axes.map((axis) => normalizeAxis(op.name, axis, x.rank));
  if (list.length !== x.rank || new Set(list).size !== x.rank) {
    throw new ArgumentError(
      `${op.name}: [${axes.join(', ')}] must name each of the ${x.rank} axes of ${formatShape(x.shape)} once.`,
    );
  }
  return apply(op, [x], list);
}

/** Axis i of the result is axis `axes[i]` of x. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  assertTensor('permute', x);
  return permuted(permuteOp, x, axes);
}

/** Reverses the axes, or permutes them by `axes`, as in NumPy. */
export function transpose(x: Tensor, axes?: readonly number[]): Tensor {
  assertTensor('transpose', x);
  return permuted(transposeOp, x, axes === undefined ? x.shape.map((_, axis) => x.rank - 1 - axis) : axes);
}
