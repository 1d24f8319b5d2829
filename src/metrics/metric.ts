/** What a metric is, and the mean that most of them are. */
import { noGrad } from '../autograd/modes.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, DeviceMismatchError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, type Shape } from '../core/shape.ts';
import { checkPair } from '../nn/losses/pair.ts';
import { cast } from '../ops/cast.ts';
import { assertTensor } from '../ops/operand.ts';
import { checkOptions } from '../ops/options.ts';
import { reshape } from '../ops/shape.ts';
import { RunningMean } from './running-mean.ts';

/** A number about predictions that is gathered over batches, on the device: nothing is read back before its result is. */
export interface Metric {
  /** What histories and logs call it. */
  readonly name: string;
  /**
   * Adds a batch, outside of the graph.
   *
   * @param sampleWeight Floats, one for each sample. Default: 1 for each.
   */
  update(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor): void;
  /** The value of all batches so far, a scalar that is the caller's; 0 before the first. */
  result(): Tensor;
  /** Starts anew, in the same memory. */
  reset(): void;
  /** The tensors that hold what was gathered, by name. They are the metric's; overwrite them with `assign` to go on later. */
  state(): Readonly<Record<string, Tensor>>;
  /**
   * Goes on from what `state()` said elsewhere, of copies of it; for metrics whose state has as many tensors, or such shapes, as the
   * batches ask for, and which can therefore not be assigned to.
   */
  restore?(state: Readonly<Record<string, Tensor>>): void;
  /** Gives the memory back. A later update starts anew. */
  dispose(): void;
}

/** A value for each sample, `(batch, …)`, floats or bool. Other axes than the first are averaged. */
export type MetricFunction = (yTrue: Tensor, yPred: Tensor) => Tensor;

export interface MetricOptions {
  /** What histories and logs call it. Default: the name of the function that makes the metric. */
  name?: string | undefined;
}

/** Checks the options of a metric and tells its name. */
export function nameOf<T extends MetricOptions>(
  op: string,
  options: T,
  known: readonly (keyof T & string)[] = [],
): string {
  checkOptions<T>(op, options, [...known, 'name'], '');
  const { name = op } = options;
  if (typeof name !== 'string' || name === '')
    throw new ArgumentError(`${op}: name is ${describe(name)}; pass a text that is not empty.`);
  return name;
}

/** Weights beside values, as (batch,) or with more of the values' leading axes; further axes of 1 are dropped. */
export function weightsFor(name: string, weight: Tensor, values: Tensor): Tensor {
  assertTensor(name, weight);
  if (weight.device !== values.device)
    throw new DeviceMismatchError(`${name}: sampleWeight lives on another device; use toDevice() first.`);
  if (!isFloat(weight.dtype)) {
    throw new DTypeError(
      `${name}: the sampleWeight is ${weight.dtype}; cast it: cast(sampleWeight, 'float').`,
    );
  }
  const leads = (shape: Shape): boolean =>
    shape.length <= values.rank && shape.every((extent, axis) => extent === values.shape[axis]);
  let { shape } = weight;
  while (!leads(shape) && shape.length > 1 && shape.at(-1) === 1) shape = shape.slice(0, -1);
  if (!leads(shape) || (shape.length === 0 && values.rank > 0)) {
    throw new ShapeError(
      `${name}: a sampleWeight of shape ${formatShape(weight.shape)} for values of shape ${formatShape(values.shape)}; ` +
        `pass one weight for each sample, (batch,), or more of the leading axes.`,
    );
  }
  return shape.length === weight.rank ? weight : reshape(weight, shape);
}

/** The mean of what a function says of each sample, weighted. */
class MeanMetric extends RunningMean implements Metric {
  readonly #fn: MetricFunction;

  constructor(name: string, fn: MetricFunction, root: boolean) {
    super(name, root);
    this.#fn = fn;
  }

  update(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor): void {
    checkPair(this.name, yTrue, yPred);
    noGrad(() =>
      scope(() => {
        const found = this.#fn(yTrue, yPred);
        assertTensor(`${this.name}: what its function returned`, found);
        const values = isFloat(found.dtype) || found.dtype === 'bool' ? found : cast(found, 'float');
        this.accumulate(
          values,
          sampleWeight === undefined ? undefined : weightsFor(this.name, sampleWeight, values),
        );
      }),
    );
  }
}

/** `meanOf`, or the root of the mean. */
export const meanMetric = (name: string, fn: MetricFunction, root = false): Metric =>
  new MeanMetric(name, fn, root);

/**
 * The mean of a function's values over all samples, as Keras 3's `MeanMetricWrapper` has it: each sample counts with the mean
 * of its values, `Σ w·v / Σ w`, and nothing at all is 0. The sums are floats, float32 on a GPU: counts of up to 2²⁴
 * samples are exact.
 *
 * ```ts
 * const worst = metrics.meanOf('worst', (t, p) => max(abs(sub(t, p)), { axis: -1 }));
 * ```
 *
 * @param fn (yTrue, yPred) → `(batch, …)`; further axes are averaged. It runs outside of the graph and in a scope.
 * @throws ArgumentError for an empty name or for what is no function.
 */
export function meanOf(name: string, fn: MetricFunction): Metric {
  if (typeof name !== 'string' || name === '')
    throw new ArgumentError(`meanOf: the name is ${describe(name)}; pass a text that is not empty.`);
  if (typeof fn !== 'function')
    throw new ArgumentError(`meanOf: ${describe(fn)} is no function; pass (yTrue, yPred) => values.`);
  return meanMetric(name, fn);
}
