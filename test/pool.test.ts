/**
 * Pooling, upsampling and resizing: PyTorch's and NumPy's numbers (scripts/oracles/pool.py), ties, NaN and infinities,
 * sums of long windows, wrong calls, and memory.
 */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import * as w from '../src/node.ts';
import {
  type Device,
  grad,
  type NestedArray,
  ones,
  setDefaultDevice,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

type Summary = readonly [shape: number[], weighted: number, ...samples: number[]];

interface Case {
  readonly function: string;
  readonly x: number[];
  readonly options: object;
  /** y, then the gradient of x. */
  readonly results: readonly [Summary, Summary];
}

const cases = JSON.parse(readFileSync(new URL('./literals/pool.json', import.meta.url), 'utf8')) as Case[];

/** The formula of the oracle; float32 holds its values exactly. */
const numbers = (count: number, seed: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => ((7919 * i + 613 * seed) % 1009) / 1024 - 0.5);

const input = (shape: readonly number[], seed: number, requiresGrad = false): Tensor =>
  tensor(
    numbers(
      shape.reduce((size, extent) => size * extent, 1),
      seed,
    ),
    { shape, requiresGrad },
  );

type Pool = (x: Tensor, options: object) => Tensor;

/** What no type checker would let through, but JavaScript does. */
const wrong = (value: unknown): never => value as never;

/** The ops by name; a namespace is not indexed. */
const byName = w as unknown as Record<string, Pool>;

const flat = (value: NestedArray): number[] => (Array.isArray(value) ? value.flatMap(flat) : [Number(value)]);

function shapeOf(value: NestedArray): number[] {
  const shape: number[] = [];
  for (let at = value; Array.isArray(at); at = at[0] as NestedArray) shape.push(at.length);
  return shape;
}

/** What the oracle tells of a result, and the size of the terms of its sum. */
function summary(value: NestedArray): { summary: Summary; magnitude: number } {
  const elements = flat(value);
  const weights = numbers(elements.length, 5);
  const terms = elements.map((element, index) => element * (weights[index] as number));
  const weighted = terms.reduce((sum, term) => sum + term, 0);
  const magnitude = terms.reduce((sum, term) => sum + Math.abs(term), 0);
  const samples = [0, 1, 2, 3, 4].map((k) => elements[Math.floor((k * elements.length) / 5)] as number);
  return { summary: [shapeOf(value), weighted, ...samples], magnitude };
}

/** The largest element and its gradient for a gradient of ones. */
async function maxOf(values: number[], options: w.PoolOptions): Promise<NestedArray[]> {
  return resultsOf(() => {
    const x = tensor(values, { shape: [1, values.length, 1], requiresGrad: true });
    const y = w.maxPool1d(x, options);
    return [y, ...grad(y, [x], { gradients: [ones(y.shape)] })].map((t) => w.reshape(t, [t.size]));
  });
}

for (const [where, open, tolerance] of [
  // Sums of at most 323 numbers below 1/2, nested, and weights that are rounded once per axis.
  ['device under test', testDevice, 1e-6],
  // The oracle's numbers have nine digits.
  ['CPU', async () => cpuDevice(), 6e-9],
] as const) {
  const inner = suite(`pool, ${where}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  for (const name of new Set(cases.map((item) => item.function))) {
    test(`${name}: values and gradients of an outside implementation`, async () => {
      for (const item of cases.filter((other) => other.function === name)) {
        const results = await resultsOf(() => {
          const x = input(item.x, 0, true);
          const y = (byName[name] as Pool)(x, item.options);
          return [y, ...grad(y, [x], { gradients: [input(y.shape, 4)] })];
        });
        results.forEach((result, index) => {
          const [shape, weighted, ...samples] = item.results[index] as Summary;
          const actual = summary(result);
          const [ownShape, ownWeighted, ...ownSamples] = actual.summary;
          const text = `${JSON.stringify(item.x)}, ${JSON.stringify(item.options)}, result ${index}`;
          assert.equal(ownShape, shape, text);
          close(ownWeighted, weighted, { abs: tolerance * (1 + actual.magnitude), rel: 0 });
          close(ownSamples, samples, { abs: tolerance, rel: tolerance });
        });
      }
    });
  }

  test('of equals the first gets the gradient, in row-major order', async () => {
    close(await maxOf([1, 3, 3, 3, 2, 2], { poolSize: 3 }), [
      [3, 3],
      [0, 1, 0, 1, 0, 0],
    ]);
    close(await maxOf([2, 2, 2, 2], { poolSize: 2, strides: 1 }), [
      [2, 2, 2],
      [1, 1, 1, 0],
    ]);
    close(await maxOf([0, -0, -0, 0], { poolSize: 2 }), [
      [0, 0],
      [1, 0, 1, 0],
    ]);
    const [dx] = await resultsOf(() => {
      const x = tensor([1, 5, 5, 1], { shape: [1, 2, 2, 1], requiresGrad: true });
      return grad(w.sum(w.maxPool2d(x, { poolSize: 2 })), [x]).map((t) => w.reshape(t, [4]));
    });
    close(dx as NestedArray, [0, 1, 0, 0]);
  });

  test('a NaN wins, the first one gets the gradient', async () => {
    const { NaN: nan } = Number;
    close(await maxOf([1, nan, 7, nan, 2, 3], { poolSize: 3 }), [
      [nan, nan],
      [0, 1, 0, 1, 0, 0],
    ]);
    close(await maxOf([nan, Infinity, nan, Infinity], { poolSize: 4 }), [[nan], [1, 0, 0, 0]]);
  });

  test('padding never wins, not even against −∞', async () => {
    const low = -Infinity;
    close(await maxOf([low, low, low], { poolSize: 3, strides: 1, padding: 'same' }), [
      [low, low, low],
      [2, 1, 0],
    ]);
    close(await maxOf([-5, -4], { poolSize: 4, strides: 4, padding: [[3, 3]] }), [
      [-5, -4],
      [1, 1],
    ]);
    close(
      await resultOf(() =>
        w.averagePool1d(tensor([[[4], [6]]]), { poolSize: 3, strides: 1, padding: 'same' }),
      ),
      [[[5], [5]]],
    );
  });

  test('what no window covers gets no gradient', async () => {
    close(await maxOf([1, 2, 9, 4, 3, 9, 9], { poolSize: 2, strides: 3 }), [
      [2, 4],
      [0, 1, 0, 1, 0, 0, 0],
    ]);
    const [dx] = await resultsOf(() => {
      const x = tensor([1, 2, 9, 4, 3, 9, 9], { shape: [1, 7, 1], requiresGrad: true });
      return grad(w.sum(w.averagePool1d(x, { poolSize: 2, strides: 3 })), [x]).map((t) => w.reshape(t, [7]));
    });
    close(dx as NestedArray, [0.5, 0.5, 0, 0.5, 0.5, 0, 0]);
  });

  test('windows of more than 256 elements', async () => {
    const values = Array.from({ length: 700 }, (_, index) => (index === 299 || index === 650 ? 2 : -index));
    const expected = values.map((value) => (value === 2 ? 1 : 0));
    close(await maxOf(values, { poolSize: 350 }), [[2, 2], expected]);
  });

  test('the mean of a long window', async () => {
    const values = Float64Array.from({ length: 30_000 }, () => 0.1);
    const x = (): Tensor => tensor(values, { shape: [1, 30_000, 1] });
    close(await resultOf(() => w.averagePool1d(x(), { poolSize: 30_000 })), [[[0.1]]], 1e-5);
    close(await resultOf(() => w.adaptiveAveragePool1d(x(), { outputSize: 2 })), [[[0.1], [0.1]]], 1e-5);
  });

  test('an empty batch, and no channels', async () => {
    assert.equal(await resultOf(() => w.maxPool2d(w.zeros([0, 4, 4, 3]), { poolSize: 2 })), []);
    const [y, dx] = await resultsOf(() => {
      const x = tensor([], { shape: [1, 2, 2, 0], requiresGrad: true });
      const z = w.averagePool2d(x, { poolSize: 2 });
      return [z, ...grad(w.sum(z), [x])];
    });
    assert.equal(y, [[[[]]]]);
    assert.equal(dx, [
      [
        [[], []],
        [[], []],
      ],
    ]);
  });

  test('windows far larger than the image cost no more than the image, and reach as far as 30 bits', async () => {
    const far = 2 ** 29;
    for (const padding of ['same', [[far / 2 - 1, far / 2]]] as const) {
      close(await maxOf([4, 9, 2], { poolSize: far, strides: 1, padding }), [
        [9, 9, 9],
        [0, 3, 0],
      ]);
    }
    close(await maxOf([4, 9, 2], { poolSize: 1, strides: far }), [[4], [1, 0, 0]]);
    close(await maxOf([4, 9, 2], { poolSize: far, strides: far / 2, padding: [[far - 1, far / 2]] }), [
      [4, 9],
      [1, 1, 0],
    ]);
    const means = await resultsOf(() => {
      const x = tensor([4, 9, 2], { shape: [1, 3, 1], requiresGrad: true });
      const y = w.averagePool1d(x, { poolSize: far, strides: 1, padding: 'same' });
      return [y, ...grad(y, [x], { gradients: [ones(y.shape)] })].map((t) => w.reshape(t, [3]));
    });
    close(means, [
      [5, 5, 5],
      [1, 1, 1],
    ]);
  });

  test('global averages: one dispatch either way, under their own names, and accurate', async (device) => {
    const dispatched: string[] = [];
    const stop = device.observe({ dispatch: ({ op }) => void dispatched.push(op) });
    const [y, dx, second] = await resultsOf(() => {
      const x = input([2, 3, 5, 4], 0, true);
      const z = w.globalAveragePool2d(x);
      const g = input([2, 4], 4, true);
      const [gradient] = grad(z, [x], { gradients: [g], createGraph: true }) as [Tensor];
      return [z, gradient, ...grad(gradient, [g], { gradients: [input([2, 3, 5, 4], 0)] })];
    });
    stop();
    assert.equal(
      dispatched.filter((op) => op.startsWith('global')),
      ['globalAveragePool2d', 'globalAveragePool2dBackward', 'globalAveragePool2d'],
    );
    assert.is(dispatched.length, 3);
    assert.is((y as NestedArray[]).length, 2);
    assert.equal(shapeOf(dx as NestedArray), [2, 3, 5, 4]);
    close(second as NestedArray, y as NestedArray, 1e-6);
    // A tree of sums: a million times 0.1 in sequence would be off by 1e-2.
    close(await resultOf(() => w.globalAveragePool1d(w.full([1, 2 ** 20, 1], 0.1))), [[0.1]], 1e-6);
  });

  test('a nearest resize to the same size is the identity, and so is one by bilinear weights', async () => {
    const [x, nearest, bilinear] = await resultsOf(() => {
      const image = input([1, 5, 3, 2], 0);
      return [
        image,
        w.resize2d(image, { size: [5, 3], interpolation: 'nearest' }),
        w.resize2d(image, { size: [5, 3] }),
      ];
    });
    close(nearest as NestedArray, x as NestedArray, 0);
    close(bilinear as NestedArray, x as NestedArray, 0);
  });

  test('a NaN stays where its weight is', async () => {
    const x = (): Tensor => tensor([1, Number.NaN, 3, 5], { shape: [1, 1, 4, 1] });
    const row = (f: () => Tensor): Promise<NestedArray> => resultOf(() => w.reshape(f(), [-1]));
    close(await row(() => w.resize2d(x(), { size: [1, 4] })), [1, Number.NaN, 3, 5]);
    close(await row(() => w.upSampling2d(x(), { size: [1, 2] })), [1, 1, Number.NaN, Number.NaN, 3, 3, 5, 5]);
    close(await row(() => w.averagePool2d(x(), { poolSize: [1, 2] })), [Number.NaN, 4]);
  });

  test('wrong calls', () =>
    w.scope(() => {
      const x = ones([1, 4, 4, 1]);
      fails(
        () => w.maxPool2d(x, { poolSize: 5 }),
        'shape',
        /maxPool2d/,
        /window of 5/,
        /4 \(0 \+ 4 \+ 0\)/,
        /'same'/,
      );
      fails(
        () => w.averagePool2d(x, { poolSize: 7, padding: 1 }),
        'shape',
        /averagePool2d/,
        /6 \(1 \+ 4 \+ 1\)/,
      );
      fails(
        () => w.maxPool2d(ones([4, 4, 1]), { poolSize: 2 }),
        'shape',
        /maxPool2d/,
        /\(4, 4, 1\)/,
        /expandDims/,
      );
      fails(() => w.maxPool1d(x, { poolSize: 2 }), 'shape', /maxPool1d/, /steps/);
      fails(() => w.globalMaxPool3d(x), 'shape', /globalMaxPool3d/, /depth/);
      fails(() => w.globalAveragePool1d(x), 'shape', /globalAveragePool1d/);
      for (const poolSize of [0, -1, 1.5, Number.NaN, [2], [2, 2, 2], '2'] as number[])
        fails(() => w.maxPool2d(x, { poolSize }), 'argument', /maxPool2d/, /poolSize/, /whole number ≥ 1/);
      fails(() => w.maxPool2d(x, {} as w.PoolOptions), 'argument', /poolSize/);
      for (const pool of [w.maxPool1d, w.averagePool1d]) {
        const row = ones([1, 3, 1]);
        const far = 2 ** 29;
        for (const poolSize of [2 ** 30, 2 ** 32, 2 ** 60])
          fails(
            () => pool(row, { poolSize, strides: 1, padding: 'same' }),
            'argument',
            /Pool1d: poolSize is/,
            /below 2\^30/,
          );
        fails(() => pool(row, { poolSize: 1, strides: 2 ** 31 }), 'argument', /strides is/, /below 2\^30/);
        fails(() => pool(row, { poolSize: 3, padding: 2 ** 32 }), 'argument', /4294967296/, /below 2\^30/);
        fails(() => pool(row, { poolSize: 1, strides: 2 ** 30 - 1 }), 'argument', /steps/, /below 2\^30/);
        fails(
          () => pool(row, { poolSize: far, strides: far, padding: [[far - 1, far - 1]] }),
          'argument',
          /steps/,
          /below 2\^30/,
        );
      }
      fails(
        () => w.maxPool2d(x, { poolSize: 2 ** 15, strides: 1, padding: 'same' }),
        'argument',
        /maxPool2d: along height · width, a window holds 1073741824/,
      );
      fails(() => w.maxPool2d(x, { poolSize: 2, padding: wrong(1n) }), 'argument', /maxPool2d/, /padding 1/);
      fails(() => w.maxPool2d(x, { poolSize: 2, padding: wrong([Number.NaN, 0]) }), 'argument', /\[NaN, 0\]/);
      fails(() => w.maxPool2d(x, { poolSize: wrong([2, undefined]) }), 'argument', /\[2, undefined\]/);
      fails(() => w.maxPool2d(x, { poolSize: 2, padding: wrong(null) }), 'argument', /padding null/);
      fails(() => w.maxPool2d(x, { poolSize: 2, strides: 0 }), 'argument', /strides/);
      fails(() => w.maxPool2d(x, 2 as unknown as w.PoolOptions), 'argument', /maxPool2d/, /options object/);
      fails(
        () => w.maxPool2d(x, { poolSize: 2, stride: 1 } as w.PoolOptions),
        'argument',
        /stride/,
        /strides/,
      );
      for (const padding of [-1, 0.5, [1], [[1, 2, 3], 0], 'full', 'causal'] as number[])
        fails(() => w.maxPool2d(x, { poolSize: 3, padding }), 'argument', /maxPool2d/, /padding/, /'same'/);
      fails(
        () => w.maxPool2d(x, { poolSize: 2, padding: 2 }),
        'argument',
        /\[2, 2\]/,
        /smaller than the window, 2/,
      );
      fails(
        () => w.averagePool2d(x, { poolSize: 2, padding: [0, [0, 2]] }),
        'argument',
        /width/,
        /padding alone/,
      );
      fails(
        () => w.adaptiveAveragePool2d(x, { outputSize: 0 }),
        'argument',
        /adaptiveAveragePool2d/,
        /outputSize/,
      );
      fails(() => w.upSampling2d(x, { size: 0 }), 'argument', /upSampling2d/, /size/);
      fails(() => w.upSampling2d(x, { size: wrong(null) }), 'argument', /upSampling2d: size is null/);
      fails(() => w.upSampling2d(x, { interpolation: wrong(null) }), 'argument', /no interpolation null/);
      fails(
        () => w.resize2d(x, { size: 3, interpolation: wrong(null) }),
        'argument',
        /no interpolation null/,
      );
      fails(() => w.resize2d(x, { size: wrong(null) }), 'argument', /resize2d: size is null/);
      fails(() => w.upSampling2d(x, { size: wrong({ height: 2 }) }), 'argument', /size is a plain object/);
      fails(() => w.resize2d(x, { size: [3, 0] }), 'argument', /resize2d/, /size/);
      fails(() => w.resize2d(x, {} as w.Resize2dOptions), 'argument', /resize2d/, /size/);
      const interpolation = 'cubic' as w.Interpolation;
      fails(() => w.resize2d(x, { size: 3, interpolation }), 'argument', /cubic/, /'bilinear'/);
      for (const empty of [ones([1, 0, 4, 1]), ones([1, 4, 0, 1])]) {
        fails(
          () => w.maxPool2d(empty, { poolSize: 1, padding: 'same' }),
          'shape',
          /maxPool2d/,
          /no elements along/,
        );
        fails(() => w.globalAveragePool2d(empty), 'shape', /no elements along/);
        fails(() => w.upSampling2d(empty), 'shape', /no elements along/);
      }
      const whole = tensor([1, 2], { dtype: 'int32', shape: [1, 2, 1] });
      fails(() => w.maxPool1d(whole, { poolSize: 2 }), 'dtype', /maxPool1d/, /int32/, /cast/);
      fails(() => w.globalMaxPool1d('x' as unknown as Tensor), 'argument', /globalMaxPool1d/, /not a tensor/);
      // 2³⁰ is the range of the fractions; (2·65537 + 1)·65539 lies beyond.
      fails(
        () => w.adaptiveAveragePool1d(ones([1, 65_539, 1]), { outputSize: 65_537 }),
        'argument',
        /two steps/,
      );
    }));
}
