/**
 * Activations: the numbers of PyTorch and of the published formulas (scripts/oracles/activations.py), ±∞ and NaN, the
 * number of dispatches, lookup by name, and wrong calls.
 */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import * as w from '../src/node.ts';
import { type Device, grad, type NestedArray, setDefaultDevice, type Tensor, tensor } from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

interface Literals {
  readonly points: number[];
  readonly one: Record<string, { values: number[]; slopes: number[] }>;
  /** y, then the gradient of each input. */
  readonly several: Record<string, { shape: number[]; results: number[][] }>;
}

const literals = JSON.parse(
  readFileSync(new URL('./literals/activations.json', import.meta.url), 'utf8'),
) as Literals;

type Unary = (x: Tensor) => Tensor;

/** The oracle's names. */
const one: Record<string, Unary> = {
  linear: w.linear,
  binaryStep: w.binaryStep,
  sigmoid: w.sigmoid,
  tanh: w.tanh,
  hardSigmoid: w.hardSigmoid,
  relu: w.relu,
  'relu slope': (x) => w.relu(x, { negativeSlope: 0.25 }),
  'relu largest': (x) => w.relu(x, { maxValue: 3 }),
  'relu threshold': (x) => w.relu(x, { negativeSlope: 0.5, maxValue: 6, threshold: 1 }),
  relu6: w.relu6,
  leakyRelu: (x) => w.leakyRelu(x),
  thresholdedRelu: (x) => w.thresholdedRelu(x),
  elu: (x) => w.elu(x),
  'elu 0.5': (x) => w.elu(x, 0.5),
  selu: w.selu,
  softplus: w.softplus,
  logSigmoid: w.logSigmoid,
  softsign: w.softsign,
  silu: w.silu,
  hardSilu: w.hardSilu,
  gelu: (x) => w.gelu(x),
  'gelu approximate': (x) => w.gelu(x, { approximate: true }),
  mish: w.mish,
};

const several: Record<string, { f: (...inputs: Tensor[]) => Tensor; shapes: number[][] }> = {
  prelu: {
    f: (x, alpha) => w.prelu(x as Tensor, alpha as Tensor),
    shapes: [[2, 3, 4], [4]],
  },
  'prelu shared': {
    f: (x, alpha) => w.prelu(x as Tensor, alpha as Tensor),
    shapes: [
      [2, 3, 4],
      [3, 1],
    ],
  },
  glu: { f: (x) => w.glu(x as Tensor), shapes: [[3, 10]] },
  'glu first': { f: (x) => w.glu(x as Tensor, 0), shapes: [[4, 2, 3]] },
  maxout: { f: (x) => w.maxout(x as Tensor, { pieces: 3 }), shapes: [[3, 12]] },
  'maxout first': { f: (x) => w.maxout(x as Tensor, { pieces: 2, axis: 0 }), shapes: [[4, 5]] },
};

/** The formula of the oracle; float32 holds its values exactly. */
const input = (shape: readonly number[], seed: number, requiresGrad = false): Tensor =>
  tensor(
    Float64Array.from(
      { length: shape.reduce((size, extent) => size * extent, 1) },
      (_, i) => ((7919 * i + 613 * seed) % 1009) / 1024 - 0.5,
    ),
    { shape, requiresGrad },
  );

/** f and its gradient for these output gradients (ones by default). */
const pulled = (f: Unary, values: readonly number[], g = values.map(() => 1)): Promise<NestedArray[]> =>
  resultsOf(() => {
    const x = tensor([...values], { requiresGrad: true });
    const y = f(x);
    return [y, ...grad(y, [x], { gradients: [tensor(g)] })];
  });

/** The oracle's numbers have nine digits. */
const DIGITS = 6e-9;

/**
 * Relative bounds in float32: 8 ulp, and for the approximate gelu, whose sigmoid has an argument u of up to 50 that is
 * rounded three times, 3 u 2⁻²⁴. Where a slope is taken from the output, which is rounded to 1 in the end, it has the
 * absolute error of one.
 */
const rel = (name: string): number => (name === 'gelu approximate' ? 9e-6 : 1e-6);
const fromOutput = (name: string): boolean => name === 'sigmoid' || name === 'tanh';

const inf = Infinity;
const { NaN: nan } = Number;

/** Values and slopes at −∞, ∞ and NaN. */
const ends: [Unary, [number, number], [number, number]][] = [
  [w.linear, [-inf, inf], [1, 1]],
  [w.sigmoid, [0, 1], [0, 0]],
  [w.tanh, [-1, 1], [0, 0]],
  [w.hardSigmoid, [0, 1], [0, 0]],
  [(x) => w.relu(x, { negativeSlope: 0 }), [0, inf], [0, 1]],
  [(x) => w.relu(x, { negativeSlope: 0.5 }), [-inf, inf], [0.5, 1]],
  [w.relu6, [0, 6], [0, 0]],
  [(x) => w.leakyRelu(x, 0), [0, inf], [0, 1]],
  [(x) => w.thresholdedRelu(x), [0, inf], [0, 1]],
  [(x) => w.elu(x), [-1, inf], [0, 1]],
  [w.selu, [-1.0507009873554805 * 1.6732632423543772, inf], [0, 1.0507009873554805]],
  [w.softplus, [0, inf], [0, 1]],
  [w.logSigmoid, [-inf, 0], [1, 0]],
  [w.softsign, [-1, 1], [0, 0]],
  [w.silu, [0, inf], [0, 1]],
  [w.hardSilu, [0, inf], [0, 1]],
  [(x) => w.gelu(x), [0, inf], [0, 1]],
  [(x) => w.gelu(x, { approximate: true }), [0, inf], [0, 1]],
  [w.mish, [0, inf], [0, 1]],
  [(x) => w.prelu(x, tensor([0])), [0, inf], [0, 1]],
];

