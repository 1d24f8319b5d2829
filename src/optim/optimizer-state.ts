/** Saving what an optimizer remembers, and going on from it. */
import { copyKernel } from '../../kernels/copy.ts';
import { noGrad } from '../autograd/modes.ts';
import { runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape, sameShape, stridesOf } from '../core/shape.ts';
import { assign } from '../ops/cast.ts';
import type { ScheduleJson } from './schedules.ts';

/** What makes an optimizer go on as if it had never stopped. */
export interface OptimizerState {
  /** Slots by `parameter/slot`. Copies, which belong to the caller. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Everything else, as JSON. */
  readonly json: {
    readonly optimizer: string;
    readonly steps: number;
    /** Null for a function of the user's own, which stays what the new optimizer was given. */
    readonly learningRate: number | ScheduleJson | null;
    readonly scalars: Readonly<Record<string, number>>;
    /** Parameters with a gradient since the last update, where several steps make one. */
    readonly pending: readonly string[];
  };
}

/** Copies of slots, in memory of their own. */
export function copySlots(slots: ReadonlyMap<string, Tensor>): Record<string, Tensor> {
  const copies: Record<string, Tensor> = {};
  for (const [name, slot] of slots) {
    const { shape } = slot;
    copies[name] = runKernel1('exportState', copyKernel, [slot], {
      shape,
      strides: stridesOf(shape),
      offset: 0,
    });
  }
  return copies;
}

/** Refuses tensors that are not one for each slot, of its shape. */
export function checkSlots(
  slots: ReadonlyMap<string, Tensor>,
  tensors: Readonly<Record<string, Tensor>>,
): void {
  const advice = 'build the optimizer with the same parameters and options.';
  for (const [name, { shape }] of slots) {
    const given = tensors[name];
    if (!given) throw new ArgumentError(`importState: the state lacks '${name}'; ${advice}`);
    if (!sameShape(given.shape, shape)) {
      throw new ShapeError(
        `importState: '${name}' has shape ${formatShape(given.shape)}, the parameter ${formatShape(shape)}; ${advice}`,
      );
    }
  }
  for (const name of Object.keys(tensors)) {
    if (!slots.has(name))
      throw new ArgumentError(`importState: the state holds '${name}', which nothing here needs; ${advice}`);
  }
}

/** Overwrites slots. */
export const fillSlots = (
  slots: ReadonlyMap<string, Tensor>,
  tensors: Readonly<Record<string, Tensor>>,
): void =>
  noGrad(() => {
    for (const [name, slot] of slots) assign(slot, tensors[name] as Tensor);
  });
