/** What a microbenchmark is. */
import { grad, scope, type Tensor } from '../../src/node.ts';
import { uniforms } from '../../test/support/random.ts';

/** One seeded input on the host: floats in [−1, 1), int32 indices below a limit, or truth values. */
export interface Input {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
  /** What a Uint8Array holds. */
  readonly dtype?: 'bool';
}

export interface InputSpec {
  readonly shape: readonly number[];
  /** Whole numbers from 0 to below this, instead of floats. */
  readonly below?: number;
  /** Truth values, instead of floats. */
  readonly bool?: true;
  /** Symmetric matrices with a dominant diagonal. */
  readonly positiveDefinite?: true;
}

export interface BenchCase {
  /** Unique, printed. */
  readonly name: string;
  /** What to compute; peers know these by name and take the shapes from the inputs. */
  readonly task: string;
  readonly inputs: readonly InputSpec[];
  /** Floating-point operations of one call, where arithmetic is the limit. */
  readonly flops?: number;
  /** Bytes that any implementation must move: each input read once, the output written once. */
  readonly bytes?: number;
  /** False where contenders may rightly differ (random numbers). Default: true. */
  readonly comparable?: boolean;
  /** A yardstick of our own that no peer is measured against. */
  readonly ownOnly?: boolean;
  /** Gradients are taken: the float inputs ask for one. Default: false. */
  readonly trains?: boolean;
  run(...inputs: Tensor[]): Tensor | readonly Tensor[];
}

/**
 * Forward and backward: f's result, and the gradients of Σ f·dy for its float inputs, where dy is the last input of the
 * case. Peers return the result, too, so that nobody can leave the forward pass away.
 */
export const bothWays =
  (f: (...inputs: Tensor[]) => Tensor) =>
  (...inputs: Tensor[]): readonly Tensor[] =>
    scope(() => {
      const dy = inputs.at(-1) as Tensor;
      const own = inputs.slice(0, -1);
      const y = f(...own);
      const wanted = own.filter(({ requiresGrad }) => requiresGrad);
      return [y.detach(), ...grad(y, wanted, { gradients: [dy.detach()] })];
    });

/** Mirrors each matrix of a batch and lifts its diagonal above the sum of the row. */
function makePositiveDefinite(data: Float32Array, n: number): void {
  for (let matrix = 0; matrix < data.length; matrix += n * n) {
    for (let row = 0; row < n; row++) {
      for (let column = 0; column < row; column++)
        data[matrix + column * n + row] = data[matrix + row * n + column] as number;
      data[matrix + row * n + row] = n;
    }
  }
}

function inputOf({ shape, below, bool, positiveDefinite }: InputSpec, next: () => number): Input {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const draw = { length: size };
  if (bool) return { shape, data: Uint8Array.from(draw, () => Math.round(next())), dtype: 'bool' };
  if (below !== undefined) return { shape, data: Int32Array.from(draw, () => Math.floor(next() * below)) };
  const data = Float32Array.from(draw, () => 2 * next() - 1);
  if (positiveDefinite) makePositiveDefinite(data, shape.at(-1) as number);
  return { shape, data };
}

/** The inputs of a case, the same in every process. */
export const inputsOf = (benchCase: BenchCase): Input[] =>
  benchCase.inputs.map((spec, index) => inputOf(spec, uniforms(1 + index)));
