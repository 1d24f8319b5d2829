/** Ops that move elements or make them: shapes, conversions, creation. */
import { castKernel } from '../../../kernels/cast.ts';
import { copyKernel } from '../../../kernels/copy.ts';
import { fillKernel } from '../../../kernels/fill.ts';
import { randomKernel } from '../../../kernels/random.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { cast } from '../../ops/cast.ts';
import { broadcastTo, expandDims, flatten, permute, reshape, squeeze, transpose } from '../../ops/shape.ts';
import {
  type CatalogEntry,
  differentiable,
  type GradCase,
  gradCase,
  within,
  withoutGradient,
} from './types.ts';

const of = (name: string, shape: readonly number[], f: (x: Tensor) => Tensor): GradCase =>
  gradCase(name, (x) => f(x as Tensor), within(-1, 1, shape));

const CONSTANT = 'it has no tensor as input';

export const shapeEntries: readonly CatalogEntry[] = [
  differentiable(
    'reshape',
    'shape',
    [],
    [
      of('(2,3) to (3,2)', [2, 3], (x) => reshape(x, [3, 2])),
      of('open extent', [2, 3], (x) => reshape(x, [-1, 1])),
      of('to a scalar', [1, 1], (x) => reshape(x, [])),
    ],
  ),
  differentiable(
    'flatten',
    'shape',
    [],
    [
      of('all axes', [2, 3], (x) => flatten(x)),
      of('axes 1 to 2', [2, 1, 3], (x) => flatten(x, 1, 2)),
      of('scalar', [], (x) => flatten(x)),
    ],
  ),
  differentiable(
    'squeeze',
    'shape',
    [],
    [of('all axes', [1, 3, 1], (x) => squeeze(x)), of('axis −1', [1, 3, 1], (x) => squeeze(x, -1))],
  ),
  differentiable(
    'expandDims',
    'shape',
    [],
    [
      of('axis 0', [3], (x) => expandDims(x, 0)),
      of('axis −1', [2, 2], (x) => expandDims(x, -1)),
      of('scalar', [], (x) => expandDims(x, 0)),
    ],
  ),
  differentiable(
    'permute',
    'shape',
    [copyKernel],
    [
      of('three axes in a cycle', [2, 3, 2], (x) => permute(x, [2, 0, 1])),
      of('negative axes', [2, 3], (x) => permute(x, [-1, 0])),
    ],
  ),
  differentiable(
    'transpose',
    'shape',
    [copyKernel],
    [of('matrix', [2, 3], (x) => transpose(x)), of('named axes', [2, 1, 3], (x) => transpose(x, [1, 2, 0]))],
  ),
  differentiable(
    'broadcastTo',
    'shape',
    [copyKernel],
    [
      of('new axis', [3], (x) => broadcastTo(x, [2, 3])),
      of('stretched axis', [2, 1], (x) => broadcastTo(x, [2, 3])),
      of('both', [2, 1], (x) => broadcastTo(x, [2, 2, 2])),
      of('scalar', [], (x) => broadcastTo(x, [2, 2])),
      of('its own shape', [2, 2], (x) => broadcastTo(x, [2, 2])),
    ],
  ),
  differentiable('cast', 'cast', [castKernel], [of('float to float', [2, 3], (x) => cast(x, 'float'))]),
  withoutGradient('toDevice', 'cast', [], 'copies leave the graph'),
  withoutGradient('assign', 'cast', [], 'writes in place'),
  ...['zeros', 'ones', 'full', 'eye', 'arange', 'linspace', 'tensor'].map((op) =>
    withoutGradient(op, 'creation', [fillKernel], CONSTANT),
  ),
  ...['randomUniform', 'randomNormal', 'truncatedNormal', 'bernoulli', 'randomInt'].map((op) =>
    withoutGradient(op, 'creation', [randomKernel], CONSTANT),
  ),
];
