/** Convolutions over one, two or three spatial axes: plain, grouped, depthwise and separable. Channels come last. */
import { apply } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ShapeError } from '../core/errors.ts';
import { formatShape, type Shape } from '../core/shape.ts';
import {
  type ConvOps,
  convOps,
  type EpilogueOptions,
  epilogueOf,
  filterShapes,
  imageShapes,
  kernelGeometry,
  withBias,
} from './conv-core.ts';
import { checkFilterShape, checkGroups, checkInputRank, convGeometry } from './conv-geometry.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import type { ConvPadding, PerAxis } from './window-geometry.ts';

export interface DepthwiseConvOptions extends EpilogueOptions {
  /** How far neighbouring results lie apart in x: one number, or one for each spatial axis. Default: 1. */
  strides?: PerAxis | undefined;
  /** `'valid'`, `'same'`, for one axis `'causal'`, or how many zeros surround x. Default: valid. */
  padding?: ConvPadding | undefined;
  /** How far neighbouring taps lie apart in x; may go together with strides. Default: 1. */
  dilationRate?: PerAxis | undefined;
}

export interface ConvOptions extends DepthwiseConvOptions {
  /** Cuts the channels into so many groups, each of which sees only its own. Default: 1. */
  groups?: number | undefined;
}

export type SeparableConvOptions = DepthwiseConvOptions;

const DEPTHWISE_KEYS = ['strides', 'padding', 'dilationRate', 'bias', 'activation'] as const;
const KEYS = [...DEPTHWISE_KEYS, 'groups'] as const;

const opsFor = (name: string): ConvOps =>
  convOps({ conv: name, convInput: `${name}Input`, convFilter: `${name}Filter` });

/** Applies a filter whose last two axes mean `channels` to the kernels; everything but the geometry is checked. */
function convolve(
  ops: ConvOps,
  x: Tensor,
  filter: Tensor,
  channels: Shape,
  groups: number,
  options: DepthwiseConvOptions,
): Tensor {
  const { name } = ops.conv;
  const outChannels = channels[1] as number;
  const epilogue = epilogueOf(name, options, outChannels);
  const axes = convGeometry(name, x.shape.slice(1, -1), filter.shape.slice(0, -2), options);
  const y = [x.shape[0] as number, ...axes.map(({ output }) => output), outChannels];
  const connection = {
    geometry: kernelGeometry(axes, groups),
    x: imageShapes(x.shape),
    w: filterShapes(filter.shape, channels),
    y: imageShapes(y),
  };
  return apply(ops.conv, withBias(x, filter, options.bias), { connection, epilogue });
}

const lastOf = ({ shape }: Tensor): number => shape[shape.length - 1] as number;

function plainConv(name: string, spatial: number) {
  const ops = opsFor(name);
  return (x: Tensor, filter: Tensor, options: ConvOptions = {}): Tensor => {
    checkOptions(name, options, KEYS, 'x, filter');
    assertTensor(name, x);
    assertTensor(name, filter);
    const { groups = 1 } = options;
    checkInputRank(name, x.shape, spatial);
    checkFilterShape(name, 'filter', filter.shape, spatial, 'channels / groups, filters');
    const [perGroup, filters] = filter.shape.slice(-2) as [number, number];
    checkGroups(name, groups, lastOf(x), filters);
    if (perGroup * groups !== lastOf(x)) {
      const of = groups === 1 ? '' : ` in ${groups} groups`;
      throw new ShapeError(
        `${name}: x has shape ${formatShape(x.shape)}, ${lastOf(x)} channels${of}, and the filter has shape ` +
          `${formatShape(filter.shape)}; its last axis but one must be ${lastOf(x) / groups}.`,
      );
    }
    return convolve(ops, x, filter, filter.shape.slice(-2), groups, options);
  };
}

/**
 * y[n, o, f] = activation(Σ x[n, o·stride − before + t·dilation, c] · filter[t, c, f] + bias[f]), summed over the taps t
 * and the channels c: a cross-correlation, as everywhere in deep learning.
 *
 * x is (batch, steps, channels), filter (taps, channels / groups, filters), the result (batch, ⌊(padded − span) / stride⌋
 * + 1, filters) with span = (taps − 1)·dilationRate + 1. Names and defaults are Keras 3's; strides and dilationRate may
 * both be above 1, which Keras refuses. Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep
 * learning", 2016.
 *
 * @throws ShapeError when ranks, channels or the bias do not fit, and for a filter larger than the padded input;
 *   ArgumentError for options that are none.
 */
export const conv1d = plainConv('conv1d', 1);

/** `conv1d` over two axes: x (batch, height, width, channels), filter (height, width, channels / groups, filters). */
export const conv2d = plainConv('conv2d', 2);

/** `conv1d` over three axes: x (batch, depth, height, width, channels), filter (depth, height, width, channels / groups, filters). */
export const conv3d = plainConv('conv3d', 3);

