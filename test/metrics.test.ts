/** Metrics against literals of Keras' formulas, their sums over batches, weights, cost, lifetime and errors. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import {
  abs,
  assign,
  cast,
  type Device,
  equal,
  max,
  metrics,
  mul,
  oneHot,
  setDefaultDevice,
  softmax,
  sub,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { type Listed, numbers, tensorOf } from './support/losses.ts';
import { close, fails, rejects, resultOf } from './support/values.ts';

interface Given extends Listed {
  readonly integer: boolean;
}

interface Literal {
  readonly metric: Exclude<keyof typeof metrics, 'get' | 'meanOf' | 'MeanTracker'>;
  readonly options: object;
  readonly batches: readonly { yTrue: Given; yPred: Given; weight?: Given; result: number }[];
}

const literals = JSON.parse(
  readFileSync(new URL('literals/metrics.json', import.meta.url), 'utf8'),
) as readonly Literal[];

type Make = (options?: object) => metrics.Metric;

/** What is no metric over batches with a name, but a number, a list or a text at once, or a matrix. */
const NO_METRIC =
  /Score$|Curve$|Text$|^(confusion|confusionMatrix|logLoss|matthewsCorrcoef|classificationReport)$/;

const given = (value: Given): Tensor => tensorOf(value, false, value.integer ? 'int32' : 'float');

/** Updates a metric with tensors that live no longer than the call. */
function updateWith(metric: metrics.Metric, ...tensors: [Tensor, Tensor, Tensor?]): void {
  try {
    metric.update(...tensors);
  } finally {
    for (const own of tensors) own?.dispose();
  }
}

const shown = async (metric: metrics.Metric | metrics.MeanTracker): Promise<number> =>
  (await resultOf(() => metric.result())) as number;

/** How many ops `body` runs on the device. */
function dispatches(device: Device, body: () => void): number {
  let count = 0;
  const stop = device.observe({ dispatch: () => count++ });
  try {
    body();
  } finally {
    stop();
  }
  return count;
}

