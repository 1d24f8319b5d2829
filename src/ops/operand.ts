/** What ops accept besides tensors, and how it becomes one. */
import { fillKernel } from '../../kernels/fill.ts';
import { assertTensor, Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { type DType, isFloat } from '../core/dtype.ts';
import { ArgumentError, DeviceMismatchError, DTypeError, ShapeError } from '../core/errors.ts';
import { broadcastShapes } from '../core/shape.ts';
import type { Device, Operand } from '../runtime/device.ts';

export { assertTensor };

/** Refuses what is no list of tensors. */
export function assertTensors(op: string, list: unknown): asserts list is readonly Tensor[] {
  if (!Array.isArray(list)) {
    throw new ArgumentError(`${op}: takes a list of tensors; pass one, such as [a, b].`);
  }
  for (const x of list as unknown[]) assertTensor(op, x);
}

/** Refuses packed bytes, which ops that move elements would have to unpack. */
export function checkMovable(op: string, x: Tensor): void {
  if (x.dtype === 'uint8')
    throw new DTypeError(`${op}: packed uint8 cannot be moved; cast it to float or int32 first.`);
}

/** A tensor, or a number that stands for a tensor of equal values. */
export type TensorLike = Tensor | number;

/** Refuses a shape that is no list. */
export function assertList(op: string, what: 'shape' | 'axes', list: unknown): void {
  if (Array.isArray(list)) return;
  const Kind = what === 'shape' ? ShapeError : ArgumentError;
  throw new Kind(`${op}: ${what} ${describe(list)} is no array; pass one, such as [0, 1].`);
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
      `${op}: ${describe(value)} is neither a tensor nor a number; make one with tensor(…).`,
    );
  if (!isFloat(dtype) && !Number.isInteger(value)) {
    throw new DTypeError(
      `${op}: ${value} is no whole number, but the tensor is ${dtype}; cast the tensor to float first.`,
    );
  }
  return Tensor.adopt(device.run(op, fillKernel, [], { shape: [], dtype, value })[0] as Operand, 'full');
}

/** Refuses operands that cannot be combined element by element: they must be floats of one device that broadcast. */
export function checkFloats(op: string, ...values: readonly TensorLike[]): void {
  const tensors: Tensor[] = [];
  for (const value of values) {
    if (typeof value === 'number') continue;
    assertTensor(op, value);
    tensors.push(value);
  }
  const [first] = tensors;
  if (!first)
    throw new ArgumentError(`${op}: at least one operand must be a tensor; make one with tensor(…).`);
  for (const { device, dtype } of tensors) {
    if (device !== first.device)
      throw new DeviceMismatchError(`${op}: its tensors live on different devices; use toDevice() first.`);
    if (!isFloat(dtype))
      throw new DTypeError(`${op}: takes floats, got ${dtype}; cast it first: cast(x, 'float').`);
  }
  broadcastShapes(op, ...tensors.map(({ shape }) => shape));
}

/** Hands `use` the values as tensors of one device; those made from numbers live as long as `use` runs. */
function withScalars<T>(
  op: string,
  values: readonly TensorLike[],
  like: { device: Device; dtype: DType },
  use: (...tensors: Tensor[]) => T,
): T {
  const made: Tensor[] = [];
  try {
    const tensors = values.map((value) => {
      if (value instanceof Tensor) return value;
      const scalar = scalarLike(op, value, like.device, like.dtype);
      made.push(scalar);
      return scalar;
    });
    return use(...tensors);
  } finally {
    for (const scalar of made) scalar.dispose(); // The graph keeps an alias of what it saved.
  }
}

/** Hands `use` both operands as tensors; at least one of them is one. */
export function withPair<T>(op: string, a: TensorLike, b: TensorLike, use: (a: Tensor, b: Tensor) => T): T {
  if (a instanceof Tensor && b instanceof Tensor) return use(a, b);
  const like = a instanceof Tensor ? a : b;
  if (!(like instanceof Tensor)) {
    throw new ArgumentError(`${op}: at least one operand must be a tensor; make one with tensor(…).`);
  }
  like.assertAlive(op);
  return withScalars(op, [a, b], like, use as (...tensors: Tensor[]) => T);
}

/** Hands `use` two operands as tensors on `device`, of the dtype of the one that is a tensor, else of its float. */
export function withOperands<T>(
  op: string,
  device: Device,
  a: TensorLike,
  b: TensorLike,
  use: (a: Tensor, b: Tensor) => T,
): T {
  const dtype = a instanceof Tensor ? a.dtype : b instanceof Tensor ? b.dtype : device.float;
  return withScalars(op, [a, b], { device, dtype }, use as (...tensors: Tensor[]) => T);
}
