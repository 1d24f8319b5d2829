/** Datasets: order, batches, positions, and who disposes what. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ArgumentError, add, cast, data, keep, mul, setSeed, type Tensor, tensor } from '../src/node.ts';
import { cpuDevice, isLong, seed, suite, testDevice } from './support/harness.ts';
import { close, fails, rejects } from './support/values.ts';

const test = suite('data');

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

async function list<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}

/** The same numbers by number and as a stream. */
const both = (count: number): [string, data.Dataset<number>][] => [
  ['array', data.from(numbers(count))],
  [
    'stream',
    data.from(function* () {
      yield* numbers(count);
    }),
  ],
];

test('arrays, collections, generators and streams', async () => {
  async function* stream() {
    yield* numbers(3);
  }
  const epochs: number[] = [];
  const sources: [data.Dataset<number>, number | undefined][] = [
    [data.from(numbers(3)), 3],
    [data.from(new Set(numbers(3))), 3],
    [data.from(stream), undefined],
    [data.from({ [Symbol.asyncIterator]: stream }), undefined],
    [
      data.from((epoch: number) => {
        epochs.push(epoch);
        return numbers(3);
      }),
      undefined,
    ],
  ];
  for (const [dataset, size] of sources) {
    assert.is(dataset.size, size);
    for (let round = 0; round < 2; round++) assert.equal(await list(dataset), [0, 1, 2]);
  }
  assert.equal(epochs, [0, 1]);
});

test('map, filter, take, skip, batch and repeat, by number and as a stream', async () => {
  for (const [kind, dataset] of both(7)) {
    const pairs: [unknown[], unknown[]][] = [
      [await list(dataset.map((x) => x * x)), [0, 1, 4, 9, 16, 25, 36]],
      [await list(dataset.map(async (x) => -x).take(2)), [-0, -1]],
      [await list(dataset.filter((x) => x % 2 === 1)), [1, 3, 5]],
      [await list(dataset.filter(async (x) => x > 4).map((x) => x + 1)), [6, 7]],
      [await list(dataset.take(3)), [0, 1, 2]],
      [await list(dataset.take(99)), numbers(7)],
      [await list(dataset.skip(5)), [5, 6]],
      [await list(dataset.skip(2).take(3).skip(1)), [3, 4]],
      [await list(dataset.take(2).repeat(3)), [0, 1, 0, 1, 0, 1]],
      [await list(dataset.repeat().skip(5).take(4)), [5, 6, 0, 1]],
      [(await list(dataset.batch(3))).map((batch) => [...batch.data]), [[0, 1, 2], [3, 4, 5], [6]]],
      [(await list(dataset.batch(3, { dropRemainder: true }))).length, 2] as never,
    ];
    for (const [actual, expected] of pairs) assert.equal(actual, expected, kind);
    const visited: [number, number][] = [];
    await dataset.take(2).forEach((x, index) => void visited.push([x, index]));
    assert.equal(visited, [
      [0, 0],
      [1, 1],
    ]);
    assert.equal([...(await dataset.arrays()).data], numbers(7));
  }
});

test('sizes are known where they can be', () => {
  const dataset = data.from(numbers(7));
  assert.equal(
    [
      dataset.batch(3).size,
      dataset.batch(3, { dropRemainder: true }).size,
      dataset.take(4).size,
      dataset.skip(4).size,
      dataset.repeat(2).size,
      dataset.repeat().size,
      dataset.shuffle().size,
      dataset.shuffle({ bufferSize: 2 }).size,
      dataset.filter(() => true).size,
      dataset.map(String).size,
    ],
    [3, 2, 4, 3, 14, Number.POSITIVE_INFINITY, 7, 7, undefined, 7],
  );
});

