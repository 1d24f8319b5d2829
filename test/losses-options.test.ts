/** Options of losses that are wrong: each is refused, under the name of the loss, and the message names the option. */
import * as assert from 'uvu/assert';
import {
  arange,
  cast,
  type Device,
  losses,
  notEqual,
  ones,
  reshape,
  scope,
  setDefaultDevice,
  type Tensor,
  tensor,
  WgradError,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, rejects, resultOf } from './support/values.ts';

type Call = (options: object) => Tensor;

const pair = (): [Tensor, Tensor] => [ones([3, 2]), ones([3, 2])];

/** Every loss on a batch of three. */
const CALLS: Readonly<Record<string, Call>> = {
  ...Object.fromEntries(
    Object.entries(losses)
      .filter(([name]) => name !== 'sparseCategoricalCrossentropy' && name !== 'ctc')
      .map(([name, loss]) => [
        name,
        (options: object) => (loss as (t: Tensor, p: Tensor, o: object) => Tensor)(...pair(), options),
      ]),
  ),
  sparseCategoricalCrossentropy: (options) =>
    losses.sparseCategoricalCrossentropy([0, 1, 0], ones([3, 2]), options),
  ctc: (options) => losses.ctc([[1], [2], [1]], ones([3, 4, 3]), options),
};

/** Wrong on the host, whatever the device. */
const COMMON: Readonly<Record<string, readonly unknown[]>> = {
  sampleWeight: [
    null,
    {},
    Number.NaN,
    Infinity,
    -1,
    'x',
    true,
    ['1', 1, 1],
    [1, null, 1],
    [1, Number.NaN, 1],
    [1, -Infinity, 1],
    [1, 1],
    [[1], [1, 2], [1]],
    [[1], 1, 1],
    [1, [1], 1],
    [],
    [true, false, true],
    [Float32Array.of(1), Float32Array.of(1), Float32Array.of(1)],
    [[[[[[[[[1]]]]]]]]],
    Int32Array.of(1, 2, 3),
    Float32Array.of(1, Number.NaN, 1),
    BigInt64Array.of(1n, 1n, 1n),
    new DataView(new ArrayBuffer(8)),
    new Set([1, 1, 1]),
    () => 1,
  ],
  mask: [
    null,
    {},
    Number.NaN,
    'x',
    ['1', 1, 1],
    [true, null, true],
    [1, Number.NaN, 1],
    [true, false],
    [[true], [true, false], [true]],
    Float64Array.of(1, Number.NaN, 1),
    new Uint8Array(3),
    new Map(),
    () => true,
  ],
  classWeight: [
    null,
    1,
    'x',
    new Map([[0, 1]]),
    { a: 1 },
    { '': 1 },
    { '-1': 1 },
    { 0.5: 1 },
    { 1e9: 1 },
    { 0: Number.NaN },
    { 0: '1' },
    { 0: null },
    [1, -1],
    [Infinity],
  ],
  reduction: [null, 'avg', 1, {}, 'toString'],
};

/** What only some losses take. */
const OWN: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>> = {
  huber: { delta: [null, Number.NaN, 0, -1, '1', [1]] },
  cosineSimilarity: { axis: [null, Number.NaN, 0.5, 2, -3, '0', [0]] },
  categoricalCrossentropy: {
    axis: [null, Number.NaN, 0.5, 2, -3, '0', [0]],
    fromLogits: [null, 1, 'true'],
    labelSmoothing: [null, Number.NaN, 1, -0.1, '0'],
  },
  sparseCategoricalCrossentropy: {
    axis: [null, Number.NaN, 0.5, 2, -3, '0', [0]],
    fromLogits: [null, 1, 'true'],
    ignoreClass: [null, Number.NaN, 0.5, 2 ** 31, '0', [0]],
  },
  binaryCrossentropy: {
    axis: [null, Number.NaN, 0.5, 2, -3, '0', [0]],
    fromLogits: [null, 1, 'true'],
    labelSmoothing: [null, Number.NaN, 1, -0.1, '0'],
  },
  ctc: {
    blank: [null, Number.NaN, 0.5, -1, 3, '0', [0], ones],
    zeroInfinity: [null, 1, 'true'],
    labelLength: [null, Number.NaN, {}, 'x', ['1', 1, 1], [1, 1], [[1, 1, 1]], [1, 1, 2], [1, -1, 1]],
    inputLength: [null, Number.NaN, {}, 'x', ['1', 1, 1], [1, 1], [[1, 1, 1]], [1, 1, 5], [1, -1, 1]],
  },
};

const CODES = ['argument', 'shape', 'dtype', 'index', 'disposed', 'device-mismatch'];

