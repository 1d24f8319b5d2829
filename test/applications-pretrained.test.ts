/** Weights by torchvision's and Keras's names: what fits, and what is told of the rest. */
import * as assert from 'uvu/assert';
import {
  ArgumentError,
  applications,
  type Model,
  type Tensor,
  WeightsError,
  writeSafetensors,
  zeros,
} from '../src/node.ts';
import { withDefaultDevice } from '../src/runtime/default-device.ts';
import { ShapeDevice } from '../src/runtime/shape-device.ts';
import { foreignWeights, scriptWeights } from './support/applications.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';

const test = suite('applications-pretrained');
const { loadPretrained } = applications;

const tiny = { classes: 3, inputShape: [32, 32, 3], width: 1 / 32 };

const disposeAll = (tensors: Readonly<Record<string, Tensor>>): void => {
  for (const tensor of Object.values(tensors)) tensor.dispose();
};

async function valuesOf(model: Model): Promise<[string, number[]][]> {
  const found: [string, number[]][] = [];
  for (const [path, { value }] of model.namedWeights()) found.push([path, Array.from(await value.data())]);
  return found;
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('It did not reject.');
}

/** What `torchvision.models.resnet18().state_dict()` lists. */
function resnet18Keys(): string[] {
  const norm = (name: string): string[] =>
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'].map((own) => `${name}.${own}`);
  const keys = ['conv1.weight', ...norm('bn1')];
  for (let layer = 1; layer <= 4; layer++)
    for (let block = 0; block < 2; block++) {
      const name = `layer${layer}.${block}`;
      keys.push(`${name}.conv1.weight`, ...norm(`${name}.bn1`));
      keys.push(`${name}.conv2.weight`, ...norm(`${name}.bn2`));
      if (layer > 1 && block === 0) keys.push(`${name}.downsample.0.weight`, ...norm(`${name}.downsample.1`));
    }
  return [...keys, 'fc.weight', 'fc.bias'];
}

test('a file with the names of ResNet-18 in torchvision, its counters included', async () => {
  await testDevice();
  const model = applications.resnet18(tiny);
  const keys = resnet18Keys();
  assert.is(keys.length, 122);
  const given = scriptWeights(model, 'torchvision', cpuDevice());
  const named = Object.fromEntries(
    keys.map((key) => [key, given[key] ?? zeros([], { device: cpuDevice() })] as const),
  );
  assert.is(Object.keys(given).filter((key) => !keys.includes(key)).length, 0);
  const bytes = await writeSafetensors(named, { float: 'float64' });
  await loadPretrained(model, bytes, { source: 'torchvision' });
  const direct = applications.resnet18(tiny);
  await loadPretrained(direct, given, { source: 'torchvision' });
  const [fromFile, fromTensors] = [await valuesOf(model), await valuesOf(direct)];
  assert.equal(fromFile, fromTensors);
  assert.ok(fromFile.every(([, values]) => values.some((value) => value !== 0)));
  disposeAll(named);
  model.dispose();
  direct.dispose();
});

test('the places of torchvision in the published VGG-16', () => {
  withDefaultDevice(new ShapeDevice('float32'), () => {
    const found = foreignWeights(applications.vgg16(), 'torchvision').map(
      ({ name, shape }) => `${name} ${shape.join('×')}`,
    );
    assert.is(found.length, 32);
    assert.is(found[0], 'features.0.weight 64×3×3×3');
    assert.is(found[24], 'features.28.weight 512×512×3×3');
    assert.is(found[26], 'classifier.0.weight 4096×25088');
    assert.is(found[30], 'classifier.6.weight 1000×4096');
  });
});

test('a dense kernel behind a flatten: from channels, height, width to height, width, channels', async () => {
  const device = await testDevice();
  const model = applications.vgg11({ ...tiny, inputShape: [64, 96, 3] });
  const given = scriptWeights(model, 'torchvision', device);
  await loadPretrained(model, given, { source: 'torchvision' });
  const own = model.namedWeights().find(([path]) => path === 'fc1.kernel')?.[1].value as Tensor;
  const foreign = given['classifier.0.weight'] as Tensor;
  const [ours, theirs] = [await own.data(), await foreign.data()];
  const [channels, height, width, units] = [16, 2, 3, 128];
  assert.equal(own.shape, [height * width * channels, units]);
  for (const [c, y, x, unit] of [
    [0, 0, 0, 0],
    [5, 0, 1, 7],
    [15, 1, 2, 127],
    [3, 1, 0, 64],
  ] as const)
    assert.is(
      ours[((y * width + x) * channels + c) * units + unit],
      theirs[((unit * channels + c) * height + y) * width + x],
    );
  disposeAll(given);
  model.dispose();
});

