/**
 * Safetensors files as bytes, so that it works in browsers: an 8-byte little-endian header length, a JSON header with
 * dtype, shape and byte range of each tensor, and the elements, without holes.
 * Format: https://huggingface.co/docs/safetensors
 */
import type { HostTensor } from '../../kernels/kernel.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { type DType, hostArray, isFloat } from '../core/dtype.ts';
import { ArgumentError, DTypeError, FormatError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { type CreateOptions, deviceOf, tensor } from '../ops/create.ts';
import { checkOptions } from '../ops/options.ts';
import { viewOf } from './bytes.ts';
import { toHost, type WriteNpyOptions } from './npy.ts';
import {
  MAX_HEADER,
  parseHeader,
  type SafetensorsDType,
  type SafetensorsEntry,
} from './safetensors-header.ts';

/** IEEE 754 half precision: 1 sign, 5 exponent and 10 fraction bits. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

const word = new DataView(new ArrayBuffer(4));

/** bfloat16 is the upper half of a float32. */
function bfloat(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}

/** How an element type is read, and the dtype that holds it without a loss. */
interface Reader {
  readonly bytes: number;
  readonly dtype: DType;
  read(view: DataView, at: number): number;
}

const READERS: Readonly<Partial<Record<SafetensorsDType, Reader>>> = {
  BOOL: { bytes: 1, dtype: 'bool', read: (view, at) => view.getUint8(at) },
  U8: { bytes: 1, dtype: 'uint8', read: (view, at) => view.getUint8(at) },
  I8: { bytes: 1, dtype: 'int32', read: (view, at) => view.getInt8(at) },
  I16: { bytes: 2, dtype: 'int32', read: (view, at) => view.getInt16(at, true) },
  U16: { bytes: 2, dtype: 'int32', read: (view, at) => view.getUint16(at, true) },
  F16: { bytes: 2, dtype: 'float32', read: (view, at) => half(view.getUint16(at, true)) },
  BF16: { bytes: 2, dtype: 'float32', read: (view, at) => bfloat(view.getUint16(at, true)) },
  I32: { bytes: 4, dtype: 'int32', read: (view, at) => view.getInt32(at, true) },
  U32: { bytes: 4, dtype: 'int32', read: (view, at) => view.getUint32(at, true) },
  F32: { bytes: 4, dtype: 'float32', read: (view, at) => view.getFloat32(at, true) },
  F64: { bytes: 8, dtype: 'float64', read: (view, at) => view.getFloat64(at, true) },
  I64: { bytes: 8, dtype: 'int32', read: (view, at) => Number(view.getBigInt64(at, true)) },
  U64: { bytes: 8, dtype: 'int32', read: (view, at) => Number(view.getBigUint64(at, true)) },
};

const readable = Object.keys(READERS).join(', ');

/** The elements of one tensor; `float` is what the device computes in. */
function elements(
  op: string,
  name: string,
  bytes: Uint8Array,
  { dtype, shape, start }: SafetensorsEntry,
  float: DType,
): HostTensor {
  const reader = READERS[dtype];
  if (!reader) {
    throw new DTypeError(
      `${op}: '${name}' has elements of type ${dtype}, which are not read; ${readable} are. Convert it before saving, ` +
        `or leave it out with { names }.`,
    );
  }
  const view = viewOf(bytes);
  const data = hostArray(reader.dtype, sizeOf(shape));
  for (let index = 0; index < data.length; index++) {
    const value = reader.read(view, start + index * reader.bytes);
    data[index] = value;
    if (reader.dtype === 'int32' && data[index] !== value) {
      throw new DTypeError(
        `${op}: element ${index} of '${name}', ${value}, does not fit into int32. Save it as F64, or subtract an ` +
          `offset first.`,
      );
    }
    if (reader.dtype === 'bool' && value > 1) {
      throw new FormatError(
        `${op}: element ${index} of '${name}' is the byte ${value}; a BOOL is 0 or 1. The file is damaged; fetch or save it again.`,
      );
    }
    if (
      dtype === 'F64' &&
      float === 'float32' &&
      Number.isFinite(value) &&
      !Number.isFinite(Math.fround(value))
    ) {
      throw new DTypeError(
        `${op}: element ${index} of '${name}', ${value}, is beyond float32, in which this device computes. Scale it, or ` +
          `read it on the CPU device.`,
      );
    }
  }
  return { shape, dtype: reader.dtype, data };
}

/** Where the tensors go and whether those of floats require a gradient, as for other files. */
export interface ReadSafetensorsOptions extends Pick<CreateOptions, 'device' | 'requiresGrad'> {
  /** Which tensors to read. Default: all. */
  names?: readonly string[];
}

export interface SafetensorsFile {
  tensors: Record<string, Tensor>;
  metadata: Record<string, string>;
}

/** The entries that the names select. */
function select(
  op: string,
  entries: ReadonlyMap<string, SafetensorsEntry>,
  names: readonly string[] | undefined,
): [string, SafetensorsEntry][] {
  if (names === undefined) return [...entries];
  if (!Array.isArray(names))
    throw new ArgumentError(`${op}: names is ${describe(names)}; pass an array of names.`);
  return [...new Set(names)].map((name: string) => {
    const entry = entries.get(name);
    if (entry) return [name, entry];
    const there = [...entries.keys()];
    const list = `${there.slice(0, 10).join(', ')}${there.length > 10 ? ` and ${there.length - 10} more` : ''}`;
    throw new ArgumentError(`${op}: the file holds no '${name}'; it has ${list || 'no tensor at all'}.`);
  });
}

/**
 * The tensors of a safetensors file by name, and its metadata. F64, F32, F16 and BF16 become the device's float; I32, I16,
 * I8, U16, and I64, U32 and U64 where every element fits, int32; U8 stays packed until `cast`; BOOL becomes bool. The
 * whole file is checked before the first tensor is made, and after an error none is left.
 *
 * @throws FormatError for a file that is damaged, cut off, overlapping or no safetensors file; DTypeError for elements that
 * no dtype here holds; ArgumentError for a name that is not there.
 */
export function readSafetensors(bytes: Uint8Array, options: ReadSafetensorsOptions = {}): SafetensorsFile {
  const op = 'readSafetensors';
  checkOptions(op, options, ['device', 'requiresGrad', 'names'], 'bytes');
  const device = deviceOf(op, options);
  const { entries, metadata } = parseHeader(op, bytes);
  const arrays = select(op, entries, options.names).map(
    ([name, entry]) => [name, elements(op, name, bytes, entry, device.float)] as const,
  );
  const tensors: [string, Tensor][] = [];
  try {
    for (const [name, { data, shape, dtype }] of arrays) {
      const requiresGrad = options.requiresGrad === true && isFloat(dtype);
      tensors.push([name, tensor(data, { device, shape, dtype, requiresGrad })]);
    }
  } catch (error) {
    for (const [, made] of tensors) made.dispose();
    throw error;
  }
  return { tensors: Object.fromEntries(tensors), metadata: { ...metadata } };
}

export interface WriteSafetensorsOptions extends WriteNpyOptions {
  /** Strings that travel with the tensors. */
  metadata?: Readonly<Record<string, string>>;
}

interface Writer {
  readonly name: SafetensorsDType;
  readonly bytes: number;
  write(view: DataView, at: number, value: number): void;
}

const WRITERS: Readonly<Record<DType, Writer>> = {
  float64: { name: 'F64', bytes: 8, write: (view, at, value) => view.setFloat64(at, value, true) },
  float32: { name: 'F32', bytes: 4, write: (view, at, value) => view.setFloat32(at, value, true) },
  int32: { name: 'I32', bytes: 4, write: (view, at, value) => view.setInt32(at, value, true) },
  uint8: { name: 'U8', bytes: 1, write: (view, at, value) => view.setUint8(at, value) },
  bool: { name: 'BOOL', bytes: 1, write: (view, at, value) => view.setUint8(at, value) },
};

function checkMetadata(op: string, metadata: unknown): void {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new ArgumentError(`${op}: metadata is ${describe(metadata)}; pass an object of strings.`);
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') {
      throw new ArgumentError(
        `${op}: metadata.${key} is ${describe(value)}; the format keeps strings only, so pass JSON.stringify(…).`,
      );
    }
  }
}

