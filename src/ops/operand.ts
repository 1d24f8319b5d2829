/** What ops accept besides tensors, and how it becomes one. */
import { fillKernel } from '../../kernels/fill.ts';
import { Tensor } from '../autograd/tensor.ts';
import { type DType, isFloat } from '../core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../core/errors.ts';
import type { Device, Operand } from '../runtime/device.ts';

/** A tensor, or a number that stands for a tensor of equal values. */
export type TensorLike = Tensor | number;

/** Refuses what is no tensor, before its fields are read. */
export function assertTensor(op: string, x: unknown): asserts x is Tensor {
  if (x instanceof Tensor) return;
  throw new ArgumentError(`${op}: ${String(x)} is not a tensor; make one with tensor(…).`);
}

/** Refuses a shape that is no list. */
export function assertList(op: string, what: 'shape' | 'axes', list: unknown): void {
  if (Array.isArray(list)) return;
  const Kind = what === 'shape' ? ShapeError : ArgumentError;
  throw new Kind(`${op}: ${what} ${String(list)} is no array; pass one, such as [0, 1].`);
}

const DTYPES: readonly unknown[] = ['float', 'float32', 'float64', 'int32', 'bool', 'uint8'];

/** Refuses the name of a dtype that does not exist. */
export function assertDType(op: string, dtype: unknown): void {
  if (DTYPES.includes(dtype)) return;
  throw new DTypeError(
    `${op}: '${String(dtype)}' is no dtype; use 'float', 'int32', 'bool' or 'uint8' ('float32' and 'float64' mean 'float').`,
  );
}

/** A scalar of the other operand's dtype; a fraction beside integers is refused. */
export function scalarLike(op: string, value: number, device: Device, dtype: DType): Tensor {
  if (typeof value !== 'number')
    throw new ArgumentError(
      `${op}: ${String(value)} is neither a tensor nor a number; make one with tensor(…).`,
    );
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
