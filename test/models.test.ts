/** Models as JSON: every kind of layer, branches, shared layers, nested models, layers of one's own, and what is refused. */
import * as assert from 'uvu/assert';
import type { LayerMaker } from '../src/nn/layers/registry.ts';
import { BUILT_IN_LAYERS } from '../src/nn/layers/registry.ts';
import {
  constraints,
  initializers,
  input,
  Layer,
  type LayerOptions,
  layers,
  Model,
  model,
  modelFromJson,
  mul,
  regularizers,
  relu,
  type SymbolicTensor,
  sequential,
  type Tensor,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { wrong } from './support/layer-checks.ts';
import { fails } from './support/values.ts';

const test = suite('models as JSON');

const through = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Options that a layer needs, or has besides its defaults, and the shape of an example. */
const image = [8, 8, 4];
const volume = [4, 4, 4, 2];
const sequence = [8, 4];
const conv = {
  filters: 4,
  kernelSize: 3,
  activation: relu,
  kernelInitializer: initializers.heNormal({ seed: 3 }),
  kernelRegularizer: regularizers.l2(0.01),
  kernelConstraint: constraints.maxNorm({ maxValue: 2 }),
};
const CASES: Readonly<Record<string, readonly [options: object, ...shapes: (readonly number[])[]]>> = {
  activation: [{ activation: 'tanh' }, [3]],
  activityRegularization: [{ l2: 0.1 }, [3]],
  adaptiveAveragePooling1d: [{ outputSize: 2 }, sequence],
  adaptiveAveragePooling2d: [{ outputSize: [2, 4] }, image],
  adaptiveAveragePooling3d: [{ outputSize: 2 }, volume],
  add: [{}, [3], [3]],
  alphaDropout: [{ rate: 0.2 }, [3]],
  average: [{}, [3], [3]],
  averagePooling1d: [{ poolSize: 2 }, sequence],
  averagePooling2d: [{ poolSize: 2, padding: 'same' }, image],
  averagePooling3d: [{ poolSize: 2 }, volume],
  batchNormalization: [{ momentum: 0.9, gammaInitializer: 'ones' }, [3]],
  bidirectional: [
    {
      layer: layers.gru({ units: 2, name: 'forward_gru' }),
      backwardLayer: layers.lstm({ units: 3, goBackwards: true, name: 'backward_lstm' }),
    },
    sequence,
  ],
  concatenate: [{ axis: -1 }, [3], [2]],
  conv1d: [{ ...conv, padding: 'causal' }, sequence],
  conv1dTranspose: [conv, sequence],
  conv2d: [conv, image],
  conv2dTranspose: [{ ...conv, strides: 2 }, image],
  conv3d: [conv, volume],
  conv3dTranspose: [conv, volume],
  cropping1d: [{ cropping: 1 }, sequence],
  cropping2d: [{ cropping: 1 }, image],
  cropping3d: [{ cropping: 1 }, volume],
  dense: [{ units: 4, activation: 'relu', biasInitializer: { initializer: 'ones', options: {} } }, [3]],
  depthwiseConv1d: [{ kernelSize: 3 }, sequence],
  depthwiseConv2d: [{ kernelSize: 3, depthMultiplier: 2 }, image],
  dot: [{ axes: 1 }, [3], [3]],
  dropout: [{ rate: 0.2, seed: 3 }, [3]],
  elu: [{ alpha: 0.5 }, [3]],
  embedding: [{ inputDim: 5, outputDim: 3 }, [4]],
  flatten: [{}, image],
  gaussianDropout: [{ rate: 0.2 }, [3]],
  gaussianNoise: [{ stddev: 0.2 }, [3]],
  globalAveragePooling1d: [{}, sequence],
  globalAveragePooling2d: [{ keepDims: true }, image],
  globalAveragePooling3d: [{}, volume],
  globalMaxPooling1d: [{}, sequence],
  globalMaxPooling2d: [{}, image],
  globalMaxPooling3d: [{}, volume],
  glu: [{}, [4]],
  groupNormalization: [{ groups: 2 }, image],
  gru: [{ units: 3, resetAfter: false, returnSequences: true }, sequence],
  instanceNormalization: [{}, image],
  layerNormalization: [{ epsilon: 0.01 }, [3]],
  leakyRelu: [{ negativeSlope: 0.2 }, [3]],
  localResponseNormalization: [{}, image],
  lstm: [{ units: 3, unitForgetBias: false, recurrentRegularizer: 'l2', dropout: 0.1, seed: 1 }, sequence],
  masking: [{ maskValue: -1 }, sequence],
  maxPooling1d: [{ poolSize: 2 }, sequence],
  maxPooling2d: [{ poolSize: [2, 1] }, image],
  maxPooling3d: [{ poolSize: 2 }, volume],
  maximum: [{}, [3], [3]],
  maxout: [{ pieces: 2 }, [4]],
  minimum: [{}, [3], [3]],
  multiply: [{}, [3], [3]],
  permute: [{ dims: [2, 1] }, sequence],
  prelu: [{}, [3]],
  relu: [{ maxValue: 6 }, [3]],
  repeatVector: [{ n: 3 }, [3]],
  reshape: [{ targetShape: [3, -1] }, [6]],
  resizing: [{ height: 4, width: 6 }, image],
  rmsNormalization: [{}, [3]],
  separableConv1d: [{ filters: 4, kernelSize: 3 }, sequence],
  separableConv2d: [{ filters: 4, kernelSize: 3 }, image],
  simpleRnn: [{ units: 3, activation: 'relu', goBackwards: true, stateful: true }, sequence],
  softmax: [{}, [3]],
  spatialDropout1d: [{ rate: 0.2 }, sequence],
  spatialDropout2d: [{ rate: 0.2 }, image],
  spatialDropout3d: [{ rate: 0.2 }, volume],
  subtract: [{}, [3], [3]],
  thresholdedRelu: [{ theta: 0.5 }, [3]],
  timeDistributed: [{ layer: layers.dense({ units: 2, name: 'dense' }) }, sequence],
  unitNormalization: [{}, [3]],
  upSampling1d: [{ size: 2 }, sequence],
  upSampling2d: [{ size: 2 }, image],
  upSampling3d: [{ size: 2 }, volume],
  zeroPadding1d: [{ padding: 1 }, sequence],
  zeroPadding2d: [{ padding: [1, 2] }, image],
  zeroPadding3d: [{ padding: 1 }, volume],
};

/** The options as plain values, with which two layers of one type are the same. */
const plainOptions = (layer: Layer): unknown =>
  through({ ...layer.options, name: layer.name, activation: undefined });

test('every layer comes back with its options, shapes and weights', async () => {
  await testDevice();
  for (const [type, make] of Object.entries(BUILT_IN_LAYERS)) {
    const row = CASES[type];
    assert.ok(row, `add options for ${type} to this test`);
    const [options, ...shapes] = row as NonNullable<typeof row>;
    const inputs = shapes.map((shape) => input({ shape, dtype: type === 'embedding' ? 'int32' : 'float' }));
    const layer = (make as LayerMaker)(wrong(options));
    const net = model({ inputs, outputs: layer.apply(inputs) });
    const same = modelFromJson(through(net));
    try {
      assert.equal(through(same), through(net), type);
      const [[, other]] = same.sublayers() as [readonly [string, Layer]];
      assert.is(other.constructor, layer.constructor, type);
      assert.equal(plainOptions(other), plainOptions(layer), type);
      assert.equal(
        same.namedWeights().map(([path, { shape, trainable }]) => [path, shape, trainable]),
        net.namedWeights().map(([path, { shape, trainable }]) => [path, shape, trainable]),
        type,
      );
      assert.equal(same.signature(), net.signature(), type);
    } finally {
      net.dispose();
      same.dispose();
    }
  }
});

test('what is written is short and readable', async () => {
  await testDevice();
  const x = input({ shape: [4], name: 'left' });
  const dense = layers.dense({ units: 3, activation: relu, kernelRegularizer: regularizers.l2(0.5) });
  const net = model({
    inputs: x,
    outputs: layers.add().apply([dense.apply(x), dense.apply(x)]),
    name: 'twice',
  });
  const regularizer = { regularizer: 'l2', options: { l2: 0.5 } };
  assert.equal(through(net), {
    format: 'wgrad-model',
    version: 1,
    model: {
      type: 'functional',
      name: 'twice',
      config: {
        inputs: [{ shape: [4], dtype: 'float', name: 'left' }],
        layers: [
          {
            type: 'dense',
            name: 'dense',
            config: { units: 3, activation: 'relu', kernelRegularizer: regularizer },
          },
          { type: 'add', name: 'add', config: {} },
        ],
        nodes: [
          { layer: 0, inputs: [{ input: 0 }] },
          { layer: 0, inputs: [{ input: 0 }] },
          {
            layer: 1,
            inputs: [
              { node: 0, output: 0 },
              { node: 1, output: 0 },
            ],
          },
        ],
        outputs: [{ node: 2, output: 0 }],
      },
    },
    build: [{ shape: [null, 4], dtype: 'float' }],
  });
  net.dispose();
});

test('nested models, and layers that several of them share', async () => {
  await testDevice();
  const encoder = sequential([layers.dense({ units: 3 }), layers.relu()], { name: 'encoder' });
  const [first] = encoder.layers as [Layer];
  const [a, b] = [input({ shape: [3] }), input({ shape: [3] })];
  const sum = layers.add().apply([encoder.apply(a), encoder.apply(b), first.apply(a)]);
  const net = model({ inputs: [a, b], outputs: sum });
  const same = modelFromJson(through(net));
  assert.equal(through(same), through(net));
  assert.is(same.weights.length, 2);
  assert.equal(
    same.namedWeights().map(([path]) => path),
    ['encoder.dense.kernel', 'encoder.dense.bias'],
  );
  const [[, inner], [, outer]] = same.sublayers() as [readonly [string, Layer], readonly [string, Layer]];
  assert.is(inner.sublayers()[0]?.[1], outer, 'one layer at both places');
  net.dispose();
  same.dispose();
});

test('a layer may come twice in a sequence', async () => {
  await testDevice();
  const dense = layers.dense({ units: 3, name: 'again' });
  const net = sequential([input({ shape: [3] }), dense, dense]);
  const same = modelFromJson(through(net));
  assert.equal(through(same), through(net));
  assert.is(same.countParams(), 12);
  net.dispose();
  same.dispose();
});

test('what is frozen stays frozen, also around what is not', async () => {
  await testDevice();
  const inner = sequential([layers.dense({ units: 3, name: 'a' }), layers.dense({ units: 3, name: 'b' })]);
  const net = sequential([input({ shape: [2] }), inner, layers.dense({ units: 1 })]);
  inner.trainable = false;
  (inner.layers[1] as Layer).trainable = true;
  const same = modelFromJson(through(net));
  const flags = (own: Model): unknown => own.namedWeights().map(([path, { trainable }]) => [path, trainable]);
  assert.equal(flags(same), flags(net));
  assert.is(same.trainableWeights.length, 4);
  net.dispose();
  same.dispose();
});

test('a model without an input comes back with what it was called on', async () => {
  const device = await testDevice();
  const net = sequential([layers.embedding({ inputDim: 4, outputDim: 2 }), layers.flatten()]);
  const empty = modelFromJson(through(net));
  assert.not.ok(empty.built);
  const y = await net.predict({ data: Int32Array.of(1, 2, 3, 0), shape: [2, 2] } as never);
  y.dispose();
  assert.equal(through(net.toJSON().build), [{ shape: [null, 2], dtype: 'int32' }]);
  const same = modelFromJson(through(net));
  assert.ok(same.built);
  assert.is(same.device, device);
  assert.equal(through(same), through(net));
  net.dispose();
  same.dispose();
});

interface ScaleOptions extends LayerOptions {
  factor: number;
}

class Scale extends Layer<ScaleOptions> {
  override call([x]: readonly [Tensor]): Tensor {
    return mul(x, this.options.factor);
  }
}

class Net extends Model {
  readonly hidden = layers.dense({ units: 3 });
  readonly scale = new Scale({ factor: 2 });
  override call([x]: readonly [Tensor]): Tensor {
    return this.scale.apply(this.hidden.apply(x));
  }
}

class WiderDense extends layers.Dense {}

test('layers and models of your own', async () => {
  await testDevice();
  const own = {
    scale: (config: ScaleOptions) => new Scale(config),
    net: (config: LayerOptions) => new Net(config),
    widerDense: (config: { units: number }) => new WiderDense(config),
  };
  const net = sequential([
    input({ shape: [2] }),
    new Net(),
    new Scale({ factor: 0.5, name: 'half' }),
    new WiderDense({ units: 2 }),
  ]);
  const same = modelFromJson(through(net), { layers: own });
  assert.equal(through(same), through(net));
  assert.equal(
    same.namedWeights().map(([path]) => path),
    net.namedWeights().map(([path]) => path),
  );
  assert.instance(same.sublayers()[2]?.[1], WiderDense);
  const alone = new Net();
  alone.apply(input({ shape: [2] }));
  const copy = modelFromJson(through(alone), { layers: own });
  assert.instance(copy, Net);
  assert.ok(copy.built);
  for (const each of [net, same, alone, copy]) each.dispose();
  fails(
    () => modelFromJson(through(new Net())),
    'argument',
    /no layer 'net'/,
    /\{ layers: \{ net: \(config\) => … \} \}/,
  );
  fails(
    () =>
      modelFromJson(through(sequential([new Scale({ factor: 1, name: 'half' })])), {
        layers: { scale: () => new Scale({ factor: 1, name: 'other' }) },
      }),
    'argument',
    /'half' came out as 'other'/,
  );
  fails(
    () =>
      modelFromJson(through(sequential([new Scale({ factor: 1 })])), { layers: { scale: () => wrong(3) } }),
    'argument',
    /layers\.scale returned 3/,
  );
});

test('weights go to the device that is asked for', async () => {
  await testDevice();
  const net = sequential([input({ shape: [2] }), layers.dense({ units: 3 })]);
  const same = modelFromJson(through(net), { device: cpuDevice() });
  assert.is(same.device, cpuDevice());
  net.dispose();
  same.dispose();
});

test('options that JSON cannot hold are refused, with layer, option and the way out', () => {
  const of =
    (layer: Layer): (() => unknown) =>
    () =>
      sequential([layer]).toJSON();
  fails(
    of(layers.dense({ units: 1, activation: (x) => mul(x, 2), name: 'mine' })),
    'argument',
    /layer 'mine': the option 'activation' is a function/,
    /subclass of Layer/,
  );
  fails(of(layers.lambda((x) => mul(x, 2))), 'argument', /layer 'lambda'/, /subclass of Layer/);
  fails(of(new Scale({ factor: Number.NaN })), 'argument', /layer 'scale': the option 'factor' is NaN/);
  fails(
    of(new Scale(wrong({ factor: [{ deep: new Float32Array(2) }] }))),
    'argument',
    /'factor\[0\]\.deep' is a Float32Array/,
    /getConfig/,
  );
  const Dense = { Dense: class extends layers.Dense {} }.Dense;
  Object.defineProperty(Dense, 'name', { value: 'Dense' });
  fails(of(new Dense({ units: 1 })), 'argument', /layers\.dense; rename it/);
});

test('damaged JSON is refused, and leaves no tensor', async () => {
  const device = await testDevice();
  const net = model(
    ((x: SymbolicTensor) => ({ inputs: x, outputs: layers.dense({ units: 1 }).apply(x) }))(
      input({ shape: [2] }),
    ),
  );
  const before = device.memory().tensors;
  type Plain = Record<string, unknown>;
  const changed = (change: (json: Plain) => void): unknown => {
    const json = through(net) as Plain;
    change(json);
    return json;
  };
  const config = ({ model: own }: Plain): Record<string, unknown> => (own as Plain).config as Plain;
  const refused = (json: unknown, code: string, ...parts: RegExp[]): void =>
    fails(() => modelFromJson(json), code, ...parts);
  refused(JSON.stringify(net), 'format', /JSON\.parse it first/);
  refused(null, 'format', /null is no model/);
  refused(
    changed((json) => Object.assign(json, { version: 2 })),
    'format',
    /version 2, this reads version 1/,
  );
  refused(
    changed((json) => Object.assign(json, { model: 3 })),
    'format',
    /the model is 3/,
  );
  refused(
    changed((json) => Object.assign(json, { model: { type: 'dense', name: 'd', config: { units: 1 } } })),
    'format',
    /'d' is a layer of type dense, no model/,
  );
  refused(
    changed((json) => Object.assign(config(json), { layers: 3 })),
    'format',
    /the layers of 'functional' is 3/,
  );
  refused(
    changed((json) => Object.assign(config(json), { layers: [{ shared: 7 }] })),
    'format',
    /refers to number 7/,
  );
  refused(
    changed((json) => Object.assign(config(json), { outputs: [{ node: 4, output: 0 }] })),
    'format',
    /refers to number 4 of 1/,
  );
  refused(
    changed((json) => Object.assign(config(json), { outputs: [{ node: 0, output: 1 }] })),
    'format',
    /refers to number 1 of 1/,
  );
  refused(
    changed((json) => Object.assign(config(json), { nodes: [{ layer: 0, inputs: [{ input: 'x' }] }] })),
    'format',
    /refers to number 'x'/,
  );
  const typed = (type: string): unknown =>
    changed((json) => Object.assign((config(json).layers as object[])[0] as object, { type }));
  refused(typed('desne'), 'argument', /no layer 'desne'/, /Did you mean 'dense'\?/);
  refused(typed('toString'), 'argument', /no layer 'toString'/);
  refused(
    changed((json) =>
      Object.assign((config(json).layers as object[])[0] as object, { config: { units: 0 } }),
    ),
    'argument',
    /dense: units is 0/,
  );
  fails(() => modelFromJson(through(net), { device: wrong('cpu') }), 'argument', /device is 'cpu'/);
  fails(() => modelFromJson(through(net), wrong({ layer: {} })), 'argument', /no option 'layer'/);
  assert.is(device.memory().tensors, before);
  net.dispose();
});
