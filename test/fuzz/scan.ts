/** Fuzz cases for running sums and products, linear recurrences and shifts. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import {
  type LinearScanAttrs,
  linearScanKernel,
  type ScanAttrs,
  type ShiftAttrs,
  scanKernel,
  shiftKernel,
} from '../../kernels/scan.ts';
import {
  type CumprodGradientAttrs,
  cumprodGradientKernel,
  type ProductOfOthersAttrs,
  productOfOthersKernel,
} from '../../kernels/scan-product.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

/** Half an ulp of 1 in float32. */
const U = 2 ** -24;

/** Extents of 0, 1, primes, and sizes around parts of 64 and their blocks of 4 and 16. */
const extent = fc.constantFrom(0, 1, 1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 257);

/** Axes of several parts and levels. */
const longShapes: Shape[] = [
  [4095],
  [4096],
  [4097],
  [40009],
  [3, 9001],
  [9001, 3],
  [2, 2500, 5],
  [70, 200, 3],
  [1, 600, 1, 60],
];

const where = fc
  .oneof(
    {
      weight: 3,
      arbitrary: fc.array(extent, { minLength: 1, maxLength: 4 }).filter((shape) => sizeOf(shape) <= 30000),
    },
    { weight: 2, arbitrary: fc.constantFrom(...longShapes) },
  )
  .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));

const SPECIALS = fc.constantFrom<readonly number[]>(
  [],
  [],
  [],
  [Number.NaN],
  [Infinity],
  [Infinity, -Infinity],
  [Number.NaN, -Infinity],
);

/** The largest sum of absolute values of a row. */
function largestRow({ shape, data }: HostTensor, axis: number): number {
  const length = shape[axis] as number;
  const inner = sizeOf(shape.slice(axis + 1));
  const sums = new Float64Array(data.length / Math.max(1, length));
  data.forEach((value, at) => {
    const row = Math.floor(at / (length * inner)) * inner + (at % inner);
    if (Number.isFinite(value)) sums[row] = (sums[row] as number) + Math.abs(value);
  });
  return sums.reduce((a, b) => Math.max(a, b), 0);
}

/**
 * A factor near ±1, times a power of 10 that depends on its place: eight large ones and eight small ones in turn, so that a
 * running product of any part stays within 1e±300, which float64 holds and float32 does not.
 */
const factor = (v: number, place: number, next: () => number): number => {
  const power = place === 0 ? 0 : (place & 8 ? -1 : 1) * (25 + (place % 7));
  return Math.sign(v) * (1 + 0.002 * (next() - 0.5)) * 10 ** power;
};

/** Half the distance of two subnormal numbers: the rounding error of a product that is subnormal. */
const SUBNORMAL = 2 ** -150;

/** Factors, of alternating magnitudes along the axis when `wide`. */
function factorsOf(shape: Shape, axis: number, wide: boolean, next: () => number): Float32Array {
  const inner = sizeOf(shape.slice(axis + 1));
  const length = shape[axis] as number;
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) =>
    factor(next() - 0.5, wide ? Math.floor(i / inner) % length : 0, next),
  );
}

/** A running sum promises an error of 1e-6 Σ|x|; a product of n factors has n roundings. */
const floatCase = fc
  .record({
    where,
    op: fc.constantFrom('sum' as const, 'prod' as const),
    content: fc.constantFrom('signed', 'positive', 'constant'),
    wide: fc.boolean(),
    small: fc.constantFrom<readonly number[]>([], [0], [1e-40, 3e-45], [2 ** -126]),
    reverse: fc.boolean(),
    exclusive: fc.boolean(),
    specials: SPECIALS,
    seed: fc.nat(),
  })
  .map((drawn): FuzzCase<ScanAttrs> => {
    const { op, content, wide, small, reverse, exclusive, specials, seed } = drawn;
    const [shape, axis] = drawn.where;
    const inner = sizeOf(shape.slice(axis + 1));
    const next = uniforms(seed);
    const data = new Float32Array(sizeOf(shape));
    for (let i = 0; i < data.length; i++) {
      const v = content === 'constant' ? 0.1 : content === 'positive' ? next() + 0.01 : 4 * next() - 2;
      data[i] =
        op === 'prod' ? factor(v, wide ? Math.floor(i / inner) % (shape[axis] as number) : 0, next) : v;
    }
    plant(data, [...small, ...specials], next);
    const input: HostTensor = { shape, dtype: 'float32', data };
    return {
      inputs: [input],
      attrs: { op, axis, reverse, exclusive },
      abs: op === 'sum' ? 1e-6 * largestRow(input, axis) : SUBNORMAL,
      rel: op === 'sum' ? 2 * U : U * ((shape[axis] as number) + 4),
    };
  });

