/**
 * Metrics: numbers about predictions, gathered over batches on the device. They are exported as a namespace,
 * `metrics.accuracy()`, since losses share their names.
 */
export {
  type AccuracyOptions,
  accuracy,
  type BinaryAccuracyOptions,
  binaryAccuracy,
  categoricalAccuracy,
  type PartialShape,
  sparseCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  type TopKOptions,
  topKCategoricalAccuracy,
} from './accuracy.ts';
export { get, type MetricContext, type MetricLike } from './get.ts';
export { type Metric, type MetricFunction, type MetricOptions, meanOf } from './metric.ts';
export { MeanTracker } from './running-mean.ts';
export {
  binaryCrossentropy,
  type CategoricalMetricOptions,
  type CosineMetricOptions,
  categoricalCrossentropy,
  categoricalHinge,
  cosineSimilarity,
  hinge,
  klDivergence,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
  rootMeanSquaredError,
  type SparseMetricOptions,
  sparseCategoricalCrossentropy,
  squaredHinge,
} from './scores.ts';
