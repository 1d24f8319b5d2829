/** Recurrent layers against literals of PyTorch, Keras's own test numbers, and their composed versions; their edges. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { Kernel } from '../kernels/kernel.ts';
import { recurrentKernel } from '../kernels/recurrent.ts';
import { recurrentGradientKernel } from '../kernels/recurrent-gradient.ts';
import type { RecurrentCell } from '../kernels/recurrent-shapes.ts';
import {
  arange,
  cast,
  type Device,
  full,
  type GruOptions,
  grad,
  gru,
  type LstmOptions,
  lstm,
  mul,
  type NestedArray,
  type RecurrentResult,
  reshape,
  type SimpleRnnOptions,
  scope,
  setDefaultDevice,
  simpleRnn,
  sum,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { composedRecurrent } from '../src/ops/recurrent-composed.ts';
import { GpuDevice } from '../src/runtime/gpu/gpu-device.ts';
import { families } from './fuzz/recurrent.ts';
import { cpuDevice, isLong, seed, suite, testDevice } from './support/harness.ts';
import { uniforms } from './support/random.ts';
import { runCase } from './support/run-case.ts';
import { close, fails, resultsOf } from './support/values.ts';

interface Listed {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

interface Literal {
  readonly op: 'simpleRnn' | 'lstm' | 'gru';
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, Listed>>;
  readonly weights: readonly Listed[];
  readonly results: readonly Listed[];
  readonly gradients: readonly Listed[];
}

const literals = JSON.parse(
  readFileSync(new URL('literals/recurrent.json', import.meta.url), 'utf8'),
) as readonly Literal[];

type Options = SimpleRnnOptions & LstmOptions & GruOptions;
type Layer = (x: Tensor, options: Options) => RecurrentResult;
const LAYERS = { simpleRnn, lstm, gru } as Readonly<Record<string, Layer>>;

const tensorOf = ({ shape, values }: Listed, requiresGrad = false): Tensor =>
  tensor(Float64Array.from(values), { shape, requiresGrad });

/** Each element within `tolerance`·(1 + |expected|): a result that cancels out keeps the error of its terms. */
const same = (actual: NestedArray, expected: NestedArray, tolerance: number): void =>
  close(actual, expected, { abs: tolerance, rel: tolerance });

const allSame = (
  actual: readonly NestedArray[],
  expected: readonly NestedArray[],
  tolerance: number,
): void => {
  for (const [i, values] of actual.entries()) same(values, expected[i] as NestedArray, tolerance);
};

const flat = (nested: NestedArray): number[] => (nested as NestedArray[]).flat(8) as number[];

/** The initial state as the layers take it. */
const initialOf = (h?: Tensor, c?: Tensor) => (h && c ? [h, c] : h);

const numbers = (shape: readonly number[], next: () => number, scale = 1): Listed => ({
  shape,
  values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
    Math.fround(scale * (2 * next() - 1)),
  ),
});

/** Weights of a layer as Keras's tests have them: constants. */
const constants = (width: number, units: number, gates: number) => ({
  kernel: full([width, gates * units], 0.01),
  recurrentKernel: full([units, gates * units], 0.02),
});

