/** Datasets from what a program already has. */
import { assertTensor, type NestedArray, type Tensor } from '../autograd/tensor.ts';
import { checkFlags } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { type DType, type HostArray, hostArray } from '../core/dtype.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { isPlainObject } from '../core/plain-object.ts';
import { checkShape, formatShape, type Shape, sizeOf } from '../core/shape.ts';
import { assertDType } from '../ops/operand.ts';
import { checkOptions } from '../ops/options.ts';
import { type Column, columnOf, gatherRows, rowOf } from './batch.ts';
import { Dataset } from './dataset.ts';
import { assertFinite } from './finite.ts';
import type { Source } from './source.ts';

type TypedArray = HostArray | Int8Array | Int16Array | Uint16Array | Uint8ClampedArray;

/** An array with a row for each example: nested or typed, or a typed array with its shape. */
export type ColumnLike =
  | NestedArray[]
  | TypedArray
  | {
      readonly data: TypedArray;
      /** Default: one number for each example. */
      readonly shape?: Shape;
      /** Default: what the array's type says. */
      readonly dtype?: DType;
      /** Bytes become floats, times this number, on the device. */
      readonly scale?: number;
    };

/** Nested arrays as a column; the first row decides the shape. */
function nestedColumn(op: string, name: string, rows: readonly NestedArray[]): Column {
  const shape: number[] = [];
  for (let level: NestedArray | undefined = rows as NestedArray[]; Array.isArray(level); level = level[0])
    shape.push(level.length);
  const flat: (number | boolean)[] = [];
  const visit = (value: NestedArray, place: readonly number[]): void => {
    const length = shape[place.length];
    if (length === undefined && (typeof value === 'number' || typeof value === 'boolean')) flat.push(value);
    else if (length !== undefined && Array.isArray(value) && value.length === length)
      for (const [index, item] of value.entries()) visit(item, [...place, index]);
    else {
      throw new ShapeError(
        `${op}: ${name}[${place.join('][')}] is ${describe(value)}, which does not fit shape ${formatShape(shape)} of the ` +
          `first row. Make all rows equally long, of numbers or booleans.`,
      );
    }
  };
  visit(rows as NestedArray[], []);
  const dtype = flat.length > 0 && flat.every((value) => typeof value === 'boolean') ? 'bool' : 'float64';
  const data = hostArray(dtype, flat.length);
  flat.forEach((value, index) => {
    data[index] = Number(value);
  });
  return { data, shape, dtype };
}

const ARRAYS: Readonly<Record<DType, readonly (abstract new () => HostArray)[]>> = {
  float32: [Float32Array, Float64Array],
  float64: [Float32Array, Float64Array],
  int32: [Int32Array],
  bool: [Uint32Array, Uint8Array],
  uint8: [Uint8Array],
};

function toColumn(op: string, name: string, given: unknown): Column {
  if (Array.isArray(given)) return nestedColumn(op, name, given);
  if (ArrayBuffer.isView(given)) return columnOf(op, given as TypedArray);
  if (!isPlainObject(given) || !ArrayBuffer.isView(given.data)) {
    throw new ArgumentError(
      `${op}: ${name} is ${describe(given)}; pass nested arrays, a typed array, or { data, shape } with a typed array.`,
    );
  }
  checkOptions(op, given as Partial<Column>, ['data', 'shape', 'dtype', 'scale'], 'columns');
  const { shape, dtype, scale } = given as Partial<Column>;
  const data = given.data as TypedArray;
  if (shape !== undefined) checkShape(op, shape);
  if (shape?.length === 0 || sizeOf(shape ?? [data.length]) !== data.length) {
    throw new ShapeError(
      `${op}: ${data.length} values of ${name} do not fill shape ${formatShape(shape ?? [])}, whose first axis counts the examples.`,
    );
  }
  if (scale !== undefined && !Number.isFinite(scale)) {
    throw new ArgumentError(
      `${op}: the scale of ${name} is ${describe(scale)}; pass a finite number, as in 1 / 255.`,
    );
  }
  const rest = { shape: shape ?? [data.length], ...(scale !== undefined && { scale }) };
  if (dtype === undefined) return { ...columnOf(op, data), ...rest };
  assertDType(op, dtype);
  if (!ARRAYS[dtype].some((Kind) => data instanceof Kind)) {
    const kinds = ARRAYS[dtype].map((Kind) => Kind.name).join(' or ');
    throw new ArgumentError(`${op}: the ${dtype} data of ${name} are ${describe(data)}; pass ${kinds}.`);
  }
  return { data: data as HostArray, dtype, ...rest };
}

export interface FromArraysOptions {
  /** Look for NaN and infinities, and name row and column of the first. Default: false. */
  check?: boolean;
}

