/** The confusion matrix, from which the metrics of labels are made. */
import { checkNumber } from '../core/check.ts';
import { checkOptions } from '../ops/options.ts';
import { checkChoice, checkLabels, checkRows, type MetricValues, read, total, weightsOf } from './host.ts';

export interface LabelOptions {
  /**
   * How many classes there are: labels are then 0 to classes − 1, and all of them count. Default: the labels that occur in
   * yTrue or yPred, in ascending order, as scikit-learn has it.
   */
  classes?: number;
  /** One for each sample, ≥ 0. Default: 1 each. */
  sampleWeight?: MetricValues;
}

/** How often class `classes[i]` was taken for `classes[j]`, at `matrix[i · k + j]`. */
export interface Counts {
  readonly classes: readonly number[];
  readonly matrix: Float64Array;
  /** Whether every label that may occur does. */
  readonly complete: boolean;
}

/** What a row of the matrix and a column come to: how often each class is true, and how often it is predicted. */
export function marginsOf({ classes: { length: k }, matrix }: Counts): {
  truth: Float64Array;
  predicted: Float64Array;
  hits: Float64Array;
} {
  const [truth, predicted, hits] = [new Float64Array(k), new Float64Array(k), new Float64Array(k)];
  for (let i = 0; i < k; i++) {
    hits[i] = matrix[i * k + i] as number;
    for (let j = 0; j < k; j++) {
      const count = matrix[i * k + j] as number;
      truth[i] = (truth[i] as number) + count;
      predicted[j] = (predicted[j] as number) + count;
    }
  }
  return { truth, predicted, hits };
}

/** Reads, checks and counts. */
export async function countsOf(
  op: string,
  yTrue: MetricValues,
  yPred: MetricValues,
  { classes, sampleWeight }: LabelOptions,
): Promise<Counts> {
  if (classes !== undefined) checkNumber(op, 'classes', classes, { atLeast: 1, whole: true });
  const [truth, predicted] = [await read(op, 'yTrue', yTrue), await read(op, 'yPred', yPred)];
  checkRows(op, truth, predicted);
  const wanted = checkLabels(op, 'yTrue', truth, classes);
  const given = checkLabels(op, 'yPred', predicted, classes);
  const weights = await weightsOf(op, sampleWeight, wanted.length);
  const present = [...new Set([...wanted, ...given])].sort((a, b) => a - b);
  const all = classes === undefined ? present : Array.from({ length: classes }, (_, index) => index);
  const place = new Map(all.map((label, index) => [label, index]));
  const matrix = new Float64Array(all.length ** 2);
  wanted.forEach((label, sample) => {
    const at = (place.get(label) as number) * all.length + (place.get(given[sample] as number) as number);
    matrix[at] = (matrix[at] as number) + (weights[sample] as number);
  });
  return { classes: all, matrix, complete: all.length === present.length };
}

export interface ConfusionMatrixOptions extends LabelOptions {
  /** Divide by the sums of the rows ('true'), of the columns ('pred') or by the sum of 'all'; 0 / 0 is 0. Default: null. */
  normalize?: 'true' | 'pred' | 'all' | null;
}

/**
 * `matrix[i][j]` is the number, or the weight, of samples of class i that were predicted as class j, for labels (samples,);
 * scikit-learn's `confusion_matrix`.
 *
 * ```ts
 * await metrics.confusionMatrix([0, 1, 1], [0, 1, 0]);   // [[1, 0], [1, 1]]
 * ```
 *
 * @throws ShapeError for lengths that differ, ArgumentError for labels that are no class numbers or not below `classes`.
 */
export async function confusionMatrix(
  yTrue: MetricValues,
  yPred: MetricValues,
  options: ConfusionMatrixOptions = {},
): Promise<number[][]> {
  const op = 'confusionMatrix';
  checkOptions<ConfusionMatrixOptions>(op, options, ['classes', 'normalize', 'sampleWeight'], 'yTrue, yPred');
  const { normalize = null } = options;
  checkChoice(op, 'normalize', normalize, ['true', 'pred', 'all', null]);
  const counts = await countsOf(op, yTrue, yPred, options);
  const { truth, predicted } = marginsOf(counts);
  const sum = total(counts.matrix);
  const k = counts.classes.length;
  const divisor = (i: number, j: number): number => {
    if (normalize === null) return 1;
    return (normalize === 'true' ? truth[i] : normalize === 'pred' ? predicted[j] : sum) as number;
  };
  return counts.classes.map((_, i) =>
    counts.classes.map((__, j) => {
      const by = divisor(i, j);
      return by === 0 ? 0 : (counts.matrix[i * k + j] as number) / by;
    }),
  );
}

/** `confusionMatrix` as text: a row for each class, a column for each prediction. */
export function confusionMatrixText(
  matrix: readonly (readonly number[])[],
  names: readonly string[] = matrix.map((_, index) => String(index)),
): string {
  const cells = matrix.map((row) => row.map((v) => (Number.isInteger(v) ? String(v) : v.toFixed(2))));
  const width = Math.max(
    ...names.map(({ length }) => length),
    ...cells.flat().map(({ length }) => length),
    1,
  );
  const heading = 'true \\ predicted';
  const label = Math.max(heading.length, ...names.map(({ length }) => length));
  const line = (head: string, parts: readonly string[]): string =>
    [head.padStart(label), ...parts.map((part) => part.padStart(width))].join('  ');
  return [line(heading, names), ...cells.map((row, index) => line(names[index] ?? String(index), row))].join(
    '\n',
  );
}
