/**
 * Learning rates that change with the step: pure functions of the number of steps done, counted from 0. Formulas, names and
 * defaults are Keras 3's; `warmup` is a wrapper, `oneCycle` is PyTorch's. `JSON.stringify(schedule)` is all that it takes to
 * make it again with `fromJson`.
 */

import { checkFlags, checkNumber, checkNumbers } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { unknownName } from '../core/nearest.ts';
import { checkOptions } from '../ops/options.ts';
import {
  cosineDecay,
  cosineDecayRestarts,
  exponentialDecay,
  inverseTimeDecay,
  piecewiseConstantDecay,
  polynomialDecay,
} from './decays.ts';
import { cosine, type Schedule, type ScheduleJson, scheduleOf } from './schedule.ts';

export {
  type CosineDecayOptions,
  type CosineDecayRestartsOptions,
  cosineDecay,
  cosineDecayRestarts,
  type DecayOptions,
  exponentialDecay,
  inverseTimeDecay,
  type PiecewiseConstantDecayOptions,
  type PolynomialDecayOptions,
  piecewiseConstantDecay,
  polynomialDecay,
} from './decays.ts';
export { type PlateauOptions, type PlateauState, ReduceOnPlateau, reduceOnPlateau } from './plateau.ts';
export type { Schedule, ScheduleJson } from './schedule.ts';

export interface WarmupOptions {
  /** What follows; its own steps start after the warm-up. */
  schedule: number | Schedule;
  /** Steps of the warm-up. */
  steps: number;
  /** Where the warm-up starts. Default: 0. */
  from?: number;
}

/** A straight line from `from` to the first rate of another schedule, then that schedule. */
export function warmup(options: WarmupOptions): Schedule {
  const op = 'warmup';
  checkOptions(op, options, ['schedule', 'steps', 'from'], '');
  const { schedule, steps, from = 0 } = options;
  if (typeof schedule !== 'function') checkNumber(op, 'schedule', schedule, { atLeast: 0 });
  checkNumbers(op, { steps, from }, { atLeast: 0 });
  const then = typeof schedule === 'function' ? schedule : () => schedule;
  return scheduleOf(op, options, (step) =>
    step < steps ? from + (then(0) - from) * (step / steps) : then(step - steps),
  );
}

export interface OneCycleOptions {
  maxLearningRate: number;
  /** Steps of the cycle; the rate stays at its end afterwards. */
  totalSteps: number;
  /** The share of the steps in which the rate rises. Default: 0.3. */
  pctStart?: number;
  /** How it rises and falls. Default: 'cos'. */
  annealStrategy?: 'cos' | 'linear';
  /** The cycle starts at maxLearningRate / divFactor. Default: 25. */
  divFactor?: number;
  /** The cycle ends at its start's rate / finalDivFactor. Default: 1e4. */
  finalDivFactor?: number;
  /** Fall to the start's rate as long as it rose, and only then to the end's. Default: false. */
  threePhase?: boolean;
}

/** Up to a large rate, then far down. Smith and Topin, "Super-Convergence" (2018); PyTorch's `OneCycleLR`. */
export function oneCycle(options: OneCycleOptions): Schedule {
  const op = 'oneCycle';
  checkOptions(
    op,
    options,
    [
      'maxLearningRate',
      'totalSteps',
      'pctStart',
      'annealStrategy',
      'divFactor',
      'finalDivFactor',
      'threePhase',
    ],
    '',
  );
  const { maxLearningRate: top, totalSteps, pctStart = 0.3, annealStrategy = 'cos' } = options;
  const { divFactor = 25, finalDivFactor = 1e4, threePhase = false } = options;
  checkNumber(op, 'maxLearningRate', top, { atLeast: 0 });
  checkNumber(op, 'totalSteps', totalSteps, { atLeast: 1, whole: true });
  checkNumber(op, 'pctStart', pctStart, { atLeast: 0, atMost: 1 });
  checkNumbers(op, { divFactor, finalDivFactor }, { above: 0 });
  checkFlags(op, { threePhase });
  if (annealStrategy !== 'cos' && annealStrategy !== 'linear')
    throw new ArgumentError(`${op}: annealStrategy is ${describe(annealStrategy)}; pass 'cos' or 'linear'.`);
  const start = top / divFactor;
  const end = start / finalDivFactor;
  const risen = pctStart * totalSteps - 1;
  const phases = threePhase
    ? [
        { until: risen, from: start, to: top },
        { until: 2 * pctStart * totalSteps - 2, from: top, to: start },
        { until: totalSteps - 1, from: start, to: end },
      ]
    : [
        { until: risen, from: start, to: top },
        { until: totalSteps - 1, from: top, to: end },
      ];
  return scheduleOf(op, options, (step) => {
    const at = Math.min(step, totalSteps - 1);
    let since = 0;
    for (const { until, from, to } of phases) {
      if (at <= until) {
        const share = until > since ? (at - since) / (until - since) : 1;
        return annealStrategy === 'cos' ? to + (from - to) * cosine(share) : from + (to - from) * share;
      }
      since = until;
    }
    return end;
  });
}

const MAKERS: Readonly<Record<string, (options: never) => Schedule>> = {
  exponentialDecay,
  inverseTimeDecay,
  polynomialDecay,
  piecewiseConstantDecay,
  cosineDecay,
  cosineDecayRestarts,
  warmup,
  oneCycle,
};

/**
 * The schedule that `JSON.stringify` wrote, parsed.
 *
 * @throws ArgumentError for a schedule that does not exist, and for options that it does not take.
 */
export function fromJson(json: ScheduleJson): Schedule {
  const op = 'schedules.fromJson';
  if (typeof json !== 'object' || json === null)
    throw new ArgumentError(`${op}: ${describe(json)}; pass what a schedule's toJSON() gave.`);
  const make = Object.hasOwn(MAKERS, json.schedule) ? MAKERS[json.schedule] : undefined;
  if (!make) throw unknownName(op, 'schedule', json.schedule, Object.keys(MAKERS));
  const options: Record<string, unknown> = { ...json.options };
  const inner = options.schedule;
  if (typeof inner === 'object' && inner !== null) options.schedule = fromJson(inner as ScheduleJson);
  return make(options as never);
}
