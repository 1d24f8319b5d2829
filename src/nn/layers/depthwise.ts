/** Convolutions of every channel on its own, alone and with a mixing of the channels behind it. */
import type { Tensor } from '../../autograd/tensor.ts';
import { depthwiseConv1d, depthwiseConv2d, separableConv1d, separableConv2d } from '../../ops/conv.ts';
import type { EpilogueOptions } from '../../ops/conv-core.ts';
import type { ConstraintLike } from '../constraints.ts';
import type { InitializerLike } from '../initializers/index.ts';
import type { Parameter } from '../parameter.ts';
import type { RegularizerLike } from '../regularizers.ts';
import { checkCount } from './check.ts';
import {
  BIAS_OPTIONS,
  CONV_OPTIONS,
  ConvBase,
  type ConvBaseOptions,
  gatheringRules,
  type Spatial,
} from './conv-base.ts';
import { settingsOf, type WeightSettings } from './kernel-options.ts';

export interface DepthwiseConvLayerOptions extends ConvBaseOptions {
  /** How many filters each channel has. Default: 1. */
  depthMultiplier?: number;
  /** Default: glorotUniform. */
  depthwiseInitializer?: InitializerLike;
  /** Default: none. */
  depthwiseRegularizer?: RegularizerLike | null;
  /** Default: none. */
  depthwiseConstraint?: ConstraintLike | null;
}

export interface SeparableConvLayerOptions extends DepthwiseConvLayerOptions {
  /** How many channels the result has. */
  filters: number;
  /** Default: glorotUniform. */
  pointwiseInitializer?: InitializerLike;
  /** Default: none. */
  pointwiseRegularizer?: RegularizerLike | null;
  /** Default: none. */
  pointwiseConstraint?: ConstraintLike | null;
}

const DEPTHWISE_OPTIONS = [
  'depthMultiplier',
  ...CONV_OPTIONS,
  'depthwiseInitializer',
  'depthwiseRegularizer',
  'depthwiseConstraint',
  ...BIAS_OPTIONS,
] as const;

const SEPARABLE_OPTIONS = [
  'filters',
  ...DEPTHWISE_OPTIONS,
  'pointwiseInitializer',
  'pointwiseRegularizer',
  'pointwiseConstraint',
] as const;

interface Depthwise {
  readonly multiplier: number;
  readonly kernel: WeightSettings;
}

/** What the options say about the depthwise kernel. */
function depthwiseOf(op: string, options: DepthwiseConvLayerOptions): Depthwise {
  const { depthMultiplier = 1, depthwiseInitializer = 'glorotUniform' } = options;
  checkCount(op, 'depthMultiplier', depthMultiplier);
  return {
    multiplier: depthMultiplier,
    kernel: settingsOf(depthwiseInitializer, options.depthwiseRegularizer, options.depthwiseConstraint),
  };
}

abstract class DepthwiseConv extends ConvBase<DepthwiseConvLayerOptions> {
  readonly #op: typeof depthwiseConv1d;
  readonly #depthwise: Depthwise;

  constructor(
    options: DepthwiseConvLayerOptions,
    type: string,
    spatial: Spatial,
    op: typeof depthwiseConv1d,
  ) {
    super(options, type, { spatial, known: DEPTHWISE_OPTIONS, rules: gatheringRules(spatial) });
    this.#op = op;
    this.#depthwise = depthwiseOf(type, this.options);
  }

  protected override addKernels(channels: number): readonly Parameter[] {
    const { multiplier, kernel } = this.#depthwise;
    return [this.addWeight('kernel', [...this.taps, channels, multiplier], kernel)];
  }

  protected override channelsAfter(channels: number): number {
    return channels * this.#depthwise.multiplier;
  }

  protected override convolve(x: Tensor, [kernel]: readonly [Tensor], epilogue: EpilogueOptions): Tensor {
    const { strides, padding, dilationRate } = this.options;
    return this.#op(x, kernel, { strides, padding, dilationRate, ...epilogue });
  }
}

