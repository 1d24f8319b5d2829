/** Metrics of labels, at once: against scikit-learn, where they are undefined, and what they refuse. */
import * as assert from 'uvu/assert';
import { metrics, tensor } from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { literals, metricCase, nanForNull, warningsOf } from './support/metric-cases.ts';
import { close, rejects } from './support/values.ts';

const test = suite('metrics of labels');

/** Nine digits in the file. */
const DIGITS = { rel: 6e-9, abs: 1e-9 };
const AVERAGES = ['macro', 'micro', 'weighted', null] as const;
const NORMALIZE = ['true', 'pred', 'all', null] as const;
const BETAS = [0.5, 2, 1.5] as const;
const KAPPA = ['linear', 'quadratic', null] as const;

type Score = (t: unknown, p: unknown, options?: object) => Promise<number | number[]>;

test('200 random cases as in scikit-learn', async () => {
  const warnings = await warningsOf(async () => {
    for (const [seed, expected] of literals.random.entries()) {
      const { classes: k, binary, score, labels, predicted, weight } = metricCase(seed);
      const yes = score.map((s) => (s > 0.5 ? 1 : 0));
      const [average, beta] = [AVERAGES[seed % 4], BETAS[seed % 3]];
      const weights = weight && { sampleWeight: weight };
      const given = seed % 2 ? { classes: k } : {};
      const two = { ...weights };
      const own = { average, ...given, ...weights };
      const m = metrics as unknown as Record<string, Score>;
      const calls: Record<string, Promise<unknown> | undefined> = {
        precision2: m.precisionScore?.(binary, yes, two),
        recall2: m.recallScore?.(binary, yes, two),
        specificity2: m.specificityScore?.(binary, yes, two),
        f12: m.f1Score?.(binary, yes, two),
        fbeta2: m.fbetaScore?.(binary, yes, { ...two, beta }),
        precision: m.precisionScore?.(labels, predicted, own),
        recall: m.recallScore?.(labels, predicted, own),
        specificity: m.specificityScore?.(labels, predicted, own),
        f1: m.f1Score?.(labels, predicted, own),
        fbeta: m.fbetaScore?.(labels, predicted, { ...own, beta }),
        confusion: m.confusionMatrix?.(labels, predicted, {
          ...given,
          ...weights,
          normalize: NORMALIZE[seed % 4],
        }),
        accuracy: m.accuracyScore?.(labels, predicted, two),
        kappa: m.cohenKappaScore?.(labels, predicted, { ...given, ...weights, weights: KAPPA[seed % 3] }),
        matthews: m.matthewsCorrcoef?.(labels, predicted, two),
      };
      for (const [name, call] of Object.entries(calls)) {
        try {
          close((await call) as number, nanForNull(expected[name]) as number, DIGITS);
        } catch (error) {
          throw new Error(`case ${seed}, ${name}: ${(error as Error).message}`);
        }
      }
      if (expected.report === undefined) continue;
      const report = await metrics.classificationReport(labels, predicted, {
        ...given,
        ...weights,
        digits: 2 + (seed % 3),
      });
      assert.is(report, expected.report, `case ${seed}`);
    }
  });
  for (const warning of warnings) assert.match(warning, /^wgrad: \w+: /);
});

test('edge cases as in scikit-learn, with one warning each where they are undefined', async () => {
  for (const { name, args, options, result, note } of literals.edges) {
    const call = (metrics as unknown as Record<string, Score>)[name] as Score;
    let found: unknown;
    const title = `${name} ${JSON.stringify(args)} ${JSON.stringify(options)} ${note ?? ''}`;
    const warnings = await warningsOf(async () => {
      found = await call(args[0], args[1], options);
    });
    assert.ok(warnings.length <= 1, `${title}: ${warnings.length} warnings`);
    for (const warning of warnings) assert.match(warning, new RegExp(`^wgrad: ${name}: `));
    if ('zeroDivision' in options) assert.is(warnings.length, 0, title);
    if (result === null) assert.is(warnings.length, 1, title);
    try {
      if (typeof result === 'string') assert.is(found, result);
      else if (typeof found === 'object' && !Array.isArray(found))
        close(Object.values(found as object), nanForNull(result) as number[], DIGITS);
      else close(found as number, nanForNull(result) as number, DIGITS);
    } catch (error) {
      throw new Error(`${title}: ${(error as Error).message}`);
    }
  }
});

