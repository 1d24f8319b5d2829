/** Layers of pooling, upsampling, resizing, padding and cropping: results, gradients, shapes foretold, options, memory. */
import * as assert from 'uvu/assert';
import type { Layer } from '../src/nn/layer.ts';
import * as layers from '../src/nn/layers/index.ts';
import { BUILT_IN_LAYERS } from '../src/nn/layers/registry.ts';
import { input } from '../src/nn/symbolic.ts';
import * as w from '../src/node.ts';
import { ones, type Shape, scope, setDefaultDevice, type Tensor, tensor } from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import {
  combinations,
  doesAs,
  given,
  numbers,
  promisesItsShape,
  type Refusal,
  refuses,
  withoutDevice,
  wrong,
} from './support/layer-checks.ts';
import { resultOf } from './support/values.ts';

const test = suite('layers, pooling and resizing');

/** A layer, an input for it, the op with the same options, and the axes whose extent the layer fixes. */
type Case = readonly [make: () => Layer, shape: Shape, op: (x: Tensor) => Tensor, fixed?: readonly number[]];

/** As `pad` wants it. */
const around = (...pairs: [number, number][]): [number, number][] => [[0, 0], ...pairs, [0, 0]];

const steps = [2, 7, 3];
const image = [2, 6, 5, 3];
const volume = [1, 4, 3, 5, 2];

const CASES: readonly Case[] = [
  [() => layers.maxPooling1d(), steps, (x) => w.maxPool1d(x, { poolSize: 2 })],
  [
    () => layers.maxPooling2d({ poolSize: 3, strides: [2, 1], padding: 'same' }),
    image,
    (x) => w.maxPool2d(x, { poolSize: 3, strides: [2, 1], padding: 'same' }),
  ],
  [
    () => layers.maxPooling3d({ poolSize: [2, 1, 3], padding: [1, 0, [0, 2]] }),
    volume,
    (x) => w.maxPool3d(x, { poolSize: [2, 1, 3], padding: [1, 0, [0, 2]] }),
  ],
  [
    () => layers.averagePooling1d({ poolSize: 3, strides: 1 }),
    steps,
    (x) => w.averagePool1d(x, { poolSize: 3, strides: 1 }),
  ],
  [() => layers.averagePooling2d(), image, (x) => w.averagePool2d(x, { poolSize: 2 })],
  [
    () => layers.averagePooling3d({ padding: 'same' }),
    volume,
    (x) => w.averagePool3d(x, { poolSize: 2, padding: 'same' }),
  ],
  [() => layers.globalMaxPooling1d(), steps, w.globalMaxPool1d],
  [
    () => layers.globalMaxPooling2d({ keepDims: true }),
    image,
    (x) => w.globalMaxPool2d(x, { keepDims: true }),
    [1, 2],
  ],
  [() => layers.globalMaxPooling3d(), volume, w.globalMaxPool3d],
  [
    () => layers.globalAveragePooling1d({ keepDims: true }),
    steps,
    (x) => w.globalAveragePool1d(x, { keepDims: true }),
    [1],
  ],
  [() => layers.globalAveragePooling2d(), image, w.globalAveragePool2d],
  [() => layers.globalAveragePooling3d(), volume, w.globalAveragePool3d],
  [
    () => layers.adaptiveAveragePooling1d({ outputSize: 3 }),
    steps,
    (x) => w.adaptiveAveragePool1d(x, { outputSize: 3 }),
    [1],
  ],
  [
    () => layers.adaptiveAveragePooling2d({ outputSize: [4, 2] }),
    image,
    (x) => w.adaptiveAveragePool2d(x, { outputSize: [4, 2] }),
    [1, 2],
  ],
  [
    () => layers.adaptiveAveragePooling3d({ outputSize: 2 }),
    volume,
    (x) => w.adaptiveAveragePool3d(x, { outputSize: 2 }),
    [1, 2, 3],
  ],
  [() => layers.upSampling1d({ size: 3 }), steps, (x) => w.upSampling1d(x, { size: 3 })],
  [() => layers.upSampling2d(), image, (x) => w.upSampling2d(x, { size: 2 })],
  [
    () => layers.upSampling2d({ size: [1, 3], interpolation: 'bilinear' }),
    image,
    (x) => w.upSampling2d(x, { size: [1, 3], interpolation: 'bilinear' }),
  ],
  [() => layers.upSampling3d({ size: [2, 1, 2] }), volume, (x) => w.upSampling3d(x, { size: [2, 1, 2] })],
  [
    () => layers.resizing({ height: 4, width: 7 }),
    image,
    (x) => w.resize2d(x, { size: [4, 7], interpolation: 'bilinear' }),
    [1, 2],
  ],
  [
    () => layers.resizing({ height: 9, width: 2, interpolation: 'nearest' }),
    image,
    (x) => w.resize2d(x, { size: [9, 2], interpolation: 'nearest' }),
    [1, 2],
  ],
  [() => layers.zeroPadding1d(), steps, (x) => w.pad(x, around([1, 1]))],
  [() => layers.zeroPadding1d({ padding: [2, 0] }), steps, (x) => w.pad(x, around([2, 0]))],
  [() => layers.zeroPadding2d({ padding: [2, [0, 1]] }), image, (x) => w.pad(x, around([2, 2], [0, 1]))],
  [
    () => layers.zeroPadding3d({ padding: [1, 2, 3] }),
    volume,
    (x) => w.pad(x, around([1, 1], [2, 2], [3, 3])),
  ],
  [() => layers.cropping1d({ cropping: [1, 3] }), steps, (x) => w.slice(x, [0, 1], [null, -3])],
  [() => layers.cropping2d({ cropping: [[2, 1], 0] }), image, (x) => w.slice(x, [0, 2, 0], [null, -1, null])],
  [() => layers.cropping2d(), image, (x) => w.slice(x, [0])],
  [() => layers.cropping3d(), volume, (x) => w.slice(x, [0, 1, 1, 1], [null, -1, -1, -1])],
];

