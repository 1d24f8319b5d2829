/** The worth of scores in one number: areas under curves, of two classes or of many. */
import { ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { checkOptions } from '../ops/options.ts';
import { areaOf, averagePrecisionOf, type CurveOptions, checkShares, type Scored } from './curves.ts';
import {
  averageOf,
  checkChoice,
  checkFinite,
  checkLabels,
  checkRows,
  checkSome,
  isFlat,
  type MetricValues,
  read,
  total,
  warn,
  weightsOf,
} from './host.ts';

export interface RankingOptions extends CurveOptions {
  /**
   * With several classes: 'macro', the mean over them; 'weighted', by how often each is true; 'micro', of all columns as one
   * question; null, a list. Default: 'macro'.
   */
  average?: 'macro' | 'micro' | 'weighted' | null;
}

export interface RocAucOptions extends RankingOptions {
  /** Each class against the rest ('ovr'), or each pair of classes ('ovo', Hand and Till 2001). Default: 'ovr'. */
  multiClass?: 'ovr' | 'ovo';
}

/** A score: a number, or with `average: null` and scores of several classes a list. */
export interface RankingScore<Options extends RankingOptions> {
  (
    yTrue: MetricValues,
    yScore: MetricValues,
    options: Options & { average: null },
  ): Promise<number | number[]>;
  (
    yTrue: MetricValues,
    yScore: MetricValues,
    options?: Options & { average?: 'macro' | 'micro' | 'weighted' },
  ): Promise<number>;
}

interface Question {
  readonly truth: Float64Array;
  readonly scores: Float64Array;
  readonly weights: Float64Array;
  /** Columns of the scores; 1 for a yes-or-no question. */
  readonly classes: number;
}

async function question(
  op: string,
  yTrue: MetricValues,
  yScore: MetricValues,
  { sampleWeight }: CurveOptions,
): Promise<Question> {
  const [truth, scores] = [await read(op, 'yTrue', yTrue), await read(op, 'yScore', yScore)];
  checkRows(op, truth, scores, ['yTrue', 'yScore']);
  checkSome(op, truth);
  if (scores.shape.length > 2 || scores.data.length === 0) {
    throw new ShapeError(
      `${op}: yScore has shape ${formatShape(scores.shape)}; pass (samples,) or (samples, classes).`,
    );
  }
  checkFinite(op, 'yScore', scores);
  const classes = isFlat(scores) ? 1 : (scores.shape[1] as number);
  const labels = checkLabels(op, 'yTrue', truth, Math.max(2, classes));
  return {
    truth: labels,
    scores: scores.data,
    weights: await weightsOf(op, sampleWeight, labels.length),
    classes,
  };
}

/** One class against the rest. */
const columnOf = ({ truth, scores, weights, classes }: Question, label: number): Scored => ({
  truth: truth.map((own) => (own === label ? 1 : 0)),
  scores: Float64Array.from(truth, (_, row) => scores[row * classes + label] as number),
  weights,
});

/** All columns one after another. */
const flat = ({ truth, scores, weights, classes }: Question): Scored => ({
  truth: scores.map((_, at) => (truth[Math.floor(at / classes)] === at % classes ? 1 : 0)),
  scores,
  weights: scores.map((_, at) => weights[Math.floor(at / classes)] as number),
});

/** The score of each class, or their mean. Those that are undefined are told together. */
function averaged(
  op: string,
  own: Question,
  average: 'macro' | 'micro' | 'weighted' | null,
  score: (samples: Scored) => number | undefined,
  otherwise: { value: number; why: string },
): number | number[] {
  const undefinedAt: number[] = [];
  const one = (samples: Scored, label: number): number => {
    const value = score(samples);
    if (value === undefined) undefinedAt.push(label);
    return value ?? otherwise.value;
  };
  const { classes, truth, scores, weights } = own;
  const labels = Array.from({ length: classes }, (_, label) => label);
  let result: number | number[];
  if (classes === 1) result = one({ truth, scores, weights }, 1);
  else if (average === 'micro') result = one(flat(own), -1);
  else {
    const columns = labels.map((label) => columnOf(own, label));
    const each = columns.map(one);
    const support = columns.map((column) => total(weights.map((w, i) => w * (column.truth[i] as number))));
    result =
      average === null
        ? each
        : average === 'macro'
          ? averageOf(each)
          : total(support) === 0
            ? 0
            : averageOf(
                each.map((value, label) => (support[label] === 0 ? 0 : value)),
                support,
              );
  }
  if (undefinedAt.length > 0) {
    const where = classes === 1 || average === 'micro' ? '' : ` of class ${undefinedAt.join(', ')}`;
    warn(op, `${otherwise.why}${where}; the score there is set to ${otherwise.value}.`);
  }
  return result;
}

/** The mean over all pairs of classes that occur, of both ways to see the pair. */
function overPairs(op: string, { truth, scores, classes }: Question, weighted: boolean): number {
  const present = Array.from({ length: classes }, (_, label) => label).filter((label) =>
    truth.includes(label),
  );
  const values: number[] = [];
  const shares: number[] = [];
  for (const a of present) {
    for (const b of present.filter((label) => label > a)) {
      const rows = Array.from(truth.keys()).filter((row) => truth[row] === a || truth[row] === b);
      const area = (positive: number): number =>
        areaOf({
          truth: rows.map((row) => (truth[row] === positive ? 1 : 0)),
          scores: rows.map((row) => scores[row * classes + positive] as number),
          weights: rows.map(() => 1),
        }) as number; // Both classes occur.
      values.push((area(a) + area(b)) / 2);
      shares.push(rows.length / truth.length);
    }
  }
  if (values.length === 0) warn(op, 'only one class is in yTrue; it is NaN.');
  return averageOf(values, weighted ? shares : undefined);
}

/**
 * The area under the ROC curve: the probability that a sample of the class scores higher than another, where equals count
 * half; scikit-learn's `roc_auc_score`. For labels 0 and 1 with scores (samples,), or labels of several classes with
 * probabilities (samples, classes); its `multi_class` is 'ovr' here unless it is given. With one class only it is NaN, with a
 * warning, as in scikit-learn from 1.6 on.
 *
 * @throws ShapeError for shapes that differ; ArgumentError for labels without a column, NaN and infinite scores, probabilities
 *   whose sum is not 1, no samples, and for weights and averages that scikit-learn does not define with 'ovo'.
 */
export const rocAucScore = (async (
  yTrue: MetricValues,
  yScore: MetricValues,
  options: RocAucOptions = {},
): Promise<number | number[]> => {
  const op = 'rocAucScore';
  checkOptions<RocAucOptions>(op, options, ['average', 'multiClass', 'sampleWeight'], 'yTrue, yScore');
  const { average = 'macro', multiClass = 'ovr', sampleWeight } = options;
  checkChoice(op, 'multiClass', multiClass, ['ovr', 'ovo']);
  const pairs = multiClass === 'ovo';
  checkChoice(op, 'average', average, pairs ? ['macro', 'weighted'] : ['macro', 'micro', 'weighted', null]);
  if (pairs) checkChoice(op, `with multiClass 'ovo', sampleWeight`, sampleWeight ?? null, [null]);
  const own = await question(op, yTrue, yScore, options);
  if (own.classes > 1) checkShares(op, own.scores, own.classes);
  if (own.classes > 1 && pairs) return overPairs(op, own, average === 'weighted');
  return averaged(op, own, average, areaOf, {
    value: Number.NaN,
    why: 'yTrue holds no samples, or nothing but samples,',
  });
}) as RankingScore<RocAucOptions>;

/**
 * Average precision, Σ (R_n − R_{n−1})·P_n over the thresholds: the area under the precision-recall curve without
 * interpolation; scikit-learn's `average_precision_score`. For labels 0 and 1 with scores (samples,), or labels of several classes
 * with scores (samples, classes), each class against the rest. Without positives it is 0, with a warning.
 *
 * @throws ShapeError for shapes that differ; ArgumentError for labels without a column, NaN and infinite scores, no samples.
 */
export const averagePrecisionScore = (async (
  yTrue: MetricValues,
  yScore: MetricValues,
  options: RankingOptions = {},
): Promise<number | number[]> => {
  const op = 'averagePrecisionScore';
  checkOptions<RankingOptions>(op, options, ['average', 'sampleWeight'], 'yTrue, yScore');
  const { average = 'macro' } = options;
  checkChoice(op, 'average', average, ['macro', 'micro', 'weighted', null]);
  const own = await question(op, yTrue, yScore, options);
  return averaged(op, own, average, averagePrecisionOf, { value: 0, why: 'yTrue holds no positive samples' });
}) as RankingScore<RankingOptions>;
