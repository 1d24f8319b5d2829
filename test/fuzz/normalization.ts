/** Fuzz cases for the normalisations, their gradients, and the local response normalisation. */
import fc from 'fast-check';
import type { HostTensor, Kernel } from '../../kernels/kernel.ts';
import {
  type LocalResponseAttrs,
  localResponseGradientKernel,
  localResponseKernel,
} from '../../kernels/local-response.ts';
import {
  type MovingAttrs,
  movingStatisticsKernel,
  normalizeByKernel,
  normalizeKernel,
} from '../../kernels/normalize.ts';
import type { NormalizeAttrs } from '../../kernels/normalize-geometry.ts';
import {
  type NormalizeSumsAttrs,
  normalizeGradientKernel,
  normalizeSumsKernel,
} from '../../kernels/normalize-gradient.ts';
import { hostArray } from '../../src/core/dtype.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

/** Extents of 1, primes, and sizes around quads, blocks of 8 and 32 rows, and parts. */
const extent = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 33, 64, 127);
const longExtent = fc.constantFrom(1, 7, 8, 9, 63, 65, 129, 257, 1031, 2503, 5003, 9001);

interface Geometry {
  readonly samples: number;
  readonly rows: number;
  readonly groups: number;
  readonly width: number;
}

const fits = ({ samples, rows, groups, width }: Geometry): boolean =>
  samples * rows * groups * width <= 40000;

const geometry: fc.Arbitrary<Geometry> = fc
  .oneof(
    fc.record({ samples: fc.constant(1), rows: longExtent, groups: extent, width: fc.constant(1) }), // batch
    fc.record({ samples: extent, rows: fc.constant(1), groups: fc.constant(1), width: longExtent }), // layer
    fc.record({ samples: longExtent, rows: fc.constant(1), groups: fc.constant(1), width: extent }),
    fc.record({ samples: extent, rows: extent, groups: extent, width: extent }), // group
    fc.record({ samples: extent, rows: extent, groups: extent, width: fc.constant(1) }), // instance
    fc.record({
      samples: fc.constantFrom(1, 3),
      rows: longExtent,
      groups: fc.constantFrom(1, 3),
      width: extent,
    }),
  )
  .filter(fits);

const specials: fc.Arbitrary<readonly number[]> = fc.oneof(
  { weight: 5, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.constantFrom([Number.NaN], [Infinity], [-Infinity], [Infinity, -Infinity]) },
);

interface Draw extends Geometry {
  readonly epsilon: number;
  readonly centred: boolean;
  readonly scaled: boolean;
  readonly shifted: boolean;
  readonly content: 'plain' | 'offset' | 'constant' | 'outlier';
  /** Of the outlier, which comes first or somewhere else. */
  readonly size: number;
  readonly first: boolean;
  readonly specials: readonly number[];
  readonly seed: number;
}

const draw: fc.Arbitrary<Draw> = geometry.chain((own) =>
  fc.record({
    samples: fc.constant(own.samples),
    rows: fc.constant(own.rows),
    groups: fc.constant(own.groups),
    width: fc.constant(own.width),
    epsilon: fc.constantFrom(1e-3, 1e-5, 0.1),
    centred: fc.constantFrom(true, true, true, false),
    scaled: fc.boolean(),
    shifted: fc.boolean(),
    content: fc.constantFrom('plain', 'plain', 'offset', 'constant', 'outlier'),
    size: fc.constantFrom(100, 1e3, 1e5),
    first: fc.boolean(),
    specials,
    seed: fc.nat(),
  }),
);

const host = (shape: Shape, fill: (index: number) => number): HostTensor => ({
  shape,
  dtype: 'float32',
  data: Float32Array.from({ length: sizeOf(shape) }, (_, index) => fill(index)),
});

const attrsOf = ({
  samples,
  rows,
  groups,
  width,
  epsilon,
  centred,
  scaled,
  shifted,
}: Draw): NormalizeAttrs => ({
  samples,
  rows,
  groups,
  width,
  epsilon,
  centred,
  scaled,
  shifted,
});

function inputOf(own: Draw, next: () => number): HostTensor {
  const { samples, rows, groups, width, content, size, first, specials } = own;
  const outlier = first ? 0 : Math.floor(next() * samples * rows * groups * width);
  const x = host([samples, rows, groups * width], (index) => {
    switch (content) {
      case 'plain':
        return 4 * next() - 1;
      case 'offset':
        return 1e4 + 3.4 * next() - 1.7; // a deviation of 1
      case 'constant':
        return 1e4 / 3;
      case 'outlier':
        return index === outlier ? size : next();
    }
  });
  plant(x.data, specials, next);
  return x;
}

const channelVector = (draw: Draw, next: () => number, low = -1.5, high = 1.5): HostTensor =>
  host([draw.groups * draw.width], () => low + (high - low) * next());

