/** A differentiable function as plain arrays of numbers, and its central differences. */
import { isFloat } from '../core/dtype.ts';
import { GradcheckRefusal } from '../core/errors.ts';
import { defaultGenerator } from '../core/generator.ts';
import { CpuDevice } from '../runtime/cpu-device.ts';
import { grad } from './backward.ts';
import { scope } from './scope.ts';
import { Tensor } from './tensor.ts';

export type Differentiable = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

export const refuse = (code: string, message: string): never => {
  throw new GradcheckRefusal(code, `gradcheck: ${message}`);
};

export const list = (value: Tensor | readonly Tensor[]): readonly Tensor[] =>
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
export class Probe {
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

export function checkBase(probe: Probe): Float64Array[] {
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
export function difference(
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
