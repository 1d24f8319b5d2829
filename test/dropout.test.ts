/** Dropout and its relatives: statistics, the same mask on every device, in the gradient and from the same seed; wrong calls. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import * as w from '../src/node.ts';
import { type Device, Generator, grad, setDefaultDevice, type Tensor } from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

const { alphaDropout: constants } = JSON.parse(
  readFileSync(new URL('./literals/activations.json', import.meta.url), 'utf8'),
) as { alphaDropout: [rate: number, a: number, b: number, low: number][] };

type Noise = (
  x: Tensor,
  options: { rate: number; seed?: number; generator?: Generator; training?: boolean },
) => Tensor;

const noises: [name: string, shape: number[], f: Noise][] = [
  ['dropout', [7, 9], w.dropout],
  [
    'dropout with a noise shape',
    [4, 5, 3],
    (x, options) => w.dropout(x, { ...options, noiseShape: [4, 1, 3] }),
  ],
  ['spatialDropout1d', [2, 5, 6], w.spatialDropout1d],
  ['spatialDropout2d', [2, 3, 2, 6], w.spatialDropout2d],
  ['spatialDropout3d', [2, 2, 3, 2, 6], w.spatialDropout3d],
  ['alphaDropout', [7, 9], w.alphaDropout],
  ['gaussianDropout', [7, 9], w.gaussianDropout],
  ['gaussianNoise', [7, 9], (x, { rate, ...rest }) => w.gaussianNoise(x, { stddev: rate, ...rest })],
];

/** On one device, then back to the default one. */
async function on<T>(device: Device, body: () => Promise<T>): Promise<T> {
  setDefaultDevice(device);
  return body();
}

const values = async (body: () => Tensor): Promise<number[]> =>
  (await resultOf(() => {
    const y = body();
    return w.reshape(y, [y.size]);
  })) as number[];

const mean = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0) / list.length;
const variance = (list: readonly number[]): number => {
  const centre = mean(list);
  return mean(list.map((x) => (x - centre) ** 2));
};

const across = suite('dropout, devices');

across('the same seed gives the same mask on every device', async () => {
  const device = await testDevice();
  for (const [name, shape, f] of noises) {
    const draw = (): Promise<number[]> => values(() => f(w.ones(shape), { rate: 0.3, seed: 12 }));
    const here = await on(device, draw);
    const there = await on(cpuDevice(), draw);
    const normal = name.startsWith('gaussian');
    close(here, there, { rel: 1e-6, abs: normal ? 2e-5 : 0 });
    if (!normal)
      assert.equal(
        here.map((v) => v > 0.5),
        there.map((v) => v > 0.5),
        name,
      );
  }
});

across('a million masks agree bit by bit, and keep their share within 4 σ', async () => {
  const device = await testDevice();
  const draw = (): Promise<number[]> =>
    values(() => w.dropout(w.ones([1000, 1000]), { rate: 0.25, generator: new Generator(3) }));
  // 1 / (1 − 1/4) is 4/3 and the rest 0.
  const here = (await on(device, draw)).map((v) => v !== 0);
  const there = (await on(cpuDevice(), draw)).map((v) => v !== 0);
  assert.ok(here.every((kept, i) => kept === there[i]));
  const kept = here.filter(Boolean).length;
  assert.ok(Math.abs(kept - 750_000) < 4 * Math.sqrt(1e6 * 0.25 * 0.75), `${kept} of a million are kept`);
});

