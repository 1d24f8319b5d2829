/** Where a training stands. */
import { ArgumentError } from '../core/errors.ts';
import type { Optimizer } from '../optim/optimizers.ts';
import type { Device } from '../runtime/device.ts';
import type { CallbackList, Run } from './callbacks.ts';
import type { History } from './fit.ts';
import type { Prepared } from './prepare.ts';
import type { Trainable } from './signature.ts';
import { captureState, type RunState, restoreState } from './state.ts';
import type { Logs, Trainer } from './trainer.ts';

/** Steps between two looks at the averages; a look waits for the one before it, so the device is never far behind. */
const LOOK_EVERY = 10;

/** How much there is to do. */
export interface Extent {
  readonly epochs: number;
  readonly steps: number | undefined;
  /** What an epoch's logs will hold. */
  readonly names: readonly string[];
}

export class TrainingRun implements Run {
  readonly model: Trainable;
  readonly optimizer: Optimizer;
  readonly meters: Trainer['meters'];
  readonly device: Device;
  readonly names: readonly string[];
  readonly epochs: number;
  readonly steps: number | undefined;
  readonly examples: number | undefined;
  logs: Logs = {};
  readonly #trainer: Trainer;
  readonly #callbacks: CallbackList;
  readonly #prepared: Prepared;
  readonly #history: History;
  #epoch = 0;
  #step = 0;
  #pending: Promise<Logs> | null = null;

  constructor(
    trainer: Trainer,
    callbacks: CallbackList,
    prepared: Prepared,
    device: Device,
    history: History,
    { epochs, steps, names }: Extent,
  ) {
    this.#trainer = trainer;
    this.#callbacks = callbacks;
    this.#prepared = prepared;
    this.#history = history;
    this.model = trainer.model;
    this.optimizer = trainer.optimizer;
    this.meters = trainer.meters;
    this.device = device;
    this.epochs = epochs;
    this.steps = steps;
    this.names = names;
    this.examples = prepared.examples;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get step(): number {
    return this.#step;
  }

  get stoppedBy(): string | null {
    return this.#history.stoppedBy;
  }

  stop(reason: string): void {
    this.#history.stoppedBy ??= reason;
  }

  capture(): RunState {
    const { seed, batchSize, examples } = this.#prepared;
    const loop = { epoch: this.#epoch, step: this.#step, seed, batchSize, examples: examples ?? null };
    const history = [...this.#history.epochs];
    return captureState(this.#trainer, this.#callbacks, { ...loop, history }, this.device);
  }

  /** @throws ArgumentError for the state of a run with other data, another model or another optimizer. */
  resume(state: RunState): void {
    const { batchSize, examples = null } = this.#prepared;
    for (const [name, own] of Object.entries({ batchSize, examples }))
      if (state.json[name as 'batchSize' | 'examples'] !== own)
        throw new ArgumentError(
          `fit: the run to resume had ${name} ${state.json[name as 'batchSize']}, this one has ${own}; pass the same data and options.`,
        );
    restoreState(this.#trainer, this.#callbacks, state, this.device);
    this.#epoch = state.json.epoch;
    this.#step = state.json.step;
    this.#history.epochs.push(...state.json.history);
  }

  /** Counts a step; now and then it looks at the averages, without waiting for the steps since the last look. */
  async advance(): Promise<void> {
    if (++this.#step % LOOK_EVERY !== 0) return;
    const next: Promise<Logs> = this.#trainer.logs();
    next.catch(() => {}); // Told when it is waited for.
    const before = this.#pending;
    this.#pending = next;
    if (!before) return;
    this.logs = await before;
    await this.#callbacks.call('onLogs', this.logs, this);
  }

  /** Waits for the look that is under way. */
  async settle(): Promise<void> {
    const pending = this.#pending;
    this.#pending = null;
    await pending;
  }

  endEpoch(averages: Logs): void {
    this.logs = averages;
    this.#history.epochs.push(averages);
    this.#epoch++;
    this.#step = 0;
  }
}