for (const [name, open, tolerance] of [
  // Nine digits in the file; on a GPU a few dozen roundings of 6e-8.
  ['device under test', testDevice, 1e-5],
  ['CPU', async () => cpuDevice(), 1e-6],
] as const) {
  const inner = suite(`recurrent, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  literals.forEach(({ op, options, inputs, weights, results, gradients }, index) => {
    test(`${op} ${JSON.stringify(options)}, literal ${index}`, async () => {
      const actual = await resultsOf(() => {
        const leaves = Object.fromEntries(
          Object.entries(inputs).map(([key, listed]) => [key, tensorOf(listed, true)]),
        );
        const { x, h, c, ...own } = leaves;
        const layer = LAYERS[op] as Layer;
        const made = layer(x as Tensor, { ...own, ...options, initialState: initialOf(h, c) } as Options);
        const outputs = [made.sequences, ...made.state];
        const upstream = weights.map((weight) => tensorOf(weight));
        const given = grad(outputs, Object.values(leaves), { gradients: upstream });
        return [...outputs.map((output) => output.detach()), ...given];
      });
      const expected = [...results, ...gradients];
      assert.is(actual.length, expected.length);
      actual.forEach((values, at) => {
        same(flat(values), [...(expected[at] as Listed).values], tolerance);
      });
    });
  });

  // The numbers of keras/src/layers/rnn/{simple_rnn,lstm,gru}_test.py: all units are equal, and the last h is told.
  const published: readonly (readonly [string, Layer, number, number, object, readonly number[]])[] = [
    ['simpleRnn', simpleRnn as Layer, 4, 3, {}, [0.405432, 0.73605347]],
    ['simpleRnn', simpleRnn as Layer, 4, 3, { goBackwards: true }, [0.11144729, 0.5528889]],
    ['lstm', lstm as Layer, 3, 6, {}, [0.6288687, 0.86899155, 0.9460773]],
    ['lstm', lstm as Layer, 3, 6, { goBackwards: true }, [0.35622165, 0.74789524, 0.8872726]],
    ['lstm', lstm as Layer, 3, 6, { forget: 0.03 }, [0.57019705, 0.8661914, 0.9459622]],
    ['lstm', lstm as Layer, 3, 6, { bias: undefined }, [0.54986924, 0.86226785, 0.9443936]],
    ['gru', gru as Layer, 3, 6, {}, [0.5217289, 0.6371659, 0.39384964]],
    ['gru', gru as Layer, 3, 6, { goBackwards: true }, [0.24406259, 0.611516, 0.3928808]],
    ['gru', gru as Layer, 3, 6, { resetAfter: false }, [0.51447755, 0.6426879, 0.40208298]],
    ['gru', gru as Layer, 3, 6, { bias: undefined }, [0.49988455, 0.64701194, 0.4103359]],
  ];
  for (const [
    op,
    layer,
    units,
    steps,
    { forget = 1, ...options },
    expected,
  ] of published as readonly (readonly [
    string,
    Layer,
    number,
    number,
    { forget?: number; resetAfter?: boolean },
    readonly number[],
  ])[]) {
    test(`Keras's numbers: ${op} ${JSON.stringify(options)} ${op === 'lstm' ? forget : ''}`, async () => {
      const gates = op === 'lstm' ? 4 : op === 'gru' ? 3 : 1;
      const [last] = await resultsOf(() => {
        const x = reshape(arange(4 * steps * expected.length), [expected.length, steps, 4]);
        const columns = gates * units;
        const ofGates = Array.from({ length: columns }, (_, column) =>
          op === 'lstm' && Math.floor(column / units) === 1 ? forget : 0.03,
        );
        const rows = op === 'gru' && options.resetAfter !== false ? 2 : 1;
        const bias = tensor([...ofGates, ...(rows === 2 ? ofGates : [])], {
          shape: rows === 2 ? [2, columns] : [columns],
        });
        return [layer(x, { ...constants(4, units, gates), bias, ...options } as Options).last];
      });
      same(
        last as NestedArray,
        expected.map((value) => Array.from({ length: units }, () => value)),
        1e-6,
      );
    });
  }

  test("Keras's numbers: a mask, and a state that is passed on", async () => {
    const [masked, state] = await resultsOf(() => {
      const x = reshape(arange(24), [2, 4, 3]);
      const mask = cast(
        tensor([
          [1, 1, 0, 1],
          [1, 0, 0, 1],
        ]),
        'bool',
      );
      const own = { ...constants(3, 2, 1), bias: full([2], 0.03) };
      const weights = { ...constants(4, 4, 4), bias: tensor([3, 100, 3, 3].flatMap((v) => full4(v / 100))) };
      const other = reshape(arange(24), [2, 3, 4]);
      const [h, c] = lstm(other, weights).state as [Tensor, Tensor];
      return [
        simpleRnn(x, { ...own, mask }).sequences,
        lstm(other, { ...weights, initialState: [h, c] }).last,
      ];
    });
    const pair = (v: number): number[] => [v, v];
    same(
      masked as NestedArray,
      [
        [0.0599281, 0.15122814, 0.15122814, 0.32394567].map(pair),
        [0.3969304, 0.3969304, 0.3969304, 0.608085].map(pair),
      ],
      1e-6,
    );
    same(state as NestedArray, [full4(0.3124785), full4(0.6863672)], 1e-6);
  });
}

