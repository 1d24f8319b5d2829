/** Tensor memory of a GPU device: blocks from the pool, counted while tensors hold them. */
import { byteLength, type DType } from '../../core/dtype.ts';
import { LimitError } from '../../core/errors.ts';
import { type Device, Storage } from '../device.ts';
import { BufferPool, Slice } from './pool.ts';

/** The memory of one tensor, and of all handles that share it. */
export class GpuStorage extends Storage {
  /** `null` for an empty tensor, which needs no memory. */
  slice: Slice | null;
  readonly #memory: GpuMemory;

  constructor(
    device: Device,
    memory: GpuMemory,
    dtype: DType,
    count: number,
    slice: Slice | null,
    whole: Storage | null = null,
  ) {
    super(device, dtype, count, byteLength(dtype, count), whole);
    this.#memory = memory;
    this.slice = slice;
  }

  protected override free(): void {
    this.#memory.reclaim(this);
    this.slice = null;
  }
}

/** Memory inside of another's, which alone is counted. */
class GpuPart extends GpuStorage {
  protected override free(): void {
    this.slice = null;
  }
}

const STORAGE_USAGE = 0x80 | 0x04 | 0x08; // STORAGE | COPY_SRC | COPY_DST

export class GpuMemory {
  readonly #device: Device;
  readonly #pool: BufferPool;
  /** The largest buffer that can be bound. */
  readonly limit: number;
  #tensors = 0;
  #bytes = 0;
  #closed = false;

  constructor(device: Device, gpu: GPUDevice) {
    this.#device = device;
    this.limit = Math.min(gpu.limits.maxBufferSize, gpu.limits.maxStorageBufferBindingSize);
    this.#pool = new BufferPool(gpu, STORAGE_USAGE, this.limit);
  }

  /** Live tensors and their bytes, buffers and theirs. */
  get counts(): { tensors: number; bytes: number; buffers: number; bufferBytes: number } {
    return {
      tensors: this.#tensors,
      bytes: this.#bytes,
      buffers: this.#pool.blocks,
      bufferBytes: this.#pool.bytes,
    };
  }

  /** A slice without defined content; `null` for no bytes. Above the limit nothing is allocated. */
  take(op: string, bytes: number): Slice | null {
    if (bytes === 0) return null;
    if (bytes > this.limit) {
      throw new LimitError(
        `${op}: ${bytes} bytes exceed this device's limit of ${this.limit} bytes for one buffer binding. ` +
          `Nothing was allocated; split the tensor, for instance along its batch axis.`,
        bytes,
        this.limit,
      );
    }
    const reused = this.#pool.reuse(bytes);
    const block = reused ?? this.#pool.create(bytes);
    const { observers } = this.#device;
    if (observers)
      for (const observer of observers) observer.alloc?.({ op, bytes, reused: reused !== undefined });
    return block.slice(Math.min(block.bytes, 16 * Math.ceil(bytes / 16))); // Whole vec4s; the padding belongs to nobody.
  }

  /** A slice for the whole life of the device, which no tensor counts. */
  reserve(bytes: number): Slice {
    return this.#pool.create(bytes, true).slice(bytes);
  }

  /** Gives a slice that belongs to no tensor back. */
  release(slice: Slice): void {
    this.#pool.release(slice.block);
  }

  /** Makes a slice the memory of a tensor. */
  adopt(dtype: DType, count: number, slice: Slice | null): GpuStorage {
    const storage = new GpuStorage(this.#device, this, dtype, count, slice);
    this.#tensors++;
    this.#bytes += storage.bytes;
    return storage;
  }

  /** A part of counted memory, from `offset` bytes on. */
  part(whole: GpuStorage, count: number, offset: number): GpuStorage {
    const bytes = 16 * Math.ceil(byteLength(whole.dtype, count) / 16); // Its padding has room for whole vec4s.
    const slice = whole.slice && bytes > 0 ? new Slice(whole.slice.block, offset, bytes, true) : null;
    return new GpuPart(this.#device, this, whole.dtype, count, slice, whole);
  }

  /** Takes a tensor's memory back into the pool; only `GpuStorage` calls this. */
  reclaim(storage: GpuStorage): void {
    this.#tensors--;
    this.#bytes -= storage.bytes;
    if (storage.slice && !this.#closed) this.#pool.release(storage.slice.block);
    const { observers } = this.#device;
    if (observers) for (const observer of observers) observer.free?.({ bytes: storage.bytes });
  }

  /** Destroys the free blocks; nothing unsubmitted may name them. */
  trim(): void {
    this.#pool.trim();
  }

  /** The device is gone, and its blocks with it. */
  close(): void {
    this.#closed = true;
  }
}
