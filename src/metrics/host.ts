/** What the metrics that are exact at once read: tensors or host data, checked. */
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, type Shape } from '../core/shape.ts';

/** Numbers or bools, nested in arrays. */
export type NestedValues = ArrayLike<number | boolean> | readonly NestedValues[];

/** A tensor of any device, a typed array, or (nested) arrays. */
export type MetricValues = Tensor | NestedValues;

/** Values on the host, row-major. */
export interface Column {
  readonly shape: Shape;
  readonly data: Float64Array;
  /** Whether they were float32, so that they carry 24 bits. */
  readonly single: boolean;
}

/** Numbers that are defined nowhere are 0, or NaN; the warning says so once for each call. */
export function warn(op: string, message: string): void {
  console.warn(`wgrad: ${op}: ${message}`);
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

function shapeOf(op: string, what: string, values: unknown): number[] {
  const shape: number[] = [];
  let level = values;
  while (isList(level)) {
    shape.push(level.length);
    level = level[0];
  }
  if (shape.length === 0)
    throw new ArgumentError(
      `${op}: ${what} is ${describe(values)}; pass a tensor, an array or a typed array.`,
    );
  return shape;
}

function flattenInto(
  op: string,
  what: string,
  level: unknown,
  shape: Shape,
  axis: number,
  out: number[],
): void {
  if (axis === shape.length) {
    if (typeof level !== 'number' && typeof level !== 'boolean')
      throw new DTypeError(`${op}: ${what} holds ${describe(level)}; pass numbers.`);
    out.push(Number(level));
    return;
  }
  if (!isList(level) || level.length !== shape[axis]) {
    throw new ShapeError(
      `${op}: ${what} is ragged: its first row makes it ${formatShape(shape)}, another is ${describe(level)}. Make all rows equally long.`,
    );
  }
  for (let index = 0; index < level.length; index++)
    flattenInto(op, what, level[index], shape, axis + 1, out);
}

/** @throws ArgumentError, ShapeError or DTypeError for what is neither a tensor nor even arrays of numbers. */
export async function read(op: string, what: string, values: MetricValues): Promise<Column> {
  if (values instanceof Tensor) {
    const data = await values.data();
    return { shape: values.shape, data: Float64Array.from(data), single: values.dtype === 'float32' };
  }
  const shape = shapeOf(op, what, values);
  const out: number[] = [];
  flattenInto(op, what, values, shape, 0, out);
  return { shape, data: Float64Array.from(out), single: (values as unknown) instanceof Float32Array };
}

/** @throws ArgumentError for a NaN or an infinity, which has no place in an order or an average. */
export function checkFinite(op: string, what: string, { data }: Column): void {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new ArgumentError(
      `${op}: ${what} holds ${data[at]} at position ${at}; find out where it comes from, or leave that sample out.`,
    );
  }
}

/** Whether it has one number for each sample: (samples,) or (samples, 1). */
export const isFlat = ({ shape }: Column): boolean =>
  shape.length === 1 || (shape.length === 2 && shape[1] === 1);

/**
 * Class numbers, one for each sample.
 *
 * @param classes All must be below it. Default: no limit.
 */
export function checkLabels(op: string, what: string, column: Column, classes = Infinity): Float64Array {
  const { shape, data } = column;
  if (!isFlat(column)) {
    throw new ShapeError(
      `${op}: ${what} has shape ${formatShape(shape)}; labels are one class number for each sample, (samples,). ` +
        `Of scores or one-hot rows take argMax(x, { axis: -1 }).`,
    );
  }
  const at = data.findIndex((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (at < 0) return data;
  const label = data[at] as number;
  if (!Number.isInteger(label)) {
    throw new ArgumentError(
      `${op}: ${what} holds ${label} at position ${at}; labels are class numbers 0, 1, …: of scores take argMax, or compare them with a threshold.`,
    );
  }
  throw new ArgumentError(
    `${op}: ${what} holds the label ${label} at position ${at}; valid are 0 ${
      classes === Infinity ? 'and above' : `to ${classes - 1}`
    }. Map labels to 0, 1, …, or check the number of classes.`,
  );
}

/** @throws ShapeError unless both have the same number of samples. */
export function checkRows(op: string, a: Column, b: Column, names = ['yTrue', 'yPred']): void {
  if (a.shape[0] === b.shape[0] && a.shape.length > 0 && b.shape.length > 0) return;
  throw new ShapeError(
    `${op}: ${names[0]} of shape ${formatShape(a.shape)} and ${names[1]} of shape ${formatShape(b.shape)}; both must have one row for each sample.`,
  );
}

/** @throws ArgumentError where there is no sample, for metrics that then have no value. */
export function checkSome(op: string, { shape }: Column): void {
  if (shape[0] === 0) throw new ArgumentError(`${op}: there are no samples; pass at least one.`);
}

/** One weight for each sample; 1 where none are given. */
export async function weightsOf(
  op: string,
  given: MetricValues | undefined,
  samples: number,
): Promise<Float64Array> {
  if (given === undefined) return new Float64Array(samples).fill(1);
  const column = await read(op, 'sampleWeight', given);
  if (!isFlat(column) || column.data.length !== samples) {
    throw new ShapeError(
      `${op}: a sampleWeight of shape ${formatShape(column.shape)} for ${samples} samples; pass one weight for each, (samples,).`,
    );
  }
  const at = column.data.findIndex((weight) => !(weight >= 0 && weight < Infinity));
  if (at >= 0)
    throw new ArgumentError(
      `${op}: sampleWeight holds ${column.data[at]} at position ${at}; pass finite numbers ≥ 0.`,
    );
  return column.data;
}

/** The one of `choices` that was given. */
export function checkChoice(
  op: string,
  name: string,
  value: unknown,
  choices: readonly (string | number | null)[],
): void {
  if ((choices as readonly unknown[]).includes(value)) return;
  throw new ArgumentError(
    `${op}: ${name} is ${describe(value)}; pass ${choices.map((choice) => describe(choice)).join(', ')}.`,
  );
}

export const total = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] as number;
  return sum;
};

/** Σ w·v / Σ w; NaN where the weights come to 0. */
export const averageOf = (values: ArrayLike<number>, weights?: ArrayLike<number>): number => {
  let sum = 0;
  for (let index = 0; index < values.length; index++)
    sum += (values[index] as number) * (weights ? (weights[index] as number) : 1);
  return sum / (weights ? total(weights) : values.length);
};