const full4 = (v: number): number[] => [v, v, v, v];

const test = suite('recurrent');

const draw = fc.record({
  cell: fc.constantFrom<RecurrentCell>('simple', 'lstm', 'gru', 'gruReset'),
  batch: fc.constantFrom(1, 2, 3, 17),
  steps: fc.constantFrom(1, 2, 5, 9),
  width: fc.constantFrom(1, 3),
  units: fc.constantFrom(1, 2, 5, 9),
  // Two pairs, for each is a pipeline of its own; the kernel tests draw from all.
  usual: fc.constantFrom(true, true, true, false),
  goBackwards: fc.boolean(),
  initial: fc.boolean(),
  biased: fc.boolean(),
  lengths: fc.boolean(),
  recurrentMask: fc.boolean(),
  parts: fc.constantFrom('sequence', 'states', 'all'),
  seed: fc.nat(),
});

type Draw = typeof draw extends fc.Arbitrary<infer T> ? T : never;

/** Results and gradients: of the layer, or of its composed version on a projection of the same input. */
function runDraw(d: Draw, device: Device, fused: boolean): Tensor[] {
  setDefaultDevice(device);
  const next = uniforms(d.seed);
  const gates = d.cell === 'lstm' ? 4 : d.cell === 'simple' ? 1 : 3;
  const columns = gates * d.units;
  const state = [d.batch, d.units];
  const leaf = (shape: readonly number[], scale: number): Tensor =>
    tensorOf(numbers(shape, next, scale), true);
  const x = leaf([d.batch, d.steps, d.width], 1.5);
  const kernel = leaf([d.width, columns], 1);
  const recurrentKernel = leaf([d.units, columns], 1 / d.units);
  const bias = d.biased ? leaf(d.cell === 'gru' ? [2, columns] : [columns], 0.5) : undefined;
  const h = d.initial ? leaf(state, 1) : undefined;
  const c = d.initial && d.cell === 'lstm' ? leaf(state, 1) : undefined;
  const dropped = d.recurrentMask
    ? tensorOf({ shape: state, values: numbers(state, next).values.map((v) => (v < -0.4 ? 0 : 1.25)) })
    : undefined;
  const lengths = Array.from({ length: d.batch }, () => Math.floor(next() * (d.steps + 1)));
  const { goBackwards } = d;
  const activation = d.usual ? 'tanh' : 'sigmoid';
  const recurrentActivation = d.usual ? 'sigmoid' : 'tanh';
  const weights = [[d.batch, d.steps, d.units], state, state].map((shape) => tensorOf(numbers(shape, next)));
  let outputs: readonly Tensor[];
  if (fused) {
    const options = {
      kernel,
      recurrentKernel,
      bias,
      activation,
      goBackwards,
      initialState: initialOf(h, c),
      recurrentMask: dropped,
      ...(d.lengths && { lengths }),
      ...(d.cell !== 'simple' && { recurrentActivation }),
      ...(d.cell === 'gruReset' && { resetAfter: false }),
    };
    const layer = LAYERS[d.cell === 'simple' ? 'simpleRnn' : d.cell === 'gruReset' ? 'gru' : d.cell] as Layer;
    const { sequences, state: last } = layer(x, options as unknown as Options);
    outputs = [sequences, ...last];
  } else {
    const on = lengths.flatMap((length) =>
      Array.from({ length: d.steps }, (_, t) => Number(!d.lengths || t < length)),
    );
    const mask = cast(tensor(on, { shape: [d.batch, d.steps] }), 'bool');
    const projected = x.matmul(kernel);
    const inputs = {
      x: bias && d.cell !== 'gru' ? projected.add(bias) : projected,
      kernel: recurrentKernel,
      mask,
      ...(bias && d.cell === 'gru' && { bias }),
      ...(dropped && { recurrentMask: dropped }),
      ...(h && { h }),
      ...(c && { c }),
    };
    const {
      sequence,
      h: last,
      c: lastC,
    } = composedRecurrent(inputs, {
      cell: d.cell,
      activation,
      recurrentActivation,
      reversed: goBackwards,
      bias: 'bias' in inputs,
      recurrentMask: dropped !== undefined,
      mask: true,
      initial: h !== undefined,
    });
    outputs = lastC ? [sequence, last, lastC] : [sequence, last];
  }
  const used = outputs
    .map((_, i) => i)
    .filter((i) => d.parts === 'all' || (i === 0) === (d.parts === 'sequence'));
  const leaves = [x, kernel, recurrentKernel, bias, h, c].filter((t) => t !== undefined);
  const gradients = grad(
    used.map((i) => outputs[i] as Tensor),
    leaves,
    { gradients: used.map((i) => weights[i] as Tensor), allowUnused: true },
  );
  return [...outputs.map((output) => output.detach()), ...gradients];
}

