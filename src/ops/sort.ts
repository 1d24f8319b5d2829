/** Order along an axis: sort, argsort, topk; and random order. */
import { randomKernel } from '../../kernels/random.ts';
import { moveAlongKernel, type SortAttrs, sortKernel } from '../../kernels/sort.ts';
import { noGrad } from '../autograd/modes.ts';
import { apply, applyAll, type Op, runKernel, runKernel1 } from '../autograd/op.ts';
import { Tensor } from '../autograd/tensor.ts';
import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator } from '../core/generator.ts';
import { bits24, philox4x32, wordsOf } from '../core/philox.ts';
import { checkShape, normalizeAxis, type Shape, sizeOf } from '../core/shape.ts';
import { defaultDevice } from '../runtime/default-device.ts';
import type { Operand } from '../runtime/device.ts';
import { type RandomOptions, randomInt, tensor } from './create.ts';
import { reshape } from './shape.ts';

const gatherOp: Op<{ readonly axis: number }> = {
  name: 'gatherAlong',
  forward: (inputs, { axis }) => runKernel1('gatherAlong', moveAlongKernel, inputs, { axis }),
  saves: ([, indices]) => [indices],
  backward: ({ grad, saved: [indices], attrs: { axis }, inputs: [x] }) => [
    () =>
      apply(scatterOp, [grad, indices as Tensor], {
        axis,
        extent: (x as { shape: Shape }).shape[axis] as number,
      }),
    undefined,
  ],
};

const scatterOp: Op<{ readonly axis: number; readonly extent: number }> = {
  name: 'scatterAlong',
  forward: (inputs, attrs) => runKernel1('scatterAlong', moveAlongKernel, inputs, attrs),
  saves: ([, indices]) => [indices],
  backward: ({ grad, saved: [indices], attrs: { axis } }) => [
    () => apply(gatherOp, [grad, indices as Tensor], { axis }),
    undefined,
  ],
};

/** Rows of x by distinct indices in range; differentiable. */
export const selectRows = (x: Tensor, indices: Tensor): Tensor => apply(gatherOp, [x, indices], { axis: 0 });

const sortOp = (name: string): Op<SortAttrs> => ({
  name,
  forward: ([x], attrs) => runKernel(name, sortKernel, [x as Tensor], attrs),
  saves: (_, [, indices]) => [indices],
  backward: ({ grad, saved: [indices], attrs: { axis }, inputs: [x] }) => [
    () =>
      apply(scatterOp, [grad, indices as Tensor], {
        axis,
        extent: (x as { shape: Shape }).shape[axis] as number,
      }),
  ],
});

const sortValuesOp = sortOp('sort');
const topkOp = sortOp('topk');

export interface SortOptions {
  /** Default: −1, the last. */
  axis?: number;
  /** Default: false. */
  descending?: boolean;
}

/** The elements in ascending order along an axis. Stable; NaN comes last in either direction. */
export function sort(x: Tensor, { axis = -1, descending = false }: SortOptions = {}): Tensor {
  x.assertAlive('sort');
  const [values, indices] = applyAll(sortValuesOp, [x], {
    axis: normalizeAxis('sort', axis, x.rank),
    descending,
  }) as [Tensor, Tensor];
  indices.dispose();
  return values;
}

/** Where the elements of `sort(x)` stand in x, int32. */
export function argsort(x: Tensor, { axis = -1, descending = false }: SortOptions = {}): Tensor {
  x.assertAlive('argsort');
  return firstPositions('argsort', x, normalizeAxis('argsort', axis, x.rank), descending);
}

function firstPositions(op: string, x: Tensor, axis: number, descending: boolean, keep?: number): Tensor {
  const attrs = { axis, descending, ...(keep === undefined ? {} : { keep }) };
  const [values, indices] = runKernel(op, sortKernel, [x], attrs) as [Tensor, Tensor];
  values.dispose();
  return indices;
}

export interface TopkOptions {
  /** Default: −1, the last. */
  axis?: number;
  /** The largest elements, or the smallest. Default: true. */
  largest?: boolean;
  /** The best first; otherwise the order is open (and in fact the same). Default: true. */
  sorted?: boolean;
}

/**
 * The k largest (or smallest) elements along an axis and where they stand, int32. Of equals the first ones are taken;
 * a NaN only when the numbers do not suffice.
 *
 * @throws ArgumentError unless 0 ≤ k ≤ the axis's extent.
 */
export function topk(
  x: Tensor,
  k: number,
  { axis = -1, largest = true }: TopkOptions = {},
): { values: Tensor; indices: Tensor } {
  x.assertAlive('topk');
  const [values, indices] = applyAll(topkOp, [x], {
    axis: normalizeAxis('topk', axis, x.rank),
    descending: largest,
    keep: k,
  }) as [Tensor, Tensor];
  return { values, indices };
}

const checkCount = (op: string, what: string, count: number): void => {
  if (!Number.isInteger(count) || count < 0)
    throw new ArgumentError(`${op}: ${what} is ${count}; it must be a whole number ≥ 0.`);
};

