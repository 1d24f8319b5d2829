/** Arithmetic of two operands, the choice by a condition, and comparisons. */
import { binaryKernel } from '../../../kernels/binary.ts';
import { reduceKernel } from '../../../kernels/reduce.ts';
import { unaryKernel } from '../../../kernels/unary.ts';
import { whereKernel } from '../../../kernels/where.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { add, div, maximum, minimum, mul, pow, sub, where } from '../../ops/binary.ts';
import { atan2, floorDiv, hypot, lerp, logAddExp, mod } from '../../ops/math.ts';
import { cdist, norm, pairwiseDistance } from '../../ops/norm.ts';
import type { TensorLike } from '../../ops/operand.ts';
import {
  awayFromZero,
  type CatalogEntry,
  differentiable,
  type GradCase,
  given,
  gradCase,
  type InputSpec,
  within,
  withoutGradient,
} from './types.ts';

type BinaryOp = (a: TensorLike, b: TensorLike) => Tensor;
type Points = (shape: readonly number[], seed: number) => InputSpec;

const anywhere: Points = (shape, seed) => within(-1.5, 1.5, shape, seed);
const positive: Points = (shape, seed) => within(0.4, 2, shape, seed);

/** The shapes in which broadcasting differs, and numbers on both sides. */
function casesOf(f: BinaryOp, left: Points, right: Points, number: number): GradCase[] {
  const pair = (name: string, a: readonly number[], b: readonly number[]): GradCase =>
    gradCase(name, (x, y) => f(x as Tensor, y as Tensor), left(a, 0), right(b, 1));
  return [
    pair('equal shapes', [2, 3], [2, 3]),
    pair('(2,3) and (3)', [2, 3], [3]),
    pair('(2,1,3) and (4,1)', [2, 1, 3], [4, 1]),
    pair('scalar and (2,2)', [], [2, 2]),
    pair('scalars', [], []),
    gradCase('tensor and number', (x) => f(x as Tensor, number), left([2, 3], 2)),
    gradCase('number and tensor', (x) => f(number, x as Tensor), right([2, 3], 3)),
    gradCase('twice the same tensor', (x) => f(x as Tensor, x as Tensor), positive([3], 4)),
  ];
}

/** Two tensors nowhere near each other: one in whole numbers and small fractions, the other about 1/2 beside them. */
const low: Points = (shape, seed) => {
  const { values } = within(0, 0.2, shape, seed);
  return given(
    values.map((value, index) => value + (index % 3) - 1),
    shape,
  );
};
const beside: Points = (shape, seed) => {
  const { values } = within(0.5, 0.7, shape, seed);
  return given(
    values.map((value, index) => value + ((index + 1) % 3) - 1),
    shape,
  );
};

/** Without the case of two equal operands, which is a kink. */
const extremumCases = (f: BinaryOp): GradCase[] =>
  casesOf(f, low, beside, 0.35).filter(({ name }) => name !== 'twice the same tensor');

const kernels = [binaryKernel, unaryKernel];

const condition = given([1, 0, 0, 1, 1, 0], [2, 3], 'bool');
const whereCases: GradCase[] = [
  gradCase(
    'equal shapes',
    (c, a, b) => where(c as Tensor, a as Tensor, b as Tensor),
    condition,
    within(-1, 1, [2, 3]),
    within(-1, 1, [2, 3], 1),
  ),
  gradCase(
    'all three broadcast',
    (c, a, b) => where(c as Tensor, a as Tensor, b as Tensor),
    given([1, 0], [2, 1], 'bool'),
    within(-1, 1, [3]),
    within(-1, 1, [2, 1, 1], 1),
  ),
  gradCase('tensor and number', (c, a) => where(c as Tensor, a as Tensor, 2), condition, within(-1, 1, [3])),
  gradCase('number and tensor', (c, b) => where(c as Tensor, 2, b as Tensor), condition, within(-1, 1, [])),
];

/** Quotients near a half: far from the whole numbers, where mod and floorDiv jump. */
const dividends: Points = (shape, seed) => {
  const { values } = within(0.4, 0.6, shape, seed);
  return given(
    values.map((value, index) => value + ((index + seed) % 5) - 2),
    shape,
  );
};
const nearOne: Points = (shape, seed) => within(0.98, 1.02, shape, seed);

/** Numbers 1.5 and 1 in the places of a and b. */
const quotientCases = (f: BinaryOp): GradCase[] => [
  ...casesOf(f, dividends, nearOne, 1).filter(({ name }) => !/twice|number and/.test(name)),
  gradCase('number and tensor', (x) => f(2.5, x as Tensor), nearOne([2, 3], 3)),
  gradCase('negative divisor', (x) => f(x as Tensor, -1), dividends([4], 1)),
];

