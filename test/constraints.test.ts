/** Constraints against literals and by what they promise; inside optimizers; their names, JSON and errors. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import {
  backward,
  constraints,
  type Device,
  noGrad,
  optimizers,
  Parameter,
  type Shape,
  scope,
  setDefaultDevice,
  sum,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, fails, resultOf } from './support/values.ts';

type Constraint = constraints.Constraint;

interface Listed {
  readonly shape: Shape;
  readonly values: readonly number[];
}

const { constraints: literals } = JSON.parse(
  readFileSync(new URL('literals/initializers.json', import.meta.url), 'utf8'),
) as {
  readonly constraints: readonly (constraints.ConstraintJson & {
    readonly value: Listed;
    readonly result: Listed;
  })[];
};

const device = await testDevice();
const devices: readonly Device[] = device === cpuDevice() ? [device] : [cpuDevice(), device];
const names: readonly constraints.ConstraintName[] = ['nonNeg', 'maxNorm', 'unitNorm', 'minMaxNorm'];

for (const on of devices) {
  const inner = suite(`constraints on ${on.kind}`);
  const test = (title: string, body: () => unknown): void =>
    inner(title, async () => {
      setDefaultDevice(on);
      await body();
    });
  // The literals have 9 digits; in float32 a norm, a sum, a ratio and a product make a handful of roundings.
  const tolerance = on.kind === 'cpu' ? 1e-8 : 1e-6;

  literals.forEach(({ constraint, options, value, result }, index) => {
    test(`${constraint} ${JSON.stringify(options)}, literal ${index}`, async () => {
      const project = constraints.get({ constraint, options });
      const made = scope(() => project(tensor(Float64Array.from(value.values), { shape: value.shape })));
      assert.equal(made.shape, value.shape);
      close([...(await made.data())], [...result.values], tolerance);
      made.dispose();
    });
  });

  test('zeros stay zeros', async () => {
    for (const name of names) {
      const values = await resultOf(() =>
        constraints.get(name)(
          tensor([
            [0, 0],
            [0, 0],
          ]),
        ),
      );
      assert.equal(
        values,
        [
          [0, 0],
          [0, 0],
        ],
        name,
      );
    }
  });

  test('norms beyond the root of the largest float', async () => {
    const large = on.kind === 'cpu' ? 1e200 : 1e30;
    const values = await resultOf(() => constraints.unitNorm()(tensor([[3 * large], [-4 * large]])));
    close(values, [[0.6], [-0.8]], 1e-6);
  });

  test('a rate below 1 goes a part of the way', async () => {
    const halfway = constraints.minMaxNorm({ maxValue: 1, rate: 0.5 });
    close(await resultOf(() => halfway(tensor([[3], [4]]))), [[1.8], [2.4]], 1e-6); // norm 5 → 3
    const none = constraints.minMaxNorm({ maxValue: 1, rate: 0 });
    close(await resultOf(() => none(tensor([[3], [4]]))), [[3], [4]], 1e-6);
  });

  test('a constraint leaves no tensor but its result', () => {
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
        const projected = noGrad(() => constraints.get(name)(w));
        assert.is(on.memory().tensors, before + 1, name);
        projected.dispose();
      }
    });
  });

  test('an optimizer applies it after each step', async () => {
    const w = new Parameter('w', tensor([[1], [-1]]), { constraint: constraints.nonNeg() });
    const v = new Parameter('v', tensor([[3], [4]]), { constraint: constraints.maxNorm({ maxValue: 1 }) });
    const optimizer = optimizers.sgd({ learningRate: 0 }).build([w, v]);
    scope(() => backward(sum(w.value).add(sum(v.value))));
    optimizer.step();
    close(await w.value.array(), [[1], [0]]);
    close(await v.value.array(), [[0.6], [0.8]], 1e-6);
    optimizer.dispose();
    w.dispose();
    v.dispose();
  });
}

const test = suite('constraints');

test('JSON makes the same constraint again', async () => {
  const all: Constraint[] = [
    ...names.map((name) => constraints.get(name)),
    constraints.maxNorm({ maxValue: 0.5, axis: [0, 1] }),
    constraints.unitNorm({ axis: -1 }),
    constraints.minMaxNorm({ minValue: 1, maxValue: 2, rate: 0.5, axis: 1 }),
  ];
  for (const constraint of all) {
    const text = JSON.stringify(constraint);
    const again = constraints.get(JSON.parse(text));
    assert.is(JSON.stringify(again), text);
    const run = (project: Constraint): Promise<unknown> =>
      resultOf(() =>
        project(
          tensor([
            [1, 2],
            [3, -4],
            [0.5, 0],
          ]),
        ),
      );
    assert.equal(await run(again), await run(constraint), text);
  }
  assert.is(
    JSON.stringify(constraints.maxNorm()),
    '{"constraint":"maxNorm","options":{"maxValue":2,"axis":0}}',
  );
});

/** What no type checker would let through, but JavaScript does. */
// biome-ignore lint/suspicious/noExplicitAny: these calls are wrong on purpose.
type Wrong = any;