test('the layers are their composed versions in float64, with all gradients', async () => {
  const device = await testDevice();
  const property = fc.asyncProperty(draw, async (d) => {
    const expected = await resultsOf(() => runDraw(d, cpuDevice(), false));
    // Sums of some dozens of terms, over up to nine steps, to as many gradients.
    const actual = await resultsOf(() => runDraw(d, device, true));
    assert.is(actual.length, expected.length);
    allSame(actual, expected, 3e-5);
  });
  await fc.assert(property, { seed, numRuns: isLong ? 500 : 40 });
});

const weightsOf = (width: number, units: number, gates: number) => {
  const next = uniforms(3);
  return {
    kernel: tensorOf(numbers([width, gates * units], next)),
    recurrentKernel: tensorOf(numbers([units, gates * units], next)),
  };
};

test('a NaN stays in its row', async () => {
  await testDevice();
  const values = numbers([18, 4, 3], uniforms(5)).values.map((v, i) => (i === 12 * 6 + 4 ? Number.NaN : v));
  for (const [layer, gates] of [
    [simpleRnn, 1],
    [lstm, 4],
    [gru, 3],
  ] as const) {
    const [sequences, dx] = (await resultsOf(() => {
      const x = tensor(Float32Array.from(values), { shape: [18, 4, 3], requiresGrad: true });
      const result = layer(x, weightsOf(3, 5, gates));
      return [result.sequences.detach(), ...grad(sum(result.last), [x])];
    })) as [number[][][], number[][][]];
    sequences.forEach((row, r) => {
      row.forEach((step, t) => {
        assert.is(step.every(Number.isNaN), r === 6 && t >= 1, `${layer.name}, row ${r}, step ${t}`);
      });
      assert.is(
        (dx[r] as number[][]).flat().some(Number.isNaN),
        r === 6,
        `${layer.name}, gradient of row ${r}`,
      );
    });
  }
});

test('no steps leave the state as it is', async () => {
  await testDevice();
  const [sequences, h, c, dh] = await resultsOf(() => {
    const state = [tensor([[1, 2]], { requiresGrad: true }), tensor([[3, 4]])] as const;
    const result = lstm(tensor([], { shape: [1, 0, 3] }), { ...weightsOf(3, 2, 4), initialState: state });
    return [
      result.sequences,
      result.state[0],
      result.state[1],
      ...grad(sum(result.last), [state[0]]),
    ] as Tensor[];
  });
  assert.equal([sequences, h, c, dh], [[[]], [[1, 2]], [[3, 4]], [[1, 1]]]);
});

