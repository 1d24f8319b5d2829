/** Sums along rows, columns and everything; softmax. */
import { softmax, sum, type Tensor } from '../../src/node.ts';
import type { BenchCase } from './case.ts';

const [rows, columns] = [1000, 1000];
const matrix = { inputs: [{ shape: [rows, columns] }] };

export const reduceCases: readonly BenchCase[] = [
  {
    name: 'sum 1000×1000 along rows',
    task: 'sumRows',
    ...matrix,
    bytes: 4 * (rows * columns + rows),
    run: (x: Tensor) => sum(x, { axis: 1 }),
  },
  {
    name: 'sum 1000×1000 along columns',
    task: 'sumColumns',
    ...matrix,
    bytes: 4 * (rows * columns + columns),
    run: (x: Tensor) => sum(x, { axis: 0 }),
  },
  {
    name: 'sum 1000×1000 of all',
    task: 'sumAll',
    ...matrix,
    bytes: 4 * (rows * columns + 1),
    run: (x: Tensor) => sum(x),
  },
  {
    name: 'softmax 256×1000',
    task: 'softmax',
    inputs: [{ shape: [256, 1000] }],
    bytes: 8 * 256 * 1000,
    run: (x: Tensor) => softmax(x),
  },
];
