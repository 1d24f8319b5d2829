/** Fuzz cases for the kernels behind the losses. */
import fc from 'fast-check';
import {
  type CrossEntropyAttrs,
  crossEntropyGradientKernel,
  crossEntropyKernel,
} from '../../kernels/cross-entropy.ts';
import {
  type BinaryCrossEntropyAttrs,
  binaryCrossEntropyGradientKernel,
  binaryCrossEntropyKernel,
} from '../../kernels/cross-entropy-binary.ts';
import { type CtcAttrs, ctcGradientKernel, ctcKernel } from '../../kernels/ctc.ts';
import type { HostTensor } from '../../kernels/kernel.ts';
import { type ProbabilityAttrs, probabilityKernel } from '../../kernels/probability.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';
import { runReference } from '../support/run-case.ts';
import { shapes } from './reduce.ts';

const float = (shape: readonly number[], data: Float32Array): HostTensor => ({
  shape,
  dtype: 'float32',
  data,
});

const randoms = (count: number, next: () => number, low: number, high: number): Float32Array =>
  Float32Array.from({ length: count }, () => low + (high - low) * next());

interface Drawn {
  readonly x: HostTensor;
  readonly wanted: HostTensor;
  readonly columns: readonly number[];
  readonly attrs: CrossEntropyAttrs;
  readonly next: () => number;
}

/** Class counts around the blocks of 16, and others. */
const crossEntropyShapes = fc.oneof(
  shapes.filter((shape) => shape.length > 0),
  fc
    .tuple(fc.integer({ min: 1, max: 40 }), fc.constantFrom(1, 3, 15, 16, 17, 67, 257, 1000))
    .map(([n, c]) => [n, c]),
);

const drawn: fc.Arbitrary<Drawn> = crossEntropyShapes
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.oneof(
        { weight: 2, arbitrary: fc.constant(shape.length - 1) },
        { weight: 1, arbitrary: fc.nat(shape.length - 1) },
      ),
      labels: fc.boolean(),
      smoothing: fc.constantFrom(0, 0, 0.1, 0.7),
      ignored: fc.constantFrom(undefined, -1, 0, 1),
      stray: fc.boolean(),
      spread: fc.constantFrom(0, 1, 10, 100, 1e4),
      shift: fc.constantFrom(0, 0, 3, -1e4, 1e4),
      order: fc.constantFrom('none', 'rising', 'falling'),
      specials: fc.constantFrom<number[]>(
        [],
        [],
        [],
        [-Infinity],
        [-Infinity, -Infinity],
        [Number.NaN],
        [Infinity],
      ),
      seed: fc.nat(),
    }),
  )
  .filter(({ shape, axis }) => shape[axis] !== 0)
  .map(({ shape, axis, labels, smoothing, ignored, stray, spread, shift, order, specials, seed }): Drawn => {
    const next = uniforms(seed);
    const size = sizeOf(shape);
    const data = randoms(size, next, shift - spread, shift + spread);
    // A maximum that keeps moving is what makes the sums be rescaled.
    if (order !== 'none') data.sort();
    if (order === 'falling') data.reverse();
    plant(data, specials, next);
    const columns = shape.filter((_, at) => at !== axis);
    const classes = shape[axis] as number;
    if (labels) {
      const list = Int32Array.from({ length: sizeOf(columns) }, () => Math.floor(next() * classes));
      if (stray) plant(list, [-1, classes, 2147483647, ...(ignored === undefined ? [] : [ignored])], next);
      const wanted: HostTensor = { shape: columns, dtype: 'int32', data: list };
      return {
        x: float(shape, data),
        wanted,
        columns,
        attrs: { axis, from: 'labels', ignored, checked: true },
        next,
      };
    }
    const targets = randoms(size, next, 0, 2 / classes);
    for (let at = 0; at < size; at++) if (next() < 0.3) targets[at] = 0;
    if (stray) plant(targets, [Number.NaN], next);
    return {
      x: float(shape, data),
      wanted: float(shape, targets),
      columns,
      attrs: { axis, from: 'targets', smoothing },
      next,
    };
  });

