/** What `compile` was given, for files. */
import { Optimizer } from '../optim/optimizers.ts';
import type { CompileOptions } from '../train/compile.ts';
import { lossOf } from '../train/losses.ts';
import type { Json, JsonObject } from './json.ts';

/** The value as JSON; undefined for functions and objects that have no such form. */
function jsonOf(value: unknown): Json | undefined {
  if (value === null || ['string', 'boolean'].includes(typeof value)) return value as Json;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (value instanceof Optimizer) return jsonOf(value.toJSON());
  if (typeof value === 'function') return lossOf('compile', value as never).name ?? undefined;
  if (Array.isArray(value)) {
    const items = value.map(jsonOf);
    return items.includes(undefined) ? undefined : (items as Json[]);
  }
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return undefined;
  const entries = Object.entries(value as object).filter(([, item]) => item !== undefined);
  const made = entries.map(([key, item]) => [key, jsonOf(item)] as const);
  return made.some(([, item]) => item === undefined) ? undefined : (Object.fromEntries(made) as JsonObject);
}

/**
 * The options where all of them have a form in JSON: names, plain values, our own losses, optimizers without functions of
 * yours; null elsewhere. An optimizer's state is not part of it.
 */
export function compileJson(options: Readonly<CompileOptions> | null): JsonObject | null {
  const json = options === null ? null : (jsonOf({ ...options }) as JsonObject | undefined);
  return json && json.optimizer !== null ? json : null;
}
