/** The table of a model's layers, character by character as Keras 3 draws it. */
import * as assert from 'uvu/assert';
import { input, layers, Model, model, sequential, type Tensor } from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { wrong } from './support/layer-checks.ts';
import { fails } from './support/values.ts';

const test = suite('summary');

/** The text with the bytes of float32 in the place of those of the CPU device. */
async function onFloat32(summary: string): Promise<string> {
  const { float } = await testDevice();
  if (float === 'float32') return summary;
  const halved = (_: string, size: string, unit: string): string =>
    `(${(Number(size) / 2).toFixed(2)} ${unit})`;
  return summary.replaceAll(/\((\d+\.\d\d) (K?B)\)/g, halved);
}

test('LeNet-5', async () => {
  await testDevice();
  const net = sequential([
    input({ shape: [28, 28, 1] }),
    layers.conv2d({ filters: 6, kernelSize: 5, padding: 'same', activation: 'relu' }),
    layers.maxPooling2d(),
    layers.conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }),
    layers.maxPooling2d(),
    layers.flatten(),
    layers.dense({ units: 120, activation: 'relu' }),
    layers.dense({ units: 84, activation: 'relu' }),
    layers.dense({ units: 10, activation: 'softmax' }),
  ]);
  assert.is(
    await onFloat32(net.summary()),
    `
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                         ┃ Output Shape                ┃         Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━┩
│ conv2d (Conv2d)                      │ (None, 28, 28, 6)           │             156 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ maxPooling2d (MaxPooling2d)          │ (None, 14, 14, 6)           │               0 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ conv2d_1 (Conv2d)                    │ (None, 10, 10, 16)          │           2,416 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ maxPooling2d_1 (MaxPooling2d)        │ (None, 5, 5, 16)            │               0 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ flatten (Flatten)                    │ (None, 400)                 │               0 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ dense (Dense)                        │ (None, 120)                 │          48,120 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ dense_1 (Dense)                      │ (None, 84)                  │          10,164 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ dense_2 (Dense)                      │ (None, 10)                  │             850 │
└──────────────────────────────────────┴─────────────────────────────┴─────────────────┘
 Total params: 61,706 (241.04 KB)
 Trainable params: 61,706 (241.04 KB)
 Non-trainable params: 0 (0.00 B)`.slice(1),
  );
  net.dispose();
});

test('two branches, a shared layer, and batch normalisation', async () => {
  await testDevice();
  const [left, right] = [input({ shape: [4], name: 'left' }), input({ shape: [4] })];
  const dense = layers.dense({ units: 3 });
  const sum = layers.add().apply([dense.apply(left), dense.apply(right)]);
  const outputs = layers.dense({ units: 2 }).apply(layers.batchNormalization().apply(sum));
  const net = model({ inputs: [left, right], outputs });
  assert.is(
    await onFloat32(net.summary()),
    `
Model: "functional"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                  ┃ Output Shape              ┃         Param # ┃ Connected to               ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩
│ left (InputLayer)             │ (None, 4)                 │               0 │ -                          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ input_1 (InputLayer)          │ (None, 4)                 │               0 │ -                          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ dense (Dense)                 │ (None, 3)                 │              15 │ left[0][0], input_1[0][0]  │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ add (Add)                     │ (None, 3)                 │               0 │ dense[0][0], dense[1][0]   │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ batchNormalization            │ (None, 3)                 │              12 │ add[0][0]                  │
│ (BatchNormalization)          │                           │                 │                            │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ dense_1 (Dense)               │ (None, 2)                 │               8 │ batchNormalization[0][0]   │
└───────────────────────────────┴───────────────────────────┴─────────────────┴────────────────────────────┘
 Total params: 35 (140.00 B)
 Trainable params: 29 (116.00 B)
 Non-trainable params: 6 (24.00 B)`.slice(1),
  );
  net.dispose();
});