for (const [name, open, tolerance] of [
  // Nine digits in the file. In float32 elementary functions are off by some 1e-7, sums of a few terms by less than 1e-5.
  ['device under test', testDevice, 1e-5],
  ['CPU', async () => cpuDevice(), 1e-8],
] as const) {
  const inner = suite(`metrics, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  literals.forEach(({ metric, options, batches }, index) => {
    test(`${metric} ${JSON.stringify(options)}, literal ${index}`, async () => {
      const own = (metrics[metric] as unknown as Make)(options);
      assert.is(own.name, metric);
      for (const { yTrue, yPred, weight, result } of batches) {
        updateWith(own, given(yTrue), given(yPred), weight && given(weight));
        close(await shown(own), result, tolerance);
      }
      own.dispose();
    });
  });

  test('batches one after another give what all of them give at once', async () => {
    const [t, p, w] = [numbers([60, 3], 1, -2, 2), numbers([60, 3], 2, -2, 2), numbers([60], 3, 0, 2)];
    const part = ({ values, shape }: Listed, from: number, to: number): Tensor => {
      const row = values.length / 60;
      return tensorOf({ shape: [to - from, ...shape.slice(1)], values: values.slice(from * row, to * row) });
    };
    for (const metric of [metrics.rootMeanSquaredError(), metrics.categoricalAccuracy()]) {
      updateWith(metric, tensorOf(t), tensorOf(p), tensorOf(w));
      const whole = await shown(metric);
      metric.reset();
      assert.is(await shown(metric), 0);
      for (const [from, to] of [
        [0, 1],
        [1, 33],
        [33, 60],
      ] as const)
        updateWith(metric, part(t, from, to), part(p, from, to), part(w, from, to));
      close(await shown(metric), whole, 1e-6);
      metric.dispose();
    }
  });

  test('weights of 0, no batch and empty batches give 0', async () => {
    const metric = metrics.meanAbsoluteError();
    assert.is(await shown(metric), 0);
    updateWith(metric, tensor([[1], [2]]), tensor([[2], [4]]), tensor([0, 0]));
    assert.is(await shown(metric), 0);
    updateWith(metric, zeros([0, 1]), zeros([0, 1]));
    assert.is(await shown(metric), 0);
    updateWith(metric, tensor([[1], [2]]), tensor([[2], [4]]), tensor([[0.5], [0]]));
    assert.is(await shown(metric), 1);
    metric.dispose();
  });

  test('many values are added in parts', async () => {
    const metric = metrics.binaryAccuracy();
    const targets = Float32Array.from({ length: 3 * 4099 }, (_, i) => (i % 4 === 0 ? 1 : 0));
    updateWith(metric, tensor(targets, { shape: [3, 4099] }), zeros([3, 4099]), tensor([1, 0, 1]));
    const missed = targets.reduce((sum, v, i) => sum + (Math.floor(i / 4099) === 1 ? 0 : v), 0);
    close(await shown(metric), 1 - missed / (2 * 4099), 1e-6);
    metric.dispose();
  });

  test('a count stays exact where float32 has room for it', async () => {
    const metric = metrics.sparseCategoricalAccuracy();
    const [t, p] = [zeros([1001], { dtype: 'int32' }), zeros([1001, 2])];
    for (let i = 0; i < 50; i++) metric.update(t, p);
    const { sums } = metric.state() as { sums: Tensor };
    assert.equal(await sums.array(), [50050, 50050]);
    for (const own of [t, p, metric]) own.dispose();
  });

  test('NaN in a prediction shows', async () => {
    const metric = metrics.meanSquaredError();
    updateWith(metric, tensor([[1], [2]]), tensor([[1], [Number.NaN]]));
    assert.ok(Number.isNaN(await shown(metric)));
    metric.reset();
    updateWith(metric, tensor([[1], [2]]), tensor([[1], [3]]));
    assert.is(await shown(metric), 0.5);
    metric.dispose();
  });

  test('targets of any dtype serve binaryAccuracy; labels out of range are missed', async () => {
    const binary = metrics.binaryAccuracy();
    for (const own of [
      tensor([true, false, true]),
      tensor(Int32Array.of(1, 0, 1)),
      tensor(Uint8Array.of(1, 0, 1), { dtype: 'uint8' }),
      tensor([1, 0, 1]),
    ]) {
      updateWith(binary, own, tensor([0.75, 0.25, 0.25]));
      close(await shown(binary), 2 / 3, 1e-6);
    }
    binary.dispose();
    for (const metric of [metrics.sparseCategoricalAccuracy(), metrics.sparseTopKCategoricalAccuracy()]) {
      updateWith(
        metric,
        tensor(Int32Array.of(0, 9, -1, 0)),
        tensor([
          [2, 1],
          [2, 1],
          [2, 1],
          [2, 1],
        ]),
      );
      assert.is(await shown(metric), 0.5);
      metric.dispose();
    }
  });

  test('an update runs few ops, and records no graph', (device) => {
    const labels = tensor(Int32Array.of(1, 0, 2));
    const hot = oneHot(labels, 3);
    const p = tensor(
      [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ],
      { requiresGrad: true },
    );
    const probabilities = softmax(p);
    const one = tensor([[1], [0], [1]]);
    const w = tensor([1, 2, 3]);
    let nodes = 0;
    const stop = device.observe({ node: () => nodes++ });
    const counts: Record<string, number> = {};
    for (const [metric, t, own] of [
      [metrics.accuracy(), labels, p],
      [metrics.categoricalAccuracy(), hot, p],
      [metrics.binaryAccuracy(), one, one],
      [metrics.topKCategoricalAccuracy({ k: 2 }), hot, p],
      [metrics.sparseTopKCategoricalAccuracy({ k: 2 }), labels, p],
      [metrics.sparseCategoricalCrossentropy(), labels, probabilities],
    ] as const) {
      metric.update(t, own); // makes the sums
      counts[metric.name] = dispatches(device, () => metric.update(t, own, w));
      assert.is(
        dispatches(device, () => metric.result().dispose()),
        1,
      );
      metric.dispose();
    }
    stop();
    assert.is(nodes, 0);
    assert.equal(counts, {
      accuracy: 3,
      categoricalAccuracy: 4,
      binaryAccuracy: 2,
      topKCategoricalAccuracy: 3,
      sparseTopKCategoricalAccuracy: 2,
      sparseCategoricalCrossentropy: 2,
    });
    for (const own of [labels, hot, p, probabilities, one, w]) own.dispose();
  });

  test('a metric holds one tensor, until it is disposed; state() goes on elsewhere', async (device) => {
    const [t, p] = [tensor([[1], [2]]), tensor([[2], [4]])];
    const before = device.memory().tensors;
    const metric = metrics.meanAbsoluteError();
    assert.is(device.memory().tensors, before);
    metric.update(t, p);
    metric.update(t, p);
    assert.is(device.memory().tensors, before + 1);
    const { sums } = metric.state() as { sums: Tensor };
    metric.reset();
    assert.is((metric.state() as { sums: Tensor }).sums, sums);
    metric.update(t, p);
    const other = metrics.meanAbsoluteError();
    assign((other.state() as { sums: Tensor }).sums, sums);
    updateWith(other, tensor([[0]]), tensor([[9]]));
    assert.is(await shown(other), 4);
    metric.dispose();
    other.dispose();
    assert.is(device.memory().tensors, before);
    metric.update(t, p);
    assert.is(await shown(metric), 1.5);
    for (const own of [metric, t, p]) own.dispose();
  });

  test('an update that fails leaves the sums and no tensors', async (device) => {
    const metric = metrics.meanOf('picky', (t, p) => {
      const gap = abs(sub(t, p));
      return t.shape[0] === 1 ? (undefined as unknown as Tensor) : gap;
    });
    updateWith(metric, tensor([1, 2]), tensor([2, 4]));
    const before = device.memory().tensors;
    fails(() => updateWith(metric, tensor([1]), tensor([1])), 'argument', /picky/, /returned/);
    fails(() => updateWith(metric, tensor([1, 2]), tensor([1, 2]), tensor([1, 2, 3])), 'shape', /picky/);
    assert.is(device.memory().tensors, before);
    assert.is(await shown(metric), 1.5);
    metric.dispose();
  });

  test('functions: of several axes, of none, of integers, of bool', async () => {
    const worst = metrics.meanOf('worst', (t, p) => max(abs(sub(t, p)), { axis: -1 }));
    updateWith(
      worst,
      tensor([
        [0, 0],
        [1, 1],
      ]),
      tensor([
        [3, 1],
        [1, 2],
      ]),
    );
    assert.is(await shown(worst), 2);
    const scalar = metrics.meanOf('scalar', (_, p) => max(p));
    updateWith(scalar, tensor([0, 0]), tensor([3, 1]));
    updateWith(scalar, tensor([0, 0]), tensor([1, 2]));
    assert.is(await shown(scalar), 2.5);
    const same = metrics.meanOf('accuracy', equal);
    updateWith(same, tensor([1, 2, 3, 4]), tensor([0, 2, 3, 4]), tensor([1, 1, 0, 0]));
    assert.is(await shown(same), 0.5);
    const whole = metrics.meanOf('whole', (_, p) => cast(p, 'int32'));
    updateWith(whole, tensor([0, 0]), tensor([1.5, 4.5]));
    assert.is(await shown(whole), 2.5);
    const through = metrics.meanOf('through', (_, p) => p);
    const p = tensor([1, 3]);
    through.update(p, p);
    assert.is(await shown(through), 2);
    assert.not.ok(p.disposed);
    for (const own of [worst, scalar, same, whole, through, p]) own.dispose();
  });

  test('MeanTracker weighs each number, in one dispatch', async (device) => {
    const tracker = new metrics.MeanTracker();
    const leaf = tensor(3, { requiresGrad: true });
    const loss = mul(leaf, 1);
    tracker.add(loss, 32);
    assert.is(
      dispatches(device, () => tracker.add(loss, 32)),
      1,
    );
    const last = tensor([6]);
    tracker.add(last, 16);
    close(await shown(tracker), (3 * 64 + 6 * 16) / 80, 1e-6);
    tracker.reset();
    tracker.add(last);
    assert.is(await shown(tracker), 6);
    const [pair, whole] = [tensor([1, 2]), tensor(Int32Array.of(1))];
    fails(() => tracker.add(pair), 'shape', /loss/, /scalar/);
    fails(() => tracker.add(whole), 'dtype', /loss/, /int32/);
    fails(() => tracker.add(loss, -1), 'argument', /loss/, /-1/);
    fails(() => tracker.add(loss, Number.NaN), 'argument', /NaN/);
    for (const own of [tracker, loss, leaf, last, pair, whole]) own.dispose();
  });

  test('shapes and dtypes that do not fit', async () => {
    const [m, wide, labels, bytes] = [
      zeros([4, 3]),
      zeros([4, 2, 3]),
      zeros([4], { dtype: 'int32' }),
      tensor([true, false, true, true]),
    ];
    const refuse = (metric: metrics.Metric, t: Tensor, p: Tensor, code: string, ...parts: RegExp[]): void => {
      fails(() => metric.update(t, p), code, new RegExp(metric.name, 'i'), ...parts);
      metric.dispose();
    };
    refuse(metrics.categoricalAccuracy(), labels, m, 'shape', /sparseCategoricalAccuracy/);
    refuse(metrics.topKCategoricalAccuracy(), labels, m, 'shape', /sparseTopKCategoricalAccuracy/);
    refuse(metrics.sparseCategoricalAccuracy(), labels, wide, 'shape', /\(4, 2, 3\)/);
    refuse(metrics.sparseTopKCategoricalAccuracy(), labels, wide, 'shape', /\(4, 2, 3\)/);
    refuse(metrics.sparseCategoricalAccuracy(), bytes, m, 'dtype', /bool/, /int32/);
    refuse(metrics.binaryAccuracy(), labels, m, 'shape', /\(4, 3\)/);
    refuse(metrics.binaryAccuracy(), labels, labels, 'dtype', /yPred/);
    refuse(metrics.rootMeanSquaredError(), wide, m, 'shape', /\(4, 2, 3\)/);
    refuse(metrics.hinge(), labels, m, 'dtype', /int32/);
    refuse(metrics.accuracy(), wide, m, 'shape');

    const metric = metrics.meanSquaredError();
    for (const shape of [[3], [4, 3], [], [2, 1]] as const) {
      const weight = zeros(shape);
      fails(() => metric.update(m, m, weight), 'shape', /meanSquaredError/, /sampleWeight/, /batch/);
      weight.dispose();
    }
    fails(() => metric.update(m, m, labels), 'dtype', /sampleWeight/, /int32/);
    fails(() => metric.update([1] as unknown as Tensor, m), 'argument', /meanSquaredError/, /tensor/);
    for (const own of [m, wide, labels, bytes, metric]) own.dispose();
  });
}

const test = suite('metrics');

test('get: names, metrics and functions', async () => {
  await testDevice();
  for (const name of ['accuracy', 'acc', 'mse', 'rmse', 'mae', 'mape', 'msle', 'bce', 'poisson', 'hinge'])
    assert.is(metrics.get(name).name, name);
  const own = metrics.hinge({ name: 'margin' });
  assert.is(metrics.get(own), own);
  assert.is(own.name, 'margin');
  assert.is(
    metrics.get(function gap(t, p) {
      return abs(sub(t, p));
    }).name,
    'gap',
  );
  assert.is(metrics.get((t, p) => abs(sub(t, p))).name, 'metric');
  const root = metrics.get('rmse');
  updateWith(root, tensor([[3], [0]]), tensor([[0], [3]]));
  close(await shown(root), 3, 1e-6);
  root.dispose();
});

test('every metric has its name, and its options', () => {
  const { get, meanOf, MeanTracker, ...makers } = metrics;
  assert.is(typeof get, 'function');
  assert.is(typeof meanOf, 'function');
  assert.is(new MeanTracker().name, 'loss');
  const named = Object.entries(makers as unknown as Record<string, Make>).filter(
    ([name]) => !NO_METRIC.test(name),
  );
  assert.is(named.length, 31);
  for (const [name, make] of named) {
    assert.is(make().name, name);
    assert.is(make({ name: 'mine' }).name, 'mine');
    assert.is(get(name).name, name);
    fails(() => make({ nmae: 'mine' }), 'argument', new RegExp(name), /nmae/);
    fails(() => make({ name: '' }), 'argument', new RegExp(name), /name/);
  }
});

test('get with the shapes of a model', async () => {
  await testDevice();
  // Shapes that are given decide; a first batch is not waited for.
  const metric = metrics.get('acc', { outputShape: [null, 3], targetShape: [null, 3] });
  updateWith(metric, tensor([[0, 0.5, 1]]), tensor([[1, 2, 3]]));
  assert.is(await shown(metric), 1);
  const [labels, p] = [zeros([1], { dtype: 'int32' }), zeros([1, 3])];
  fails(() => metric.update(labels, p), 'shape', /categoricalAccuracy/);
  const single = metrics.get('accuracy', { outputShape: [null], targetShape: [null] });
  updateWith(single, tensor([1, 0, 0]), tensor([0.9, 0.1, 0.8]));
  close(await shown(single), 2 / 3, 1e-6);
  for (const own of [metric, labels, p, single]) own.dispose();
});

test('get refuses what is no metric', () => {
  fails(() => metrics.get('acuracy'), 'argument', /'acuracy'/, /Did you mean 'accuracy'/);
  fails(() => metrics.get('mean_squared_error'), 'argument', /Did you mean 'meanSquaredError'/);
  fails(() => metrics.get('constructor'), 'argument', /metrics\.get/);
  fails(() => metrics.get(null as unknown as string), 'argument', /metrics\.get/, /null/);
  fails(() => metrics.get({ name: 'x' } as unknown as metrics.Metric), 'argument', /metrics\.get/);
  fails(() => metrics.get('acc', { los: 'x' } as object), 'argument', /los/);
  fails(() => metrics.meanOf('', abs), 'argument', /meanOf/);
  fails(() => metrics.meanOf('x', 3 as unknown as metrics.MetricFunction), 'argument', /meanOf/);
  fails(() => metrics.topKCategoricalAccuracy({ k: 0 }), 'argument', /topKCategoricalAccuracy/, /k is 0/);
  fails(() => metrics.binaryAccuracy({ threshold: Number.NaN }), 'argument', /threshold/);
});

test('two devices do not mix', async () => {
  const device = await testDevice();
  const cpu = cpuDevice();
  if (device === cpu) return; // One device alone cannot be mixed up.
  const [here, there] = [tensor([[1]]), tensor([[1]], { device: cpu })];
  const metric = metrics.meanSquaredError();
  fails(() => metric.update(here, there), 'device-mismatch', /meanSquaredError/);
  const one = tensor([1], { device: cpu });
  fails(() => metric.update(here, here, one), 'device-mismatch', /sampleWeight/);
  metric.update(here, here);
  fails(() => metric.update(there, there), 'device-mismatch', /dispose/);
  metric.dispose();
  metric.update(there, there);
  for (const own of [here, there, one, metric]) own.dispose();
});

test('a label out of range in a cross-entropy is told by the next readback', async () => {
  await testDevice();
  const metric = metrics.sparseCategoricalCrossentropy({ fromLogits: true });
  const [labels, p] = [tensor(Int32Array.of(0, 3)), zeros([2, 3])];
  const late = async (): Promise<void> => {
    metric.update(labels, p);
    await shown(metric);
  };
  await rejects(late(), 'index', /sparseCategoricalCrossentropy/, /3/);
  for (const own of [labels, p, metric]) own.dispose();
});
