/** What `--data` names: a folder of IDX files, a table, MNIST from the cache or the network, or generated digits. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { ArgumentError } from '../../core/errors.ts';
import type { Column } from '../../data/batch.ts';
import { fromArrays } from '../../data/create.ts';
import { digits } from '../../data/digits.ts';
import type { Examples } from '../../data/generated.ts';
import { DataMissingError, type DownloadProgress, type Mnist, mnist } from '../../data/node/mnist.ts';
import { DIGITS, type Task } from '../model/task.ts';
import { self } from '../text.ts';
import { loadTable, type TableFormat } from './table.ts';

/** Examples and what they are. */
export interface Part {
  readonly x: Column;
  readonly y: Column;
}

export interface Parts {
  readonly train: Part;
  readonly validation: Part;
  readonly test: Part;
}

/** What to load; saved beside a model, so that `evaluate` finds the examples that were not trained on. */
export interface DataSpec {
  /** 'digits', 'mnist', 'auto', or a path. */
  readonly source: string;
  /** The column of a table. Default: the last. */
  readonly target?: string | undefined;
  /** At most so many examples to train on; a tenth of them to validate, a quarter to test. */
  readonly limit?: number | undefined;
  /** Decides which examples are trained on. */
  readonly seed: number;
}

export interface LoadedData {
  /** As given, with the source that was found in the place of 'auto' and the whole path in that of a part. */
  readonly spec: DataSpec;
  /** For people. */
  readonly title: string;
  readonly task: Task;
  /** What the numbers of classes mean; null where they mean themselves, and for numbers. */
  readonly classes: readonly string[] | null;
  readonly table: TableFormat | null;
  readonly parts: Parts;
}

/** The words that are no paths. */
const WORDS = ['digits', 'mnist', 'auto'];

export const DATA_HELP =
  "a folder of MNIST's IDX files, or a .csv file; 'mnist' fetches MNIST once (11 MB), 'digits' draws digits, and 'auto' takes " +
  'MNIST where it is there, else digits';

/** Examples to train on, where nobody says how many digits to draw. */
const DRAWN = 4000;

/** Parts of the seeds' space: the digits that are tested are others than those that are trained. */
const SEEDS = { train: 1, test: 2 };

const most = (examples: Examples, count: number): Examples => examples.take(Math.max(1, Math.ceil(count)));

/** `share` of the first are trained on, the rest of them validate. */
async function partsOf(
  train: Examples,
  test: Examples,
  { limit, seed }: DataSpec,
  share = 10 / 11,
): Promise<Parts> {
  const own = train.split({ train: share, validation: 1 - share }, { seed });
  const all = Number.POSITIVE_INFINITY;
  const [first, second, third] =
    limit === undefined ? [all, all, all] : [limit, Math.ceil(limit / 10), Math.ceil(limit / 4)];
  const part = (examples: Examples, count: number) =>
    (count === all ? examples : most(examples, count)).arrays();
  return {
    train: await part(own.train, first),
    validation: await part(own.validation, second),
    test: await part(test, third),
  };
}

const counts = ({ train, validation, test }: Parts): string =>
  [train, validation, test].map(({ x }) => (x.shape[0] as number).toLocaleString('en')).join(' + ');

async function drawn(spec: DataSpec): Promise<LoadedData> {
  const { limit = DRAWN } = spec;
  const samples = limit + Math.ceil(limit / 10);
  const train = digits({ samples, seed: SEEDS.train });
  const test = digits({ samples: Math.ceil(limit / 4), seed: SEEDS.test });
  const parts = await partsOf(train, test, { ...spec, limit }, limit / samples);
  const title = `generated digits (${counts(parts)} to train, validate and test); the real ones: ${self()} train lenet --data mnist`;
  return { spec: { ...spec, source: 'digits' }, title, task: DIGITS, classes: null, table: null, parts };
}

async function pictures(what: string, source: string, found: Mnist, spec: DataSpec): Promise<LoadedData> {
  let outputs = 0;
  for (const examples of [found.train, found.test])
    for (const label of (await examples.arrays()).y.data) outputs = Math.max(outputs, label + 1);
  const parts = await partsOf(found.train, found.test, spec);
  return {
    spec: { ...spec, source },
    title: `${what} (${counts(parts)} to train, validate and test)`,
    task: { kind: 'classification', inputShape: parts.train.x.shape.slice(1), outputs },
    classes: null,
    table: null,
    parts,
  };
}

/** One line per file that is fetched. */
function tell(): (progress: DownloadProgress) => void {
  let last = '';
  return ({ file, total }) => {
    if (file === last) return;
    last = file;
    console.error(`fetching ${file}${total === undefined ? '' : `, ${(total / 1e6).toFixed(1)} MB`}`);
  };
}

/** MNIST where it is cached; null where it is not. */
async function cached(): Promise<Mnist | null> {
  try {
    return await mnist({ download: false });
  } catch (error) {
    if (error instanceof DataMissingError) return null;
    throw error;
  }
}

/**
 * Loads the examples, in parts without a common one.
 *
 * @throws ArgumentError for a path that does not exist; what the readers throw for a damaged file.
 */
export async function loadData(op: string, spec: DataSpec): Promise<LoadedData> {
  const { source, target } = spec;
  const isTable = !WORDS.includes(source) && existsSync(source) && statSync(source).isFile();
  if (target !== undefined && !isTable)
    throw new ArgumentError(
      `${op}: --target names a column of a table; pass --data FILE.csv, or leave it out.`,
    );
  if (source === 'digits') return drawn(spec);
  if (source === 'mnist') return pictures('MNIST', source, await mnist({ onProgress: tell() }), spec);
  if (source === 'auto') {
    const found = await cached();
    return found ? pictures('MNIST from the cache', 'mnist', found, spec) : drawn(spec);
  }
  const path = resolve(source);
  if (!existsSync(path))
    throw new ArgumentError(
      `${op}: --data: there is no file or folder ${source}; check the path, or pass one of ${WORDS.join(', ')}.`,
    );
  if (!isTable) return pictures(source, path, await mnist({ dir: path }), spec);
  const { task, classes, format, parts, rows } = await loadTable(path, target, spec.seed);
  const kind = classes ? `${classes.length} classes` : `numbers in column '${format.target}'`;
  const { limit } = spec;
  const train =
    limit === undefined ? parts.train : await most(fromArrays({ ...parts.train }), limit).arrays();
  const used = { ...parts, train };
  return {
    spec: { ...spec, source: path },
    title: `${source} (${rows} rows, ${kind}; ${counts(used)} to train, validate and test)`,
    task,
    classes,
    table: format,
    parts: used,
  };
}
