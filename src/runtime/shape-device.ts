/** A device that only knows shapes: it runs every kernel's shape rule, and holds no data. */
import type { Kernel } from '../../kernels/kernel.ts';
import { byteLength, type DType, type HostArray } from '../core/dtype.ts';
import { WgradError } from '../core/errors.ts';
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

class ShapeStorage extends Storage {
  constructor(device: Device, dtype: DType, count: number, whole: Storage | null = null) {
    super(device, dtype, count, byteLength(dtype, count), whole);
  }

  protected override free(): void {}
}

/**
 * Runs ops for their shapes alone: a whole network costs microseconds and no memory. Whatever asks for a value is an error.
 */
export class ShapeDevice extends Device {
  readonly kind = 'cpu';
  readonly float: 'float32' | 'float64';
  readonly description = 'shapes only';
  readonly maxBytes = Number.MAX_SAFE_INTEGER;

  constructor(float: 'float32' | 'float64') {
    super();
    this.float = float;
  }

  allocate(_op: string, dtype: DType, count: number): Storage {
    return new ShapeStorage(this, dtype, count);
  }

  allocateParts(_op: string, dtype: DType, counts: readonly number[]): Parts {
    const whole = new ShapeStorage(this, dtype, placeParts(dtype, counts).total);
    return { whole, parts: counts.map((count) => new ShapeStorage(this, dtype, count, whole)) };
  }

  upload(_op: string, dtype: DType, data: HostArray): Storage {
    return new ShapeStorage(this, dtype, data.length);
  }

  write(storage: Storage): void {
    storage.version++;
  }

  copy(_source: Storage, target: Storage): void {
    target.version++;
  }

  run<Attrs>(
    op: string,
    kernel: Kernel<Attrs>,
    inputs: readonly Operand[],
    attrs: Attrs,
    options?: RunOptions,
  ): Operand[] {
    const specs = kernel.infer(op, inputs, attrs);
    const into = checkInto(op, kernel, specs, inputs, options?.into);
    const outputs =
      into ?? specs.map((spec) => ({ ...spec, storage: this.allocate(op, spec.dtype, sizeOf(spec.shape)) }));
    for (const { storage } of into ?? []) storage.version++;
    for (const observer of this.observers ?? [])
      observer.dispatch?.({ op, kernel: kernel.name, inputs, outputs });
    return [...outputs];
  }

  async read(): Promise<HostArray> {
    throw new WgradError(
      'shapes-only',
      'A value was read while shapes are worked out, when there are no values yet. Keep readbacks out of call().',
    );
  }

  async idle(): Promise<void> {}

  memory(): MemoryInfo {
    return { tensors: 0, bytes: 0, buffers: 0, bufferBytes: 0, pipelines: 0, bindGroups: 0 };
  }

  destroy(): void {}
}
