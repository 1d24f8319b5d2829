/** Fuzz cases for the reductions and for argMax and argMin. */
import fc from 'fast-check';
import { type ArgReduceAttrs, argReduceKernel } from '../../kernels/arg-reduce.ts';
import type { HostTensor } from '../../kernels/kernel.ts';
import { type ReduceAttrs, type ReduceOp, reduceKernel } from '../../kernels/reduce.ts';
import { hostArray } from '../../src/core/dtype.ts';
import { forEachOffset, reducedShape, type Shape, sizeOf, stridesOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

/** Half an ulp of 1 in float32. */
const U = 2 ** -24;

/** Extents of 0, 1, primes, and sizes around blocks of 16, superblocks of 256, and workgroups of 8 to 128. */
const extent = fc.constantFrom(0, 1, 1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 31, 33, 64, 65, 127, 129, 257);

/** Shapes whose reductions are split into several parts and stages. */
const longShapes: Shape[] = [
  [2047],
  [2049],
  [4099],
  [16384],
  [40009],
  [3, 9001],
  [9001, 3],
  [2, 2500, 5],
  [70, 17, 31],
  [1, 600, 1, 60],
];

export const shapes: fc.Arbitrary<Shape> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(extent, { minLength: 0, maxLength: 4 }).filter((shape) => sizeOf(shape) <= 30000),
  },
  { weight: 1, arbitrary: fc.constantFrom(...longShapes) },
);

const SPECIALS: fc.Arbitrary<readonly number[]> = fc.oneof(
  { weight: 5, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      [Number.NaN],
      [Infinity],
      [-Infinity],
      [Infinity, -Infinity],
      [Number.NaN, Infinity],
    ),
  },
);

const shapeAndAxes = shapes.chain((shape) =>
  fc.tuple(
    fc.constant(shape),
    fc.subarray(shape.map((_, axis) => axis)), // keeps the order
    fc.boolean(),
  ),
);

const reducedExtent = (shape: Shape, axes: readonly number[]): number =>
  sizeOf(axes.map((axis) => shape[axis] as number));

/** The largest sum of absolute values among the outputs, the scale of a sum's rounding error. */
function largestAbsoluteSum(input: HostTensor, attrs: ReduceAttrs): number {
  const shape = reducedShape(input.shape, attrs.axes, attrs.keepDims);
  const sums = { shape, dtype: 'float64' as const, data: new Float64Array(sizeOf(shape)) };
  const finite = { ...input, data: Float64Array.from(input.data, (v) => (Number.isFinite(v) ? v : 0)) };
  reduceKernel.reference([finite], [sums], { ...attrs, op: 'sumAbs' });
  return sums.data.reduce((a, b) => Math.max(a, b), 0);
}

/** The number of each element within its group, in the order of the reference. */
function placesOf(shape: Shape, axes: readonly number[]): Uint32Array {
  const kept = stridesOf(reducedShape(shape, axes, true)).map((stride, axis) =>
    axes.includes(axis) ? 0 : stride,
  );
  const seen = new Uint32Array(sizeOf(reducedShape(shape, axes, true)));
  const places = new Uint32Array(sizeOf(shape));
  forEachOffset(shape, [kept], (index, offsets) => {
    const group = offsets[0] as number;
    const place = seen[group] as number;
    places[index] = place;
    seen[group] = place + 1;
  });
  return places;
}

/**
 * Factors: near ±1, or, when `wide`, times a power of 10, eight large ones and eight small ones in turn, so that the running
 * product stays within 1e±300, which float64 holds and float32 does not.
 */
function factors(shape: Shape, axes: readonly number[], wide: boolean, next: () => number): Float32Array {
  return Float32Array.from(placesOf(shape, axes), (place) => {
    const power = wide && place > 0 ? (place & 8 ? -1 : 1) * (25 + (place % 7)) : 0;
    return (next() < 0.5 ? -1 : 1) * (0.999 + 0.002 * next()) * 10 ** power;
  });
}

/**
 * Blocked sums promise an error of 1e-6 Σ|x| (sumAbs, sumSquares: 1e-6 of the result, plus one rounding of each square
 * and of the scale, which that covers). Extrema are exact.
 */
const floatCase = fc
  .record({
    where: shapeAndAxes,
    op: fc.constantFrom<ReduceOp>(
      'sum',
      'sum',
      'sum',
      'sumSquares',
      'sumAbs',
      'max',
      'min',
      'maxAbs',
      'minAbs',
    ),
    content: fc.constantFrom('signed', 'positive', 'constant'),
    specials: SPECIALS,
    scaled: fc.boolean(),
    seed: fc.nat(),
  })
  .filter(({ where: [shape, axes], op }) => !/^(max|min)/.test(op) || reducedExtent(shape, axes) > 0)
  .map(({ where: [shape, axes, keepDims], op, content, specials, scaled, seed }): FuzzCase<ReduceAttrs> => {
    const next = uniforms(seed);
    const data = Float32Array.from({ length: sizeOf(shape) }, () =>
      content === 'constant' ? 0.1 : content === 'positive' ? next() + 0.01 : 4 * next() - 2,
    );
    plant(data, specials, next);
    const input: HostTensor = { shape, dtype: 'float32', data };
    const scale = op === 'sum' && scaled ? 1 / Math.max(1, reducedExtent(shape, axes)) : undefined;
    const attrs: ReduceAttrs = { op, axes, keepDims, ...(scale === undefined ? {} : { scale }) };
    return {
      inputs: [input],
      attrs,
      abs: op === 'sum' ? 1e-6 * largestAbsoluteSum(input, attrs) : 0,
      rel: /^(max|min)/.test(op) ? 0 : op === 'sum' ? 2 * U : 1e-6,
    };
  });

