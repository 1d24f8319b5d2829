/** Metrics of classes, areas and R² over batches: they equal what is exact at once, on the device and without readbacks. */
import * as assert from 'uvu/assert';
import {
  assign,
  type Device,
  input,
  layers,
  metrics,
  oneHot,
  sequential,
  setDefaultDevice,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { type MetricCase, metricCase, warningsOf } from './support/metric-cases.ts';
import { close, fails, rejects, resultOf } from './support/values.ts';

const AVERAGES = ['macro', 'micro', 'weighted', null] as const;
const KAPPA = ['linear', 'quadratic', null] as const;

const int32 = (values: readonly number[]): Tensor => tensor(Int32Array.from(values));

/** Feeds a metric in batches of different lengths, with the tensors that `make` makes of the samples from one to another. */
function feed(
  metric: metrics.Metric,
  n: number,
  make: (from: number, to: number) => (Tensor | undefined)[],
): void {
  const third = Math.ceil(n / 3);
  for (const [from, to] of [
    [0, 1],
    [1, third],
    [third, n],
  ] as const) {
    if (to < from) continue;
    const [t, p, w] = make(from, to) as [Tensor, Tensor, Tensor?];
    metric.update(t, p, w);
    for (const own of [t, p, w]) own?.dispose();
  }
}

const shown = (metric: metrics.Metric): Promise<number> => resultOf(() => metric.result()) as Promise<number>;

/** Each metric over batches, and what it must equal. */
function pairs(
  own: MetricCase,
): (readonly [metrics.Metric, 'two' | 'many' | 'numbers', () => Promise<unknown>])[] {
  const { seed, classes, binary, score, labels, shares, target, guess, weight } = own;
  const weights = weight && { sampleWeight: weight };
  const average = AVERAGES[seed % 4] as 'macro';
  const yes = score.map((s) => (s > 0.5 ? 1 : 0));
  const best = shares.map((row) => row.indexOf(Math.max(...row)));
  const [two, many] = [
    { ...weights, zeroDivision: 0 as const },
    { ...weights, classes, average, zeroDivision: 0 as const },
  ];
  const kappa = KAPPA[seed % 3] as 'linear';
  return [
    [metrics.precision(), 'two', () => metrics.precisionScore(binary, yes, two)],
    [metrics.recall(), 'two', () => metrics.recallScore(binary, yes, two)],
    [metrics.specificity(), 'two', () => metrics.specificityScore(binary, yes, two)],
    [metrics.f1(), 'two', () => metrics.f1Score(binary, yes, two)],
    [metrics.auc(), 'two', () => metrics.rocAucScore(binary, score, { ...weights })],
    [metrics.averagePrecision(), 'two', () => metrics.averagePrecisionScore(binary, score, { ...weights })],
    [metrics.precision({ average }), 'many', () => metrics.precisionScore(labels, best, many)],
    [metrics.recall({ average }), 'many', () => metrics.recallScore(labels, best, many)],
    [metrics.specificity({ average }), 'many', () => metrics.specificityScore(labels, best, many)],
    [metrics.f1({ average }), 'many', () => metrics.f1Score(labels, best, many)],
    [
      metrics.fbeta({ average, beta: 2 }),
      'many',
      () => metrics.fbetaScore(labels, best, { ...many, beta: 2 }),
    ],
    [metrics.confusion(), 'many', () => metrics.confusionMatrix(labels, best, { ...weights, classes })],
    [metrics.matthews(), 'many', () => metrics.matthewsCorrcoef(labels, best, { ...weights })],
    [
      metrics.kappa({ weights: kappa }),
      'many',
      () => metrics.cohenKappaScore(labels, best, { ...weights, classes, weights: kappa }),
    ],
    [metrics.r2(), 'numbers', () => metrics.r2Score(target, guess, { ...weights })],
  ];
}

for (const [name, open, cases, tolerance] of [
  // Sums of up to 24 numbers in float32; R² and kappa subtract two of these from 1.
  ['device under test', testDevice, 40, { rel: 1e-5, abs: 2e-6 }],
  ['CPU', async () => cpuDevice(), 200, { rel: 1e-6, abs: 1e-9 }],
] as const) {
  const inner = suite(`metrics over batches, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  test(`${cases} random cases equal what is exact at once`, async () => {
    await warningsOf(async () => {
      for (let seed = 0; seed < cases; seed++) {
        const own = metricCase(seed);
        const { n, binary, score, labels, shares, target, guess, weight } = own;
        const kinds = {
          two: (a: number, b: number) => [int32(binary.slice(a, b)), tensor(score.slice(a, b))],
          many: (a: number, b: number) => [
            int32(labels.slice(a, b)),
            a === b ? zeros([0, own.classes]) : tensor(shares.slice(a, b)),
          ],
          numbers: (a: number, b: number) =>
            [target, guess].map((v) => (a === b ? zeros([0, own.outputs]) : tensor(v.slice(a, b)))),
        };
        for (const [metric, kind, exact] of pairs(own)) {
          feed(metric, n, (a, b) => [...kinds[kind](a, b), weight && tensor(weight.slice(a, b))]);
          try {
            close(await shown(metric), (await exact()) as number, tolerance);
          } catch (error) {
            throw new Error(`case ${seed}, ${metric.name}: ${(error as Error).message}`);
          }
          metric.dispose();
        }
      }
    });
  });

  test('textbook: TP 5, FN 10 is a recall of 1/3; TP 5, FP 20 a precision of 1/5', async () => {
    const [recall, precision] = [metrics.recall(), metrics.precision()];
    const bools = (yes: number, no: number): boolean[] => Array.from({ length: yes + no }, (_, i) => i < yes);
    feed(recall, 22, (a, b) => [tensor(bools(15, 7).slice(a, b)), tensor(bools(5, 17).slice(a, b))]);
    close(await shown(recall), 1 / 3);
    feed(precision, 25, (a, b) => [tensor(bools(5, 20).slice(a, b)), tensor(bools(25, 0).slice(a, b))]);
    close(await shown(precision), 1 / 5);
    for (const own of [recall, precision]) own.dispose();
  });

  test('targets of all layouts say the same', async () => {
    const labels = [2, 0, 1, 1, 2];
    const shares = [
      [0.2, 0.2, 0.6],
      [0.5, 0.3, 0.2],
      [0.6, 0.3, 0.1],
      [0.1, 0.8, 0.1],
      [0.3, 0.3, 0.4],
    ];
    const [flat, scores] = [int32(labels), tensor(shares)];
    const hot = oneHot(flat, 3);
    const column = tensor(Int32Array.from(labels), { shape: [5, 1] });
    const expected = await metrics.f1Score(labels, [2, 0, 0, 1, 2], { average: 'macro' });
    for (const t of [flat, column, hot]) {
      const metric = metrics.f1();
      metric.update(t, scores);
      close(await shown(metric), expected);
      metric.dispose();
    }
    // Columns that are questions of their own count together.
    const many = metrics.precision({ loss: 'binaryCrossentropy', threshold: 0.25 });
    many.update(hot, scores);
    close(await shown(many), 5 / 9);
    many.dispose();
    const given = metrics.confusion({ classes: 4 });
    const predicted = int32([2, 0, 3, 1, 2]);
    given.update(flat, predicted);
    assert.equal(await shown(given), [
      [1, 0, 0, 0],
      [0, 1, 0, 1],
      [0, 0, 2, 0],
      [0, 0, 0, 0],
    ]);
    for (const own of [given, predicted, flat, scores, hot, column]) own.dispose();
  });

  test('yes or no in every dtype, with an axis of 1, and beside two columns', async () => {
    const score = [0.25, 0.75, 0.5, 1];
    const two = tensor(score.map((s) => [1 - s, s]));
    const column = tensor(score.map((s) => [s]));
    const targets = [
      tensor([0, 1, 1, 0]),
      tensor([[0], [1], [1], [0]]),
      int32([0, 1, 1, 0]),
      tensor([false, true, true, false]),
      tensor(Uint8Array.of(0, 1, 1, 0), { dtype: 'uint8' }),
    ];
    for (const t of targets) {
      const [recall, auc] = [metrics.recall(), metrics.auc()];
      recall.update(t, column);
      auc.update(t, column);
      auc.update(t, two);
      assert.is(await shown(recall), 0.5);
      close(await shown(auc), 0.5);
      for (const own of [recall, auc]) own.dispose();
    }
    for (const own of [...targets, two, column]) own.dispose();
  });

  test('what is undefined, empty or reset', async () => {
    const [ones, half, none] = [tensor([1, 1]), tensor([0.25, 0.25]), zeros([0])];
    for (const [metric, expected] of [
      [metrics.precision(), 0],
      [metrics.specificity(), 0],
      [metrics.matthews(), 0],
      [metrics.auc(), Number.NaN],
      [metrics.averagePrecision(), 1],
    ] as const) {
      assert.is(await shown(metric), 0);
      metric.update(none, none);
      assert.is(await shown(metric), 0);
      metric.update(ones, half);
      close(await shown(metric), expected);
      metric.reset();
      assert.is(await shown(metric), 0, metric.name);
      metric.dispose();
    }
    const kappa = metrics.kappa();
    kappa.update(ones, ones);
    assert.ok(Number.isNaN(await shown(kappa)));
    const r2 = metrics.r2();
    const one = tensor([0.1]);
    r2.update(one, one);
    assert.ok(Number.isNaN(await shown(r2)));
    r2.update(one, one);
    assert.is(await shown(r2), 1);
    const other = tensor([0.3]);
    r2.update(one, other);
    assert.is(await shown(r2), 0);
    for (const own of [ones, half, none, kappa, r2, one, other]) own.dispose();
  });

  test('a NaN among the scores shows in their area', async () => {
    const metric = metrics.auc();
    const [t, p] = [tensor([0, 1, 1]), tensor([0.5, Number.NaN, 1])];
    metric.update(t, p);
    assert.ok(Number.isNaN(await shown(metric)));
    for (const own of [metric, t, p]) own.dispose();
  });

  test('an offset does not cost R² its digits', async () => {
    const metric = metrics.r2();
    const t = Array.from({ length: 64 }, (_, i) => 1000 + (i % 8) / 8);
    const p = t.map((v, i) => v + ((i % 5) - 2) / 16);
    feed(metric, 64, (a, b) => [tensor(t.slice(a, b)), tensor(p.slice(a, b))]);
    close(await shown(metric), await metrics.r2Score(t, p), 1e-5);
    metric.dispose();
  });

  test('an area over many batches keeps few tensors', async (device) => {
    const metric = metrics.auc();
    const [t, p]: number[][] = [[], []];
    const before = device.memory().tensors;
    for (let batch = 0; batch < 37; batch++) {
      const own = metricCase(batch + 500);
      const [truth, scores] = [int32(own.binary), tensor(own.score)];
      metric.update(truth, scores);
      for (const given of [truth, scores]) given.dispose();
      (t as number[]).push(...own.binary);
      (p as number[]).push(...own.score);
    }
    assert.ok(device.memory().tensors - before <= 8, String(device.memory().tensors - before));
    close(await shown(metric), await metrics.rocAucScore(t as number[], p as number[]), tolerance);
    metric.dispose();
    assert.is(device.memory().tensors, before);
  });

  test('restore() goes on from the state of another', async (device) => {
    const [a, b] = [metricCase(31), metricCase(32)];
    const batch = ({ binary, score, target }: MetricCase, numbers: boolean): [Tensor, Tensor] =>
      numbers
        ? [tensor(score), tensor(target.map(([first]) => first as number))]
        : [int32(binary), tensor(score)];
    const before = device.memory().tensors;
    for (const name of ['f1', 'auc', 'r2']) {
      const [whole, first, second] = [metrics.get(name), metrics.get(name), metrics.get(name)];
      for (const [own, samples] of [
        [whole, a],
        [whole, b],
        [first, a],
      ] as const) {
        const [t, p] = batch(samples, name === 'r2');
        own.update(t, p);
        for (const given of [t, p]) given.dispose();
      }
      second.restore?.(first.state());
      first.dispose();
      const [t, p] = batch(b, name === 'r2');
      second.update(t, p);
      assert.is(await shown(second), await shown(whole));
      // The state of a metric without a batch is none.
      second.restore?.(first.state());
      assert.is(await shown(second), 0);
      for (const own of [t, p, whole, second]) own.dispose();
    }
    assert.is(device.memory().tensors, before);
  });

  test('nothing is read back, and no graph is made; state() goes on elsewhere', async (device) => {
    const [t, p] = [int32([0, 1, 1]), tensor([0.25, 0.75, 0.25], { requiresGrad: true })];
    let nodes = 0;
    const stop = device.observe({ node: () => nodes++ });
    const metric = metrics.recall();
    metric.update(t, p);
    metric.update(t, p);
    stop();
    assert.is(nodes, 0);
    const other = metrics.recall();
    other.update(t, p);
    assign((other.state() as { matrix: Tensor }).matrix, (metric.state() as { matrix: Tensor }).matrix);
    other.update(t, p);
    const { matrix } = other.state() as { matrix: Tensor };
    assert.equal(await matrix.array(), [
      [3, 0],
      [3, 3],
    ]);
    for (const own of [t, p, metric, other]) own.dispose();
  });
}

const test = suite('metrics over batches');

test('bad input', async () => {
  const device = await testDevice();
  const [m, labels, wide, floats] = [
    zeros([4, 3]),
    zeros([4], { dtype: 'int32' }),
    zeros([4, 2]),
    zeros([4]),
  ];
  const pairs = zeros([4, 2], { dtype: 'int32' });
  const refuse = (metric: metrics.Metric, t: Tensor, p: Tensor, code: string, ...parts: RegExp[]): void => {
    fails(() => metric.update(t, p), code, new RegExp(metric.name), ...parts);
    metric.dispose();
  };
  const before = device.memory().tensors;
  refuse(metrics.precision(), floats, m, 'dtype', /int32/);
  refuse(metrics.precision(), pairs, m, 'shape', /\(4, 3\)/);
  refuse(metrics.precision({ classes: 5 }), labels, m, 'shape', /3 classes/, /5/);
  refuse(metrics.recall(), labels, labels, 'argument', /pass \{ classes \}/);
  refuse(metrics.auc(), labels, m, 'shape', /rocAucScore/);
  refuse(metrics.auc(), labels, labels, 'dtype', /scores are floats/);
  refuse(metrics.r2(), floats, wide, 'shape');
  refuse(metrics.r2(), labels, floats, 'dtype', /int32/);
  const metric = metrics.f1({ average: 'binary' });
  metric.update(labels, m);
  fails(() => metric.result(), 'argument', /f1/, /'binary'/, /macro/);
  fails(() => metric.update(labels, wide), 'shape', /f1/, /2 classes/);
  fails(() => metric.update(labels, m, wide), 'shape', /f1/, /sampleWeight/);
  metric.dispose();
  assert.is(device.memory().tensors, before);
  fails(() => metrics.fbeta({ beta: -1 }), 'argument', /beta/);
  fails(() => metrics.recall({ average: 'mean' as 'macro' }), 'argument', /'mean'/);
  fails(() => metrics.precision({ threshold: Number.NaN }), 'argument', /threshold/);
  fails(() => metrics.kappa({ weights: 'cubic' as 'linear' }), 'argument', /cubic/);
  fails(() => metrics.get('precison'), 'argument', /Did you mean 'precision'/);
  const cpu = cpuDevice();
  if (device !== cpu) {
    const there = tensor([1], { device: cpu });
    const here = tensor([1]);
    for (const own of [metrics.recall(), metrics.auc(), metrics.r2()]) {
      own.update(here, here);
      fails(() => own.update(there, there), 'device-mismatch', /dispose/);
      own.dispose();
    }
    for (const own of [there, here]) own.dispose();
  }
  for (const own of [m, labels, wide, floats, pairs]) own.dispose();
});

test('a label that is no class is told by the next readback', async () => {
  await testDevice();
  const [labels, p, yes] = [int32([0, 3]), zeros([2, 3]), zeros([2])];
  for (const [metric, scores] of [
    [metrics.recall(), p],
    [metrics.auc(), yes],
  ] as const) {
    const late = async (): Promise<void> => {
      metric.update(labels, scores);
      await shown(metric);
    };
    await rejects(late(), 'index', new RegExp(metric.name), /3/);
    metric.dispose();
  }
  for (const own of [labels, p, yes]) own.dispose();
});

test('fit and evaluate log them by name', async () => {
  await testDevice();
  const n = 64;
  const x = Array.from({ length: n }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
  const y = x.map(([a, b]) => ((a as number) + (b as number) > 0 ? 1 : 0));
  const net = sequential([
    input({ shape: [2] }),
    layers.dense({ units: 1, activation: 'sigmoid', kernelInitializer: 'ones' }),
  ]).compile({
    optimizer: 'adam',
    loss: 'binaryCrossentropy',
    metrics: ['accuracy', 'precision', 'recall', 'auc'],
  });
  const own = { x, y: y.map((v) => [v]) };
  const { epochs } = await net.fit(own, { epochs: 2, batchSize: 24, seed: 1 });
  for (const name of ['precision', 'recall', 'auc']) {
    const logged = epochs.at(-1)?.[name] as number;
    assert.ok(logged > 0.8 && logged <= 1, `${name} ${logged}`);
  }
  const measured = await net.evaluate(own, { batchSize: 20 });
  const predicted = (await net.predict(x)) as Tensor;
  const scores = ((await predicted.array()) as number[][]).flat();
  const yes = scores.map((s) => (s > 0.5 ? 1 : 0));
  close(measured.precision as number, await metrics.precisionScore(y, yes), 1e-6);
  close(measured.recall as number, await metrics.recallScore(y, yes), 1e-6);
  close(measured.auc as number, await metrics.rocAucScore(y, scores), 1e-5);
  predicted.dispose();
  net.dispose();
});