test('a shuffle is a permutation, reproducible, new in each epoch', async () => {
  const dataset = data.from(numbers(50));
  const shuffled = dataset.shuffle({ seed: 3 });
  const first = await list(shuffled);
  const second = await list(shuffled);
  assert.equal(
    [...first].sort((a, b) => a - b),
    numbers(50),
  );
  assert.not.equal(first, numbers(50));
  assert.not.equal(second, first);
  const again = dataset.shuffle({ seed: 3 });
  assert.equal([await list(again), await list(again)], [first, second]);
  assert.equal(await list(again.from({ epoch: 0, index: 0 })), first);
  assert.not.equal(await list(dataset.shuffle({ seed: 4 })), first);
  const fixed = dataset.shuffle({ seed: 3, reshuffle: false });
  assert.equal([await list(fixed), await list(fixed)], [first, first]);
  // Made with another Philox and another shuffle, in Python: a checkpoint of one version continues in the next.
  assert.equal(first.slice(0, 8), [10, 7, 44, 23, 27, 39, 42, 16]);
  const repeated = await list(dataset.shuffle({ seed: 3 }).repeat(2));
  assert.equal(repeated, [...first, ...second]);
  const later = shuffled.repeat(2).from({ epoch: 1, index: 0 });
  assert.equal(
    await list(later),
    (await Promise.all([2, 3].map((epoch) => list(shuffled.from({ epoch, index: 0 }))))).flat(),
  );
});

test('every position is equally likely', async () => {
  const runs = 2000;
  const counts = Array.from({ length: 4 }, () => new Array<number>(4).fill(0));
  for (let run = 0; run < runs; run++) {
    const order = await list(data.from(numbers(4)).shuffle({ seed: run }));
    order.forEach((value, place) => {
      const row = counts[value] as number[];
      row[place] = (row[place] as number) + 1;
    });
  }
  // Each count is binomial with p = 1/4; 5 standard deviations.
  const sigma = Math.sqrt(runs * 0.25 * 0.75);
  for (const count of counts.flat()) assert.ok(Math.abs(count - runs / 4) < 5 * sigma, String(counts));
});

test('without a seed the default generator decides', async () => {
  const draw = async (): Promise<number[][]> => {
    setSeed(11);
    const dataset = data.from(numbers(20));
    return [await list(dataset.shuffle()), await list(dataset.shuffle())];
  };
  const [a, b] = await draw();
  assert.not.equal(a, b);
  assert.equal(await draw(), [a, b]);
  assert.not.equal(await list(data.from(numbers(20)).shuffle({ seed: 11 })), a);
});

test('a window shuffles what it holds', async () => {
  for (const [kind, dataset] of both(30)) {
    const order = await list(dataset.shuffle({ seed: 1, bufferSize: 5 }));
    assert.equal(
      [...order].sort((a, b) => a - b),
      numbers(30),
      kind,
    );
    assert.not.equal(order, numbers(30));
    // An example leaves at the earliest when the window of 5 first reaches it.
    for (const [place, value] of order.entries()) assert.ok(value <= place + 5, `${value} at ${place}`);
  }
});

/** Pipelines of every kind of stage, over numbers. */
const pipelines: Record<string, (dataset: data.Dataset<number>) => data.Dataset<unknown>> = {
  plain: (d) => d,
  shuffle: (d) => d.shuffle({ seed: 5, bufferSize: 4 }).batch(3),
  map: (d) => d.map((x) => x + 1).batch(2),
  filter: (d) => d.filter((x) => x % 3 > 0).batch(2),
  repeat: (d) => d.shuffle({ seed: 2, bufferSize: 3 }).repeat(2).skip(1).batch(4),
  'repeat of a filter': (d) => d.filter((x) => x % 2 === 0).repeat(3),
  take: (d) => d.skip(1).take(8).batch(3, { dropRemainder: true }),
};

test('from any position the rest follows, as if there had been no break', async () => {
  const kinds = both(11).flatMap(([kind, dataset]) =>
    Object.entries(pipelines).map(([name, build]) => [`${kind}, ${name}`, () => build(dataset)] as const),
  );
  const whole = () => data.from(numbers(11)).shuffle({ seed: 9 }).batch(2);
  for (const [name, make] of [...kinds, ['whole shuffle', whole] as const]) {
    for (const epoch of [0, 1, 3]) {
      const all = await list(make().from({ epoch, index: 0 }));
      const iterator = make().from({ epoch, index: 0 });
      for (let index = 0; index <= all.length; index++) {
        assert.equal(iterator.position, { epoch, index }, name);
        assert.equal(await list(make().from(iterator.position)), all.slice(index), `${name} from ${index}`);
        await iterator.next();
      }
      assert.equal(iterator.position, { epoch: epoch + 1, index: 0 });
    }
  }
});

