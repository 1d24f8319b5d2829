/** What `init()` takes, and `init()` for browsers; `node/init.ts` has the one for Node. */
import { AdapterError } from '../core/errors.ts';
import { CpuDevice } from './cpu-device.ts';
import { setDefaultDevice } from './default-device.ts';
import type { Device } from './device.ts';
import { adapterName, isSoftware, openAdapter, wrapDevice } from './gpu/open.ts';
import { type Settle, settlePlainly } from './gpu/settle.ts';

/** `auto` takes the best that is there; the others insist. */
export type AdapterChoice = 'auto' | 'system' | 'swiftshader' | 'cpu';

export interface InitOptions {
  /** Default: the environment variable `WGRAD_ADAPTER` in Node, else `auto`. */
  adapter?: AdapterChoice;
  /** A `GPUDevice` of your own; wgrad does not choose an adapter then. `destroy()` destroys it. */
  gpuDevice?: GPUDevice;
  /** Submit each op alone and check it; slow, with errors that name the caller. Default: `WGRAD_DEBUG=1`, else false. */
  debug?: boolean;
  /** `default` asks for no more than what every WebGPU device has. Default: `adapter`. */
  limits?: 'adapter' | 'default';
}

/** Wraps the caller's own `GPUDevice`; `settle` is how to wait for a software adapter. */
export function fromOwnDevice(gpu: GPUDevice, options: InitOptions, settle: Settle = settlePlainly): Device {
  const info = gpu.adapterInfo;
  return wrapDevice(gpu, info, {
    description: `${adapterName(info)} (a GPUDevice passed in)`,
    debug: options.debug ?? false,
    settle: isSoftware(info) ? settle : settlePlainly,
  });
}

/**
 * Opens a device and makes it the default one. In a browser this is `navigator.gpu`; without an adapter, the CPU
 * device in float64, with one line on the console that says so.
 *
 * @throws AdapterError when the wanted adapter is not there.
 */
export async function init(options: InitOptions = {}): Promise<Device> {
  const device = await open(options);
  setDefaultDevice(device);
  return device;
}

async function open(options: InitOptions): Promise<Device> {
  if (options.gpuDevice) return fromOwnDevice(options.gpuDevice, options);
  const choice = options.adapter ?? 'auto';
  if (choice === 'cpu') return new CpuDevice();
  if (choice === 'swiftshader')
    throw new AdapterError("init: adapter 'swiftshader' is packaged for Node only; use 'auto' in a browser.");
  const adapter = await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter) {
    const { debug = false, limits = 'adapter' } = options;
    return openAdapter(adapter, { description: adapterName(adapter.info), debug, limits });
  }
  if (choice === 'system') throw new AdapterError('init: this browser offers no WebGPU adapter.');
  console.warn(
    'wgrad: this browser offers no WebGPU adapter; computing on the CPU in float64, which is slow.',
  );
  return new CpuDevice('no WebGPU adapter in this browser');
}
