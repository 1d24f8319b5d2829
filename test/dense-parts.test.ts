/** Dense kernels that are larger than a device binds: in parts, with the same results. */
import * as assert from 'uvu/assert';
import {
  ArgumentError,
  applications,
  assign,
  backward,
  CpuDevice,
  input,
  layers,
  modelFromJson,
  mul,
  noGrad,
  type Parameter,
  randomNormal,
  readModel,
  type Sequential,
  scope,
  sequential,
  setDefaultDevice,
  sum,
  type Tensor,
  tensor,
  writeModel,
} from '../src/node.ts';
import { scriptWeights } from './support/applications.ts';
import { suite, testDevice } from './support/harness.ts';
import { close } from './support/values.ts';

const test = suite('dense-parts');

/** A device that binds next to nothing. */
class SmallDevice extends CpuDevice {
  override readonly maxBytes = 1024;
}

const paths = (model: Sequential): string[] =>
  model.namedWeights().map(([path, { shape }]) => `${path} ${shape.join('×')}`);

test('results and gradients are those of the whole kernel', async () => {
  await testDevice();
  const make = (kernelParts: number): Sequential =>
    sequential([
      input({ shape: [3, 5] }),
      layers.dense({ units: 7, activation: 'tanh', kernelParts, name: 'dense' }),
    ]);
  const [whole, parts] = [make(1), make(3)];
  assert.equal(paths(whole), ['dense.kernel 5×7', 'dense.bias 7']);
  assert.equal(paths(parts), [
    'dense.kernel_0 5×2',
    'dense.kernel_1 5×2',
    'dense.kernel_2 5×3',
    'dense.bias 7',
  ]);
  const x = randomNormal([2, 3, 5], 0, 1, { requiresGrad: true });
  const bias = randomNormal([7]);
  const [kernel, wholeBias] = whole.weights as [Parameter, Parameter];
  const rows = (await kernel.value.array()) as number[][];
  const columns = (from: number, to: number): Tensor => tensor(rows.map((row) => row.slice(from, to)));
  scope(() =>
    noGrad(() => {
      for (const { value } of [wholeBias, parts.weights[3] as Parameter]) assign(value, bias);
      [columns(0, 2), columns(2, 4), columns(4, 7)].forEach((part, index) => {
        assign((parts.weights[index] as Parameter).value, part);
      });
    }),
  );
  const run = async (
    model: Sequential,
  ): Promise<{ y: unknown; x: unknown; kernel: number[][]; bias: unknown }> => {
    const y = scope(() => {
      const found = model.apply(x);
      backward(sum(mul(found, found)));
      return found.detach();
    });
    const gradients = await Promise.all(model.weights.map(({ grad }) => (grad as Tensor).array()));
    const bias = gradients.pop();
    const result = {
      y: await y.array(),
      x: await (x.grad as Tensor).array(),
      kernel: rows.map((_, row) =>
        gradients.flatMap((gradient) => (gradient as number[][])[row] as number[]),
      ),
      bias,
    };
    y.dispose();
    x.grad = null;
    return result;
  };
  const [one, several] = [await run(whole), await run(parts)];
  for (const key of ['y', 'x', 'kernel', 'bias'] as const)
    close(several[key] as number[][], one[key] as number[][], { rel: 1e-5, abs: 1e-6 });
  for (const tensor of [x, bias]) tensor.dispose();
  for (const model of [whole, parts]) model.dispose();
});

test('a device that binds little makes the parts itself, and training, files and JSON keep them', async () => {
  const usual = await testDevice();
  const device = new SmallDevice();
  setDefaultDevice(device);
  // 20 · 8 bytes a unit: 6 units fit into 1024.
  const model = sequential([input({ shape: [20] }), layers.dense({ units: 13, name: 'large' })]);
  assert.equal(paths(model), [
    'large.kernel_0 20×4',
    'large.kernel_1 20×4',
    'large.kernel_2 20×5',
    'large.bias 13',
  ]);
  model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
  const x = Float32Array.from({ length: 8 * 20 }, (_, index) => Math.sin(index));
  const data = { x: tensor(x, { shape: [8, 20] }), y: tensor(x.subarray(0, 8 * 13), { shape: [8, 13] }) };
  const { epochs } = await model.fit(data, { epochs: 5, batchSize: 4 });
  assert.ok((epochs.at(-1)?.loss as number) < (epochs[0]?.loss as number));
  const bytes = await writeModel(model);
  const json = JSON.parse(JSON.stringify(model));
  setDefaultDevice(usual);
  const [read, made] = [await readModel(bytes), modelFromJson(json)] as [Sequential, Sequential];
  assert.equal(paths(read), paths(model));
  assert.equal(paths(made), paths(model));
  for (const own of [read, made, model]) own.dispose();
  for (const own of Object.values(data)) own.dispose();
  assert.is(device.memory().tensors, 0);
  device.destroy();
});

test('pre-trained weights are cut as the kernel is', async () => {
  await testDevice();
  const device = new SmallDevice();
  setDefaultDevice(device);
  const make = (): Sequential =>
    applications.mlp({ units: [13], inputShape: [20], classes: 4, classifierActivation: null });
  const model = make();
  const whole = sequential([
    input({ shape: [20] }),
    layers.dense({ units: 13, activation: 'relu', kernelParts: 1 }),
    layers.dense({ units: 4 }),
  ]);
  const given = scriptWeights(whole, 'keras', device);
  for (const own of [model, whole]) await applications.loadPretrained(own, given, { source: 'keras' });
  const x = randomNormal([2, 20]);
  const [parted, joined] = scope(() => [model.apply(x), whole.apply(x)] as [Tensor, Tensor]);
  close(await parted.array(), await joined.array(), 1e-12);
  for (const own of [x, parted, joined, ...Object.values(given)]) own.dispose();
  for (const own of [model, whole]) own.dispose();
  device.destroy();
});

test('parts are a whole number, at most one for each unit', () => {
  for (const kernelParts of [0, 1.5, 5])
    assert.throws(
      () => layers.dense({ units: 4, kernelParts }),
      (error: unknown) =>
        error instanceof ArgumentError && /kernelParts is .*≥ 1 and ≤ 4/.test(error.message),
    );
});
