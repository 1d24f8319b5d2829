/** Optimizers and schedules against Keras 3's formulas, over several batches and buffers, saved and gone on with, and called wrongly. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import {
  assign,
  backward,
  type Device,
  FlatParameters,
  mean,
  mul,
  noGrad,
  optimizers,
  Parameter,
  type ParameterOptions,
  schedules,
  scope,
  setDefaultDevice,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  zeros,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { uniforms } from './support/random.ts';
import { close, fails } from './support/values.ts';

type Optimizer = optimizers.Optimizer;
type Values = Readonly<Record<'kernel' | 'bias', readonly number[]>>;

interface Run {
  readonly optimizer: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly values: Readonly<Record<string, Values>>;
  readonly average?: Values;
}

const literals = JSON.parse(readFileSync(new URL('literals/optimizers.json', import.meta.url), 'utf8')) as {
  readonly start: Values;
  readonly target: Values;
  readonly stiffness: Values;
  readonly shapes: Readonly<Record<'kernel' | 'bias', readonly number[]>>;
  readonly factors: readonly number[];
  readonly runs: readonly Run[];
  readonly schedules: readonly {
    readonly schedule: string;
    readonly options: Readonly<Record<string, unknown>>;
    readonly rates: readonly number[];
  }[];
  readonly plateaus: readonly {
    readonly options: schedules.PlateauOptions;
    readonly metrics: readonly number[];
    readonly rate: number;
    readonly rates: readonly number[];
  }[];
};

const NAMES = ['kernel', 'bias'] as const;
type Make = (options: object) => Optimizer;
const make = optimizers as unknown as Readonly<Record<string, Make>>;
const makeSchedule = schedules as unknown as Readonly<
  Record<string, (options: object) => schedules.Schedule>
>;

/** The options of a literal run as this project takes them. */
function optionsOf({ learningRate, factors, excluded, ...rest }: Run['options']): object {
  const rateOf = factors as Readonly<Record<string, number>> | undefined;
  return {
    ...rest,
    ...(typeof learningRate === 'object' && { learningRate: schedules.fromJson(learningRate as never) }),
    ...(typeof learningRate === 'number' && { learningRate }),
    ...(rateOf && { learningRateFactor: (name: string) => rateOf[name] ?? 1 }),
    ...(excluded ? { excludeFromWeightDecay: excluded } : {}),
  };
}

/** The parameters of the literals, with the loss whose gradients they were made from. */
class Problem {
  readonly parameters: readonly Parameter[];
  readonly #target: Tensor[];
  readonly #stiffness: Tensor[];

  constructor(device: Device) {
    setDefaultDevice(device);
    const all = (values: Values): Tensor[] =>
      NAMES.map((name) => tensor(Float64Array.from(values[name]), { shape: literals.shapes[name] }));
    this.parameters = all(literals.start).map((value, index) => new Parameter(NAMES[index] as string, value));
    this.#target = all(literals.target);
    this.#stiffness = all(literals.stiffness);
  }

