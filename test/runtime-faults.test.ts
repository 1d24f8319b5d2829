/** What goes wrong on a GPU reaches whoever reads next, and nobody else: shaders, invalid dispatches, debug mode. */
import * as assert from 'uvu/assert';
import {
  type AdapterChoice,
  add,
  assign,
  type GpuDevice,
  init,
  type Kernel,
  log,
  mul,
  type Operand,
  type PipelineSpec,
  pipelineSpec,
  scope,
  Tensor,
  tensor,
  wgslModule,
  zeros,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { close, fails, line, rejects } from './support/values.ts';

const adapter = (process.env.WGRAD_ADAPTER || 'swiftshader') as AdapterChoice;
const onGpu = (await testDevice().catch(() => null))?.kind !== 'cpu';
const inner = suite('runtime faults');

/** Runs `body` on a device of its own. */
function test(
  title: string,
  options: Parameters<typeof init>[0],
  body: (device: GpuDevice) => unknown,
): void {
  if (!onGpu) inner.skip(title, 'the device under test is no GPU');
  else
    inner(title, async () => {
      const device = (await init({ adapter, ...options })) as GpuDevice;
      try {
        await body(device);
      } finally {
        device.destroy();
      }
    });
}

/** WGSL that writes `value` into four floats. */
const source = (value: string): string => `struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
  y[id.x] = ${value} + f32(params.count);
}
`;

const pipelineOf = (name: string, value: string): PipelineSpec =>
  pipelineSpec(wgslModule(name, source(value)), 'main', ['write'], 4);

/** A kernel without inputs that runs this pipeline. */
const kernelOf = (pipeline: PipelineSpec, groups = 1): Kernel<undefined> => ({
  name: 'mine',
  variants: ['only'],
  infer: () => [{ shape: [4], dtype: 'float32' }],
  plan: () => ({
    steps: [{ pipeline, buffers: ['out0'], uniforms: new Uint32Array(4), workgroups: [groups, 1, 1] }],
  }),
  reference: () => {},
});

const run = (device: GpuDevice, kernel: Kernel<undefined>): Tensor =>
  Tensor.adopt(device.run('mine', kernel, [], undefined)[0] as Operand, 'mine');

test('two modules of one name run their own code', {}, async (device) => {
  const [one, two] = [pipelineOf('twin', '1.0'), pipelineOf('twin', '2.0')];
  const all = [one, two, one].map((pipeline) => run(device, kernelOf(pipeline)));
  close(await Promise.all(all.map((x) => x.array())), [
    [1, 1, 1, 1],
    [2, 2, 2, 2],
    [1, 1, 1, 1],
  ]);
  for (const x of all) x.dispose();
});

test('a kernel that does not compile fails its dependants, and nothing else in the batch', {}, async (device) => {
  const broken = kernelOf(pipelineOf('broken', 'nonsense'));
  const before = scope(() => mul(tensor([1, 2]), 2));
  const bad = run(device, broken);
  const dependant = scope(() => add(mul(bad, 2), 1));
  const copied = zeros([4]);
  assign(copied, bad);
  const after = scope(() => mul(before, 10));
  const reads = await Promise.allSettled([before, bad, dependant, copied, after].map((x) => x.array()));
  for (const index of [1, 2, 3]) {
    const read = reads[index] as PromiseRejectedResult;
    assert.is(read.status, 'rejected', `read ${index}`);
    assert.is(read.reason.code, 'shader');
    assert.match(read.reason.message, /broken\.wgsl:5:/);
  }
  for (const [index, expected] of [
    [0, [2, 4]],
    [4, [20, 40]],
  ] as const) {
    const read = reads[index] as PromiseFulfilledResult<number[]>;
    assert.is(read.status, 'fulfilled', String((reads[index] as PromiseRejectedResult).reason));
    close(read.value, [...expected]);
  }
  await rejects(dependant.array(), 'shader'); // Still, in a later batch.
  await rejects(scope(() => mul(copied, 0)).data(), 'shader');
  assign(copied, Float32Array.of(1, 2, 3, 4)); // New content is sound.
  close(await copied.array(), [1, 2, 3, 4]);
  for (const x of [before, bad, dependant, copied, after]) x.dispose();
});

test('memory of a kernel that does not compile is sound once it is written again', {}, async (device) => {
  const broken = kernelOf(pipelineOf('broken', 'nonsense'));
  run(device, broken).dispose();
  const sameBatch = scope(() => mul(tensor([1, 2, 3, 4]), 10));
  close(await sameBatch.array(), [10, 20, 30, 40]);
  run(device, broken).dispose();
  await device.idle();
  const later = Array.from({ length: 8 }, (_, index) => scope(() => add(zeros([4]), index)));
  close(
    await Promise.all(later.map((x) => x.array())),
    later.map((_, index) => [index, index, index, index]),
  );
  const uploaded = tensor([5, 6, 7, 8]);
  close(await uploaded.array(), [5, 6, 7, 8]);
  for (const x of [sameBatch, uploaded, ...later]) x.dispose();
});

const TOO_MANY = 65_536;
const invalid = pipelineOf('valid', '1.0');
const here = (at: number): RegExp => new RegExp(`runtime-faults\\.test\\.ts:${at}:`);

test('after an invalid dispatch the device is of no use, and init gives a fresh one', {}, async (device) => {
  const x = run(device, kernelOf(invalid, TOO_MANY));
  const y = tensor([1, 2]);
  await rejects(
    device.idle().then(() => y.data()),
    'gpu',
    /init\(\)/,
  );
  for (let round = 0; round < 3; round++) {
    await rejects(x.data(), 'gpu', /init\(\)/);
    await rejects(y.data(), 'gpu');
    await rejects(device.idle(), 'gpu');
    fails(() => mul(y, 2), 'gpu', /^mul:/);
  }
  for (const t of [x, y]) t.dispose();
  const fresh = await init({ adapter });
  const z = scope(() => mul(tensor([1, 2]), 2));
  assert.is(z.device, fresh);
  close(await z.array(), [2, 4]);
  z.dispose();
  fresh.destroy();
});

test('a read behind an invalid dispatch rejects with the error, not with memory', {}, async (device) => {
  const x = run(device, kernelOf(invalid, TOO_MANY));
  await rejects(x.data(), 'gpu');
  await rejects(x.data(), 'gpu');
  x.dispose();
});

const debug = { debug: true };

test(
  'debug mode tells who made a NaN: the first and the next time, at reads and at idle',
  debug,
  async (device) => {
    const x = tensor([1, -1]);
    for (let round = 0; round < 2; round++) {
      const at = line() + 1;
      const y = log(x);
      await rejects(y.data(), 'anomaly', /^log, called/, /element 1/, here(at));
      await y.data(); // It is told once.
      y.dispose();
    }
    const at = line() + 1;
    const y = log(x);
    await rejects(device.idle(), 'anomaly', /^log, called/, here(at));
    await device.idle();
    for (const t of [x, y]) t.dispose();
  },
);

test('debug mode tells who made a NaN after further ops', debug, async () => {
  for (let round = 0; round < 2; round++) {
    let at = 0;
    const [z, other] = scope(() => {
      at = line() + 1;
      const y = log(tensor([1, -1]));
      const z = add(mul(y, 2), 1);
      return [z, mul(tensor([1, 2]), 3)];
    }) as [Tensor, Tensor];
    await rejects(other.data(), 'anomaly', /^log, called/, here(at));
    close(await other.array(), [3, 6]);
    for (const t of [z, other]) t.dispose();
  }
});

for (const warm of [false, true]) {
  const when = warm ? 'with a pipeline that was used before' : 'at the first use of a pipeline';
  for (const between of [false, true]) {
    const what = between ? 'after further ops' : 'right afterwards';
    test(`debug mode tells who made an invalid dispatch: ${when}, ${what}`, debug, async (device) => {
      if (warm) {
        const x = run(device, kernelOf(invalid));
        close(await x.array(), [1, 1, 1, 1]);
        x.dispose();
      }
      const at = line() + 1;
      const [operand] = device.run('mine', kernelOf(invalid, TOO_MANY), [], undefined);
      const bad = Tensor.adopt(operand as Operand, 'mine');
      const good = between ? scope(() => mul(tensor([1, 2]), 2)) : tensor([1, 2]);
      await rejects(good.data(), 'gpu', /mine, called/, here(at));
      await rejects(bad.data(), 'gpu', here(at));
      await rejects(device.idle(), 'gpu', here(at));
      for (const t of [bad, good]) t.dispose();
    });
  }
}
