/** The training loop, step by step. */
import { scope } from '../autograd/scope.ts';
import { checkNumber } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Column } from '../data/batch.ts';
import { Dataset } from '../data/dataset.ts';
import { PURPOSE, seedOf, streamOf } from '../data/random.ts';
import { checkOptions } from '../ops/options.ts';
import type { Device } from '../runtime/device.ts';
import { type Callback, CallbackList, type Run } from './callbacks.ts';
import { measure } from './evaluate.ts';
import { batchesOf, examplesOf, prepared, type TrainingData } from './fit-data.ts';
import { captureState, type RunState, restoreState } from './state.ts';
import type { ClassWeight, Logs, Trainer } from './trainer.ts';

export interface FitOptions {
  /** Passes through the data. Default: 1. */
  epochs?: number;
  /** Examples of a step, for arrays. Default: 32. */
  batchSize?: number;
  /** Whether arrays are brought in another order in each epoch. Default: true. */
  shuffle?: boolean;
  /** What the order follows from. Default: drawn from the stream that `setSeed` starts. */
  seed?: number;
  /** The share of the arrays, taken from their end, that is only measured, after each epoch. Default: 0. */
  validationSplit?: number;
  /** Other data to measure after each epoch. Default: none. */
  validationData?: TrainingData;
  /** Measure them after every so many epochs. Default: 1. */
  validationFrequency?: number;
  /** Steps of an epoch, for data without an end. Default: all of the data. */
  stepsPerEpoch?: number;
  /** A weight for each label. Default: 1. */
  classWeight?: ClassWeight;
  callbacks?: readonly Callback[];
  /** Ends the training after the step that runs; `fit` then rejects with the signal's reason, and the model keeps what it learned. */
  signal?: AbortSignal;
  /** Go on from here: what `run.capture()` returned, or a checkpoint. */
  resume?: RunState | null;
}

const FIT_OPTIONS = [
  'epochs',
  'batchSize',
  'shuffle',
  'seed',
  'validationSplit',
  'validationData',
  'validationFrequency',
  'stepsPerEpoch',
  'classWeight',
  'callbacks',
  'signal',
  'resume',
] as const satisfies readonly (keyof FitOptions)[];

/** What a training was like. */
export interface History {
  /** One for each epoch: `loss`, the metrics, and the same with `val` before them, as in `valLoss`. */
  readonly epochs: Logs[];
  /** Why it ended before its last epoch; null where it did not. */
  stoppedBy: string | null;
}

/** A step that was just done. */
export interface StepInfo {
  readonly epoch: number;
  readonly step: number;
  readonly run: Run;
}

/** Steps between two looks at the averages; a look waits for the one before it, so the device is never far behind. */
const LOOK_EVERY = 10;

/** `valLoss` of `loss`. */
const validationName = (name: string): string => `val${name.charAt(0).toUpperCase()}${name.slice(1)}`;

interface Prepared {
  readonly batches: Dataset<unknown>;
  readonly validation: Dataset<unknown> | null;
  readonly examples: number | undefined;
  readonly seed: number | null;
  readonly batchSize: number | null;
}

