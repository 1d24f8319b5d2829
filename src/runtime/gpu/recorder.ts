/**
 * The list of plain records that ops append to, and its flush: await missing pipelines, make bind groups, encode one
 * compute pass, submit. Writes, copies and reads are records too and keep their place.
 */
import type { BindGroupCache } from './bind-groups.ts';
import type { Pipeline } from './pipelines.ts';
import { Poison } from './poison.ts';
import type { Slice } from './pool.ts';
import type { Readback, ReadRecord } from './readback.ts';

/** One run of a kernel, which its dispatches share. */
export interface Run {
  /** Memory whose content the kernel builds on, though it is bound as 'write'. */
  readonly updates: readonly Slice[];
}

export interface DispatchRecord {
  readonly kind: 'dispatch';
  readonly run: Run;
  readonly pipeline: Pipeline;
  readonly slices: readonly Slice[];
  readonly uniforms: Uint32Array;
  readonly workgroups: readonly [number, number, number];
}

export interface WriteRecord {
  readonly kind: 'write';
  readonly target: Slice;
  readonly data: Uint8Array<ArrayBuffer>;
}

export interface CopyRecord {
  readonly kind: 'copy';
  readonly source: Slice;
  readonly target: Slice;
  /** What belongs to the elements; the rest of a slice is padding without defined content. */
  readonly bytes: number;
}

export type GpuRecord = DispatchRecord | WriteRecord | CopyRecord | ReadRecord;

/** What the recorder needs from the device around it. */
export interface RecorderHost {
  readonly device: GPUDevice;
  readonly uniforms: GPUBuffer;
  readonly uniformAlignment: number;
  readonly bindGroups: BindGroupCache;
  readonly readback: Readback;
  submitted(dispatches: number, copies: number): void;
}

/** Records that make a batch; beyond it the recorder flushes by itself. */
const BATCH = 256;

export class Recorder {
  readonly #host: RecorderHost;
  #records: GpuRecord[] = [];
  /** Batches that wait for pipelines, in order; `null` while none does. */
  #tail: Promise<void> | null = null;
  #uniformCursor = 0;
  #batch = 1;
  #submittedBatch = 0;
  #closed: unknown = null;
  readonly #poison = new Poison();

  constructor(host: RecorderHost) {
    this.#host = host;
  }

  /** Writes host bytes in program order: at once when all uses of the slice were submitted, else as a record. */
  write(target: Slice, data: Uint8Array<ArrayBuffer>): void {
    if (target.block.lastUse > this.#submittedBatch) {
      this.push({ kind: 'write', target, data: data.slice() });
      return;
    }
    this.#poison.clear(target);
    this.#host.device.queue.writeBuffer(target.block.buffer, target.offset, data);
  }

