/** The head of a `.npy` file: magic bytes, version, and a Python dictionary that tells element type, order and shape. */
import type { DType } from '../core/dtype.ts';
import { DTypeError, FormatError } from '../core/errors.ts';
import { formatShape, type Shape } from '../core/shape.ts';
import { viewOf } from './bytes.ts';

/** A reader of one element, and the dtype that holds it. */
export interface ElementType {
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

export interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: Shape;
  /** Where the elements start. */
  readonly start: number;
}

/**
 * Reads the Python dictionary at the head of a file.
 *
 * @throws FormatError for what is no `.npy` file, is cut off, or holds a structured array.
 */
export function headerOf(op: string, bytes: Uint8Array): Header {
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

/**
 * The element type and byte order of a `descr` like `<f4`.
 *
 * @throws DTypeError for one that is not read.
 */
export function elementType(op: string, descr: string): [type: ElementType, little: boolean] {
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

/** The head of format 1.0 for a row-major array, padded so that the elements start at a multiple of 64 bytes. */
export function formatHeader(descr: string, shape: Shape): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${formatShape(shape)}, }`;
  const start = 64 * Math.ceil((10 + text.length + 1) / 64);
  const header = new Uint8Array(start);
  header.set([...MAGIC, 1, 0, (start - 10) & 0xff, (start - 10) >> 8]);
  header.set(new TextEncoder().encode(`${text.padEnd(start - 11)}\n`), 10);
  return header;
}
