/** NumPy's `.npz` archives: `.npy` files by name in a zip container, read and written with fflate. */
import { strFromU8, unzipSync, zipSync } from 'fflate';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, FormatError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';
import { viewOf } from './bytes.ts';
import { crc32 } from './crc32.ts';
import {
  checkReadOptions,
  format,
  parse,
  type ReadNpyOptions,
  toHost,
  toTensor,
  type WriteNpyOptions,
} from './npy.ts';

const broken = (op: string, why: string): FormatError =>
  new FormatError(
    `${op}: the archive is damaged or cut off: ${why}. Fetch it again, or save it with numpy.savez.`,
  );

/** The checksums that the archive's directory holds, by name; fflate unpacks without looking at them. */
function checksums(op: string, bytes: Uint8Array): Map<string, number> {
  const view = viewOf(bytes);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw broken(op, 'it has no directory');
  const sums = new Map<string, number>();
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (at + 46 > end || view.getUint32(at, true) !== 0x02014b50)
      throw broken(op, 'its directory is not whole');
    const length = view.getUint16(at + 28, true);
    const utf8 = (view.getUint16(at + 8, true) & 0x800) !== 0;
    const name = strFromU8(bytes.subarray(at + 46, at + 46 + length), !utf8);
    if (sums.has(name)) throw broken(op, `two members are called '${name}'`);
    sums.set(name, view.getUint32(at + 16, true));
    at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return sums;
}

function unpack(op: string, bytes: Uint8Array): Record<string, Uint8Array> {
  if (!(bytes instanceof Uint8Array)) {
    throw new ArgumentError(`${op}: ${describe(bytes)} is no Uint8Array; pass new Uint8Array(arrayBuffer).`);
  }
  const sums = checksums(op, bytes);
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes);
  } catch (error) {
    throw broken(op, error instanceof Error ? error.message : String(error));
  }
  for (const [name, sum] of sums) {
    const member = Object.hasOwn(members, name) ? members[name] : undefined;
    if (!member || crc32(member) !== sum) throw broken(op, `the checksum of '${name}' is wrong`);
    if (!name.endsWith('.npy')) {
      throw new FormatError(
        `${op}: the member '${name}' is no .npy file; only archives of numpy.savez are read.`,
      );
    }
  }
  return members;
}

/**
 * The arrays of a `.npz` archive as tensors by name, as `numpy.savez` and `savez_compressed` write them. With
 * `requiresGrad`, those of floats require a gradient; integers and bools beside them stay as they are.
 *
 * @throws FormatError for an archive or a member that is damaged or cut off; no tensor is left behind.
 */
export function readNpz(bytes: Uint8Array, options: ReadNpyOptions = {}): Record<string, Tensor> {
  checkReadOptions('readNpz', options);
  const arrays = Object.entries(unpack('readNpz', bytes)).map(
    ([name, member]) => [name.slice(0, -4), parse(`readNpz: ${name}`, member)] as const,
  );
  const tensors: [string, Tensor][] = [];
  try {
    for (const [name, array] of arrays) {
      const requiresGrad = options.requiresGrad === true && isFloat(array.dtype);
      tensors.push([name, toTensor(array, { ...options, requiresGrad })]);
    }
  } catch (error) {
    for (const [, made] of tensors) made.dispose();
    throw error;
  }
  return Object.fromEntries(tensors);
}

export interface WriteNpzOptions extends WriteNpyOptions {
  /** Deflate the members. Default: false, as numpy.savez. */
  compress?: boolean;
}

/** Tensors by name as the bytes of a `.npz` archive; the same tensors give the same bytes. */
export async function writeNpz(
  tensors: Readonly<Record<string, Tensor>>,
  options: WriteNpzOptions = {},
): Promise<Uint8Array> {
  checkOptions('writeNpz', options, ['float', 'compress'], 'tensors');
  if (
    typeof tensors !== 'object' ||
    tensors === null ||
    tensors instanceof Tensor ||
    Symbol.iterator in tensors
  )
    throw new ArgumentError(
      `writeNpz: ${describe(tensors)} holds no tensors by name; pass an object, as in { x, y }.`,
    );
  const arrays = await Promise.all(
    Object.entries(tensors).map(
      async ([name, x]) => [name, await toHost(`writeNpz: ${name}`, x, options)] as const,
    ),
  );
  const members = Object.fromEntries(
    arrays.map(([name, array]) => [`${name}.npy`, format(`writeNpz: ${name}`, array)]),
  );
  return zipSync(members, { level: options.compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}
