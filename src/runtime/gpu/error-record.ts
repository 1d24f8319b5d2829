/**
 * What only the GPU can see, an index that is out of range, is kept in four words: op number, position, value, limit.
 * The top bit of the limit's word tells that negative indices do not count from the end. The first offence wins; the next readback or `idle()` rejects with it and clears the record.
 */
import { IndexError } from '../../core/errors.ts';
import type { Slice } from './pool.ts';

export const ERROR_RECORD_BYTES = 16;

export class ErrorRecord {
  readonly slice: Slice;
  /** Whether a kernel that may report was recorded since the record was last read. */
  armed = false;
  readonly #ops: string[] = [];

  constructor(slice: Slice) {
    this.slice = slice;
  }

  /** The op's number, counted from 1; 0 in the record means no error. */
  numberOf(op: string): number {
    const known = this.#ops.indexOf(op);
    return known >= 0 ? known + 1 : this.#ops.push(op);
  }

  /** The error that the words of the record tell of. */
  parse(bytes: ArrayBuffer): IndexError | null {
    const [op = 0, position = 0, valueBits = 0, word = 0] = new Uint32Array(bytes);
    if (op === 0) return null;
    const limit = word & 0x7fffffff;
    return new IndexError(
      this.#ops[op - 1] ?? 'an op',
      position,
      valueBits | 0,
      word === limit ? -limit : 0,
      limit,
    );
  }
}
