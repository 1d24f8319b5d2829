/** Saves a training run as it goes. Node only. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkNumber } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import { checkOptions } from '../../ops/options.ts';
import { type Mode, Monitor } from '../callbacks/monitor.ts';
import type { Callback, CallbackState, Run } from '../callbacks.ts';
import type { RunState } from '../state.ts';
import type { Logs } from '../trainer.ts';
import {
  checkpointName,
  isLater,
  listCheckpoints,
  listUnfinished,
  type Place,
  writeCheckpoint,
} from './checkpoint-file.ts';

export interface CheckpointOptions {
  /** A folder for this run alone; it is made. */
  directory: string;
  /** Save after every so many steps of an epoch, too. Default: not. */
  everySteps?: number;
  /** Save after every so many epochs. Default: 1. */
  everyEpochs?: number;
  /** How many of the newest files stay. Default: 2. */
  keep?: number;
  /** Save at the end of an epoch only where this number is the best so far, as in 'valLoss'. Default: always. */
  bestOnly?: string;
  /** Whether smaller or larger is better, for `bestOnly`; 'auto' tells by the name. Default: 'auto'. */
  mode?: Mode;
}

/** The first trained weight that is not finite: nobody wants to go on from there. */
async function spoilt({ tensors }: RunState, { model }: Run): Promise<string | undefined> {
  const paths = model.trainableWeights.map(({ name }) => name);
  const bad = await Promise.all(
    paths.map(async (path) => (await tensors[`weights/${path}`]?.data())?.some((v) => !Number.isFinite(v))),
  );
  return paths.find((_, index) => bad[index]);
}

class Checkpoint implements Callback {
  readonly name = 'checkpoint';
  readonly last = true;
  readonly #directory: string;
  readonly #everySteps: number | undefined;
  readonly #everyEpochs: number;
  readonly #keep: number;
  readonly #monitor: Monitor | null;
  #best: number | null = null;
  #resumed = false;
  #stoppedWithin = false;

  constructor(options: CheckpointOptions) {
    const op = this.name;
    checkOptions(op, options, ['directory', 'everySteps', 'everyEpochs', 'keep', 'bestOnly', 'mode'], '');
    const { directory, everySteps, everyEpochs = 1, keep = 2, bestOnly, mode } = options;
    if (typeof directory !== 'string' || directory === '')
      throw new ArgumentError(`${op}: directory is ${describe(directory)}; pass the path of a folder.`);
    for (const [name, count] of Object.entries({ everySteps, everyEpochs, keep }))
      if (count !== undefined) checkNumber(op, name, count, { atLeast: 1, whole: true });
    if (mode !== undefined && bestOnly === undefined)
      throw new ArgumentError(`${op}: mode is for bestOnly; pass bestOnly: 'valLoss', or leave mode out.`);
    if (everySteps !== undefined && bestOnly !== undefined)
      throw new ArgumentError(
        `${op}: what is best is known after an epoch; leave everySteps or bestOnly out.`,
      );
    this.#directory = directory;
    this.#everySteps = everySteps;
    this.#everyEpochs = everyEpochs;
    this.#keep = keep;
    this.#monitor =
      bestOnly === undefined ? null : new Monitor(op, { monitor: bestOnly, ...(mode && { mode }) });
  }

  async onTrainBegin(run: Run): Promise<void> {
    this.#monitor?.check(run);
    if (!this.#resumed) this.#best = null;
    this.#resumed = false;
    this.#stoppedWithin = false;
    await mkdir(this.#directory, { recursive: true });
    const [first] = await listCheckpoints(this.#directory);
    if (first && run.epoch === 0 && run.step === 0)
      throw new ArgumentError(
        `checkpoint: ${this.#directory} holds checkpoints of another run, such as ${first.path}; go on from them with ` +
          `resume: await loadCheckpoint(directory), empty the folder, or choose another one.`,
      );
    for (const path of await listUnfinished(this.#directory)) await rm(path, { force: true });
  }

  /** A run that is stopped within an epoch is saved there, so that the rest of the epoch is not lost. */
  async onStepEnd(step: number, run: Run): Promise<void> {
    this.#stoppedWithin = run.stoppedBy !== null && step + 1 !== run.steps;
    const due = this.#everySteps !== undefined && (step + 1) % this.#everySteps === 0;
    if (due || (this.#stoppedWithin && !this.#monitor)) await this.#save(run);
  }

  async onEpochEnd(epoch: number, logs: Logs, run: Run): Promise<void> {
    if (this.#stoppedWithin) return;
    if (this.#monitor) {
      const current = this.#monitor.of(logs);
      if (current === undefined || !this.#monitor.improves(current, this.#best)) return;
      this.#best = current;
      await this.#save(run);
      return;
    }
    const last = run.stoppedBy !== null || epoch + 1 === run.epochs;
    if (last || (epoch + 1) % this.#everyEpochs === 0) await this.#save(run);
  }

  state(): CallbackState {
    return { json: { best: this.#best } };
  }

  restore({ json }: { json: unknown }): void {
    this.#best = (json as { best: number | null }).best;
    this.#resumed = true;
  }

  async #save(run: Run): Promise<void> {
    const state = run.capture();
    try {
      const bad = await spoilt(state, run);
      if (bad !== undefined) {
        console.warn(
          `wgrad: checkpoint: nothing was saved, since the weight '${bad}' is not finite any more.`,
        );
        return;
      }
      await writeCheckpoint(join(this.#directory, checkpointName(state.json)), state, run.device);
      await this.#prune(state.json);
    } finally {
      state.dispose();
    }
  }

  /** Now that the newest is safe: keeps the last ones, and drops those of a future that this run did not take. */
  async #prune(newest: Place): Promise<void> {
    const files = await listCheckpoints(this.#directory);
    const past = files.filter((file) => !isLater(file, newest));
    const surplus = [...files.filter((file) => isLater(file, newest)), ...past.slice(0, -this.#keep)];
    for (const { path } of surplus) await rm(path, { force: true });
  }
}

export type { Checkpoint };

/**
 * Saves all that it takes to go on with the same bits: weights, optimizer, random streams, the place in the data, metrics,
 * history, and the state of the other callbacks. Each checkpoint is a safetensors file in `directory` that is named by the epoch and
 * the step that come next, `checkpoint-000003-000017.safetensors`; it replaces older ones only when it is safely on the disk, and
 * whatever happens, the folder holds a whole file as soon as it has held one. Saving waits for the device.
 *
 * The last epoch, and a run that is stopped, are saved in any case (not so with `bestOnly`); weights that are not finite are never
 * saved. Files later than the place that a run was resumed from are removed with its first new one.
 *
 * ```ts
 * const state = await loadCheckpoint('run');
 * await model.fit(data, { resume: state, callbacks: [callbacks.checkpoint({ directory: 'run', everySteps: 500 })] });
 * state?.dispose();
 * ```
 *
 * @throws ArgumentError, from `fit`, when a run that is not resumed finds checkpoints in the folder.
 */
export const checkpoint = (options: CheckpointOptions): Checkpoint => new Checkpoint(options);
