/**
 * What stands behind a dataset: examples by number, where any can be had at once, or a stream of them. Both depend on the
 * epoch, and both can start in the middle, so that training continues where a checkpoint left it.
 */
import { Tensor } from '../autograd/tensor.ts';

/** Examples by number. */
export interface Indexed<T> {
  readonly kind: 'indexed';
  readonly size: number;
  /** Whether epochs differ in their order. */
  readonly reshuffled: boolean;
  /** The examples of an epoch in its order. */
  epoch(epoch: number): View<T>;
}

export interface View<T> {
  at(index: number): T | Promise<T>;
  /** The batch of the examples with these numbers, where it can be had without making each example. */
  gather?(indices: ArrayLike<number>): unknown;
}

/** Examples one after another. */
export interface Streamed<T> {
  readonly kind: 'streamed';
  readonly size: number | undefined;
  readonly reshuffled: boolean;
  /** The examples of an epoch, without the first `skip`. */
  stream(epoch: number, skip: number): AsyncIterable<T>;
}

export type Source<T> = Indexed<T> | Streamed<T>;

/** Every source as a stream. */
export async function* streamed<T>(source: Source<T>, epoch: number, skip: number): AsyncGenerator<T> {
  if (source.kind === 'streamed') {
    yield* source.stream(epoch, skip);
    return;
  }
  const view = source.epoch(epoch);
  for (let index = skip; index < source.size; index++) yield await view.at(index);
}

/** Tensors that a pipeline made itself. Whoever takes them out of it gives them back. */
const made = new WeakSet<Tensor>();

/** The tensors inside a value: itself, or those in arrays and plain objects. */
export function* tensorsIn(value: unknown): Generator<Tensor> {
  if (value instanceof Tensor) yield value;
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn(item);
  else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    for (const item of Object.values(value)) yield* tensorsIn(item);
  }
}

/** Marks the tensors in a value as the pipeline's own. */
export function own<T>(value: T): T {
  for (const tensor of tensorsIn(value)) made.add(tensor);
  return value;
}

/** Gives back the pipeline's own tensors in a value, except those in `rest` and those that a user keeps. */
export function release(value: unknown, rest?: unknown): void {
  const staying = rest === undefined ? null : new Set(tensorsIn(rest));
  for (const tensor of tensorsIn(value)) {
    if (made.has(tensor) && !tensor.keptAlive && !staying?.has(tensor)) tensor.dispose();
  }
}
