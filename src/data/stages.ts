/** The stages of a pipeline: each makes one source of another, and stays addressable by number where that one is. */
import { isPromise } from '../autograd/modes.ts';
import { scope } from '../autograd/scope.ts';
import { type Tensor, tracking } from '../autograd/tensor.ts';
import { cast } from '../ops/cast.ts';
import { tensor } from '../ops/create.ts';
import type { Device } from '../runtime/device.ts';
import { type Batch, type Column, collate, mapColumns } from './batch.ts';
import { PURPOSE, permutation, type Seed, type Stream, streamOf } from './random.ts';
import { own, release, type Source, streamed, tensorsIn, type View } from './source.ts';

/** Runs a user's function; what tensors it made and returned belong to the pipeline, the others are given back. */
function call<T, U>(f: (value: T) => U | Promise<U>, value: T): U | Promise<U> {
  const settle = (result: U): U => {
    release(value, result);
    return result;
  };
  try {
    // A promise inside an array is none for the scope: an async function may work on the host.
    const [result] = scope((): [U | Promise<U>] => {
      const returned = f(value);
      const made = new Set(tracking.list);
      if (!isPromise(returned)) own([...tensorsIn(returned)].filter((result) => made.has(result)));
      return [returned];
    });
    if (!isPromise(result)) return settle(result as U);
    return (result as Promise<U>).then(settle, (error: unknown) => {
      release(value);
      throw error;
    });
  } catch (error) {
    release(value);
    throw error;
  }
}

export function mapSource<T, U>(source: Source<T>, f: (value: T) => U | Promise<U>): Source<U> {
  if (source.kind === 'indexed') {
    const epoch = (number: number): View<U> => {
      const view = source.epoch(number);
      return {
        at: (index) => {
          const value = view.at(index);
          return isPromise(value)
            ? (value as Promise<T>).then((known) => call(f, known))
            : call(f, value as T);
        },
      };
    };
    return { kind: 'indexed', size: source.size, reshuffled: source.reshuffled, epoch };
  }
  return {
    ...source,
    stream: async function* (epoch, skip) {
      for await (const value of source.stream(epoch, skip)) yield await call(f, value);
    },
  };
}

export function filterSource<T>(
  source: Source<T>,
  keep: (value: T) => boolean | Promise<boolean>,
): Source<T> {
  return {
    kind: 'streamed',
    size: undefined,
    reshuffled: source.reshuffled,
    stream: async function* (epoch, skip) {
      let left = skip;
      for await (const value of streamed(source, epoch, 0)) {
        let wanted = false;
        try {
          wanted = (await keep(value)) && left-- <= 0;
        } finally {
          if (!wanted) release(value);
        }
        if (wanted) yield value;
      }
    },
  };
}

/** `collate`, which takes no tensors: those of the pipeline are given back. */
function stack<T>(examples: readonly T[]): Batch<T> {
  try {
    return collate('batch', examples);
  } catch (error) {
    release(examples);
    throw error;
  }
}

/** Examples that are made at the same time; when one fails, the others are given back. */
async function all<T>(examples: readonly (T | Promise<T>)[]): Promise<T[]> {
  const settled = await Promise.allSettled(examples);
  const failed = settled.find((result) => result.status === 'rejected');
  const values = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (!failed) return values as T[];
  release(values);
  throw failed.reason;
}

export function batchSource<T>(source: Source<T>, size: number, dropRemainder: boolean): Source<Batch<T>> {
  const round = dropRemainder ? Math.floor : Math.ceil;
  const count = source.size === undefined ? undefined : round(source.size / size);
  if (source.kind === 'streamed') {
    return {
      kind: 'streamed',
      size: count,
      reshuffled: source.reshuffled,
      stream: async function* (epoch, skip) {
        let pending: T[] = [];
        for await (const value of source.stream(epoch, skip * size)) {
          pending.push(value);
          if (pending.length < size) continue;
          yield stack(pending);
          pending = [];
        }
        if (pending.length > 0 && !dropRemainder) yield stack(pending);
      },
    };
  }
  const epoch = (number: number): View<Batch<T>> => {
    const view = source.epoch(number);
    return {
      at: (index) => {
        const length = Math.min(size, source.size - index * size);
        const numbers = Array.from({ length }, (_, offset) => index * size + offset);
        if (view.gather) return view.gather(numbers) as Batch<T>;
        return all(numbers.map((at) => view.at(at))).then(stack);
      },
    };
  };
  return { kind: 'indexed', size: count as number, reshuffled: source.reshuffled, epoch };
}