  push(record: GpuRecord): void {
    this.#records.push(record);
    const batch = this.#batch;
    switch (record.kind) {
      case 'dispatch':
        for (const slice of record.slices) slice.block.lastUse = batch;
        break;
      case 'write':
        record.target.block.lastUse = batch;
        break;
      case 'copy':
        record.source.block.lastUse = batch;
        record.target.block.lastUse = batch;
        break;
      case 'read':
        record.source.block.lastUse = batch;
    }
    if (this.#records.length >= BATCH) this.flush();
  }

  /**
   * Submits what was recorded, now if all pipelines are there, else as soon as they are. `around` wraps the submit, for
   * an error scope.
   */
  flush(around: (submit: () => void) => void = (submit) => submit()): void {
    if (this.#records.length === 0) return;
    const records = this.#records;
    const batch = this.#batch++;
    this.#records = [];
    const missing = new Set<Pipeline>();
    for (const record of records) {
      if (record.kind === 'dispatch' && !record.pipeline.compiled) missing.add(record.pipeline);
    }
    if (!this.#tail && missing.size === 0 && this.#poison.empty) {
      around(() => this.#submit(records, batch));
      return;
    }
    const tail = (this.#tail ?? Promise.resolve()).then(async () => {
      const failed = await failuresOf(missing);
      if (!this.#closed) {
        const sound = this.#screen(records, failed);
        around(() => this.#submit(sound, batch));
      } else {
        this.#reject(records, this.#closed);
      }
      if (this.#tail === tail) this.#tail = null;
    });
    this.#tail = tail;
  }

  /** Resolves when everything recorded so far was submitted. */
  async drained(): Promise<void> {
    this.flush();
    while (this.#tail) await this.#tail;
  }

  /** Whether nothing waits to be submitted. */
  get empty(): boolean {
    return this.#records.length === 0 && this.#tail === null;
  }

  /** Drops what was not submitted, now and from now on, and rejects its reads. */
  close(error: unknown): void {
    this.#closed = error;
    this.#reject(this.#records, error);
    this.#records = [];
  }

  #reject(records: readonly GpuRecord[], error: unknown): void {
    for (const record of records) if (record.kind === 'read') this.#host.readback.reject(record, error);
  }

  /** Leaves out what depends on a pipeline that does not compile. */
  #screen(records: readonly GpuRecord[], failed: ReadonlyMap<Pipeline, unknown>): readonly GpuRecord[] {
    if (failed.size === 0 && this.#poison.empty) return records;
    return this.#poison.screen(records, failed, (read, error) => this.#host.readback.reject(read, error));
  }

  #submit(records: readonly GpuRecord[], batch: number): void {
    let next = 0;
    while (next < records.length) next = this.#encode(records, next);
    this.#submittedBatch = batch;
  }

  /** Encodes records from `first` on into one submit; a host write ends it, as it must happen between submits. */
  #encode(records: readonly GpuRecord[], first: number): number {
    const { device, bindGroups } = this.#host;
    let end = first;
    while (end < records.length && (records[end] as GpuRecord).kind === 'write') {
      const { target, data } = records[end] as WriteRecord;
      device.queue.writeBuffer(target.block.buffer, target.offset, data);
      end++;
    }
    const start = end;
    while (end < records.length && (records[end] as GpuRecord).kind !== 'write') end++;
    if (start === end) return end;

    let offset = this.#writeUniforms(records, start, end);
    const encoder = device.createCommandEncoder();
    let pass: GPUComputePassEncoder | null = null;
    let bound: Pipeline | null = null;
    let dispatches = 0;
    let copies = 0;
    const reads = records.slice(start, end).filter((record) => record.kind === 'read');
    const places = this.#host.readback.plan(reads);
    const dynamicOffset = [0];
    for (let index = start; index < end; index++) {
      const record = records[index] as GpuRecord;
      if (record.kind === 'dispatch') {
        if (!pass) {
          pass = encoder.beginComputePass();
          bound = null;
        }
        const { pipeline } = record;
        if (pipeline !== bound) {
          pass.setPipeline(pipeline.compiled as GPUComputePipeline); // Awaited before this batch was submitted.
          bound = pipeline;
        }
        dynamicOffset[0] = offset;
        offset += this.#slot(record);
        pass.setBindGroup(0, bindGroups.get(pipeline, record.slices), dynamicOffset);
        const [x, y, z] = record.workgroups;
        pass.dispatchWorkgroups(x, y, z);
        dispatches++;
        continue;
      }
      pass?.end();
      pass = null;
      copies++;
      if (record.kind === 'copy') {
        const { source, target, bytes } = record;
        encoder.copyBufferToBuffer(
          source.block.buffer,
          source.offset,
          target.block.buffer,
          target.offset,
          bytes,
        );
      } else if (record.kind === 'read') {
        const place = places.get(record);
        if (place) this.#host.readback.encode(encoder, record, place);
      }
    }
    pass?.end();
    device.queue.submit([encoder.finish()]);
    this.#host.submitted(dispatches, copies);
    this.#host.readback.collect(places);
    return end;
  }

  /** Bytes of a dispatch's place in the ring. */
  #slot({ pipeline }: DispatchRecord): number {
    const { uniformAlignment } = this.#host;
    return uniformAlignment * Math.ceil(pipeline.spec.uniformBytes / uniformAlignment);
  }

  /** Puts the uniform blocks of these records side by side into the ring, in one write; returns where they start. */
  #writeUniforms(records: readonly GpuRecord[], start: number, end: number): number {
    const { device, uniforms } = this.#host;
    let bytes = 0;
    for (let index = start; index < end; index++) {
      const record = records[index] as GpuRecord;
      if (record.kind === 'dispatch') bytes += this.#slot(record);
    }
    if (bytes === 0) return 0;
    if (this.#uniformCursor + bytes > uniforms.size) this.#uniformCursor = 0;
    const at = this.#uniformCursor;
    const words = new Uint32Array(bytes / 4);
    let place = 0;
    for (let index = start; index < end; index++) {
      const record = records[index] as GpuRecord;
      if (record.kind !== 'dispatch') continue;
      words.set(record.uniforms, place);
      place += this.#slot(record) / 4;
    }
    device.queue.writeBuffer(uniforms, at, words);
    this.#uniformCursor = at + bytes;
    return at;
  }
}

/** The pipelines that do not compile, each with its error; waits for the others. */
async function failuresOf(pipelines: ReadonlySet<Pipeline>): Promise<Map<Pipeline, unknown>> {
  const failed = new Map<Pipeline, unknown>();
  const waits = [...pipelines].map((pipeline) =>
    pipeline.ready.catch((error) => failed.set(pipeline, error)),
  );
  await Promise.all(waits);
  return failed;
}

/** The largest uniform block. */
const UNIFORM_BLOCK_BYTES = 512;

/** Bytes of the uniform ring: room for several batches of the largest block. */
export const UNIFORM_RING_BYTES = 2 * (BATCH + 1) * UNIFORM_BLOCK_BYTES;
