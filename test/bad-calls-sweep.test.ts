/**
 * Every op of the catalogue with wrong things in the place of each tensor, and with options that are none: each call
 * throws a typed error whose message starts with the name of the op that was called.
 */
import * as assert from 'uvu/assert';
import { catalog } from '../src/cli/catalog/index.ts';
import { WgradError } from '../src/core/errors.ts';
import * as w from '../src/node.ts';
import { type Device, scope, setDefaultDevice, type Tensor, tensor } from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';

/** What no type checker would let through, but JavaScript does. */
// biome-ignore lint/suspicious/noExplicitAny: these calls are wrong on purpose.
type Wrong = any;

type Call = (...args: Wrong[]) => unknown;

const exported = w as unknown as Record<string, Call>;

/** Every op under its name in the catalogue: `conv2d`, `losses.huber`. */
const ops: Readonly<Record<string, Call>> = {
  ...exported,
  ...Object.fromEntries(
    Object.entries(w.losses as unknown as Record<string, Call>).map(([name, f]) => [`losses.${name}`, f]),
  ),
};

/** The names that an op may speak under: its own without the namespace, and those of the same function. */
const namesOf = (op: string): readonly string[] => [
  op.slice(op.lastIndexOf('.') + 1),
  ...Object.keys(exported).filter((name) => name !== op && exported[name] === ops[op]),
];

/** Inputs of the call that runs: an async one reads them after its scope. */
const held: Tensor[] = [];
const hold = (x: Tensor): Tensor => {
  held.push(w.keep(x));
  return x;
};

const m = (): Tensor =>
  hold(
    tensor([
      [2, 1],
      [1, 3],
    ]),
  );
const v = (): Tensor => hold(tensor([1, 2]));
const flags = (): Tensor => hold(tensor([true, false]));

/** One place of a tensor in the arguments. */
interface Slot {
  readonly call: (x: Wrong) => unknown;
  /** What else is right there. */
  readonly takes?: 'numbers' | 'indices' | 'lists' | 'nothing';
  /** The rest of the arguments may be wrong, too. */
  readonly vague?: boolean;
}

/** What follows x in a right call of an op of one tensor. */
const REST: Readonly<Record<string, readonly unknown[]>> = {
  broadcastTo: [[2, 2]],
  cast: ['int32'],
  clip: [0, 1],
  cumprod: [0],
  cumsum: [0],
  embedding: [[0]],
  expandDims: [0],
  gather: [[0]],
  gatherNd: [[[0, 0]]],
  indexPut: [[0], 1],
  pad: [1],
  permute: [[1, 0]],
  repeat: [2],
  reshape: [[4]],
  roll: [1],
  scatterAdd: [[0], 1],
  slice: [[1]],
  split: [1],
  takeAlongAxis: [[[0, 1]], 0],
  tile: [2],
  topk: [1],
};

const MATRIX_PAIRS = [
  'cdist',
  'matmul',
  'outer',
  'pairwiseDistance',
  'solve',
  'solveTriangular',
  'tensordot',
];

const LISTS = ['concat', 'stack', 'meshgrid'];

/** Losses whose targets are labels, which may be host numbers. */
const LABELS = ['losses.sparseCategoricalCrossentropy', 'losses.ctc'];

/** An image of so many spatial axes, and filters for it. */
const image = (spatial: number): Tensor => hold(w.ones([1, ...new Array<number>(spatial).fill(4), 2]));
const filter = (spatial: number, ...channels: number[]): Tensor =>
  hold(w.ones([...new Array<number>(spatial).fill(2), ...channels]));
const mixing = (spatial: number): Tensor => hold(w.ones([...new Array<number>(spatial).fill(1), 2, 3]));

/** For convolutions, one after another: the name, its spatial axes, and the channels of a filter. */
const CONVOLUTIONS: readonly (readonly [op: string, spatial: number, channels: readonly number[]])[] = [
  ...[1, 2, 3].map((spatial) => [`conv${spatial}d`, spatial, [2, 3]] as const),
  ...[1, 2, 3].map((spatial) => [`conv${spatial}dTranspose`, spatial, [3, 2]] as const),
  ...[1, 2].map((spatial) => [`depthwiseConv${spatial}d`, spatial, [2, 1]] as const),
];

