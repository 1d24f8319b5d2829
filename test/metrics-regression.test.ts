/** Errors of numbers and R², at once and over batches: against scikit-learn. */

import * as assert from 'uvu/assert';
import { metrics } from '../src/node.ts';
import { suite } from './support/harness.ts';
import { literals, metricCase, warningsOf } from './support/metric-cases.ts';
import { close, rejects } from './support/values.ts';

const test = suite('metrics of numbers');

/** Nine digits in the file. */
const DIGITS = { rel: 6e-9, abs: 1e-9 };

test('200 random cases as in scikit-learn', async () => {
  await warningsOf(async () => {
    for (const [seed, expected] of literals.random.entries()) {
      const { target, guess, weight } = metricCase(seed);
      const own = weight ? { sampleWeight: weight } : {};
      for (const [name, score] of [
        ['mse', metrics.meanSquaredErrorScore],
        ['rmse', metrics.rootMeanSquaredErrorScore],
        ['mae', metrics.meanAbsoluteErrorScore],
        ['r2', metrics.r2Score],
      ] as const) {
        const found = await score(target, guess, own);
        const { [name]: wanted } = expected;
        try {
          close(found, wanted === null ? Number.NaN : (wanted as number), DIGITS);
          if (target[0]?.length === 1) close(await score(target.flat(), guess.flat(), own), found);
        } catch (error) {
          throw new Error(`case ${seed}, ${name}: ${(error as Error).message}`);
        }
      }
    }
  });
});

test('of each output alone', async () => {
  const [t, p] = [
    [
      [1, 2],
      [3, 4],
    ],
    [
      [1, 3],
      [2, 2],
    ],
  ];
  assert.equal(await metrics.meanSquaredErrorScore(t, p, { multiOutput: 'rawValues' }), [0.5, 2.5]);
  assert.equal(await metrics.meanAbsoluteErrorScore(t, p, { multiOutput: 'rawValues' }), [0.5, 1.5]);
});

test('bad input', async () => {
  const t = [1, 2, 3];
  await rejects(
    metrics.meanSquaredErrorScore(t, [1, 2]),
    'shape',
    /meanSquaredErrorScore/,
    /\(3,\)/,
    /\(2,\)/,
  );
  await rejects(
    metrics.r2Score(t, [
      [1, 2],
      [1, 2],
      [1, 2],
    ]),
    'shape',
    /r2Score/,
    /\(3, 2\)/,
  );
  await rejects(metrics.r2Score([], []), 'argument', /r2Score: there are no samples/);
  await rejects(metrics.meanAbsoluteErrorScore(t, [1, Infinity, 2]), 'argument', /Infinity at position 1/);
  await rejects(
    metrics.meanAbsoluteErrorScore(t, t, { multiOutput: 'raw' as 'rawValues' }),
    'argument',
    /'raw'/,
  );
});
