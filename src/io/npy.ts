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

/** A reader of one element, and the dtype that holds it. */
interface ElementType {
  readonly bytes: number;
  readonly dtype: DType;
  read(view: DataView, at: number, little: boolean): number;
}

/** By NumPy's kind and size. */
const TYPES: Readonly<Record<string, ElementType>> = {
  f4: { bytes: 4, dtype: 'float32', read: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, dtype: 'float64', read: (view, at, little) => view.getFloat64(at, little) },
  i4: { bytes: 4, dtype: 'int32', read: (view, at, little) => view.getInt32(at, little) },
  i8: { bytes: 8, dtype: 'int32', read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  u1: { bytes: 1, dtype: 'uint8', read: (view, at) => view.getUint8(at) },
  b1: { bytes: 1, dtype: 'bool', read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: Shape;
  /** Where the elements start. */
  readonly start: number;
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Reads the Python dictionary at the head of a file. */
function headerOf(op: string, bytes: Uint8Array): Header {
  if (bytes.length < 10) {
    throw new FormatError(
      `${op}: ${bytes.length} bytes are too few for a .npy file; it is cut off. Fetch or save it again.`,
    );
  }
  if (MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw new FormatError(`${op}: no .npy file, which starts with \\x93NUMPY; save it with numpy.save.`);
  }
  const view = viewOf(bytes);
  const major = bytes[6] as number;
  if (major < 1 || major > 3) {
    throw new FormatError(
      `${op}: format version ${major}.${bytes[7]}; 1.0, 2.0 and 3.0 are read. Save the file again with numpy.save.`,
    );
  }
  const at = major === 1 ? 10 : 12;
  const start =
    at + (major === 1 ? view.getUint16(8, true) : bytes.length < 12 ? 0 : view.getUint32(8, true));
  if (bytes.length < Math.max(at, start)) {
    throw new FormatError(
      `${op}: the header ends at byte ${Math.max(at, start)}, but the file has ${bytes.length}; it is cut off. Fetch or save it again.`,
    );
  }
  const text = new TextDecoder(major === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(at, start));
  return { ...parseHeader(op, text), start };
}

const ENTRY = /\s*'(\w+)'\s*:\s*(?:'([^']*)'|(True|False)|\(([\dL,\s]*)\))\s*(?:,|(?=\}))/y;

/** `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, in any order. */
function parseHeader(op: string, text: string): Omit<Header, 'start'> {
  const damaged = (what: string): FormatError =>
    new FormatError(
      `${op}: ${what} in the header ${JSON.stringify(text.trim())}. Save the file again with numpy.save.`,
    );
  if (/'descr'\s*:\s*\[/.test(text)) {
    throw new FormatError(
      `${op}: a structured array is not read; save each of its fields as an array of its own.`,
    );
  }
  const found = new Map<string, string | boolean | readonly number[]>();
  const open = text.indexOf('{');
  if (open < 0 || text.slice(0, open).trim() !== '') throw damaged('no dictionary');
  ENTRY.lastIndex = open + 1;
  let end = open + 1;
  for (let match = ENTRY.exec(text); match; match = ENTRY.exec(text)) {
    end = ENTRY.lastIndex;
    const [, key = '', quoted, truth, tuple] = match;
    if (found.has(key)) throw damaged(`'${key}' stands twice`);
    const extents = tuple
      ?.split(',')
      .map((extent) => extent.trim())
      .filter((extent) => extent !== '');
    if (extents?.some((extent) => !/^\d+L?$/.test(extent))) throw damaged('an extent that is no number');
    found.set(key, quoted ?? (truth ? truth === 'True' : (extents?.map(Number.parseFloat) ?? [])));
  }
  if (!/^\s*\}\s*$/.test(text.slice(end))) throw damaged('something that cannot be read');
  const descr = found.get('descr');
  const fortran = found.get('fortran_order');
  const shape = found.get('shape');
  if (
    typeof descr !== 'string' ||
    typeof fortran !== 'boolean' ||
    !Array.isArray(shape) ||
    found.size !== 3
  ) {
    throw damaged("not exactly 'descr', 'fortran_order' and 'shape'");
  }
  return { descr, fortran, shape };
}

/** The element type and byte order of a `descr` like `<f4`. */
function elementType(op: string, descr: string): [type: ElementType, little: boolean] {
  const [, order, kind = ''] = /^([<>|=])?(.*)$/.exec(descr) ?? [];
  const type = Object.hasOwn(TYPES, kind) ? TYPES[kind] : undefined;
  if (!type || (order === '|' && type.bytes > 1)) {
    throw new DTypeError(
      `${op}: elements of NumPy's type '${descr}' are not read; f4, f8, i4, i8, u1 and b1 are. Convert the array ` +
        `before you save it, for instance with array.astype('float32').`,
    );
  }
  return [type, order !== '>'];
}

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
  const { bytes } = TYPES[descr.slice(1)] as ElementType;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${formatShape(shape)}, }`;
  const start = 64 * Math.ceil((10 + text.length + 1) / 64);
  const file = new Uint8Array(start + bytes * data.length);
  file.set([...MAGIC, 1, 0, (start - 10) & 0xff, (start - 10) >> 8]);
  file.set(new TextEncoder().encode(`${text.padEnd(start - 11)}\n`), 10);
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