/** Ops that ran while `body` did. */
function dispatches(device: Device, body: () => void): string[] {
  const seen: string[] = [];
  const stop = device.observe({ dispatch: ({ op }) => seen.push(op) });
  try {
    w.scope(body);
  } finally {
    stop();
  }
  return seen;
}

for (const [where, open, exact] of [
  ['device under test', testDevice, false],
  ['CPU', async () => cpuDevice(), true],
] as const) {
  const inner = suite(`activation, ${where}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  for (const [name, { values, slopes }] of Object.entries(literals.one)) {
    test(`${name}: values and slopes of an outside implementation`, async () => {
      const [y, dx] = await pulled(one[name] as Unary, literals.points);
      const bound = exact ? DIGITS : rel(name);
      close(y as NestedArray, values, bound);
      close(dx as NestedArray, slopes, { rel: bound, abs: fromOutput(name) && !exact ? 2 ** -23 : 0 });
    });
  }

  for (const [name, { shape, results }] of Object.entries(literals.several)) {
    test(`${name}: values and gradients of an outside implementation`, async () => {
      const { f, shapes } = several[name] as (typeof several)[string];
      const actual = await resultsOf(() => {
        const inputs = shapes.map((own, index) => input(own, index, true));
        const y = f(...inputs);
        assert.equal(y.shape, shape);
        return [y, ...grad(y, inputs, { gradients: [input(y.shape, 4)] })].map((t) => w.reshape(t, [t.size]));
      });
      // Sums of at most 8 products below 1/4.
      close(actual, results, { rel: exact ? DIGITS : 1e-6, abs: exact ? 0 : 8 * 2 ** -26 });
    });
  }

  test('values and slopes at infinities and NaN', async () => {
    for (const [f, values, slopes] of ends) {
      const [y, dx] = await pulled(f, [-inf, inf, nan]);
      close(y as NestedArray, [...values, nan], 2e-7);
      // What is linear has the slope 1 everywhere; all others hand the NaN on.
      close(dx as NestedArray, [...slopes, f === w.linear ? 1 : nan], 2e-7);
    }
  });

  test('a slope of 0 stops an infinite gradient', async () => {
    for (const f of [
      w.relu6,
      w.hardSigmoid,
      w.hardSilu,
      (x: Tensor) => w.leakyRelu(x, 0),
      (x: Tensor) => w.thresholdedRelu(x),
      w.silu,
      w.mish,
      (x: Tensor) => w.gelu(x),
      (x: Tensor) => w.elu(x),
      w.sigmoid,
      w.softplus,
      w.exponential,
    ]) {
      const [, dx] = await pulled(f, [-1e4, 0.5], [inf, 1]);
      assert.is((dx as number[])[0], 0, String(f));
    }
  });

  test('second derivatives far out are 0', async () => {
    const far = [-1e4, -200, 200, 1e4];
    for (const f of [
      w.silu,
      w.mish,
      (x: Tensor) => w.gelu(x),
      (x: Tensor) => w.gelu(x, { approximate: true }),
      (x: Tensor) => w.elu(x),
      w.selu,
      w.softplus,
      w.logSigmoid,
      w.sigmoid,
      w.tanh,
    ]) {
      const second = await resultOf(() => {
        const x = tensor(far, { requiresGrad: true });
        const [dx] = grad(w.sum(f(x)), [x], { createGraph: true }) as [Tensor];
        return (grad(w.sum(dx), [x]) as [Tensor])[0];
      });
      close(second, [0, 0, 0, 0], { abs: 1e-30 });
    }
  });

  test('one dispatch forward, one back', (device) =>
    w.scope(() => {
      const x = input([4, 6], 0, true);
      const alpha = input([6], 1, true);
      const calls: [string, () => Tensor, number][] = [
        ...Object.entries(one)
          .filter(([name]) => name !== 'linear')
          .map(([name, f]): [string, () => Tensor, number] => [name, () => f(x), 1]),
        ['glu', () => w.glu(x), 1],
        ['maxout', () => w.maxout(x, { pieces: 2 }), 1],
        ['softmax', () => w.softmax(x), 1],
        ['logSoftmax', () => w.logSoftmax(x, 0), 1],
        // For x, for alpha, and the sum over the batch.
        ['prelu', () => w.prelu(x, alpha), 3],
      ];
      for (const [name, f, back] of calls) {
        let y: Tensor | undefined;
        assert.is(dispatches(device, () => w.keep((y = f()))).length, 1, `${name}, forward`);
        const g = w.ones((y as Tensor).shape);
        const wanted = name === 'prelu' ? [x, alpha] : [x];
        const ran = dispatches(device, () => grad(y as Tensor, wanted, { gradients: [g] }));
        assert.is(ran.length, back, `${name}, backward: ${ran.join(', ')}`);
        (y as Tensor).dispose();
      }
    }));

  test('linear is a view, maxout of nothing is nothing', async () => {
    w.scope(() => {
      const x = tensor([1, 2]);
      assert.is(w.linear(x).storage, x.storage);
      assert.equal(w.maxout(w.zeros([0, 4]), { pieces: 2 }).shape, [0, 2]);
      assert.equal(w.maxout(w.zeros([3, 0]), { pieces: 2 }).shape, [3, 0]);
    });
  });

  test('of equal pieces the first gets the gradient', async () => {
    const [y, dx] = await pulled((x) => w.maxout(x, { pieces: 3 }), [2, 2, 1, 0, 4, 4], [1, 1]);
    close(y as NestedArray, [2, 4]);
    close(dx as NestedArray, [1, 0, 0, 0, 1, 0]);
  });

  test('relu without options takes int32', async () => {
    close(await resultOf(() => w.relu(tensor([-2, 0, 3], { dtype: 'int32' }))), [0, 0, 3], 0);
  });

  test('wrong calls', () =>
    w.scope(() => {
      const x = w.ones([2, 3]);
      const wrong = (value: unknown): never => value as never;
      const integers = tensor([1, 2], { dtype: 'int32' });
      fails(() => w.relu(x, wrong(6)), 'argument', /relu/, /6/, /maxValue/);
      fails(() => w.relu(x, wrong({ alpha: 1 })), 'argument', /'alpha'/, /negativeSlope/);
      fails(() => w.relu(x, { negativeSlope: -1 }), 'argument', /negativeSlope is -1/, /≥ 0/);
      fails(() => w.relu(x, { maxValue: nan }), 'argument', /maxValue is NaN/);
      fails(() => w.relu(x, { threshold: inf }), 'argument', /threshold is Infinity/);
      fails(() => w.relu(integers, { maxValue: 1 }), 'dtype', /relu/, /int32/, /cast/);
      fails(() => w.thresholdedRelu(x, -1), 'argument', /theta is -1/);
      fails(() => w.leakyRelu(x, wrong('0.1')), 'argument', /leakyRelu/, /slope/);
      fails(() => w.leakyRelu(x, wrong({ slope: 1 })), 'argument', /leakyRelu: slope is a plain object/);
      fails(() => w.leakyRelu(x, wrong(null)), 'argument', /leakyRelu: slope is null/);
      fails(() => w.elu(x, wrong([1])), 'argument', /elu: alpha is \[1\]/);
      fails(() => w.elu(x, nan), 'argument', /elu/, /alpha is NaN/);
      fails(() => w.gelu(integers), 'dtype', /gelu/, /int32/);
      fails(() => w.gelu(x, wrong(true)), 'argument', /gelu/, /approximate/);
      fails(() => w.prelu(x, w.ones([2])), 'shape', /prelu/, /\(2,\)/, /\(2, 3\)/, /axes/);
      fails(() => w.prelu(x, w.ones([4, 2, 3])), 'shape', /prelu/, /\(4, 2, 3\)/);
      fails(() => w.glu(x), 'shape', /glu/, /axis 1/, /\(2, 3\)/, /even/);
      fails(() => w.glu(x, 2), 'shape', /glu/, /axis 2/);
      fails(() => w.maxout(x, { pieces: 2 }), 'shape', /maxout/, /\(2, 3\)/, /2 pieces/);
      fails(() => w.maxout(integers, { pieces: 1 }), 'dtype', /maxout/, /int32/);
      fails(() => w.maxout(x, { pieces: 0 }), 'argument', /pieces is 0/);
      fails(() => w.maxout(x, wrong({})), 'argument', /pieces is undefined/);
      for (const f of [w.silu, w.linear, w.selu, w.glu, (y: Tensor) => w.maxout(y, { pieces: 1 })])
        fails(() => f(wrong([1, 2])), 'argument');
    }));
}

const names = suite('activation names');

names('each name gives its function', () => {
  for (const [name, f] of Object.entries(w.activations)) {
    assert.is(w.getActivation(name as w.ActivationName), f);
    assert.is((w as unknown as Record<string, unknown>)[name], f, `${name} is exported`);
  }
});

names('a function is its own activation, and nothing is linear', () => {
  const own = (x: Tensor): Tensor => w.elu(x, 0.5);
  assert.is(w.getActivation(own), own);
  assert.is(w.getActivation(), w.linear);
  assert.is(w.getActivation(null), w.linear);
});

names('a wrong name is refused with the list of names', () => {
  for (const wrong of ['Relu', 'toString', '', 3, {}]) {
    fails(
      () => w.getActivation(wrong as never),
      'argument',
      /getActivation/,
      /relu, relu6, selu/,
      /hardSwish/,
    );
  }
});
