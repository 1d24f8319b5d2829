/** Tables of text as numbers, labels and a dataset. */
import { describe } from '../core/describe.ts';
import { ArgumentError, FormatError } from '../core/errors.ts';
import { checkTableOptions, parseTable, type Table } from '../io/csv.ts';
import { gunzip } from '../io/gzip.ts';
import { checkOptions } from '../ops/options.ts';
import type { Column } from './batch.ts';
import { fromColumns } from './create.ts';
import type { Dataset } from './dataset.ts';

/**
 * The text itself, its bytes (UTF-8, gzipped or not), or what yields them in parts: a `Blob` or `File`, a `Response`, a
 * stream. It is read whole.
 */
export type TextSource =
  | string
  | Uint8Array
  | { readonly arrayBuffer: () => Promise<ArrayBuffer> }
  | AsyncIterable<string | Uint8Array>;

export interface CsvOptions {
  /** Whether the first row names the columns. Default: true. */
  header?: boolean;
  /** The column of labels: the last, its name, or its number from 0; null for none. Default: 'last'. */
  target?: string | number | null;
  /** The columns of x, by name or number, in this order. Default: all but the target. */
  columns?: readonly (string | number)[];
  /** How the target is meant. Default: 'numbers' if its first cell is a number, else 'classes'. */
  labels?: 'numbers' | 'classes';
  /** Default: ','. */
  delimiter?: string;
  /** Lines that start with this are left out. Default: none. */
  comments?: string;
}

export interface CsvData {
  /** The number of rows. */
  readonly rows: number;
  /** Names of the columns of x; their numbers where the file has no header. */
  readonly columns: readonly string[];
  /** (rows, columns), float64: the device's float when it gets there. */
  readonly x: Column;
  /** (rows): class numbers as int32, or numbers as float64; null without a target. */
  readonly y: Column | null;
  /** What the class numbers mean, in ascending order (of numbers, if all are numbers); null where y holds numbers. */
  readonly classes: readonly string[] | null;
  /** The examples `{ x, y }`, or `{ x }` without a target. */
  readonly dataset: Dataset<Record<'x' | 'y', Column>>;
}

async function textOf(op: string, source: TextSource): Promise<string> {
  const decode = (bytes: Uint8Array): string => {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(gunzip(op, bytes));
    } catch (error) {
      if (error instanceof FormatError) throw error;
      throw new FormatError(
        `${op}: the bytes are no UTF-8 text. Decode them with a TextDecoder and pass the string.`,
      );
    }
  };
  if (typeof source === 'string') return source.replace(/^\ufeff/, '');
  if (source instanceof Uint8Array) return decode(source);
  if (typeof source === 'object' && source !== null) {
    if ('arrayBuffer' in source) return decode(new Uint8Array(await source.arrayBuffer()));
    if (Symbol.asyncIterator in source) {
      const parts: Uint8Array[] = [];
      for await (const part of source)
        parts.push(typeof part === 'string' ? new TextEncoder().encode(part) : part);
      const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
      }
      return decode(bytes);
    }
  }
  throw new ArgumentError(
    `${op}: ${describe(source)} is no source; pass the text, its bytes, a Blob, a Response or a stream. For a file in Node: await readFile(path).`,
  );
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

const isNumber = (cell: string): boolean => NUMBER.test(cell.trim());

/** Cells that stand for "not known" in common files. */
const MISSING = new Set(['', '?', 'na', 'n/a', 'nan', 'null', 'none', '-']);

/** A table whose first row may be names. */
interface Body {
  readonly op: string;
  readonly table: Table;
  readonly names: readonly string[];
  /** Number of the first row of data. */
  readonly first: number;
}

/** `row 3 (line 4), column 'age'`. */
const placeOf = ({ table, names, first }: Body, row: number, column: number): string =>
  `row ${row - first + 1} (line ${table.lineOf(row)}), column '${names[column]}'`;

function numberOf(body: Body, row: number, column: number, hint: string): number {
  const cell = ((body.table.rows[row] as readonly string[])[column] as string).trim();
  const value = Number(cell);
  if (NUMBER.test(cell) && Number.isFinite(value)) return value;
  const what = MISSING.has(cell.toLowerCase())
    ? `the value is missing (${describe(cell)})`
    : NUMBER.test(cell)
      ? `${cell} is beyond float64`
      : `${describe(cell)} is no number`;
  throw new FormatError(`${body.op}: ${placeOf(body, row, column)}: ${what}. ${hint}`);
}

/** The number of a column that a user named. */
function columnNumber({ op, names }: Body, option: string, column: unknown): number {
  if (typeof column === 'number' && Number.isInteger(column) && column >= 0 && column < names.length)
    return column;
  if (typeof column === 'string') {
    const at = names.indexOf(column);
    if (at >= 0 && names.indexOf(column, at + 1) < 0) return at;
    if (at >= 0)
      throw new ArgumentError(`${op}: ${option}: two columns are called '${column}'; use the number from 0.`);
  }
  const list = `${names.slice(0, 20).join(', ')}${names.length > 20 ? ' …' : ''}`;
  throw new ArgumentError(
    `${op}: ${option}: no column ${describe(column)}; there are ${list}, or the numbers 0 to ${names.length - 1}.`,
  );
}

