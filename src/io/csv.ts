/**
 * Tables of text: comma-separated values after RFC 4180, read with Papa Parse. Cells stay strings here; `src/data/csv.ts`
 * makes numbers of them.
 */
import Papa from 'papaparse';
import { describe } from '../core/describe.ts';
import { ArgumentError, FormatError } from '../core/errors.ts';

/** The rows of a text, all equally wide. Empty lines are left out. */
export interface Table {
  readonly rows: readonly (readonly string[])[];
  /** The line on which a row starts, from 1; a quoted cell may hold line breaks, so it is not the row's number. */
  lineOf(row: number): number;
}

export interface TableOptions {
  /** One character. Default: ','. */
  delimiter: string;
  /** Lines that start with this are left out. Default: none. */
  comments: string | undefined;
}

/** The line of a position, from 1. */
function lineAt(text: string, position: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < position; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Where a row starts that comment lines may precede. */
function afterComments(text: string, position: number, comments: string | undefined): number {
  let at = position;
  while (comments !== undefined && text.startsWith(comments, at)) {
    const end = text.indexOf('\n', at);
    if (end < 0) return at;
    at = end + 1;
  }
  return at;
}

export function checkTableOptions(op: string, { delimiter, comments }: TableOptions): void {
  if (typeof delimiter !== 'string' || delimiter.length !== 1 || /["\r\n]/.test(delimiter)) {
    throw new ArgumentError(
      `${op}: delimiter is ${describe(delimiter)}; pass one character, such as ',' or ';' or '\\t'.`,
    );
  }
  if (comments !== undefined && (typeof comments !== 'string' || comments === '' || comments === delimiter)) {
    throw new ArgumentError(
      `${op}: comments is ${describe(comments)}; pass the text that starts such a line, as in '#'.`,
    );
  }
}

/**
 * @throws FormatError for a quote that is not closed or stands inside a cell, and for a row that is wider or narrower than
 * the first; it names row and line.
 */
export function parseTable(op: string, given: string, { delimiter, comments }: TableOptions): Table {
  // Papa Parse expects one kind of line end; files that were edited on two systems have both.
  const text = given.includes('\r') ? given.replace(/\r\n?/g, '\n') : given;
  const rows: string[][] = [];
  const starts: number[] = [];
  const line = (row: number): number => lineAt(text, starts[row] as number);
  let at = 0;
  Papa.parse<string[]>(text, {
    delimiter,
    newline: '\n',
    ...(comments !== undefined && { comments }),
    step: ({ data, errors, meta }) => {
      const start = afterComments(text, at, comments);
      at = meta.cursor;
      const [error] = errors;
      if (error) {
        throw new FormatError(
          `${op}: row ${rows.length + 1} (from line ${lineAt(text, start)}): ${error.message.toLowerCase()}. Double a quote that ` +
            `belongs to a cell, and close every quoted cell.`,
        );
      }
      if (data.length === 1 && (data[0] as string).trim() === '') return;
      rows.push(data);
      starts.push(start);
    },
  });
  const width = rows[0]?.length ?? 0;
  const odd = rows.findIndex((row) => row.length !== width);
  if (odd >= 0) {
    throw new FormatError(
      `${op}: row ${odd + 1} (line ${line(odd)}) has ${rows[odd]?.length} cells, the first row has ${width}. Mend the row, or pass ` +
        `another delimiter than '${delimiter}'.`,
    );
  }
  return { rows, lineOf: line };
}
