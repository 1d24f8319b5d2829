/** Fuzzed inputs for the kernels that join tensors, place them in larger ones, and cut triangles. */
import fc from 'fast-check';
import { CONCAT_PARTS, concatKernel } from '../../kernels/concat.ts';
import type { HostTensor } from '../../kernels/kernel.ts';
import { placeKernel } from '../../kernels/place.ts';
import { triangleKernel } from '../../kernels/triangle.ts';
import { type DType, hostArray } from '../../src/core/dtype.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type FuzzFamily, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

function values(dtype: DType, shape: readonly number[], next: () => number): HostTensor {
  const data = hostArray(dtype, sizeOf(shape));
  for (let index = 0; index < data.length; index++) {
    if (dtype === 'bool') data[index] = next() < 0.5 ? 0 : 1;
    else if (dtype === 'int32') data[index] = Math.floor((next() - 0.5) * 2 ** 32);
    else data[index] = (next() - 0.5) * 20;
  }
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  if (dtype === 'float32' && next() < 0.3) plant(data, [nan, inf, -inf], next);
  return { shape, dtype, data };
}

const dtypes = fc.constantFrom<DType>('float32', 'int32', 'bool');
const extent = fc.constantFrom<number>(0, 1, 1, 2, 3, 5, 8, 13, 63, 64, 65);
const small = fc.constantFrom<number>(1, 2, 3);
const within = (limit: number) => (shape: readonly number[]) => sizeOf(shape) <= limit;

/** Elements are moved, not computed: no tolerance. */
const exact = { abs: 0, rel: 0 };

const concat = fc
  .record({
    dtype: dtypes,
    shape: fc.oneof(
      { weight: 4, arbitrary: fc.array(extent, { minLength: 1, maxLength: 4 }).filter(within(6000)) },
      { weight: 1, arbitrary: fc.array(small, { minLength: 5, maxLength: 8 }).filter(within(1000)) },
    ),
    axis: fc.nat({ max: 7 }),
    // Extents along the joined axis.
    sizes: fc.array(fc.constantFrom<number>(0, 1, 1, 2, 3, 7, 17), { minLength: 1, maxLength: CONCAT_PARTS }),
    seed: fc.nat(),
  })
  .map(({ dtype, shape, axis: wanted, sizes, seed }) => {
    const axis = wanted % shape.length;
    const next = uniforms(seed);
    const inputs = sizes.map((size) =>
      values(
        dtype,
        shape.map((own, a) => (a === axis ? size : own)),
        next,
      ),
    );
    return { inputs, attrs: { axis }, ...exact };
  })
  .filter(({ inputs }) => inputs.reduce((sum, { data }) => sum + data.length, 0) <= 50_000);

/** One axis of a region: its size, its step, and the room before and behind it. */
const axis = fc.record({
  size: fc.constantFrom<number>(0, 1, 2, 3, 5, 17, 64),
  step: fc.constantFrom<number>(1, 1, 1, 2, 3, 7, -1, -2, -5),
  before: fc.constantFrom<number>(0, 0, 0, 1, 2, 9),
  behind: fc.constantFrom<number>(0, 0, 0, 1, 4),
});
const tiny = fc.record({
  size: fc.constantFrom<number>(1, 2),
  step: fc.constantFrom<number>(1, 1, -1, 2),
  before: fc.constantFrom<number>(0, 0, 1),
  behind: fc.constantFrom<number>(0, 0, 1),
});

const place = fc
  .record({
    dtype: dtypes,
    axes: fc.oneof(
      { weight: 4, arbitrary: fc.array(axis, { maxLength: 4 }) },
      { weight: 1, arbitrary: fc.array(tiny, { minLength: 5, maxLength: 8 }) },
    ),
    value: fc.constantFrom<number>(0, 1, -3, 2.5, Number.NaN, Number.NEGATIVE_INFINITY),
    seed: fc.nat(),
  })
  .map(({ dtype, axes, value, seed }) => {
    const reach = axes.map(({ size, step }) => (size === 0 ? 0 : (size - 1) * Math.abs(step) + 1));
    const attrs = {
      shape: axes.map(({ before, behind }, a) => before + (reach[a] as number) + behind),
      start: axes.map(({ before, step }, a) =>
        step > 0 ? before : before + Math.max(0, (reach[a] as number) - 1),
      ),
      step: axes.map(({ step }) => step),
      value: dtype === 'float32' ? value : dtype === 'bool' ? Number(value === 1) : Math.trunc(value) || 0,
    };
    if (dtype === 'int32' && !Number.isFinite(attrs.value)) attrs.value = -7;
    const shape = axes.map(({ size }) => size);
    return {
      inputs: [values(dtype, sizeOf(attrs.shape) <= 50_000 ? shape : [0], uniforms(seed))],
      attrs,
      ...exact,
    };
  })
  .filter(
    ({ attrs, inputs }) => sizeOf(attrs.shape) <= 50_000 && sizeOf((inputs[0] as HostTensor).shape) <= 50_000,
  );

const triangle = fc
  .record({
    dtype: dtypes,
    batch: fc.array(fc.constantFrom<number>(0, 1, 2, 3), { maxLength: 2 }),
    rows: extent,
    columns: extent,
    upper: fc.boolean(),
    diagonal: fc.oneof(
      fc.integer({ min: -5, max: 5 }),
      fc.constantFrom<number>(-64, 63, 64, 2 ** 33, -(2 ** 33)),
    ),
    seed: fc.nat(),
  })
  .map(({ dtype, batch, rows, columns, upper, diagonal, seed }) => ({
    inputs: [values(dtype, [...batch, rows, columns], uniforms(seed))],
    attrs: { upper, diagonal },
    ...exact,
  }));

export const families: FuzzFamily<unknown>[] = [
  family('concat', concatKernel, concat),
  family('place', placeKernel, place),
  family('triangle', triangleKernel, triangle),
];