/** The first `keep` numbers of a random order of 0 … n − 1: the stable order of n random words. */
function shuffled(op: string, n: number, keep: number, options: RandomOptions): Tensor {
  const device = options.device ?? defaultDevice();
  const { seed, counter } = (options.generator ?? defaultGenerator).take(n);
  const attrs = { distribution: 'bits', seed, counter, shape: [n], dtype: 'int32' } as const;
  const words = Tensor.adopt(device.run(op, randomKernel, [], attrs)[0] as Operand, op);
  try {
    return firstPositions(op, words, 0, false, keep);
  } finally {
    words.dispose();
  }
}

/** The numbers 0 … n − 1 in random order, int32; the same on every device. */
export function randomPermutation(n: number, options: RandomOptions = {}): Tensor {
  checkCount('randomPermutation', 'n', n);
  return shuffled('randomPermutation', n, n, options);
}

export interface ChoiceOptions extends RandomOptions {
  /** Whether an element may be drawn again. Default: true. */
  replace?: boolean;
  /** The weight of each element; they need not sum to 1. Default: all are equal. Draws are then made on the host. */
  p?: readonly number[] | Float32Array | Float64Array;
}

function checkWeights(p: ArrayLike<number>, n: number, needed: number): void {
  if (p.length !== n) throw new ArgumentError(`choice: ${p.length} weights for ${n} elements.`);
  let positive = 0;
  for (let i = 0; i < n; i++) {
    const weight = p[i] as number;
    if (!(weight >= 0 && weight < Infinity))
      throw new ArgumentError(`choice: weight ${i} is ${weight}; weights are finite and ≥ 0.`);
    if (weight > 0) positive++;
  }
  if (positive < needed) {
    throw new ArgumentError(
      `choice: ${needed} elements are wanted and ${positive} have a weight above 0; lower the size or set replace: true.`,
    );
  }
}

/** A uniform number in (0, 1) of 48 bits from each Philox block of a stream. */
function uniformsFrom(options: RandomOptions, count: number): Float64Array {
  const { seed, counter } = (options.generator ?? defaultGenerator).take(count);
  const [key0, key1] = wordsOf(seed);
  return Float64Array.from({ length: count }, (_, i) => {
    const [low, high] = wordsOf(counter + i);
    const [word0, word1] = philox4x32(low, high, key0, key1);
    return (bits24(word0) + (bits24(word1) + 0.5) * 2 ** -24) * 2 ** -24;
  });
}

/** Positions with the given weights, on the host: by the inverse distribution function, with replacement. */
function weighted(p: ArrayLike<number>, count: number, options: RandomOptions): Int32Array {
  const cumulated = new Float64Array(p.length);
  let total = 0;
  let last = 0;
  for (let i = 0; i < p.length; i++) {
    total += p[i] as number;
    cumulated[i] = total;
    if ((p[i] as number) > 0) last = i;
  }
  return Int32Array.from(uniformsFrom(options, count), (u) => {
    const wanted = u * total;
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulated[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  });
}

/** Without replacement: the largest u^(1/p), after Efraimidis and Spirakis (2006). */
function weightedDistinct(p: ArrayLike<number>, count: number, options: RandomOptions): Int32Array {
  const draws = uniformsFrom(options, p.length);
  const keys = Float64Array.from(draws, (u, i) => Math.log(u) / (p[i] as number));
  const positions = Array.from(keys, (_, i) => i);
  positions.sort((a, b) => (keys[a] === keys[b] ? a - b : (keys[b] as number) - (keys[a] as number)));
  return Int32Array.from(positions.slice(0, count));
}

/**
 * Draws from 0 … n − 1 (int32), or rows of a tensor, outside of the graph. `size` is a count or a shape. The same on
 * every device.
 *
 * @throws ArgumentError when more is wanted without replacement than there is, and for bad weights.
 */
export function choice(from: number | Tensor, size: number | Shape, options: ChoiceOptions = {}): Tensor {
  const { replace = true, p } = options;
  const shape = typeof size === 'number' ? [size] : size;
  checkShape('choice', shape);
  const count = sizeOf(shape);
  let n: number;
  if (typeof from === 'number') n = from;
  else {
    from.assertAlive('choice');
    if (from.rank === 0)
      throw new ArgumentError('choice: a scalar has no rows; pass a number n or a tensor.');
    n = from.shape[0] as number;
  }
  checkCount('choice', 'n', n);
  if (count > 0 && n === 0) throw new ArgumentError('choice: nothing to choose from.');
  if (!replace && count > n) {
    throw new ArgumentError(
      `choice: ${count} of ${n} without replacement; lower the size or set replace: true.`,
    );
  }
  if (p) checkWeights(p, n, replace ? Math.min(1, count) : count);
  const where: RandomOptions = {
    device: typeof from === 'number' ? (options.device ?? defaultDevice()) : from.device,
    ...(options.generator ? { generator: options.generator } : {}),
  };
  return noGrad(() => {
    let indices: Tensor;
    if (p) {
      const list = replace ? weighted(p, count, where) : weightedDistinct(p, count, where);
      indices = tensor(list, where);
    } else if (!replace) indices = shuffled('choice', n, count, where);
    else indices = randomInt([count], 0, Math.max(1, n), where);
    const rows = typeof from === 'number' ? indices : selectRows(from, indices);
    const result = reshape(rows, [...shape, ...rows.shape.slice(1)]);
    indices.dispose();
    if (rows !== indices) rows.dispose();
    return result;
  });
}
