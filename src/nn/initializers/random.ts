/** Initializers that draw from a distribution which does not depend on the shape. */
import { checkNumber, checkNumbers } from '../../core/check.ts';
import { ArgumentError } from '../../core/errors.ts';
import { checkOptions } from '../../ops/options.ts';
import {
  randomNormal as drawNormal,
  truncatedNormal as drawTruncated,
  randomUniform as drawUniform,
} from '../../ops/random.ts';
import { checkSeed, type Initializer, initializerOf, type SeedOptions } from './initializer.ts';

export interface RandomUniformOptions extends SeedOptions {
  /** Default: −0.05. */
  minval?: number;
  /** Default: 0.05. */
  maxval?: number;
}

/**
 * Uniform in [minval, maxval).
 *
 * @throws ArgumentError unless both are finite numbers in this order.
 */
export function randomUniform(options: RandomUniformOptions = {}): Initializer {
  const op = 'randomUniform';
  checkOptions(op, options, ['minval', 'maxval', 'seed'], '');
  const { minval = -0.05, maxval = 0.05, seed } = options;
  checkNumbers(op, { minval, maxval }, {});
  if (minval > maxval)
    throw new ArgumentError(`${op}: minval ${minval} is above maxval ${maxval}; swap them.`);
  checkSeed(op, options);
  return initializerOf(op, { minval, maxval, seed }, (shape, target) =>
    drawUniform(shape, minval, maxval, target),
  );
}

export interface NormalOptions extends SeedOptions {
  /** Default: 0. */
  mean?: number;
  /** The standard deviation, ≥ 0 (before it is cut off). Default: 0.05. */
  stddev?: number;
}

function normal(op: string, options: NormalOptions, draw: typeof drawNormal): Initializer {
  checkOptions(op, options, ['mean', 'stddev', 'seed'], '');
  const { mean = 0, stddev = 0.05, seed } = options;
  checkNumber(op, 'mean', mean);
  checkNumber(op, 'stddev', stddev, { atLeast: 0 });
  checkSeed(op, options);
  return initializerOf(op, { mean, stddev, seed }, (shape, target) => draw(shape, mean, stddev, target));
}

/**
 * Normal.
 *
 * @throws ArgumentError unless mean and stddev are finite numbers and stddev ≥ 0.
 */
export const randomNormal = (options: NormalOptions = {}): Initializer =>
  normal('randomNormal', options, drawNormal);

/**
 * Normal, cut off at two standard deviations from the mean, as if all numbers beyond were drawn again. What is left deviates
 * by 0.8796 stddev.
 *
 * @throws ArgumentError unless mean and stddev are finite numbers and stddev ≥ 0.
 */
export const truncatedNormal = (options: NormalOptions = {}): Initializer =>
  normal('truncatedNormal', options, drawTruncated);
