/** Moving elements: permuted axes, gathered and scattered rows, joined and padded arrays. */
import { concat, gather, pad, permute, scatterAdd, type Tensor, triu, zeros } from '../../src/node.ts';
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
  {
    name: 'scatterAdd 4096 rows into 10000×64',
    task: 'scatterAdd',
    inputs: [{ shape: [4096], below: 10_000 }, { shape: [4096, 64] }],
    bytes: 4 * (4096 * (1 + 64) + 10_000 * 64),
    run(indices: Tensor, rows: Tensor) {
      using target = zeros([10_000, 64]);
      return scatterAdd(target, indices, rows);
    },
  },
  {
    name: 'concat 1000×500 and 1000×500',
    task: 'concat',
    inputs: [{ shape: [1000, 500] }, { shape: [1000, 500] }],
    bytes: 8_000_000,
    run: (a: Tensor, b: Tensor) => concat([a, b], 1),
  },
  {
    name: 'pad 32×56×56×8 by one',
    task: 'pad',
    inputs: [{ shape: [32, 56, 56, 8] }],
    bytes: 4 * 32 * 8 * (56 ** 2 + 58 ** 2),
    run: (x: Tensor) =>
      pad(x, [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ]),
  },
  {
    name: 'triu 1000×1000',
    task: 'upperTriangle',
    inputs: [{ shape: [1000, 1000] }],
    bytes: 8_000_000,
    run: (x: Tensor) => triu(x),
  },
];
