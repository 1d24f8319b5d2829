/**
 * Noise that regularises. Each op draws its noise where it is used, from a counter-based generator: the same seed gives the
 * same mask on every device, and the gradient draws the mask again instead of keeping it.
 */
import { type DropoutAttrs, dropoutKernel } from '../../kernels/dropout.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { defaultGenerator, Generator } from '../core/generator.ts';
import { checkShape, formatShape, type Shape, sizeOf } from '../core/shape.ts';
import { SELU } from './activations.ts';
import { assertList, assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';

/** What all ops here take. */
export interface NoiseOptions {
  /** Whether to add noise at all; without it, x is handed on as a view. Default: true. */
  training?: boolean;
  /** The stream of random numbers, which advances. Default: the one that `setSeed` resets. */
  generator?: Generator;
  /** In place of a generator: the same noise at each call. */
  seed?: number;
}

export interface DropoutOptions extends NoiseOptions {
  /** The share of elements that is dropped, in [0, 1). */
  rate: number;
  /** One draw for each element of this shape, which broadcasts to x's; null stands for x's extent. Default: x's shape. */
  noiseShape?: readonly (number | null)[];
}

export type SpatialDropoutOptions = Omit<DropoutOptions, 'noiseShape'>;

export interface GaussianNoiseOptions extends NoiseOptions {
  /** The standard deviation of the noise, ≥ 0. */
  stddev: number;
}

const NOISE_OPTIONS = ['training', 'generator', 'seed'] as const;
const RATE_OPTIONS = [...NOISE_OPTIONS, 'rate'] as const;
const DROPOUT_OPTIONS = [...RATE_OPTIONS, 'noiseShape'] as const;

/** a x + b, or c where it is dropped; its gradient is a g, or 0, with the same mask. */
const noiseOp = (name: string): Op<DropoutAttrs> => {
  const op: Op<DropoutAttrs> = {
    name,
    forward: ([x], attrs) => runKernel1(name, dropoutKernel, [x as Tensor], attrs),
    backward: ({ grad, attrs }) => [
      () => (attrs.kind === 'add' ? grad : apply(op, [grad], { ...attrs, b: 0, c: 0 })),
    ],
  };
  return op;
};

const passOp: Op<string> = {
  name: 'dropout',
  forward: ([x], name) => (x as Tensor).view(name),
  backward: ({ grad }) => [() => grad],
};

function checkRate(op: string, rate: unknown): asserts rate is number {
  if (typeof rate === 'number' && rate >= 0 && rate < 1) return;
  const hint =
    typeof rate === 'number' && rate > 1 && rate < 100
      ? ` For ${rate} % write ${rate / 100}.`
      : rate === 1
        ? ' A rate of 1 would drop everything.'
        : '';
  throw new ArgumentError(
    `${op}: rate is ${describe(rate)}; it is the share of elements to drop, from 0 up to, but not including, 1.${hint}`,
  );
}

function checkNoiseOptions(op: string, { training, generator, seed }: NoiseOptions): void {
  if (training !== undefined && typeof training !== 'boolean')
    throw new ArgumentError(`${op}: training is ${describe(training)}; pass true or false.`);
  if (generator !== undefined && !(generator instanceof Generator))
    throw new ArgumentError(`${op}: generator is ${describe(generator)}; make one with new Generator(seed).`);
  if (seed === undefined) return;
  if (generator) throw new ArgumentError(`${op}: got a seed and a generator; leave one of them out.`);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ArgumentError(
      `${op}: seed is ${describe(seed)}; it must be a whole number from 0 to 2^53 - 1.`,
    );
}

/** Where the noise starts; reserves `count` draws of a generator. */
const streamOf = (
  { generator = defaultGenerator, seed }: NoiseOptions,
  count: number,
): { seed: number; counter: number } => (seed === undefined ? generator.take(count) : { seed, counter: 0 });

type Noise = Pick<DropoutAttrs, 'kind' | 'keep' | 'a' | 'b' | 'c'>;

/** The noise's shape, with x's extents in the place of null. */
function noiseShapeOf(op: string, x: Tensor, { noiseShape = x.shape }: DropoutOptions): Shape {
  assertList(op, 'shape', noiseShape);
  const shift = x.rank - noiseShape.length;
  if (shift < 0) {
    throw new ShapeError(
      `${op}: noiseShape has ${noiseShape.length} entries, x of shape ${formatShape(x.shape)} only ${x.rank} axes; give it at ` +
        `most as many.`,
    );
  }
  const shape = Array.from(noiseShape, (extent, axis) =>
    extent === null ? (x.shape[axis + shift] as number) : extent,
  );
  checkShape(op, shape);
  return shape;
}

/** x with noise, or x itself where there is nothing to add. What is wrong is refused in either case, and before a draw. */
function withNoise(
  op: Op<DropoutAttrs>,
  x: Tensor,
  options: NoiseOptions,
  noiseShape: Shape,
  noise: Noise,
  active: boolean,
): Tensor {
  x.assertAlive(op.name);
  checkNoiseOptions(op.name, options);
  dropoutKernel.infer(op.name, [x], { ...noise, seed: 0, counter: 0, noiseShape });
  if (!active || options.training === false) return apply(passOp, [x], op.name);
  return apply(op, [x], { ...noise, ...streamOf(options, sizeOf(noiseShape)), noiseShape });
}

const inverted = (rate: number): Noise => ({ kind: 'drop', keep: 1 - rate, a: 1 / (1 - rate), b: 0, c: 0 });

const dropoutOp = noiseOp('dropout');

/**
 * Zero with probability `rate`, else x / (1 − rate), so that the mean stays: inverted dropout (Srivastava et al., 2014).
 * The mask is `bernoulli(noiseShape, 1 − rate)` of the same generator. What is dropped is 0, even if it was NaN.
 *
 * ```ts
 * dropout(x, { rate: 0.5 });                                  // another mask at each call
 * dropout(x, { rate: 0.2, noiseShape: [null, 1, null] });  // one mask for all time steps
 * dropout(x, { rate: 0.5, training: false });                 // x
 * ```
 *
 * @throws ArgumentError for a rate outside of [0, 1); ShapeError when noiseShape does not broadcast to x's shape.
 */
export function dropout(x: Tensor, options: DropoutOptions): Tensor {
  assertTensor('dropout', x);
  checkOptions('dropout', options, DROPOUT_OPTIONS);
  const { rate } = options;
  checkRate('dropout', rate);
  const noiseShape = noiseShapeOf('dropout', x, options);
  return withNoise(dropoutOp, x, options, noiseShape, inverted(rate), rate > 0);
}

function spatialDropout(axes: 1 | 2 | 3): (x: Tensor, options: SpatialDropoutOptions) => Tensor {
  const op = noiseOp(`spatialDropout${axes}d`);
  const layout = ['batch', ...['depth', 'height', 'width'].slice(3 - axes), 'channels'];
  if (axes === 1) layout[1] = 'steps';
  return (x, options) => {
    assertTensor(op.name, x);
    checkOptions(op.name, options, RATE_OPTIONS);
    checkRate(op.name, options.rate);
    if (x.rank !== axes + 2) {
      throw new ShapeError(
        `${op.name}: takes (${layout.join(', ')}), got ${formatShape(x.shape)}; add or drop axes with expandDims or squeeze.`,
      );
    }
    const noiseShape = x.shape.map((extent, axis) => (axis === 0 || axis === axes + 1 ? extent : 1));
    return withNoise(op, x, options, noiseShape, inverted(options.rate), options.rate > 0);
  };
}

/**
 * `dropout` of whole channels of (batch, steps, channels), for neighbours that are too alike to be dropped one by one
 * (Tompson et al., 2015).
 *
 * @throws ShapeError unless x has rank 3; ArgumentError for a rate outside of [0, 1).
 */
export const spatialDropout1d = spatialDropout(1);

/**
 * `dropout` of whole channels of (batch, height, width, channels).
 *
 * @throws as `spatialDropout1d`; x has rank 4.
 */
export const spatialDropout2d = spatialDropout(2);

/**
 * `dropout` of whole channels of (batch, depth, height, width, channels).
 *
 * @throws as `spatialDropout1d`; x has rank 5.
 */
export const spatialDropout3d = spatialDropout(3);

const alphaDropoutOp = noiseOp('alphaDropout');

/**
 * Dropout for SELU: what is dropped becomes α′ = −scale · alpha, selu's lower limit, and a (·) + b with
 * a = (1 − rate)^(−1/2) (1 + rate α′²)^(−1/2), b = −a · rate · α′ brings mean 0 and variance 1 back (Klambauer et al., 2017).
 *
 * @throws as `dropout`.
 */
export function alphaDropout(x: Tensor, options: DropoutOptions): Tensor {
  assertTensor('alphaDropout', x);
  checkOptions('alphaDropout', options, DROPOUT_OPTIONS);
  const { rate } = options;
  checkRate('alphaDropout', rate);
  const noiseShape = noiseShapeOf('alphaDropout', x, options);
  const low = -SELU.scale * SELU.alpha;
  const a = 1 / Math.sqrt((1 - rate) * (1 + rate * low * low));
  const b = -a * rate * low;
  const noise: Noise = { kind: 'drop', keep: 1 - rate, a, b, c: a * low + b };
  return withNoise(alphaDropoutOp, x, options, noiseShape, noise, rate > 0);
}

const gaussianNoiseOp = noiseOp('gaussianNoise');

/**
 * x + stddev · z with standard normal numbers z; the gradient passes unchanged.
 *
 * @throws ArgumentError for a negative stddev.
 */
export function gaussianNoise(x: Tensor, options: GaussianNoiseOptions): Tensor {
  assertTensor('gaussianNoise', x);
  checkOptions('gaussianNoise', options, [...NOISE_OPTIONS, 'stddev']);
  const { stddev } = options;
  if (typeof stddev !== 'number' || !(stddev >= 0) || stddev === Infinity) {
    throw new ArgumentError(`gaussianNoise: stddev is ${describe(stddev)}; it must be a number ≥ 0.`);
  }
  const noise: Noise = { kind: 'add', keep: 1, a: stddev, b: 0, c: 0 };
  return withNoise(gaussianNoiseOp, x, options, x.shape, noise, stddev > 0);
}

const gaussianDropoutOp = noiseOp('gaussianDropout');

/**
 * x · (1 + σ z) with standard normal numbers z and σ = √(rate / (1 − rate)): the noise of dropout at that rate, but no
 * element is lost (Srivastava et al., 2014).
 *
 * @throws ArgumentError for a rate outside of [0, 1).
 */
export function gaussianDropout(x: Tensor, options: SpatialDropoutOptions): Tensor {
  assertTensor('gaussianDropout', x);
  checkOptions('gaussianDropout', options, RATE_OPTIONS);
  const { rate } = options;
  checkRate('gaussianDropout', rate);
  const noise: Noise = { kind: 'scale', keep: 1, a: Math.sqrt(rate / (1 - rate)), b: 0, c: 0 };
  return withNoise(gaussianDropoutOp, x, options, x.shape, noise, rate > 0);
}