/** The whole permutation of an epoch. */
export function shuffleSource<T>(
  source: Source<T> & { kind: 'indexed' },
  seed: Seed,
  { reshuffle, purpose = PURPOSE.shuffle }: { reshuffle: boolean; purpose?: number },
): Source<T> {
  const epoch = (number: number): View<T> => {
    const order = permutation(source.size, streamOf(seed, purpose, reshuffle ? number : 0));
    return reorder(source.epoch(number), (index) => order[index] as number);
  };
  return { kind: 'indexed', size: source.size, reshuffled: source.reshuffled || reshuffle, epoch };
}

/** Draws the next example at random from a window of `size`, which the stream refills. */
export function windowSource<T>(source: Source<T>, seed: Seed, size: number, reshuffle: boolean): Source<T> {
  async function* draw(epoch: number, random: Stream): AsyncGenerator<T> {
    const window: T[] = [];
    const pick = (): T => {
      const at = random.below(window.length);
      const value = window[at] as T;
      window[at] = window[window.length - 1] as T;
      window.pop();
      return value;
    };
    try {
      for await (const value of streamed(source, epoch, 0)) {
        window.push(value);
        if (window.length > size) yield pick();
      }
      while (window.length > 0) yield pick();
    } finally {
      release(window);
    }
  }
  return {
    kind: 'streamed',
    size: source.size,
    reshuffled: source.reshuffled || reshuffle,
    // What lies in the window depends on every draw before, so the start is drawn again and thrown away.
    stream: async function* (epoch, skip) {
      let left = skip;
      for await (const value of draw(epoch, streamOf(seed, PURPOSE.window, reshuffle ? epoch : 0))) {
        if (left-- > 0) release(value);
        else yield value;
      }
    },
  };
}

/** The examples `start` to `end` of each epoch. */
export function windowOf<T>(source: Source<T>, start: number, end: number): Source<T> {
  if (source.kind === 'indexed') {
    return {
      kind: 'indexed',
      size: Math.max(0, Math.min(end, source.size) - start),
      reshuffled: source.reshuffled,
      epoch: (epoch) => reorder(source.epoch(epoch), (index) => start + index),
    };
  }
  const known = source.size;
  return {
    kind: 'streamed',
    size: known === undefined ? undefined : Math.max(0, Math.min(end, known) - start),
    reshuffled: source.reshuffled,
    stream: async function* (epoch, skip) {
      let at = start + skip;
      if (at >= end) return;
      for await (const value of source.stream(epoch, at)) {
        yield value;
        if (++at >= end) return;
      }
    },
  };
}

/** `count` epochs as one; each has its own order. */
export function repeatSource<T>(source: Source<T>, count: number): Source<T> {
  const inner = (epoch: number, round: number): number =>
    (count === Infinity ? epoch : epoch * count) + round;
  const size = source.size === undefined ? (count === Infinity ? Infinity : undefined) : source.size * count;
  if (source.kind === 'indexed') {
    const epoch = (number: number): View<T> => {
      let round = -1;
      let view: View<T> | undefined;
      return {
        at: (index) => {
          const wanted = Math.floor(index / source.size);
          if (!view || wanted !== round) view = source.epoch(inner(number, wanted));
          round = wanted;
          return view.at(index % source.size);
        },
      };
    };
    return { kind: 'indexed', size: size as number, reshuffled: source.reshuffled, epoch };
  }
  return {
    kind: 'streamed',
    size,
    reshuffled: source.reshuffled,
    stream: async function* (epoch, skip) {
      let left = skip;
      for (let round = 0; round < count; round++) {
        if (source.size !== undefined && left >= source.size) {
          left -= source.size;
          continue;
        }
        let seen = 0;
        for await (const value of source.stream(inner(epoch, round), source.size === undefined ? 0 : left)) {
          seen++;
          if (source.size === undefined && left-- > 0) release(value);
          else yield value;
        }
        if (source.size !== undefined) left = 0;
        // Without this an infinite repetition of nothing would never return.
        if (seen === 0) return;
      }
    },
  };
}

function reorder<T>(view: View<T>, order: (index: number) => number): View<T> {
  const { gather } = view;
  return {
    at: (index) => view.at(order(index)),
    ...(gather && { gather: (indices: ArrayLike<number>) => gather(Array.from(indices, order)) }),
  };
}

/** A column on its way to a device: bytes travel packed and are unpacked there. */
const toTensor = ({ data, shape, dtype, scale }: Column, device: Device): Tensor => {
  const x = tensor(data, { device, shape, dtype });
  return scale === undefined ? x : cast(x, 'float', { scale });
};

/** Columns become tensors, which the pipeline owns. */
export const tensorsOf = (batch: unknown, device: Device): unknown =>
  scope(() => mapColumns(batch, (column) => toTensor(column, device)));
