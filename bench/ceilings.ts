/** What the device can do at best: a copy, and multiply-adds in registers. */
import { floatBits, grid, type Kernel, pipelineSpec, wgslModule } from '../kernels/kernel.ts';
import { type GpuDevice, type Tensor, zeros } from '../src/node.ts';
import source from './ceilings.wgsl';
import { measure, type Repeat } from './measure.ts';

export interface Ceilings {
  /** Bytes read and written per second by a copy of 4 MB, the size of the cases; the faster of kernel and command. */
  readonly bytesPerSecond: number;
  /** By the kernel alone; `copyBufferToBuffer` may have ways that no shader has. */
  readonly kernelBytesPerSecond: number;
  /** The faster of both for 64 MB, beyond most caches. */
  readonly largeBytesPerSecond: number;
  readonly flopsPerSecond: number;
}

const module = wgslModule('bench-ceilings', source);
const copySpec = pipelineSpec(module, 'copyWords', ['read', 'write'], 4);
const fmaSpec = pipelineSpec(module, 'fmaLoop', ['write'], 4);

const FMA_PER_TURN = 48;
const THREADS = 16384;
const TURNS = 500;

const unchecked = (): never => {
  throw new Error('This kernel is only timed.');
};

const copyKernel: Kernel<undefined> = {
  name: 'bench-copy',
  variants: ['default'],
  infer: (_op, [input]) => (input ? [input] : unchecked()),
  plan([input]) {
    const count = (input?.shape[0] as number) / 4;
    const uniforms = new Uint32Array([count, 0, 0, 0]);
    return {
      steps: [
        { pipeline: copySpec, buffers: ['in0', 'out0'], uniforms, workgroups: grid(Math.ceil(count / 64)) },
      ],
    };
  },
  reference: unchecked,
};

const fmaKernel: Kernel<undefined> = {
  name: 'bench-fma',
  variants: ['default'],
  infer: () => [{ shape: [THREADS], dtype: 'float32' }],
  plan() {
    const uniforms = new Uint32Array([THREADS, TURNS, floatBits(0.999), floatBits(0.001)]);
    return { steps: [{ pipeline: fmaSpec, buffers: ['out0'], uniforms, workgroups: grid(THREADS / 64) }] };
  },
  reference: unchecked,
};

/** Runs a kernel over and over; results are given back at once. */
const repeatKernel =
  (device: GpuDevice, kernel: Kernel<undefined>, inputs: readonly Tensor[]): Repeat =>
  async (times) => {
    for (let time = 0; time < times; time++) {
      for (const { storage } of device.run(kernel.name, kernel, inputs, undefined)) storage.release();
    }
    await device.idle();
  };

async function copyRates(
  device: GpuDevice,
  bytes: number,
  seconds: number,
): Promise<{ best: number; kernel: number }> {
  const input = zeros([bytes / 4], { device });
  const output = zeros([bytes / 4], { device });
  const byKernel = await measure('copy by kernel', repeatKernel(device, copyKernel, [input]), seconds);
  const byCommand = await measure(
    'copy by command',
    async (times) => {
      for (let time = 0; time < times; time++) device.copy(input.storage, output.storage);
      await device.idle();
    },
    seconds,
  );
  input.dispose();
  output.dispose();
  const [kernel, command] = [(2 * bytes) / byKernel.median, (2 * bytes) / byCommand.median];
  return { best: Math.max(kernel, command), kernel };
}

export async function measureCeilings(device: GpuDevice, seconds: number): Promise<Ceilings> {
  const small = await copyRates(device, 4_000_000, seconds);
  const large = await copyRates(device, 64_000_000, seconds);
  const { median } = await measure('multiply-adds', repeatKernel(device, fmaKernel, []), seconds);
  return {
    bytesPerSecond: small.best,
    kernelBytesPerSecond: small.kernel,
    largeBytesPerSecond: large.best,
    flopsPerSecond: (2 * FMA_PER_TURN * TURNS * THREADS) / median,
  };
}
