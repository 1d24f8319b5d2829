/** What a microbenchmark is. */
import type { Tensor } from '../../src/node.ts';
import { uniforms } from '../../test/support/random.ts';

/** One seeded input on the host: floats in [−1, 1), or int32 indices below a limit. */
export interface Input {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export interface InputSpec {
  readonly shape: readonly number[];
  /** Whole numbers from 0 to below this, instead of floats. */
  readonly below?: number;
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
  run(...inputs: Tensor[]): Tensor;
}

/** The inputs of a case, the same in every process. */
export function inputsOf(benchCase: BenchCase): Input[] {
  return benchCase.inputs.map(({ shape, below }, index) => {
    const next = uniforms(1 + index);
    const size = shape.reduce((product, extent) => product * extent, 1);
    const data =
      below === undefined
        ? Float32Array.from({ length: size }, () => 2 * next() - 1)
        : Int32Array.from({ length: size }, () => Math.floor(next() * below));
    return { shape, data };
  });
}
