/** Fuzz cases for max pooling and its gradients, and for the linear resampling of average pooling and resizing. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import { type MaxPoolAttrs, maxPoolKernel, pickKernel, unpoolKernel } from '../../kernels/pool.ts';
import type { PoolAttrs, PoolAxis } from '../../kernels/pool-windows.ts';
import {
  type EvenAxis,
  type ResampleAttrs,
  type ResampleAxes,
  resampleKernel,
} from '../../kernels/resize.ts';
import { hostArray } from '../../src/core/dtype.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

/** Keras's geometries of windows: `valid`, `same` (also with windows larger than the image), and explicit padding. */
const windows = (input: number, largest: number): fc.Arbitrary<PoolAxis> =>
  fc
    .record({
      size: fc.oneof(fc.integer({ min: 1, max: Math.min(4, largest) }), fc.integer({ min: 1, max: largest })),
      stride: fc.integer({ min: 1, max: 5 }),
      padding: fc.constantFrom('valid', 'same', 'explicit'),
      before: fc.nat(4),
      behind: fc.nat(4),
    })
    .map(({ size, stride, padding, before, behind }): PoolAxis => {
      if (padding === 'same') {
        const output = Math.ceil(input / stride);
        const total = Math.max((output - 1) * stride + size - input, 0);
        return { input, output, size, stride, before: Math.floor(total / 2) };
      }
      const some = padding === 'explicit';
      const front = some ? Math.min(before, size - 1) : 0;
      const padded = input + front + (some ? Math.min(behind, size - 1) : 0);
      const fitting = Math.min(size, padded);
      const output = Math.floor((padded - fitting) / stride) + 1;
      return { input, output, size: fitting, stride, before: front };
    });

const extent = fc.constantFrom(1, 1, 2, 3, 4, 5, 7, 8, 13, 17);
const channels = fc.constantFrom(1, 2, 3, 4, 5, 8, 12, 32, 67, 68);

interface Where {
  readonly batch: number;
  readonly axes: readonly PoolAxis[];
  readonly channels: number;
}

/** One to three spatial axes; windows of more than 256 elements, too. Batches of 0 are legal and dispatch nothing. */
const geometry: fc.Arbitrary<Where> = fc
  .integer({ min: 1, max: 3 })
  .chain((rank) => fc.array(extent, { minLength: rank, maxLength: rank }))
  .chain((extents) =>
    fc.record({
      batch: fc.constantFrom(0, 1, 1, 2, 3),
      axes: fc.tuple(...extents.map((input) => windows(input, input + 4))),
      channels,
    }),
  )
  .filter(
    ({ batch, axes, channels: c }) =>
      batch * c * axes.reduce((size, { input }) => size * input, 1) <= 30_000 &&
      batch * c * axes.reduce((size, axis) => size * axis.output * axis.size, 1) <= 400_000,
  );

const shapeOf = (side: 'input' | 'output', { batch, axes, channels: c }: Where): Shape => [
  batch,
  ...axes.map((axis) => axis[side]),
  c,
];

const SPECIALS = fc.constantFrom<readonly number[]>(
  [],
  [],
  [Number.NaN],
  [Infinity],
  [-Infinity, -Infinity, -Infinity],
  [Infinity, -Infinity, Number.NaN],
);

function floats(shape: Shape, content: string, specials: readonly number[], next: () => number): HostTensor {
  const data = Float32Array.from({ length: sizeOf(shape) }, () => {
    if (content === 'lowest') return -Infinity;
    return content === 'ties' ? Math.ceil(3 * next() - 1.5) : 4 * next() - 2;
  });
  plant(data, specials, next);
  return { shape, dtype: 'float32', data };
}

const CONTENT = fc.constantFrom('signed', 'signed', 'ties', 'lowest');

/** Maxima and their places are exact. */
const maxCase = fc
  .record({ where: geometry, winners: fc.boolean(), content: CONTENT, specials: SPECIALS, seed: fc.nat() })
  .map(({ where, winners, content, specials, seed }): FuzzCase<MaxPoolAttrs> => {
    const x = floats(shapeOf('input', where), content, specials, uniforms(seed));
    return { inputs: [x], attrs: { axes: where.axes, winners }, abs: 0, rel: 0 };
  });

/** The winners of some input. */
function winnersOf(
  where: Where,
  content: string,
  specials: readonly number[],
  next: () => number,
): HostTensor {
  const x = floats(shapeOf('input', where), content, specials, next);
  const attrs = { axes: where.axes, winners: true };
  const [y, winners] = maxPoolKernel
    .infer('maxPool', [x], attrs)
    .map(({ shape, dtype }) => ({ shape, dtype, data: hostArray(dtype, sizeOf(shape)) })) as [
    HostTensor,
    HostTensor,
  ];
  maxPoolKernel.reference([x], [y, winners], attrs);
  return winners;
}