/** Shared by all that hold their data as columns. */
export function fromColumns<K extends string>(
  columns: Readonly<Record<K, Column>>,
): Dataset<Record<K, Column>> {
  type Row = Record<K, Column>;
  const entries = Object.entries<Column>(columns);
  const each = (change: (column: Column) => Column): Row =>
    Object.fromEntries(entries.map(([name, column]) => [name, change(column)])) as Row;
  const view = {
    at: (index: number) => each((column) => rowOf(column, index)),
    gather: (indices: ArrayLike<number>) => each((column) => gatherRows(column, indices)),
  };
  const size = entries[0]?.[1].shape[0] ?? 0;
  const source: Source<Row> = { kind: 'indexed', size, reshuffled: false, epoch: () => view };
  return new Dataset(source);
}

/**
 * A dataset of rows: `fromArrays({ x: { data, shape: [n, 28, 28, 1], scale: 1 / 255 }, y: labels })` has examples
 * `{ x, y }`. The arrays are used as they are, not copied; `Uint8Array` pixels stay bytes until they reach the device.
 *
 * @throws ShapeError for columns of different lengths; ArgumentError for none, for empty ones, and with `check` for a NaN.
 */
export function fromArrays<K extends string>(
  columns: Readonly<Record<K, ColumnLike>>,
  options: FromArraysOptions = {},
): Dataset<Record<K, Column>> {
  const op = 'fromArrays';
  checkOptions(op, options, ['check'], 'columns');
  checkFlags(op, { check: options.check });
  if (!isPlainObject(columns)) {
    throw new ArgumentError(`${op}: ${describe(columns)}; pass arrays by name, as in { x, y }.`);
  }
  const made = Object.entries<ColumnLike>(columns).map(
    ([name, given]) => [name, toColumn(op, name, given)] as const,
  );
  const [first] = made;
  if (!first) throw new ArgumentError(`${op}: no array; pass at least one, as in { x }.`);
  for (const [name, { shape }] of made) {
    if (shape[0] !== first[1].shape[0]) {
      throw new ShapeError(
        `${op}: ${name} has ${shape[0]} rows, ${first[0]} has ${first[1].shape[0]}; they must have one for each example.`,
      );
    }
  }
  if (first[1].shape[0] === 0) {
    throw new ArgumentError(`${op}: the arrays have no rows; pass at least one example.`);
  }
  if (options.check) for (const [name, column] of made) assertFinite(`${op}: ${name}`, column);
  return fromColumns(Object.fromEntries(made) as Record<K, Column>);
}

/**
 * The same from tensors. Their values are read once and kept on the host, so the tensors stay yours and may be disposed
 * afterwards.
 */
export async function fromTensors<K extends string>(
  tensors: Readonly<Record<K, Tensor>>,
): Promise<Dataset<Record<K, Column>>> {
  const op = 'fromTensors';
  if (!isPlainObject(tensors)) {
    throw new ArgumentError(`${op}: ${describe(tensors)}; pass tensors by name, as in { x, y }.`);
  }
  const read = await Promise.all(
    Object.entries<Tensor>(tensors).map(async ([name, x]) => {
      assertTensor(op, x);
      const { shape, dtype } = x;
      return [name, { data: await x.data(), shape, dtype }] as const;
    }),
  );
  return fromArrays(Object.fromEntries(read) as Record<K, ColumnLike>);
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value;

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** A generator that runs is used up after one epoch. */
const isUsedUp = (value: unknown): boolean =>
  (isIterable(value) && (value[Symbol.iterator]() as unknown) === value) ||
  (isAsyncIterable(value) && (value[Symbol.asyncIterator]() as unknown) === value);

/**
 * A dataset of anything: an array, another collection, or a function that starts a generator (`function*` or
 * `async function*`) and gets the number of the epoch.
 *
 * @throws ArgumentError for a generator that is running already, since it could serve one epoch only.
 */
export function from<T>(
  items: readonly T[] | Iterable<T> | AsyncIterable<T> | ((epoch: number) => Iterable<T> | AsyncIterable<T>),
): Dataset<T> {
  const op = 'from';
  if (Array.isArray(items)) {
    const list: readonly T[] = items;
    const view = { at: (index: number) => list[index] as T };
    return new Dataset<T>({ kind: 'indexed', size: list.length, reshuffled: false, epoch: () => view });
  }
  if (typeof items !== 'function' && !isIterable(items) && !isAsyncIterable(items)) {
    throw new ArgumentError(
      `${op}: ${describe(items)}; pass an array, an iterable, or a function that returns one.`,
    );
  }
  if (isUsedUp(items)) {
    throw new ArgumentError(
      `${op}: a generator that is running can be read once only; pass the function that starts it, as in from(() => rows()).`,
    );
  }
  async function* stream(epoch: number, skip: number): AsyncGenerator<T> {
    const values = typeof items === 'function' ? items(epoch) : (items as Iterable<T> | AsyncIterable<T>);
    if (!isIterable(values) && !isAsyncIterable(values)) {
      throw new ArgumentError(
        `${op}: the function returned ${describe(values)}; return an iterable, or use function*.`,
      );
    }
    let left = skip;
    for await (const value of values) if (left-- <= 0) yield value as T;
  }
  const size = items instanceof Set || items instanceof Map ? items.size : undefined;
  return new Dataset<T>({ kind: 'streamed', size, reshuffled: false, stream });
}
