/** Constant tensors and arithmetic sequences. */

import type { DType } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import { type Shape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/fill.wgsl';
import { floatBits, grid, type Kernel, pipelineSpec, wgslModule } from './kernel.ts';

/** `out[i] = value + i·step`. */
export interface FillAttrs {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly value: number;
  readonly step?: number;
}

const module = wgslModule('fill', source);
const fillPipeline = pipelineSpec(module, 'fill', ['write'], 4, {});
const iotaFloat = pipelineSpec(module, 'iota', ['write'], 4, { IS_INT: 0 });
const iotaInt = pipelineSpec(module, 'iota', ['write'], 4, { IS_INT: 1 });

export const fillKernel: Kernel<FillAttrs> = {
  name: 'fill',
  variants: ['default'],

  infer(op, _inputs, { shape, dtype, value, step }) {
    if (dtype === 'uint8') throw new DTypeError(`${op}: uint8 is for host data only; use int32 or float.`);
    const last = value + Math.max(0, sizeOf(shape) - 1) * (step ?? 0);
    for (const number of step === undefined ? [value] : [value, step, last]) {
      if (dtype === 'int32' && (!Number.isInteger(number) || number < -(2 ** 31) || number > 2 ** 31 - 1)) {
        throw new ArgumentError(
          `${op}: ${number} does not fit into int32; use a whole number, or a float dtype.`,
        );
      }
    }
    if (dtype === 'bool' && (step !== undefined || (value !== 0 && value !== 1))) {
      throw new ArgumentError(
        `${op}: a bool tensor holds 0 and 1 only; compare a float or int32 tensor instead.`,
      );
    }
    return [{ shape, dtype }];
  },

  plan(_inputs, _outputs, { shape, dtype, value, step }) {
    const count = Math.ceil(sizeOf(shape) / 4);
    const bits = dtype === 'float32' ? floatBits : (number: number) => number;
    const uniforms = new Uint32Array([count, bits(value), bits(step ?? 0), 0]);
    const pipeline = step === undefined ? fillPipeline : dtype === 'float32' ? iotaFloat : iotaInt;
    return { steps: [{ pipeline, buffers: ['out0'], uniforms, workgroups: grid(Math.ceil(count / 64)) }] };
  },

  reference(_inputs, [out], { value, step = 0 }) {
    if (!out) return;
    for (let index = 0; index < out.data.length; index++) out.data[index] = value + index * step;
  },
};
