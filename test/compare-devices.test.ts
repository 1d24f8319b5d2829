/** What finds the layer at fault: the comparison of two devices, and the check of each layer's gradients. */
import * as assert from 'uvu/assert';
import { apply, type Op } from '../src/autograd/op.ts';
import { Generator } from '../src/core/generator.ts';
import {
  add,
  CpuDevice,
  compareDevices,
  type Device,
  gradcheckModel,
  input,
  Layer,
  type LayerOptions,
  layers,
  Model,
  model,
  mul,
  noGrad,
  randomUniform,
  regularizers,
  reshape,
  sequential,
  setSeed,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { wrong } from './support/layer-checks.ts';
import { rejects } from './support/values.ts';

const test = suite('faults of layers');

/** Adds an error on some devices. */
class OffOn extends Layer {
  readonly #error: number;
  readonly #isOff: (device: Device) => boolean;

  constructor(error: number, isOff: (device: Device) => boolean, options: LayerOptions = {}) {
    super(options);
    this.#error = error;
    this.#isOff = isOff;
  }

  override call([x]: readonly [Tensor]): Tensor {
    return add(x, this.#isOff(x.device) ? this.#error : 0);
  }
}

/** Runs `body`; afterwards no tensor more may be there. */
async function clean(body: (device: Device) => Promise<void>): Promise<void> {
  const device = await testDevice();
  setSeed(5);
  const { tensors } = device.memory();
  await body(device);
  assert.is(device.memory().tensors, tensors);
}

const other = (device: Device) => (own: Device) => own !== device;

test('two devices agree on a sound network, layer by layer', () =>
  clean(async (device) => {
    const net = sequential([
      input({ shape: [6, 6, 1] }),
      layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu' }),
      layers.batchNormalization(),
      layers.maxPooling2d(),
      layers.flatten(),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 4, activation: 'softmax', name: 'out' }),
    ]);
    const x = randomUniform([2, 6, 6, 1]);
    const found = await compareDevices(net, x);
    assert.is(found.first, null);
    assert.is(found.devices[0], device.description);
    assert.equal(
      found.layers.map(({ path }) => path),
      ['conv2d', 'batchNormalization', 'maxPooling2d', 'flatten', 'dropout', 'out', ''],
    );
    assert.equal(found.layers[0]?.shapes, [[2, 4, 4, 3]]);
    for (const { relative } of found.layers) assert.ok(relative < 1e-5);
    if (device.float === 'float32') assert.ok((found.layers.at(-1)?.maxError as number) > 0);
    net.dispose();
    x.dispose();
  }));

test('the first layer that differs is named, with its path', () =>
  clean(async (device) => {
    const inner = sequential([layers.dense({ units: 3 }), new OffOn(0.25, other(device), { name: 'odd' })]);
    const net = sequential([input({ shape: [2] }), inner, layers.dense({ units: 2 })]);
    const x = randomUniform([3, 2]);
    const { first, layers: all } = await compareDevices(net, x);
    assert.is(first?.path, 'sequential.odd');
    assert.ok(Math.abs((first?.maxError as number) - 0.25) < 1e-6);
    assert.ok((first?.relative as number) < 0.25);
    assert.is(all.filter(({ relative }) => relative > 1e-4).length, 4);
    // A wide tolerance lets it pass, and nothing of the model was changed.
    assert.is((await compareDevices(net, x, { tolerance: 10 })).first, null);
    net.dispose();
    x.dispose();
  }));

class Own extends Model {
  readonly stream = this.addGenerator('noise', 4);
  readonly hidden = layers.dense({ units: 3 });
  readonly odd: Layer;
  constructor(odd: Layer) {
    super();
    this.odd = odd;
  }
  override call([x]: readonly [Tensor]): Tensor {
    const own = { device: x.device, generator: this.stream };
    const noise = add(randomUniform([3], 0, 1, { device: x.device }), randomUniform([3], 0, 1, own));
    return this.odd.apply(add(this.odd.apply(this.hidden.apply(x)), noise));
  }
}

test('models of your own, layers that are called twice, random numbers, and two devices of your choice', () =>
  clean(async (device) => {
    const second = new CpuDevice();
    const net = new Own(new OffOn(0.5, (own) => own === second));
    const x = tensor([[1, 2]]);
    net.applyAll(input({ shape: [2] }));
    const drawn = net.stream.counter;
    const sound = await compareDevices(net, x, { devices: [cpuDevice(), new CpuDevice()] });
    assert.is(sound.first, null, 'both draw the same numbers');
    assert.is(net.stream.counter, drawn);
    assert.is(net.weights[0]?.value.device, device, 'the model was built on its own device');
    const { first, layers: all } = await compareDevices(net, x, { devices: [second, cpuDevice()] });
    assert.equal([first?.path, first?.call], ['odd', 0]);
    assert.equal(
      all.map(({ path, call }) => [path, call]),
      [
        ['hidden', 0],
        ['odd', 0],
        ['odd', 1],
        ['', 0],
      ],
    );
    net.dispose();
    x.dispose();
  }));

