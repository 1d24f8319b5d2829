/**
 * Numeric gradient checks: the Jacobian by central differences against the one that backward computes, in float64 on
 * the CPU device. A GPU's gradient is compared with the CPU device's.
 */
import { isFloat } from '../core/dtype.ts';
import { AutogradError, GradcheckRefusal } from '../core/errors.ts';
import { defaultGenerator } from '../core/generator.ts';
import { formatShape } from '../core/shape.ts';
import { CpuDevice } from '../runtime/cpu-device.ts';
import { grad } from './backward.ts';
import { scope } from './scope.ts';
import { Tensor } from './tensor.ts';

export type Differentiable = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

export interface GradcheckOptions {
  /** Half the distance of the two evaluations of a difference. Default: 1e-6. */
  eps?: number;
  /** Default: 1e-5. */
  atol?: number;
  /** Default: 1e-3. */
  rtol?: number;
  /** Compare one random projection of the Jacobian per input instead of all of it. Default: false. */
  fast?: boolean;
}

/** What one input's check found. */
export interface InputReport {
  readonly input: number;
  readonly maxAbsError: number;
  readonly maxRelError: number;
  /** Where the largest excess over the tolerance is: the output, its element, and the input's element. */
  readonly worst: {
    output: number;
    outputElement: number;
    inputElement: number;
    analytic: number;
    numeric: number;
  };
  readonly ok: boolean;
}

export interface GradcheckResult {
  readonly ok: boolean;
  readonly maxAbsError: number;
  readonly maxRelError: number;
  readonly inputs: readonly InputReport[];
}

const refuse = (code: string, message: string): never => {
  throw new GradcheckRefusal(code, `gradcheck: ${message}`);
};

const list = (value: Tensor | readonly Tensor[]): readonly Tensor[] =>
  value instanceof Tensor ? [value] : value;

/** A copy of host values as a leaf on the CPU device. */
function leaf(device: CpuDevice, like: Tensor, values: Float64Array | null): Tensor {
  const data = values ?? device.peek(like.storage);
  const storage = device.upload('gradcheck', like.dtype, data);
  const tensor = Tensor.adopt({ storage, shape: like.shape, dtype: like.dtype }, 'gradcheck');
  if (values) tensor.requiresGrad = true;
  return tensor;
}

/** The function on plain arrays, with its differentiable inputs and outputs. */
class Probe {
  readonly #f: Differentiable;
  readonly #device: CpuDevice;
  readonly #inputs: readonly Tensor[];
  /** Which inputs are differentiated. */
  readonly wanted: readonly number[];
  readonly points: readonly Float64Array[];

