/** From GPU buffers to the host: the reads of a submit share staging buffers and their maps. */
import { GpuError, type WgradError } from '../../core/errors.ts';
import type { Slice } from './pool.ts';
import type { Settle } from './settle.ts';

export interface ReadRecord {
  readonly kind: 'read';
  readonly source: Slice;
  readonly resolve: (bytes: ArrayBuffer) => void;
  readonly reject: (reason: unknown) => void;
}

interface Place {
  readonly staging: Staging;
  readonly offset: number;
}

/** A staging buffer and the reads that it serves, one after another. */
class Staging {
  bytes = 0;
  buffer: GPUBuffer | null = null;
  readonly reads: ReadRecord[] = [];
}

const STAGING_USAGE = 0x01 | 0x08; // MAP_READ | COPY_DST
const MAP_READ = 0x01; // GPUMapMode.READ
const SMALLEST = 4096;
/** Idle staging buffers that are kept, and the largest that is worth keeping. */
const KEPT = 4;
const LARGEST_KEPT = 1 << 22;

export class Readback {
  readonly #gpu: GPUDevice;
  readonly #settle: Settle;
  readonly #idle: GPUBuffer[] = [];
  readonly #pending = new Set<ReadRecord>();
  #bytes = 0;
  #closed: WgradError | null = null;

  constructor(gpu: GPUDevice, settle: Settle) {
    this.#gpu = gpu;
    this.#settle = settle;
  }

  /** Bytes of all staging buffers. */
  get bytes(): number {
    return this.#bytes;
  }

  add(record: ReadRecord): void {
    this.#pending.add(record);
  }

  /** Gives each read its place, in as many staging buffers as the buffer limit asks for. */
  plan(reads: readonly ReadRecord[]): Map<ReadRecord, Place> {
    const places = new Map<ReadRecord, Place>();
    let staging = new Staging();
    for (const read of reads) {
      if (staging.bytes > 0 && staging.bytes + read.source.bytes > this.#gpu.limits.maxBufferSize) {
        staging = new Staging();
      }
      places.set(read, { staging, offset: staging.bytes });
      staging.reads.push(read);
      staging.bytes += read.source.bytes;
    }
    return places;
  }

  /** Encodes the copy of one planned read. */
  encode(encoder: GPUCommandEncoder, read: ReadRecord, { staging, offset }: Place): void {
    staging.buffer ??= this.#take(staging.bytes);
    const { block, offset: from, bytes } = read.source;
    encoder.copyBufferToBuffer(block.buffer, from, staging.buffer, offset, bytes);
  }

  /** Maps what was submitted and settles its reads. */
  collect(places: ReadonlyMap<ReadRecord, Place>): void {
    for (const staging of new Set([...places.values()].map((place) => place.staging)))
      void this.#collect(staging);
  }

  /** Rejects one read that will not be submitted. */
  reject(read: ReadRecord, error: unknown): void {
    this.#pending.delete(read);
    read.reject(error);
  }

  /** Rejects everything that is under way. */
  close(error: WgradError): void {
    this.#closed = error;
    for (const read of this.#pending) read.reject(error);
    this.#pending.clear();
  }

  async #collect({ buffer, reads, bytes }: Staging): Promise<void> {
    if (!buffer) return;
    try {
      await this.#settle(buffer.mapAsync(MAP_READ, 0, bytes));
      const mapped = buffer.getMappedRange(0, bytes);
      let offset = 0;
      for (const read of reads) {
        read.resolve(mapped.slice(offset, offset + read.source.bytes));
        offset += read.source.bytes;
      }
    } catch (error) {
      const reason = this.#closed ?? new GpuError(String(error));
      for (const read of reads) read.reject(reason);
    } finally {
      for (const read of reads) this.#pending.delete(read);
      if (!this.#closed) this.#keep(buffer);
    }
  }

  #take(bytes: number): GPUBuffer {
    const found = this.#idle.findIndex((buffer) => buffer.size >= bytes);
    if (found >= 0) return this.#idle.splice(found, 1)[0] as GPUBuffer;
    const size = Math.max(
      bytes,
      Math.min(this.#gpu.limits.maxBufferSize, Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes)))),
    );
    this.#bytes += size;
    return this.#gpu.createBuffer({ label: 'staging', size, usage: STAGING_USAGE });
  }

  #keep(buffer: GPUBuffer): void {
    if (buffer.mapState === 'mapped') buffer.unmap();
    if (this.#idle.length < KEPT && buffer.size <= LARGEST_KEPT) {
      this.#idle.push(buffer);
      return;
    }
    this.#bytes -= buffer.size;
    buffer.destroy();
  }
}
