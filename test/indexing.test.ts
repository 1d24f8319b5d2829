/** Indexing ops: literal values, late errors, gradients through repeated indices, determinism and cost. */
import * as assert from 'uvu/assert';
import { scatterKernel } from '../kernels/scatter.ts';
import {
  bincount,
  type Device,
  embedding,
  gather,
  gatherNd,
  grad,
  type HostArray,
  type Indices,
  indexPut,
  mul,
  oneHot,
  scatterAdd,
  scope,
  setDefaultDevice,
  sum,
  type Tensor,
  takeAlongAxis,
  tensor,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { uniforms } from './support/random.ts';
import { close, fails, rejects, resultOf, resultsOf } from './support/values.ts';

const int = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { dtype: 'int32' });
const matrix = (): Tensor =>
  tensor([
    [0, 1, 2],
    [10, 11, 12],
    [20, 21, 22],
    [30, 31, 32],
  ]);

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`indexing, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });
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

  // The numbers are those of NumPy's take, take_along_axis and add.at, which can be read off `matrix`.
  table('gather', [
    [
      () => gather(matrix(), [3, 0, -1]),
      [
        [30, 31, 32],
        [0, 1, 2],
        [30, 31, 32],
      ],
    ],
    [() => gather(matrix(), 1), [10, 11, 12]],
    [() => gather(matrix(), int(1)), [10, 11, 12]],
    [() => gather(matrix(), int([[1], [-4]]), 0), [[[10, 11, 12]], [[0, 1, 2]]]],
    [
      () => gather(matrix(), [2, -3], 1),
      [
        [2, 0],
        [12, 10],
        [22, 20],
        [32, 30],
      ],
    ],
    [() => gather(matrix(), Int32Array.of(2), -1), [[2], [12], [22], [32]]],
    [() => gather(matrix(), []), []],
    [() => gather(int([5, 6, 7]), [2, 2]), [7, 7]],
    [() => gather(tensor([true, false, true]), [1, 0]), [false, true]],
    [
      () =>
        embedding(
          matrix(),
          int([
            [0, 1],
            [1, 3],
          ]),
        ),
      [
        [
          [0, 1, 2],
          [10, 11, 12],
        ],
        [
          [10, 11, 12],
          [30, 31, 32],
        ],
      ],
    ],
  ]);

  table('takeAlongAxis and gatherNd', [
    [() => takeAlongAxis(matrix(), int([[2], [0], [-1], [1]]), 1), [[2], [10], [22], [31]]],
    [() => takeAlongAxis(matrix(), [[3, 0, 1]], 0), [[30, 1, 12]]],
    [
      () => takeAlongAxis(matrix(), [[3], [0]], 0),
      [
        [30, 31, 32],
        [0, 1, 2],
      ],
    ],
    [
      () =>
        gatherNd(
          matrix(),
          int([
            [3, 0],
            [0, -1],
          ]),
        ),
      [30, 2],
    ],
    [
      () => gatherNd(matrix(), [[-1], [0]]),
      [
        [30, 31, 32],
        [0, 1, 2],
      ],
    ],
    [() => gatherNd(matrix(), int([1, 1])), 11],
  ]);

  table('scatterAdd, indexPut, oneHot, bincount', [
    [
      () =>
        scatterAdd(
          zeros([3, 2]),
          int([2, 0, -1]),
          tensor([
            [1, 2],
            [3, 4],
            [5, 6],
          ]),
        ),
      [
        [3, 4],
        [0, 0],
        [6, 8],
      ],
    ],
    [() => scatterAdd(tensor([1, 2, 3]), [0, 0, 2], 10), [21, 2, 13]],
    [() => scatterAdd(tensor([[1, 2, 3]]), [2, 2], tensor([[10, 20]]), 1), [[1, 2, 33]]],
    [() => scatterAdd(int([1, 2]), [1], int([2147483647])), [1, -2147483647]],
    [() => indexPut(tensor([1, 2, 3]), [1, 1, 0], tensor([7, 8, 9])), [9, 8, 3]],
    [
      () =>
        indexPut(
          tensor([
            [1, 2],
            [3, 4],
          ]),
          int([1]),
          tensor([[0], [9]]),
          -1,
        ),
      [
        [1, 0],
        [3, 9],
      ],
    ],
    [() => indexPut(tensor([true, true]), [0], tensor([false])), [false, true]],
    [
      () => oneHot([1, 0, 2], 3),
      [
        [0, 1, 0],
        [1, 0, 0],
        [0, 0, 1],
      ],
    ],
    [() => oneHot(int([[0], [1]]), 2, { onValue: 0.75, offValue: 0.25 }), [[[0.75, 0.25]], [[0.25, 0.75]]]],
    [() => oneHot(2, 3), [0, 0, 1]],
    [() => bincount(int([0, 3, 3, 1, 3]), 5), [1, 1, 0, 3, 0]],
    [() => bincount([], 2), [0, 0]],
    [() => bincount([], 0), []],
    [() => bincount(int([]), 0), []],
    [() => oneHot([], 0), []],
    [() => oneHot(int([]), 2), []],
  ]);

  test('repeated rows get the sum of their gradients, overwritten ones none', async () => {
    const [dTable, dX, dValues] = await resultsOf(() => {
      const table = tensor(
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        { requiresGrad: true },
      );
      const used = embedding(table, int([2, 0, 2]));
      const weights = tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
      const [first] = grad(sum(mul(used, weights)), [table]);
      const x = tensor([1, 2, 3], { requiresGrad: true });
      const values = tensor([7, 8, 9], { requiresGrad: true });
      const put = indexPut(x, int([1, 1, 0]), values);
      const [second, third] = grad(sum(mul(put, tensor([1, 10, 100]))), [x, values]);
      return [first, second, third] as Tensor[];
    });
    close(dTable as never, [
      [3, 4],
      [0, 0],
      [6, 8],
    ]);
    close(dX as never, [0, 0, 100]);
    close(dValues as never, [0, 10, 1]);
  });

  test('host indices are checked at the call', () => {
    scope(() => {
      const x = matrix();
      fails(() => gather(x, [0, 4, 9]), 'index', /gather: index 4 at position 1 /, /-4 to 3/);
      fails(() => gather(x, [[0], [-5]]), 'index', /index -5 at position 1 /);
      fails(() => gather(x, 3, 1), 'index', /index 3 at position 0 /, /-3 to 2/);
      fails(() => embedding(x, [7]), 'index', /embedding: index 7/);
      fails(() => takeAlongAxis(x, [[3, 3, 4]], 0), 'index', /takeAlongAxis: index 4 at position 2/);
      fails(
        () =>
          gatherNd(x, [
            [0, 0],
            [3, 3],
          ]),
        'index',
        /gatherNd: index 3 at position 3 /,
        /-3 to 2/,
      );
      fails(() => scatterAdd(x, [-5], 1), 'index', /scatterAdd: index -5 at position 0/);
      fails(() => indexPut(x, [4], 1), 'index', /indexPut: index 4/);
      fails(() => oneHot([0, 2], 2), 'index', /oneHot: index 2 at position 1/);
      fails(() => bincount([3], 3), 'index', /bincount: index 3/, /valid are 0 to 2/);
      fails(() => oneHot([0, -1], 2), 'index', /oneHot: index -1 at position 1/, /valid are 0 to 1/);
      fails(() => bincount([2, -1], 3), 'index', /bincount: index -1 at position 1/, /valid are 0 to 2/);
      fails(() => oneHot([0], 0), 'index', /oneHot: index 0/);
      fails(() => gather(zeros([0, 2]), [0]), 'index', /gather: index 0/);
      fails(() => gather(x, [0.5]), 'dtype', /gather: index 0.5 at position 0/);
      fails(() => gather(x, [2 ** 40]), 'dtype', /gather/);
      fails(() => gather(x, 'first' as unknown as Indices), 'argument', /gather/);
    });
  });

  test('shapes and dtypes that do not fit are refused', () => {
    scope(() => {
      const x = matrix();
      fails(() => gather(x, tensor([1])), 'dtype', /gather: indices are float/, /cast/);
      fails(() => gather(x, int([0]), 2), 'shape', /gather: axis 2/);
      fails(() => gather(tensor(1), int([0])), 'shape', /gather/);
      fails(
        () => gather(zeros([1, 1, 1, 1, 1]), zeros([1, 1, 1, 1, 1], { dtype: 'int32' })),
        'shape',
        /rank 9/,
      );
      fails(() => takeAlongAxis(x, int([0]), 0), 'shape', /takeAlongAxis/, /\(4, 3\)/);
      fails(() => takeAlongAxis(x, zeros([2, 2], { dtype: 'int32' }), 0), 'shape', /takeAlongAxis/);
      fails(() => gatherNd(x, int([[0, 0, 0]])), 'shape', /gatherNd/, /1 to 2/);
      fails(() => gatherNd(x, int(0)), 'shape', /gatherNd/);
      fails(() => scatterAdd(x, int([0]), zeros([2, 3])), 'shape', /scatterAdd/, /\(1, 3\)/, /\(2, 3\)/);
      fails(() => scatterAdd(x, int([0]), int([[1, 2, 3]])), 'dtype', /scatterAdd/);
      fails(() => scatterAdd(tensor([true]), int([0]), tensor([true])), 'dtype', /bool/);
      fails(() => oneHot(int([0]), 1.5), 'argument', /oneHot: depth 1.5/);
      fails(() => bincount(int([0]), -1), 'argument', /bincount: size -1/);
      fails(() => oneHot(int([0, 0]), 0), 'argument', /oneHot: depth 0 leaves no place for 2 indices/);
      fails(() => bincount(int([0]), 0), 'argument', /bincount: size 0 leaves no place/);
      fails(() => oneHot([0], 1, { onValue: '1' as never }), 'argument', /oneHot: the value '1'/);
      fails(() => bincount(tensor([0]), 1), 'dtype', /bincount/);
    });
  });

  type Late = [
    op: string,
    f: (x: Tensor) => Tensor,
    value: number,
    position: number,
    limit: number,
    lowest?: number,
  ];
  const late: Late[] = [
    ['gather', (x) => gather(x, int([0, 1, 4, 2])), 4, 2, 4],
    ['gather', (x) => gather(x, int([[-4], [2]]), 1), -4, 0, 3],
    ['embedding', (x) => embedding(x, int([3, -5])), -5, 1, 4],
    ['takeAlongAxis', (x) => takeAlongAxis(x, int([[0, 3, 5]]), 0), 5, 2, 4],
    [
      'gatherNd',
      (x) =>
        gatherNd(
          x,
          int([
            [0, 0],
            [0, 3],
          ]),
        ),
      3,
      3,
      3,
    ],
    ['scatterAdd', (x) => scatterAdd(x, int([1, 17]), 1), 17, 1, 4],
    ['indexPut', (x) => indexPut(x, int([-2147483648]), 1), -2147483648, 0, 4],
    ['oneHot', () => oneHot(int([0, 1, 7]), 3), 7, 2, 3, 0],
    ['oneHot', () => oneHot(int([0, -1]), 3), -1, 1, 3, 0],
    ['bincount', () => bincount(int([0, 0, 0, 2]), 2), 2, 3, 2, 0],
    ['bincount', () => bincount(int([-2, 0]), 2), -2, 0, 2, 0],
  ];
  for (const [op, f, value, position, limit, lowest = -limit] of late) {
    test(`an index ${value} out of range is reported by the next readback of ${op}`, async () => {
      const message = new RegExp(
        `^${op}: index ${value} at position ${position} .* ${lowest} to ${limit - 1}\\b`,
      );
      await rejects((async () => resultOf(() => f(matrix())))(), 'index', message);
      close(await resultOf(() => gather(matrix(), int([1]))), [[10, 11, 12]]);
    });
  }

  test('only the first offence is told, and only once', async (device) => {
    const work = (): Promise<unknown> =>
      resultOf(() => {
        const first = gather(matrix(), int([50]));
        const second = embedding(matrix(), int([60]));
        return mul(first, second);
      });
    await rejects((async () => work())(), 'index', /gather: index 50/);
    await device.idle();
    close(await resultOf(() => mul(matrix(), 1)), await resultOf(matrix));
  });

  test('the backward pass does not report what the forward pass has', async (device) => {
    if (device.kind === 'cpu') return; // The forward pass has thrown.
    const table = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { requiresGrad: true },
    );
    const loss = scope(() => sum(embedding(table, int([0, 2]))));
    await rejects(loss.data(), 'index', /embedding: index 2 at position 1/);
    const gradient = scope(() => grad(loss, [table])[0] as Tensor);
    close(await gradient.array(), [
      [1, 1],
      [0, 0],
    ]);
    for (const t of [table, loss, gradient]) t.dispose();
  });

  test('elements at a bad index are NaN, the least int32 or false; others are right', async (device) => {
    if (device.kind === 'cpu') return; // It throws at the call.
    const results = scope(() => [
      gather(tensor([1, 2]), int([0, 2])),
      gather(int([1, 2]), int([-3, 1])),
      gather(tensor([true, true]), int([0, 9])),
      oneHot(int([0, 2]), 2),
      oneHot(int([-1, 1]), 2),
      bincount(int([-1, 1, 2]), 2),
      scatterAdd(tensor([1, 2]), int([2, 1]), 1),
    ]);
    await rejects(device.idle(), 'index', /gather: index 2 at position 1/);
    const [floats, ints, bools, hot, negative, counts, sums] = await Promise.all(
      results.map((result) => result.array()),
    );
    for (const result of results) result.dispose();
    assert.equal(floats, [1, Number.NaN]);
    assert.equal(ints, [-2147483648, 2]);
    assert.equal(bools, [true, false]);
    assert.equal(hot, [
      [1, 0],
      [Number.NaN, Number.NaN],
    ]);
    assert.equal(negative, [
      [Number.NaN, Number.NaN],
      [0, 1],
    ]);
    assert.equal(counts, [0, 1]);
    assert.equal(sums, [1, 3]);
  });
}

const test = suite('indexing, sums in order');

/** x[index[j]] += updates[j] one after another, in blocks of 32 and of 1024, each sum rounded to float32. */
function inOrder(indices: Int32Array, updates: Float32Array, rows: number, features: number): Float32Array {
  const [recent, block, total] = Array.from({ length: 3 }, () => new Float32Array(rows * features)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const move = (from: Float32Array, to: Float32Array, at: number): void => {
    to[at] = (to[at] as number) + (from[at] as number);
    from[at] = 0;
  };
  const counts = new Uint32Array(rows);
  indices.forEach((row, j) => {
    const count = (counts[row] as number) + 1;
    counts[row] = count;
    for (let i = 0; i < features; i++) {
      const at = row * features + i;
      recent[at] = (recent[at] as number) + (updates[j * features + i] as number);
      if (count % 32 === 0) move(recent, block, at);
      if (count % 1024 === 0) move(block, total, at);
    }
  });
  recent.forEach((_, at) => {
    move(recent, block, at);
    move(block, total, at);
  });
  return total;
}

test('all variants add bit for bit in the order of the updates', async () => {
  const device = await testDevice();
  if (device.kind === 'cpu') return;
  const next = uniforms(7);
  const [rows, m, features] = [37, 5000, 4];
  const indices = Int32Array.from({ length: m }, () => Math.floor(next() ** 3 * rows));
  const updates = Float32Array.from({ length: m * features }, () => (next() - 0.5) * 10 ** (6 * next()));
  const expected = inOrder(indices, updates, rows, features);
  for (const variant of scatterKernel.variants) {
    const inputs = [
      { shape: [rows, features], dtype: 'float32', data: new Float32Array(rows * features) },
      { shape: [m], dtype: 'int32', data: indices },
      { shape: [m, features], dtype: 'float32', data: updates },
    ] as const;
    const operands = inputs.map(({ shape, dtype, data }) => ({
      shape,
      dtype,
      storage: device.upload('test', dtype, data as HostArray),
    }));
    const attrs = { mode: 'take', axis: 0, op: 'add' } as const;
    const outputs = device.run('scatterAdd', scatterKernel, operands, attrs, { variant });
    const got = await Promise.all(outputs.map(({ storage }) => device.read(storage)));
    for (const { storage } of [...operands, ...outputs]) storage.release();
    assert.equal(got[0], expected, variant);
  }
});

test('4,096 updates of 64 features into a vocabulary of 10,000 take well below a second', async () => {
  const device = await testDevice();
  if (device.kind === 'cpu') return;
  setDefaultDevice(device);
  const next = uniforms(11);
  const indices = Int32Array.from({ length: 4096 }, () => Math.floor(next() * 10_000));
  const [table, tokens, updates] = scope(() => [
    zeros([10_000, 64]),
    tensor(indices),
    tensor(new Float32Array(4096 * 64).fill(1), { shape: [4096, 64] }),
  ]) as [Tensor, Tensor, Tensor];
  const run = (): Promise<unknown> => resultOf(() => sum(scatterAdd(table, tokens, updates)));
  await run(); // compiles
  const start = performance.now();
  const total = await run();
  const milliseconds = performance.now() - start;
  for (const t of [table, tokens, updates]) t.dispose();
  close(total as number, 4096 * 64);
  assert.ok(milliseconds < 1000, `${milliseconds.toFixed(0)} ms`);
});
