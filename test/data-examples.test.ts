/** The examples in the documentation of `data`, run as they stand there, and labels of each kind on their way to a loss. */
import * as assert from 'uvu/assert';
import {
  backward,
  type Device,
  data,
  losses,
  matmul,
  scope,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';

const inner = suite('data, examples');
const test = (title: string, body: (device: Device) => unknown): void =>
  inner(title, async () => body(await testDevice()));

/** A table as flower.csv could be: 30 rows of two numbers and a name. */
const flowers = Array.from(
  { length: 30 },
  (_, row) => `${row % 7},${(row % 3) / 2},${['setosa', 'versicolor', 'virginica'][row % 3]}`,
).join('\n');

test('csv, split, shuffle, batch, tensors: class names become int32 labels', async () => {
  const iris = await data.csv(new TextEncoder().encode(flowers), { header: false });
  assert.equal(iris.classes, ['setosa', 'versicolor', 'virginica']);
  const { train, test } = iris.dataset.split({ train: 0.8, test: 0.2 }, { seed: 1 });
  assert.equal([train.size, test.size], [24, 6]);
  const w = zeros([2, 3], { requiresGrad: true });
  const seen: number[] = [];
  for await (const { x, y } of train.shuffle({ seed: 2 }).batch(10).tensors()) {
    assert.equal([x.dtype, y.dtype, x.shape.slice(1), y.rank], [x.device.float, 'int32', [2], 1]);
    seen.push(x.shape[0] as number);
    const loss = scope(() => {
      const own = losses.sparseCategoricalCrossentropy(y, matmul(x, w), { fromLogits: true });
      backward(own);
      return own;
    });
    assert.ok(Math.abs((await loss.item()) - Math.log(3)) < 1e-6); // All classes are alike to weights of 0.
    loss.dispose();
  }
  assert.equal(seen, [10, 10, 4]);
  assert.ok([...((await w.grad?.data()) ?? [])].some((value) => value !== 0));
  w.dispose();
});

test('fromArrays with pixels that stay bytes and labels of every kind', async (device) => {
  const n = 6;
  const pixels = Uint8Array.from({ length: 4 * n }, (_, at) => at * 10);
  const x = { data: pixels, shape: [n, 2, 2, 1], scale: 1 / 255 } as const;
  const numbers = [0, 1, 2, 0, 1, 2];
  const kinds: [title: string, labels: data.ColumnLike, dtype: string][] = [
    ['Int32Array', Int32Array.from(numbers), 'int32'],
    ['Int16Array', Int16Array.from(numbers), 'int32'],
    ['Uint16Array', Uint16Array.from(numbers), 'int32'],
    ['Uint8Array', Uint8Array.from(numbers), 'uint8'],
    ['Float32Array', Float32Array.from(numbers), device.float],
    ['numbers', numbers, device.float],
    ['booleans', numbers.map((label) => label > 0), 'bool'],
    ['flags', { data: Uint32Array.from(numbers, (label) => Number(label > 0)), dtype: 'bool' }, 'bool'],
  ];
  for (const [title, y, dtype] of kinds) {
    const got: unknown[] = [];
    for await (const batch of data.fromArrays({ x, y }).batch(4).tensors()) {
      const { x: images, y: labels }: { x: Tensor; y: Tensor } = batch;
      assert.equal([images.dtype, labels.dtype], [device.float, dtype], title);
      const first = (await images.data())[1] as number;
      assert.ok(Math.abs(first - (got.length === 0 ? 10 : 170) / 255) < 1e-6, title);
      got.push(...(await labels.data()));
    }
    assert.equal(
      got,
      numbers.map((label) => (dtype === 'bool' ? Number(label > 0) : label)),
      title,
    );
  }
});

test('a position continues an epoch, and arrays() gives it whole', async () => {
  const dataset = data.fromArrays({ x: [1, 2, 3, 4, 5], y: Int32Array.of(5, 4, 3, 2, 1) });
  const { x, y } = await dataset.arrays();
  assert.equal(
    [x.shape, [...x.data], y.dtype, [...y.data]],
    [[5], [1, 2, 3, 4, 5], 'int32', [5, 4, 3, 2, 1]],
  );
  const batches = dataset.shuffle({ seed: 7 }).batch(2);
  const iterator = batches.from({ epoch: 3, index: 0 });
  await iterator.next();
  const rest = batches.from(iterator.position);
  for await (const batch of iterator) assert.equal(batch, (await rest.next()).value);
});

test('tensors go in and come out', async () => {
  const images = tensor([
    [1, 2],
    [3, 4],
  ]);
  const labels = tensor([1, 0], { dtype: 'int32' });
  const dataset = await data.fromTensors({ images, labels });
  for (const t of [images, labels]) t.dispose();
  for await (const batch of dataset.batch(2).tensors())
    assert.equal(
      [await batch.images.array(), await batch.labels.array()],
      [
        [
          [1, 2],
          [3, 4],
        ],
        [1, 0],
      ],
    );
});
