/** Reductions, and softmax with its relatives. */
import { argReduceKernel } from '../../../kernels/arg-reduce.ts';
import { reduceKernel } from '../../../kernels/reduce.ts';
import { softmaxKernel } from '../../../kernels/softmax.ts';
import { softmaxGradientKernel } from '../../../kernels/softmax-gradient.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { norm1, norm2 } from '../../ops/norm.ts';
import { max, mean, min, type ReduceOptions, std, sum, sumSquares, variance } from '../../ops/reduce.ts';
import { logSoftmax, logSumExp, softmax } from '../../ops/softmax.ts';
import {
  awayFromZero,
  type CatalogEntry,
  differentiable,
  type GradCase,
  gradCase,
  within,
  withoutGradient,
} from './types.ts';

type Reduction = (x: Tensor, options?: ReduceOptions) => Tensor;

/** All axes, one from either end, several, kept axes, and a vector. Values are distinct and away from 0. */
const casesOf = (f: Reduction): GradCase[] => {
  const x = awayFromZero([2, 3, 2]);
  const of = (name: string, options?: ReduceOptions): GradCase =>
    gradCase(name, (t) => f(t as Tensor, options), x);
  return [
    of('all axes'),
    of('axis 0', { axis: 0 }),
    of('axis −1, kept', { axis: -1, keepDims: true }),
    of('axis 1', { axis: 1 }),
    of('axes 0 and 2', { axis: [0, 2] }),
    of('axes 0 and 2, kept', { axis: [0, 2], keepDims: true }),
    of('all axes, kept', { keepDims: true }),
    gradCase('vector', (t) => f(t as Tensor), awayFromZero([5], 1)),
  ];
};

const row = (op: string, f: Reduction, more: readonly GradCase[] = []): CatalogEntry =>
  differentiable(op, 'reduction', [reduceKernel], [...casesOf(f), ...more]);

const scalar = (f: Reduction): GradCase => gradCase('scalar', (x) => f(x as Tensor), awayFromZero([]));

const softmaxKernels = [softmaxKernel, softmaxGradientKernel];

const softmaxCases = (f: (x: Tensor, axis?: number) => Tensor): GradCase[] => [
  gradCase('last axis', (x) => f(x as Tensor), within(-2, 2, [2, 3])),
  gradCase('axis 0', (x) => f(x as Tensor, 0), within(-2, 2, [3, 2], 1)),
  gradCase('axis 1 of three', (x) => f(x as Tensor, 1), within(-2, 2, [2, 3, 2], 2)),
  gradCase('one element', (x) => f(x as Tensor), within(-2, 2, [2, 1], 3)),
];

const logits = within(-2, 2, [2, 3, 2]);

export const reduceEntries: readonly CatalogEntry[] = [
  row('sum', sum, [scalar(sum)]),
  row('mean', mean, [scalar(mean)]),
  row('sumSquares', sumSquares, [scalar(sumSquares)]),
  row('max', max, [scalar(max)]),
  row('min', min, [scalar(min)]),
  row('variance', variance, [
    gradCase('Bessel', (x) => variance(x as Tensor, { axis: 1, correction: 1 }), awayFromZero([2, 4])),
  ]),
  row('std', std, [
    gradCase('Bessel', (x) => std(x as Tensor, { axis: 1, correction: 1 }), awayFromZero([2, 4])),
  ]),
  row('norm1', norm1, [scalar(norm1)]),
  row('norm2', norm2, [scalar(norm2)]),
  ...['all', 'any'].map((op) => withoutGradient(op, 'reduction', [reduceKernel], 'the result is bool')),
  ...['argMax', 'argMin'].map((op) =>
    withoutGradient(op, 'reduction', [argReduceKernel], 'the result is int32'),
  ),
  differentiable('softmax', 'softmax', softmaxKernels, softmaxCases(softmax)),
  differentiable('logSoftmax', 'softmax', softmaxKernels, softmaxCases(logSoftmax)),
  differentiable(
    'logSumExp',
    'softmax',
    [softmaxKernel],
    [
      gradCase('all axes', (x) => logSumExp(x as Tensor), logits),
      gradCase('all axes, kept', (x) => logSumExp(x as Tensor, { keepDims: true }), logits),
      gradCase('axis 1', (x) => logSumExp(x as Tensor, { axis: 1 }), logits),
      gradCase('axis −1, kept', (x) => logSumExp(x as Tensor, { axis: -1, keepDims: true }), logits),
      gradCase('vector', (x) => logSumExp(x as Tensor, { axis: 0 }), within(-2, 2, [4], 1)),
    ],
  ),
];
