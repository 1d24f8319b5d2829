/** What an op costs on the host beyond the WebGPU calls that it cannot avoid. */
import { add, type GpuDevice, noGrad, type Tensor } from '../src/node.ts';

const CALLS = 10_000;
const ROUNDS = 7;
/** As the recorder: this many dispatches to an encoder. */
const BATCH = 256;

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] as number;

/** A pipeline and bind group of the same shape as add's, for the bare loop. */
async function bareLoop(gpu: GPUDevice): Promise<() => void> {
  const module = gpu.createShaderModule({
    code: `
      @group(0) @binding(0) var<uniform> count: vec4u;
      @group(0) @binding(1) var<storage, read> a: array<f32>;
      @group(0) @binding(2) var<storage, read> b: array<f32>;
      @group(0) @binding(3) var<storage, read_write> out: array<f32>;
      @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
        if (id.x < count.x) { out[id.x] = a[id.x] + b[id.x]; }
      }`,
  });
  const types = ['uniform', 'read-only-storage', 'read-only-storage', 'storage'] as const;
  const layout = gpu.createBindGroupLayout({
    entries: types.map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type, hasDynamicOffset: type === 'uniform' },
    })),
  });
  const pipeline = await gpu.createComputePipelineAsync({
    layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: 'main' },
  });
  const group = gpu.createBindGroup({
    layout,
    entries: types.map((type, binding) => ({
      binding,
      resource: {
        buffer: gpu.createBuffer({
          size: type === 'uniform' ? 256 * BATCH : 64,
          usage: type === 'uniform' ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE,
        }),
        size: 16,
      },
    })),
  });
  return () => {
    for (let done = 0; done < CALLS; done += BATCH) {
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let index = 0; index < Math.min(BATCH, CALLS - done); index++) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group, [256 * index]);
        pass.dispatchWorkgroups(1);
      }
      pass.end();
      gpu.queue.submit([encoder.finish()]);
    }
  };
}

/** Microseconds on the host for one `add` under noGrad, and for one turn of the bare loop; medians of rounds. */
export async function measureDispatch(
  device: GpuDevice,
  a: Tensor,
  b: Tensor,
): Promise<{ op: number; bare: number }> {
  const bare = await bareLoop(device.gpu);
  const ours = (): void =>
    noGrad(() => {
      for (let index = 0; index < CALLS; index++) add(a, b).dispose();
    });
  const time = async (body: () => void): Promise<number> => {
    const start = performance.now();
    body();
    const microseconds = ((performance.now() - start) * 1e3) / CALLS;
    await device.idle();
    return microseconds;
  };
  const rounds: { op: number[]; bare: number[] } = { op: [], bare: [] };
  await time(ours);
  await time(bare);
  for (let round = 0; round < ROUNDS; round++) {
    rounds.op.push(await time(ours));
    rounds.bare.push(await time(bare));
  }
  return { op: median(rounds.op), bare: median(rounds.bare) };
}
