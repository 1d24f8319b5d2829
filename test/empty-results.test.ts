/**
 * Indices out of range where the result has no elements: there is nothing to read or to write, so an index tensor reports
 * nothing, on any device. Host numbers are judged at the call, whatever comes of it.
 */
import * as assert from 'uvu/assert';
import {
  type Device,
  embedding,
  gather,
  gatherNd,
  type Indices,
  indexPut,
  losses,
  ones,
  scatterAdd,
  scope,
  setDefaultDevice,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, fails, rejects, resultOf } from './support/values.ts';

type Case = readonly [
  title: string,
  call: (indices: Indices) => Tensor,
  /** The first of them is out of range. */
  indices: readonly number[] | readonly (readonly number[])[],
  shape: readonly number[],
];

const cases: readonly Case[] = [
  ['gather of rows without columns', (i) => gather(zeros([3, 0]), i), [7, 0], [2, 0]],
  ['gather of columns without rows', (i) => gather(zeros([0, 3]), i, 1), [-4, 2], [0, 2]],
  ['gather in between', (i) => gather(zeros([2, 3, 0]), i, 1), [[3], [1]], [2, 2, 1, 0]],
  ['gatherNd', (i) => gatherNd(zeros([3, 0]), i), [[9], [1]], [2, 0]],
  ['embedding', (i) => embedding(zeros([3, 0]), i), [3, 0], [2, 0]],
  ['scatterAdd', (i) => scatterAdd(zeros([3, 0]), i, zeros([2, 0])), [3, 0], [3, 0]],
  ['indexPut', (i) => indexPut(zeros([3, 0]), i, zeros([2, 0])), [-5, 0], [3, 0]],
];

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`empty results, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  for (const [title, call, indices, shape] of cases) {
    test(title, async (device) => {
      const result = scope(() => call(tensor(indices as number[], { dtype: 'int32' })));
      assert.equal(result.shape, shape);
      assert.is((await result.data()).length, 0);
      await device.idle(); // Nothing was left for the next to be told.
      result.dispose();
      fails(() => scope(() => call(indices as number[])), 'index', /at position 0/);
    });
  }

  test('a single element brings the report back', async () => {
    const seven = (): Tensor => tensor([7, 0], { dtype: 'int32' });
    await rejects(
      (async () => resultOf(() => gather(zeros([3, 1]), seven())))(),
      'index',
      /^gather: index 7 at position 0/,
    );
    await rejects(
      (async () => resultOf(() => gather(zeros([0, 1]), seven())))(),
      'index',
      /^gather: index 7 .* there is no valid index/,
    );
  });

  test('losses of no samples', async (device) => {
    const none = { fromLogits: true, reduction: 'none' } as const;
    for (const labels of [[], zeros([0], { dtype: 'int32' })]) {
      close(await resultOf(() => losses.sparseCategoricalCrossentropy(labels, ones([0, 3]), none)), []);
      if (!Array.isArray(labels)) labels.dispose();
    }
    await device.idle();
  });
}
