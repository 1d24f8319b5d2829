/** Curves and areas of scores, and log loss: against scikit-learn, where they are undefined, and what they refuse. */
import * as assert from 'uvu/assert';
import { metrics, softmax, tensor } from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { literals, metricCase, nanForNull, warningsOf } from './support/metric-cases.ts';
import { close, rejects } from './support/values.ts';

const test = suite('metrics of scores');

/** Nine digits in the file. */
const DIGITS = { rel: 6e-9, abs: 1e-9 };
const AVERAGES = ['macro', 'micro', 'weighted', null] as const;

test('200 random cases as in scikit-learn', async () => {
  await warningsOf(async () => {
    for (const [seed, expected] of literals.random.entries()) {
      const { classes: k, binary, score, labels, shares, weight } = metricCase(seed);
      const two = weight ? { sampleWeight: weight } : {};
      const own = { ...two, average: AVERAGES[seed % 4] as 'macro' };
      const oneColumn = shares.map((row) => row[1] as number);
      const calls: Record<string, () => Promise<unknown>> = {
        auc: () => metrics.rocAucScore(binary, score, two),
        ap: () => metrics.averagePrecisionScore(binary, score, two),
        logLoss2: () => metrics.logLoss(binary, score, two),
        logLoss: () => metrics.logLoss(labels, shares, two),
        topK: () =>
          k > 2
            ? metrics.topKAccuracyScore(labels, shares, { ...two, k: 1 + (seed % 2) })
            : metrics.topKAccuracyScore(labels, oneColumn, { ...two, k: 1 }),
        ovo: () =>
          metrics.rocAucScore(labels, shares, {
            multiClass: 'ovo',
            average: (['macro', 'weighted'] as const)[seed % 2] as 'macro',
          }),
        ovr: () => metrics.rocAucScore(labels, shares, own),
        apMany: () => metrics.averagePrecisionScore(labels, shares, own),
        roc: async () => {
          const curve = await metrics.rocCurve(binary, score, { ...two, dropIntermediate: seed % 50 === 0 });
          assert.is(curve.thresholds.shift(), Infinity);
          return [curve.fpr, curve.tpr, curve.thresholds];
        },
        pr: async () => Object.values(await metrics.precisionRecallCurve(binary, score, two)),
      };
      for (const [name, call] of Object.entries(calls)) {
        if (expected[name] === undefined) continue;
        try {
          close((await call()) as number, nanForNull(expected[name]) as number, DIGITS);
        } catch (error) {
          throw new Error(`case ${seed}, ${name}: ${(error as Error).message}`);
        }
      }
    }
  });
});

test('an area is the chance that a positive scores higher; the trapezoids of the curve give it, too', async () => {
  const { binary, score } = metricCase(5);
  const { fpr, tpr } = await metrics.rocCurve(binary, score);
  const area = fpr.reduce(
    (sum, x, i) =>
      sum + (i && ((x - (fpr[i - 1] as number)) * ((tpr[i] as number) + (tpr[i - 1] as number))) / 2),
    0,
  );
  let [above, pairs] = [0, 0];
  binary.forEach((a, i) => {
    binary.forEach((b, j) => {
      if (a !== 1 || b !== 0) return;
      pairs++;
      above += ((Math.sign((score[i] as number) - (score[j] as number)) as number) + 1) / 2;
    });
  });
  close(await metrics.rocAucScore(binary, score), above / pairs);
  close(area, above / pairs);
});

test('a float32 softmax is a row of probabilities', async () => {
  await testDevice();
  const logits = tensor([
    [1, 2, 3],
    [3, 0.5, 1],
    [0.1, 0.2, 0.1],
  ]);
  const shares = softmax(logits);
  assert.is(await metrics.rocAucScore([2, 0, 1], shares), 1);
  const loss = (own: number, ...others: number[]): number =>
    Math.log(others.reduce((sum, other) => sum + Math.exp(other - own), 1));
  const expected = (loss(3, 1, 2) + loss(3, 0.5, 1) + loss(0.2, 0.1, 0.1)) / 3;
  close(await metrics.logLoss([2, 0, 1], shares), expected, 1e-6);
  for (const own of [logits, shares]) own.dispose();
});

