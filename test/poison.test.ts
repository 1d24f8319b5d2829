/** What is left of a kernel that does not compile: memory that it should have written taints what builds on it. */
import * as assert from 'uvu/assert';
import {
  type AdapterChoice,
  type GpuDevice,
  gather,
  init,
  type Kernel,
  mul,
  type Operand,
  pipelineSpec,
  type Slot,
  type Step,
  scope,
  Tensor,
  tensor,
  wgslModule,
  zeros,
} from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';
import { close, rejects } from './support/values.ts';

const adapter = (process.env.WGRAD_ADAPTER || 'swiftshader') as AdapterChoice;
const onGpu = (await testDevice().catch(() => null))?.kind !== 'cpu';
const inner = suite('poison');

/** Runs `body` on a device of its own. */
function test(title: string, body: (device: GpuDevice) => unknown): void {
  if (!onGpu) inner.skip(title, 'the device under test is no GPU');
  else
    inner(title, async () => {
      const device = (await init({ adapter })) as GpuDevice;
      try {
        await body(device);
      } finally {
        device.destroy();
      }
    });
}

/** A pipeline of one module: `body` sees the buffers `b1`, `b2` … and the number `i` of the invocation, below 4. */
function pipelineOf(name: string, buffers: number, body: string): Step['pipeline'] {
  const bindings = Array.from(
    { length: buffers },
    (_, at) => `@group(0) @binding(${at + 1}) var<storage, read_write> b${at + 1}: array<f32>;\n`,
  );
  const source = `struct Params { count: vec4u }
@group(0) @binding(0) var<uniform> params: Params;
${bindings.join('')}@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x + params.count.x;
  ${body}
}
`;
  const access = new Array<'write'>(buffers).fill('write');
  return pipelineSpec(wgslModule(name, source), 'main', access, 4);
}

const set = pipelineOf('set', 1, 'b1[i] = 5.0;');
const increment = pipelineOf('increment', 1, 'b1[i] += 1.0;');
const broken = pipelineOf('broken', 1, 'b1[i] = nonsense;');
const brokenPair = pipelineOf('brokenPair', 2, 'b1[i] = nonsense + b2[i];');

interface Made extends Pick<Kernel<undefined>, 'updates' | 'infer'> {
  readonly steps: readonly (readonly [pipeline: Step['pipeline'], ...buffers: Slot[]])[];
  readonly scratch?: number[];
}

const FOUR = { shape: [4], dtype: 'float32' } as const;

/** A kernel of these steps; its outputs are four floats unless it says otherwise. */
const kernelOf = ({ steps, scratch = [], ...rest }: Partial<Made>): Kernel<undefined> => ({
  name: 'mine',
  variants: ['only'],
  infer: () => [FOUR],
  plan: () => ({
    scratch,
    steps: (steps ?? []).map(([pipeline, ...buffers]) => ({
      pipeline,
      buffers,
      uniforms: new Uint32Array(4),
      workgroups: [1, 1, 1],
    })),
  }),
  reference: () => {},
  ...rest,
});

const writes = kernelOf({ steps: [[set, 'out0']] });
const fails = kernelOf({ steps: [[broken, 'out0']] });
const updates = kernelOf({ updates: true, steps: [[increment, 'out0']] });

const run = (device: GpuDevice, kernel: Kernel<undefined>, inputs: readonly Tensor[] = []): Tensor[] =>
  device.run('mine', kernel, inputs, undefined).map((operand) => Tensor.adopt(operand, 'mine'));

const update = (device: GpuDevice, kernel: Kernel<undefined>, ...into: readonly Operand[]): void =>
  void device.run('mine', kernel, [], undefined, { into });

const [TAINTED, SOUND] = [/broken\w*\.wgsl:\d+:/, [6, 6, 6, 6]];

