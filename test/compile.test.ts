/** What a model is compiled with: names, outputs, warnings, and the loss that it makes of them. */
import * as assert from 'uvu/assert';
import {
  ArgumentError,
  add,
  type CompileOptions,
  input,
  layers,
  losses,
  Model,
  mean,
  model,
  mul,
  optimizers,
  regularizers,
  sequential,
  square,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { fails } from './support/values.ts';

await testDevice();
const test = suite('compile');

/** Runs `body` and returns what it warned of. */
function warnings(body: () => void): string[] {
  const { warn } = console;
  const found: string[] = [];
  console.warn = (...parts: unknown[]) => found.push(parts.join(' '));
  try {
    body();
  } finally {
    console.warn = warn;
  }
  return found;
}

const small = (activation: 'softmax' | 'sigmoid' | 'linear', options = {}) =>
  sequential([input({ shape: [4] }), layers.dense({ units: 3, name: 'head', activation })], options);

test('a softmax or a sigmoid in front of a loss that takes logits is reported, once for each model', () => {
  const cases: [activation: 'softmax' | 'sigmoid' | 'linear', loss: CompileOptions['loss'], told: boolean][] =
    [
      ['softmax', { loss: 'categoricalCrossentropy', fromLogits: true }, true],
      ['softmax', { loss: 'sparseCategoricalCrossentropy', fromLogits: true }, true],
      ['sigmoid', { loss: 'binaryCrossentropy', fromLogits: true }, true],
      ['linear', { loss: 'categoricalCrossentropy', fromLogits: true }, false],
      ['softmax', 'categoricalCrossentropy', false],
      ['softmax', { loss: 'categoricalCrossentropy', fromLogits: false }, false],
      ['sigmoid', 'binaryCrossentropy', false],
    ];
  for (const [activation, loss, told] of cases) {
    const net = small(activation);
    const found = warnings(() => {
      net.compile({ loss });
      net.compile({ loss });
    });
    assert.is(found.length, told ? 1 : 0, `${activation}, ${JSON.stringify(loss)}: ${found.join('\n')}`);
    if (told) assert.match(found[0] as string, new RegExp(`'head' ends in a ${activation}`));
    net.dispose();
  }
});

test('a softmax behind a function is found as well', () => {
  const x = input({ shape: [4] });
  const logits = layers.dense({ units: 3 }).apply(x);
  const net = model({ inputs: x, outputs: layers.activation({ activation: 'softmax' }).apply(logits) });
  const found = warnings(() => net.compile({ loss: { loss: 'categoricalCrossentropy', fromLogits: true } }));
  assert.is(found.length, 1);
  net.dispose();
});

test('unknown names are refused with the nearest one', () => {
  const net = small('softmax');
  const table: [options: CompileOptions, message: RegExp][] = [
    [{ loss: 'categorical_crossentropy' as never }, /no loss .*Did you mean 'categoricalCrossentropy'/],
    [{ loss: 'mes' as never }, /no loss .*Did you mean 'm/],
    [{ loss: 'mse', optimizer: 'adma' as never }, /no optimizer .*Did you mean 'adam'/],
    [{ loss: 'mse', metrics: ['accurracy'] }, /no metric .*Did you mean 'accuracy'/],
    [{ loss: { heads: 'mse' } as never }, /no output .*Did you mean 'head'/],
    [{ loss: 'mse', metrics: { hed: ['mse'] } }, /no output .*Did you mean 'head'/],
    [{ loss: 'mse', lossWeights: { hed: 1 } }, /no output .*Did you mean 'head'/],
    [{ loss: 'mse', lossWeights: { head: -1 } }, /lossWeights\.head is -1/],
    [{} as never, /there is no loss/],
    [{ loss: 3 as never }, /loss is 3/],
    [{ loss: 'mse', optimizer: 3 as never }, /optimizer is 3/],
    [{ loss: 'mse', optimiser: 'adam' } as never, /no option 'optimiser'/],
  ];
  for (const [options, message] of table) fails(() => net.compile(options), 'argument', message);
  assert.is(net.compiled, false, 'nothing was compiled');
  net.dispose();
});

test('the loss of several outputs is the weighted sum, with penalties on weights and outputs', async () => {
  const x = input({ shape: [2] });
  const dense = (name: string) =>
    layers.dense({
      units: 1,
      name,
      useBias: false,
      kernelInitializer: 'ones',
      kernelRegularizer: regularizers.l2(0.1),
      activityRegularizer: regularizers.l2(0.01),
    });
  const net = model({ inputs: x, outputs: [dense('a').apply(x), dense('b').apply(x)] });
  net.compile({
    loss: { a: 'mse', b: 'mae' },
    lossWeights: { b: 3 },
    metrics: { b: ['mse'] },
    optimizer: 'sgd',
  });
  // Both outputs are 3 and 7 for the rows (1, 2) and (3, 4); penalties are 2·0.1·2 on weights and 2·0.01·(9 + 49) on outputs.
  const logs = await net.testOnBatch({
    x: [
      [1, 2],
      [3, 4],
    ],
    y: { a: [[1], [7]], b: [[0], [0]] },
  });
  const near = (name: string, value: number) =>
    assert.ok(Math.abs((logs[name] as number) - value) < 1e-5, `${name} is ${logs[name]}, not ${value}`);
  near('a_loss', 2);
  near('b_loss', 5);
  near('b_mse', (9 + 49) / 2);
  near('loss', 2 + 3 * 5 + 0.4 + 2 * 0.01 * (9 + 49));
  assert.equal(Object.keys(logs), ['loss', 'a_loss', 'b_loss', 'b_mse']);
  net.dispose();
});

test('losses and metrics may be functions, and a loss may be one of the namespace', async () => {
  const net = sequential([input({ shape: [1] }), layers.dense({ units: 1, kernelInitializer: 'ones' })]);
  const own = (yTrue: Tensor, yPred: Tensor) => mean(square(add(yPred, mul(yTrue, -1))));
  const batch = { x: [[1], [2]], y: [[0], [0]] };
  for (const loss of [own, losses.meanSquaredError, 'mse'] as const) {
    net.compile({ loss, metrics: [(_: Tensor, yPred: Tensor) => yPred, 'mae'] });
    const logs = await net.testOnBatch(batch);
    assert.is(logs.loss, 2.5);
    assert.is(logs.mae, 1.5);
    assert.is(Object.values(logs)[1], 1.5);
  }
  net.dispose();
});

test('a change of what is trainable asks for another compile', async () => {
  const first = layers.dense({ units: 2 });
  const net = sequential([input({ shape: [2] }), first, layers.dense({ units: 1 })]);
  const batch = { x: tensorRows(), y: [[1], [2]] };
  net.compile({ loss: 'mse', optimizer: optimizers.sgd() });
  await net.trainOnBatch(batch);
  first.trainable = false;
  const kernel = await (first.weights[0] as { value: Tensor }).value.data();
  try {
    await net.trainOnBatch(batch);
    assert.unreachable('it trained');
  } catch (error) {
    assert.instance(error, ArgumentError);
    assert.match((error as Error).message, /compile the model again/);
  }
  net.compile({ loss: 'mse', optimizer: optimizers.sgd() });
  await net.trainOnBatch(batch);
  assert.equal(await (first.weights[0] as { value: Tensor }).value.data(), kernel, 'frozen weights stay');
  net.dispose();
});

const tensorRows = () => [
  [1, 2],
  [3, 4],
];

test('a subclass of Model trains', async () => {
  class Net extends Model {
    readonly hidden = [
      layers.dense({ units: 8, activation: 'tanh' }),
      layers.dense({ units: 8, activation: 'tanh' }),
    ];
    readonly out = layers.dense({ units: 1 });
    override call([x]: readonly [Tensor]): Tensor {
      return this.out.apply(this.hidden.reduce((value, layer) => layer.apply(value), x));
    }
  }
  const net = new Net();
  net.compile({ loss: 'mse', optimizer: optimizers.adam({ learningRate: 0.05 }) });
  const x = tensor([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
  const { epochs } = await net.fit({ x, y: [[0], [1], [1], [0]] }, { epochs: 60, batchSize: 4, seed: 1 });
  assert.ok((epochs.at(-1)?.loss as number) < 0.05, `loss ${epochs.at(-1)?.loss}`);
  assert.equal(
    net.namedWeights().map(([path]) => path),
    ['hidden_0.kernel', 'hidden_0.bias', 'hidden_1.kernel', 'hidden_1.bias', 'out.kernel', 'out.bias'],
  );
  x.dispose();
  net.dispose();
});
