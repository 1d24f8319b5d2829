/** Cross-entropies as fused kernels: how many dispatches, and when probabilities are taken as the logits behind them. */
import * as assert from 'uvu/assert';
import { doubleSoftmax } from '../src/nn/losses/crossentropy.ts';
import {
  assign,
  type Device,
  grad,
  losses,
  mul,
  type NestedArray,
  noGrad,
  oneHot,
  reshape,
  scope,
  setDefaultDevice,
  sigmoid,
  softmax,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { both, type Listed, numbers, tensorOf } from './support/losses.ts';
import { close, resultOf, resultsOf } from './support/values.ts';

/** What a body writes with console.warn. */
function warnings(body: () => void): string[] {
  const { warn } = console;
  const texts: string[] = [];
  console.warn = (text: string) => void texts.push(text);
  try {
    body();
  } finally {
    console.warn = warn;
  }
  return texts;
}

for (const [name, open, tolerance] of [
  // In float32 elementary functions and sums are off by less than 1e-5.
  ['device under test', testDevice, 1e-5],
  ['CPU', async () => cpuDevice(), 1e-6],
] as const) {
  const inner = suite(`fused losses, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  test('a thousand classes, fused and composed', async () => {
    const p = numbers([6, 1000], 3, -5, 5);
    const labels = [0, 999, 500, 3, 15, 16];
    const [fused, fusedGrad] = await both(
      (x) => losses.sparseCategoricalCrossentropy(labels, x, { fromLogits: true, reduction: 'none' }),
      p,
    );
    const [dense, denseGrad] = await both(
      (x) => losses.categoricalCrossentropy(oneHot(labels, 1000), x, { fromLogits: true, reduction: 'none' }),
      p,
    );
    close(fused as NestedArray, dense as NestedArray, { rel: tolerance });
    close(fusedGrad as NestedArray, denseGrad as NestedArray, { abs: tolerance });
  });

  test('probabilities straight from an activation are taken as logits', async () => {
    const p: Listed = { shape: [3, 3], values: [1e4, -1e4, 0, -50, 50, 0, 0.5, -0.25, 2] };
    const t = [1, 0, 2];
    const options = { reduction: 'none' } as const;
    const logits = { ...options, fromLogits: true };
    const pairs: [through: (x: Tensor) => Tensor, direct: (x: Tensor) => Tensor][] = [
      [
        (x) => losses.sparseCategoricalCrossentropy(t, softmax(x), options),
        (x) => losses.sparseCategoricalCrossentropy(t, x, logits),
      ],
      [
        (x) => losses.categoricalCrossentropy(oneHot(t, 3), softmax(x, 0), { ...options, axis: 0 }),
        (x) => losses.categoricalCrossentropy(oneHot(t, 3), x, { ...logits, axis: -2 }),
      ],
      [
        (x) => losses.binaryCrossentropy(oneHot(t, 3), sigmoid(x), options),
        (x) => losses.binaryCrossentropy(oneHot(t, 3), x, logits),
      ],
    ];
    for (const [through, direct] of pairs) assert.equal(await both(through, p), await both(direct, p));
    const [value] = await both((pairs[0] as (typeof pairs)[number])[0], p);
    close(value as NestedArray, [2e4, 100, Math.log(1 + Math.exp(-1.5) + Math.exp(-2.25))], {
      rel: tolerance,
    });
  });

  test('one dispatch forward, one backward', (device) => {
    const kernels: string[] = [];
    const stop = device.observe({ dispatch: ({ kernel }) => void kernels.push(kernel) });
    const during = (body: () => Tensor): [Tensor, string[]] => {
      kernels.length = 0;
      return [body(), [...kernels]];
    };
    scope(() => {
      const x = tensorOf(numbers([4, 5], 1, -1, 1), true);
      const g = tensor([1, 2, 3, 4]);
      const hot = oneHot([1, 2, 3, 4], 5);
      const labels = tensor(Int32Array.of(1, 2, 3, 4));
      const options = { fromLogits: true, reduction: 'none' } as const;
      const cases: [forward: () => Tensor, kernels: string[]][] = [
        [() => losses.sparseCategoricalCrossentropy(labels, x, options), ['crossEntropy']],
        [() => losses.categoricalCrossentropy(hot, x, options), ['crossEntropy']],
        [
          () => losses.sparseCategoricalCrossentropy(labels, softmax(x), { reduction: 'none' }),
          ['softmax', 'crossEntropy'],
        ],
        [() => losses.binaryCrossentropy(hot, x, options), ['binaryCrossEntropy', 'reduce']],
      ];
      for (const [forward, expected] of cases) {
        const [y, ran] = during(forward);
        assert.equal(ran, expected);
        const [, back] = during(() => grad(y, [x], { gradients: [g] })[0] as Tensor);
        assert.is(back.filter((kernel) => /rossEntropyGradient$/.test(kernel)).length, 1);
        if (expected.at(-1) === 'crossEntropy') assert.is(back.length, 1);
      }
    });
    stop();
  });

  test('other probabilities are taken as they are', async () => {
    const clipped = -Math.log(1e-7);
    const values: Listed = { shape: [1, 2], values: [100, -100] };
    const loss = (x: Tensor): Tensor => losses.sparseCategoricalCrossentropy([1], x);
    const cases: Record<string, (x: Tensor) => Tensor> = {
      detached: (x) => softmax(x).detach(),
      'with a gradient of its own': (x) => {
        const y = softmax(x);
        if (y.requiresGrad) y.retainGrad();
        return y;
      },
      'made in a scope that frees the logits': (x) => scope(() => softmax(mul(x, 1))),
      reshaped: (x) => reshape(softmax(x), [1, 2]),
      'made a leaf': (x) => {
        const y = noGrad(() => softmax(x));
        y.requiresGrad = true;
        return y;
      },
      'of logits that were overwritten': (x) => {
        const logits = mul(x, 1).detach();
        const y = softmax(logits);
        assign(logits, new Float32Array([0, 0]));
        return y;
      },
      'along another axis': (x) => softmax(reshape(x, [2, 1]), 0).detach(),
    };
    for (const [what, f] of Object.entries(cases)) {
      const result = await resultOf(() => loss(reshape(f(tensorOf(values, true)), [1, 2])).detach());
      assert.ok(Math.abs((result as number) - clipped) < 1e-3 * clipped, `${what}: ${String(result)}`);
    }
    const [pGrad] = await resultsOf(() => {
      const p = softmax(tensorOf({ shape: [1, 2], values: [0, 0] }, true)).retainGrad();
      const total = loss(p);
      return grad(total, [p]);
    });
    close(pGrad as NestedArray, [[1, -1]], { rel: tolerance });
  });

  test('probabilities made outside of the graph give no gradient', async () => {
    const result = scope(() => {
      const x = tensorOf({ shape: [1, 2], values: [100, -100] }, true);
      const p = noGrad(() => softmax(x));
      return losses.sparseCategoricalCrossentropy([1], p);
    });
    assert.is(result.requiresGrad, false);
    assert.is(await result.item(), 200);
    result.dispose();
  });

  test('the note of an origin keeps no memory', async (device) => {
    const before = device.memory().tensors;
    const x = tensor([1, 2]);
    const p = softmax(x);
    x.dispose();
    assert.is(device.memory().tensors, before + 1);
    let y = p;
    for (let turn = 0; turn < 5; turn++) {
      const next = sigmoid(y);
      assert.is(y.origin, null);
      y.dispose();
      y = next;
    }
    y.dispose();
    assert.is(device.memory().tensors, before);
  });
}

const test = suite('fused losses');

test('probabilities for fromLogits: true are warned of once', async () => {
  setDefaultDevice(cpuDevice());
  const texts = warnings(() =>
    scope(() => {
      const x = tensor([[1, 2]]);
      assert.is(doubleSoftmax(x), false);
      assert.is(doubleSoftmax(softmax(x)), true);
      for (let turn = 0; turn < 2; turn++)
        losses.categoricalCrossentropy(tensor([[0, 1]]), softmax(x), { fromLogits: true });
      losses.binaryCrossentropy(tensor([[0, 1]]), sigmoid(x), { fromLogits: true });
    }),
  );
  assert.is(texts.length, 1);
  assert.match(texts[0] as string, /categoricalCrossentropy with fromLogits: true got the output of softmax/);
});
