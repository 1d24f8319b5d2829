/** The gradient checks of the catalogue's cases: against differences on the CPU, and of a GPU against the CPU. */
import { grad } from '../autograd/backward.ts';
import { gradcheck, gradgradcheck } from '../autograd/gradcheck.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ArgumentError } from '../core/errors.ts';
import { add, mul } from '../ops/binary.ts';
import { tensor } from '../ops/create.ts';
import { sum } from '../ops/reduce.ts';
import { CpuDevice } from '../runtime/cpu-device.ts';
import type { Device } from '../runtime/device.ts';
import { type CatalogEntry, type GradCase, inputsOn, within } from './catalog/types.ts';

export type Order = 1 | 2;

/** What one check found; an `error` means that it could not be made, and counts as a failure. */
export interface Check {
  readonly op: string;
  readonly case: string;
  readonly order: Order;
  readonly device: 'cpu' | 'gpu';
  /** Infinity, which is null in JSON, when a NaN or an infinity met a number; null after an error. */
  readonly maxAbsError: number | null;
  readonly maxRelError: number | null;
  readonly ok: boolean;
  readonly error?: string;
}

interface Errors {
  readonly maxAbsError: number;
  readonly maxRelError: number;
  readonly ok: boolean;
}

/** PyTorch's numbers for float64. */
const DIFFERENCES = { eps: 1e-6, atol: 1e-5, rtol: 1e-3 };

/**
 * How far a GPU's gradient may lie from the CPU device's, as `GPU_TOLERANCE · (1 + |reference|)`. A float32 operation
 * rounds by 2⁻²⁴ ≈ 6e-8 of its result, a division or an elementary function by some 1e-6 at worst. A second derivative
 * chains about twenty of them over values below 20, which adds up to a few 1e-5. A wrong factor or a dropped term is
 * at least a hundred times larger.
 */
const GPU_TOLERANCE = 1e-4;

/** Relative errors of smaller differences say nothing. */
const NEGLIGIBLE = 1e-6;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * The gradient at the case's point by differences, in float64: with respect to all inputs together, and to each one
 * alone, as what an op saves depends on who needs a gradient.
 */
async function byDifferences(item: GradCase, cpu: CpuDevice, order: Order): Promise<Errors> {
  const floats = item.inputs.flatMap(({ dtype }, index) => (dtype === 'float' ? [index] : []));
  const results: Errors[] = [];
  for (const only of floats.length > 1 ? [undefined, ...floats] : [undefined]) {
    const inputs = inputsOn(cpu, item.inputs, only);
    try {
      results.push(await (order === 1 ? gradcheck : gradgradcheck)(item.f, inputs, DIFFERENCES));
    } finally {
      for (const input of inputs) input.dispose();
    }
  }
  return {
    maxAbsError: Math.max(...results.map(({ maxAbsError }) => maxAbsError)),
    maxRelError: Math.max(...results.map(({ maxRelError }) => maxRelError)),
    ok: results.every(({ ok }) => ok),
  };
}

/**
 * The gradients of Σ f·w with respect to all inputs (order 1), or those of the sum of these, weighted again, with
 * respect to the inputs and to w (order 2).
 */
async function analytic(item: GradCase, device: Device, order: Order): Promise<Float64Array[]> {
  const gradients = scope(() => {
    const weights = (like: Tensor, seed: number): Tensor =>
      tensor(Float64Array.from(within(0.5, 1.5, like.shape, seed).values), { device, shape: like.shape });
    const inputs = inputsOn(device, item.inputs);
    const wanted = inputs.filter((input) => input.requiresGrad);
    const y = item.f(...inputs);
    const w = weights(y, 11);
    w.requiresGrad = order === 2;
    const first = grad(y, wanted, { gradients: [w], createGraph: order === 2 });
    if (order === 1) return first;
    const total = first
      .map((gradient, index) => sum(mul(gradient, weights(gradient, 21 + index))))
      .reduce((left, right) => add(left, right));
    return grad(total, [...wanted, w], { allowUnused: true });
  });
  try {
    const data = await Promise.all(gradients.map((gradient) => gradient.data()));
    return data.map((values) => Float64Array.from(values));
  } finally {
    for (const gradient of gradients) gradient.dispose();
  }
}

function compare(actual: readonly Float64Array[], expected: readonly Float64Array[]): Errors {
  let maxAbsError = 0;
  let maxRelError = 0;
  let ok = true;
  expected.forEach((reference, index) => {
    reference.forEach((want, element) => {
      const got = actual[index]?.[element] ?? Number.NaN;
      const error = Math.abs(want - got);
      if (!(error <= GPU_TOLERANCE * (1 + Math.abs(want)))) ok = false;
      if (Number.isNaN(error)) maxAbsError = maxRelError = Number.POSITIVE_INFINITY;
      else maxAbsError = Math.max(maxAbsError, error);
      if (error > NEGLIGIBLE)
        maxRelError = Math.max(maxRelError, error / Math.max(Math.abs(want), Math.abs(got)));
    });
  });
  return { maxAbsError, maxRelError, ok };
}

/** Checks one case; what throws becomes a failed check that says why. */
export async function checkCase(
  op: string,
  item: GradCase,
  order: Order,
  cpu: CpuDevice,
  gpu?: Device,
): Promise<Check> {
  const what = { op, case: item.name, order, device: gpu ? 'gpu' : 'cpu' } as const;
  try {
    const { maxAbsError, maxRelError, ok } = gpu
      ? compare(await analytic(item, gpu, order), await analytic(item, cpu, order))
      : await byDifferences(item, cpu, order);
    return { ...what, maxAbsError, maxRelError, ok };
  } catch (error) {
    return { ...what, maxAbsError: null, maxRelError: null, ok: false, error: messageOf(error) };
  }
}

/** The number of checks that `walk` makes. */
export const countChecks = (entries: readonly CatalogEntry[]): number =>
  entries.reduce((count, entry) => count + entry.cases.length * ordersOf(entry).length, 0);

const ordersOf = (entry: CatalogEntry): Order[] => (entry.secondOrder === true ? [1, 2] : [1]);

/** Checks every case of the entries, first and second order, one after another. */
export async function* walk(
  entries: readonly CatalogEntry[],
  cpu: CpuDevice,
  gpu?: Device,
): AsyncGenerator<Check, void> {
  if (gpu instanceof CpuDevice) {
    throw new ArgumentError(
      'gradcheck: no GPU to compare with the CPU device; `wgrad devices` tells what was tried.',
    );
  }
  for (const entry of entries) {
    for (const item of entry.cases)
      for (const order of ordersOf(entry)) yield await checkCase(entry.op, item, order, cpu, gpu);
  }
}
