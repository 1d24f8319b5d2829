/** Tensors from host data, constants and sequences. */
import { fillKernel } from '../../kernels/fill.ts';
import { type NestedArray, Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { type DType, type HostArray, isFloat } from '../core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../core/errors.ts';
import { checkShape, formatShape, type Shape, sizeOf } from '../core/shape.ts';
import { defaultDevice } from '../runtime/default-device.ts';
import { Device, type Operand } from '../runtime/device.ts';
import { toHostArray } from './host.ts';
import { assertDType, assertList } from './operand.ts';
import { checkOptions } from './options.ts';

export interface CreateOptions {
  /** Default: the default device. */
  device?: Device;
  /** Default: the device's float, or what the data suggest. */
  dtype?: DType | 'float';
  /** Default: false. */
  requiresGrad?: boolean;
}

export interface TensorOptions extends CreateOptions {
  /** Shape of flat data. Default: the nesting of the data, `(length,)` for typed arrays. */
  shape?: Shape;
}

export const CREATE_OPTIONS = ['device', 'dtype', 'requiresGrad'] as const;

/** The device that the options name, or the default one. */
export function deviceOf(op: string, { device }: CreateOptions): Device {
  if (device === undefined) return defaultDevice();
  if (device instanceof Device) return device;
  throw new ArgumentError(`${op}: device is ${describe(device)}; pass what \`await init()\` returned.`);
}

/** The dtype that this device uses for what the user asked. */
export function resolve(op: string, device: Device, dtype: DType | 'float' | undefined): DType {
  if (dtype !== undefined) assertDType(op, dtype);
  if (dtype === undefined || dtype === 'float' || isFloat(dtype)) return device.float;
  return dtype;
}

/** Makes a new tensor require its gradient, if that is asked for; disposes it when it cannot have one. */
export function finish(tensor: Tensor, options: CreateOptions): Tensor {
  if (options.requiresGrad) {
    try {
      tensor.requiresGrad = true;
    } catch (error) {
      tensor.dispose();
      throw error;
    }
  }
  return tensor;
}

/** The shape of nested arrays; ragged ones are refused. */
function nestedShape(values: NestedArray): number[] {
  const shape: number[] = [];
  for (let level: NestedArray | undefined = values; Array.isArray(level); level = level[0])
    shape.push(level.length);
  return shape;
}

function flatten(values: NestedArray, shape: Shape, axis: number, out: (number | boolean)[]): void {
  if (axis === shape.length) {
    if (typeof values === 'bigint') {
      throw new DTypeError(`tensor: ${values} is a BigInt; convert it with Number(…) where it fits.`);
    }
    if (typeof values !== 'number' && typeof values !== 'boolean') {
      throw new ShapeError(
        Array.isArray(values)
          ? `tensor: the nested arrays are ragged: a list stands where the first row of shape ${formatShape(shape)} has a number. Make all rows equally deep.`
          : `tensor: ${describe(values)} is no number; pass numbers or booleans, nested in arrays.`,
      );
    }
    out.push(values);
    return;
  }
  if (!Array.isArray(values) || values.length !== shape[axis]) {
    throw new ShapeError(
      `tensor: the nested arrays are ragged: at depth ${axis} a row has ${Array.isArray(values) ? values.length : 'no'} ` +
        `elements where the first has ${shape[axis]}. Make all rows equally long.`,
    );
  }
  for (const value of values) flatten(value, shape, axis + 1, out);
}

/** The dtype that typed arrays carry; floats become the device's float. */
function dtypeOfArray(
  data: HostArray | Int8Array | Int16Array | Uint16Array | Uint8ClampedArray,
): DType | 'float' {
  if (data instanceof Float32Array || data instanceof Float64Array) return 'float';
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return 'uint8';
  return 'int32';
}

/**
 * A tensor from nested arrays, a number, or a typed array. Booleans give `bool`, numbers the device's float,
 * `Int32Array` and its smaller kin `int32`, `Uint8Array` packed `uint8` (unpack it with `cast`).
 *
 * @throws ShapeError for ragged arrays and for a `shape` that does not hold as many elements.
 */
export function tensor(
  values: NestedArray | HostArray | Int8Array | Int16Array | Uint16Array | Uint8ClampedArray,
  options: TensorOptions = {},
): Tensor {
  checkOptions('tensor', options, [...CREATE_OPTIONS, 'shape'], 'values');
  const device = deviceOf('tensor', options);
  let flat: ArrayLike<number | boolean>;
  let shape: Shape;
  let suggested: DType | 'float';
  if (values instanceof DataView) {
    throw new ArgumentError('tensor: a DataView has no element type; pass a typed array on its buffer.');
  }
  if (ArrayBuffer.isView(values)) {
    flat = values as HostArray;
    shape = [values.length];
    suggested = dtypeOfArray(values as HostArray);
  } else {
    const list: (number | boolean)[] = [];
    shape = nestedShape(values);
    flatten(values, shape, 0, list);
    flat = list;
    suggested = list.length > 0 && list.every((value) => typeof value === 'boolean') ? 'bool' : 'float';
  }
  if (options.shape !== undefined) {
    assertList('tensor', 'shape', options.shape);
    checkShape('tensor', options.shape);
    if (sizeOf(options.shape) !== flat.length) {
      throw new ShapeError(
        `tensor: ${flat.length} values do not fill shape ${formatShape(options.shape)}; pass ${sizeOf(options.shape)}, or another shape.`,
      );
    }
    shape = options.shape;
  }
  checkShape('tensor', shape);
  const { dtype: asked = suggested } = options;
  const dtype = resolve('tensor', device, asked);
  const storage = device.upload('tensor', dtype, toHostArray('tensor', flat, dtype));
  return finish(Tensor.adopt({ storage, shape, dtype }, 'tensor'), options);
}

function generate(op: string, shape: Shape, options: CreateOptions, value: number, step?: number): Tensor {
  checkOptions(op, options, CREATE_OPTIONS);
  assertList(op, 'shape', shape);
  checkShape(op, shape);
  if (typeof value !== 'number') {
    throw new ArgumentError(`${op}: the value ${describe(value)} is no number; pass a number.`);
  }
  const device = deviceOf(op, options);
  const dtype = resolve(op, device, options.dtype);
  const attrs = step === undefined ? { shape, dtype, value } : { shape, dtype, value, step };
  return finish(Tensor.adopt(device.run(op, fillKernel, [], attrs)[0] as Operand, op), options);
}

export const zeros = (shape: Shape, options: CreateOptions = {}): Tensor =>
  generate('zeros', shape, options, 0);

export const ones = (shape: Shape, options: CreateOptions = {}): Tensor =>
  generate('ones', shape, options, 1);

export const full = (shape: Shape, value: number, options: CreateOptions = {}): Tensor =>
  generate('full', shape, options, value);

/** The identity matrix, or its first `columns` columns. */
export function eye(rows: number, columns = rows, options: CreateOptions = {}): Tensor {
  checkOptions('eye', options, CREATE_OPTIONS);
  resolve('eye', deviceOf('eye', options), options.dtype);
  checkShape('eye', [rows, columns]);
  const values = new Float32Array(rows * columns);
  for (let index = 0; index < Math.min(rows, columns); index++) values[index * columns + index] = 1;
  return tensor(values, { ...options, dtype: options.dtype ?? 'float', shape: [rows, columns] });
}

/** start, start + step, … below `stop`; `arange(stop)` starts at 0. */
export function arange(start: number, stop?: number, step = 1, options: CreateOptions = {}): Tensor {
  checkOptions('arange', options, CREATE_OPTIONS);
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (!Number.isFinite(step) || step === 0)
    throw new ArgumentError(`arange: step ${step}; a step is a finite number other than 0.`);
  if (!Number.isFinite(from) || !Number.isFinite(to)) {
    throw new ArgumentError(`arange: from ${from} to ${to}; pass finite numbers.`);
  }
  return generate('arange', [Math.max(0, Math.ceil((to - from) / step))], options, from, step);
}

/** `count` values from start to stop, both included. */
export function linspace(start: number, stop: number, count: number, options: CreateOptions = {}): Tensor {
  checkOptions('linspace', options, CREATE_OPTIONS);
  resolve('linspace', deviceOf('linspace', options), options.dtype);
  if (!Number.isFinite(start) || !Number.isFinite(stop))
    throw new ArgumentError(`linspace: from ${describe(start)} to ${describe(stop)}; pass finite numbers.`);
  if (!Number.isInteger(count) || count < 0)
    throw new ArgumentError(`linspace: count ${describe(count)}; pass a whole number ≥ 0.`);
  const step = count > 1 ? (stop - start) / (count - 1) : 0;
  const values = Float64Array.from({ length: count }, (_, index) =>
    index === count - 1 && count > 1 ? stop : start + index * step,
  );
  return tensor(values, options);
}
