/** Activations, each on both sides of its kinks. */
import { activationGradientKernel, activationKernel } from '../../../kernels/activation.ts';
import { gluKernel } from '../../../kernels/activation-glu.ts';
import { preluKernel } from '../../../kernels/activation-prelu.ts';
import { maxPoolKernel } from '../../../kernels/pool.ts';
import { unaryKernel } from '../../../kernels/unary.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import * as ops from '../../ops/activations.ts';
import { glu, maxout, prelu } from '../../ops/activations-gated.ts';
import {
  awayFromZero,
  type CatalogEntry,
  differentiable,
  type GradCase,
  given,
  gradCase,
  type InputSpec,
  within,
} from './types.ts';

const KERNELS = [activationKernel, activationGradientKernel];

const row = (op: string, ...cases: readonly GradCase[]): CatalogEntry =>
  differentiable(op, 'activation', KERNELS, cases);

const of = (name: string, f: (x: Tensor) => Tensor, x: InputSpec): GradCase =>
  gradCase(name, (input) => f(input as Tensor), x);

/** From where the gate is closed to where it is open, with a value near 0. */
const smooth = given([-4.5, -2, -1.25, -0.5, 0.001, 0.75, 1.5, 4], [2, 4]);
/** Between and beyond kinks at −3, 0 and 3. */
const acrossThree = given([-5, -3.5, -2, -0.75, 0.5, 1.25, 2.5, 4], [2, 4]);
/** Between and beyond kinks at 0 and 6. */
const acrossSix = given([-2, -0.5, 0.5, 3, 5.5, 7]);

export const activationEntries: readonly CatalogEntry[] = [
  row('linear', of('matrix', ops.linear, within(-2, 2, [2, 3]))),
  row('binaryStep', of('both sides', ops.binaryStep, awayFromZero([2, 3]))),
  differentiable(
    'relu',
    'activation',
    [unaryKernel, ...KERNELS],
    [
      of('matrix', ops.relu, awayFromZero([2, 3])),
      of('negative slope', (x) => ops.relu(x, { negativeSlope: 0.3 }), awayFromZero([5])),
      of('largest value', (x) => ops.relu(x, { maxValue: 5, negativeSlope: 0.1 }), acrossSix),
      of('threshold', (x) => ops.relu(x, { threshold: 1, negativeSlope: 0.25 }), acrossSix),
      of('all', (x) => ops.relu(x, { threshold: 1, negativeSlope: 0.25, maxValue: 6 }), acrossSix),
    ],
  ),
  row('relu6', of('both kinks', ops.relu6, acrossSix)),
  row(
    'leakyRelu',
    of('default slope', ops.leakyRelu, awayFromZero([2, 3])),
    of('slope 0.05', (x) => ops.leakyRelu(x, 0.05), awayFromZero([5], 1)),
    of('slope 0', (x) => ops.leakyRelu(x, 0), awayFromZero([5], 1)),
  ),
  row(
    'thresholdedRelu',
    of('theta 1', ops.thresholdedRelu, acrossSix),
    of('theta 4', (x) => ops.thresholdedRelu(x, 4), acrossSix),
  ),
  differentiable(
    'prelu',
    'activation',
    [preluKernel],
    [
      gradCase(
        'one slope',
        (x, a) => prelu(x as Tensor, a as Tensor),
        awayFromZero([2, 3]),
        given([0.25], []),
      ),
      gradCase(
        'a slope for each channel',
        (x, a) => prelu(x as Tensor, a as Tensor),
        awayFromZero([2, 2, 4]),
        given([0.25, -0.5, 0.75, 1.5]),
      ),
      gradCase(
        'shared axes',
        (x, a) => prelu(x as Tensor, a as Tensor),
        awayFromZero([2, 3, 2]),
        given([0.25, -0.5], [1, 2]),
      ),
    ],
  ),
  row(
    'elu',
    of('alpha 1', ops.elu, awayFromZero([2, 3])),
    of('alpha 0.5', (x) => ops.elu(x, 0.5), given([-4, -1.5, -0.25, 0.5, 2])),
  ),
  row('selu', of('both sides', ops.selu, given([-4, -1.5, -0.25, 0.5, 2, 3], [2, 3]))),
  row('softsign', of('both sides', ops.softsign, awayFromZero([2, 3]))),
  row('silu', of('matrix', ops.silu, smooth), of('scalar', ops.silu, given([-1.278], []))),
  row('swish', of('matrix', ops.swish, smooth)),
  row('hardSigmoid', of('both kinks', ops.hardSigmoid, acrossThree)),
  row('hardSilu', of('both kinks', ops.hardSilu, acrossThree)),
  row('hardSwish', of('both kinks', ops.hardSwish, acrossThree)),
  row(
    'gelu',
    of('exact', ops.gelu, smooth),
    of('approximate', (x) => ops.gelu(x, { approximate: true }), smooth),
  ),
  row('mish', of('matrix', ops.mish, smooth)),
  differentiable(
    'exponential',
    'activation',
    [unaryKernel],
    [of('matrix', ops.exponential, within(-1.5, 1.5, [2, 3]))],
  ),
  differentiable(
    'glu',
    'activation',
    [gluKernel],
    [
      of('last axis', glu, smooth),
      of('last axis, whole vectors', glu, within(-2, 2, [2, 8])),
      of('first axis', (x) => glu(x, 0), within(-2, 2, [4, 3])),
    ],
  ),
  differentiable(
    'maxout',
    'activation',
    [maxPoolKernel],
    [
      of('channels', (x) => maxout(x, { pieces: 2 }), within(-1, 1, [3, 4])),
      of('first axis', (x) => maxout(x, { pieces: 3, axis: 0 }), within(-1, 1, [6, 2])),
    ],
  ),
];
