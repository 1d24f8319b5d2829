/**
 * What only the GPU can see, an index or a float that is out of range, is kept in four words: op number, position, value,
 * limit. The number stands for an op and the range that it asks of floats, none where it reports indices. For an index,
 * the top bit of the limit's word tells that negative ones do not count from the end; for a float, the value's word holds
 * its bits, and the limit's word nothing. The first offence wins: that of the earliest op, but within one op its
 * invocations run at once, and which of several offenders comes first is open.
 * A read copies the record and sets it back to zero in command order, so each offence is told by the first read behind it.
 */
import { IndexError, type ValueRange, ValueRangeError } from '../../core/errors.ts';
import type { Slice } from './pool.ts';

export const ERROR_RECORD_BYTES = 16;

/** Who may report, and what: floats outside of a range, or indices. */
interface Reporter {
  readonly op: string;
  readonly range: ValueRange | undefined;
}

export class ErrorRecord {
  readonly slice: Slice;
  /** Zeros to set the record back with, which nobody writes. */
  readonly zeros: Slice;
  /** Whether a kernel that may report was recorded since the record was last read. */
  armed = false;
  readonly #reporters: Reporter[] = [];

  constructor(slice: Slice, zeros: Slice) {
    this.slice = slice;
    this.zeros = zeros;
  }

  /** The number of an op and its range, counted from 1; 0 in the record means no error. */
  numberOf(op: string, range?: ValueRange): number {
    const known = this.#reporters.findIndex((own) => own.op === op && own.range === range);
    return known >= 0 ? known + 1 : this.#reporters.push({ op, range });
  }

  /** The error that the words of the record tell of; `place` is where the op was called, if that is known. */
  parse(bytes: ArrayBuffer, place?: string): IndexError | ValueRangeError | null {
    const [op = 0, position = 0, valueBits = 0, word = 0] = new Uint32Array(bytes);
    if (op === 0) return null;
    const reporter = this.#reporters[op - 1];
    const name = reporter?.op ?? 'an op';
    const where = place === undefined ? name : `${name}, called ${place}`;
    if (reporter?.range) {
      return new ValueRangeError(where, position, new Float32Array(bytes)[2] as number, reporter.range);
    }
    const limit = word & 0x7fffffff;
    return new IndexError(where, position, valueBits | 0, word === limit ? -limit : 0, limit);
  }
}
