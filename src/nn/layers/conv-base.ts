/** What layers on sequences and images share: their one input, and all of a convolution but the filter. */
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import type { Shape } from '../../core/shape.ts';
import type { EpilogueOptions } from '../../ops/conv-core.ts';
import { convGeometry } from '../../ops/conv-geometry.ts';
import { axisNames, type ConvPadding, type PerAxis, paddingOf, perAxis } from '../../ops/window-geometry.ts';
import type { CallContext } from '../call-context.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import type { Parameter } from '../parameter.ts';
import type { PartialShape } from '../partial-shape.ts';
import { type ActivationLike, type FusedActivation, fusedActivation } from './activation-option.ts';
import { checkExtent, checkRank, knownExtent, onlyShape } from './check.ts';
import { type KernelOptions, type KernelSettings, kernelSettings } from './kernel-options.ts';

/** How many axes lie between the batch and the channels. */
export type Spatial = 1 | 2 | 3;

const layoutOf = (spatial: Spatial): string =>
  `one input (batch, ${axisNames(spatial).join(', ')}, channels)`;

/** The only input of a call, (batch, …spatial, channels). */
export function imageOf(inputs: readonly Tensor[], spatial: Spatial): Tensor {
  checkRank(onlyShape(inputs.map(({ shape }) => shape)), spatial + 2, layoutOf(spatial));
  return inputs[0] as Tensor;
}

/** The options of layers whose kernel goes by another name. */
export type BiasOptions = Omit<KernelOptions, 'kernelInitializer' | 'kernelRegularizer' | 'kernelConstraint'>;

export const BIAS_OPTIONS = [
  'useBias',
  'biasInitializer',
  'biasRegularizer',
  'biasConstraint',
  'activityRegularizer',
] as const satisfies readonly (keyof BiasOptions)[];

export interface ConvBaseOptions extends LayerOptions, BiasOptions {
  /** Extents of the filter: one number for all spatial axes, or one for each. */
  kernelSize: PerAxis;
  /** How far neighbouring positions lie apart: one number, or one for each spatial axis. Default: 1. */
  strides?: PerAxis;
  /** `'valid'`, `'same'`, or how many zeros surround the input. Default: valid. */
  padding?: ConvPadding;
  /** How far neighbouring taps of the filter lie apart. Default: 1. */
  dilationRate?: PerAxis;
  /** Default: linear. */
  activation?: ActivationLike;
}

export const CONV_OPTIONS = [
  'kernelSize',
  'strides',
  'padding',
  'dilationRate',
  'activation',
] as const satisfies readonly (keyof ConvBaseOptions)[];

/** What a family of convolutions has in common. */
export interface ConvFamily<Options> {
  readonly spatial: Spatial;
  /** The options, besides name and trainable. */
  readonly known: readonly (keyof Options & string)[];
  readonly rules: readonly ('valid' | 'same' | 'causal')[];
}

/** The paddings with a name of convolutions that gather. */
export const gatheringRules = (spatial: Spatial): readonly ('valid' | 'same' | 'causal')[] =>
  spatial === 1 ? ['valid', 'same', 'causal'] : ['valid', 'same'];

interface Weights {
  readonly channels: number;
  readonly kernels: readonly Parameter[];
  readonly bias: Parameter | null;
}

/** activation(convolution of x and the kernels + bias); which convolution is up to the subclasses. */
export abstract class ConvBase<Options extends ConvBaseOptions> extends Layer<Options> {
  readonly #spatial: Spatial;
  readonly #activation: FusedActivation;
  protected readonly settings: KernelSettings;
  /** The extents of the filter. */
  protected readonly taps: Shape;
  #weights: Weights | null = null;

  constructor(options: Options, type: string, { spatial, known, rules }: ConvFamily<Options>) {
    super(options, type, known);
    const given = this.options as Readonly<ConvBaseOptions>;
    const { kernelSize, strides, padding = 'valid', dilationRate, activation } = given;
    this.#spatial = spatial;
    this.taps = perAxis(type, 'kernelSize', kernelSize, 1, spatial);
    paddingOf(type, padding, rules, spatial);
    // Strides and dilation are judged on the smallest image; 'same' fits any filter.
    convGeometry(type, new Array(spatial).fill(1), this.taps, { strides, dilationRate, padding: 'same' });
    // With those of `kernel`, where the subclass knows such options.
    this.settings = kernelSettings(type, given);
    this.#activation = fusedActivation(type, activation);
  }

  /** Adds the kernels for an input of so many channels. */
  protected abstract addKernels(channels: number): readonly Parameter[];

  /** How many channels the result has. */
  protected abstract channelsAfter(channels: number): number;

  protected abstract convolve(x: Tensor, kernels: readonly Tensor[], epilogue: EpilogueOptions): Tensor;

  override build(inputShapes: readonly PartialShape[]): void {
    const shape = onlyShape(inputShapes);
    checkRank(shape, this.#spatial + 2, layoutOf(this.#spatial));
    const channels = knownExtent(shape, -1, 'number of channels');
    const kernels = this.addKernels(channels);
    const { bias } = this.settings;
    this.#weights = {
      channels,
      kernels,
      bias: bias && this.addWeight('bias', [this.channelsAfter(channels)], bias),
    };
  }

  override call(inputs: readonly Tensor[], context: CallContext): Tensor {
    const { channels, kernels, bias } = this.#weights as Weights;
    const x = imageOf(inputs, this.#spatial);
    checkExtent(x.shape, -1, channels, 'a last axis (channels)');
    const { fused, after } = this.#activation;
    const values = kernels.map(({ value }) => value);
    const y = scope(() => after(this.convolve(x, values, { bias: bias?.value, activation: fused })));
    this.settings.penalize(context, y);
    return y;
  }
}
