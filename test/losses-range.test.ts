/** Probabilities that are none: what the losses say of them, when, and what they leave alone. */
import * as assert from 'uvu/assert';
import {
  clip,
  type Device,
  div,
  gather,
  grad,
  IndexError,
  log,
  losses,
  mul,
  type NestedArray,
  neg,
  scope,
  setDefaultDevice,
  sum,
  type Tensor,
  tensor,
  ValueRangeError,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { both, type Listed, numbers, tensorOf } from './support/losses.ts';
import { uniforms } from './support/random.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

const half = (): Tensor =>
  tensor([
    [0.5, 0.5],
    [0.5, 0.5],
    [0.5, 0.5],
  ]);
const labels = (): Tensor => tensor(Int32Array.of(0, 1, 0));
const none = { reduction: 'none' } as const;

/** Each loss that works on probabilities, the tensor that is wrong, and the remedy. */
const users: [title: string, of: string, call: (p: Tensor) => Tensor, remedy: RegExp][] = [
  [
    'categoricalCrossentropy',
    'yPred',
    (p) => losses.categoricalCrossentropy(half(), p, none),
    /apply softmax to it, or pass \{ fromLogits: true \} for logits\.$/,
  ],
  [
    'sparseCategoricalCrossentropy',
    'yPred',
    (p) => losses.sparseCategoricalCrossentropy(labels(), p, none),
    /apply softmax to it, or pass \{ fromLogits: true \} for logits\.$/,
  ],
  [
    'binaryCrossentropy',
    'yPred',
    (p) => losses.binaryCrossentropy(half(), p, none),
    /apply sigmoid to it, or pass \{ fromLogits: true \} for logits\.$/,
  ],
  ['klDivergence', 'yPred', (p) => losses.klDivergence(half(), p, none), /pass softmax\(yPred\)/],
  ['klDivergence', 'yTrue', (t) => losses.klDivergence(t, half(), none), /pass probabilities/],
];

/** What the read of a result says: its values, or the error. */
const told = (body: () => Tensor): Promise<unknown> =>
  (async () => resultOf(body))().catch((error: unknown) => error);

/** Probabilities of three samples, of which one element is `value`. */
const withOne = (value: number): Listed => ({ shape: [3, 2], values: [0.5, 0.5, 0.25, 0.75, 0.5, value] });

for (const [name, open, tolerance] of [
  // Two or three elementary functions in float32.
  ['device under test', testDevice, 1e-6],
  ['CPU', async () => cpuDevice(), 1e-12],
] as const) {
  const inner = suite(`ranges of losses, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  for (const [title, of, call, remedy] of users) {
    test(`${title} of a ${of} that holds no probabilities`, async () => {
      for (const value of [1.7, -0.3, 1.00002, -2e-5, Infinity, -Infinity]) {
        const error = await told(() => call(tensorOf(withOne(value))));
        if (!(error instanceof ValueRangeError)) throw new Error(`${value}: ${String(error)}`);
        assert.is(error.code, 'value-range');
        assert.equal([error.position, error.lowest, error.highest], [5, 0, 1]);
        close(error.value, value, { rel: 6e-8 });
        const start = `${title}: element 5 of ${of} is ${value}, outside of [0, 1]; `;
        assert.is(error.message.slice(0, start.length), start);
        assert.match(error.message, remedy);
      }
    });

    test(`${title} of a ${of} off by a rounding, or NaN`, async () => {
      const at = async (value: number): Promise<NestedArray> =>
        resultOf(() => call(tensorOf(withOne(value))));
      for (const [value, end] of [
        [-5e-6, 0],
        [1 + 5e-6, 1],
      ] as const) {
        // Not the same where the sum is 1 + 5e-6 rather than 1.
        close(await at(value), await at(end), { rel: 1e-4, abs: 1e-6 });
      }
      const result = (await at(Number.NaN)) as number[];
      assert.equal(result.map(Number.isNaN), [false, false, true]);
    });
  }

  test('the element that is told is the one that is wrong', async () => {
    const next = uniforms(7);
    for (const [shape, axis] of [
      [[1, 1], 1],
      [[3, 17], 1],
      [[3, 17], 0],
      [[5, 7, 3], 1],
      [[65, 33], -1],
    ] as const) {
      const { values } = numbers(shape, 3, 0, 1);
      const position = Math.floor(next() * values.length);
      const p = { shape, values: values.map((own, at) => (at === position ? 3 : own)) };
      const t = { shape, values: values.map(() => 0.5) };
      for (const call of [
        () => losses.categoricalCrossentropy(tensorOf(t), tensorOf(p), { axis }),
        () => losses.binaryCrossentropy(tensorOf(t), tensorOf(p), { axis }),
      ]) {
        const error = await told(call);
        assert.instance(error, ValueRangeError);
        assert.equal([(error as ValueRangeError).position, (error as ValueRangeError).value], [position, 3]);
      }
    }
  });

  test('one of many is told, with its own position', async () => {
    const values = Array.from({ length: 1000 }, (_, at) => (at % 7 === 3 ? 1 + at : 0.5));
    const error = await told(() => losses.klDivergence(tensor([values]), tensor([values])));
    assert.instance(error, ValueRangeError);
    const { position, value } = error as ValueRangeError;
    assert.is(position % 7, 3);
    assert.is(value, values[position]);
  });

  test('in a row of ops each offence is told once, in its place', async (device) => {
    const x = tensor([10, 20]);
    const row = (index: number) => () => gather(x, tensor([index], { dtype: 'int32' }));
    const loss =
      (at: number, value = 0.5) =>
      () =>
        (users[at] as (typeof users)[number])[2](tensorOf(withOne(value)));
    const short = (outcome: unknown): unknown =>
      outcome instanceof ValueRangeError || outcome instanceof IndexError
        ? `${outcome.code} ${outcome.value}: ${outcome.message.split(/[:,]/)[0]}`
        : 'values';
    const outcomes = await Promise.all([
      told(row(7)),
      told(loss(0, 2)),
      told(loss(0)),
      told(row(1)),
      told(loss(4, 3)),
      told(loss(3, 4)),
      told(row(-9)),
      told(loss(1, -5)),
      told(loss(1)),
      told(loss(2, 6)),
      told(row(0)),
    ]);
    assert.equal(outcomes.map(short), [
      'index 7: gather',
      'value-range 2: categoricalCrossentropy',
      'values',
      'values',
      'value-range 3: klDivergence',
      'value-range 4: klDivergence',
      'index -9: gather',
      'value-range -5: sparseCategoricalCrossentropy',
      'values',
      'value-range 6: binaryCrossentropy',
      'values',
    ]);
    assert.match((outcomes[4] as Error).message, /of yTrue is 3/);
    assert.match((outcomes[5] as Error).message, /of yPred is 4/);
    await device.idle();
    x.dispose();
  });

  test('of a wrong label and a wrong probability the label comes first', async () => {
    const p = tensorOf(withOne(2));
    const wrong = (): Tensor => losses.sparseCategoricalCrossentropy(tensor(Int32Array.of(0, 2, 0)), p, none);
    assert.instance(await told(wrong), IndexError);
    assert.equal(await told(() => mul(p, 0)), [
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    p.dispose();
  });

  test('values and gradients are those of division and clip', async () => {
    const p: Listed = { shape: [3, 3], values: [0, 0.5, 0.5, 1, 0, 0, 0.3, 0.9, 2 ** -26] };
    const t: Listed = { shape: [3, 3], values: [0.25, 0.5, 0.25, 1, 0.5, 0, 0.1, 0.2, 0.7] };
    const cut = (x: Tensor): Tensor => clip(x, 1e-7, 1 - 1e-7);
    for (const axis of [0, 1]) {
      const composed = (x: Tensor): Tensor =>
        neg(sum(mul(tensorOf(t), log(cut(div(x, sum(x, { axis, keepDims: true }))))), { axis }));
      const fused = (x: Tensor): Tensor => losses.categoricalCrossentropy(tensorOf(t), x, { ...none, axis });
      const [expected, actual] = [await both(composed, p), await both(fused, p)];
      close(actual, expected, { rel: tolerance, abs: tolerance });
    }
    const cutFully = (x: Tensor): Tensor => clip(x, 1e-7, 1);
    const divergence = (x: Tensor): Tensor =>
      sum(mul(cutFully(tensorOf(t)), log(div(cutFully(tensorOf(t)), cutFully(x)))), { axis: -1 });
    const [expected, actual] = [
      await both(divergence, p),
      await both((x) => losses.klDivergence(tensorOf(t), x, none), p),
    ];
    close(actual, expected, { rel: tolerance, abs: tolerance });
  });

  test('a sample with a wrong probability leaves the others alone', async (device) => {
    const call = (): Tensor[] => {
      const p = tensorOf(withOne(1.5), true);
      const y = losses.binaryCrossentropy(half(), p, none);
      return [y.detach(), ...grad(sum(y), [p])];
    };
    if (device === cpuDevice()) return fails(() => scope(call), 'value-range'); // At the call, before any result.
    const results = scope(call);
    const [first, ...others] = await Promise.allSettled(results.map((result) => result.array()));
    assert.is(first?.status, 'rejected');
    assert.is(others[0]?.status, 'fulfilled');
    const [values, gradient] = (await Promise.all(results.map((result) => result.array()))) as [
      number[],
      number[][],
    ];
    const most = -(Math.log(0.25) + Math.log(0.75)) / 2;
    close(values, [Math.LN2, most, Number.NaN], { rel: tolerance });
    // (p − t) / (p (1 − p)) / 2
    close(
      gradient.slice(0, 2),
      [
        [0, 0],
        [-2 / 3, 2 / 3],
      ],
      { rel: tolerance, abs: tolerance },
    );
    for (const result of results) result.dispose();
  });

  test('a check costs no dispatch of its own', async (device) => {
    const kernels: string[] = [];
    const p = tensorOf(withOne(0.5));
    const t = half();
    const stop = device.observe({ dispatch: ({ kernel }) => void kernels.push(kernel) });
    await resultsOf(() => [losses.categoricalCrossentropy(t, p, none)]);
    stop();
    assert.equal(kernels, ['reduce', 'probability', 'unary', 'binary', 'reduce', 'unary']);
    for (const x of [p, t]) x.dispose();
  });
}
