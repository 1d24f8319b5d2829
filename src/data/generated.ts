/** Small data sets made from a seed: the same numbers everywhere, nothing to download. */
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';
import type { Column } from './batch.ts';
import { fromColumns } from './create.ts';
import type { Dataset } from './dataset.ts';
import { PURPOSE, type Stream, seedOf, streamOf } from './random.ts';

export interface SampleOptions {
  /** How many examples. */
  samples?: number;
  /** Standard deviation of the normal noise added to each coordinate. */
  noise?: number;
  /** Default: drawn from the default generator, which `setSeed` starts. */
  seed?: number;
}

/** Points and labels (classes, as int32) or targets. */
export type Examples = Dataset<Record<'x' | 'y', Column>>;

type Given = SampleOptions & Readonly<Record<string, unknown>>;

/** Checks the options and starts the random numbers of one sample each. */
function begin(
  op: string,
  options: object,
  known: readonly string[],
  defaults: { samples: number; noise: number },
): { samples: number; noise: number; random: (index: number) => Stream } {
  checkOptions<Given>(op, options as Given, ['samples', 'noise', 'seed', ...known], '');
  const { samples = defaults.samples, noise = defaults.noise, seed } = options as SampleOptions;
  count(op, 'samples', samples);
  if (!(noise >= 0 && noise < Infinity)) {
    throw new ArgumentError(`${op}: noise is ${describe(noise)}; pass a standard deviation ≥ 0.`);
  }
  const key = seedOf(op, seed);
  return { samples, noise, random: (index) => streamOf(key, PURPOSE.samples, index) };
}

function count(op: string, name: string, value: unknown, least = 1): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw new ArgumentError(`${op}: ${name} is ${describe(value)}; pass a whole number ≥ ${least}.`);
}

/** Collects one row of x and one of y for each sample. */
function collect(
  samples: number,
  [xShape, yShape]: readonly [readonly number[], readonly number[]],
  kind: 'classes' | 'numbers',
  sample: (index: number) => readonly [x: readonly number[], y: readonly number[]],
): Examples {
  const size = (shape: readonly number[]): number =>
    shape.reduce((product, extent) => product * extent, samples);
  const x = new Float32Array(size(xShape));
  const y = kind === 'classes' ? new Int32Array(size(yShape)) : new Float32Array(size(yShape));
  for (let index = 0; index < samples; index++) {
    const [input, target] = sample(index);
    x.set(input, index * input.length);
    y.set(target, index * target.length);
  }
  return fromColumns({
    x: { data: x, shape: [samples, ...xShape], dtype: 'float32' },
    y: { data: y, shape: [samples, ...yShape], dtype: kind === 'classes' ? 'int32' : 'float32' },
  });
}

/** Points in the plane with a class each. */
function plane(
  samples: number,
  noise: number,
  random: (index: number) => Stream,
  point: (index: number, stream: Stream) => readonly [x0: number, x1: number, label: number],
): Examples {
  return collect(samples, [[2], []], 'classes', (index) => {
    const stream = random(index);
    const [x0, x1, label] = point(index, stream);
    return [[x0 + noise * stream.normal(), x1 + noise * stream.normal()], [label]];
  });
}

/** Two interleaved half circles, classes in turn. x (2), y a class of 2. Default: 400 samples, noise 0.1. */
export function twoMoons(options: SampleOptions = {}): Examples {
  const { samples, noise, random } = begin('twoMoons', options, [], { samples: 400, noise: 0.1 });
  return plane(samples, noise, random, (index, stream) => {
    const angle = Math.PI * stream.uniform();
    return index % 2
      ? [1 - Math.cos(angle), 0.5 - Math.sin(angle), 1]
      : [Math.cos(angle), Math.sin(angle), 0];
  });
}

export interface CirclesOptions extends SampleOptions {
  /** Radius of the inner circle; the outer one's is 1. Default: 0.5. */
  factor?: number;
}

