/** Fuzz cases for the search for NaN and infinities. */
import fc from 'fast-check';
import { checkFiniteKernel } from '../../kernels/check-finite.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';
import { shapes } from './reduce.ts';

/** Lengths around vectors, runs and workgroups, and several of those. */
const lengths = fc.constantFrom([3], [4], [127], [128], [129], [511], [2049], [3, 2048], [40_001]);

/** The largest finite numbers and −0 are innocent. */
const INNOCENT = [3.4028234e38, -3.4028234e38, -0];

const cases = fc
  .record({
    shape: fc.oneof(shapes, lengths),
    specials: fc.constantFrom<number[]>(
      [],
      [Number.NaN],
      [Infinity],
      [-Infinity],
      [-Infinity, Number.NaN],
      [Infinity, -Infinity, Number.NaN],
    ),
    // Free, or claimed by an earlier check.
    record: fc.constantFrom([0, 0, 0], [0, 0, 0], [0, 0, 0], [5, 1, 3]),
    check: fc.constantFrom(1, 7, 2 ** 31 - 1),
    seed: fc.nat(),
  })
  .map(({ shape, specials, record, check, seed }) => {
    const next = uniforms(seed);
    const data = Float32Array.from({ length: sizeOf(shape) }, () => 20 * next() - 10);
    plant(data, [...INNOCENT, ...specials], next);
    return {
      inputs: [{ shape, dtype: 'float32' as const, data }],
      targets: [{ shape: [3], dtype: 'int32' as const, data: Int32Array.from(record) }],
      attrs: { check },
      abs: 0,
      rel: 0,
    };
  });

export const families = [family('checkFinite', checkFiniteKernel, cases)];
