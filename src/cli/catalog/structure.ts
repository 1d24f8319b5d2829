/** Ops that join, cut, pad and repeat tensors. */
import { concatKernel } from '../../../kernels/concat.ts';
import { copyKernel } from '../../../kernels/copy.ts';
import { placeKernel } from '../../../kernels/place.ts';
import { triangleKernel } from '../../../kernels/triangle.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { add, mul } from '../../ops/binary.ts';
import {
  concat,
  diag,
  diagonal,
  flip,
  meshgrid,
  pad,
  repeat,
  roll,
  slice,
  split,
  stack,
  tile,
  trace,
  tril,
  triu,
  unstack,
} from '../../ops/structure.ts';
import { type CatalogEntry, differentiable, type GradCase, gradCase, within } from './types.ts';

type Extents = readonly number[];

const of = (name: string, shape: Extents, f: (x: Tensor) => Tensor): GradCase =>
  gradCase(name, (x) => f(x as Tensor), within(-1, 1, shape));

/** A case with inputs of these shapes. */
export const many = (
  name: string,
  shapes: readonly Extents[],
  f: (...inputs: Tensor[]) => Tensor,
): GradCase => gradCase(name, f, ...shapes.map((shape, index) => within(-1, 1, shape, index)));

/** A product of outputs, so that the gradient of one depends on another. */
const product = (first: Tensor | undefined, second: Tensor | undefined): Tensor =>
  mul(first as Tensor, second as Tensor);

const joining: readonly CatalogEntry[] = [
  differentiable(
    'concat',
    'shape',
    [concatKernel],
    [
      many(
        'axis 0',
        [
          [2, 3],
          [1, 3],
        ],
        (...list) => concat(list),
      ),
      many(
        'axis −1',
        [
          [2, 1],
          [2, 3],
          [2, 2],
        ],
        (...list) => concat(list, -1),
      ),
      many(
        'middle axis, one part empty',
        [
          [2, 1, 2],
          [2, 0, 2],
          [2, 2, 2],
        ],
        (...list) => concat(list, 1),
      ),
      many(
        'eight tensors',
        Array.from({ length: 8 }, () => [1, 2]),
        (...list) => concat(list),
      ),
      of('one tensor twice', [2, 2], (x) => concat([x, mul(x, x), x], 1)),
    ],
  ),
  differentiable(
    'stack',
    'shape',
    [concatKernel],
    [
      many('axis 0', [[3], [3]], (...list) => stack(list)),
      many(
        'axis −1',
        [
          [2, 2],
          [2, 2],
        ],
        (...list) => stack(list, -1),
      ),
      many('scalars', [[], [], []], (...list) => stack(list)),
    ],
  ),
  differentiable(
    'split',
    'shape',
    [copyKernel],
    [
      of('equal sections', [4, 2], (x) => product(...(split(x, 2) as [Tensor, Tensor]))),
      of('sizes, one unused', [2, 5], (x) => {
        const [a, , c] = split(x, [2, 1, 2], 1);
        return product(a, c);
      }),
    ],
  ),
  differentiable(
    'unstack',
    'shape',
    [copyKernel],
    [
      of('axis 0', [2, 3], (x) => product(...(unstack(x) as [Tensor, Tensor]))),
      of('axis −1', [2, 2], (x) => product(...(unstack(x, -1) as [Tensor, Tensor]))),
    ],
  ),
];