test('results and gradients are those of the op', async () => {
  await testDevice();
  for (const [make, shape, op] of CASES) await doesAs(make(), shape, op);
});

test('constructors need no device, options survive JSON, and there are no weights', () => {
  setDefaultDevice(cpuDevice());
  for (const [make, shape, , fixed] of CASES) {
    const layer = withoutDevice(make);
    const again = (BUILT_IN_LAYERS[layer.type] as (options: never) => Layer)(
      wrong(JSON.parse(JSON.stringify(layer.getConfig()))),
    );
    assert.is(again.constructor, layer.constructor);
    assert.equal(again.options, layer.options);
    promisesItsShape(() => again, shape, fixed);
    assert.is(again.countParams(), 0);
  }
});

test('the shape is foretold: windows', () => {
  setDefaultDevice(cpuDevice());
  const common = { strides: [undefined, 1, 3], padding: ['valid', 'same', 1] } as const;
  for (const options of combinations({ ...common, poolSize: [2, 3] })) {
    promisesItsShape(() => layers.maxPooling1d(given(options)), [1, 9, 2]);
    promisesItsShape(() => layers.averagePooling1d(given(options)), [1, 8, 2]);
    promisesItsShape(() => layers.maxPooling3d(given(options)), [1, 4, 5, 3, 2]);
    promisesItsShape(() => layers.averagePooling3d(given(options)), [1, 3, 4, 5, 2]);
  }
  const sizes = [undefined, 3, [3, 2]] as const;
  const strides = [undefined, 1, [2, 3]] as const;
  const paddings = [undefined, 'same', 1, [[1, 0], 1]] as const;
  for (const options of combinations({ poolSize: sizes, strides, padding: paddings })) {
    promisesItsShape(() => layers.maxPooling2d(given(options)), [2, 7, 6, 3]);
    promisesItsShape(() => layers.averagePooling2d(given(options)), [2, 6, 7, 3]);
  }
});

