/** Precision, recall and their kin over batches. */
import type { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { ArgumentError } from '../core/errors.ts';
import { add, div, mul, sub, where } from '../ops/binary.ts';
import { cast } from '../ops/cast.ts';
import { equal, notEqual } from '../ops/compare.ts';
import { arange, full } from '../ops/create.ts';
import { mean, sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import { along } from '../ops/slice.ts';
import { diagonal } from '../ops/structure.ts';
import { abs, neg, sqrt, square } from '../ops/unary.ts';
import { checkChoice } from './host.ts';
import { type Metric, nameOf } from './metric.ts';
import type { Average } from './precision-recall.ts';
import { CLASS_OPTIONS, type ClassMetricOptions, ConfusionMetric } from './stream-confusion.ts';
import { quotient, scalar } from './streamed.ts';

export interface ScoreMetricOptions extends ClassMetricOptions {
  /**
   * As of `precisionScore`; with null the result has one score for each class, which `fit` cannot log. Default: 'binary' of
   * two classes, else 'macro'.
   */
  average?: Average | null;
}

export interface FbetaMetricOptions extends ScoreMetricOptions {
  /** How much more recall counts than precision, ≥ 0. Default: 1. */
  beta?: number;
}

export interface KappaMetricOptions extends ClassMetricOptions {
  /** What a confusion of classes i and j costs: 1, |i − j| ('linear') or (i − j)² ('quadratic'). Default: null, 1. */
  weights?: 'linear' | 'quadratic' | null;
}

/** How often each class is right, is predicted, is true; (classes,) each. */
interface Margins {
  readonly hits: Tensor;
  readonly predicted: Tensor;
  readonly truth: Tensor;
  /** A scalar: all samples. */
  readonly all: Tensor;
}

const marginsOf = (matrix: Tensor): Margins => ({
  hits: diagonal(matrix),
  predicted: sum(matrix, { axis: 0 }),
  truth: sum(matrix, { axis: 1 }),
  all: sum(matrix),
});

/** A score of each class as a quotient. */
type Formula = (margins: Margins) => readonly [above: Tensor, below: Tensor];

function averaged(name: string, matrix: Tensor, average: Average | null, formula: Formula): Tensor {
  const margins = marginsOf(matrix);
  const [above, below] = formula(margins);
  if (average === 'micro') return quotient(sum(above), sum(below));
  const each = quotient(above, below);
  if (average === null) return each;
  if (average === 'macro') return mean(each);
  if (average === 'weighted') return quotient(sum(mul(each, margins.truth)), margins.all);
  const [classes] = matrix.shape;
  if (classes === 2) return scalar(along(each, 0, 1, 2));
  throw new ArgumentError(
    `${name}: average 'binary' takes two classes, and there are ${classes}; choose { average: 'macro' }, 'micro', 'weighted' or null.`,
  );
}

function scoreMetric(op: string, options: ScoreMetricOptions, formula: Formula): Metric {
  const name = nameOf<ScoreMetricOptions>(op, options, [...CLASS_OPTIONS, 'average']);
  const { average } = options;
  if (average !== undefined)
    checkChoice(op, 'average', average, ['binary', 'macro', 'micro', 'weighted', null]);
  return new ConfusionMetric(name, options, (matrix) =>
    averaged(
      name,
      matrix,
      average === undefined ? (matrix.shape[0] === 2 ? 'binary' : 'macro') : average,
      formula,
    ),
  );
}

/**
 * TP / (TP + FP) over all samples, 0 where nothing is predicted: `precisionScore` of all batches with `{ classes }`, but without
 * its warning, since nothing is read back. What classes are: see `ScoreMetricOptions`, and `accuracy` for yTrue and yPred. Counts
 * are floats, float32 on a GPU: up to 2²⁴ in a cell of the matrix they are exact.
 *
 * ```ts
 * model.compile({ loss: 'binaryCrossentropy', metrics: ['precision', metrics.recall({ threshold: 0.3 })] });
 * ```
 *
 * @throws ShapeError and DTypeError for labels that do not fit; a label out of range is an IndexError, on a GPU told by the next
 *   readback.
 */
export const precision = (options: ScoreMetricOptions = {}): Metric =>
  scoreMetric('precision', options, ({ hits, predicted }) => [hits, predicted]);

/** TP / (TP + FN) over all samples, 0 where nothing is true: `recallScore` of all batches. All else as of `precision`. */
export const recall = (options: ScoreMetricOptions = {}): Metric =>
  scoreMetric('recall', options, ({ hits, truth }) => [hits, truth]);

/** TN / (TN + FP) over all samples, 0 where nothing is of another class: `specificityScore`. All else as of `precision`. */
export const specificity = (options: ScoreMetricOptions = {}): Metric =>
  scoreMetric('specificity', options, ({ hits, predicted, truth, all }) => {
    const others = sub(all, truth);
    return [sub(others, sub(predicted, hits)), others];
  });

const fbetaFormula =
  (beta: number): Formula =>
  ({ hits, predicted, truth }) => [mul(hits, 1 + beta * beta), add(mul(truth, beta * beta), predicted)];

/** 2·TP / (2·TP + FP + FN) over all samples: `f1Score` of all batches. All else as of `precision`. */
export const f1 = (options: ScoreMetricOptions = {}): Metric => scoreMetric('f1', options, fbetaFormula(1));

/** (1 + β²)·TP / ((1 + β²)·TP + β²·FN + FP) over all samples: `fbetaScore`. All else as of `precision`. */
export function fbeta(options: FbetaMetricOptions = {}): Metric {
  nameOf<FbetaMetricOptions>('fbeta', options, [...CLASS_OPTIONS, 'average', 'beta']);
  const { beta = 1, ...others } = options;
  checkNumber('fbeta', 'beta', beta, { atLeast: 0 });
  return scoreMetric('fbeta', others, fbetaFormula(beta));
}

/**
 * The confusion matrix of all batches, (classes, classes): its result has no single number, so it is no metric for `fit`.
 * What classes are, and errors, as of `precision`.
 */
export const confusion = (options: ClassMetricOptions = {}): Metric =>
  new ConfusionMetric(nameOf<ClassMetricOptions>('confusion', options, CLASS_OPTIONS), options, (matrix) =>
    mul(matrix, 1),
  );

/**
 * Matthews' correlation over all samples: `matthewsCorrcoef` of all batches; 0 where it is undefined. What classes are, and
 * errors, as of `precision`.
 */
export function matthews(options: ClassMetricOptions = {}): Metric {
  const name = nameOf<ClassMetricOptions>('matthews', options, CLASS_OPTIONS);
  return new ConfusionMetric(name, options, (matrix) => {
    const { hits, predicted, truth, all } = marginsOf(matrix);
    // N·hits − t·p as Σ TP·TN − FP·FN, and N² − t·t as Σ t·(N − t): no large numbers cancel.
    const [fp, fn] = [sub(predicted, hits), sub(truth, hits)];
    const tn = sub(sub(all, truth), fp);
    const covariance = sum(sub(mul(hits, tn), mul(fp, fn)));
    const spread = (count: Tensor): Tensor => sqrt(sum(mul(count, sub(all, count))));
    return quotient(covariance, mul(spread(truth), spread(predicted)));
  });
}

/**
 * Cohen's kappa over all samples: `cohenKappaScore` of all batches with `{ classes }`; NaN where it is undefined, and 0 before
 * the first batch. What classes are, and errors, as of `precision`.
 */
export function kappa(options: KappaMetricOptions = {}): Metric {
  const name = nameOf<KappaMetricOptions>('kappa', options, [...CLASS_OPTIONS, 'weights']);
  const { weights = null } = options;
  checkChoice('kappa', 'weights', weights, ['linear', 'quadratic', null]);
  return new ConfusionMetric(name, options, (matrix) => {
    const { predicted, truth, all } = marginsOf(matrix);
    const [classes] = matrix.shape as [number];
    const { device } = matrix;
    const places = arange(0, classes, 1, { device });
    const column = (x: Tensor): Tensor => reshape(x, [classes, 1]);
    const gap = sub(column(places), places);
    const cost =
      weights === 'linear'
        ? abs(gap)
        : weights === 'quadratic'
          ? square(gap)
          : cast(notEqual(gap, 0), 'float');
    const found = sum(mul(cost, matrix));
    const expected = sum(mul(cost, mul(column(quotient(truth, all)), predicted)));
    const nothing = full([], Number.NaN, { device });
    const value = add(neg(div(found, expected)), 1);
    return where(equal(all, 0), 0, where(equal(expected, 0), nothing, value));
  });
}
