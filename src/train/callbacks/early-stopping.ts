/** Ends a training that does not get better any more. */
import { copyOf } from '../../autograd/engine-ops.ts';
import { noGrad } from '../../autograd/modes.ts';
import { keep } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { checkFlags, checkNumber } from '../../core/check.ts';
import { assignWeights } from '../../nn/weights.ts';
import { checkOptions } from '../../ops/options.ts';
import type { Callback, CallbackState, Run } from '../callbacks.ts';
import type { Logs } from '../trainer.ts';
import { Monitor, type MonitorOptions } from './monitor.ts';

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Default: 0. */
  minDelta?: number;
  /** Epochs without improvement that are put up with. Default: 0. */
  patience?: number;
  /** What must be beaten, besides the best so far, for an epoch to count as improvement. Default: none. */
  baseline?: number | null;
  /** Put the weights of the best epoch back at the end, whatever ends the training in order. Default: false. */
  restoreBestWeights?: boolean;
  /** Epochs before this one, counted from 0, are not looked at. Default: 0. */
  startFromEpoch?: number;
}

interface Memory {
  readonly best: number | null;
  readonly bestEpoch: number;
  readonly wait: number;
  readonly stopped: string | null;
}

const copies = (named: Iterable<readonly [string, Tensor]>): Map<string, Tensor> =>
  noGrad(() => new Map([...named].map(([path, value]) => [path, keep(copyOf(value))] as const)));

class EarlyStopping implements Callback {
  readonly name = 'earlyStopping';
  readonly #monitor: Monitor;
  readonly #options: Required<Omit<EarlyStoppingOptions, keyof MonitorOptions>>;
  #memory: Memory = START;
  #weights: Map<string, Tensor> | null = null;
  #resumed = false;

  constructor(options: EarlyStoppingOptions) {
    const op = this.name;
    checkOptions(
      op,
      options,
      ['monitor', 'mode', 'minDelta', 'patience', 'baseline', 'restoreBestWeights', 'startFromEpoch'],
      '',
    );
    const { patience = 0, baseline = null, restoreBestWeights = false, startFromEpoch = 0 } = options;
    this.#monitor = new Monitor(op, options);
    checkNumber(op, 'patience', patience, { atLeast: 0, whole: true });
    checkNumber(op, 'startFromEpoch', startFromEpoch, { atLeast: 0, whole: true });
    if (baseline !== null) checkNumber(op, 'baseline', baseline);
    checkFlags(op, { restoreBestWeights });
    this.#options = { patience, baseline, restoreBestWeights, startFromEpoch };
  }

  /** The best value so far, and the epoch that it was seen in; null before the first. */
  get best(): number | null {
    return this.#memory.best;
  }

  get bestEpoch(): number | null {
    return this.#memory.best === null ? null : this.#memory.bestEpoch;
  }

  onTrainBegin(run: Run): void {
    this.#monitor.check(run);
    if (!this.#resumed) this.#forget();
    this.#resumed = false;
    if (this.#memory.stopped !== null) run.stop(this.#memory.stopped);
  }

  onEpochEnd(epoch: number, logs: Logs, run: Run): void {
    const current = this.#monitor.of(logs);
    const { patience, baseline, restoreBestWeights, startFromEpoch } = this.#options;
    if (current === undefined || epoch < startFromEpoch) return;
    const { best, bestEpoch } = this.#memory;
    const wait = this.#memory.wait + 1;
    const improved = this.#monitor.improves(current, best);
    if (restoreBestWeights && (improved || !this.#weights)) this.#take(run);
    if (improved) {
      const beaten = baseline === null || this.#monitor.improves(current, baseline);
      this.#memory = { best: current, bestEpoch: epoch, wait: beaten ? 0 : wait, stopped: null };
      return;
    }
    const stopped =
      wait >= patience && epoch > 0
        ? `${this.#monitor.name} has not improved for ${wait} epoch${wait === 1 ? '' : 's'}`
        : null;
    this.#memory = { best, bestEpoch, wait, stopped };
    if (stopped !== null) run.stop(stopped);
  }

  /** After an error or an abort the weights stay as they are. */
  onTrainEnd({ model, stoppedBy, epoch, epochs }: Run): void {
    const inOrder = stoppedBy !== null || epoch >= epochs;
    const weights = this.#weights;
    if (weights && inOrder) assignWeights(this.name, model, Object.fromEntries(weights));
    this.#dropWeights();
  }

  state(): CallbackState {
    return {
      json: this.#memory,
      ...(this.#weights && { tensors: Object.fromEntries(copies(this.#weights)) }),
    };
  }

  restore({ json, tensors }: { json: unknown; tensors: Readonly<Record<string, Tensor>> }): void {
    this.#forget();
    this.#memory = json as Memory;
    const saved = Object.entries(tensors);
    if (this.#options.restoreBestWeights && saved.length > 0) this.#weights = copies(saved);
    this.#resumed = true;
  }

  #take({ model }: Run): void {
    const next = copies(model.namedWeights().map(([path, { value }]) => [path, value] as const));
    this.#dropWeights();
    this.#weights = next;
  }

  #forget(): void {
    this.#memory = START;
    this.#dropWeights();
  }

  #dropWeights(): void {
    for (const weight of this.#weights?.values() ?? []) weight.dispose();
    this.#weights = null;
  }
}

const START: Memory = { best: null, bestEpoch: 0, wait: 0, stopped: null };

export type { EarlyStopping };

/**
 * Stops when a number of the epoch has not improved for `patience` epochs, as Keras 3's `EarlyStopping`; a NaN is no
 * improvement, and the first epoch never stops. The best weights are copied on the device; the optimizer's state stays that
 * of the last step. Its memory travels with checkpoints: a run that it stopped is not resumed as long as it is in the list.
 *
 * ```ts
 * await model.fit(data, { epochs: 100, validationSplit: 0.1, callbacks: [callbacks.earlyStopping({ patience: 5 })] });
 * ```
 *
 * @throws ArgumentError for a name whose direction is not known, and from `fit`, for a number that the run does not have, with
 *   the nearest name.
 */
export const earlyStopping = (options: EarlyStoppingOptions = {}): EarlyStopping =>
  new EarlyStopping(options);