/**
 * The loss is a sum of y·(distance from the maximum) and log s: a few half-ulps of the largest term, which cancels
 * nothing as all are ≥ 0 where y is; log s is off by the error of its argument: 2e-6 absolute and 2e-6 relative. The
 * targets' sum is a sum of up to 1000 positive terms in blocks. stats[1] divides by s, whose rescaling adds some
 * half-ulps.
 */
const crossEntropyCase = drawn.map(
  ({ x, wanted, attrs }): FuzzCase<CrossEntropyAttrs> => ({
    inputs: [x, wanted],
    attrs,
    abs: 2e-6,
    rel: 2e-6,
  }),
);

/**
 * With d = x − m, the rounding of d costs |d| half-ulps of exp(d); above 1e-9 that is at most 20·6e-8, to which exp and
 * the products add a few half-ulps; the difference p − y adds an absolute 1e-7 times |g| ≤ 2.
 */
const gradientCase = drawn
  .filter(({ columns }) => columns.every((extent) => extent > 0))
  .map(({ x, wanted, columns, attrs, next }): FuzzCase<CrossEntropyAttrs> => {
    const stats = runReference('crossEntropy', crossEntropyKernel, [x, wanted], attrs)[1] as HostTensor;
    const g = randoms(sizeOf(columns), next, -2, 2);
    plant(g, [0], next);
    return {
      inputs: [x, wanted, float(stats.shape, Float32Array.from(stats.data)), float(columns, g)],
      attrs,
      abs: 1e-6,
      rel: 2e-6,
    };
  });

