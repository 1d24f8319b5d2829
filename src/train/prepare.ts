/** From the data and options of `fit` to batches, and to a model that is built for them. */
import { scope } from '../autograd/scope.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Column } from '../data/batch.ts';
import { Dataset } from '../data/dataset.ts';
import { PURPOSE, seedOf, streamOf } from '../data/random.ts';
import type { Device } from '../runtime/device.ts';
import { checkLimitOf } from './columns.ts';
import type { FitOptions } from './fit.ts';
import { batchesOf, examplesOf, prepared, type TrainingData, wantedOf } from './fit-data.ts';
import type { Trainer } from './trainer.ts';

export interface Prepared {
  readonly batches: Dataset<unknown>;
  readonly validation: Dataset<unknown> | null;
  readonly examples: number | undefined;
  readonly seed: number | null;
  readonly batchSize: number | null;
}

/** Refuses options that say something about arrays where the data come in batches of their own. */
function checkDatasetOptions(options: FitOptions): void {
  for (const name of ['batchSize', 'shuffle', 'seed', 'validationSplit'] as const)
    if (options[name] !== undefined)
      throw new ArgumentError(
        `fit: ${name} is for arrays; a dataset is shuffled, batched and split by its own methods before it is passed.`,
      );
}

/** A seed from the stream that `setSeed` starts. */
const drawnSeed = (): number => streamOf(seedOf('fit', undefined), PURPOSE.shuffle, 0).below(2 ** 32);

/** What a run goes through: its batches, what it measures them beside, and what a checkpoint must know of them. */
export async function prepare(trainer: Trainer, data: TrainingData, options: FitOptions): Promise<Prepared> {
  const { validationData, validationSplit = 0, batchSize = 32, shuffle = true, resume } = options;
  if (validationData && validationSplit > 0)
    throw new ArgumentError('fit: validationSplit and validationData are given; choose one of them.');
  const given =
    validationData === undefined ? null : await batched('fit', trainer, validationData, batchSize);
  if (data instanceof Dataset) {
    checkDatasetOptions(options);
    return { batches: data, validation: given, examples: undefined, seed: null, batchSize: null };
  }
  const all = await examplesOf('fit', data);
  checkColumns('fit', trainer, await all.arrays());
  if (
    resume &&
    (shuffle !== (resume.json.seed !== null) || (options.seed ?? resume.json.seed) !== resume.json.seed)
  )
    throw new ArgumentError(
      `fit: the run to resume has ${resume.json.seed === null ? 'shuffle: false' : `seed ${resume.json.seed}`}; pass the same data ` +
        `and options, and no other seed.`,
    );
  const seed = !shuffle ? null : (resume?.json.seed ?? options.seed ?? drawnSeed());
  let [train, validation] = [all, given];
  if (validationSplit > 0) {
    const parts = all.split({ train: 1 - validationSplit, validation: validationSplit });
    train = parts.train;
    validation = batchesOf('fit', parts.validation, { batchSize, seed: null });
  }
  const batches = batchesOf('fit', train, { batchSize, seed });
  return { batches, validation, examples: train.size, seed, batchSize };
}

/** Batches of whatever data, in their order. */
export async function batched(
  op: string,
  trainer: Trainer,
  data: TrainingData,
  batchSize = 32,
): Promise<Dataset<unknown>> {
  if (data instanceof Dataset) return data;
  const examples = await examplesOf(op, data);
  checkColumns(op, trainer, await examples.arrays());
  return batchesOf(op, examples, { batchSize, seed: null });
}

/** Refuses labels that are no classes, and tokens without a row, before the first step, with their row in the whole data. */
function checkColumns(
  op: string,
  { model, outputs }: Trainer,
  columns: Readonly<Record<string, Column>>,
): void {
  const { inputs } = model.signature();
  for (const port of inputs) {
    const key = inputs.length === 1 && columns.x ? 'x' : `x.${port.name}`;
    const column = columns[key];
    if (column) checkLimitOf(op, key, prepared(op, key, column, wantedOf(port)), port);
  }
  for (const { port, loss, check } of outputs) {
    const key = outputs.length === 1 && columns.y ? 'y' : `y.${port.name}`;
    const column = columns[key];
    if (column) check(op, key, loss.sparse ? (prepared(op, key, column, 'int32') as Column) : column);
  }
}

/** Calls a model that was not built yet on the shapes of the first batch. */
export async function buildFrom(trainer: Trainer, batches: Dataset<unknown>, device: Device): Promise<void> {
  const { model } = trainer;
  if (!model.built) {
    const iterator = batches.from({ epoch: 0, index: 0 });
    try {
      const { value } = await iterator.next();
      scope(() => {
        const { x } = trainer.load('fit', value, device);
        model.outputSpecs(x.map(({ shape, dtype }) => ({ shape: [null, ...shape.slice(1)], dtype })));
      });
    } finally {
      await iterator.return();
    }
  }
  trainer.build();
}
