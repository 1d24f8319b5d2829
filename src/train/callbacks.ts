/** What happens beside the training: the hooks, and what they see of the run. */
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Optimizer } from '../optim/optimizers.ts';
import type { Device } from '../runtime/device.ts';
import type { Trainable } from './signature.ts';
import type { RunState } from './state.ts';
import type { Logs } from './trainer.ts';

/** A training run, as callbacks see it. */
export interface Run {
  readonly model: Trainable;
  readonly optimizer: Optimizer;
  readonly device: Device;
  /** Epochs to train in all, those before a resume included. */
  readonly epochs: number;
  /** Steps of an epoch, where they are known. */
  readonly steps: number | undefined;
  /** Examples of an epoch, where they are known. */
  readonly examples: number | undefined;
  /** The epoch and the step within it that come next, counted from 0. */
  readonly epoch: number;
  readonly step: number;
  /** What the logs of an epoch hold; the names with `val` only in epochs that end with a validation. */
  readonly names: readonly string[];
  /** Averages over the epoch so far, read some steps ago. */
  readonly logs: Logs;
  /** The sums that these averages come from, which lie on the device. */
  readonly meters: readonly (readonly [name: string, meter: { state(): Readonly<Record<string, Tensor>> }])[];
  /** Why the training ends before its last epoch; null as long as it does not. */
  readonly stoppedBy: string | null;
  /** Ends the training after this step, or after this epoch when it is called between epochs. */
  stop(reason: string): void;
  /** All that it takes to go on from here; the caller disposes it. */
  capture(): RunState;
}

/** State of a callback that a checkpoint takes along. */
export interface CallbackState {
  readonly json: unknown;
  /** Copies, which belong to the caller. */
  readonly tensors?: Readonly<Record<string, Tensor>>;
}

/**
 * Hooks into `fit`; each may return a promise, which is waited for. Steps and epochs count from 0.
 *
 * ```ts
 * await model.fit(data, { callbacks: [{ onEpochEnd: (epoch, logs) => console.log(epoch, logs.loss) }] });
 * ```
 */
export interface Callback {
  /** Names its state in checkpoints. Default: its place in the list. */
  readonly name?: string;
  /** Runs after the callbacks without it, so that it sees what they did. */
  readonly last?: boolean;
  onTrainBegin?(run: Run): void | Promise<void>;
  onEpochBegin?(epoch: number, run: Run): void | Promise<void>;
  onStepBegin?(step: number, run: Run): void | Promise<void>;
  /** `run.logs` is some steps old; whoever reads the device here makes the training wait. */
  onStepEnd?(step: number, run: Run): void | Promise<void>;
  /** New averages were read. */
  onLogs?(logs: Logs, run: Run): void | Promise<void>;
  onEpochEnd?(epoch: number, logs: Logs, run: Run): void | Promise<void>;
  /** Also after an error or an abort. */
  onTrainEnd?(run: Run): void | Promise<void>;
  /**
   * The training failed. An error that is returned, or that a returned promise is of, takes the place of this one; null ends
   * the training in order: say why with `run.stop()`.
   */
  onError?(error: unknown, run: Run): unknown;
  state?(): CallbackState;
  restore?(state: { readonly json: unknown; readonly tensors: Readonly<Record<string, Tensor>> }): void;
}

type Hook = Exclude<keyof Callback, 'name' | 'last' | 'state' | 'restore' | 'onError' | 'onTrainEnd'>;

const HOOKS: readonly (keyof Callback)[] = [
  'onTrainBegin',
  'onEpochBegin',
  'onStepBegin',
  'onStepEnd',
  'onLogs',
  'onEpochEnd',
  'onTrainEnd',
  'onError',
];

/** The callbacks of a run, in the order in which they run. */
export class CallbackList {
  readonly all: readonly Callback[];

  constructor(given: readonly Callback[]) {
    if (!Array.isArray(given))
      throw new ArgumentError(`fit: callbacks is ${describe(given)}; pass a list of callbacks.`);
    for (const callback of given as readonly unknown[]) {
      const hooks = HOOKS.filter((hook) => typeof (callback as Callback | null)?.[hook] === 'function');
      if (typeof callback !== 'object' || hooks.length === 0)
        throw new ArgumentError(
          `fit: ${describe(callback)} is no callback; it needs a hook such as onEpochEnd.`,
        );
    }
    this.all = [...given.filter(({ last }) => !last), ...given.filter(({ last }) => last)];
  }

  /** Calls one hook of all, one after another. */
  async call<H extends Hook>(hook: H, ...args: Parameters<NonNullable<Callback[H]>>): Promise<void> {
    for (const callback of this.all) {
      const own = callback[hook] as ((...args: unknown[]) => unknown) | undefined;
      const result = own?.apply(callback, args);
      if (result !== undefined) await result;
    }
  }

  /** Ends all, also those behind one that throws: they have memory and files to give back. The first error is told. */
  async end(run: Run): Promise<void> {
    const results = [];
    for (const callback of this.all)
      results.push(...(await Promise.allSettled([(async () => callback.onTrainEnd?.(run))()])));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** The error that is told in the place of `error`; null where it ends the training in order. */
  async translate(error: unknown, run: Run): Promise<unknown> {
    let told = error;
    for (const callback of this.all) {
      const own = await callback.onError?.(told, run);
      if (own === null) return null;
      told = own ?? told;
    }
    return told;
  }

  /** Callbacks that have a state, by the names of their states. */
  get stateful(): (readonly [name: string, callback: Callback])[] {
    const counts = new Map<string, number>();
    return this.all.flatMap((callback, index) => {
      if (!callback.state) return [];
      const name = callback.name ?? `callback${index}`;
      const count = counts.get(name) ?? 0;
      counts.set(name, count + 1);
      return [[count === 0 ? name : `${name}_${count}`, callback] as const];
    });
  }
}
