/** The fully connected layer. */
import type { Tensor } from '../../autograd/tensor.ts';
import { matmul } from '../../ops/matmul.ts';
import { reshape } from '../../ops/shape.ts';
import type { CallContext } from '../call-context.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import type { PartialShape } from '../partial-shape.ts';
import { type ActivationLike, type FusedActivation, fusedActivation } from './activation-option.ts';
import { checkCount, checkExtent, knownExtent, onlyInput, onlyShape } from './check.ts';
import {
  addKernelAndBias,
  KERNEL_OPTIONS,
  type KernelAndBias,
  type KernelOptions,
  type KernelSettings,
  kernelSettings,
} from './kernel-options.ts';

export interface DenseOptions extends LayerOptions, KernelOptions {
  /** The extent of the output's last axis. */
  units: number;
  /** Default: linear. */
  activation?: ActivationLike;
}

/**
 * activation(x · kernel + bias) for x (batch, …, in): kernel (in, units), bias (units,), the result (batch, …, units).
 *
 * @throws ArgumentError for units that are no whole number ≥ 1, and unknown names; ShapeError for an input whose last
 *   axis is not that of the first call.
 */
export class Dense extends Layer<DenseOptions> {
  readonly #settings: KernelSettings;
  readonly #activation: FusedActivation;
  #weights: KernelAndBias | null = null;

  constructor(options: DenseOptions) {
    super(options, 'dense', ['units', 'activation', ...KERNEL_OPTIONS]);
    checkCount('dense', 'units', this.options.units);
    this.#settings = kernelSettings('dense', this.options);
    this.#activation = fusedActivation('dense', this.options.activation);
  }

  override build(inputShapes: readonly PartialShape[]): void {
    const { units } = this.options;
    const features = knownExtent(onlyShape(inputShapes), -1, 'last axis');
    this.#weights = addKernelAndBias(this, this.#settings, [features, units], [units]);
  }

  override call(inputs: readonly Tensor[], context: CallContext): Tensor {
    const x = onlyInput(inputs);
    const { kernel, bias } = this.#weights as KernelAndBias;
    checkExtent(x.shape, -1, kernel.shape[0] as number, 'a last axis');
    const { fused, after } = this.#activation;
    const leading = x.shape.slice(0, -1);
    // As one product of matrices: a batched one would make a gradient of the kernel for each example first.
    const rows =
      leading.length === 1 ? x : reshape(x, [leading.reduce((a, b) => a * b, 1), x.shape.at(-1) as number]);
    const product = matmul(rows, kernel.value, { ...(bias && { bias: bias.value }), activation: fused });
    const y = after(leading.length === 1 ? product : reshape(product, [...leading, this.options.units]));
    this.#settings.penalize(context, y);
    return y;
  }
}
