/** Gzipped bytes, with the checks that fflate leaves out. */
import { gunzipSync } from 'fflate';
import { FormatError } from '../core/errors.ts';
import { viewOf } from './bytes.ts';
import { crc32 } from './crc32.ts';

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * The bytes, unpacked if they are gzipped. Length and checksum at the end of the file must agree.
 *
 * @throws FormatError for a gzip file that is damaged, cut off, or made of several parts.
 */
export function gunzip(op: string, bytes: Uint8Array): Uint8Array {
  if (!isGzip(bytes)) return bytes;
  const broken = (why: string): FormatError =>
    new FormatError(
      `${op}: the gzip file is damaged or cut off: ${why}. Fetch it again, or unpack it with gunzip.`,
    );
  if (bytes.length < 18) throw broken(`${bytes.length} bytes are too few`);
  let unpacked: Uint8Array;
  try {
    unpacked = gunzipSync(bytes);
  } catch (error) {
    throw broken(error instanceof Error ? error.message : String(error));
  }
  const view = viewOf(bytes);
  const length = view.getUint32(bytes.length - 4, true);
  if (unpacked.length % 2 ** 32 !== length)
    throw broken(`it announces ${length} bytes and holds ${unpacked.length}`);
  if (crc32(unpacked) !== view.getUint32(bytes.length - 8, true)) throw broken('its checksum is wrong');
  return unpacked;
}
