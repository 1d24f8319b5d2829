/** Normalisations against literals of PyTorch and NumPy, against their composed versions, and at the edges. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import {
  assign,
  batchNorm,
  type Device,
  full,
  grad,
  groupNorm,
  instanceNorm,
  layerNorm,
  localResponseNormalization,
  mul,
  type NestedArray,
  noGrad,
  rmsNorm,
  scope,
  setDefaultDevice,
  sum,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';
import { composedLocalResponse } from '../src/ops/local-response.ts';
import { composedNormalize } from '../src/ops/normalization-composed.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { uniforms } from './support/random.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

interface Listed {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

interface Literal {
  readonly op: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, Listed>>;
  readonly weights: Listed;
  readonly y: Listed;
  readonly gradients: Readonly<Record<string, Listed>>;
  readonly moving?: Readonly<Record<'movingMean' | 'movingVariance' | 'nextMean' | 'nextVariance', Listed>>;
}

const literals = JSON.parse(
  readFileSync(new URL('literals/normalization.json', import.meta.url), 'utf8'),
) as readonly Literal[];

type Norm = (x: Tensor, options: object) => Tensor;
const NORMS: Readonly<Record<string, Norm>> = {
  batchNorm,
  layerNorm,
  rmsNorm,
  groupNorm,
  instanceNorm,
  localResponseNormalization,
};

const tensorOf = ({ shape, values }: Listed, requiresGrad = false): Tensor =>
  tensor(Float64Array.from(values), { shape, requiresGrad });

/** Each element within `tolerance`·(1 + |expected|): a result that cancels out keeps the error of its terms. */
const same = (actual: NestedArray, expected: NestedArray, tolerance: number): void =>
  close(actual, expected, { abs: tolerance, rel: tolerance });

const flat = (nested: NestedArray): number[] => (nested as NestedArray[]).flat(8) as number[];

const random = (shape: readonly number[], seed: number, low = -1, high = 1): Tensor => {
  const next = uniforms(seed);
  const size = shape.reduce((product, extent) => product * extent, 1);
  return tensor(
    Float32Array.from({ length: size }, () => low + (high - low) * next()),
    { shape },
  );
};

