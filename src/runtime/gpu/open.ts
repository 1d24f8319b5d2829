/** From an adapter to a `GpuDevice`: limits as large as the adapter has them, features that variants can use. */
import type { DeviceTraits } from '../../../kernels/kernel.ts';
import { AdapterError } from '../../core/errors.ts';
import { GpuDevice } from './gpu-device.ts';
import { type Settle, settlePlainly } from './settle.ts';

export interface OpenOptions {
  readonly description: string;
  readonly settle?: Settle;
  readonly debug?: boolean;
  /** `default`: the limits and features that every WebGPU device has, nothing more. */
  readonly limits?: 'adapter' | 'default';
}

const WANTED_FEATURES: readonly GPUFeatureName[] = [
  'subgroups' as GPUFeatureName,
  'shader-f16',
  'timestamp-query',
];

/** Limits that are raised to what the adapter has; all others stay at the standard's defaults. */
const RAISED = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;

/** A software rasteriser, by its name. */
export const isSoftware = (info: GPUAdapterInfo): boolean =>
  info.isFallbackAdapter === true ||
  /swiftshader|llvmpipe|lavapipe/i.test(`${info.description} ${info.device} ${info.architecture}`);

/** `llvmpipe (LLVM 19.1.7, 256 bits)`, or whatever the adapter says of itself. */
export const adapterName = (info: GPUAdapterInfo): string =>
  info.description ||
  [info.vendor, info.architecture, info.device].filter(Boolean).join(' ') ||
  'unnamed adapter';

export async function openAdapter(adapter: GPUAdapter, options: OpenOptions): Promise<GpuDevice> {
  const plain = options.limits === 'default';
  const requiredLimits: Record<string, number> = {};
  if (!plain) for (const name of RAISED) requiredLimits[name] = adapter.limits[name];
  const gpu = await adapter.requestDevice({
    requiredFeatures: plain ? [] : WANTED_FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits,
  });
  return wrapDevice(gpu, adapter.info, options);
}

/** Wraps a `GPUDevice` that the caller made. */
export function wrapDevice(gpu: GPUDevice, info: GPUAdapterInfo, options: OpenOptions): GpuDevice {
  if (gpu.limits.maxComputeWorkgroupsPerDimension < 65535) {
    throw new AdapterError(
      'This GPUDevice allows fewer than 65,535 workgroups per dimension, less than the standard asks for.',
    );
  }
  const fixed = info.subgroupMinSize !== undefined && info.subgroupMinSize === info.subgroupMaxSize;
  const traits: DeviceTraits = {
    software: isSoftware(info),
    subgroupSize: fixed && gpu.features.has('subgroups' as GPUFeatureName) ? (info.subgroupMinSize ?? 0) : 0,
    maxInvocations: gpu.limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupBytes: gpu.limits.maxComputeWorkgroupStorageSize,
  };
  return new GpuDevice(gpu, {
    description: options.description,
    traits,
    settle: options.settle ?? settlePlainly,
    debug: options.debug ?? false,
  });
}
