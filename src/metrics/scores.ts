/** Means of losses and errors over all samples: the formulas are those of `losses`. */
import type { Tensor } from '../autograd/tensor.ts';
import * as losses from '../nn/losses/index.ts';
import { alignPair } from '../nn/losses/pair.ts';
import { sub } from '../ops/binary.ts';
import { neg, square } from '../ops/unary.ts';
import { type Metric, type MetricFunction, type MetricOptions, meanMetric, nameOf } from './metric.ts';

const NONE = { reduction: 'none' } as const;

/** A metric without options of its own. */
const scoreOf =
  (op: string, fn: MetricFunction) =>
  (options: MetricOptions = {}): Metric =>
    meanMetric(nameOf(op, options), fn);

/** A loss, as a metric. */
const lossScore = (
  op: string,
  loss: (yTrue: Tensor, yPred: Tensor, options: losses.LossOptions) => Tensor,
): ((options?: MetricOptions) => Metric) => scoreOf(op, (t, p) => loss(t, p, NONE));

/** mean (t − p)² */
export const meanSquaredError = lossScore('meanSquaredError', losses.meanSquaredError);

/** √ of the mean of (t − p)² over all samples, not of roots of batches. */
export const rootMeanSquaredError = (options: MetricOptions = {}): Metric => {
  const op = 'rootMeanSquaredError';
  return meanMetric(nameOf(op, options), (t, p) => square(sub(...alignPair(op, t, p))), true);
};

/** mean |t − p| */
export const meanAbsoluteError = lossScore('meanAbsoluteError', losses.meanAbsoluteError);

/** 100 · mean |t − p| / max(|t|, 1e-7) */
export const meanAbsolutePercentageError = lossScore(
  'meanAbsolutePercentageError',
  losses.meanAbsolutePercentageError,
);

/** mean (ln(1 + t) − ln(1 + p))²; both are lifted to 1e-7 first. */
export const meanSquaredLogarithmicError = lossScore(
  'meanSquaredLogarithmicError',
  losses.meanSquaredLogarithmicError,
);

/** mean of ln cosh(p − t) */
export const logCosh = lossScore('logCosh', losses.logCosh);

/** mean max(1 − t·p, 0) for labels t of −1 and 1; if all of a batch are 0 or 1, 0 stands for −1. */
export const hinge = lossScore('hinge', losses.hinge);

/** mean max(1 − t·p, 0)² for labels t of −1 and 1; if all of a batch are 0 or 1, 0 stands for −1. */
export const squaredHinge = lossScore('squaredHinge', losses.squaredHinge);

/** max(1 + max (1 − t)·p − Σ t·p, 0) for one-hot t. */
export const categoricalHinge = lossScore('categoricalHinge', losses.categoricalHinge);

/** mean of p − t·ln(p + 1e-7) */
export const poisson = lossScore('poisson', losses.poisson);

/** Σ t·ln(t / p), with both cut to [1e-7, 1] first. */
export const klDivergence = lossScore('klDivergence', losses.klDivergence);

export interface CosineMetricOptions extends MetricOptions {
  /** The axis along which both are vectors. Default: −1. */
  axis?: number;
}

/** Σ t·p / (|t|·|p|) along an axis: 1 is a perfect match, where the loss of this name has −1. */
export function cosineSimilarity(options: CosineMetricOptions = {}): Metric {
  const name = nameOf('cosineSimilarity', options, ['axis']);
  const { axis = -1 } = options;
  return meanMetric(name, (t, p) => neg(losses.cosineSimilarity(t, p, { axis, ...NONE })));
}

/** The options of a cross-entropy that a metric has, too. */
type Own<T extends losses.LossOptions> = Omit<T, keyof losses.LossOptions> & MetricOptions;

export type CategoricalMetricOptions = Own<losses.CategoricalOptions>;
export type SparseMetricOptions = Own<losses.SparseOptions>;

/** A cross-entropy, as a metric with the loss's options. */
const entropyScore =
  <T extends losses.LossOptions>(
    op: string,
    loss: (yTrue: Tensor, yPred: Tensor, options: T) => Tensor,
    known: readonly (keyof Own<T> & string)[],
  ) =>
  (options: Own<T> = {} as Own<T>): Metric => {
    const metric = nameOf(op, options, known);
    const { name: _, ...own } = options;
    return meanMetric(metric, (t, p) => loss(t, p, { ...own, ...NONE } as unknown as T));
  };

/** mean of −t·ln p − (1 − t)·ln(1 − p), with the options of `losses.binaryCrossentropy`. */
export const binaryCrossentropy: (options?: CategoricalMetricOptions) => Metric =
  entropyScore<losses.CategoricalOptions>('binaryCrossentropy', losses.binaryCrossentropy, [
    'fromLogits',
    'labelSmoothing',
    'axis',
  ]);

/** −Σ t·ln p for targets t like yPred, with the options of `losses.categoricalCrossentropy`. */
export const categoricalCrossentropy: (options?: CategoricalMetricOptions) => Metric =
  entropyScore<losses.CategoricalOptions>('categoricalCrossentropy', losses.categoricalCrossentropy, [
    'fromLogits',
    'labelSmoothing',
    'axis',
  ]);

/**
 * −ln p of the class that an int32 label names, with the options of `losses.sparseCategoricalCrossentropy`. A sample with
 * `ignoreClass` counts with a value of 0, as in Keras; give it a weight of 0 to leave it out.
 */
export const sparseCategoricalCrossentropy: (options?: SparseMetricOptions) => Metric =
  entropyScore<losses.SparseOptions>('sparseCategoricalCrossentropy', losses.sparseCategoricalCrossentropy, [
    'fromLogits',
    'ignoreClass',
    'axis',
  ]);
