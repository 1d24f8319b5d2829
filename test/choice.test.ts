/** `choice` by weight: weights of any size, and those that are none. */
import * as assert from 'uvu/assert';
import { choice, type Device, Generator, scope, setDefaultDevice, zeros } from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { fails, resultOf } from './support/values.ts';

const { NaN: NAN, MAX_VALUE: MAX, MIN_VALUE: MIN } = Number;

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`choice, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  /** Draws with a generator of their own. */
  const draw = async (n: number, size: number, p: readonly number[] | Float32Array, replace = true) =>
    (await resultOf(() => choice(n, size, { p, replace, generator: new Generator(11) }))) as number[];

  test('weights count by their ratios, however large or small they are', async () => {
    const expected = await draw(4, 500, [1, 0, 2, 1]);
    assert.equal([...new Set(expected)].sort(), [0, 2, 3]);
    for (const scale of [2 ** 1022, 2 ** -1070]) {
      assert.equal(
        await draw(
          4,
          500,
          [1, 0, 2, 1].map((weight) => weight * scale),
        ),
        expected,
        `scale ${scale}`,
      );
    }
    const large = 2 ** 127; // Four of them overflow float32.
    assert.equal(await draw(4, 500, Float32Array.of(large / 2, 0, large, large / 2)), expected);
    assert.equal(await draw(4, 500, [MAX / 2, 0, MAX, MAX / 2]), expected);
  });

  test('without replacement too', async () => {
    const expected = await draw(5, 3, [1, 4, 0, 2, 1], false);
    for (const scale of [2 ** 1021, 2 ** -1070])
      assert.equal(
        await draw(
          5,
          3,
          [1, 4, 0, 2, 1].map((weight) => weight * scale),
          false,
        ),
        expected,
        `scale ${scale}`,
      );
  });

  test('an element of weight 0 is never drawn, one of a tiny weight where the others do not suffice', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const options = { p: [0, MIN, 1, 0, MAX, 0], generator: new Generator(seed) };
      const three = (await resultOf(() => choice(6, 3, { ...options, replace: false }))) as number[];
      assert.equal([...three].sort(), [1, 2, 4], `seed ${seed}`);
      const many = (await resultOf(() => choice(6, 30, options))) as number[];
      assert.ok(many.every((value) => value === 4));
    }
    assert.equal(await draw(3, 2, [0, 0, 5]), [2, 2]);
    assert.equal(await draw(3, 2, [5, 0, 0]), [0, 0]);
    assert.equal(await draw(3, 0, [0, 0, 0]), []);
    assert.equal(await draw(0, 0, []), []);
  });

  test('weights that are none are refused at the call, and no draw is used up', () => {
    const generator = new Generator(1);
    const refused = (p: unknown, size: number, part: RegExp, replace = true): void =>
      fails(
        () => scope(() => choice(3, size, { p: p as number[], replace, generator })),
        'argument',
        /^choice: /,
        part,
      );
    refused([1, -1, 2], 1, /weight 1 is -1/);
    refused([1, 2, -MIN], 1, /weight 2 is -5e-324/);
    refused([NAN, 1, 1], 1, /weight 0 is NaN/);
    refused([1, Infinity, 1], 1, /weight 1 is Infinity/);
    refused([1, '2', 1], 1, /weight 1 is 2/);
    refused([1, null, 1], 1, /weight 1 is null/);
    refused([0, 0, 0], 1, /all weights are 0/);
    refused([0, -0, 0], 2, /all weights are 0/, false);
    refused([0, 3, 1], 3, /3 elements are wanted and 2 have a weight above 0/, false);
    refused([1, 2], 1, /2 weights for 3 elements/);
    for (const none of ['123', Number.NaN, 0, null, 0.5]) refused(none, 1, /no array/);
    scope(() => refused(zeros([3]), 1, /p\.data\(\)/));
    assert.is(generator.counter, 0);
    fails(() => choice(3, 1, true as never), 'argument', /choice: true stands where/);
    fails(() => choice(3, 1, { weights: [1, 2, 3] } as never), 'argument', /choice: no option 'weights'/);
  });
}

// Weighted draws are made on the host, so one device is enough.
suite('choice, shares')('the shares without replacement are those of drawing one after another', async () => {
  setDefaultDevice(cpuDevice());
  const p = [1, 2, 5];
  const rounds = 4000;
  const generator = new Generator(3);
  const first = [0, 0, 0];
  const left = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    const [a = 0, b = 0] = (await resultOf(() => choice(3, 2, { p, replace: false, generator }))) as number[];
    first[a] = (first[a] as number) + 1;
    left[3 - a - b] = (left[3 - a - b] as number) + 1;
  }
  // i stays behind with probability Σ_j p_j/8 · p_k/(8 − p_j) over both orders of the others.
  const stays = [
    (2 / 8) * (5 / 6) + (5 / 8) * (2 / 3),
    (1 / 8) * (5 / 7) + (5 / 8) * (1 / 3),
    (1 / 8) * (2 / 7) + (2 / 8) * (1 / 6),
  ];
  p.forEach((weight, i) => {
    // Five standard deviations of a share among 4,000 draws are below 0.04.
    assert.ok(
      Math.abs((first[i] as number) / rounds - weight / 8) < 0.04,
      `${i} came first ${first[i]} times`,
    );
    assert.ok(
      Math.abs((left[i] as number) / rounds - (stays[i] as number)) < 0.04,
      `${i} stayed ${left[i]} times`,
    );
  });
});
