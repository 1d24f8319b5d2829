/**
 * What names elements: int32 tensors, or host numbers, which are checked at the call; an index tensor's values are only
 * seen by the device, so a wrong one is reported by the next readback, which rejects with an `IndexError`.
 */
import { findOffence } from '../../kernels/indexing.ts';
import { scope } from '../autograd/scope.ts';
import { type NestedArray, Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, DTypeError, IndexError } from '../core/errors.ts';
import type { Device } from '../runtime/device.ts';
import { tensor } from './create.ts';
import { assertTensor } from './operand.ts';

/** Whole numbers on the host, nested like an array. */
export type HostIndices = number | Int32Array | readonly HostIndices[];

/** An int32 tensor, or host numbers. */
export type Indices = Tensor | HostIndices;

/** What is no list is taken for a number here, and judged where its place is known. */
const flatIndices = (indices: HostIndices): number[] =>
  Array.isArray(indices) || indices instanceof Int32Array
    ? [...(indices as readonly HostIndices[])].flatMap((part) => flatIndices(part))
    : [indices as number];

const nested = (indices: HostIndices): NestedArray =>
  typeof indices === 'number' ? indices : [...indices].map((part) => nested(part));

/**
 * Hands `body` the indices as a tensor, and whether their values were checked. `limitsOf` tells the extents that the
 * places of an index tuple must stay below; `wraps`: negative ones count from the end.
 */
export function withIndices(
  op: string,
  device: Device,
  indices: Indices,
  limitsOf: (indices: Tensor) => readonly number[],
  body: (indices: Tensor, checked: boolean) => Tensor,
  wraps = true,
): Tensor {
  if (indices instanceof Tensor) {
    assertTensor(op, indices);
    return scope(() => body(indices, false));
  }
  if (typeof indices !== 'number' && !Array.isArray(indices) && !(indices instanceof Int32Array)) {
    throw new ArgumentError(`${op}: indices are an int32 tensor or whole numbers, got ${describe(indices)}.`);
  }
  const values = flatIndices(indices);
  const position = values.findIndex((value) => !Number.isInteger(value) || value !== (value | 0));
  if (position >= 0)
    throw new DTypeError(
      `${op}: index ${describe(values[position])} at position ${position} is no whole number that fits into int32; pass int32 indices.`,
    );
  const own = tensor(indices instanceof Int32Array ? indices : nested(indices), { device, dtype: 'int32' });
  try {
    const host = { shape: own.shape, dtype: own.dtype, data: Int32Array.from(values) };
    const offence = findOffence(host, limitsOf(own), wraps);
    if (offence) throw new IndexError(op, offence.position, offence.value, offence.lowest, offence.limit);
    return scope(() => body(own, true));
  } finally {
    own.dispose(); // The graph keeps an alias of what it saved.
  }
}