/** Ops that take something else than one tensor and a rest. */
const OTHERS: Readonly<Record<string, (f: Call) => readonly Slot[]>> = {
  ...Object.fromEntries(
    CONVOLUTIONS.map(([op, spatial, channels]) => [
      op,
      (f: Call): readonly Slot[] => [
        { call: (x) => f(x, filter(spatial, ...channels)) },
        { call: (x) => f(image(spatial), x) },
        { call: (x) => f(image(spatial), filter(spatial, ...channels), { bias: x }), takes: 'nothing' },
      ],
    ]),
  ),
  ...Object.fromEntries(
    [1, 2].map((spatial) => [
      `separableConv${spatial}d`,
      (f: Call): readonly Slot[] => [
        { call: (x) => f(x, filter(spatial, 2, 1), mixing(spatial)) },
        { call: (x) => f(image(spatial), x, mixing(spatial)) },
        { call: (x) => f(image(spatial), filter(spatial, 2, 1), x) },
      ],
    ]),
  ),
  prelu: (f) => [{ call: (x) => f(x, v()) }, { call: (x) => f(m(), x) }],
  assign: (f) => [{ call: (x) => f(x, v()) }, { call: (x) => f(v(), x) }],
  bincount: (f) => [{ call: (x) => f(x, 3), takes: 'indices' }],
  booleanMask: (f) => [{ call: (x) => f(x, flags()) }, { call: (x) => f(m(), x) }],
  bitwiseNot: (f) => [{ call: (x) => f(x) }],
  einsum: (f) => [{ call: (x) => f('ij,jk->ik', x, m()) }, { call: (x) => f('ij,jk->ik', m(), x) }],
  lerp: (f) => [
    { call: (x) => f(x, m(), 0.5), takes: 'numbers' },
    { call: (x) => f(m(), x, 0.5), takes: 'numbers' },
    { call: (x) => f(m(), m(), x), takes: 'numbers' },
  ],
  logicalNot: (f) => [{ call: (x) => f(x) }],
  oneHot: (f) => [{ call: (x) => f(x, 3), takes: 'indices' }],
  toDevice: (f) => [{ call: (x) => f(x, cpuDevice()) }],
  where: (f) => [
    { call: (x) => f(x, 1, 0) },
    { call: (x) => f(flags(), x, 0), takes: 'numbers' },
    { call: (x) => f(flags(), v(), x), takes: 'numbers' },
  ],
};

function slotsOf(op: string, kind: string): readonly Slot[] {
  const f = ops[op] as Call;
  const special = OTHERS[op];
  if (special) return special(f);
  if (MATRIX_PAIRS.includes(op) || (kind === 'loss' && !LABELS.includes(op)))
    return [{ call: (x) => f(x, m()) }, { call: (x) => f(m(), x) }];
  if (LISTS.includes(op)) return [{ call: (x) => f(x), takes: 'lists' }, { call: (x) => f([v(), x]) }];
  if (kind === 'binary' || kind === 'comparison') {
    return [
      { call: (x) => f(x, m()), takes: 'numbers' },
      { call: (x) => f(m(), x), takes: 'numbers' },
    ];
  }
  const rest = REST[op] ?? [];
  const slots: Slot[] = [{ call: (x) => f(x, ...rest), vague: f.length > 1 + rest.length }];
  if (['gather', 'embedding', 'gatherNd'].includes(op))
    slots.push({ call: (x) => f(m(), x), takes: 'indices' });
  if (['scatterAdd', 'indexPut'].includes(op)) slots.push({ call: (x) => f(m(), [0], x), takes: 'numbers' });
  return slots;
}

/** Only what has a tensor among its arguments. */
const swept = catalog.filter(({ op, kind }) => kind !== 'creation' && Object.hasOwn(ops, op));

const gone = (): Tensor => {
  const x = m();
  x.dispose();
  return x;
};

/** They must not stand in a scope. */
const ASYNC = ['booleanMask', 'nonzero', 'toDevice', 'unique'];

