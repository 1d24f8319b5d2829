/**
 * Buffers by size class. A freed block may serve the very next recorded op, since one queue runs in order; only a
 * host write must wait until the block's last use was submitted (`lastUse`).
 */
export class Block {
  readonly id: number;
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  /** Whether it belongs to the device itself rather than to tensors. */
  readonly reserved: boolean;
  /** The batch in which a record last named this block. */
  lastUse = 0;
  readonly #slices = new Map<number, Slice>();

  constructor(id: number, buffer: GPUBuffer, bytes: number, reserved: boolean) {
    this.id = id;
    this.buffer = buffer;
    this.bytes = bytes;
    this.reserved = reserved;
  }

  slice(bytes: number): Slice {
    let slice = this.#slices.get(bytes);
    if (!slice) {
      slice = new Slice(this, 0, bytes);
      this.#slices.set(bytes, slice);
    }
    return slice;
  }
}

let sliceIds = 0;

/** An exact range of a block, as it is bound. The id identifies it in the bind-group cache. */
export class Slice {
  readonly id = ++sliceIds;
  readonly block: Block;
  readonly offset: number;
  readonly bytes: number;
  /** Whether the block holds more than this. */
  readonly partial: boolean;

  constructor(block: Block, offset: number, bytes: number, partial = false) {
    this.block = block;
    this.offset = offset;
    this.bytes = bytes;
    this.partial = partial;
  }
}

const SMALLEST = 64;

/** The size class of a request: whole vec4s, at most 12.5 % above it (25 % below 128 bytes), and never below 64 bytes. */
function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST) return SMALLEST;
  const step = 2 ** Math.max(4, Math.floor(Math.log2(bytes)) - 3);
  return Math.ceil(bytes / step) * step;
}

export class BufferPool {
  readonly #device: GPUDevice;
  readonly #usage: number;
  readonly #limit: number;
  readonly #free = new Map<number, Block[]>();
  #ids = 0;
  #blocks = 0;
  #bytes = 0;

  /** No block is larger than `limit` bytes. */
  constructor(device: GPUDevice, usage: number, limit: number) {
    this.#device = device;
    this.#usage = usage;
    this.#limit = limit;
  }

  /** Blocks that exist, in use or free. */
  get blocks(): number {
    return this.#blocks;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A free block of the right class, or undefined. */
  reuse(bytes: number): Block | undefined {
    return this.#free.get(this.#sizeOf(bytes))?.pop();
  }

  #sizeOf(bytes: number): number {
    return Math.min(sizeClass(bytes), this.#limit);
  }

  create(bytes: number, reserved = false): Block {
    const size = this.#sizeOf(bytes);
    const buffer = this.#device.createBuffer({ size, usage: this.#usage });
    this.#blocks++;
    this.#bytes += size;
    return new Block(++this.#ids, buffer, size, reserved);
  }

  release(block: Block): void {
    const list = this.#free.get(block.bytes);
    if (list) list.push(block);
    else this.#free.set(block.bytes, [block]);
  }

  /** Destroys all free blocks. The caller makes sure that no unsubmitted work names them. */
  trim(): void {
    for (const list of this.#free.values()) {
      for (const block of list) {
        block.buffer.destroy();
        this.#blocks--;
        this.#bytes -= block.bytes;
      }
    }
    this.#free.clear();
  }
}
