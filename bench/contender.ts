/** What is timed: wgrad and its peers behind one interface, so that all are driven and waited for alike. */
import { enableGrad, type GpuDevice, noGrad, Tensor, tensor } from '../src/node.ts';
import type { BenchCase, Input } from './cases/case.ts';
import { type Measurement, measure } from './measure.ts';

/** One task on inputs that lie on the device. */
export interface Job<Result = unknown> {
  /** Records or submits the work; the result stays on the device. */
  call(): Result | Promise<Result>;
  /** Sees to it that the work will be done, and gives the result up. */
  release(result: Result): void;
  read(result: Result): Promise<ArrayLike<number>>;
  /** Resolves when the device has done all work. */
  wait(): Promise<void>;
  /** Gives the inputs up. */
  dispose(): void;
}

/** The result of one call, for comparison. */
export async function resultOf<Result>(job: Job<Result>): Promise<Float32Array> {
  return Float32Array.from(await job.read(await job.call()));
}

export function timeJob<Result>(name: string, job: Job<Result>, seconds: number): Promise<Measurement> {
  const repeat = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) job.release(await job.call());
    await job.wait();
  };
  return measure(name, repeat, seconds);
}

/** Several arrays as one, end to end. */
export function joined(parts: readonly ArrayLike<number>[]): ArrayLike<number> {
  if (parts.length === 1) return parts[0] as ArrayLike<number>;
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** wgrad itself. */
export function ownJob(
  device: GpuDevice,
  benchCase: BenchCase,
  inputs: readonly Input[],
): Job<readonly Tensor[]> {
  const { trains = false } = benchCase;
  const tensors = inputs.map(({ shape, data, dtype }) =>
    tensor(data, {
      shape,
      device,
      ...(dtype ? { dtype } : {}),
      requiresGrad: trains && data instanceof Float32Array,
    }),
  );
  const mode = trains ? enableGrad : noGrad;
  const dispose = (all: readonly Tensor[]): void => {
    for (const each of all) each.dispose();
  };
  return {
    call() {
      const result = mode(() => benchCase.run(...tensors));
      return result instanceof Tensor ? [result] : result;
    },
    release: dispose,
    async read(results) {
      const parts = await Promise.all(results.map((result) => result.data()));
      dispose(results);
      return joined(parts as ArrayLike<number>[]);
    },
    wait: () => device.idle(),
    dispose: () => dispose(tensors),
  };
}

/** Says how two results differ by more than 1e-3, relative above 1 and absolute below; undefined if they do not. */
export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): string | undefined {
  if (actual.length !== expected.length) return `${actual.length} elements instead of ${expected.length}`;
  for (let index = 0; index < expected.length; index++) {
    const [a, b] = [actual[index] as number, expected[index] as number];
    if (!(Math.abs(a - b) <= 1e-3 * Math.max(1, Math.abs(b))))
      return `element ${index} is ${a}, wgrad has ${b}`;
  }
  return undefined;
}