const cutting: readonly CatalogEntry[] = [
  differentiable(
    'slice',
    'shape',
    [copyKernel],
    [
      of('middle', [4, 3], (x) => slice(x, [1, 1], [3, null])),
      of('steps', [5, 4], (x) => slice(x, [0, 1], [null, null], [2, 2])),
      of('negative steps', [5, 4], (x) => slice(x, [null, -1], [null, 0], [-2, -1])),
      of('named axes', [2, 3, 4], (x) => slice(x, { [-1]: [1, -1], 0: [1] })),
      of('one position', [3, 2], (x) => slice(x, { 0: -1 })),
    ],
  ),
  differentiable(
    'flip',
    'shape',
    [copyKernel],
    [of('all axes', [2, 3], (x) => flip(x)), of('axis −1', [2, 3], (x) => flip(x, -1))],
  ),
  differentiable(
    'roll',
    'shape',
    [concatKernel],
    [
      of('flattened', [2, 3], (x) => roll(x, 2)),
      of('axis 1', [2, 3], (x) => roll(x, -1, 1)),
      of('two axes', [3, 4], (x) => roll(x, [1, 6], [0, 1])),
    ],
  ),
  differentiable(
    'pad',
    'shape',
    [placeKernel],
    [
      of('constant', [2, 3], (x) =>
        pad(
          x,
          [
            [1, 0],
            [2, 1],
          ],
          { value: 0.5 },
        ),
      ),
      of('edge', [2, 3], (x) =>
        pad(
          x,
          [
            [2, 0],
            [1, 2],
          ],
          { mode: 'edge' },
        ),
      ),
      of('reflect', [3, 3], (x) =>
        pad(
          x,
          [
            [2, 1],
            [0, 2],
          ],
          { mode: 'reflect' },
        ),
      ),
      of('one number', [2], (x) => pad(x, 1)),
    ],
  ),
];

const repeating: readonly CatalogEntry[] = [
  differentiable(
    'tile',
    'shape',
    [copyKernel],
    [
      of('two axes', [2, 3], (x) => tile(x, [2, 2])),
      of('fewer counts than axes', [2, 3], (x) => tile(x, 2)),
      of('more counts than axes', [2], (x) => tile(x, [2, 1, 2])),
      of('many axes', [1, 2, 1, 2, 1], (x) => tile(x, [2, 1, 2, 2, 2])),
    ],
  ),
  differentiable(
    'repeat',
    'shape',
    [copyKernel],
    [
      of('flattened', [2, 2], (x) => repeat(x, 2)),
      of('axis 0', [2, 3], (x) => repeat(x, 3, 0)),
      of('axis −1', [2, 3], (x) => repeat(x, 2, -1)),
    ],
  ),
  differentiable(
    'meshgrid',
    'shape',
    [copyKernel],
    [
      many('xy', [[2], [3]], (...list) => product(...(meshgrid(list) as [Tensor, Tensor]))),
      many('ij, three axes', [[2], [1], [3]], (...list) => {
        const [a, b, c] = meshgrid(list, 'ij');
        return add(product(a, c), b as Tensor);
      }),
    ],
  ),
];

const diagonals: readonly CatalogEntry[] = [
  differentiable(
    'diag',
    'shape',
    [placeKernel, copyKernel],
    [
      of('vector', [3], (x) => diag(x)),
      of('vector, offset 1', [2], (x) => diag(x, 1)),
      of('vector, offset −2', [2], (x) => diag(x, -2)),
      of('matrix', [3, 4], (x) => diag(x)),
      of('matrix, offset −1', [3, 4], (x) => diag(x, -1)),
    ],
  ),
  differentiable(
    'diagonal',
    'shape',
    [copyKernel],
    [
      of('first axes', [3, 2, 2], (x) => diagonal(x)),
      of('last axes, offset 1', [2, 2, 3], (x) => diagonal(x, 1, -2, -1)),
    ],
  ),
  differentiable(
    'trace',
    'shape',
    [copyKernel],
    [of('matrix', [3, 3], (x) => trace(x)), of('batch, offset −1', [2, 3, 2], (x) => trace(x, -1, 1, 2))],
  ),
  ...(
    [
      ['triu', triu],
      ['tril', tril],
    ] as const
  ).map(([op, f]) =>
    differentiable(
      op,
      'shape',
      [triangleKernel],
      [
        of('matrix', [3, 3], (x) => f(x)),
        of('batch, offset 1', [2, 2, 3], (x) => f(x, 1)),
        of('offset −1', [3, 2], (x) => f(x, -1)),
      ],
    ),
  ),
];

export const structureEntries: readonly CatalogEntry[] = [...joining, ...cutting, ...repeating, ...diagonals];
