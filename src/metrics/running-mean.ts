/** Sums on the device, from which a mean is made when somebody asks for it. */
import { fillKernel } from '../../kernels/fill.ts';
import { accumulateMeanKernel, meanOfSumsKernel } from '../../kernels/metric-mean.ts';
import { runKernel1 } from '../autograd/op.ts';
import { keep } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, DeviceMismatchError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { assertTensor } from '../ops/operand.ts';
import { defaultDevice } from '../runtime/default-device.ts';
import type { Device, Operand } from '../runtime/device.ts';

/** A weighted mean whose two sums, Σ w·v and Σ w, lie in one tensor of the device of the first values. */
export class RunningMean {
  readonly name: string;
  readonly #root: boolean;
  #sums: Tensor | null = null;

  constructor(name: string, root = false) {
    this.name = name;
    this.#root = root;
  }

  /**
   * Adds values `(rows, …)` with weights for their leading axes, in one dispatch for up to 4096 values and two for more.
   *
   * @param factor Multiplies all weights.
   */
  protected accumulate(values: Tensor, weights?: Tensor, factor = 1): void {
    const { device } = values;
    if (this.#sums && this.#sums.device !== device) {
      throw new DeviceMismatchError(
        `${this.name}: its sums live on ${this.#sums.device.description}, the new values on ${device.description}; ` +
          `dispose() it to start anew there.`,
      );
    }
    const inputs = weights ? [values, weights] : [values];
    const attrs = { dtype: device.float, factor };
    device.run(this.name, accumulateMeanKernel, inputs, attrs, { into: [this.#sumsOn(device)] });
  }

  result(): Tensor {
    const sums = this.#sums ?? this.#sumsOn(defaultDevice());
    return runKernel1(this.name, meanOfSumsKernel, [sums], { root: this.#root });
  }

  reset(): void {
    if (!this.#sums) return;
    const { device, shape, dtype } = this.#sums;
    device.run(this.name, fillKernel, [], { shape, dtype, value: 0 }, { into: [this.#sums] });
  }

  state(): Readonly<Record<string, Tensor>> {
    return { sums: this.#sums ?? this.#sumsOn(defaultDevice()) };
  }

  dispose(): void {
    this.#sums?.dispose();
    this.#sums = null;
  }

  #sumsOn(device: Device): Tensor {
    if (!this.#sums) {
      const attrs = { shape: [2], dtype: device.float, value: 0 };
      const [sums] = device.run(this.name, fillKernel, [], attrs) as [Operand];
      this.#sums = keep(Tensor.adopt(sums, this.name));
    }
    return this.#sums;
  }
}

/**
 * The mean of numbers that were computed on the device, such as the loss of each batch weighted by the batch's size, which is
 * what Keras shows for an epoch. Nothing is read back before the result is.
 *
 * ```ts
 * loss.add(batchLoss, yTrue.shape[0]);   // one dispatch
 * const shown = await loss.result().item();
 * ```
 */
export class MeanTracker extends RunningMean {
  constructor(name = 'loss') {
    super(name);
  }

  /**
   * Adds `weight · value` to the one sum, and `weight` to the other; one dispatch, outside of the graph.
   *
   * @throws ShapeError unless `value` has one element, DTypeError unless it is a float, ArgumentError for a weight that is
   *   no finite number ≥ 0.
   */
  add(value: Tensor, weight = 1): void {
    assertTensor(this.name, value);
    if (value.size !== 1) {
      throw new ShapeError(
        `${this.name}: a value of shape ${formatShape(value.shape)} is no scalar; reduce it first, with mean().`,
      );
    }
    if (!isFloat(value.dtype))
      throw new DTypeError(
        `${this.name}: a value is a float, not ${value.dtype}; cast it: cast(x, 'float').`,
      );
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity))
      throw new ArgumentError(`${this.name}: the weight is ${describe(weight)}; pass a finite number ≥ 0.`);
    this.accumulate(value, undefined, weight);
  }
}