test('skipping to a position does not make the examples before it', async () => {
  let made = 0;
  const dataset = data.from(numbers(100)).map((x) => {
    made++;
    return x;
  });
  assert.equal(await list(dataset.from({ epoch: 0, index: 98 })), [98, 99]);
  assert.is(made, 2);
});

test('parts of a split share nothing and leave nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 4, max: 60 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
      fc.option(fc.nat(), { nil: undefined }),
      async (count, weights, drawn) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const shares = Object.fromEntries(weights.map((weight, index) => [`part${index}`, weight / total]));
        fc.pre(weights.every((weight) => (weight / total) * count >= 1));
        const parts = data.from(numbers(count)).split(shares, drawn === undefined ? {} : { seed: drawn });
        const contents = await Promise.all(Object.values(parts).map((part) => list(part)));
        contents.forEach((part, index) => {
          assert.ok(Math.abs(part.length - ((weights[index] as number) / total) * count) <= 1);
        });
        const joined = contents.flat();
        if (drawn === undefined) assert.equal(joined, numbers(count));
        else
          assert.equal(
            joined.sort((a, b) => a - b),
            numbers(count),
          );
      },
    ),
    { seed, numRuns: isLong ? 300 : 40 },
  );
  const { test: held, train } = data.from(numbers(100)).split({ train: 0.9, test: 0.1 }, { seed: 1 });
  const [one, two] = [await list(held), await list(held)];
  assert.equal(one, two);
  assert.not.equal(one, numbers(100).slice(90));
  // Shuffling a part mixes within it.
  assert.equal((await list(held.shuffle())).sort(), [...one].sort());
  assert.is(train.size, 90);
});

test('columns: nested and typed arrays, shapes, scales', async () => {
  const dataset = data.fromArrays({
    x: { data: Uint8Array.from(numbers(12)), shape: [3, 2, 2], scale: 0.5 },
    y: Int16Array.of(-1, 0, 1),
    z: [
      [0.5, 1],
      [1.5, 2],
      [2.5, 3],
    ],
    flag: [true, false, true],
    mask: { data: Uint8Array.of(1, 0, 1), dtype: 'bool' as const },
  });
  assert.is(dataset.size, 3);
  const [example] = await list(dataset.skip(1));
  assert.equal(
    [example?.x.shape, [...(example?.x.data ?? [])], example?.x.scale],
    [[2, 2], [4, 5, 6, 7], 0.5],
  );
  assert.equal([example?.y.shape, example?.y.dtype], [[], 'int32']);
  const { x, y, z, flag } = await dataset.skip(1).arrays();
  assert.equal([x.shape, x.dtype, x.scale, [...x.data]], [[2, 2, 2], 'uint8', 0.5, numbers(12).slice(4)]);
  assert.equal(
    [[...y.data], z.shape, [...z.data]],
    [
      [0, 1],
      [2, 2],
      [1.5, 2, 2.5, 3],
    ],
  );
  assert.equal([flag.dtype, [...flag.data]], ['bool', [0, 1]]);
  // Gathering rows and stacking examples are two ways to one batch.
  const order = dataset.shuffle({ seed: 1 });
  const gathered = await list(order.from({ epoch: 0, index: 0 }));
  assert.equal(await order.map((row) => row).arrays(), await order.arrays());
  assert.is(gathered.length, 3);
});

