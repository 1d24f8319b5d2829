/** Batched systems and factors of small matrices, all well conditioned. */
import { choleskyKernel, solveKernel, triangularKernel } from '../../../kernels/linalg.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { add, mul } from '../../ops/binary.ts';
import { eye } from '../../ops/create.ts';
import { cholesky, inverse, type SolveTriangularOptions, solve, solveTriangular } from '../../ops/linalg.ts';
import { permute } from '../../ops/shape.ts';
import {
  type CatalogEntry,
  differentiable,
  type GradCase,
  given,
  gradCase,
  type InputSpec,
  within,
} from './types.ts';

type Extents = readonly number[];

/** Diagonals of 2 to 2.9 among numbers up to 0.8, in an order that makes the pivoting exchange rows. */
function matrices(shape: Extents): InputSpec {
  const n = shape[shape.length - 1] as number;
  const { values } = within(-0.8, 0.8, shape);
  return given(
    values.map((value, index) => {
      const row = Math.floor(index / n) % n;
      return index % n === n - 1 - row ? 2 + 0.1 * (index % 10) : value;
    }),
    shape,
  );
}

/** The same with the large numbers on the diagonal. */
function dominant(shape: Extents): InputSpec {
  const n = shape[shape.length - 1] as number;
  const { values } = within(-0.8, 0.8, shape);
  return given(
    values.map((value, index) => (index % n === Math.floor(index / n) % n ? 2 + 0.1 * (index % 10) : value)),
    shape,
  );
}

/** (x + xᵀ)/2 + 1: the factor reads one triangle only, and its gradient is that of a symmetric matrix. */
function symmetric(x: Tensor): Tensor {
  const axes = x.shape.map((_, axis) => (axis < x.rank - 2 ? axis : 2 * x.rank - 3 - axis));
  const n = x.shape[x.rank - 1] as number;
  return add(mul(add(x, permute(x, axes)), 0.5), eye(n, n, { device: x.device }));
}

const factor = (name: string, shape: Extents): GradCase =>
  gradCase(name, (x) => cholesky(symmetric(x as Tensor)), dominant(shape));

const system = (name: string, a: Extents, b: Extents): GradCase =>
  gradCase(name, (x, y) => solve(x as Tensor, y as Tensor), matrices(a), within(-1, 1, b, 1));

const triangular = (name: string, a: Extents, b: Extents, options?: SolveTriangularOptions): GradCase =>
  gradCase(
    name,
    (x, y) => solveTriangular(x as Tensor, y as Tensor, options),
    dominant(a),
    within(-1, 1, b, 1),
  );

const inverted = (name: string, shape: Extents): GradCase =>
  gradCase(name, (x) => inverse(x as Tensor), matrices(shape));

export const linalgEntries: readonly CatalogEntry[] = [
  differentiable(
    'cholesky',
    'linalg',
    [choleskyKernel],
    [factor('one element', [1, 1]), factor('matrix', [3, 3]), factor('batch', [2, 2, 2])],
  ),
  differentiable(
    'solve',
    'linalg',
    [solveKernel],
    [
      system('vector', [3, 3], [3]),
      system('several columns', [3, 3], [3, 2]),
      system('batch', [2, 2, 2], [2, 2, 1]),
      system('batch of matrices, one right side', [2, 2, 2], [2, 2]),
      system('one matrix, batch of right sides', [2, 2], [2, 2, 1]),
    ],
  ),
  differentiable(
    'solveTriangular',
    'linalg',
    [triangularKernel],
    [
      triangular('vector', [3, 3], [3]),
      triangular('lower, transposed', [3, 3], [3, 2], { transposeA: true }),
      triangular('upper', [3, 3], [3, 2], { lower: false }),
      triangular('upper, transposed', [2, 2, 2], [2, 2, 1], { lower: false, transposeA: true }),
    ],
  ),
  differentiable(
    'inverse',
    'linalg',
    [solveKernel],
    [inverted('one element', [1, 1]), inverted('matrix', [3, 3]), inverted('batch', [2, 2, 2])],
  ),
];
