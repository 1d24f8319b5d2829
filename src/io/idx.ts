/**
 * IDX files, the format of MNIST: two zero bytes, a type code, the number of axes, the extents as big-endian 32-bit
 * integers, and the elements, big endian, row-major. Format: http://yann.lecun.com/exdb/mnist/
 */
import type { HostTensor } from '../../kernels/kernel.ts';
import { describe } from '../core/describe.ts';
import { type DType, hostArray } from '../core/dtype.ts';
import { ArgumentError, DTypeError, FormatError } from '../core/errors.ts';
import { checkShape, formatShape, MAX_RANK, sizeOf } from '../core/shape.ts';
import { viewOf } from './bytes.ts';
import { gunzip } from './gzip.ts';

interface ElementType {
  readonly name: string;
  readonly bytes: number;
  readonly dtype: DType;
  read(view: DataView, at: number): number;
}

/** By the third byte of the file. */
const TYPES: Readonly<Record<number, ElementType>> = {
  8: { name: 'uint8', bytes: 1, dtype: 'uint8', read: (view, at) => view.getUint8(at) },
  9: { name: 'int8', bytes: 1, dtype: 'int32', read: (view, at) => view.getInt8(at) },
  11: { name: 'int16', bytes: 2, dtype: 'int32', read: (view, at) => view.getInt16(at) },
  12: { name: 'int32', bytes: 4, dtype: 'int32', read: (view, at) => view.getInt32(at) },
  13: { name: 'float32', bytes: 4, dtype: 'float32', read: (view, at) => view.getFloat32(at) },
  14: { name: 'float64', bytes: 8, dtype: 'float64', read: (view, at) => view.getFloat64(at) },
};

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;

const codes = Object.entries(TYPES)
  .map(([code, { name }]) => `${hex(Number(code))} (${name})`)
  .join(', ');

/**
 * The array in an IDX file, gzipped or not. uint8 stays uint8, the smaller integers become int32.
 *
 * @throws FormatError for a file that is damaged, cut off or no IDX file; it names what was expected and what was found.
 */
export const parseIdx = (bytes: Uint8Array): HostTensor => parseIdxAs('parseIdx', bytes);

/** `op` names the file, too, where there is one. */
export function parseIdxAs(op: string, given: Uint8Array): HostTensor {
  if (!(given instanceof Uint8Array)) {
    throw new ArgumentError(`${op}: ${describe(given)} is no Uint8Array; pass new Uint8Array(arrayBuffer).`);
  }
  const bytes = gunzip(op, given);
  const broken = (what: string): FormatError =>
    new FormatError(`${op}: ${what}. Fetch or save the file again.`);
  if (bytes.length < 4) throw broken(`expected at least 4 bytes, found ${bytes.length}; it is cut off`);
  const [zero0, zero1, code, rank] = bytes as unknown as [number, number, number, number];
  if (zero0 !== 0 || zero1 !== 0) {
    throw broken(`expected an IDX file, which starts with 0x00 0x00, found ${hex(zero0)} ${hex(zero1)}`);
  }
  const type = TYPES[code];
  if (!type) throw broken(`expected a type code of ${codes} in byte 2, found ${hex(code)}`);
  if (rank > MAX_RANK) throw broken(`expected at most ${MAX_RANK} axes in byte 3, found ${rank}`);
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    throw broken(`expected ${start} bytes of header for ${rank} axes, found ${bytes.length}; it is cut off`);
  }
  const view = viewOf(bytes);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const wanted = sizeOf(shape) * type.bytes;
  const found = bytes.length - start;
  if (found !== wanted) {
    throw broken(
      `expected ${wanted} bytes for shape ${formatShape(shape)} of ${type.name}, found ${found}; it is ${found < wanted ? 'cut off' : 'damaged'}`,
    );
  }
  if (type.dtype === 'uint8') return { shape, dtype: 'uint8', data: bytes.slice(start) };
  const data = hostArray(type.dtype, sizeOf(shape));
  for (let index = 0; index < data.length; index++) data[index] = type.read(view, start + index * type.bytes);
  return { shape, dtype: type.dtype, data };
}

const CODES: Readonly<Partial<Record<DType, number>>> = { uint8: 8, int32: 12, float32: 13, float64: 14 };

/**
 * The bytes of an IDX file, not gzipped.
 *
 * @throws DTypeError for bool, which the format lacks; ShapeError and ArgumentError for data that do not fill the shape.
 */
export function formatIdx({ shape, dtype, data }: HostTensor): Uint8Array {
  const op = 'formatIdx';
  const code = CODES[dtype];
  if (code === undefined) {
    throw new DTypeError(
      `${op}: the format has no ${describe(dtype)}; use one of ${Object.keys(CODES).join(', ')}.`,
    );
  }
  checkShape(op, shape);
  if (sizeOf(shape) !== data.length) {
    throw new ArgumentError(
      `${op}: ${data.length} values do not fill shape ${formatShape(shape)}; pass as many as it holds.`,
    );
  }
  const { bytes } = TYPES[code] as ElementType;
  const start = 4 + 4 * shape.length;
  const file = new Uint8Array(start + bytes * data.length);
  const view = viewOf(file);
  file.set([0, 0, code, shape.length]);
  for (const [axis, extent] of shape.entries()) view.setUint32(4 + 4 * axis, extent);
  for (let index = 0; index < data.length; index++) {
    const value = data[index] as number;
    const at = start + index * bytes;
    if (dtype === 'uint8') view.setUint8(at, value);
    else if (dtype === 'int32') view.setInt32(at, value);
    else if (dtype === 'float32') view.setFloat32(at, value);
    else view.setFloat64(at, value);
  }
  return file;
}