test('log loss cuts by the float of the probabilities', async () => {
  close(await metrics.logLoss([1, 0], Float32Array.of(0, 0)), -Math.log(2 ** -23) / 2, 1e-6);
  close(await metrics.logLoss([1, 0], [0, 0]), -Math.log(2 ** -52) / 2, 1e-6);
});

test('what is undefined is told once', async () => {
  const rows = [
    [0.5, 0.25, 0.25],
    [0.25, 0.5, 0.25],
  ];
  const cases = [
    [() => metrics.rocAucScore([1, 1], [0.5, 0.25]), /rocAucScore: /],
    [() => metrics.rocAucScore([0, 1], rows), /rocAucScore: .*of class 2; the score there is set to NaN/],
    [() => metrics.rocAucScore([1, 1], rows, { multiClass: 'ovo' }), /rocAucScore: only one class/],
    [() => metrics.averagePrecisionScore([0, 0], [0.5, 0.25]), /averagePrecisionScore: .*set to 0/],
    [() => metrics.averagePrecisionScore([0, 1], rows), /averagePrecisionScore: .*of class 2/],
    [() => metrics.rocCurve([1, 1], [0.5, 0.25]), /rocCurve: no sample of yTrue is negative; fpr is NaN/],
    [() => metrics.rocCurve([0, 0], [0.5, 0.25]), /rocCurve: .*positive; tpr is NaN/],
    [() => metrics.precisionRecallCurve([0, 0], [0.5, 0.25]), /precisionRecallCurve: /],
    [() => metrics.topKAccuracyScore([0, 1], rows, { k: 3 }), /topKAccuracyScore: k = 3/],
  ] as const;
  for (const [call, message] of cases) {
    const warnings = await warningsOf(call);
    assert.is(warnings.length, 1, String(message));
    assert.match(warnings[0] as string, message);
  }
  await warningsOf(async () => {
    assert.ok(Number.isNaN(await metrics.rocAucScore([0, 1], rows)));
    // The class that never occurs has no weight.
    assert.is(await metrics.rocAucScore([0, 1], rows, { average: 'weighted' }), 1);
  });
});

test('bad input', async () => {
  const [labels, scores] = [
    [0, 1, 1],
    [0.25, 0.5, 1],
  ];
  const rows = [
    [1, 2, 3],
    [1, 2, 3],
    [1, 2, 3],
  ];
  await rejects(metrics.rocCurve(labels, [0.5]), 'shape', /rocCurve/, /\(3,\)/, /\(1,\)/);
  await rejects(metrics.rocCurve(labels, [0, Number.NaN, 1]), 'argument', /yScore holds NaN at position 1/);
  await rejects(metrics.rocCurve([0, 2, 1], scores), 'argument', /label 2/, /0 to 1/);
  await rejects(metrics.rocCurve([], []), 'argument', /rocCurve: there are no samples/);
  await rejects(metrics.rocCurve(labels, rows), 'shape', /rocCurve/, /\(3, 3\)/);
  await rejects(metrics.rocAucScore(labels, rows), 'argument', /row 0/, /sums to 6/, /softmax/);
  await rejects(metrics.rocAucScore([0, 1, 3], rows), 'argument', /label 3/, /0 to 2/);
  await rejects(metrics.rocAucScore(labels, scores, { multiClass: 'all' as 'ovr' }), 'argument', /'all'/);
  await rejects(
    metrics.rocAucScore(labels, rows, { multiClass: 'ovo', sampleWeight: [1, 1, 1] }),
    'argument',
    /ovo/,
    /sampleWeight/,
  );
  await rejects(
    metrics.rocAucScore(labels, rows, { multiClass: 'ovo', average: 'micro' }),
    'argument',
    /average is 'micro'/,
  );
  await rejects(metrics.averagePrecisionScore([], []), 'argument', /averagePrecisionScore/);
  await rejects(metrics.logLoss(labels, [0, 2, 1]), 'argument', /logLoss/, /2 at position 1/, /softmax/);
  await rejects(metrics.logLoss([0, 1, 2], scores), 'argument', /logLoss/, /label 2/);
  await rejects(metrics.topKAccuracyScore(labels, rows, { k: 0 }), 'argument', /k is 0/);
  await rejects(
    metrics.rocCurve(labels, scores, { dropIntermediate: 1 as unknown as boolean }),
    'argument',
    /dropI/,
  );
});
