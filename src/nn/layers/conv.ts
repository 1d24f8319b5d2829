/** Convolutions over sequences, images and volumes. */
import type { Tensor } from '../../autograd/tensor.ts';
import { ArgumentError, ShapeError } from '../../core/errors.ts';
import { type ConvOptions, conv1d, conv2d, conv3d } from '../../ops/conv.ts';
import type { EpilogueOptions } from '../../ops/conv-core.ts';
import type { Parameter } from '../parameter.ts';
import { checkCount } from './check.ts';
import { CONV_OPTIONS, ConvBase, type ConvBaseOptions, gatheringRules, type Spatial } from './conv-base.ts';
import { KERNEL_OPTIONS, type KernelOptions } from './kernel-options.ts';

export interface ConvLayerOptions extends ConvBaseOptions, KernelOptions {
  /** How many channels the result has. */
  filters: number;
  /** Cuts the channels into so many groups, each of which sees only its own. Default: 1. */
  groups?: number;
}

const KNOWN = ['filters', 'groups', ...CONV_OPTIONS, ...KERNEL_OPTIONS] as const;

/** Refuses filters that the groups do not divide; tells the groups. */
export function checkFilters(op: string, { filters, groups = 1 }: ConvLayerOptions): number {
  checkCount(op, 'filters', filters);
  checkCount(op, 'groups', groups);
  if (filters % groups !== 0)
    throw new ArgumentError(`${op}: ${filters} filters in ${groups} groups; groups must divide filters.`);
  return groups;
}

/** @throws ShapeError unless the groups divide the channels. */
export function checkChannelGroups(channels: number, groups: number): void {
  if (channels % groups !== 0)
    throw new ShapeError(
      `the input has ${channels} channels, and groups is ${groups}, which must divide them.`,
    );
}

abstract class Conv extends ConvBase<ConvLayerOptions> {
  readonly #op: typeof conv1d;
  readonly #groups: number;

  constructor(options: ConvLayerOptions, type: string, spatial: Spatial, op: typeof conv1d) {
    super(options, type, { spatial, known: KNOWN, rules: gatheringRules(spatial) });
    this.#op = op;
    this.#groups = checkFilters(type, this.options);
  }

  protected override addKernels(channels: number): readonly Parameter[] {
    checkChannelGroups(channels, this.#groups);
    const shape = [...this.taps, channels / this.#groups, this.options.filters];
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
    const { strides, padding, dilationRate } = this.options;
    const options: ConvOptions = { strides, padding, dilationRate, groups: this.#groups, bias, activation };
    return this.#op(x, kernel, options);
  }
}

/**
 * activation(`conv1d`(x, kernel) + bias) for x (batch, steps, channels): kernel (kernelSize, channels / groups, filters), bias
 * (filters,), the result (batch, new steps, filters). `padding: 'causal'` lets no result see a later step. Keras's Conv1D; it
 * also takes strides and dilationRate above 1 together, and zeros by number.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank, or whose channels the groups do
 *   not divide or are not those of the first call, and for a filter larger than the padded input.
 */
export class Conv1d extends Conv {
  constructor(options: ConvLayerOptions) {
    super(options, 'conv1d', 1, conv1d);
  }
}

/**
 * `Conv1d` over two axes: x (batch, height, width, channels), kernel (height, width, channels / groups, filters). Keras's
 * Conv2D.
 */
export class Conv2d extends Conv {
  constructor(options: ConvLayerOptions) {
    super(options, 'conv2d', 2, conv2d);
  }
}

/**
 * `Conv1d` over three axes: x (batch, depth, height, width, channels), kernel (depth, height, width, channels / groups,
 * filters). Keras's Conv3D.
 */
export class Conv3d extends Conv {
  constructor(options: ConvLayerOptions) {
    super(options, 'conv3d', 3, conv3d);
  }
}
