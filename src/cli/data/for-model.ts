/** The examples on which a model is measured or asked: those that it was not trained on, or others that fit. */
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ShapeError } from '../../core/errors.ts';
import { formatShape } from '../../core/shape.ts';
import type { Column } from '../../data/batch.ts';
import { parseIdxAs } from '../../io/idx.ts';
import { DIGITS, type Task } from '../model/task.ts';
import type { ModelCard } from '../run-folder.ts';
import { loadData } from './load.ts';
import { readRows, type TableFormat } from './table.ts';

export interface Examples {
  /** For people. */
  readonly title: string;
  readonly task: Task;
  readonly classes: readonly string[] | null;
  readonly table: TableFormat | null;
  readonly x: Column;
  /** Null where nobody knows the answers. */
  readonly y: Column | null;
}

export interface ExamplesOptions {
  readonly data?: string;
  readonly target?: string;
}

const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile();

const isIdx = (path: string): boolean => /(-idx\d-ubyte|\.idx|ubyte)(\.gz)?$/.test(path);

/** The pictures of one IDX file, without labels. */
async function picturesOf(path: string): Promise<Column> {
  const x = parseIdxAs(path, await readFile(path));
  if (x.shape.length !== 3 || x.dtype !== 'uint8')
    throw new ShapeError(
      `${path}: expected uint8 pictures of shape (n, height, width), found ${x.dtype} of shape ${formatShape(x.shape)}.`,
    );
  return { ...x, shape: [...x.shape, 1], scale: 1 / 255 };
}

/**
 * Without `data`: the test part of what the model was trained on. Of the file that it was trained on: that part, too. Of any
 * other table: all rows, scaled as in training.
 */
export async function examplesFor(
  op: string,
  card: ModelCard | null,
  { data, target }: ExamplesOptions,
): Promise<Examples> {
  const source = data ?? card?.data.source ?? 'digits';
  const path = resolve(source);
  if (isIdx(path) && isFile(path)) {
    const x = await picturesOf(path);
    return {
      title: source,
      task: card?.task ?? DIGITS,
      classes: card?.classes ?? null,
      table: null,
      x,
      y: null,
    };
  }
  if (card?.table && isFile(path) && path !== card.data.source) {
    const { x, y } = await readRows(path, card.table, card.classes);
    const { task, classes, table } = card;
    return { title: `${source}, all rows`, task, classes, table, x, y };
  }
  const own = card && (source === card.data.source || path === card.data.source);
  const spec = own ? card.data : { source, seed: card?.data.seed ?? 1 };
  const loaded = await loadData(op, target === undefined ? spec : { ...spec, target });
  const { task, classes, table, parts } = loaded;
  return { title: `${source}, the part that is kept for tests`, task, classes, table, ...parts.test };
}
