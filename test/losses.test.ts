/** Losses against literals of PyTorch and of Keras' formulas, their weights, their edges and their errors. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import {
  type Device,
  grad,
  losses,
  mul,
  type NestedArray,
  oneHot,
  reshape,
  scope,
  setDefaultDevice,
  softmax,
  sum,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { both, type Listed, numbers, tensorOf } from './support/losses.ts';
import { close, fails, rejects, resultOf, resultsOf } from './support/values.ts';

interface Literal {
  readonly loss: keyof typeof losses;
  readonly options: losses.LossOptions;
  readonly yTrue: Listed;
  readonly integer: boolean;
  readonly yPred: Listed;
  readonly value: Listed;
  readonly weights: Listed;
  readonly gradTrue: Listed | null;
  readonly gradPred: Listed;
}

const literals = JSON.parse(
  readFileSync(new URL('literals/losses.json', import.meta.url), 'utf8'),
) as readonly Literal[];

type Loss = (yTrue: Tensor, yPred: Tensor, options?: object) => Tensor;

const flat = (nested: NestedArray): number[] => [nested].flat(8) as number[];

for (const [name, open, tolerance, rounding] of [
  // Nine digits in the file. In float32 elementary functions are off by some 1e-7, sums of a few terms by less than 1e-5,
  // and where terms near 1 cancel, or 1 − 1e-7 is cut to, one or two roundings of 6e-8 remain.
  ['device under test', testDevice, 1e-5, 1.2e-7],
  ['CPU', async () => cpuDevice(), 1e-6, 1e-12],
] as const) {
  const inner = suite(`losses, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  literals.forEach((literal, index) => {
    const { loss, options, yTrue, integer, yPred, value, weights, gradTrue, gradPred } = literal;
    test(`${loss} ${yPred.shape.join('×')} ${JSON.stringify(options)}, literal ${index}`, async () => {
      const results = await resultsOf(() => {
        const t = tensorOf(yTrue, gradTrue !== null, integer ? 'int32' : 'float');
        const p = tensorOf(yPred, true);
        const y = (losses[loss] as Loss)(t, p, options);
        const total = sum(mul(y, tensorOf(weights)));
        return [y.detach(), ...grad(total, gradTrue ? [p, t] : [p])];
      });
      const expected = [value, gradPred, ...(gradTrue ? [gradTrue] : [])];
      results.forEach((result, at) => {
        const { values } = expected[at] as Listed;
        const largest = Math.max(...values.map(Math.abs));
        const abs = Math.max(rounding, tolerance * Math.min(1, largest));
        close(flat(result), [...values], { abs, rel: tolerance });
      });
    });
  });

  test('labels out of range', async () => {
    const p = numbers([3, 4], 1, 0.1, 1);
    const call = (labels: Tensor | number[], options = {}): Tensor =>
      losses.sparseCategoricalCrossentropy(labels, tensorOf(p), {
        fromLogits: true,
        reduction: 'none',
        ...options,
      });
    for (const [labels, at] of [
      [[0, 4, 1], 1],
      [[0, 1, -1], 2],
      [[7, 0, 0], 0],
    ] as const) {
      fails(
        () => scope(() => call([...labels])),
        'index',
        new RegExp(`sparseCategoricalCrossentropy: index ${labels[at]} at position ${at}`),
        /valid are 0 to 3/,
      );
      for (const fromLogits of [true, false]) {
        await rejects(
          (async () => {
            const y = scope(() => call(tensor(Int32Array.from(labels)), { fromLogits }));
            try {
              await y.data();
            } finally {
              y.dispose();
            }
          })(),
          'index',
          new RegExp(`sparseCategoricalCrossentropy.*index ${labels[at]} at position ${at}`),
        );
      }
    }
    for (const make of [(list: number[]) => list, (list: number[]) => tensor(Int32Array.from(list))]) {
      const ignoring = await resultOf(() => call(make([2, -1, 3]), { ignoreClass: -1 }));
      assert.is((ignoring as number[])[1], 0);
    }
    fails(() => scope(() => call([2, -1, 9], { ignoreClass: -1 })), 'index', /index 9 at position 2/);
  });

  test('ignored samples do not count in the mean, and have no gradient', async () => {
    const p: Listed = { shape: [3, 2], values: [0.5, -0.5, Number.NaN, 1, 1, 3] };
    for (const fromLogits of [true, false]) {
      const [value, gradient] = await both((x) => {
        const own = fromLogits ? x : softmax(x).retainGrad();
        return losses.sparseCategoricalCrossentropy([0, 5, 1], own, { fromLogits, ignoreClass: 5 });
      }, p);
      close(value as number, (Math.log1p(Math.exp(-1)) + Math.log1p(Math.exp(-2))) / 2, { rel: tolerance });
      if (fromLogits) assert.equal((gradient as number[][])[1], [0, 0]);
    }
    const none = await resultOf(() =>
      losses.sparseCategoricalCrossentropy(
        [5, 5],
        tensor([
          [0.1, 0.2],
          [0.3, 0.4],
        ]),
        { ignoreClass: 5 },
      ),
    );
    assert.is(none, 0);
  });

  test('weights: by class, by sample, by place', async () => {
    const [t, p] = [numbers([3, 2, 4], 1, -1, 1), numbers([3, 2, 4], 2, -1, 1)];
    const mse = (options: losses.LossOptions): Promise<NestedArray> =>
      resultOf(() => losses.meanSquaredError(tensorOf(t), tensorOf(p), { reduction: 'none', ...options }));
    const plain = (await mse({})) as number[][];
    const times = (f: (row: number, column: number) => number): NestedArray =>
      plain.map((row, i) => row.map((value, j) => value * f(i, j)));
    close(
      await mse({ sampleWeight: [1, 2, 3] }),
      times((i) => i + 1),
      { rel: tolerance },
    );
    close(
      await mse({ sampleWeight: [[1], [2], [3]] }),
      times((i) => i + 1),
      { rel: tolerance },
    );
    close(
      await mse({ sampleWeight: [[1, 2]] }),
      times((_, j) => j + 1),
      { rel: tolerance },
    );
    close(
      await mse({ sampleWeight: [1, 2] }),
      times((_, j) => j + 1),
      { rel: tolerance },
    );
    close(
      await mse({ sampleWeight: 3 }),
      times(() => 3),
      { rel: tolerance },
    );
    close(
      await mse({
        sampleWeight: [
          [[1], [2]],
          [[3], [4]],
          [[5], [6]],
        ],
      }),
      times((i, j) => 2 * i + j + 1),
      {
        rel: tolerance,
      },
    );
    close(
      await mse({ mask: [true, false, true], sampleWeight: [2, 2, 2] }),
      times((i) => (i === 1 ? 0 : 2)),
      {
        rel: tolerance,
      },
    );
    const classes = await resultsOf(() => {
      const labels = tensor(Int32Array.of(2, 0, 1));
      const logits = tensorOf(numbers([3, 3], 4, -1, 1));
      const options = { fromLogits: true, reduction: 'none', classWeight: { 0: 3, 2: 0.5 } } as const;
      const one = { fromLogits: true, reduction: 'none', sampleWeight: [0.5, 3, 1] } as const;
      const hot = oneHot(labels, 3);
      const yesNo = tensor([[1], [0], [1]]);
      const answers = reshape(sum(logits, { axis: 1 }), [3, 1]);
      return [
        losses.sparseCategoricalCrossentropy(labels, logits, options),
        losses.sparseCategoricalCrossentropy(labels, logits, one),
        losses.categoricalCrossentropy(hot, logits, options),
        losses.categoricalCrossentropy(hot, logits, one),
        losses.binaryCrossentropy(yesNo, answers, { ...options, classWeight: [3, 0.5] }),
        losses.binaryCrossentropy(yesNo, answers, { ...one, sampleWeight: [0.5, 3, 0.5] }),
      ];
    });
    for (let at = 0; at < classes.length; at += 2)
      close(classes[at] as NestedArray, classes[at + 1] as NestedArray, { rel: tolerance });
  });

  test('masked samples may hold anything', async () => {
    const result = await resultOf(() =>
      losses.meanAbsoluteError(tensor([[1], [Number.NaN], [3]]), tensor([[2], [1], [1]]), {
        mask: [1, 0, 1],
      }),
    );
    close(result, 1.5, { rel: tolerance });
  });

  test('masked samples get no gradient, whatever they hold', async () => {
    const p: Listed = { shape: [2, 2], values: [Number.NaN, 1, 0, 0] };
    const mask = { fromLogits: true, mask: [0, 1] };
    const gradients = [
      await both((x) => losses.sparseCategoricalCrossentropy([0, 1], x, mask), p),
      await both((x) => losses.categoricalCrossentropy(oneHot([0, 1], 2), x, mask), p),
      await both((x) => losses.binaryCrossentropy(oneHot([0, 1], 2), x, mask), p),
    ].map(([, gradient]) => flat(gradient as NestedArray));
    close(gradients[0] as number[], [0, 0, 0.5, -0.5], { rel: tolerance });
    close(gradients[1] as number[], [0, 0, 0.5, -0.5], { rel: tolerance });
    close(gradients[2] as number[], [0, 0, 0.25, -0.25], { rel: tolerance });
    const steps: Listed = { shape: [2, 1, 2], values: [0, 0, 0, 0] };
    const [value, gradient] = await both(
      (x) =>
        losses.ctc(
          [
            [1, 1],
            [1, 0],
          ],
          x,
          { mask: [0, 1] },
        ),
      steps,
    );
    close(value as number, Math.LN2, { rel: tolerance });
    close(flat(gradient as NestedArray), [0, 0, 0.5, -0.5], { rel: tolerance });
  });

  test('nothing at all costs nothing', async () => {
    const empty = (shape: number[]): Tensor => tensor(new Float32Array(0), { shape });
    assert.is(await resultOf(() => losses.meanSquaredError(empty([0, 3]), empty([0, 3]))), 0);
    assert.equal(
      await resultOf(() =>
        losses.categoricalCrossentropy(empty([0, 3]), empty([0, 3]), { fromLogits: true, reduction: 'none' }),
      ),
      [],
    );
  });

  test('CTC without an alignment', async () => {
    const p: Listed = { shape: [2, 2, 3], values: [0, 1, 2, 2, 1, 0, 0, 0, 0, 1, 1, 1] };
    const labels = [
      [1, 1],
      [2, 0],
    ];
    const [value, gradient] = await both((x) => losses.ctc(labels, x, { reduction: 'none' }), p);
    assert.is((value as number[])[0], Infinity);
    assert.ok(Number.isFinite((value as number[])[1]));
    assert.ok(flat((gradient as NestedArray[])[0] as NestedArray).every(Number.isNaN));
    assert.ok(flat((gradient as NestedArray[])[1] as NestedArray).every(Number.isFinite));
    const [forgiven, none] = await both(
      (x) => losses.ctc(labels, x, { reduction: 'none', zeroInfinity: true }),
      p,
    );
    assert.is((forgiven as number[])[0], 0);
    assert.ok(flat((none as NestedArray[])[0] as NestedArray).every((g) => g === 0));
  });

  test('CTC of labels and lengths out of range', async () => {
    const logits = (): Tensor => tensorOf(numbers([2, 5, 3], 1, -1, 1));
    const cases: [options: losses.CtcOptions, labels: number[][], message: RegExp][] = [
      [
        {},
        [
          [1, 3],
          [1, 2],
        ],
        /index 3 at position 1 is out of range; valid are 0 to 2/,
      ],
      [
        { inputLength: [5, 6] },
        [
          [1, 2],
          [1, 2],
        ],
        /index 6 at position 1 is out of range; valid are 0 to 5/,
      ],
      [
        { labelLength: [3, 1] },
        [
          [1, 2],
          [1, 2],
        ],
        /index 3 at position 0 is out of range; valid are 0 to 2/,
      ],
    ];
    for (const [options, labels, message] of cases) {
      fails(() => scope(() => losses.ctc(labels, logits(), options)), 'index', /^ctc/, message);
      await rejects(
        (async () => {
          const y = scope(() => {
            const own = Object.entries(options).map(([key, list]) => [
              key,
              tensor(Int32Array.from(list as number[])),
            ]);
            return losses.ctc(tensor(labels, { dtype: 'int32' }), logits(), {
              ...Object.fromEntries(own),
              reduction: 'none',
            });
          });
          try {
            await y.data();
          } finally {
            y.dispose();
          }
        })(),
        'index',
        message,
      );
    }
  });

  test('CTC refuses a second derivative', () => {
    scope(() => {
      const x = tensorOf(numbers([1, 4, 3], 1, -1, 1), true);
      const [first] = grad(losses.ctc([[1, 2]], x), [x], { createGraph: true });
      fails(() => grad(sum(first as Tensor), [x]), 'second-order', /^ctc: /);
    });
  });

  test('calls that are wrong', () => {
    scope(() => {
      const { categoricalCrossentropy, sparseCategoricalCrossentropy, binaryCrossentropy, meanSquaredError } =
        losses;
      const p = tensor([
        [0.1, 0.2, 0.3],
        [0.4, 0.5, 0.6],
      ]);
      const labels = tensor(Int32Array.of(0, 1));
      fails(() => categoricalCrossentropy(labels, p), 'dtype', /int32/, /sparseCategoricalCrossentropy/);
      fails(
        () => categoricalCrossentropy(tensor([0, 1]), p),
        'shape',
        /\(2,\)/,
        /\(2, 3\)/,
        /sparseCategorical/,
      );
      fails(() => sparseCategoricalCrossentropy(tensor([0, 1]), p), 'dtype', /float/, /cast/);
      fails(
        () => sparseCategoricalCrossentropy([0, 1, 2], p),
        'shape',
        /\(3,\)/,
        /\(2, 3\)/,
        /pass labels of shape \(2,\)/,
      );
      fails(() => binaryCrossentropy(labels, p), 'dtype', /yTrue is int32/, /cast/);
      fails(() => meanSquaredError(tensor([[1, 2]]), p), 'shape', /\(1, 2\)/, /\(2, 3\)/);
      fails(() => meanSquaredError(tensor(1), tensor(2)), 'shape', /batch/);
      fails(
        () => categoricalCrossentropy(p, p, { labelSmoothing: 1 }),
        'argument',
        /labelSmoothing is 1.*\[0, 1\)/,
      );
      fails(() => binaryCrossentropy(p, p, { labelSmoothing: -0.1 }), 'argument', /labelSmoothing/);
      fails(
        () => meanSquaredError(p, p, { reduction: 'mean' as 'sum' }),
        'argument',
        /reduction 'mean'/,
        /sumOverBatchSize/,
      );
      fails(
        () => meanSquaredError(p, p, { fromLogits: true } as object),
        'argument',
        /no option 'fromLogits'/,
      );
      fails(() => meanSquaredError(p, p, { sampleWeight: [1, 2, 3] }), 'shape', /\(3,\)/, /\(2,\)/);
      fails(() => meanSquaredError(p, p, { sampleWeight: [1, -2] }), 'argument', /sampleWeight\[1\] is -2/);
      fails(() => meanSquaredError(p, p, { sampleWeight: labels }), 'dtype', /int32/, /cast/);
      fails(() => meanSquaredError(p, p, { mask: [[true, true, true]] }), 'shape', /mask/);
      fails(
        () => categoricalCrossentropy(p, p, { classWeight: { 3: 1 } }),
        'argument',
        /the class 3; there are 3/,
      );
      fails(
        () => categoricalCrossentropy(p, p, { classWeight: { 1: -1 } }),
        'argument',
        /classWeight of 1 is -1/,
      );
      fails(
        () => losses.ctc([[1]], tensor([[[1, 2]]]), { classWeight: [1] } as object),
        'argument',
        /classWeight/,
      );
      fails(() => losses.ctc([[1]], p), 'shape', /\(2, 3\)/, /time/);
      fails(() => losses.ctc([[1]], tensor([[[1, 2]]]), { blank: 2 }), 'argument', /blank 2/);
      fails(() => losses.ctc([1], tensor([[[1, 2]]])), 'shape', /\(1,\)/, /longest/);
      fails(() => losses.huber(p, p, { delta: 0 }), 'argument', /delta is 0/);
      fails(
        () => meanSquaredError([1] as unknown as Tensor, p),
        'argument',
        /^meanSquaredError: .*not a tensor/,
      );
    });
  });
}
