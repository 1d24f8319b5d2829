/** Initializers that keep the size of activations and gradients from layer to layer. */
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumber } from '../../core/check.ts';
import { type Shape, sizeOf } from '../../core/shape.ts';
import { checkOptions } from '../../ops/options.ts';
import { type RandomOptions, randomNormal, randomUniform, truncatedNormal } from '../../ops/random.ts';
import { checkChoice } from '../configurable.ts';
import { checkSeed, type Initializer, initializerOf, type SeedOptions } from './initializer.ts';

/** How many numbers feed one output of a weight, and how many outputs one input feeds. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/**
 * The fans of a weight: `(in, out)` for a matrix, `(…window, in, out)` for a filter, whose window counts for both; of a
 * vector its length is both, of a scalar 1. The last two axes are read in this order whatever the layer means by them.
 */
export function computeFans(shape: Shape): Fans {
  const last = shape.at(-1) ?? 1;
  const window = sizeOf(shape.slice(0, -2));
  return { fanIn: window * (shape.at(-2) ?? last), fanOut: window * last };
}

/** Which fan divides the variance. */
export type FanMode = 'fanIn' | 'fanOut' | 'fanAvg';

/** `truncatedNormal`, also called `normal`, is cut off at two standard deviations, and widened to have the same variance. */
export type ScaledDistribution = 'uniform' | 'truncatedNormal' | 'normal' | 'untruncatedNormal';

const MODES: readonly FanMode[] = ['fanIn', 'fanOut', 'fanAvg'];
const DISTRIBUTIONS: readonly ScaledDistribution[] = [
  'uniform',
  'truncatedNormal',
  'normal',
  'untruncatedNormal',
];

/** The standard deviation of a standard normal number cut off at ±2. */
const TRUNCATED_STDDEV = 0.87962566103423978;

interface Scaling {
  readonly scale: number;
  readonly mode: FanMode;
  readonly distribution: ScaledDistribution;
}

function fanOf(shape: Shape, mode: FanMode): number {
  const { fanIn, fanOut } = computeFans(shape);
  return mode === 'fanIn' ? fanIn : mode === 'fanOut' ? fanOut : (fanIn + fanOut) / 2;
}

/** Numbers of mean 0 and variance scale / max(1, fan). */
function draw(shape: Shape, { scale, mode, distribution }: Scaling, target: RandomOptions): Tensor {
  const variance = scale / Math.max(1, fanOf(shape, mode));
  const stddev = Math.sqrt(variance);
  switch (distribution) {
    case 'uniform': {
      const limit = Math.sqrt(3 * variance);
      return randomUniform(shape, -limit, limit, target);
    }
    case 'truncatedNormal':
    case 'normal':
      return truncatedNormal(shape, 0, stddev / TRUNCATED_STDDEV, target);
    case 'untruncatedNormal':
      return randomNormal(shape, 0, stddev, target);
  }
}

export interface VarianceScalingOptions extends SeedOptions {
  /** > 0. Default: 1. */
  scale?: number;
  /** Default: 'fanIn'. */
  mode?: FanMode;
  /** Default: 'truncatedNormal'. */
  distribution?: ScaledDistribution;
}

/**
 * Mean 0 and variance scale / fan, where the fan is that of the inputs, of the outputs, or the mean of both, and at least 1:
 * uniform in ±√(3 scale / fan), or normal.
 *
 * @throws ArgumentError unless scale > 0, and for a mode or a distribution that does not exist.
 */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  const op = 'varianceScaling';
  checkOptions(op, options, ['scale', 'mode', 'distribution', 'seed'], '');
  const { scale = 1, mode = 'fanIn', distribution = 'truncatedNormal', seed } = options;
  checkNumber(op, 'scale', scale, { above: 0 });
  checkChoice(op, 'mode', mode, MODES);
  checkChoice(op, 'distribution', distribution, DISTRIBUTIONS);
  checkSeed(op, options);
  const scaling: Scaling = { scale, mode, distribution };
  return initializerOf(op, { ...scaling, seed }, (shape, target) => draw(shape, scaling, target));
}

/** One of the named cases, which take a seed only. */
function scaled(
  name: string,
  scale: number,
  mode: FanMode,
  distribution: ScaledDistribution,
): (options?: SeedOptions) => Initializer {
  return (options = {}) => {
    checkOptions(name, options, ['seed'], '');
    checkSeed(name, options);
    return initializerOf(name, { seed: options.seed }, (shape, target) =>
      draw(shape, { scale, mode, distribution }, target),
    );
  };
}

/**
 * Uniform in ±√(6 / (fanIn + fanOut)), for tanh and sigmoid. Glorot and Bengio, "Understanding the difficulty of training
 * deep feedforward neural networks" (2010).
 */
export const glorotUniform = scaled('glorotUniform', 1, 'fanAvg', 'uniform');

/** Normal of variance 2 / (fanIn + fanOut), cut off at two standard deviations. Glorot and Bengio (2010). */
export const glorotNormal = scaled('glorotNormal', 1, 'fanAvg', 'truncatedNormal');

/** Uniform in ±√(6 / fanIn), for relu and its kin. He et al., "Delving Deep into Rectifiers" (2015). */
export const heUniform = scaled('heUniform', 2, 'fanIn', 'uniform');

/** Normal of variance 2 / fanIn, cut off at two standard deviations, for relu and its kin. He et al. (2015). */
export const heNormal = scaled('heNormal', 2, 'fanIn', 'truncatedNormal');

/** Uniform in ±√(3 / fanIn). LeCun et al., "Efficient BackProp" (1998). */
export const lecunUniform = scaled('lecunUniform', 1, 'fanIn', 'uniform');

/**
 * Normal of variance 1 / fanIn, cut off at two standard deviations, for selu. LeCun et al. (1998); Klambauer et al.,
 * "Self-Normalizing Neural Networks" (2017).
 */
export const lecunNormal = scaled('lecunNormal', 1, 'fanIn', 'truncatedNormal');