test('textbook: TP 5, FN 10 is a recall of 1/3; TP 5, FP 20 a precision of 1/5', async () => {
  const count = (...parts: readonly [value: number, times: number][]): number[] =>
    parts.flatMap(([value, times]) => Array<number>(times).fill(value));
  const missed = [count([1, 15], [0, 7]), count([1, 5], [0, 10], [0, 7])] as const;
  assert.is(await metrics.recallScore(...missed), 1 / 3);
  const alarms = [count([1, 5], [0, 20]), count([1, 25])] as const;
  assert.is(await metrics.precisionScore(...alarms), 1 / 5);
  assert.equal(await metrics.confusionMatrix(...missed), [
    [7, 0],
    [10, 5],
  ]);
});

test('what is undefined is told once, with the metric and the class', async () => {
  const cases = [
    [() => metrics.precisionScore([1, 1], [0, 0]), /precisionScore: there are no predicted samples/],
    [() => metrics.recallScore([0, 0], [1, 0]), /recallScore: there are no true samples/],
    [() => metrics.specificityScore([1, 1], [1, 0]), /specificityScore: .*other classes/],
    [() => metrics.f1Score([0, 0], [0, 0]), /f1Score: .*true or predicted/],
    [
      () => metrics.recallScore([0, 1], [2, 3], { average: 'macro' }),
      /recallScore: there are no true samples of class 2, 3/,
    ],
    [
      () => metrics.precisionScore([], [], { average: 'macro' }),
      /precisionScore: there are no samples.* NaN/,
    ],
    [() => metrics.accuracyScore([], []), /accuracyScore: there are no samples/],
    [() => metrics.cohenKappaScore([1], [1]), /cohenKappaScore: all samples are of one class/],
    [() => metrics.matthewsCorrcoef([1, 1], [1, 0]), /matthewsCorrcoef: /],
    [() => metrics.classificationReport([0, 1], [0, 0]), /classificationReport: class 1 is never/],
  ] as const;
  for (const [call, message] of cases) {
    const warnings = await warningsOf(call);
    assert.is(warnings.length, 1, String(message));
    assert.match(warnings[0] as string, message);
  }
  // Where nothing is undefined, nothing is said.
  assert.equal(await warningsOf(() => metrics.precisionScore([0, 1], [1, 1])), []);
});

test('no samples give what scikit-learn gives', async () => {
  await warningsOf(async () => {
    assert.is(await metrics.precisionScore([], []), 0);
    assert.is(await metrics.recallScore([], [], { average: 'micro' }), 0);
    assert.ok(Number.isNaN(await metrics.f1Score([], [], { average: 'macro' })));
    assert.equal(await metrics.recallScore([], [], { average: null, classes: 2 }), [0, 0]);
    assert.ok(Number.isNaN(await metrics.accuracyScore([], [])));
    assert.is(await metrics.matthewsCorrcoef([], []), 0);
  });
  assert.equal(await metrics.confusionMatrix([], []), []);
  assert.equal(await metrics.confusionMatrix([], [], { classes: 2 }), [
    [0, 0],
    [0, 0],
  ]);
});

test('tensors of any dtype, typed arrays and columns are read', async () => {
  await testDevice();
  const own = [
    tensor(Int32Array.of(0, 1, 1, 1)),
    tensor([false, true, true, true]),
    tensor(Uint8Array.of(0, 1, 1, 1), { dtype: 'uint8' }),
    tensor([[0], [1], [1], [1]]),
  ];
  const predicted = tensor([0, 1, 0, 1]);
  for (const labels of [...own, Int32Array.of(0, 1, 1, 1), [false, true, true, true], [[0], [1], [1], [1]]])
    close(await metrics.recallScore(labels, predicted), 2 / 3);
  close(await metrics.recallScore([0, 1, 1], [0, 1, 0], { sampleWeight: Float32Array.of(1, 3, 1) }), 0.75);
  for (const labels of [...own, predicted]) labels.dispose();
});

