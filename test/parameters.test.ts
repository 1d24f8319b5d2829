/** Parameters, memory in parts, kernels that update in place, and gradients that arrive in flat buffers. */
import * as assert from 'uvu/assert';
import { fillKernel } from '../kernels/fill.ts';
import { averageKernel } from '../kernels/optimizer-flat.ts';
import {
  type AdapterChoice,
  add,
  assign,
  backward,
  cast,
  type Device,
  FlatParameters,
  grad,
  init,
  type Kernel,
  mul,
  noGrad,
  type Operand,
  optimizers,
  Parameter,
  pipelineSpec,
  type Storage,
  scope,
  setDefaultDevice,
  square,
  sum,
  type Tensor,
  tensor,
  wgslModule,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { fails, rejects } from './support/values.ts';

const device = await testDevice();
const devices: readonly Device[] = device === cpuDevice() ? [device] : [cpuDevice(), device];
const test = suite('parameters');

const operand = (on: Device, values: readonly number[]) => {
  const data = on.float === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
  return { storage: on.upload('test', on.float, data), shape: [values.length], dtype: on.float };
};

for (const on of devices) {
  test(`parts lie in the whole, zero with their padding, and keep it alive, on ${on.kind}`, async () => {
    const before = on.memory().tensors;
    // Memory that was dirty before.
    operand(on, new Array<number>(64 * 6).fill(Number.NaN)).storage.release();
    const { whole, parts } = on.allocateParts('test', on.float, [3, 0, 65, 64]);
    assert.equal(
      parts.map(({ count }) => count),
      [3, 0, 65, 64],
    );
    assert.equal([...(await on.read(whole))], new Array(256).fill(0));
    parts.forEach((part, index) => {
      const { storage } = operand(on, new Array<number>(part.count).fill(index + 1));
      if (index === 2) on.write(part, Float64Array.from(new Array(65).fill(3)) as never);
      else on.copy(storage, part);
      storage.release();
    });
    whole.release();
    assert.is(on.memory().tensors, before + 1);
    const [first, , third, last] = parts as [(typeof parts)[0], never, (typeof parts)[0], (typeof parts)[0]];
    first.release();
    assert.equal([...(await on.read(last))], new Array(64).fill(4));
    assert.is((await on.read(third)).length, 65);
    for (const part of parts.slice(1)) part.release();
    assert.is(on.memory().tensors, before);
  });

  test(`a copy or a write into a part leaves its padding alone, on ${on.kind}`, async () => {
    const { whole, parts } = on.allocateParts('test', on.float, [3, 2]);
    const dirty = operand(on, [7, 7, 7, Number.NaN]);
    dirty.storage.release(); // The next block of this size has a NaN behind three elements.
    const three = operand(on, [1, 2, 3]);
    const two = operand(on, [4, 5]);
    on.copy(three.storage, parts[0] as never);
    on.copy(two.storage, parts[1] as never);
    const expected = new Array<number>(128).fill(0);
    expected.splice(0, 3, 1, 2, 3);
    expected.splice(64, 2, 4, 5);
    assert.equal([...(await on.read(whole))], expected);
    for (const storage of [whole, ...parts, three.storage, two.storage]) storage.release();
  });

  test(`a write to the whole is one to its parts, not the reverse, on ${on.kind}`, () => {
    const { whole, parts } = on.allocateParts('test', on.float, [3, 2]);
    const [a, b] = parts as [typeof whole, typeof whole];
    const source = operand(on, [1, 2, 3]);
    const versions = () => [whole.version, a.version, b.version];
    assert.equal(versions(), [0, 0, 0]);
    on.copy(source.storage, a);
    assert.equal(versions(), [0, 1, 0]);
    on.run(
      'fill',
      fillKernel,
      [],
      { shape: [128], dtype: on.float, value: 1 },
      {
        into: [{ storage: whole, shape: [128], dtype: on.float }],
      },
    );
    assert.equal(versions(), [1, 2, 1]);
    on.copy(source.storage, a);
    assert.equal(versions(), [1, 3, 1]);
    for (const storage of [whole, a, b, source.storage]) storage.release();
  });

  test(`a kernel updates existing memory, and refuses to make its own, on ${on.kind}`, async () => {
    const before = on.memory().tensors;
    const values = operand(on, [1, 2, 3]);
    const averages = operand(on, [4, 4, 4]);
    const run = (into?: readonly (typeof values)[]) =>
      on.run('mean', averageKernel, [values], { momentum: 0.5 }, into ? { into } : {});
    assert.equal(
      run([averages]).map(({ storage }) => storage),
      [averages.storage],
    );
    assert.equal([...(await on.read(averages.storage))], [2.5, 3, 3.5]);
    assert.is(averages.storage.version, 1);
    fails(() => run(), 'argument', /mean: averageOfValues updates existing memory; name it with \{ into \}/);
    fails(() => run([]), 'argument', /\{ into \} has nothing for it/);
    fails(() => run([{ ...averages, shape: [1, 3] }]), 'argument', /shape \(3,\).*shape \(1, 3\)/);
    fails(() => run([values]), 'argument', /output 0 of averageOfValues is also an input/);
    for (const { storage } of [values, averages]) storage.release();
    assert.is(on.memory().tensors, before);
  });

  /** Two parameters in flat buffers, and a loss with the gradients 2 w and 3. */
  const pair = () => {
    setDefaultDevice(on);
    const w = new Parameter('w', tensor([1, 2, 3]));
    const b = new Parameter('b', tensor([[5]]));
    const flat = new FlatParameters([w, b]);
    const [chunk] = flat.chunks as [(typeof flat.chunks)[0] & object];
    return {
      w,
      b,
      flat,
      loss: () => add(sum(square(w.value)), mul(sum(b.value), 3)),
      /** The flat gradients at the places of both, and the sum of all, which is theirs if the padding is zero. */
      async gradients(): Promise<number[]> {
        const all = [...(await chunk.gradients.whole.data())];
        const total = all.reduce((before, g) => before + g, 0);
        return [...all.slice(0, 3), all[64] as number, total];
      },
      dispose(): void {
        flat.dispose();
        w.dispose();
        b.dispose();
      },
    };
  };

  test(`values move into flat buffers, under the same tensors, on ${on.kind}`, async () => {
    const { w, b, flat, dispose } = pair();
    const [{ values, blocks, starts }] = flat.chunks as [(typeof flat.chunks)[0] & object];
    const all = [...(await values.data())];
    assert.is(all.length, 128);
    assert.equal([...all.slice(0, 3), all[64]], [1, 2, 3, 5]);
    assert.equal(await b.value.array(), [[5]]);
    assert.equal([...(await blocks.data())], [0, 1]);
    assert.equal([...(await starts.data())], [0, 1, 2]);
    scope(() => noGrad(() => assign(w.value, tensor([7, 8, 9]))));
    assert.is((await values.data())[1], 8);
    dispose();
  });

  test(`backward puts gradients into the flat buffer, adds to them, and starts anew after zeroGrad, on ${on.kind}`, async () => {
    const { w, b, flat, loss, gradients, dispose } = pair();
    scope(() => backward(loss()));
    assert.equal(await gradients(), [2, 4, 6, 3, 15]);
    assert.equal(await (w.grad as Tensor).array(), [2, 4, 6]);
    assert.equal(await (b.grad as Tensor).array(), [[3]]);
    scope(() => backward(loss()));
    assert.equal(await gradients(), [4, 8, 12, 6, 30]);
    const dispatched: string[] = [];
    const stop = on.observe({ dispatch: ({ op }) => dispatched.push(op) });
    flat.zeroGrad();
    stop();
    assert.equal(dispatched, []);
    assert.is(w.grad, null);
    scope(() => backward(loss()));
    assert.equal(await gradients(), [2, 4, 6, 3, 15]);
    dispose();
  });

  test(`with createGraph gradients are ordinary tensors, and collect() puts them into place, on ${on.kind}`, async () => {
    const { w, b, flat, loss, gradients, dispose } = pair();
    const second = scope(() => {
      backward(loss(), { createGraph: true });
      const first = w.grad as Tensor;
      return grad(sum(square(first)), [w.value])[0] as Tensor;
    });
    assert.equal(await second.array(), [8, 16, 24]);
    assert.equal(await gradients(), [0, 0, 0, 0, 0]);
    b.value.grad = tensor([[4]]);
    assert.equal([...flat.collect(flat.chunks[0] as never)], [1, 1]);
    assert.equal(await gradients(), [2, 4, 6, 4, 16]);
    // An ordinary gradient is added to, too.
    scope(() => backward(loss()));
    assert.equal(await gradients(), [4, 8, 12, 7, 31]);
    b.value.grad = null;
    assert.equal([...flat.collect(flat.chunks[0] as never)], [1, 0]);
    second.dispose();
    dispose();
  });

  test(`a backward pass over a weight that was updated since is refused, on ${on.kind}`, () => {
    const { w, b, loss, dispose } = pair();
    const optimizer = optimizers.sgd().build([w, b]);
    scope(() => {
      const stale = loss();
      backward(loss());
      optimizer.step();
      fails(() => backward(stale), 'saved-tensor-modified');
    });
    optimizer.dispose();
    dispose();
  });

  test(`what is not trainable stays out, and what becomes so is not updated, on ${on.kind}`, async () => {
    setDefaultDevice(on);
    const w = new Parameter('w', tensor([1, 2]));
    const frozen = new Parameter('frozen', tensor([3]), { trainable: false });
    const later = new Parameter('later', tensor([4]));
    const optimizer = optimizers.sgd({ learningRate: 1 }).build([w, frozen, later]);
    later.trainable = false;
    scope(() => backward(sum(mul(w.value, mul(frozen.value, later.value)))));
    assert.is(frozen.grad, null);
    optimizer.step();
    assert.equal(await w.value.array(), [-11, -10]);
    assert.equal(await frozen.value.array(), [3]);
    assert.equal(await later.value.array(), [4]);
    optimizer.dispose();
    for (const parameter of [w, frozen, later]) parameter.dispose();
  });

  test(`empty parameters and scalars take part, on ${on.kind}`, async () => {
    setDefaultDevice(on);
    const list = [zeros([0, 3], { requiresGrad: true }), tensor(2, { requiresGrad: true })];
    const [empty, scalar] = list as [Tensor, Tensor];
    const optimizer = optimizers.adam({ globalClipNorm: 1 }).build(list);
    scope(() => backward(add(sum(square(empty)), square(scalar))));
    optimizer.step();
    assert.ok(Math.abs((await scalar.item()) - 1.999) < 1e-6);
    const state = optimizer.exportState();
    assert.equal(state.tensors['parameter0/velocity']?.shape, [0, 3]);
    for (const x of Object.values(state.tensors)) x.dispose();
    optimizer.dispose();
    for (const x of list) x.dispose();
  });

  test(`parameters outlive their flat buffers, and move on into others, on ${on.kind}`, async () => {
    const { w, b, flat, dispose } = pair();
    const first = optimizers.sgd().build(flat);
    const next = optimizers.sgd({ learningRate: 1 }).build([w, b]);
    scope(() => backward(sum(square(w.value))));
    fails(() => first.step(), 'argument', /'w' was moved into other flat buffers since/);
    next.step();
    assert.equal(await w.value.array(), [-1, -2, -3]);
    first.dispose();
    next.dispose();
    flat.dispose();
    scope(() => backward(sum(square(w.value))));
    w.value.grad = null;
    scope(() => backward(sum(square(w.value))));
    assert.equal(await w.value.array(), [-1, -2, -3]);
    assert.equal(await (w.grad as Tensor).array(), [-2, -4, -6]);
    dispose();
  });
}

const broken = wgslModule('broken', 'this is no WGSL');
const brokenKernel: Kernel<undefined> = {
  name: 'broken',
  variants: ['only'],
  infer: () => [{ shape: [4], dtype: 'float32' }],
  plan: () => ({
    steps: [
      {
        pipeline: pipelineSpec(broken, 'main', ['write'], 4),
        buffers: ['out0'],
        uniforms: new Uint32Array(4),
        workgroups: [1, 1, 1],
      },
    ],
  }),
  reference: () => {},
};

const faults = 'a part that could not be computed spoils the whole, whatever is written into other parts';
if (device.kind === 'cpu') test.skip(faults, 'the CPU device compiles nothing');
else {
  test(faults, async () => {
    const own = await init({ adapter: (process.env.WGRAD_ADAPTER || 'swiftshader') as AdapterChoice });
    const { whole, parts } = own.allocateParts('test', 'float32', [4, 4]);
    const [bad] = own.run('mine', brokenKernel, [], undefined) as [Operand];
    const good = operand(own, [1, 2, 3, 4]);
    own.copy(bad.storage, parts[0] as Storage);
    own.copy(good.storage, parts[1] as Storage);
    await rejects(own.read(whole), 'shader');
    own.write(parts[1] as Storage, Float32Array.of(5, 6, 7, 8));
    await rejects(own.read(whole), 'shader');
    own.write(whole, new Float32Array(128).fill(2));
    assert.equal([...(await own.read(parts[0] as Storage))], [2, 2, 2, 2]);
    own.destroy();
  });
}

test('what cannot be a parameter is refused', () => {
  setDefaultDevice(device);
  const x = tensor([1, 2]);
  const whole = cast(x, 'int32');
  const leaf = tensor([1], { requiresGrad: true });
  fails(() => new Parameter('', x), 'argument', /the name is ''; pass a text/);
  fails(() => new Parameter('w', 3 as never), 'argument', /3 is not a tensor/);
  fails(() => new Parameter('w', whole), 'dtype', /'w': int32 cannot be trained; cast it to float first/);
  fails(() => new Parameter('w', x, { trainabel: true } as never), 'argument', /no option 'trainabel'/);
  scope(() => fails(() => new Parameter('w', square(leaf)), 'not-a-leaf', /result of square.*detach/));
  const w = new Parameter('w', x);
  fails(() => new FlatParameters([]), 'argument', /no parameter is trainable/);
  fails(() => new FlatParameters([w, new Parameter('w', leaf)]), 'argument', /two parameters are named 'w'/);
  fails(() => new FlatParameters([w, new Parameter('v', x)]), 'argument', /'v' has the tensor of another/);
  fails(() => {
    w.trainable = 1 as never;
  }, 'argument');
  for (const own of [x, whole, leaf]) own.dispose();
  fails(() => new FlatParameters([w]), 'disposed', /FlatParameters: 'w'/);
});

test('a parameter of a scope lives on, and one of another device is refused', async () => {
  if (devices.length < 2) return;
  const parameters = devices.map((on, index) =>
    scope(() => {
      setDefaultDevice(on);
      const parameter = new Parameter(`w${index}`, tensor([1]));
      return { parameter };
    }),
  );
  const [a, b] = parameters.map(({ parameter }) => parameter) as [Parameter, Parameter];
  assert.equal(await a.value.array(), [1]);
  fails(() => new FlatParameters([a, b]), 'device-mismatch', /'w1' lives on .* use one device/);
  a.dispose();
  b.dispose();
});
