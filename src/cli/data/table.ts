/** Tables of numbers: which column is the target, what it means, and the same scaling in training and afterwards. */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { ArgumentError, FormatError, WgradError } from '../../core/errors.ts';
import type { Column } from '../../data/batch.ts';
import { fromArrays } from '../../data/create.ts';
import { type CsvData, type CsvOptions, csv } from '../../data/csv.ts';
import { gunzip } from '../../io/gzip.ts';
import type { Task } from '../model/task.ts';
import type { Part, Parts } from './load.ts';

/** What later commands need to read a table as the training did; saved beside the model. */
export interface TableFormat {
  /** The names of the columns of x, or their numbers where the file has no header. */
  readonly columns: readonly string[];
  readonly target: string;
  readonly mean: readonly number[];
  /** Standard deviations; 1 for a column of equal values. */
  readonly deviation: readonly number[];
  /** The same of a target that is a number; null for classes. */
  readonly scale: { readonly mean: number; readonly deviation: number } | null;
}

/** More whole numbers than this are a quantity, not classes. */
const MOST_CLASSES = 50;

const isNumber = (cell: string): boolean => cell.trim() !== '' && Number.isFinite(Number(cell));

/** A file of text, and how it is laid out. */
interface Sheet {
  readonly path: string;
  readonly text: string;
  readonly delimiter: string;
  readonly header: boolean;
  /** The names of the columns; their numbers where the file has no header. */
  readonly names: readonly string[];
}

/** Reads the file, gzipped or not. A first row with two numbers or more is data; names are numbers only by accident. */
async function sheetOf(path: string): Promise<Sheet> {
  const text = new TextDecoder().decode(gunzip('csv', await readFile(path))).replace(/^\ufeff/, '');
  const first = /^\s*([^\r\n]*)/.exec(text)?.[1] ?? '';
  const tab = extname(path.replace(/\.gz$/, '')) === '.tsv';
  const delimiter = tab ? '\t' : !first.includes(',') && first.includes(';') ? ';' : ',';
  const cells = first.split(delimiter).map((cell) => cell.trim());
  const header = cells.filter(isNumber).length < Math.min(2, cells.length - 1);
  return { path, text, delimiter, header, names: header ? cells : cells.map((_, index) => String(index)) };
}

/** The sheet as numbers; an error of the reader tells the file. */
async function read(
  { path, text, delimiter, header }: Sheet,
  options: Omit<CsvOptions, 'header' | 'delimiter'>,
): Promise<CsvData> {
  try {
    return await csv(text, { header, delimiter, ...options });
  } catch (error) {
    if (error instanceof WgradError) error.message = `${path}: ${error.message}`;
    throw error;
  }
}

/** Whether the target's numbers are those of classes. */
function areClasses({ data }: Column): boolean {
  const found = new Set<number>();
  for (const value of data) {
    if (!Number.isInteger(value) || found.size > MOST_CLASSES) return false;
    found.add(value);
  }
  return found.size <= MOST_CLASSES;
}

/** Means and standard deviations of the columns of (rows, columns). */
function statistics({ data, shape }: Column): { mean: number[]; deviation: number[] } {
  const [rows, columns] = shape as readonly [number, number];
  const mean = new Array<number>(columns).fill(0);
  const squares = new Array<number>(columns).fill(0);
  data.forEach((value, index) => {
    mean[index % columns] = (mean[index % columns] as number) + value / rows;
  });
  data.forEach((value, index) => {
    const away = value - (mean[index % columns] as number);
    squares[index % columns] = (squares[index % columns] as number) + (away * away) / rows;
  });
  return { mean, deviation: squares.map((square) => Math.sqrt(square) || 1) };
}

/** (value − mean) / deviation, column by column. */
function standardise(
  { data, shape }: Column,
  mean: readonly number[],
  deviation: readonly number[],
): Column {
  const columns = mean.length;
  const scaled = Float64Array.from(
    data,
    (value, index) => (value - (mean[index % columns] as number)) / (deviation[index % columns] as number),
  );
  return { data: scaled, shape, dtype: 'float64' };
}

/** Targets that are numbers have a column for the model's one output. */
const asMatrix = (y: Column): Column => (y.dtype === 'int32' ? y : { ...y, shape: [...y.shape, 1] });

export interface Table {
  readonly task: Task;
  readonly classes: readonly string[] | null;
  readonly format: TableFormat;
  readonly parts: Parts;
  readonly rows: number;
}

/** The whole table: 70 % to train, 15 % to validate and 15 % to test, drawn by the seed, scaled by what the first hold. */
export async function loadTable(path: string, target: string | undefined, seed: number): Promise<Table> {
  const sheet = await sheetOf(path);
  const name = target ?? sheet.names.at(-1) ?? '';
  const wanted = target === undefined ? {} : { target };
  const first = await read(sheet, wanted);
  const { x, y, classes, columns, rows } =
    first.y && first.classes === null && areClasses(first.y)
      ? await read(sheet, { ...wanted, labels: 'classes' })
      : first;
  if (!y) throw new ArgumentError(`${path}: the table has no target; name one with --target.`);
  if (classes && classes.length < 2)
    throw new FormatError(
      `${path}: the target '${name}' has one class only, ${classes[0]}; choose --target.`,
    );
  const drawn = fromArrays({ x, y }).split({ train: 0.7, validation: 0.15, test: 0.15 }, { seed });
  const raw = {
    train: await drawn.train.arrays(),
    validation: await drawn.validation.arrays(),
    test: await drawn.test.arrays(),
  };
  const { mean, deviation } = statistics(raw.train.x);
  const own = classes ? null : statistics(asMatrix(raw.train.y));
  const format: TableFormat = {
    columns,
    target: name,
    mean,
    deviation,
    scale: own && { mean: own.mean[0] as number, deviation: own.deviation[0] as number },
  };
  const scaled = (part: Part): Part => scalePart(part, format);
  return {
    task: {
      kind: classes ? 'classification' : 'regression',
      inputShape: [columns.length],
      outputs: classes?.length ?? 1,
    },
    classes,
    format,
    parts: { train: scaled(raw.train), validation: scaled(raw.validation), test: scaled(raw.test) },
    rows,
  };
}

function scalePart({ x, y }: Part, { mean, deviation, scale }: TableFormat): Part {
  const target = asMatrix(y);
  return {
    x: standardise(x, mean, deviation),
    y: scale ? standardise(target, [scale.mean], [scale.deviation]) : target,
  };
}

/** The rows of another table for a model that was trained on one of this format; y is null where the target is missing. */
export async function readRows(
  path: string,
  { columns, target, mean, deviation, scale }: TableFormat,
  classes: readonly string[] | null,
): Promise<{ x: Column; y: Column | null }> {
  const sheet = await sheetOf(path);
  const table = await read(sheet, {
    columns,
    target: sheet.names.includes(target) ? target : null,
    labels: classes ? 'classes' : 'numbers',
  });
  const x = standardise(table.x, mean, deviation);
  if (!table.y) return { x, y: null };
  if (scale) return { x, y: standardise(asMatrix(table.y), [scale.mean], [scale.deviation]) };
  const numbers = (table.classes ?? []).map((name) => {
    const number = classes?.indexOf(name) ?? -1;
    if (number >= 0) return number;
    throw new FormatError(
      `${path}: column '${target}' holds '${name}', a class that the model was not trained on.`,
    );
  });
  return { x, y: { ...table.y, data: Int32Array.from(table.y.data, (at) => numbers[at] as number) } };
}
