/** The comparison that the tests rely on: what it must not let pass. */
import * as assert from 'uvu/assert';
import { suite } from './support/harness.ts';
import { close } from './support/values.ts';

const test = suite('values');
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

const passes: readonly Parameters<typeof close>[] = [
  [1 + 5e-7, 1],
  [1e-20 * (1 + 5e-7), 1e-20],
  [
    [nan, inf],
    [nan, inf],
  ],
  [0, 1e-39],
  [-0, 0],
  [
    [[1], [2]],
    [[1], [2]],
  ],
  [[true], [true]],
  [1e-7, 0, { abs: 1e-6 }],
  [1.01, 1, 0.02],
];

const refused: readonly Parameters<typeof close>[] = [
  [1 + 2e-6, 1],
  [0, 1e-20],
  [2e-20, 1e-20],
  [1e-7, 0],
  [1e-39, 0],
  [nan, 1, 1],
  [1, nan, 1],
  [inf, 1, 1],
  [1, inf, 1],
  [-inf, inf, 1],
  [-0, 0, { signedZeros: true }],
  [[1], 1],
  [[1, 2], [[1, 2]]],
  [
    [[1, 2], [3]],
    [
      [1, 2],
      [3, 4],
    ],
  ],
  [[], [0]],
  [1, true],
  [[false], [true]],
];

const shown = (args: unknown): string =>
  JSON.stringify(args, (_, v) => (typeof v === 'number' ? String(v) : v));

test('close accepts what is close', () => {
  for (const args of passes) assert.not.throws(() => close(...args), shown(args));
});

test('close refuses wrong numbers, small ones too, other shapes and other kinds of elements', () => {
  for (const args of refused) {
    let message = '';
    try {
      close(...args);
    } catch (error) {
      message = (error as Error).message;
    }
    assert.match(message, /^result/, `not refused: ${shown(args)}`);
  }
});
