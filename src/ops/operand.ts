/** What ops accept besides tensors, and how it becomes one. */
import { fillKernel } from '../../kernels/fill.ts';
import { Tensor } from '../autograd/tensor.ts';
import { type DType, isFloat } from '../core/dtype.ts';
import { ArgumentError, DTypeError } from '../core/errors.ts';
import type { Device, Operand } from '../runtime/device.ts';

/** A tensor, or a number that stands for a tensor of equal values. */
export type TensorLike = Tensor | number;

/** A scalar of the other operand's dtype; a fraction beside integers is refused. */
export function scalarLike(op: string, value: number, device: Device, dtype: DType): Tensor {
  if (typeof value !== 'number')
    throw new ArgumentError(`${op}: ${String(value)} is neither a tensor nor a number.`);
  if (!isFloat(dtype) && !Number.isInteger(value)) {
    throw new DTypeError(
      `${op}: ${value} is no whole number, but the tensor is ${dtype}; cast the tensor to float first.`,
    );
  }
  return Tensor.adopt(device.run(op, fillKernel, [], { shape: [], dtype, value })[0] as Operand, 'full');
}

/** Both operands as tensors; at least one of them is one. */
export function pairOf(op: string, a: TensorLike, b: TensorLike): [Tensor, Tensor] {
  if (a instanceof Tensor) {
    a.assertAlive(op);
    return [a, b instanceof Tensor ? b : scalarLike(op, b, a.device, a.dtype)];
  }
  if (b instanceof Tensor) {
    b.assertAlive(op);
    return [scalarLike(op, a, b.device, b.dtype), b];
  }
  throw new ArgumentError(`${op}: at least one operand must be a tensor; make one with tensor(…).`);
}
