/** The number of an epoch that a callback decides by. */
import { checkNumber } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import { unknownName } from '../../core/nearest.ts';
import type { Run } from '../callbacks.ts';
import type { Logs } from '../trainer.ts';

export interface MonitorOptions {
  /** What to look at: `loss`, a metric, or one of them of the validation, as in `valLoss`. Default: 'valLoss'. */
  monitor?: string;
  /** Whether smaller or larger is better. 'auto' tells by the name, and asks where that says nothing. Default: 'auto'. */
  mode?: Mode;
  /** What counts as an improvement; its sign does not matter. */
  minDelta?: number;
}

export type Mode = 'auto' | 'min' | 'max';

const RISING = /accuracy|acc$|precision|recall|auc|f1|iou|similarity|r2/i;
const FALLING = /loss|error|mse|mae|mape|msle|crossentropy|bce|hinge|divergence|poisson|logcosh/i;

/** What a name says about its direction; null where it says nothing. */
function directionOf(name: string): 'min' | 'max' | null {
  if (RISING.test(name)) return 'max';
  return FALLING.test(name) ? 'min' : null;
}

export class Monitor {
  readonly name: string;
  readonly mode: 'min' | 'max';
  readonly #op: string;
  readonly #minDelta: number;

  /** @throws ArgumentError where 'auto' cannot tell. */
  constructor(op: string, { monitor = 'valLoss', mode = 'auto', minDelta = 0 }: MonitorOptions) {
    if (typeof monitor !== 'string' || monitor === '')
      throw new ArgumentError(`${op}: monitor is ${describe(monitor)}; pass a name such as 'valLoss'.`);
    if (mode !== 'auto' && mode !== 'min' && mode !== 'max')
      throw new ArgumentError(`${op}: mode is ${describe(mode)}; pass 'auto', 'min' or 'max'.`);
    checkNumber(op, 'minDelta', minDelta);
    const known = mode === 'auto' ? directionOf(monitor) : mode;
    if (known === null)
      throw new ArgumentError(
        `${op}: the name '${monitor}' does not tell its direction; pass mode 'min' or 'max'.`,
      );
    this.#op = op;
    this.name = monitor;
    this.mode = known;
    this.#minDelta = Math.abs(minDelta);
  }

  /** @throws ArgumentError, with the nearest name, unless the run has such a number. */
  check({ names }: Run): void {
    if (names.includes(this.name)) return;
    if (!this.name.startsWith('val') || names.some((name) => name.startsWith('val')))
      throw unknownName(this.#op, 'monitor', this.name, names);
    throw new ArgumentError(
      `${this.#op}: there is no monitor '${this.name}', since nothing is validated; pass validationData or ` +
        `validationSplit to fit, or monitor one of ${names.join(', ')}.`,
    );
  }

  /** The number, if the epoch has it: others end without a validation. */
  of(logs: Logs): number | undefined {
    return logs[this.name];
  }

  /** Whether `current` beats `best` by more than `minDelta`; all but NaN beats null. */
  improves(current: number, best: number | null): boolean {
    if (best === null) return !Number.isNaN(current);
    const gain = this.mode === 'min' ? best - current : current - best;
    return gain > this.#minDelta;
  }
}
