/** Models and weights in files: the same bits come back, and whatever is wrong is told before anything changes. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { defaultGenerator } from '../src/core/generator.ts';
import { readWeights } from '../src/models/save.ts';
import {
  type Device,
  input,
  type Layer,
  layers,
  loadModel,
  loadWeights,
  losses,
  type Model,
  mean,
  optimizers,
  readModel,
  readSafetensors,
  saveModel,
  saveWeights,
  schedules,
  sequential,
  setSeed,
  type Tensor,
  tensor,
  WeightsError,
  writeModel,
  writeSafetensors,
  writeWeights,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { wrong } from './support/layer-checks.ts';
import { fails, rejects } from './support/values.ts';

const test = suite('model files');

const network = (units = 3): Model =>
  sequential([
    input({ shape: [2] }),
    layers.dense({ units, activation: 'tanh' }),
    layers.batchNormalization(),
    layers.dense({ units: 1, name: 'out' }),
  ]);

/** All weights by path. */
const values = async (layer: Layer): Promise<unknown> =>
  Promise.all(layer.namedWeights().map(async ([path, { value }]) => [path, await value.array()]));

/** A folder of its own for each test. */
async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'wgrad-models-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs `body` with a network; no tensor more may be there afterwards, and the weights must be the same. */
async function unchanged(body: (net: Model, device: Device) => Promise<void>): Promise<void> {
  const device = await testDevice();
  const net = network();
  const before = await values(net);
  const { tensors } = device.memory();
  await body(net, device);
  assert.is(device.memory().tensors, tensors);
  assert.equal(await values(net), before);
  net.dispose();
}

test('a trained model comes back with the same weights, predictions and compile options', async () => {
  await testDevice();
  setSeed(1);
  const net = network();
  net.compile({ optimizer: 'adam', loss: 'meanSquaredError', metrics: ['meanAbsoluteError'] });
  const data = {
    x: [
      [1, 2],
      [0, 1],
    ],
    y: [[1], [0]],
  } as never;
  await net.fit(data, { epochs: 2 });
  // float64 keeps all bits of the CPU device.
  const bytes = await writeModel(net, { float: 'float64' });
  const { seed, counter } = defaultGenerator;
  const same = readModel(bytes);
  assert.equal([defaultGenerator.seed, defaultGenerator.counter], [seed, counter]);
  assert.equal(await values(same), await values(net));
  assert.equal(JSON.parse(JSON.stringify(same)), JSON.parse(JSON.stringify(net)));
  assert.equal(await same.evaluate(data), await net.evaluate(data));
  assert.equal(same.compileOptions, {
    optimizer: 'adam',
    loss: 'meanSquaredError',
    metrics: ['meanAbsoluteError'],
  });
  const [p, q] = [await net.predict([[3, 4]] as never), await same.predict([[3, 4]] as never)];
  assert.equal(await q.array(), await p.array());
  await same.fit(data, { epochs: 1 });
  const bare = readModel(bytes, { compile: false });
  assert.not.ok(bare.compiled);
  for (const each of [net, same, bare, p, q]) each.dispose();
});

test('an optimizer with its options, and our own losses, come back', async () => {
  await testDevice();
  const net = network();
  const learningRate = schedules.exponentialDecay({
    initialLearningRate: 0.1,
    decaySteps: 5,
    decayRate: 0.5,
  });
  net.compile({
    optimizer: optimizers.sgd({ learningRate, momentum: 0.9, nesterov: true, clipNorm: 1 }),
    loss: losses.meanSquaredError,
  });
  const same = readModel(await writeModel(net));
  const options = { momentum: 0.9, nesterov: true, clipNorm: 1, learningRate: learningRate.toJSON() };
  assert.equal(same.trainer.optimizer.toJSON(), { optimizer: 'sgd', options });
  assert.is(same.compileOptions?.loss, 'meanSquaredError');
  const data = { x: [[1, 2]], y: [[1]] };
  assert.equal(await same.trainOnBatch(data), await net.trainOnBatch(data));
  assert.equal(await same.trainOnBatch(data), await net.trainOnBatch(data));
  net.dispose();
  same.dispose();
});

