/** A short list of ops as methods of `Tensor`, attached in one explicit call. */
import { type BackwardOptions, backward } from '../autograd/backward.ts';
import { Tensor } from '../autograd/tensor.ts';
import type { DType } from '../core/dtype.ts';
import type { Shape } from '../core/shape.ts';
import type { Device } from '../runtime/device.ts';
import { add, div, mul, pow, sub } from './binary.ts';
import { assign, cast, toDevice } from './cast.ts';
import { type MatmulOptions, matmul } from './matmul.ts';
import type { TensorLike } from './operand.ts';
import { mean, type ReduceOptions, sum } from './reduce.ts';
import { reshape, transpose } from './shape.ts';

const methods = {
  add: (x: Tensor, other: TensorLike): Tensor => add(x, other),
  sub: (x: Tensor, other: TensorLike): Tensor => sub(x, other),
  mul: (x: Tensor, other: TensorLike): Tensor => mul(x, other),
  div: (x: Tensor, other: TensorLike): Tensor => div(x, other),
  pow: (x: Tensor, exponent: TensorLike): Tensor => pow(x, exponent),
  matmul: (x: Tensor, other: Tensor, options?: MatmulOptions): Tensor => matmul(x, other, options),
  sum: (x: Tensor, options?: ReduceOptions): Tensor => sum(x, options),
  mean: (x: Tensor, options?: ReduceOptions): Tensor => mean(x, options),
  reshape: (x: Tensor, shape: Shape): Tensor => reshape(x, shape),
  transpose: (x: Tensor, axes?: readonly number[]): Tensor => transpose(x, axes),
  cast: (x: Tensor, dtype: DType | 'float', options?: { scale?: number }): Tensor => cast(x, dtype, options),
  assign: (x: Tensor, value: Parameters<typeof assign>[1]): void => assign(x, value),
  to: (x: Tensor, device: Device): Promise<Tensor> => toDevice(x, device),
  backward: (x: Tensor, options?: BackwardOptions): void => backward(x, options),
};

type Methods = {
  [K in keyof typeof methods]: (typeof methods)[K] extends (x: Tensor, ...rest: infer R) => infer T
    ? (...rest: R) => T
    : never;
};

declare module '../autograd/tensor.ts' {
  interface Tensor extends Methods {}
}

/** Attaches the methods to the prototype; calling it again changes nothing. */
export function attachMethods(): void {
  for (const [name, method] of Object.entries(methods)) {
    Object.defineProperty(Tensor.prototype, name, {
      configurable: true,
      writable: true,
      value(this: Tensor, ...rest: unknown[]) {
        return (method as (x: Tensor, ...rest: unknown[]) => unknown)(this, ...rest);
      },
    });
  }
}