test('get: functions, and what is no constraint', () => {
  const own: Constraint = (w: Tensor) => w;
  assert.is(constraints.get(own), own);
  const get = constraints.get as (identifier: Wrong) => Constraint;
  fails(() => get('max_norm'), 'argument', /^constraints\.get: .*'max_norm'.*Did you mean 'maxNorm'\?/);
  fails(() => get({ constraint: 'norm' }), 'argument', /no constraint 'norm'.* There are nonNeg, maxNorm,/);
  fails(
    () => get({ regularizer: 'l1' }),
    'argument',
    /a plain object is no constraint; pass a name such as 'nonNeg'/,
  );
  fails(() => get(constraints.nonNeg), 'argument', /call it: constraints\.nonNeg\(\)/);
  for (const wrong of [undefined, null, 2]) fails(() => get(wrong), 'argument', /is no constraint/);
});

test('wrong options and wrong weights', () => {
  const w = constraints as Readonly<Record<string, Wrong>>;
  const wrong: [call: () => unknown, part: RegExp][] = [
    [() => w.nonNeg({ axis: 0 }), /^nonNeg: no option 'axis'; it takes no options/],
    [() => w.maxNorm({ maxValue: -1 }), /^maxNorm: maxValue is -1; pass a finite number ≥ 0/],
    [() => w.maxNorm({ max_value: 1 }), /^maxNorm: no option 'max_value'; it takes maxValue, axis/],
    [() => w.maxNorm(2), /^maxNorm: 2 stands where an options object/],
    [() => w.unitNorm({ axis: 0.5 }), /^unitNorm: axis is 0\.5/],
    [() => w.unitNorm({ axis: [] }), /^unitNorm: axis is \[\]/],
    [() => w.unitNorm({ axis: null }), /^unitNorm: axis is null/],
    [() => w.minMaxNorm({ minValue: -1 }), /^minMaxNorm: minValue is -1/],
    [() => w.minMaxNorm({ minValue: 2 }), /^minMaxNorm: minValue 2 is above maxValue 1/],
    [() => w.minMaxNorm({ rate: -0.1 }), /^minMaxNorm: rate is -0\.1; pass a finite number ≥ 0 and ≤ 1/],
    [() => w.minMaxNorm({ rate: 1.5 }), /^minMaxNorm: rate is 1\.5/],
    ...names.map((name): [() => unknown, RegExp] => [
      () => (constraints.get(name) as Wrong)([1, 2]),
      new RegExp(`^${name}: `),
    ]),
  ];
  for (const [call, part] of wrong) fails(call, 'argument', part);
  scope(() => {
    fails(() => constraints.nonNeg()(tensor(Int32Array.of(1))), 'dtype', /^nonNeg: takes floats, got int32/);
    for (const name of ['maxNorm', 'unitNorm', 'minMaxNorm'] as const) {
      const project = constraints.get({ constraint: name, options: { axis: 1 } });
      fails(() => project(tensor([1, 2])), 'shape', new RegExp(`^${name}: axis 1 is out of range`));
    }
  });
});
