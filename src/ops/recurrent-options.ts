/** What recurrent layers are called with: the options that they share, and their checks. */
import { RECURRENT_ACTIVATIONS, type RecurrentActivation } from '../../kernels/recurrent-shapes.ts';
import { Tensor } from '../autograd/tensor.ts';
import { checkFlags } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, DTypeError, ShapeError } from '../core/errors.ts';
import { unknownName } from '../core/nearest.ts';
import { formatShape, type Shape, sameShape } from '../core/shape.ts';
import { less } from './compare.ts';
import { arange } from './create.ts';
import { type Indices, withIndices } from './indices.ts';
import { assertTensor, checkFloats } from './operand.ts';
import { checkOptions } from './options.ts';
import { expandDims } from './shape.ts';

/** Options that all recurrent layers take. */
export interface RecurrentOptions {
  /** Multiplies the input: (in, gates·units). */
  kernel: Tensor;
  /** Multiplies h of the step before: (units, gates·units). */
  recurrentKernel: Tensor;
  /** What h is made with. Default: tanh. */
  activation?: RecurrentActivation;
  /** Walk from the last step to the first; the sequence comes out in the order of the walk. Default: false. */
  goBackwards?: boolean;
  /** Bool, (batch, steps): where it is false the state stays as it is, and its h is repeated. Default: all true. */
  mask?: Tensor | undefined;
  /** How many steps each row has, (batch,), int32 or whole numbers, instead of a mask. */
  lengths?: Indices | undefined;
  /** Multiplies h before it meets the recurrent kernel, at every step: (batch, units). It gets no gradient. Default: 1. */
  recurrentMask?: Tensor | undefined;
  /**
   * Is handed ∂L/∂h of every step, (batch, steps, units), in the order of the sequence, when a backward pass comes by. It is
   * freed afterwards. It is not called under `createGraph`.
   */
  hiddenGradient?: ((gradient: Tensor) => void) | undefined;
}

const SHARED = [
  'kernel',
  'recurrentKernel',
  'bias',
  'initialState',
  'activation',
  'goBackwards',
  'mask',
  'lengths',
  'recurrentMask',
  'hiddenGradient',
] as const;

/** Extents of a call. */
export interface CallSizes {
  readonly batch: number;
  readonly steps: number;
  readonly units: number;
}

export function checkActivation(op: string, option: string, given: unknown): void {
  if ((RECURRENT_ACTIVATIONS as readonly unknown[]).includes(given)) return;
  throw unknownName(op, option, given, RECURRENT_ACTIVATIONS);
}

function expectShape(op: string, name: string, given: unknown, shape: Shape): void {
  assertTensor(op, given);
  if (sameShape(given.shape, shape)) return;
  throw new ShapeError(
    `${op}: ${name} has shape ${formatShape(given.shape)}; it must be ${formatShape(shape)}.`,
  );
}

/** Checks the options of a call by its shapes. */
export function checkCall<T extends RecurrentOptions & { bias?: Tensor | undefined }>(
  op: string,
  x: Tensor,
  options: T,
  own: readonly (keyof T & string)[],
  gates: number,
  biasRows: number | undefined,
): CallSizes {
  assertTensor(op, x);
  checkOptions<T>(op, options, [...SHARED, ...own] as (keyof T & string)[]);
  const { kernel, recurrentKernel, bias, activation = 'tanh', recurrentMask, mask, lengths } = options;
  checkFlags(op, { goBackwards: options.goBackwards });
  checkActivation(op, 'activation', activation);
  const [batch, steps, width] = x.shape;
  if (x.rank !== 3 || batch === undefined || steps === undefined || width === undefined) {
    throw new ShapeError(`${op}: x has shape ${formatShape(x.shape)}; it must be (batch, steps, features).`);
  }
  assertTensor(op, recurrentKernel);
  const units = recurrentKernel.shape[0] ?? 0;
  const columns = gates * units;
  expectShape(op, 'recurrentKernel', recurrentKernel, [units, columns]);
  expectShape(op, 'kernel', kernel, [width, columns]);
  if (bias) expectShape(op, 'bias', bias, biasRows === undefined ? [columns] : [biasRows, columns]);
  if (recurrentMask) expectShape(op, 'recurrentMask', recurrentMask, [batch, units]);
  for (const float of [x, kernel, recurrentKernel, bias, recurrentMask]) if (float) checkFloats(op, float);
  if (mask !== undefined) {
    if (lengths !== undefined) throw new ArgumentError(`${op}: both mask and lengths; pass one of them.`);
    expectShape(op, 'mask', mask, [batch, steps]);
    if (mask.dtype !== 'bool')
      throw new DTypeError(`${op}: mask is ${mask.dtype}; make it bool: cast(mask, 'bool').`);
  }
  const { hiddenGradient } = options;
  if (hiddenGradient !== undefined && typeof hiddenGradient !== 'function') {
    throw new ArgumentError(`${op}: hiddenGradient is ${describe(hiddenGradient)}; pass a function.`);
  }
  return { batch, steps, units };
}

/** The initial states, after a check. */
export function statesOf(
  op: string,
  given: unknown,
  count: number,
  { batch, units }: CallSizes,
): readonly Tensor[] {
  if (given === undefined) return [];
  const list: readonly unknown[] = given instanceof Tensor ? [given] : Array.isArray(given) ? given : [];
  if (list.length !== count) {
    throw new ArgumentError(
      `${op}: initialState is ${describe(given)}; pass ${count === 1 ? 'h' : '[h, c]'}, each (${batch}, ${units}).`,
    );
  }
  for (const state of list) {
    expectShape(op, 'a state of initialState', state, [batch, units]);
    checkFloats(op, state as Tensor);
  }
  return list as readonly Tensor[];
}

/** The mask of a call: the one that is given, or that of the lengths. */
export function maskOf(
  op: string,
  x: Tensor,
  { mask, lengths }: RecurrentOptions,
  { batch, steps }: CallSizes,
): Tensor | undefined {
  if (lengths === undefined) return mask;
  return withIndices(
    `${op}: lengths`,
    x.device,
    lengths,
    () => [steps + 1],
    (own) => {
      if (own.dtype !== 'int32')
        throw new DTypeError(`${op}: lengths are ${own.dtype}; cast them: cast(lengths, 'int32').`);
      expectShape(op, 'lengths', own, [batch]);
      const { device } = x;
      return less(expandDims(arange(0, steps, 1, { device, dtype: 'int32' }), 0), expandDims(own, 1));
    },
    false,
  );
}
