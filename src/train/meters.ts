/** What is averaged over an epoch: putting it aside, and going on from it. */
import { copyOf } from '../autograd/engine-ops.ts';
import { noGrad } from '../autograd/modes.ts';
import { keep } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { assign } from '../ops/cast.ts';
import { withDefaultDevice } from '../runtime/default-device.ts';
import type { Device } from '../runtime/device.ts';
import type { Trainer } from './trainer.ts';

type Meters = Trainer['meters'];

/** Copies of the sums, by `meter/tensor`; the caller disposes them. */
export function copyMeters(meters: Meters, device: Device): Record<string, Tensor> {
  const copies: Record<string, Tensor> = {};
  noGrad(() => {
    for (const [name, meter] of meters)
      for (const [key, own] of Object.entries(withDefaultDevice(device, () => meter.state())))
        copies[`${name}/${key}`] = keep(copyOf(own));
  });
  return copies;
}

/** Goes on from such copies. */
export function restoreMeters(
  meters: Meters,
  copies: Readonly<Record<string, Tensor>>,
  device: Device,
): void {
  for (const [name, meter] of meters) {
    const saved = Object.fromEntries(
      Object.entries(copies).flatMap(([path, tensor]) =>
        path.startsWith(`${name}/`) ? [[path.slice(name.length + 1), tensor]] : [],
      ),
    );
    withDefaultDevice(device, () => {
      if ('restore' in meter && meter.restore) meter.restore(saved);
      else
        for (const [key, own] of Object.entries(meter.state()))
          if (saved[key]) noGrad(() => assign(own, saved[key] as Tensor));
    });
  }
}
