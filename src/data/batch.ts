/** Examples on the host, and how many of them become one batch. */
import type { HostTensor } from '../../kernels/kernel.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { type DType, type HostArray, hostArray } from '../core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../core/errors.ts';
import { isPlainObject } from '../core/plain-object.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../core/shape.ts';

/** An array on the host. In a batch its first axis counts the examples. */
export interface Column extends HostTensor {
  /**
   * Bytes become floats, times this number, when they reach the device: they travel as bytes and are unpacked there.
   * Without it they stay `uint8`.
   */
  readonly scale?: number;
}

type TypedArray = HostArray | Int8Array | Int16Array | Uint16Array | Uint8ClampedArray;

/** What a batch of such examples is: a column for each array or number, in the same places. */
export type Batch<T> = T extends number | boolean | HostTensor | TypedArray | readonly number[]
  ? Column
  : T extends readonly unknown[]
    ? { -readonly [K in keyof T]: Batch<T[K]> }
    : T extends object
      ? { [K in keyof T]: Batch<T[K]> }
      : never;

export const isColumn = (value: unknown): value is Column =>
  typeof value === 'object' &&
  value !== null &&
  'data' in value &&
  'shape' in value &&
  'dtype' in value &&
  ArrayBuffer.isView(value.data);

const isTypedArray = (value: unknown): value is TypedArray =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && value.every((item: unknown) => typeof item === 'number');

/** The dtype of a typed array that stands alone. A `Uint32Array` is how bools are stored. */
function dtypeOf(op: string, data: TypedArray): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return 'uint8';
  if (data instanceof Int32Array || data instanceof Int16Array || data instanceof Int8Array) return 'int32';
  if (data instanceof Uint16Array) return 'int32';
  throw new DTypeError(
    `${op}: a ${describe(data).replace(/^an? /, '')} has no dtype here; use Int32Array, or { data, shape, dtype: 'bool' }.`,
  );
}

/** A typed array as a column; the narrow ones are widened, the others shared. */
export function columnOf(op: string, data: TypedArray, shape: Shape = [data.length]): Column {
  const dtype = dtypeOf(op, data);
  const wide =
    data instanceof Int8Array || data instanceof Int16Array || data instanceof Uint16Array
      ? Int32Array.from(data)
      : data instanceof Uint8ClampedArray
        ? new Uint8Array(data.buffer, data.byteOffset, data.length)
        : data;
  return { data: wide, shape, dtype };
}

/** The columns in a value, with where each stands. */
export function* columnsIn(value: unknown, place = ''): Generator<[place: string, column: Column]> {
  if (isColumn(value)) yield [place || 'the value', value];
  else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* columnsIn(item, `${place}[${index}]`);
  } else if (isPlainObject(value)) {
    for (const [key, item] of Object.entries(value)) yield* columnsIn(item, place ? `${place}.${key}` : key);
  }
}

/** The same value with another thing in the place of each column. */
export function mapColumns(value: unknown, change: (column: Column) => unknown): unknown {
  if (isColumn(value)) return change(value);
  if (Array.isArray(value)) return value.map((item) => mapColumns(item, change));
  if (isPlainObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapColumns(item, change)]));
  }
  return value;
}

const bytesOfRow = (shape: Shape): number => sizeOf(shape.slice(1));

/** One row, as a view on the column's memory. */
export function rowOf(column: Column, index: number): Column {
  const size = bytesOfRow(column.shape);
  return {
    ...column,
    shape: column.shape.slice(1),
    data: column.data.subarray(index * size, (index + 1) * size),
  };
}

/** The rows with these numbers, copied. */
export function gatherRows(column: Column, rows: ArrayLike<number>): Column {
  const size = bytesOfRow(column.shape);
  const data = hostArray(column.dtype, rows.length * size);
  for (let index = 0; index < rows.length; index++) {
    const from = (rows[index] as number) * size;
    data.set(column.data.subarray(from, from + size), index * size);
  }
  return { ...column, shape: [rows.length, ...column.shape.slice(1)], data };
}

const placeOf = (place: string): string => (place ? ` at ${place}` : '');

/** Columns of equal shape and dtype, one above the other along a new first axis. */
function stackColumns(op: string, columns: readonly Column[], place: string): Column {
  const first = columns[0] as Column;
  const size = sizeOf(first.shape);
  const data = hostArray(first.dtype, columns.length * size);
  columns.forEach((column, index) => {
    if (!sameShape(column.shape, first.shape)) {
      throw new ShapeError(
        `${op}: example ${index} of a batch has shape ${formatShape(column.shape)}${placeOf(place)}, the first has ` +
          `${formatShape(first.shape)}. Bring them to one shape with map, for instance by padding.`,
      );
    }
    if (column.dtype !== first.dtype) {
      throw new DTypeError(
        `${op}: example ${index} of a batch is ${column.dtype}${placeOf(place)}, the first is ${first.dtype}. Convert them with map.`,
      );
    }
    data.set(column.data, index * size);
  });
  return { ...first, shape: [columns.length, ...first.shape], data };
}

/** Examples of equal structure as one batch: numbers, arrays and columns are stacked, objects and tuples gone through. */
export function collate<T>(op: string, examples: readonly T[], place = ''): Batch<T> {
  const stack = (values: readonly unknown[]): unknown => collate(op, values, place);
  const first: unknown = examples[0];
  const differs = examples.findIndex((example) => kindOf(example) !== kindOf(first));
  if (differs >= 0) {
    throw new ShapeError(
      `${op}: example ${differs} of a batch is ${describe(examples[differs])}${placeOf(place)}, the first is ` +
        `${describe(first)}. Give all examples the same parts.`,
    );
  }
  let result: unknown;
  if (typeof first === 'number') {
    result = {
      data: Float64Array.from(examples as readonly number[]),
      shape: [examples.length],
      dtype: 'float64',
    };
  } else if (typeof first === 'boolean') {
    result = { data: Uint32Array.from(examples, Number), shape: [examples.length], dtype: 'bool' };
  } else if (isColumn(first)) {
    result = stackColumns(op, examples as readonly Column[], place);
  } else if (isTypedArray(first)) {
    result = stack((examples as readonly TypedArray[]).map((data) => columnOf(op, data)));
  } else if (isNumbers(first)) {
    result = stack((examples as readonly (readonly number[])[]).map((list) => Float64Array.from(list)));
  } else if (Array.isArray(first) || isPlainObject(first)) {
    const parts = Object.keys(first).map((key) => {
      const values = (examples as readonly Record<string, unknown>[]).map((example) => example[key]);
      return [key, collate(op, values, place ? `${place}.${key}` : key)] as const;
    });
    result = Array.isArray(first) ? parts.map(([, part]) => part) : Object.fromEntries(parts);
  } else {
    throw new ArgumentError(
      first instanceof Tensor
        ? `${op}: the examples are tensors${placeOf(place)}; batch host arrays first, then add .tensors().`
        : `${op}: ${describe(first)}${placeOf(place)} cannot be part of a batch; use numbers, typed arrays, or objects of them.`,
    );
  }
  return result as Batch<T>;
}

/** Examples go into one batch when this is equal. */
function kindOf(value: unknown): string {
  if (isColumn(value)) return 'column';
  if (isTypedArray(value)) return 'array';
  if (isNumbers(value)) return 'numbers';
  if (Array.isArray(value)) return `tuple of ${value.length}`;
  if (isPlainObject(value)) return `object of ${Object.keys(value).join()}`;
  return typeof value;
}
