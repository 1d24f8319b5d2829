/** What looks at a whole row: the largest element, running sums, sorting. */
import { argMax, cumsum, sort, type Tensor, topk } from '../../src/node.ts';
import type { BenchCase } from './case.ts';

const rows = { inputs: [{ shape: [256, 1000] }] };

export const orderCases: readonly BenchCase[] = [
  {
    name: 'argMax 1000×1000 along rows',
    task: 'argMax',
    inputs: [{ shape: [1000, 1000] }],
    bytes: 4_004_000,
    run: (x: Tensor) => argMax(x, { axis: 1 }),
  },
  {
    name: 'cumsum 1000×1000 along rows',
    task: 'cumsum',
    inputs: [{ shape: [1000, 1000] }],
    bytes: 8_000_000,
    run: (x: Tensor) => cumsum(x, 1),
  },
  {
    name: 'sort 256×1000',
    task: 'sort',
    ...rows,
    bytes: 8 * 256 * 1000,
    run: (x: Tensor) => sort(x),
  },
  {
    name: 'topk 256×1000, k = 10',
    task: 'topk',
    ...rows,
    bytes: 4 * 256 * (1000 + 2 * 10),
    run(x: Tensor) {
      const { values, indices } = topk(x, 10);
      indices.dispose();
      return values;
    },
  },
];