/** The reference implementation's order: wide elements first, so that every tensor lies aligned; then by name. */
const RANK = Object.keys(WRITERS);

const byRank = ([a, x]: readonly [string, HostTensor], [b, y]: readonly [string, HostTensor]): number =>
  RANK.indexOf(x.dtype) - RANK.indexOf(y.dtype) || (a < b ? -1 : 1);

function formatFile(
  op: string,
  arrays: readonly (readonly [string, HostTensor])[],
  metadata: Readonly<Record<string, string>> | undefined,
): Uint8Array {
  const field = (name: string, value: unknown): string => `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  const fields = metadata ? [field('__metadata__', metadata)] : [];
  let end = 0;
  for (const [name, { dtype, shape, data }] of arrays) {
    const start = end;
    end += data.length * WRITERS[dtype].bytes;
    fields.push(field(name, { dtype: WRITERS[dtype].name, shape, data_offsets: [start, end] }));
  }
  const text = new TextEncoder().encode(`{${fields.join()}}`);
  const length = 8 * Math.ceil(text.length / 8);
  if (length > MAX_HEADER) {
    throw new ArgumentError(
      `${op}: names and metadata take ${length} bytes; a header holds ${MAX_HEADER}. Shorten them.`,
    );
  }
  const file = new Uint8Array(8 + length + end);
  const view = viewOf(file);
  view.setBigUint64(0, BigInt(length), true);
  file.fill(0x20, 8, 8 + length).set(text, 8);
  let at = 8 + length;
  for (const [name, { dtype, data }] of arrays) {
    const { bytes, write } = WRITERS[dtype];
    for (let index = 0; index < data.length; index++) {
      const value = data[index] as number;
      if (dtype === 'float32' && Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
        throw new DTypeError(
          `${op}: element ${index} of '${name}', ${value}, is beyond float32; choose { float: 'float64' }.`,
        );
      }
      write(view, at + index * bytes, value);
    }
    at += data.length * bytes;
  }
  return file;
}

/**
 * Tensors by name as the bytes of a safetensors file. Floats are stored as F32, also those of the CPU device, unless
 * `float` is 'float64'; int32 as I32, bool as BOOL, uint8 as U8. The same tensors give the same bytes.
 *
 * @throws DTypeError for a float beyond float32, unless `float` is 'float64'; ArgumentError for metadata that are no
 * strings and for the reserved name `__metadata__`.
 */
export async function writeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  options: WriteSafetensorsOptions = {},
): Promise<Uint8Array> {
  const op = 'writeSafetensors';
  checkOptions(op, options, ['float', 'metadata'], 'tensors');
  if (options.metadata !== undefined) checkMetadata(op, options.metadata);
  if (typeof tensors !== 'object' || tensors === null) {
    throw new ArgumentError(
      `${op}: ${describe(tensors)} is no object; pass tensors by name, as in { weight, bias }.`,
    );
  }
  if (Object.hasOwn(tensors, '__metadata__')) {
    throw new ArgumentError(
      `${op}: no tensor can be called '__metadata__'; the format keeps its metadata there.`,
    );
  }
  const arrays = await Promise.all(
    Object.entries(tensors).map(async ([name, x]) => [name, await toHost(op, x, options)] as const),
  );
  return formatFile(op, arrays.sort(byRank), options.metadata);
}
