/** Errors of predicted numbers, and how much of their variance is explained, at once. */
import { ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { checkOptions } from '../ops/options.ts';
import {
  averageOf,
  type Column,
  checkChoice,
  checkFinite,
  checkRows,
  checkSome,
  isFlat,
  type MetricValues,
  read,
  warn,
  weightsOf,
} from './host.ts';

export interface RegressionOptions {
  /** One for each sample, ≥ 0. Default: 1 each. */
  sampleWeight?: MetricValues;
  /** The mean over the outputs, or a list with one score for each. Default: 'uniformAverage'. */
  multiOutput?: 'uniformAverage' | 'rawValues';
}

/** A score of numbers: one, or with `multiOutput: 'rawValues'` a list. */
export interface RegressionScore {
  (
    yTrue: MetricValues,
    yPred: MetricValues,
    options: RegressionOptions & { multiOutput: 'rawValues' },
  ): Promise<number[]>;
  (
    yTrue: MetricValues,
    yPred: MetricValues,
    options?: RegressionOptions & { multiOutput?: 'uniformAverage' },
  ): Promise<number>;
}

/** One output of all samples. */
type OutputScore = (
  op: string,
  truth: Float64Array,
  predicted: Float64Array,
  weights: Float64Array,
) => number;

function checkOutputs(op: string, truth: Column, predicted: Column): number {
  checkRows(op, truth, predicted);
  const outputs = (column: Column): number => (isFlat(column) ? 1 : (column.shape[1] as number));
  if (truth.shape.length > 2 || predicted.shape.length > 2 || outputs(truth) !== outputs(predicted)) {
    throw new ShapeError(
      `${op}: yTrue of shape ${formatShape(truth.shape)} and yPred of shape ${formatShape(predicted.shape)}; both must be ` +
        `(samples,) or (samples, outputs). Reshape them.`,
    );
  }
  return outputs(truth);
}

const regressionScore = (op: string, score: OutputScore): RegressionScore =>
  (async (yTrue: MetricValues, yPred: MetricValues, options: RegressionOptions = {}) => {
    checkOptions<RegressionOptions>(op, options, ['sampleWeight', 'multiOutput'], 'yTrue, yPred');
    const { multiOutput = 'uniformAverage', sampleWeight } = options;
    checkChoice(op, 'multiOutput', multiOutput, ['uniformAverage', 'rawValues']);
    const [truth, predicted] = [await read(op, 'yTrue', yTrue), await read(op, 'yPred', yPred)];
    const outputs = checkOutputs(op, truth, predicted);
    checkSome(op, truth);
    checkFinite(op, 'yTrue', truth);
    checkFinite(op, 'yPred', predicted);
    const weights = await weightsOf(op, sampleWeight, truth.shape[0] as number);
    const output = ({ data }: Column, at: number): Float64Array =>
      data.filter((_, index) => index % outputs === at);
    const scores = Array.from({ length: outputs }, (_, at) =>
      score(op, output(truth, at), output(predicted, at), weights),
    );
    return multiOutput === 'rawValues' ? scores : averageOf(scores);
  }) as RegressionScore;

const errorsOf = (truth: Float64Array, predicted: Float64Array, of: (gap: number) => number): Float64Array =>
  truth.map((value, index) => of(value - (predicted[index] as number)));

const squared = (gap: number): number => gap * gap;

/**
 * mean (t − p)² over the samples, of shape (samples,) or (samples, outputs), then over the outputs; scikit-learn's
 * `mean_squared_error`. Over batches: `metrics.meanSquaredError()`.
 *
 * @throws ShapeError for shapes that differ, ArgumentError for NaN, infinities and no samples.
 */
export const meanSquaredErrorScore = regressionScore('meanSquaredErrorScore', (_, t, p, w) =>
  averageOf(errorsOf(t, p, squared), w),
);

/**
 * √ mean (t − p)² of each output, then the mean over the outputs; scikit-learn's `root_mean_squared_error`. (The metric over
 * batches, `metrics.rootMeanSquaredError()`, is Keras': the root of the mean over all.) Errors as of `meanSquaredErrorScore`.
 */
export const rootMeanSquaredErrorScore = regressionScore('rootMeanSquaredErrorScore', (_, t, p, w) =>
  Math.sqrt(averageOf(errorsOf(t, p, squared), w)),
);

/** mean |t − p|; scikit-learn's `mean_absolute_error`. Errors as of `meanSquaredErrorScore`. */
export const meanAbsoluteErrorScore = regressionScore('meanAbsoluteErrorScore', (_, t, p, w) =>
  averageOf(errorsOf(t, p, Math.abs), w),
);

/**
 * R², 1 − Σ w·(t − p)² / Σ w·(t − mean t)², of each output, then the mean; scikit-learn's `r2_score`. Where t is constant it is
 * 1 for predictions that are right and 0 for others; of fewer than two samples NaN, with a warning. Errors as of
 * `meanSquaredErrorScore`.
 */
export const r2Score = regressionScore('r2Score', (op, t, p, w) => {
  if (t.length < 2) {
    warn(op, 'fewer than two samples have no variance; it is NaN.');
    return Number.NaN;
  }
  const mean = averageOf(t, w);
  const weighed = (errors: Float64Array): number =>
    errors.reduce((sum, error, index) => sum + error * (w[index] as number), 0);
  const left = weighed(errorsOf(t, p, squared));
  const spread = weighed(t.map((value) => squared(value - mean)));
  if (left === 0) return 1;
  return spread === 0 ? 0 : 1 - left / spread;
});
