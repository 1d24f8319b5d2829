/** Convolutions: extents by the rules of Keras, and wrong calls. Shapes alone matter, so the CPU device will do. */
import * as assert from 'uvu/assert';
import * as w from '../src/node.ts';
import { scope, type Tensor } from '../src/node.ts';
import { cpuDevice, suite } from './support/harness.ts';
import { fails } from './support/values.ts';

const test = suite('convolution, extents and wrong calls');

const made = (shape: readonly number[]): Tensor => w.ones(shape, { device: cpuDevice() });
const extents = (call: () => Tensor): number[] => scope(() => [...call().shape]);

test('extents of every padding', () => {
  const conv1d = (steps: number, taps: number, options: w.ConvOptions): number =>
    extents(() => w.conv1d(made([1, steps, 1]), made([taps, 1, 1]), options))[1] as number;
  assert.is(conv1d(10, 3, {}), 8);
  assert.is(conv1d(10, 3, { strides: 3 }), 3);
  assert.is(conv1d(10, 3, { strides: 3, padding: 'same' }), 4);
  assert.is(conv1d(10, 3, { strides: 3, padding: 'causal' }), 4);
  assert.is(conv1d(10, 3, { dilationRate: 4 }), 2);
  assert.is(conv1d(10, 3, { dilationRate: 4, padding: 'same' }), 10);
  assert.is(conv1d(10, 3, { padding: 2 }), 12);
  assert.is(conv1d(10, 3, { padding: [[0, 3]] }), 11);
  assert.is(conv1d(10, 3, { padding: [1], strides: 2 }), 5);
});

test('extents of transposed convolutions are those of Keras', () => {
  const transposed = (steps: number, taps: number, options: w.ConvTransposeOptions): number =>
    extents(() => w.conv1dTranspose(made([1, steps, 1]), made([taps, 1, 1]), options))[1] as number;
  assert.is(transposed(4, 3, {}), 6);
  assert.is(transposed(4, 3, { strides: 2 }), 9);
  assert.is(transposed(4, 2, { strides: 3 }), 12);
  assert.is(transposed(4, 2, { strides: 3, outputPadding: 0 }), 11);
  assert.is(transposed(4, 3, { strides: 2, padding: 'same' }), 8);
  assert.is(transposed(4, 3, { strides: 2, padding: 'same', outputPadding: 0 }), 7);
  assert.is(transposed(4, 4, { strides: 2, padding: 'same', outputPadding: 1 }), 7);
  assert.is(transposed(4, 3, { strides: 2, padding: 'same', dilationRate: 3 }), 8);
  assert.is(transposed(4, 3, { strides: 2, padding: 1, outputPadding: 1 }), 8);
  assert.is(transposed(4, 3, { padding: [[0, 2]] }), 4);
});

const x2 = (): Tensor => made([2, 5, 4, 6]);
const f2 = (): Tensor => made([3, 3, 6, 4]);
// biome-ignore lint/suspicious/noExplicitAny: what no type checker would let through, but JavaScript does.
const wrong = (value: unknown): any => value;