test('the shape is foretold: borders and factors', () => {
  setDefaultDevice(cpuDevice());
  for (const sides of [0, 2, [1], [2, 1], [[0, 2]]]) {
    promisesItsShape(() => layers.zeroPadding1d({ padding: wrong(sides) }), [1, 6, 2]);
    promisesItsShape(() => layers.cropping1d({ cropping: wrong(sides) }), [1, 6, 2]);
  }
  for (const sides of [
    0,
    2,
    [1, 2],
    [[1, 0], 2],
    [
      [0, 1],
      [2, 0],
    ],
  ]) {
    promisesItsShape(() => layers.zeroPadding2d({ padding: wrong(sides) }), [1, 5, 6, 2]);
    promisesItsShape(() => layers.cropping2d({ cropping: wrong(sides) }), [1, 5, 6, 2]);
  }
  for (const sides of [1, [0, 1, 2], [[1, 0], 2, [0, 1]]]) {
    promisesItsShape(() => layers.zeroPadding3d({ padding: wrong(sides) }), [1, 3, 6, 5, 2]);
    promisesItsShape(() => layers.cropping3d({ cropping: wrong(sides) }), [1, 3, 6, 5, 2]);
  }
  for (const size of [1, 3, [2, 1]] as const) {
    promisesItsShape(() => layers.upSampling2d({ size, interpolation: 'bilinear' }), [1, 5, 4, 2]);
    promisesItsShape(() => layers.upSampling2d({ size }), [1, 5, 4, 2]);
  }
  promisesItsShape(() => layers.upSampling1d(), [1, 5, 2]);
  promisesItsShape(() => layers.upSampling3d(), [1, 2, 3, 4, 2]);
});

test("defaults and shapes are Keras's", () => {
  setDefaultDevice(cpuDevice());
  const foretold = (layer: Layer, shape: (number | null)[]): unknown => layer.apply(input({ shape })).shape;
  assert.equal(foretold(layers.maxPooling2d(), [7, 9, 3]), [null, 3, 4, 3]);
  assert.equal(foretold(layers.maxPooling2d({ padding: 'same' }), [7, null, 3]), [null, 4, null, 3]);
  assert.equal(foretold(layers.averagePooling1d({ poolSize: 3, strides: 1 }), [10, 2]), [null, 8, 2]);
  assert.equal(foretold(layers.globalAveragePooling2d(), [null, null, 3]), [null, 3]);
  assert.equal(foretold(layers.globalMaxPooling3d({ keepDims: true }), [4, 5, 6, 3]), [null, 1, 1, 1, 3]);
  assert.equal(foretold(layers.upSampling1d(), [4, 2]), [null, 8, 2]);
  assert.equal(foretold(layers.upSampling3d(), [4, 5, 6, 2]), [null, 8, 10, 12, 2]);
  assert.equal(foretold(layers.zeroPadding2d(), [4, 5, 2]), [null, 6, 7, 2]);
  assert.equal(foretold(layers.zeroPadding3d(), [4, 5, 6, 2]), [null, 6, 7, 8, 2]);
  assert.equal(foretold(layers.cropping1d(), [4, 2]), [null, 2, 2]);
  assert.equal(foretold(layers.cropping2d(), [4, 5, 2]), [null, 4, 5, 2]);
  assert.equal(foretold(layers.cropping3d(), [4, 5, 6, 2]), [null, 2, 3, 4, 2]);
  assert.equal(foretold(layers.resizing({ height: 8, width: 6 }), [null, null, 3]), [null, 8, 6, 3]);
});