/** An element gets a sum over the windows that it won. */
const coverOf = (axes: readonly PoolAxis[]): number =>
  axes.reduce((count, { size, stride }) => count * Math.ceil(size / stride), 1);

const U = 2 ** -24;

const movedBack = fc.record({ where: geometry, content: CONTENT, specials: SPECIALS, seed: fc.nat() });

/** Each sum has at most as many terms of size 2 as windows cover an element, and rounds each partial sum. */
const unpoolCase = movedBack.map(({ where, content, specials, seed }): FuzzCase<PoolAttrs> => {
  const next = uniforms(seed);
  const winners = winnersOf(where, content, specials, next);
  const g = floats(shapeOf('output', where), 'signed', specials, next);
  const cover = coverOf(where.axes);
  return {
    inputs: [g, winners],
    attrs: { axes: where.axes },
    abs: cover > 1 ? 2 * cover ** 2 * U : 0,
    rel: 0,
  };
});

/** Copies: equal. */
const pickCase = movedBack.map(({ where, content, specials, seed }): FuzzCase<PoolAttrs> => {
  const next = uniforms(seed);
  const winners = winnersOf(where, content, specials, next);
  const x = floats(shapeOf('input', where), 'signed', specials, next);
  return { inputs: [x, winners], attrs: { axes: where.axes }, abs: 0, rel: 0 };
});

const evenAxes: fc.Arbitrary<readonly EvenAxis[]> = fc
  .integer({ min: 1, max: 3 })
  .chain((rank) => fc.array(fc.tuple(extent, extent), { minLength: rank, maxLength: rank }))
  .map((pairs) => pairs.map(([input, output]) => ({ input, output })));

/** Extents of several runs of a sum. */
const longAxis: fc.Arbitrary<readonly EvenAxis[]> = fc
  .constantFrom([97, 1], [1, 97], [64, 1], [1000, 7], [7, 1000], [1001, 999], [100_000, 50_000])
  .map(([input, output]) => [{ input: input as number, output: output as number }]);

/** Windows of pooling, or places spread evenly; also axes long enough for several runs of a sum. */
const resampled: fc.Arbitrary<Where & { readonly resample: ResampleAxes }> = fc
  .oneof(
    {
      weight: 2,
      arbitrary: geometry.map((where) => ({
        ...where,
        resample: { kind: 'mean' as const, axes: where.axes },
      })),
    },
    {
      weight: 3,
      arbitrary: fc
        .record({
          axes: fc.oneof({ weight: 4, arbitrary: evenAxes }, { weight: 1, arbitrary: longAxis }),
          kind: fc.constantFrom('adaptive' as const, 'nearest' as const, 'linear' as const),
          batch: fc.constantFrom(0, 1, 1, 2, 3),
          channels,
        })
        .map(({ axes, kind, batch, channels: c }) => ({
          batch,
          channels: axes[0]?.input === 100_000 ? 1 : c,
          axes: axes.map((axis) => ({ ...axis, size: 1, stride: 1, before: 0 })),
          resample: { kind, axes },
        })),
    },
  )
  .filter((where) => Math.max(sizeOf(shapeOf('input', where)), sizeOf(shapeOf('output', where))) <= 100_000);

/** How many terms the largest sums of an axis have, in either direction. */
function termsOf({ kind, axes }: ResampleAxes): number {
  const terms = (axis: PoolAxis | EvenAxis): number => {
    if (kind === 'mean') {
      const { size, stride } = axis as PoolAxis;
      return Math.max(size, Math.ceil(size / stride));
    }
    return 2 * Math.ceil(Math.max(axis.input / axis.output, axis.output / axis.input)) + 1;
  };
  const all: readonly (PoolAxis | EvenAxis)[] = axes;
  return all.reduce((product, axis) => product * terms(axis), 1);
}

/**
 * A forward sum has weights that add up to 1, so it errs by its rounded partial sums, fewer than runs of 32 + runs +
 * rows + planes ≤ its terms, of values up to 2, and by the weights: 1/size, or a quotient of two integers below 2²⁴,
 * 1.5 ulp each for three axes. A transposed sum has total weights up to its number of terms.
 */
const resampleCase = fc
  .record({ where: resampled, transposed: fc.boolean(), specials: SPECIALS, seed: fc.nat() })
  .map(({ where, transposed, specials, seed }): FuzzCase<ResampleAttrs> => {
    const side = transposed ? 'output' : 'input';
    const source = floats(shapeOf(side, where), 'signed', specials, uniforms(seed));
    const terms = termsOf(where.resample);
    const total = transposed ? terms : 1;
    return {
      inputs: [source],
      attrs: { ...where.resample, transposed },
      abs: 2 * total * (Math.min(terms, 64) + 12) * U,
      rel: 0,
    };
  });

export const families = [
  family('max pooling', maxPoolKernel, maxCase),
  family('max unpooling', unpoolKernel, unpoolCase),
  family('picking by winners', pickKernel, pickCase),
  family('resampling', resampleKernel, resampleCase),
];
