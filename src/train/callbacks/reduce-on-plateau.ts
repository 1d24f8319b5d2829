/** Lowers the learning rate when a training does not get better any more. */
import { checkOptions } from '../../ops/options.ts';
import { type PlateauOptions, type PlateauState, ReduceOnPlateau } from '../../optim/plateau.ts';
import type { Callback, CallbackState, Run } from '../callbacks.ts';
import type { Logs } from '../trainer.ts';
import { type Mode, Monitor } from './monitor.ts';

export interface ReduceLearningRateOnPlateauOptions extends Omit<PlateauOptions, 'mode'> {
  /** What to look at: `loss`, a metric, or one of them of the validation. Default: 'valLoss'. */
  monitor?: string;
  /** Whether smaller or larger is better; 'auto' tells by the name. Default: 'auto'. */
  mode?: Mode;
}

class ReduceLearningRateOnPlateau implements Callback {
  readonly name = 'reduceLearningRateOnPlateau';
  readonly #monitor: Monitor;
  readonly #options: PlateauOptions;
  #plateau: ReduceOnPlateau;
  #resumed = false;

  constructor(options: ReduceLearningRateOnPlateauOptions) {
    checkOptions(
      this.name,
      options,
      ['monitor', 'mode', 'factor', 'patience', 'minDelta', 'cooldown', 'minLr'],
      '',
    );
    const { monitor, mode, ...rest } = options;
    this.#monitor = new Monitor(this.name, {
      ...(monitor !== undefined && { monitor }),
      ...(mode !== undefined && { mode }),
    });
    this.#options = { ...rest, mode: this.#monitor.mode };
    this.#plateau = new ReduceOnPlateau(this.#options);
  }

  onTrainBegin(run: Run): void {
    this.#monitor.check(run);
    if (!this.#resumed) this.#plateau = new ReduceOnPlateau(this.#options);
    this.#resumed = false;
  }

  onEpochEnd(_epoch: number, logs: Logs, { optimizer }: Run): void {
    const current = this.#monitor.of(logs);
    if (current === undefined) return;
    const before = optimizer.learningRate;
    const rate = this.#plateau.update(current, before);
    if (rate !== before) optimizer.learningRate = rate; // A schedule stays one as long as nothing falls.
  }

  state(): CallbackState {
    return { json: this.#plateau.toJSON() };
  }

  restore({ json }: { json: unknown }): void {
    this.#plateau.load(json as PlateauState);
    this.#resumed = true;
  }
}

export type { ReduceLearningRateOnPlateau };

/**
 * Multiplies the learning rate by `factor` when a number of the epoch has not improved for `patience` epochs, as Keras 3's
 * `ReduceLROnPlateau`; see `schedules.reduceOnPlateau` for the rule and its defaults. The first fall puts a number in the place of
 * a schedule.
 *
 * @throws ArgumentError, from `fit`, for a number that the run does not have, with the nearest name.
 */
export const reduceLearningRateOnPlateau = (
  options: ReduceLearningRateOnPlateauOptions = {},
): ReduceLearningRateOnPlateau => new ReduceLearningRateOnPlateau(options);