test('the gradient of every hidden state is handed out', async () => {
  await testDevice();
  let seen: Promise<NestedArray> | undefined;
  const [dx] = await resultsOf(() => {
    const x = tensorOf(numbers([2, 4, 3], uniforms(8)), true);
    const hiddenGradient = (gradient: Tensor): void => {
      assert.equal(gradient.shape, [2, 4, 2]);
      seen = gradient.array();
    };
    const { last } = simpleRnn(x, { ...weightsOf(3, 2, 1), activation: 'linear', hiddenGradient });
    return grad(sum(last), [x]);
  });
  // Of linear steps, the gradient of h(t) is that of h(t + 1) times the transposed recurrent kernel.
  const total = (await (seen as Promise<NestedArray>)) as number[][][];
  const [, u] = (await resultsOf(() => Object.values(weightsOf(3, 2, 1)))) as [unknown, [number, number][]];
  for (const row of total) {
    assert.equal(row[3], [1, 1]);
    for (let t = 0; t < 3; t++) {
      const later = row[t + 1] as [number, number];
      same(
        row[t] as number[],
        u.map(([a, b]) => later[0] * a + later[1] * b),
        1e-6,
      );
    }
  }
  assert.ok(dx);
});

test('second derivatives on the device are those of the CPU device', async () => {
  const device = await testDevice();
  const run = (on: Device): Promise<NestedArray[]> =>
    resultsOf(() => {
      setDefaultDevice(on);
      const x = tensorOf(numbers([2, 3, 2], uniforms(4)), true);
      const { recurrentKernel, kernel } = weightsOf(2, 3, 4);
      recurrentKernel.requiresGrad = true;
      const { last } = lstm(x, { kernel, recurrentKernel });
      const [dx] = grad(sum(last), [x], { createGraph: true }) as [Tensor];
      return grad(sum(mul(dx, dx)), [x, recurrentKernel]);
    });
  const expected = await run(cpuDevice());
  const actual = await run(device);
  allSame(actual, expected, 1e-5);
});

/** What a device gets planned that is no software. */
const asHardware = <Attrs>(kernel: Kernel<Attrs>): Kernel<Attrs> => ({
  ...kernel,
  plan: (inputs, outputs, attrs, traits, variant) =>
    kernel.plan(inputs, outputs, attrs, { ...traits, software: false, subgroupSize: 0 }, variant),
});

for (const variant of ['sequence', 'step']) {
  test(`the workgroups of hardware compute the same: ${variant}`, async () => {
    const device = await testDevice();
    if (!(device instanceof GpuDevice)) return;
    for (const { label, kernel, arbitrary } of families) {
      for (const fuzzCase of fc.sample(arbitrary, { seed, numRuns: isLong ? 40 : 4 }))
        await runCase(device, label, asHardware(kernel), fuzzCase, variant);
    }
  });
}

test('long sequences in several dispatches', async () => {
  const device = await testDevice();
  if (!(device instanceof GpuDevice)) return;
  const next = uniforms(6);
  const input = (shape: readonly number[], scale: number) => ({
    shape,
    dtype: 'float32' as const,
    data: Float32Array.from(numbers(shape, next, scale).values),
  });
  const none = { activation: 'tanh', recurrentActivation: 'sigmoid', bias: false, mask: false } as const;
  const attrs = { ...none, cell: 'lstm', reversed: true, recurrentMask: false, initial: true } as const;
  const state = [1, 256];
  const inputs = [input([1, 70, 1024], 1), input([256, 1024], 1 / 256), input(state, 1), input(state, 1)];
  const back = { ...attrs, ofSequence: true, ofH: false, ofC: false, total: true };
  const given = [inputs[1] as (typeof inputs)[0], input([1, 70, 1280], 0.9), input([1, 70, 256], 1)] as const;
  for (const variant of recurrentKernel.variants) {
    if (!recurrentKernel.supports?.(variant, inputs, attrs, device.traits)) continue;
    const shapes = { abs: 2e-5, rel: 2e-5 };
    await runCase(device, 'recurrent', recurrentKernel, { inputs, attrs, ...shapes }, variant);
    await runCase(
      device,
      'gradient',
      recurrentGradientKernel,
      { inputs: given, attrs: back, ...shapes },
      variant,
    );
  }
});