/** The outputs of a kernel's reference in float64, rounded to the float32 that a GPU would hand on. */
function computed<Attrs>(kernel: Kernel<Attrs>, inputs: readonly HostTensor[], attrs: Attrs): HostTensor[] {
  const outputs = kernel.infer('test', inputs, attrs).map(({ shape }) => ({
    shape,
    dtype: 'float64' as const,
    data: hostArray('float64', sizeOf(shape)),
  }));
  kernel.reference(inputs, outputs, attrs);
  return outputs.map(({ shape, data }) => ({ shape, dtype: 'float32', data: Float32Array.from(data) }));
}

/**
 * Half an ulp of an intermediate is 6e-8 of it. x − anchor is exact near a mean of 1e4, and rounded to 6e-8 of the
 * distance otherwise; the mean of the distances carries a few of these roundings, and as the anchor is never an outlier
 * but in groups of a few elements (whose deviation is a good part of the outlier), |x − anchor| stays below some ten
 * deviations: 2e-6 of a deviation covers it; the y of an outlier are at most √n. Variances: the blocks' own deviations, joined in a chain of at most 1031/8 steps: 4e-6.
 * Not centred at a mean of 1e4, variances are 1e8: only `rel` counts.
 */
const forwardCase = draw.map((own): FuzzCase<NormalizeAttrs> => {
  const next = uniforms(own.seed);
  const attrs = attrsOf(own);
  const inputs = [inputOf(own, next)];
  if (own.scaled) inputs.push(channelVector(own, next));
  if (own.shifted) inputs.push(channelVector(own, next));
  return { inputs, attrs, abs: 1e-5, rel: 4e-6 };
});

const flatten = (own: Draw): Draw => ({
  ...own,
  rows: own.rows * own.samples,
  samples: 1,
  groups: own.groups * own.width,
  width: 1,
});

/** A mean and a variance for each channel. */
function givenStatistics(flat: Draw, next: () => number): HostTensor[] {
  const mean = flat.content === 'offset' ? 1e4 : 0.5;
  return [channelVector(flat, next, mean - 0.5, mean + 0.5), channelVector(flat, next, 0, 2)];
}

const byCase = draw.map((own): FuzzCase<NormalizeAttrs> => {
  const flat = flatten(own);
  const attrs = attrsOf(flat);
  const next = uniforms(own.seed);
  const inputs = [inputOf(flat, next), ...givenStatistics(flat, next)];
  if (own.scaled) inputs.push(channelVector(flat, next));
  if (own.shifted) inputs.push(channelVector(flat, next));
  // One subtraction, a root, a division and two products: some half-ulps of y, and of what beta cancels.
  return { inputs, attrs, abs: 2e-6, rel: 1e-6 };
});

const movingCase = draw.map((own): FuzzCase<MovingAttrs> => {
  const flat = flatten(own);
  const next = uniforms(own.seed);
  const row = (shape: Shape, low: number, high: number): HostTensor =>
    host(shape, () => low + (high - low) * next());
  const { samples, rows, groups, width } = flat;
  const inputs = [
    row([2, 1, groups], -1, 1),
    row([1, groups], 0, 2),
    channelVector(flat, next),
    channelVector(flat, next, 0, 2),
  ];
  const attrs = { samples, rows, groups, width, momentum: own.scaled ? 0.99 : 0.9 };
  // Three roundings of sums of terms with both signs.
  return { inputs, attrs, abs: 1e-6, rel: 1e-6 };
});

/** What backward gets: x, its statistics, and the gradient of y. */
function gradientInputs(own: Draw, attrs: NormalizeAttrs, next: () => number): HostTensor[] {
  const x = inputOf(own, next);
  const [, centres, variance] = computed(normalizeKernel, [x], { ...attrs, scaled: false, shifted: false });
  const g = host(x.shape, () => 2 * next() - 1);
  return [x, centres as HostTensor, variance as HostTensor, g];
}

/**
 * The sums are Σ of numbers of about 1 with both signs, in blocks of 32: some 1e-6 of Σ|g·x̂| ≤ n √(Σ x̂²/n) ≤ n, where
 * x̂ itself is known to 2e-6. Not centred and at 1e4, x̂ is 1, too.
 */
const sumsCase = fc.tuple(draw, fc.boolean()).map(([own, channels]): FuzzCase<NormalizeSumsAttrs> => {
  const next = uniforms(own.seed);
  const attrs = { ...attrsOf(own), channels };
  const inputs = gradientInputs(own, attrs, next);
  if (own.scaled) inputs.push(channelVector(own, next));
  const longest = Math.max(own.rows * own.width, channels ? own.samples * own.rows : 0);
  return { inputs, attrs, abs: 2e-6 + 1e-6 * longest, rel: 2e-6 };
});