const lerpCases: GradCase[] = [
  gradCase(
    'equal shapes',
    (a, b, t) => lerp(a as Tensor, b as Tensor, t as Tensor),
    within(-1, 1, [2, 3]),
    within(-1, 1, [2, 3], 1),
    within(0, 1, [2, 3], 2),
  ),
  gradCase(
    'all three broadcast',
    (a, b, t) => lerp(a as Tensor, b as Tensor, t as Tensor),
    within(-1, 1, [2, 1]),
    within(-1, 1, [3], 1),
    within(0, 1, [], 2),
  ),
  gradCase(
    't a number',
    (a, b) => lerp(a as Tensor, b as Tensor, 0.25),
    within(-1, 1, [2, 3]),
    within(-1, 1, [3], 1),
  ),
  gradCase('ends numbers', (t) => lerp(2, -1, t as Tensor), within(0, 1, [2, 2])),
];

const ORDERS = [0, 0.5, 1, 1.5, 2, 3, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

const normCases: GradCase[] = [
  ...ORDERS.map((p) =>
    gradCase(`p = ${p}, axis 1`, (x) => norm(x as Tensor, p, { axis: 1 }), awayFromZero([2, 3])),
  ),
  gradCase('all axes', (x) => norm(x as Tensor), awayFromZero([2, 3])),
  gradCase(
    'p = 3, axes kept',
    (x) => norm(x as Tensor, 3, { axis: [0, 2], keepDims: true }),
    awayFromZero([2, 2, 2]),
  ),
];

const distanceCases: GradCase[] = [1, 2, 3, Number.POSITIVE_INFINITY].map((p) =>
  gradCase(
    `p = ${p}`,
    (a, b) => pairwiseDistance(a as Tensor, b as Tensor, p),
    low([2, 3], 0),
    beside([3], 1),
  ),
);

const cdistCases: GradCase[] = [
  ...[1, 2, 3].map((p) =>
    gradCase(`p = ${p}`, (a, b) => cdist(a as Tensor, b as Tensor, p), low([2, 3], 0), beside([3, 3], 1)),
  ),
  gradCase('batches', (a, b) => cdist(a as Tensor, b as Tensor), low([2, 2, 3], 0), beside([2, 3], 1)),
];

const COMPARISONS = [
  'equal',
  'notEqual',
  'less',
  'lessEqual',
  'greater',
  'greaterEqual',
  'logicalAnd',
  'logicalOr',
  'logicalXor',
  'logicalNot',
];

export const binaryEntries: readonly CatalogEntry[] = [
  differentiable('add', 'binary', kernels, casesOf(add, anywhere, anywhere, 0.75)),
  differentiable('sub', 'binary', kernels, casesOf(sub, anywhere, anywhere, 0.75)),
  differentiable('mul', 'binary', kernels, casesOf(mul, anywhere, anywhere, -1.25)),
  differentiable('div', 'binary', kernels, casesOf(div, anywhere, awayFromZero, 1.5)),
  differentiable('pow', 'binary', kernels, [
    ...casesOf(pow, positive, anywhere, 1.5),
    gradCase('square of both signs', (x) => pow(x as Tensor, 2), awayFromZero([4])),
    gradCase('power −1', (x) => pow(x as Tensor, -1), awayFromZero([4])),
    gradCase('power 1', (x) => pow(x as Tensor, 1), awayFromZero([4])),
    gradCase('power 0', (x) => pow(x as Tensor, 0), awayFromZero([4])),
  ]),
  differentiable('maximum', 'binary', kernels, extremumCases(maximum)),
  differentiable('minimum', 'binary', kernels, extremumCases(minimum)),
  differentiable('where', 'binary', [whereKernel], whereCases),
  ...COMPARISONS.map((op) => withoutGradient(op, 'comparison', [binaryKernel], 'the result is bool')),
  differentiable('mod', 'binary', [binaryKernel], quotientCases(mod)),
  differentiable('floorDiv', 'binary', [binaryKernel], quotientCases(floorDiv)),
  differentiable('atan2', 'binary', [binaryKernel], casesOf(atan2, awayFromZero, awayFromZero, 0.8)),
  differentiable('hypot', 'binary', [binaryKernel], casesOf(hypot, awayFromZero, awayFromZero, 0.8)),
  differentiable(
    'logAddExp',
    'binary',
    [binaryKernel],
    [
      ...casesOf(logAddExp, anywhere, anywhere, 0.75),
      gradCase('far below', (x) => logAddExp(x as Tensor, -1e4), within(-1, 1, [3])),
      gradCase('far above', (x) => logAddExp(1e4, x as Tensor), within(-1, 1, [3])),
    ],
  ),
  differentiable('lerp', 'binary', kernels, lerpCases),
  differentiable('norm', 'reduction', [reduceKernel], normCases),
  differentiable('pairwiseDistance', 'reduction', [reduceKernel], distanceCases),
  differentiable('cdist', 'reduction', [reduceKernel], cdistCases),
  ...['bitwiseAnd', 'bitwiseOr', 'bitwiseXor', 'bitwiseNot', 'leftShift', 'rightShift'].map((op) =>
    withoutGradient(op, 'binary', [binaryKernel], 'the result is int32 or bool'),
  ),
];
