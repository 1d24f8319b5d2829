/** Whether a model computes the same on two devices, and which layer is the first that does not. */
import { copyOf } from '../autograd/engine-ops.ts';
import { noGrad } from '../autograd/modes.ts';
import { keep, scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import type { HostArray } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { type Shape, sameShape } from '../core/shape.ts';
import type { Layer } from '../nn/layer.ts';
import { observeLayers } from '../nn/layer-observer.ts';
import { checkOptions } from '../ops/options.ts';
import { CpuDevice } from '../runtime/cpu-device.ts';
import { Device } from '../runtime/device.ts';
import type { Model } from './model.ts';
import { buildFor, copiesOn, onTwins, pathsOf, type Tensors, tensorList, twinsOf } from './twins.ts';

export interface CompareDevicesOptions {
  /** Default: the model's device, and a CPU device in float64. */
  devices?: readonly [Device, Device];
  /** How far values may lie apart: |a − b| ≤ tolerance · (1 + |b|), b of the second device. Default: 1e-4. */
  tolerance?: number;
}

/** How far apart the results of one call of a layer are. */
export interface LayerDifference {
  readonly name: string;
  /** Where the layer lies in the model, as its weights' paths have it; empty for the model itself. */
  readonly path: string;
  readonly type: string;
  /** The number of the call, from 0, for a layer that is called several times. */
  readonly call: number;
  /** Shapes of the outputs on the first device. */
  readonly shapes: readonly Shape[];
  /** The largest |a − b|; infinite where only one is NaN, or where shapes differ. */
  readonly maxError: number;
  /** The largest |a − b| / (1 + |b|), which the tolerance bounds. */
  readonly relative: number;
}

export interface DeviceComparison {
  readonly devices: readonly [string, string];
  readonly tolerance: number;
  /** In the order in which calls ended, inner layers before those around them. */
  readonly layers: readonly LayerDifference[];
  /** The first that differs by more than the tolerance; null where none does. */
  readonly first: LayerDifference | null;
}

interface Capture {
  readonly layer: Layer;
  readonly outputs: readonly { readonly shape: Shape; readonly data: HostArray }[];
}

/** The outputs of all layers on one device, read to the host. */
async function captureOn(model: Model, inputs: readonly Tensor[], device: Device): Promise<Capture[]> {
  const found: { layer: Layer; copies: Tensor[] }[] = [];
  const made: Tensor[] = [];
  const take = (tensor: Tensor): Tensor => {
    const copy = keep(copyOf(tensor));
    made.push(copy);
    return copy;
  };
  try {
    const xs = await copiesOn(device, inputs);
    made.push(...xs);
    const twins = await twinsOf(model, device);
    made.push(...twins.values());
    const leave = (layer: Layer, _inputs: readonly Tensor[], outputs: readonly Tensor[]): void => {
      found.push({ layer, copies: outputs.map(take) });
    };
    const stop = observeLayers({ leave });
    try {
      onTwins(model, twins, device, () =>
        scope(() => noGrad(() => void model.applyAll(xs, { training: false }))),
      );
    } finally {
      stop();
    }
    return await Promise.all(
      found.map(async ({ layer, copies }) => ({
        layer,
        outputs: await Promise.all(
          copies.map(async (copy) => ({ shape: copy.shape, data: await copy.data() })),
        ),
      })),
    );
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

/** The largest errors between two arrays of the same length. */
function errorsOf(a: HostArray, b: HostArray): { maxError: number; relative: number } {
  let maxError = 0;
  let relative = 0;
  for (let index = 0; index < a.length; index++) {
    const [x, y] = [a[index] as number, b[index] as number];
    // Also for two NaN and two equal infinities.
    if (Object.is(x, y)) continue;
    const error = Math.abs(x - y);
    const known = Number.isFinite(error) ? error : Number.POSITIVE_INFINITY;
    maxError = Math.max(maxError, known);
    relative = Math.max(relative, Number.isFinite(known) ? known / (1 + Math.abs(y)) : known);
  }
  return { maxError, relative };
}

function differenceOf(a: Capture, b: Capture | undefined): { maxError: number; relative: number } {
  const apart = { maxError: Number.POSITIVE_INFINITY, relative: Number.POSITIVE_INFINITY };
  if (!b || a.layer !== b.layer || a.outputs.length !== b.outputs.length) return apart;
  const errors = a.outputs.map(({ shape, data }, index) => {
    const other = b.outputs[index] as Capture['outputs'][number];
    return sameShape(shape, other.shape) ? errorsOf(data, other.data) : apart;
  });
  return {
    maxError: Math.max(0, ...errors.map(({ maxError }) => maxError)),
    relative: Math.max(0, ...errors.map(({ relative }) => relative)),
  };
}

/**
 * Runs a model on two devices, with the same weights, inputs and random numbers and out of training, and compares what each
 * layer makes. Errors add up from layer to layer; `first` is where they leave the tolerance.
 *
 * ```ts
 * const { first } = await compareDevices(net, x);
 * if (first) console.log(`${first.path} differs by ${first.maxError}`);
 * ```
 *
 * @throws ArgumentError for what are no devices, no tensors, or a tolerance below 0.
 */
export async function compareDevices(
  model: Model,
  x: Tensors,
  options: CompareDevicesOptions = {},
): Promise<DeviceComparison> {
  const op = 'compareDevices';
  checkOptions(op, options, ['devices', 'tolerance'], 'model, x');
  const { tolerance = 1e-4 } = options;
  checkNumber(op, 'tolerance', tolerance, { atLeast: 0 });
  const inputs = tensorList(op, 'x', x);
  const given: unknown = options.devices;
  if (
    given !== undefined &&
    !(Array.isArray(given) && given.length === 2 && given.every((item) => item instanceof Device))
  )
    throw new ArgumentError(`${op}: devices is ${describe(given)}; pass a list of two devices.`);
  buildFor(model, inputs, model.device);
  const own = options.devices ? null : new CpuDevice('the other side of a comparison');
  const [a, b] = options.devices ?? [model.device, own as CpuDevice];
  try {
    const [left, right] = [await captureOn(model, inputs, a), await captureOn(model, inputs, b)];
    const paths = pathsOf(model);
    const calls = new Map<Layer, number>();
    const layers = left.map((capture, index): LayerDifference => {
      const { layer, outputs } = capture;
      const call = calls.get(layer) ?? 0;
      calls.set(layer, call + 1);
      return {
        name: layer.name,
        path: paths.get(layer) ?? layer.name,
        type: layer.type,
        call,
        shapes: outputs.map(({ shape }) => shape),
        ...differenceOf(capture, right[index]),
      };
    });
    return {
      devices: [a.description, b.description],
      tolerance,
      layers,
      first: layers.find(({ relative }) => relative > tolerance) ?? null,
    };
  } finally {
    own?.destroy();
  }
}
