/**
 * Convolutions: PyTorch's numbers and gradients (scripts/oracles/conv.py), adjoints, what is empty, and memory. Gradients of
 * either order are checked case by case in the catalogue.
 */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { Observer } from '../src/node.ts';
import * as w from '../src/node.ts';
import {
  type Device,
  grad,
  type NestedArray,
  ones,
  scope,
  setDefaultDevice,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, resultsOf } from './support/values.ts';

type Summary = readonly [shape: number[], weighted: number, ...samples: number[]];

interface Case {
  readonly function: ConvName;
  readonly x: number[];
  readonly filters: number[][];
  readonly bias: boolean;
  readonly options: w.ConvTransposeOptions;
  /** y, then the gradients of x, of the filters, and of the bias where there is one. */
  readonly results: Summary[];
}

type ConvName = `conv${1 | 2 | 3}d${'' | 'Transpose'}` | `depthwiseConv${1 | 2}d` | `separableConv${1 | 2}d`;

const cases = JSON.parse(readFileSync(new URL('./literals/conv.json', import.meta.url), 'utf8')) as Case[];

/** The formula of the oracle; float32 holds its values exactly. */
const numbers = (count: number, seed: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => ((7919 * i + 613 * seed) % 1009) / 1024 - 0.5);

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

const input = (shape: readonly number[], seed: number, requiresGrad = true): Tensor =>
  tensor(numbers(sizeOf(shape), seed), { shape, requiresGrad });

/** The ops by name; a namespace is not indexed. */
const byName: typeof w = w;

/** y and the gradients of a case on the default device. */
function resultsOfCase({ function: name, x, filters, bias, options, results }: Case): Tensor[] {
  const inputs = [input(x, 0), ...filters.map((shape, index) => input(shape, 1 + index))];
  const [shape] = results[0] as Summary;
  const f = byName[name] as (...args: unknown[]) => Tensor;
  const b = bias ? [input([shape[shape.length - 1] as number], 3)] : [];
  const y = f(...inputs, bias ? { ...options, bias: b[0] } : options);
  return [y, ...grad(y, [...inputs, ...b], { gradients: [input(shape, 4, false)] })];
}

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
  let weighted = 0;
  let magnitude = 0;
  elements.forEach((element, index) => {
    weighted += element * (weights[index] as number);
    magnitude += Math.abs(element * (weights[index] as number));
  });
  const samples = [0, 1, 2, 3, 4].map((k) => elements[Math.floor((k * elements.length) / 5)] as number);
  return { summary: [shapeOf(value), weighted, ...samples], magnitude };
}

const describe = ({ function: name, x, filters, options }: Case): string =>
  `${name} of ${JSON.stringify(x)} by ${JSON.stringify(filters)}, ${JSON.stringify(options)}`;