  /** The gradients of step t, counted from 1, of some of the parameters. */
  backward(t: number, ...indices: number[]): void {
    for (const index of indices.length > 0 ? indices : [0, 1]) {
      scope(() => {
        const difference = sub((this.parameters[index] as Parameter).value, this.#target[index] as Tensor);
        const losses = mul(this.#stiffness[index] as Tensor, square(difference));
        backward(mul(sum(losses), 0.5 * (literals.factors[(t - 1) % 20] as number)));
      });
    }
  }

  train(optimizer: Optimizer, from: number, to: number): void {
    for (let t = from; t <= to; t++) {
      this.backward(t);
      optimizer.step();
      optimizer.zeroGrad();
    }
  }

  async values(): Promise<number[][]> {
    return Promise.all(this.parameters.map(async ({ value }) => [...(await value.data())]));
  }

  dispose(): void {
    for (const parameter of this.parameters) parameter.dispose();
    for (const x of [...this.#target, ...this.#stiffness]) x.dispose();
  }
}

const listed = (values: Values): number[][] => NAMES.map((name) => [...values[name]]);

/** The literals have 9 digits; on a GPU, 20 steps in float32 are within 1e-4 (and 1e-6 of where a weight passes zero). */
const closeness = (device: Device) =>
  device.kind === 'cpu' ? { rel: 1e-6, abs: 1e-9 } : { rel: 1e-4, abs: 1e-6 };

const device = await testDevice();
const devices: readonly Device[] = device === cpuDevice() ? [device] : [cpuDevice(), device];
const test = suite('optimizers');

for (const on of devices) {
  for (const run of literals.runs) {
    test(`${run.optimizer} ${JSON.stringify(run.options)} on ${on.kind}`, async () => {
      const problem = new Problem(on);
      const optimizer = (make[run.optimizer] as Make)(optionsOf(run.options)).build(problem.parameters);
      problem.train(optimizer, 1, 1);
      close(await problem.values(), listed(run.values['1'] as Values), closeness(on));
      problem.train(optimizer, 2, 20);
      close(await problem.values(), listed(run.values['20'] as Values), closeness(on));
      if (run.average) {
        optimizer.finalize();
        close(await problem.values(), listed(run.average), closeness(on));
      }
      optimizer.dispose();
      problem.dispose();
    });
  }
}

test('every optimizer and every schedule has literals', () => {
  const functions = (namespace: object): string[] =>
    Object.entries(namespace)
      .filter(([name, value]) => typeof value === 'function' && !/^[A-Z]/.test(name))
      .map(([name]) => name)
      .sort();
  assert.equal(functions(optimizers), [...new Set(literals.runs.map(({ optimizer }) => optimizer))].sort());
  const named = [
    ...new Set(literals.schedules.map(({ schedule }) => schedule)),
    'fromJson',
    'reduceOnPlateau',
  ];
  assert.equal(functions(schedules), named.sort());
});

for (const { schedule, options, rates } of literals.schedules) {
  test(`${schedule} ${JSON.stringify(options)}`, () => {
    const inner = options.schedule;
    const made = (makeSchedule[schedule] as (options: object) => schedules.Schedule)({
      ...options,
      ...(typeof inner === 'object' ? { schedule: schedules.fromJson(inner as never) } : {}),
    });
    const all = (rate: schedules.Schedule): number[] => rates.map((_, step) => rate(step));
    // A cosine near its end is small against its start.
    close(all(made), [...rates], { rel: 1e-8, abs: 1e-12 });
    assert.equal(all(schedules.fromJson(JSON.parse(JSON.stringify(made)))), all(made));
  });
}

for (const { options, metrics, rate, rates } of literals.plateaus) {
  test(`reduceOnPlateau ${JSON.stringify(options)}`, () => {
    let plateau = schedules.reduceOnPlateau(options);
    let current = rate;
    const found = metrics.map((metric, index) => {
      if (index === 17) {
        const state = JSON.parse(JSON.stringify(plateau)) as schedules.PlateauState;
        plateau = schedules.reduceOnPlateau(options);
        plateau.load(state);
      }
      current = plateau.update(metric, current);
      return current;
    });
    close(found, [...rates], 1e-8);
    assert.ok((rates.at(-1) as number) < rate);
  });
}

/** So many leaves of different sizes. */
const leaves = (count: number): Tensor[] =>
  Array.from({ length: count }, (_, index) =>
    tensor(
      Float64Array.from({ length: 1 + 3 * index }, (_, at) => ((at * 7 + index) % 11) / 4 - 1),
      {
        requiresGrad: true,
      },
    ),
  );

const giveGradients = (list: readonly Tensor[]): void => {
  for (const w of list) scope(() => backward(sum(square(w))));
};

for (const [clip, dispatches] of [
  [{}, 1],
  [{ clipValue: 1 }, 1],
  [{ clipNorm: 1 }, 3],
  [{ globalClipNorm: 1 }, 3],
] as const) {
  const title = `an Adam step over 100 tensors with ${JSON.stringify(clip)} is ${dispatches} dispatches and no copy`;
  if (device.kind === 'cpu') test.skip(title, 'the CPU device records nothing');
  else {
    test(title, async () => {
      const list = scope(() => leaves(100));
      const optimizer = optimizers.adam(clip).build(list);
      giveGradients(list);
      optimizer.step();
      await device.idle();
      let counted = [0, 0];
      const stop = device.observe({
        submit: (info) => {
          counted = [(counted[0] as number) + info.dispatches, (counted[1] as number) + info.copies];
        },
      });
      optimizer.step();
      optimizer.zeroGrad();
      await device.idle();
      stop();
      assert.equal(counted, [dispatches, 0]);
      optimizer.dispose();
      for (const w of list) w.dispose();
    });
  }
}

for (const on of devices) {
  test(`several flat buffers give what one gives, also for the norm of all, on ${on.kind}`, async () => {
    const results: number[][][] = [];
    for (const maxBytes of [1 << 20, 64 * (on.kind === 'cpu' ? 8 : 4)]) {
      const problem = new Problem(on);
      const flat = new FlatParameters(problem.parameters, { maxBytes });
      assert.is(flat.chunks.length, maxBytes === 1 << 20 ? 1 : 2);
      const optimizer = optimizers
        .adam({ learningRate: 0.1, globalClipNorm: 0.5, gradientAccumulationSteps: 2, useEma: true })
        .build(flat);
      problem.train(optimizer, 1, 6);
      results.push(await problem.values());
      optimizer.dispose();
      flat.dispose();
      problem.dispose();
    }
    close(results[1] as number[][], results[0] as number[][], 1e-6);
  });

  for (const [name, options] of [
    ['sgd', { momentum: 0.9, nesterov: true, decay: 0.1 }],
    ['rmsprop', { centered: true, momentum: 0.5 }],
    ['adam', { amsgrad: true, clipNorm: 1, useEma: true, emaOverwriteFrequency: 3 }],
    ['nadam', { gradientAccumulationSteps: 3 }],
    ['ftrl', {}],
    ['adamax', { learningRate: schedules.warmup({ schedule: 0.1, steps: 9 }) }],
  ] as const) {
    test(`${name} ${JSON.stringify(options)} goes on bit for bit from its saved state, on ${on.kind}`, async () => {
      const problem = new Problem(on);
      const create = make[name] as Make;
      const optimizer = create({ learningRate: 0.05, ...options }).build(problem.parameters);
      problem.train(optimizer, 1, 7);
      const state = optimizer.exportState();
      const json = JSON.parse(JSON.stringify(state.json)) as typeof state.json;
      const saved = await problem.values();
      problem.train(optimizer, 8, 14);
      const expected = await problem.values();
      optimizer.dispose();
      problem.dispose();

      const second = new Problem(on);
      second.parameters.forEach(({ value }, index) => {
        noGrad(() => assign(value, Float64Array.from(saved[index] as number[])));
      });
      const again = create({ learningRate: 0.7, ...options }).build(second.parameters);
      again.importState({ tensors: state.tensors, json });
      assert.is(again.iterations, Math.floor(7 / ('gradientAccumulationSteps' in options ? 3 : 1)));
      second.train(again, 8, 14);
      assert.equal(await second.values(), expected);
      again.dispose();
      second.dispose();
      for (const slot of Object.values(state.tensors)) slot.dispose();
    });
  }

  test(`parameters without a gradient stay as they are, with their slots, on ${on.kind}`, async () => {
    const problem = new Problem(on);
    const optimizer = optimizers
      .adamw({ learningRate: 0.1, clipNorm: 0.1, weightDecay: 0.5 })
      .build(problem.parameters);
    problem.train(optimizer, 1, 2);
    const before = await problem.values();
    const slotsOf = async (): Promise<number[]> => {
      const { tensors } = optimizer.exportState();
      const slot = [...(await (tensors['bias/velocity'] as Tensor).data())];
      for (const x of Object.values(tensors)) x.dispose();
      return slot;
    };
    const slots = await slotsOf();
    problem.backward(3, 0);
    optimizer.step();
    const after = await problem.values();
    assert.equal(after[1], before[1]);
    assert.equal(await slotsOf(), slots);
    assert.not.equal(after[0], before[0]);
    optimizer.zeroGrad();
    problem.train(optimizer, 4, 4);
    assert.not.equal((await problem.values())[1], after[1]);
    optimizer.dispose();
    problem.dispose();
  });

  test(`a NaN in one gradient stays in its tensor, but the norm of all carries it on, on ${on.kind}`, async () => {
    for (const [clip, spreads] of [
      [{}, false],
      [{ clipValue: 1 }, false],
      [{ clipNorm: 1 }, false],
      [{ globalClipNorm: 1 }, true],
    ] as const) {
      const problem = new Problem(on);
      const optimizer = optimizers.adam({ amsgrad: true, ...clip }).build(problem.parameters);
      problem.backward(1);
      const [kernel] = problem.parameters as [Parameter];
      kernel.value.grad = tensor(new Float64Array(12).fill(Number.NaN), { shape: [3, 4] });
      optimizer.step();
      const [w, b] = (await problem.values()) as [number[], number[]];
      assert.ok(w.every(Number.isNaN), JSON.stringify(clip));
      assert.is(b.every(Number.isNaN), spreads, JSON.stringify(clip));
      assert.is(b.some(Number.isNaN), spreads, JSON.stringify(clip));
      optimizer.dispose();
      problem.dispose();
    }
  });

  test(`a regression with Adam converges, and memory stays flat over 200 steps, on ${on.kind}`, async () => {
    setDefaultDevice(on);
    const count = 64;
    const next = uniforms(1);
    const x = tensor(
      Float64Array.from({ length: 2 * count }, () => 4 * next() - 2),
      { shape: [count, 2] },
    );
    const rows = (await x.data()) as ArrayLike<number>;
    const truth = (row: number): number =>
      1.5 * (rows[2 * row] as number) - 2 * (rows[2 * row + 1] as number) + 0.5;
    const y = tensor(Float64Array.from({ length: count }, (_, row) => truth(row)));
    const w = zeros([2], { requiresGrad: true });
    const b = zeros([], { requiresGrad: true });
    const optimizer = optimizers.adam({ learningRate: 0.2 }).build([w, b]);
    const used: unknown[] = [];
    let loss = Number.NaN;
    for (let step = 0; step < 200; step++) {
      const value = scope(() => {
        const predicted = sum(mul(x, w), { axis: 1 });
        const error = mean(square(sub(sub(y, b), predicted)));
        backward(error);
        return error;
      });
      optimizer.step();
      optimizer.zeroGrad();
      if (step % 50 === 49) {
        loss = await value.item();
        value.dispose();
        used.push(on.memory());
      } else value.dispose();
    }
    assert.ok(loss < 1e-4, `the loss is ${loss}`);
    close(await w.array(), [1.5, -2], 0.02);
    close(await b.item(), 0.5, 0.02);
    // The first 50 steps fill the pool and the caches.
    assert.equal(used.slice(2), [used[1], used[1]]);
    optimizer.dispose();
    for (const own of [x, y, w, b]) own.dispose();
  });

  test(`a constraint is kept after each step, on ${on.kind}`, async () => {
    setDefaultDevice(on);
    const options: ParameterOptions = { constraint: (value) => mul(value, 0) };
    const parameter = new Parameter('w', tensor([1, 2]), options);
    const optimizer = optimizers.sgd().build([parameter]);
    scope(() => backward(sum(square(parameter.value))));
    optimizer.step();
    assert.equal(await parameter.value.array(), [0, 0]);
    optimizer.dispose();
    parameter.dispose();
  });
}

test('numbers that make no sense are refused with what to pass', () => {
  const wrong: [call: () => unknown, part: RegExp][] = [
    [
      () => optimizers.sgd({ learningRate: Number.NaN }),
      /sgd: learningRate is NaN; pass a finite number ≥ 0/,
    ],
    [() => optimizers.adam({ learningRate: -1 }), /adam: learningRate is -1/],
    [() => optimizers.sgd({ momentum: 1 }), /momentum is 1; pass a finite number ≥ 0 and < 1/],
    [() => optimizers.sgd({ momentum: -0.1 }), /momentum is -0.1/],
    [() => optimizers.sgd({ decay: -1 }), /decay is -1/],
    [() => optimizers.sgd({ nesterov: 1 as never }), /nesterov is 1; pass true or false/],
    [() => optimizers.adam({ weightDecay: -0.1 }), /weightDecay is -0.1/],
    [() => optimizers.adam({ beta2: 1 }), /beta2 is 1/],
    [() => optimizers.adam({ epsilon: 0 }), /epsilon is 0; pass a finite number > 0/],
    [() => optimizers.rmsprop({ rho: Infinity }), /rho is Infinity/],
    [() => optimizers.adagrad({ initialAccumulatorValue: -1 }), /initialAccumulatorValue is -1/],
    [() => optimizers.ftrl({ learningRatePower: 0.5 }), /learningRatePower is 0.5; pass a finite number ≤ 0/],
    [() => optimizers.adam({ clipNorm: 0 }), /clipNorm is 0; pass a finite number > 0/],
    [() => optimizers.adam({ clipNorm: 1, clipValue: 1 }), /clipNorm and clipValue are given; choose one/],
    [() => optimizers.adam({ emaMomentum: 1 }), /emaMomentum is 1/],
    [
      () => optimizers.adam({ gradientAccumulationSteps: 1.5 }),
      /gradientAccumulationSteps is 1.5; pass a whole/,
    ],
    [
      () => optimizers.adam({ excludeFromWeightDecay: 'bias' as never }),
      /'bias'; pass a list of texts or patt/,
    ],
    [() => optimizers.adam({ learningRateFactor: 2 as never }), /learningRateFactor is 2; pass a function/],
    [() => optimizers.adam({ lr: 1 } as never), /adam: no option 'lr'; it takes learningRate/],
    [() => optimizers.adamw(0.1 as never), /adamw: 0.1 stands where an options object is expected/],
    [
      () => schedules.cosineDecay({ initialLearningRate: 0.1, decaySteps: 0 }),
      /decaySteps is 0; pass a finite/,
    ],
    [() => schedules.piecewiseConstantDecay({ boundaries: [1], values: [1] }), /one value more/],
    [
      () => schedules.piecewiseConstantDecay({ boundaries: [3, 3], values: [1, 2, 3] }),
      /boundaries\[1\] is 3; pass a finite number > 3/,
    ],
    [
      () => schedules.fromJson({ schedule: 'cosine', options: {} }),
      /no schedule 'cosine'\. .*There are expon/,
    ],
    [() => schedules.fromJson({ schedule: 'cosinedecay', options: {} }), /Did you mean 'cosineDecay'\?/],
    [() => schedules.fromJson({ schedule: 'constructor', options: {} }), /no schedule 'constructor'/],
    [() => schedules.fromJson(null as never), /fromJson: null; pass what/],
    [
      () =>
        schedules.fromJson({
          schedule: 'oneCycle',
          options: { maxLearningRate: 1, totalSteps: 5, warmUp: 1 },
        }),
      /oneCycle: no option 'warmUp'/,
    ],
    [() => schedules.reduceOnPlateau({ factor: 1 }), /factor is 1/],
    [() => schedules.reduceOnPlateau({ mode: 'auto' as never }), /mode is 'auto'; pass 'min' or 'max'/],
  ];
  for (const [call, part] of wrong) fails(call, 'argument', part);
});

test("a rate of the user's own is used, and stays after an import; patterns choose what decays", async () => {
  setDefaultDevice(device);
  const names = ['dense.kernel', 'dense.bias'];
  const parameters = names.map((name) => new Parameter(name, tensor([1])));
  const optimizer = optimizers.sgd({
    learningRate: (step) => 0.5 / (1 + step),
    weightDecay: 0.5,
    excludeFromWeightDecay: [/bias$/],
  });
  optimizer.build(parameters);
  for (let step = 0; step < 2; step++) {
    for (const { value } of parameters) scope(() => backward(mul(sum(value), 0)));
    optimizer.step();
  }
  const values = await Promise.all(parameters.map(({ value }) => value.item()));
  close(values, [(1 - 0.25) * (1 - 0.125), 1]);
  const state = optimizer.exportState();
  assert.is(state.json.learningRate, null);
  assert.equal(state.tensors, {});
  optimizer.importState(state);
  close(optimizer.learningRate, 0.5 / 3);
  optimizer.dispose();
  for (const parameter of parameters) parameter.dispose();
});

test('calls in the wrong order, and states of something else, are refused', async () => {
  setDefaultDevice(device);
  const optimizer = optimizers.adam();
  fails(() => optimizer.step(), 'argument', /call build\(parameters\) before step\(\)/);
  const w = tensor([1, 2], { requiresGrad: true });
  const plain = tensor([1]);
  fails(() => optimizers.adam().build([plain]), 'argument', /item 0 .* requiresGrad/);
  const factor = optimizers.adam({ learningRateFactor: () => -1 });
  fails(() => factor.build([w]), 'argument', /learningRateFactor of 'parameter0' is -1/);
  fails(() => factor.step(), 'argument', /call build/);
  optimizer.build([w]);
  fails(() => optimizer.build([w]), 'argument', /already built/);
  fails(() => optimizer.step(), 'argument', /no parameter has a gradient; call backward\(\)/);
  giveGradients([w]);
  optimizer.learningRate = schedules.warmup({
    schedule: Object.assign(() => Number.NaN, schedules.warmup({ schedule: 1, steps: 1 })),
    steps: 0,
  });
  fails(() => optimizer.step(), 'argument', /the schedule's rate at step 0 is NaN/);
  optimizer.learningRate = 0.1;
  optimizer.step();
  const state = optimizer.exportState();
  const twins = [
    [1, 2],
    [1, 2, 3],
    [1, 2],
  ].map((list) => new Parameter('parameter0', tensor(list)));
  const other = optimizers.adam({ amsgrad: true }).build(twins.slice(0, 1));
  fails(() => other.importState(state), 'argument', /lacks 'parameter0\/velocityHat'/);
  const longer = optimizers.adam().build(twins.slice(1, 2));
  fails(
    () => longer.importState(state),
    'shape',
    /'parameter0\/momentum' has shape \(2,\), the parameter \(3,\)/,
  );
  const lion = optimizers.lion().build(twins.slice(2));
  fails(() => lion.importState(state), 'argument', /the state is that of 'adam', this is 'lion'/);
  for (const own of [optimizer, other, longer, lion]) own.dispose();
  for (const x of [w, plain, ...twins, ...Object.values(state.tensors)]) x.dispose();
});
