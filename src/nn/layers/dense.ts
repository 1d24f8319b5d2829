/** The fully connected layer. */
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumbers } from '../../core/check.ts';
import { byteLength } from '../../core/dtype.ts';
import { concat } from '../../ops/join.ts';
import { matmul } from '../../ops/matmul.ts';
import { reshape } from '../../ops/shape.ts';
import { along } from '../../ops/slice.ts';
import type { Device } from '../../runtime/device.ts';
import type { CallContext } from '../call-context.ts';
import { weightDevice } from '../infer-shapes.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import type { Parameter } from '../parameter.ts';
import type { PartialShape } from '../partial-shape.ts';
import { type ActivationLike, type FusedActivation, fusedActivation } from './activation-option.ts';
import { checkCount, checkExtent, knownExtent, onlyInput, onlyShape } from './check.ts';
import { KERNEL_OPTIONS, type KernelOptions, type KernelSettings, kernelSettings } from './kernel-options.ts';

export interface DenseOptions extends LayerOptions, KernelOptions {
  /** The extent of the output's last axis. */
  units: number;
  /** Default: linear. */
  activation?: ActivationLike;
  /**
   * Cuts the kernel into so many parts of neighbouring units, `kernel_0`, `kernel_1` …, each of which is initialised by
   * itself. Default: as few as the device can bind, nearly always 1.
   */
  kernelParts?: number;
}

interface Weights {
  readonly features: number;
  /** Side by side along the units. */
  readonly kernels: readonly Parameter[];
  readonly bias: Parameter | null;
}

/**
 * activation(x · kernel + bias) for x (batch, …, in): kernel (in, units), bias (units,), the result (batch, …, units).
 *
 * A kernel of more bytes than the device binds at once, `device.maxBytes`, lies in several weights with a share of the units
 * each; the results are the same.
 *
 * @throws ArgumentError for units that are no whole number ≥ 1, more parts than units, and unknown names; ShapeError for an
 *   input whose last axis is not that of the first call.
 */
export class Dense extends Layer<DenseOptions> {
  readonly #settings: KernelSettings;
  readonly #activation: FusedActivation;
  /** Where the weights go. */
  #device: Device | null = null;
  #weights: Weights | null = null;

  constructor(options: DenseOptions) {
    super(options, 'dense', ['units', 'activation', 'kernelParts', ...KERNEL_OPTIONS]);
    const { units, activation, kernelParts } = this.options;
    checkCount('dense', 'units', units);
    checkNumbers('dense', { kernelParts }, { atLeast: 1, atMost: units, whole: true });
    this.#settings = kernelSettings('dense', this.options);
    this.#activation = fusedActivation('dense', activation);
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override ensureBuilt(inputShapes: readonly PartialShape[], device: Device): void {
    this.#device = weightDevice(device);
    super.ensureBuilt(inputShapes, device);
  }

  override build(inputShapes: readonly PartialShape[]): void {
    const { units } = this.options;
    const { kernel, bias } = this.#settings;
    const features = knownExtent(onlyShape(inputShapes), -1, 'last axis');
    const { kernelParts: count = this.#partsFor(features) } = this.options;
    const shares = Array.from(
      { length: count },
      (_, part) => Math.floor(((part + 1) * units) / count) - Math.floor((part * units) / count),
    );
    this.#weights = {
      features,
      kernels: shares.map((share, part) =>
        this.addWeight(count === 1 ? 'kernel' : `kernel_${part}`, [features, share], kernel),
      ),
      bias: bias && this.addWeight('bias', [units], bias),
    };
  }

  /** How many parts a kernel needs, so that each of them, and its gradient, is within what the device binds. */
  #partsFor(features: number): number {
    const { maxBytes, float } = this.#device as Device;
    const { units } = this.options;
    const most = Math.floor(maxBytes / byteLength(float, features));
    return Math.min(units, Math.ceil(units / Math.max(1, most)));
  }

  override call(inputs: readonly Tensor[], context: CallContext): Tensor {
    const x = onlyInput(inputs);
    checkExtent(x.shape, -1, (this.#weights as Weights).features, 'a last axis');
    const leading = x.shape.slice(0, -1);
    // As one product of matrices: a batched one would make a gradient of the kernel for each example first.
    const rows =
      leading.length === 1 ? x : reshape(x, [leading.reduce((a, b) => a * b, 1), x.shape.at(-1) as number]);
    const product = this.#product(rows);
    const y = this.#activation.after(
      leading.length === 1 ? product : reshape(product, [...leading, this.options.units]),
    );
    this.#settings.penalize(context, y);
    return y;
  }

  /** With bias and what of the activation the kernel applies. */
  #product(rows: Tensor): Tensor {
    const { kernels, bias } = this.#weights as Weights;
    const { fused } = this.#activation;
    const [only] = kernels;
    if (kernels.length === 1 && only)
      return matmul(rows, only.value, { ...(bias && { bias: bias.value }), activation: fused });
    return scope(() => {
      let from = 0;
      const parts = kernels.map(({ value }) => {
        const to = from + (value.shape[1] as number);
        const share = bias && { bias: along(bias.value, 0, from, to) };
        from = to;
        return matmul(rows, value, { ...share, activation: fused });
      });
      return concat(parts, 1);
    });
  }

  /** With the parts that the kernel lies in, so that the model is read with the same weights on every device. */
  override getConfig(): object {
    const kernelParts = this.#weights?.kernels.length ?? 1;
    return kernelParts > 1 ? { ...this.options, kernelParts } : this.options;
  }
}
