/**
 * What follows from a pipeline that does not compile: its dispatches are dropped, and so is whatever would read what
 * they should have written, or build on it. Reads of such memory reject; memory that is written anew is sound again. The
 * device's own memory stays as it is: nobody's results stand in it.
 */
import type { Block, Slice } from './pool.ts';
import type { ReadRecord } from './readback.ts';
import type { DispatchRecord, GpuRecord, Run } from './recorder.ts';

export class Poison {
  readonly #blocks = new Map<Block, unknown>();
  /** The op whose dispatches came last, and the memory that it has written or was given to update. */
  #run: Run | null = null;
  readonly #held = new Set<Block>();

  get empty(): boolean {
    return this.#blocks.size === 0;
  }

  /** The slice gets new content, which makes its block sound unless the block holds more. */
  clear({ block, partial }: Slice): void {
    if (!partial) this.#blocks.delete(block);
  }

  /** The records that can run; `reject` is called for reads that cannot. */
  screen(
    records: readonly GpuRecord[],
    failed: ReadonlyMap<unknown, unknown>,
    reject: (read: ReadRecord, error: unknown) => void,
  ): GpuRecord[] {
    return records.filter((record) => {
      switch (record.kind) {
        case 'dispatch':
          return this.#dispatch(record, failed.get(record.pipeline));
        case 'write':
          this.clear(record.target);
          return true;
        case 'copy':
          return this.#write(record.target, this.#blocks.get(record.source.block));
        case 'read': {
          const error = this.#blocks.get(record.source.block);
          if (error) reject(record, error);
          return !error;
        }
      }
      return true;
    });
  }

  #dispatch({ pipeline, slices, run }: DispatchRecord, failure: unknown): boolean {
    const { access } = pipeline.spec;
    if (run !== this.#run) {
      this.#run = run;
      this.#held.clear();
      for (const { block } of run.updates) this.#held.add(block);
    }
    let error = failure;
    slices.forEach(({ block }, index) => {
      // The first write of an op makes new content; a later one may have left some of it.
      if (access[index] === 'read' || this.#held.has(block)) error ??= this.#blocks.get(block);
    });
    slices.forEach((slice, index) => {
      if (access[index] !== 'write' || slice.block.reserved) return;
      this.#held.add(slice.block);
      this.#write(slice, error);
    });
    return error === undefined;
  }

  /** Marks or clears a block that is written; tells whether the write happens. */
  #write(slice: Slice, error: unknown): boolean {
    if (error === undefined) this.clear(slice);
    else this.#blocks.set(slice.block, error);
    return error === undefined;
  }
}
