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

  test('the gradient of a long running product', async () => {
    // With all factors 1: ∂Σy/∂x[k] = n − k.
    const n = 3000;
    const result = await resultOf(() => {
      const x = tensor(new Float32Array(n).fill(1), { requiresGrad: true });
      return grad(sum(cumprod(x, 0)), [x])[0] as Tensor;
    });
    assert.equal(
      result,
      Array.from({ length: n }, (_, k) => n - k),
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