test('what was compiled with functions of your own is not saved, and the model comes back without', async () => {
  await testDevice();
  for (const options of [
    { optimizer: optimizers.sgd({ learningRate: () => 0.1 }), loss: 'mse' },
    { optimizer: optimizers.adamw({ excludeFromWeightDecay: [/bias/] }), loss: 'mse' },
    { loss: (_: Tensor, yPred: Tensor) => mean(yPred) },
  ] as const) {
    const net = network();
    net.compile(options);
    const same = readModel(await writeModel(net));
    assert.not.ok(same.compiled);
    net.dispose();
    same.dispose();
  }
});

test('files hold float32 unless asked, and other programs find the weights by their paths', async () => {
  await testDevice();
  const net = network();
  const bytes = await writeModel(net);
  const { tensors, metadata } = readSafetensors(bytes, { device: cpuDevice() });
  assert.equal(Object.keys(tensors).sort(), [
    'batchNormalization.beta',
    'batchNormalization.gamma',
    'batchNormalization.movingMean',
    'batchNormalization.movingVariance',
    'dense.bias',
    'dense.kernel',
    'out.bias',
    'out.kernel',
  ]);
  assert.is(JSON.parse(metadata['wgrad.model'] ?? '').format, 'wgrad-model');
  assert.equal(await writeModel(net), bytes, 'the same model gives the same bytes');
  const wide = await writeModel(net, { float: 'float64' });
  assert.is(wide.length - bytes.length > 4 * net.countParams() - 64, true);
  for (const each of Object.values(tensors)) each.dispose();
  net.dispose();
});

test('a model that never ran has no weights in its file', async () => {
  await testDevice();
  const net = sequential([layers.dense({ units: 1 })]);
  const same = readModel(await writeModel(net));
  assert.not.ok(same.built);
  assert.is(same.weights.length, 0);
});

test('models and weights on disk', async () => {
  await testDevice();
  await inFolder(async (folder) => {
    const path = join(folder, 'net.safetensors');
    const net = network();
    await saveModel(net, path, { float: 'float64' });
    const same = await loadModel(path);
    assert.equal(await values(same), await values(net));
    const other = network();
    assert.not.equal(await values(other), await values(net));
    // The file of a whole model holds the weights too.
    await loadWeights(other, path);
    assert.equal(await values(other), await values(net));
    const third = network();
    await saveWeights(third, path, { float: 'float64' });
    await loadWeights(other, path);
    assert.equal(await values(other), await values(third));
    await rejects(loadModel(path), 'format', /net\.safetensors: readModel: the file holds weights only, 8/);
    assert.equal(await readdir(folder), ['net.safetensors'], 'no temporary file is left');
    for (const each of [net, same, other, third]) each.dispose();
  });
});

test('a save that fails leaves the old file', async () => {
  await testDevice();
  await inFolder(async (folder) => {
    const path = join(folder, 'net.safetensors');
    const net = network();
    await saveModel(net, path);
    const old = await readFile(path);
    const lambda = sequential([layers.lambda((x) => x)]);
    await rejects(saveModel(lambda, path), 'argument', /lambda/);
    await rejects(saveModel(net, path, { float: wrong('float16') }), 'argument', /float is 'float16'/);
    assert.equal(await readFile(path), old);
    // A folder stands where the file should go: the rename fails after everything was written.
    const blocked = join(folder, 'blocked');
    await mkdir(join(blocked, 'inside'), { recursive: true });
    let failed = false;
    await saveModel(net, blocked).catch(() => {
      failed = true;
    });
    assert.ok(failed);
    assert.equal((await readdir(folder)).sort(), ['blocked', 'net.safetensors']);
    net.dispose();
  });
});

test('weights of another model are listed, and nothing changes', () =>
  unchanged(async (net) => {
    const wider = network(4);
    const bytes = await writeWeights(wider);
    let error: unknown;
    try {
      readWeights(net, bytes);
    } catch (caught) {
      error = caught;
    }
    assert.instance(error, WeightsError);
    const { missing, unexpected, mismatched } = error as WeightsError;
    assert.equal([missing, unexpected], [[], []]);
    assert.equal(mismatched.slice(0, 2), [
      'dense.kernel is (2, 4), the model has (2, 3)',
      'dense.bias is (4,), the model has (3,)',
    ]);
    assert.is(mismatched.length, 7);
    // Shapes that do not fit are an error of a partial load too.
    fails(() => readWeights(net, bytes, { partial: true }), 'weights', /dense\.kernel is \(2, 4\)/);
    wider.dispose();
  }));