for (const [where, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`dropout, ${where}`);
  const test = (title: string, body: () => unknown): void =>
    inner(title, async () => {
      setDefaultDevice(await open());
      await body();
    });

  test('inverted: x / (1 − rate) where the Bernoulli number of the same generator is 1, else 0', async () => {
    const [x, mask, y] = (await resultsOf(() => {
      const input = w.randomUniform([5, 11], -1, 1, { generator: new Generator(1) });
      return [
        input,
        w.bernoulli([5, 11], 0.6, { generator: new Generator(9) }),
        w.dropout(input, { rate: 0.4, generator: new Generator(9) }),
      ].map((t) => w.reshape(t, [55]));
    })) as [number[], number[], number[]];
    close(
      y,
      x.map((v, i) => (mask[i] === 1 ? v / 0.6 : 0)),
      3e-7,
    );
    assert.ok(mask.includes(0) && mask.includes(1));
  });

  test('what is dropped is 0, even NaN and infinities', async () => {
    const y = await values(() => w.dropout(w.full([64], Number.NaN), { rate: 0.5, seed: 4 }));
    const kept = await values(() => w.dropout(w.ones([64]), { rate: 0.5, seed: 4 }));
    assert.equal(
      y,
      kept.map((v) => (v === 0 ? 0 : Number.NaN)),
    );
  });

  test('successive calls draw other masks; the counter advances by one for each draw', async () => {
    const generator = new Generator(5);
    const draw = (): Promise<number[]> => values(() => w.dropout(w.ones([100]), { rate: 0.5, generator }));
    const first = await draw();
    assert.is(generator.counter, 100);
    const second = await draw();
    assert.not.equal(first, second);
    const both = await values(() => w.dropout(w.ones([200]), { rate: 0.5, generator: new Generator(5) }));
    assert.equal([...first, ...second], both);
    await values(() => w.spatialDropout1d(w.ones([2, 50, 3]), { rate: 0.5, generator }));
    assert.is(generator.counter, 206);
    w.setSeed(5);
    assert.equal(await values(() => w.dropout(w.ones([100]), { rate: 0.5 })), first);
    assert.not.equal(await values(() => w.dropout(w.ones([100]), { rate: 0.5 })), first);
  });

  test('the gradient uses the mask of the values', async () => {
    for (const [name, shape, f] of noises) {
      for (const generator of [undefined, new Generator(8)]) {
        const [y, dx, second] = (await resultsOf(() => {
          const x = w.ones(shape, { requiresGrad: true });
          const options = generator ? { rate: 0.5, generator } : { rate: 0.5, seed: 8 };
          const z = f(x, options);
          // Linear in x: the gradient of the gradient by what is pulled back draws the mask once more.
          const g = w.ones(shape, { requiresGrad: true });
          const [first] = grad(z, [x], { gradients: [g], createGraph: true }) as [Tensor];
          const [again] = grad(w.sum(first), [g], { retainGraph: true }) as [Tensor];
          return [z, first, again].map((t) => w.reshape(t, [t.size]));
        })) as [number[], number[], number[]];
        const expected =
          name === 'gaussianNoise'
            ? y.map(() => 1)
            : name === 'alphaDropout'
              ? y.map((v) => (v > 0 ? Math.max(...dx) : 0))
              : y;
        close(dx, expected);
        close(second, expected);
        assert.ok(name === 'gaussianNoise' || new Set(dx).size > 1, name);
      }
    }
  });

  test('spatial dropout drops whole channels, a noise shape whole steps', async () => {
    const y = (await resultOf(() =>
      w.spatialDropout2d(w.ones([3, 4, 5, 8]), { rate: 0.5, seed: 1 }),
    )) as number[][][][];
    const kept = new Set<number>();
    for (const image of y) {
      const [corner] = image[0] as number[][] as [number[]];
      for (const row of image) for (const pixel of row) assert.equal(pixel, corner);
      for (const v of corner) kept.add(v);
    }
    assert.equal([...kept].sort(), [0, 2]);
    const steps = (await resultOf(() =>
      w.dropout(w.ones([2, 16, 5]), { rate: 0.5, seed: 2, noiseShape: [null, 1] }),
    )) as number[][][];
    assert.equal(steps[0], steps[1]);
    for (const step of steps[0] as number[][]) assert.is(new Set(step).size, 1);
  });

  test('no noise: not in training, at rate 0, at deviation 0; the generator stays where it is', () => {
    w.scope(() => {
      const generator = new Generator(6);
      for (const [, shape, f] of noises) {
        const x = w.ones(shape);
        assert.is(f(x, { rate: 0.5, training: false, generator }).storage, x.storage);
        assert.is(f(x, { rate: 0, generator }).storage, x.storage);
      }
      assert.is(generator.counter, 0);
    });
  });

  test('alphaDropout: the constants of the paper', async () => {
    for (const [rate, a, b, low] of constants) {
      const y = await values(() => w.alphaDropout(w.full([200], 0.5), { rate, seed: 3 }));
      const [kept, dropped] = [0.5 * a + b, low * a + b];
      for (const v of y) assert.ok(Math.min(Math.abs(v - kept), Math.abs(v - dropped)) < 1e-6, String(v));
      assert.is(new Set(y).size, 2);
    }
  });

  test('alphaDropout keeps mean 0 and variance 1', async () => {
    const n = 40_000;
    const y = await values(() =>
      w.alphaDropout(w.randomNormal([n], 0, 1, { generator: new Generator(2) }), { rate: 0.3, seed: 3 }),
    );
    // Four standard errors; the kurtosis of the mixture is below 3.
    assert.ok(Math.abs(mean(y)) < 4 / Math.sqrt(n), `mean ${mean(y)}`);
    assert.ok(Math.abs(variance(y) - 1) < 4 * Math.sqrt(2 / n), `variance ${variance(y)}`);
  });

  test('Gaussian noise has its mean and deviation', async () => {
    const n = 40_000;
    const noise = await values(() => w.gaussianNoise(w.full([n], 2), { stddev: 0.5, seed: 4 }));
    assert.ok(Math.abs(mean(noise) - 2) < (4 * 0.5) / Math.sqrt(n), `mean ${mean(noise)}`);
    assert.ok(Math.abs(variance(noise) / 0.25 - 1) < 4 * Math.sqrt(2 / n), `variance ${variance(noise)}`);
    // σ² = rate / (1 − rate) = 1/4 of x² = 4.
    const factor = await values(() => w.gaussianDropout(w.full([n], 2), { rate: 0.2, seed: 5 }));
    assert.ok(Math.abs(mean(factor) - 2) < 4 / Math.sqrt(n), `mean ${mean(factor)}`);
    assert.ok(Math.abs(variance(factor) - 1) < 4 * Math.sqrt(2 / n), `variance ${variance(factor)}`);
  });

  test('gradcheck refuses active dropout, and accepts it with a seed', async () => {
    const device = cpuDevice();
    const x = w.ones([3, 3], { device, requiresGrad: true });
    try {
      let refusal: unknown;
      await w
        .gradcheck((v) => w.dropout(v as Tensor, { rate: 0.5 }), [x])
        .catch((error: unknown) => {
          refusal = error;
        });
      assert.instance(refusal, w.GradcheckRefusal);
      assert.ok((await w.gradcheck((v) => w.dropout(v as Tensor, { rate: 0.5, seed: 1 }), [x])).ok);
    } finally {
      x.dispose();
    }
  });

  test('what is wrong is refused with and without noise, and before a number is drawn', () =>
    w.scope(() => {
      const generator = new Generator(2);
      const wrong = (value: unknown): never => value as never;
      for (const [name, shape, f] of noises) {
        for (const idle of [{ rate: 0.5 }, { rate: 0 }, { rate: 0.5, training: false }]) {
          const x = w.ones(shape);
          fails(() => f(x, { ...idle, seed: -1 }), 'argument', /seed is -1/);
          fails(() => f(x, { ...idle, seed: wrong(null) }), 'argument', /seed is null/);
          fails(() => f(x, { ...idle, generator: wrong(3) }), 'argument', /generator is 3/);
          fails(() => f(x, { ...idle, seed: 1, generator }), 'argument', /seed and a generator/);
          const whole = w.zeros(shape, { dtype: 'int32' });
          fails(() => f(whole, { ...idle, generator }), 'dtype', /int32/, /cast/);
          const gone = w.ones(shape);
          gone.dispose();
          fails(() => f(gone, { ...idle, generator }), 'disposed');
          if (name !== 'dropout') continue;
          for (const noiseShape of [[7], [null, 8], [null, null, null], [Number.NaN, 9]])
            fails(() => w.dropout(x, { ...idle, generator, noiseShape }), 'shape', /dropout/);
          fails(() => w.alphaDropout(x, { ...idle, generator, noiseShape: [2, 1] }), 'shape', /\(2, 1\)/);
        }
      }
      assert.is(generator.counter, 0);
    }));

  test('wrong calls', () =>
    w.scope(() => {
      const x = w.ones([2, 3]);
      const wrong = (value: unknown): never => value as never;
      for (const [, shape, f] of noises.slice(0, -1)) {
        for (const rate of [-0.1, 1, Number.NaN, '0.5', undefined])
          fails(
            () => f(w.ones(shape), { rate: wrong(rate) }),
            'argument',
            /[dD]ropout/,
            /rate is/,
            /not including, 1/,
          );
        fails(() => f(w.ones(shape), { rate: 2, training: false }), 'argument', /rate is 2/);
      }
      fails(() => w.dropout(x, { rate: 50 }), 'argument', /rate is 50/, /write 0\.5/);
      fails(() => w.dropout(x, { rate: 1 }), 'argument', /everything/);
      fails(() => w.dropout(x, wrong(0.5)), 'argument', /dropout/, /0\.5/, /rate/);
      fails(() => w.dropout(x, wrong({ rate: 0.5, p: 1 })), 'argument', /'p'/);
      fails(
        () => w.dropout(x, { rate: 0.5, noiseShape: [3, 2] }),
        'shape',
        /noiseShape \(3, 2\)/,
        /\(2, 3\)/,
      );
      fails(() => w.dropout(x, { rate: 0.5, noiseShape: wrong(2) }), 'shape', /dropout/);
      fails(
        () => w.dropout(x, { rate: 0.5, training: wrong(0) }),
        'argument',
        /training is 0/,
        /true or false/,
      );
      fails(() => w.dropout(x, { rate: 0.5, seed: -1 }), 'argument', /seed is -1/);
      fails(
        () => w.dropout(x, { rate: 0.5, generator: wrong(3) }),
        'argument',
        /generator is 3/,
        /new Generator/,
      );
      fails(
        () => w.dropout(x, { rate: 0.5, seed: 1, generator: new Generator(1) }),
        'argument',
        /seed and a generator/,
      );
      fails(() => w.dropout(w.zeros([2], { dtype: 'int32' }), { rate: 0.5 }), 'dtype', /dropout/, /int32/);
      fails(() => w.dropout(wrong([1]), { rate: 0.5 }), 'argument', /dropout/);
      fails(
        () => w.dropout(x, { rate: 0.5, noiseShape: [null, null, null] }),
        'shape',
        /dropout: noiseShape has 3 entries/,
        /\(2, 3\)/,
        /2 axes/,
      );
      fails(() => w.dropout(x, { rate: 0.5, noiseShape: [wrong(undefined), 3] }), 'shape', /undefined/);
      fails(() => w.dropout(x, { rate: 0.5, noiseShape: wrong(null) }), 'shape', /dropout/, /null/);
      fails(() => w.spatialDropout2d(x, { rate: 0.5 }), 'shape', /spatialDropout2d/, /height/, /\(2, 3\)/);
      fails(() => w.spatialDropout1d(x, { rate: 0.5 }), 'shape', /steps/);
      fails(() => w.spatialDropout3d(x, { rate: 0.5 }), 'shape', /depth/);
      for (const stddev of [-1, Number.NaN, Infinity])
        fails(() => w.gaussianNoise(x, { stddev }), 'argument', /gaussianNoise/, /stddev is/, /≥ 0/);
      fails(() => w.gaussianNoise(x, wrong({ rate: 1 })), 'argument', /'rate'/, /stddev/);
    }));
}