for (const [where, open, tolerance] of [
  // Sums of products of the inputs are exact in float32: all are multiples of 2⁻²⁰, and none reaches 16. What rounds are the
  // activations (some 1e-6), their derivatives, and sums of these.
  ['device under test', testDevice, 5e-6],
  // The oracle's numbers have nine digits: they are off by 5e-9 of themselves at most.
  ['CPU', async () => cpuDevice(), 6e-9],
] as const) {
  const inner = suite(`convolution, ${where}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  for (const name of new Set(cases.map((item) => item.function))) {
    const own = cases.filter((item) => item.function === name);
    test(`${name}: ${own.length} cases with PyTorch's numbers, and their gradients`, async () => {
      for (const item of own) {
        const actual = await resultsOf(() => resultsOfCase(item));
        assert.is(actual.length, item.results.length);
        actual.forEach((value, index) => {
          const { summary: got, magnitude } = summary(value);
          const [shape, weighted, ...samples] = item.results[index] as Summary;
          const what = `${describe(item)}, result ${index}`;
          assert.equal(got[0], shape, what);
          for (const [element, expected, size] of [
            [got[1], weighted, magnitude],
            ...samples.map((sample, k) => [got[2 + k] as number, sample, Math.abs(sample)] as const),
          ] as const) {
            const most = tolerance * (1 + size);
            assert.ok(Math.abs(element - expected) <= most, `${what}: ${element} instead of ${expected}`);
          }
        });
      }
    });
  }

  test('a transposed convolution is the adjoint of the convolution with the same filter and options', async () => {
    const geometries = [1, 4].flatMap((steps) =>
      [1, 2, 3].flatMap((strides) =>
        [1, 2, 3, 4].flatMap((taps) =>
          [1, 2].flatMap((dilationRate) =>
            (['valid', 'same'] as const).map((padding) => ({ steps, taps, strides, dilationRate, padding })),
          ),
        ),
      ),
    );
    const differences = await resultsOf(() =>
      geometries.map(({ steps, taps, ...options }) => {
        const y = input([2, steps, 3], 0, false);
        const filter = input([taps, 2, 3], 1, false);
        const spread = w.conv1dTranspose(y, filter, options);
        const x = input(spread.shape, 2, false);
        // ⟨conv(x), y⟩ = ⟨x, convTranspose(y)⟩
        return w.sub(w.sum(w.mul(w.conv1d(x, filter, options), y)), w.sum(w.mul(x, spread)));
      }),
    );
    differences.forEach((difference, index) => {
      assert.ok(Math.abs(difference as number) < 1e-5, `${JSON.stringify(geometries[index])}: ${difference}`);
    });
  });

  test('an empty batch has an empty result, and gradients of zeros', async () => {
    const [y, dx, dw, db] = await resultsOf(() => {
      const x = w.zeros([0, 5, 4, 2], { requiresGrad: true });
      const filter = w.ones([3, 3, 2, 3], { requiresGrad: true });
      const bias = w.ones([3], { requiresGrad: true });
      const y = w.conv2d(x, filter, { bias, padding: 'same' });
      assert.equal(y.shape, [0, 5, 4, 3]);
      return [y, ...grad(w.sum(y), [x, filter, bias])];
    });
    assert.equal([y, dx], [[], []]);
    assert.equal(new Set(flat(dw as NestedArray)), new Set([0]));
    assert.equal(shapeOf(dw as NestedArray), [3, 3, 2, 3]);
    assert.equal(db, [0, 0, 0]);
  });

  test('an empty batch of a transposed convolution, and images without a pixel', async () => {
    const [dy, dw, dw1] = await resultsOf(() => {
      const y = w.zeros([0, 2, 2, 2], { requiresGrad: true });
      const filter = w.ones([3, 3, 1, 2], { requiresGrad: true });
      const x = w.conv2dTranspose(y, filter, { strides: 2, padding: 'same' });
      assert.equal(x.shape, [0, 4, 4, 1]);
      const none = w.zeros([2, 0, 3], { requiresGrad: true });
      const filter1 = w.ones([2, 3, 4], { requiresGrad: true });
      const same = w.conv1d(none, filter1, { padding: 'same' });
      assert.equal(same.shape, [2, 0, 4]);
      return [...grad(w.sum(x), [y, filter]), ...grad(w.sum(same), [filter1])];
    });
    assert.equal(dy, []);
    assert.equal([...new Set(flat(dw as NestedArray)), ...new Set(flat(dw1 as NestedArray))], [0, 0]);
  });

  test('no channels at all leave the bias', async () => {
    const [y, dw] = await resultsOf(() => {
      const filter = w.ones([2, 0, 2], { requiresGrad: true });
      const y = w.conv1d(w.zeros([1, 3, 0]), filter, { bias: tensor([1, -2]) });
      return [y, ...grad(w.sum(y), [filter])];
    });
    assert.equal(y, [
      [
        [1, -2],
        [1, -2],
      ],
    ]);
    assert.equal(dw, [[], []]);
  });

  test('strides and dilation together, which Keras refuses', async () => {
    const [y] = await resultsOf(() => {
      const x = tensor([1, 2, 3, 4, 5, 6, 7], { shape: [1, 7, 1] });
      return [w.conv1d(x, tensor([1, 10], { shape: [2, 1, 1] }), { strides: 2, dilationRate: 3 })];
    });
    assert.equal(y, [[[1 + 40], [3 + 60]]]);
  });

  test('taps and steps far apart stay exact up to 30 bits', async () => {
    const far = 2 ** 30 - 4;
    const ends = await resultsOf(() => {
      const x = tensor([1, 2, 3], { shape: [1, 3, 1], requiresGrad: true });
      const filter = tensor([1, 10], { shape: [2, 1, 1], requiresGrad: true });
      const y = w.conv1d(x, filter, { padding: [[0, far]], dilationRate: far });
      return [y, ...grad(w.sum(y), [x, filter])].map((t) => w.reshape(t, [-1]));
    });
    close(ends, [
      [1, 2, 3],
      [1, 1, 1],
      [6, 0],
    ]);
    const wide = 65_535;
    const steps = await resultsOf(() => {
      const x = tensor([1, 2, 3], { shape: [1, 3, 1], requiresGrad: true });
      const y = w.conv1d(x, ones([1, 1, 1]), { padding: [[wide, wide]], strides: wide });
      return [y, ...grad(w.sum(y), [x])].map((t) => w.reshape(t, [3]));
    });
    close(steps, [
      [0, 1, 0],
      [1, 0, 0],
    ]);
    assert.throws(
      () => w.scope(() => w.conv1d(ones([1, 3, 1]), ones([1, 1, 1]), { strides: wide + 1 })),
      /conv1d: strides \[65536\]/,
    );
  });

  test('behind a saturated sigmoid or tanh no gradient passes, not even ∞, and the slope is one dispatch', async (device) => {
    for (const activation of ['sigmoid', 'tanh'] as const) {
      const dispatched: string[] = [];
      const stop = device.observe({ dispatch: ({ op }) => void dispatched.push(op) });
      const gradients = await resultsOf(() => {
        const x = tensor([-1e4, 1e4], { shape: [1, 2, 1], requiresGrad: true });
        const y = w.conv1d(x, ones([1, 1, 1]), { activation });
        const g = w.full([1, 2, 1], Number.POSITIVE_INFINITY);
        dispatched.length = 0;
        const dx = grad(y, [x], { gradients: [g] });
        assert.equal(dispatched, [`${activation}Gradient`, 'conv1dInput']);
        const m = tensor([-1e4, 1e4], { shape: [2, 1], requiresGrad: true });
        const product = w.matmul(m, ones([1, 1]), { activation });
        const h = w.full([2, 1], Number.POSITIVE_INFINITY);
        dispatched.length = 0;
        const dm = grad(product, [m], { gradients: [h] });
        assert.equal(dispatched, [`${activation}Gradient`, 'matmul']);
        return [...dx, ...dm].map((t) => w.reshape(t, [2]));
      });
      stop();
      assert.equal(gradients, [
        [0, 0],
        [0, 0],
      ]);
    }
  });

  test('a NaN reaches every result that sees it, and no other', async () => {
    const [y] = await resultsOf(() => {
      const x = tensor([1, Number.NaN, 3, 4, 5], { shape: [1, 5, 1] });
      return [w.conv1d(x, tensor([1, 1], { shape: [2, 1, 1] }), { activation: 'relu' })];
    });
    assert.equal(y, [[[Number.NaN], [Number.NaN], [7], [9]]]);
  });

  test('outside of scopes a call and its gradient leave nothing else alive', (device) => {
    const inputs = [
      [1, 6, 2],
      [3, 2, 2],
      [1, 4, 3],
    ].map((shape, index) => input(shape, index));
    const [x, filter, pointwise] = inputs as [Tensor, Tensor, Tensor];
    const before = device.memory();
    const calls: Record<string, () => Tensor> = {
      conv1d: () => w.conv1d(x, filter, { activation: 'tanh' }),
      conv1dTranspose: () => w.conv1dTranspose(x, filter, { strides: 2 }),
      depthwiseConv1d: () => w.depthwiseConv1d(x, filter),
      separableConv1d: () => w.separableConv1d(x, filter, pointwise, { padding: 'causal' }),
    };
    for (const [name, call] of Object.entries(calls)) {
      const y = call();
      assert.is(device.memory().tensors, before.tensors + (name === 'separableConv1d' ? 2 : 1), name);
      scope(() => w.sum(y).backward());
      for (const t of inputs) t.grad = null;
      y.dispose();
      assert.is(device.memory().tensors, before.tensors, name);
      assert.is(device.memory().bytes, before.bytes, name);
    }
    for (const t of inputs) t.dispose();
  });

  test('forward and backward of images 28×28, 16 → 32 channels, hold inputs, outputs and gradients', async (device) => {
    const word = device.float === 'float64' ? 8 : 4;
    const batch = device.kind === 'cpu' ? 2 : 32; // The CPU device takes 0.3 s for each image.
    const shapes = { x: [batch, 28, 28, 16], filter: [3, 3, 16, 32], bias: [32], y: [batch, 28, 28, 32] };
    const count = Object.values(shapes).reduce((sum, shape) => sum + sizeOf(shape), 0);
    const before = device.memory().bytes;
    let peak = 0;
    const scratch: number[] = [];
    const watcher: Observer = {
      alloc({ bytes }) {
        peak = Math.max(peak, device.memory().bytes - before);
        scratch.push(bytes);
      },
      // A tensor's memory is freed under the same size; what is left over at the end was scratch.
      free({ bytes }) {
        const at = scratch.indexOf(bytes);
        if (at >= 0) scratch.splice(at, 1);
      },
    };
    const stop = device.observe(watcher);
    scope(() => {
      const [x, filter, bias] = [shapes.x, shapes.filter, shapes.bias].map((shape) =>
        w.full(shape, 0.01, { requiresGrad: true }),
      ) as [Tensor, Tensor, Tensor];
      const y = w.conv2d(x, filter, { padding: 'same', bias, activation: 'relu' });
      y.backward({ gradient: w.full(shapes.y, 1) });
      peak = Math.max(peak, device.memory().bytes - before);
      assert.ok(bias.grad);
    });
    stop();
    await device.idle();
    // Each tensor once and its gradient once, and the gradient below the relu.
    const expected = word * (2 * count + sizeOf(shapes.y));
    assert.ok(peak <= 1.1 * expected, `${peak} bytes at most, ${expected} expected`);
    const most = scratch.reduce((sum, bytes) => sum + bytes, 0);
    assert.ok(most <= 16 * 2 ** 20, `${most} bytes of scratch memory`);
    assert.is(device.memory().bytes, before);
  });
}
