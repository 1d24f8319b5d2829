/** What every optimizer takes, and the checks of it. */
import type { ClipKind } from '../../kernels/optimizer.ts';
import { checkFlags, checkNumbers } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Schedule } from './schedules.ts';

export type LearningRate = number | Schedule | ((step: number) => number);

export interface OptimizerOptions {
  /** A number, or a function of the number of steps done: one of `schedules`, or your own, which is not saved. */
  learningRate?: LearningRate;
  /** Weights shrink by weightDecay · learningRate before each step, apart from their gradients. Default: none. */
  weightDecay?: number | undefined;
  /** Names that are not to decay: a part of a parameter's name, or a pattern. */
  excludeFromWeightDecay?: readonly (string | RegExp)[] | undefined;
  /** A factor on the learning rate for each parameter, by its name. Default: 1. */
  learningRateFactor?: ((name: string) => number) | undefined;
  /** The largest norm of each parameter's gradient. Only one of the three ways to clip. Default: none. */
  clipNorm?: number | undefined;
  /** The largest norm of all gradients together. Default: none. */
  globalClipNorm?: number | undefined;
  /** The largest magnitude of a gradient's element. Default: none. */
  clipValue?: number | undefined;
  /** Keep moving averages of the weights. Default: false. */
  useEma?: boolean;
  /** Default: 0.99. */
  emaMomentum?: number;
  /** Put the averages in place of the weights every so many steps. Default: only in `finalize()`. */
  emaOverwriteFrequency?: number | undefined;
  /** Steps whose gradients are averaged for one update. Default: 1. */
  gradientAccumulationSteps?: number | undefined;
}

/** The options that every optimizer takes. */
export const COMMON_OPTIONS = [
  'learningRate',
  'weightDecay',
  'excludeFromWeightDecay',
  'learningRateFactor',
  'clipNorm',
  'globalClipNorm',
  'clipValue',
  'useEma',
  'emaMomentum',
  'emaOverwriteFrequency',
  'gradientAccumulationSteps',
] as const satisfies readonly (keyof OptimizerOptions)[];

/** How to clip, and where. */
export interface Clip {
  readonly kind: ClipKind;
  readonly bound: number;
}

function clipOf(op: string, { clipNorm, globalClipNorm, clipValue }: OptimizerOptions): Clip {
  const given = Object.entries({ clipNorm, globalClipNorm, clipValue }).filter(
    ([, value]) => value !== undefined,
  );
  checkNumbers(op, Object.fromEntries(given), { above: 0 });
  if (given.length > 1) {
    throw new ArgumentError(
      `${op}: ${given.map(([name]) => name).join(' and ')} are given; choose one of them.`,
    );
  }
  if (clipNorm !== undefined) return { kind: 'norm', bound: clipNorm };
  if (globalClipNorm !== undefined) return { kind: 'global', bound: globalClipNorm };
  return clipValue === undefined ? { kind: 'none', bound: 0 } : { kind: 'value', bound: clipValue };
}

/** Checks all but the learning rate, and tells how to clip. */
export function checkCommon(op: string, options: OptimizerOptions): Clip {
  const { weightDecay, emaMomentum, emaOverwriteFrequency, gradientAccumulationSteps, useEma } = options;
  checkNumbers(op, { weightDecay }, { atLeast: 0 });
  checkNumbers(op, { emaMomentum }, { atLeast: 0, below: 1 });
  checkNumbers(op, { emaOverwriteFrequency, gradientAccumulationSteps }, { atLeast: 1, whole: true });
  checkFlags(op, { useEma });
  const { excludeFromWeightDecay: excluded, learningRateFactor } = options;
  if (
    excluded !== undefined &&
    !(Array.isArray(excluded) && excluded.every((part) => typeof part === 'string' || part instanceof RegExp))
  ) {
    throw new ArgumentError(
      `${op}: excludeFromWeightDecay is ${describe(excluded)}; pass a list of texts or patterns, such as ['bias'].`,
    );
  }
  if (learningRateFactor !== undefined && typeof learningRateFactor !== 'function') {
    throw new ArgumentError(
      `${op}: learningRateFactor is ${describe(learningRateFactor)}; pass a function of a parameter's name.`,
    );
  }
  return clipOf(op, options);
}