/** Checks a depthwise filter (…k, channels, multiplier); tells the channels of the result. */
function checkDepthwise(name: string, x: Tensor, filter: Tensor, spatial: number): number {
  checkInputRank(name, x.shape, spatial);
  checkFilterShape(name, 'filter', filter.shape, spatial, 'channels, multiplier');
  const [channels, multiplier] = filter.shape.slice(-2) as [number, number];
  if (channels !== lastOf(x) || channels === 0) {
    throw new ShapeError(
      `${name}: x has shape ${formatShape(x.shape)}, the filter ${formatShape(filter.shape)}; the filter's last axis but one ` +
        'must be the number of channels of x, and that at least 1.',
    );
  }
  return channels * multiplier;
}

/** Every channel is a group of its own. In memory, (…k, channels, multiplier) is (…k, 1, channels · multiplier). */
const depthwise = (
  ops: ConvOps,
  x: Tensor,
  filter: Tensor,
  outChannels: number,
  options: DepthwiseConvOptions,
): Tensor => convolve(ops, x, filter, [1, outChannels], lastOf(x), options);

function depthwiseConv(name: string, spatial: number) {
  const ops = opsFor(name);
  return (x: Tensor, filter: Tensor, options: DepthwiseConvOptions = {}): Tensor => {
    checkOptions(name, options, DEPTHWISE_KEYS, 'x, filter');
    assertTensor(name, x);
    assertTensor(name, filter);
    return depthwise(ops, x, filter, checkDepthwise(name, x, filter, spatial), options);
  };
}

/**
 * Convolves every channel on its own, with `multiplier` filters each: y[n, o, c·multiplier + m] = activation(Σ x[n,
 * o·stride − before + t·dilation, c] · filter[t, c, m] + bias). x is (batch, steps, channels), filter (taps, channels,
 * multiplier). Options as for `conv1d`, without groups.
 *
 * @throws ShapeError when ranks, channels or the bias do not fit, and for a filter larger than the padded input;
 *   ArgumentError for options that are none.
 */
export const depthwiseConv1d = depthwiseConv('depthwiseConv1d', 1);

/** `depthwiseConv1d` over two axes: x (batch, height, width, channels), filter (height, width, channels, multiplier). */
export const depthwiseConv2d = depthwiseConv('depthwiseConv2d', 2);

function separableConv(name: string, spatial: number) {
  const ops = opsFor(name);
  return (
    x: Tensor,
    depthwiseFilter: Tensor,
    pointwiseFilter: Tensor,
    options: SeparableConvOptions = {},
  ): Tensor => {
    checkOptions(name, options, DEPTHWISE_KEYS, 'x, depthwiseFilter, pointwiseFilter');
    for (const input of [x, depthwiseFilter, pointwiseFilter]) assertTensor(name, input);
    const between = checkDepthwise(name, x, depthwiseFilter, spatial);
    checkFilterShape(
      name,
      'pointwise filter',
      pointwiseFilter.shape,
      spatial,
      'channels · multiplier, filters',
    );
    const expected = [...new Array(spatial).fill(1), between];
    if (expected.some((extent, axis) => extent !== pointwiseFilter.shape[axis])) {
      throw new ShapeError(
        `${name}: the pointwise filter has shape ${formatShape(pointwiseFilter.shape)}, the depthwise one ` +
          `${formatShape(depthwiseFilter.shape)}; the pointwise filter must be (${expected.join(', ')}, filters).`,
      );
    }
    const { bias, activation, ...moving } = options;
    epilogueOf(name, options, lastOf(pointwiseFilter)); // Before any work is done.
    return scope(() => {
      const spread = depthwise(ops, x, depthwiseFilter, between, moving);
      return convolve(ops, spread, pointwiseFilter, pointwiseFilter.shape.slice(-2), 1, { bias, activation });
    });
  };
}

/**
 * A depthwise convolution, then one with a single tap that mixes the channels: activation(conv1d(depthwiseConv1d(x,
 * depthwiseFilter), pointwiseFilter) + bias). x is (batch, steps, channels), depthwiseFilter (taps, channels, multiplier),
 * pointwiseFilter (1, channels · multiplier, filters). Strides, padding and dilation are those of the first one. Source:
 * Chollet, "Xception", 2017.
 *
 * @throws ShapeError when ranks, channels or the bias do not fit, and for a filter larger than the padded input;
 *   ArgumentError for options that are none.
 */
export const separableConv1d = separableConv('separableConv1d', 1);

/**
 * `separableConv1d` over two axes: x (batch, height, width, channels), depthwiseFilter (height, width, channels, multiplier),
 * pointwiseFilter (1, 1, channels · multiplier, filters).
 */
export const separableConv2d = separableConv('separableConv2d', 2);
