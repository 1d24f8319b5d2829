/** Schedules that fall: the decays of Keras 3, each a pure function of the step. */

import { checkFlags, checkNumber, checkNumbers } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';
import { cosine, type Schedule, scheduleOf } from './schedule.ts';

export interface DecayOptions {
  initialLearningRate: number;
  /** Steps for one decay. */
  decaySteps: number;
  decayRate: number;
  /** Decay once every `decaySteps` rather than a little each step. Default: false. */
  staircase?: boolean;
}

function checkDecay(op: string, options: DecayOptions): void {
  checkOptions(op, options, ['initialLearningRate', 'decaySteps', 'decayRate', 'staircase'], '');
  const { initialLearningRate, decaySteps, decayRate, staircase } = options;
  checkNumber(op, 'initialLearningRate', initialLearningRate, { atLeast: 0 });
  checkNumber(op, 'decaySteps', decaySteps, { above: 0 });
  checkNumber(op, 'decayRate', decayRate, { atLeast: 0 });
  checkFlags(op, { staircase });
}

/** initial · decayRate^(step / decaySteps) */
export function exponentialDecay(options: DecayOptions): Schedule {
  checkDecay('exponentialDecay', options);
  const { initialLearningRate, decaySteps, decayRate, staircase = false } = options;
  return scheduleOf('exponentialDecay', options, (step) => {
    const decays = step / decaySteps;
    return initialLearningRate * decayRate ** (staircase ? Math.floor(decays) : decays);
  });
}

/** initial / (1 + decayRate · step / decaySteps) */
export function inverseTimeDecay(options: DecayOptions): Schedule {
  checkDecay('inverseTimeDecay', options);
  const { initialLearningRate, decaySteps, decayRate, staircase = false } = options;
  return scheduleOf('inverseTimeDecay', options, (step) => {
    const decays = step / decaySteps;
    return initialLearningRate / (1 + decayRate * (staircase ? Math.floor(decays) : decays));
  });
}

export interface PolynomialDecayOptions {
  initialLearningRate: number;
  decaySteps: number;
  /** Default: 1e-4. */
  endLearningRate?: number;
  /** Default: 1, a straight line. */
  power?: number;
  /** Start again beyond `decaySteps`, each time from lower down, rather than stay at the end. Default: false. */
  cycle?: boolean;
}

/** (initial − end) · (1 − step / decaySteps)^power + end; in a cycle decaySteps grows to the next multiple. */
export function polynomialDecay(options: PolynomialDecayOptions): Schedule {
  const op = 'polynomialDecay';
  checkOptions(op, options, ['initialLearningRate', 'decaySteps', 'endLearningRate', 'power', 'cycle'], '');
  const { initialLearningRate, decaySteps, endLearningRate = 1e-4, power = 1, cycle = false } = options;
  checkNumbers(op, { initialLearningRate, endLearningRate }, { atLeast: 0 });
  checkNumbers(op, { decaySteps, power }, { above: 0 });
  checkFlags(op, { cycle });
  return scheduleOf(op, options, (step) => {
    const span = cycle ? decaySteps * Math.max(1, Math.ceil(step / decaySteps)) : decaySteps;
    const rest = 1 - Math.min(step, span) / span;
    return (initialLearningRate - endLearningRate) * rest ** power + endLearningRate;
  });
}

export interface PiecewiseConstantDecayOptions {
  /** Ascending steps. */
  boundaries: readonly number[];
  /** One more than boundaries: `values[i]` counts up to and including step `boundaries[i]`. */
  values: readonly number[];
}

export function piecewiseConstantDecay(options: PiecewiseConstantDecayOptions): Schedule {
  const op = 'piecewiseConstantDecay';
  checkOptions(op, options, ['boundaries', 'values'], '');
  const { boundaries, values } = options;
  if (!Array.isArray(boundaries) || !Array.isArray(values) || values.length !== boundaries.length + 1) {
    throw new ArgumentError(
      `${op}: boundaries ${describe(boundaries)} and values ${describe(values)}; pass two lists, with one value more ` +
        `than boundaries.`,
    );
  }
  boundaries.forEach((boundary, index) => {
    const before = index === 0 ? { atLeast: 0 } : { above: boundaries[index - 1] as number };
    checkNumber(op, `boundaries[${index}]`, boundary, before);
  });
  for (const value of values) checkNumber(op, 'one of the values', value, { atLeast: 0 });
  return scheduleOf(op, options, (step) => {
    const index = boundaries.findIndex((boundary) => step <= boundary);
    return values[index < 0 ? boundaries.length : index] as number;
  });
}

