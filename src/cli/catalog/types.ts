/** What a row of the catalogue holds, and the inputs that its cases are built from. */
import type { Tensor } from '../../autograd/tensor.ts';
import { type Shape, sizeOf } from '../../core/shape.ts';
import { tensor } from '../../ops/create.ts';
import type { Device } from '../../runtime/device.ts';

export type OpKind =
  | 'creation'
  | 'unary'
  | 'binary'
  | 'comparison'
  | 'reduction'
  | 'matmul'
  | 'shape'
  | 'indexing'
  | 'order'
  | 'scan'
  | 'linalg'
  | 'softmax'
  | 'cast'
  | 'convolution'
  | 'pooling'
  | 'recurrent'
  | 'normalization'
  | 'activation'
  | 'regularization'
  | 'loss';

/** One input as host values; every value is exact in float32, so that all devices start from the same point. */
export interface InputSpec {
  readonly shape: Shape;
  readonly values: readonly number[];
  readonly dtype: 'float' | 'bool' | 'int32';
}

/** One function that the gradient walk checks. */
export interface GradCase {
  readonly name: string;
  readonly inputs: readonly InputSpec[];
  /** Uses free ops only, so it runs where its tensors live. */
  readonly f: (...inputs: Tensor[]) => Tensor;
}

/** One public op. */
export interface CatalogEntry {
  readonly op: string;
  readonly kind: OpKind;
  readonly differentiable: boolean;
  /** Whether the gradient can be differentiated again; a text says why not. */
  readonly secondOrder: boolean | string;
  /** The algorithm variants of its kernels. */
  readonly variants: string;
  readonly cases: readonly GradCase[];
}

const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Distinct values strictly between `low` and `high`, the same in every run, in no order; `seed` picks others. */
export function within(low: number, high: number, shape: Shape, seed = 0): InputSpec {
  const values = Array.from({ length: sizeOf(shape) }, (_, index) => {
    const fraction = ((index + 1) * GOLDEN + seed * 0.237) % 1;
    return Math.fround(low + (high - low) * (0.02 + 0.96 * fraction));
  });
  return { shape, values, dtype: 'float' };
}

/** Values of both signs whose magnitude is at least 0.3: away from a kink at 0. */
export function awayFromZero(shape: Shape, seed = 0): InputSpec {
  const { values } = within(0.3, 1.6, shape, seed);
  return {
    shape,
    values: values.map((value, index) => ((index + seed) % 2 === 0 ? value : -value)),
    dtype: 'float',
  };
}

/** Values given one by one. */
export const given = (
  values: readonly number[],
  shape: Shape = [values.length],
  dtype: InputSpec['dtype'] = 'float',
): InputSpec => ({ shape, values: values.map(Math.fround), dtype });

/** The inputs of a case as tensors; the float ones require a gradient, or only the one numbered `only`. */
export const inputsOn = (device: Device, inputs: readonly InputSpec[], only?: number): Tensor[] =>
  inputs.map(({ shape, values, dtype }, index) =>
    tensor(Float64Array.from(values), {
      device,
      dtype,
      shape,
      requiresGrad: dtype === 'float' && (only ?? index) === index,
    }),
  );

export const gradCase = (name: string, f: GradCase['f'], ...inputs: InputSpec[]): GradCase => ({
  name,
  inputs,
  f,
});

interface HasVariants {
  readonly variants: readonly string[];
}

/** The variants of some kernels; one without a choice has none to name. */
const variantsOf = (kernels: readonly HasVariants[]): string =>
  [...new Set(kernels.flatMap(({ variants }) => (variants.length > 1 ? variants : [])))].join(', ');

/** A row for an op with a gradient. */
export const differentiable = (
  op: string,
  kind: OpKind,
  kernels: readonly HasVariants[],
  cases: readonly GradCase[],
): CatalogEntry => ({
  op,
  kind,
  differentiable: true,
  secondOrder: true,
  variants: variantsOf(kernels),
  cases,
});

/** A row for an op without one. */
export const withoutGradient = (
  op: string,
  kind: OpKind,
  kernels: readonly HasVariants[],
  reason: string,
): CatalogEntry => ({
  op,
  kind,
  differentiable: false,
  secondOrder: reason,
  variants: variantsOf(kernels),
  cases: [],
});
