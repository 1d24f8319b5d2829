/** Running sums and products along an axis, and products over axes. */
import { reduceKernel } from '../../../kernels/reduce.ts';
import { linearScanKernel, scanKernel, shiftKernel } from '../../../kernels/scan.ts';
import { cumprodGradientKernel, productOfOthersKernel } from '../../../kernels/scan-product.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import type { ReduceOptions } from '../../ops/reduce.ts';
import { cumprod, cumsum, prod, type ScanOptions } from '../../ops/scan.ts';
import {
  awayFromZero,
  type CatalogEntry,
  differentiable,
  type GradCase,
  given,
  gradCase,
  type InputSpec,
} from './types.ts';

type Scan = (x: Tensor, axis: number, options?: ScanOptions) => Tensor;

const casesOf = (f: Scan): GradCase[] => {
  const of = (name: string, shape: readonly number[], axis: number, options?: ScanOptions): GradCase =>
    gradCase(name, (x) => f(x as Tensor, axis, options), awayFromZero(shape));
  return [
    of('vector', [5], 0),
    of('last axis', [2, 3], -1),
    of('axis 1 of three, reverse', [2, 3, 2], 1, { reverse: true }),
    of('axis 0, exclusive', [4, 2], 0, { exclusive: true }),
    of('exclusive and reverse', [2, 4], 1, { exclusive: true, reverse: true }),
    of('one element', [1], 0),
  ];
};

const zeros: readonly (readonly [string, InputSpec])[] = [
  ['one zero', given([1.5, -0.5, 0, 2, 0.75])],
  ['a zero first', given([0, -0.5, 1.25, 2])],
  ['two zeros', given([1.5, 0, -0.5, 0, 2])],
  ['three zeros', given([0, 1.5, 0, 0, 2])],
];

const products = (name: string, shape: readonly number[], options?: ReduceOptions): GradCase =>
  gradCase(name, (x) => prod(x as Tensor, options), awayFromZero(shape));

export const scanEntries: readonly CatalogEntry[] = [
  differentiable('cumsum', 'scan', [scanKernel], casesOf(cumsum)),
  differentiable(
    'cumprod',
    'scan',
    [scanKernel, cumprodGradientKernel, linearScanKernel, shiftKernel],
    [
      ...casesOf(cumprod),
      ...zeros.flatMap(([name, input]) => [
        gradCase(name, (x) => cumprod(x as Tensor, 0), input),
        gradCase(
          `${name}, exclusive and reverse`,
          (x) => cumprod(x as Tensor, 0, { exclusive: true, reverse: true }),
          input,
        ),
      ]),
    ],
  ),
  differentiable(
    'prod',
    'reduction',
    [reduceKernel, productOfOthersKernel, scanKernel, cumprodGradientKernel, linearScanKernel, shiftKernel],
    [
      products('all axes', [2, 3]),
      products('axis 0', [3, 2], { axis: 0 }),
      products('axis −1, kept', [2, 3], { axis: -1, keepDims: true }),
      products('axes 0 and 2', [2, 2, 2], { axis: [0, 2] }),
      products('all axes, kept', [2, 2], { keepDims: true }),
      products('scalar', []),
      products('no axes', [3], { axis: [] }),
      ...zeros.map(([name, input]) => gradCase(name, (x) => prod(x as Tensor), input)),
    ],
  ),
];