/** A circle (class 1) inside another (class 0). x (2), y a class of 2. Default: 400 samples, noise 0.05. */
export function circles(options: CirclesOptions = {}): Examples {
  const { samples, noise, random } = begin('circles', options, ['factor'], { samples: 400, noise: 0.05 });
  const { factor = 0.5 } = options;
  if (!(factor > 0 && factor < 1)) {
    throw new ArgumentError(`circles: factor is ${describe(factor)}; it lies between 0 and 1.`);
  }
  return plane(samples, noise, random, (index, stream) => {
    const angle = 2 * Math.PI * stream.uniform();
    const radius = index % 2 ? factor : 1;
    return [radius * Math.cos(angle), radius * Math.sin(angle), index % 2];
  });
}

export interface SpiralsOptions extends SampleOptions {
  /** Number of arms, a class each. Default: 2. */
  classes?: number;
  /** How often an arm goes around. Default: 1.5. */
  turns?: number;
}

/** Spiral arms that start near the centre. x (2) within [−1, 1], y a class. Default: 600 samples, noise 0.02. */
export function spirals(options: SpiralsOptions = {}): Examples {
  const known = ['classes', 'turns'];
  const { samples, noise, random } = begin('spirals', options, known, { samples: 600, noise: 0.02 });
  const { classes = 2, turns = 1.5 } = options;
  count('spirals', 'classes', classes);
  if (!Number.isFinite(turns))
    throw new ArgumentError(`spirals: turns is ${describe(turns)}; pass a number.`);
  return plane(samples, noise, random, (index, stream) => {
    const radius = 0.1 + 0.9 * Math.sqrt(stream.uniform());
    const angle = 2 * Math.PI * (turns * radius + (index % classes) / classes);
    return [radius * Math.cos(angle), radius * Math.sin(angle), index % classes];
  });
}

export interface BlobsOptions extends Omit<SampleOptions, 'noise'> {
  /** The centres, a class each, or how many to draw within [−10, 10]. Default: 3. */
  centers?: number | readonly (readonly number[])[];
  /** Number of coordinates, when the centres are drawn. Default: 2. */
  dims?: number;
  /** Standard deviation around a centre. Default: 1. */
  std?: number;
}

/** Normal clouds around centres. x (dims), y a class. Default: 300 samples, 3 clouds in the plane. */
export function blobs(options: BlobsOptions = {}): Examples {
  const op = 'blobs';
  const { centers = 3, dims = 2, std = 1, ...rest } = options;
  if (!(std >= 0 && std < Infinity)) {
    throw new ArgumentError(`${op}: std is ${describe(std)}; pass a standard deviation ≥ 0.`);
  }
  const { samples, noise, random } = begin(op, { ...rest, noise: std }, [], { samples: 300, noise: 1 });
  count(op, 'dims', dims);
  let means: readonly (readonly number[])[];
  if (typeof centers === 'number') {
    count(op, 'centers', centers);
    // The numbers after the last sample's.
    const stream = random(samples);
    means = Array.from({ length: centers }, () =>
      Array.from({ length: dims }, () => 20 * stream.uniform() - 10),
    );
  } else {
    means = centers;
    if (means.length === 0 || means.some((mean) => mean.length === 0 || mean.length !== means[0]?.length)) {
      throw new ArgumentError(`${op}: centers must be points of equal length, as in [[0, 0], [3, 3]].`);
    }
  }
  const width = (means[0] as readonly number[]).length;
  return collect(samples, [[width], []], 'classes', (index) => {
    const label = index % means.length;
    const stream = random(index);
    return [(means[label] as readonly number[]).map((mean) => mean + noise * stream.normal()), [label]];
  });
}

/** The corners of a square: equal signs are class 0, different ones class 1. x (2), y a class of 2. Default: 200, noise 0.1. */
export function xor(options: SampleOptions = {}): Examples {
  const { samples, noise, random } = begin('xor', options, [], { samples: 200, noise: 0.1 });
  return plane(samples, noise, random, (index) => {
    const [a, b] = [index & 1, (index >> 1) & 1];
    return [2 * a - 1, 2 * b - 1, a ^ b];
  });
}

export interface LineOptions extends SampleOptions {
  /** Default: 2. */
  slope?: number;
  /** Default: 1. */
  intercept?: number;
}

