/** Pooling, upsampling and resizing; the inputs of maxima hold no equals. */
import { maxPoolKernel, pickKernel, unpoolKernel } from '../../../kernels/pool.ts';
import { reduceKernel } from '../../../kernels/reduce.ts';
import { resampleKernel } from '../../../kernels/resize.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import {
  adaptiveAveragePool1d,
  adaptiveAveragePool2d,
  adaptiveAveragePool3d,
  averagePool1d,
  averagePool2d,
  averagePool3d,
  type GlobalPoolOptions,
  globalAveragePool1d,
  globalAveragePool2d,
  globalAveragePool3d,
  globalMaxPool1d,
  globalMaxPool2d,
  globalMaxPool3d,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  type PoolOptions,
} from '../../ops/pool.ts';
import { resize2d, upSampling1d, upSampling2d, upSampling3d } from '../../ops/resize.ts';
import { type CatalogEntry, differentiable, type GradCase, gradCase, within } from './types.ts';

/** Cases of one op: a name, the input's shape, and the options. */
const casesOf = <Options>(
  op: (x: Tensor, options: Options) => Tensor,
  ...cases: readonly (readonly [name: string, shape: readonly number[], options: Options])[]
): GradCase[] =>
  cases.map(([name, shape, options]) =>
    gradCase(name, (x) => op(x as Tensor, options), within(-2, 2, shape)),
  );

type Pool = (x: Tensor, options: PoolOptions) => Tensor;

const cases1d = (op: Pool): GradCase[] =>
  casesOf(
    op,
    ['windows of 2', [2, 6, 1], { poolSize: 2 }],
    ['overlapping, same', [1, 5, 4], { poolSize: 3, strides: 2, padding: 'same' }],
    ['gaps', [1, 7, 3], { poolSize: 2, strides: 3 }],
    ['padding in front', [2, 4, 1], { poolSize: 3, strides: 1, padding: [[2, 0]] }],
  );

const cases2d = (op: Pool): GradCase[] =>
  casesOf(
    op,
    ['windows of 2×2', [1, 4, 4, 4], { poolSize: 2 }],
    ['overlapping, same', [2, 3, 4, 1], { poolSize: 3, strides: 2, padding: 'same' }],
    ['2×3, unequal strides', [1, 5, 5, 2], { poolSize: [2, 3], strides: [2, 1] }],
    ['explicit padding', [1, 3, 4, 3], { poolSize: 2, padding: [1, [0, 1]] }],
    ['larger than the image, same', [1, 2, 2, 3], { poolSize: 3, padding: 'same', strides: 1 }],
    ['one pixel', [2, 1, 1, 2], { poolSize: 1 }],
  );

const cases3d = (op: Pool): GradCase[] =>
  casesOf(
    op,
    ['windows of 2×2×2', [1, 2, 4, 2, 4], { poolSize: 2 }],
    ['overlapping, same', [1, 3, 3, 2, 1], { poolSize: [2, 3, 2], strides: 1, padding: 'same' }],
  );

type GlobalPool = (x: Tensor, options: GlobalPoolOptions) => Tensor;

const globals = (op: GlobalPool, spatial: readonly number[]): GradCase[] =>
  casesOf(
    op,
    ['four channels', [2, ...spatial, 4], {}],
    ['three channels, kept', [1, ...spatial, 3], { keepDims: true }],
  );

const maxKernels = [maxPoolKernel, unpoolKernel, pickKernel];
const averageKernels = [reduceKernel, resampleKernel];

export const poolEntries: readonly CatalogEntry[] = [
  differentiable('maxPool1d', 'pooling', maxKernels, cases1d(maxPool1d)),
  differentiable('maxPool2d', 'pooling', maxKernels, cases2d(maxPool2d)),
  differentiable('maxPool3d', 'pooling', maxKernels, cases3d(maxPool3d)),
  differentiable('averagePool1d', 'pooling', [resampleKernel], cases1d(averagePool1d)),
  differentiable('averagePool2d', 'pooling', [resampleKernel], cases2d(averagePool2d)),
  differentiable('averagePool3d', 'pooling', [resampleKernel], cases3d(averagePool3d)),
  differentiable('globalMaxPool1d', 'pooling', maxKernels, globals(globalMaxPool1d, [5])),
  differentiable('globalMaxPool2d', 'pooling', maxKernels, globals(globalMaxPool2d, [2, 3])),
  differentiable('globalMaxPool3d', 'pooling', maxKernels, globals(globalMaxPool3d, [2, 2, 2])),
  differentiable('globalAveragePool1d', 'pooling', averageKernels, globals(globalAveragePool1d, [5])),
  differentiable('globalAveragePool2d', 'pooling', averageKernels, globals(globalAveragePool2d, [2, 3])),
  differentiable('globalAveragePool3d', 'pooling', averageKernels, globals(globalAveragePool3d, [2, 2, 2])),
  differentiable(
    'adaptiveAveragePool1d',
    'pooling',
    [resampleKernel],
    casesOf(
      adaptiveAveragePool1d,
      ['7 to 3', [2, 7, 1], { outputSize: 3 }],
      ['3 to 5', [1, 3, 4], { outputSize: 5 }],
    ),
  ),
  differentiable(
    'adaptiveAveragePool2d',
    'pooling',
    [resampleKernel],
    casesOf(
      adaptiveAveragePool2d,
      ['5×4 to 3×3', [1, 5, 4, 4], { outputSize: 3 }],
      ['3×5 to 1×2', [2, 3, 5, 3], { outputSize: [1, 2] }],
    ),
  ),
  differentiable(
    'adaptiveAveragePool3d',
    'pooling',
    [resampleKernel],
    casesOf(adaptiveAveragePool3d, ['2×3×5 to 2×2×3', [1, 2, 3, 5, 1], { outputSize: [2, 2, 3] }]),
  ),
  differentiable(
    'upSampling1d',
    'pooling',
    [resampleKernel],
    casesOf(upSampling1d, ['doubled', [2, 3, 4], {}], ['thrice', [1, 4, 3], { size: 3 }]),
  ),
  differentiable(
    'upSampling2d',
    'pooling',
    [resampleKernel],
    casesOf(
      upSampling2d,
      ['doubled', [1, 2, 3, 4], {}],
      ['3×1', [2, 2, 2, 1], { size: [3, 1] }],
      ['bilinear', [1, 3, 2, 4], { size: [2, 3], interpolation: 'bilinear' }],
    ),
  ),
  differentiable(
    'upSampling3d',
    'pooling',
    [resampleKernel],
    casesOf(upSampling3d, ['2×1×3', [1, 2, 2, 2, 3], { size: [2, 1, 3] }]),
  ),
  differentiable(
    'resize2d',
    'pooling',
    [resampleKernel],
    casesOf(
      resize2d,
      ['smaller, bilinear', [1, 5, 4, 4], { size: [3, 2] }],
      ['larger, bilinear', [2, 2, 3, 1], { size: [5, 4] }],
      ['nearest', [1, 4, 3, 3], { size: [3, 5], interpolation: 'nearest' }],
      ['one pixel', [1, 1, 1, 2], { size: 3 }],
    ),
  ),
];
