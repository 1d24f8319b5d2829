/** Precision, recall and F1 of all classes in a table. */
import { checkFlags, checkNumber } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';
import { type Counts, countsOf, type LabelOptions, marginsOf } from './confusion.ts';
import { checkChoice, type MetricValues, total, warn } from './host.ts';
import { type Average, fbetaOf, PRECISION, RECALL, scoreOf } from './precision-recall.ts';

export interface ReportOptions extends LabelOptions {
  /** What to call the classes, in ascending order. Default: their numbers. */
  targetNames?: readonly string[];
  /** Digits behind the point in the text. Default: 2. */
  digits?: number;
  /** What 0 / 0 is. Default: 'warn', 0 with a warning. */
  zeroDivision?: 'warn' | 0 | 1;
  /** An object in place of the text. Default: false. */
  outputDict?: boolean;
}

export interface ReportRow {
  readonly precision: number;
  readonly recall: number;
  readonly f1Score: number;
  /** How many samples, or how much of their weight. */
  readonly support: number;
}

export interface ClassificationReport {
  /** By name. */
  readonly classes: Readonly<Record<string, ReportRow>>;
  /** The share of right predictions; where `classes` names some that do not occur, it is called `microAvg`. */
  readonly accuracy?: number;
  readonly microAvg?: ReportRow;
  readonly macroAvg: ReportRow;
  readonly weightedAvg: ReportRow;
}

/** A number with `digits` behind the point as Python writes it: exactly halfway goes to the even digit. */
export function fixed(value: number, digits: number): string {
  const scaled = value * 10 ** digits;
  const halfway = Number.isInteger(value * 2 ** (digits + 1)) && scaled - Math.floor(scaled) === 0.5;
  if (!halfway) return value.toFixed(digits);
  const below = Math.floor(scaled);
  return ((below % 2 === 0 ? below : below + 1) / 10 ** digits).toFixed(digits);
}

type Rows = readonly (readonly [name: string, row: ReportRow])[];

/** @param fractions Show the support as a float: scikit-learn does so with weights, and where nothing at all is right. */
function textOf(classes: Rows, averages: Rows, digits: number, fractions: boolean): string {
  const width = Math.max(...classes.map(([name]) => name.length), 'weighted avg'.length, digits);
  const support = (value: number): string =>
    fractions && Number.isInteger(value) ? value.toFixed(1) : String(value);
  const line = (name: string, parts: readonly string[]): string =>
    `${name.padStart(width)}  ${parts.map((part) => part.padStart(9)).join(' ')}\n`;
  const rowLine = ([name, row]: Rows[number]): string => {
    const scores = [row.precision, row.recall, row.f1Score].map((value) => fixed(value, digits));
    return line(name, [
      ...(name === 'accuracy' ? ['', '', scores[2] as string] : scores),
      support(row.support),
    ]);
  };
  const heading = line('', ['precision', 'recall', 'f1-score', 'support']);
  return `${heading}\n${classes.map(rowLine).join('')}\n${averages.map(rowLine).join('')}`;
}

function namesOf(op: string, counts: Counts, given: readonly string[] | undefined): readonly string[] {
  if (given === undefined) return counts.classes.map(String);
  if (Array.isArray(given) && given.length === counts.classes.length && new Set(given).size === given.length)
    return given.map(String);
  throw new ArgumentError(
    `${op}: targetNames is ${describe(given)} for the classes ${counts.classes.join(', ')}; pass a name for each, or { classes } if some do not occur.`,
  );
}

/** Precision, recall, F1 and support of one class or average; without a warning. */
const quiet = (op: string, counts: Counts, zero: 0 | 1) => {
  const score = (average: Average | null): number[][] =>
    [PRECISION, RECALL, fbetaOf(1)].map((formula) => [scoreOf(op, counts, formula, average, zero)].flat());
  return (average: Average | null, at: number, support: number): ReportRow => {
    const [precision, recall, f1Score] = score(average).map((list) => list[at] as number) as [
      number,
      number,
      number,
    ];
    return { precision, recall, f1Score, support };
  };
};

/** The report: its text, or with `outputDict: true` an object. */
export interface ReportFunction {
  (
    yTrue: MetricValues,
    yPred: MetricValues,
    options: ReportOptions & { outputDict: true },
  ): Promise<ClassificationReport>;
  (
    yTrue: MetricValues,
    yPred: MetricValues,
    options?: ReportOptions & { outputDict?: false },
  ): Promise<string>;
}

/**
 * Precision, recall, F1 and support of each class, their accuracy, and their macro and weighted means, as the text that
 * scikit-learn's `classification_report` prints, or as an object. What is 0 / 0 is 0, with one warning that names the classes.
 *
 * ```ts
 * console.log(await metrics.classificationReport(labels, argMax(scores, { axis: -1 })));
 * ```
 *
 * @throws ShapeError for lengths that differ, ArgumentError for labels that are no class numbers and names that do not fit.
 */
export const classificationReport = (async (
  yTrue: MetricValues,
  yPred: MetricValues,
  options: ReportOptions = {},
): Promise<string | ClassificationReport> => {
  const op = 'classificationReport';
  checkOptions<ReportOptions>(
    op,
    options,
    ['classes', 'targetNames', 'digits', 'sampleWeight', 'zeroDivision', 'outputDict'],
    'yTrue, yPred',
  );
  const { targetNames, digits = 2, zeroDivision = 'warn', outputDict = false, sampleWeight } = options;
  checkNumber(op, 'digits', digits, { atLeast: 0, atMost: 16, whole: true });
  checkChoice(op, 'zeroDivision', zeroDivision, ['warn', 0, 1]);
  checkFlags(op, { outputDict });
  const counts = await countsOf(op, yTrue, yPred, options);
  if (counts.classes.length === 0)
    throw new ArgumentError(`${op}: there are no samples, so the classes are not known; pass { classes }.`);
  const names = namesOf(op, counts, targetNames);
  const { truth, predicted } = marginsOf(counts);
  const empty = names.filter((_, index) => truth[index] === 0 || predicted[index] === 0);
  if (empty.length > 0 && zeroDivision === 'warn') {
    warn(
      op,
      `class ${empty.join(', ')} is never true or never predicted; scores of 0 / 0 are set to 0. Pass { zeroDivision: 0 } or 1 to choose in silence.`,
    );
  }
  const row = quiet(op, counts, zeroDivision === 1 ? 1 : 0);
  const all = total(truth);
  const classes = names.map((name, index) => [name, row(null, index, truth[index] as number)] as const);
  const [micro, macroAvg, weightedAvg] = (['micro', 'macro', 'weighted'] as const).map((average) =>
    row(average, 0, all),
  ) as [ReportRow, ReportRow, ReportRow];
  if (outputDict) {
    const overall = counts.complete ? { accuracy: micro.precision } : { microAvg: micro };
    return { classes: Object.fromEntries(classes), ...overall, macroAvg, weightedAvg };
  }
  const averages = [
    [counts.complete ? 'accuracy' : 'micro avg', micro],
    ['macro avg', macroAvg],
    ['weighted avg', weightedAvg],
  ] as const;
  return textOf(classes, averages, digits, sampleWeight !== undefined || micro.precision === 0);
}) as ReportFunction;
