/** Nothing leaks: on every way out of a scope, in training, and when a graph is dropped unused. */
import * as assert from 'uvu/assert';
import { catalog } from '../src/cli/catalog/index.ts';
import { inputsOn } from '../src/cli/catalog/types.ts';
import {
  type AdapterChoice,
  add,
  apply,
  argMax,
  assign,
  booleanMask,
  cast,
  choice,
  type Device,
  exp,
  type GpuDevice,
  gather,
  grad,
  init,
  keep,
  logSumExp,
  matmul,
  mean,
  mul,
  noGrad,
  nonzero,
  norm2,
  type Op,
  randomNormal,
  scope,
  setDefaultDevice,
  setSeed,
  square,
  std,
  sub,
  sum,
  type Tensor,
  tensor,
  unique,
  variance,
  zeros,
} from '../src/node.ts';
import { cpuDevice, isLong, seed, suite, testDevice } from './support/harness.ts';
import { close, fails, rejects } from './support/values.ts';

const leaf = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { requiresGrad: true });

/** Makes the n-th step of this device fail, counting ops, uploads and reads; the returned function ends that. */
function failAt(device: Device, n: number): () => void {
  const steps = ['run', 'upload', 'read'] as const;
  let step = 0;
  for (const name of steps) {
    const method = device[name] as (...given: unknown[]) => unknown;
    const value = (...given: unknown[]): unknown => {
      if (++step === n) throw new Error(`step ${n}`);
      return method.apply(device, given);
    };
    Object.defineProperty(device, name, { value, configurable: true });
  }
  return () => {
    for (const name of steps) Reflect.deleteProperty(device, name);
  };
}

