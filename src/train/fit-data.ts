/** From what users have to batches that can start anywhere: `{ x, y }` of arrays and tensors, or a dataset. */
import { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { isPlainObject } from '../core/plain-object.ts';
import type { Column } from '../data/batch.ts';
import { type ColumnLike, fromArrays } from '../data/create.ts';
import type { Dataset } from '../data/dataset.ts';
import { inDType, type Value } from './columns.ts';
import type { Port } from './signature.ts';

/** Nested or typed arrays, or a tensor; the first axis counts the examples. */
export type ArrayOrTensor = ColumnLike | Tensor;

/** Examples as arrays; by name where the model has several inputs or outputs. */
export interface ArrayData {
  x: ArrayOrTensor | Readonly<Record<string, ArrayOrTensor>>;
  y: ArrayOrTensor | Readonly<Record<string, ArrayOrTensor>>;
  /** A weight for each example, or, by name, for each example of an output. */
  sampleWeight?: ArrayOrTensor | Readonly<Record<string, ArrayOrTensor>>;
}

/** Arrays, or a dataset of batches `{ x, y, sampleWeight? }`. */
export type TrainingData = ArrayData | Dataset<unknown>;

/** What each output's targets should be, where the loss tells. */
export type Wanted = readonly ('float' | 'int32' | null)[];

const PARTS = ['x', 'y', 'sampleWeight'] as const;
type Part = (typeof PARTS)[number];

const isArrayOrTensor = (value: unknown): value is ArrayOrTensor =>
  value instanceof Tensor ||
  Array.isArray(value) ||
  ArrayBuffer.isView(value) ||
  (isPlainObject(value) && ArrayBuffer.isView(value.data));

const onHost = async (value: ArrayOrTensor): Promise<ColumnLike> =>
  value instanceof Tensor ? { data: await value.data(), shape: value.shape, dtype: value.dtype } : value;

/** The key of a part and a name in a flat record of columns; a part that is one array has no name. */
const keyOf = (part: Part, name: string | null): string => (name === null ? part : `${part}.${name}`);

/** The arrays as one record of columns, read from their device where they are tensors. */
async function columnsOf(op: string, data: ArrayData): Promise<Record<string, ColumnLike>> {
  const columns: Record<string, ColumnLike> = {};
  for (const part of PARTS) {
    const given: unknown = data[part];
    if (given === undefined && part !== 'x') continue;
    if (isArrayOrTensor(given)) columns[keyOf(part, null)] = await onHost(given);
    else if (isPlainObject(given)) {
      for (const [name, value] of Object.entries(given)) {
        if (!isArrayOrTensor(value))
          throw new ArgumentError(`${op}: ${part}.${name} is ${describe(value)}; pass an array or a tensor.`);
        columns[keyOf(part, name)] = await onHost(value);
      }
    } else throw new ArgumentError(`${op}: ${part} is ${describe(given)}; pass an array or a tensor.`);
  }
  return columns;
}

/** A flat record of columns as `{ x, y, sampleWeight }` again. */
function nested(columns: Readonly<Record<string, Column>>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, column] of Object.entries(columns)) {
    const dot = key.indexOf('.');
    if (dot < 0) result[key] = column;
    else ((result[key.slice(0, dot)] ??= {}) as Record<string, unknown>)[key.slice(dot + 1)] = column;
  }
  return result;
}

/** Examples of arrays, before they are shuffled and batched. */
export async function examplesOf(op: string, data: ArrayData): Promise<Dataset<Record<string, Column>>> {
  if (!isPlainObject(data))
    throw new ArgumentError(`${op}: the data are ${describe(data)}; pass { x, y } of arrays, or a dataset.`);
  for (const key of Object.keys(data))
    if (!(PARTS as readonly string[]).includes(key))
      throw new ArgumentError(`${op}: no part '${key}' in the data; pass ${PARTS.join(', ')}.`);
  return fromArrays(await columnsOf(op, data), { check: true });
}

export interface BatchOptions {
  batchSize?: number | undefined;
  /** Null keeps the order. */
  seed: number | null;
}

/** Batches `{ x, y, sampleWeight? }` of examples. */
export function batchesOf(
  op: string,
  examples: Dataset<Record<string, Column>>,
  { batchSize = 32, seed }: BatchOptions,
): Dataset<unknown> {
  checkNumber(op, 'batchSize', batchSize, { atLeast: 1, whole: true });
  const ordered = seed === null ? examples : examples.shuffle({ seed });
  return ordered.batch(batchSize).map((columns) => nested(columns as Record<string, Column>));
}

/** The dtype that a value should have. */
export function prepared(op: string, what: string, value: Value, wanted: 'float' | 'int32' | null): Value {
  return value instanceof Tensor ? value : inDType(op, what, value, wanted);
}

const FLOATS: readonly unknown[] = ['float', 'float32', 'float64'];

/** What an input should be given. */
export const wantedOf = ({ dtype }: Port): 'float' | 'int32' | null =>
  FLOATS.includes(dtype) ? 'float' : dtype === 'int32' ? 'int32' : null;