/** The same by given statistics, where x̂ is what it is: its Σ|g·x̂| counts. */
const givenSumsCase = draw.map((own): FuzzCase<NormalizeSumsAttrs> => {
  const flat = flatten(own);
  const next = uniforms(own.seed);
  const attrs = { ...attrsOf(flat), scaled: false, channels: false, given: true };
  const x = inputOf(flat, next);
  const g = host(x.shape, () => 2 * next() - 1);
  const inputs = [x, ...givenStatistics(flat, next), g];
  const [mean, variance] = [inputs[1] as HostTensor, inputs[2] as HostTensor];
  const magnitudes = new Float64Array(flat.groups);
  x.data.forEach((v, index) => {
    const c = index % flat.groups;
    const centred = (v as number) - (attrs.centred ? (mean.data[c] as number) : 0);
    const standard = centred / Math.sqrt((variance.data[c] as number) + attrs.epsilon);
    if (Number.isFinite(v)) magnitudes[c] = (magnitudes[c] as number) + 1 + Math.abs(standard);
  });
  return { inputs, attrs, abs: 1e-6 * Math.max(...magnitudes), rel: 2e-6 };
});

/** ∂x is 1/√(variance + ε) ≤ 1/√ε times a sum of terms of about 1, each known to 4e-6 (x̂, and the means). */
const gradientCase = draw.map((own): FuzzCase<NormalizeAttrs> => {
  const next = uniforms(own.seed);
  const attrs = attrsOf(own);
  const inputs = gradientInputs(own, attrs, next);
  const gamma = own.scaled ? [channelVector(own, next)] : [];
  const sums = computed(normalizeSumsKernel, [...inputs, ...gamma], { ...attrs, channels: false });
  const steepest = own.content === 'constant' && own.centred ? 1 / Math.sqrt(own.epsilon) : 4;
  return { inputs: [...inputs, ...sums, ...gamma], attrs, abs: 4e-6 * steepest, rel: 4e-6 };
});

const responseDraw = fc
  .record({
    rows: fc.constantFrom(1, 2, 3, 5, 8, 33, 257, 1031),
    channels: fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 31, 64, 65, 128),
    depthRadius: fc.constantFrom(0, 1, 2, 3, 5, 7, 130),
    bias: fc.constantFrom(1, 2, 0.5),
    alpha: fc.constantFrom(1, 1e-4, 0.3),
    beta: fc.constantFrom(0.5, 0.75, 1, 0.6, -0.5, 2.3),
    spread: fc.constantFrom(1, 1, 100),
    specials,
    seed: fc.nat(),
  })
  .filter(({ rows, channels, depthRadius }) => rows * channels * Math.min(channels, depthRadius) <= 1e6)
  .filter(({ rows, channels }) => rows * channels <= 40000)
  .map(({ rows, channels, depthRadius, bias, alpha, beta, spread, specials, seed }) => {
    const next = uniforms(seed);
    const x = host([rows, channels], () => spread * (2 * next() - 1));
    plant(x.data, specials, next);
    const attrs: LocalResponseAttrs = { channels, depthRadius, bias, alpha, beta };
    return { x, attrs, next, spread };
  });

/** A sum of squares, without cancellation, in blocks of a window: n·6e-8 at most, and 2 ulp of the power: 3e-6. */
const responseCase = responseDraw.map(
  ({ x, attrs }): FuzzCase<LocalResponseAttrs> => ({ inputs: [x], attrs, abs: 1e-7, rel: 1e-5 }),
);

/**
 * ∂x is a difference of g·s^−β and of 2αβ·x·Σ g·x·s^(−β−1), where |g| ≤ 1 and α·Σ|x·x| ≤ s: the second is at most
 * 2β·s^−β·√n times that of the first, and each is known to 1e-5; s^−β is at most 2 (a bias of ½), s^½ up to spread·√n.
 */
const responseGradientCase = responseDraw.map(({ x, attrs, next, spread }): FuzzCase<LocalResponseAttrs> => {
  const [, scale] = computed(localResponseKernel, [x], attrs) as [HostTensor, HostTensor];
  const g = host(x.shape, () => 2 * next() - 1);
  const largest = attrs.beta < 0 ? spread * 12 : 4;
  return { inputs: [x, scale, g], attrs, abs: 1e-6 * largest, rel: 1e-5 };
});

export const families = [
  family('normalize', normalizeKernel, forwardCase),
  family('normalize by given statistics', normalizeByKernel, byCase),
  family('moving statistics', movingStatisticsKernel, movingCase),
  family('sums of a normalisation', normalizeSumsKernel, sumsCase),
  family('sums by given statistics', normalizeSumsKernel, givenSumsCase),
  family('gradient of a normalisation', normalizeGradientKernel, gradientCase),
  family('local response', localResponseKernel, responseCase),
  family('gradient of local response', localResponseGradientKernel, responseGradientCase),
];
