/** Elementwise functions of one tensor, each on points inside its domain and away from its kinks. */
import { unaryKernel } from '../../../kernels/unary.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import type { Shape } from '../../core/shape.ts';
import * as ops from '../../ops/unary.ts';
import {
  awayFromZero,
  type CatalogEntry,
  differentiable,
  given,
  gradCase,
  type InputSpec,
  within,
  withoutGradient,
} from './types.ts';

type Points = (shape: Shape) => InputSpec;

const between =
  (low: number, high: number): Points =>
  (shape) =>
    within(low, high, shape);

const anywhere = between(-1.5, 1.5);
const positive = between(0.3, 3);
const insideOne = between(-0.8, 0.8);
const pointsAwayFromZero: Points = (shape) => awayFromZero(shape);

/** Neither near a whole number nor near a half. */
const betweenSteps: Points = (shape) => {
  const { values } = within(0.1, 0.4, shape);
  return given(
    values.map((value, index) => value + (index % 4) - 2),
    shape,
  );
};

const row = (op: string, f: (x: Tensor) => Tensor, points: Points): CatalogEntry =>
  differentiable(
    op,
    'unary',
    [unaryKernel],
    [
      gradCase('matrix', (x) => f(x as Tensor), points([2, 3])),
      gradCase('scalar', (x) => f(x as Tensor), points([])),
    ],
  );

const POINTS: Record<string, Points> = {
  neg: anywhere,
  abs: pointsAwayFromZero,
  sign: pointsAwayFromZero,
  exp: anywhere,
  log: positive,
  log1p: between(-0.6, 2),
  expm1: anywhere,
  exp2: anywhere,
  log2: positive,
  log10: positive,
  cbrt: pointsAwayFromZero,
  sqrt: positive,
  rsqrt: positive,
  square: anywhere,
  reciprocal: pointsAwayFromZero,
  sin: anywhere,
  cos: anywhere,
  tan: between(-1.1, 1.1),
  asin: insideOne,
  acos: insideOne,
  atan: anywhere,
  sinh: anywhere,
  cosh: anywhere,
  asinh: anywhere,
  acosh: between(1.3, 3),
  atanh: insideOne,
  erf: anywhere,
  sigmoid: anywhere,
  tanh: anywhere,
  softplus: anywhere,
  logSigmoid: anywhere,
  step: pointsAwayFromZero,
  floor: betweenSteps,
  ceil: betweenSteps,
  round: betweenSteps,
  trunc: betweenSteps,
};

const byName = ops as unknown as Record<string, (x: Tensor) => Tensor>;

export const unaryEntries: readonly CatalogEntry[] = [
  ...Object.entries(POINTS).map(([op, points]) => row(op, byName[op] as (x: Tensor) => Tensor, points)),
  differentiable(
    'clip',
    'unary',
    [unaryKernel],
    [
      gradCase(
        'inside and outside',
        (x) => ops.clip(x as Tensor, -0.5, 0.75),
        given([-1.2, -0.3, 0.1, 0.6, 0.9, 2], [2, 3]),
      ),
      gradCase('scalar', (x) => ops.clip(x as Tensor, 0, 1), given([0.4], [])),
    ],
  ),
  differentiable(
    'nanToNum',
    'unary',
    [unaryKernel],
    [
      gradCase('finite', (x) => ops.nanToNum(x as Tensor), within(-2, 2, [2, 3])),
      gradCase('own values', (x) => ops.nanToNum(x as Tensor, { nan: 1, posInf: 2 }), within(-2, 2, [])),
    ],
  ),
  ...['isNaN', 'isFinite', 'isInf'].map((op) =>
    withoutGradient(op, 'unary', [unaryKernel], 'the result is bool'),
  ),
];
