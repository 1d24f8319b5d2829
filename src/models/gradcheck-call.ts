/** Checks of one function's gradients on sampled elements or directions, at a point that is moved off kinks. */
import { checkBase, type Differentiable, difference, Probe } from '../autograd/finite-differences.ts';
import { Tensor } from '../autograd/tensor.ts';
import { isFloat } from '../core/dtype.ts';
import { GradcheckRefusal } from '../core/errors.ts';
import { philox4x32, uniform24, wordsOf } from '../core/philox.ts';
import { add, mul } from '../ops/binary.ts';
import { sum } from '../ops/reduce.ts';
import type { CpuDevice } from '../runtime/cpu-device.ts';

export interface CallSettings {
  readonly samples: number;
  readonly eps: number;
  readonly atol: number;
  readonly rtol: number;
  readonly seed: number;
}

/** What one argument's check found. */
export interface ArgumentCheck {
  /** How many elements or directions were compared. */
  readonly checked: number;
  /** The largest |analytic − numeric|. */
  readonly maxError: number;
  readonly passed: boolean;
  /** Where the excess over the tolerance is largest; null where nothing was compared. */
  readonly worst: { readonly element: number; readonly analytic: number; readonly numeric: number } | null;
  /** Why nothing could be compared; else null. */
  readonly note: string | null;
}

/** With what `checkCall` needs to judge a check. */
interface Found extends ArgumentCheck {
  /** Whether elements were left out because the function has a kink there. */
  readonly kinks: boolean;
}

/** Uniform numbers in [0, 1) from a seed. */
function stream(seed: number): () => number {
  const [low, high] = wordsOf(seed);
  let counter = 0;
  return () => uniform24(philox4x32(counter++, 0, low, high)[0]);
}

/** A tensor of float64 on a CPU device. */
function onCpu(device: CpuDevice, data: Float64Array, like: Tensor): Tensor {
  const storage = device.upload('gradcheckModel', 'float64', data);
  return Tensor.adopt({ storage, shape: like.shape, dtype: 'float64' }, 'gradcheckModel');
}

/** All float outputs as one number: their sum, weighted by seeded numbers in [0.1, 1.1) with both signs. */
export function projected(outputs: readonly Tensor[], device: CpuDevice, seed: number): Tensor {
  const next = stream(seed);
  const weigh = (): number => (next() + 0.1) * (next() < 0.5 ? -1 : 1);
  const terms = outputs
    .filter(({ dtype }) => isFloat(dtype))
    .map((output) =>
      sum(mul(output, onCpu(device, Float64Array.from({ length: output.size }, weigh), output))),
    );
  return terms.reduce((total, term) => add(total, term));
}

/** Seeded directions in an argument's elements: of one element each, or through all of them with length 1. */
function* directions(
  size: number,
  whole: boolean,
  { samples, seed }: CallSettings,
): Generator<{ readonly element: number; readonly along: Float64Array }> {
  const next = stream(seed + 1);
  if (whole) {
    const along = Float64Array.from({ length: size }, () => next() - 0.5);
    const length = Math.sqrt(dot(along, along)) || 1;
    yield { element: 0, along: along.map((value) => value / length) };
    return;
  }
  const chosen = new Set<number>();
  while (chosen.size < Math.min(samples, size))
    chosen.add(size <= samples ? chosen.size : Math.floor(next() * size));
  for (const element of chosen) {
    const along = new Float64Array(size);
    along[element] = 1;
    yield { element, along };
  }
}

const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((total, value, index) => total + value * (b[index] as number), 0);

/** What the function's backward gives; nothing at all where no output depends on the arguments in the graph. */
function gradients(probe: Probe): readonly Float64Array[] {
  try {
    return probe.withBackward((pull) => pull([Float64Array.of(1)]));
  } catch (error) {
    if (!(error instanceof GradcheckRefusal && error.code === 'no-differentiable-output')) throw error;
    return probe.points.map(({ length }) => new Float64Array(length));
  }
}

function checkArgument(
  probe: Probe,
  base: readonly Float64Array[],
  position: number,
  analytic: Float64Array,
  whole: boolean,
  settings: CallSettings,
): Found {
  const { eps, atol, rtol } = settings;
  let checked = 0;
  let maxError = 0;
  let passed = true;
  let worst: ArgumentCheck['worst'] = null;
  let most = Number.NEGATIVE_INFINITY;
  let note: string | null = null;
  let kinks = false;
  for (const { element, along } of directions(analytic.length, whole, settings)) {
    let numeric: number;
    try {
      numeric = difference(probe, base, position, along, eps)[0]?.[0] as number;
    } catch (error) {
      if (!(error instanceof GradcheckRefusal)) throw error;
      note = error.message;
      if (error.code !== 'kink') return { checked, maxError, passed: false, worst, note, kinks };
      kinks = true;
      continue;
    }
    const slope = dot(analytic, along);
    const error = Math.abs(slope - numeric);
    const excess = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error - (atol + rtol * Math.abs(numeric));
    checked++;
    maxError = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(maxError, error);
    if (excess > 0) passed = false;
    if (excess > most) {
      most = excess;
      worst = { element, analytic: slope, numeric };
    }
  }
  return { checked, maxError, passed: passed && checked > 0, worst, note: checked > 0 ? null : note, kinks };
}

/** The checks of the arguments that require a gradient, in their order. */
function checkAt(
  f: Differentiable,
  points: readonly Tensor[],
  whole: boolean,
  settings: CallSettings,
): Found[] {
  const probe = new Probe(f, points);
  try {
    const base = checkBase(probe);
    const analytic = gradients(probe);
    return analytic.map((own, position) => checkArgument(probe, base, position, own, whole, settings));
  } catch (error) {
    if (!(error instanceof GradcheckRefusal)) throw error;
    const note = error.message;
    return probe.points.map(() => ({
      checked: 0,
      maxError: 0,
      passed: false,
      worst: null,
      note,
      kinks: false,
    }));
  }
}

const withoutKinks = ({ kinks: _, ...check }: Found): ArgumentCheck => check;

/** How far a point is moved to get off kinks. Upwards, because some functions end at 0. */
const STEP = 0.01;

/**
 * Checks a function that returns one number. Images with an even background lie exactly on the kinks of relu and pooling;
 * what cannot be judged for that is judged again at a point nearby, where the gradient must be right as well.
 */
export function checkCall(
  f: Differentiable,
  points: readonly Tensor[],
  device: CpuDevice,
  whole: boolean,
  settings: CallSettings,
): ArgumentCheck[] {
  const checks = checkAt(f, points, whole, settings);
  if (!checks.some(({ kinks }) => kinks)) return checks.map(withoutKinks);
  const next = stream(settings.seed + 2);
  const moved = points.map((point) => {
    if (!isFloat(point.dtype)) return point;
    const data = device.peek(point.storage);
    const near = onCpu(
      device,
      Float64Array.from(data, (value) => value + STEP * (0.1 + next())),
      point,
    );
    near.requiresGrad = point.requiresGrad;
    return near;
  });
  try {
    const again = checkAt(f, moved, whole, settings);
    return checks.map((check, index) => {
      const other = again[index] as Found;
      // What is wrong at one of the points is wrong.
      const better = check.kinks && other.checked > check.checked && (check.passed || check.checked === 0);
      return withoutKinks(better ? other : check);
    });
  } finally {
    for (const [index, near] of moved.entries()) if (near !== points[index]) near.dispose();
  }
}