/** y = slope · x + intercept + noise, for x within [−1, 1]. x (1), y (1). Default: 100 samples, noise 0.1. */
export function line(options: LineOptions = {}): Examples {
  const { samples, noise, random } = begin('line', options, ['slope', 'intercept'], {
    samples: 100,
    noise: 0.1,
  });
  const { slope = 2, intercept = 1 } = options;
  return collect(samples, [[1], [1]], 'numbers', (index) => {
    const stream = random(index);
    const x = 2 * stream.uniform() - 1;
    return [[x], [slope * x + intercept + noise * stream.normal()]];
  });
}

export interface SequenceOptions extends Omit<SampleOptions, 'noise'> {
  /** Number of time steps. */
  length?: number;
}

/**
 * The adding problem of Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997): a row of numbers in [0, 1) beside
 * a row of marks, two of which are 1, one in each half; the target is the sum of the two marked numbers. x (length, 2), y (1).
 * Default: 1000 samples of length 20.
 */
export function addingProblem(options: SequenceOptions = {}): Examples {
  const op = 'addingProblem';
  const { samples, random } = begin(op, options, ['length'], { samples: 1000, noise: 0 });
  const { length = 20 } = options;
  count(op, 'length', length, 2);
  const half = length >> 1;
  return collect(samples, [[length, 2], [1]], 'numbers', (index) => {
    const stream = random(index);
    const marked = [stream.below(half), half + stream.below(length - half)];
    let sum = 0;
    const x: number[] = [];
    for (let step = 0; step < length; step++) {
      const value = Math.fround(stream.uniform());
      const mark = marked.includes(step);
      if (mark) sum += value;
      x.push(value, mark ? 1 : 0);
    }
    return [x, [sum]];
  });
}

export interface CopyOptions extends SequenceOptions {
  /** How many symbols must be remembered. Default: 5. */
  symbols?: number;
  /** Size of the alphabet, beside blank (0) and the mark that asks for the answer. Default: 8. */
  alphabet?: number;
}

/**
 * The copy task: symbols from 1 to `alphabet`, `length` − 1 blanks (0), and the mark `alphabet + 1`, after which the
 * symbols must be said again. x and y hold integers, (2·symbols + length); y is 0 up to the mark. Embed or one-hot x
 * over `alphabet + 2` values. Default: 1000 samples, 5 symbols of 8, length 10.
 */
export function copyTask(options: CopyOptions = {}): Examples {
  const op = 'copyTask';
  const { samples, random } = begin(op, options, ['length', 'symbols', 'alphabet'], {
    samples: 1000,
    noise: 0,
  });
  const { length = 10, symbols = 5, alphabet = 8 } = options;
  count(op, 'length', length);
  count(op, 'symbols', symbols);
  count(op, 'alphabet', alphabet, 2);
  const steps = 2 * symbols + length;
  const x = new Int32Array(samples * steps);
  const y = new Int32Array(samples * steps);
  for (let index = 0; index < samples; index++) {
    const stream = random(index);
    const start = index * steps;
    for (let at = 0; at < symbols; at++) {
      const symbol = 1 + stream.below(alphabet);
      x[start + at] = symbol;
      y[start + symbols + length + at] = symbol;
    }
    x[start + symbols + length - 1] = alphabet + 1;
  }
  const shape = [samples, steps];
  return fromColumns({ x: { data: x, shape, dtype: 'int32' }, y: { data: y, shape, dtype: 'int32' } });
}

export interface SineOptions extends SampleOptions {
  /** Number of time steps. Default: 20. */
  length?: number;
}

/**
 * Sine waves of random phase and period (between 10 and 40 steps), to be continued by one step. x (length, 1), y (1).
 * Default: 500 samples, noise 0.
 */
export function sineWaves(options: SineOptions = {}): Examples {
  const op = 'sineWaves';
  const { samples, noise, random } = begin(op, options, ['length'], { samples: 500, noise: 0 });
  const { length = 20 } = options;
  count(op, 'length', length);
  return collect(samples, [[length, 1], [1]], 'numbers', (index) => {
    const stream = random(index);
    const phase = 2 * Math.PI * stream.uniform();
    const rate = (2 * Math.PI) / (10 + 30 * stream.uniform());
    const wave = Array.from(
      { length: length + 1 },
      (_, step) => Math.sin(phase + rate * step) + noise * stream.normal(),
    );
    return [wave.slice(0, length), wave.slice(length)];
  });
}
