/** Layers of convolutions: shapes foretold, wrong options and wrong inputs. Shapes alone matter, so the CPU device will do. */
import * as assert from 'uvu/assert';
import type { Layer } from '../src/nn/layer.ts';
import * as layers from '../src/nn/layers/index.ts';
import { input } from '../src/nn/symbolic.ts';
import * as w from '../src/node.ts';
import { ones, type Shape, scope, setDefaultDevice } from '../src/node.ts';
import { cpuDevice, suite } from './support/harness.ts';
import {
  combinations,
  given,
  promisesItsShape,
  type Refusal,
  refuses,
  withoutDevice,
  wrong,
} from './support/layer-checks.ts';
import { fails } from './support/values.ts';

const test = suite('layers, convolutions, shapes and wrong calls');

test('the shape is foretold: plain convolutions', () => {
  setDefaultDevice(cpuDevice());
  const common = { strides: [1, 2, 3], dilationRate: [1, 2], groups: [1, 2] } as const;
  for (const options of combinations({
    ...common,
    kernelSize: [1, 3],
    padding: ['valid', 'same', 'causal', 1],
  }))
    promisesItsShape(() => layers.conv1d(given({ filters: 2, ...options })), [1, 8, 2]);
  const sides = [1, [2, 1]] as const;
  const paddings = ['valid', 'same', 1, [[1, 0], 2]] as const;
  for (const options of combinations({
    ...common,
    strides: sides,
    kernelSize: [[3, 2], 1],
    padding: paddings,
  }))
    promisesItsShape(() => layers.conv2d(given({ filters: 4, ...options })), [2, 7, 6, 2]);
  for (const options of combinations({
    strides: [1, [1, 2, 2]],
    kernelSize: [2, [1, 2, 3]],
    padding: ['valid', 'same'],
  }))
    promisesItsShape(() => layers.conv3d(given({ filters: 3, ...options })), [1, 4, 5, 6, 2]);
});

test('the shape is foretold: transposed, depthwise and separable ones', () => {
  setDefaultDevice(cpuDevice());
  const transposed = { kernelSize: [1, 2, 3], strides: [2, 3], padding: ['valid', 'same', 0] } as const;
  for (const options of combinations({
    ...transposed,
    outputPadding: [undefined, 0, 1],
    dilationRate: [1, 2],
  }))
    promisesItsShape(() => layers.conv1dTranspose(given({ filters: 2, ...options })), [1, 5, 2]);
  for (const options of combinations({ ...transposed, outputPadding: [undefined, [0, 1]], groups: [1, 2] }))
    promisesItsShape(() => layers.conv2dTranspose(given({ filters: 2, ...options })), [1, 3, 4, 2]);
  for (const options of combinations({ strides: [1, 2], padding: ['valid', 'same'] }))
    promisesItsShape(
      () => layers.conv3dTranspose(given({ filters: 2, kernelSize: 2, ...options })),
      [1, 2, 3, 2, 3],
    );
  const gathered = {
    kernelSize: [1, 3],
    strides: [1, 2],
    padding: ['valid', 'same', 1],
    depthMultiplier: [1, 2],
  } as const;
  for (const options of combinations(gathered)) {
    promisesItsShape(() => layers.depthwiseConv1d(given(options)), [1, 8, 3]);
    promisesItsShape(() => layers.depthwiseConv2d(given(options)), [1, 5, 6, 3]);
    promisesItsShape(() => layers.separableConv1d(given({ filters: 4, ...options })), [1, 8, 3]);
    promisesItsShape(() => layers.separableConv2d(given({ filters: 4, ...options })), [1, 5, 6, 3]);
  }
});

test("shapes are Keras's", () => {
  setDefaultDevice(cpuDevice());
  const foretold = (layer: Layer, shape: (number | null)[]): unknown => {
    const promised = layer.apply(input({ shape })).shape;
    layer.dispose();
    return promised;
  };
  const filters = 4;
  assert.equal(foretold(layers.conv2d({ filters, kernelSize: 5 }), [28, 28, 1]), [null, 24, 24, 4]);
  assert.equal(
    foretold(layers.conv2d({ filters, kernelSize: 3, strides: 2, padding: 'same' }), [7, null, 3]),
    [null, 4, null, 4],
  );
  assert.equal(
    foretold(layers.conv1d({ filters, kernelSize: 3, dilationRate: 4, padding: 'causal' }), [10, 2]),
    [null, 10, 4],
  );
  assert.equal(foretold(layers.conv2dTranspose({ filters, kernelSize: 2, strides: 3 }), [4, 5, 2]), [
    null,
    12,
    15,
    4,
  ]);
  assert.equal(
    foretold(layers.conv2dTranspose({ filters, kernelSize: 3, strides: 2, padding: 'same' }), [7, 7, 2]),
    [null, 14, 14, 4],
  );
  assert.equal(foretold(layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 }), [6, 6, 3]), [
    null,
    4,
    4,
    6,
  ]);
});

const filters = 4;
const kernelSize = 3;