export interface CosineDecayOptions {
  initialLearningRate: number;
  /** Steps of the decay, the warm-up not among them. */
  decaySteps: number;
  /** Where the decay ends, as a share of where it starts. Default: 0. */
  alpha?: number;
  /** Where a warm-up leads, from `initialLearningRate`, and the decay starts. Default: no warm-up. */
  warmupTarget?: number | null | undefined;
  /** Default: 0. */
  warmupSteps?: number;
}

/**
 * start · ((1 − alpha) · ½ (1 + cos(π step / decaySteps)) + alpha), after a straight warm-up.
 *
 * Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017); the warm-up is Goyal et al.'s
 * (2017).
 */
export function cosineDecay(options: CosineDecayOptions): Schedule {
  const op = 'cosineDecay';
  checkOptions(
    op,
    options,
    ['initialLearningRate', 'decaySteps', 'alpha', 'warmupTarget', 'warmupSteps'],
    '',
  );
  const { initialLearningRate, decaySteps, alpha = 0, warmupTarget = null, warmupSteps = 0 } = options;
  checkNumbers(op, { initialLearningRate, alpha, warmupSteps }, { atLeast: 0 });
  checkNumber(op, 'decaySteps', decaySteps, { above: 0 });
  if (warmupTarget !== null) checkNumber(op, 'warmupTarget', warmupTarget, { atLeast: 0 });
  const decay = (start: number, step: number): number =>
    start * ((1 - alpha) * cosine(Math.min(step, decaySteps) / decaySteps) + alpha);
  return scheduleOf(op, options, (step) => {
    if (warmupTarget === null) return decay(initialLearningRate, step);
    if (step >= warmupSteps) return decay(warmupTarget, step - warmupSteps);
    return initialLearningRate + (warmupTarget - initialLearningRate) * (step / warmupSteps);
  });
}

export interface CosineDecayRestartsOptions {
  initialLearningRate: number;
  /** Steps of the first decay. */
  firstDecaySteps: number;
  /** How much longer each decay is than the one before; ≥ 1. Default: 2. */
  tMul?: number;
  /** How much higher each decay starts than the one before. Default: 1. */
  mMul?: number;
  /** Where a decay ends, as a share of the initial rate. Default: 0. */
  alpha?: number;
}

/** Cosine decays one after another: initial · ((1 − alpha) · mMul^i · ½ (1 + cos(π · share of the i-th decay)) + alpha). */
export function cosineDecayRestarts(options: CosineDecayRestartsOptions): Schedule {
  const op = 'cosineDecayRestarts';
  checkOptions(op, options, ['initialLearningRate', 'firstDecaySteps', 'tMul', 'mMul', 'alpha'], '');
  const { initialLearningRate, firstDecaySteps, tMul = 2, mMul = 1, alpha = 0 } = options;
  checkNumbers(op, { initialLearningRate, alpha }, { atLeast: 0 });
  checkNumbers(op, { firstDecaySteps, mMul }, { above: 0 });
  checkNumber(op, 'tMul', tMul, { atLeast: 1 });
  return scheduleOf(op, options, (step) => {
    let restart = 0;
    let done = 0;
    let length = firstDecaySteps;
    if (tMul === 1) {
      restart = Math.floor(step / firstDecaySteps);
      done = restart * firstDecaySteps;
    } else {
      for (; step >= done + length; restart++) {
        done += length;
        length *= tMul;
      }
    }
    const height = mMul ** restart * cosine((step - done) / length);
    return initialLearningRate * ((1 - alpha) * height + alpha);
  });
}
