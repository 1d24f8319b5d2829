/** Devices: limits, program order, batching, loss, shader errors, and the way out of a process. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as assert from 'uvu/assert';
import { gatherKernel } from '../kernels/gather.ts';
import {
  type AdapterChoice,
  add,
  assign,
  CpuDevice,
  DeviceLostError,
  defaultDevice,
  detectAnomaly,
  full,
  type GpuDevice,
  gather,
  init,
  type Kernel,
  LimitError,
  matmul,
  mul,
  noGrad,
  type Operand,
  pipelineSpec,
  randomNormal,
  ShaderError,
  scope,
  setDefaultDevice,
  setSeed,
  softmax,
  sum,
  Tensor,
  tensor,
  wgslModule,
  zeros,
} from '../src/node.ts';
import { compileModule } from '../src/runtime/gpu/pipelines.ts';
import { settlePlainly } from '../src/runtime/gpu/settle.ts';
import { findAdapter } from '../src/runtime/node/adapters.ts';
import { isLong, seed, suite, testDevice } from './support/harness.ts';
import { close, fails, rejects } from './support/values.ts';

const adapter = (process.env.WGRAD_ADAPTER || 'swiftshader') as AdapterChoice;
const onGpu = (await testDevice().catch(() => null))?.kind !== 'cpu';
const test = suite('runtime', isLong ? { timeout: 600_000 } : {});

const gpuTest = (name: string, body: (device: GpuDevice) => unknown): void => {
  if (!onGpu) test.skip(name, 'the device under test is no GPU');
  else test(name, async () => await body((await testDevice()) as GpuDevice));
};

/** A device of this test's own. */
const fresh = async (options: Parameters<typeof init>[0] = {}): Promise<GpuDevice> =>
  (await init({ adapter, ...options })) as GpuDevice;

gpuTest('LimitError before anything is allocated', (device) => {
  const { maxBufferSize, maxStorageBufferBindingSize } = device.gpu.limits;
  const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  const before = device.memory();
  const count = limit / 4 + 1;
  const refused = (body: () => unknown, bytes: number): void =>
    assert.throws(body, (error: LimitError) => {
      assert.instance(error, LimitError);
      assert.is(error.code, 'limit');
      assert.is(error.requested, bytes);
      assert.is(error.limit, limit);
      assert.ok(
        error.message.includes(String(bytes)) && error.message.includes(String(limit)),
        error.message,
      );
      return true;
    });
  refused(() => zeros([count]), limit + 4);
  assert.equal(device.memory(), before);
  scope(() => {
    const rows = Math.ceil(Math.sqrt(count));
    const column = zeros([rows, 1]);
    const row = zeros([1, rows]);
    const inside = device.memory();
    refused(() => add(column, row), 4 * rows * rows);
    assert.equal(device.memory(), inside);
  });
});

gpuTest('a kernel whose second output or scratch does not fit leaves nothing', (device) => {
  const limit = Math.min(device.gpu.limits.maxBufferSize, device.gpu.limits.maxStorageBufferBindingSize);
  const kernel = (second: number, scratch: readonly number[]): Kernel<undefined> => ({
    name: 'greedy',
    variants: ['only'],
    infer: () => [
      { shape: [4], dtype: 'float32' },
      { shape: [second], dtype: 'float32' },
    ],
    plan: () => ({ steps: [], scratch }),
    reference: () => {},
  });
  const { tensors, bytes } = device.memory();
  fails(() => device.run('mine', kernel(limit / 4 + 1, []), [], undefined), 'limit', /mine/);
  assert.is(device.memory().tensors, tensors);
  fails(() => device.run('mine', kernel(4, [64, limit + 4]), [], undefined), 'limit');
  assert.is(device.memory().tensors, tensors);
  assert.is(device.memory().bytes, bytes);
});

test('host writes keep their place between recorded ops', async () => {
  await testDevice();
  const results = scope(() => {
    const t = tensor([1, 2]);
    const a = mul(t, 10);
    assign(t, new Float32Array([3, 4]));
    const b = mul(t, 10);
    assign(t, b);
    const c = add(t, 1);
    assign(t, new Float32Array([5, 6]));
    return [a, b, c, t];
  });
  close(await Promise.all(results.map((x) => x.array())), [
    [10, 20],
    [30, 40],
    [31, 41],
    [5, 6],
  ]);
  for (const x of results) x.dispose();
});

test('a read sees the values at its place in the program', async () => {
  await testDevice();
  const t = tensor([1, 2]);
  const reads = [t.array()];
  assign(t, new Float32Array([3, 4]));
  reads.push(t.array());
  scope(() => assign(t, mul(t, 2)));
  reads.push(t.array());
  t.dispose(); // Pending reads do not care.
  const other = tensor([9, 9]); // May take over the memory.
  close(await Promise.all(reads), [
    [1, 2],
    [3, 4],
    [6, 8],
  ]);
  other.dispose();
});

