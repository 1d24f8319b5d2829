/** Fuzz cases for the indexing kernels; errors for indices out of range are the business of test/indexing.test.ts. */
import fc from 'fast-check';
import { gatherKernel, type OneHotAttrs, oneHotKernel } from '../../kernels/gather.ts';
import { type IndexAttrs, type IndexMode, picksOf } from '../../kernels/indexing.ts';
import type { HostTensor } from '../../kernels/kernel.ts';
import {
  type BincountAttrs,
  bincountKernel,
  type ScatterAttrs,
  scatterKernel,
} from '../../kernels/scatter.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

/** Half an ulp of 1 in float32. */
const U = 2 ** -24;
const LARGEST = 50_000;

/** Extents of 0, 1, primes, multiples of four, sizes around workgroups of 64, chunks of 16 and digits of 4 bits. */
const extent = fc.constantFrom(1, 1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 31, 63, 64, 65, 127, 256, 257, 0);
const indexExtent = fc.constantFrom(1, 2, 3, 5, 8, 15, 16, 17, 33, 64, 65, 129, 500, 0);

interface Draw {
  readonly x: Shape;
  readonly indices: Shape;
  readonly attrs: IndexAttrs;
}

const taking = fc
  .tuple(fc.array(extent, { minLength: 1, maxLength: 4 }), fc.array(indexExtent, { maxLength: 2 }), fc.nat(3))
  .map(([x, indices, at]): Draw => ({ x, indices, attrs: { mode: 'take', axis: at % x.length } }));

/** Long lists of updates: several chunks for each invocation, rows of one to five digits. */
const long = fc
  .tuple(
    fc.constantFrom(1, 2, 15, 16, 255, 256, 4095, 4099, 40_000),
    fc.constantFrom(1, 1, 2, 4),
    fc.constantFrom(1, 600, 2048, 4099, 12_345, 40_000),
  )
  .map(([rows, inner, m]): Draw => ({ x: [rows, inner], indices: [m], attrs: { mode: 'take', axis: 0 } }));

const along = fc
  .tuple(fc.array(extent, { minLength: 1, maxLength: 4 }), indexExtent, fc.nat(3))
  .map(([x, m, at]): Draw => {
    const axis = at % x.length;
    return { x, indices: x.map((own, d) => (d === axis ? m : own)), attrs: { mode: 'along', axis } };
  });

const tuples = fc
  .tuple(fc.array(extent, { minLength: 1, maxLength: 4 }), fc.array(indexExtent, { maxLength: 2 }), fc.nat(3))
  .map(
    ([x, indices, depth]): Draw => ({
      x,
      indices: [...indices, 1 + (depth % x.length)],
      attrs: { mode: 'nd' satisfies IndexMode, axis: 0 },
    }),
  );

const draws = fc.oneof(
  { weight: 4, arbitrary: taking },
  { weight: 2, arbitrary: long },
  { weight: 3, arbitrary: along },
  { weight: 3, arbitrary: tuples },
);

const spec = (shape: Shape, dtype: 'float32' | 'int32') => ({ shape, dtype });

/** Small enough, and no index into an axis without elements. */
function possible({ x, indices, attrs }: Draw): boolean {
  if (sizeOf(x) > LARGEST || sizeOf(indices) > LARGEST) return false;
  const { extents, shape } = picksOf('fuzz', spec(x, 'float32'), spec(indices, 'int32'), attrs);
  return sizeOf(shape) <= LARGEST && (sizeOf(indices) === 0 || !extents.includes(0));
}

type Content = 'float32' | 'int32' | 'bool';

function valuesOf(shape: Shape, dtype: Content, specials: readonly number[], next: () => number): HostTensor {
  const length = sizeOf(shape);
  if (dtype === 'bool')
    return { shape, dtype, data: Uint32Array.from({ length }, () => (next() < 0.5 ? 1 : 0)) };
  if (dtype === 'int32')
    return { shape, dtype, data: Int32Array.from({ length }, () => (next() - 0.5) * 2 ** 32) };
  const data = Float32Array.from({ length }, () => 2 * next() - 1);
  plant(data, specials, next);
  return { shape, dtype, data };
}

/** Indices in range; `few` names only a few rows, so that these get long sums; `wraps`: a third of them from the end. */
function indicesOf(
  shape: Shape,
  extents: readonly number[],
  few: boolean,
  next: () => number,
  wraps = true,
): HostTensor {
  const data = new Int32Array(sizeOf(shape));
  for (let at = 0; at < data.length; at++) {
    const limit = extents[at % extents.length] as number;
    const index = Math.floor(next() * (few ? Math.min(limit, 3) : limit));
    data[at] = wraps && next() < 1 / 3 ? index - limit : index;
  }
  return { shape, dtype: 'int32', data };
}

