/** Runs one fuzz case on a GPU device, over dirty memory, and compares the outputs with the kernel's reference. */
import type { HostTensor, Kernel, TensorSpec } from '../../kernels/kernel.ts';
import { byteLength, type HostArray, hostArray, isFloat } from '../../src/core/dtype.ts';
import { formatShape, sameShape, sizeOf } from '../../src/core/shape.ts';
import type { Operand, Storage } from '../../src/runtime/device.ts';
import type { GpuDevice } from '../../src/runtime/gpu/gpu-device.ts';
import type { FuzzCase } from './fuzz-case.ts';

const LARGEST_FLOAT32 = 3.4028234663852886e38;
/** Just above the smallest normal float32; what is smaller may be flushed to zero. */
const SMALL = 1.2e-38;
/** A quiet NaN as float32; nonsense as an integer or a bool. */
const NAN_BITS = 0x7fc0dead;

/** Whether `value`, a float32, is an acceptable result where the exact one is `expected`. */
export function isClose(value: number, expected: number, abs: number, rel: number): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(value);
  if (Math.abs(expected) > LARGEST_FLOAT32) return value === Math.sign(expected) * Infinity;
  if (Math.abs(expected) < SMALL && value === 0) return true;
  return Math.abs(value - expected) <= abs + rel * Math.abs(expected);
}

/** Floats as float64, which is what the reference computes in. */
const widen = ({ shape, dtype, data }: HostTensor): HostTensor =>
  isFloat(dtype) ? { shape, dtype: 'float64', data: Float64Array.from(data) } : { shape, dtype, data };

export function runReference<Attrs>(
  label: string,
  kernel: Kernel<Attrs>,
  inputs: readonly HostTensor[],
  attrs: Attrs,
  targets?: readonly HostTensor[],
): HostTensor[] {
  const wide = inputs.map(widen);
  if (targets) {
    const updated = targets.map(({ data, ...spec }) => widen({ ...spec, data: data.slice() }));
    kernel.reference(wide, updated, attrs);
    return updated;
  }
  const outputs = kernel.infer(label, wide, attrs).map(({ shape, dtype }): HostTensor => {
    const kind = isFloat(dtype) ? 'float64' : dtype;
    return { shape, dtype: kind, data: hostArray(kind, sizeOf(shape)) };
  });
  kernel.reference(wide, outputs, attrs);
  return outputs;
}

/** Throws at the first element that differs; integers and bools must be equal. */
export function compareOutputs(
  actual: readonly HostTensor[],
  expected: readonly HostTensor[],
  abs: number,
  rel: number,
): void {
  for (let index = 0; index < expected.length; index++) {
    const want = expected[index] as HostTensor;
    const got = actual[index] as HostTensor;
    if (!sameShape(got.shape, want.shape) || got.data.length !== want.data.length) {
      throw new Error(`output ${index} has shape ${formatShape(got.shape)}, not ${formatShape(want.shape)}`);
    }
    const float = isFloat(want.dtype);
    if (isFloat(got.dtype) !== float || (!float && got.dtype !== want.dtype)) {
      throw new Error(`output ${index} is ${got.dtype}, not ${want.dtype}`);
    }
    for (let at = 0; at < want.data.length; at++) {
      const value = got.data[at] as number;
      const exact = want.data[at] as number;
      if (float ? isClose(value, exact, abs, rel) : value === exact) continue;
      throw new Error(
        `output ${index} of shape ${formatShape(want.shape)}, element ${at}: ${value}, but the reference says ${exact}` +
          (float ? ` (difference ${Math.abs(value - exact)}, abs ${abs}, rel ${rel})` : ''),
      );
    }
  }
}

/** Fills memory of these sizes with NaN and gives it back, so that the kernel's buffers are likely to hold NaN. */
function poison(device: GpuDevice, sizes: readonly number[]): void {
  const dirty = sizes.map((bytes) =>
    device.upload('poison', 'int32', new Int32Array(Math.ceil(bytes / 4)).fill(NAN_BITS)),
  );
  for (const storage of dirty) storage.release();
}

/** The sizes of what the kernel will write: outputs and scratch. */
function writtenSizes<Attrs>(
  kernel: Kernel<Attrs>,
  inputs: readonly TensorSpec[],
  specs: readonly TensorSpec[],
  attrs: Attrs,
  device: GpuDevice,
  variant: string,
): number[] {
  const sizes = specs.map(({ shape, dtype }) => byteLength(dtype, sizeOf(shape)));
  if (sizes.every((bytes) => bytes === 0)) return [];
  const { scratch = [] } = kernel.plan(inputs, specs, attrs, device.traits, variant);
  return [...sizes, ...scratch];
}

/** @throws when an output is not what the reference says; all memory is given back in any case. */
export async function runCase<Attrs>(
  device: GpuDevice,
  label: string,
  kernel: Kernel<Attrs>,
  { inputs, attrs, targets, abs, rel }: FuzzCase<Attrs>,
  variant: string,
): Promise<void> {
  const held: Storage[] = [];
  try {
    const upload = ({ shape, dtype, data }: HostTensor): Operand => {
      const storage = device.upload(label, dtype, data);
      held.push(storage);
      return { shape, dtype, storage };
    };
    const operands = inputs.map(upload);
    const into = targets?.map(upload);
    const specs = kernel.infer(label, operands, attrs);
    poison(device, writtenSizes(kernel, operands, specs, attrs, device, variant));
    const outputs = device.run(label, kernel, operands, attrs, { variant, into });
    if (!into) held.push(...outputs.map(({ storage }) => storage));
    const arrays: HostArray[] = await Promise.all(outputs.map(({ storage }) => device.read(storage)));
    const actual = outputs.map(({ shape, dtype }, index) => ({
      shape,
      dtype,
      data: arrays[index] as HostArray,
    }));
    compareOutputs(actual, runReference(label, kernel, inputs, attrs, targets), abs, rel);
  } finally {
    for (const storage of held) storage.release();
  }
}