test('which side is which', async () => {
  await testDevice();
  const row = (values: readonly number[]): Tensor => tensor([...values], { shape: [1, values.length, 1] });
  const flatOf = async (layer: Layer, x: () => Tensor): Promise<unknown> =>
    resultOf(() => w.flatten(layer.apply(x())));
  const three = (): Tensor => row([1, 2, 3]);
  assert.equal(await flatOf(layers.zeroPadding1d({ padding: [2, 0] }), three), [0, 0, 1, 2, 3]);
  assert.equal(await flatOf(layers.cropping1d({ cropping: [2, 0] }), three), [3]);
  assert.equal(await flatOf(layers.upSampling1d(), three), [1, 1, 2, 2, 3, 3]);
  const square = (): Tensor => tensor([1, 2, 3, 4], { shape: [1, 2, 2, 1] });
  const above = layers.zeroPadding2d({
    padding: [
      [1, 0],
      [0, 1],
    ],
  });
  assert.equal(await flatOf(above, square), [0, 0, 0, 1, 2, 0, 3, 4, 0]);
  assert.equal(await flatOf(layers.cropping2d({ cropping: [[1, 0], 0] }), square), [3, 4]);
  assert.equal(await flatOf(layers.maxPooling2d(), square), [4]);
  assert.equal(await flatOf(layers.averagePooling2d(), square), [2.5]);
});

test('what moves elements alone takes integers', async () => {
  await testDevice();
  const tokens = (): Tensor => tensor([[[5], [6], [7]]], { dtype: 'int32' });
  const padded = await resultOf(() => w.flatten(layers.zeroPadding1d({ padding: [1, 0] }).apply(tokens())));
  assert.equal(padded, [0, 5, 6, 7]);
  assert.equal(await resultOf(() => layers.cropping1d().apply(tokens())), [[[6]]]);
});

test('no call leaves more behind than its result', () => {
  const device = cpuDevice();
  setDefaultDevice(device);
  for (const [make, shape] of CASES) {
    const layer = make();
    const x = numbers(shape, false);
    const before = device.memory().tensors;
    layer.apply(x).dispose();
    assert.is(device.memory().tensors, before, layer.type);
    x.dispose();
  }
});

