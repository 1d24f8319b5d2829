/** Probabilities against labels, at once. */
import { checkNumber } from '../core/check.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { checkOptions } from '../ops/options.ts';
import {
  averageOf,
  type Column,
  checkFinite,
  checkLabels,
  checkRows,
  checkSome,
  isFlat,
  type MetricValues,
  read,
  warn,
  weightsOf,
} from './host.ts';

export interface LogLossOptions {
  /** One for each sample, ≥ 0. Default: 1 each. */
  sampleWeight?: MetricValues;
}

export interface TopKScoreOptions extends LogLossOptions {
  /** How many classes count. Default: 2. */
  k?: number;
}

interface Rows {
  readonly labels: Float64Array;
  readonly scores: Column;
  /** 2 where there is one score for each sample, that of class 1. */
  readonly classes: number;
  readonly weights: Float64Array;
}

async function rowsOf(
  op: string,
  yTrue: MetricValues,
  yPred: MetricValues,
  what: string,
  weight: MetricValues | undefined,
): Promise<Rows> {
  const [truth, scores] = [await read(op, 'yTrue', yTrue), await read(op, what, yPred)];
  checkRows(op, truth, scores, ['yTrue', what]);
  checkSome(op, truth);
  if (scores.shape.length > 2 || scores.data.length === 0) {
    throw new ShapeError(
      `${op}: ${what} has shape ${formatShape(scores.shape)}; pass (samples,) or (samples, classes).`,
    );
  }
  checkFinite(op, what, scores);
  const classes = isFlat(scores) ? 2 : (scores.shape[1] as number);
  const labels = checkLabels(op, 'yTrue', truth, classes);
  return { labels, scores, classes, weights: await weightsOf(op, weight, labels.length) };
}

/**
 * Log loss, the mean of −ln p of the true class, for labels with probabilities of class 1, (samples,), or of all classes,
 * (samples, classes). Probabilities are cut to [ε, 1 − ε], with the ε of their float (2⁻⁵² or 2⁻²³), and each row is divided by
 * its sum; scikit-learn's `log_loss` of version 1.2. The columns are the classes, whichever occur.
 *
 * @throws ShapeError for shapes that differ; ArgumentError for labels without a column, numbers outside of [0, 1], no samples.
 */
export async function logLoss(
  yTrue: MetricValues,
  yPred: MetricValues,
  options: LogLossOptions = {},
): Promise<number> {
  const op = 'logLoss';
  checkOptions<LogLossOptions>(op, options, ['sampleWeight'], 'yTrue, yPred');
  const { labels, scores, classes, weights } = await rowsOf(op, yTrue, yPred, 'yPred', options.sampleWeight);
  const outside = scores.data.findIndex((p) => p < 0 || p > 1);
  if (outside >= 0) {
    throw new ArgumentError(
      `${op}: yPred holds ${scores.data[outside]} at position ${outside}; probabilities lie in [0, 1], so apply softmax or sigmoid to logits.`,
    );
  }
  const epsilon = scores.single ? 2 ** -23 : 2 ** -52;
  const cut = (p: number): number => Math.min(Math.max(p, epsilon), 1 - epsilon);
  const losses = labels.map((label, row) => {
    if (isFlat(scores)) {
      const p = cut(scores.data[row] as number);
      return -Math.log(label === 1 ? p : 1 - p);
    }
    const own = scores.data.subarray(row * classes, (row + 1) * classes).map(cut);
    return -Math.log((own[label] as number) / own.reduce((sum, p) => sum + p, 0));
  });
  return averageOf(losses, weights);
}

/**
 * The share of samples whose label is among the k classes with the highest scores (samples, classes); of equals the last class
 * comes first, as in scikit-learn's `top_k_accuracy_score`. (The metric over batches, `topKCategoricalAccuracy`, is Keras': equals
 * share a place.) Scores (samples,) are those of class 1, which is predicted above 0.5, or above 0 where some lie outside of
 * [0, 1]. A k that reaches all classes gives 1, with a warning.
 *
 * @throws ShapeError for shapes that differ; ArgumentError for labels without a column, NaN and infinite scores, no samples, and
 *   a k that is no whole number ≥ 1.
 */
export async function topKAccuracyScore(
  yTrue: MetricValues,
  yScore: MetricValues,
  options: TopKScoreOptions = {},
): Promise<number> {
  const op = 'topKAccuracyScore';
  checkOptions<TopKScoreOptions>(op, options, ['k', 'sampleWeight'], 'yTrue, yScore');
  const { k = 2, sampleWeight } = options;
  checkNumber(op, 'k', k, { atLeast: 1, whole: true });
  const { labels, scores, classes, weights } = await rowsOf(op, yTrue, yScore, 'yScore', sampleWeight);
  if (k >= classes) warn(op, `k = ${k} reaches all ${classes} classes, so every sample is right.`);
  const threshold = scores.data.every((score) => score >= 0 && score <= 1) ? 0.5 : 0;
  const hits = labels.map((label, row) => {
    if (k >= classes) return 1;
    if (isFlat(scores)) return Number((scores.data[row] as number) > threshold) === label ? 1 : 0;
    const own = scores.data.subarray(row * classes, (row + 1) * classes);
    const mine = own[label] as number;
    const ahead = own.filter((score, index) => score > mine || (score === mine && index > label));
    return ahead.length < k ? 1 : 0;
  });
  return averageOf(hits, weights);
}
