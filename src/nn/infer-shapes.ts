/** What shapes a layer makes: it is called once for real, on a device that knows shapes only. */
import { noGrad } from '../autograd/modes.ts';
import { keep, scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import type { DType } from '../core/dtype.ts';
import { WgradError } from '../core/errors.ts';
import { defaultGenerator } from '../core/generator.ts';
import type { Shape } from '../core/shape.ts';
import { sizeOf } from '../core/shape.ts';
import { defaultDevice, withDefaultDevice } from '../runtime/default-device.ts';
import type { Device } from '../runtime/device.ts';
import { ShapeDevice } from '../runtime/shape-device.ts';
import { collectingLosses, withinCall } from './call-context.ts';
import { withValues } from './parameter.ts';
import { type Extents, inCommon, type PartialShape, withExtents } from './partial-shape.ts';

/** A tensor to come: its shape, with null for what may change from call to call, and its dtype. */
export interface PartialSpec {
  readonly shape: PartialShape;
  readonly dtype: DType | 'float';
}

/**
 * Tried in the place of each unknown extent. What changes with them is unknown in the result as well. They exceed every
 * kernel and pool, divide well but for the batch, and are no numbers that anybody else would use.
 */
const EXTENTS: readonly Extents[] = [
  { batch: 7919, other: 10_080 },
  { batch: 7927, other: 15_120 },
];

const STAND_INS = /\b(?:7919|7927|10080|15120)\b/g;

const devices = { float32: new ShapeDevice('float32'), float64: new ShapeDevice('float64') };

/** What holds outside while shapes are worked out: the device, and where the default random stream stands. */
interface Outside {
  readonly device: Device;
  seed: number;
  counter: number;
  /** Unbuilds the layers that were built meanwhile. */
  readonly undo: (() => void)[];
}

/** Null where no shapes are worked out. */
let outside: Outside | null = null;

/** Where a layer that is called on `device` keeps its weights. */
export const weightDevice = (device: Device): Device =>
  device instanceof ShapeDevice ? (outside?.device ?? defaultDevice()) : device;

/** Whether an extent stands for an open one while shapes are worked out. */
export const standsOpen = (extent: number | null): boolean =>
  outside !== null && EXTENTS.some(({ other }) => other === extent);

/** Where the default random stream stands. */
const position = (): { seed: number; counter: number } => {
  const { seed, counter } = defaultGenerator;
  return { seed, counter };
};

/**
 * Runs `body`, which makes weights, as if no shapes were being worked out: what it draws stays drawn. `undo` runs when there
 * are no shapes to be found in the end, as the weights may then be those of extents that only stood for others.
 */
export function buildingWeights<T>(body: () => T, undo: () => void): T {
  const real = outside;
  if (!real) return body();
  const inside = position();
  outside = null;
  defaultGenerator.reseed(real.seed, real.counter);
  try {
    const result = withDefaultDevice(real.device, body);
    real.undo.push(undo);
    return result;
  } finally {
    outside = Object.assign(real, position());
    defaultGenerator.reseed(inside.seed, inside.counter);
  }
}

function runOnce(
  specs: readonly PartialSpec[],
  extents: Extents,
  device: ShapeDevice,
  call: (inputs: readonly Tensor[]) => readonly Tensor[],
): { shape: Shape; dtype: DType }[] {
  const make = (shape: Shape, dtype: DType): Tensor =>
    Tensor.adopt({ shape, dtype, storage: device.allocate('input', dtype, sizeOf(shape)) }, 'input');
  const twins = new Map<unknown, Tensor>();
  const inputs = specs.map(({ shape, dtype }) =>
    make(
      withExtents(shape, extents),
      dtype === 'float' || dtype === 'float32' || dtype === 'float64' ? device.float : dtype,
    ),
  );
  const outputs = withValues(
    (parameter) => {
      let twin = twins.get(parameter);
      if (!twin) {
        twin = keep(make(parameter.shape, device.float));
        twins.set(parameter, twin);
      }
      return twin;
    },
    // As out of training, and apart from the call around it, whose loss these tensors must not join.
    () => collectingLosses(() => withinCall(false, () => noGrad(() => call(inputs)))).result,
  );
  return outputs.map(({ shape, dtype }) => ({ shape, dtype }));
}

/** The outputs of `call` for such inputs. Layers that it calls for the first time are built, on the default device. */
export function inferShapes(
  specs: readonly PartialSpec[],
  call: (inputs: readonly Tensor[]) => readonly Tensor[],
): PartialSpec[] {
  const outer = outside;
  const before = position();
  const real = outer ?? { device: defaultDevice(), ...before, undo: [] };
  const device = devices[real.device.float];
  outside = real;
  try {
    return withDefaultDevice(device, () =>
      scope(() => {
        const [first, second] = EXTENTS.map((extents) => runOnce(specs, extents, device, call));
        return (first as { shape: Shape; dtype: DType }[]).map(({ shape, dtype }, index) => ({
          shape: inCommon(shape, (second as { shape: Shape }[])[index]?.shape ?? []),
          dtype,
        }));
      }),
    );
  } catch (error) {
    if (!outer) for (const undo of real.undo) undo();
    if (error instanceof WgradError) error.message = error.message.replace(STAND_INS, 'null');
    throw error;
  } finally {
    outside = outer;
    const { seed, counter } = outer ? before : real;
    defaultGenerator.reseed(seed, counter);
  }
}