/** Magnitudes around the ends of the range, and around those where sums of squares change their scale. */
const magnitudes = fc.array(fc.constantFrom(-125, -63, -46, -44, -20, 0, 20, 44, 46, 63, 125), {
  minLength: 1,
  maxLength: 3,
});

/** A norm promises a relative error of 1e-6, over the whole range of normal numbers and in any mixture of magnitudes. */
const normCase = fc
  .record({ where: shapeAndAxes, magnitudes, mixed: fc.boolean(), specials: SPECIALS, seed: fc.nat() })
  .map(({ where: [shape, axes, keepDims], magnitudes: powers, mixed, specials, seed }) => {
    const next = uniforms(seed);
    const data = Float32Array.from({ length: sizeOf(shape) }, (_, at) => {
      const place = mixed ? Math.floor(next() * powers.length) : Math.floor(at / 300) % powers.length;
      return (next() < 0.5 ? -1 : 1) * (1 + next()) * 2 ** (powers[place] as number);
    });
    plant(data, [0, ...specials], next);
    const attrs: ReduceAttrs = { op: 'norm2', axes, keepDims };
    return { inputs: [{ shape, dtype: 'float32' as const, data }], attrs, abs: 0, rel: 1e-6 };
  });

/** Half the distance of two subnormal numbers: the rounding error of a product that is subnormal. */
const SUBNORMAL = 2 ** -150;

/**
 * A product of n factors has n roundings, and is in range where it is itself, whatever partial products are; that shows in
 * long groups only.
 */
const productCase = fc
  .record({
    where: fc.oneof(
      shapeAndAxes,
      shapes.map((shape): [Shape, number[], boolean] => [shape, shape.map((_, axis) => axis), false]),
    ),
    wide: fc.constantFrom(true, true, false),
    small: fc.constantFrom<readonly number[]>([], [0], [1e-40, 3e-45], [2 ** -126]),
    specials: SPECIALS,
    seed: fc.nat(),
  })
  .map(({ where: [shape, axes, keepDims], wide, small, specials, seed }): FuzzCase<ReduceAttrs> => {
    const next = uniforms(seed);
    const data = factors(shape, axes, wide, next);
    plant(data, [...small, ...specials], next);
    return {
      inputs: [{ shape, dtype: 'float32', data }],
      attrs: { op: 'prod', axes, keepDims },
      abs: SUBNORMAL,
      rel: U * (reducedExtent(shape, axes) + 4),
    };
  });

/** Integers are exact, also when they wrap around. */
const integerCase = fc
  .record({
    where: shapeAndAxes,
    op: fc.constantFrom<ReduceOp>('sum', 'sumAbs', 'prod', 'max', 'min'),
    range: fc.constantFrom(3, 1000, 2 ** 32),
    seed: fc.nat(),
  })
  .filter(({ where: [shape, axes], op }) => !(op === 'max' || op === 'min') || reducedExtent(shape, axes) > 0)
  .map(({ where: [shape, axes, keepDims], op, range, seed }): FuzzCase<ReduceAttrs> => {
    const next = uniforms(seed);
    const data = Int32Array.from({ length: sizeOf(shape) }, () => Math.floor(range * (next() - 0.5)));
    return { inputs: [{ shape, dtype: 'int32', data }], attrs: { op, axes, keepDims }, abs: 0, rel: 0 };
  });

const boolCase = fc
  .record({
    where: shapeAndAxes,
    op: fc.constantFrom<ReduceOp>('all', 'any'),
    share: fc.constantFrom(0, 0.01, 0.5, 0.99, 1),
    seed: fc.nat(),
  })
  .map(({ where: [shape, axes, keepDims], op, share, seed }): FuzzCase<ReduceAttrs> => {
    const next = uniforms(seed);
    const data = Uint32Array.from({ length: sizeOf(shape) }, () => (next() < share ? 1 : 0));
    return { inputs: [{ shape, dtype: 'bool', data }], attrs: { op, axes, keepDims }, abs: 0, rel: 0 };
  });

/** Positions are exact; few distinct values make many ties, also between -0 and 0. */
const argCase = shapes
  .filter((shape) => shape.length > 0)
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.nat(shape.length - 1),
      op: fc.constantFrom<ArgReduceAttrs['op']>('argMax', 'argMin'),
      keepDims: fc.boolean(),
      dtype: fc.constantFrom('float32' as const, 'int32' as const),
      ties: fc.boolean(),
      specials: SPECIALS,
      seed: fc.nat(),
    }),
  )
  .filter(({ shape, axis }) => shape[axis] !== 0)
  .map(({ shape, axis, op, keepDims, dtype, ties, specials, seed }): FuzzCase<ArgReduceAttrs> => {
    const next = uniforms(seed);
    const data = hostArray(dtype, sizeOf(shape));
    const width = dtype === 'int32' ? 2 ** 32 : 2e4;
    for (let i = 0; i < data.length; i++) {
      data[i] = ties
        ? Math.ceil(4 * next() - 2.5)
        : dtype === 'int32'
          ? Math.floor(width * (next() - 0.5))
          : width * (next() - 0.5);
    }
    if (dtype === 'float32') plant(data, specials, next);
    return { inputs: [{ shape, dtype, data }], attrs: { op, axis, keepDims }, abs: 0, rel: 0 };
  });

export const families = [
  family('reduce floats', reduceKernel, floatCase),
  family('reduce norms', reduceKernel, normCase),
  family('reduce products', reduceKernel, productCase),
  family('reduce integers', reduceKernel, integerCase),
  family('reduce bools', reduceKernel, boolCase),
  family('argMax and argMin', argReduceKernel, argCase),
];