/** What comes of a call, thrown or rejected; undefined where all went well. Leaves no tensor. */
async function outcome(op: string, call: () => unknown): Promise<unknown> {
  try {
    if (ASYNC.includes(op)) {
      // They read, and would be told of values that an op before them found on the GPU.
      for (const device of [await testDevice(), cpuDevice()]) await device.idle().catch(() => {});
      const result = await call();
      const made = result instanceof w.Tensor ? [result] : Object.values(result as Record<string, Tensor>);
      for (const x of made) x.dispose();
    } else scope(() => void call());
    return undefined;
  } catch (error) {
    return error;
  } finally {
    for (const x of held.splice(0)) x.dispose();
  }
}

/** Fails with the first complaints; a comparison of long texts takes minutes. */
const none = (complaints: readonly string[]): void => assert.is(complaints.slice(0, 20).join('\n'), '');

/** What is wrong with an error, if anything is. */
function complaint(op: string, error: unknown, code?: string): string | undefined {
  if (!(error instanceof WgradError)) return `gave ${String(error)}`;
  const { message } = error;
  if (!namesOf(op).some((name) => message.startsWith(`${name}:`) || message.startsWith(`${name} `)))
    return `speaks of another op: ${message}`;
  if (code && error.code !== code) return `has the code ${error.code}: ${error.message}`;
  return undefined;
}

const WRONG: readonly [what: string, make: () => unknown, code: string, not?: Slot['takes']][] = [
  ['undefined', () => undefined, 'argument'],
  ['null', () => null, 'argument'],
  ['a number', () => 3, 'argument', 'numbers'],
  ['a list', () => [1, 2], 'argument'],
  ['an object', () => ({ shape: [2, 2], rank: 2, dtype: 'float32' }), 'argument'],
  ['a bare object', () => Object.create(null), 'argument'],
  ['a string', () => 'x', 'argument'],
  ['a function', () => () => 1, 'argument'],
  ['a disposed tensor', gone, 'disposed'],
];

const isRight = (what: string, takes: Slot['takes']): boolean =>
  (what === 'a number' && (takes === 'numbers' || takes === 'indices')) ||
  (what === 'a list' && (takes === 'indices' || takes === 'lists')) ||
  (what === 'undefined' && takes === 'nothing');

/** Tensors that some op refuses and another one takes. */
const ODD: readonly [what: string, make: (other: Device) => Tensor][] = [
  ['bytes', () => tensor(new Uint8Array([1, 2, 3, 4]), { shape: [2, 2] })],
  [
    'bools',
    () =>
      tensor([
        [true, false],
        [false, true],
      ]),
  ],
  [
    'int32',
    () =>
      tensor(
        [
          [0, 1],
          [1, 0],
        ],
        { dtype: 'int32' },
      ),
  ],
  ['a scalar', () => tensor(1)],
  ['rank 3', () => w.ones([3, 5, 7])],
  ['nothing', () => w.zeros([0, 2])],
  [
    'a tensor of another device',
    (other) =>
      tensor(
        [
          [1, 2],
          [3, 4],
        ],
        { device: other },
      ),
  ],
];

/** What every loss takes. */
const LOSS_OPTIONS = ['sampleWeight', 'classWeight', 'mask', 'reduction'];

/** Options without a default, for the calls below; `2d` and its kin are left out of the names. */
const REQUIRED: Readonly<Record<string, object>> = {
  dropout: { rate: 0.5 },
  spatialDropout: { rate: 0.5 },
  alphaDropout: { rate: 0.5 },
  gaussianDropout: { rate: 0.5 },
  gaussianNoise: { stddev: 1 },
  maxout: { pieces: 2 },
  adaptiveAveragePool: { outputSize: 2 },
  resize: { size: 2 },
};

/** Calls that take options, with what stands before them. */
const OPTIONS: Readonly<
  Record<string, readonly [known: readonly string[], call: (options: Wrong) => unknown]>