const specials = fc.oneof(
  { weight: 4, arbitrary: fc.constant<readonly number[]>([]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<readonly number[]>(
      [Number.NaN],
      [Infinity],
      [Infinity, -Infinity],
      [Number.NaN, -Infinity],
    ),
  },
);

const common = {
  draw: draws.filter(possible),
  specials,
  few: fc.boolean(),
  seed: fc.nat(),
};

function drawn(
  { x, indices, attrs }: Draw,
  dtype: Content,
  special: readonly number[],
  few: boolean,
  seed: number,
) {
  const next = uniforms(seed);
  const { extents, shape } = picksOf('fuzz', spec(x, 'float32'), spec(indices, 'int32'), attrs);
  return {
    next,
    shape,
    inputs: [valuesOf(x, dtype, special, next), indicesOf(indices, extents, few, next)],
  };
}

/** Elements are moved, not computed: exact. */
const gatherCase = fc
  .record({ ...common, dtype: fc.constantFrom<Content>('float32', 'float32', 'int32', 'bool') })
  .map(({ draw, dtype, specials, few, seed }): FuzzCase<IndexAttrs> => {
    const { inputs } = drawn(draw, dtype, specials, few, seed);
    return { inputs, attrs: draw.attrs, abs: 0, rel: 0 };
  });

/**
 * The largest error of a sum in blocks: Σ|x| + Σ|updates| times the roundings, of which there are as many as updates, or
 * 66 and one for each 1024 updates, if that is less.
 */
function sumError(inputs: readonly HostTensor[], attrs: ScatterAttrs): number {
  const shape = (inputs[0] as HostTensor).shape;
  const result = (data: (index: number, value: number) => number): Float64Array => {
    const wide = inputs.map((input, index) =>
      index === 1
        ? input
        : { ...input, dtype: 'float64' as const, data: Float64Array.from(input.data, (v) => data(index, v)) },
    );
    const out = new Float64Array(sizeOf(shape));
    scatterKernel.reference(wide, [{ shape, dtype: 'float64', data: out }], attrs);
    return out;
  };
  const sums = result((_, value) => (Number.isFinite(value) ? Math.abs(value) : 0));
  const terms = result((index) => (index === 0 ? 0 : 1));
  return (
    U *
    sums.reduce(
      (largest, sum, at) =>
        Math.max(largest, sum * Math.min(terms[at] as number, 66 + (terms[at] as number) / 1024)),
      0,
    )
  );
}

/**
 * Additions in order, in blocks: each rounds once, by at most half an ulp of the partial sum; int32 and `set` are exact.
 * Equal updates round in the same direction, which makes long chains of additions visible.
 */
const scatterCase = fc
  .record({
    ...common,
    dtype: fc.constantFrom<Content>('float32', 'float32', 'float32', 'int32'),
    op: fc.constantFrom<'add' | 'set'>('add', 'add', 'set'),
    equal: fc.boolean(),
  })
  .map(({ draw, dtype, op, equal, specials, few, seed }): FuzzCase<ScatterAttrs> => {
    const { inputs, shape, next } = drawn(draw, dtype, specials, few, seed);
    const updates = valuesOf(shape, dtype, specials, next);
    if (equal && dtype === 'float32') updates.data.fill(0.1);
    const all = [...inputs, updates];
    const attrs: ScatterAttrs = { ...draw.attrs, op };
    const abs = op === 'add' && dtype === 'float32' ? 1.01 * sumError(all, attrs) : 0;
    return { inputs: all, attrs, abs, rel: 0 };
  });

const flatIndices = fc.record({
  shape: fc.array(indexExtent, { maxLength: 3 }),
  limit: fc.constantFrom(1, 2, 3, 10, 63, 64, 65, 257),
  few: fc.boolean(),
  seed: fc.nat(),
});

/** Labels: now and then one out of range, for which the reference defines a row of NaN, or no count. */
function labelsOf(shape: Shape, limit: number, few: boolean, seed: number): HostTensor {
  const next = uniforms(seed);
  const labels = indicesOf(shape, [limit], few, next, false);
  for (let at = 0; at < labels.data.length; at++) {
    if (next() < 0.02) labels.data[at] = next() < 0.5 ? -1 - Math.floor(next() * limit) : limit;
  }
  return labels;
}

/** Constants are stored, not computed: exact for values that float32 holds. */
const oneHotCase = fc
  .tuple(flatIndices, fc.constantFrom([1, 0], [0.875, 0.125], [-1, 2]))
  .filter(([{ shape, limit }]) => sizeOf(shape) * limit <= LARGEST)
  .map(
    ([{ shape, limit, few, seed }, [onValue, offValue]]): FuzzCase<OneHotAttrs> => ({
      inputs: [labelsOf(shape, limit, few, seed)],
      attrs: {
        depth: limit,
        onValue: onValue as number,
        offValue: offValue as number,
        dtype: 'float32',
        checked: true,
      },
      abs: 0,
      rel: 0,
    }),
  );

const bincountCase = flatIndices
  .filter(({ shape }) => sizeOf(shape) <= LARGEST)
  .map(
    ({ shape, limit, few, seed }): FuzzCase<BincountAttrs> => ({
      inputs: [labelsOf(shape, limit, few, seed)],
      attrs: { size: limit, checked: true },
      abs: 0,
      rel: 0,
    }),
  );

export const families = [
  family('gather', gatherKernel, gatherCase),
  family('scatter', scatterKernel, scatterCase),
  family('oneHot', oneHotKernel, oneHotCase),
  family('bincount', bincountKernel, bincountCase),
];
