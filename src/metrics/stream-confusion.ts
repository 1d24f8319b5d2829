/** Metrics over batches that come from a confusion matrix, which is gathered on the device. */
import { confusionKernel } from '../../kernels/metric-confusion.ts';
import { noGrad } from '../autograd/modes.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { checkPair } from '../nn/losses/pair.ts';
import { zeros } from '../ops/create.ts';
import { type Metric, type MetricOptions, weightsFor } from './metric.ts';
import { checkDevice, classesOf, clear, copied, zerosFor } from './streamed.ts';

export interface ClassMetricOptions extends MetricOptions {
  /** How many classes there are; all of them count. Default: as many as yPred has columns, or 2. */
  classes?: number;
  /** A score above it says yes, where yPred is the score of class 1. For logits, pass 0. Default: 0.5. */
  threshold?: number;
  /** The loss that is minimised: with 'binaryCrossentropy' the columns of yPred are questions of their own. Default: none. */
  loss?: string | null | undefined;
}

export const CLASS_OPTIONS = ['classes', 'threshold', 'loss'] as const;

/** A confusion matrix (classes, classes) on the device of the first batch, and a score of it. */
export class ConfusionMetric implements Metric {
  readonly name: string;
  readonly #threshold: number;
  readonly #loss: string | null;
  readonly #score: (matrix: Tensor) => Tensor;
  readonly #given: number | null;
  #matrix: Tensor | null = null;

  constructor(
    name: string,
    { classes, threshold = 0.5, loss = null }: ClassMetricOptions,
    score: (matrix: Tensor) => Tensor,
  ) {
    if (classes !== undefined) checkNumber(name, 'classes', classes, { atLeast: 1, whole: true });
    checkNumber(name, 'threshold', threshold);
    this.name = name;
    this.#given = classes ?? null;
    this.#threshold = threshold;
    this.#loss = loss;
    this.#score = score;
  }

  update(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor): void {
    const { name } = this;
    checkPair(name, yTrue, yPred);
    noGrad(() =>
      scope(() => {
        const { truth, predicted, classes } = classesOf(name, yTrue, yPred, this.#threshold, this.#loss);
        const inputs = [truth, predicted];
        if (sampleWeight) inputs.push(weightsFor(name, sampleWeight, truth));
        const { device } = yTrue;
        checkDevice(name, this.#matrix ?? undefined, device);
        const count = this.#count(classes);
        const attrs = { classes: count, dtype: device.float };
        confusionKernel.infer(name, inputs, attrs); // Refuses dtypes before anything is made.
        this.#matrix ??= zerosFor(name, device, [count, count]);
        device.run(name, confusionKernel, inputs, attrs, { into: [this.#matrix] });
      }),
    );
  }

  /** How many classes: as given or found before, which the batch must fit. */
  #count(found: number | null): number {
    const known = this.#given ?? this.#matrix?.shape[0] ?? found;
    if (known === null) {
      throw new ArgumentError(
        `${this.name}: yPred holds labels, so the number of classes is not known; pass { classes }.`,
      );
    }
    // Two answers fit into more classes; the columns of scores are all there are.
    if (found === null || found === known || (found === 2 && this.#given !== null && this.#given > 2))
      return known;
    throw new ShapeError(
      `${this.name}: yPred tells ${found} classes apart, and there are ${known}; they must agree.`,
    );
  }

  result(): Tensor {
    const matrix = this.#matrix;
    if (!matrix) return zeros([]);
    return noGrad(() => scope(() => this.#score(matrix)));
  }

  reset(): void {
    if (this.#matrix) clear(this.name, this.#matrix);
  }

  state(): Readonly<Record<string, Tensor>> {
    return this.#matrix ? { matrix: this.#matrix } : {};
  }

  restore({ matrix }: Readonly<Record<string, Tensor>>): void {
    this.dispose();
    if (matrix) this.#matrix = copied(matrix);
  }

  dispose(): void {
    this.#matrix?.dispose();
    this.#matrix = null;
  }
}
