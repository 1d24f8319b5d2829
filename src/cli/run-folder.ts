/**
 * The folder of a training run: `run.json` (its options), `checkpoints/`, `history.csv`, and in the end `model.safetensors` with
 * `model.json`, which tells what its numbers mean.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FormatError } from '../core/errors.ts';
import { writeFileAtomic } from '../io/atomic-file.ts';
import type { DataSpec } from './data/load.ts';
import type { TableFormat } from './data/table.ts';
import type { Learning } from './model/compile.ts';
import type { Task } from './model/task.ts';

/** The options that a run began with, so that `--resume` needs none of them. */
export interface RunOptions {
  readonly model: string;
  readonly data: DataSpec;
  readonly epochs: number;
  readonly batchSize: number;
  /** Null for a model that its module compiled. */
  readonly learning: Learning | null;
}

/** What belongs to a saved model beside its weights. */
export interface ModelCard {
  readonly data: DataSpec;
  readonly task: Task;
  readonly classes: readonly string[] | null;
  readonly table: TableFormat | null;
}

const RUN_FILES = ['run.json', 'checkpoints', 'history.csv'];

export const runPaths = (folder: string) => ({
  run: join(folder, 'run.json'),
  checkpoints: join(folder, 'checkpoints'),
  history: join(folder, 'history.csv'),
  model: join(folder, 'model.safetensors'),
  card: join(folder, 'model.json'),
  previous: join(folder, 'previous'),
});

async function readJson<T>(path: string): Promise<T | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new FormatError(`${path} is no JSON; it was cut off or edited. Delete it, and train anew.`);
  }
}

const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`));

/** Null where there is no run. */
export const readRun = (folder: string): Promise<RunOptions | null> => readJson(runPaths(folder).run);

/** What is known of a saved model; null for one that another program saved. */
export const readCard = (modelFile: string): Promise<ModelCard | null> =>
  readJson(join(dirname(modelFile), 'model.json'));

export const writeCard = (folder: string, card: ModelCard): Promise<void> =>
  writeJson(runPaths(folder).card, card);

/** Begins a run: what an earlier one left is put aside, where it stays until this one has a model of its own. */
export async function beginRun(folder: string, options: RunOptions): Promise<void> {
  const { run, previous } = runPaths(folder);
  await mkdir(folder, { recursive: true });
  const there = RUN_FILES.filter((name) => existsSync(join(folder, name)));
  if (there.length > 0) {
    await rm(previous, { recursive: true, force: true });
    await mkdir(previous);
    for (const name of there) await rename(join(folder, name), join(previous, name));
  }
  await writeJson(run, options);
}

/** Goes on with a run, perhaps for more epochs than it began with. */
export const continueRun = (folder: string, options: RunOptions): Promise<void> =>
  writeJson(runPaths(folder).run, options);

export const dropPrevious = (folder: string): Promise<void> =>
  rm(runPaths(folder).previous, { recursive: true, force: true });
