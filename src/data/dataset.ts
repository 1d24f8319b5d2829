/** Datasets: lazy, seeded pipelines of examples that can be continued from any position. */
import type { Tensor } from '../autograd/tensor.ts';
import { checkFlags } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { deviceOf } from '../ops/create.ts';
import { checkOptions } from '../ops/options.ts';
import type { Device } from '../runtime/device.ts';
import { type Batch, type Column, collate } from './batch.ts';
import { seedOf } from './random.ts';
import { release, type Source, streamed } from './source.ts';
import { type SplitOptions, splitSource } from './split.ts';
import {
  batchSource,
  filterSource,
  mapSource,
  repeatSource,
  shuffleSource,
  tensorsOf,
  windowOf,
  windowSource,
} from './stages.ts';

/** The same structure with a tensor in the place of each column. */
export type Tensors<T> = T extends Column
  ? Tensor
  : T extends readonly unknown[]
    ? { [K in keyof T]: Tensors<T[K]> }
    : T extends object
      ? { [K in keyof T]: Tensors<T[K]> }
      : T;

/** A place in the data: the next example (or batch) to come. Two numbers, for a checkpoint. */
export interface Position {
  readonly epoch: number;
  readonly index: number;
}

export interface BatchOptions {
  /** Leave out a last batch that is not full. Default: false. */
  dropRemainder?: boolean;
}

export interface ShuffleOptions {
  /** Default: drawn from the default generator, which `setSeed` starts. */
  seed?: number;
  /**
   * Draw from a window of this many examples instead of from all. A stream needs it, since only what was read can be
   * drawn; a window much smaller than the data mixes badly.
   */
  bufferSize?: number;
  /** A new order for each epoch. Default: true. */
  reshuffle?: boolean;
}

function wholeNumber(op: string, name: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  throw new ArgumentError(`${op}: ${name} is ${describe(value)}; pass a whole number ≥ ${least}.`);
}

function functionOf<F>(op: string, f: F): F {
  if (typeof f === 'function') return f;
  throw new ArgumentError(`${op}: ${describe(f)} is no function; pass one that takes an example.`);
}

/** Examples as they come, from a position on. */
export class DatasetIterator<T> implements AsyncIterableIterator<T> {
  readonly #values: AsyncGenerator<T>;
  #position: Position;

  constructor(source: Source<T>, start: Position) {
    this.#position = start;
    this.#values = this.#run(source, start);
  }

  /** Where a new iterator continues as this one would: `dataset.from(position)`. */
  get position(): Position {
    return this.#position;
  }

