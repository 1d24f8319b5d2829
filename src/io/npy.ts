/**
 * NumPy's `.npy` files (format 1.0 to 3.0), as bytes: no file system, so it works in browsers.
 *
 * ```ts
 * const x = readNpy(await readFile('x.npy'));
 * await writeFile('x.npy', await writeNpy(x));
 * ```
 */
import type { HostTensor } from '../../kernels/kernel.ts';
import { assertTensor, type Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { type DType, type HostArray, hostArray, isFloat } from '../core/dtype.ts';
import { ArgumentError, DTypeError, FormatError, ShapeError } from '../core/errors.ts';
import { checkShape, forEachOffset, formatShape, type Shape, sizeOf, stridesOf } from '../core/shape.ts';
import { type CreateOptions, tensor } from '../ops/create.ts';
import { checkOptions } from '../ops/options.ts';
import { viewOf } from './bytes.ts';
import { elementType, formatHeader, headerOf } from './npy-header.ts';

/** Strides of an array whose first axis runs fastest. */
const fortranStrides = (shape: Shape): number[] => [...stridesOf([...shape].reverse())].reverse();

export function parse(op: string, bytes: Uint8Array): HostTensor {
  if (!(bytes instanceof Uint8Array)) {
    throw new ArgumentError(`${op}: ${describe(bytes)} is no Uint8Array; pass new Uint8Array(arrayBuffer).`);
  }
  const { descr, fortran, shape, start } = headerOf(op, bytes);
  const [type, little] = elementType(op, descr);
  checkShape(op, shape);
  const count = sizeOf(shape);
  const wanted = count * type.bytes;
  const there = bytes.length - start;
  if (there !== wanted) {
    throw new FormatError(
      `${op}: shape ${formatShape(shape)} of '${descr}' takes ${wanted} bytes, but ${there} follow the header; the file is ` +
        `${there < wanted ? 'cut off' : 'damaged'}. Fetch or save it again.`,
    );
  }
  const view = viewOf(bytes);
  const data = hostArray(type.dtype, count);
  const read = (index: number, from: number): void => {
    const value = type.read(view, start + from * type.bytes, little);
    data[index] = value;
    if (type.dtype === 'int32' && data[index] !== value) {
      throw new DTypeError(
        `${op}: element ${from} of shape ${formatShape(shape)} is ${view.getBigInt64(start + from * 8, little)}, which does ` +
          `not fit into int32. Save the array as float64, or subtract an offset first.`,
      );
    }
  };
  if (fortran) forEachOffset(shape, [fortranStrides(shape)], (index, [from]) => read(index, from as number));
  else for (let index = 0; index < count; index++) read(index, index);
  return { shape, dtype: type.dtype, data };
}

/**
 * The array in a `.npy` file, on the host and in row-major order. int64 becomes int32 when every element fits.
 *
 * @throws FormatError for a file that is damaged, cut off, or holds a structured array; DTypeError for other elements.
 */
export const parseNpy = (bytes: Uint8Array): HostTensor => parse('parseNpy', bytes);

const DESCR: Readonly<Record<DType, string>> = {
  float32: '<f4',
  float64: '<f8',
  int32: '<i4',
  bool: '|b1',
  uint8: '|u1',
};

/** The arrays that hold a dtype's elements, and the numbers that its bytes can say. */
const HOLDS: Readonly<
  Record<DType, { arrays: readonly (abstract new () => HostArray)[]; fits: (value: number) => boolean }>
> = {
  float32: {
    arrays: [Float32Array, Float64Array],
    fits: (value) => Number.isFinite(Math.fround(value)) || !Number.isFinite(value),
  },
  float64: { arrays: [Float32Array, Float64Array], fits: () => true },
  int32: { arrays: [Int32Array], fits: () => true },
  bool: { arrays: [Uint32Array, Uint8Array], fits: (value) => value === 0 || value === 1 },
  uint8: { arrays: [Uint8Array], fits: () => true },
};

/** Refuses what the file could only hold as something else. */
function checkHost(op: string, given: unknown): asserts given is HostTensor {
  const { shape, dtype, data } = (given ?? {}) as Record<string, unknown>;
  if (!Array.isArray(shape))
    throw new ShapeError(`${op}: shape ${describe(shape)} is no array; pass { shape, dtype, data }.`);
  checkShape(op, shape as Shape);
  if (typeof dtype !== 'string' || !Object.hasOwn(HOLDS, dtype)) {
    throw new DTypeError(
      `${op}: ${describe(dtype)} is no dtype; use one of ${Object.keys(HOLDS).join(', ')}.`,
    );
  }
  const { arrays, fits } = HOLDS[dtype as DType];
  if (!arrays.some((Kind) => data instanceof Kind)) {
    const kinds = arrays.map(({ name }) => name).join(' or ');
    throw new ArgumentError(`${op}: the data of a ${dtype} array are ${describe(data)}; pass ${kinds}.`);
  }
  const values = data as HostArray;
  if (sizeOf(shape as Shape) !== values.length) {
    throw new ArgumentError(
      `${op}: ${values.length} values do not fill shape ${formatShape(shape as Shape)}; pass as many as it holds.`,
    );
  }
  const at = values.findIndex((value: number) => !fits(value));
  if (at >= 0) {
    throw new DTypeError(
      `${op}: element ${at}, ${values[at]}, does not fit into ${dtype}; ` +
        `${dtype === 'bool' ? 'pass 0 and 1 only' : 'choose float64'}.`,
    );
  }
}

/**
 * The bytes of a `.npy` file, format 1.0, little endian and row-major.
 *
 * @throws ArgumentError for data of another length or kind than shape and dtype say; DTypeError for an unknown dtype and
 * for a number that it cannot hold.
 */
export const formatNpy = (array: HostTensor): Uint8Array => format('formatNpy', array);

export function format(op: string, array: HostTensor): Uint8Array {
  checkHost(op, array);
  const { shape, dtype, data } = array;
  const descr = DESCR[dtype];
  const { bytes } = elementType(op, descr)[0];
  const header = formatHeader(descr, shape);
  const start = header.length;
  const file = new Uint8Array(start + bytes * data.length);
  file.set(header);
  const view = viewOf(file);
  for (let index = 0; index < data.length; index++) {
    const value = data[index] as number;
    const at = start + index * bytes;
    if (dtype === 'float32') view.setFloat32(at, value, true);
    else if (dtype === 'float64') view.setFloat64(at, value, true);
    else if (dtype === 'int32') view.setInt32(at, value, true);
    else view.setUint8(at, value);
  }
  return file;
}

/** Where the tensors go (default: the default device), and whether they require a gradient (default: false). */
export type ReadNpyOptions = Pick<CreateOptions, 'device' | 'requiresGrad'>;

export const checkReadOptions = (op: string, options: ReadNpyOptions): void =>
  checkOptions(op, options, ['device', 'requiresGrad'], 'bytes');

export const toTensor = ({ shape, dtype, data }: HostTensor, options: ReadNpyOptions): Tensor =>
  tensor(data, { ...options, shape, dtype });

/**
 * The array in a `.npy` file as a tensor: floats become the device's float, int64 becomes int32 when every element
 * fits, uint8 stays packed until `cast`.
 *
 * @throws FormatError for a file that is damaged, cut off, or holds a structured array; DTypeError for other elements;
 * AutogradError for `requiresGrad` on an array that holds no floats.
 */
export function readNpy(bytes: Uint8Array, options: ReadNpyOptions = {}): Tensor {
  checkReadOptions('readNpy', options);
  return toTensor(parse('readNpy', bytes), options);
}

export interface WriteNpyOptions {
  /** How floats are stored. Default: float32, whatever the device computes in. */
  float?: 'float32' | 'float64';
}

export async function toHost(
  op: string,
  x: Tensor,
  { float = 'float32' }: WriteNpyOptions,
): Promise<HostTensor> {
  assertTensor(op, x);
  if (float !== 'float32' && float !== 'float64') {
    throw new ArgumentError(`${op}: float is ${describe(float)}; it is 'float32' or 'float64'.`);
  }
  const { shape } = x;
  const dtype = isFloat(x.dtype) ? float : x.dtype;
  const data: HostArray = await x.data();
  return { shape, dtype, data };
}

/**
 * A tensor as the bytes of a `.npy` file that `numpy.load` reads.
 *
 * @throws DTypeError for a float beyond float32, unless `float` is 'float64'.
 */
export async function writeNpy(x: Tensor, options: WriteNpyOptions = {}): Promise<Uint8Array> {
  checkOptions('writeNpy', options, ['float']);
  return format('writeNpy', await toHost('writeNpy', x, options));
}