/** Dispatches of a forward and a backward pass with all gradients. */
async function dispatchesOf(
  device: Device,
  layer: Layer,
  gates: number,
  batch: number,
  units: number,
): Promise<number> {
  await device.idle();
  let count = 0;
  const stop = device.observe({ submit: ({ dispatches }) => void (count += dispatches) });
  const next = uniforms(2);
  const steps = 20;
  const columns = gates * units;
  const shapes = [[batch, steps, 8], [8, columns], [units, columns], gates === 3 ? [2, columns] : [columns]];
  const leaves = shapes.map((shape) => tensorOf(numbers(shape, next, 0.1), true));
  const gradient = tensorOf(numbers([batch, steps, units], next));
  const [x, kernel, recurrentKernel, bias] = leaves as [Tensor, Tensor, Tensor, Tensor];
  scope(() => {
    const { sequences } = layer(x, { kernel, recurrentKernel, bias } as Options);
    grad(sequences, leaves, { gradients: [gradient] });
  });
  await device.idle();
  stop();
  for (const own of [...leaves, gradient]) own.dispose();
  return count;
}

test('the sequence form takes twelve dispatches at most, the step form two for each step and twelve', async () => {
  const device = await testDevice();
  if (!(device instanceof GpuDevice)) return;
  for (const [layer, gates] of [
    [simpleRnn, 1],
    [lstm, 4],
    [gru, 3],
  ] as const) {
    const short = await dispatchesOf(device, layer as Layer, gates, 20, 16);
    assert.ok(short <= 12, `${layer.name}: ${short} dispatches`);
    const long = await dispatchesOf(device, layer as Layer, gates, 2, 200);
    assert.ok(long <= 2 * 20 + 12, `${layer.name}: ${long} dispatches`);
  }
});

test('calls that cannot work say why', async () => {
  await testDevice();
  scope(() => {
    const x = tensorOf(numbers([2, 3, 4], uniforms(1)));
    const weights = weightsOf(4, 5, 4);
    const h = full([2, 5], 0);
    const call = (options: object) => () => lstm(x, { ...weights, ...options } as LstmOptions);
    fails(call({ mask: cast(full([2, 4], 1), 'bool') }), 'shape', /mask/, /\(2, 4\)/, /\(2, 3\)/);
    fails(call({ mask: full([2, 3], 1) }), 'dtype', /mask/, /bool/);
    fails(call({ mask: cast(full([2, 3], 1), 'bool'), lengths: [1, 2] }), 'argument', /both/);
    fails(call({ lengths: [1, 4] }), 'index', /4/);
    fails(call({ lengths: [1, 2, 3] }), 'shape', /lengths/);
    fails(call({ initialState: [h, full([3, 5], 0)] }), 'shape', /initialState/, /\(2, 5\)/);
    fails(call({ initialState: h }), 'argument', /\[h, c\]/);
    fails(call({ activation: 'tahn' }), 'argument', /'tanh'/);
    fails(call({ recurrentActivation: 'hard_sigmoid' }), 'argument', /'hardSigmoid'/);
    fails(call({ goBackward: true }), 'argument', /goBackward/);
    fails(call({ goBackwards: 1 }), 'argument', /true or false/);
    fails(call({ kernel: full([3, 20], 0) }), 'shape', /kernel/, /\(4, 20\)/);
    fails(call({ recurrentKernel: full([5, 15], 0) }), 'shape', /recurrentKernel/, /\(5, 20\)/);
    fails(call({ bias: full([2, 20], 0) }), 'shape', /bias/);
    fails(() => gru(x, { ...weightsOf(4, 5, 3), bias: full([15], 0) }), 'shape', /\(2, 15\)/);
    fails(() => simpleRnn(full([2, 3], 0), weightsOf(3, 5, 1)), 'shape', /\(batch, steps, features\)/);
  });
});
