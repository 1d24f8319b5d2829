/** Fuzz cases for sorting and for moves by its indices. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import { type MoveAttrs, moveAlongKernel, type SortAttrs, sortKernel } from '../../kernels/sort.ts';
import { hostArray } from '../../src/core/dtype.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

/** Extents of 0, 1, primes, and sizes around powers of 2. */
const extent = fc.constantFrom(0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 255, 256, 257);

/** Rows that fill a block of 512 pairs, and rows of several blocks. */
const longShapes: Shape[] = [
  [511],
  [512],
  [513],
  [1023],
  [1025],
  [4099],
  [16385],
  [3, 2049],
  [1100, 3],
  [2, 700, 3],
  [1, 5000, 1, 2],
];

const shapeAndAxis = fc
  .oneof(
    {
      weight: 3,
      arbitrary: fc.array(extent, { minLength: 1, maxLength: 4 }).filter((shape) => sizeOf(shape) <= 20000),
    },
    { weight: 2, arbitrary: fc.constantFrom(...longShapes) },
  )
  .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));

const SPECIALS = fc.constantFrom<readonly number[]>(
  [],
  [],
  [Number.NaN],
  [Infinity, -Infinity],
  [Number.NaN, Infinity, -Infinity, 0, -0],
);

const content = (shape: Shape, dtype: 'float32' | 'int32', ties: boolean, next: () => number): HostTensor => {
  const data = hostArray(dtype, sizeOf(shape));
  const width = dtype === 'int32' ? 2 ** 32 : 2e4;
  for (let i = 0; i < data.length; i++) {
    const value = (ties ? 5 : width) * (next() - 0.5);
    data[i] = ties || dtype === 'int32' ? Math.floor(value) : value;
  }
  return { shape, dtype, data };
};

/** Values are copies and positions are whole numbers: both must be equal. */
const sortCase = fc
  .record({
    where: shapeAndAxis,
    dtype: fc.constantFrom('float32' as const, 'float32' as const, 'int32' as const),
    descending: fc.boolean(),
    ties: fc.boolean(),
    keep: fc.constantFrom(undefined, undefined, 0, 0.01, 0.5, 1),
    specials: SPECIALS,
    seed: fc.nat(),
  })
  .map(({ where: [shape, axis], dtype, descending, ties, keep, specials, seed }): FuzzCase<SortAttrs> => {
    const next = uniforms(seed);
    const input = content(shape, dtype, ties, next);
    if (dtype === 'float32') plant(input.data, specials, next);
    else if (specials.length > 0) plant(input.data, [2 ** 31 - 1, -(2 ** 31)], next);
    const attrs: SortAttrs = {
      axis,
      descending,
      ...(keep === undefined ? {} : { keep: Math.ceil(keep * (shape[axis] as number)) }),
    };
    return { inputs: [input], attrs, abs: 0, rel: 0 };
  });

/** The first `kept` numbers of a random order of 0 … length − 1. */
function someOf(length: number, kept: number, next: () => number): number[] {
  const list = Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [list[i], list[j]] = [list[j] as number, list[i] as number];
  }
  return list.slice(0, kept);
}

/** Copies: equal. */
const moveCase = fc
  .record({
    where: shapeAndAxis,
    share: fc.constantFrom(0, 0.3, 1, 1),
    scatter: fc.boolean(),
    oneList: fc.boolean(),
    dtype: fc.constantFrom('float32' as const, 'int32' as const),
    specials: SPECIALS,
    seed: fc.nat(),
  })
  .map(({ where: [shape, axis], share, scatter, oneList, dtype, specials, seed }): FuzzCase<MoveAttrs> => {
    const next = uniforms(seed);
    const length = shape[axis] as number;
    const kept = Math.ceil(share * length);
    const short = shape.map((own, at) => (at === axis ? kept : own));
    const input = content(scatter ? short : shape, dtype, false, next);
    if (dtype === 'float32') plant(input.data, specials, next);
    const listed = oneList || shape.length === 1;
    const indices = new Int32Array(listed ? kept : sizeOf(short));
    if (listed) indices.set(someOf(length, kept, next));
    else {
      const outer = sizeOf(shape.slice(0, axis));
      const inner = sizeOf(shape.slice(axis + 1));
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          someOf(length, kept, next).forEach((place, r) => {
            indices[(o * kept + r) * inner + i] = place;
          });
        }
      }
    }
    return {
      inputs: [input, { shape: listed ? [kept] : short, dtype: 'int32', data: indices }],
      attrs: { axis, ...(scatter ? { extent: length } : {}) },
      abs: 0,
      rel: 0,
    };
  });

export const families = [
  family('sort', sortKernel, sortCase),
  family('move along an axis', moveAlongKernel, moveCase),
];
