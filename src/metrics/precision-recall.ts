/** Precision, recall, specificity and F scores of labels, at once. */
import { checkNumber } from '../core/check.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';
import { type Counts, countsOf, type LabelOptions, marginsOf } from './confusion.ts';
import { averageOf, checkChoice, type MetricValues, total, warn } from './host.ts';

/** How the scores of several classes become one; 'binary' is the score of class 1 alone. */
export type Average = 'binary' | 'macro' | 'micro' | 'weighted';

export interface ScoreOptions extends LabelOptions {
  /**
   * 'binary': of class 1, for labels of 0 and 1. 'macro': the mean over the classes. 'micro': of all counts together.
   * 'weighted': the mean, weighted by how often each class is true. null: a list, one score for each class. Default: 'binary'.
   */
  average?: Average | null;
  /** What 0 / 0 is. Default: 'warn', 0 with a warning. */
  zeroDivision?: 'warn' | 0 | 1;
}

export interface FbetaOptions extends ScoreOptions {
  /** How much more recall counts than precision, ≥ 0. Default: 1. */
  beta?: number;
}

/** A score of labels: a number, or with `average: null` a list. */
export interface LabelScore<Options extends ScoreOptions> {
  (yTrue: MetricValues, yPred: MetricValues, options: Options & { average: null }): Promise<number[]>;
  (yTrue: MetricValues, yPred: MetricValues, options?: Options & { average?: Average }): Promise<number>;
}

/** One class against the rest: true positives, and how often it is predicted, is true, and all samples. */
export interface OneClass {
  readonly hits: number;
  readonly predicted: number;
  readonly truth: number;
  readonly all: number;
}

/** A score as a quotient. */
export interface ScoreFormula {
  above(one: OneClass): number;
  below(one: OneClass): number;
  /** Of what there is none where it is 0 / 0, for the warning. */
  readonly missing: string;
}

export const PRECISION: ScoreFormula = {
  above: ({ hits }) => hits,
  below: ({ predicted }) => predicted,
  missing: 'predicted samples',
};

export const RECALL: ScoreFormula = {
  above: ({ hits }) => hits,
  below: ({ truth }) => truth,
  missing: 'true samples',
};

const SPECIFICITY: ScoreFormula = {
  above: ({ all, truth, predicted, hits }) => all - truth - predicted + hits,
  below: ({ all, truth }) => all - truth,
  missing: 'true samples of other classes',
};

/** (1 + β²)·TP / ((1 + β²)·TP + β²·FN + FP) */
export const fbetaOf = (beta: number): ScoreFormula => ({
  above: ({ hits }) => (1 + beta * beta) * hits,
  below: ({ truth, predicted }) => beta * beta * truth + predicted,
  missing: 'true or predicted samples',
});

const TWO_CLASSES = [1];

/** Each class against the rest, of those that an average needs. */
function classesOf(op: string, counts: Counts, average: Average | null): OneClass[] {
  const { truth, predicted, hits } = marginsOf(counts);
  const all = total(counts.matrix);
  const one = (label: number): OneClass => {
    const at = counts.classes.indexOf(label);
    if (at < 0) return { hits: 0, predicted: 0, truth: 0, all };
    const [tp, p, t] = [hits[at], predicted[at], truth[at]] as [number, number, number];
    return { hits: tp, predicted: p, truth: t, all };
  };
  if (average !== 'binary') return counts.classes.map(one);
  const other = counts.classes.find((label) => label > 1);
  if (other !== undefined) {
    throw new ArgumentError(
      `${op}: average 'binary' takes the labels 0 and 1, and there is a ${other}; choose { average: 'macro' }, 'micro', 'weighted' or null.`,
    );
  }
  return TWO_CLASSES.map(one);
}