  async *#run(source: Source<T>, { epoch, index }: Position): AsyncGenerator<T> {
    for await (const value of streamed(source, epoch, index)) {
      this.#position = { epoch, index: ++index };
      try {
        yield value;
      } finally {
        release(value);
      }
    }
    if (index === 0) {
      throw new ArgumentError(
        'dataset: it has no examples; a filter or a source that yields nothing leaves it empty.',
      );
    }
    this.#position = { epoch: epoch + 1, index: 0 };
  }

  next(): Promise<IteratorResult<T>> {
    return this.#values.next();
  }

  return(): Promise<IteratorResult<T>> {
    return this.#values.return(undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * Examples, made only when they are asked for. Each method returns a new dataset and leaves this one as it is:
 *
 * ```ts
 * const { train, test } = dataset.split({ train: 0.8, test: 0.2 }, { seed: 1 });
 * for await (const { x, y } of train.shuffle({ seed: 2 }).batch(32).tensors()) { … }
 * ```
 *
 * **Who disposes.** Up to `tensors()` everything lies on the host, and there is nothing to dispose. From there on the
 * pipeline owns the tensors that it made: an example's tensors live until the next example is asked for, or the loop
 * ends, also by `break` or an error. `keep(x)` holds one longer; then it is yours to dispose.
 *
 * **Epochs.** An epoch is one pass through the data, and its number decides the order in which `shuffle` brings them.
 * Each plain loop over the same dataset is the next epoch, from 0 on; `from({ epoch, index })` goes to any place.
 */
export class Dataset<T> implements AsyncIterable<T> {
  readonly #source: Source<T>;
  #nextEpoch = 0;

  constructor(source: Source<T>) {
    this.#source = source;
    if (source.size === 0)
      throw new ArgumentError('dataset: it has no examples; check the arrays or the counts.');
  }

  /** The number of examples in an epoch where it is known; Infinity after `repeat()`. */
  get size(): number | undefined {
    return this.#source.size;
  }

  /** `f` of each example. Of what tensors it makes, those that it returns stay; an async `f` must make none. */
  map<U>(f: (example: T) => U | Promise<U>): Dataset<U> {
    return new Dataset(mapSource(this.#source, functionOf('map', f)));
  }

  /** The examples for which `keep` says true; it must make no tensors. The size is not known any more. */
  filter(keep: (example: T) => boolean | Promise<boolean>): Dataset<T> {
    return new Dataset(filterSource(this.#source, functionOf('filter', keep)));
  }

  /**
   * `size` examples at a time, stacked along a new first axis: numbers, typed arrays, and whatever objects and tuples
   * hold. The last batch is smaller where the size does not divide.
   *
   * @throws ShapeError, when they are made, for examples of different shapes.
   */
  batch(size: number, options: BatchOptions = {}): Dataset<Batch<T>> {
    wholeNumber('batch', 'size', size, 1);
    checkOptions('batch', options, ['dropRemainder'], 'size');
    checkFlags('batch', { dropRemainder: options.dropRemainder });
    const { dropRemainder = false } = options;
    if (dropRemainder && this.size !== undefined && this.size < size) {
      throw new ArgumentError(
        `batch: ${this.size} examples do not fill one batch of ${size}; make it smaller, or leave dropRemainder out.`,
      );
    }
    return new Dataset(batchSource(this.#source, size, dropRemainder));
  }

  /**
   * The examples in random order, the same on every machine and device. Arrays are shuffled as a whole; a stream needs
   * `bufferSize`. Shuffle before `batch`, so that batches are mixed anew.
   */
  shuffle(options: ShuffleOptions = {}): Dataset<T> {
    checkOptions('shuffle', options, ['seed', 'bufferSize', 'reshuffle'], '');
    checkFlags('shuffle', { reshuffle: options.reshuffle });
    const { bufferSize, reshuffle = true } = options;
    const source = this.#source;
    if (bufferSize !== undefined) {
      wholeNumber('shuffle', 'bufferSize', bufferSize, 1);
      return new Dataset(windowSource(source, seedOf('shuffle', options.seed), bufferSize, reshuffle));
    }
    if (source.kind === 'streamed' || source.size === Infinity) {
      throw new ArgumentError(
        'shuffle: a stream cannot be shuffled as a whole; pass { bufferSize }, or shuffle before filter and repeat.',
      );
    }
    return new Dataset(shuffleSource(source, seedOf('shuffle', options.seed), { reshuffle }));
  }

  /** `count` epochs, each in its own order, as one; without `count`, without end. */
  repeat(count = Number.POSITIVE_INFINITY): Dataset<T> {
    if (count !== Number.POSITIVE_INFINITY) wholeNumber('repeat', 'count', count, 1);
    return new Dataset(repeatSource(this.#source, count));
  }

  /** The first `count` examples of each epoch, or all if there are fewer. */
  take(count: number): Dataset<T> {
    wholeNumber('take', 'count', count, 1);
    return new Dataset(windowOf(this.#source, 0, count));
  }

  /** All but the first `count` examples of each epoch. */
  skip(count: number): Dataset<T> {
    wholeNumber('skip', 'count', count, 0);
    if (this.size !== undefined && count >= this.size) {
      throw new ArgumentError(`skip: nothing is left of ${this.size} examples after ${count}; skip fewer.`);
    }
    return new Dataset(windowOf(this.#source, count, Number.POSITIVE_INFINITY));
  }

  /**
   * Parts without a common example, by their share: `{ train: 0.8, validation: 0.1, test: 0.1 }`. With a `seed` the
   * examples are drawn at random, else they are cut in their order (which is what time series want, and what files sorted
   * by class do not).
   *
   * @throws ArgumentError for shares that do not add up to 1, for a part without an example, and after a `shuffle` that
   * changes with the epoch, since examples would then wander between the parts.
   */
  split<K extends string>(
    shares: Readonly<Record<K, number>>,
    options: SplitOptions = {},
  ): Record<K, Dataset<T>> {
    const parts = splitSource(this.#source, shares, options);
    return Object.fromEntries(parts.map(([name, part]) => [name, new Dataset(part)])) as Record<
      K,
      Dataset<T>
    >;
  }

  /**
   * The batches as tensors on a device (default: the default device, when the loop runs). Columns with a `scale` are
   * sent as bytes and unpacked there. The pipeline owns the tensors; see above.
   */
  tensors(options: { device?: Device } = {}): Dataset<Tensors<T>> {
    checkOptions('tensors', options, ['device'], '');
    return new Dataset(
      mapSource(this.#source, (batch) => tensorsOf(batch, deviceOf('tensors', options)) as Tensors<T>),
    );
  }

  /** A whole epoch as one batch on the host. */
  async arrays(): Promise<Batch<T>> {
    if (this.size === Number.POSITIVE_INFINITY) {
      throw new ArgumentError('arrays: the dataset has no end; take() some of it first.');
    }
    const whole = this.#source.size === undefined ? null : this.batch(this.#source.size);
    if (whole) return (await whole.from({ epoch: 0, index: 0 }).next()).value;
    const examples: T[] = [];
    for await (const example of this.from({ epoch: 0, index: 0 })) examples.push(example);
    return collate('arrays', examples);
  }

  /** Calls `visit` for each example of the next epoch, one after another. */
  async forEach(visit: (example: T, index: number) => void | Promise<void>): Promise<void> {
    functionOf('forEach', visit);
    let index = 0;
    for await (const example of this) await visit(example, index++);
  }

  /** The rest of an epoch from a position on, for instance from a checkpoint. */
  from({ epoch, index }: Position): DatasetIterator<T> {
    wholeNumber('from', 'epoch', epoch, 0);
    wholeNumber('from', 'index', index, 0);
    if (this.size !== undefined && index > this.size) {
      throw new ArgumentError(
        `from: index ${index} is beyond the ${this.size} examples of an epoch; was the position saved with other data or batches?`,
      );
    }
    return new DatasetIterator(this.#source, { epoch, index });
  }

  [Symbol.asyncIterator](): DatasetIterator<T> {
    return this.from({ epoch: this.#nextEpoch++, index: 0 });
  }
}
