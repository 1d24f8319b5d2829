/** Random choice among elements, and random order; the same on every device. */
import { type RandomAttrs, randomKernel } from '../../kernels/random.ts';
import { noGrad } from '../autograd/modes.ts';
import { scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { bits24, philox4x32, wordsOf } from '../core/philox.ts';
import { checkShape, type Shape, sizeOf } from '../core/shape.ts';
import type { Operand } from '../runtime/device.ts';
import { deviceOf, tensor } from './create.ts';
import { assertTensor } from './operand.ts';
import { checkOptions, deviceOfTensor } from './options.ts';
import { generatorOf, type RandomOptions } from './random.ts';
import { reshape } from './shape.ts';
import { firstPositions, selectRows } from './sort.ts';

/** Where the result lives, and which stream it is drawn from. */
export type DrawOptions = Pick<RandomOptions, 'device' | 'generator'>;

/** How many elements there may be: their positions are int32. */
const MOST = 2 ** 31;

function checkCount(op: string, n: number): void {
  if (!Number.isInteger(n) || n < 0 || n > MOST)
    throw new ArgumentError(`${op}: n is ${describe(n)}; it must be a whole number from 0 to ${MOST}.`);
}

/** Random int32 numbers for `op`: raw words, or whole numbers from 0 to below `limit`. */
function drawn(op: string, count: number, options: DrawOptions, limit?: number): Tensor {
  const device = deviceOf(op, options);
  const { seed, counter } = generatorOf(op, options).take(count);
  const attrs: RandomAttrs = {
    ...(limit === undefined ? { distribution: 'bits' } : { distribution: 'randint', a: 0, b: limit }),
    seed,
    counter,
    shape: [count],
    dtype: 'int32',
  };
  return Tensor.adopt(device.run(op, randomKernel, [], attrs)[0] as Operand, op);
}

/** The first `keep` numbers of a random order of 0 … n − 1: the stable order of n random words. */
function shuffled(op: string, n: number, keep: number, options: DrawOptions): Tensor {
  const words = drawn(op, n, options);
  try {
    return firstPositions(op, words, 0, false, keep);
  } finally {
    words.dispose();
  }
}

/** The numbers 0 … n − 1 in random order, int32; the same on every device. */
export function randomPermutation(n: number, options: DrawOptions = {}): Tensor {
  checkOptions('randomPermutation', options, ['device', 'generator'], 'n');
  checkCount('randomPermutation', n);
  return shuffled('randomPermutation', n, n, options);
}

export interface ChoiceOptions extends DrawOptions {
  /** Whether an element may be drawn again. Default: true. */
  replace?: boolean;
  /** The weight of each element; they need not sum to 1. Default: all are equal. Draws are then made on the host. */
  p?: readonly number[] | Float32Array | Float64Array;
}

function checkWeights(p: ArrayLike<number>, n: number, needed: number): void {
  if (!Array.isArray(p) && !ArrayBuffer.isView(p))
    throw new ArgumentError(
      'choice: p is no array of numbers; of a tensor pass what `await p.data()` gives.',
    );
  if (p.length !== n) throw new ArgumentError(`choice: ${p.length} weights for ${n} elements.`);
  let positive = 0;
  for (let i = 0; i < n; i++) {
    const weight = p[i] as number;
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity))
      throw new ArgumentError(`choice: weight ${i} is ${String(weight)}; weights are finite numbers ≥ 0.`);
    if (weight > 0) positive++;
  }
  if (positive === 0 && needed > 0)
    throw new ArgumentError('choice: all weights are 0; give at least one element a weight above 0.');
  if (positive < needed) {
    throw new ArgumentError(
      `choice: ${needed} elements are wanted and ${positive} have a weight above 0; lower the size or set replace: true.`,
    );
  }
}