test('missing, unexpected and integer weights', async () => {
  await unchanged(async (net, device) => {
    const { tensors } = readSafetensors(await writeWeights(net));
    const { 'dense.kernel': kernel, ...rest } = tensors as Record<string, Tensor>;
    const renamed = await writeSafetensors({ ...rest, 'dense.weight': kernel as Tensor });
    fails(() => readWeights(net, renamed), 'weights', /missing: dense\.kernel/, /unexpected: dense\.weight/);
    const { metadata } = readSafetensors(await writeModel(net), { names: [] });
    const swapped = await writeSafetensors({ ...rest, 'dense.weight': kernel as Tensor }, { metadata });
    fails(() => readModel(swapped), 'weights', /missing: dense\.kernel/);
    const integers = tensor([1, 2, 3], { dtype: 'int32', device });
    const typed = await writeSafetensors({ ...tensors, 'dense.bias': integers });
    fails(() => readWeights(net, typed), 'weights', /dense\.bias is int32, the model has floats/);
    for (const made of [integers, ...Object.values(tensors)]) made.dispose();
  });
});

test('a partial load takes what both have', async () => {
  await testDevice();
  const [net, other] = [network(), sequential([input({ shape: [2] }), layers.dense({ units: 3 })])];
  const out = await (net.namedWeights()[6] as [string, { value: Tensor }])[1].value.array();
  readWeights(net, await writeWeights(other, { float: 'float64' }), { partial: true });
  assert.equal(((await values(net)) as unknown[]).slice(0, 2), await values(other));
  assert.equal(await (net.namedWeights()[6] as [string, { value: Tensor }])[1].value.array(), out);
  net.dispose();
  other.dispose();
});

test('a file that is cut off, damaged or none at all is refused', () =>
  unchanged(async (net) => {
    const bytes = await writeModel(net);
    for (const length of [0, 7, 8, 100, bytes.length - 100, bytes.length - 1]) {
      const part = bytes.slice(0, length);
      fails(() => readModel(part), 'format', /readSafetensorsHeader: /);
      fails(() => readWeights(net, part), 'format');
    }
    const text = new TextDecoder('latin1').decode(bytes);
    const at = text.indexOf('wgrad-model');
    const renamed = bytes.slice();
    renamed.set(new TextEncoder().encode('wgrad_model'), at);
    fails(() => readModel(renamed), 'format', /modelFromJson: /);
    const broken = await writeSafetensors({}, { metadata: { 'wgrad.model': '{' } });
    fails(() => readModel(broken), 'format', /the model in the file is no JSON/);
    fails(() => readModel(wrong('net.safetensors')), 'argument', /Uint8Array/);
    await inFolder(async (folder) => {
      const path = join(folder, 'part.safetensors');
      await writeFile(path, bytes.slice(0, -1));
      await rejects(loadWeights(net, path), 'format', /part\.safetensors: /, /cut off/);
    });
  }));

test('a damaged compile option leaves no model behind', () =>
  unchanged(async (net) => {
    const { tensors, metadata } = readSafetensors(await writeModel(net));
    const bytes = await writeSafetensors(tensors, {
      metadata: { ...metadata, 'wgrad.compile': '{"loss":"meanSquaredErorr"}' },
    });
    for (const each of Object.values(tensors)) each.dispose();
    fails(() => readModel(bytes), 'argument', /meanSquaredErorr/, /meanSquaredError'/);
  }));

test('weights need a layer that has some', async () => {
  await testDevice();
  const net = network();
  const bytes = await writeWeights(net);
  const fresh = sequential([layers.dense({ units: 3 })]);
  fails(() => readWeights(fresh, bytes), 'argument', /'sequential' has no weights yet/, /input\(/);
  fails(() => readWeights(net, bytes, wrong({ strict: true })), 'argument', /no option 'strict'/);
  fails(() => readWeights(net, bytes, { partial: wrong(1) }), 'argument', /partial is 1/);
  net.dispose();
});

test('a file moves from one device to another', async () => {
  const device = await testDevice();
  const net = network();
  const there = readModel(await writeModel(net), { device: cpuDevice() });
  assert.is(there.device, cpuDevice());
  const back = readModel(await writeModel(there), { device });
  if (device.float === 'float32') assert.equal(await values(back), await values(net));
  for (const each of [net, there, back]) each.dispose();
});
