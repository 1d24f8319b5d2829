/** From what a user writes into a list of metrics to the metrics. */
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { unknownName } from '../core/nearest.ts';
import { checkOptions } from '../ops/options.ts';
import {
  type AccuracyOptions,
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  topKCategoricalAccuracy,
} from './accuracy.ts';
import { type Metric, type MetricFunction, meanOf } from './metric.ts';
import * as scores from './scores.ts';
import type { ClassMetricOptions } from './stream-confusion.ts';
import { r2 } from './stream-r2.ts';
import { auc, averagePrecision } from './stream-ranking.ts';
import { f1, fbeta, kappa, matthews, precision, recall, specificity } from './stream-scores.ts';

const MAKERS: Readonly<Record<string, (options: AccuracyOptions) => Metric>> = {
  accuracy,
  acc: accuracy,
  ...withLoss({ precision, recall, specificity, f1, fbeta, kappa, matthews }),
  ...withoutContext({
    auc,
    averagePrecision,
    r2,
    binaryAccuracy,
    categoricalAccuracy,
    sparseCategoricalAccuracy,
    topKCategoricalAccuracy,
    sparseTopKCategoricalAccuracy,
    ...scores,
    mse: scores.meanSquaredError,
    rmse: scores.rootMeanSquaredError,
    mae: scores.meanAbsoluteError,
    mape: scores.meanAbsolutePercentageError,
    msle: scores.meanSquaredLogarithmicError,
    bce: scores.binaryCrossentropy,
  }),
};

/** Makers of metrics of classes, which take the loss. */
function withLoss(
  makers: Readonly<Record<string, (options: ClassMetricOptions) => Metric>>,
): Record<string, (options: AccuracyOptions) => Metric> {
  return Object.fromEntries(
    Object.entries(makers).map(([key, make]) => [
      key,
      ({ name, loss }: AccuracyOptions) => make({ name, loss }),
    ]),
  );
}

/** Makers that take nothing but a name. */
function withoutContext(
  makers: Readonly<Record<string, (options: { name?: string }) => Metric>>,
): Record<string, (options: AccuracyOptions) => Metric> {
  return Object.fromEntries(
    Object.entries(makers).map(([key, make]) => [
      key,
      ({ name }: AccuracyOptions) => make(name === undefined ? {} : { name }),
    ]),
  );
}

/** What the model around a metric is like; 'accuracy' chooses by it. */
export type MetricContext = Pick<AccuracyOptions, 'loss' | 'outputShape' | 'targetShape'>;

/** What stands for a metric in a list of them: its name, the metric itself, or a function (yTrue, yPred) → values. */
export type MetricLike = string | Metric | MetricFunction;

const isMetric = (value: unknown): value is Metric => {
  if (typeof value !== 'object' || value === null) return false;
  const { name, update, result, reset } = value as Partial<Metric>;
  return typeof name === 'string' && [update, result, reset].every((method) => typeof method === 'function');
};

/**
 * The metric that an entry of `metrics: ['accuracy', metrics.hinge(), myFunction]` means. A metric from a name bears that
 * name, so that 'acc' is logged as 'acc', and starts anew; a metric is returned as it is; a function becomes `meanOf` its name,
 * or 'metric' if it has none. Short names: 'acc', 'mse', 'rmse', 'mae', 'mape', 'msle', 'bce'.
 *
 * ```ts
 * metrics.get('accuracy', { loss: 'sparseCategoricalCrossentropy' });
 * ```
 *
 * @throws ArgumentError for a name that there is not, with the nearest one, and for anything else.
 */
export function get(identifier: MetricLike, context: MetricContext = {}): Metric {
  checkOptions<MetricContext>('metrics.get', context, ['loss', 'outputShape', 'targetShape'], 'identifier');
  if (typeof identifier === 'string') {
    const make = Object.hasOwn(MAKERS, identifier) ? MAKERS[identifier] : undefined;
    if (!make) throw unknownName('metrics.get', 'metric', identifier, Object.keys(MAKERS));
    return make({ ...context, name: identifier });
  }
  if (typeof identifier === 'function') return meanOf(identifier.name || 'metric', identifier);
  if (isMetric(identifier)) return identifier;
  throw new ArgumentError(
    `metrics.get: ${describe(identifier)} is no metric; pass a name such as 'accuracy', a metric, or a function ` +
      `(yTrue, yPred) => values.`,
  );
}