test('memory that goes back to the pool and is written again does not disturb earlier ops', async () => {
  await testDevice();
  const kept: Tensor[] = [];
  for (let index = 0; index < 50; index++) {
    const t = tensor([index, index]);
    kept.push(mul(t, 2));
    t.dispose();
  }
  const values = await Promise.all(kept.map((x) => x.array()));
  close(
    values,
    values.map((_, index) => [2 * index, 2 * index]),
  );
  for (const x of kept) x.dispose();
});

test('more ops than one batch holds', async () => {
  await testDevice();
  const x = scope(() => {
    let y = zeros([3]);
    for (let index = 0; index < 1000; index++) y = add(y, 1);
    return y;
  });
  close(await x.array(), [1000, 1000, 1000]);
  x.dispose();
});

gpuTest('100 reads of one tick make one submit', async (device) => {
  const list = scope(() => Array.from({ length: 100 }, (_, index) => mul(tensor(index), 2)));
  await device.idle();
  let submits = 0;
  const stop = device.observe({ submit: () => submits++ });
  const values = await Promise.all(list.map((x) => x.item()));
  stop();
  assert.is(submits, 1);
  close(
    values,
    values.map((_, index) => 2 * index),
  );
  for (const x of list) x.dispose();
});

gpuTest('observers see pipelines, ops, submits and memory, and can leave', async () => {
  const device = await fresh();
  const seen = { pipeline: 0, dispatch: [] as string[], submit: 0, alloc: 0, free: 0 };
  const stop = device.observe({
    pipeline: () => seen.pipeline++,
    dispatch: ({ op }) => seen.dispatch.push(op),
    submit: () => seen.submit++,
    alloc: () => seen.alloc++,
    free: () => seen.free++,
  });
  const x = scope(() => sum(mul(tensor([1, 2, 3]), 2)));
  close(await x.item(), 12);
  assert.equal(seen.dispatch, ['mul', 'sum']);
  assert.is(seen.pipeline, 2);
  assert.is(seen.submit, 1);
  assert.ok(seen.alloc >= 3);
  assert.is(seen.free, 2);
  stop();
  assert.is(device.observers, null);
  x.dispose();
  assert.is(seen.free, 2);
  device.destroy();
});

gpuTest('reads that together exceed the largest buffer', async () => {
  const device = await fresh({ limits: 'default' });
  const count = 25 * 2 ** 20;
  assert.ok(3 * 4 * count > device.gpu.limits.maxBufferSize);
  const large = [1, 2, 3].map((value) => full([count], value));
  const values = await Promise.all(large.map((x) => x.data()));
  values.forEach((data, index) => {
    assert.is(data.length, count);
    for (const at of [0, 1, count >> 1, count - 1]) assert.is(data[at], index + 1);
  });
  for (const x of large) x.dispose();
  await device.trim();
  device.destroy();
});

