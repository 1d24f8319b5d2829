/** Small dense matrices, one after another. */
import { cholesky, solve, type Tensor } from '../../src/node.ts';
import type { BenchCase } from './case.ts';

const [batch, n] = [64, 32];
const matrices = { shape: [batch, n, n], positiveDefinite: true } as const;

export const linalgCases: readonly BenchCase[] = [
  {
    name: `cholesky ${batch} of ${n}×${n}`,
    task: 'cholesky',
    inputs: [matrices],
    flops: (batch * n ** 3) / 3,
    run: (a: Tensor) => cholesky(a),
  },
  {
    name: `solve ${batch} of ${n}×${n}, 8 right sides`,
    task: 'solve',
    inputs: [matrices, { shape: [batch, n, 8] }],
    flops: batch * ((2 * n ** 3) / 3 + 2 * 8 * n ** 2),
    run: (a: Tensor, b: Tensor) => solve(a, b),
  },
];
