/** `init()` for Node: Dawn through the `webgpu` package. */
import { AdapterError } from '../../core/errors.ts';
import { CpuDevice } from '../cpu-device.ts';
import { setDefaultDevice } from '../default-device.ts';
import type { Device } from '../device.ts';
import { openAdapter } from '../gpu/open.ts';
import { settleInNaps, settlePlainly } from '../gpu/settle.ts';
import { fromOwnDevice, type InitOptions } from '../init.ts';
import { type Attempt, choiceFromEnvironment, findAdapter } from './adapters.ts';

const REASONS = {
  pinned: 'the driver pinned by VK_DRIVER_FILES or VK_ICD_FILENAMES',
  hardware: 'a hardware adapter',
  system: "the system's software Vulkan",
  swiftshader: 'the packaged SwiftShader',
};

const explain = (attempts: readonly Attempt[]): string =>
  attempts.map(({ source, note }) => `${source}: ${note}`).join('; ');

/**
 * Opens a device and makes it the default one: a pinned driver, hardware, the system's software Vulkan, the packaged
 * SwiftShader, or the CPU device in float64, whichever comes first. `WGRAD_ADAPTER` or `adapter` insists on one.
 *
 * @throws AdapterError when the wanted adapter is not there.
 */
export async function init(options: InitOptions = {}): Promise<Device> {
  const device = await open(options);
  setDefaultDevice(device);
  return device;
}

async function open(options: InitOptions): Promise<Device> {
  const debug = options.debug ?? process.env.WGRAD_DEBUG === '1';
  if (options.gpuDevice) return fromOwnDevice(options.gpuDevice, { ...options, debug }, settleInNaps);
  const choice = options.adapter ?? choiceFromEnvironment();
  if (choice === 'cpu') return new CpuDevice();
  const { found, attempts } = await findAdapter(choice);
  if (!found) {
    if (choice !== 'auto')
      throw new AdapterError(`init: no adapter of the kind '${choice}' (${explain(attempts)}).`);
    console.warn(
      `wgrad: no WebGPU adapter (${explain(attempts)}); computing on the CPU in float64, which is slow.`,
    );
    return new CpuDevice('no WebGPU adapter');
  }
  const { adapter, name, source, software } = found;
  return openAdapter(adapter, {
    description: `${name} (${REASONS[source]})`,
    settle: software ? settleInNaps : settlePlainly,
    debug,
    limits: options.limits ?? (process.env.WGRAD_LIMITS === 'default' ? 'default' : 'adapter'),
  });
}
