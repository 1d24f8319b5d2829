/** Scopes free every tensor made inside them but what they return. */
import { AsyncCallbackError } from '../core/errors.ts';
import { isPromise } from './modes.ts';
import { collectGarbage, Tensor, tracking } from './tensor.ts';

/** All tensors inside a value: itself, or those in arrays, maps, sets and plain objects. */
function tensorsIn(value: unknown, found: Set<Tensor>, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  if (value instanceof Tensor) {
    found.add(value);
    return;
  }
  seen.add(value);
  if (Array.isArray(value) || value instanceof Set) {
    for (const item of value) tensorsIn(item, found, seen);
  } else if (value instanceof Map) {
    for (const item of value.values()) tensorsIn(item, found, seen);
  } else if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null) {
    for (const item of Object.values(value)) tensorsIn(item, found, seen);
  }
}

/**
 * Runs `body` and disposes every tensor that it made, except those in its result (a tensor, or arrays and plain
 * objects of tensors), those passed to `keep`, and gradients of leaves. Also when `body` throws.
 *
 * @throws AsyncCallbackError when `body` returns a promise.
 */
export function scope<T>(body: () => T): T {
  const outer = tracking.list;
  const made: Tensor[] = [];
  tracking.list = made;
  const kept = new Set<Tensor>();
  try {
    const result = body();
    if (isPromise(result)) {
      // The promise may yet reject because its tensors are gone; that rejection is a consequence, not news.
      (result as unknown as Promise<unknown>).then(undefined, () => {});
      throw new AsyncCallbackError('scope');
    }
    tensorsIn(result, kept, new Set());
    return result;
  } finally {
    tracking.list = outer;
    for (const tensor of made) {
      // A gradient that is returned outlives its leaf.
      if (tensor.grad && kept.has(tensor.grad) && !kept.has(tensor) && !tensor.keptAlive) {
        const grad = tensor.surrenderGrad();
        if (grad && outer) outer.push(grad);
      }
    }
    for (const tensor of made) {
      if (tensor.disposed || tensor.keptAlive) continue;
      if (!kept.has(tensor)) tensor.dispose();
      else if (outer) outer.push(tensor);
      else collectGarbage(tensor);
    }
  }
}

/** Takes a tensor out of all scopes: it lives until it is disposed. */
export function keep<T extends Tensor>(tensor: T): T {
  tensor.keepAlive();
  return tensor;
}
