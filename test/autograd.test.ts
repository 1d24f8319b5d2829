/** The graph and the backward engine: values of gradients, and every error by its code. */
import * as assert from 'uvu/assert';
import { unaryKernel } from '../kernels/unary.ts';
import {
  AsyncCallbackError,
  add,
  apply,
  applyAll,
  assign,
  backward,
  CpuDevice,
  detectAnomaly,
  div,
  enableGrad,
  exp,
  grad,
  isGradEnabled,
  log,
  matmul,
  max,
  min,
  mul,
  noGrad,
  type Op,
  pow,
  reshape,
  runKernel1,
  scope,
  setDefaultDevice,
  sqrt,
  square,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, fails, line, rejects, resultOf, resultsOf } from './support/values.ts';

const leaf = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { requiresGrad: true });

/** The gradient as a tensor of its own, since the leaf takes `.grad` along. */
function gradOf(x: Tensor): Tensor {
  assert.ok(x.grad, 'there is a gradient');
  return (x.grad as Tensor).detach();
}

for (const [where, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`autograd, ${where}`);
  const test = (name: string, body: () => unknown): void =>
    inner(name, async () => {
      setDefaultDevice(await open());
      await body();
    });

  test('adds up the gradients of two backward calls, and grad = null clears them', async () => {
    const results = await resultsOf(() => {
      const x = leaf([1, 2, 3]);
      sum(square(x)).backward();
      const once = gradOf(x);
      sum(square(x)).backward();
      const twice = gradOf(x);
      x.grad = null;
      sum(x).backward();
      return [once, twice, gradOf(x)];
    });
    close(results, [
      [2, 4, 6],
      [4, 8, 12],
      [1, 1, 1],
    ]);
  });

  test('a tensor used several times gets the sum', async () => {
    close(
      await resultOf(() => {
        const x = leaf([1, -2, 3]);
        sum(add(add(mul(x, x), x), mul(x, x))).backward();
        return gradOf(x);
      }),
      [5, -7, 13],
    );
  });

  test('backward takes a gradient for outputs of several elements', async () => {
    close(
      await resultOf(() => {
        const x = leaf([1, 2]);
        backward(mul(x, 3), { gradient: tensor([10, 100]) });
        return gradOf(x);
      }),
      [30, 300],
    );
  });

  test('un-broadcasts', async () => {
    const [a, b, c, s] = await resultsOf(() => {
      const a = leaf([
        [1, 2, 3],
        [4, 5, 6],
      ]);
      const b = leaf([10, 20, 30]);
      const c = leaf([[1], [2]]);
      const s = leaf(2);
      sum(mul(mul(mul(a, b), c), s)).backward();
      return [a, b, c, s].map(gradOf);
    });
    close(a as number[][], [
      [20, 40, 60],
      [40, 80, 120],
    ]);
    close(b as number[], [18, 24, 30]);
    close(c as number[][], [[280], [640]]);
    close(s as number, 780);
  });

  test('retainGrad keeps the gradient of a value inside the graph', async () => {
    const [y, x] = await resultsOf(() => {
      const x = leaf([1, 2]);
      const y = mul(x, 3).retainGrad();
      const z = mul(x, 5);
      add(sum(square(y)), sum(z)).backward();
      assert.is(z.grad, null);
      return [gradOf(y), gradOf(x)];
    });
    close(y as number[], [6, 12]);
    close(x as number[], [23, 41]);
  });

  test('detach cuts the graph, noGrad records nothing, enableGrad records again', async () => {
    close(
      await resultOf(() => {
        const x = leaf([1, 2, 3]);
        const frozen = square(x).detach();
        assert.not(frozen.requiresGrad);
        assert.ok(frozen.isLeaf);
        noGrad(() => {
          assert.not(isGradEnabled());
          assert.not(square(x).requiresGrad);
          enableGrad(() => assert.ok(square(x).requiresGrad));
        });
        assert.ok(isGradEnabled());
        sum(mul(x, frozen)).backward();
        return gradOf(x);
      }),
      [1, 4, 9],
    );
  });

  test('noGrad ends when its body throws', () => {
    assert.throws(() =>
      noGrad(() => {
        throw new Error('mine');
      }),
    );
    assert.ok(isGradEnabled());
  });

  test('grad returns new tensors and leaves .grad alone', async () => {
    const results = await resultsOf(() => {
      const x = leaf([1, 2]);
      const y = leaf([3, 4]);
      const grads = grad(sum(mul(x, y)), [y, x]);
      assert.is(x.grad, null);
      assert.is(y.grad, null);
      return grads;
    });
    close(results, [
      [1, 2],
      [3, 4],
    ]);
  });

  test('grad of a value inside the graph', async () => {
    close(
      await resultsOf(() => {
        const x = leaf([1, 2]);
        const y = mul(x, 3);
        return grad(sum(square(y)), [y, x]);
      }),
      [
        [6, 12],
        [18, 36],
      ],
    );
  });

  test('grad sums over several outputs', async () => {
    close(
      await resultsOf(() => {
        const x = leaf([1, 2]);
        return grad([sum(square(x)), mul(x, 3)], [x], {
          gradients: [tensor(1), tensor([10, 20])],
        });
      }),
      [[32, 64]],
    );
  });

  test('an unused input is an error, or zeros with allowUnused', async () => {
    const results = await resultsOf(() => {
      const x = leaf([1, 2]);
      const unused = leaf([[1, 2, 3]]);
      fails(() => grad(sum(square(x)), [x, unused]), 'unused-input', /input 1/, /allowUnused/);
      return grad(sum(square(x)), [x, unused], { allowUnused: true });
    });
    close(results, [[2, 4], [[0, 0, 0]]]);
  });

  test('derivatives of x^4 up to the fourth', async () => {
    const results = await resultsOf(() => {
      const x = leaf(2);
      const found: Tensor[] = [];
      let y = pow(x, 4);
      for (let order = 1; order <= 4; order++) {
        y = grad(y, [x], { createGraph: true })[0] as Tensor;
        found.push(y);
      }
      return found;
    });
    close(results, [32, 48, 48, 24], 1e-5);
  });

  test('derivatives of exp(x·y) in both variables', async () => {
    const [fx, fxy, fxyy] = await resultsOf(() => {
      const x = leaf(0.5);
      const y = leaf(0.25);
      const fx = grad(exp(mul(x, y)), [x], { createGraph: true })[0] as Tensor;
      const fxy = grad(fx, [y], { createGraph: true })[0] as Tensor;
      return [fx, fxy, ...grad(fxy, [y])];
    });
    const e = Math.exp(0.125);
    close(fx as number, 0.25 * e);
    close(fxy as number, e * (1 + 0.125));
    close(fxyy as number, e * (0.5 * 1.125 + 0.5));
  });

  test('the gradient of a gradient norm through matmul and max', async () => {
    // f = Σ (W·x)², ∇x f = 2 WᵀW x, g = Σ (∇x f)², ∇x g = 8 (WᵀW)² x
    close(
      await resultOf(() => {
        const w = tensor([
          [1, 2],
          [0, 3],
        ]);
        const x = leaf([[1], [-1]]);
        const first = grad(sum(square(matmul(w, x))), [x], { createGraph: true })[0] as Tensor;
        sum(square(first)).backward();
        return gradOf(x);
      }),
      [[8 * (5 - 28)], [8 * (28 - 173)]],
      1e-5,
    );
    close(
      await resultOf(() => {
        const x = leaf([
          [1, 5, 5],
          [7, 2, 3],
        ]);
        sum(max(x, { axis: 1 })).backward();
        return gradOf(x);
      }),
      [
        [0, 1, 0],
        [1, 0, 0],
      ],
    );
  });

  test('createGraph keeps the graph; retainGraph allows another backward', async () => {
    close(
      await resultOf(() => {
        const x = leaf([3]);
        const y = sum(square(x));
        y.backward({ retainGraph: true });
        y.backward({ createGraph: true });
        y.backward();
        fails(() => y.backward(), 'graph-freed', /retainGraph/);
        return gradOf(x);
      }),
      [18],
    );
  });

  test('valueAndGrad takes plain tensors and leaves them plain', async () => {
    const results = await resultsOf(() => {
      const w = tensor([1, 2]);
      const b = leaf([3, 4]);
      const { value, grads } = valueAndGrad((u, v) => sum(mul(square(u), v)), [w, b]);
      assert.not(w.requiresGrad);
      assert.is(b.grad, null);
      assert.not(value.requiresGrad);
      return [value, ...grads];
    });
    close(results, [19, [6, 16], [1, 4]]);
    scope(() => {
      const whole = tensor([1, 2], { dtype: 'int32' });
      fails(() => valueAndGrad((x) => sum(x), [whole]), 'not-differentiable', /int32/);
    });
  });

  const cube: Op = {
    name: 'cube',
    forward: ([x]) => noGrad(() => mul(x as Tensor, square(x as Tensor))),
    saves: ([x], _outputs, [needed]) => [needed ? x : undefined],
    backward: ({ grad, saved: [x] }) => [() => mul(grad, mul(square(x as Tensor), 3))],
  };

  test('a custom op with saves and backward, twice differentiable', async () => {
    const results = await resultsOf(() => {
      const x = leaf([1, 2, -1]);
      const y = apply(cube, [x], undefined);
      const first = grad(sum(y), [x], { createGraph: true })[0] as Tensor;
      return [y, first, ...grad(sum(first), [x])];
    });
    close(results, [
      [1, 8, -1],
      [3, 12, 3],
      [6, 12, -6],
    ]);
  });

  test('a custom op that hands its input through, and one built on a kernel', async () => {
    const identity: Op = {
      name: 'identity',
      forward: ([x]) => x as Tensor,
      backward: ({ grad }) => [() => mul(grad, -1)],
    };
    const negated: Op = {
      name: 'negated',
      forward: ([x]) => runKernel1('negated', unaryKernel, [x as Tensor], { op: 'neg' }),
      backward: ({ grad }) => [() => mul(grad, -1)],
    };
    close(
      await resultsOf(() => {
        const x = leaf([1, 2]);
        const y = apply(negated, [apply(identity, [x], undefined)], undefined);
        return [y, ...grad(sum(mul(y, 5)), [x])];
      }),
      [
        [-1, -2],
        [5, 5],
      ],
    );
  });

  for (const createGraph of [false, true]) {
    const how = createGraph ? ', with createGraph' : '';

    test(`gradients share no memory, with each other or with the gradient passed in${how}`, async () => {
      close(
        await resultsOf(() => {
          const [a, b, c] = [leaf([1, 2]), leaf([3, 4]), leaf([5, 6])];
          const given = tensor([10, 20]);
          backward(sum(add(a, b)), { createGraph });
          noGrad(() => assign(a.grad as Tensor, Float32Array.of(7, 7)));
          backward(add(c, 1), { gradient: given, createGraph });
          noGrad(() => assign(c.grad as Tensor, Float32Array.of(0, 0)));
          return [gradOf(b), given];
        }),
        [
          [1, 1],
          [10, 20],
        ],
      );
    });

    test(`nor do those that grad() returns${how}`, async () => {
      close(
        await resultsOf(() => {
          const [a, b] = [leaf([1, 2]), leaf([3, 4])];
          const given = tensor([10, 20]);
          const middle = add(a, b);
          const gradients = grad(add(middle, 1), [middle, a, b], { gradients: [given], createGraph });
          gradients.forEach((gradient, index) => {
            assign(gradient, Float32Array.of(index, index));
          });
          return [...gradients, given];
        }),
        [
          [0, 0],
          [1, 1],
          [2, 2],
          [10, 20],
        ],
      );
    });
  }

  test('a rule may return one tensor for two inputs, or what it saved, backward after backward', async () => {
    const twin: Op = {
      name: 'twin',
      forward: ([a, b]) => add(a as Tensor, b as Tensor),
      backward({ grad }) {
        let both: Tensor | undefined;
        const once = (): Tensor => (both ??= mul(grad, 2));
        return [once, once];
      },
    };
    const product: Op = {
      name: 'product',
      forward: ([a, b]) => mul(a as Tensor, b as Tensor),
      saves: ([a, b]) => [a, b],
      backward: ({ saved: [a, b] }) => [() => b as Tensor, () => a as Tensor], // For a gradient of ones.
    };
    close(
      await resultsOf(() => {
        const [a, b] = [leaf([1, 2]), leaf([3, 4])];
        const first = sum(apply(twin, [a, b], undefined));
        first.backward({ retainGraph: true });
        first.backward({ retainGraph: true });
        const [c, d] = [leaf([1, 2]), leaf([3, 4])];
        const second = sum(apply(product, [c, d], undefined));
        second.backward({ retainGraph: true });
        noGrad(() => assign(c.grad as Tensor, Float32Array.of(0, 0)));
        second.backward({ retainGraph: true });
        return [gradOf(a), gradOf(b), gradOf(c), gradOf(d), c, d];
      }),
      [
        [4, 4],
        [4, 4],
        [3, 4],
        [2, 4],
        [1, 2],
        [3, 4],
      ],
    );
  });

  test('the gradient of an output that nobody used is zeros', async () => {
    const pair: Op = {
      name: 'pair',
      forward: ([x]) => [mul(x as Tensor, 2), mul(x as Tensor, 3)],
      backward: ({ grad, grads: [first, second] }) => {
        assert.is(first, undefined);
        return [() => add(mul(grad, 2), mul(second as Tensor, 3))];
      },
    };
    close(
      await resultOf(() => {
        const x = leaf([1, 2]);
        sum(applyAll(pair, [x], undefined)[1] as Tensor).backward();
        return gradOf(x);
      }),
      [3, 3],
    );
  });

  test('the gradient of max and min goes to the first NaN', async () => {
    const values = [
      [1, Number.NaN, 5, Number.NaN],
      [2, 8, 8, 0],
    ];
    close(
      await resultsOf(() =>
        [max, min].map((reduce) => {
          const x = leaf(values);
          sum(reduce(x, { axis: 1 })).backward();
          return gradOf(x);
        }),
      ),
      [
        [
          [0, 1, 0, 0],
          [0, 1, 0, 0],
        ],
        [
          [0, 1, 0, 0],
          [0, 0, 0, 1],
        ],
      ],
    );
  });

  test('grad passes by a part of the graph that was freed and is not needed', async () => {
    close(
      await resultsOf(() => {
        const [x, y] = [leaf([1, 2]), leaf([3, 4])];
        const used = square(x);
        sum(used).backward();
        const loss = sum(add(used, square(y)));
        fails(() => grad(loss, [x], { retainGraph: true }), 'graph-freed', /square/);
        return grad(loss, [y]);
      }),
      [[6, 8]],
    );
  });

  test('a chain of 3000 ops, forward, backward and disposal without recursion', async () => {
    const [value, gradient] = await resultsOf(() => {
      const x = leaf([1]);
      let y: Tensor = x;
      for (let index = 0; index < 3000; index++) y = index % 2 ? mul(y, 0.999) : add(y, 0);
      const value = y.detach();
      sum(y).backward();
      return [value, gradOf(x)];
    });
    close(value as number[], [0.999 ** 1500], 2e-4);
    close(gradient as number[], [0.999 ** 1500], 2e-4);
    const x = leaf([1]);
    let y = square(x);
    for (let index = 0; index < 3000; index++) {
      const next = square(y);
      y.dispose();
      y = next;
    }
    y.dispose(); // Only the last handle keeps the chain.
    x.dispose();
  });

  test('graph-freed', () =>
    scope(() => {
      const x = leaf([1, 2]);
      const y = square(x);
      sum(y).backward();
      fails(() => sum(y).backward(), 'graph-freed', /square/, /retainGraph/);
    }));

  test('saved-tensor-modified', async () => {
    const device = await open();
    scope(() => {
      const x = leaf([1, 2]);
      const y = sum(square(x));
      noGrad(() => assign(x, new Float32Array([5, 6])));
      fails(() => y.backward(), 'saved-tensor-modified', /square/, /overwritten/);
      const z = sum(exp(x));
      noGrad(() => assign(x, zeros([2], { device })));
      z.backward(); // exp saves its output.
    });
  });

  test('non-scalar-loss', () =>
    scope(() => {
      fails(() => mul(leaf([1, 2]), 2).backward(), 'non-scalar-loss', /\(2,?\)/, /sum\(\)/);
      fails(
        () => backward(mul(leaf([1, 2]), 2), { gradient: tensor([1, 2, 3]) }),
        'shape',
        /gradient has shape/,
      );
    }));

  test('gradient-shape', () =>
    scope(() => {
      const crooked: Op = {
        name: 'crooked',
        forward: ([x]) => noGrad(() => mul(x as Tensor, 2)),
        backward: () => [() => zeros([7])],
      };
      fails(
        () => sum(apply(crooked, [leaf([1, 2])], undefined)).backward(),
        'gradient-shape',
        /crooked/,
        /input 0/,
        /7/,
      );
    }));

  test('a gradient of another dtype or device is refused', () => {
    const other = new CpuDevice();
    const given = (make: () => Tensor): Op => ({
      name: 'crooked',
      forward: ([x]) => mul(x as Tensor, 2),
      backward: () => [make],
    });
    scope(() => {
      const x = leaf([1, 2]);
      const whole = tensor([1, 2], { dtype: 'int32' });
      const away = tensor([1, 2], { device: other });
      for (const gradient of [whole, away]) {
        fails(() => backward(mul(x, 2), { gradient }), 'dtype', /^backward:/);
        fails(() => grad(mul(x, 2), [x], { gradients: [gradient] }), 'dtype', /^grad:/);
        fails(() => (x.grad = gradient), 'dtype', /^grad:/);
      }
      assert.is(x.grad, null);
      const backwardOf = (make: () => Tensor) => () => sum(apply(given(make), [x], undefined)).backward();
      fails(
        backwardOf(() => whole),
        'gradient-dtype',
        /crooked/,
        /int32/,
      );
      fails(
        backwardOf(() => away),
        away.dtype === x.dtype ? 'gradient-device' : 'gradient-dtype',
        /crooked/,
      );
      assert.is(x.grad, null);
    });
    other.destroy();
  });

  test('no-grad', () =>
    scope(() => {
      fails(() => sum(tensor([1, 2])).backward(), 'no-grad', /sum/, /requiresGrad/);
      fails(() => tensor([1]).retainGrad(), 'no-grad');
      fails(() => grad(sum(leaf([1])), [tensor([1])]), 'no-grad');
      fails(() => noGrad(() => sum(leaf([1]))).backward(), 'no-grad', /noGrad/);
    }));

  test('not-a-leaf, not-differentiable, in-place-on-graph', () =>
    scope(() => {
      const x = leaf([1, 2]);
      fails(() => (square(x).requiresGrad = false), 'not-a-leaf', /square/, /detach/);
      fails(() => (tensor([true]).requiresGrad = true), 'not-differentiable', /bool/);
      fails(() => assign(x, new Float32Array(2)), 'in-place-on-graph', /noGrad/);
    }));

  test('promises from callbacks', async () => {
    for (const f of [noGrad, enableGrad, scope]) {
      assert.throws(
        () => f(async () => 1),
        (error: Error) => error instanceof AsyncCallbackError,
      );
    }
    assert.ok(isGradEnabled());
    await rejects(
      detectAnomaly(await open(), async () => 1),
      'async-callback',
      /detectAnomaly/,
    );
    assert.throws(
      () =>
        scope(async () => {
          const x = tensor([1]);
          await Promise.resolve();
          return mul(x, 2);
        }),
      (error: Error) => error instanceof AsyncCallbackError,
    );
    await new Promise((resolve) => setTimeout(resolve, 1));
  });

  test('device mismatch', () => {
    const other = new CpuDevice();
    scope(() => {
      fails(() => mul(tensor([1]), tensor([1], { device: other })), 'device-mismatch', /mul/, /to\(device\)/);
    });
    other.destroy();
  });

  test('a disposed tensor names op and creator', async () => {
    const x = scope(() => mul(tensor([1, 2]), 2));
    x.dispose();
    x.dispose();
    fails(() => add(x, 1), 'disposed', /^add:/, /made by mul/, /\(2,?\)/);
    await rejects(x.data(), 'disposed', /made by mul/);
    fails(() => reshape(x, [1, 2]), 'disposed', /^reshape:/);
    fails(() => matmul(x, x), 'disposed', /^matmul:/);
    fails(() => sum(x), 'disposed', /^sum:/);
  });

  test('detectAnomaly names the forward op and its line', async () => {
    const device = await open();
    const x = tensor([1, -1]);
    let at = 0;
    const found = detectAnomaly(device, () =>
      scope(() => {
        const y = mul(x, 2);
        at = line() + 1;
        const z = log(y);
        sum(z).dispose();
      }),
    );
    await rejects(
      found,
      'anomaly',
      /^log made the value NaN at element 1/,
      new RegExp(`autograd\\.test\\.ts:${at}:`),
    );
    x.dispose();
  });

  test('detectAnomaly names the backward op and both lines', async () => {
    const device = await open();
    const x = leaf([4, 0]);
    let forward = 0;
    let back = 0;
    const found = detectAnomaly(device, () =>
      scope(() => {
        forward = line() + 1;
        const y = sqrt(x);
        const loss = sum(y);
        back = line() + 1;
        loss.backward();
      }),
    );
    await rejects(
      found,
      'anomaly',
      /backward pass of sqrt/,
      /element 1/,
      new RegExp(`sqrt was called at [^;]*autograd\\.test\\.ts:${forward}:`),
      new RegExp(`backward was called at .*autograd\\.test\\.ts:${back}:`),
    );
    x.dispose();
  });

  test('item and array agree, also on a bool', async () => {
    await open();
    const [number, yes, no] = [tensor(2.5), tensor(true), tensor([[false]])];
    const [half, whole]: [number, boolean] = [await number.item(), await yes.item('bool')];
    assert.equal([half, whole, await no.item('bool')], [2.5, true, false]);
    assert.equal([await number.array(), await yes.array(), await no.array()], [2.5, true, [[false]]]);
    await rejects(yes.item(), 'dtype', /item: a bool/);
    await rejects(number.item('bool'), 'dtype', /item: a float/);
    for (const x of [number, yes, no]) x.dispose();
  });

  test('detectAnomaly returns the result of finite work', async () => {
    const result = await detectAnomaly(await open(), () => scope(() => div(tensor([1]), 2)));
    close(await result.array(), [0.5]);
    result.dispose();
  });
}
