/** The contract of a device: memory, kernels, readback. `GpuDevice` runs WGSL, `CpuDevice` the float64 references. */
import type { Kernel, TensorSpec } from '../../kernels/kernel.ts';
import type { DType, HostArray } from '../core/dtype.ts';
import { DisposedError } from '../core/errors.ts';
import type { Observer } from './observer.ts';

/** A block of device memory, shared by counting: reshaped views, saved tensors and handles each hold a reference. */
export abstract class Storage {
  readonly device: Device;
  readonly dtype: DType;
  readonly count: number;
  /** Bytes of the elements. */
  readonly bytes: number;
  /** Rises with every write in place, so that the graph notices when a saved value was overwritten. */
  version = 0;
  #references = 1;

  protected constructor(device: Device, dtype: DType, count: number, bytes: number) {
    this.device = device;
    this.dtype = dtype;
    this.count = count;
    this.bytes = bytes;
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
  /** `null` while nobody watches, so that the cost is one check. */
  observers: Observer[] | null = null;

  /** Memory without defined content. */
  abstract allocate(op: string, dtype: DType, count: number): Storage;
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