const binaryInputs = fc
  .record({
    shape: shapes,
    smoothing: fc.constantFrom(0, 0.1, 0.5),
    spread: fc.constantFrom(0, 1, 10, 100, 1e4),
    specials: fc.constantFrom<number[]>([], [], [Number.NaN], [Number.NaN, Infinity], [-Infinity]),
    hard: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({ shape, smoothing, spread, specials, hard, seed }) => {
    const next = uniforms(seed);
    const x = randoms(sizeOf(shape), next, -spread, spread);
    plant(x, specials, next);
    const wanted = randoms(x.length, next, 0, 1);
    if (hard) wanted.forEach((y, at) => void (wanted[at] = Math.round(y)));
    const g = randoms(x.length, next, -2, 2);
    plant(g, [0], next);
    return { inputs: [x, wanted, g].map((data) => float(shape, data)), attrs: { smoothing } };
  });

/** x·y is rounded once, and max(x, 0) − x·y cancels: two half-ulps of |x| ≤ 1e4; the last term is off by 3 ulp. */
const binaryCase = binaryInputs.map(({ inputs, attrs }): FuzzCase<BinaryCrossEntropyAttrs> => {
  const largest = Math.max(1, ...[...(inputs[0] as HostTensor).data].filter(Number.isFinite).map(Math.abs));
  return { inputs: inputs.slice(0, 2), attrs, abs: 1.5e-7 * largest, rel: 1e-6 };
});

/** Two ulp of σ and one rounding of the difference, times |g| ≤ 2. */
const binaryGradientCase = binaryInputs.map(
  ({ inputs, attrs }): FuzzCase<BinaryCrossEntropyAttrs> => ({ inputs, attrs, abs: 5e-7, rel: 1e-6 }),
);

/** Log-probabilities with labels of any lengths, repeated ones, and some that fit into no alignment. */
const ctcInputs = fc
  .record({
    batch: fc.integer({ min: 1, max: 9 }),
    steps: fc.constantFrom(1, 2, 5, 13, 31),
    classes: fc.constantFrom(1, 2, 3, 7, 40),
    width: fc.constantFrom(0, 1, 2, 5, 11),
    blank: fc.nat(39),
    forgive: fc.boolean(),
    spread: fc.constantFrom(0, 1, 5),
    specials: fc.constantFrom<number[]>([], [], [], [-Infinity], [Number.NaN]),
    seed: fc.nat(),
  })
  .map(({ batch, steps, classes, width, blank, forgive, spread, specials, seed }) => {
    const next = uniforms(seed);
    const lp = randoms(batch * steps * classes, next, -spread - 2, -0.5);
    plant(lp, specials, next);
    const own = blank % classes;
    // Few different labels, so that neighbours repeat.
    const labels = Int32Array.from({ length: batch * width }, () =>
      Math.floor(next() * Math.min(4, classes)),
    );
    const upTo = (limit: number): Int32Array =>
      Int32Array.from({ length: batch }, () => (next() < 0.4 ? limit : Math.floor(next() * (limit + 1))));
    const inputs: HostTensor[] = [
      float([batch, steps, classes], lp),
      { shape: [batch, width], dtype: 'int32', data: labels },
      { shape: [2, batch], dtype: 'int32', data: Int32Array.of(...upTo(steps), ...upTo(width)) },
    ];
    const attrs: CtcAttrs = { blank: own, forgive };
    const [losses, alpha] = runReference('ctc', ctcKernel, inputs, attrs) as [HostTensor, HostTensor];
    const finite = [...losses.data, ...alpha.data].filter(Number.isFinite).map(Math.abs);
    const largest = finite.reduce((a, b) => Math.max(a, b), 1);
    const g = randoms(batch, next, -2, 2);
    if (next() < 0.5) plant(g, [0], next);
    return { inputs, attrs, losses, alpha, steps, largest, g };
  });

/** Each step rounds a sum of at most `largest` (half an ulp) and adds the error of log and exp, some 2e-7. */
const ctcCase = ctcInputs.map(
  ({ inputs, attrs, steps, largest }): FuzzCase<CtcAttrs> => ({
    inputs,
    attrs,
    abs: (steps + 1) * (2e-7 + 6e-8 * largest),
    rel: 1e-7,
  }),
);

/** What alpha, beta and the loss are off by is the relative error of their exponential, a share ≤ 1 of |g| ≤ 2. */
const ctcGradientCase = ctcInputs.map(
  ({ inputs, attrs, losses, alpha, steps, largest, g }): FuzzCase<CtcAttrs> => {
    const [a, l] = [alpha, losses].map(({ shape, data }) => float(shape, Float32Array.from(data)));
    return {
      inputs: [...inputs, a as HostTensor, l as HostTensor, float(l?.shape as number[], g)],
      attrs,
      abs: 2 * (steps + 3) * (2e-7 + 6e-8 * largest),
      rel: 1e-6,
    };
  },
);

/**
 * Probabilities up to what rounding makes of 0 and 1, alone or with any totals; a value that is reported ends a run. The
 * quotient is off by 2.5 ulp, the bounds by half an ulp.
 */
const probabilityCase = fc
  .record({
    shape: shapes,
    axis: fc.nat(3),
    totals: fc.boolean(),
    bounds: fc.constantFrom([1e-7, 1 - 1e-7], [1e-7, 1], [0.25, 0.75]),
    specials: fc.constantFrom<number[]>([0, 1], [-5e-6, 1 + 5e-6, -0], [Number.NaN]),
    singular: fc.constantFrom<number[]>([], [], [0, Infinity], [Number.NaN]),
    seed: fc.nat(),
  })
  .map(({ shape, axis, totals, bounds, specials, singular, seed }): FuzzCase<ProbabilityAttrs> => {
    const next = uniforms(seed);
    const p = randoms(sizeOf(shape), next, 0, 1);
    plant(p, specials, next);
    const [low, high] = bounds as [number, number];
    const range = { of: 'p', lowest: 0, highest: 1, remedy: 'pass others' };
    const inputs = [float(shape, p)];
    const own = axis % Math.max(shape.length, 1);
    if (totals && shape.length > 0) {
      const sums = shape.map((extent, at) => (at === own ? 1 : extent));
      const total = randoms(sizeOf(sums), next, 0.25, 2);
      plant(total, singular, next);
      inputs.push(float(sums, total));
    }
    return { inputs, attrs: { low, high, range, axis: own }, abs: 0, rel: 4e-7 };
  });

export const families = [
  family('ctc', ctcKernel, ctcCase),
  family('ctcGradient', ctcGradientKernel, ctcGradientCase),
  family('crossEntropy', crossEntropyKernel, crossEntropyCase),
  family('crossEntropyGradient', crossEntropyGradientKernel, gradientCase),
  family('binaryCrossEntropy', binaryCrossEntropyKernel, binaryCase),
  family('binaryCrossEntropyGradient', binaryCrossEntropyGradientKernel, binaryGradientCase),
  family('probability', probabilityKernel, probabilityCase),
];
