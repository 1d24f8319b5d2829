/** Order along an axis, random order and results of a size that depends on the data, against literals. */
import * as assert from 'uvu/assert';
import {
  argsort,
  booleanMask,
  choice,
  type Device,
  Generator,
  grad,
  type NestedArray,
  nonzero,
  randomPermutation,
  scope,
  setDefaultDevice,
  sort,
  sum,
  type Tensor,
  tensor,
  topk,
  unique,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { close, fails, rejects, resultOf, resultsOf } from './support/values.ts';

/** Reads and disposes. */
async function taken(x: Tensor): Promise<NestedArray> {
  try {
    return await x.array();
  } finally {
    x.dispose();
  }
}

const int = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { dtype: 'int32' });
const NAN = Number.NaN;

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`sort, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  test('sort is stable in both directions, and NaN is last', async () => {
    close(await resultOf(() => sort(tensor([3, NAN, -1, Infinity, 2, -Infinity]))), [
      -Infinity,
      -1,
      2,
      3,
      Infinity,
      NAN,
    ]);
    close(await resultOf(() => argsort(tensor([2, NAN, 1, 2, NAN, 1, 0, -0]))), [6, 7, 2, 5, 0, 3, 1, 4]);
    close(
      await resultOf(() => argsort(tensor([2, NAN, 1, 2, NAN, 1]), { descending: true })),
      [0, 3, 2, 5, 1, 4],
    );
    close(
      await resultOf(() =>
        sort(
          int([
            [5, 2],
            [-7, 9],
          ]),
          { axis: 0, descending: true },
        ),
      ),
      [
        [5, 9],
        [-7, 2],
      ],
    );
    assert.equal(await resultOf(() => sort(tensor([]))), []);
  });

  test('a long row is sorted, stably', async () => {
    const n = 5003;
    const values = Array.from({ length: n }, (_, i) => (i * 7919) % 13);
    const positions = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number));
    assert.equal(await resultOf(() => argsort(tensor(values))), positions);
  });

  test('topk takes the first of equals', async () => {
    const [values, indices] = await resultsOf(() => {
      const best = topk(
        tensor([
          [1, 3, 3, NAN],
          [0, 0, 0, 0],
        ]),
        2,
      );
      return [best.values, best.indices];
    });
    close(values as NestedArray, [
      [3, 3],
      [0, 0],
    ]);
    close(indices as NestedArray, [
      [1, 2],
      [0, 1],
    ]);
    close(await resultOf(() => topk(tensor([4, 1, 2]), 2, { largest: false }).values), [1, 2]);
    close(await resultOf(() => topk(tensor([4, 1, 2]), 0).values), []);
    scope(() => {
      fails(() => topk(tensor([1, 2]), 3), 'argument', /topk/, /\(2,\)/);
      fails(() => sort(tensor(1)), 'shape', /sort/);
      fails(() => sort(tensor([true, false])), 'dtype', /sort/, /bool/);
    });
  });

  test('the gradient goes to the elements taken, the first of equals', async () => {
    const gradient = await resultOf(() => {
      const x = tensor([2, 1, 2, 0], { requiresGrad: true });
      return grad(topk(x, 2).values, [x], { gradients: [tensor([10, 20])] })[0] as Tensor;
    });
    close(gradient, [10, 0, 20, 0]);
    const one = await resultOf(() => {
      const x = tensor([2, 2, 1], { requiresGrad: true });
      return grad(topk(x, 1).values, [x], { gradients: [tensor([5])] })[0] as Tensor;
    });
    close(one, [5, 0, 0]);
  });

  test('nonzero', async () => {
    const x = tensor([
      [0, 1],
      [NAN, 0],
      [2, 3],
    ]);
    assert.equal(await taken(await nonzero(x)), [
      [0, 1],
      [1, 0],
      [2, 0],
      [2, 1],
    ]);
    x.dispose();
    const none = tensor([0, 0]);
    const empty = await nonzero(none);
    assert.equal(empty.shape, [0, 1]);
    empty.dispose();
    none.dispose();
  });

  test('booleanMask gathers elements and rows, with a gradient', async () => {
    const x = tensor(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      { requiresGrad: true },
    );
    const mask = tensor([true, false, true]);
    const rows = await booleanMask(x, mask);
    close(await rows.array(), [
      [1, 2],
      [5, 6],
    ]);
    const total = sum(rows);
    const [gradient] = grad(total, [x]) as [Tensor];
    close(await gradient.array(), [
      [1, 1],
      [0, 0],
      [1, 1],
    ]);
    const all = tensor([
      [true, false],
      [false, true],
      [true, true],
    ]);
    close(await taken(await booleanMask(x, all)), [1, 4, 5, 6]);
    const nothing = tensor([false, false, false]);
    const empty = await booleanMask(x, nothing);
    assert.equal(empty.shape, [0, 2]);
    const short = tensor([true, false]);
    await rejects(booleanMask(x, short), 'shape', /booleanMask/, /\(2,\)/);
    await rejects(booleanMask(x, x), 'dtype', /bool/);
    for (const t of [total, gradient, rows, all, nothing, empty, short, mask, x]) t.dispose();
  });

  test('unique', async () => {
    const x = tensor([
      [3, NAN, 1],
      [1, 3, NAN],
    ]);
    const { values, counts, inverse } = await unique(x, { returnInverse: true });
    close(await taken(values), [1, 3, NAN]);
    close(await taken(counts), [2, 2, 2]);
    close(await taken(inverse as Tensor), [
      [1, 2, 0],
      [0, 1, 2],
    ]);
    x.dispose();
    const none = tensor([]);
    const empty = await unique(none);
    assert.equal([empty.values.shape, empty.counts.shape, empty.inverse], [[0], [0], undefined]);
    for (const t of [none, empty.values, empty.counts]) t.dispose();
  });

  test('random orders hold each number once and are the same on every device', async () => {
    const draw = (device: Device): Promise<NestedArray[]> =>
      resultsOf(() => {
        const options = { device, generator: new Generator(3) };
        return [
          randomPermutation(1000, options),
          choice(10, [2, 3], options),
          choice(100, 7, { ...options, replace: false }),
          choice(4, 20, { ...options, p: [0, 1, 3, 0] }),
          choice(5, 3, { ...options, p: [1, 0, 2, 3, 0], replace: false }),
        ];
      });
    const here = await draw(await open());
    assert.equal(here, await draw(cpuDevice()));
    const [permutation, , distinct, weighted, few] = here as number[][];
    assert.is(new Set(permutation).size, 1000);
    assert.is.not(permutation?.[0], 0);
    assert.is(new Set(distinct).size, 7);
    assert.equal([...new Set(weighted)].sort(), [1, 2]);
    assert.equal([...(few as number[])].sort(), [0, 2, 3]);
  });

  test('choice draws rows, with the frequencies that are asked for', async () => {
    const rows = (await resultOf(() =>
      choice(
        tensor([
          [1, 2],
          [3, 4],
        ]),
        [5],
        { generator: new Generator(1) },
      ),
    )) as number[][];
    assert.is(rows.length, 5);
    for (const row of rows) assert.ok(row[0] === 1 ? row[1] === 2 : row[0] === 3 && row[1] === 4);
    const drawn = (await resultOf(() =>
      choice(3, 20000, { p: [1, 2, 5], generator: new Generator(5) }),
    )) as number[];
    // Five standard deviations of a share among 20,000 draws are below 0.018.
    [1, 2, 5].forEach((weight, value) => {
      const share = drawn.filter((v) => v === value).length / drawn.length;
      assert.ok(Math.abs(share - weight / 8) < 0.018, `${value} came with share ${share}`);
    });
    fails(() => choice(3, 4, { replace: false }), 'argument', /choice/, /4 of 3/);
    fails(() => choice(3, 1, { p: [1, 2] }), 'argument', /2 weights for 3/);
    fails(() => choice(2, 1, { p: [0, 0] }), 'argument', /weight above 0/);
    fails(() => choice(2, 1, { p: [-1, 2] }), 'argument', /weight 0 is -1/);
    fails(() => choice(0, 1), 'argument', /nothing/);
    fails(() => randomPermutation(1.5), 'argument', /1.5/);
  });
}
