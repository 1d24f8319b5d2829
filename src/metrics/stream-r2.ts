/** R² over batches. */
import { noGrad } from '../autograd/modes.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ShapeError } from '../core/errors.ts';
import { formatShape, sizeOf } from '../core/shape.ts';
import { alignPair } from '../nn/losses/pair.ts';
import { add, div, mul, sub, where } from '../ops/binary.ts';
import { assign } from '../ops/cast.ts';
import { equal, less } from '../ops/compare.ts';
import { full, ones, zeros } from '../ops/create.ts';
import { mean, sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import { along } from '../ops/slice.ts';
import { square } from '../ops/unary.ts';
import { type Metric, type MetricOptions, nameOf, weightsFor } from './metric.ts';
import { checkDevice, clear, copied, quotient, scalar, zerosFor } from './streamed.ts';

interface Gathered {
  /** The number of samples. */
  readonly rows: Tensor;
  /** The sum of their weights. */
  readonly weight: Tensor;
  /** Of each output: the mean target, Σ w·(t − mean)² and Σ w·(t − p)². */
  readonly mean: Tensor;
  readonly spread: Tensor;
  readonly residual: Tensor;
}

const NAMES = ['rows', 'weight', 'mean', 'spread', 'residual'] as const;

/** Means and squares are joined by Chan's formula (1979), which subtracts no large numbers from each other. */
class R2Metric implements Metric {
  readonly name: string;
  #own: Gathered | null = null;

  constructor(name: string) {
    this.name = name;
  }

  update(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor): void {
    const { name } = this;
    noGrad(() =>
      scope(() => {
        const [truth, predicted] = alignPair(name, yTrue, yPred);
        const { device, shape } = truth;
        checkDevice(name, this.#own?.mean, device);
        const rows = shape[0] as number;
        const outputs = sizeOf(shape.slice(1));
        const weights = sampleWeight ? weightsFor(name, sampleWeight, truth) : ones([rows], { device });
        if (weights.rank !== 1) {
          throw new ShapeError(
            `${name}: a sampleWeight of shape ${formatShape(weights.shape)}; R² takes one weight for each sample, (batch,).`,
          );
        }
        const known = this.#own?.mean.size ?? outputs;
        if (known !== outputs)
          throw new ShapeError(`${name}: a batch has ${outputs} outputs, those before had ${known}.`);
        if (rows === 0) return;
        const own = (this.#own ??= this.#make(truth, outputs));
        const flat = (x: Tensor): Tensor => reshape(x, [rows, outputs]);
        this.#join(own, flat(truth), flat(predicted), reshape(weights, [rows, 1]));
      }),
    );
  }

  #make({ device }: Tensor, outputs: number): Gathered {
    const [rows, weight, center, spread, residual] = [[1], [1], [outputs], [outputs], [outputs]].map(
      (shape) => zerosFor(this.name, device, shape),
    ) as [Tensor, Tensor, Tensor, Tensor, Tensor];
    return { rows, weight, mean: center, spread, residual };
  }

  #join(own: Gathered, t: Tensor, p: Tensor, w: Tensor): void {
    const added = sum(w, { axis: 0 });
    // Relative to the first target, so that constant ones have no spread at all.
    const first = along(t, 0, 0, 1);
    const shifted = sub(t, first);
    const middle = quotient(sum(mul(w, shifted), { axis: 0, keepDims: true }), added);
    const spread = sum(mul(w, square(sub(shifted, middle))), { axis: 0 });
    const residual = sum(mul(w, square(sub(t, p))), { axis: 0 });
    const total = add(own.weight, added);
    const share = quotient(added, total);
    const gap = sub(reshape(add(first, middle), own.mean.shape), own.mean);
    const between = mul(mul(square(gap), own.weight), share);
    const next = {
      rows: add(own.rows, t.shape[0] as number),
      weight: total,
      mean: add(own.mean, mul(gap, share)),
      spread: add(own.spread, add(spread, between)),
      residual: add(own.residual, residual),
    };
    for (const name of NAMES) assign(own[name], next[name]);
  }

  result(): Tensor {
    const own = this.#own;
    if (!own) return zeros([]);
    return noGrad(() =>
      scope(() => {
        const { rows, spread, residual } = own;
        const explained = where(equal(spread, 0), 0, sub(1, div(residual, spread)));
        const value = mean(where(equal(residual, 0), 1, explained));
        const count = scalar(rows);
        const nothing = full([], Number.NaN, { device: rows.device });
        return where(equal(count, 0), 0, where(less(count, 2), nothing, value));
      }),
    );
  }

  reset(): void {
    if (this.#own) for (const tensor of Object.values(this.#own) as Tensor[]) clear(this.name, tensor);
  }

  state(): Readonly<Record<string, Tensor>> {
    return { ...this.#own };
  }

  restore(state: Readonly<Record<string, Tensor>>): void {
    this.dispose();
    const [rows, weight, center, spread, residual] = NAMES.map((name) => state[name]);
    if (!rows || !weight || !center || !spread || !residual) return;
    this.#own = {
      rows: copied(rows),
      weight: copied(weight),
      mean: copied(center),
      spread: copied(spread),
      residual: copied(residual),
    };
  }

  dispose(): void {
    if (this.#own) for (const tensor of Object.values(this.#own) as Tensor[]) tensor.dispose();
    this.#own = null;
  }
}

/**
 * R² of all samples, the mean over the outputs: `r2Score` of all batches; NaN of fewer than two samples, and 0 before the first
 * batch. yTrue and yPred are floats of one shape (batch, …), with weights (batch,).
 *
 * @throws ShapeError and DTypeError for what does not fit.
 */
export const r2 = (options: MetricOptions = {}): Metric => new R2Metric(nameOf('r2', options));
