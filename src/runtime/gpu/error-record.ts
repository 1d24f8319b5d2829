/**
 * What only the GPU can see, an index that is out of range, is kept in four words: op number, position, value, limit.
 * The first offence wins; the next readback or `idle()` rejects with it and clears the record.
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
    const [op = 0, position = 0] = new Uint32Array(bytes);
    const [, , value = 0, limit = 0] = new Int32Array(bytes);
    return op === 0 ? null : new IndexError(this.#ops[op - 1] ?? 'an op', position, value, limit);
  }
}
