/** Fuzz cases for the kernels behind the metrics. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import { type ConfusionAttrs, confusionKernel, PART } from '../../kernels/metric-confusion.ts';
import { thresholdHitsKernel, topHitsKernel } from '../../kernels/metric-hits.ts';
import {
  type AccumulateMeanAttrs,
  accumulateMeanKernel,
  CHUNK,
  meanOfSumsKernel,
} from '../../kernels/metric-mean.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';
import { shapes } from './reduce.ts';

const floats = (shape: readonly number[], data: Float32Array): HostTensor => ({
  shape,
  dtype: 'float32',
  data,
});

const randoms = (count: number, next: () => number, low: number, high: number): Float32Array =>
  Float32Array.from({ length: count }, () => low + (high - low) * next());

const SPECIALS = fc.constantFrom<number[]>([], [], [], [Number.NaN], [Infinity], [-Infinity, Infinity]);

/** Lengths around a part, and several of them. */
const lengths = fc.constantFrom([CHUNK], [CHUNK + 1], [2, CHUNK], [3, 4099], [9001, 3], [40009]);

/**
 * A lane adds 64 values, then there are 64 lanes, the parts of a lane, and 64 lanes again: at most 200 roundings of 2^-24,
 * each of what has been added by then; a few more for products and for the share.
 */
const accumulations = fc
  .record({
    shape: fc.oneof({ weight: 3, arbitrary: shapes }, { weight: 1, arbitrary: lengths }),
    weighted: fc.option(fc.nat(4)),
    bool: fc.boolean(),
    factor: fc.constantFrom(1, 1, 32, 0.75),
    specials: SPECIALS,
    seed: fc.nat(),
  })
  .map(({ shape, weighted, bool, factor, specials, seed }): FuzzCase<AccumulateMeanAttrs> => {
    const next = uniforms(seed);
    const count = sizeOf(shape);
    const data = randoms(count, next, -2, 2);
    const inputs: HostTensor[] = [];
    if (bool) inputs.push({ shape, dtype: 'bool', data: Uint32Array.from(data, (v) => (v > 0 ? 1 : 0)) });
    else {
      plant(data, specials, next);
      inputs.push(floats(shape, data));
    }
    let weights = 1;
    if (weighted !== null) {
      const leading = shape.slice(0, weighted);
      const own = Float32Array.from({ length: sizeOf(leading) }, () => (next() < 0.2 ? 0 : 2 * next()));
      weights = 2;
      inputs.push(floats(leading, own));
    }
    const before = randoms(2, next, 0, 100);
    // No value exceeds 2 in size, and no weight `weights`: a bound for both sums.
    const bound = 100 + 2 * weights * factor * (shape[0] ?? 1);
    return {
      inputs,
      targets: [floats([2], before)],
      attrs: { dtype: 'float32', factor },
      abs: 200 * 2 ** -24 * bound,
      rel: 0,
    };
  });

/** A quotient is off by 2.5 ulp, a root by 4 more. */
const quotients = fc
  .record({
    root: fc.boolean(),
    total: fc.constantFrom(0, 1, 0.3, 7, 1e20, Number.NaN, Infinity),
    count: fc.constantFrom(0, 0.25, 1, 3, 16777216),
  })
  .map(({ root, total, count }) => ({
    inputs: [floats([2], Float32Array.of(total, count))],
    attrs: { root },
    abs: 0,
    rel: 6.5 * 2 ** -23,
  }));

