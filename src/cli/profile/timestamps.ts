/** Timestamps around each op. */
import type { GpuDevice } from '../../runtime/gpu/gpu-device.ts';
import type { OpClock } from './clock.ts';

/** The most queries that a set may have. */
const SET = 4096;
const QUERY_RESOLVE = 0x200;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const MAP_READ = 0x1;

/**
 * Submits each op by itself, between two empty passes that write the time at their end, in one submit: so neither the host's
 * work nor a gap between two ops is counted.
 */
export class TimestampClock implements OpClock {
  readonly how =
    'timestamp queries around each op; implementations round them, often to 65.5 µs, which the mean over the steps evens out';
  readonly #device: GpuDevice;
  readonly #queue: GPUQueue;
  readonly #submit: GPUQueue['submit'];
  readonly #sets: GPUQuerySet[] = [];
  #next = 0;
  /** For each op, its number among the measured submits; null for one that had nothing to do. */
  #ops: (number | null)[] = [];

  constructor(device: GpuDevice) {
    this.#device = device;
    this.#queue = device.gpu.queue;
    this.#submit = this.#queue.submit.bind(this.#queue);
  }

  begin(): void {
    this.#next = 0;
    this.#ops = [];
  }

  dispatched(): void {
    const before = this.#next;
    this.#queue.submit = (buffers) => this.#submit([this.#mark(), ...buffers, this.#mark()]);
    try {
      this.#device.flush();
    } finally {
      this.close();
    }
    this.#ops.push(this.#next > before ? before / 2 : null);
  }

  async end(): Promise<number[]> {
    const { gpu } = this.#device;
    const times: number[] = [];
    for (const [index, set] of this.#sets.entries()) {
      const count = Math.min(SET, this.#next - index * SET);
      if (count <= 0) break;
      const bytes = 8 * count;
      const resolved = gpu.createBuffer({ size: bytes, usage: QUERY_RESOLVE | COPY_SRC });
      const staging = gpu.createBuffer({ size: bytes, usage: COPY_DST | MAP_READ });
      const encoder = gpu.createCommandEncoder();
      encoder.resolveQuerySet(set, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
      this.#queue.submit([encoder.finish()]);
      await this.#device.idle();
      await staging.mapAsync(MAP_READ);
      const nanoseconds = new BigUint64Array(staging.getMappedRange());
      for (let at = 0; at < count; at += 2)
        times.push(Number((nanoseconds[at + 1] as bigint) - (nanoseconds[at] as bigint)) / 1e6);
      staging.destroy();
      resolved.destroy();
    }
    return this.#ops.map((number) => (number === null ? 0 : (times[number] as number)));
  }

  close(): void {
    // The method of the class stands behind the own property.
    Reflect.deleteProperty(this.#queue, 'submit');
  }

  /** A pass that does nothing but write the time when all before it is done. */
  #mark(): GPUCommandBuffer {
    const { gpu } = this.#device;
    const number = this.#next++;
    const place = Math.floor(number / SET);
    const querySet = (this.#sets[place] ??= gpu.createQuerySet({ type: 'timestamp', count: SET }));
    const encoder = gpu.createCommandEncoder();
    encoder.beginComputePass({ timestampWrites: { querySet, endOfPassWriteIndex: number % SET } }).end();
    return encoder.finish();
  }
}
