/** mod, atan2 and their kin, bit operations, norms and distances: literal values, on the device under test and the CPU. */
import * as assert from 'uvu/assert';
import {
  abs,
  atan2,
  bitwiseAnd,
  bitwiseNot,
  bitwiseOr,
  bitwiseXor,
  cbrt,
  cdist,
  ceil,
  clip,
  type Device,
  div,
  exp2,
  isFinite as finite,
  floor,
  floorDiv,
  grad,
  hypot,
  isInf,
  leakyRelu,
  leftShift,
  lerp,
  log2,
  log10,
  logAddExp,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  matmul,
  maximum,
  minimum,
  mod,
  nanToNum,
  norm,
  norm1,
  norm2,
  isNaN as notANumber,
  pairwiseDistance,
  pow,
  reciprocal,
  relu,
  rightShift,
  round,
  scope,
  setDefaultDevice,
  sign,
  std,
  step,
  sum,
  type Tensor,
  tensor,
  trunc,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minusInf } = Number;
const int = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { dtype: 'int32' });
const LEAST = -(2 ** 31);

type Values = Parameters<typeof close>[1];

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`math, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });
  /** Compares results with literals. */
  const table = (title: string, rows: readonly (readonly [() => Tensor, Values])[]): void =>
    test(title, async () => {
      const results = await resultsOf(() => rows.map(([body]) => body()));
      rows.forEach(([body, expected], index) => {
        try {
          close(results[index] as Values, expected);
        } catch (error) {
          throw new Error(`${String(body)}: ${JSON.stringify(results[index])}`, { cause: error });
        }
      });
    });

  // The numbers of this table are NumPy's (1.24.2): np.mod, floor_divide, arctan2, hypot, logaddexp of these arguments.
  const a = [7, -7, 7, -7, 6, 5.5, -1, 1, 1];
  const b = [3, 3, -3, -3, 3, 0.25, inf, 0, inf];
  table('remainders, angles and logarithms', [
    [() => mod(tensor(a), tensor(b)), [1, 2, -2, -1, 0, 0, inf, nan, 1]],
    [() => floorDiv(tensor(a), tensor(b)), [2, -3, -3, 2, 2, 22, -1, inf, 0]],
    [() => mod(int([7, -7, 7, -7, LEAST, 5]), int([3, 3, -3, -3, -1, 0])), [1, 2, -2, -1, 0, 0]],
    [() => floorDiv(int([7, -7, 7, -7, LEAST, 5]), int([3, 3, -3, -3, -1, 0])), [2, -3, -3, 2, LEAST, 0]],
    [() => mod(-7, tensor([3, 4])), [2, 1]],
    [() => mod(tensor([16777215, 1e30]), 10), [5, name === 'CPU' ? 1e30 % 10 : Math.fround(1e30) % 10]],
    [() => floorDiv(int([-1, 9]), 2), [-1, 4]],
    [
      () => atan2(tensor([1, -1, 1, -1, 0, -0, 0, 3]), tensor([1, 1, -1, -1, -1, -1, 0, minusInf])),
      [Math.PI / 4, -Math.PI / 4, (3 * Math.PI) / 4, (-3 * Math.PI) / 4, Math.PI, -Math.PI, 0, Math.PI],
    ],
    [
      () => hypot(tensor([3e20, 3e-20, 5, inf]), tensor([4e20, 4e-20, 12, nan])),
      [Math.fround(5e20), 5e-20, 13, inf],
    ],
    [
      () =>
        logAddExp(tensor([1e4, -1e4, 0, minusInf, 1, inf, nan]), tensor([-1e4, -1e4, 0, minusInf, 2, 1, 0])),
      [10000, -9999.30685281944, Math.LN2, minusInf, 2.313261687518223, inf, nan],
    ],
    [
      () => exp2(tensor([-3, 0, 0.5, 10, 1000])),
      [0.125, 1, Math.SQRT2, 1024, name === 'CPU' ? 2 ** 1000 : inf],
    ],
    [() => log2(tensor([0.125, 1, 1024, 0, -1])), [-3, 0, 10, minusInf, nan]],
    [() => log10(tensor([0.001, 1, 1e6, inf])), [-3, 0, 6, inf]],
    [() => cbrt(tensor([-27, 0, 8, 1e-30, minusInf])), [-3, 0, 2, 1e-10, minusInf]],
    [() => lerp(tensor([1, 2]), tensor([3, -2]), 0.25), [1.5, 1]],
    [() => lerp(1, 3, tensor([0, 0.5, 1])), [1, 2, 3]],
    [() => lerp(tensor([0.1, 1e8]), 0.3, 1), [Math.fround(0.3), Math.fround(0.3)]],
  ]);

  table('what is finite', [
    [() => notANumber(tensor([nan, inf, minusInf, 0, 1])), [true, false, false, false, false]],
    [() => finite(tensor([nan, inf, minusInf, 0, 1])), [false, false, false, true, true]],
    [() => isInf(tensor([nan, inf, minusInf, 0, 1])), [false, true, true, false, false]],
    [() => nanToNum(tensor([nan, 1, inf]), { posInf: 9 }), [0, 1, 9]],
    [() => nanToNum(tensor([nan, minusInf]), { nan: -1, negInf: -5 }), [-1, -5]],
    [() => nanToNum(tensor([inf, minusInf])), [3.4028234663852886e38, -3.4028234663852886e38]],
  ]);

  table('bits and truth', [
    [() => bitwiseAnd(int([12, -1]), int([10, 255])), [8, 255]],
    [() => bitwiseOr(int([12, LEAST]), 3), [15, LEAST + 3]],
    [() => bitwiseXor(5, int([1, -1])), [4, -6]],
    [() => bitwiseNot(int([0, 5, -1])), [-1, -6, 0]],
    [() => bitwiseAnd(tensor([true, true]), tensor([true, false])), [true, false]],
    [() => bitwiseNot(tensor([true, false])), [false, true]],
    [() => leftShift(int([1, 1, 1, 3, 1]), int([0, 31, 32, 30, -1])), [1, LEAST, 0, -(2 ** 30), 0]],
    [() => rightShift(int([-8, 8, -8, 8, -1]), int([1, 1, 40, 40, -1])), [-4, 4, -1, 0, -1]],
    [() => logicalAnd(tensor([0, 1, nan]), tensor([1, 2, 3])), [false, true, true]],
    [() => logicalOr(int([0, 0, 5]), int([0, 7, 0])), [false, true, true]],
    [() => logicalXor(int([0, 2, 5]), int([3, 0, 4])), [true, true, false]],
    [() => logicalNot(tensor([0, -0, 0.5, nan])), [true, true, false, false]],
    [() => logicalNot(int([0, 3])), [true, false]],
  ]);

  const v = (): Tensor =>
    tensor([
      [1, -2, 2],
      [0, 3, -4],
    ]);
  // numpy.linalg.norm(v, p, axis=1)
  table('norms and distances', [
    [() => norm(v(), 0, { axis: 1 }), [3, 2]],
    [() => norm(v(), 0.5, { axis: 1 }), [14.656854249492378, 13.928203230275509]],
    [() => norm(v(), 1, { axis: 1 }), [5, 7]],
    [() => norm(v(), 2, { axis: 1 }), [3, 5]],
    [() => norm(v(), 3, { axis: -1, keepDims: true }), [[2.571281590658235], [4.497941445275415]]],
    [() => norm(v(), inf, { axis: 1 }), [2, 4]],
    [() => norm(v(), minusInf, { axis: 1 }), [1, 0]],
    [() => norm(v()), Math.sqrt(34)],
    [() => norm(tensor([3e15, 4e15]), 3), Math.fround(91 ** (1 / 3) * 1e15)],
    [() => norm(tensor([0, 0]), 3), 0],
    [() => norm(tensor([1, nan]), 3), nan],
    [() => pairwiseDistance(v(), tensor([1, 1, 2])), [3, Math.sqrt(1 + 4 + 36)]],
    [
      () =>
        cdist(
          v(),
          tensor([
            [1, -2, 2],
            [1, 1, 1],
          ]),
        ),
      [
        [0, Math.sqrt(10)],
        [Math.sqrt(1 + 25 + 36), Math.sqrt(1 + 4 + 25)],
      ],
    ],
    [
      () => cdist(v(), v(), 1),
      [
        [0, 12],
        [12, 0],
      ],
    ],
  ]);

  test('gradients where a formula would divide 0 by 0 or overflow', async () => {
    const gradientOf = (f: (x: Tensor) => Tensor, at: number[]): Promise<Values> =>
      resultOf(() => {
        const x = tensor(at, { requiresGrad: true });
        return grad(sum(f(x)), [x])[0] as Tensor;
      });
    close(await gradientOf((x) => logAddExp(x, 0), [1e4, -1e4, 0, minusInf]), [1, 0, 0.5, 0]);
    close(await gradientOf((x) => logAddExp(x, minusInf), [minusInf, 3]), [0.5, 1]);
    for (const p of [1, 1.5, 2, 3]) close(await gradientOf((x) => norm(x, p), [0, 0]), [0, 0]);
    close(await gradientOf((x) => norm(x, 1.5), [0, 2]), [0, 1]);
    close(await gradientOf((x) => norm(x, 0), [0, 2]), [0, 0]);
    close(await gradientOf((x) => hypot(x, 4e15), [3e15]), [0.6]);
    close(await gradientOf((x) => atan2(x, 1), [1e15, 0]), [1e-30, 1]);
    close(await gradientOf((x) => nanToNum(x), [nan, inf, 2]), [0, 0, 1]);
    close(await gradientOf((x) => mod(7.5, x), [2, -2]), [-3, 4]);
  });

  /** The gradient of f at a point, for a gradient g of f(x). */
  const pulled = (f: (x: Tensor) => Tensor, at: Values, g: Values): Promise<Values> =>
    resultOf(() => {
      const x = tensor(at, { requiresGrad: true });
      return grad(f(x), [x], { gradients: [tensor(g)] })[0] as Tensor;
    });

  test('a gradient is 0 where its path is cut, also beside what is not finite', async () => {
    const constants = [
      sign,
      step,
      floor,
      ceil,
      round,
      trunc,
      (x: Tensor) => floorDiv(x, 2),
      (x: Tensor) => pow(x, 0),
    ];
    for (const f of constants) close(await pulled(f, [-1.2, 0.3, 2.7], [inf, nan, 1]), [0, 0, 0]);
    const one = (): Tensor => tensor([[1]]);
    const rows: readonly (readonly [(x: Tensor) => Tensor, Values, Values, Values])[] = [
      [relu, [-1, 0, 2, -1], [inf, nan, 3, nan], [0, 0, 3, 0]],
      [abs, [0, -2, 0], [inf, 3, nan], [0, -3, 0]],
      [(x) => leakyRelu(x, 0), [-1, 2, 0], [inf, 5, nan], [0, 5, 0]],
      [(x) => leakyRelu(x, 0.5), [-1, 2], [4, 5], [2, 5]],
      [(x) => maximum(x, 1), [0, 2, 1], [inf, 5, 4], [0, 5, 2]],
      [(x) => minimum(x, 1), [2, 0, 1], [nan, 5, 4], [0, 5, 2]],
      [(x) => floorDiv(7, x), [2, 3], [inf, nan], [0, 0]],
      [(x) => pow(x, tensor([0, 2])), [3, 3], [inf, 1], [0, 6]],
      [(x) => pow(tensor([0, 1]), x), [3, 3], [nan, 1], [0, 0]],
      [(x) => clip(x, 0, 1), [-1, 0.5], [inf, 2], [0, 2]],
      [(x) => matmul(x, one(), { activation: 'relu' }), [[-1], [2]], [[inf], [3]], [[0], [3]]],
      [norm1, [0, -2], inf, [0, minusInf]],
    ];
    for (const [f, at, g, expected] of rows) close(await pulled(f, at, g), expected);
  });

  test('relu passes a gradient beside NaN, as its value is NaN', async () => {
    close(await pulled(relu, [nan, 1], [2, 3]), [2, 3]);
  });

  test('gradients of quotients whose square is out of range', async () => {
    close(await pulled((x) => div(1e25, x), [1e20], [1]), [-1e-15]);
    close(await pulled((x) => div(tensor([1e25]), x), [1e20], [1]), [-1e-15]);
    close(await pulled(reciprocal, [1e25], [1e30]), [-1e-20]);
    close(await pulled((x) => div(1e-25, x), [1e-20], [1]), [-1e15]);
  });

  test('the gradient of std is 0 for a group of equal values', async () => {
    const at = [
      [2, 2, 2],
      [1, 2, 3],
    ];
    const share = Math.sqrt(1.5) / 3;
    close(
      await pulled((x) => std(x, { axis: 1 }), at, [1, 1]),
      [
        [0, 0, 0],
        [-share, 0, share],
      ],
      { abs: 1e-7 },
    );
    close(await pulled((x) => std(x), [[0.5, 0.5]], 1), [[0, 0]]);
  });

  // The numbers of torch.linalg.vector_norm and its backward, in float64 for the rows with powers of 10.
  test('norms and their gradients at zeros and near the ends of the range', async () => {
    const rows: readonly (readonly [number, number[], number, number[]])[] = [
      [-1, [1, 2], 2 / 3, [4 / 9, 1 / 9]],
      [-1, [0, 2], 0, [0, 0]],
      [-2, [0, 0], 0, [0, 0]],
      [0.5, [0, 4], 4, [0, 1]],
      [0.5, [1, -4], 9, [3, -1.5]],
      [0.5, [0, 0], 0, [0, 0]],
      [2, [3e25, -4e25], 5e25, [0.6, -0.8]],
      [2, [3e-25, 4e-25], 5e-25, [0.6, 0.8]],
      [2, [0, 0], 0, [0, 0]],
      [3, [1e25, 0], 1e25, [1, 0]],
      [3, [1e-25, 0], 1e-25, [1, 0]],
      [-2, [1e25, 1e25], Math.SQRT1_2 * 1e25, [0.5 ** 1.5, 0.5 ** 1.5]],
      [-2, [1e-25, 1e-25], Math.SQRT1_2 * 1e-25, [0.5 ** 1.5, 0.5 ** 1.5]],
      [2, [3e38], 3e38, [1]],
      [2, [2e-38, 0], 2e-38, [1, 0]],
      [2, [2e38, -2e38], 2e38 * Math.SQRT2, [Math.SQRT1_2, -Math.SQRT1_2]],
      [2, [1e-25, 1e25], 1e25, [1e-50, 1]],
      [100, [3e38, 1e38], 3e38, [1, 3 ** -99]],
      [200, [3e38, 1e38], 3e38, [1, 3 ** -199]],
      [-3, [3e38, 3e38], 0.5 ** (1 / 3) * 3e38, [0.5 ** (4 / 3), 0.5 ** (4 / 3)]],
      [0.5, [1e-20, 1e25], 1e25, [10 ** 22.5, 1]],
      [1.5, [1e-20, 1e20], 1e20, [1e-20, 1]],
      [1.25, [1e-20, 1e28], 1e28, [1e-12, 1]],
      [-0.5, [1e20, 1e-20], 1e-20, [1e-60, 1]],
    ];
    for (const [p, at, value, gradient] of rows) {
      close(await resultOf(() => norm(tensor(at), p)), value, 2e-6);
      close(await pulled((x) => norm(x, p), at, 1), gradient, 2e-6);
    }
    for (const p of [1, 2, 3, 0.5]) {
      close(await resultOf(() => norm(tensor([1, inf, minusInf]), p)), inf);
      close(await resultOf(() => norm(tensor([1, nan, 0]), p)), nan);
      close(await resultOf(() => norm(tensor([[], []]), p, { axis: 1 })), [0, 0]);
    }
  });

  test('a norm of small order that is in range', async () => {
    // 4^100 · 1e-30; the relative error of a sum is multiplied by 1 / p, and that of its logarithm.
    close(await resultOf(() => norm(tensor([1e-30, 1e-30, 1e-30, 1e-30]), 0.01)), 4 ** 100 * 1e-30, 1e-4);
    // Σ |x|^p = 1e-3 + 1e2 for p = 0.1, of which the ratio of the two, 1e-50, does not tell.
    close(await resultOf(() => norm(tensor([1e-30, 1e20]), 0.1)), (1e-3 + 1e2) ** 10, 2e-5);
    close(await resultOf(() => norm(tensor([1e30, 1e-20]), -0.1)), (1e-3 + 1e2) ** -10, 2e-5);
  });

  test('norms of order 0 and of nothing', async () => {
    close(await resultOf(() => norm(tensor([nan, 0, -0, inf, 2]), 0)), 3);
    close(await pulled((x) => norm(x, 0), [nan, 0, 3], inf), [0, 0, 0]);
    scope(() => {
      for (const p of [-1, -0.5, minusInf]) {
        fails(() => norm(tensor([[], []]), p, { axis: 1 }), 'argument', /norm/, /no elements/);
      }
    });
    close(await resultOf(() => norm(tensor([[], []]), -1, { axis: 0 })), []);
  });

  test('norm1 and norm2 are norm', async () => {
    for (const options of [{}, { axis: 1 }, { axis: 0, keepDims: true }]) {
      const [one, first, two, second] = await resultsOf(() => [
        norm(v(), 1, options),
        norm1(v(), options),
        norm(v(), 2, options),
        norm2(v(), options),
      ]);
      assert.equal(first, one);
      assert.equal(second, two);
    }
  });

  test('questions are bool, and integers have no gradient', () =>
    scope(() => {
      const x = tensor([1, 2], { requiresGrad: true });
      const made = [notANumber(x), bitwiseNot(int([1])), floorDiv(int([1]), 2)];
      assert.equal(
        made.map(({ dtype, requiresGrad }) => [dtype, requiresGrad]),
        [
          ['bool', false],
          ['int32', false],
          ['int32', false],
        ],
      );
    }));
}