/** The score of counts, with a warning where it is undefined. */
export function scoreOf(
  op: string,
  counts: Counts,
  { above, below, missing }: ScoreFormula,
  average: Average | null,
  zeroDivision: 'warn' | 0 | 1,
): number | number[] {
  const nothing = zeroDivision === 1 ? 1 : 0;
  const each = classesOf(op, counts, average);
  const add = (a: OneClass, b: OneClass): OneClass => ({
    hits: a.hits + b.hits,
    predicted: a.predicted + b.predicted,
    truth: a.truth + b.truth,
    all: a.all + b.all,
  });
  const parts = average === 'micro' ? [each.reduce(add, { hits: 0, predicted: 0, truth: 0, all: 0 })] : each;
  const undefinedAt: number[] = [];
  const scores = parts.map((part, index) => {
    const divisor = below(part);
    if (divisor !== 0) return above(part) / divisor;
    undefinedAt.push(counts.classes[index] ?? index);
    return nothing;
  });
  if (undefinedAt.length > 0 && zeroDivision === 'warn') {
    const where = average === 'binary' || average === 'micro' ? '' : ` of class ${undefinedAt.join(', ')}`;
    warn(
      op,
      `there are no ${missing}${where}; the score there is 0 / 0, and set to 0. Pass { zeroDivision: 0 } or 1 to choose in silence.`,
    );
  }
  if (average === null) return scores;
  if (scores.length === 0 && zeroDivision === 'warn')
    warn(op, `there are no samples, so there are no classes; it is ${average === 'macro' ? 'NaN' : 0}.`);
  if (average !== 'weighted') return averageOf(scores);
  const support = parts.map(({ truth }) => truth);
  if (total(support) > 0) return averageOf(scores, support);
  // No weight at all: what is undefined for every class stays so, else there is nothing to average.
  return parts.every((part) => below(part) === 0) ? nothing : 0;
}

const SCORE_OPTIONS = ['average', 'classes', 'sampleWeight', 'zeroDivision'] as const;

async function score(
  op: string,
  yTrue: MetricValues,
  yPred: MetricValues,
  options: ScoreOptions,
  formula: ScoreFormula,
): Promise<number | number[]> {
  const { average = 'binary', zeroDivision = 'warn' } = options;
  checkChoice(op, 'average', average, ['binary', 'macro', 'micro', 'weighted', null]);
  checkChoice(op, 'zeroDivision', zeroDivision, ['warn', 0, 1]);
  return scoreOf(op, await countsOf(op, yTrue, yPred, options), formula, average, zeroDivision);
}

const scoreFunction = (op: string, formula: ScoreFormula): LabelScore<ScoreOptions> =>
  (async (yTrue: MetricValues, yPred: MetricValues, options: ScoreOptions = {}) => {
    checkOptions<ScoreOptions>(op, options, SCORE_OPTIONS, 'yTrue, yPred');
    return score(op, yTrue, yPred, options, formula);
  }) as LabelScore<ScoreOptions>;

/**
 * TP / (TP + FP): how many of those predicted as a class are of it; scikit-learn's `precision_score`. For labels (samples,).
 *
 * @throws ShapeError for lengths that differ, ArgumentError for labels that are no class numbers, and for others than 0 and 1
 *   with `average: 'binary'`.
 */
export const precisionScore = scoreFunction('precisionScore', PRECISION);

/** TP / (TP + FN): how many of a class are found; scikit-learn's `recall_score`. Errors as of `precisionScore`. */
export const recallScore = scoreFunction('recallScore', RECALL);

/**
 * TN / (TN + FP): how many of those that are not of a class are not predicted as it. scikit-learn has no such function; for two
 * classes it is its `recall_score(…, pos_label=0)`. Errors as of `precisionScore`.
 */
export const specificityScore = scoreFunction('specificityScore', SPECIFICITY);

/** 2·TP / (2·TP + FP + FN), the harmonic mean of precision and recall; `f1_score`. Errors as of `precisionScore`. */
export const f1Score = scoreFunction('f1Score', fbetaOf(1));

/**
 * (1 + β²)·TP / ((1 + β²)·TP + β²·FN + FP): the mean of precision and recall in which recall counts β times as much;
 * `fbeta_score`. Errors as of `precisionScore`, and ArgumentError for a beta that is no number ≥ 0.
 */
export const fbetaScore = (async (
  yTrue: MetricValues,
  yPred: MetricValues,
  options: FbetaOptions = {},
): Promise<number | number[]> => {
  checkOptions<FbetaOptions>('fbetaScore', options, [...SCORE_OPTIONS, 'beta'], 'yTrue, yPred');
  const { beta = 1 } = options;
  checkNumber('fbetaScore', 'beta', beta, { atLeast: 0 });
  return score('fbetaScore', yTrue, yPred, options, fbetaOf(beta));
}) as LabelScore<FbetaOptions>;

/** The share, or the weight's share, of labels that are predicted right; `accuracy_score`. NaN without samples. */
export async function accuracyScore(
  yTrue: MetricValues,
  yPred: MetricValues,
  options: LabelOptions = {},
): Promise<number> {
  const op = 'accuracyScore';
  checkOptions<LabelOptions>(op, options, ['classes', 'sampleWeight'], 'yTrue, yPred');
  const counts = await countsOf(op, yTrue, yPred, options);
  const all = total(counts.matrix);
  if (all === 0) warn(op, 'there are no samples, or none with a weight; it is NaN.');
  return total(marginsOf(counts).hits) / all;
}
