/** The ops that the backward engine itself needs: to accumulate, to un-broadcast, and the inverse of that. */
import { binaryKernel } from '../../kernels/binary.ts';
import { copyKernel } from '../../kernels/copy.ts';
import { fillKernel } from '../../kernels/fill.ts';
import { reduceKernel } from '../../kernels/reduce.ts';
import { ShapeError } from '../core/errors.ts';
import { broadcastStrides, formatShape, type Shape, sameShape } from '../core/shape.ts';
import type { Device } from '../runtime/device.ts';
import { apply, type Op, runKernel1 } from './op.ts';
import { Tensor } from './tensor.ts';

const addOp: Op = {
  name: 'add',
  forward: ([a, b]) => runKernel1('add', binaryKernel, [a as Tensor, b as Tensor], { op: 'add' }),
  backward: ({ grad }) => [() => grad, () => grad],
};

/** a + b for two tensors, with broadcasting. */
export const addTensors = (a: Tensor, b: Tensor): Tensor => apply(addOp, [a, b], undefined);

/** Whether `shape` stretches to `target` by NumPy's rule. */
export function stretchesTo(shape: Shape, target: Shape): boolean {
  const shift = target.length - shape.length;
  return shift >= 0 && shape.every((extent, axis) => extent === 1 || extent === target[axis + shift]);
}

const sumToOp: Op<Shape> = {
  name: 'sumTo',
  forward([x], target) {
    const input = x as Tensor;
    const shift = input.rank - target.length;
    const axes = input.shape
      .map((_, axis) => axis)
      .filter((axis) => axis < shift || (target[axis - shift] === 1 && input.shape[axis] !== 1));
    const summed = runKernel1('sumTo', reduceKernel, [input], { op: 'sum', axes, keepDims: true });
    const result = Tensor.adopt(
      { storage: summed.storage.retain(), shape: target, dtype: summed.dtype },
      'sumTo',
    );
    summed.dispose();
    return result;
  },
  backward: ({ grad, inputs: [input] }) => [() => broadcastTo(grad, (input as { shape: Shape }).shape)],
};

/** Sums over the axes along which `shape` was stretched to become x's shape: the adjoint of `broadcastTo`. */
export const sumTo = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply(sumToOp, [x], shape);

const broadcastToOp: Op<Shape> = {
  name: 'broadcastTo',
  forward: ([x], shape) =>
    runKernel1('broadcastTo', copyKernel, [x as Tensor], {
      shape,
      strides: broadcastStrides((x as Tensor).shape, shape),
      offset: 0,
    }),
  backward: ({ grad, inputs: [input] }) => [() => sumTo(grad, (input as { shape: Shape }).shape)],
};

/**
 * Repeats x along new and stretched axes until it has `shape`.
 *
 * @throws ShapeError when NumPy's rule does not stretch x's shape to `shape`.
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (!stretchesTo(x.shape, shape)) {
    throw new ShapeError(
      `broadcastTo: ${formatShape(x.shape)} does not stretch to ${formatShape(shape)}: counted from the right, each ` +
        `extent must be 1 or equal the target's.`,
    );
  }
  return sameShape(x.shape, shape) ? x : apply(broadcastToOp, [x], shape);
}

const copyOp: Op = {
  name: 'copy',
  forward([x]) {
    const { device, storage: source, shape, dtype, size } = x as Tensor;
    const storage = device.allocate('copy', dtype, size);
    device.copy(source, storage);
    return Tensor.adopt({ storage, shape, dtype }, 'copy');
  },
  backward: ({ grad }) => [() => grad],
};

/** The same values in memory of their own. */
export const copyOf = (x: Tensor): Tensor => apply(copyOp, [x], undefined);

/** A tensor of equal values on a device. */
export const filled = (device: Device, shape: Shape, value: number): Tensor =>
  Tensor.adopt(
    device.run('full', fillKernel, [], { shape, dtype: device.float, value })[0] as ReturnType<
      Device['run']
    >[number],
    'full',
  );
