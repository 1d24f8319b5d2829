/** What an `IndexError` says and carries, for indices on the host and on a device. */
import * as assert from 'uvu/assert';
import {
  bincount,
  type Device,
  embedding,
  gather,
  gatherNd,
  IndexError,
  oneHot,
  scatterAdd,
  scope,
  setDefaultDevice,
  slice,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { resultOf } from './support/values.ts';

const int = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { dtype: 'int32' });

type Fields = [position: number, value: number, lowest: number, limit: number];

const host: [title: string, body: () => Tensor, fields: Fields][] = [
  ['gather', () => gather(zeros([4, 2]), [1, -4, 4, 9]), [2, 4, -4, 4]],
  [
    'gatherNd',
    () =>
      gatherNd(zeros([4, 3]), [
        [1, 2],
        [0, -4],
      ]),
    [3, -4, -3, 3],
  ],
  ['scatterAdd', () => scatterAdd(zeros([3]), [5], 1), [0, 5, -3, 3]],
  ['oneHot', () => oneHot([0, -1], 3), [1, -1, 0, 3]],
  ['bincount', () => bincount([0, 1, 2], 2), [2, 2, 0, 2]],
  ['slice', () => slice(zeros([3, 4]), { 1: -5 }), [1, -5, -4, 4]],
];
const onDevice: typeof host = [
  ['gather', () => gather(zeros([4, 2]), int([1, -4, 4])), [2, 4, -4, 4]],
  [
    'embedding',
    () =>
      embedding(
        zeros([4, 2]),
        int([
          [0, 1],
          [-5, 3],
        ]),
      ),
    [2, -5, -4, 4],
  ],
  [
    'gatherNd',
    () =>
      gatherNd(
        zeros([4, 3]),
        int([
          [1, 2],
          [0, -4],
        ]),
      ),
    [3, -4, -3, 3],
  ],
  ['scatterAdd', () => scatterAdd(zeros([3]), int([5]), 1), [0, 5, -3, 3]],
  ['oneHot', () => oneHot(int([0, -1]), 3), [1, -1, 0, 3]],
  ['bincount', () => bincount(int([0, 1, 2]), 2), [2, 2, 0, 2]],
];
const empty: typeof host = [
  ['gather', () => gather(zeros([0, 2]), [0]), [0, 0, 0, 0]],
  ['gather, tensor', () => gather(zeros([0, 2]), int([-1])), [0, -1, 0, 0]],
  ['oneHot', () => oneHot([1], 0), [0, 1, 0, 0]],
  ['bincount', () => bincount([2], 0), [0, 2, 0, 0]],
  ['slice', () => slice(zeros([2, 0]), { 1: 0 }), [1, 0, 0, 0]],
];

/** The error that `body` throws, or with which its result's readback rejects. */
async function errorOf(body: () => Tensor): Promise<IndexError> {
  const outcome = await (async () => resultOf(body))().catch((error: unknown) => error);
  if (!(outcome instanceof IndexError)) throw new Error(`expected an IndexError, got ${String(outcome)}`);
  return outcome;
}

const fieldsOf = ({ position, value, lowest, limit }: IndexError): Fields => [position, value, lowest, limit];

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`index errors, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  test('host indices carry position, value and limits', () => {
    for (const [title, body, fields] of host) {
      let thrown: unknown;
      try {
        scope(body);
      } catch (error) {
        thrown = error;
      }
      assert.instance(thrown, IndexError, title);
      assert.equal(fieldsOf(thrown as IndexError), fields, title);
    }
  });

  test('so do indices that only the device sees', async () => {
    for (const [title, body, fields] of onDevice) {
      const error = await errorOf(body);
      assert.equal(fieldsOf(error), fields, title);
      const [position, value, lowest, limit] = fields;
      assert.match(error.message, new RegExp(`^${title}: index ${value} at position ${position} `), title);
      assert.match(error.message, `valid are ${lowest} to ${limit - 1}.`, title);
    }
  });

  test('where the extent is 0 there is no valid index, and no range is named', async () => {
    for (const [title, body, fields] of empty) {
      const error = await errorOf(body);
      assert.equal(fieldsOf(error), fields, title);
      assert.match(error.message, /there is no valid index/, title);
      assert.not.match(error.message, /valid are/, title);
    }
  });

  test('of several offenders in one op one is told, with its own position', async () => {
    const indices = Int32Array.from({ length: 1000 }, (_, index) => (index % 7 === 0 ? 100 + index : 0));
    const { position, value, limit } = await errorOf(() => gather(zeros([5]), tensor(indices)));
    assert.is(value, indices[position]);
    assert.is(position % 7, 0);
    assert.is(limit, 5);
  });
}