for (const [where, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`memory, ${where}`, isLong ? { timeout: 600_000 } : {});
  /** Runs `body`, which must leave as many tensors and bytes as it found, even before the test ends. */
  const test = (name: string, body: (device: Device) => unknown): void =>
    inner(name, async () => {
      const device = await open();
      setDefaultDevice(device);
      const before = device.memory();
      await body(device);
      const after = device.memory();
      assert.is(after.tensors, before.tensors);
      assert.is(after.bytes, before.bytes);
    });

  test('scope frees all but nested results', async (device) => {
    const before = device.memory().tensors;
    const result = scope(() => {
      const a = tensor([1]);
      const b = mul(a, 2);
      const c = add(b, 1);
      const d = mul(c, 2);
      zeros([100]);
      return { list: [a, [b]], inside: { c, n: 5, none: null }, map: new Map([['d', d]]), set: new Set([a]) };
    });
    assert.is(device.memory().tensors, before + 4);
    const { list, inside, map, set } = result;
    const all = [list[0] as Tensor, (list[1] as Tensor[])[0] as Tensor, inside.c, map.get('d') as Tensor];
    close(await Promise.all(all.map((x) => x.item())), [1, 2, 3, 6]);
    assert.ok(set.has(all[0] as Tensor));
    for (const x of all) x.dispose();
  });

  test('scopes nest: an inner result dies with the outer scope', (device) => {
    const before = device.memory().tensors;
    scope(() => {
      const inner = scope(() => mul(tensor([1, 2]), 2));
      assert.not(inner.disposed);
      assert.is(device.memory().tensors, before + 1);
    });
    assert.is(device.memory().tensors, before);
  });

  test('keep takes a tensor out of all scopes', async () => {
    let kept: Tensor | undefined;
    scope(() => {
      scope(() => {
        kept = keep(mul(tensor([1, 2]), 2));
      });
    });
    close(await (kept as Tensor).array(), [2, 4]);
    (kept as Tensor).dispose();
  });

  test('reshaped views and aliases share their memory', async (device) => {
    const { bytes } = device.memory();
    const x = zeros([4, 4]);
    const { bytes: one } = device.memory();
    const view = x.reshape([16]);
    const alias = x.detach();
    assert.is(device.memory().bytes, one);
    x.dispose();
    alias.dispose();
    assert.is(device.memory().bytes, one);
    close((await view.array()) as number[], new Array(16).fill(0));
    view.dispose();
    assert.is(device.memory().bytes, bytes);
  });

  test('a throw inside nested scopes leaves nothing', () => {
    assert.throws(
      () =>
        scope(() => {
          const x = leaf([1, 2, 3]);
          const y = square(x);
          scope(() => {
            sum(exp(y));
            throw new Error('mine');
          });
        }),
      'mine',
    );
  });

  test('an op that refuses its inputs leaves nothing', () =>
    scope(() => {
      const a = zeros([2, 3]);
      fails(() => add(a, zeros([4])), 'shape', /add/);
      fails(() => matmul(a, a), 'shape', /matmul/);
    }));

  const broken: Op = {
    name: 'broken',
    forward: ([x]) => noGrad(() => mul(x as Tensor, 2)),
    saves: ([x]) => [x],
    backward: () => [
      () => {
        zeros([1000]);
        throw new Error('mine');
      },
    ],
  };

  test('a throw inside backward leaves nothing, in or out of a scope', (device) => {
    scope(() => {
      const x = leaf([1, 2, 3]);
      const loss = sum(square(apply(broken, [square(x)], undefined)));
      assert.throws(() => loss.backward(), 'mine');
      assert.throws(() => grad(sum(apply(broken, [x], undefined)), [x]), 'mine');
    });
    const x = leaf([1, 2, 3]);
    const y = apply(broken, [x], undefined);
    const loss = sum(y);
    const { tensors } = device.memory();
    assert.throws(() => loss.backward(), 'mine');
    assert.ok(device.memory().tensors <= tensors);
    for (const t of [x, y, loss]) t.dispose();
  });

  test('a throw in a custom forward leaves nothing', () => {
    const refusing: Op = {
      name: 'refusing',
      forward: () => {
        zeros([100]);
        throw new Error('mine');
      },
      backward: () => [],
    };
    scope(() => assert.throws(() => apply(refusing, [leaf([1])], undefined), 'mine'));
  });

  test('a failing read leaves nothing', async () => {
    const x = tensor([1, 2]);
    await rejects(x.item(), 'shape', /item/);
    x.dispose();
    await rejects(x.data(), 'disposed');
    await rejects(x.array(), 'disposed');
  });

  test('nodes are freed when the outputs are disposed without backward', (device) => {
    const { bytes } = device.memory();
    const x = leaf([1, 2, 3, 4]);
    const y = exp(x);
    const loss = scope(() => sum(square(y)));
    const { bytes: full } = device.memory();
    x.dispose();
    y.dispose();
    assert.ok(device.memory().bytes < full, 'x is not saved by anyone');
    assert.ok(device.memory().bytes > bytes, 'y is still saved');
    loss.dispose();
    assert.is(device.memory().bytes, bytes);
  });

  test('a graph whose inner handles are gone still runs backward', async () => {
    const x = leaf([1, 2, 3]);
    const loss = scope(() => sum(square(exp(mul(x, 0.5)))));
    loss.backward();
    loss.dispose();
    close((await (x.grad as Tensor).array()) as number[], [Math.E, Math.E ** 2, Math.E ** 3], 1e-5);
    x.dispose();
  });

  test('backward frees what it has passed, retainGraph keeps it', (device) => {
    const before = device.memory().tensors;
    const x = leaf([1, 2, 3, 4]);
    const loss = scope(() => sum(square(exp(x))));
    const full = device.memory().tensors;
    loss.backward({ retainGraph: true });
    assert.is(device.memory().tensors, full + 1, 'one gradient more');
    loss.backward();
    assert.is(device.memory().tensors, before + 3, 'x, its gradient, and the loss');
    loss.dispose();
    x.dispose();
  });

  test('double backward leaves nothing', () =>
    scope(() => {
      const x = leaf([1, 2, 3]);
      const first = grad(sum(exp(square(x))), [x], { createGraph: true })[0] as Tensor;
      sum(square(first)).backward();
      grad(sum(exp(square(x))), [x], { createGraph: true });
    }));

  test('casts of a tracked tensor to bool and int32 leave nothing', (device) => {
    const x = leaf([0.5, 2]);
    const { bytes, tensors } = device.memory();
    for (let round = 0; round < 50; round++) {
      scope(() => {
        cast(square(x), 'bool');
        cast(x, 'int32');
      });
      assert.is(device.memory().bytes, bytes);
      assert.is(device.memory().tensors, tensors);
    }
    x.dispose();
  });

  test('a scope may return the gradient of a leaf that it made', async (device) => {
    const before = device.memory().tensors;
    const gradient = (): Tensor =>
      scope(() => {
        const x = leaf([1, 2]);
        sum(square(x)).backward();
        return x.grad as Tensor;
      });
    const returned = gradient();
    assert.is(device.memory().tensors, before + 1);
    close(await returned.array(), [2, 4]);
    returned.dispose();
    scope(() => {
      assert.not(gradient().disposed);
      assert.is(device.memory().tensors, before + 1);
    });
    assert.is(device.memory().tensors, before);
  });

  test('composed ops outside of scopes leave their result alone alive', (device) => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 7],
    ]);
    const v = tensor([1, 2, 3]);
    const composed: Record<string, () => Tensor> = {
      variance: () => variance(x, { axis: 1 }),
      std: () => std(x),
      norm2: () => norm2(x),
      logSumExp: () => logSumExp(x, { axis: 1 }),
      'matmul, column': () => matmul(x, v),
      'matmul, row': () => matmul(v, x, { transposeB: true }),
      'matmul, both': () => matmul(v, v),
      argMax: () => argMax(x),
      'argMax, keepDims': () => argMax(x, { keepDims: true }),
    };
    const { tensors, bytes } = device.memory();
    for (const [name, f] of Object.entries(composed)) {
      const y = f();
      assert.is(device.memory().tensors, tensors + 1, name);
      y.dispose();
      assert.is(device.memory().bytes, bytes, name);
    }
    for (const t of [x, v]) t.dispose();
  });

  const stepwise: Record<string, (x: Tensor, mask: Tensor) => Promise<Tensor[]>> = {
    unique: async (x) => Object.values(await unique(x, { returnInverse: true })),
    booleanMask: async (x, mask) => [await booleanMask(x, mask)],
    nonzero: async (x) => [await nonzero(x)],
    choice: async (x) => [choice(x, 2)],
    'choice without replacement': async (x) => [choice(x, 2, { replace: false })],
    'choice by weight': async (x) => [choice(x, 2, { p: [1, 2, 3, 4] })],
  };
  for (const [name, f] of Object.entries(stepwise)) {
    test(`${name} leaves nothing when a step of it fails, whichever it is`, async (device) => {
      const x = leaf([3, 0, 3, 1]);
      const mask = tensor([true, false, true, true]);
      const { tensors, bytes } = device.memory();
      let results: Tensor[] | undefined;
      for (let step = 1; !results; step++) {
        const end = failAt(device, step);
        try {
          results = await f(x, mask);
          assert.ok(step > 1, 'no step failed');
        } catch (error) {
          assert.is((error as Error).message, `step ${step}`);
          assert.is(device.memory().tensors, tensors, `step ${step}`);
          assert.is(device.memory().bytes, bytes, `step ${step}`);
        } finally {
          end();
        }
      }
      for (const t of [x, mask, ...results]) t.dispose();
    });
  }

  test('unique, booleanMask and nonzero leave nothing when a read tells of an index out of range', async (device) => {
    if (device.kind === 'cpu') return; // It tells at the call.
    const x = tensor([1, 2, 3]);
    const mask = tensor([true, false, true]);
    const wrong = tensor([0, 1, 9], { dtype: 'int32' });
    for (const f of [unique, nonzero, (bad: Tensor) => booleanMask(bad, mask)]) {
      const bad = gather(x, wrong);
      const { tensors } = device.memory();
      await rejects(f(bad) as Promise<unknown>, 'index', /gather: index 9/);
      assert.is(device.memory().tensors, tensors);
      bad.dispose();
    }
    for (const t of [x, mask, wrong]) t.dispose();
  });

  const steps = isLong ? 2000 : 200;
  test(`${steps} training steps keep memory flat after step 10`, async (device) => {
    setSeed(seed);
    const parameters = scope(() =>
      [[4, 16], [16], [16, 1], [1]].map((shape) => {
        const w = randomNormal(shape, 0, 0.5);
        w.requiresGrad = true;
        return w;
      }),
    );
    const [w1, b1, w2, b2] = parameters as [Tensor, Tensor, Tensor, Tensor];
    const x = randomNormal([32, 4]);
    const target = scope(() => sum(square(x), { axis: 1, keepDims: true }));
    const losses: number[] = [];
    let flat = device.memory();
    for (let step = 1; step <= steps; step++) {
      const loss = scope(() => {
        const hidden = matmul(x, w1, { bias: b1, activation: 'tanh' });
        const loss = mean(square(sub(add(matmul(hidden, w2), b2), target)));
        loss.backward();
        noGrad(() => {
          for (const w of parameters) {
            assign(w, sub(w, mul(w.grad as Tensor, 0.02)));
            w.grad = null;
          }
        });
        return loss.detach();
      });
      losses.push(await loss.item());
      loss.dispose();
      const now = device.memory();
      if (step <= 10) flat = now;
      assert.is(now.tensors, flat.tensors, `tensors at step ${step}`);
      assert.is(now.bytes, flat.bytes, `bytes at step ${step}`);
      if (step > 10) {
        assert.is(now.bufferBytes, flat.bufferBytes, `bufferBytes at step ${step}`);
        assert.is(now.bindGroups, flat.bindGroups, `bindGroups at step ${step}`);
      }
    }
    assert.ok(
      (losses.at(-1) as number) < 0.7 * (losses[0] as number),
      `loss ${losses[0]} → ${losses.at(-1)}`,
    );
    for (const t of [...parameters, x, target]) t.dispose();
  });

  /** Their cases drop other outputs, or build an input from the given one, as those of losses behind an activation do. */
  const COMPOSED = new Set(['concat', 'split', 'unstack', 'meshgrid', 'topk', 'cholesky']);

  test('outside of scopes an op leaves nothing alive but its result', async () => {
    const device = await open();
    const leaks: string[] = [];
    for (const { op, cases } of catalog) {
      if (COMPOSED.has(op)) continue;
      for (const { name, f, inputs } of cases) {
        if (name.startsWith('behind ')) continue;
        const operands = inputsOn(device, inputs);
        const { tensors } = device.memory();
        const result = f(...operands);
        result.dispose();
        const left = device.memory().tensors - tensors;
        if (left !== 0) leaks.push(`${op}, ${name}: ${left}`);
        for (const operand of operands) operand.dispose();
      }
    }
    assert.equal(leaks, []);
  });
}