test('wrong options are refused by the constructor', () => {
  const pooling = (options: object) => (): unknown => layers.maxPooling2d(wrong(options));
  const adaptive = (options: object) => (): unknown => layers.adaptiveAveragePooling1d(wrong(options));
  const up = (options: object) => (): unknown => layers.upSampling2d(wrong(options));
  const resizing = (options: object) => (): unknown =>
    layers.resizing(wrong({ height: 4, width: 4, ...options }));
  const padding = (value: unknown) => (): unknown => layers.zeroPadding2d({ padding: wrong(value) });
  const rows: Refusal[] = [
    [() => layers.maxPooling2d(wrong(2)), 'argument', /maxPooling2d: 2/],
    [pooling({ size: 2 }), 'argument', /maxPooling2d: no option 'size'/],
    [pooling({ poolSize: 0 }), 'argument', /poolSize is 0/],
    [pooling({ poolSize: [2, 2, 2] }), 'argument', /poolSize is \[2, 2, 2\]/, /height, width/],
    [pooling({ strides: 1.5 }), 'argument', /strides is 1.5/],
    [pooling({ strides: '1' }), 'argument', /strides is '1'/],
    [pooling({ padding: 'causal' }), 'argument', /no padding 'causal'/],
    [pooling({ padding: 'full' }), 'argument', /no padding 'full'/],
    [pooling({ padding: 2 }), 'argument', /\[2, 2\] along height/, /smaller than the window, 2/],
    [pooling({ poolSize: [3, 2], padding: [2, [0, 2]] }), 'argument', /\[0, 2\] along width/],
    [() => layers.averagePooling1d({ poolSize: wrong('2') }), 'argument', /averagePooling1d: poolSize/],
    [() => layers.globalMaxPooling1d(wrong({ keepDims: 1 })), 'argument', /keepDims is 1/],
    [() => layers.globalAveragePooling3d(wrong({ axis: 1 })), 'argument', /no option 'axis'/],
    [() => layers.adaptiveAveragePooling1d(wrong(undefined)), 'argument', /outputSize is undefined/],
    [adaptive({ outputSize: 0 }), 'argument', /outputSize is 0/],
    [adaptive({ outputSize: [1, 2] }), 'argument', /outputSize is \[1, 2\]/],
    [up({ size: 0 }), 'argument', /upSampling2d: size is 0/],
    [up({ size: [1] }), 'argument', /size is \[1\]/],
    [up({ interpolation: 'bilinar' }), 'argument', /bilinear/],
    [() => layers.upSampling1d(wrong({ interpolation: 'nearest' })), 'argument', /no option 'interpolation'/],
    [() => layers.upSampling1d({ size: -1 }), 'argument', /upSampling1d: size is -1/],
    [() => layers.upSampling3d({ size: [1, 2] }), 'argument', /upSampling3d: size is \[1, 2\]/],
    [() => layers.resizing(wrong(undefined)), 'argument', /resizing: height is undefined/],
    [resizing({ height: 0 }), 'argument', /height is 0/],
    [resizing({ width: 2.5 }), 'argument', /width is 2.5/],
    [resizing({ interpolation: 'bicubic' }), 'argument', /interpolation/, /bicubic/],
    [resizing({ size: 3 }), 'argument', /no option 'size'/],
    [padding(-1), 'argument', /zeroPadding2d: padding is -1/],
    [padding('same'), 'argument', /padding is 'same'/],
    [padding([1]), 'argument', /padding is \[1\]/, /height, width/],
    [padding([1, [2, 3, 4]]), 'argument', /padding is \[1, \[2, 3, 4\]\]/],
    [padding([1, 2, 3]), 'argument', /padding is \[1, 2, 3\]/],
    [padding(null), 'argument', /padding is null/],
    [() => layers.zeroPadding1d({ padding: wrong([1, [2, 3]]) }), 'argument', /zeroPadding1d: padding/],
    [() => layers.zeroPadding1d({ padding: [1, 2, 3] }), 'argument', /zeroPadding1d: padding/],
    [() => layers.cropping2d({ cropping: 0.5 }), 'argument', /cropping2d: cropping is 0.5/],
    [() => layers.cropping3d({ cropping: [1, 1] }), 'argument', /depth, height, width/],
    [() => layers.cropping1d(wrong({ padding: 1 })), 'argument', /no option 'padding'/],
  ];
  withoutDevice(() => refuses(rows));
});

test('wrong inputs are refused, and the layer named', () => {
  setDefaultDevice(cpuDevice());
  scope(() => {
    for (const [make, shape] of CASES) {
      const layer = make();
      const flat = ones(shape.slice(1));
      const x = ones(shape);
      refuses([
        [
          () => layer.apply(flat),
          'shape',
          new RegExp(`'${layer.type}'`),
          /it takes one input \(batch, .*channels\)/,
        ],
        [() => layer.apply([x, x]), 'argument', /one input/],
        [() => layer.apply(input({ shape: shape.slice(2) })), 'shape', /it takes one input/],
      ]);
    }
    const pool = layers.maxPooling2d({ poolSize: 4, name: 'pool2' });
    const crop = layers.cropping2d({ cropping: [[2, 2], 0] });
    refuses([
      [() => pool.apply(ones([1, 3, 8, 1])), 'shape', /'pool2'/, /along height/],
      [() => pool.apply(w.cast(ones([1, 8, 8, 1]), 'int32')), 'dtype', /'pool2'/],
      [() => pool.apply(input({ shape: [8, 3, 1] })), 'shape', /'pool2'/, /along width/],
      [() => crop.apply(ones([1, 4, 8, 1])), 'shape', /cuts 2 \+ 2 off height/, /\(1, 4, 8, 1\)/],
      [() => crop.apply(input({ shape: [4, 4, 1] })), 'shape', /'cropping2d'/, /nothing would be left/],
    ]);
  });
});
