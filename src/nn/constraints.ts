/**
 * Constraints: what a weight becomes after each step of an optimizer, with Keras 3's names, formulas and defaults. They are
 * exported as a namespace: `constraints.maxNorm({ maxValue: 3 })`.
 *
 * Those on norms take the axes along which a norm is taken: 0 for the inputs of a dense kernel `(in, out)`, [0, 1, 2] for
 * those of a filter `(height, width, in, out)`.
 */
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkNumber, checkNumbers } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { normalizeAxes } from '../core/shape.ts';
import { add, div, maximum, mul } from '../ops/binary.ts';
import { norm2 } from '../ops/norm.ts';
import { checkFloats } from '../ops/operand.ts';
import { checkOptions } from '../ops/options.ts';
import type { Axes } from '../ops/reduce.ts';
import { clip } from '../ops/unary.ts';
import { checkNoOptions, configured, getConfigured } from './configurable.ts';

/** A constraint as JSON: its name and its options. */
export interface ConstraintJson {
  readonly constraint: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a weight becomes after each step of an optimizer: a tensor of the same shape. */
export interface Constraint {
  (value: Tensor): Tensor;
  toJSON?(): ConstraintJson;
}

/** A constraint under its name, which refuses what is no tensor of floats and leaves no tensor but its result. */
function constraintOf(
  name: string,
  options: Readonly<Record<string, unknown>>,
  project: (value: Tensor) => Tensor,
): Constraint {
  const call: Constraint = (value) => {
    checkFloats(name, value);
    return scope(() => project(value));
  };
  return configured(call, 'constraint', name, options);
}

/** Keeps norms of 0 from dividing; Keras' epsilon. */
const EPSILON = 1e-7;

function checkAxis(op: string, axis: unknown): void {
  const list: readonly unknown[] = Array.isArray(axis) ? axis : [axis];
  if (list.length > 0 && list.every(Number.isInteger)) return;
  throw new ArgumentError(
    `${op}: axis is ${describe(axis)}; pass a whole number or a list of some, such as [0, 1].`,
  );
}

/** w · wanted(norm) / (norm + ε) for each norm along some axes. */
function withNorms(op: string, value: Tensor, axis: Axes, wanted: (norms: Tensor) => Tensor): Tensor {
  const norms = norm2(value, { axis: normalizeAxes(op, axis, value.rank), keepDims: true });
  return mul(value, div(wanted(norms), add(norms, EPSILON)));
}

/**
 * w where w ≥ 0, else 0.
 */
export function nonNeg(options: Readonly<Record<string, never>> = {}): Constraint {
  checkNoOptions('nonNeg', options);
  return constraintOf('nonNeg', {}, (value) => maximum(value, 0));
}

export interface MaxNormOptions {
  /** The largest norm, ≥ 0. Default: 2. */
  maxValue?: number;
  /** The axes of one norm. Default: 0. */
  axis?: Axes;
}

/**
 * w · min(‖w‖, maxValue) / (‖w‖ + 1e-7), with the Euclidean norms along `axis`. Srivastava et al., "Dropout" (2014).
 *
 * @throws ArgumentError unless maxValue is a finite number ≥ 0 and axis whole numbers; when called, ShapeError for an axis
 *   that the weight does not have.
 */
export function maxNorm(options: MaxNormOptions = {}): Constraint {
  const op = 'maxNorm';
  checkOptions(op, options, ['maxValue', 'axis'], '');
  const { maxValue = 2, axis = 0 } = options;
  checkNumber(op, 'maxValue', maxValue, { atLeast: 0 });
  checkAxis(op, axis);
  return constraintOf(op, { maxValue, axis }, (value) =>
    withNorms(op, value, axis, (norms) => clip(norms, 0, maxValue)),
  );
}

export interface UnitNormOptions {
  /** The axes of one norm. Default: 0. */
  axis?: Axes;
}

/**
 * w / (‖w‖ + 1e-7), with the Euclidean norms along `axis`.
 *
 * @throws ArgumentError unless axis is whole numbers; when called, ShapeError for an axis that the weight does not have.
 */
export function unitNorm(options: UnitNormOptions = {}): Constraint {
  const op = 'unitNorm';
  checkOptions(op, options, ['axis'], '');
  const { axis = 0 } = options;
  checkAxis(op, axis);
  return constraintOf(op, { axis }, (value) => {
    const norms = norm2(value, { axis: normalizeAxes(op, axis, value.rank), keepDims: true });
    return div(value, add(norms, EPSILON));
  });
}

export interface MinMaxNormOptions {
  /** The smallest norm, ≥ 0. Default: 0. */
  minValue?: number;
  /** The largest norm, ≥ minValue. Default: 1. */
  maxValue?: number;
  /** How much of the way to the bounds each step goes, from 0 to 1. Default: 1, all of it. */
  rate?: number;
  /** The axes of one norm. Default: 0. */
  axis?: Axes;
}

/**
 * w · (rate · clip(‖w‖, minValue, maxValue) + (1 − rate) · ‖w‖) / (‖w‖ + 1e-7), with the Euclidean norms along `axis`.
 *
 * @throws ArgumentError unless 0 ≤ minValue ≤ maxValue, 0 ≤ rate ≤ 1 and axis whole numbers; when called, ShapeError for an
 *   axis that the weight does not have.
 */
export function minMaxNorm(options: MinMaxNormOptions = {}): Constraint {
  const op = 'minMaxNorm';
  checkOptions(op, options, ['minValue', 'maxValue', 'rate', 'axis'], '');
  const { minValue = 0, maxValue = 1, rate = 1, axis = 0 } = options;
  checkNumbers(op, { minValue, maxValue }, { atLeast: 0 });
  if (minValue > maxValue)
    throw new ArgumentError(`${op}: minValue ${minValue} is above maxValue ${maxValue}; swap them.`);
  checkNumber(op, 'rate', rate, { atLeast: 0, atMost: 1 });
  checkAxis(op, axis);
  return constraintOf(op, { minValue, maxValue, rate, axis }, (value) =>
    withNorms(op, value, axis, (norms) =>
      add(mul(clip(norms, minValue, maxValue), rate), mul(norms, 1 - rate)),
    ),
  );
}

const MAKERS = { nonNeg, maxNorm, unitNorm, minMaxNorm } as const;

/** The name of a constraint. */
export type ConstraintName = keyof typeof MAKERS;

/** What layers take for a constraint. */
export type ConstraintLike = ConstraintName | Constraint | ConstraintJson;

/**
 * The constraint that a name stands for, with its defaults, or what `JSON.stringify` wrote, parsed. A function is returned as
 * it is.
 *
 * @throws ArgumentError, which lists the names.
 */
export const get = (identifier: ConstraintLike): Constraint =>
  getConfigured<Constraint>('constraint', MAKERS, identifier);