/** A uniform number in (0, 1) of 48 bits from each Philox block of a stream. */
function uniformsFrom(options: RandomOptions, count: number): Float64Array {
  const { seed, counter } = generatorOf('choice', options).take(count);
  const [key0, key1] = wordsOf(seed);
  return Float64Array.from({ length: count }, (_, i) => {
    const [low, high] = wordsOf(counter + i);
    const [word0, word1] = philox4x32(low, high, key0, key1);
    return (bits24(word0) + (bits24(word1) + 0.5) * 2 ** -24) * 2 ** -24;
  });
}

/** Positions with the given weights, on the host: by the inverse distribution function, with replacement. */
function weighted(p: ArrayLike<number>, count: number, options: DrawOptions): Int32Array {
  let largest = 0;
  for (let i = 0; i < p.length; i++) largest = Math.max(largest, p[i] as number);
  const cumulated = new Float64Array(p.length);
  let total = 0;
  for (let i = 0; i < p.length; i++) {
    total += (p[i] as number) / largest; // Weights of any size have a finite sum this way.
    cumulated[i] = total;
  }
  return Int32Array.from(uniformsFrom(options, count), (u) => {
    const wanted = u * total;
    let low = 0;
    let high = p.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulated[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  });
}

/**
 * Without replacement: the largest u^(1/p), after Efraimidis and Spirakis (2006). Compared by log(−log u) − log p, where
 * the smallest wins, which neither overflows for large weights nor confuses tiny ones with 0.
 */
function weightedDistinct(p: ArrayLike<number>, count: number, options: DrawOptions): Int32Array {
  const draws = uniformsFrom(options, p.length);
  const keys = draws.map((u, i) => Math.log(-Math.log(u)) - Math.log(p[i] as number));
  const positions = Array.from(keys, (_, i) => i);
  positions.sort((a, b) => (keys[a] === keys[b] ? a - b : (keys[a] as number) - (keys[b] as number)));
  return Int32Array.from(positions.slice(0, count));
}

/**
 * Draws from 0 … n − 1 (int32), or rows of a tensor on its device, outside of the graph. `size` is a count or a shape.
 * The same on every device.
 *
 * @throws ArgumentError when more is wanted without replacement than there is, and for weights that are negative, not
 * finite, all 0, or of another number than the elements.
 */
export function choice(from: number | Tensor, size: number | Shape, options: ChoiceOptions = {}): Tensor {
  checkOptions('choice', options, ['device', 'generator', 'replace', 'p'], 'from, size');
  const { replace = true, p } = options;
  const isCount = Number.isInteger(size) && (size as number) >= 0;
  if (!isCount && !Array.isArray(size))
    throw new ArgumentError(`choice: size is ${describe(size)}; pass a whole number ≥ 0, or a shape.`);
  const shape = isCount ? [size as number] : (size as Shape);
  checkShape('choice', shape);
  const count = sizeOf(shape);
  let n: number;
  if (typeof from === 'number') n = from;
  else {
    assertTensor('choice', from);
    if (from.rank === 0)
      throw new ArgumentError('choice: a scalar has no rows; pass a number n or a tensor.');
    n = from.shape[0] as number;
  }
  checkCount('choice', n);
  if (count > 0 && n === 0) throw new ArgumentError('choice: nothing to choose from.');
  if (!replace && count > n) {
    throw new ArgumentError(
      `choice: ${count} of ${n} without replacement; lower the size or set replace: true.`,
    );
  }
  if (p !== undefined) checkWeights(p, n, replace ? Math.min(1, count) : count);
  const device =
    typeof from === 'number' ? deviceOf('choice', options) : deviceOfTensor('choice', from, options);
  const where: DrawOptions = { device, generator: generatorOf('choice', options) };
  return scope(() =>
    noGrad(() => {
      let indices: Tensor;
      if (p !== undefined) {
        const list = replace ? weighted(p, count, where) : weightedDistinct(p, count, where);
        indices = tensor(list, { device });
      } else if (!replace) indices = shuffled('choice', n, count, where);
      else indices = drawn('choice', count, where, Math.max(1, n));
      // Rows may repeat, which only a selection outside of the graph allows.
      const rows = typeof from === 'number' ? indices : selectRows('choice', from, indices);
      return reshape(rows, [...shape, ...rows.shape.slice(1)]);
    }),
  );
}