for (const pause of ['one batch', 'a batch each'] as const) {
  const next = async (device: GpuDevice): Promise<void> => {
    if (pause === 'a batch each') await device.idle().catch(() => {});
  };

  test(`what a kernel updates stays tainted, ${pause}`, async (device) => {
    const [x] = run(device, fails) as [Tensor];
    const [sound] = run(device, writes) as [Tensor];
    await next(device);
    update(device, updates, x);
    update(device, updates, sound);
    await next(device);
    const dependant = scope(() => mul(x, 2));
    await Promise.all([rejects(x.data(), 'shader', TAINTED), rejects(dependant.data(), 'shader', TAINTED)]);
    close(await sound.array(), SOUND);
    device.write(x.storage, Float32Array.of(1, 2, 3, 4)); // New content is sound, and may be updated.
    update(device, updates, x);
    close(await x.array(), [2, 3, 4, 5]);
    for (const t of [x, sound, dependant]) t.dispose();
  });

  test(`an update that fails taints what it should have updated, ${pause}`, async (device) => {
    const x = tensor([1, 2, 3, 4]);
    update(device, kernelOf({ updates: true, steps: [[broken, 'out0']] }), x);
    await next(device);
    update(device, updates, x);
    await next(device);
    await rejects(x.data(), 'shader', TAINTED);
    x.dispose();
  });

  test(`one tainted output of several keeps an update from all, ${pause}`, async (device) => {
    const [x] = run(device, fails) as [Tensor];
    const y = tensor([1, 2, 3, 4]);
    await next(device);
    const both = pipelineOf('both', 2, 'b1[i] += b2[i]; b2[i] = 0.0;');
    update(
      device,
      kernelOf({ updates: true, infer: () => [FOUR, FOUR], steps: [[both, 'out0', 'out1']] }),
      y,
      x,
    );
    await next(device);
    await rejects(y.data(), 'shader', TAINTED);
    for (const t of [x, y]) t.dispose();
  });

  test(`parts of updated memory, ${pause}`, async (device) => {
    const { whole, parts } = device.allocateParts('mine', 'float32', [4, 4]);
    const [first] = parts.map((storage) => Tensor.adopt({ ...FOUR, storage }, 'part')) as [Tensor];
    const flat = { shape: [whole.count], dtype: 'float32', storage: whole } as const;
    const infer = () => [{ shape: [whole.count], dtype: 'float32' } as const];
    update(device, kernelOf({ updates: true, infer, steps: [[broken, 'out0']] }), flat);
    await next(device);
    update(device, updates, first);
    await next(device);
    await rejects(first.data(), 'shader', TAINTED);
    first.dispose();
    whole.release();
  });
}

test('a later step of the same kernel does not mend what an earlier one left out', async (device) => {
  const chains: (readonly (readonly [Step['pipeline'], ...Slot[]])[])[] = [
    [
      [broken, 'out0'],
      [increment, 'out0'],
    ],
    [
      [broken, 'tmp0'],
      [increment, 'tmp0'],
      [pipelineOf('copy', 2, 'b2[i] = b1[i];'), 'tmp0', 'out0'],
    ],
  ];
  for (const steps of chains) {
    const [x] = run(device, kernelOf({ steps, scratch: [16] })) as [Tensor];
    await rejects(x.data(), 'shader', TAINTED);
    x.dispose();
  }
});

test('memory that comes out of the pool starts anew', async (device) => {
  for (const gone of run(device, fails)) gone.dispose();
  await device.idle().catch(() => {});
  const [x] = run(device, writes) as [Tensor];
  update(device, updates, x);
  close(await x.array(), SOUND);
  // As scratch of a kernel that updates something else, too.
  for (const gone of run(device, fails)) gone.dispose();
  const through = kernelOf({
    updates: true,
    scratch: [16],
    steps: [
      [set, 'tmp0'],
      [pipelineOf('addTo', 2, 'b2[i] += b1[i];'), 'tmp0', 'out0'],
    ],
  });
  update(device, through, x);
  close(await x.array(), [11, 11, 11, 11]);
  x.dispose();
});

test('a kernel that does not compile leaves the record of errors alone', async (device) => {
  const reports = kernelOf({ steps: [[brokenPair, 'out0', 'err']] });
  const x = tensor([10, 20]);
  const bad = scope(() => gather(x, tensor([6], { dtype: 'int32' })));
  const [y] = run(device, reports) as [Tensor];
  await rejects(y.data(), 'index', /gather: index 6/); // What an op before it has reported.
  await rejects(y.data(), 'shader', TAINTED);
  const worse = scope(() => gather(x, tensor([7], { dtype: 'int32' })));
  await rejects(worse.data(), 'index', /gather: index 7/); // And what one behind it reports.
  for (const t of [x, bad, y, worse]) t.dispose();
});

test('an empty output of a kernel that does not compile taints no other empty tensor', async (device) => {
  const infer = () => [FOUR, { shape: [0], dtype: 'float32' } as const];
  const outputs = run(device, kernelOf({ infer, steps: [[brokenPair, 'out0', 'out1']] }));
  await device.idle().catch(() => {});
  const nothing = zeros([0]);
  const reads = pipelineSpec(
    wgslModule(
      'reads',
      `struct Params { count: vec4u }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> empty: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
  y[id.x] = select(3.0, empty[0], params.count.x > 0u);
}
`,
    ),
    'main',
    ['read', 'write'],
    4,
  );
  const [y] = run(device, kernelOf({ steps: [[reads, 'in0', 'out0']] }), [nothing]) as [Tensor];
  close(await y.array(), [3, 3, 3, 3]);
  await rejects((outputs[0] as Tensor).data(), 'shader', TAINTED);
  assert.is((await (outputs[1] as Tensor).data()).length, 0);
  for (const t of [...outputs, nothing, y]) t.dispose();
});
