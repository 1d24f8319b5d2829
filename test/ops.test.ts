/** Values of ops against literal numbers, on the device under test and on the CPU. */
import * as assert from 'uvu/assert';
import {
  abs,
  add,
  all,
  any,
  arange,
  argMax,
  argMin,
  assign,
  bernoulli,
  bitwiseAnd,
  broadcastTo,
  cast,
  type Device,
  div,
  equal,
  expandDims,
  eye,
  flatten,
  full,
  Generator,
  greater,
  greaterEqual,
  less,
  lessEqual,
  linspace,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  matmul,
  max,
  maximum,
  mean,
  min,
  minimum,
  mul,
  neg,
  norm1,
  norm2,
  notEqual,
  ones,
  permute,
  pow,
  randomInt,
  randomNormal,
  randomUniform,
  reshape,
  scope,
  setDefaultDevice,
  setSeed,
  softmax,
  squeeze,
  std,
  sub,
  sum,
  sumSquares,
  type Tensor,
  tensor,
  toDevice,
  transpose,
  truncatedNormal,
  variance,
  where,
  zeros,
} from '../src/node.ts';
import { cpuDevice, seed, suite, testDevice } from './support/harness.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

const int = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { dtype: 'int32' });

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`ops, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });
  /** Compares results with literals. */
  const table = (
    title: string,
    rows: readonly (readonly [() => Tensor, Parameters<typeof close>[1]])[],
  ): void =>
    test(title, async () => {
      const results = await resultsOf(() => rows.map(([body]) => body()));
      rows.forEach(([body, expected], index) => {
        try {
          close(results[index] as Parameters<typeof close>[0], expected);
        } catch (error) {
          throw new Error(`${String(body)}: ${JSON.stringify(results[index])}`, { cause: error });
        }
      });
    });

  table('broadcasting', [
    [
      () => add(tensor([[1], [2]]), tensor([10, 20, 30])),
      [
        [11, 21, 31],
        [12, 22, 32],
      ],
    ],
    [
      () => sub(tensor([1, 2]), tensor([[1], [2], [3]])),
      [
        [0, 1],
        [-1, 0],
        [-2, -1],
      ],
    ],
    [() => mul(tensor(3), tensor([1, 2])), [3, 6]],
    [
      () => add(tensor([[[1, 2]], [[3, 4]]]), tensor([[10], [20]])),
      [
        [
          [11, 12],
          [21, 22],
        ],
        [
          [13, 14],
          [23, 24],
        ],
      ],
    ],
    [() => add(zeros([0, 3]), ones([3])), []],
    [() => add(zeros([2, 0]), ones([1])), [[], []]],
    [
      () => broadcastTo(tensor([[1], [2]]), [2, 2, 2]),
      [
        [
          [1, 1],
          [2, 2],
        ],
        [
          [1, 1],
          [2, 2],
        ],
      ],
    ],
    [
      () => maximum(tensor([1, 5]), tensor([[3], [6]])),
      [
        [3, 5],
        [6, 6],
      ],
    ],
    [
      () => where(tensor([true, false]), tensor([[1], [2]]), 9),
      [
        [1, 9],
        [2, 9],
      ],
    ],
  ]);

  table('numbers as operands, on either side', [
    [() => add(tensor([1, 2]), 1), [2, 3]],
    [() => add(1, tensor([1, 2])), [2, 3]],
    [() => sub(tensor([1, 2]), 1), [0, 1]],
    [() => sub(1, tensor([1, 2])), [0, -1]],
    [() => mul(3, tensor([1, 2])), [3, 6]],
    [() => div(tensor([1, 2]), 4), [0.25, 0.5]],
    [() => div(1, tensor([4, 2])), [0.25, 0.5]],
    [() => pow(tensor([-2, 3]), 3), [-8, 27]],
    [() => pow(2, tensor([-1, 3])), [0.5, 8]],
    [() => maximum(tensor([-1, 3]), 0), [0, 3]],
    [() => minimum(0, tensor([-1, 3])), [-1, 0]],
    [() => tensor([1, 2]).add(1).mul(2).sub(1).div(2).pow(2).sum(), 8.5],
  ]);

  table('int32 arithmetic', [
    [() => add(int([1, -2]), int([5, 7])), [6, 5]],
    [() => add(int([2147483647]), 1), [-2147483648]],
    [() => sub(int([5, 7]), 9), [-4, -2]],
    [() => sub(9, int([5, 7])), [4, 2]],
    [() => mul(int([-3, 4]), int([5, 6])), [-15, 24]],
    [() => mul(int([65536]), int([65536])), [0]],
    [() => mul(int([2147483647]), int([2147483647])), [1]],
    [() => mul(int([16777217]), 3), [50331651]],
    [() => add(int([16777216]), 1), [16777217]],
    [() => neg(int([5, -7])), [-5, 7]],
    [() => abs(int([5, -7])), [5, 7]],
    [() => maximum(int([5, -7]), int([0, 0])), [5, 0]],
    [() => minimum(int([5, -7]), 1), [1, -7]],
    [
      () =>
        sum(
          int([
            [1, 2],
            [3, 16777217],
          ]),
        ),
      16777223,
    ],
    [
      () =>
        sum(
          int([
            [1, 2],
            [3, 4],
          ]),
          { axis: 0 },
        ),
      [4, 6],
    ],
    [() => max(int([-5, 2, 16777217])), 16777217],
    [() => min(int([-16777217, 2])), -16777217],
    [() => equal(int([16777216, 5]), int([16777217, 5])), [false, true]],
  ]);

  test('dtypes that do not go together are refused', () =>
    scope(() => {
      fails(() => add(tensor([1]), int([1])), 'dtype', /add/);
      fails(() => mul(int([1]), 0.5), 'dtype', /mul/);
      fails(() => div(int([1]), int([1])), 'dtype', /div/);
      fails(() => bitwiseAnd(tensor([1]), tensor([1])), 'dtype', /bitwiseAnd/);
      fails(() => add(tensor([1, 2]), tensor([1, 2, 3])), 'shape', /add/, /\(2,?\)/, /\(3,?\)/);
      fails(() => broadcastTo(tensor([1, 2]), [3]), 'shape', /broadcastTo/);
      fails(() => add(1, 2 as unknown as Tensor), 'argument', /add/);
    }));

  const nan = (): Tensor => tensor([NaN, 1, 2]);
  table('comparisons and logic', [
    [() => equal(nan(), tensor([NaN, 1, 3])), [false, true, false]],
    [() => notEqual(nan(), tensor([NaN, 1, 3])), [true, false, true]],
    [() => less(nan(), tensor([0, 1, 3])), [false, false, true]],
    [() => lessEqual(nan(), tensor([0, 1, 3])), [false, true, true]],
    [() => greater(nan(), tensor([0, 1, 1])), [false, false, true]],
    [() => greaterEqual(nan(), tensor([0, 1, 1])), [false, true, true]],
    [() => less(tensor([[1], [3]]), 2), [[true], [false]]],
    [() => logicalAnd(tensor([true, true, false]), tensor([true, false, false])), [true, false, false]],
    [() => logicalOr(tensor([true, true, false]), tensor([true, false, false])), [true, true, false]],
    [() => logicalXor(tensor([true, true, false]), tensor([true, false, false])), [false, true, false]],
    [() => logicalNot(tensor([true, false])), [false, true]],
    [
      () =>
        all(
          tensor([
            [true, false],
            [true, true],
          ]),
          { axis: 1 },
        ),
      [false, true],
    ],
    [
      () =>
        any(
          tensor([
            [false, false],
            [false, true],
          ]),
          { axis: 1 },
        ),
      [false, true],
    ],
    [() => all(tensor([], { dtype: 'bool' })), true],
    [() => any(tensor([], { dtype: 'bool' })), false],
  ]);

  const cube = (): Tensor => reshape(arange(24), [2, 3, 4]);
  table('reductions', [
    [() => sum(cube()), 276],
    [
      () => sum(cube(), { axis: 0 }),
      [
        [12, 14, 16, 18],
        [20, 22, 24, 26],
        [28, 30, 32, 34],
      ],
    ],
    [() => sum(cube(), { axis: [0, 2] }), [60, 92, 124]],
    [() => sum(cube(), { axis: [-1, 0], keepDims: true }), [[[60], [92], [124]]]],
    [() => sum(cube(), { axis: 1, keepDims: true }), [[[12, 15, 18, 21]], [[48, 51, 54, 57]]]],
    [() => sum(cube(), { axis: [] }).reshape([24]), Array.from({ length: 24 }, (_, index) => index)],
    [() => mean(cube(), { axis: [1, 2] }), [5.5, 17.5]],
    [() => sumSquares(tensor([1, 2, 3])), 14],
    [() => norm1(tensor([1, -2, 3])), 6],
    [() => norm2(tensor([3, -4])), 5],
    [
      () => max(cube(), { axis: 2 }),
      [
        [3, 7, 11],
        [15, 19, 23],
      ],
    ],
    [() => min(cube(), { axis: [0, 1] }), [0, 1, 2, 3]],
    [() => max(tensor([1, NaN, 3])), NaN],
    [() => min(tensor([1, NaN, 3])), NaN],
    [() => variance(tensor([1, 2, 3, 4])), 1.25],
    [() => variance(tensor([1, 2, 3, 4]), { correction: 1 }), 5 / 3],
    [
      () =>
        std(
          tensor([
            [1, 3],
            [2, 6],
          ]),
          { axis: 1 },
        ),
      [1, 2],
    ],
    [() => variance(tensor([1e6, 1e6 + 1, 1e6 + 2])), 2 / 3],
    [() => sum(tensor(5)), 5],
    [() => softmax(tensor([0, 0])), [0.5, 0.5]],
  ]);

  table('reductions of empty tensors', [
    [() => sum(zeros([0])), 0],
    [() => sum(zeros([2, 0]), { axis: 1 }), [0, 0]],
    [() => sum(zeros([2, 0]), { axis: 0 }), []],
    [() => mean(zeros([0])), NaN],
    [() => sumSquares(zeros([0, 3]), { axis: 0, keepDims: true }), [[0, 0, 0]]],
    [() => max(zeros([0, 3]), { axis: 1 }), []],
  ]);

  test('what has no value is refused', () =>
    scope(() => {
      for (const f of [max, min, argMax, argMin]) {
        assert.throws(
          () => f(zeros([0])),
          (error: Error & { code?: string }) => /max|min/i.test(error.message) && !!error.code,
        );
      }
      fails(() => variance(tensor([1]), { correction: 1 }), 'argument', /variance/);
      assert.throws(
        () => sum(tensor([1]), { axis: 1 }),
        (error: Error) => /sum/.test(error.message),
      );
      assert.throws(
        () => sum(tensor([[1]]), { axis: [0, 0] }),
        (error: Error) => /sum/.test(error.message),
      );
    }));

  table('positions of extrema', [
    [() => argMax(tensor([1, 3, 3, 2])), 1],
    [() => argMin(tensor([1, 0, 3, 0])), 1],
    [
      () =>
        argMax(
          tensor([
            [1, 3, 3],
            [7, 7, 2],
          ]),
          { axis: 1 },
        ),
      [1, 0],
    ],
    [
      () =>
        argMax(
          tensor([
            [1, 3, 3],
            [7, 3, 2],
          ]),
          { axis: 0 },
        ),
      [1, 0, 0],
    ],
    [
      () =>
        argMin(
          tensor([
            [1, 3],
            [0, 3],
          ]),
          { axis: -1, keepDims: true },
        ),
      [[0], [0]],
    ],
    [
      () =>
        argMax(
          tensor([
            [1, 3],
            [9, 3],
          ]),
          { keepDims: true },
        ),
      [[2]],
    ],
    [() => argMax(tensor([1, NaN, 9, NaN])), 1],
    [() => argMin(tensor([1, NaN, 9, NaN])), 1],
    [() => argMax(int([16777216, 16777217])), 1],
  ]);

  table('creation', [
    [() => tensor(5), 5],
    [() => tensor([]), []],
    [
      () =>
        tensor([
          [1, 2],
          [3, 4],
        ]),
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [() => tensor([[true], [false]]), [[true], [false]]],
    [() => tensor([true, 2]), [1, 2]],
    [
      () => tensor(new Float32Array([1, 2, 3, 4]), { shape: [2, 2] }),
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [() => tensor(new Float64Array([1.5])), [1.5]],
    [() => tensor(new Int32Array([-5])), [-5]],
    [() => tensor(new Int16Array([-5])), [-5]],
    [() => tensor([1, 2, 3, 4], { shape: [2, 1, 2] }), [[[1, 2]], [[3, 4]]]],
    [() => tensor([0, 3], { dtype: 'bool' }), [false, true]],
    [() => zeros([2]), [0, 0]],
    [() => ones([1, 2]), [[1, 1]]],
    [() => full([2], -7, { dtype: 'int32' }), [-7, -7]],
    [() => full([2], 1, { dtype: 'bool' }), [true, true]],
    [() => full([], 2.5), 2.5],
    [
      () => eye(2),
      [
        [1, 0],
        [0, 1],
      ],
    ],
    [
      () => eye(2, 3),
      [
        [1, 0, 0],
        [0, 1, 0],
      ],
    ],
    [() => arange(3), [0, 1, 2]],
    [() => arange(2, 5), [2, 3, 4]],
    [() => arange(5, 1, -2), [5, 3]],
    [() => arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75]],
    [() => arange(5, 1), []],
    [() => arange(0, 4, 1, { dtype: 'int32' }), [0, 1, 2, 3]],
    [() => linspace(0, 1, 5), [0, 0.25, 0.5, 0.75, 1]],
    [() => linspace(1, 0, 3), [1, 0.5, 0]],
    [() => linspace(3, 9, 1), [3]],
    [() => linspace(3, 9, 0), []],
  ]);

  test('dtypes and shapes of created tensors', (device) =>
    scope(() => {
      assert.is(tensor(5).dtype, device.float);
      assert.is(tensor(new Float64Array(1)).dtype, device.float);
      assert.is(tensor([true]).dtype, 'bool');
      assert.is(tensor(new Uint8Array(3)).dtype, 'uint8');
      assert.is(tensor(new Int8Array(3)).dtype, 'int32');
      assert.is(arange(3).dtype, device.float);
      assert.is(argMax(tensor([1])).dtype, 'int32');
      assert.equal(tensor([[], []]).shape, [2, 0]);
      assert.equal(tensor(5).shape, []);
      assert.is(tensor([1], { requiresGrad: true }).requiresGrad, true);
    }));

  test('data that make no tensor are refused', (device) => {
    const { tensors } = device.memory();
    fails(() => tensor([[1, 2], [3]]), 'shape', /ragged/);
    fails(() => tensor([[1], 2]), 'shape', /ragged/);
    fails(() => tensor([1, [2]]), 'shape', /ragged/);
    fails(() => tensor(['a' as unknown as number]), 'shape', /no number/);
    fails(() => tensor([1.5], { dtype: 'int32' }), 'dtype', /element 0, 1\.5/);
    fails(() => tensor([1, 2147483648], { dtype: 'int32' }), 'dtype', /element 1/);
    fails(() => tensor([256], { dtype: 'uint8' }), 'dtype', /256/);
    fails(() => tensor([-1], { dtype: 'uint8' }), 'dtype');
    fails(() => tensor([NaN], { dtype: 'int32' }), 'dtype', /NaN/);
    fails(() => tensor([1, 2, 3], { shape: [2, 2] }), 'shape', /3 values/);
    fails(() => zeros([-1]), 'shape', /zeros/);
    fails(() => zeros([1.5]), 'shape', /zeros/);
    fails(() => arange(0, 1, 0), 'argument', /step/);
    fails(() => linspace(0, 1, 1.5), 'argument', /count/);
    fails(() => setSeed(-1), 'argument');
    fails(() => setSeed(0.5), 'argument');
    fails(() => tensor([true], { requiresGrad: true }), 'not-differentiable', /bool/);
    fails(() => zeros([2], { dtype: 'int32', requiresGrad: true }), 'not-differentiable');
    assert.is(device.memory().tensors, tensors);
  });

  table('casts', [
    [
      () => cast(tensor([1e20, -1e20, NaN, Infinity, -Infinity, 2.9, -2.9, -0.5]), 'int32'),
      [2147483647, -2147483648, 0, 2147483647, -2147483648, 2, -2, 0],
    ],
    [() => cast(int([3, -16777216]), 'float'), [3, -16777216]],
    [() => cast(tensor([0, -0, 0.5, NaN]), 'bool'), [false, false, true, true]],
    [() => cast(int([0, 256]), 'bool'), [false, true]],
    [() => cast(tensor([true, false]), 'float'), [1, 0]],
    [() => cast(tensor([true, false]), 'int32'), [1, 0]],
    [
      () => cast(tensor(new Uint8Array([0, 51, 255, 102, 204])), 'float', { scale: 1 / 255 }),
      [0, 0.2, 1, 0.4, 0.8],
    ],
    [() => cast(tensor(new Uint8Array([1, 2, 3, 250, 255, 0, 7])), 'int32'), [1, 2, 3, 250, 255, 0, 7]],
    [
      () => cast(tensor(new Uint8Array([1, 2, 3, 4, 5, 6]), { shape: [2, 3] }), 'float'),
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
  ]);

  const m = (): Tensor =>
    tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  table('shapes', [
    [
      () => reshape(m(), [3, -1]),
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ],
    [() => reshape(m(), [-1]), [1, 2, 3, 4, 5, 6]],
    [() => reshape(tensor(5), [1, -1]), [[5]]],
    [() => reshape(zeros([0, 3]), [-1, 3]), []],
    [() => flatten(m()), [1, 2, 3, 4, 5, 6]],
    [
      () => flatten(cube(), 1),
      [Array.from({ length: 12 }, (_, i) => i), Array.from({ length: 12 }, (_, i) => i + 12)],
    ],
    [() => squeeze(tensor([[[1], [2]]])), [1, 2]],
    [() => squeeze(tensor([[[1], [2]]]), 0), [[1], [2]]],
    [() => expandDims(tensor([1, 2]), -1), [[1], [2]]],
    [
      () => transpose(m()),
      [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
    ],
    [
      () =>
        permute(
          tensor([
            [
              [1, 2],
              [3, 4],
            ],
          ]),
          [2, 0, 1],
        ),
      [[[1, 3]], [[2, 4]]],
    ],
  ]);

  test('shapes that do not fit are refused', () =>
    scope(() => {
      fails(() => reshape(m(), [4, -1]), 'shape', /reshape/);
      fails(() => reshape(m(), [5]), 'shape', /reshape/, /5/, /6/);
      fails(() => reshape(m(), [-1, -1]), 'shape', /reshape/);
      fails(() => reshape(zeros([0]), [0, -1]), 'shape', /reshape/);
      fails(() => squeeze(m(), 0), 'shape', /squeeze/);
      fails(() => permute(m(), [0, 0]), 'argument', /permute/);
      fails(() => matmul(m(), m()), 'shape', /matmul/);
      fails(() => matmul(tensor(1), m()), 'shape', /matmul/);
      fails(() => matmul(tensor([1, 2]), m(), { transposeA: true }), 'shape', /vector/);
    }));

  table('matrix products', [
    [
      () => matmul(m(), transpose(m())),
      [
        [14, 32],
        [32, 77],
      ],
    ],
    [
      () => matmul(m(), m(), { transposeB: true }),
      [
        [14, 32],
        [32, 77],
      ],
    ],
    [
      () => matmul(m(), m(), { transposeA: true }),
      [
        [17, 22, 27],
        [22, 29, 36],
        [27, 36, 45],
      ],
    ],
    [() => matmul(tensor([1, 2]), m()), [9, 12, 15]],
    [() => matmul(m(), tensor([1, 0, -1])), [-2, -2]],
    [() => matmul(tensor([1, 2, 3]), tensor([4, 5, 6])), 32],
    [
      () =>
        matmul(
          tensor([[[1, 2]], [[3, 4]]]),
          tensor([
            [1, 0],
            [0, 2],
          ]),
        ),
      [[[1, 4]], [[3, 8]]],
    ],
    [() => matmul(tensor([[[1, 2]], [[3, 4]]]), tensor([1, 1])), [[3], [7]]],
    [
      () => matmul(reshape(arange(4), [2, 1, 1, 2]), ones([3, 2, 1])),
      [
        [[[1]], [[1]], [[1]]],
        [[[5]], [[5]], [[5]]],
      ],
    ],
    [
      () => matmul(m(), ones([3, 2]), { bias: tensor([-10, 1]), activation: 'relu' }),
      [
        [0, 7],
        [5, 16],
      ],
    ],
    [
      () => matmul(zeros([2, 0]), zeros([0, 2])),
      [
        [0, 0],
        [0, 0],
      ],
    ],
    [() => matmul(zeros([0, 2]), zeros([2, 3])), []],
  ]);

  const count = 2 ** 20;
  test(`sums over 2^20 values, error ≤ 1e-6·Σ|x|`, async () => {
    setSeed(seed);
    const constant = full([count], 0.1);
    const random = randomUniform([count], -1, 1);
    const rows = randomNormal([1024, 1024]);
    for (const x of [constant, random, rows]) {
      const values = Array.from(await x.data());
      const total = values.reduce((sum, value) => sum + value, 0);
      const size = values.reduce((sum, value) => sum + Math.abs(value), 0);
      const error = Math.abs(Number(await resultOf(() => sum(x))) - total);
      assert.ok(error <= 1e-6 * size, `error ${error} of ${size}`);
      if (x !== rows) continue;
      const columns = (await resultOf(() => sum(x, { axis: 0 }))) as number[];
      columns.forEach((column, index) => {
        let exact = 0;
        let absolute = 0;
        for (let row = 0; row < 1024; row++) {
          const value = values[row * 1024 + index] as number;
          exact += value;
          absolute += Math.abs(value);
        }
        assert.ok(
          Math.abs(column - exact) <= 1e-6 * absolute,
          `column ${index}: ${column}, exactly ${exact}`,
        );
      });
    }
    for (const x of [constant, random, rows]) x.dispose();
  });

  test('random numbers: a seed repeats them, ranges and moments are right', async () => {
    const draw = (): Tensor[] => [
      randomUniform([1000], 2, 5),
      randomNormal([1000], 3, 2),
      truncatedNormal([1000], 0, 1),
      bernoulli([1000], 0.3),
      randomInt([1000], -3, 4),
    ];
    setSeed(seed);
    const first = (await resultsOf(draw)) as number[][];
    const next = (await resultsOf(draw)) as number[][];
    setSeed(seed);
    assert.equal(await resultsOf(draw), first);
    assert.not.equal(next, first);
    const [uniform, normal, truncated, coin, dice] = first as [
      number[],
      number[],
      number[],
      number[],
      number[],
    ];
    const average = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    assert.ok(uniform.every((value) => value >= 2 && value < 5));
    assert.ok(truncated.every((value) => Math.abs(value) <= 2));
    assert.ok(coin.every((value) => value === 0 || value === 1));
    assert.equal(
      [...new Set(dice)].sort((a, b) => a - b),
      [-3, -2, -1, 0, 1, 2, 3],
    );
    // Five standard errors of the mean each.
    assert.ok(Math.abs(average(uniform) - 3.5) < 0.14);
    assert.ok(Math.abs(average(normal) - 3) < 0.32);
    assert.ok(Math.abs(average(coin) - 0.3) < 0.073);
    const own = new Generator(7);
    const [a, b] = await resultsOf(() => [
      randomUniform([5], 0, 1, { generator: own }),
      randomUniform([5], 0, 1, { generator: new Generator(7) }),
    ]);
    assert.equal(a, b);
    assert.is(own.counter, 5);
  });

  test('numbers that do not fit into int32 or bool are refused', async () => {
    const whole = { dtype: 'int32' } as const;
    scope(() => {
      for (const value of [2 ** 31, -(2 ** 31) - 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        fails(() => full([2], value, whole), 'argument', /^full:/, /int32/);
        fails(() => assign(zeros([1], whole), Float64Array.of(value)), 'dtype', /^assign:/, /int32/);
        fails(() => tensor([value], whole), 'dtype', /^tensor:/, /int32/);
      }
      fails(() => full([2], 2, { dtype: 'bool' }), 'argument', /^full:/, /bool/);
      fails(() => arange(0, 3, 0.5, whole), 'argument', /^arange: 0\.5/);
      fails(() => arange(0.5, 3, 1, whole), 'argument', /^arange: 0\.5/);
      fails(() => arange(2 ** 31 - 2, 2 ** 31 + 1, 1, whole), 'argument', /^arange: 2147483648/);
    });
    const results = scope(() => {
      const flags = tensor([true, false, false]);
      assign(flags, Float32Array.of(0, -3, 0.25));
      const ends = [full([1], 2 ** 31 - 1, whole), full([1], -(2 ** 31), whole)];
      return [flags, ...ends, arange(2 ** 31 - 2, 2 ** 31, 1, whole)];
    });
    const data = await Promise.all(results.map((x) => x.data()));
    for (const x of results) x.dispose();
    assert.equal(
      data.map((values) => Array.from(values)),
      [[0, 1, 1], [2 ** 31 - 1], [-(2 ** 31)], [2 ** 31 - 2, 2 ** 31 - 1]],
    );
  });
}

const across = suite('ops, across devices');

across('seeded random numbers are equal on both devices', async () => {
  const devices = [await testDevice(), cpuDevice()];
  const drawn = [];
  for (const device of devices) {
    setSeed(seed);
    drawn.push(
      await resultsOf(() => [
        randomInt([501], -1000, 1000, { device }),
        bernoulli([501], 0.4, { device }),
        randomUniform([501], -1, 1, { device }),
        randomNormal([501], 0, 1, { device }),
        truncatedNormal([501], 0, 1, { device }),
      ]),
    );
  }
  const [here, there] = drawn as [number[][], number[][]];
  assert.equal(here[0], there[0]);
  assert.equal(here[1], there[1]);
  close(here[2] as number[], there[2] as number[], 1e-6);
  close(here[3] as number[], there[3] as number[], 1e-5);
  close(here[4] as number[], there[4] as number[], 1e-5);
});

across('toDevice copies values, shape, and whether a leaf requires a gradient', async () => {
  const device = await testDevice();
  const x = tensor([[1, 2.5]], { device, requiresGrad: true });
  const there = await toDevice(x, cpuDevice());
  const back = await there.to(device);
  assert.is(there.dtype, 'float64');
  assert.is(back.dtype, device.float);
  assert.ok(there.requiresGrad && back.requiresGrad);
  close(await back.array(), [[1, 2.5]]);
  for (const t of [x, there, back]) t.dispose();
});
