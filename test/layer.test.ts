/** The base of all layers: names, weights, calls, shapes without data, graphs, and what is left of them. */
import * as assert from 'uvu/assert';
import { collectingLosses } from '../src/nn/call-context.ts';
import { graphOf, nameLayers, runGraph } from '../src/nn/graph.ts';
import { inferShapes } from '../src/nn/infer-shapes.ts';
import { Layer, type LayerOptions, type WeightOptions } from '../src/nn/layer.ts';
import { observeLayers } from '../src/nn/layer-observer.ts';
import * as layers from '../src/nn/layers/index.ts';
import { input, SymbolicTensor } from '../src/nn/symbolic.ts';
import {
  add,
  backward,
  CpuDevice,
  defaultDevice,
  initializers,
  mul,
  ones,
  randomUniform,
  reshape,
  scope,
  setSeed,
  sum,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { close, fails, rejects, resultOf } from './support/values.ts';

const device = await testDevice();
const test = suite('layer');

/** Runs `body`, and leaves nothing of what it makes. */
const quietly = (body: () => unknown): void =>
  scope(() => {
    body();
  });

const paths = (layer: Layer): string[] => layer.namedWeights().map(([path]) => path);

/** x + w, with whatever weight it is told to make. */
class Bias extends Layer<LayerOptions> {
  readonly weight: WeightOptions;

  constructor(weight: WeightOptions = { initializer: initializers.zeros() }, options: LayerOptions = {}) {
    super(options);
    this.weight = weight;
  }

  override build([shape]: readonly [readonly (number | null)[]]): void {
    this.addWeight('bias', [shape.at(-1) as number], this.weight);
  }

  override call([x]: readonly [Tensor]): Tensor {
    return add(x, (this.weights[0] as { value: Tensor }).value);
  }
}

/** Layers in a property, in an array, and hidden in a private field. */
class Block extends Layer {
  readonly first = layers.dense({ units: 4 });
  readonly rest = [layers.dense({ units: 4, useBias: false }), layers.dense({ units: 4, name: 'last' })];
  readonly others = [1, 'two', null];
  readonly #hidden = layers.flatten();

  override call([x]: readonly [Tensor]): Tensor {
    const y = this.rest.reduce((value, layer) => layer.apply(value), this.first.apply(x));
    return this.#hidden.apply(y);
  }
}

class Outer extends Layer {
  readonly block = new Block();
  readonly head = layers.dense({ units: 2 });

  override call([x]: readonly [Tensor]): Tensor {
    return this.head.apply(this.block.apply(x));
  }
}

test('layers in properties and arrays belong to a layer, under dotted paths', () => {
  const outer = new Outer();
  assert.equal(outer.type, 'outer');
  assert.equal(outer.name, 'outer');
  assert.equal(paths(outer), []);
  quietly(() => outer.apply(ones([3, 5])));
  assert.equal(paths(outer), [
    'block.first.kernel',
    'block.first.bias',
    'block.rest_0.kernel',
    'block.last.kernel',
    'block.last.bias',
    'head.kernel',
    'head.bias',
  ]);
  assert.equal(
    outer.block.sublayers().map(([name]) => name),
    ['first', 'rest_0', 'last'],
  );
  assert.is(outer.countParams(), 5 * 4 + 4 + 4 * 4 + 4 * 4 + 4 + 4 * 2 + 2);
  assert.is(outer.weights.length, 7);
  outer.dispose();
  assert.is(outer.weights.length, 0);
});

test('a layer that stands in two places has its weights once', async () => {
  class Twice extends Layer {
    readonly inner = layers.dense({ units: 3, kernelInitializer: 'identity' });
    readonly again = this.inner;

    override call([x]: readonly [Tensor]): Tensor {
      return add(this.inner.apply(x), this.again.apply(x));
    }
  }
  const twice = new Twice();
  close(await resultOf(() => twice.apply(tensor([[1, 2, 3]]))), [[2, 4, 6]]);
  assert.equal(paths(twice), ['inner.kernel', 'inner.bias']);
  // Both uses reach the one weight: each sees the sum of a column of ones.
  const grad = await resultOf(() => {
    backward(sum(twice.apply(ones([1, 3]))));
    return mul(twice.inner.weights[1]?.grad as Tensor, 1);
  });
  assert.equal(grad, [2, 2, 2]);
  twice.dispose();
});

test('two weights of one path are refused', () => {
  class Same extends Layer {
    readonly a = layers.dense({ units: 1, name: 'x' });
    readonly b = layers.dense({ units: 1, name: 'x' });

    override call([x]: readonly [Tensor]): Tensor {
      return this.b.apply(this.a.apply(x));
    }
  }
  const same = new Same();
  quietly(() => same.apply(ones([2, 2])));
  fails(() => same.namedWeights(), 'argument', /layer 'same': two weights have the path 'x\.kernel'/);
  same.dispose();
});

test('names and options are checked', () => {
  for (const name of ['', 'a.b', 'a/b', 3, null])
    fails(() => layers.flatten({ name } as never), 'argument', /^flatten: name is/);
  for (const trainable of [0, null, 'no'])
    fails(() => layers.flatten({ trainable } as never), 'argument', /^flatten: trainable is/);
  fails(() => layers.flatten({ units: 3 } as never), 'argument', /no option 'units'/);
  for (const options of [null, 3, 'x', []])
    fails(() => layers.dense(options as never), 'argument', /^dense: /);
  const named = layers.flatten({ name: 'flat' });
  assert.ok(named.named);
  named.adoptName('other');
  assert.is(named.name, 'flat');
  const free = layers.flatten();
  assert.not.ok(free.named);
  free.adoptName('other');
  assert.is(free.name, 'other');
});

test('trainable before and after the weights are made, and for the layers inside', () => {
  const frozen = new Outer({ trainable: false });
  quietly(() => frozen.apply(ones([2, 5])));
  assert.is(frozen.trainableWeights.length, 0);
  assert.is(frozen.nonTrainableWeights.length, 7);
  frozen.trainable = true;
  assert.is(frozen.trainableWeights.length, 7);
  frozen.block.trainable = false;
  assert.equal(
    frozen.trainableWeights.map(({ name }) => name.split('.').at(-1)),
    ['kernel', 'bias'],
  );
  assert.ok(frozen.trainable);
  assert.not.ok(frozen.block.first.trainable);
  quietly(() => {
    backward(sum(frozen.apply(ones([2, 5]))));
    for (const { grad, trainable } of frozen.weights) assert.is(grad !== null, trainable);
  });
  fails(
    () => {
      frozen.trainable = 1 as never;
    },
    'argument',
    /trainable is 1/,
  );
  frozen.dispose();

  const part = new Outer();
  part.block.rest[0]?.adoptName('early');
  part.block.trainable = false;
  quietly(() => part.apply(ones([2, 5])));
  assert.is(part.trainableWeights.length, 2);
  part.dispose();
});

test('a weight that is fixed stays so', () => {
  const layer = new Bias({ initializer: initializers.ones(), trainable: false });
  quietly(() => layer.apply(ones([2, 3])));
  layer.trainable = false;
  layer.trainable = true;
  assert.is(layer.trainableWeights.length, 0);
  layer.dispose();
});

test('weights are added in build only, under names of their own', () => {
  class Early extends Layer {
    constructor() {
      super();
      this.addWeight('w', [1], { initializer: initializers.zeros() });
    }

    override call([x]: readonly [Tensor]): Tensor {
      return x;
    }
  }
  fails(() => new Early(), 'argument', /addWeight: weights are added in build\(\)/);

  class Late extends Bias {
    override call([x]: readonly [Tensor]): Tensor {
      this.addWeight('late', [1], this.weight);
      return x;
    }
  }
  const late = new Late();
  fails(
    () => quietly(() => late.apply(ones([2, 3]))),
    'argument',
    /^layer 'late': addWeight: weights are added in build/,
  );
  late.dispose();
  fails(() => late.addWeight('w', [1], late.weight), 'argument', /added in build/);

  for (const name of ['bias', 'a.b']) {
    class Named extends Bias {
      override build(shapes: readonly [readonly (number | null)[]]): void {
        super.build(shapes);
        this.addWeight(name, [1], this.weight);
      }
    }
    const layer = new Named();
    fails(
      () => quietly(() => layer.apply(ones([2, 3]))),
      'argument',
      new RegExp(`the name '${name}' is taken, or holds a dot`),
    );
    assert.not.ok(layer.built);
    fails(() => layer.addWeight('w', [1], layer.weight), 'argument', /added in build/);
  }
});

test('an initializer that makes something else is refused, and leaves nothing', () => {
  const other = new CpuDevice();
  const cases: readonly [initializer: WeightOptions['initializer'], code: string, message: RegExp][] = [
    [() => ones([2]), 'argument', /'bias' made shape \(2,\) on .*, not \(3,\) on /],
    [(shape) => ones(shape, { device: other }), 'argument', /'bias' made shape \(3,\) on/],
    [(shape, options) => zeros(shape, { ...options, dtype: 'int32' }), 'dtype', /int32 cannot be trained/],
    [() => 3 as never, 'argument', /Parameter/],
    [() => undefined as never, 'argument', /Parameter/],
  ];
  for (const [initializer, code, message] of cases) {
    const layer = new Bias({ initializer });
    fails(() => quietly(() => layer.apply(ones([2, 3]))), code, message, /^layer 'bias': /);
    assert.not.ok(layer.built);
  }
  assert.is(other.memory().tensors, 0);
  other.destroy();
});

test('a build that fails half-way leaves no tensor, and the next one begins anew', () => {
  let fail = true;
  class Half extends Layer {
    override build(): void {
      this.addWeight('a', [1000], { initializer: initializers.ones() });
      this.addWeight('b', [10], {
        initializer: (shape, options) => {
          if (fail) throw new Error('no b today');
          return ones(shape, options);
        },
      });
    }

    override call([x]: readonly [Tensor]): Tensor {
      return x;
    }
  }
  const half = new Half();
  quietly(() => {
    const x = ones([2, 3]);
    const before = device.memory().tensors;
    assert.throws(() => half.apply(x), /no b today/);
    assert.is(device.memory().tensors, before);
  });
  assert.not.ok(half.built);
  assert.is(half.weights.length, 0);
  assert.throws(() => half.apply(input({ shape: [3] })), /no b today/);
  assert.is(half.weights.length, 0);
  fail = false;
  quietly(() => half.apply(ones([2, 3])));
  assert.equal(paths(half), ['a', 'b']);
  half.dispose();
});

test('after dispose() the weights are made anew, for other shapes too', () => {
  const layer = layers.dense({ units: 2 });
  quietly(() => layer.apply(ones([1, 3])));
  fails(
    () => quietly(() => layer.apply(ones([1, 4]))),
    'shape',
    /^layer 'dense': it was built for a last axis of 3/,
  );
  layer.dispose();
  layer.dispose();
  assert.not.ok(layer.built);
  quietly(() => layer.apply(ones([1, 4])));
  assert.equal(layer.weights[0]?.shape, [4, 2]);
  layer.dispose();
});

test('weights lie on the device of the first input', async () => {
  const cpu = new CpuDevice();
  const layer = layers.dense({ units: 2, kernelInitializer: 'ones' });
  const y = scope(() => layer.apply(ones([1, 3], { device: cpu })));
  assert.ok(layer.weights.every(({ value }) => value.device === cpu));
  assert.equal(await y.array(), [[3, 3]]);
  y.dispose();
  layer.dispose();
  assert.is(cpu.memory().tensors, 0);
  cpu.destroy();
});

test('an error tells the innermost layer, once', () => {
  const outer = new Outer({ name: 'net' });
  class Broken extends Block {
    override call([x]: readonly [Tensor]): Tensor {
      return this.first.apply([x, x]);
    }
  }
  class Net extends Layer {
    readonly broken = new Broken();

    override call([x]: readonly [Tensor]): Tensor {
      return this.broken.apply(x);
    }
  }
  const net = new Net();
  fails(
    () => quietly(() => net.apply(ones([2, 3]))),
    'argument',
    /^layer 'first': it takes one input, and was called on 2\.$/,
  );
  fails(
    () => net.apply(input({ shape: [3] })),
    'argument',
    /^layer 'first': it takes one input, and was called on 2\.$/,
  );
  quietly(() => outer.apply(ones([2, 3])));
  fails(() => quietly(() => outer.apply(ones([2, 5]))), 'shape', /^layer 'first': it was built for [^']*$/);
  fails(() => quietly(() => outer.apply(ones([]))), 'shape', /^layer 'first': [^']*$/);
  // What a function throws of its own is handed on as it is.
  const foreign = layers.lambda(() => {
    throw new RangeError('mine');
  });
  assert.throws(
    () => foreign.apply(input({ shape: [] })),
    (error: unknown) => error instanceof RangeError && error.message === 'mine',
  );
  outer.dispose();
  net.dispose();
});

test('apply takes tensors or symbolic tensors, never both', () => {
  const layer = layers.add();
  const symbol = input({ shape: [3] });
  quietly(() => {
    const x = ones([2, 3]);
    const bad = (inputs: unknown, message: RegExp): void =>
      fails(() => layer.apply(inputs as never), 'argument', /^layer 'add': /, message);
    bad([x, symbol], /input 1 is a SymbolicTensor; pass tensors, or symbolic tensors only/);
    bad([symbol, x], /input 0 is a SymbolicTensor/);
    bad([x, 3], /input 1 is 3/);
    bad([[1, 2], x], /input 0 is \[1, 2\]/);
    bad(undefined, /input 0 is undefined/);
    bad([], /called on 0/);
    fails(() => layer.apply([x, x], true as never), 'argument', /apply: true/);
    fails(() => layer.apply([x, x], { train: true } as never), 'argument', /no option 'train'/);
    fails(() => layer.apply([x, x], { training: 1 } as never), 'argument', /training is 1/);
    const gone = ones([2, 3]);
    gone.dispose();
    fails(() => layer.apply([x, gone]), 'disposed', /^layer 'add': /);
  });
  const dense = layers.dense({ units: 1 });
  fails(() => dense.apply([]), 'argument', /^layer 'dense': it takes one input, and was called on 0/);
});

test('several outputs come from applyAll', () => {
  const halves = layers.lambda((x) => [mul(x as Tensor, 0.5), sum(x as Tensor, { axis: -1 })]);
  quietly(() => {
    assert.equal(
      halves.applyAll(ones([2, 3])).map(({ shape }) => shape),
      [[2, 3], [2]],
    );
    fails(() => halves.apply(ones([2, 3])), 'argument', /layer 'lambda': it has 2 outputs; call applyAll/);
  });
  const symbols = halves.applyAll(input({ shape: [3] }));
  assert.equal(
    symbols.map(({ shape, output }) => [shape, output]),
    [
      [[null, 3], 0],
      [[null], 1],
    ],
  );
  assert.is(symbols[0]?.node, symbols[1]?.node);
  assert.equal(symbols[0]?.node?.outputs, symbols);
  fails(() => halves.apply(input({ shape: [3] })), 'argument', /it has 2 outputs/);
});

test('call() must return tensors', () => {
  class Wrong extends Layer {
    result: unknown = null;

    override call(): Tensor {
      return this.result as Tensor;
    }
  }
  const layer = new Wrong();
  for (const [result, message] of [
    [undefined, /returned undefined/],
    [3, /returned 3/],
    [Promise.resolve(), /returned a Promise/],
    [[1, 2], /returned \[1, 2\]/],
    [input({ shape: [2] }), /returned a SymbolicTensor/],
  ] as const) {
    layer.result = result;
    fails(() => quietly(() => layer.apply(ones([2]))), 'argument', /^layer 'wrong': call\(\)/, message);
  }
});

test('what is open stays open, what is known is known', () => {
  const x = input({ shape: [null, null, 4] });
  const keep = layers.activation({ activation: 'relu' });
  assert.equal(keep.apply(x).shape, [null, null, null, 4]);
  assert.is(keep.apply(x).dtype, defaultDevice().float);
  assert.is(keep.apply(input({ shape: [2], dtype: 'int32' })).dtype, 'int32');
  assert.equal(layers.flatten().apply(x).shape, [null, null]);
  const dense = layers.dense({ units: 7 });
  assert.equal(dense.apply(x).shape, [null, null, null, 7]);
  assert.equal(dense.weights[0]?.shape, [4, 7]);
  // The result may lose the batch, and may have fewer axes.
  assert.equal(layers.lambda((v) => sum(v as Tensor)).apply(x).shape, []);
  dense.dispose();
  const open = layers.dense({ units: 7 });
  fails(
    () => open.apply(input({ shape: [null] })),
    'shape',
    /^layer 'dense': the input of shape \(null, null\) leaves its last axis open/,
  );
  assert.not.ok(open.built);

  // The same for layers inside, whose weights must not be those of extents that stand for others.
  const told = /^layer 'first': the input of shape \(null, null\) leaves its last axis open/;
  const outer = new Outer();
  fails(() => outer.apply(input({ shape: [null] })), 'shape', told);
  class Flat extends Outer {
    override call([x]: readonly [Tensor]): Tensor {
      return super.call([reshape(x, [x.shape[0] as number, -1])]);
    }
  }
  const flat = new Flat();
  fails(() => flat.apply(input({ shape: [null, 2] })), 'shape', /^layer 'first': it was built for/);
  for (const layer of [outer, flat]) {
    assert.is(layer.weights.length, 0);
    quietly(() => layer.apply(ones([2, 3])));
    assert.is(layer.weights.length, 7);
    layer.dispose();
  }
});

test('input() checks what it is told, and symbols tell what they are', () => {
  for (const shape of [3, [0], [-1], [1.5], ['2'], undefined, null])
    fails(() => input({ shape } as never), 'shape', /^input: the shape/);
  fails(() => input({ shape: [2], dtype: 'float16' } as never), 'argument', /^input: dtype is 'float16'/);
  fails(() => input({ shape: [2], name: '' }), 'argument', /^input: name is ''/);
  fails(() => input([2] as never), 'argument', /^input: \[2\]/);
  fails(() => input({ shape: [2], size: 3 } as never), 'argument', /no option 'size'/);
  const x = input({ shape: [2], name: 'x' });
  assert.is(x.name, 'x');
  assert.is(x.node, null);
  assert.is(String(x), 'SymbolicTensor(shape (null, 2), float, input)');
  const y = layers.flatten({ name: 'flat' }).apply(x);
  assert.is(String(y), `SymbolicTensor(shape (null, 2), ${device.float}, from layer 'flat')`);
  assert.ok(y instanceof SymbolicTensor);
});

test('working out shapes touches no data, no default device, and draws nothing', async () => {
  setSeed(4);
  const layer = layers.lambda((x) => add(x as Tensor, randomUniform([3])));
  const before = device.memory().tensors;
  assert.equal(layer.apply(input({ shape: [3] })).shape, [null, 3]);
  assert.is(device.memory().tensors, before);
  assert.is(defaultDevice(), device);
  const drawn = await resultOf(() => randomUniform([2]));
  setSeed(4);
  assert.equal(drawn, await resultOf(() => randomUniform([2])));

  // Nor where it fails.
  setSeed(4);
  const wrong = layers.lambda((x) => reshape(add(x as Tensor, randomUniform([3])), [7]));
  fails(() => wrong.apply(input({ shape: [3] })), 'shape', /^layer 'lambda': reshape/);
  assert.is(defaultDevice(), device);
  assert.equal(drawn, await resultOf(() => randomUniform([2])));
});

test('a value cannot be read while shapes are worked out', async () => {
  const readings: Promise<unknown>[] = [];
  inferShapes([{ shape: [null, 2], dtype: 'float' }], ([x]) => {
    assert.is(defaultDevice().description, 'shapes only');
    readings.push((x as Tensor).array());
    return [x as Tensor];
  });
  await Promise.all(readings.map((one) => rejects(one, 'shapes-only', /Keep readbacks out of call\(\)/)));
});

test('weights made while shapes are worked out are those of a first call', async () => {
  const values = async (layer: Layer): Promise<unknown[]> => {
    const read = await Promise.all(layer.weights.map(({ value }) => value.array()));
    layer.dispose();
    return read;
  };
  setSeed(7);
  const [a, b] = [new Outer(), new Outer()];
  quietly(() => b.apply(a.apply(ones([2, 2]))));
  const called = [await values(a), await values(b)];
  const next = await resultOf(() => randomUniform([2]));

  setSeed(7);
  const [c, d] = [new Outer(), new Outer()];
  d.apply(c.apply(input({ shape: [2] })));
  assert.ok([...c.weights, ...d.weights].every(({ value }) => value.device === device));
  const promised = [await values(c), await values(d)];
  assert.equal(promised, called);
  assert.not.equal(promised[0], promised[1]);
  assert.equal(await resultOf(() => randomUniform([2])), next);
});

test('an initializer that ignores its device makes real weights too', async () => {
  const layer = new Bias({ initializer: (shape) => ones(shape) });
  layer.apply(input({ shape: [3] }));
  assert.equal(await layer.weights[0]?.value.array(), [1, 1, 1]);
  layer.dispose();
});

test('a build that asks for shapes itself, inside of one that does', async () => {
  class Asking extends Layer {
    readonly inner = layers.dense({ units: 3, kernelInitializer: 'ones' });
    units = 0;

    override build(shapes: readonly (readonly (number | null)[])[]): void {
      const [spec] = this.inner.outputSpecs(shapes.map((shape) => ({ shape, dtype: 'float' as const })));
      this.units = spec?.shape.at(-1) as number;
      this.addWeight('scale', [this.units], { initializer: (shape) => ones(shape) });
    }

    override call([x]: readonly [Tensor]): Tensor {
      return this.inner.apply(x);
    }
  }
  class Around extends Layer {
    readonly asking = new Asking();

    override call([x]: readonly [Tensor]): Tensor {
      return this.asking.apply(x);
    }
  }
  const around = new Around();
  assert.equal(around.apply(input({ shape: [2] })).shape, [null, 3]);
  assert.is(around.asking.units, 3);
  assert.equal(await around.asking.weights[0]?.value.array(), [1, 1, 1]);
  assert.is(defaultDevice(), device);
  around.dispose();
});

/** Notes whether it runs as in training, and adds a loss. */
class Note extends Layer {
  readonly notes: boolean[] = [];

  override call([x]: readonly [Tensor], context: { training: boolean; addLoss(loss: Tensor): void }): Tensor {
    this.notes.push(context.training);
    context.addLoss(sum(x));
    return x;
  }
}

class Around extends Layer {
  readonly note: Note;
  readonly training: boolean | undefined;

  constructor(note: Note, training?: boolean) {
    super();
    this.note = note;
    this.training = training;
  }

  override call([x]: readonly [Tensor]): Tensor {
    const options = this.training === undefined ? {} : { training: this.training };
    return this.note.apply(x, options);
  }
}

test('training is handed down, unless the inner call says otherwise', () => {
  const note = new Note();
  quietly(() => {
    const x = ones([2, 3]);
    note.apply(x);
    note.apply(x, { training: true });
    new Around(note).apply(x);
    new Around(note).apply(x, { training: true });
    new Around(new Note()).apply(x, { training: true });
    new Around(note, false).apply(x, { training: true });
    new Around(note, true).apply(x);
    const failing = layers.lambda(() => {
      throw new RangeError('mine');
    });
    assert.throws(() => failing.apply(x, { training: true }));
    note.apply(x);
  });
  assert.equal(note.notes, [false, true, false, true, false, true, false]);
});

test('losses reach whoever collects them, but not from working out shapes', () => {
  const note = new Note();
  quietly(() => {
    const x = ones([2, 3]);
    note.apply(x);
    const { losses } = collectingLosses(() => new Around(note).apply(x, { training: true }));
    assert.is(losses.length, 1);
    assert.is(losses[0]?.device, device);
    const silent = collectingLosses(() => note.apply(input({ shape: [3] })));
    assert.is(silent.losses.length, 0);
  });
  // A first call in training whose inner layers work shapes out: as out of training.
  note.notes.length = 0;
  const asking = layers.lambda((x) => {
    note.outputSpecs([{ shape: [null, 3], dtype: 'float' }]);
    return x as Tensor;
  });
  quietly(() => {
    const { losses } = collectingLosses(() => asking.apply(ones([2, 3]), { training: true }));
    assert.is(losses.length, 0);
  });
  assert.ok(note.notes.length > 0 && note.notes.every((training) => !training));
});

test('observers see calls of all layers, inner ones within outer ones, until they end', () => {
  const seen: string[] = [];
  const end = observeLayers({
    enter: ({ name }, [x]) => seen.push(`+${name} ${x?.shape}`),
    leave: ({ name }, _inputs, [y]) => seen.push(`-${name} ${y?.shape}`),
  });
  const endOther = observeLayers({});
  const outer = new Around(new Note());
  try {
    quietly(() => outer.apply(ones([2, 3])));
  } finally {
    end();
  }
  quietly(() => outer.apply(ones([2, 3])));
  endOther();
  assert.equal(seen, ['+around 2,3', '+note 2,3', '-note 2,3', '-around 2,3']);
});

test('random streams of layers inside have paths', () => {
  class Noisy extends Layer {
    readonly noise = layers.dropout({ rate: 0.5, seed: 3 });
    readonly more = [layers.gaussianNoise({ stddev: 1, seed: 4 }), layers.dropout({ rate: 0.5 })];

    override call([x]: readonly [Tensor]): Tensor {
      return this.noise.apply(x);
    }
  }
  const noisy = new Noisy();
  assert.equal(
    noisy.namedGenerators().map(([path, { seed }]) => [path, seed]),
    [
      ['noise.noise', 3],
      ['more_0.noise', 4],
    ],
  );
  quietly(() => noisy.apply(ones([2, 3]), { training: true }));
  assert.is(noisy.namedGenerators()[0]?.[1].counter, 6);
});

test('graphs: branches, shared layers, order, and names', async () => {
  const x = input({ shape: [3] });
  const z = input({ shape: [3] });
  const shared = layers.dense({ units: 3, kernelInitializer: 'identity' });
  const left = shared.apply(x);
  const right = shared.apply(z);
  const y = layers.add().apply([left, right]);
  const twice = layers.add().apply([y, left]);
  const unused = layers.flatten().apply(x);
  const graph = graphOf('model', [x, z], [twice, y]);
  assert.is(graph.nodes.length, 4);
  assert.is(graph.layers.length, 3);
  assert.not.ok(graph.nodes.includes(unused.node as never));
  nameLayers('model', graph.layers);
  assert.equal(
    graph.layers.map(({ name }) => name),
    ['dense', 'add', 'add_1'],
  );
  const inputs = (): Tensor[] => [tensor([[1, 2, 3]]), tensor([[10, 20, 30]])];
  close(await resultOf(() => runGraph(graph, inputs())[0] as Tensor), [[12, 24, 36]]);
  close(await resultOf(() => runGraph(graph, inputs())[1] as Tensor), [[11, 22, 33]]);

  // A graph may begin inside of another.
  const part = graphOf('model', [left, z], [y]);
  assert.is(part.nodes.length, 2);
  fails(
    () => graphOf('model', [x], [y]),
    'argument',
    /^model: an output depends on an input .* not among the inputs/,
  );
  fails(() => graphOf('model', [], [y]), 'argument', /no inputs/);
  fails(() => graphOf('model', [x], []), 'argument', /no outputs/);
  fails(() => graphOf('model', [3 as never], [y]), 'argument', /inputs 0 is 3/);
  const named = [layers.flatten({ name: 'add_1' }), layers.flatten({ name: 'add_1' })];
  fails(() => nameLayers('model', named), 'argument', /two layers are named 'add_1'/);
  const free = [layers.flatten({ name: 'add' }), layers.add(), layers.add()];
  nameLayers('model', free);
  assert.equal(
    free.map(({ name }) => name),
    ['add', 'add_1', 'add_2'],
  );
  shared.dispose();
});
