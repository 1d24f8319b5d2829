/** Fuzz cases for Cholesky factors and for systems of equations. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import {
  choleskyKernel,
  type SolveAttrs,
  solveKernel,
  type TriangularAttrs,
  triangularKernel,
} from '../../kernels/linalg.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { uniforms } from '../support/random.ts';

/** Half an ulp of 1 in float32. */
const U = 2 ** -24;

const rows = fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 31, 32, 33, 63, 64);
const columns = fc.constantFrom(0, 1, 1, 2, 3, 7, 65, 130);
const batches = fc.constantFrom<readonly number[]>([], [], [1], [3], [2, 2], [0]);

const floats = (shape: readonly number[], value: (index: number) => number): HostTensor => ({
  shape,
  dtype: 'float32',
  data: Float32Array.from({ length: sizeOf(shape) }, (_, index) => value(index)),
});

/** What is done to the first matrix. */
type Flaw = 'none' | 'zero' | 'NaN' | 'infinite';
const flaws = fc.constantFrom<Flaw>('none', 'none', 'none', 'zero', 'NaN', 'infinite');
const flawed = (flaw: Flaw): number => (flaw === 'zero' ? 0 : flaw === 'NaN' ? Number.NaN : Infinity);

/**
 * Symmetric matrices with n on the diagonal and numbers below 1 beside it: eigenvalues between 0.4 n and 1.6 n for
 * random signs, so the condition is below 4 and rounding errors stay near those of the sums of n products.
 */
const choleskyCase = fc
  .record({ batch: batches, n: rows, flaw: flaws, seed: fc.nat() })
  .map(({ batch, n, flaw, seed }): FuzzCase<undefined> => {
    const next = uniforms(seed);
    const a = floats([...batch, n, n], (index) => {
      const onDiagonal = index % n === Math.floor(index / n) % n;
      return onDiagonal ? n + 1 + next() : next() - 0.5;
    });
    const k = Math.floor(next() * n);
    // A zero diagonal element leaves a pivot of 0 or less.
    if (flaw !== 'none' && a.data.length > 0) a.data[k * n + k] = flawed(flaw);
    return { inputs: [a], attrs: undefined, abs: 16 * U * Math.sqrt(n + 2), rel: 16 * U };
  });

/** Rows whose sum of magnitudes beside the large element is below it: the condition is below 4, the growth below 2. */
function wellConditioned(
  shape: readonly number[],
  n: number,
  place: (row: number) => number,
  next: () => number,
): HostTensor {
  return floats(shape, (index) => {
    const row = Math.floor(index / n) % n;
    if (index % n === place(row)) return (next() < 0.5 ? -1 : 1) * (1 + next());
    return (next() - 0.5) / n;
  });
}

/** x is below 4·|b|, which lies below 1; the error is that of n subtractions, twice, times the condition. */
const tolerance = (n: number): number => 32 * U * (n + 4);

/** Only the triangle that is read is well conditioned; the other one holds large numbers. */
const triangularCase = fc
  .record({
    batch: batches,
    n: rows,
    m: columns,
    flaw: flaws,
    lower: fc.boolean(),
    transpose: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({ batch, n, m, flaw, lower, transpose, seed }): FuzzCase<TriangularAttrs> => {
    const next = uniforms(seed);
    const a = wellConditioned([...batch, n, n], n, (row) => row, next);
    a.data.forEach((_, index) => {
      const row = Math.floor(index / n) % n;
      const column = index % n;
      if (lower ? column > row : column < row) a.data[index] = 1e6;
    });
    const k = Math.floor(next() * n);
    if (flaw !== 'none' && a.data.length > 0) a.data[k * n + k] = flawed(flaw);
    const b = floats([...batch, n, m], () => 2 * next() - 1);
    return { inputs: [a, b], attrs: { lower, transpose }, abs: tolerance(n), rel: 0 };
  });

/** The large elements stand in a shuffled order of columns, so that the pivoting must exchange rows. */
const solveCase = fc
  .record({
    batch: batches,
    n: rows,
    m: columns,
    flaw: flaws,
    step: fc.constantFrom(0, 1, 3),
    transpose: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({ batch, n, m, flaw, step, transpose, seed }): FuzzCase<SolveAttrs> => {
    const next = uniforms(seed);
    const a = wellConditioned(
      [...batch, n, n],
      n,
      (row) => (step === 0 ? n - 1 - row : (row + step) % n),
      next,
    );
    const k = Math.floor(next() * n);
    if (flaw === 'zero') {
      // A row or a column of zeros, whichever becomes a column, stays exactly 0 through all eliminations.
      for (let i = 0; i < n && a.data.length > 0; i++) a.data[transpose ? k * n + i : i * n + k] = 0;
    } else if (flaw !== 'none' && a.data.length > 0) {
      a.data[k * n + Math.floor(next() * n)] = flawed(flaw);
    }
    const b = floats([...batch, n, m], () => 2 * next() - 1);
    return { inputs: [a, b], attrs: { transpose }, abs: tolerance(n), rel: 0 };
  });

export const families = [
  family('cholesky', choleskyKernel, choleskyCase),
  family('triangular systems', triangularKernel, triangularCase),
  family('solve', solveKernel, solveCase),
];