/** What is wrong with what became of a call; undefined where it was refused as it should be. */
function complaint(loss: string, option: string, call: () => unknown): string | undefined {
  try {
    scope(() => void call());
  } catch (error) {
    if (!(error instanceof WgradError)) return `gave ${String(error)}`;
    if (!CODES.includes(error.code)) return `has the code ${error.code}: ${error.message}`;
    const { message } = error;
    return message.startsWith(`${loss}: `) && message.includes(option) ? undefined : `says ${message}`;
  }
  return 'passed';
}

const shown = (value: unknown): string =>
  typeof value === 'object' ? JSON.stringify(value, bigints) : String(value);
const bigints = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);

for (const [name, open, openOther] of [
  ['device under test', testDevice, async () => cpuDevice()],
  ['CPU', async () => cpuDevice(), testDevice],
] as const) {
  const inner = suite(`options of losses, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  for (const [loss, call] of Object.entries(CALLS)) {
    test(`${loss}: what is no option's value is refused`, async () => {
      const complaints: string[] = [];
      let refused = 0;
      for (const [option, values] of Object.entries({ ...COMMON, ...OWN[loss] })) {
        for (const value of values) {
          const text = complaint(loss, option, () => call({ [option]: value }));
          if (text) complaints.push(`${option}: ${shown(value)} ${text}`);
          else refused++;
        }
      }
      assert.is(complaints.join('\n'), '');
      assert.ok(refused > 40);
    });

    test(`${loss}: tensors that are no weights are refused`, async (device) => {
      const other = await openOther();
      setDefaultDevice(device);
      const wrong: [option: string, make: () => Tensor][] = ['sampleWeight', 'mask'].flatMap((option) => [
        [
          option,
          () => {
            const gone = ones([3]);
            gone.dispose();
            return gone;
          },
        ],
        [option, () => ones([2])],
        [option, () => ones([3, 1, 1])],
        [option, () => tensor(Uint8Array.of(1, 0, 1))],
        ...(other === device ? [] : [[option, () => ones([3], { device: other })] as [string, () => Tensor]]),
      ]);
      wrong.push(['sampleWeight', () => ones([3], { dtype: 'int32' })]);
      wrong.push(['sampleWeight', () => notEqual(ones([3]), 0)]);
      const complaints = wrong.map(([option, make], index) => {
        const text = complaint(loss, option, () => call({ [option]: make() }));
        return text ? `${option}, ${index}: ${text}` : '';
      });
      assert.is(complaints.filter((text) => text !== '').join('\n'), '');
    });

    test(`${loss}: undefined is the default, and right values pass`, async () => {
      const plain = await resultOf(() => call({}));
      const defaults = [...Object.keys({ ...COMMON, ...OWN[loss] })].filter(
        (option) => loss !== 'ctc' || option !== 'classWeight',
      );
      close(await resultOf(() => call(Object.fromEntries(defaults.map((key) => [key, undefined])))), plain);
      const none = { reduction: 'none' } as const;
      const each = (await resultOf(() => call(none))) as number[];
      for (const options of [
        { sampleWeight: 1 },
        { sampleWeight: [1, 1, 1] },
        { sampleWeight: [[1], [1], [1]] },
        { sampleWeight: Float64Array.of(1, 1, 1) },
        { mask: [true, true, true] },
        { mask: Int32Array.of(1, -1, 7) },
        { mask: [[1], [Infinity], [-2]] },
        { mask: 1 },
        { mask: true },
      ])
        close(await resultOf(() => call({ ...none, ...options })), each);
    });
  }

  test('a label without a class weight weighs 1, whatever its number', async () => {
    const t = [0, 1, 2, 5, -1, -7];
    const weighed = (classWeight: losses.ClassWeight): Promise<unknown> =>
      resultOf(() => {
        const yTrue = reshape(tensor(t), [6, 1]);
        return losses.meanAbsoluteError(yTrue, reshape(tensor(t.map((x) => x + 1)), [6, 1]), {
          classWeight,
          reduction: 'none',
        });
      });
    assert.equal(await weighed({ 1: 5 }), [1, 5, 1, 1, 1, 1]);
    assert.equal(await weighed([3, 5]), [3, 5, 1, 1, 1, 1]);
    assert.equal(await weighed({ 5: 0 }), [1, 1, 1, 0, 1, 1]);
    assert.equal(await weighed({}), [1, 1, 1, 1, 1, 1]);
  });

  test('an index tensor of lengths is judged by the device', async (device) => {
    const call = async (): Promise<unknown> =>
      resultOf(() =>
        losses.ctc([[1], [2]], reshape(cast(arange(24), 'float'), [2, 4, 3]), {
          labelLength: tensor([1, 2], { dtype: 'int32', device }),
        }),
      );
    await rejects(call(), 'index', /^ctc: index 2 at position 1/);
  });
}