test('NaN on one side and other shapes are infinitely far apart', () =>
  clean(async (device) => {
    const x = tensor([[1, 2]]);
    const net = sequential([input({ shape: [2] }), new OffOn(Number.NaN, other(device))]);
    assert.is((await compareDevices(net, x)).first?.maxError, Number.POSITIVE_INFINITY);
    const both = sequential([input({ shape: [2] }), new OffOn(Number.NaN, () => true)]);
    assert.is((await compareDevices(both, x)).first, null, 'NaN on both sides is the same');
    const wide = layers.lambda((own) => (own.device === device ? own : reshape(own, [own.size, 1])));
    const shaped = sequential([wide]);
    assert.is((await compareDevices(shaped, x)).first?.maxError, Number.POSITIVE_INFINITY);
    x.dispose();
  }));

test('wrong calls, and layers that fail, leave no tensor', () =>
  clean(async (device) => {
    const net = sequential([input({ shape: [2] }), layers.dense({ units: 1 })]);
    const x = tensor([[1, 2]]);
    await rejects(compareDevices(net, wrong([1])), 'argument', /x is \[1\]; pass a tensor/);
    await rejects(compareDevices(net, x, { devices: wrong([device]) }), 'argument', /two devices/);
    await rejects(compareDevices(net, x, { tolerance: -1 }), 'argument', /tolerance is -1/);
    await rejects(compareDevices(net, x, wrong({ device })), 'argument', /no option 'device'/);
    const narrow = tensor([[1]]);
    await rejects(compareDevices(net, narrow), 'shape', /layer 'dense'/);
    await rejects(gradcheckModel(net, narrow), 'shape', /layer 'dense'/);
    for (const each of [net, x, narrow]) each.dispose();
  }));

/** 2x, with the gradient of 3x. */
const wrongOp: Op = {
  name: 'wrong',
  forward: ([x]) => noGrad(() => mul(x as Tensor, 2)),
  backward: ({ grad }) => [() => mul(grad, 3)],
};

class Wrong extends Layer {
  override call([x]: readonly [Tensor]): Tensor {
    return apply(wrongOp, [x], undefined);
  }
}

/** x · factor, which forgets the gradient of the factor. */
class Detached extends Layer {
  override build(): void {
    this.addWeight('factor', [1], { initializer: (shape, { device }) => tensor([2], { shape, device }) });
  }
  override call([x]: readonly [Tensor]): Tensor {
    return mul(x, (this.weights[0] as { value: Tensor }).value.detach());
  }
}

test('gradients of a sound network pass, on an image with an even background too', () =>
  clean(async (device) => {
    const x = input({ shape: [6, 6, 1], name: 'x' });
    const shared = layers.dense({ units: 3, activation: 'gelu', kernelRegularizer: regularizers.l2(0.1) });
    const flat = layers
      .flatten()
      .apply(
        layers
          .maxPooling2d()
          .apply(layers.conv2d({ filters: 2, kernelSize: 3, activation: 'relu' }).apply(x)),
      );
    const a = layers.dense({ units: 3 }).apply(layers.dropout({ rate: 0.5 }).apply(flat));
    const sum = layers.add().apply([shared.apply(a), shared.apply(layers.batchNormalization().apply(a))]);
    const net = model({ inputs: x, outputs: layers.dense({ units: 4, name: 'out' }).apply(sum) });
    // Zeros, which put relu and pooling on their kinks.
    const image = new Float32Array(36);
    image.set([0.5, 1], 14);
    const data = tensor(image, { shape: [1, 6, 6, 1] });
    const y = tensor([2], { dtype: 'int32' });
    const loss = { loss: 'sparseCategoricalCrossentropy', fromLogits: true } as const;
    const { ok, first, mode, rows } = await gradcheckModel(net, data, y, { loss, samples: 4 });
    assert.is(first, null, JSON.stringify(first));
    assert.ok(ok);
    assert.is(mode, 'inference');
    const names = rows.map(({ path, layer, weight }) => `${path || layer}:${weight}`);
    for (const name of [
      'conv2d:kernel',
      'conv2d:bias',
      'maxPooling2d:input',
      'batchNormalization:gamma',
      'loss:yPred',
    ])
      assert.ok(names.includes(name), name);
    assert.not.ok(names.includes('batchNormalization:movingMean'), 'no gradient reaches it');
    assert.ok(names.includes('functional:dense.kernel'));
    for (const { checked, weight, size, path } of rows)
      assert.is(checked, path === '' && weight !== 'yPred' ? 1 : Math.min(4, size), `${path}:${weight}`);
    assert.equal(JSON.parse(JSON.stringify(rows)), rows);
    const again = await gradcheckModel(net, data, y, { loss, samples: 4 });
    assert.equal(again.rows, rows, 'the same seed checks the same elements');
    assert.is(net.device, device);
    for (const each of [net, data, y]) each.dispose();
  }));

