/** The float64 device: runs the kernels' references, at once and on the host. */
import type { Kernel } from '../../kernels/kernel.ts';
import { byteLength, type DType, type HostArray, hostArray } from '../core/dtype.ts';
import { DeviceLostError, IndexError, LimitError, ValueRangeError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import {
  checkInto,
  Device,
  type MemoryInfo,
  type Operand,
  type Parts,
  placeParts,
  type RunOptions,
  Storage,
} from './device.ts';

/** The longest typed array that every engine can make. */
const MAX_ELEMENTS = 2 ** 32 - 1;

class CpuStorage extends Storage {
  data: HostArray;
  readonly #onFree: (storage: CpuStorage) => void;

  constructor(
    device: CpuDevice,
    dtype: DType,
    data: HostArray,
    onFree: (storage: CpuStorage) => void,
    whole: Storage | null = null,
  ) {
    super(device, dtype, data.length, byteLength(dtype, data.length), whole);
    this.data = data;
    this.#onFree = onFree;
  }

  protected override free(): void {
    this.#onFree(this);
    this.data = hostArray(this.dtype, 0);
  }
}

const dataOf = (storage: Storage): HostArray => (storage as CpuStorage).data;

export class CpuDevice extends Device {
  readonly kind = 'cpu';
  readonly float = 'float64';
  readonly description: string;
  readonly maxBytes = 8 * MAX_ELEMENTS;
  #tensors = 0;
  #bytes = 0;
  #destroyed = false;

  constructor(reason = 'asked for') {
    super();
    this.description = `CPU device in float64 (${reason})`;
  }

  allocate(op: string, dtype: DType, count: number): Storage {
    this.#check(op);
    if (count > MAX_ELEMENTS) {
      throw new LimitError(
        `${op}: ${count} elements exceed the CPU device's limit of ${MAX_ELEMENTS}.`,
        count,
        MAX_ELEMENTS,
      );
    }
    return this.#adopt(op, dtype, hostArray(dtype, count));
  }

  allocateParts(op: string, dtype: DType, counts: readonly number[]): Parts {
    const { starts, total } = placeParts(dtype, counts);
    const whole = this.allocate(op, dtype, total);
    const data = dataOf(whole);
    const parts = counts.map((count, index) => {
      const start = starts[index] as number;
      return new CpuStorage(this, dtype, data.subarray(start, start + count), () => {}, whole);
    });
    return { whole, parts };
  }

  upload(op: string, dtype: DType, data: HostArray): Storage {
    this.#check(op);
    return this.#adopt(op, dtype, data.slice());
  }

  write(storage: Storage, data: HostArray): void {
    this.#check('write');
    dataOf(storage).set(data);
    storage.version++;
  }

  copy(source: Storage, target: Storage): void {
    this.#check('copy');
    dataOf(target).set(dataOf(source));
    target.version++;
  }

  run<Attrs>(
    op: string,
    kernel: Kernel<Attrs>,
    inputs: readonly Operand[],
    attrs: Attrs,
    options?: RunOptions,
  ): Operand[] {
    this.#check(op);
    const specs = kernel.infer(op, inputs, attrs);
    const into = checkInto(op, kernel, specs, inputs, options?.into);
    const outputs: Operand[] = into ? [...into] : [];
    const host = (operand: Operand) => ({
      shape: operand.shape,
      dtype: operand.dtype,
      data: dataOf(operand.storage),
    });
    try {
      for (const { shape, dtype } of into ? [] : specs) {
        outputs.push({ shape, dtype, storage: this.allocate(op, dtype, sizeOf(shape)) });
      }
      const operands = inputs.map(host);
      const offence = kernel.offence?.(operands, attrs);
      if (offence) {
        const { position, value } = offence;
        if ('range' in offence) throw new ValueRangeError(op, position, value, offence.range);
        throw new IndexError(op, position, value, offence.lowest, offence.limit);
      }
      kernel.reference(operands, outputs.map(host), attrs);
    } catch (error) {
      if (!into) for (const { storage } of outputs) storage.release();
      throw error;
    }
    for (const { storage } of into ?? []) storage.version++;
    if (this.observers) {
      for (const observer of this.observers)
        observer.dispatch?.({ op, kernel: kernel.name, inputs, outputs });
    }
    return outputs;
  }

  async read(storage: Storage): Promise<HostArray> {
    this.#check('read');
    return dataOf(storage).slice();
  }

  /** The elements without a copy and without waiting, which only this device can offer. */
  peek(storage: Storage): HostArray {
    return dataOf(storage);
  }

  async idle(): Promise<void> {
    this.#check('idle');
  }

  memory(): MemoryInfo {
    return {
      tensors: this.#tensors,
      bytes: this.#bytes,
      buffers: this.#tensors,
      bufferBytes: this.#bytes,
      pipelines: 0,
      bindGroups: 0,
    };
  }

  destroy(): void {
    this.#destroyed = true;
  }

  #check(op: string): void {
    if (this.#destroyed)
      throw new DeviceLostError(`${op}: the CPU device was destroyed; call init() for a new one.`);
  }

  #adopt(op: string, dtype: DType, data: HostArray): Storage {
    const storage = new CpuStorage(this, dtype, data, (freed) => {
      this.#tensors--;
      this.#bytes -= freed.bytes;
      if (this.observers) for (const observer of this.observers) observer.free?.({ bytes: freed.bytes });
    });
    this.#tensors++;
    this.#bytes += storage.bytes;
    if (this.observers) {
      for (const observer of this.observers) observer.alloc?.({ op, bytes: storage.bytes, reused: false });
    }
    return storage;
  }
}
