/** Host values on their way into a tensor. */
import { type DType, type HostArray, hostArray } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';

/** Copies values into the array that a dtype is stored as; what does not fit is refused, bools become 0 and 1. */
export function toHostArray(op: string, values: ArrayLike<number | boolean>, dtype: DType): HostArray {
  const out = hostArray(dtype, values.length);
  for (let index = 0; index < values.length; index++) {
    const value = Number(values[index]);
    if (dtype === 'bool') out[index] = value === 0 ? 0 : 1;
    else out[index] = value;
    if ((dtype === 'int32' || dtype === 'uint8') && out[index] !== value) {
      throw new DTypeError(
        `${op}: element ${index}, ${value}, does not fit into ${dtype}; cast or clip it first.`,
      );
    }
  }
  return out;
}
