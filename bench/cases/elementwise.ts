/** Elementwise ops: alone, in a chain, with broadcasting, and on four elements, where only the dispatch costs. */
import {
  add,
  cast,
  full,
  mul,
  neg,
  sigmoid,
  sqrt,
  square,
  sub,
  type Tensor,
  tanh,
  where,
} from '../../src/node.ts';
import type { BenchCase } from './case.ts';

const MILLION = 1_000_000;
const million = { shape: [MILLION] };

/** Ten ops; the peers write the same chain in their own words. */
function chain(x: Tensor): Tensor {
  let y = x;
  const then = (next: Tensor): void => {
    if (y !== x) y.dispose();
    y = next;
  };
  then(mul(y, 0.9));
  then(add(y, 0.1));
  then(tanh(y));
  then(square(y));
  then(add(y, 1));
  then(sqrt(y));
  then(neg(y));
  then(sigmoid(y));
  then(mul(y, x));
  then(sub(y, 0.5));
  return y;
}

export const elementwiseCases: readonly BenchCase[] = [
  {
    name: 'add 1 M',
    task: 'add',
    inputs: [million, million],
    bytes: 12 * MILLION,
    run: (a: Tensor, b: Tensor) => add(a, b),
  },
  {
    name: 'add 1000×1000 + 1000',
    task: 'add',
    inputs: [{ shape: [1000, 1000] }, { shape: [1000] }],
    bytes: 8 * MILLION + 4000,
    run: (a: Tensor, b: Tensor) => add(a, b),
  },
  { name: 'chain of ten, 1 M', task: 'chain', inputs: [million], bytes: 8 * MILLION, run: chain },
  {
    name: 'where 1 M',
    task: 'where',
    inputs: [{ ...million, bool: true }, million, million],
    bytes: 16 * MILLION,
    run: (condition: Tensor, a: Tensor, b: Tensor) => where(condition, a, b),
  },
  {
    name: 'cast 1 M to int32',
    task: 'toInt',
    inputs: [million],
    bytes: 8 * MILLION,
    run: (x: Tensor) => cast(x, 'int32'),
  },
  {
    name: 'fill 1 M',
    task: 'fill',
    inputs: [],
    bytes: 4 * MILLION,
    run: () => full([MILLION], 0.5),
  },
  {
    name: 'add 4 (dispatch cost)',
    task: 'add',
    inputs: [{ shape: [4] }, { shape: [4] }],
    run: (a: Tensor, b: Tensor) => add(a, b),
  },
];
