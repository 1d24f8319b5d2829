/** What goes wrong on a GPU reaches whoever reads next, and nobody else: shaders, invalid dispatches, debug mode. */
import * as assert from 'uvu/assert';
import {
  type AdapterChoice,
  add,
  assign,
  type GpuDevice,
  gather,
  IndexError,
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

/** Rows that an int32 tensor names; `row` 0 and 1 are there. */
const rowOf = (x: Tensor, row: number): Tensor => scope(() => gather(x, tensor([row], { dtype: 'int32' })));

/** What each read says: its values, or the index that it reports. */
const told = (reads: readonly Promise<unknown>[]): Promise<unknown[]> =>
  Promise.all(
    reads.map((read) =>
      read.catch((error: unknown) => {
        if (!(error instanceof IndexError)) throw error;
        return `index ${error.value}`;
      }),
    ),
  );

/** Each step reads the tensor of the given number, or gathers the row of the given number. */
type Program = readonly ({ read: number } | { row: number })[];
const NONE = [Number.NaN];

const programs: [title: string, program: Program, expected: unknown[]][] = [
  ['bad, read, good, read', [{ row: 7 }, { read: 0 }, { row: 1 }, { read: 1 }], ['index 7', [20]]],
  ['good, read, bad, read', [{ row: 0 }, { read: 0 }, { row: 8 }, { read: 1 }], [[10], 'index 8']],
  [
    'bad, read, bad, read, read of the first',
    [{ row: 7 }, { read: 0 }, { row: 8 }, { read: 1 }, { read: 0 }],
    ['index 7', 'index 8', NONE],
  ],
  ['two bad ops, then two reads', [{ row: 7 }, { row: 8 }, { read: 1 }, { read: 0 }], ['index 7', NONE]],
  [
    'an offence is told by the first read behind it, whatever it reads',
    [{ row: 0 }, { row: 9 }, { read: 0 }, { read: 1 }, { row: 1 }, { read: 2 }],
    ['index 9', NONE, [20]],
  ],
];
for (const pause of ['none', 'microtask', 'flush'] as const) {
  for (const [title, program, expected] of programs) {
    test(`reads under way at once: ${title} (pause: ${pause})`, {}, async (device) => {
      const x = tensor([10, 20]);
      const warm = rowOf(x, 0);
      await warm.data();
      const rows: Tensor[] = [];
      const reads: Promise<unknown>[] = [];
      for (const step of program) {
        if ('row' in step) rows.push(rowOf(x, step.row));
        else reads.push((rows[step.read] as Tensor).array());
        if (pause === 'microtask') await null;
        if (pause === 'flush') device.flush();
      }
      assert.equal(await told(reads), expected);
      await device.idle();
      for (const t of [x, warm, ...rows]) t.dispose();
    });
  }
}

test('of many reads at once one tells the offence, in pairs of an op and its read each its own', {}, async (device) => {
  const x = tensor([10, 20]);
  const good = Array.from({ length: 20 }, () => rowOf(x, 1));
  const bad = rowOf(x, 5);
  const reads = [...good, bad].map((row) => row.array());
  assert.equal(await told(reads), ['index 5', ...good.slice(1).map(() => [20]), NONE]);

  // Two batches and more, in any of which the record is copied and cleared many times.
  const pairs = Array.from({ length: 200 }, (_, index) => rowOfPair(x, index));
  assert.equal(
    await told(pairs.map(([, read]) => read)),
    pairs.map((_, index) => (index % 3 === 0 ? `index ${index + 2}` : [10])),
  );
  await device.idle();
  for (const t of [x, bad, ...good, ...pairs.map(([row]) => row)]) t.dispose();
});

/** A gather and its read; every third one is out of range. */
function rowOfPair(x: Tensor, index: number): [Tensor, Promise<unknown>] {
  const row = rowOf(x, index % 3 === 0 ? index + 2 : 0);
  return [row, row.array()];
}

test('idle() tells an offence once, the read in front of it does not', {}, async (device) => {
  const x = tensor([10, 20]);
  const good = rowOf(x, 0);
  const first = good.array();
  const bad = rowOf(x, -3);
  const [idle, again] = [device.idle(), device.idle()];
  assert.equal(await told([first, idle, again, bad.array()]), [[10], 'index -3', undefined, NONE]);
  for (const t of [x, good, bad]) t.dispose();
});

test('an offence before a kernel that does not compile is told all the same', {}, async (device) => {
  const x = tensor([10, 20]);
  const bad = rowOf(x, 6);
  const broken = run(device, kernelOf(pipelineOf('broken', 'nonsense')));
  assert.equal(await told([broken.array()]), ['index 6']);
  await rejects(broken.array(), 'shader');
  for (const t of [x, bad, broken]) t.dispose();
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

test('debug mode tells who used an index out of range, and not of the NaN there', debug, async (device) => {
  const x = tensor([10, 20]);
  const index = tensor([4], { dtype: 'int32' });
  const at = line() + 1;
  const bad = gather(x, index);
  const good = mul(x, 2);
  await rejects(good.data(), 'index', /^gather, called/, /index 4 at position 0/, here(at));
  close(await Promise.all([good.array(), bad.array()]), [[20, 40], NONE] as never);
  await device.idle();
  for (const t of [x, index, bad, good]) t.dispose();
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
