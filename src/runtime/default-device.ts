import { ArgumentError, WgradError } from '../core/errors.ts';
import { Device } from './device.ts';

let current: Device | null = null;

/** The device that creation functions use unless they are given one: the result of the last `init()`. */
export function defaultDevice(): Device {
  if (!current) {
    throw new WgradError(
      'no-device',
      'There is no device yet: call `await init()` first, or pass { device }.',
    );
  }
  return current;
}

export function setDefaultDevice(device: Device): void {
  if (!(device instanceof Device))
    throw new ArgumentError('setDefaultDevice: not a device; pass what init() returned.');
  current = device;
}

/** Runs `body`, which is synchronous, with another default device. */
export function withDefaultDevice<T>(device: Device, body: () => T): T {
  const outer = current;
  current = device;
  try {
    return body();
  } finally {
    current = outer;
  }
}
