/** Fuzz cases for the matrix product. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import { type MatmulActivation, type MatmulAttrs, matmulKernel } from '../../kernels/matmul.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

/** Half an ulp of 1 in float32. */
const U = 2 ** -24;
const MAX_ELEMENTS = 50000;
/** Multiplications that the reference can do in a blink. */
const MAX_PRODUCTS = 400000;

interface Dims {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Extents of 0, 1, primes, and sizes around the tiles of 8, 16, 32 and 64. */
const extent = fc.constantFrom(
  0,
  1,
  1,
  2,
  3,
  5,
  7,
  8,
  9,
  13,
  15,
  16,
  17,
  31,
  32,
  33,
  47,
  63,
  64,
  65,
  97,
  129,
  257,
);

const blocks: fc.Arbitrary<Dims> = fc.record({ m: extent, n: extent, k: extent });

/** K so long that it is cut into parts, whole ones or not. */
const long: fc.Arbitrary<Dims> = fc.record({
  m: fc.constantFrom(1, 2, 5),
  n: fc.constantFrom(1, 3, 4),
  k: fc.constantFrom(511, 512, 513, 1031, 2048, 4097, 6001),
});

const veryLong: fc.Arbitrary<Dims> = fc.constantFrom({ m: 2, n: 3, k: 8192 }, { m: 1, n: 1, k: 20011 });

/** The batch axes of a and of b. */
const batches: fc.Arbitrary<readonly [Shape, Shape]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant([[], []] as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<readonly [Shape, Shape]>(
      [[3], [3]],
      [[2], []],
      [[], [5]],
      [[0], [1]],
      [
        [2, 3],
        [2, 3],
      ],
      [
        [2, 1],
        [1, 3],
      ],
      [
        [4, 1, 2],
        [3, 1],
      ],
      [
        [2, 1, 3, 1, 2, 1],
        [1, 2, 1, 2, 1, 3],
      ],
      [
        [1, 2, 1],
        [2, 1, 1, 2],
      ],
    ),
  },
);

/** Planted in a, in b; the reference says what comes of them, also 0 · Inf = NaN and Inf − Inf = NaN. */
const specials = fc.oneof(
  { weight: 5, arbitrary: fc.constant<readonly number[]>([]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<readonly number[]>(
      [Number.NaN],
      [Infinity],
      [-Infinity],
      [Infinity, -Infinity],
      [Infinity, 0],
    ),
  },
);

const attributes: fc.Arbitrary<MatmulAttrs> = fc.record({
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
  bias: fc.boolean(),
  activation: fc.constantFrom<MatmulActivation>('linear', 'linear', 'relu', 'sigmoid', 'tanh'),
});

const batchOf = ([a, b]: readonly [Shape, Shape]): number => {
  const rank = Math.max(a.length, b.length);
  let size = 1;
  for (let back = 1; back <= rank; back++) {
    const own = a[a.length - back] ?? 1;
    size *= own === 1 ? (b[b.length - back] ?? 1) : own;
  }
  return size;
};

const cases = (dims: fc.Arbitrary<Dims>): fc.Arbitrary<FuzzCase<MatmulAttrs>> =>
  fc
    .record({ dims, batch: batches, attrs: attributes, seed: fc.nat(), inA: specials, inB: specials })
    .filter(({ dims: { m, n, k }, batch }) => {
      const count = batchOf(batch);
      return (
        m * k * sizeOf(batch[0]) <= MAX_ELEMENTS &&
        k * n * sizeOf(batch[1]) <= MAX_ELEMENTS &&
        m * n * count <= MAX_ELEMENTS &&
        m * n * k * count <= MAX_PRODUCTS
      );
    })
    .map(({ dims: { m, n, k }, batch, attrs, seed, inA, inB }) => {
      const next = uniforms(seed);
      const tensor = (shape: Shape): HostTensor => ({
        shape,
        dtype: 'float32',
        data: Float32Array.from({ length: sizeOf(shape) }, () => 2 * next() - 1),
      });
      const a = tensor([...batch[0], ...(attrs.transposeA ? [k, m] : [m, k])]);
      const b = tensor([...batch[1], ...(attrs.transposeB ? [n, k] : [k, n])]);
      plant(a.data, inA, next);
      plant(b.data, inB, next);
      // A sum of k products of numbers in [-1, 1] wanders like √k / 3, and so do its prefixes; k roundings of half an
      // ulp of them add up to a standard deviation of about U·k / 7, in whatever order. 4·U·(k + 8) is 28 times that,
      // and leaves room for the bias (below 1). Activations have slopes of at most 1 and add 4 half-ulps of their own.
      return {
        inputs: attrs.bias ? [a, b, tensor([n])] : [a, b],
        attrs,
        abs: 4 * U * (k + 8),
        rel: 8 * U,
      };
    });

export const families = [
  family('matmul', matmulKernel, cases(blocks)),
  family('matmul, long sums', matmulKernel, cases(long)),
  family('matmul, very long sums', matmulKernel, cases(veryLong)),
];
