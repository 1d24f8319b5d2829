/** A learning rate that falls when a metric stops improving. */

import { checkNumber, checkNumbers } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';

export interface PlateauOptions {
  /** Whether smaller or larger is better. Default: 'min'. */
  mode?: 'min' | 'max';
  /** What the rate is multiplied by. Default: 0.1. */
  factor?: number;
  /** Updates without improvement before the rate falls. Default: 10. */
  patience?: number;
  /** What counts as an improvement. Default: 1e-4. */
  minDelta?: number;
  /** Updates after a fall during which nothing is counted. Default: 0. */
  cooldown?: number;
  /** The rate never falls below. Default: 0. */
  minLr?: number;
}

/** What a controller remembers. `best` is null before the first metric. */
export interface PlateauState {
  readonly best: number | null;
  readonly wait: number;
  readonly cooldown: number;
}

/** Keras 3's `ReduceLROnPlateau`, fed by hand. */
export class ReduceOnPlateau {
  readonly #options: Required<PlateauOptions>;
  #best: number | null = null;
  #wait = 0;
  #cooldown = 0;

  constructor(options: PlateauOptions = {}) {
    const op = 'reduceOnPlateau';
    checkOptions(op, options, ['mode', 'factor', 'patience', 'minDelta', 'cooldown', 'minLr'], '');
    const { mode = 'min', factor = 0.1, patience = 10, minDelta = 1e-4, cooldown = 0, minLr = 0 } = options;
    if (mode !== 'min' && mode !== 'max')
      throw new ArgumentError(`${op}: mode is ${describe(mode)}; pass 'min' or 'max'.`);
    checkNumber(op, 'factor', factor, { above: 0, below: 1 });
    checkNumbers(op, { patience, cooldown }, { atLeast: 0, whole: true });
    checkNumbers(op, { minDelta, minLr }, { atLeast: 0 });
    this.#options = { mode, factor, patience, minDelta, cooldown, minLr };
  }

  /**
   * Takes the metric of an epoch and the current learning rate, and returns the rate to go on with:
   * `optimizer.learningRate = plateau.update(loss, optimizer.learningRate)`. A NaN is no improvement.
   */
  update(metric: number, learningRate: number): number {
    if (typeof metric !== 'number')
      throw new ArgumentError(`reduceOnPlateau: the metric is ${describe(metric)}; pass a number, awaited.`);
    checkNumber('reduceOnPlateau', 'learningRate', learningRate, { atLeast: 0 });
    const { mode, factor, patience, minDelta, cooldown, minLr } = this.#options;
    if (this.#cooldown > 0) {
      this.#cooldown--;
      this.#wait = 0;
    }
    const gain = mode === 'min' ? -1 : 1;
    if (this.#best === null ? Number.isFinite(metric) : gain * (metric - this.#best) > minDelta) {
      this.#best = metric;
      this.#wait = 0;
      return learningRate;
    }
    if (this.#cooldown > 0) return learningRate;
    if (++this.#wait < patience || learningRate <= minLr) return learningRate;
    this.#cooldown = cooldown;
    this.#wait = 0;
    return Math.max(factor * learningRate, minLr);
  }

  toJSON(): PlateauState {
    return { best: this.#best, wait: this.#wait, cooldown: this.#cooldown };
  }

  /** Goes on where another one was when `toJSON()` was called. */
  load({ best, wait, cooldown }: PlateauState): void {
    checkNumbers('reduceOnPlateau', { wait, cooldown }, { atLeast: 0, whole: true });
    if (best !== null && typeof best !== 'number')
      throw new ArgumentError(`reduceOnPlateau: best is ${describe(best)}; pass what toJSON() gave.`);
    this.#best = best;
    this.#wait = wait;
    this.#cooldown = cooldown;
  }
}

/** Lowers the rate by `factor` when a metric has not improved for `patience` updates. */
export const reduceOnPlateau = (options: PlateauOptions = {}): ReduceOnPlateau =>
  new ReduceOnPlateau(options);