type Row = readonly [call: () => unknown, code: string, ...parts: RegExp[]];
const rows: readonly Row[] = [
  [() => w.conv2d(made([5, 4, 6]), f2()), 'shape', /conv2d/, /\(5, 4, 6\)/, /height/, /expandDims/],
  [() => w.conv1d(x2(), f2()), 'shape', /conv1d/, /\(2, 5, 4, 6\)/, /steps/],
  [() => w.conv3d(x2(), f2()), 'shape', /conv3d/, /depth, height, width/],
  [() => w.conv2d(x2(), made([3, 6, 4])), 'shape', /conv2d/, /filter/, /\(3, 6, 4\)/],
  [() => w.conv2d(x2(), made([0, 3, 6, 4])), 'shape', /conv2d/, /no taps/, /\(0, 3, 6, 4\)/],
  [
    () => w.conv2d(x2(), made([3, 3, 5, 4])),
    'shape',
    /conv2d/,
    /\(2, 5, 4, 6\)/,
    /\(3, 3, 5, 4\)/,
    /must be 6/,
  ],
  [() => w.conv2d(x2(), f2(), { groups: 2 }), 'shape', /conv2d/, /2 groups/, /must be 3/],
  [() => w.conv2d(x2(), f2(), { groups: 4 }), 'shape', /conv2d/, /6 channels and 4 filters/, /4 groups/],
  [() => w.conv2d(x2(), made([3, 3, 2, 4]), { groups: 3 }), 'shape', /conv2d/, /4 filters/],
  [() => w.conv2d(x2(), f2(), { groups: 0 }), 'argument', /conv2d/, /groups is 0/],
  [() => w.conv2d(x2(), f2(), { groups: 1.5 }), 'argument', /conv2d/, /1\.5/],
  [
    () => w.conv2d(x2(), made([3, 5, 6, 4])),
    'shape',
    /conv2d/,
    /width/,
    /spans 5/,
    /4 \(0 \+ 4 \+ 0\)/,
    /'same'/,
  ],
  [
    () => w.conv2d(x2(), f2(), { dilationRate: 3, padding: [0, 9] }),
    'shape',
    /height/,
    /spans 7/,
    /dilationRate 3/,
  ],
  [() => w.conv1d(made([1, 0, 1]), made([1, 1, 1])), 'shape', /conv1d/, /steps/, /0 \+ 0 \+ 0/],
  [() => w.conv2d(x2(), f2(), { strides: 0 }), 'argument', /conv2d/, /strides is 0/, /≥ 1/],
  [() => w.conv2d(x2(), f2(), { strides: [1] }), 'argument', /conv2d/, /strides is \[1\]/, /height, width/],
  [() => w.conv2d(x2(), f2(), { strides: [1, 1.5] }), 'argument', /conv2d/, /1\.5/],
  [() => w.conv2d(x2(), f2(), { strides: wrong('2') }), 'argument', /conv2d/, /'2'/],
  [() => w.conv2d(x2(), f2(), { strides: wrong(null) }), 'argument', /conv2d/, /null/],
  [() => w.conv2d(x2(), f2(), { dilationRate: -1 }), 'argument', /conv2d/, /dilationRate is -1/],
  [() => w.conv2d(x2(), f2(), { padding: 'causal' }), 'argument', /conv2d/, /'causal'/, /conv1d/],
  [() => w.conv2d(x2(), f2(), { padding: wrong('full') }), 'argument', /conv2d/, /'full'/, /'valid', 'same'/],
  [() => w.conv2d(x2(), f2(), { padding: -1 }), 'argument', /conv2d/, /-1/],
  [() => w.conv2d(x2(), f2(), { padding: wrong(null) }), 'argument', /conv2d/, /padding null/],
  [() => w.conv2dTranspose(x2(), made([3, 3, 4, 6]), { padding: wrong(null) }), 'argument', /padding null/],
  [() => w.conv2d(x2(), f2(), { padding: wrong(1n) }), 'argument', /conv2d/, /padding 1/],
  [
    () => w.conv2d(x2(), f2(), { padding: wrong([Number.NaN, [0, null]]) }),
    'argument',
    /\[NaN, \[0, null\]\]/,
  ],
  [() => w.conv2d(x2(), f2(), { activation: wrong({}) }), 'argument', /conv2d/, /activation a plain object/],
  [() => w.conv1d(made([1, 3, 1]), made([1, 1, 1]), { strides: 2 ** 30 }), 'argument', /strides/, /2\^30/],
  [() => w.conv2d(x2(), f2(), { strides: [1024, 512] }), 'argument', /strides \[1024, 512\]/, /product/],
  [
    () => w.conv1d(made([1, 3, 1]), made([2, 1, 1]), { dilationRate: 2 ** 33, padding: 'same' }),
    'argument',
    /conv1d: dilationRate is 8589934592/,
    /below 2\^30/,
  ],
  [
    () => w.conv1d(made([1, 3, 1]), made([1, 1, 1]), { padding: 2 ** 32 - 1, strides: 2 ** 30 - 1 }),
    'argument',
    /conv1d: no padding 4294967295/,
    /below 2\^30/,
  ],
  [
    () => w.conv1d(made([1, 3, 1]), made([3, 1, 1]), { dilationRate: 2 ** 29, padding: 'same' }),
    'argument',
    /conv1d: along steps, the filter spans 1073741825/,
  ],
  [
    () => w.conv1d(made([1, 3, 1]), made([1, 1, 1]), { padding: 2 ** 29 }),
    'argument',
    /conv1d: along steps, the padded input has the extent 1073741827/,
  ],
  [
    () =>
      w.conv1d(made([1, 5, 1]), made([2, 1, 1]), { strides: 4, dilationRate: 2 ** 30 - 2, padding: 'same' }),
    'argument',
    /the padded input has the extent 1073741827/,
  ],
  [
    () => w.conv1dTranspose(made([1, 20_000, 1]), made([1, 1, 1]), { strides: 65_535, padding: 2 ** 29 }),
    'argument',
    /conv1dTranspose: along steps, the full result has the extent/,
  ],
  [
    () => w.conv1d(made([1, 3, 0]), made([1, 0, 0]), { groups: 2 ** 40 }),
    'argument',
    /groups/,
    /below 2\^30/,
  ],
  [() => w.conv2d(x2(), f2(), { padding: [[1, 1]] }), 'argument', /conv2d/, /\[\[1, 1\]\]/],
  [() => w.conv2d(x2(), f2(), { padding: [1, wrong([1, 2, 3])] }), 'argument', /conv2d/, /\[1, 2, 3\]/],
  [
    () => w.conv1d(made([1, 4, 1]), made([2, 1, 1]), { padding: [1, 2] }),
    'argument',
    /conv1d/,
    /\[\[1, 2\]\]/,
  ],
  [() => w.conv2d(x2(), f2(), { bias: made([3]) }), 'shape', /conv2d/, /\(3,\)/, /must be \(4,\)/],
  [() => w.conv2d(x2(), f2(), { bias: made([1, 4]) }), 'shape', /conv2d/, /\(1, 4\)/],
  [() => w.conv2d(x2(), f2(), { bias: wrong(0) }), 'argument', /conv2d/, /tensor/],
  [() => w.conv2d(x2(), f2(), { activation: wrong('swoosh') }), 'argument', /conv2d/, /'swoosh'/, /relu/],
  [() => w.conv2d(x2(), f2(), wrong({ stride: 2 })), 'argument', /conv2d/, /'stride'/, /strides/],
  [() => w.conv2d(x2(), f2(), wrong(2)), 'argument', /conv2d/, /options object/],
  [() => w.conv2d(x2(), f2(), wrong('same')), 'argument', /conv2d/, /options object/],
  [() => w.conv2d(wrong([1]), f2()), 'argument', /conv2d/, /not a tensor/],
  [() => w.conv2d(x2(), wrong(undefined)), 'argument', /conv2d/, /not a tensor/],
  [() => w.conv2d(w.cast(x2(), 'int32'), f2()), 'dtype', /conv2d/, /int32/, /cast/],
  [
    () => {
      const gone = f2();
      gone.dispose();
      return w.conv2d(x2(), gone);
    },
    'disposed',
    /conv2d/,
    /\(3, 3, 6, 4\)/,
  ],
  [
    () => w.conv2dTranspose(x2(), f2()),
    'shape',
    /conv2dTranspose/,
    /\(3, 3, 6, 4\)/,
    /\(…, filters, channels\)/,
  ],
  [() => w.conv2dTranspose(x2(), made([3, 6, 6])), 'shape', /conv2dTranspose/, /filters \/ groups/],
  [() => w.conv2dTranspose(x2(), made([3, 3, 4, 6]), { groups: 4 }), 'shape', /conv2dTranspose/, /4 groups/],
  [
    () => w.conv2dTranspose(x2(), made([3, 3, 4, 6]), { strides: 2, outputPadding: 2 }),
    'argument',
    /conv2dTranspose/,
    /outputPadding 2/,
    /stride, 2/,
  ],
  [
    () => w.conv2dTranspose(x2(), made([3, 3, 4, 6]), { outputPadding: -1 }),
    'argument',
    /outputPadding is -1/,
  ],
  [() => w.conv2dTranspose(x2(), made([3, 3, 4, 6]), { padding: 3 }), 'shape', /width/, /6 positions/],
  [
    () => w.conv1dTranspose(made([1, 4, 1]), made([2, 1, 1]), { padding: wrong('causal') }),
    'argument',
    /'causal'/,
  ],
  [() => w.conv2dTranspose(x2(), made([3, 3, 4, 6]), { bias: made([6]) }), 'shape', /must be \(4,\)/],
  [() => w.depthwiseConv2d(x2(), made([3, 3, 5, 2])), 'shape', /depthwiseConv2d/, /\(3, 3, 5, 2\)/],
  [() => w.depthwiseConv2d(x2(), made([3, 3, 6, 2]), wrong({ groups: 2 })), 'argument', /'groups'/],
  [() => w.depthwiseConv2d(x2(), made([3, 3, 6, 2]), { bias: made([6]) }), 'shape', /must be \(12,\)/],
  [() => w.depthwiseConv2d(made([1, 3, 3, 0]), made([1, 1, 0, 2])), 'shape', /depthwiseConv2d/, /at least 1/],
  [
    () => w.separableConv2d(x2(), made([3, 3, 6, 2]), made([1, 1, 6, 4])),
    'shape',
    /separableConv2d/,
    /\(1, 1, 6, 4\)/,
    /\(1, 1, 12, filters\)/,
  ],
  [() => w.separableConv2d(x2(), made([3, 3, 6, 2]), made([3, 1, 12, 4])), 'shape', /\(3, 1, 12, 4\)/],
  [() => w.separableConv2d(x2(), made([3, 3, 6, 2]), wrong({})), 'argument', /separableConv2d/, /tensor/],
];

test(`${rows.length} wrong calls throw typed errors and leave nothing behind`, () => {
  for (const [call, code, ...parts] of rows) {
    try {
      scope(() => fails(call, code, ...parts));
    } catch (error) {
      throw new Error(`${String(call)}: ${String(error)}`);
    }
  }
});