> = {
  ...Object.fromEntries(
    [
      'sum',
      'mean',
      'max',
      'min',
      'prod',
      'sumSquares',
      'norm1',
      'norm2',
      'argMax',
      'argMin',
      'logSumExp',
    ].map((op) => [op, [['axis', 'keepDims'], (options: Wrong) => ops[op]?.(m(), options)]] as const),
  ),
  ...Object.fromEntries(
    ['sort', 'argsort'].map(
      (op) => [op, [['axis', 'descending'], (options: Wrong) => ops[op]?.(m(), options)]] as const,
    ),
  ),
  ...Object.fromEntries(
    ['variance', 'std'].map(
      (op) =>
        [op, [['axis', 'keepDims', 'correction'], (options: Wrong) => ops[op]?.(m(), options)]] as const,
    ),
  ),
  ...Object.fromEntries(
    ['cumsum', 'cumprod'].map(
      (op) => [op, [['exclusive', 'reverse'], (options: Wrong) => ops[op]?.(m(), 0, options)]] as const,
    ),
  ),
  all: [['axis', 'keepDims'], (options) => w.all(w.greater(m(), 0), options)],
  any: [['axis', 'keepDims'], (options) => w.any(w.greater(m(), 0), options)],
  norm: [['axis', 'keepDims'], (options) => w.norm(m(), 2, options)],
  pairwiseDistance: [['keepDims'], (options) => w.pairwiseDistance(m(), m(), 2, options)],
  topk: [['axis', 'largest'], (options) => w.topk(m(), 1, options)],
  pad: [['mode', 'value'], (options) => w.pad(m(), 1, options)],
  oneHot: [['onValue', 'offValue', 'device'], (options) => w.oneHot([0], 2, options)],
  bincount: [['device'], (options) => w.bincount([0], 2, options)],
  matmul: [['transposeA', 'transposeB', 'bias', 'activation'], (options) => w.matmul(m(), m(), options)],
  ...Object.fromEntries(
    CONVOLUTIONS.map(([op, spatial, channels]) => {
      const common = ['strides', 'padding', 'dilationRate', 'bias', 'activation'];
      const own = op.startsWith('depthwise')
        ? []
        : op.endsWith('Transpose')
          ? ['groups', 'outputPadding']
          : ['groups'];
      const call = (options: Wrong): unknown =>
        ops[op]?.(image(spatial), filter(spatial, ...channels), options);
      return [op, [[...common, ...own], call]] as const;
    }),
  ),
  ...Object.fromEntries(
    [1, 2].map((spatial) => {
      const op = `separableConv${spatial}d`;
      const call = (options: Wrong): unknown =>
        ops[op]?.(image(spatial), filter(spatial, 2, 1), mixing(spatial), options);
      return [op, [['strides', 'padding', 'dilationRate', 'bias', 'activation'], call]] as const;
    }),
  ),
  ...Object.fromEntries(
    [1, 2, 3].flatMap((spatial) =>
      (
        [
          ['maxPool', ['poolSize', 'strides', 'padding']],
          ['averagePool', ['poolSize', 'strides', 'padding']],
          ['globalMaxPool', ['keepDims']],
          ['globalAveragePool', ['keepDims']],
          ['adaptiveAveragePool', ['outputSize']],
          ['upSampling', spatial === 2 ? ['size', 'interpolation'] : ['size']],
          ['spatialDropout', ['rate', 'training', 'generator', 'seed']],
        ] as const
      ).map(([name, known]) => {
        const op = `${name}${spatial}d`;
        return [op, [known, (options: Wrong) => ops[op]?.(image(spatial), options)]] as const;
      }),
    ),
  ),
  resize2d: [['size', 'interpolation'], (options) => w.resize2d(image(2), options)],
  ...Object.fromEntries(
    (
      [
        [
          'batchNorm',
          ['gamma', 'beta', 'movingMean', 'movingVariance', 'training', 'momentum', 'epsilon', 'axis'],
        ],
        ['layerNorm', ['gamma', 'beta', 'axis', 'epsilon']],
        ['groupNorm', ['groups', 'gamma', 'beta', 'epsilon', 'axis']],
        ['instanceNorm', ['gamma', 'beta', 'epsilon', 'axis']],
        ['rmsNorm', ['gamma', 'axis', 'epsilon']],
        ['localResponseNormalization', ['depthRadius', 'bias', 'alpha', 'beta']],
        ['dropout', ['rate', 'training', 'noiseShape', 'generator', 'seed']],
        ['alphaDropout', ['rate', 'training', 'noiseShape', 'generator', 'seed']],
        ['gaussianNoise', ['stddev', 'training', 'generator', 'seed']],
        ['gaussianDropout', ['rate', 'training', 'generator', 'seed']],
        ['relu', ['negativeSlope', 'maxValue', 'threshold']],
        ['gelu', ['approximate']],
        ['maxout', ['pieces', 'axis']],
      ] as const
    ).map(([op, known]) => [op, [known, (options: Wrong) => ops[op]?.(m(), options)]] as const),
  ),
  ...Object.fromEntries(
    (
      [
        ...[
          'meanSquaredError',
          'meanAbsoluteError',
          'meanSquaredLogarithmicError',
          'meanAbsolutePercentageError',
          'logCosh',
          'hinge',
          'squaredHinge',
          'categoricalHinge',
          'klDivergence',
          'poisson',
        ].map((loss) => [loss, []] as const),
        ['huber', ['delta']],
        ['cosineSimilarity', ['axis']],
        ['categoricalCrossentropy', ['fromLogits', 'axis', 'labelSmoothing']],
        ['binaryCrossentropy', ['fromLogits', 'labelSmoothing']],
      ] as const
    ).map(([loss, own]) => {
      const call = (options: Wrong): unknown => ops[`losses.${loss}`]?.(m(), m(), options);
      return [`losses.${loss}`, [[...own, ...LOSS_OPTIONS], call]] as const;
    }),
  ),
  'losses.sparseCategoricalCrossentropy': [
    ['fromLogits', 'axis', 'ignoreClass', ...LOSS_OPTIONS],
    (options) => w.losses.sparseCategoricalCrossentropy([0, 1], m(), options),
  ],
  'losses.ctc': [
    ['labelLength', 'inputLength', 'blank', 'zeroInfinity', 'sampleWeight', 'mask', 'reduction'],
    (options) => w.losses.ctc([[1]], hold(w.ones([1, 2, 3])), options),
  ],
  solveTriangular: [['lower', 'transposeA'], (options) => w.solveTriangular(m(), m(), options)],
  nanToNum: [['nan', 'posInf', 'negInf'], (options) => w.nanToNum(m(), options)],
  cast: [['scale'], (options) => w.cast(m(), 'int32', options)],
  unique: [['returnInverse'], (options) => w.unique(m(), options)],
  choice: [['device', 'generator', 'replace', 'p'], (options) => w.choice(3, 2, options)],
  randomPermutation: [['device', 'generator'], (options) => w.randomPermutation(3, options)],
  tensor: [['device', 'dtype', 'requiresGrad', 'shape'], (options) => tensor([1], options)],
  ...Object.fromEntries(
    (
      [
        ['zeros', [[2]]],
        ['ones', [[2]]],
        ['full', [[2], 1]],
        ['eye', [2, 2]],
        ['arange', [0, 2, 1]],
        ['linspace', [0, 1, 2]],
      ] as const
    ).map(([op, args]) => {
      const call = (options: Wrong): unknown => ops[op]?.(...args, options);
      return [op, [['device', 'dtype', 'requiresGrad'], call]] as const;
    }),
  ),
  ...Object.fromEntries(
    (
      [
        ['randomUniform', [[2], 0, 1]],
        ['randomNormal', [[2], 0, 1]],
        ['truncatedNormal', [[2], 0, 1]],
        ['bernoulli', [[2], 0.5]],
        ['randomInt', [[2], 0, 3]],
      ] as const
    ).map(([op, args]) => {
      const call = (options: Wrong): unknown => ops[op]?.(...args, options);
      return [op, [['device', 'generator'], call]] as const;
    }),
  ),
};

