/** Inputs of losses, and what comes of them. */
import { type DType, grad, type NestedArray, sum, type Tensor, tensor } from '../../src/node.ts';
import { uniforms } from './random.ts';
import { resultsOf } from './values.ts';

export interface Listed {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export const tensorOf = (
  { shape, values }: Listed,
  requiresGrad = false,
  dtype: DType | 'float' = 'float',
): Tensor =>
  tensor(dtype === 'int32' ? Int32Array.from(values) : Float64Array.from(values), { shape, requiresGrad });

/** Seeded numbers. */
export const numbers = (shape: readonly number[], seed: number, low: number, high: number): Listed => {
  const next = uniforms(seed);
  const length = shape.reduce((product, extent) => product * extent, 1);
  return { shape, values: Array.from({ length }, () => low + (high - low) * next()) };
};

/** Value, and the gradient for yPred of the weighted sum. */
export const both = (f: (p: Tensor) => Tensor, p: Listed): Promise<NestedArray[]> =>
  resultsOf(() => {
    const leaf = tensorOf(p, true);
    const value = f(leaf);
    return [value.detach(), ...grad(sum(value), [leaf])];
  });