const trimTest = suite('memory, trim');

/** A GPU device of the test's own; null where the device under test is none. */
async function freshGpu(): Promise<GpuDevice | null> {
  if ((await testDevice()).kind === 'cpu') return null;
  const device = await init({ adapter: (process.env.WGRAD_ADAPTER || 'swiftshader') as AdapterChoice });
  return device as GpuDevice;
}

trimTest('memory is given back also where an earlier index is told of', async () => {
  const device = await freshGpu();
  if (!device) return;
  await tensor([1]).data(); // Makes the buffer for readings, which stays.
  scope(() => void zeros([2 ** 20]));
  scope(() => void gather(zeros([4]), tensor([7], { dtype: 'int32' })));
  const { bufferBytes } = device.memory();
  await rejects(device.trim(), 'index', /gather: index 7/);
  const freed = bufferBytes - device.memory().bufferBytes;
  assert.ok(freed >= 4 * 2 ** 20, `${freed} bytes were given back`);
  await device.trim(); // It is told once.
  device.destroy();
});

trimTest('a device that is lost meanwhile says so', async () => {
  const device = await freshGpu();
  if (!device) return;
  scope(() => void gather(zeros([4]), tensor([7], { dtype: 'int32' })));
  const trimmed = device.trim();
  device.destroy();
  await rejects(trimmed, 'device-lost');
  await rejects(device.trim(), 'device-lost');
});