/** Integers are exact, also when they wrap around. */
const integerCase = fc
  .record({
    where,
    op: fc.constantFrom('sum' as const, 'prod' as const),
    range: fc.constantFrom(3, 1000, 2 ** 32),
    reverse: fc.boolean(),
    exclusive: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({ where: [shape, axis], op, range, reverse, exclusive, seed }): FuzzCase<ScanAttrs> => {
    const next = uniforms(seed);
    const data = Int32Array.from({ length: sizeOf(shape) }, () => Math.floor(range * (next() - 0.5)));
    return {
      inputs: [{ shape, dtype: 'int32', data }],
      attrs: { op, axis, reverse, exclusive },
      abs: 0,
      rel: 0,
    };
  });

/** Products of n − 1 factors, each half with a rounding for each factor, whatever products of parts are. */
const othersCase = fc
  .record({
    where,
    wide: fc.boolean(),
    small: fc.constantFrom<readonly number[]>([], [0], [1e-40, 3e-45], [2 ** -126]),
    specials: SPECIALS,
    seed: fc.nat(),
  })
  .map(({ where: [shape, axis], wide, small, specials, seed }): FuzzCase<ProductOfOthersAttrs> => {
    const next = uniforms(seed);
    const data = factorsOf(shape, axis, wide, next);
    plant(data, [...small, ...specials], next);
    return {
      inputs: [{ shape, dtype: 'float32', data }],
      attrs: { axis },
      abs: SUBNORMAL,
      rel: U * ((shape[axis] as number) + 4),
    };
  });

/**
 * Terms of one sign: each has a rounding for each factor in it, the sum one for each term, and the maps of parts as many
 * again for each of the up to four levels.
 */
const cumprodGradientCase = fc
  .record({
    where,
    wide: fc.boolean(),
    zeros: fc.constantFrom<readonly number[]>([], [0]),
    sparse: fc.boolean(),
    reverse: fc.boolean(),
    exclusive: fc.boolean(),
    specials: SPECIALS,
    seed: fc.nat(),
  })
  .map((drawn): FuzzCase<CumprodGradientAttrs> => {
    const { wide, zeros, sparse, reverse, exclusive, specials, seed } = drawn;
    const [shape, axis] = drawn.where;
    const next = uniforms(seed);
    const x = factorsOf(shape, axis, wide, next).map(Math.abs);
    const g = Float32Array.from(x, () => (sparse && next() < 0.9 ? 0 : next() + 0.5));
    plant(x, zeros, next);
    plant(g, specials, next);
    return {
      inputs: [
        { shape, dtype: 'float32', data: x },
        { shape, dtype: 'float32', data: g },
      ],
      attrs: { axis, reverse, exclusive },
      abs: SUBNORMAL,
      rel: U * (4 * (shape[axis] as number) + 8),
    };
  });

/**
 * Factors of at most `decay` < 1 forget: an error made at one step reaches later ones weakened, so the sum of all is at
 * most 2 roundings of the largest state, over 1 − decay; the composition of parts has as many again for each of the
 * up to four levels. States lie below 1/(1 − decay).
 */
const linearCase = fc
  .record({
    where,
    decay: fc.constantFrom(0.5, 0.9, 0.99),
    reverse: fc.boolean(),
    shifted: fc.boolean(),
    zeros: fc.boolean(),
    specials: SPECIALS,
    seed: fc.nat(),
  })
  .map(
    ({ where: [shape, axis], decay, reverse, shifted, zeros, specials, seed }): FuzzCase<LinearScanAttrs> => {
      const next = uniforms(seed);
      const count = sizeOf(shape);
      const a = Float32Array.from({ length: count }, () =>
        zeros && next() < 0.1 ? 0 : decay * (2 * next() - 1),
      );
      const b = Float32Array.from({ length: count }, () => 2 * next() - 1);
      plant(b, specials, next);
      return {
        inputs: [
          { shape, dtype: 'float32', data: a },
          { shape, dtype: 'float32', data: b },
        ],
        attrs: { axis, reverse, shifted },
        abs: (8 * U) / (1 - decay) ** 2,
        rel: 0,
      };
    },
  );

/** Copies: equal. */
const shiftCase = fc
  .record({ where, reverse: fc.boolean(), specials: SPECIALS, seed: fc.nat() })
  .map(({ where: [shape, axis], reverse, specials, seed }): FuzzCase<ShiftAttrs> => {
    const next = uniforms(seed);
    const data = Float32Array.from({ length: sizeOf(shape) }, () => 4 * next() - 2);
    plant(data, specials, next);
    return { inputs: [{ shape, dtype: 'float32', data }], attrs: { axis, reverse }, abs: 0, rel: 0 };
  });

export const families = [
  family('scan floats', scanKernel, floatCase),
  family('product of others', productOfOthersKernel, othersCase),
  family('gradient of a running product', cumprodGradientKernel, cumprodGradientCase),
  family('scan integers', scanKernel, integerCase),
  family('linear scan', linearScanKernel, linearCase),
  family('shift', shiftKernel, shiftCase),
];
