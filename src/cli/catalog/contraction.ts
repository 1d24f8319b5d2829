/** Products summed over common axes. */
import { matmulKernel } from '../../../kernels/matmul.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { einsum, outer, tensordot } from '../../ops/structure.ts';
import { many } from './structure.ts';
import { type CatalogEntry, differentiable, type GradCase } from './types.ts';

type Extents = readonly number[];

const equation = (text: string, ...shapes: Extents[]): GradCase =>
  many(text, shapes, (...inputs) => einsum(text, ...inputs));

export const contractionEntries: readonly CatalogEntry[] = [
  differentiable(
    'outer',
    'matmul',
    [],
    [
      many('vectors', [[2], [3]], (a, b) => outer(a as Tensor, b as Tensor)),
      many('flattened', [[2, 2], [2]], (a, b) => outer(a as Tensor, b as Tensor)),
    ],
  ),
  differentiable(
    'tensordot',
    'matmul',
    [matmulKernel],
    [
      many(
        'two axes',
        [
          [2, 2, 3],
          [2, 3, 2],
        ],
        (a, b) => tensordot(a as Tensor, b as Tensor),
      ),
      many(
        'named axes',
        [
          [3, 2, 2],
          [2, 3],
        ],
        (a, b) =>
          tensordot(a as Tensor, b as Tensor, [
            [0, 1],
            [1, 0],
          ]),
      ),
      many('no axes', [[2], [2]], (a, b) => tensordot(a as Tensor, b as Tensor, 0)),
    ],
  ),
  differentiable(
    'einsum',
    'matmul',
    [matmulKernel],
    [
      equation('ij,jk->ik', [2, 3], [3, 2]),
      equation('ij,jk', [2, 3], [3, 2]),
      equation('ij,kj->ki', [2, 3], [2, 3]),
      equation('bij,bjk->bik', [2, 2, 2], [2, 2, 2]),
      equation('bhqd,bhkd->bhqk', [1, 2, 2, 3], [1, 2, 2, 3]),
      equation('ii', [3, 3]),
      equation('ii->i', [3, 3]),
      equation('iji->j', [2, 3, 2]),
      equation('ij->', [2, 3]),
      equation('ba', [2, 3]),
      equation('i,j->ij', [2], [3]),
      equation('ij,ij->i', [2, 3], [2, 3]),
      equation('i,i,i', [3], [3], [3]),
      equation('ij,jk,kl->il', [2, 3], [3, 2], [2, 2]),
      equation('ijk,kl', [2, 1, 3], [3, 2]),
      equation('...ij,...jk->...ik', [2, 2, 2], [1, 2, 2]),
      equation('i...,...->...i', [2, 2], [2]),
      equation(',i->i', [], [3]),
    ],
  ),
];