test('names of Keras with slashes, scopes and numbers', async () => {
  const device = await testDevice();
  const make = () => applications.mobilenet({ classes: 3, inputShape: [32, 32, 3], alpha: 1 / 32 });
  const [model, direct] = [make(), make()];
  const given = scriptWeights(model, 'keras', device);
  const named = Object.fromEntries(
    Object.entries(given).map(([name, tensor]) => {
      const [layer, weight] = name.split('.') as [string, string];
      const isDepthwise = /^conv_dw_\d+$/.test(layer);
      return [`mobilenet/${layer}/${isDepthwise ? 'depthwise_kernel' : weight}:0`, tensor];
    }),
  );
  await loadPretrained(model, named, { source: 'keras' });
  await loadPretrained(direct, given, { source: 'keras' });
  assert.equal(await valuesOf(model), await valuesOf(direct));
  const twice = await rejection(loadPretrained(model, { ...named, ...given }, { source: 'keras' }));
  assert.match(twice.message, /two weights are named/);
  disposeAll(given);
  for (const net of [model, direct]) net.dispose();
});

test('all that does not fit is told, and nothing is changed', async () => {
  const device = await testDevice();
  const model = applications.resnet20({ ...tiny, width: 0.25 });
  const before = await valuesOf(model);
  const given = scriptWeights(model, 'torchvision', device);
  const extra = zeros([2]);
  const { 'bn1.running_mean': _left, ...rest } = given;
  const wrong = { ...rest, 'conv1.weight': extra, 'layer9.weight': extra, 'bn1.num_batches_tracked': extra };
  const error = await rejection(loadPretrained(model, wrong, { source: 'torchvision' }));
  assert.instance(error, WeightsError);
  const { missing, unexpected, mismatched } = error as WeightsError;
  assert.equal(missing, ['bn1.running_mean, for bn1.movingMean']);
  assert.equal(unexpected, ['layer9.weight']);
  assert.equal(mismatched, ["conv1.weight is (2,), the model's conv1.kernel takes (4, 3, 3, 3)"]);
  assert.match(error.message, /loadPretrained: .*nothing was changed/);
  assert.equal(await valuesOf(model), before);
  disposeAll(given);
  extra.dispose();
  model.dispose();
});

test('a last layer for other classes keeps its weights, and heads that the model lacks are left out', async () => {
  const device = await testDevice();
  const options = { inputShape: [64, 64, 3], width: 1 / 32 };
  const trained = applications.googlenet({ ...options, classes: 7, auxiliary: true });
  const model = applications.googlenet({ ...options, classes: 3 });
  const given = scriptWeights(trained, 'torchvision', device);
  const before = new Map(await valuesOf(model));
  const refused = await rejection(loadPretrained(model, given, { source: 'torchvision' }));
  assert.equal((refused as WeightsError).mismatched.length, 2);
  await loadPretrained(model, given, { source: 'torchvision', skip: ['fc'] });
  const after = new Map(await valuesOf(model));
  assert.equal(after.get('fc.kernel'), before.get('fc.kernel'));
  assert.not.equal(after.get('conv1_conv.kernel'), before.get('conv1_conv.kernel'));
  const typo = await rejection(loadPretrained(model, given, { source: 'torchvision', skip: ['fd'] }));
  assert.match(typo.message, /no layer 'fd'.*Did you mean 'fc'/);
  disposeAll(given);
  for (const net of [trained, model]) net.dispose();
});

test('bad calls are refused', async () => {
  await testDevice();
  const model = applications.mlp({ units: [4], inputShape: [3] });
  const refused = async (pattern: RegExp, ...given: unknown[]): Promise<void> => {
    const error = await rejection(loadPretrained(...(given as Parameters<typeof loadPretrained>)));
    assert.instance(error, ArgumentError);
    assert.match(error.message, pattern);
  };
  await refused(/no source 'torch'/, model, {}, { source: 'torch' });
  await refused(/'kernels'.*pass tensors/, model, { kernels: [1] }, { source: 'keras' });
  await refused(/Uint8Array/, model, 'resnet18.pth', { source: 'keras' });
  await refused(/no model/, {}, {}, { source: 'keras' });
  model.dispose();
  const mobile = applications.mobilenet({ inputShape: [32, 32, 3], alpha: 1 / 32 });
  await refused(/torchvision has no weights for 'conv_dw_1.kernel'/, mobile, {}, { source: 'torchvision' });
  mobile.dispose();
});
