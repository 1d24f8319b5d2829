/** Orthogonal matrices, computed on the host in double precision, so that every device gets the same. */
import { checkNumber } from '../../core/check.ts';
import { ShapeError } from '../../core/errors.ts';
import type { Generator } from '../../core/generator.ts';
import { boxMuller, philox4x32, wordsOf } from '../../core/philox.ts';
import { formatShape, sizeOf } from '../../core/shape.ts';
import { tensor } from '../../ops/create.ts';
import { checkOptions } from '../../ops/options.ts';
import { optionsOf } from '../configurable.ts';
import { checkSeed, type Initializer, initializerOf, type SeedOptions } from './initializer.ts';

/** The columns of a matrix, each in one piece. */
type Columns = readonly Float64Array[];

/** Standard normal numbers, drawn row by row: the same as `randomNormal` draws. */
function normalColumns(rows: number, columns: number, generator: Generator): Columns {
  const { seed, counter } = generator.take(rows * columns);
  const [key0, key1] = wordsOf(seed);
  return Array.from({ length: columns }, (_, column) =>
    Float64Array.from({ length: rows }, (_, row) => {
      const [low, high] = wordsOf(counter + row * columns + column);
      const [word0, word1] = philox4x32(low, high, key0, key1);
      return boxMuller(word0, word1);
    }),
  );
}

/** y ← (1 − 2 v vᵀ) y for four columns y and a unit vector v, whose elements before `from` are 0. */
function reflectFour(
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  d: Float64Array,
  v: Float64Array,
  from: number,
): void {
  let [dotA, dotB, dotC, dotD] = [0, 0, 0, 0];
  for (let i = from; i < v.length; i++) {
    const w = 2 * (v[i] as number);
    dotA += w * (a[i] as number);
    dotB += w * (b[i] as number);
    dotC += w * (c[i] as number);
    dotD += w * (d[i] as number);
  }
  for (let i = from; i < v.length; i++) {
    const w = v[i] as number;
    a[i] = (a[i] as number) - w * dotA;
    b[i] = (b[i] as number) - w * dotB;
    c[i] = (c[i] as number) - w * dotC;
    d[i] = (d[i] as number) - w * dotD;
  }
}

/** The same for all columns from `start` on; four at a time, which halves the time, with `spare`, all 0, where one is missing. */
function reflect(columns: Columns, start: number, v: Float64Array, from: number, spare: Float64Array): void {
  for (let j = start; j < columns.length; j += 4) {
    const { [j]: a = spare, [j + 1]: b = spare, [j + 2]: c = spare, [j + 3]: d = spare } = columns;
    reflectFour(a, b, c, d, v, from);
  }
}

/** The length of a vector without its first elements. */
function lengthFrom(vector: Float64Array, from: number): number {
  let squares = 0;
  for (let i = from; i < vector.length; i++) squares += (vector[i] as number) ** 2;
  return Math.sqrt(squares);
}

/**
 * Turns column k into the unit vector v whose reflection maps its part from row k on to r times the k-th unit vector, and
 * returns the sign of r. It is opposite to that of the element, so that v has no cancellation.
 */
function toReflector(column: Float64Array, k: number): number {
  const norm = lengthFrom(column, k);
  const first = column[k] as number;
  const sign = first > 0 ? -1 : 1;
  column.fill(0, 0, k);
  column[k] = norm === 0 ? 1 : first - sign * norm;
  const length = lengthFrom(column, k);
  for (let i = k; i < column.length; i++) column[i] = (column[i] as number) / length;
  return sign;
}

/**
 * The factor Q of the QR decomposition of a matrix with at least as many rows as columns, by Householder's reflections, with
 * the signs for which R has a positive diagonal. Of normal numbers, such a Q is uniform among all: Mezzadri, "How to Generate
 * Random Matrices from the Classical Compact Groups" (2007). The matrix is overwritten.
 */
function orthonormal(matrix: Columns): Columns {
  const spare = new Float64Array(matrix[0]?.length ?? 0);
  const signs = matrix.map((column, k) => {
    const sign = toReflector(column, k);
    reflect(matrix, k + 1, column, k, spare);
    return sign;
  });
  // Q is the product of the reflections, applied to the first columns of the identity from the last to the first. Those
  // before k are 0 from row k on, where reflection k would leave them as they are.
  const q = signs.map((sign, k) => {
    const column = new Float64Array(spare.length);
    column[k] = sign;
    return column;
  });
  for (let k = matrix.length - 1; k >= 0; k--) reflect(q, k, matrix[k] as Float64Array, k, spare);
  return q;
}

export interface OrthogonalOptions extends SeedOptions {
  /** What the matrix is multiplied by. Default: 1. */
  gain?: number;
}

/**
 * A matrix with orthonormal columns, or rows where there are fewer of them, times `gain`, uniform among all such matrices:
 * `orthogonal()`, `orthogonal(2)` or `orthogonal({ gain: 2, seed: 1 })`. All axes but the last count as rows.
 *
 * The host computes it, in some 4 · rows · columns · min(rows, columns) operations. Saxe et al., "Exact solutions to the
 * nonlinear dynamics of learning in deep linear neural networks" (2014).
 *
 * @throws ArgumentError unless the gain is a finite number; when called, ShapeError for a rank below 2.
 */
export function orthogonal(options: number | OrthogonalOptions = {}): Initializer {
  const op = 'orthogonal';
  const given = optionsOf(options, 'gain');
  checkOptions(op, given, ['gain', 'seed'], '');
  const { gain = 1, seed } = given;
  checkNumber(op, 'gain', gain);
  checkSeed(op, given);
  return initializerOf(op, { gain, seed }, (shape, { device, generator }) => {
    const columns = shape.at(-1);
    if (columns === undefined || shape.length < 2) {
      throw new ShapeError(
        `${op}: shape ${formatShape(shape)} is of rank ${shape.length}; it takes at least a matrix, so choose another ` +
          `initializer here.`,
      );
    }
    const rows = sizeOf(shape.slice(0, -1));
    const isTall = rows >= columns;
    const q = orthonormal(normalColumns(Math.max(rows, columns), Math.min(rows, columns), generator));
    const values = new Float64Array(rows * columns);
    q.forEach((vector, k) => {
      for (const [i, value] of vector.entries())
        values[isTall ? i * columns + k : k * columns + i] = gain * value;
    });
    return tensor(values, { device, shape });
  });
}