test('batches of numbers, flags, arrays, tuples and objects', async () => {
  const dataset = data.from([
    { a: 1, b: [Float32Array.of(1, 2), true] as const, c: [5, 6] },
    { a: 2, b: [Float32Array.of(3, 4), false] as const, c: [7, 8] },
  ]);
  const { a, b, c } = await dataset.arrays();
  assert.equal(a, { data: Float64Array.of(1, 2), shape: [2], dtype: 'float64' });
  assert.equal(b[0], { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2], dtype: 'float32' });
  assert.equal(b[1], { data: Uint32Array.of(1, 0), shape: [2], dtype: 'bool' });
  assert.equal(c, { data: Float64Array.of(5, 6, 7, 8), shape: [2, 2], dtype: 'float64' });
  const ragged = data.from([{ a: [1, 2] }, { a: [1, 2, 3] }]);
  await rejects(ragged.arrays(), 'shape', /example 1/, /\(3,\)/, /at a/, /map/);
  await rejects(data.from([{ a: 1 }, { b: 1 }] as object[]).arrays(), 'shape', /example 1/, /same parts/);
  await rejects(data.from([Float32Array.of(1), Int32Array.of(1)]).arrays(), 'dtype', /int32/, /float32/);
  await rejects(data.from(['text']).arrays(), 'argument', /'text'/);
  await rejects(data.from([Uint32Array.of(1)]).arrays(), 'dtype', /Uint32Array/, /bool/);
});

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const pixels = { data: Uint8Array.of(0, 51, 102, 255, 1, 2, 3, 4, 5, 6), shape: [5, 2], scale: 1 / 255 };
  const source = () => data.fromArrays({ x: pixels, y: Int32Array.of(0, 1, 2, 3, 4) });

  test(`tensors live until the next batch, ${name}`, async () => {
    const device = await open();
    const before = device.memory().tensors;
    const seen: Tensor[] = [];
    const sizes: number[] = [];
    for await (const { x, y } of source().batch(2).tensors({ device })) {
      assert.equal([x.dtype, y.dtype, x.shape.length], [device.float, 'int32', 2]);
      assert.ok(seen.every((old) => old.disposed));
      seen.push(x, y);
      sizes.push(device.memory().tensors - before);
      if (sizes.length === 1)
        close(await x.array(), [
          [0, 0.2],
          [0.4, 1],
        ]);
    }
    // Bytes and their staging are gone: two tensors at a time.
    assert.equal(sizes, [2, 2, 2]);
    assert.ok(seen.every((old) => old.disposed));
    assert.is(device.memory().tensors, before);
  });

  test(`a loop that is left early, and keep(), ${name}`, async () => {
    const device = await open();
    const before = device.memory().tensors;
    const batches = source().batch(2).tensors({ device });
    let kept: Tensor | undefined;
    for await (const { x } of batches) {
      kept = keep(x);
      break;
    }
    assert.is(device.memory().tensors, before + 1);
    close(await (kept as Tensor).array(), [
      [0, 0.2],
      [0.4, 1],
    ]);
    kept?.dispose();
    await rejects(
      batches.forEach(() => {
        throw new ArgumentError('reached');
      }),
      'argument',
      /reached/,
    );
    assert.is(device.memory().tensors, before);
  });

  test(`map and filter on a device leave nothing, ${name}`, async () => {
    const device = await open();
    const before = device.memory().tensors;
    const constant = tensor([10, 20], { device });
    const batches = source().batch(2).tensors({ device });
    const mapped = batches.map(({ x, y }) => ({ x: mul(add(x, 1), 2), y, constant }));
    let count = 0;
    for await (const { x, y, constant: same } of mapped) {
      count++;
      assert.is(same, constant);
      assert.is(device.memory().tensors, before + 3);
      assert.not(x.disposed || y.disposed);
    }
    assert.is(count, 3);
    assert.not(constant.disposed, 'what the user made stays');
    const dropped = batches.map(({ x }) => cast(x, 'int32')).filter((x) => x.shape[0] === 1);
    assert.equal(await list(dropped.map((x) => x.shape)), [[1, 2]]);
    await list(batches.shuffle({ bufferSize: 2, seed: 1 }).map(() => 0));
    for await (const _ of batches.shuffle({ bufferSize: 2, seed: 1 })) break;
    await list(
      batches
        .repeat(2)
        .filter(() => true)
        .skip(1)
        .repeat(2),
    );
    await list(batches.shuffle({ bufferSize: 2, seed: 1 }).from({ epoch: 0, index: 2 }));
    await list(
      batches
        .filter(() => true)
        .repeat(2)
        .from({ epoch: 0, index: 2 }),
    );
    await rejects(batches.batch(2).arrays(), 'argument', /\.tensors\(\)/);
    await rejects(
      list(
        batches.map(() => {
          throw new ArgumentError('reached');
        }),
      ),
      'argument',
      /reached/,
    );
    await rejects(
      list(
        batches.map(async () => {
          throw new ArgumentError('reached');
        }),
      ),
      'argument',
      /reached/,
    );
    await rejects(
      list(
        batches.filter(() => {
          throw new ArgumentError('reached');
        }),
      ),
      'argument',
      /reached/,
    );
    await rejects(
      list(batches.map(({ x }) => ({ x: add(x, 1), y: cast(add(x, 1), 'nothing' as never) }))),
      'dtype',
    );
    assert.is(device.memory().tensors, before + 1);
    constant.dispose();
  });

  test(`from tensors, which stay the user's, ${name}`, async () => {
    const device = await open();
    const x = tensor(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      { device },
    );
    const y = tensor([true, false, true], { device });
    const dataset = await data.fromTensors({ x, y });
    x.dispose();
    y.dispose();
    for await (const batch of dataset.skip(1).batch(2).tensors({ device })) {
      assert.equal(
        [await batch.x.array(), await batch.y.array()],
        [
          [
            [3, 4],
            [5, 6],
          ],
          [false, true],
        ],
      );
    }
    await rejects(data.fromTensors({ x }), 'disposed', /fromTensors/);
  });
}

