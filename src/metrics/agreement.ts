/** How far predictions agree with labels beyond chance. */
import { checkOptions } from '../ops/options.ts';
import { countsOf, type LabelOptions, marginsOf } from './confusion.ts';
import { checkChoice, type MetricValues, total, warn } from './host.ts';

export interface KappaOptions extends LabelOptions {
  /** What a confusion of classes i and j costs: 1, |i − j| ('linear') or (i − j)² ('quadratic'). Default: null, 1. */
  weights?: 'linear' | 'quadratic' | null;
}

/** What each confusion costs. */
const kappaCost =
  (weights: 'linear' | 'quadratic' | null) =>
  (i: number, j: number): number => {
    if (weights === 'linear') return Math.abs(i - j);
    return weights === 'quadratic' ? (i - j) ** 2 : i === j ? 0 : 1;
  };

/**
 * Cohen's kappa, 1 − Σ c·n / Σ c·e with the counts n, those expected by chance e = rows ⊗ columns / total, and what a
 * confusion costs c; scikit-learn's `cohen_kappa_score`. NaN, with a warning, where no cost is expected: all samples are one class.
 *
 * @throws ShapeError for lengths that differ, ArgumentError for labels that are no class numbers.
 */
export async function cohenKappaScore(
  yTrue: MetricValues,
  yPred: MetricValues,
  options: KappaOptions = {},
): Promise<number> {
  const op = 'cohenKappaScore';
  checkOptions<KappaOptions>(op, options, ['classes', 'weights', 'sampleWeight'], 'yTrue, yPred');
  const { weights = null } = options;
  checkChoice(op, 'weights', weights, ['linear', 'quadratic', null]);
  const counts = await countsOf(op, yTrue, yPred, options);
  const { truth, predicted } = marginsOf(counts);
  const all = total(counts.matrix);
  const k = counts.classes.length;
  const cost = kappaCost(weights);
  let [found, expected] = [0, 0];
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      found += cost(i, j) * (counts.matrix[i * k + j] as number);
      expected += (cost(i, j) * (truth[i] as number) * (predicted[j] as number)) / all;
    }
  }
  if (expected > 0) return 1 - found / expected;
  warn(op, 'all samples are of one class, and predicted as it: chance agrees as well. It is NaN.');
  return Number.NaN;
}

/**
 * Matthews' correlation of labels and predictions, for any number of classes (Gorodkin 2004):
 * (hits·N − t·p) / √((N² − t·t)·(N² − p·p)), with t and p how often each class is true and predicted; scikit-learn's
 * `matthews_corrcoef`. 0, with a warning, where all samples are, or are predicted as, one class.
 *
 * @throws ShapeError for lengths that differ, ArgumentError for labels that are no class numbers.
 */
export async function matthewsCorrcoef(
  yTrue: MetricValues,
  yPred: MetricValues,
  options: LabelOptions = {},
): Promise<number> {
  const op = 'matthewsCorrcoef';
  checkOptions<LabelOptions>(op, options, ['classes', 'sampleWeight'], 'yTrue, yPred');
  const counts = await countsOf(op, yTrue, yPred, options);
  const { truth, predicted, hits } = marginsOf(counts);
  const dot = (a: Float64Array, b: Float64Array): number => total(a.map((v, i) => v * (b[i] as number)));
  const all = total(predicted);
  const spreads = (all * all - dot(truth, truth)) * (all * all - dot(predicted, predicted));
  if (spreads !== 0) return (total(hits) * all - dot(truth, predicted)) / Math.sqrt(spreads);
  warn(
    op,
    'all samples are, or are predicted as, one class; a correlation with a constant is 0 / 0, and set to 0.',
  );
  return 0;
}