function bodyOf(op: string, table: Table, header: boolean | undefined): Body {
  const [top] = table.rows;
  if (!top) throw new FormatError(`${op}: the text has no rows; check the source.`);
  if (header === undefined && top.every(isNumber)) {
    throw new FormatError(
      `${op}: the first row holds numbers only, so it seems to be data; pass { header: false }, or true if these are names.`,
    );
  }
  const first = header === false ? 0 : 1;
  if (table.rows.length === first)
    throw new FormatError(`${op}: no row follows the header; check the source.`);
  const names = top.map((cell, column) => (header === false ? String(column) : cell.trim()));
  return { op, table, names, first };
}

/** Class names in ascending order, numbers as numbers. */
function sorted(classes: Iterable<string>): string[] {
  const list = [...classes];
  return list.every(isNumber) ? list.sort((a, b) => Number(a) - Number(b)) : list.sort();
}

function targetOf(body: Body, column: number, labels: CsvOptions['labels']): Pick<CsvData, 'y' | 'classes'> {
  const { table, first } = body;
  const cells = table.rows.slice(first).map((row) => (row[column] as string).trim());
  const shape = [cells.length];
  if ((labels ?? (isNumber(cells[0] as string) ? 'numbers' : 'classes')) === 'numbers') {
    const hint = "Mend the cell, or pass { labels: 'classes' } if the target names classes.";
    const data = Float64Array.from(cells, (_, index) => numberOf(body, first + index, column, hint));
    return { y: { data, shape, dtype: 'float64' }, classes: null };
  }
  const missing = cells.findIndex((cell) => MISSING.has(cell.toLowerCase()));
  if (missing >= 0) {
    throw new FormatError(
      `${body.op}: ${placeOf(body, first + missing, column)}: the label is missing (${describe(cells[missing])}). Mend or drop the row.`,
    );
  }
  const classes = sorted(new Set(cells));
  const numbers = new Map(classes.map((name, index) => [name, index]));
  const data = Int32Array.from(cells, (cell) => numbers.get(cell) as number);
  return { y: { data, shape, dtype: 'int32' }, classes };
}

const OPTIONS = ['header', 'target', 'columns', 'labels', 'delimiter', 'comments'] as const;

/**
 * A table of numbers with a column of labels, which may be class names.
 *
 * ```ts
 * const iris = await data.csv(await readFile('iris.csv'), { header: false });
 * const { train, test } = iris.dataset.split({ train: 0.8, test: 0.2 }, { seed: 1 });
 * ```
 *
 * @throws FormatError for a value that is missing or no number (with row and column), an open quote, a row of another
 * width, and a text without rows; ArgumentError for a column that does not exist.
 */
export async function csv(source: TextSource, options: CsvOptions = {}): Promise<CsvData> {
  const op = 'csv';
  checkOptions(op, options, OPTIONS, 'source');
  const { header, target = 'last', columns, labels, delimiter = ',', comments } = options;
  checkTableOptions(op, { delimiter, comments });
  if (header !== undefined && typeof header !== 'boolean') {
    throw new ArgumentError(`${op}: header is ${describe(header)}; pass true or false.`);
  }
  if (labels !== undefined && labels !== 'numbers' && labels !== 'classes') {
    throw new ArgumentError(`${op}: labels is ${describe(labels)}; pass 'numbers' or 'classes'.`);
  }
  if (columns !== undefined && !Array.isArray(columns)) {
    throw new ArgumentError(`${op}: columns is ${describe(columns)}; pass an array of names or numbers.`);
  }
  const body = bodyOf(op, parseTable(op, await textOf(op, source), { delimiter, comments }), header);
  const { table, names, first } = body;
  const isLast = target === 'last' && !names.includes('last');
  const label = target === null ? null : isLast ? names.length - 1 : columnNumber(body, 'target', target);
  const used =
    columns?.map((column) => columnNumber(body, 'columns', column)) ??
    [...names.keys()].filter((column) => column !== label);
  if (used.length === 0) {
    throw new ArgumentError(
      `${op}: no column is left for x; pass { target: null } for a single column, or check the delimiter.`,
    );
  }
  const rows = table.rows.length - first;
  const data = new Float64Array(rows * used.length);
  const hint = `Mend it, leave the column out with { columns }${header === false && first === 0 ? ', or pass { header: true } if this is a header' : ''}.`;
  for (let row = 0; row < rows; row++) {
    for (const [at, column] of used.entries())
      data[row * used.length + at] = numberOf(body, first + row, column, hint);
  }
  const x: Column = { data, shape: [rows, used.length], dtype: 'float64' };
  const { y, classes } = label === null ? { y: null, classes: null } : targetOf(body, label, labels);
  const dataset = fromColumns({ x, ...(y && { y }) } as Record<'x' | 'y', Column>);
  return { rows, columns: used.map((column) => names[column] as string), x, y, classes, dataset };
}