test('a functional model without branches has three columns, and what is too long is cut', async () => {
  await testDevice();
  const x = input({ shape: [null, null, 3] });
  const y = layers.globalAveragePooling2d({ name: 'averageOfTheWholeImage' }).apply(x);
  const net = model({ inputs: x, outputs: y, name: 'mean' });
  assert.is(
    net.summary({ width: 40 }),
    `
Model: "mean"
┏━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━┓
┃ Layer (type)    ┃ Output     ┃ Param ┃
┃                 ┃ Shape      ┃     # ┃
┡━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━┩
│ input           │ (None,     │     0 │
│ (InputLayer)    │ None,      │       │
│                 │ None, 3)   │       │
├─────────────────┼────────────┼───────┤
│ averageOfTheWh… │ (None, 3)  │     0 │
│ (GlobalAverage… │            │       │
└─────────────────┴────────────┴───────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)`.slice(1),
  );
});

test('nested models are one row, or several; before the first call nothing is known', async () => {
  await testDevice();
  const inner = sequential([layers.dense({ units: 3 }), layers.dropout({ rate: 0.5 })]);
  const net = sequential([layers.dense({ units: 4 }), inner]);
  const table = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('│'));
  assert.equal(table(net.summary({ width: 60 })), [
    '│ dense (Dense)            │ ?                 │         0 │',
    '│                          │                   │ (unbuilt) │',
    '│ sequential (Sequential)  │ ?                 │         0 │',
    '│                          │                   │ (unbuilt) │',
  ]);
  assert.not.ok(net.built);
  (await net.predict([[1, 2]] as never)).dispose();
  assert.equal(table(net.summary({ width: 60 })), [
    '│ dense (Dense)            │ (None, 4)         │        12 │',
    '│ sequential (Sequential)  │ (None, 3)         │        15 │',
  ]);
  assert.equal(table(net.summary({ width: 60, expandNested: true })), [
    '│ dense (Dense)            │ (None, 4)         │        12 │',
    '│ sequential (Sequential)  │ (None, 3)         │        15 │',
    '│    └ dense (Dense)       │ (None, 3)         │        15 │',
    '│    └ dropout (Dropout)   │ (None, 3)         │         0 │',
  ]);
  inner.trainable = false;
  assert.match(net.summary(), /Trainable params: 12 .*\n Non-trainable params: 15 /);
  net.dispose();
  assert.match(net.summary(), /\(unbuilt\)/);
  assert.not.ok(net.built, 'a summary makes no weights');
});

class Twice extends Model {
  readonly hidden = layers.dense({ units: 3, activation: 'tanh' });
  readonly out = layers.dense({ units: 1 });
  readonly unused = layers.dense({ units: 7 });
  override call([x]: readonly [Tensor]): readonly Tensor[] {
    const y = this.hidden.apply(x);
    return [this.out.apply(y), y];
  }
}

test('a model of your own lists the layers that it holds', async () => {
  const device = await testDevice();
  const net = new Twice();
  net.applyAll(input({ shape: [2] }));
  const before = device.memory().tensors;
  const rows = net
    .summary({ width: 60 })
    .split('\n')
    .filter((line) => line.startsWith('│'));
  assert.equal(rows, [
    '│ hidden (Dense)           │ (None, 3)         │         9 │',
    '│ out (Dense)              │ (None, 1)         │         4 │',
    '│ unused (Dense)           │ ?                 │         0 │',
    '│                          │                   │ (unbuilt) │',
  ]);
  const outer = model(((x) => ({ inputs: x, outputs: net.applyAll(x) }))(input({ shape: [2], name: 'x' })));
  assert.match(outer.summary({ width: 120 }), /twice \(Twice\) +│ \[\(None, 1\), \(None, 3\)\] +│ +13 │/);
  assert.is(device.memory().tensors, before);
  net.dispose();
});

test('outputs of a layer with several are told apart', async () => {
  await testDevice();
  const x = input({ shape: [2] });
  const [a, b] = new Twice().applyAll(x) as [typeof x, typeof x];
  const net = model({ inputs: x, outputs: layers.concatenate().apply([a, b]) });
  assert.match(
    net.summary(),
    /concatenate \(Concatenate\) +│ \(None, 4\) +│ +0 │ twice\[0\]\[0\], twice\[0\]\[1\] +│/,
  );
  net.dispose();
});

test('wrong options are refused', async () => {
  const net = sequential([layers.dense({ units: 1 })]);
  fails(() => net.summary({ width: 39 }), 'argument', /width is 39; pass a whole number ≥ 40/);
  fails(() => net.summary({ expandNested: wrong(1) }), 'argument', /expandNested is 1/);
  fails(() => net.summary(wrong({ expand: true })), 'argument', /no option 'expand'/);
});
