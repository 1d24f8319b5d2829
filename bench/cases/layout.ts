/** Moving elements: permuted axes, gathered rows. */
import { gather, permute, type Tensor } from '../../src/node.ts';
import type { BenchCase } from './case.ts';

export const layoutCases: readonly BenchCase[] = [
  {
    name: 'permute 1000×1000 → (1, 0)',
    task: 'transpose',
    inputs: [{ shape: [1000, 1000] }],
    bytes: 8_000_000,
    run: (x: Tensor) => permute(x, [1, 0]),
  },
  {
    name: 'permute 100×100×100 → (2, 0, 1)',
    task: 'permute201',
    inputs: [{ shape: [100, 100, 100] }],
    bytes: 8_000_000,
    run: (x: Tensor) => permute(x, [2, 0, 1]),
  },
  {
    name: 'gather 4096 rows of 10000×64',
    task: 'gather',
    inputs: [{ shape: [10_000, 64] }, { shape: [4096], below: 10_000 }],
    bytes: 4 * 4096 * (1 + 2 * 64),
    run: (x: Tensor, indices: Tensor) => gather(x, indices),
  },
];
