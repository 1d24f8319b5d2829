/** Matrix products: squares, and the three products of a dense layer. */
import { matmul, runKernel1, type Tensor } from '../../src/node.ts';
import { textbookKernel } from '../textbook-matmul.ts';
import type { BenchCase } from './case.ts';

const square = (n: number): Pick<BenchCase, 'inputs' | 'flops'> => ({
  inputs: [{ shape: [n, n] }, { shape: [n, n] }],
  flops: 2 * n ** 3,
});

const [batch, inside, outside] = [64, 784, 128];
const dense = { flops: 2 * batch * inside * outside };

export const matmulCases: readonly BenchCase[] = [
  ...[256, 512, 1024].map((n) => ({
    name: `matmul ${n}³`,
    task: 'matmul',
    ...square(n),
    run: (a: Tensor, b: Tensor) => matmul(a, b),
  })),
  {
    name: 'matmul 512³, textbook kernel',
    task: 'matmul',
    ownOnly: true,
    ...square(512),
    run: (a: Tensor, b: Tensor) => runKernel1('textbook', textbookKernel, [a, b], undefined),
  },
  {
    name: `matmul ${batch}×${inside} · ${inside}×${outside}`,
    task: 'matmul',
    ...dense,
    inputs: [{ shape: [batch, inside] }, { shape: [inside, outside] }],
    run: (x: Tensor, w: Tensor) => matmul(x, w),
  },
  {
    name: 'matmul, its weight gradient xᵀ·dy',
    task: 'matmulTransposedA',
    ...dense,
    inputs: [{ shape: [batch, inside] }, { shape: [batch, outside] }],
    run: (x: Tensor, dy: Tensor) => matmul(x, dy, { transposeA: true }),
  },
  {
    name: 'matmul, its input gradient dy·wᵀ',
    task: 'matmulTransposedB',
    ...dense,
    inputs: [{ shape: [batch, outside] }, { shape: [inside, outside] }],
    run: (dy: Tensor, w: Tensor) => matmul(dy, w, { transposeB: true }),
  },
];
