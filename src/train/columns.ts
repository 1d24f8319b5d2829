/** The data that users pass to `fit`: what belongs to which input and output, and in which dtype. */
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { unknownName } from '../core/nearest.ts';
import { isPlainObject } from '../core/plain-object.ts';
import { formatShape } from '../core/shape.ts';
import { type Column, isColumn } from '../data/batch.ts';
import { fits, formatPartial } from '../nn/partial-shape.ts';
import type { Port } from './signature.ts';

/** A batch of one input or output. */
export type Value = Column | Tensor;

/** A batch by parts, each a list in the order of the model's ends. */
export interface Parts {
  readonly x: readonly Value[];
  readonly y: readonly Value[];
  /** None, or one for each output. */
  readonly sampleWeight: readonly Value[];
}

const isValue = (value: unknown): value is Value => value instanceof Tensor || isColumn(value);

/** A value for each port: a single one, a list, or an object by the ports' names. */
export function valuesOf(op: string, what: string, ports: readonly Port[], given: unknown): Value[] {
  if (isValue(given)) {
    if (ports.length === 1) return [given];
    throw new ArgumentError(
      `${op}: ${what} is one array, and the model has ${ports.length} of them; pass { ${ports.map(({ name }) => name).join(', ')} }.`,
    );
  }
  if (Array.isArray(given) && given.length === ports.length && given.every(isValue)) return given;
  if (!isPlainObject(given))
    throw new ArgumentError(
      `${op}: ${what} is ${describe(given)}, no batch; call batch() on the dataset, or let it yield tensors or { data, shape, ` +
        `dtype }, by name where there are several.`,
    );
  const names = ports.map(({ name }) => name);
  for (const name of Object.keys(given)) if (!names.includes(name)) throw unknownName(op, what, name, names);
  return ports.map(({ name }) => {
    const value = given[name];
    if (!isValue(value))
      throw new ArgumentError(`${op}: ${what} lacks '${name}', or it is no array: ${describe(value)}.`);
    return value;
  });
}

/** The inputs of a batch that may hold targets as well, as those that a model learns from do. */
export function inputsOf(op: string, batch: unknown, inputs: readonly Port[]): Value[] {
  const isInput = (name: string): boolean => inputs.some((port) => port.name === name);
  const isList = (list: readonly unknown[]): boolean => list.length === inputs.length && list.every(isValue);
  let x = batch;
  if (Array.isArray(batch)) {
    if (!isList(batch) && (isValue(batch[0]) || isPlainObject(batch[0]))) x = batch[0];
  } else if (isPlainObject(batch) && 'x' in batch && !Object.keys(batch).every(isInput)) x = batch.x;
  return valuesOf(op, 'x', inputs, x);
}

/** A batch of a dataset by parts: `{ x, y, sampleWeight }`, or `[x, y, sampleWeight]`. */
export function partsOf(
  op: string,
  batch: unknown,
  inputs: readonly Port[],
  outputs: readonly Port[],
): Parts {
  let given: readonly unknown[];
  if (Array.isArray(batch) && isValue(batch[0])) given = batch;
  else if (isPlainObject(batch) && 'x' in batch) given = [batch.x, batch.y, batch.sampleWeight];
  else
    throw new ArgumentError(
      `${op}: the dataset yields ${describe(batch)}; let it yield { x, y } or [x, y], with map() if need be.`,
    );
  const [x, y, weight] = given;
  return {
    x: valuesOf(op, 'x', inputs, x),
    y: y === undefined ? [] : valuesOf(op, 'y', outputs, y),
    sampleWeight:
      weight === undefined
        ? []
        : isValue(weight)
          ? outputs.map(() => weight)
          : valuesOf(op, 'sampleWeight', outputs, weight),
  };
}

/** Refuses a shape that the model does not take. */
export function checkShapeOf(op: string, what: string, value: Value, { shape, layer, name }: Port): void {
  if (!shape || fits(value.shape, shape)) return;
  const unbatched = fits([null, ...value.shape], shape)
    ? ' Its axis of examples is missing: batch the dataset, or put a single example into a list.'
    : '';
  throw new ShapeError(
    `${op}: ${what} has shape ${formatShape(value.shape)}, and ${layer === null ? `input '${name}'` : `layer '${layer}'`} ` +
      `takes ${formatPartial(shape)}.${unbatched}`,
  );
}

/** Refuses numbers on the host that an embedding has no row for, with their row. */
export function checkLimitOf(op: string, what: string, value: Value, { limit, layer }: Port): void {
  if (limit === undefined || limit === null || value instanceof Tensor || value.dtype !== 'int32') return;
  const at = (value.data as Int32Array).findIndex((own) => own < 0 || own >= limit);
  if (at < 0) return;
  const row = Math.floor(at / Math.max(1, value.data.length / (value.shape[0] as number)));
  throw new ArgumentError(
    `${op}: ${what} holds ${value.data[at]} in row ${row}, and layer '${layer}' takes 0 to ${limit - 1}; ` +
      `give it a larger inputDim, or map rare tokens to one number.`,
  );
}

/** Whole numbers as int32; others, and numbers beyond it, are refused with their row. */
function toInt32(op: string, what: string, { data, shape }: Column): Column {
  const whole = new Int32Array(data.length);
  for (let index = 0; index < data.length; index++) {
    const value = data[index] as number;
    whole[index] = value;
    if (whole[index] !== value) {
      const row = Math.floor(index / Math.max(1, data.length / (shape[0] as number)));
      throw new ArgumentError(
        `${op}: ${what} holds ${value} in row ${row}, and the numbers of classes or tokens are whole; ` +
          `check the column, or choose a loss for numbers.`,
      );
    }
  }
  return { data: whole, shape, dtype: 'int32' };
}

/** The column in the dtype that is wanted: bytes become floats on the device, labels int32. */
export function inDType(op: string, what: string, column: Column, wanted: 'float' | 'int32' | null): Column {
  if (wanted === 'int32' && column.dtype !== 'int32') return toInt32(op, what, column);
  if (wanted === 'int32' || isFloat(column.dtype) || column.scale !== undefined) return column;
  if (column.dtype === 'uint8') return { ...column, scale: 1 };
  if (wanted === null) return column;
  return { data: Float64Array.from(column.data), shape: column.shape, dtype: 'float64' };
}
