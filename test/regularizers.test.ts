/** Regularizers against literals and finite differences; their gradients at 0, names, JSON and errors. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import {
  type Device,
  grad,
  gradcheck,
  gradgradcheck,
  matmul,
  noGrad,
  regularizers,
  type Shape,
  scope,
  setDefaultDevice,
  sum,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { uniforms } from './support/random.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

type Regularizer = regularizers.Regularizer;

interface Listed {
  readonly shape: Shape;
  readonly values: readonly number[];
}

const { regularizers: literals } = JSON.parse(
  readFileSync(new URL('literals/initializers.json', import.meta.url), 'utf8'),
) as {
  readonly regularizers: readonly (regularizers.RegularizerJson & {
    readonly weights: Listed;
    readonly value: Listed;
    readonly grad: Listed;
  })[];
};

const tensorOf = ({ shape, values }: Listed, requiresGrad = false): Tensor =>
  tensor(Float64Array.from(values), { shape, requiresGrad });

const device = await testDevice();
const devices: readonly Device[] = device === cpuDevice() ? [device] : [cpuDevice(), device];
const names: readonly regularizers.RegularizerName[] = ['l1', 'l2', 'l1l2', 'orthogonalRegularizer'];

for (const on of devices) {
  const inner = suite(`regularizers on ${on.kind}`);
  const test = (title: string, body: () => unknown): void =>
    inner(title, async () => {
      setDefaultDevice(on);
      await body();
    });
  // The literals have 9 digits. In float32 sums of 12 terms are off by a few roundings; the cosines of orthogonalRegularizer
  // cancel, so that its gradients, of up to 2, may be off by some 1e-6.
  const closeness = on.kind === 'cpu' ? { rel: 1e-8, abs: 1e-10 } : { rel: 2e-6, abs: 1e-6 };

  literals.forEach(({ regularizer, options, weights, value, grad: gradient }, index) => {
    test(`${regularizer} ${JSON.stringify(options)}, literal ${index}`, async () => {
      const penalty = regularizers.get({ regularizer, options });
      const [y, g] = await resultsOf(() => {
        const w = tensorOf(weights, true);
        const result = penalty(w);
        assert.equal(result.shape, []);
        return [result, ...grad(result, [w])] as Tensor[];
      });
      close(y as number, value.values[0] as number, closeness);
      close([g as number[]].flat(3), [...gradient.values], closeness);
    });
  });

  test('the gradient of |w| at 0 is 0, also at −0', async () => {
    for (const penalty of [
      regularizers.l1(1),
      regularizers.l1l2({ l1: 1 }),
      regularizers.l1l2({ l1: 1, l2: 1 }),
    ]) {
      const gradient = await resultOf(() => {
        const w = tensor([0, -0, 2, -2], { requiresGrad: true });
        return grad(penalty(w), [w])[0] as Tensor;
      });
      assert.equal((gradient as number[]).slice(0, 2).map(Math.abs), [0, 0]);
      assert.ok(((gradient as number[])[2] as number) >= 1 && ((gradient as number[])[3] as number) <= -1);
    }
  });

  test('orthogonal vectors cost nothing, equal ones the whole factor', async () => {
    const penalty = regularizers.orthogonalRegularizer({ factor: 3 });
    const of = (rows: number[][]): Promise<unknown> => resultOf(() => penalty(tensor(rows)));
    close(
      (await of([
        [2, 0, 0],
        [0, 0, 5],
        [0, -1, 0],
      ])) as number,
      0,
      { abs: 0 },
    );
    close(
      (await of([
        [1, 2],
        [2, 4],
        [-3, -6],
      ])) as number,
      3,
      1e-6,
    );
  });

  test('orthogonalRegularizer of a single row, and of a row of zeros, is finite, and so is its gradient', async () => {
    const run = (rows: number[][]): Promise<unknown[]> =>
      resultsOf(() => {
        const w = tensor(rows, { requiresGrad: true });
        const y = regularizers.orthogonalRegularizer({ factor: 1 })(w);
        return [y, ...grad(y, [w])] as Tensor[];
      });
    assert.equal(await run([[1, 2]]), [0, [[0, 0]]]);
    const [value, gradient] = await run([
      [0, 0],
      [3, 4],
    ]);
    assert.is(value, 0);
    assert.ok([gradient as number[][]].flat(2).every(Number.isFinite));
  });

  test('weights of rank 0, 4, and without elements', async () => {
    for (const name of ['l1', 'l2', 'l1l2'] as const) {
      const penalty = regularizers.get(name);
      close((await resultOf(() => penalty(tensor(-1)))) as number, name === 'l1l2' ? 0.02 : 0.01, 1e-6);
      assert.is(await resultOf(() => penalty(tensor(new Float32Array(0), { shape: [0, 3] }))), 0);
      const filters = (): Tensor => tensor(new Float32Array(24).fill(-1), { shape: [2, 3, 2, 2] });
      close((await resultOf(() => penalty(filters()))) as number, name === 'l1l2' ? 0.48 : 0.24, 1e-6);
    }
  });

  test('a penalty leaves no tensor but its result', () => {
    scope(() => {
      const w = tensor(
        [
          [1, 2],
          [3, 4],
        ],
        { requiresGrad: true },
      );
      for (const name of names) {
        const before = on.memory().tensors;
        const alone = noGrad(() => regularizers.get(name)(w));
        assert.is(on.memory().tensors, before + 1, name);
        alone.dispose();
      }
    });
  });
}

const test = suite('regularizers');

test('gradients of first and second order', async () => {
  setDefaultDevice(cpuDevice());
  const next = uniforms(5);
  // Away from 0, and with no pair of rows or columns at a right angle, where the penalties have kinks.
  const values = Float64Array.from({ length: 12 }, () => (next() < 0.5 ? -1 : 1) * (0.2 + next()));
  const w = tensor(values, { shape: [4, 3], requiresGrad: true });
  const all: Regularizer[] = [
    regularizers.l1(0.3),
    regularizers.l2(0.3),
    regularizers.l1l2({ l1: 0.2, l2: 0.7 }),
    regularizers.orthogonalRegularizer({ factor: 0.5 }),
    regularizers.orthogonalRegularizer({ factor: 0.5, mode: 'columns' }),
  ];
  for (const penalty of all) {
    const f = ([x]: readonly Tensor[]): Tensor => penalty(x as Tensor);
    const label = JSON.stringify(penalty);
    assert.ok((await gradcheck((x) => f([x as Tensor]), [w], { atol: 1e-8, rtol: 1e-6 })).ok, label);
    assert.ok((await gradgradcheck((x) => f([x as Tensor]), [w])).ok, label);
  }
  w.dispose();
});

test('a penalty joins a loss', async () => {
  setDefaultDevice(cpuDevice());
  const gradient = await resultOf(() => {
    const w = tensor([[1, -2]], { requiresGrad: true });
    const loss = sum(matmul(tensor([[3], [1]]), w)).add(regularizers.l2(0.5)(w));
    return grad(loss, [w])[0] as Tensor;
  });
  close(gradient, [[5, 2]]);
});

test('l1l2 without options is 0.01 of both, with one option the other is 0', () => {
  assert.is(JSON.stringify(regularizers.l1l2()), '{"regularizer":"l1l2","options":{"l1":0.01,"l2":0.01}}');
  assert.is(JSON.stringify(regularizers.get('l1l2')), JSON.stringify(regularizers.l1l2()));
  assert.is(JSON.stringify(regularizers.l1l2({ l2: 1 })), '{"regularizer":"l1l2","options":{"l1":0,"l2":1}}');
});

test('JSON makes the same regularizer again', async () => {
  const all: Regularizer[] = [
    ...names.map((name) => regularizers.get(name)),
    regularizers.l1(0.5),
    regularizers.l1({ l1: 0.25 }),
    regularizers.l2(0),
    regularizers.l1l2({ l1: 0.1 }),
    regularizers.orthogonalRegularizer({ factor: 2, mode: 'columns' }),
  ];
  for (const regularizer of all) {
    const text = JSON.stringify(regularizer);
    const again = regularizers.get(JSON.parse(text));
    assert.is(JSON.stringify(again), text);
    const [first, second] = await resultsOf(() => {
      const w = tensor([
        [1, 2],
        [3, -4],
        [0.5, 0],
      ]);
      return [regularizer(w), again(w)];
    });
    assert.is(first, second, text);
  }
});

/** What no type checker would let through, but JavaScript does. */
// biome-ignore lint/suspicious/noExplicitAny: these calls are wrong on purpose.
type Wrong = any;

