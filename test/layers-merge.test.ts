/** Layers that make one tensor of several. */
import * as assert from 'uvu/assert';
import type { Layer } from '../src/nn/layer.ts';
import * as layers from '../src/nn/layers/index.ts';
import { input } from '../src/nn/symbolic.ts';
import {
  add,
  concat,
  div,
  einsum,
  matmul,
  maximum,
  minimum,
  mul,
  norm2,
  ones,
  reshape,
  scope,
  sub,
  sum,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { checkLayerCase, type LayerCase } from './support/layer-case.ts';
import { close, fails, resultOf } from './support/values.ts';

await testDevice();
const test = suite('layers-merge');

type Pair = [Tensor, Tensor];
type Triple = [Tensor, Tensor, Tensor];

const vectors = [
  [3, 4],
  [3, 4],
];
const three = [
  [3, 2, 4],
  [3, 2, 4],
  [3, 2, 4],
];

const cases: readonly LayerCase[] = [
  {
    name: 'add of three',
    make: () => layers.add(),
    inputs: three,
    expected: (inputs) => {
      const [a, b, c] = inputs as Triple;
      return add(add(a, b), c);
    },
  },
  {
    name: 'add of a vector to an image, behind the batch',
    make: () => layers.add(),
    inputs: [
      [3, 4],
      [3, 5, 6, 4],
    ],
    expected: (inputs) => {
      const [a, b] = inputs as Pair;
      return add(reshape(a, [3, 1, 1, 4]), b);
    },
  },
  {
    name: 'multiply stretches extents of 1',
    make: () => layers.multiply(),
    inputs: [
      [3, 1, 4],
      [3, 5, 1],
    ],
    expected: (inputs) => mul(...(inputs as Pair)),
  },
  {
    name: 'multiply of three',
    make: () => layers.multiply(),
    inputs: three,
    expected: (inputs) => {
      const [a, b, c] = inputs as Triple;
      return mul(mul(a, b), c);
    },
  },
  {
    name: 'subtract',
    make: () => layers.subtract(),
    inputs: vectors,
    expected: (inputs) => sub(...(inputs as Pair)),
  },
  {
    name: 'average of three',
    make: () => layers.average(),
    inputs: three,
    expected: (inputs) => {
      const [a, b, c] = inputs as Triple;
      return div(add(add(a, b), c), 3);
    },
  },
  {
    name: 'maximum',
    make: () => layers.maximum(),
    inputs: three,
    expected: (inputs) => {
      const [a, b, c] = inputs as Triple;
      return maximum(maximum(a, b), c);
    },
  },
  {
    name: 'minimum',
    make: () => layers.minimum(),
    inputs: vectors,
    expected: (inputs) => minimum(...(inputs as Pair)),
  },
  {
    name: 'concatenate',
    make: () => layers.concatenate(),
    inputs: [
      [3, 2, 4],
      [3, 2, 1],
      [3, 2, 6],
    ],
    expected: (inputs) => concat(inputs, 2),
  },
  {
    name: 'concatenate along axis 1',
    make: () => layers.concatenate({ axis: 1 }),
    inputs: [
      [3, 2, 4],
      [3, 1, 4],
    ],
    expected: (inputs) => concat(inputs, 1),
  },
  {
    name: 'dot of vectors',
    make: () => layers.dot({ axes: 1 }),
    inputs: vectors,
    expected: (inputs) => sum(mul(...(inputs as Pair)), { axis: 1, keepDims: true }),
  },
  {
    name: 'dot of matrices',
    make: () => layers.dot({ axes: [2, 1] }),
    inputs: [
      [3, 2, 4],
      [3, 4, 5],
    ],
    expected: (inputs) => matmul(...(inputs as Pair)),
  },
  {
    name: 'dot along the last axes, counted from the end',
    make: () => layers.dot({ axes: -1 }),
    inputs: [
      [3, 2, 4],
      [3, 5, 6, 4],
    ],
    expected: (inputs) => einsum('bik,bmnk->bimn', ...inputs),
  },
  {
    name: 'dot of a matrix and a vector',
    make: () => layers.dot({ axes: [1, 1] }),
    inputs: [
      [3, 4, 2],
      [3, 4],
    ],
    expected: (inputs) => einsum('bki,bk->bi', ...inputs),
  },
  {
    name: 'dot, normalised, is the cosine',
    make: () => layers.dot({ axes: 1, normalize: true }),
    inputs: vectors,
    expected: (inputs) => {
      const [a, b] = inputs as Pair;
      const over = { axis: 1, keepDims: true };
      return div(sum(mul(a, b), over), mul(norm2(a, over), norm2(b, over)));
    },
  },
];

for (const given of cases) test(given.name, () => checkLayerCase(given));

test('values that everybody can check', async () => {
  const values = async (layer: Layer, ...inputs: number[][][]) =>
    resultOf(() => layer.apply(inputs.map((value) => tensor(value))));
  close(await values(layers.add(), [[1, 2]], [[3, 4]], [[5, 6]]), [[9, 12]]);
  close(await values(layers.subtract(), [[1, 2]], [[3, 5]]), [[-2, -3]]);
  close(await values(layers.average(), [[1, 2]], [[3, 5]]), [[2, 3.5]]);
  close(
    await values(
      layers.dot({ axes: 1 }),
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ),
    [[17], [53]],
  );
  close(
    await values(
      layers.dot({ axes: 1, normalize: true }),
      [
        [0, 0],
        [3, 4],
      ],
      [
        [1, 0],
        [4, 3],
      ],
    ),
    [[0], [0.96]],
  );
});

test('an open batch and open steps stay open', () => {
  const [x, y] = [input({ shape: [null, 4] }), input({ shape: [null, 6] })];
  assert.equal(layers.concatenate().apply([x, y]).shape, [null, null, 10]);
  assert.equal(layers.add().apply([x, input({ shape: [4] })]).shape, [null, null, 4]);
  assert.equal(layers.dot({ axes: [1, 1] }).apply([x, y]).shape, [null, 4, 6]);
});

test('an empty batch gives an empty batch', async () => {
  const x = (): Tensor => ones([0, 3]);
  for (const [layer, extent] of [
    [layers.add(), 3],
    [layers.average(), 3],
    [layers.concatenate(), 6],
    [layers.dot({ axes: 1 }), 1],
  ] as const) {
    scope(() => assert.equal(layer.apply([x(), x()]).shape, [0, extent]));
  }
});

/** Calls that are refused, and what the message says. */
const calls: readonly [
  layer: () => Layer,
  shapes: readonly (readonly number[])[],
  code: string,
  message: RegExp,
][] = [
  [layers.add, [[2, 3]], 'argument', /two or more inputs, and was called on 1/],
  [layers.concatenate, [[2, 3]], 'argument', /two or more inputs/],
  [
    layers.subtract,
    [
      [2, 3],
      [2, 3],
      [2, 3],
    ],
    'argument',
    /takes two inputs, and was called on 3/,
  ],
  [() => layers.dot({ axes: 1 }), [[2, 3]], 'argument', /takes two inputs/],
  [
    layers.multiply,
    [
      [2, 3],
      [2, 4],
    ],
    'shape',
    /do not broadcast/,
  ],
  [
    layers.maximum,
    [
      [2, 3, 4],
      [2, 2],
    ],
    'shape',
    /do not broadcast/,
  ],
  [
    layers.concatenate,
    [
      [2, 3, 4],
      [2, 2, 4],
    ],
    'shape',
    /concat/,
  ],
  [
    layers.concatenate,
    [
      [2, 3],
      [2, 3, 4],
    ],
    'shape',
    /concat/,
  ],
  [
    () => layers.concatenate({ axis: 2 }),
    [
      [2, 3],
      [2, 3],
    ],
    'shape',
    /axis 2/,
  ],
  [
    () => layers.dot({ axes: [2, 1] }),
    [
      [2, 3, 4],
      [2, 3, 4],
    ],
    'shape',
    /extents 4 and 3 in axes 2 and 1/,
  ],
  [
    () => layers.dot({ axes: 2 }),
    [
      [2, 3],
      [2, 3],
    ],
    'shape',
    /axis 2/,
  ],
  [
    () => layers.dot({ axes: [-2, 1] }),
    [
      [3, 3],
      [3, 3],
    ],
    'shape',
    /not the batch/,
  ],
];

test('wrong inputs are refused under the name of the layer, and symbolically too', () => {
  for (const [make, shapes, code, message] of calls) {
    const layer = make();
    const name = new RegExp(`^layer '${layer.type}': `);
    fails(() => scope(() => layer.apply(shapes.map((shape) => ones(shape)))), code, message, name);
    const symbols = shapes.map((shape) => input({ shape: shape.slice(1) }));
    // Open extents are tried with other numbers than the batches here.
    fails(() => make().apply(symbols), code, name);
  }
});

test('batches of other sizes are refused, also those of one', () => {
  for (const layer of [layers.add(), layers.subtract(), layers.dot({ axes: 1 })])
    fails(
      () => scope(() => layer.apply([ones([1, 3]), ones([2, 3])])),
      'shape',
      /\(1, 3\) and \(2, 3\)/,
      /the batch/,
    );
  fails(() => scope(() => layers.add().apply([ones([]), ones([2])])), 'shape', /the batch/);
});

test('wrong options are refused', () => {
  const dot = (options: object) => () => layers.dot(options as never);
  for (const options of [
    {},
    { axes: 0 },
    { axes: 1.5 },
    { axes: [1] },
    { axes: [1, 2, 3] },
    { axes: [0, 1] },
    { axes: '1' },
    { axes: null },
  ])
    fails(dot(options), 'argument', /dot: axes/);
  fails(dot({ axes: 1, normalize: 1 }), 'argument', /normalize/);
  fails(() => layers.concatenate({ axis: '1' } as never), 'argument', /concatenate: axis/);
  fails(() => layers.concatenate({ axis: null } as never), 'argument', /concatenate: axis/);
  for (const make of [
    layers.add,
    layers.subtract,
    layers.multiply,
    layers.average,
    layers.maximum,
    layers.minimum,
  ])
    fails(() => make({ axis: 1 } as never), 'argument', new RegExp(`${make.name}: no option 'axis'`));
});
