/**
 * Regularizers: penalties on weights that join the loss, with Keras 3's names, formulas and defaults. They are exported as a
 * namespace: `regularizers.l2(1e-4)`.
 */
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkNumber, checkNumbers } from '../core/check.ts';
import { ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { add, maximum, mul } from '../ops/binary.ts';
import { triu } from '../ops/diagonal.ts';
import { matmul } from '../ops/matmul.ts';
import { norm1 } from '../ops/norm.ts';
import { checkFloats } from '../ops/operand.ts';
import { checkOptions } from '../ops/options.ts';
import { sumSquares } from '../ops/reduce.ts';
import { rsqrt } from '../ops/unary.ts';
import { checkChoice, configured, getConfigured, optionsOf } from './configurable.ts';

/** A regularizer as JSON: its name and its options. */
export interface RegularizerJson {
  readonly regularizer: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The penalty of a weight: a scalar through which gradients flow. */
export interface Regularizer {
  (weights: Tensor): Tensor;
  toJSON?(): RegularizerJson;
}

/** A regularizer under its name, which refuses what is no tensor of floats and leaves no tensor but its result. */
function regularizerOf(
  name: string,
  options: Readonly<Record<string, unknown>>,
  penalty: (weights: Tensor) => Tensor,
): Regularizer {
  const call: Regularizer = (weights) => {
    checkFloats(name, weights);
    return scope(() => penalty(weights));
  };
  return configured(call, 'regularizer', name, options);
}

/** factor · Σ |w|, whose gradient at 0 is 0. */
const absolute = (weights: Tensor, factor: number): Tensor => mul(norm1(weights), factor);

/** factor · Σ w² */
const squared = (weights: Tensor, factor: number): Tensor => mul(sumSquares(weights), factor);

export interface L1Options {
  /** ≥ 0. Default: 0.01. */
  l1?: number;
}

/**
 * l1 · Σ |w|, which drives weights to 0: `l1(0.001)` or `l1({ l1: 0.001 })`. Its gradient at 0 is 0. Tibshirani, "Regression
 * Shrinkage and Selection via the Lasso" (1996).
 *
 * @throws ArgumentError unless l1 is a finite number ≥ 0.
 */
export function l1(options: number | L1Options = {}): Regularizer {
  const given = optionsOf(options, 'l1');
  checkOptions('l1', given, ['l1'], '');
  const { l1: factor = 0.01 } = given;
  checkNumber('l1', 'l1', factor, { atLeast: 0 });
  return regularizerOf('l1', { l1: factor }, (weights) => absolute(weights, factor));
}

export interface L2Options {
  /** ≥ 0. Default: 0.01. */
  l2?: number;
}

/**
 * l2 · Σ w², without a factor ½, which keeps weights small: `l2(0.001)` or `l2({ l2: 0.001 })`. Krogh and Hertz, "A Simple
 * Weight Decay Can Improve Generalization" (1991).
 *
 * @throws ArgumentError unless l2 is a finite number ≥ 0.
 */
export function l2(options: number | L2Options = {}): Regularizer {
  const given = optionsOf(options, 'l2');
  checkOptions('l2', given, ['l2'], '');
  const { l2: factor = 0.01 } = given;
  checkNumber('l2', 'l2', factor, { atLeast: 0 });
  return regularizerOf('l2', { l2: factor }, (weights) => squared(weights, factor));
}

export interface L1L2Options {
  /** ≥ 0. Default: 0. */
  l1?: number;
  /** ≥ 0. Default: 0. */
  l2?: number;
}

/**
 * l1 · Σ |w| + l2 · Σ w². Without any options both are 0.01, as Keras documents it for the name alone. Zou and Hastie,
 * "Regularization and Variable Selection via the Elastic Net" (2005).
 *
 * @throws ArgumentError unless both are finite numbers ≥ 0.
 */
export function l1l2(options: L1L2Options = { l1: 0.01, l2: 0.01 }): Regularizer {
  checkOptions('l1l2', options, ['l1', 'l2'], '');
  const { l1: first = 0, l2: second = 0 } = options;
  checkNumbers('l1l2', { l1: first, l2: second }, { atLeast: 0 });
  return regularizerOf('l1l2', { l1: first, l2: second }, (weights) => {
    if (first === 0) return squared(weights, second);
    if (second === 0) return absolute(weights, first);
    return add(absolute(weights, first), squared(weights, second));
  });
}

/** Which vectors of a matrix shall be orthogonal. */
export type OrthogonalMode = 'rows' | 'columns';

export interface OrthogonalRegularizerOptions {
  /** ≥ 0. Default: 0.01. */
  factor?: number;
  /** Default: 'rows'. */
  mode?: OrthogonalMode;
}

/** A vector shorter than this is not lengthened to 1, so that one of zeros stays so. */
const SHORTEST = 1e-7;

/**
 * factor times the mean, over all pairs of rows (or columns) of a matrix, of |cos| of the angle between them. It is 0 where
 * there is no pair, and its gradient counts a right angle as 0.
 *
 * @throws ArgumentError unless factor is a finite number ≥ 0, and for a mode that does not exist; when called, ShapeError
 *   unless the weights are a matrix.
 */
export function orthogonalRegularizer(options: OrthogonalRegularizerOptions = {}): Regularizer {
  const op = 'orthogonalRegularizer';
  checkOptions(op, options, ['factor', 'mode'], '');
  const { factor = 0.01, mode = 'rows' } = options;
  checkNumber(op, 'factor', factor, { atLeast: 0 });
  checkChoice(op, 'mode', mode, ['rows', 'columns'] satisfies OrthogonalMode[]);
  const byRows = mode === 'rows';
  return regularizerOf(op, { factor, mode }, (weights) => {
    const { shape } = weights;
    if (shape.length !== 2) {
      throw new ShapeError(
        `${op}: weights of shape ${formatShape(shape)} are no matrix; choose another regularizer here.`,
      );
    }
    const squares = sumSquares(weights, { axis: byRows ? 1 : 0, keepDims: true });
    const units = mul(weights, rsqrt(maximum(squares, SHORTEST ** 2)));
    const cosines = matmul(units, units, byRows ? { transposeB: true } : { transposeA: true });
    const count = shape[byRows ? 0 : 1] as number;
    const pairs = (count * (count - 1)) / 2;
    return absolute(triu(cosines, 1), factor / Math.max(1, pairs));
  });
}

const MAKERS = { l1, l2, l1l2, orthogonalRegularizer } as const;

/** The name of a regularizer. */
export type RegularizerName = keyof typeof MAKERS;

/** What layers take for a regularizer. */
export type RegularizerLike = RegularizerName | Regularizer | RegularizerJson;

/**
 * The regularizer that a name stands for, with its defaults, or what `JSON.stringify` wrote, parsed. A function is returned
 * as it is.
 *
 * @throws ArgumentError, which lists the names.
 */
export const get = (identifier: RegularizerLike): Regularizer =>
  getConfigured<Regularizer>('regularizer', MAKERS, identifier);