gpuTest('trim while ops are being recorded', async () => {
  const device = await fresh();
  for (let pause = 0; pause < 12; pause++) {
    scope(() => mul(tensor([1, 2]), 2));
    const trimmed = device.trim();
    const results: Tensor[] = [];
    // Temporaries of these ops go back to the pool before the ops are submitted.
    const record = (): unknown => results.push(scope(() => mul(add(tensor([1, 2]), pause), 3)));
    for (let tick = 0; tick < pause; tick++) await Promise.resolve();
    record();
    if (pause % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    record();
    await trimmed;
    record();
    const expected = [3 * (1 + pause), 3 * (2 + pause)];
    close(await Promise.all(results.map((x) => x.array())), [expected, expected, expected]);
    for (const x of results) x.dispose();
  }
  device.destroy();
});

gpuTest('a forced variant that cannot run these shapes is refused', (device) => {
  const operand = (dtype: 'float32' | 'int32', shape: number[]): Operand => ({
    shape,
    dtype,
    storage: device.allocate(
      'test',
      dtype,
      shape.reduce((size, extent) => size * extent, 1),
    ),
  });
  const inputs = [operand('float32', [4, 3]), operand('int32', [2])];
  const { tensors } = device.memory();
  const gather = (variant: string) => () =>
    device.run('gather', gatherKernel, inputs, { mode: 'take', axis: 0 }, { variant });
  fails(gather('quad'), 'argument', /^gather: variant 'quad'/, /shapes/);
  fails(gather('other'), 'argument', /^gather: variant 'other'/, /does not exist/);
  assert.is(device.memory().tensors, tensors);
  for (const { storage } of inputs) storage.release();
});

/** What was rejected unheard while `body` ran, and a little later. */
async function unheard(body: () => Promise<void>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const listen = (reason: unknown): unknown => seen.push(reason);
  process.on('unhandledRejection', listen);
  try {
    await body();
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    process.off('unhandledRejection', listen);
  }
  return seen;
}

test('bodies that throw in detectAnomaly and noGrad leave no rejection that nobody hears', async () => {
  const seen = await unheard(async () => {
    const device = await fresh();
    let message = '';
    await detectAnomaly(device, () => {
      scope(() => mul(tensor([1]), 2));
      throw new Error('mine');
    }).catch((error: Error) => (message = error.message));
    assert.is(message, 'mine');
    fails(
      () =>
        noGrad(async () => {
          throw new Error('late');
        }),
      'async-callback',
    );
    device.destroy();
  });
  assert.equal(seen, []);
});

gpuTest(
  'a device that is destroyed over an index out of range says that it is gone, to its readers only',
  async () => {
    const seen = await unheard(async () => {
      const device = await fresh();
      const bad = scope(() => gather(tensor([1, 2]), tensor([5], { dtype: 'int32' })));
      const reads = [bad.data(), bad.data(), device.idle()];
      device.destroy();
      for (const read of reads) await rejects(read, 'device-lost');
      bad.dispose();
    });
    assert.equal(seen, []);
  },
);

gpuTest('the garbage collector gets destroyed devices', async (device) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const destroyed: WeakRef<object>[] = [];
  for (let round = 0; round < 3; round++) {
    await (async () => {
      const own = await fresh();
      const x = scope(() => mul(tensor([1, 2]), 2));
      close(await x.array(), [2, 4]);
      x.dispose();
      own.destroy();
      destroyed.push(new WeakRef(own), new WeakRef(own.gpu));
    })();
  }
  setDefaultDevice(device);
  const alive = (): number => destroyed.filter((reference) => reference.deref()).length;
  for (let turn = 0; turn < 100 && alive() > 0; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
  }
  assert.is(alive(), 0);
});

test('several init() at once leave the environment as it was', async () => {
  const pins = (): (string | undefined)[] => [process.env.VK_DRIVER_FILES, process.env.VK_ICD_FILENAMES];
  const before = pins();
  const devices = await Promise.all([fresh(), fresh(), fresh({ limits: 'default' })]);
  assert.equal(pins(), before);
  for (const device of devices) device.destroy();
});

gpuTest('destroy rejects pending reads, and later calls say so', async () => {
  const device = await fresh();
  const x = zeros([4]);
  const recorded = x.data();
  const flushed = x.data();
  await Promise.resolve(); // Now the reads are under way, waiting for a pipeline.
  const late = x.data();
  device.destroy();
  device.destroy();
  for (const read of [recorded, flushed, late]) await rejects(read, 'device-lost', /destroyed/, /init\(\)/);
  await rejects(x.data(), 'device-lost', /destroyed/);
  await rejects(device.idle(), 'device-lost');
  assert.throws(
    () => zeros([4], { device }),
    (error: Error) => error instanceof DeviceLostError && error.message.startsWith('zeros:'),
  );
  fails(() => mul(x, 2), 'device-lost', /^mul:/);
  fails(() => tensor([1], { device }), 'device-lost', /^tensor:/);
  x.dispose();
});

gpuTest('destroy rejects reads that were submitted', async () => {
  const device = await fresh();
  const x = zeros([4]);
  await x.data();
  const read = x.data();
  await Promise.resolve();
  device.destroy();
  await rejects(read, 'device-lost', /destroyed/);
  x.dispose();
});

gpuTest('a device that its owner destroys is lost', async () => {
  const device = await fresh();
  const x = zeros([4]);
  await x.data();
  device.gpu.destroy();
  await device.gpu.lost;
  await rejects(x.data(), 'device-lost', /lost/);
  device.destroy();
});

test('a destroyed CPU device says so', async () => {
  const device = new CpuDevice();
  const x = zeros([2], { device });
  device.destroy();
  fails(() => mul(x, 2), 'device-lost', /^mul:/);
  await rejects(x.data(), 'device-lost');
  x.dispose();
});

const BROKEN = `struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  y[id.x] = params.cuont;
}
`;

gpuTest('ShaderError has line, column and source', async (device) => {
  const module = wgslModule('broken', BROKEN);
  await rejects(
    compileModule(device.gpu, module, settlePlainly),
    'shader',
    /broken\.wgsl:5:\d+: /,
    /cuont;\n +\^/,
  );
});

