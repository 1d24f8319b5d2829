/** NaN and infinities on the host: found at the first place, whatever the shape, and named as a reader would look for them. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { HostArray } from '../src/core/dtype.ts';
import { assertFinite } from '../src/data/finite.ts';
import { data } from '../src/node.ts';
import { isLong, seed, suite } from './support/harness.ts';
import { fails } from './support/values.ts';

const test = suite('data, finite');

const column = (values: HostArray, shape: readonly number[], dtype: data.Column['dtype']): data.Column => ({
  data: values,
  shape,
  dtype,
});

const float = (shape: readonly number[], ...bad: [at: number, value: number][]): data.Column => {
  const values = new Float64Array(shape.reduce((size, extent) => size * extent, 1)).fill(0.5);
  for (const [at, value] of bad) values[at] = value;
  return column(values, shape, 'float64');
};

test('the message names row, column and what the column is called', () => {
  const names = ['acid', 'sugar', 'salt', 'alcohol'];
  const cases: [call: () => unknown, message: RegExp][] = [
    [
      () => assertFinite('fit: x', float([20, 4], [71, Number.NaN]), names),
      /^fit: x: NaN at row 17, column 3 \('alcohol'\)\. Mend/,
    ],
    [() => assertFinite('fit: x', float([20, 4], [71, Infinity])), /^fit: x: Infinity at row 17, column 3\./],
    [() => assertFinite('fit: x', float([20, 5], [99, -Infinity]), names), /-Infinity at row 19, column 4\./],
    [() => assertFinite('fit: y', float([20], [17, Number.NaN])), /^fit: y: NaN at row 17\./],
    [
      () => assertFinite('x', float([2, 3, 4, 2], [24 + 13, Number.NaN])),
      /NaN at row 1, place \[1, 2, 1\]\./,
    ],
    [
      () => assertFinite('x', float([2, 3, 4], [23, Number.NaN]), names),
      /row 1, place \[2, 3\] \('alcohol'\)\./,
    ],
    [() => assertFinite('x', float([], [0, Number.NaN])), /^x: NaN where one number was given\./],
    [
      () => assertFinite('x', float([5, 2], [7, Number.NaN], [3, Infinity], [9, Number.NaN])),
      /Infinity at row 1, column 1\./,
    ],
    [
      () => assertFinite('x', column(Float32Array.of(1, 3.5e38, 2), [3], 'float32')), // Beyond float32.
      /Infinity at row 1\./,
    ],
  ];
  for (const [call, message] of cases) fails(call, 'argument', message);
});

test('finite floats and everything else pass', () => {
  assertFinite(
    'x',
    float([4, 2], [0, Number.MAX_VALUE], [1, -Number.MAX_VALUE], [2, -0], [3, Number.MIN_VALUE]),
  );
  assertFinite('x', float([0, 3]));
  assertFinite('x', float([3, 0]));
  assertFinite('x', float([]));
  assertFinite('y', column(Int32Array.of(-2147483648, 2147483647), [2], 'int32'));
  assertFinite('y', column(Uint8Array.of(255, 0), [2], 'uint8'));
  assertFinite('y', column(Uint32Array.of(1, 0), [2], 'bool'));
});

test('the first one is found in any shape, in float32 and float64', () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(
      shapes.chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.integer({ min: 0, max: shape.reduce((size, extent) => size * extent, 1) - 1 }),
        ),
      ),
      fc.constantFrom(Number.NaN, Infinity, -Infinity),
      fc.boolean(),
      ([shape, at], value, single) => {
        const { data: values } = float(shape, [at, value]);
        const x = single
          ? column(Float32Array.from(values), shape, 'float32')
          : column(values, shape, 'float64');
        let message = '';
        try {
          assertFinite('x', x);
        } catch (error) {
          message = (error as Error).message;
        }
        const [row, ...place] = (/row .*?\./.exec(message)?.[0].match(/\d+/g) ?? []).map(Number);
        assert.ok(message.startsWith(`x: ${value} at row`), message);
        const found = [row as number, ...place].reduce(
          (sum, index, axis) => sum * (shape[axis] as number) + index,
          0,
        );
        assert.is(found, at, message);
      },
    ),
    { seed, numRuns: isLong ? 1000 : 100 },
  );
});

test('fromArrays looks where it is told to', () => {
  const x = [
    [1, 2],
    [3, Number.NaN],
  ];
  assert.is(data.fromArrays({ x }).size, 2);
  assert.is(data.fromArrays({ x }, { check: false }).size, 2);
  fails(
    () => data.fromArrays({ y: Int32Array.of(1, 2), x }, { check: true }),
    'argument',
    /^fromArrays: x: NaN at row 1, column 1\./,
  );
});
