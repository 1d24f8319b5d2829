/** The history of a training as a table. Node only. */
import { readFile } from 'node:fs/promises';
import Papa from 'papaparse';
import { checkFlags } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import { writeFileAtomic } from '../../io/atomic-file.ts';
import { checkTableOptions, parseTable } from '../../io/csv.ts';
import { checkOptions } from '../../ops/options.ts';
import type { Callback, CallbackState, Run } from '../callbacks.ts';
import type { Logs } from '../trainer.ts';

export interface CsvLoggerOptions {
  /** Go on behind the rows that the file has, instead of starting anew. Default: false. */
  append?: boolean;
  /** One character. Default: ','. */
  separator?: string;
}

class CsvLogger implements Callback {
  readonly name = 'csvLogger';
  readonly #path: string;
  readonly #append: boolean;
  readonly #separator: string;
  /** The columns in their order; the first one, `epoch`, is always there. */
  #columns: string[] = ['epoch'];
  #rows: Record<string, string>[] = [];
  /** Rows that the run to resume had written. */
  #resumedRows: number | null = null;

  constructor(path: string, options: CsvLoggerOptions) {
    const op = this.name;
    if (typeof path !== 'string' || path === '')
      throw new ArgumentError(`${op}: the path is ${describe(path)}; pass that of a file.`);
    checkOptions(op, options, ['append', 'separator'], 'path');
    const { append = false, separator = ',' } = options;
    checkFlags(op, { append });
    checkTableOptions(op, { delimiter: separator, comments: undefined });
    this.#path = path;
    this.#append = append;
    this.#separator = separator;
  }

  async onTrainBegin({ epoch, step }: Run): Promise<void> {
    const resumed = this.#resumedRows;
    this.#resumedRows = null;
    this.#columns = ['epoch'];
    this.#rows = [];
    if (!this.#append && resumed === null && epoch === 0 && step === 0) return;
    await this.#read();
    if (resumed !== null) this.#rows.length = Math.min(resumed, this.#rows.length);
    else if (!this.#append) this.#rows = this.#rows.filter((row) => Number(row.epoch) < epoch);
  }

  async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const cells = Object.entries({ epoch, ...logs });
    for (const [name] of cells) if (!this.#columns.includes(name)) this.#columns.push(name);
    this.#rows.push(Object.fromEntries(cells.map(([name, value]) => [name, String(value)])));
    const text = Papa.unparse(
      { fields: this.#columns, data: this.#rows },
      { delimiter: this.#separator, newline: '\n' },
    );
    await writeFileAtomic(this.#path, new TextEncoder().encode(`${text}\n`));
  }

  state(): CallbackState {
    return { json: { rows: this.#rows.length } };
  }

  restore({ json }: { json: unknown }): void {
    this.#resumedRows = (json as { rows: number }).rows;
  }

  async #read(): Promise<void> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return;
    }
    const { rows } = parseTable(this.name, text, { delimiter: this.#separator, comments: undefined });
    const [header = ['epoch'], ...data] = rows;
    if (header[0] !== 'epoch')
      throw new ArgumentError(
        `${this.name}: ${this.#path} is no table of epochs: its first column is '${header[0]}'. Choose another file.`,
      );
    this.#columns = [...header];
    this.#rows = data.map((row) => Object.fromEntries(row.map((cell, index) => [header[index] ?? '', cell])));
  }
}

export type { CsvLogger };

/**
 * Writes a row for each epoch, counted from 0, with the columns `epoch`, `loss` and so on; a number that an epoch does not have
 * leaves its cell empty, and one that comes up later adds a column. The file is replaced as a whole, so it is well-formed at any
 * time. A resumed run drops the rows of epochs that it repeats.
 *
 * ```ts
 * await model.fit(data, { epochs: 20, callbacks: [callbacks.csvLogger('history.csv')] });
 * ```
 *
 * @throws FormatError or ArgumentError, from `fit`, when there is another kind of file to go on with.
 */
export const csvLogger = (path: string, options: CsvLoggerOptions = {}): CsvLogger =>
  new CsvLogger(path, options);