for (const [name, open, openOther] of [
  ['device under test', testDevice, async () => cpuDevice()],
  ['CPU', async () => cpuDevice(), testDevice],
] as const) {
  const test = suite(`bad calls, every op, ${name}`);

  test('what is no living tensor is refused under the name of the op', async () => {
    setDefaultDevice(await open());
    const complaints: string[] = [];
    for (const { op, kind } of swept) {
      for (const [place, { call, takes, vague }] of slotsOf(op, kind).entries()) {
        for (const [what, make, code] of WRONG) {
          if (isRight(what, takes)) continue;
          const wanted = vague ? undefined : takes === 'lists' ? 'argument' : code;
          const text = complaint(op, await outcome(op, () => call(make())), wanted);
          if (text) complaints.push(`${op}, place ${place}, ${what}: ${text}`);
        }
      }
    }
    none(complaints);
  });

  test('what an op refuses, it refuses under its own name', async () => {
    const other = await openOther();
    const device = await open();
    setDefaultDevice(device);
    const complaints: string[] = [];
    let refused = 0;
    for (const { op, kind } of swept) {
      for (const [place, { call }] of slotsOf(op, kind).entries()) {
        for (const [what, make] of ODD) {
          const error = await outcome(op, () => call(hold(make(other))));
          if (error === undefined) continue;
          refused++;
          const text = complaint(op, error);
          if (text) complaints.push(`${op}, place ${place}, ${what}: ${text}`);
        }
      }
    }
    none(complaints);
    assert.ok(refused > 200, `only ${refused} calls were refused`);
  });

  test('options that are none, and unknown ones, are refused', async () => {
    setDefaultDevice(await open());
    const complaints: string[] = [];
    for (const [op, [known, call]] of Object.entries(OPTIONS)) {
      for (const wrong of [
        0,
        -1,
        [0],
        'axis',
        true,
        null,
        new Float32Array(1),
        { axes: 0 },
        { [`${known[0]}s`]: 1 },
      ]) {
        const error = await outcome(op, () => call(wrong));
        const text = complaint(op, error, 'argument');
        const message = error instanceof Error ? error.message : '';
        if (text) complaints.push(`${op}, ${JSON.stringify(wrong)}: ${text}`);
        else if (known.some((key) => !message.includes(key)) && !/\{ axis: /.test(message))
          complaints.push(`${op}, ${JSON.stringify(wrong)}: names no known option: ${message}`);
      }
    }
    none(complaints);
  });

  test('options of a wrong kind are refused', async () => {
    setDefaultDevice(await open());
    const complaints: string[] = [];
    for (const [op, [known, call]] of Object.entries(OPTIONS)) {
      for (const key of known) {
        for (const value of [() => 1, 'x']) {
          const error = await outcome(op, () => call({ ...REQUIRED[op.replace(/\dd$/, '')], [key]: value }));
          const text = complaint(op, error);
          if (text) complaints.push(`${op}, ${key}, a ${typeof value}: ${text}`);
        }
      }
    }
    none(complaints);
  });

  test('the axis that was meant stands in the message', async () => {
    setDefaultDevice(await open());
    for (const [axis, shown] of [
      [0, '0'],
      [[0, 1], '\\[0, 1\\]'],
    ] as const) {
      const error = (await outcome('sum', () => w.sum(m(), axis as Wrong))) as Error;
      assert.match(error.message, new RegExp(`^sum: ${shown} .*write sum\\(x, \\{ axis: ${shown} \\}\\)`));
    }
    assert.match(
      ((await outcome('topk', () => w.topk(m(), 1, 0 as Wrong))) as Error).message,
      /topk\(x, k, \{ axis: 0 \}\)/,
    );
  });
}

suite('bad calls, every op')('the sweep knows every op that takes a tensor', () => {
  assert.ok(swept.length > 120, `only ${swept.length} ops`);
  const known = new Set(catalog.map(({ op }) => op));
  const tables = [
    ...Object.keys(REST),
    ...Object.keys(OTHERS),
    ...MATRIX_PAIRS,
    ...LISTS,
    ...Object.keys(OPTIONS),
  ];
  assert.equal(
    tables.filter((op) => !known.has(op)),
    [],
  );
});
