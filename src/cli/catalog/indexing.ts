/** Reading and writing by index. */
import { gatherKernel, oneHotKernel } from '../../../kernels/gather.ts';
import { bincountKernel, scatterKernel } from '../../../kernels/scatter.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { embedding, gather, gatherNd, indexPut, scatterAdd, takeAlongAxis } from '../../ops/indexing.ts';
import {
  type CatalogEntry,
  differentiable,
  type GradCase,
  given,
  gradCase,
  within,
  withoutGradient,
} from './types.ts';

type Shape = readonly number[];
type Read = (x: Tensor, indices: Tensor) => Tensor;
type Write = (x: Tensor, indices: Tensor, updates: Tensor) => Tensor;

const read = (
  name: string,
  f: Read,
  shape: Shape,
  indices: readonly number[],
  indexShape?: Shape,
): GradCase =>
  gradCase(
    name,
    (x, i) => f(x as Tensor, i as Tensor),
    within(-1, 1, shape),
    given(indices, indexShape, 'int32'),
  );

const write = (
  name: string,
  f: Write,
  shape: Shape,
  indices: readonly number[],
  updates: Shape,
  indexShape?: Shape,
): GradCase =>
  gradCase(
    name,
    (x, i, u) => f(x as Tensor, i as Tensor, u as Tensor),
    within(-1, 1, shape),
    given(indices, indexShape, 'int32'),
    within(-1, 1, updates, 1),
  );

const writes = (f: typeof scatterAdd): GradCase[] => [
  write('rows, one twice, one negative', f, [4, 2], [1, -1, 1], [3, 2]),
  write('axis 1', (x, i, u) => f(x, i, u, 1), [2, 3], [2, 0, 2], [2, 3]),
  write(
    'axis −1 of three, indices of rank 2',
    (x, i, u) => f(x, i, u, -1),
    [2, 1, 3],
    [0, 1],
    [2, 1, 2, 1],
    [2, 1],
  ),
  write('stretched updates', f, [3, 2], [2, 2], [1, 2]),
  write('scalar index', f, [3, 2], [1], [2], []),
  write('no updates', f, [3, 2], [], [0, 2], [0]),
  gradCase(
    'host numbers',
    (x, u) => f(x as Tensor, [0, -1, 0], u as Tensor),
    within(-1, 1, [3]),
    within(-1, 1, [3], 1),
  ),
];

export const indexingEntries: readonly CatalogEntry[] = [
  differentiable(
    'gather',
    'indexing',
    [gatherKernel],
    [
      read('rows, one twice, one negative', (x, i) => gather(x, i), [4, 2], [3, 0, 3, -4]),
      read('axis 1, indices of rank 2', (x, i) => gather(x, i, 1), [2, 3, 2], [0, 2, 1, 0], [2, 2]),
      read('axis −1', (x, i) => gather(x, i, -1), [2, 3], [1, 1]),
      read('scalar index', (x, i) => gather(x, i), [3, 4], [2], []),
      gradCase('host numbers', (x) => gather(x as Tensor, [2, -1, 0]), within(-1, 1, [3, 2])),
    ],
  ),
  differentiable(
    'embedding',
    'indexing',
    [gatherKernel],
    [
      read('tokens (2,3)', embedding, [5, 4], [0, 3, 3, 1, 0, 3], [2, 3]),
      gradCase(
        'host numbers',
        (x) =>
          embedding(x as Tensor, [
            [1, 0],
            [1, 1],
          ]),
        within(-1, 1, [2, 3]),
      ),
    ],
  ),
  differentiable(
    'takeAlongAxis',
    'indexing',
    [gatherKernel],
    [
      read('axis 1', (x, i) => takeAlongAxis(x, i, 1), [2, 3], [2, 0, 1, 1], [2, 2]),
      read('axis 0 of three', (x, i) => takeAlongAxis(x, i, 0), [3, 2, 2], [0, -1, 2, 1], [1, 2, 2]),
      read('stretched indices', (x, i) => takeAlongAxis(x, i, 0), [3, 2], [2, 0, 2], [3, 1]),
      read('stretched x', (x, i) => takeAlongAxis(x, i, -1), [1, 3], [2, 0, 1, 1], [2, 2]),
    ],
  ),
  differentiable(
    'gatherNd',
    'indexing',
    [gatherKernel],
    [
      read('elements', gatherNd, [2, 3], [0, 2, 1, 0, 0, 2], [3, 2]),
      read('slices', gatherNd, [2, 2, 3], [1, 0, -1, 1], [2, 2]),
      read('rows', gatherNd, [3, 2], [2, 0], [2, 1]),
      read('one tuple', gatherNd, [3, 2], [2, 1], [2]),
    ],
  ),
  differentiable('scatterAdd', 'indexing', [scatterKernel], writes(scatterAdd)),
  differentiable('indexPut', 'indexing', [scatterKernel], writes(indexPut)),
  withoutGradient('oneHot', 'indexing', [oneHotKernel], 'its input is int32'),
  withoutGradient('bincount', 'indexing', [bincountKernel], 'its input is int32'),
];
