/** The contract of a device: memory, kernels, readback. `GpuDevice` runs WGSL, `CpuDevice` the float64 references. */
import type { Kernel, TensorSpec } from '../../kernels/kernel.ts';
import type { DType, HostArray } from '../core/dtype.ts';
import { ArgumentError, DisposedError } from '../core/errors.ts';
import { formatShape, sameShape } from '../core/shape.ts';
import type { Observer } from './observer.ts';

/** A block of device memory, shared by counting: reshaped views, saved tensors and handles each hold a reference. */
export abstract class Storage {
  readonly device: Device;
  readonly dtype: DType;
  readonly count: number;
  /** Bytes of the elements. */
  readonly bytes: number;
  /** The memory that this is a part of. */
  readonly #whole: Storage | null;
  #version = 0;
  #references = 1;

  protected constructor(
    device: Device,
    dtype: DType,
    count: number,
    bytes: number,
    whole: Storage | null = null,
  ) {
    this.device = device;
    this.dtype = dtype;
    this.count = count;
    this.bytes = bytes;
    this.#whole = whole?.retain() ?? null;
  }

  /**
   * Rises with every write in place, so that the graph notices when a saved value was overwritten. A write to the whole is
   * one to each of its parts.
   */
  get version(): number {
    return this.#version + (this.#whole?.version ?? 0);
  }

  set version(value: number) {
    this.#version = value - (this.#whole?.version ?? 0);
  }

  /** Whether more than one handle holds this memory. */
  get shared(): boolean {
    return this.#references > 1;
  }

  get alive(): boolean {
    return this.#references > 0;
  }

  retain(): this {
    if (this.#references === 0) throw new DisposedError('This memory was already given back.');
    this.#references++;
    return this;
  }

  release(): void {
    if (this.#references === 0 || --this.#references > 0) return;
    this.free();
    this.#whole?.release();
  }

  /** Gives the memory back; called once. */
  protected abstract free(): void;
}

/** A tensor as a device sees it. */
export interface Operand extends TensorSpec {
  readonly storage: Storage;
}

export interface RunOptions {
  /** Forces an algorithm variant of the kernel. */
  readonly variant?: string | undefined;
  /**
   * Existing memory for the outputs, instead of new memory: one operand for each, of the inferred shape and dtype, none
   * among the inputs. It stays the caller's, and its version rises. Kernels that update in place need it.
   */
  readonly into?: readonly Operand[] | undefined;
}

/** Memory in parts. */
export interface Parts {
  /** All elements, the padding between the parts included. */
  readonly whole: Storage;
  /** Each keeps the whole alive. */
  readonly parts: readonly Storage[];
}

/** Where the parts of so many elements start, in elements (the same on every device), and where the padding ends. */
export function placeParts(dtype: DType, counts: readonly number[]): { starts: number[]; total: number } {
  const unit = dtype === 'uint8' ? 256 : 64; // At least 256 bytes, so that each part can be bound on its own.
  let total = 0;
  const starts = counts.map((count) => {
    const start = total;
    total += unit * Math.ceil(count / unit);
    return start;
  });
  return { starts, total };
}

/** The operands that a kernel updates, after a check that they are what it computes. */
export function checkInto(
  op: string,
  kernel: { readonly name: string; readonly updates?: boolean },
  specs: readonly TensorSpec[],
  inputs: readonly Operand[],
  into: readonly Operand[] | undefined,
): readonly Operand[] | undefined {
  if (!into) {
    if (kernel.updates)
      throw new ArgumentError(`${op}: ${kernel.name} updates existing memory; name it with { into }.`);
    return undefined;
  }
  specs.forEach(({ shape, dtype }, index) => {
    const own = into[index];
    if (!own || own.dtype !== dtype || !sameShape(own.shape, shape)) {
      const given = own ? `${own.dtype} of shape ${formatShape(own.shape)}` : 'nothing';
      throw new ArgumentError(
        `${op}: output ${index} of ${kernel.name} is ${dtype} of shape ${formatShape(shape)}, and { into } has ${given} for it.`,
      );
    }
    if (inputs.some(({ storage }) => storage === own.storage))
      throw new ArgumentError(
        `${op}: output ${index} of ${kernel.name} is also an input; pass a copy of one.`,
      );
  });
  return into;
}

export interface MemoryInfo {
  /** Live blocks of tensor memory, and their bytes. */
  readonly tensors: number;
  readonly bytes: number;
  /** Device buffers, in use or kept for reuse, and their bytes. */
  readonly buffers: number;
  readonly bufferBytes: number;
  readonly pipelines: number;
  readonly bindGroups: number;
}

export abstract class Device {
  abstract readonly kind: 'gpu' | 'cpu';
  /** The dtype that holds the user's floats here. */
  abstract readonly float: 'float32' | 'float64';
  /** The adapter in words, and why it was chosen. */
  abstract readonly description: string;
  /** The largest block of memory, in bytes. */
  abstract readonly maxBytes: number;
  /** `null` while nobody watches, so that the cost is one check. */
  observers: Observer[] | null = null;

  /** Memory without defined content. */
  abstract allocate(op: string, dtype: DType, count: number): Storage;
  /**
   * Memory in parts of `counts` elements, zero at first, with its padding: each part starts at a multiple of 256 bytes. A
   * copy or a host write into a part leaves the padding as it is.
   */
  abstract allocateParts(op: string, dtype: DType, counts: readonly number[]): Parts;
  /** New memory with the given content; `data` is copied. */
  abstract upload(op: string, dtype: DType, data: HostArray): Storage;
  /** Overwrites existing memory in program order. */
  abstract write(storage: Storage, data: HostArray): void;
  /** Copies elements in program order; both sides have equal dtype and count. */
  abstract copy(source: Storage, target: Storage): void;
  abstract run<Attrs>(
    op: string,
    kernel: Kernel<Attrs>,
    inputs: readonly Operand[],
    attrs: Attrs,
    options?: RunOptions,
  ): Operand[];
  /** The elements at this point of the program. */
  abstract read(storage: Storage): Promise<HostArray>;
  /** Resolves when all recorded work is done; rejects with the first error that the work met. */
  abstract idle(): Promise<void>;
  abstract memory(): MemoryInfo;
  /** Rejects what is pending and gives everything back. The process can exit afterwards. */
  abstract destroy(): void;

  /** Adds an observer; the returned function removes it. */
  observe(observer: Observer): () => void {
    this.observers = [...(this.observers ?? []), observer];
    return () => {
      const rest = (this.observers ?? []).filter((other) => other !== observer);
      this.observers = rest.length > 0 ? rest : null;
    };
  }
}
