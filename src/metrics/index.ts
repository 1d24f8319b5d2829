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
export { cohenKappaScore, type KappaOptions, matthewsCorrcoef } from './agreement.ts';
export {
  type ConfusionMatrixOptions,
  confusionMatrix,
  confusionMatrixText,
  type LabelOptions,
} from './confusion.ts';
export {
  type CurveOptions,
  type PrecisionRecallCurve,
  precisionRecallCurve,
  type RocCurve,
  type RocCurveOptions,
  rocCurve,
} from './curves.ts';
export { get, type MetricContext, type MetricLike } from './get.ts';
export type { MetricValues, NestedValues } from './host.ts';
export { type Metric, type MetricFunction, type MetricOptions, meanOf } from './metric.ts';
export {
  type Average,
  accuracyScore,
  type FbetaOptions,
  f1Score,
  fbetaScore,
  type LabelScore,
  precisionScore,
  recallScore,
  type ScoreOptions,
  specificityScore,
} from './precision-recall.ts';
export { type LogLossOptions, logLoss, type TopKScoreOptions, topKAccuracyScore } from './probabilities.ts';
export {
  averagePrecisionScore,
  type RankingOptions,
  type RankingScore,
  type RocAucOptions,
  rocAucScore,
} from './ranking.ts';
export {
  meanAbsoluteErrorScore,
  meanSquaredErrorScore,
  type RegressionOptions,
  type RegressionScore,
  r2Score,
  rootMeanSquaredErrorScore,
} from './regression.ts';
export {
  type ClassificationReport,
  classificationReport,
  type ReportOptions,
  type ReportRow,
} from './report.ts';
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
export type { ClassMetricOptions } from './stream-confusion.ts';
export { r2 } from './stream-r2.ts';
export { auc, averagePrecision } from './stream-ranking.ts';
export {
  confusion,
  type FbetaMetricOptions,
  f1,
  fbeta,
  type KappaMetricOptions,
  kappa,
  matthews,
  precision,
  recall,
  type ScoreMetricOptions,
  specificity,
} from './stream-scores.ts';