test('an async map works on the host', async () => {
  const dataset = data.from(numbers(4)).map(async (x) => ({ x: Float32Array.of(x) }));
  assert.equal([...(await dataset.arrays()).x.data], numbers(4));
  const before = cpuDevice().memory().tensors;
  for await (const { x } of dataset.batch(2).tensors({ device: cpuDevice() })) assert.equal(x.shape, [2, 1]);
  assert.is(cpuDevice().memory().tensors, before);
});

test('wrong calls say what to change', async () => {
  const wrong = (value: unknown): never => value as never;
  const dataset = data.from(numbers(10));
  const cases: [() => unknown, string, ...RegExp[]][] = [
    [() => data.from([]), 'argument', /no examples/],
    [() => data.from(wrong(5)), 'argument', /5/, /iterable/],
    [
      () =>
        data.from(
          (function* () {
            yield 1;
          })(),
        ),
      'argument',
      /read once/,
      /function/,
    ],
    [() => data.fromArrays({}), 'argument', /at least one/],
    [() => data.fromArrays({ x: [] }), 'argument', /no rows/],
    [() => data.fromArrays({ x: [1, 2], y: Int32Array.of(1) }), 'shape', /y has 1 rows, x has 2/],
    [() => data.fromArrays({ x: [[1, 2], [3]] }), 'shape', /x\[1\]/, /\(2, 2\)/],
    [() => data.fromArrays({ x: ['a'] as never }), 'shape', /x\[0\]/],
    [() => data.fromArrays({ x: wrong(7) }), 'argument', /x is 7/],
    [
      () => data.fromArrays({ x: { data: Float32Array.of(1, 2), shape: [3] } }),
      'shape',
      /2 values/,
      /\(3,\)/,
    ],
    [() => data.fromArrays({ x: { data: Float32Array.of(1), shape: [] } }), 'shape', /first axis/],
    [() => data.fromArrays({ x: { data: Float32Array.of(1), scale: wrong('1') } }), 'argument', /scale/],
    [
      () => data.fromArrays({ x: { data: Uint8Array.of(1), scale: Number.NaN } }),
      'argument',
      /scale of x is NaN/,
    ],
    [() => data.fromArrays({ x: { data: Float32Array.of(1), dtype: 'int32' } }), 'argument', /Int32Array/],
    [
      () => data.fromArrays({ x: { data: Float32Array.of(1), type: 'int32' } as never }),
      'argument',
      /'type'/,
    ],
    [
      () => data.fromArrays({ x: Float32Array.of(1, Number.NaN) }, { check: true }),
      'argument',
      /NaN at row 1\./,
    ],
    [
      () =>
        data.fromArrays(
          {
            x: [
              [1, 2],
              [3, Infinity],
            ],
          },
          { check: true },
        ),
      'argument',
      /Infinity/,
      /row 1, column 1/,
    ],
    [() => data.fromArrays({ x: [1] }, wrong({ check: 'yes' })), 'argument', /check is 'yes'/],
    [() => data.fromArrays({ x: [1] }, wrong(null)), 'argument', /fromArrays: null stands/],
    [() => data.fromArrays({ x: [1] }, wrong({ nan: true })), 'argument', /'nan'/, /check/],
    [() => dataset.batch(0), 'argument', /size is 0/],
    [() => dataset.batch(1.5), 'argument', /1\.5/],
    [() => dataset.batch(11, { dropRemainder: true }), 'argument', /10 examples/],
    [() => dataset.batch(2, wrong({ drop: true })), 'argument', /'drop'/],
    [() => dataset.batch(2, wrong({ dropRemainder: 1 })), 'argument', /batch: dropRemainder is 1/],
    [() => dataset.batch(2, wrong(null)), 'argument', /batch: null stands/],
    [() => dataset.take(0), 'argument', /count is 0/],
    [() => dataset.skip(10), 'argument', /nothing is left/],
    [() => dataset.skip(-1), 'argument', /-1/],
    [() => dataset.repeat(0), 'argument', /count is 0/],
    [() => dataset.map(wrong(1)), 'argument', /map: 1/],
    [() => dataset.filter(wrong(null)), 'argument', /filter/],
    [() => dataset.shuffle({ seed: -1 }), 'argument', /seed -1/],
    [() => dataset.shuffle(wrong(5)), 'argument', /5 stands/],
    [() => dataset.shuffle(wrong({ seed: null })), 'argument', /shuffle: seed null/],
    [() => dataset.shuffle(wrong({ reshuffle: 'no' })), 'argument', /shuffle: reshuffle is 'no'/],
    [() => dataset.shuffle({ bufferSize: 0 }), 'argument', /bufferSize is 0/],
    [() => dataset.filter(() => true).shuffle(), 'argument', /bufferSize/],
    [() => dataset.repeat().shuffle(), 'argument', /bufferSize/],
    [() => dataset.split({ a: 0.5, b: 0.6 }), 'argument', /add up to 1\.1/],
    [() => dataset.split({}), 'argument', /add up to 0/],
    [() => dataset.split({ a: 1.5, b: -0.5 }), 'argument', /share of a is 1\.5/],
    [() => dataset.split({ a: 0.98, b: 0.02 }), 'argument', /for b/, /of 10/],
    [() => dataset.shuffle().split({ a: 0.5, b: 0.5 }), 'argument', /wander/, /seed/],
    [() => dataset.filter(() => true).split({ a: 1 }), 'argument', /stream/],
    [() => dataset.split({ a: 1 }, wrong({ seeds: 1 })), 'argument', /split: no option 'seeds'/],
    [() => dataset.split({ a: 1 }, wrong({ seed: 0.5 })), 'argument', /split: seed 0\.5/],
    [() => dataset.split({ a: Number.NaN, b: 1 }), 'argument', /share of a is NaN/],
    [() => dataset.split(wrong(null)), 'argument', /split: null/],
    [() => dataset.split(wrong(0.8)), 'argument', /0\.8/],
    [() => dataset.from({ epoch: 0, index: 11 }), 'argument', /index 11/, /10 examples/],
    [() => dataset.from({ epoch: -1, index: 0 }), 'argument', /epoch/],
    [() => dataset.tensors(wrong({ dev: 1 })), 'argument', /'dev'/],
  ];
  for (const [call, code, ...parts] of cases) fails(call, code, ...parts);
  await rejects(dataset.repeat().arrays(), 'argument', /no end/);
  await rejects(list(dataset.filter(() => false)), 'argument', /no examples/);
  await rejects(list(data.from(() => wrong(3))), 'argument', /returned 3/);
  await rejects(dataset.forEach(wrong('f')), 'argument', /forEach/);
  await rejects(list(dataset.batch(2).tensors({ device: wrong('gpu') })), 'argument', /device/);
  assert.equal(
    await list(
      data
        .from(numbers(2))
        .filter(() => false)
        .from({ epoch: 0, index: 1 }),
    ),
    [],
  );
});
