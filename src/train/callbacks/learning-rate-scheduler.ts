/** A learning rate for each epoch. */
import { checkNumber } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import type { Callback, CallbackState, Run } from '../callbacks.ts';

/** The rate of an epoch, counted from 0, from that of the epoch before. */
export type EpochRate = (epoch: number, learningRate: number) => number;

class LearningRateScheduler implements Callback {
  readonly name = 'learningRateScheduler';
  readonly #rate: EpochRate;
  /** The epoch whose rate is set: it is not set again when a run resumes within it. */
  #epoch: number | null = null;
  #resumed = false;

  constructor(rate: EpochRate) {
    if (typeof rate !== 'function')
      throw new ArgumentError(
        `${this.name}: ${describe(rate)} is no function; pass (epoch, learningRate) => rate.`,
      );
    this.#rate = rate;
  }

  onTrainBegin(): void {
    if (!this.#resumed) this.#epoch = null;
    this.#resumed = false;
  }

  onEpochBegin(epoch: number, { optimizer }: Run): void {
    if (epoch === this.#epoch) return;
    const rate = this.#rate(epoch, optimizer.learningRate);
    checkNumber(this.name, `the rate of epoch ${epoch}`, rate, { atLeast: 0 });
    optimizer.learningRate = rate;
    this.#epoch = epoch;
  }

  state(): CallbackState {
    return { json: { epoch: this.#epoch } };
  }

  restore({ json }: { json: unknown }): void {
    this.#epoch = (json as { epoch: number | null }).epoch;
    this.#resumed = true;
  }
}

export type { LearningRateScheduler };

/**
 * Sets the learning rate at the start of each epoch, as Keras 3's `LearningRateScheduler`. For a rate that changes with the
 * step, give the optimizer a schedule instead; this takes its place.
 *
 * ```ts
 * callbacks.learningRateScheduler((epoch, rate) => (epoch < 10 ? rate : 0.9 * rate));
 * ```
 *
 * @throws ArgumentError, from `fit`, for a rate that is no finite number ≥ 0.
 */
export const learningRateScheduler = (rate: EpochRate): LearningRateScheduler =>
  new LearningRateScheduler(rate);
