/** Random numbers. */
import { randomNormal } from '../../src/node.ts';
import type { BenchCase } from './case.ts';

export const randomCases: readonly BenchCase[] = [
  {
    name: 'random normal 1 M',
    task: 'randomNormal',
    inputs: [],
    bytes: 4_000_000,
    comparable: false,
    run: () => randomNormal([1_000_000]),
  },
];
