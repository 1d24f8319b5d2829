import * as assert from 'uvu/assert';
import {
  assign,
  broadcastTo,
  cast,
  concat,
  type Device,
  diag,
  diagonal,
  einsum,
  expandDims,
  flatten,
  flip,
  grad,
  meshgrid,
  mul,
  outer,
  pad,
  permute,
  repeat,
  reshape,
  roll,
  scope,
  setDefaultDevice,
  slice,
  split,
  squeeze,
  stack,
  sum,
  type Tensor,
  tensor,
  tensordot,
  tile,
  trace,
  tril,
  triu,
  unstack,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { numpyRows, type Row, sized } from './support/numpy-rows.ts';
import { close, fails, resultOf, resultsOf } from './support/values.ts';

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`structure, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  test("NumPy's values", async () => {
    const rows: Row[] = [];
    const results = scope(() => {
      rows.push(...numpyRows());
      return rows.map(([, body]) => body());
    });
    try {
      for (const [index, [title, , shape, values]] of rows.entries()) {
        const result = results[index] as Tensor;
        assert.equal([...result.shape], [...shape], title);
        assert.equal([...(await result.data())], [...values], title);
      }
    } finally {
      for (const result of results) result.dispose();
    }
  });

  test('concat and split take many tensors', async () => {
    for (const count of [7, 8, 49, 50, 120]) {
      const [joined, middle, back] = await resultsOf(() => {
        const parts = Array.from({ length: count }, (_, index) => tensor([[index], [-index]]));
        const all = concat(parts, 1);
        return [all, unstack(all, 1)[count >> 1] as Tensor, concat(split(all, count, 1), 1)];
      });
      const expected = Array.from({ length: count }, (_, index) => index);
      close(joined as never, [expected, expected.map((value) => -value)]);
      close(middle as never, [count >> 1, -(count >> 1)]);
      close(back as never, joined as never);
    }
  });

  test('int32 and bool', async () => {
    const int = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { dtype: 'int32' });
    const results = await resultsOf(() => {
      const large = int([2147483647, -2147483648]);
      const flags = tensor([true, false]);
      return [
        concat([large, int([5])]),
        pad(large, [1, 1], { value: -7 }),
        stack([flags, flip(flags)]),
        pad(flags, [0, 1], { value: 1 }),
        triu(
          int([
            [1, 2],
            [3, 4],
          ]),
        ),
        diag(large),
        einsum(
          'ij,j->i',
          int([
            [16777217, 1],
            [2, 3],
          ]),
          int([1, 2]),
        ),
        einsum(
          'ii',
          int([
            [1, 2],
            [3, 16777217],
          ]),
        ),
        tensordot(int([1, 2]), int([3, 4]), 1),
        tile(flags, 2),
        roll(large, 1),
      ];
    });
    assert.equal(results, [
      [2147483647, -2147483648, 5],
      [-7, 2147483647, -2147483648, -7],
      [
        [true, false],
        [false, true],
      ],
      [true, false, true],
      [
        [1, 2],
        [0, 4],
      ],
      [
        [2147483647, 0],
        [0, -2147483648],
      ],
      [16777219, 8],
      16777218,
      11,
      [true, false, true, false],
      [-2147483648, 2147483647],
    ]);
  });

  test('a NaN outside of a triangle is gone, inside it stays', async () => {
    const result = await resultOf(() =>
      tril(
        tensor([
          [Number.NaN, Number.NaN],
          [1, 2],
        ]),
      ),
    );
    assert.equal(result, [
      [Number.NaN, 0],
      [1, 2],
    ]);
  });

  test('extents of 0', () => {
    scope(() => {
      const empty = zeros([2, 0, 3]);
      const shapes = [
        concat([empty, empty], 1),
        stack([empty, empty]),
        split(empty, 2, 1)[0] as Tensor,
        slice(empty, [1]),
        flip(empty),
        roll(empty, 3),
        roll(empty, 1, 1),
        tile(empty, [1, 2, 2]),
        repeat(empty, 2, 2),
        repeat(zeros([3]), 0),
        triu(empty),
        diag(zeros([0])),
        diag(zeros([0, 3])),
        outer(zeros([0]), zeros([3])),
        einsum('aib,bc->aic', empty, zeros([3, 4])),
        pad(
          empty,
          [
            [0, 0],
            [0, 0],
            [1, 1],
          ],
          { mode: 'edge' },
        ),
      ].map(({ shape }) => [...shape]);
      assert.equal(shapes, [
        [2, 0, 3],
        [2, 2, 0, 3],
        [2, 0, 3],
        [1, 0, 3],
        [2, 0, 3],
        [2, 0, 3],
        [2, 0, 3],
        [2, 0, 6],
        [2, 0, 6],
        [0],
        [2, 0, 3],
        [0, 0],
        [0],
        [0, 3],
        [2, 0, 4],
        [2, 0, 5],
      ]);
      assert.equal(unstack(empty, 1), []);
    });
  });

  test('sums over nothing are 0, and padding of nothing is the value', async () => {
    const [contracted, padded, traced] = await resultsOf(() => [
      einsum('ij,jk->ik', zeros([2, 0]), zeros([0, 1])),
      pad(zeros([0]), [1, 1], { value: 4 }),
      trace(zeros([0, 2])),
    ]);
    assert.equal([contracted, padded, traced], [[[0], [0]], [4, 4], 0]);
  });

  test('gradients flow through empty parts and unused outputs', async () => {
    const [a, b, c] = await resultsOf(() => {
      const x = tensor([1, 2, 3, 4], { requiresGrad: true });
      const empty = tensor(new Float32Array(0), { requiresGrad: true });
      const [, middle] = split(x, [1, 2, 1]);
      const joined = concat([empty, middle as Tensor, x]);
      const weights = tensor([10, 20, 1, 2, 3, 4]);
      const [first, second] = grad(sum(mul(joined, weights)), [x, empty]);
      const nothing = sum(slice(x, [2], [2]));
      return [first as Tensor, second as Tensor, grad(nothing, [x])[0] as Tensor];
    });
    assert.equal([a, b, c], [[1, 12, 23, 4], [], [0, 0, 0, 0]]);
  });

  test('views share memory with their input; all else has its own, also where nothing changes', async () => {
    const views: Record<string, (x: Tensor) => Tensor> = {
      reshape: (x) => reshape(x, [4]),
      'reshape to the same': (x) => reshape(x, [2, 2]),
      flatten: (x) => flatten(x),
      expandDims: (x) => expandDims(x, 0),
      squeeze: (x) => squeeze(x),
      detach: (x) => x.detach(),
    };
    const copies: Record<string, (x: Tensor) => Tensor> = {
      tile: (x) => tile(x, 1),
      'tile to a higher rank': (x) => tile(x, [1, 1, 1]),
      repeat: (x) => repeat(x, 1, 0),
      'repeat, flattened': (x) => repeat(x, 1),
      roll: (x) => roll(x, 0, 0),
      'roll by the extent': (x) => roll(x, 2, 1),
      'roll, flattened': (x) => roll(x, 0),
      'pad, constant': (x) => pad(x, 0),
      'pad, edge': (x) => pad(x, 0, { mode: 'edge' }),
      'pad, reflect': (x) => pad(x, [0, 0], { mode: 'reflect' }),
      slice: (x) => slice(x, [null]),
      flip: (x) => flip(x, []),
      concat: (x) => concat([x]),
      split: (x) => split(x, 1)[0] as Tensor,
      stack: (x) => stack([x]),
      unstack: (x) => unstack(expandDims(x, 0))[0] as Tensor,
      meshgrid: (x) => meshgrid([reshape(x, [4])])[0] as Tensor,
      einsum: (x) => einsum('ij', x),
      permute: (x) => permute(x, [0, 1]),
      broadcastTo: (x) => broadcastTo(x, [2, 2]),
      diagonal: (x) => diagonal(reshape(x, [4, 1, 1]), 0, 1, 2),
      triu: (x) => triu(x, -1),
      sum: (x) => sum(x, { axis: [] }),
      cast: (x) => cast(x, 'float'),
    };
    for (const [kind, list] of Object.entries({ views, copies })) {
      for (const [title, body] of Object.entries(list)) {
        const x = tensor([
          [1, 2],
          [3, 4],
        ]);
        const y = scope(() => body(x));
        assert.equal([...(await y.data())], [1, 2, 3, 4], title);
        assign(y, new Float32Array(4).fill(9));
        assert.is((await x.data())[0], kind === 'views' ? 9 : 1, title);
        assign(x, new Float32Array(4).fill(5));
        assert.is((await y.data())[0], kind === 'views' ? 5 : 9, title);
        x.dispose();
        y.dispose();
      }
    }
    const [gradient] = await resultsOf(() => {
      const x = tensor([1, 2], { requiresGrad: true });
      return grad(sum(mul(tile(roll(x, 0), 1), tensor([3, 4]))), [x]) as Tensor[];
    });
    assert.equal(gradient, [3, 4]);
  });

  test('errors name the op and the way out', () => {
    scope(() => {
      const [m, v] = [sized(2, 3), sized(3)];
      const int = tensor([1, 2, 3], { dtype: 'int32' });
      fails(() => concat([]), 'argument', /concat: no tensors/);
      fails(() => concat([tensor(1)]), 'shape', /stack/);
      fails(() => concat([m, v]), 'shape', /tensor 1 has \(3,\)/);
      fails(() => concat([m, zeros([3, 2])], 1), 'shape', /axis 1 only/);
      fails(() => concat([v, int]), 'dtype', /tensor 1 is int32/);
      fails(() => concat([v], 1), 'shape', /concat: axis 1/);
      fails(() => stack([m, v]), 'shape', /stack: tensor 0/);
      fails(() => split(m, 2, 1), 'shape', /no 2 equal sections/);
      fails(() => split(m, [1, 1], 1), 'shape', /add up to 3/);
      fails(() => split(m, 0), 'argument', /sections/);
      fails(() => slice(m, [0, 0, 0]), 'shape', /3 axes/);
      fails(() => slice(m, [0], [1], [0]), 'argument', /step 0/);
      fails(() => slice(m, [0.5]), 'argument', /whole number/);
      fails(() => slice(m, { 0: 2 }), 'index', /slice: index 2/);
      fails(() => slice(m, { 1: [0], [-1]: [0] }), 'argument', /named twice/);
      const wrong = (value: unknown): never => value as never;
      fails(() => slice(m, wrong(1)), 'argument', /slice: 1 is no list/, /axis: position/);
      for (const starts of [undefined, null, '1', Int32Array.of(1), v, true])
        fails(() => slice(m, wrong(starts)), 'argument', /slice: .* is no list of starts/);
      for (const list of [1, '1', Int32Array.of(1), {}]) {
        fails(() => slice(m, [0], wrong(list)), 'argument', /slice: ends .* is no array/);
        fails(() => slice(m, [0], null, wrong(list)), 'argument', /slice: steps .* is no array/);
      }
      for (const bound of [0.5, Number.NaN, '1', true, 1n, {}]) {
        fails(() => slice(m, wrong([bound])), 'argument', /whole number/);
        fails(() => slice(m, [0], wrong([bound])), 'argument', /whole number/);
        fails(() => slice(m, { 0: wrong([0, bound]) }), 'argument', /whole number/);
      }
      fails(() => slice(m, { 0: [0, 1, 0] }), 'argument', /step 0/);
      fails(() => slice(m, { 0: 0.5 }), 'argument', /whole number/);
      fails(() => slice(m, { 0: wrong([0, 1, 1, 1]) }), 'argument', /4 numbers/);
      for (const range of [null, undefined, '0', Int32Array.of(0, 1)])
        fails(() => slice(m, { 0: wrong(range) }), 'argument', /axis 0 has/);
      for (const key of ['', 'rows', '0.5'])
        fails(() => slice(m, wrong({ [key]: 0 })), 'argument', /is no axis/);
      fails(() => slice(m, wrong({ 0: 0 }), [1]), 'argument', /ends and steps/);
      fails(() => pad(m, [[1, 1]]), 'shape', /1 pairs/);
      fails(() => pad(m, -1), 'argument', /slice/);
      fails(() => pad(v, 3, { mode: 'reflect' }), 'shape', /at most 2/);
      fails(() => pad(zeros([0]), 1, { mode: 'edge' }), 'shape', /at most 0/);
      fails(() => pad(int, 1, { value: 0.5 }), 'dtype', /0.5 does not fit into int32/);
      fails(() => pad(m, 1, { mode: 'wrap' as 'edge' }), 'argument', /no mode 'wrap'/);
      for (const mode of ['edge', 'reflect'] as const)
        fails(() => pad(m, 1, { mode, value: 0 }), 'argument', new RegExp(`value of 0 in mode '${mode}'`));
      fails(() => pad(m, 1, { value: wrong('0') }), 'argument', /'0' is no number/);
      fails(() => pad(m, wrong(undefined)), 'argument', /paddings undefined/);
      fails(() => pad(tensor(new Uint8Array(3)), 1), 'dtype', /^pad: packed uint8/);
      fails(() => tile(v, -1), 'argument', /tile/);
      fails(() => repeat(v, 1.5), 'argument', /repeat/);
      fails(() => roll(m, [1, 2, 3], [0, 1]), 'argument', /3 shifts for 2 axes/);
      fails(() => diag(sized(1, 2, 3)), 'shape', /diag/);
      fails(() => trace(v), 'shape', /trace/);
      fails(() => triu(v), 'shape', /triu/);
      fails(() => triu(m, 0.5), 'argument', /triu/);
      fails(() => diagonal(m, 0, 1, -1), 'argument', /named twice/);
      fails(() => meshgrid([m]), 'shape', /meshgrid/);
      fails(() => outer(v, int), 'dtype', /outer/);
      fails(() => tensordot(m, m, 1), 'shape', /differ in extent/);
      fails(
        () =>
          tensordot(m, m, [
            [0, 0],
            [0, 1],
          ]),
        'argument',
        /each axis once/,
      );
      fails(() => tensordot(v, m, 2), 'argument', /tensordot: 2 axes/);
      fails(() => einsum('ij,jk', m), 'argument', /names 2 operands, but 1/);
      fails(() => einsum('ij', v), 'shape', /names 2 axes for operand 0/);
      fails(() => einsum('i...jk', m), 'shape', /at least 3/);
      fails(() => einsum('ij,kj->ii', m, m), 'argument', /'i' twice/);
      fails(() => einsum('ij->k', m), 'argument', /'k', which no operand/);
      fails(() => einsum('ij,jk->ik', m, m), 'shape', /'j' is 3 and, in operand 1 of shape \(2, 3\), 2/);
      fails(() => einsum('i..j->i', m), 'argument', /no list of axes/);
      fails(() => einsum('ij->i->j', m), 'argument', /more than one/);
      fails(() => einsum('i1', m), 'argument', /'i1'/);
      fails(() => einsum('...j->j', m), 'argument', /lacks '...'/);
      fails(() => einsum('...,...', zeros([2]), zeros([3])), 'shape', /do not broadcast/);
      fails(() => einsum('i,i', v, int), 'dtype', /float64, int32|float32, int32/);
      fails(() => einsum('i->', tensor([true])), 'dtype', /bool/);
    });
  });
}
