/** Tables for networks that learn: split by seed, and scaled by what the training rows say. */
import * as assert from 'uvu/assert';
import {
  type data,
  initializers,
  input,
  layers,
  optimizers,
  type Sequential,
  sequential,
  setSeed,
} from '../../src/node.ts';
import { isLong } from './harness.ts';

const PEER_SPLITS = 20;

/** Rows to learn from, or to measure on. */
interface Rows {
  readonly x: data.Column;
  readonly y: data.Column;
}

/** Mean and deviation of each column. */
function statistics({ data: values, shape }: data.Column): { mean: number[]; deviation: number[] } {
  const rows = shape[0] as number;
  const width = values.length / rows;
  const mean = new Array<number>(width).fill(0);
  values.forEach((value, at) => {
    mean[at % width] = (mean[at % width] as number) + value / rows;
  });
  const variance = new Array<number>(width).fill(0);
  values.forEach((value, at) => {
    const own = at % width;
    variance[own] = (variance[own] as number) + (value - (mean[own] as number)) ** 2 / rows;
  });
  return { mean, deviation: variance.map(Math.sqrt) };
}

/** (column − mean) / deviation, by the statistics of `train`. */
function scaled(column: data.Column, train: data.Column): data.Column {
  const { mean, deviation } = statistics(train);
  const width = mean.length;
  const values = Float64Array.from(
    column.data,
    (value, at) => (value - (mean[at % width] as number)) / (deviation[at % width] as number),
  );
  return { data: values, shape: column.shape, dtype: 'float64' };
}

/**
 * Three quarters of the rows to train and one to test on. Columns, and a target that is no class, have mean 0 and deviation 1
 * over the training rows.
 */
async function quarters(
  examples: data.Dataset<Record<'x' | 'y', data.Column>>,
  seed: number,
): Promise<Record<'train' | 'test', Rows>> {
  const parts = examples.split({ train: 0.75, test: 0.25 }, { seed });
  const [train, test] = await Promise.all([parts.train.arrays(), parts.test.arrays()]);
  const ready = ({ x, y }: Rows): Rows => ({
    x: scaled(x, train.x),
    y: y.dtype === 'int32' ? y : scaled(y, train.y),
  });
  return { train: ready(train), test: ready(test) };
}

/** What a network looks like, and how it is trained. */
export interface Setup {
  readonly hidden: readonly number[];
  readonly activation: 'relu' | 'tanh';
  readonly rate: number;
  readonly batchSize: number;
  readonly epochs: number;
}

/**
 * Layers of `hidden` units, then one for each class and a softmax, or one for a number. As in scikit-learn, biases start from
 * the same random numbers as kernels: networks of tanh without are odd functions at first, and learn spirals badly.
 */
function networkOf({ hidden, activation, rate }: Setup, columns: number, classes: number | null): Sequential {
  const dense = (units: number, own: 'relu' | 'tanh' | 'softmax' | 'linear', inputs: number) => {
    const maxval = Math.sqrt(6 / (inputs + units));
    const biasInitializer = initializers.randomUniform({ minval: -maxval, maxval });
    return layers.dense({ units, activation: own, biasInitializer });
  };
  const widths = [columns, ...hidden];
  const net = sequential([
    input({ shape: [columns] }),
    ...hidden.map((units, index) => dense(units, activation, widths[index] as number)),
    dense(classes ?? 1, classes === null ? 'linear' : 'softmax', widths.at(-1) as number),
  ]);
  const optimizer = optimizers.adam({ learningRate: rate, epsilon: 1e-8 });
  return classes === null
    ? net.compile({ optimizer, loss: 'meanSquaredError' })
    : net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
}

/** Accuracy on the test rows after the training; R² = 1 − Σ(y − p)² / Σ(y − mean y)² for numbers. */
async function learned(
  setup: Setup,
  examples: data.Dataset<Record<'x' | 'y', data.Column>>,
  seed: number,
): Promise<number> {
  setSeed(seed);
  const { train, test } = await quarters(examples, seed);
  const classes = test.y.dtype === 'int32' ? 1 + Math.max(...train.y.data, ...test.y.data) : null;
  const net = networkOf(setup, train.x.shape[1] as number, classes);
  try {
    const { batchSize, epochs } = setup;
    await net.fit(train, { batchSize, epochs, seed });
    const { loss, accuracy } = await net.evaluate(test, { batchSize: 512 });
    if (classes !== null) return accuracy as number;
    return 1 - (loss as number) / (statistics(test.y).deviation[0] as number) ** 2;
  } finally {
    net.dispose();
  }
}

/** What scikit-learn's networks reach, by scripts/oracles/learning.py: mean and standard deviation over 20 splits. */
export interface Peer {
  readonly mean: number;
  readonly deviation: number;
}

/**
 * Learns with one seed and falls short of the peer's mean by at most two standard deviations, the luck of the split; in the
 * long run with ten seeds, and their mean by at most two of the standard errors of the two means.
 *
 * @throws AssertionError otherwise.
 */
export async function learnsLike(
  { mean, deviation }: Peer,
  setup: Setup,
  examples: (seed: number) => data.Dataset<Record<'x' | 'y', data.Column>>,
): Promise<void> {
  const seeds = isLong ? 10 : 1;
  let sum = 0;
  for (let seed = 1; seed <= seeds; seed++) sum += await learned(setup, examples(seed), seed);
  const least = mean - 2 * deviation * (isLong ? Math.sqrt(1 / seeds + 1 / PEER_SPLITS) : 1);
  const own = sum / seeds;
  if (isLong) console.log(`  mean of ${seeds} seeds ${own.toFixed(4)}, scikit-learn ${mean.toFixed(4)}`);
  assert.ok(own >= least, `${own.toFixed(4)} is below ${least.toFixed(4)}`);
}