test('a layer with a wrong gradient is named, and those before it pass', () =>
  clean(async () => {
    const net = sequential([
      input({ shape: [3] }),
      layers.dense({ units: 3, name: 'before' }),
      new Wrong({ name: 'culprit' }),
      layers.dense({ units: 2, name: 'after' }),
    ]);
    const x = randomUniform([2, 3]);
    const { ok, first, rows } = await gradcheckModel(net, x);
    assert.not.ok(ok);
    assert.equal([first?.layer, first?.path, first?.weight], ['culprit', 'culprit', 'input']);
    const { analytic = 0, numeric = 0 } = first?.worst ?? {};
    assert.ok(Math.abs(analytic / numeric - 1.5) < 1e-6);
    const inner = rows.filter(({ path }) => path === 'before' || path === 'after');
    assert.is(inner.length, 6);
    assert.ok(inner.every(({ passed }) => passed));
    assert.not.ok(rows.find(({ weight }) => weight === 'before.kernel')?.passed);
    assert.ok(rows.find(({ weight }) => weight === 'after.kernel')?.passed);
    net.dispose();
    x.dispose();
  }));

test('a gradient that is forgotten is found', () =>
  clean(async () => {
    const net = sequential([input({ shape: [3] }), new Detached(), layers.dense({ units: 1 })]);
    const x = randomUniform([2, 3]);
    const { first } = await gradcheckModel(net, x);
    assert.equal([first?.layer, first?.weight, first?.worst?.analytic], ['detached', 'factor', 0]);
    net.dispose();
    x.dispose();
  }));

class Noisy extends Layer {
  readonly #generator = new Generator(3);
  override call([x]: readonly [Tensor]): Tensor {
    return add(x, randomUniform(x.shape, 0, 1, { device: x.device, generator: this.#generator }));
  }
}

test('what cannot be judged does not pass, and says why', () =>
  clean(async () => {
    const net = sequential([input({ shape: [3] }), new Noisy()]);
    const x = randomUniform([2, 3]);
    const { first } = await gradcheckModel(net, x);
    assert.equal([first?.checked, first?.passed], [0, false]);
    assert.match(first?.note as string, /gave .* and then/);
    net.dispose();
    x.dispose();
  }));

test('integer inputs, several outputs, frozen weights, and the loss of the compiled model', () =>
  clean(async () => {
    const [tokens, x] = [input({ shape: [2], dtype: 'int32', name: 'tokens' }), input({ shape: [2] })];
    const words = layers.flatten().apply(layers.embedding({ inputDim: 4, outputDim: 2 }).apply(tokens));
    const frozen = layers.dense({ units: 2, name: 'frozen', trainable: false });
    const joined = layers.concatenate().apply([words, frozen.apply(x)]);
    const outputs = [
      layers.dense({ units: 1, name: 'a' }).apply(joined),
      layers.dense({ units: 2, name: 'b' }).apply(joined),
    ];
    const net = model({ inputs: [tokens, x], outputs });
    net.compile({ loss: { a: 'meanSquaredError', b: 'huber' }, lossWeights: { b: 0.5 } });
    const xs = [tensor([[1, 2]], { dtype: 'int32' }), tensor([[0.5, -1]])];
    const ys = [tensor([[1]]), tensor([[0, 3]])];
    const { ok, rows, first } = await gradcheckModel(net, xs, ys);
    assert.ok(ok, JSON.stringify(first));
    const names = rows.map(({ path, layer, weight }) => `${path || layer}:${weight}`);
    assert.ok(names.includes('embedding:embeddings') && names.includes('frozen:input'));
    assert.not.ok(names.includes('frozen:kernel') || names.includes('embedding:input'));
    assert.ok(names.includes('loss:yPred_1'));
    await rejects(gradcheckModel(net, xs, ys[0]), 'argument', /1 targets for 2 losses/);
    await rejects(gradcheckModel(net, xs, undefined, { loss: 'mse' }), 'argument', /no y to compare/);
    await rejects(gradcheckModel(net, xs, ys, { samples: 0 }), 'argument', /samples is 0/);
    const bare = sequential([input({ shape: [2] }), layers.dense({ units: 1 })]);
    await rejects(gradcheckModel(bare, xs[1] as Tensor, ys[0]), 'argument', /y without a loss/);
    for (const each of [net, bare, ...xs, ...ys]) each.dispose();
  }));