test('the report as an object', async () => {
  const report = await metrics.classificationReport([0, 1, 1, 1], [0, 1, 0, 1], {
    outputDict: true,
    targetNames: ['cat', 'dog'],
  });
  assert.equal(Object.keys(report.classes), ['cat', 'dog']);
  const { cat, dog } = report.classes as Record<'cat' | 'dog', metrics.ReportRow>;
  assert.equal(cat, { precision: 0.5, recall: 1, f1Score: 2 / 3, support: 1 });
  close([dog.precision, dog.recall, dog.support], [1, 2 / 3, 3]);
  assert.is(report.accuracy, 0.75);
  close(report.macroAvg.precision, 0.75);
  close(report.weightedAvg.precision, 0.875);
  const some = await metrics.classificationReport([0, 1], [0, 1], {
    outputDict: true,
    classes: 3,
    zeroDivision: 0,
  });
  assert.is(some.accuracy, undefined);
  assert.is(some.microAvg?.recall, 1);
});

test('the confusion matrix as text', () => {
  assert.is(
    metrics.confusionMatrixText(
      [
        [10, 0],
        [0.5, 3],
      ],
      ['cat', 'dog'],
    ),
    'true \\ predicted   cat   dog\n             cat    10     0\n             dog  0.50     3',
  );
});

test('bad input', async () => {
  const labels = [0, 1, 1];
  await rejects(metrics.precisionScore(labels, [0, 1]), 'shape', /precisionScore/, /\(3,\)/, /\(2,\)/);
  await rejects(metrics.recallScore(labels, [0.2, 0.7, 0.9]), 'argument', /recallScore/, /0\.2/, /threshold/);
  await rejects(metrics.recallScore([0, -1, 1], labels), 'argument', /-1 at position 1/);
  await rejects(metrics.confusionMatrix(labels, [0, 3, 1], { classes: 3 }), 'argument', /label 3/, /0 to 2/);
  await rejects(metrics.f1Score([0, 1, 2], labels), 'argument', /'binary'/, /macro/);
  await rejects(metrics.f1Score(labels, [0, Number.NaN, 1]), 'argument', /NaN/);
  await rejects(
    metrics.f1Score(labels, [
      [0, 1],
      [0, 1],
      [1, 0],
    ]),
    'shape',
    /argMax/,
  );
  await rejects(metrics.f1Score([[0, 1], [1]] as number[][], labels), 'shape', /ragged/);
  await rejects(metrics.f1Score(labels, ['0', '1', '1'] as unknown as number[]), 'dtype', /'0'/);
  await rejects(metrics.f1Score(3 as unknown as number[], labels), 'argument', /yTrue is 3/);
  await rejects(metrics.f1Score(labels, labels, { sampleWeight: [1, 1] }), 'shape', /sampleWeight/);
  await rejects(metrics.f1Score(labels, labels, { sampleWeight: [1, -1, 1] }), 'argument', /-1/);
  await rejects(metrics.f1Score(labels, labels, { average: 'mean' as 'macro' }), 'argument', /'mean'/);
  await rejects(metrics.f1Score(labels, labels, { averge: 'macro' } as object), 'argument', /averge/);
  await rejects(metrics.fbetaScore(labels, labels, { beta: -1 }), 'argument', /beta is -1/);
  await rejects(
    metrics.confusionMatrix(labels, labels, { normalize: 'rows' as 'all' }),
    'argument',
    /'rows'/,
  );
  await rejects(
    metrics.cohenKappaScore(labels, labels, { weights: 'cubic' as 'linear' }),
    'argument',
    /cubic/,
  );
  await rejects(
    metrics.classificationReport(labels, labels, { targetNames: ['a'] }),
    'argument',
    /targetNames/,
  );
});
