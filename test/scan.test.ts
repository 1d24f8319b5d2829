/** Running sums and products against literals, gradients at zeros, and the accuracy on a million elements. */
import * as assert from 'uvu/assert';
import {
  cumprod,
  cumsum,
  type Device,
  grad,
  mul,
  prod,
  scope,
  setDefaultDevice,
  sum,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { uniforms } from './support/random.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

type Values = Parameters<typeof close>[1];

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`scan, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  /** The gradient of f at a point, for a gradient g of f(x). */
  const pulled = (f: (x: Tensor) => Tensor, at: Values, g: Values): Promise<Values> =>
    resultOf(() => {
      const x = tensor(at, { requiresGrad: true });
      return grad(f(x), [x], { gradients: [tensor(g)] })[0] as Tensor;
    });

  /** The gradient of the sum of f, of many elements. */
  async function pulledData(f: (x: Tensor) => Tensor, values: Float32Array): Promise<number[]> {
    const result = scope(() => {
      const x = tensor(values, { requiresGrad: true });
      return grad(sum(f(x)), [x])[0] as Tensor;
    });
    const data = await result.data();
    result.dispose();
    return Array.from(data);
  }

  test('cumsum and cumprod', async () => {
    const x = (): Tensor => tensor([1, 2, 3, 4]);
    close(await resultOf(() => cumsum(x(), 0)), [1, 3, 6, 10]);
    close(await resultOf(() => cumsum(x(), 0, { exclusive: true })), [0, 1, 3, 6]);
    close(await resultOf(() => cumsum(x(), -1, { reverse: true })), [10, 9, 7, 4]);
    close(await resultOf(() => cumsum(x(), 0, { exclusive: true, reverse: true })), [9, 7, 4, 0]);
    close(await resultOf(() => cumprod(x(), 0)), [1, 2, 6, 24]);
    close(await resultOf(() => cumprod(x(), 0, { exclusive: true })), [1, 1, 2, 6]);
    close(await resultOf(() => cumprod(x(), 0, { reverse: true })), [24, 24, 12, 4]);
    close(
      await resultOf(() =>
        cumsum(
          tensor([
            [1, 2],
            [3, 4],
            [5, 6],
          ]),
          0,
        ),
      ),
      [
        [1, 2],
        [4, 6],
        [9, 12],
      ],
    );
    close(await resultOf(() => cumsum(tensor([2 ** 31 - 1, 1], { dtype: 'int32' }), 0)), [
      2 ** 31 - 1,
      -(2 ** 31),
    ]);
    close(await resultOf(() => cumsum(tensor([]), 0)), []);
    close(await resultOf(() => cumsum(tensor([1, Number.NaN, 2]), 0)), [1, Number.NaN, Number.NaN]);
    scope(() => {
      fails(() => cumsum(tensor([1]), 1), 'shape', /cumsum/);
      fails(() => cumprod(tensor([true]), 0), 'dtype', /cumprod/, /bool/);
    });
  });

  test('prod', async () => {
    const x = (): Tensor =>
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]);
    close(await resultOf(() => prod(x())), 720);
    close(await resultOf(() => prod(x(), { axis: 0 })), [4, 10, 18]);
    close(await resultOf(() => prod(x(), { axis: 1, keepDims: true })), [[6], [120]]);
    close(await resultOf(() => prod(tensor([]))), 1);
  });

  test('products are finite where they are, whatever products of parts are', async () => {
    const n = 200;
    const at = (entries: Record<number, number>): Tensor =>
      tensor(Float32Array.from({ length: n }, (_, index) => entries[index] ?? 1));
    const after = (first: number, value: number): number[] =>
      Array.from({ length: n }, (_, index) => (index < first ? 1 : value));
    // A zero, and then, in parts of their own, 10^60 and 10^−60.
    const zeroFirst = (): Tensor =>
      at({ 3: 0, 70: 1e30, 71: 1e30, 130: 1e-30, 131: 1e-30, 150: 1e30, 199: 1e30 });
    close(await resultOf(() => cumprod(zeroFirst(), 0)), after(3, 0));
    close(await resultOf(() => prod(zeroFirst())), 0);
    // 10^−30 · 10^30 · 10^30, the last two in one part, and the reverse.
    const rises = (): Tensor => at({ 63: 1e-30, 64: 1e30, 65: 1e30 });
    const prefixes = after(63, 1e30);
    prefixes[63] = 1e-30;
    prefixes[64] = 1;
    close(await resultOf(() => cumprod(rises(), 0)), prefixes);
    close(await resultOf(() => prod(rises())), 1e30);
    const falls = (): Tensor => at({ 10: 1e30, 70: 1e-30, 71: 1e-30 });
    close(await resultOf(() => prod(falls())), 1e-30);
    close((await resultOf(() => cumprod(falls(), 0, { reverse: true }))) as number[], [
      ...Array.from({ length: 11 }, () => 1e-30),
      ...Array.from({ length: 60 }, () => 1e-60),
      1e-30,
      ...Array.from({ length: n - 72 }, () => 1),
    ]);
  });

  test('gradients of products with a zero beside a product that overflows', async (device) => {
    const gradient = (f: (x: Tensor) => Tensor, values: number[]): Promise<unknown> =>
      resultOf(() => {
        const x = tensor(values, { requiresGrad: true });
        return grad(sum(f(x)), [x])[0] as Tensor;
      });
    const huge = (value: number): number => (device.float === 'float64' ? value : Number.POSITIVE_INFINITY);
    close((await gradient(prod, [0, 3, 1e30, 1e30])) as number[], [huge(3e60), 0, 0, 0], 1e-5);
    close(
      (await gradient((x) => cumprod(x, 0), [5, 0, 1e30, 1e30])) as number[],
      [1, huge(5e60), 0, 0],
      1e-5,
    );
  });

  test('products of subnormal numbers, and products that are subnormal', async () => {
    const product = 1e-40 * 2 ** 100;
    const values = (): Tensor => tensor([1e-40, 2 ** 100]);
    close(await resultOf(() => prod(values())), product, 1e-5);
    close(await resultOf(() => cumprod(values(), 0)), [1e-40, product], 1e-5);
    // Half the distance of two subnormal numbers.
    close(await resultOf(() => prod(tensor([1e-20, 1e-20]))), 1e-40, { abs: 2 ** -150 });
    close(await resultOf(() => cumprod(tensor([1e-20, 1e-20]), 0)), [1e-20, 1e-40], { abs: 2 ** -150 });
    const least = await resultOf(() => prod(tensor([2 ** -100, 2 ** -100, 2 ** 60, 3])));
    close(least, 3 * 2 ** -140);
  });

  test('gradients of products whose parts are beyond the range', async (device) => {
    const values = [1e-30, 1e-30, 2, 1e30, 1e30];
    const others = [2e30, 2e30, 1, 2e-30, 2e-30];
    close(await pulled(prod, values, 1), others);
    close(await pulled((x) => cumprod(x, 0), values, [0, 0, 0, 0, 1]), others);
    close(await pulled((x) => cumprod(x, 0), values, [0, 0, 0, 1, 0]), [2, 2, 1e-30, 2e-60, 0]);
    const before = (x: Tensor): Tensor => cumprod(x, 0, { exclusive: true, reverse: true });
    close(await pulled(before, [3, ...values], [1, 0, 0, 0, 0, 0]), [0, ...others]);
    const far = device.float === 'float64' ? 1e60 : Number.POSITIVE_INFINITY;
    close(await pulled(prod, [1, 1e30, 1e30], 1), [far, 1e30, 1e30]);
  });

  test('gradients of products beside 0, ∞ and NaN', async () => {
    const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
    const rows = [
      [1e30, 1e30, 2],
      [1, 2, 3],
    ];
    close(await pulled((x) => prod(x, { axis: 1 }), rows, [0, 1]), [
      [0, 0, 0],
      [6, 3, 2],
    ]);
    close(await pulled(prod, [inf, 1, 2], 0), [0, 0, 0]);
    close(await pulled(prod, [inf, 1, 2], 1), [2, inf, inf]);
    close(await pulled(prod, [0, nan, 3], 1), [nan, 0, nan]);
    close(await pulled((x) => cumprod(x, 0), [inf, 1, 2], [0, 0, 0]), [0, 0, 0]);
    close(await pulled((x) => cumprod(x, 0), [2, nan, 3], [1, 0, 1]), [nan, 6, nan]);
  });

  test('gradients of products at one, two and three zeros', async () => {
    const gradient = (values: number[]): Promise<unknown> =>
      resultOf(() => {
        const x = tensor(values, { requiresGrad: true });
        return grad(prod(x), [x])[0] as Tensor;
      });
    close((await gradient([2, 0, 3])) as number[], [0, 6, 0]);
    close((await gradient([0, 0, 3])) as number[], [0, 0, 0]);
    close((await gradient([0, 0, 0])) as number[], [0, 0, 0]);
    // cumprod: Σ_j y[j] = a + ab + abc
    const running = await resultOf(() => {
      const x = tensor([2, 0, 3], { requiresGrad: true });
      return grad(sum(cumprod(x, 0)), [x])[0] as Tensor;
    });
    close(running, [1, 8, 0]);
  });

  test('second derivatives of a product at two zeros', async () => {
    // ∂²(abc)/∂a∂b = c
    const [first, second] = await resultsOf(() => {
      const x = tensor([0, 0, 3], { requiresGrad: true });
      const [g] = grad(prod(x), [x], { createGraph: true }) as [Tensor];
      const [h] = grad(sum(mul(g, tensor([1, 0, 0]))), [x]) as [Tensor];
      return [g.detach(), h];
    });
    close(first as number[], [0, 0, 0]);
    close(second as number[], [0, 3, 0]);
  });

  test('the gradient of a long product', async () => {
    const n = 300_000;
    const values = Float32Array.from({ length: n }, (_, k) => (k % 2 === 0 ? 2 : 0.5));
    const result = await pulledData(prod, values);
    assert.is(
      result.findIndex((value, k) => value !== 1 / (values[k] as number)),
      -1,
    );
  });

  test('the gradient of a long running product', async () => {
    // With all factors 1: ∂Σy/∂x[k] = n − k.
    const n = 300_000;
    const result = await pulledData((x) => cumprod(x, 0), new Float32Array(n).fill(1));
    assert.is(
      result.findIndex((value, k) => value !== n - k),
      -1,
    );
  });

  test('the error on 2^20 elements is at most 1e-6 Σ|x|', async () => {
    const n = 2 ** 20;
    for (const content of ['constant', 'positive', 'signed']) {
      const next = uniforms(7);
      const x = Float32Array.from({ length: n }, () =>
        content === 'constant' ? 0.1 : content === 'positive' ? next() : 2 * next() - 1,
      );
      const y = scope(() => cumsum(tensor(x), 0));
      const data = await y.data();
      y.dispose();
      let exact = 0;
      let magnitude = 0;
      let worst = 0;
      x.forEach((value, index) => {
        exact += value;
        magnitude += Math.abs(value);
        worst = Math.max(worst, Math.abs((data[index] as number) - exact) / magnitude);
      });
      assert.ok(worst <= 1e-6, `${content}: ${worst}`);
    }
  });
}
