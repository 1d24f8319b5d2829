/** Transposed convolutions, which make sequences, images and volumes larger. */
import type { Tensor } from '../../autograd/tensor.ts';
import type { EpilogueOptions } from '../../ops/conv-core.ts';
import { transposedGeometry } from '../../ops/conv-geometry.ts';
import {
  type ConvTransposeOptions,
  conv1dTranspose,
  conv2dTranspose,
  conv3dTranspose,
} from '../../ops/conv-transpose.ts';
import type { PerAxis } from '../../ops/window-geometry.ts';
import type { Parameter } from '../parameter.ts';
import { type ConvLayerOptions, checkChannelGroups, checkFilters } from './conv.ts';
import { CONV_OPTIONS, ConvBase, type Spatial } from './conv-base.ts';
import { KERNEL_OPTIONS } from './kernel-options.ts';

export interface ConvTransposeLayerOptions extends ConvLayerOptions {
  /** `'valid'`, `'same'`, or how many positions are cut from the edges of the result. Default: valid. */
  padding?: NonNullable<ConvTransposeOptions['padding']>;
  /**
   * How many positions the result has beyond (x − 1)·stride + span (minus the padding; for `'same'`, beyond
   * (x − 1)·stride + span mod 2); less than the stride. Default: what `padding` says for `'valid'` and `'same'`, else 0.
   */
  outputPadding?: PerAxis;
}

const KNOWN = ['filters', 'outputPadding', 'groups', ...CONV_OPTIONS, ...KERNEL_OPTIONS] as const;

abstract class ConvTranspose extends ConvBase<ConvTransposeLayerOptions> {
  readonly #op: typeof conv1dTranspose;
  readonly #groups: number;

  constructor(
    options: ConvTransposeLayerOptions,
    type: string,
    spatial: Spatial,
    op: typeof conv1dTranspose,
  ) {
    super(options, type, { spatial, known: KNOWN, rules: ['valid', 'same'] });
    const { strides, dilationRate, outputPadding } = this.options;
    // Judges outputPadding beside the strides, on the smallest image.
    transposedGeometry(type, new Array(spatial).fill(1), this.taps, { strides, dilationRate, outputPadding });
    this.#op = op;
    this.#groups = checkFilters(type, this.options);
  }

  protected override addKernels(channels: number): readonly Parameter[] {
    checkChannelGroups(channels, this.#groups);
    const shape = [...this.taps, this.options.filters / this.#groups, channels];
    return [this.addWeight('kernel', shape, this.settings.kernel)];
  }

  protected override channelsAfter(): number {
    return this.options.filters;
  }

  protected override convolve(
    x: Tensor,
    [kernel]: readonly [Tensor],
    { bias, activation }: EpilogueOptions,
  ): Tensor {
    const { strides, padding, outputPadding, dilationRate } = this.options;
    const moving = { strides, padding, outputPadding, dilationRate, groups: this.#groups };
    return this.#op(x, kernel, { ...moving, bias, activation });
  }
}

/**
 * activation(`conv1dTranspose`(x, kernel) + bias) for x (batch, steps, channels): kernel (kernelSize, filters / groups,
 * channels), bias (filters,), the result (batch, new steps, filters). There are steps·stride new steps for `'same'` and
 * (steps − 1)·stride + max(span, stride) for `'valid'`, where span = (kernelSize − 1)·dilationRate + 1. Keras's
 * Conv1DTranspose; groups are added.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank, or whose channels the groups do
 *   not divide or are not those of the first call, and where the padding leaves nothing.
 */
export class Conv1dTranspose extends ConvTranspose {
  constructor(options: ConvTransposeLayerOptions) {
    super(options, 'conv1dTranspose', 1, conv1dTranspose);
  }
}

/**
 * `Conv1dTranspose` over two axes: x (batch, height, width, channels), kernel (height, width, filters / groups, channels).
 * Keras's Conv2DTranspose.
 */
export class Conv2dTranspose extends ConvTranspose {
  constructor(options: ConvTransposeLayerOptions) {
    super(options, 'conv2dTranspose', 2, conv2dTranspose);
  }
}

/**
 * `Conv1dTranspose` over three axes: x (batch, depth, height, width, channels), kernel (depth, height, width, filters /
 * groups, channels). Keras's Conv3DTranspose.
 */
export class Conv3dTranspose extends ConvTranspose {
  constructor(options: ConvTransposeLayerOptions) {
    super(options, 'conv3dTranspose', 3, conv3dTranspose);
  }
}
