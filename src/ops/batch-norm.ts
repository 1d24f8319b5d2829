/** Batch normalisation. */
import { type MovingAttrs, movingStatisticsKernel, normalizeByKernel } from '../../kernels/normalize.ts';
import type { NormalizeAttrs } from '../../kernels/normalize-geometry.ts';
import { normalizeSumsKernel } from '../../kernels/normalize-gradient.ts';
import { copyOf } from '../autograd/engine-ops.ts';
import { isGradEnabled, noGrad } from '../autograd/modes.ts';
import { apply, type Op, runKernel, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { normalizeAxis, sizeOf } from '../core/shape.ts';
import { add, div, mul, sub } from './binary.ts';
import { assign } from './cast.ts';
import {
  affine,
  channelsLast,
  checkEpsilon,
  checkInput,
  checkVectors,
  normalize,
  normalizeOp,
  present,
  thunksOf,
} from './normalize.ts';
import { checkOptions } from './options.ts';
import { sum } from './reduce.ts';
import { reshape } from './shape.ts';
import { sqrt } from './unary.ts';

const batchOp = normalizeOp('batchNorm');

/** A copy, as the moving statistics may be overwritten before backward; not where gradients flow through them. */
const kept = (statistic: Tensor | undefined): Tensor | undefined =>
  statistic?.requiresGrad ? statistic : statistic && copyOf(statistic);

/** Runs `make` at the first call, and hands out the same result from then on. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/**
 * x, mean, variance, gamma?, beta? → y, by given statistics of each channel. With x̂ = (x − mean)/√(variance + ε) and
 * sums over all but the channels:
 *
 *   ∂x = g·gamma/√(variance + ε)    ∂mean = −gamma/√(variance + ε)·Σ g    ∂variance = −½·gamma/(variance + ε)·Σ g·x̂
 *   ∂gamma = Σ g·x̂                  ∂beta = Σ g
 */
const normalizeByOp: Op<NormalizeAttrs> = {
  name: 'batchNorm',
  forward: (inputs, attrs) => runKernel1('batchNorm', normalizeByKernel, inputs, attrs),
  saves(inputs, _outputs, needs, attrs) {
    const [x, mean, variance] = inputs;
    const [ofX, ofMean, ofVariance] = needs;
    const ofGamma = affine(needs, 3, attrs).gamma;
    const products = ofVariance || ofGamma;
    const slope = ofX || ofMean || ofVariance;
    return [
      products ? x : undefined,
      products ? kept(mean) : undefined,
      slope || ofGamma ? kept(variance) : undefined,
      slope ? affine(inputs, 3, attrs).gamma : undefined,
    ];
  },
  backward({ grad, saved, attrs }) {
    const [x, mean, variance, gamma] = saved as [Tensor, Tensor, Tensor, Tensor | undefined];
    const { groups, rows, epsilon } = attrs;
    const toChannels = (v: Tensor): Tensor => sum(reshape(v, [rows, groups]), { axis: 0 });
    const spread = once(() => add(variance, epsilon));
    const deviation = once(() => sqrt(spread()));
    const slope = once(() => div(gamma ?? 1, deviation()));
    const fused = !isGradEnabled() && grad.size > 0;
    const both = once(() =>
      runKernel('batchNorm backward', normalizeSumsKernel, [x, mean, variance, grad], {
        ...attrs,
        scaled: false,
        channels: false,
        given: true,
      }).map((total) => reshape(total, [groups])),
    );
    // x is there if somebody needs the products; then one pass makes both sums.
    const sums = once(() => (fused && x ? (both()[0] as Tensor) : toChannels(grad)));
    const products = once(() =>
      fused ? (both()[1] as Tensor) : div(toChannels(mul(grad, sub(x, mean))), deviation()),
    );
    const ofX = (): Tensor => {
      if (!fused) return mul(grad, slope());
      // Not centred, the kernel is the product with the slope; the mean's place is filled, but not read.
      const inputs = [grad, variance, variance, ...present(gamma)];
      const scaling = { ...attrs, centred: false, scaled: gamma !== undefined, shifted: false };
      return runKernel1('batchNorm backward', normalizeByKernel, inputs, scaling);
    };
    return thunksOf(
      [ofX, () => mul(mul(sums(), slope()), -1), () => mul(div(mul(products(), gamma ?? 1), spread()), -0.5)],
      attrs,
      products,
      sums,
    );
  },
};

export interface BatchNormOptions {
  /** (channels,); default: 1. */
  gamma?: Tensor | undefined;
  /** (channels,); default: 0. */
  beta?: Tensor | undefined;
  /** (channels,); overwritten in training where it is given, needed otherwise. */
  movingMean?: Tensor | undefined;
  /** (channels,); together with `movingMean`. */
  movingVariance?: Tensor | undefined;
  /** Normalise by the batch and update the moving statistics. Default: false. */
  training?: boolean;
  /** How much of the moving statistics stays at an update. Default: 0.99. */
  momentum?: number;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
  /** The axis of the channels. Default: −1. */
  axis?: number;
}

/**
 * Batch normalisation (Ioffe and Szegedy, 2015): (x − mean)/√(variance + epsilon)·gamma + beta for each channel of x,
 * (…, channels) by default.
 *
 * In training, mean and variance are those of the batch over all other axes, the variance the biased one (divided by n),
 * and `movingMean` and `movingVariance`, where given, are overwritten with moving·momentum + batch·(1 − momentum).
 * That is Keras 3: PyTorch's `momentum` is 1 − ours, and its moving variance takes the unbiased estimate (n − 1). Out of
 * training, mean and variance are the moving ones. In float32, |x − mean| must stay below some 1e19, as its square must
 * not overflow; beyond, the channel becomes NaN.
 *
 * @throws ShapeError for vectors that do not fit the channels; ArgumentError for moving statistics that are missing out of
 * training, a momentum outside of [0, 1], or an epsilon that is not above 0.
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): Tensor {
  checkOptions('batchNorm', options, [
    'gamma',
    'beta',
    'movingMean',
    'movingVariance',
    'training',
    'momentum',
    'epsilon',
    'axis',
  ]);
  checkInput('batchNorm', x);
  const {
    gamma,
    beta,
    movingMean,
    movingVariance,
    training = false,
    momentum = 0.99,
    epsilon = 1e-3,
    axis: named = -1,
  } = options;
  const axis = normalizeAxis('batchNorm', named, x.rank);
  const channels = x.shape[axis] as number;
  checkEpsilon('batchNorm', epsilon);
  if (!Number.isFinite(momentum) || momentum < 0 || momentum > 1) {
    throw new ArgumentError(
      `batchNorm: momentum ${describe(momentum)} is no number between 0 and 1; 0.99 is usual.`,
    );
  }
  checkVectors('batchNorm', x, [channels], { gamma, beta, movingMean, movingVariance });
  if (
    training ? (movingMean === undefined) !== (movingVariance === undefined) : !movingMean || !movingVariance
  ) {
    throw new ArgumentError(
      'batchNorm: movingMean and movingVariance go together, and out of training both are needed; pass both, or ' +
        'training: true to normalise by the batch itself.',
    );
  }
  const geometry = {
    samples: 1,
    rows: sizeOf(x.shape.filter((_, other) => other !== axis)),
    groups: channels,
    width: 1,
  };
  const attrs = { ...geometry, epsilon, centred: true };
  return scope(() =>
    channelsLast(x, axis, (input) => {
      if (!training) {
        return apply(normalizeByOp, [input, ...present(movingMean, movingVariance, gamma, beta)], {
          ...attrs,
          scaled: gamma !== undefined,
          shifted: beta !== undefined,
        });
      }
      const [y, centres, variance] = normalize(batchOp, input, { gamma, beta }, attrs);
      if (movingMean && movingVariance) {
        updateMoving([centres, variance], movingMean, movingVariance, { ...geometry, momentum });
      }
      return y;
    }),
  );
}

/** Overwrites the moving statistics, outside of the graph. */
const updateMoving = (batch: readonly Tensor[], mean: Tensor, variance: Tensor, attrs: MovingAttrs): void =>
  noGrad(() => {
    const inputs = [...batch, mean, variance];
    const [nextMean, nextVariance] = runKernel('batchNorm', movingStatisticsKernel, inputs, attrs);
    assign(mean, nextMean as Tensor);
    assign(variance, nextVariance as Tensor);
  });
