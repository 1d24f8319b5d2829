/** Conversions between dtypes, and the unpacking of bytes with a scale. */
import { type DType, isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import { sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/cast.wgsl';
import { floatBits, grid, type Kernel, pipelineSpec, wgslModule } from './kernel.ts';

export interface CastAttrs {
  /** A float, `int32` or `bool`; a float is the device's own. */
  readonly dtype: DType;
  /** Factor for uint8 → float, for instance 1/255; otherwise 1. */
  readonly scale?: number;
}

const module = wgslModule('cast', source);
const ACCESS = ['read', 'write'] as const;
const unpack = [0, 1].map((TO_FLOAT) => pipelineSpec(module, 'unpack', ACCESS, 4, { TO_FLOAT }));
const casts = [0, 1, 2, 3, 4, 5].map((KIND) => pipelineSpec(module, 'castWords', ACCESS, 4, { KIND }));

const COPY = 5;

/** The KIND constant of `cast.wgsl`. */
function kindOf(from: DType, to: DType): number {
  if (isFloat(from)) return isFloat(to) ? COPY : to === 'int32' ? 0 : 1;
  if (from === 'int32') return isFloat(to) ? 2 : to === 'bool' ? 3 : COPY;
  return isFloat(to) ? 4 : COPY; // A bool is the integer 0 or 1.
}

/** Truncation to int32 that saturates; NaN becomes 0. */
const toInt = (value: number): number =>
  Number.isNaN(value) ? 0 : Math.trunc(Math.min(2147483647, Math.max(-2147483648, value)));

export const castKernel: Kernel<CastAttrs> = {
  name: 'cast',
  variants: ['default'],

  infer(op, [input], { dtype, scale }) {
    if (!input) throw new ArgumentError(`${op}: one input expected.`);
    if (dtype === 'uint8')
      throw new DTypeError(`${op}: uint8 is for host data only; cast to int32 or a float.`);
    if (scale !== undefined && !(input.dtype === 'uint8' && isFloat(dtype))) {
      throw new ArgumentError(
        `${op}: scale is for uint8 to float; for ${input.dtype} to ${dtype} multiply instead.`,
      );
    }
    if (input.dtype === 'uint8' && dtype === 'bool') {
      throw new DTypeError(`${op}: uint8 to bool has no kernel; cast to int32 first.`);
    }
    return [{ shape: input.shape, dtype }];
  },

  plan([input], [out], { scale = 1 }) {
    if (!input || !out) return { steps: [] };
    const count = Math.ceil(sizeOf(out.shape) / 4);
    const pipeline =
      input.dtype === 'uint8' ? unpack[isFloat(out.dtype) ? 1 : 0] : casts[kindOf(input.dtype, out.dtype)];
    if (!pipeline) return { steps: [] };
    const uniforms = new Uint32Array([count, floatBits(scale), 0, 0]);
    return {
      steps: [{ pipeline, buffers: ['in0', 'out0'], uniforms, workgroups: grid(Math.ceil(count / 64)) }],
    };
  },

  reference([input], [out], { dtype, scale = 1 }) {
    if (!input || !out) return;
    const convert = isFloat(dtype)
      ? (value: number) => value * scale
      : dtype === 'bool'
        ? (value: number) => (value === 0 ? 0 : 1)
        : toInt;
    for (let index = 0; index < out.data.length; index++)
      out.data[index] = convert(input.data[index] as number);
  },
};
