/** Group and instance normalisation. */
import type { NormalizeAttrs } from '../../kernels/normalize-geometry.ts';
import type { Op } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape, normalizeAxis, sizeOf } from '../core/shape.ts';
import { channelsLast, checkEpsilon, checkInput, checkVectors, normalize, normalizeOp } from './normalize.ts';
import { checkOptions } from './options.ts';

const groupOp = normalizeOp('groupNorm');
const instanceOp = normalizeOp('instanceNorm');

export interface InstanceNormOptions {
  /** (channels,); default: 1. */
  gamma?: Tensor | undefined;
  /** (channels,); default: 0. */
  beta?: Tensor | undefined;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
  /** The axis of the channels. Default: −1. */
  axis?: number;
}

export interface GroupNormOptions extends InstanceNormOptions {
  /** How many groups of neighbouring channels; a divisor of the channels, or −1 for one to each. Default: 32. */
  groups?: number;
}

/** Each sample (axis 0) by itself, over its positions and over the channels of a group. */
function normalizeGroups(
  op: Op<NormalizeAttrs>,
  x: Tensor,
  wanted: number,
  options: InstanceNormOptions,
): Tensor {
  const { name } = op;
  const { gamma, beta, epsilon = 1e-3, axis: named = -1 } = options;
  checkInput(name, x);
  checkEpsilon(name, epsilon);
  const axis = normalizeAxis(name, named, x.rank);
  if (axis === 0) {
    throw new ShapeError(
      `${name}: shape ${formatShape(x.shape)} with its channels in axis ${axis} has no axis of samples; the first axis is ` +
        'that of the samples.',
    );
  }
  const channels = x.shape[axis] as number;
  const groups = wanted === -1 ? channels : wanted;
  if (!Number.isInteger(groups)) {
    throw new ArgumentError(
      `${name}: groups is ${describe(wanted)}; pass a whole number that divides the ${channels} channels, or −1 for one ` +
        'to each channel.',
    );
  }
  if ((channels > 0 && groups < 1) || channels % Math.max(1, groups) !== 0) {
    throw new ArgumentError(
      `${name}: ${wanted} groups do not divide the ${channels} channels of shape ${formatShape(x.shape)}; ` +
        'pass { groups } that does, or −1 for one to each channel.',
    );
  }
  checkVectors(name, x, [channels], { gamma, beta });
  const samples = x.shape[0] as number;
  const rows = sizeOf(x.shape.filter((_, other) => other !== 0 && other !== axis));
  const width = channels / Math.max(1, groups);
  if (rows * width === 1) {
    throw new ShapeError(
      `${name}: in shape ${formatShape(x.shape)} each group has one element, which always becomes 0 (or beta), with a ` +
        `gradient of 0. It needs positions, (samples, …, channels); ${
          name === 'groupNorm' ? 'pass fewer groups, or use layerNorm.' : 'use layerNorm.'
        }`,
    );
  }
  return scope(() =>
    channelsLast(
      x,
      axis,
      (input) =>
        normalize(op, input, { gamma, beta }, { samples, rows, groups, width, epsilon, centred: true })[0],
    ),
  );
}

/**
 * Group normalisation (Wu and He, 2018): (x − mean)/√(variance + epsilon)·gamma + beta, with the mean and the biased
 * variance over all positions of a sample and the channels of a group. x is (samples, …, channels).
 *
 * @throws ArgumentError for groups that do not divide the channels; ShapeError for groups of one element; else as
 * `batchNorm`.
 */
export function groupNorm(x: Tensor, options: GroupNormOptions = {}): Tensor {
  checkOptions('groupNorm', options, ['groups', 'gamma', 'beta', 'epsilon', 'axis']);
  const { groups = 32 } = options;
  return normalizeGroups(groupOp, x, groups, options);
}

/**
 * Instance normalisation (Ulyanov, Vedaldi and Lempitsky, 2016): every channel of every sample over its positions, which
 * is group normalisation with one group to each channel.
 *
 * @throws ShapeError for samples of one position, whose channels have no spread; else as `batchNorm`.
 */
export function instanceNorm(x: Tensor, options: InstanceNormOptions = {}): Tensor {
  checkOptions('instanceNorm', options, ['gamma', 'beta', 'epsilon', 'axis']);
  return normalizeGroups(instanceOp, x, -1, options);
}
