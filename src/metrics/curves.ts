/** What scores of a yes-or-no question are worth at every threshold, at once. */
import { checkFlags } from '../core/check.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { checkOptions } from '../ops/options.ts';
import {
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

export interface CurveOptions {
  /** One for each sample, ≥ 0; samples of weight 0 do not count at all. Default: 1 each. */
  sampleWeight?: MetricValues;
}

/** Samples with their scores: whether each is positive, what it scored, and what it weighs. */
export interface Scored {
  readonly truth: ArrayLike<number>;
  readonly scores: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
}

/** The weight of false and of true positives for "score ≥ threshold", with descending thresholds, one for equal scores. */
interface Positives {
  readonly fps: number[];
  readonly tps: number[];
  readonly thresholds: number[];
}

export function positivesOf({ truth, scores, weights }: Scored): Positives {
  const found: Positives = { fps: [], tps: [], thresholds: [] };
  const order = Array.from(scores, (_, index) => index)
    .filter((index) => weights[index] !== 0)
    .sort((a, b) => (scores[a] as number) - (scores[b] as number))
    .reverse();
  let [fp, tp] = [0, 0];
  order.forEach((sample, rank) => {
    const weight = weights[sample] as number;
    if (truth[sample] === 1) tp += weight;
    else fp += weight;
    const next = order[rank + 1];
    if (next !== undefined && scores[next] === scores[sample]) return;
    found.fps.push(fp);
    found.tps.push(tp);
    found.thresholds.push(scores[sample] as number);
  });
  return found;
}

/** Reads and checks the samples of one yes-or-no question. */
async function scored(
  op: string,
  yTrue: MetricValues,
  yScore: MetricValues,
  { sampleWeight }: CurveOptions,
): Promise<Scored> {
  const [truth, scores] = [await read(op, 'yTrue', yTrue), await read(op, 'yScore', yScore)];
  checkRows(op, truth, scores, ['yTrue', 'yScore']);
  checkSome(op, truth);
  if (!isFlat(scores)) {
    throw new ShapeError(
      `${op}: yScore has shape ${formatShape(scores.shape)}; pass the scores of class 1, (samples,).`,
    );
  }
  checkFinite(op, 'yScore', scores);
  const weights = await weightsOf(op, sampleWeight, scores.data.length);
  return { truth: checkLabels(op, 'yTrue', truth, 2), scores: scores.data, weights };
}

export interface RocCurveOptions extends CurveOptions {
  /** Leave out thresholds between two others on a straight line. Default: true. */
  dropIntermediate?: boolean;
}

export interface RocCurve {
  /** False positive rate, FP / (FP + TN), for "score ≥ threshold"; ascending from 0 to 1. */
  readonly fpr: number[];
  /** True positive rate, TP / (TP + FN). */
  readonly tpr: number[];
  /** Descending; the first is ∞, where nothing is positive. */
  readonly thresholds: number[];
}

const last = (values: readonly number[]): number => values.at(-1) ?? 0;

/** Whether place i is a corner of the values: no straight line from its neighbours. */
const isCorner = (values: readonly number[], i: number): boolean => {
  const [before, own, after] = [values[i - 1], values[i], values[i + 1]] as [number, number, number];
  return after - own - (own - before) !== 0;
};

/**
 * The ROC curve of labels 0 and 1 and scores (samples,), of which higher ones speak for class 1; scikit-learn's `roc_curve`,
 * whose first threshold is ∞ from 1.3 on. Equal scores share a threshold. Without positives `tpr` is NaN, without negatives
 * `fpr`, with a warning.
 *
 * @throws ShapeError for shapes that differ, ArgumentError for other labels, NaN and infinite scores, and no samples.
 */
export async function rocCurve(
  yTrue: MetricValues,
  yScore: MetricValues,
  options: RocCurveOptions = {},
): Promise<RocCurve> {
  const op = 'rocCurve';
  checkOptions<RocCurveOptions>(op, options, ['sampleWeight', 'dropIntermediate'], 'yTrue, yScore');
  const { dropIntermediate = true } = options;
  checkFlags(op, { dropIntermediate });
  const { fps, tps, thresholds } = positivesOf(await scored(op, yTrue, yScore, options));
  const end = fps.length - 1;
  const kept = fps
    .map((_, i) => i)
    .filter((i) => !dropIntermediate || i === 0 || i === end || isCorner(fps, i) || isCorner(tps, i));
  const rate = (values: readonly number[], what: string, name: string): number[] => {
    const all = last(values);
    if (all > 0) return [0, ...kept.map((i) => (values[i] as number) / all)];
    warn(op, `no sample of yTrue is ${what}; ${name} is NaN.`);
    return [0, ...kept].fill(Number.NaN);
  };
  return {
    fpr: rate(fps, 'negative', 'fpr'),
    tpr: rate(tps, 'positive', 'tpr'),
    thresholds: [Infinity, ...kept.map((i) => thresholds[i] as number)],
  };
}

export interface PrecisionRecallCurve {
  /** TP / (TP + FP) for "score ≥ threshold", and at the end 1. */
  readonly precision: number[];
  /** TP / (TP + FN), descending from 1, and at the end 0. */
  readonly recall: number[];
  /** Ascending; one fewer than there are points. */
  readonly thresholds: number[];
}

/** @param onUndefined Is called where there are no positives. */
function precisionRecallOf(samples: Scored, onUndefined: () => void): PrecisionRecallCurve {
  const { fps, tps, thresholds } = positivesOf(samples);
  const positives = last(tps);
  if (positives === 0) onUndefined();
  const precision = tps.map((tp, i) => (tp === 0 ? 0 : tp / (tp + (fps[i] as number))));
  const recall = tps.map((tp) => (positives === 0 ? 1 : tp / positives));
  return {
    precision: [...precision.reverse(), 1],
    recall: [...recall.reverse(), 0],
    thresholds: thresholds.reverse(),
  };
}

/**
 * Precision and recall of labels 0 and 1 and scores (samples,) at each threshold; scikit-learn's `precision_recall_curve`.
 * Without positives recall is 1 everywhere, with a warning. Errors as of `rocCurve`.
 */
export async function precisionRecallCurve(
  yTrue: MetricValues,
  yScore: MetricValues,
  options: CurveOptions = {},
): Promise<PrecisionRecallCurve> {
  const op = 'precisionRecallCurve';
  checkOptions<CurveOptions>(op, options, ['sampleWeight'], 'yTrue, yScore');
  return precisionRecallOf(await scored(op, yTrue, yScore, options), () =>
    warn(op, 'no sample of yTrue is positive; recall is set to 1 for all thresholds.'),
  );
}

/** The area under the ROC curve; undefined with one class only. */
export function areaOf(samples: Scored): number | undefined {
  const { fps, tps } = positivesOf(samples);
  const [negatives, positives] = [last(fps), last(tps)];
  if (negatives === 0 || positives === 0) return undefined;
  let area = 0;
  fps.forEach((fp, i) => {
    area += ((fp - (fps[i - 1] ?? 0)) * ((tps[i] as number) + (tps[i - 1] ?? 0))) / 2;
  });
  return area / negatives / positives;
}

/** Σ (recall's rise) · precision, without interpolation; undefined without positives. */
export function averagePrecisionOf(samples: Scored): number | undefined {
  let defined = true;
  const { precision, recall } = precisionRecallOf(samples, () => {
    defined = false;
  });
  if (!defined) return undefined;
  return recall
    .slice(0, -1)
    .reduce((sum, own, i) => sum + (own - (recall[i + 1] as number)) * (precision[i] as number), 0);
}

/** Refuses rows that are no probabilities. */
export function checkShares(op: string, rows: Float64Array, classes: number): void {
  for (let row = 0; row * classes < rows.length; row++) {
    const sum = rows.subarray(row * classes, (row + 1) * classes).reduce((a, b) => a + b, 0);
    if (Math.abs(1 - sum) <= 1e-8 + 1e-5 * Math.abs(sum)) continue;
    throw new ArgumentError(
      `${op}: row ${row} of yScore sums to ${Number(sum.toPrecision(6))}; scores of several classes are probabilities with a sum of 1, so apply softmax to logits.`,
    );
  }
}