test('wrong options are refused by the constructor', () => {
  const conv2d = (options: object) => (): unknown =>
    layers.conv2d(wrong({ filters, kernelSize, ...options }));
  const transposed = (options: object) => (): unknown =>
    layers.conv2dTranspose(wrong({ filters, kernelSize, ...options }));
  const depthwise = (options: object) => (): unknown =>
    layers.depthwiseConv2d(wrong({ kernelSize, ...options }));
  const separable = (options: object) => (): unknown =>
    layers.separableConv1d(wrong({ filters, kernelSize, ...options }));
  const rows: Refusal[] = [
    [() => layers.conv2d(wrong(32)), 'argument', /conv2d: 32/],
    [() => layers.conv2d(wrong(undefined)), 'argument', /conv2d: kernelSize is undefined/],
    [() => layers.conv2d(wrong({ kernelSize })), 'argument', /conv2d: filters is undefined/],
    [() => layers.conv2d(wrong({ filters })), 'argument', /conv2d: kernelSize is undefined/],
    [conv2d({ kernel: 3 }), 'argument', /conv2d: no option 'kernel'/],
    [conv2d({ outputPadding: 1 }), 'argument', /no option 'outputPadding'/],
    [conv2d({ depthwiseInitializer: 'ones' }), 'argument', /no option 'depthwiseInitializer'/],
    [conv2d({ filters: 0 }), 'argument', /filters is 0/],
    [conv2d({ filters: 2.5 }), 'argument', /filters is 2.5/],
    [conv2d({ kernelSize: 0 }), 'argument', /kernelSize is 0/],
    [conv2d({ kernelSize: [3] }), 'argument', /kernelSize is \[3\]/, /height, width/],
    [conv2d({ strides: 0 }), 'argument', /strides is 0/],
    [conv2d({ strides: 70_000 }), 'argument', /strides \[70000, 70000\]/],
    [conv2d({ strides: '2' }), 'argument', /strides is '2'/],
    [conv2d({ dilationRate: [1, 2, 3] }), 'argument', /dilationRate is \[1, 2, 3\]/],
    [conv2d({ padding: 'causal' }), 'argument', /'causal' is for conv1d/],
    [conv2d({ padding: 'full' }), 'argument', /no padding 'full'/],
    [conv2d({ padding: -1 }), 'argument', /no padding -1/],
    [conv2d({ groups: 0 }), 'argument', /groups is 0/],
    [conv2d({ groups: 3 }), 'argument', /4 filters in 3 groups/],
    [conv2d({ activation: 'rely' }), 'argument', /relu/],
    [conv2d({ useBias: 1 }), 'argument', /useBias is 1/],
    [conv2d({ kernelInitializer: 'glorot' }), 'argument', /glorot/],
    [conv2d({ kernelRegularizer: 'l3' }), 'argument', /l3/],
    [conv2d({ biasConstraint: 'positive' }), 'argument', /positive/],
    [conv2d({ name: '' }), 'argument', /name/],
    [transposed({ padding: 'causal' }), 'argument', /conv2dTranspose: no padding 'causal'/],
    [transposed({ outputPadding: 1 }), 'argument', /outputPadding 1/, /stride, 1/],
    [transposed({ strides: 3, outputPadding: [1, 3] }), 'argument', /outputPadding 3 along width/],
    [transposed({ groups: 3 }), 'argument', /4 filters in 3 groups/],
    [() => layers.conv1dTranspose({ filters, kernelSize, padding: wrong('causal') }), 'argument', /causal/],
    [depthwise({ filters: 2 }), 'argument', /depthwiseConv2d: no option 'filters'/],
    [depthwise({ groups: 2 }), 'argument', /no option 'groups'/],
    [depthwise({ kernelInitializer: 'ones' }), 'argument', /no option 'kernelInitializer'/],
    [depthwise({ depthMultiplier: 0 }), 'argument', /depthMultiplier is 0/],
    [depthwise({ depthwiseInitializer: 'once' }), 'argument', /ones/],
    [separable({ filters: undefined }), 'argument', /separableConv1d: filters is undefined/],
    [separable({ pointwiseRegularizer: 'l3' }), 'argument', /l3/],
  ];
  withoutDevice(() => refuses(rows));
});

test('wrong inputs are refused, and the layer named', () => {
  setDefaultDevice(cpuDevice());
  const built = (layer: Layer, shape: Shape): Layer => {
    layer.apply(input({ shape }));
    return layer;
  };
  const conv = built(layers.conv2d({ filters, kernelSize, name: 'stem' }), [8, 8, 3]);
  const separable = built(layers.separableConv1d({ filters, kernelSize }), [8, 3]);
  const fresh = layers.conv2d({ filters, kernelSize, groups: 2 });
  const open = layers.conv2d({ filters, kernelSize });
  scope(() => {
    const [images, others, narrow] = [ones([1, 8, 8, 3]), ones([1, 8, 8, 4]), ones([1, 8, 2, 3])] as const;
    refuses([
      [
        () => conv.apply(ones([8, 8, 3])),
        'shape',
        /'stem'/,
        /\(batch, height, width, channels\)/,
        /\(8, 8, 3\)/,
      ],
      [() => conv.apply(others), 'shape', /'stem'/, /3/, /\(1, 8, 8, 4\)/],
      [() => conv.apply(narrow), 'shape', /'stem'/, /along width/],
      [() => conv.apply([images, images]), 'argument', /'stem'/, /one input/],
      [() => conv.apply([]), 'argument', /'stem'/, /one input/],
      [() => conv.apply(w.cast(images, 'int32')), 'dtype', /'stem'/],
      [() => separable.apply(ones([1, 8, 2])), 'shape', /'separableConv1d'/, /built for/],
      [() => separable.apply(images), 'shape', /\(batch, steps, channels\)/],
      [() => fresh.apply(images), 'shape', /3 channels/, /groups is 2/],
      [() => fresh.apply(ones([8, 4])), 'shape', /\(batch, height, width, channels\)/],
      [() => open.apply(input({ shape: [8, 8, null] })), 'shape', /'conv2d'/, /channels/],
      [() => fresh.apply(input({ shape: [8, 4] })), 'shape', /\(batch, height, width, channels\)/],
      [() => fresh.apply(input({ shape: [2, 8, 4] })), 'shape', /along height/],
    ]);
  });
  for (const layer of [conv, separable, fresh, open]) layer.dispose();
  fails(() => conv.apply(wrong('image')), 'argument', /'stem'/);
});