function checkFitOptions(options: FitOptions): void {
  checkOptions('fit', options, FIT_OPTIONS, 'data');
  const { epochs, batchSize, validationSplit, validationFrequency, stepsPerEpoch, seed, shuffle } = options;
  const counts = { epochs, batchSize, validationFrequency, stepsPerEpoch };
  for (const [name, value] of Object.entries(counts))
    if (value !== undefined) checkNumber('fit', name, value, { atLeast: 1, whole: true });
  if (validationSplit !== undefined)
    checkNumber('fit', 'validationSplit', validationSplit, { atLeast: 0, below: 1 });
  if (seed !== undefined) checkNumber('fit', 'seed', seed, { atLeast: 0, whole: true });
  if (shuffle !== undefined && typeof shuffle !== 'boolean')
    throw new ArgumentError(`fit: shuffle is ${describe(shuffle)}; pass true or false.`);
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

async function prepare(trainer: Trainer, data: TrainingData, options: FitOptions): Promise<Prepared> {
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
  checkTargets('fit', trainer, await all.arrays());
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
  checkTargets(op, trainer, await examples.arrays());
  return batchesOf(op, examples, { batchSize, seed: null });
}

/** Refuses labels that are no classes, or not whole, before the first step, with their row in the whole data. */
function checkTargets(op: string, { outputs }: Trainer, columns: Readonly<Record<string, Column>>): void {
  for (const { port, loss, check } of outputs) {
    const key = outputs.length === 1 && columns.y ? 'y' : `y.${port.name}`;
    const column = columns[key];
    if (column) check(op, key, loss.sparse ? (prepared(op, key, column, 'int32') as Column) : column);
  }
}

/** Calls a model that was not built yet on the shapes of the first batch. */
async function buildFrom(trainer: Trainer, batches: Dataset<unknown>, device: Device): Promise<void> {
  const { model } = trainer;
  if (!model.built) {
    const first = await batches.from({ epoch: 0, index: 0 }).next();
    scope(() => {
      const { x } = trainer.load('fit', first.value, device);
      model.outputSpecs(x.map(({ shape, dtype }) => ({ shape: [null, ...shape.slice(1)], dtype })));
    });
  }
  trainer.build();
}

/**
 * Trains, and hands over after each step; `fit` is this to its end. A consumer that breaks off ends the run in order.
 *
 * @returns The history.
 */
export async function* trainingSteps(
  trainer: Trainer,
  data: TrainingData,
  options: FitOptions,
  device: Device,
  history: History,
): AsyncGenerator<StepInfo, void> {
  checkFitOptions(options);
  const { epochs = 1, stepsPerEpoch, validationFrequency = 1, classWeight, signal, resume } = options;
  const callbacks = new CallbackList(options.callbacks ?? []);
  const { batches, validation, examples, seed, batchSize } = await prepare(trainer, data, options);
  if (stepsPerEpoch === undefined && batches.size === Number.POSITIVE_INFINITY)
    throw new ArgumentError('fit: the dataset has no end; pass stepsPerEpoch.');
  await buildFrom(trainer, batches, device);
  let logs: Logs = {};
  let pending: Promise<Logs> | null = null;
  const place = { epoch: 0, step: 0 };
  const names = trainer.meters.map(([name]) => name);
  const run: Run = {
    model: trainer.model,
    optimizer: trainer.optimizer,
    meters: trainer.meters,
    names: validation ? [...names, ...names.map(validationName)] : names,
    device,
    epochs,
    steps: stepsPerEpoch ?? batches.size,
    examples,
    get epoch() {
      return place.epoch;
    },
    get step() {
      return place.step;
    },
    get logs() {
      return logs;
    },
    get stoppedBy() {
      return history.stoppedBy;
    },
    stop(reason) {
      history.stoppedBy ??= reason;
    },
    capture: () => {
      const loop = { ...place, seed, batchSize, examples: examples ?? null, history: [...history.epochs] };
      return captureState(trainer, callbacks, loop, device);
    },
  };
  trainer.resetMeters();
  if (resume) {
    for (const [name, own] of Object.entries({ batchSize, examples: examples ?? null }))
      if (resume.json[name as 'batchSize' | 'examples'] !== own)
        throw new ArgumentError(
          `fit: the run to resume had ${name} ${resume.json[name as 'batchSize']}, this one has ${own}; pass the same data and options.`,
        );
    restoreState(trainer, callbacks, resume, device);
    place.epoch = resume.json.epoch;
    place.step = resume.json.step;
    history.epochs.push(...resume.json.history);
  }
  /** Looks at the averages without waiting for the steps since the last look. */
  const look = async (): Promise<void> => {
    const next: Promise<Logs> = trainer.logs();
    next.catch(() => {}); // Told by the await below, or by the end of the epoch.
    const before = pending;
    pending = next;
    if (!before) return;
    logs = await before;
    await callbacks.call('onLogs', logs, run);
  };
  const ended = (): boolean => history.stoppedBy !== null;
  try {
    await callbacks.call('onTrainBegin', run);
    while (place.epoch < epochs && !ended()) {
      const { epoch } = place;
      logs = {};
      await callbacks.call('onEpochBegin', epoch, run);
      if (ended()) break;
      const endless = batches.size === Number.POSITIVE_INFINITY;
      const iterator = batches.from(
        endless
          ? { epoch: 0, index: epoch * (stepsPerEpoch ?? 0) + place.step }
          : { epoch, index: place.step },
      );
      try {
        while (!ended() && place.step !== stepsPerEpoch) {
          signal?.throwIfAborted();
          const { value: batch, done } = await iterator.next();
          if (done) break;
          const { step } = place;
          await callbacks.call('onStepBegin', step, run);
          scope(() => trainer.trainStep(trainer.load('fit', batch, device), classWeight));
          place.step = step + 1;
          if (place.step % LOOK_EVERY === 0) await look();
          await callbacks.call('onStepEnd', step, run);
          yield { epoch, step, run };
        }
      } finally {
        await iterator.return();
      }
      if (place.step === 0)
        throw new ArgumentError('fit: the dataset has no batches left; check stepsPerEpoch.');
      await pending;
      pending = null;
      const averages = await trainer.logs();
      if (validation && (epoch + 1) % validationFrequency === 0) {
        const measured = await measure('fit', trainer, validation, device, signal);
        for (const [name, value] of Object.entries(measured)) averages[validationName(name)] = value;
      }
      trainer.resetMeters();
      logs = averages;
      history.epochs.push(averages);
      place.epoch = epoch + 1;
      place.step = 0;
      await callbacks.call('onEpochEnd', epoch, averages, run);
    }
    trainer.optimizer.finalize();
  } catch (error) {
    const told = await callbacks.translate(error, run);
    if (told !== null) throw told;
  } finally {
    await Promise.allSettled([pending]); // Its results are given back.
    await callbacks.call('onTrainEnd', run);
  }
}
