/** The training loop, step by step. */
import { scope } from '../autograd/scope.ts';
import { checkNumber } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import type { DatasetIterator } from '../data/dataset.ts';
import { checkOptions } from '../ops/options.ts';
import type { Device } from '../runtime/device.ts';
import { type Callback, CallbackList, type Run } from './callbacks.ts';
import { measure } from './evaluate.ts';
import type { TrainingData } from './fit-data.ts';
import { buildFrom, type Prepared, prepare } from './prepare.ts';
import { TrainingRun } from './run.ts';
import type { RunState } from './state.ts';
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

function checkFitOptions(options: FitOptions): void {
  checkOptions('fit', options, FIT_OPTIONS, 'data');
  const { epochs, batchSize, validationSplit, validationFrequency, stepsPerEpoch, seed, shuffle } = options;
  const { signal, resume } = options as { signal?: unknown; resume?: unknown };
  const counts = { epochs, batchSize, validationFrequency, stepsPerEpoch };
  for (const [name, value] of Object.entries(counts))
    if (value !== undefined) checkNumber('fit', name, value, { atLeast: 1, whole: true });
  if (validationSplit !== undefined)
    checkNumber('fit', 'validationSplit', validationSplit, { atLeast: 0, below: 1 });
  if (seed !== undefined) checkNumber('fit', 'seed', seed, { atLeast: 0, whole: true });
  if (shuffle !== undefined && typeof shuffle !== 'boolean')
    throw new ArgumentError(`fit: shuffle is ${describe(shuffle)}; pass true or false.`);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new ArgumentError(`fit: signal is ${describe(signal)}; pass the signal of an AbortController.`);
  const isState =
    typeof resume === 'object' && (resume === null || ('tensors' in resume && 'json' in resume));
  if (resume !== undefined && !isState)
    throw new ArgumentError(
      `fit: resume is ${describe(resume)}; pass what run.capture() or loadCheckpoint() returned.`,
    );
}

/** `valLoss` of `loss`. */
const validationName = (name: string): string => `val${name.charAt(0).toUpperCase()}${name.slice(1)}`;

/** The batches of an epoch from where the run stands; data without an end go on where the last epoch left them. */
function batchesFrom({ batches }: Prepared, run: TrainingRun): DatasetIterator<unknown> {
  const { epoch, step, steps = 0 } = run;
  const endless = batches.size === Number.POSITIVE_INFINITY;
  return batches.from(endless ? { epoch: 0, index: epoch * steps + step } : { epoch, index: step });
}

/**
 * Trains, and hands over after each step; `fit` is this to its end. A consumer that breaks off ends the run: `onTrainEnd` runs,
 * and the weights stay as the last step left them.
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
  const prepared = await prepare(trainer, data, options);
  const { batches, validation } = prepared;
  const endless = batches.size === Number.POSITIVE_INFINITY;
  if (stepsPerEpoch === undefined && endless)
    throw new ArgumentError('fit: the dataset has no end; pass stepsPerEpoch.');
  await buildFrom(trainer, batches, device);
  const names = trainer.meters.map(([name]) => name);
  const run = new TrainingRun(trainer, callbacks, prepared, device, history, {
    epochs,
    steps: stepsPerEpoch ?? batches.size,
    names: validation ? [...names, ...names.map(validationName)] : names,
  });
  trainer.resetMeters();
  if (resume) run.resume(resume);
  let iterator: DatasetIterator<unknown> | null = null;
  let failed = false;
  try {
    await callbacks.call('onTrainBegin', run);
    while (run.epoch < epochs && !run.stoppedBy) {
      const { epoch } = run;
      run.logs = {};
      await callbacks.call('onEpochBegin', epoch, run);
      if (run.stoppedBy) break;
      iterator ??= batchesFrom(prepared, run);
      while (!run.stoppedBy && run.step !== stepsPerEpoch) {
        signal?.throwIfAborted();
        const { value: batch, done } = await iterator.next();
        if (done) break;
        const { step } = run;
        await callbacks.call('onStepBegin', step, run);
        scope(() => trainer.trainStep(trainer.load('fit', batch, device), classWeight));
        await run.advance();
        await callbacks.call('onStepEnd', step, run);
        yield { epoch, step, run };
      }
      if (!endless) {
        await iterator.return();
        iterator = null;
      }
      if (run.step === 0)
        throw new ArgumentError('fit: the dataset has no batches left; check stepsPerEpoch.');
      await run.settle();
      const averages = await trainer.logs();
      if (validation && (epoch + 1) % validationFrequency === 0) {
        const measured = await measure('fit', trainer, validation, device, signal);
        for (const [name, value] of Object.entries(measured)) averages[validationName(name)] = value;
      }
      trainer.resetMeters();
      run.endEpoch(averages);
      await callbacks.call('onEpochEnd', epoch, averages, run);
    }
    trainer.optimizer.finalize();
  } catch (error) {
    const told = await callbacks.translate(error, run);
    failed = told !== null;
    if (failed) throw told;
  } finally {
    await Promise.allSettled([iterator?.return(), run.settle()]);
    await endOf(run, callbacks, failed);
  }
}

/** An error that ended the training is told rather than one of its end. */
async function endOf(run: TrainingRun, callbacks: CallbackList, failed: boolean): Promise<void> {
  const [ending] = await Promise.allSettled([callbacks.end(run)]);
  if (!failed && ending.status === 'rejected') throw ending.reason;
}
