/**
 * Numeric gradient checks: the Jacobian by central differences against the one that backward computes, in float64 on
 * the CPU device. A GPU's gradient is compared with the CPU device's.
 */
import { AutogradError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { CpuDevice } from '../runtime/cpu-device.ts';
import { grad } from './backward.ts';
import { checkBase, type Differentiable, difference, list, Probe, refuse } from './finite-differences.ts';
import { scope } from './scope.ts';
import { Tensor } from './tensor.ts';

export type { Differentiable };

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
