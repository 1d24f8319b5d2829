/** How long each op of a step takes, by whatever the device offers. */
import type { CpuDevice } from '../../runtime/cpu-device.ts';
import type { Device, Operand } from '../../runtime/device.ts';
import { GpuDevice } from '../../runtime/gpu/gpu-device.ts';
import { TimestampClock } from './timestamps.ts';

export interface OpClock {
  /** The way it measures, for people. */
  readonly how: string;
  /** Starts a step; nothing is under way on the device. */
  begin(): void;
  /** An op ran, or was recorded. */
  dispatched(): void;
  /** Milliseconds of each op of the step, in their order. */
  end(): Promise<number[]>;
  /** Leaves the device as it was. */
  close(): void;
}

/** On the CPU device an op is done when its call returns. */
class HostClock implements OpClock {
  readonly how = 'wall clock from op to op; the CPU device does one at a time';
  #last = 0;
  #times: number[] = [];

  begin(): void {
    this.#times = [];
    this.#last = performance.now();
  }

  dispatched(): void {
    const now = performance.now();
    this.#times.push(now - this.#last);
    this.#last = now;
  }

  async end(): Promise<number[]> {
    return this.#times;
  }

  close(): void {}
}

type Call = Parameters<Device['run']>;

/**
 * Without timestamps each op is run again after the step, alone, on the same memory, between two waits for the device. The
 * way there and back is part of the time. Ops that update memory in place do so again, so the model is of no use afterwards.
 */
class ReplayClock implements OpClock {
  readonly how = 'wall clock around each op alone, the wait for the device included; it has no timestamps';
  readonly #device: GpuDevice;
  readonly #run: Device['run'];
  #calls: Call[] = [];

  constructor(device: GpuDevice) {
    this.#device = device;
    this.#run = device.run.bind(device);
  }

  begin(): void {
    this.#calls = [];
    this.#device.run = (op, kernel, inputs, attrs, options) => {
      for (const { storage } of [...inputs, ...(options?.into ?? [])]) storage.retain();
      this.#calls.push([op, kernel, inputs, attrs, options] as Call);
      return this.#run(op, kernel, inputs, attrs, options);
    };
  }

  dispatched(): void {}

  async end(): Promise<number[]> {
    this.close();
    const times: number[] = [];
    for (const [op, kernel, inputs, attrs, options] of this.#calls) {
      await this.#device.idle();
      const start = performance.now();
      const outputs: readonly Operand[] = this.#run(op, kernel, inputs, attrs, options);
      await this.#device.idle();
      times.push(performance.now() - start);
      if (!options?.into) for (const { storage } of outputs) storage.release();
    }
    for (const [, , inputs, , options] of this.#calls)
      for (const { storage } of [...inputs, ...(options?.into ?? [])]) storage.release();
    return times;
  }

  close(): void {
    // The method of the class stands behind the own property.
    Reflect.deleteProperty(this.#device, 'run');
  }
}

/** Timestamps where the device has them, else the wall clock. */
export function clockFor(device: Device | GpuDevice | CpuDevice): OpClock {
  if (!(device instanceof GpuDevice)) return new HostClock();
  return device.gpu.features.has('timestamp-query') ? new TimestampClock(device) : new ReplayClock(device);
}