test('get: functions, and what is no regularizer', () => {
  const own: Regularizer = (w) => sum(w);
  assert.is(regularizers.get(own), own);
  const get = regularizers.get as (identifier: Wrong) => Regularizer;
  fails(() => get('l1_l2'), 'argument', /^regularizers\.get: .*'l1_l2'.*Did you mean 'l1l2'\?/);
  fails(() => get({ regularizer: 'l3' }), 'argument', /no regularizer 'l3'.* There are l1, l2,/);
  fails(
    () => get({ initializer: 'l1' }),
    'argument',
    /a plain object is no regularizer; pass a name such as 'l1'/,
  );
  fails(() => get(regularizers.l2), 'argument', /call it: regularizers\.l2\(\)/);
  for (const wrong of [undefined, null, 0.01]) fails(() => get(wrong), 'argument', /is no regularizer/);
});

test('wrong options and wrong weights', () => {
  const w = regularizers as Readonly<Record<string, Wrong>>;
  const wrong: [call: () => unknown, part: RegExp][] = [
    [() => w.l1(-0.1), /^l1: l1 is -0\.1; pass a finite number ≥ 0/],
    [() => w.l2({ l2: Number.NaN }), /^l2: l2 is NaN/],
    [() => w.l2('0.1'), /^l2: '0\.1' stands where an options object/],
    [() => w.l2({ l1: 1 }), /^l2: no option 'l1'/],
    [() => w.l1l2({ l1: -1 }), /^l1l2: l1 is -1/],
    [() => w.l1l2({ l2: Infinity }), /^l1l2: l2 is Infinity/],
    [() => w.l1l2(0.1), /^l1l2: 0\.1 stands where/],
    [() => w.orthogonalRegularizer({ factor: -1 }), /^orthogonalRegularizer: factor is -1/],
    [() => w.orthogonalRegularizer({ mode: 'row' }), /there is no mode 'row'\. Did you mean 'rows'/],
    ...names.map((name): [() => unknown, RegExp] => [
      () => (regularizers.get(name) as Wrong)([1, 2]),
      new RegExp(`^${name}: `),
    ]),
  ];
  for (const [call, part] of wrong) fails(call, 'argument', part);
  scope(() => {
    fails(() => regularizers.l2()(tensor(Int32Array.of(1))), 'dtype', /^l2: takes floats, got int32/);
    fails(
      () => regularizers.orthogonalRegularizer()(tensor([1, 2])),
      'shape',
      /^orthogonalRegularizer: weights of shape \(2,\) are no matrix/,
    );
  });
});