  constructor(f: Differentiable, inputs: readonly Tensor[]) {
    const device = inputs[0]?.device;
    if (!(device instanceof CpuDevice) || inputs.some((input) => input.device !== device)) {
      refuse('device', 'the inputs must live on one CPU device, where float64 makes differences meaningful.');
    }
    this.#f = f;
    this.#device = device as CpuDevice;
    this.#inputs = inputs;
    this.wanted = inputs.flatMap((input, index) =>
      input.requiresGrad && isFloat(input.dtype) ? [index] : [],
    );
    if (this.wanted.length === 0) {
      refuse(
        'no-differentiable-input',
        'no input requires a gradient; create one with { requiresGrad: true }.',
      );
    }
    this.points = this.wanted.map((index) =>
      Float64Array.from(this.#device.peek((inputs[index] as Tensor).storage)),
    );
  }

  get device(): CpuDevice {
    return this.#device;
  }

  #leaves(): Tensor[] {
    return this.#inputs.map((input, index) => {
      const position = this.wanted.indexOf(index);
      return leaf(this.#device, input, position < 0 ? null : (this.points[position] as Float64Array));
    });
  }

  /** All float outputs at the current points, one after another. */
  values(): Float64Array[] {
    return scope(() => {
      const outputs = list(this.#f(...this.#leaves())).filter((output) => isFloat(output.dtype));
      return outputs.map((output) => Float64Array.from(this.#device.peek(output.storage)));
    });
  }

  /** Calls `use` with a function that maps output gradients to input gradients. */
  withBackward<T>(use: (pull: (cotangents: readonly Float64Array[]) => Float64Array[]) => T): T {
    return scope(() => {
      const leaves = this.#leaves();
      const outputs = list(this.#f(...leaves)).filter((output) => isFloat(output.dtype));
      const tracked = outputs.map((output) => output.requiresGrad);
      if (!tracked.some(Boolean)) {
        refuse('no-differentiable-output', 'no output depends on an input that requires a gradient.');
      }
      const inputs = this.wanted.map((index) => leaves[index] as Tensor);
      return use((cotangents) =>
        scope(() => {
          const roots = outputs.filter((_, index) => tracked[index]);
          const seeds = cotangents.filter((_, index) => tracked[index]);
          const gradients = roots.map((output, index) => {
            const values = seeds[index] as Float64Array;
            const storage = this.#device.upload('gradcheck', 'float64', values);
            return Tensor.adopt({ storage, shape: output.shape, dtype: 'float64' }, 'gradcheck');
          });
          const options = { gradients, retainGraph: true, allowUnused: true };
          return grad(roots, inputs, options).map((g) => Float64Array.from(this.#device.peek(g.storage)));
        }),
      );
    });
  }
}

function checkBase(probe: Probe): Float64Array[] {
  const before = defaultGenerator.counter;
  const first = probe.values();
  if (defaultGenerator.counter !== before) {
    refuse(
      'random',
      'the function draws random numbers (active dropout?); fix the mask, or switch to inference.',
    );
  }
  const second = probe.values();
  first.forEach((values, output) => {
    values.forEach((value, index) => {
      if (!Number.isFinite(value))
        refuse('non-finite', `output ${output} is ${value} at element ${index} of the base point.`);
      if (value !== second[output]?.[index]) {
        refuse(
          'nondeterministic',
          `output ${output} gave ${value} and then ${second[output]?.[index]} at element ${index}.`,
        );
      }
    });
  });
  return first;
}

/** (f(x + h v) − f(x)) / h along a direction in one input's elements, for all outputs. */
function shifted(probe: Probe, position: number, direction: Float64Array, h: number): Float64Array[] {
  const point = probe.points[position] as Float64Array;
  const saved = point.slice();
  for (let index = 0; index < point.length; index++)
    point[index] = (saved[index] as number) + h * (direction[index] as number);
  try {
    return probe.values();
  } finally {
    point.set(saved);
  }
}

/** How far the two one-sided differences may lie apart before we look for a kink. */
const KINK_THRESHOLD = 1e-4;

/** |f(x + h v) − 2 f(x) + f(x − h v)| / h: how much the one-sided differences disagree. */
class Bend {
  readonly #above: Float64Array[];
  readonly #below: Float64Array[];
  readonly #base: readonly Float64Array[];
  readonly #h: number;

  constructor(
    probe: Probe,
    base: readonly Float64Array[],
    position: number,
    direction: Float64Array,
    h: number,
  ) {
    this.#above = shifted(probe, position, direction, h);
    this.#below = shifted(probe, position, direction, -h);
    this.#base = base;
    this.#h = h;
  }

  #at(output: number, index: number): [up: number, base: number, down: number] {
    const pick = (values: readonly Float64Array[]): number =>
      (values[output] as Float64Array)[index] as number;
    return [pick(this.#above), pick(this.#base), pick(this.#below)];
  }

  slope(output: number, index: number): number {
    const [up, , down] = this.#at(output, index);
    if (!Number.isFinite(up) || !Number.isFinite(down)) {
      refuse(
        'non-finite',
        `output ${output} leaves the finite numbers within eps of the base point, at element ${index}.`,
      );
    }
    return (up - down) / (2 * this.#h);
  }

  size(output: number, index: number): number {
    const [up, base, down] = this.#at(output, index);
    return Math.abs(up - 2 * base + down) / this.#h;
  }

  /** What rounding alone can make of `size`. */
  noise(output: number, index: number): number {
    const [, base] = this.#at(output, index);
    return (8 * 2 ** -52 * Math.abs(base)) / this.#h;
  }
}

/**
 * Central differences along a direction. A smooth function bends half as much over half the distance and a quarter as
 * much over a quarter of it; anything else is a kink within eps, which is refused.
 */
function difference(
  probe: Probe,
  base: readonly Float64Array[],
  position: number,
  direction: Float64Array,
  eps: number,
): Float64Array[] {
  const full = new Bend(probe, base, position, direction, eps);
  let nearer: readonly [Bend, Bend] | null = null;
  return base.map((values, output) =>
    values.map((_, index) => {
      const slope = full.slope(output, index);
      const bend = full.size(output, index);
      if (bend > KINK_THRESHOLD * (1 + Math.abs(slope)) + 4 * full.noise(output, index)) {
        nearer ??= [
          new Bend(probe, base, position, direction, eps / 2),
          new Bend(probe, base, position, direction, eps / 4),
        ];
        const [half, quarter] = nearer.map((other) => other.size(output, index) / bend) as [number, number];
        if (!(half > 0.35 && half < 0.65 && quarter > 0.15 && quarter < 0.35)) {
          refuse(
            'kink',
            `output ${output} has a kink within eps of the base point at element ${index}; move the inputs away from it.`,
          );
        }
      }
      return slope;
    }),
  );
}

/** Random numbers in [-1, 1) away from 0, the same in every run. */
function projection(length: number, seed: number): Float64Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const value = state / 2 ** 31 - 1;
    return value + Math.sign(value || 1) * 0.1;
  });
}

/** Collects the largest errors of one input. */
class Tally {
  maxAbsError = 0;
  maxRelError = 0;
  ok = true;
  worst = { output: 0, outputElement: 0, inputElement: 0, analytic: 0, numeric: 0 };
  #excess = Number.NEGATIVE_INFINITY;
  readonly #atol: number;
  readonly #rtol: number;

  constructor(atol: number, rtol: number) {
    this.#atol = atol;
    this.#rtol = rtol;
  }

  add(output: number, outputElement: number, inputElement: number, analytic: number, numeric: number): void {
    const error = Math.abs(analytic - numeric);
    const relative = error === 0 ? 0 : error / Math.max(Math.abs(analytic), Math.abs(numeric));
    this.maxAbsError = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(this.maxAbsError, error);
    if (!(error <= this.#atol))
      this.maxRelError = Number.isNaN(relative)
        ? Number.POSITIVE_INFINITY
        : Math.max(this.maxRelError, relative);
    const excess = Number.isNaN(error)
      ? Number.POSITIVE_INFINITY
      : error - (this.#atol + this.#rtol * Math.abs(numeric));
    if (excess > 0) this.ok = false;
    if (excess > this.#excess) {
      this.#excess = excess;
      this.worst = { output, outputElement, inputElement, analytic, numeric };
    }
  }
}

/**
 * Checks the gradient of `f` at `inputs`, which live on a CPU device. All inputs that require a gradient are checked,
 * against central differences (f(x + ε) − f(x − ε)) / 2ε; a pair passes when |analytic − numeric| ≤ atol + rtol·|numeric|.
 *
 * @returns for each such input the largest errors and where they are.
 * @throws GradcheckRefusal `no-differentiable-input`, `no-differentiable-output`, `device`, `kink`, `random`,
 *   `non-finite`, `nondeterministic`: what it cannot judge, it does not pass.
 */
export async function gradcheck(
  f: Differentiable,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<GradcheckResult> {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3, fast = false } = options;
  const probe = new Probe(f, inputs);
  const base = checkBase(probe);
  const tallies = probe.points.map(() => new Tally(atol, rtol));
  probe.withBackward((pull) =>
    (fast ? compareProjections : compareJacobians)(probe, base, pull, eps, tallies),
  );
  const reports = tallies.map(({ maxAbsError, maxRelError, worst, ok }, position) => ({
    input: probe.wanted[position] as number,
    maxAbsError,
    maxRelError,
    worst,
    ok,
  }));
  return {
    ok: reports.every((report) => report.ok),
    maxAbsError: Math.max(...reports.map((report) => report.maxAbsError)),
    maxRelError: Math.max(...reports.map((report) => report.maxRelError)),
    inputs: reports,
  };
}

type Pull = (cotangents: readonly Float64Array[]) => Float64Array[];

function compareJacobians(
  probe: Probe,
  base: readonly Float64Array[],
  pull: Pull,
  eps: number,
  tallies: readonly Tally[],
): void {
  // analytic[output][element][position]
  const analytic = base.map((values, output) =>
    Array.from(values, (_, element) => {
      const cotangents = base.map((other) => new Float64Array(other.length));
      (cotangents[output] as Float64Array)[element] = 1;
      return pull(cotangents);
    }),
  );
  probe.points.forEach((point, position) => {
    for (let column = 0; column < point.length; column++) {
      const direction = new Float64Array(point.length);
      direction[column] = 1;
      difference(probe, base, position, direction, eps).forEach((numeric, output) => {
        numeric.forEach((value, element) => {
          const row = analytic[output]?.[element]?.[position] as Float64Array;
          (tallies[position] as Tally).add(output, element, column, row[column] as number, value);
        });
      });
    }
  });
}

function compareProjections(
  probe: Probe,
  base: readonly Float64Array[],
  pull: Pull,
  eps: number,
  tallies: readonly Tally[],
): void {
  const cotangents = base.map((values, output) => projection(values.length, output + 1));
  const gradients = pull(cotangents);
  probe.points.forEach((point, position) => {
    const direction = projection(point.length, 101 + position);
    const numeric = difference(probe, base, position, direction, eps).reduce(
      (total, values, output) =>
        total +
        values.reduce(
          (sum, value, index) => sum + value * ((cotangents[output] as Float64Array)[index] as number),
          0,
        ),
      0,
    );
    const analytic = (gradients[position] as Float64Array).reduce(
      (sum, value, index) => sum + value * (direction[index] as number),
      0,
    );
    (tallies[position] as Tally).add(0, 0, 0, analytic, numeric);
  });
}

/**
 * Checks the second derivatives of `f`: `gradcheck` of the map from the inputs and an output gradient to the gradients
 * that backward computes with `createGraph`.
 */
export async function gradgradcheck(
  f: Differentiable,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<GradcheckResult> {
  const device = inputs[0]?.device;
  if (!(device instanceof CpuDevice)) refuse('device', 'the inputs must live on a CPU device.');
  const cpu = device as CpuDevice;
  const shapes = scope(() =>
    list(f(...inputs))
      .filter((output) => output.requiresGrad)
      .map((output) => output.shape),
  );
  const cotangents = shapes.map((shape, index) => {
    const values = projection(
      shape.reduce((size, extent) => size * extent, 1),
      7 + index,
    );
    const tensor = Tensor.adopt(
      { storage: cpu.upload('gradgradcheck', 'float64', values), shape, dtype: 'float64' },
      'gradgradcheck',
    );
    tensor.requiresGrad = true;
    return tensor;
  });
  const second: Differentiable = (...all) => {
    const points = all.slice(0, inputs.length);
    const gradients = all.slice(inputs.length);
    const outputs = list(f(...points)).filter((output) => output.requiresGrad);
    if (outputs.length !== gradients.length) {
      throw new AutogradError(
        'gradcheck',
        `gradgradcheck: the function returned ${outputs.length} outputs of ${shapes.map(formatShape).join(', ')}.`,
      );
    }
    const wanted = points.filter((point) => point.requiresGrad);
    return grad(outputs, wanted, { gradients, createGraph: true, allowUnused: true });
  };
  try {
    return await gradcheck(second, [...inputs, ...cotangents], options);
  } finally {
    for (const tensor of cotangents) tensor.dispose();
  }
}