for (const [name, open, tolerance] of [
  // Nine digits in the file; on the GPU some roundings of 6e-8, divided by deviations down to √epsilon.
  ['device under test', testDevice, 1e-5],
  ['CPU', async () => cpuDevice(), 1e-6],
] as const) {
  const inner = suite(`normalization, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  literals.forEach((literal, index) => {
    const { op, options, inputs, weights, y, gradients, moving } = literal;
    const shape = (inputs.x as Listed).shape.join('×');
    test(`${op} ${shape}, literal ${index}`, async () => {
      const results = await resultsOf(() => {
        const leaves = Object.fromEntries(
          Object.entries(inputs).map(([key, listed]) => [key, tensorOf(listed, true)]),
        );
        const { x, ...vectors } = leaves;
        const statistics = moving
          ? { movingMean: tensorOf(moving.movingMean), movingVariance: tensorOf(moving.movingVariance) }
          : {};
        const result = (NORMS[op] as Norm)(x as Tensor, { ...options, ...vectors, ...statistics });
        const loss = sum(mul(result, tensorOf(weights)));
        return [
          result.detach(),
          ...grad(loss, Object.values(leaves)),
          ...Object.values(statistics),
        ] as Tensor[];
      });
      const expected = [y, ...Object.keys(inputs).map((key) => gradients[key] as Listed)];
      if (moving) expected.push(moving.nextMean, moving.nextVariance);
      assert.is(results.length, expected.length);
      results.forEach((actual, at) => {
        same(flat(actual), [...(expected[at] as Listed).values], tolerance);
      });
    });
  });

  const GEOMETRIES = [
    ['batch', [33, 5], { samples: 1, rows: 33, groups: 5, width: 1 }],
    ['layer', [9, 37], { samples: 9, rows: 1, groups: 1, width: 37 }],
    ['group', [3, 11, 8], { samples: 3, rows: 11, groups: 2, width: 4 }],
    ['instance', [4, 10, 3], { samples: 4, rows: 10, groups: 3, width: 1 }],
  ] as const;
  for (const [kind, shape, geometry] of GEOMETRIES) {
    test(`${kind} norm is its composed version, forward and backward`, async () => {
      const channels = geometry.groups * geometry.width;
      const run = (fused: boolean): Promise<NestedArray[]> =>
        resultsOf(() => {
          const [x, gamma, beta] = [random(shape, 1), random([channels], 2), random([channels], 3)];
          for (const leaf of [x, gamma, beta]) leaf.requiresGrad = true;
          const attrs = { ...geometry, epsilon: 1e-3, centred: true, scaled: true, shifted: true };
          const norms = {
            batch: () => batchNorm(x, { gamma, beta, training: true }),
            layer: () => layerNorm(x, { gamma, beta }),
            group: () => groupNorm(x, { gamma, beta, groups: 2 }),
            instance: () => instanceNorm(x, { gamma, beta }),
          };
          const y = fused ? norms[kind]() : composedNormalize(x, gamma, beta, attrs);
          return [y.detach(), ...grad(sum(mul(y, random(shape, 4))), [x, gamma, beta])] as Tensor[];
        });
      const [fused, composed] = [await run(true), await run(false)];
      fused.forEach((actual, at) => {
        same(actual, composed[at] as NestedArray, 1e-5);
      });
    });
  }

  test('local response normalisation is its composed version', async () => {
    const attrs = { channels: 13, depthRadius: 3, bias: 1, alpha: 0.5, beta: 0.75 };
    const run = (f: (x: Tensor) => Tensor): Promise<NestedArray[]> =>
      resultsOf(() => {
        const x = random([7, 13], 5, -2, 2);
        x.requiresGrad = true;
        const y = f(x);
        return [y.detach(), grad(sum(mul(y, random([7, 13], 6))), [x])[0] as Tensor];
      });
    const { channels: _, ...options } = attrs;
    const fused = await run((x) => localResponseNormalization(x, options));
    const composed = await run((x) => composedLocalResponse(x, attrs));
    fused.forEach((actual, at) => {
      same(actual, composed[at] as NestedArray, 2e-6);
    });
  });

  test('a mean of 1e4 with a deviation of 1 keeps 1e-4', async () => {
    // Exact in float32 with a step of 1/64: 1e4 ± √3, whose variance is 1.
    const n = 4096;
    const next = uniforms(7);
    const values = Float32Array.from(
      { length: n },
      () => 1e4 + Math.round((2 * next() - 1) * 1.732 * 64) / 64,
    );
    const mean = values.reduce((total, v) => total + v, 0) / n;
    const variance = values.reduce((total, v) => total + (v - mean) ** 2, 0) / n;
    const expected = Array.from(values, (v) => (v - mean) / Math.sqrt(variance + 1e-3));
    same(await resultOf(() => layerNorm(tensor(values))), expected, 1e-5);
    const column = (): Tensor => batchNorm(tensor(values, { shape: [n, 1] }), { training: true });
    same(flat(await resultOf(column)), expected, 1e-5);
  });

  // The float64 reference needs no proof of its rounding, and a million numbers are long in it.
  for (const [rows, sizes] of name === 'CPU'
    ? []
    : ([
        [2 ** 18, [1e2, 1e5]],
        [2 ** 20, [1e3]],
      ] as const)) {
    for (const size of sizes) {
      test(`an outlier of ${size} in ${rows} rows keeps the digits of the others, wherever it stands`, async () => {
        const values = Float32Array.from({ length: rows }, (_, index) => 1.7 * Math.sin(1.7 * index));
        for (const outlier of [0, rows - 1]) {
          const column = values.slice();
          column[outlier] = size;
          const mean = column.reduce((total, v) => total + v, 0) / rows;
          const variance = column.reduce((total, v) => total + (v - mean) ** 2, 0) / rows;
          const moving = { movingMean: zeros([1]), movingVariance: zeros([1]) };
          try {
            const y = scope(() =>
              batchNorm(tensor(column, { shape: [rows, 1] }), { ...moving, training: true, momentum: 0 }),
            );
            const actual = await y.data();
            y.dispose();
            let worst = 0;
            column.forEach((v, index) => {
              if (index === outlier) return;
              const standard = (v - mean) / Math.sqrt(variance + 1e-3);
              worst = Math.max(worst, Math.abs((actual[index] as number) - standard));
            });
            assert.ok(worst < 5e-6, `outlier at ${outlier}: ${worst}`);
            close(await moving.movingMean.array(), [mean], { abs: 2e-7 * size, rel: 1e-5 });
            close(await moving.movingVariance.array(), [variance], 1e-5);
          } finally {
            moving.movingMean.dispose();
            moving.movingVariance.dispose();
          }
        }
      });
    }
  }

  test('a constant group becomes beta, whatever its value', async () => {
    const x = (): Tensor => full([3, 8], 12345.678);
    close(await resultOf(() => layerNorm(x())), new Array(3).fill(new Array(8).fill(0)));
    close(
      await resultOf(() => groupNorm(x(), { groups: 2, beta: full([8], 0.5) })),
      new Array(3).fill(new Array(8).fill(0.5)),
    );
  });

  test('a NaN or an infinity spoils its own group and no other', async () => {
    const x = (bad: number): Tensor => tensor([[1, bad, 2, 5, 3, 4]]);
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      const [row] = (await resultOf(() => groupNorm(x(bad), { groups: 2 }))) as [number[]];
      assert.equal(row.map(Number.isNaN), [true, true, true, false, false, false]);
    }
    const [row] = (await resultOf(() => localResponseNormalization(x(Number.NaN), { depthRadius: 1 }))) as [
      number[],
    ];
    assert.equal(row.map(Number.isNaN), [true, true, true, false, false, false]);
  });

  test('an infinity makes all of a root mean square undefined', async () => {
    const [bad, good] = (await resultOf(() =>
      rmsNorm(
        tensor([
          [Infinity, 1, 2],
          [1, 1, 1],
        ]),
      ),
    )) as [number[], number[]];
    assert.equal(bad.map(Number.isNaN), [true, true, true]);
    close(good, [1, 1, 1], 1e-5);
  });

  if (name !== 'CPU') {
    test('squares that overflow are no silent zeros', async (device) => {
      for (const f of [layerNorm, rmsNorm]) {
        const row = (await resultOf(() => f(tensor([1e20, -1e20, 3e19, 0])))) as number[];
        const overflows = device !== cpuDevice();
        assert.is(row.some(Number.isNaN), overflows);
        assert.is(row.every(Number.isNaN), overflows);
      }
    });
  }

  test('a call out of training, then one in training, can both be differentiated', async () => {
    const moving = (): { movingMean: Tensor; movingVariance: Tensor } => ({
      movingMean: tensor([1, 2]),
      movingVariance: tensor([4, 9]),
    });
    const gradients = (after: boolean): Promise<NestedArray[]> =>
      resultsOf(() => {
        const x = random([6, 2], 1);
        const gamma = full([2], 1.5);
        for (const leaf of [x, gamma]) leaf.requiresGrad = true;
        const statistics = moving();
        const y = batchNorm(x, { gamma, ...statistics });
        if (after) batchNorm(x, { gamma, ...statistics, training: true });
        return grad(sum(mul(y, random([6, 2], 2))), [x, gamma]) as Tensor[];
      });
    const [together, alone] = [await gradients(true), await gradients(false)];
    assert.equal(together, alone);
  });

  test('out of training: one dispatch for x alone, and no x is kept for it', (device) => {
    scope(() => {
      const x = random([64, 8], 1);
      x.requiresGrad = true;
      const [gamma, beta] = [full([8], 1.5), zeros([8])];
      const statistics = { movingMean: zeros([8]), movingVariance: full([8], 2) };
      const counted = (leaves: Tensor[]): number => {
        for (const leaf of [x, gamma, beta]) leaf.requiresGrad = leaves.includes(leaf);
        const y = batchNorm(x, { gamma, beta, ...statistics });
        const g = full(y.shape, 1);
        let count = 0;
        const stop = device.observe({
          dispatch() {
            count++;
          },
        });
        try {
          grad(y, leaves, { gradients: [g] });
        } finally {
          stop();
        }
        return count;
      };
      assert.is(counted([x]), 1);
      const sums = counted([gamma]);
      // The sums are made once for both, and the gradient of x comes on top.
      assert.is(counted([gamma, beta]), sums);
      assert.is(counted([x, gamma, beta]), sums + 1);
      // x may be overwritten, as its own gradient does not read it.
      x.requiresGrad = true;
      for (const vector of [gamma, beta]) vector.requiresGrad = false;
      const y = batchNorm(x, { gamma, beta, ...statistics });
      noGrad(() => assign(x, zeros([64, 8])));
      assert.equal(grad(sum(y), [x])[0]?.shape, [64, 8]);
    });
  });

  test('training moves the statistics in place, out of training they are used', async () => {
    const [mean, variance] = [zeros([2]), full([2], 1)];
    try {
      const x = (): Tensor =>
        tensor([
          [1, 10],
          [3, 30],
        ]);
      const momentum = 0.75;
      const moving = { movingMean: mean, movingVariance: variance };
      await resultOf(() => batchNorm(x(), { ...moving, training: true, momentum }));
      // Means 2 and 20, biased variances 1 and 100.
      close(await mean.array(), [0.5, 5]);
      close(await variance.array(), [1, 0.75 + 25]);
      const y = await resultOf(() => batchNorm(x(), moving));
      const standard = (v: number, m: number, s: number): number => (v - m) / Math.sqrt(s + 1e-3);
      close(y, [
        [standard(1, 0.5, 1), standard(10, 5, 25.75)],
        [standard(3, 0.5, 1), standard(30, 5, 25.75)],
      ]);
      close(await mean.array(), [0.5, 5]);
    } finally {
      mean.dispose();
      variance.dispose();
    }
  });

  test('no samples, no channels', async () => {
    close(await resultOf(() => layerNorm(zeros([0, 3]))), []);
    close(await resultOf(() => instanceNorm(zeros([2, 3, 0]))), [
      [[], [], []],
      [[], [], []],
    ]);
    close(await resultOf(() => batchNorm(zeros([4, 0]), { training: true })), [[], [], [], []]);
    close(await resultOf(() => localResponseNormalization(zeros([0, 4]))), []);
    const gradient = await resultOf(() => {
      const gamma = full([3], 1);
      gamma.requiresGrad = true;
      return grad(sum(layerNorm(zeros([0, 3]), { gamma })), [gamma])[0] as Tensor;
    });
    close(gradient, [0, 0, 0]);
    scope(() =>
      fails(() => batchNorm(zeros([0, 3]), { training: true }), 'argument', /^batchNorm:/, /empty/),
    );
  });

  test('wrong arguments name the op and the way out', () => {
    scope(() => {
      const x = zeros([2, 4, 6]);
      const three = zeros([3]);
      const six = zeros([6]);
      fails(() => groupNorm(x), 'argument', /groupNorm: 32 groups/, /6 channels/);
      fails(() => groupNorm(x, { groups: 4 }), 'argument', /4 groups/);
      fails(() => groupNorm(x, { groups: 0 }), 'argument', /0 groups/);
      fails(() => groupNorm(x, { groups: '2' as unknown as number }), 'argument', /groups is '2'/);
      fails(() => groupNorm(x, { groups: null as unknown as number }), 'argument', /groups is null/);
      fails(() => instanceNorm(zeros([5, 3])), 'shape', /^instanceNorm:/, /needs positions/, /layerNorm/);
      fails(() => instanceNorm(zeros([5, 1, 3])), 'shape', /one element/);
      fails(() => groupNorm(zeros([5, 3]), { groups: 3 }), 'shape', /^groupNorm:/, /fewer groups/);
      const none = null as unknown as number;
      fails(() => batchNorm(x, { training: true, axis: none }), 'shape', /batchNorm: axis null/);
      fails(() => groupNorm(x, { groups: 2, axis: none }), 'shape', /groupNorm: axis null/);
      const text = '1' as unknown as number;
      fails(() => batchNorm(x, { training: true, momentum: text }), 'argument', /momentum '1'/);
      fails(() => layerNorm(x, { epsilon: text }), 'argument', /epsilon '1'/);
      fails(() => localResponseNormalization(x, { alpha: text }), 'argument', /alpha '1'/, /leave it out/);
      fails(() => localResponseNormalization(x, { depthRadius: text }), 'argument', /depthRadius '1'/);
      fails(() => instanceNorm(x, { axis: 0 }), 'shape', /instanceNorm/, /samples/);
      fails(() => batchNorm(x, { training: true, gamma: three }), 'shape', /gamma/, /\(3,\)/, /\(6,\)/);
      fails(() => layerNorm(x, { beta: three }), 'shape', /beta/);
      fails(() => layerNorm(x, { axis: 1 }), 'argument', /layerNorm: axes \[1\]/, /permute/);
      fails(() => rmsNorm(x, { axis: [0, 2] }), 'argument', /rmsNorm/);
      for (const epsilon of [0, -1, Number.NaN, Infinity]) {
        fails(() => layerNorm(x, { epsilon }), 'argument', /epsilon/);
        fails(() => batchNorm(x, { training: true, epsilon }), 'argument', /epsilon/);
      }
      for (const momentum of [-0.1, 1.1, Number.NaN])
        fails(() => batchNorm(x, { training: true, momentum }), 'argument', /momentum/);
      fails(() => batchNorm(x), 'argument', /movingMean and movingVariance/);
      fails(() => batchNorm(x, { movingMean: six }), 'argument', /movingVariance/);
      fails(() => batchNorm(x, { training: true, movingMean: six }), 'argument', /movingVariance/);
      fails(() => layerNorm(x, -1 as unknown as object), 'argument', /options object/);
      fails(() => rmsNorm(x, { scale: six } as object), 'argument', /'scale'/);
      fails(() => layerNorm(zeros([2, 3], { dtype: 'int32' })), 'dtype', /int32/);
      fails(() => localResponseNormalization(x, { depthRadius: -1 }), 'argument', /depthRadius -1/);
      fails(() => localResponseNormalization(x, { depthRadius: 1.5 }), 'argument', /depthRadius/);
      fails(() => localResponseNormalization(x, { beta: Number.NaN }), 'argument', /beta/);
      fails(() => localResponseNormalization(zeros([])), 'shape', /scalar/);
    });
  });
}