gpuTest('a kernel that does not compile fails the read that waits for it, and nothing after it', async () => {
  const device = await fresh();
  const pipeline = pipelineSpec(wgslModule('brokenKernel', BROKEN), 'main', ['write'], 4);
  const kernel: Kernel<undefined> = {
    name: 'brokenKernel',
    variants: ['only'],
    infer: () => [{ shape: [4], dtype: 'float32' }],
    plan: () => ({
      steps: [{ pipeline, buffers: ['out0'], uniforms: new Uint32Array(4), workgroups: [1, 1, 1] }],
    }),
    reference: () => {},
  };
  const operand = device.run('mine', kernel, [], undefined)[0];
  assert.ok(operand);
  const x = Tensor.adopt(operand as NonNullable<typeof operand>, 'mine');
  let message = '';
  await x.data().catch((error: ShaderError) => {
    assert.instance(error, ShaderError);
    message = error.message;
  });
  assert.match(message, /brokenKernel\.wgsl:5:/);
  assert.match(message, 'y[id.x] = params.cuont;');
  x.dispose();
  const y = scope(() => mul(tensor([1, 2]), 2));
  close(await y.array(), [2, 4]);
  y.dispose();
  assert.is(device.memory().tensors, 0);
  device.destroy();
});

async function sample(): Promise<number[]> {
  setSeed(seed);
  const y = scope(() => {
    const x = randomNormal([37, 53]);
    const w = randomNormal([53, 29]);
    return softmax(matmul(x, w, { activation: 'tanh' }));
  });
  const values = Array.from(await y.data());
  y.dispose();
  return values;
}

test('init makes the default device', async () => {
  const device = await init({ adapter: 'cpu' });
  assert.is(defaultDevice(), device);
  assert.is(device.kind, 'cpu');
  device.destroy();
});

test('an unknown default device is refused', () => {
  fails(() => setDefaultDevice({} as CpuDevice), 'argument', /setDefaultDevice/);
});

gpuTest('default limits give the same results', async () => {
  const expected = await sample();
  const device = await fresh({ limits: 'default' });
  assert.is(device.gpu.limits.maxStorageBufferBindingSize, 134217728);
  close(await sample(), expected, 1e-5);
  device.destroy();
});

gpuTest('debug mode gives the same results', async () => {
  const expected = await sample();
  const device = await fresh({ debug: true });
  close(await sample(), expected, 1e-5);
  device.destroy();
});

gpuTest("a GPUDevice of one's own", async () => {
  const expected = await sample();
  const { found } = await findAdapter(adapter);
  assert.ok(found);
  const gpuDevice = await found?.adapter.requestDevice();
  assert.ok(gpuDevice);
  const device = await init({ gpuDevice: gpuDevice as GPUDevice });
  assert.is((device as GpuDevice).gpu, gpuDevice);
  assert.match(device.description, /passed in/);
  close(await sample(), expected, 1e-5);
  device.destroy();
  assert.is((await (gpuDevice as GPUDevice).lost).reason, 'destroyed');
});

const pairs = isLong ? 1000 : 20;
gpuTest(`${pairs} init and destroy pairs in one process`, async () => {
  for (let index = 0; index < pairs; index++) {
    const device = await fresh();
    const x = scope(() => add(tensor([index]), 1));
    if (index % 2 === 0) close(await x.item(), index + 1);
    device.destroy();
    x.dispose();
  }
});

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));

function child(argument: string): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const started = spawn(
      process.execPath,
      ['--import', './scripts/register.mjs', 'test/support/child.ts', argument],
      { cwd: root, env: { ...process.env, WGRAD_ADAPTER: adapter }, timeout: 30_000 },
    );
    let output = '';
    started.stdout.on('data', (text) => (output += text));
    started.stderr.on('data', (text) => (output += text));
    started.on('error', reject);
    started.on('close', (code, signal) => resolve({ code, signal, output }));
  });
}

async function endings(argument: string, count: number): Promise<void> {
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started < count) {
      const number = ++started;
      const { code, signal, output } = await child(argument);
      assert.is(signal, null, `child ${number}: ${output}`);
      assert.is(code, 0, `child ${number}: ${output}`);
      assert.match(output, /total 2\.000/);
    }
  };
  await Promise.all([worker(), worker()]);
}

const children = isLong ? 200 : 3;
test(`${children} processes end with code 0 after destroy`, () => endings('destroy', children));
test(`${children} processes end with code 0 without destroy`, () => endings('leave', children));

test('a kernel whose reference throws leaves nothing on the CPU', () => {
  const device = new CpuDevice();
  const kernel: Kernel<undefined> = {
    name: 'throwing',
    variants: ['only'],
    infer: () => [{ shape: [4], dtype: 'float64' }],
    plan: () => ({ steps: [] }),
    reference: () => {
      throw new Error('mine');
    },
  };
  assert.throws(() => device.run('mine', kernel, [], undefined), 'mine');
  assert.is(device.memory().tensors, 0);
  device.destroy();
});