abstract class SeparableConv extends ConvBase<SeparableConvLayerOptions> {
  readonly #op: typeof separableConv1d;
  readonly #depthwise: Depthwise;
  readonly #pointwise: WeightSettings;

  constructor(
    options: SeparableConvLayerOptions,
    type: string,
    spatial: Spatial,
    op: typeof separableConv1d,
  ) {
    super(options, type, { spatial, known: SEPARABLE_OPTIONS, rules: gatheringRules(spatial) });
    const { filters, pointwiseInitializer = 'glorotUniform' } = this.options;
    checkCount(type, 'filters', filters);
    this.#op = op;
    this.#depthwise = depthwiseOf(type, this.options);
    this.#pointwise = settingsOf(
      pointwiseInitializer,
      this.options.pointwiseRegularizer,
      this.options.pointwiseConstraint,
    );
  }

  protected override addKernels(channels: number): readonly Parameter[] {
    const { multiplier, kernel } = this.#depthwise;
    const ones = this.taps.map(() => 1);
    return [
      this.addWeight('depthwiseKernel', [...this.taps, channels, multiplier], kernel),
      this.addWeight(
        'pointwiseKernel',
        [...ones, channels * multiplier, this.options.filters],
        this.#pointwise,
      ),
    ];
  }

  protected override channelsAfter(): number {
    return this.options.filters;
  }

  protected override convolve(
    x: Tensor,
    [depthwise, pointwise]: readonly [Tensor, Tensor],
    epilogue: EpilogueOptions,
  ): Tensor {
    const { strides, padding, dilationRate } = this.options;
    return this.#op(x, depthwise, pointwise, { strides, padding, dilationRate, ...epilogue });
  }
}

/**
 * activation(`depthwiseConv1d`(x, kernel) + bias) for x (batch, steps, channels): kernel (kernelSize, channels,
 * depthMultiplier), bias (channels·depthMultiplier,), the result (batch, new steps, channels·depthMultiplier). Keras's
 * DepthwiseConv1D; it also takes `'causal'` padding, zeros by number, and strides and dilationRate above 1 together.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank, or whose channels are not those
 *   of the first call, and for a filter larger than the padded input.
 */
export class DepthwiseConv1d extends DepthwiseConv {
  constructor(options: DepthwiseConvLayerOptions) {
    super(options, 'depthwiseConv1d', 1, depthwiseConv1d);
  }
}

/**
 * `DepthwiseConv1d` over two axes: x (batch, height, width, channels), kernel (height, width, channels, depthMultiplier).
 * Keras's DepthwiseConv2D.
 */
export class DepthwiseConv2d extends DepthwiseConv {
  constructor(options: DepthwiseConvLayerOptions) {
    super(options, 'depthwiseConv2d', 2, depthwiseConv2d);
  }
}

/**
 * activation(`separableConv1d`(x, depthwiseKernel, pointwiseKernel) + bias) for x (batch, steps, channels): depthwiseKernel
 * (kernelSize, channels, depthMultiplier), pointwiseKernel (1, channels·depthMultiplier, filters), bias (filters,), the
 * result (batch, new steps, filters). Strides, padding and dilation are those of the depthwise part. Keras's
 * SeparableConv1D. Source: Chollet, "Xception", 2017.
 *
 * @throws as `DepthwiseConv1d`.
 */
export class SeparableConv1d extends SeparableConv {
  constructor(options: SeparableConvLayerOptions) {
    super(options, 'separableConv1d', 1, separableConv1d);
  }
}

/**
 * `SeparableConv1d` over two axes: x (batch, height, width, channels), depthwiseKernel (height, width, channels,
 * depthMultiplier), pointwiseKernel (1, 1, channels·depthMultiplier, filters). Keras's SeparableConv2D.
 */
export class SeparableConv2d extends SeparableConv {
  constructor(options: SeparableConvLayerOptions) {
    super(options, 'separableConv2d', 2, separableConv2d);
  }
}
