/** Fuzzed streams for kernels/optimizer.ts and kernels/optimizer-flat.ts. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import {
  BLOCK,
  type ClipKind,
  type OptimizerAttrs,
  optimizerKernel,
  type RuleName,
  type RuleNumbers,
  rules,
} from '../../kernels/optimizer.ts';
import { accumulateKernel, averageKernel, sumSquaresKernel } from '../../kernels/optimizer-flat.ts';
import { type FuzzCase, type FuzzFamily, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

const floats = (data: Float32Array, shape: readonly number[] = [data.length]): HostTensor => ({
  shape,
  dtype: 'float32',
  data,
});
const ints = (data: readonly number[]): HostTensor => ({
  shape: [data.length],
  dtype: 'int32',
  data: Int32Array.from(data),
});

/** The tables of a flat layout: how many blocks each segment has, and what happens to it. */
interface Layout {
  readonly count: number;
  readonly blocks: HostTensor;
  readonly segments: HostTensor;
  readonly starts: HostTensor;
}

const layouts: fc.Arbitrary<Layout> = fc
  .array(
    fc.record({
      blocks: fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.constantFrom(64, 65, 131)),
      rate: fc.constantFrom(1, 1, 0.5, 2),
      decay: fc.constantFrom(0, 1),
      active: fc.constantFrom(0, 1, 1, 1),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((list) => {
    const blocks = list.flatMap((segment, index) => new Array<number>(segment.blocks).fill(index));
    const starts = [0];
    for (const segment of list) starts.push((starts.at(-1) as number) + segment.blocks);
    const table = list.flatMap(({ rate, decay, active }) => [rate, decay, active]);
    return {
      count: BLOCK * blocks.length,
      blocks: ints(blocks),
      segments: floats(Float32Array.from(table), [list.length, 3]),
      starts: ints(starts),
    };
  });

/** Shares of running means, as the optimizers make them. */
const share = fc.constantFrom(0.5, 0.9, 0.95, 0.99, 0.999);

const numbersOf = fc
  .record({
    momentum: fc.constantFrom(0, 0.5, 0.9),
    first: share,
    second: share,
    epsilon: fc.constantFrom(1e-7, 1e-3),
    correction1: fc.constantFrom(1, 0.3, 3),
    correction2: fc.constantFrom(1, 2),
    direct: fc.constantFrom(0.1, 1),
    l1: fc.constantFrom(0, 0.1, 2),
    l2: fc.constantFrom(0, 0.1),
    shrinkage: fc.constantFrom(0, 0.1),
    power: fc.constantFrom(0.5, 0.5, 0, 0.25, 1),
    beta: fc.constantFrom(0, 1),
  })
  .map(
    ({ first, second, ...rest }): RuleNumbers => ({
      ...rest,
      keep1: first,
      fresh1: 1 - first,
      keep2: second,
      fresh2: 1 - second,
    }),
  );

/**
 * Numbers inside the domain of a rule: means of squares from 0.1 up, so that no quotient is large and roots are smooth;
 * a centered one stays above the square of its mean; lion's mean is far from where its sign turns.
 */
function cellsOf(rule: RuleName, count: number, next: () => number): Float32Array[] {
  const numbers = (low: number, high: number) =>
    Float32Array.from({ length: count }, () => low + (high - low) * next());
  const values = numbers(-2, 2);
  const squares = numbers(0.1, 2);
  const mean = numbers(-1, 1);
  switch (rule) {
    case 'sgd':
      return [values];
    case 'momentum':
    case 'nesterov':
      return [values, mean];
    case 'lion':
      return [values, Float32Array.from({ length: count }, () => (next() < 0.5 ? -1 : 1) * (1 + next()))];
    case 'rmspropCentered':
    case 'rmspropCenteredMomentum': {
      const above = squares.map((square, index) => square + (mean[index] as number) ** 2);
      return [values, above, mean, numbers(-1, 1)].slice(0, 1 + rules[rule].slots);
    }
    case 'rmsprop':
    case 'rmspropMomentum':
    case 'adagrad':
      return [values, squares, mean].slice(0, 1 + rules[rule].slots);
    case 'adadelta':
      return [values, squares, numbers(0.1, 2)];
    case 'ftrl':
      return [values, squares, mean];
    default:
      return [values, mean, squares, numbers(0.1, 2)].slice(0, 1 + rules[rule].slots);
  }
}

const clips = fc.constantFrom<ClipKind>('none', 'none', 'value', 'norm', 'global');

/**
 * Rates from 0.1 and gradients within ±0.4 keep every intermediate number below about 60 (ftrl divides by the rate, the
 * corrections multiply by 3): with a dozen roundings of 2^-24 each, 64 · 12 · 2^-24 = 5e-5 in all, and 1e-5 of the result
 * for the roots and powers in front of it.
 */
const steps = fc
  .record({
    layout: layouts,
    rule: fc.constantFrom(...(Object.keys(rules) as RuleName[])),
    numbers: numbersOf,
    rate: fc.constantFrom(0, 0.1, 0.5, 1),
    weightDecay: fc.constantFrom(0, 0.1),
    gradientScale: fc.constantFrom(1, 1, 0.5),
    clip: clips,
    bound: fc.constantFrom(0.01, 0.3, 1000),
    seed: fc.nat(),
    planted: fc.boolean(),
  })
  .map(({ layout, seed, planted, ...attrs }): FuzzCase<OptimizerAttrs> => {
    const next = uniforms(seed);
    const gradients = Float32Array.from({ length: layout.count }, () => 0.8 * next() - 0.4);
    if (planted && layout.count > 0) plant(gradients, [Number.NaN, Infinity, -Infinity, 0], next);
    const inputs = [floats(gradients), layout.blocks, layout.segments];
    const { clip } = attrs;
    if (clip === 'norm' || clip === 'global') {
      const norms = Float32Array.from({ length: layout.segments.shape[0] as number }, () => 4 * next());
      if (planted) plant(norms, [[Number.NaN, Infinity, 0][seed % 3] as number], next);
      inputs.push(floats(norms));
    }
    return {
      inputs,
      targets: cellsOf(attrs.rule, layout.count, next).map((data) => floats(data)),
      attrs,
      abs: 5e-5,
      rel: 1e-5,
    };
  });

/** All terms are positive: n roundings of 2^-24 at most, n the longest chain of additions. */
const sums = fc
  .record({ layout: layouts, whole: fc.boolean(), at: fc.nat(2), seed: fc.nat(), planted: fc.boolean() })
  .map(({ layout, whole, at, seed, planted }) => {
    const next = uniforms(seed);
    const gradients = Float32Array.from({ length: layout.count }, () => 2 * next() - 1);
    if (planted) plant(gradients, [[Number.NaN, Infinity][seed % 2] as number], next);
    const count = whole ? 3 : (layout.segments.shape[0] as number);
    return {
      inputs: [floats(gradients), layout.blocks, layout.segments, layout.starts],
      targets: [floats(Float32Array.from({ length: count }, next))],
      attrs: { sums: count, wholeAt: whole ? at : undefined },
      abs: 1e-30,
      rel: (16 + 3 + layout.count / (BLOCK * 64) + 64) * 2 ** -24,
    };
  });

/** One sum of numbers below 4, rounded once. */
const accumulations = fc
  .record({ layout: layouts, first: fc.boolean(), seed: fc.nat(), planted: fc.boolean() })
  .map(({ layout, first, seed, planted }) => {
    const next = uniforms(seed);
    const gradients = Float32Array.from({ length: layout.count }, () => 4 * next() - 2);
    const before = Float32Array.from({ length: layout.count }, () => 4 * next() - 2);
    if (planted) plant(gradients, [Number.NaN, Infinity, -Infinity], next);
    // Whatever stands there at first is not read.
    if (first) before.fill(Number.NaN);
    return {
      inputs: [floats(gradients), layout.blocks, layout.segments],
      targets: [floats(before)],
      attrs: { first },
      abs: 2 ** -22,
      rel: 0,
    };
  });

/** Two products of numbers below 2 and their sum. */
const averages = fc
  .record({
    count: fc.constantFrom(0, 1, 63, 64, 65, 5000),
    momentum: fc.constantFrom(0, 0.5, 0.99),
    seed: fc.nat(),
    planted: fc.boolean(),
  })
  .map(({ count, momentum, seed, planted }) => {
    const next = uniforms(seed);
    const values = Float32Array.from({ length: count }, () => 4 * next() - 2);
    const before = Float32Array.from({ length: count }, () => 4 * next() - 2);
    if (planted) plant(values, [Number.NaN, Infinity, -Infinity], next);
    return {
      inputs: [floats(values)],
      targets: [floats(before)],
      attrs: { momentum },
      abs: 4 * 2 ** -23,
      rel: 2 ** -23,
    };
  });

export const families: FuzzFamily<unknown>[] = [
  family('optimizer step', optimizerKernel, steps, 1000),
  family('sums of squares by segment', sumSquaresKernel, sums),
  family('accumulated gradients', accumulateKernel, accumulations),
  family('averages of values', averageKernel, averages),
];