const thresholds = fc
  .record({
    shape: shapes,
    kind: fc.constantFrom('float32', 'int32', 'bool'),
    threshold: fc.constantFrom(0.5, 0, 0.25),
    seed: fc.nat(),
  })
  .map(({ shape, kind, threshold, seed }) => {
    const next = uniforms(seed);
    const count = sizeOf(shape);
    const predicted = randoms(count, next, -0.5, 1.5);
    plant(predicted, [threshold, Number.NaN, Infinity, -Infinity, 0, -0], next);
    const wanted = Float32Array.from({ length: count }, () => (next() < 0.5 ? 0 : 1));
    // Halves, twos and NaN are hit by nothing; −0 is 0.
    if (kind === 'float32') plant(wanted, [0.5, 2, -0, Number.NaN], next);
    if (kind === 'int32') plant(wanted, [2, -1], next);
    const target: HostTensor =
      kind === 'float32'
        ? floats(shape, wanted)
        : kind === 'int32'
          ? { shape, dtype: 'int32', data: Int32Array.from(wanted) }
          : { shape, dtype: 'bool', data: Uint32Array.from(wanted) };
    return { inputs: [floats(shape, predicted), target], attrs: { threshold }, abs: 0, rel: 0 };
  });

/** Few different numbers, so that equals are common. */
const tops = fc
  .record({
    shape: shapes.filter((shape) => shape.length > 0),
    k: fc.constantFrom(1, 2, 5, 40),
    levels: fc.constantFrom(2, 7, 1000),
    stray: fc.boolean(),
    specials: SPECIALS,
    seed: fc.nat(),
  })
  .map(({ shape, k, levels, stray, specials, seed }) => {
    const next = uniforms(seed);
    const rows = shape.slice(0, -1);
    const classes = shape.at(-1) as number;
    const predicted = Float32Array.from({ length: sizeOf(shape) }, () => Math.floor(levels * next()) / 8);
    plant(predicted, specials, next);
    const labels = Int32Array.from({ length: sizeOf(rows) }, () => Math.floor(classes * next()));
    if (stray) plant(labels, [-1, classes, 2 ** 31 - 1], next);
    return {
      inputs: [floats(shape, predicted), { shape: rows, dtype: 'int32' as const, data: labels }],
      attrs: { k },
      abs: 0,
      rel: 0,
    };
  });

/**
 * Around a part and the room for parts (2^20 / classes²). Each cell adds its samples one after another, then its parts: a
 * rounding of 2^-24 for each, of what was added by then.
 */
const confusions = fc
  .record({
    shape: fc.oneof(
      { weight: 3, arbitrary: shapes },
      { weight: 1, arbitrary: fc.constantFrom([PART], [PART + 1], [2, PART], [3, 4099], [9001, 3]) },
    ),
    classes: fc.constantFrom(1, 2, 3, 10, 65, 400),
    weighted: fc.option(fc.nat(4)),
    bool: fc.boolean(),
    stray: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({ shape, classes, weighted, bool, stray, seed }): FuzzCase<ConfusionAttrs> => {
    const next = uniforms(seed);
    const count = sizeOf(shape);
    const labels = (): HostTensor => {
      if (bool && classes > 1) {
        const data = Uint32Array.from({ length: count }, () => (next() < 0.5 ? 0 : 1));
        return { shape, dtype: 'bool', data };
      }
      const data = Int32Array.from({ length: count }, () => Math.floor(classes * next()));
      if (stray) plant(data, [-1, classes, 2 ** 31 - 1, -(2 ** 31)], next);
      return { shape, dtype: 'int32', data };
    };
    const inputs = [labels(), labels()];
    if (weighted !== null) {
      const leading = shape.slice(0, weighted);
      inputs.push(floats(leading, randoms(sizeOf(leading), next, 0, 2)));
    }
    const before = randoms(classes ** 2, next, 0, 100);
    return {
      inputs,
      targets: [floats([classes, classes], before)],
      attrs: { classes, dtype: 'float32', checked: true },
      abs: (count + 32) * 2 ** -24 * (100 + 2 * count),
      rel: 0,
    };
  });

export const families = [
  family('confusion', confusionKernel, confusions),
  family('accumulateMean', accumulateMeanKernel, accumulations),
  family('meanOfSums', meanOfSumsKernel, quotients),
  family('thresholdHits', thresholdHitsKernel, thresholds),
  family('topHits', topHitsKernel, tops),
];
