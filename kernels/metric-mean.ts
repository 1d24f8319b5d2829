/** A mean over many batches: its sums, updated in place, and their quotient. */
import { type DType, isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/metric-mean.wgsl';
import {
  floatBits,
  grid,
  type HostTensor,
  type Kernel,
  pipelineSpec,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

export interface AccumulateMeanAttrs {
  /** The dtype of the sums: the device's float. */
  readonly dtype: DType;
  /** Multiplies all weights: the weight of a batch whose mean is added. */
  readonly factor: number;
}

const module = wgslModule('metric-mean', source);
const WORDS = 8;
/** Values of a workgroup: 64 for each lane, so that roundings stay few and a large batch fills the device. */
export const CHUNK = 4096;

const flag = (condition: boolean): number => (condition ? 1 : 0);
const collect = (weighted: boolean, float: boolean, final: boolean) =>
  pipelineSpec(module, 'collect', ['read', 'read', 'write'], WORDS, {
    WEIGHTED: flag(weighted),
    FLOAT: flag(float),
    FINAL: flag(final),
  });
const finish = (weighted: boolean) =>
  pipelineSpec(module, 'finish', ['read', 'write'], WORDS, { WEIGHTED: flag(weighted) });
const quotient = (root: boolean) =>
  pipelineSpec(module, 'quotient', ['read', 'write'], WORDS, { ROOT: flag(root) });

/** Samples in a batch of values; a scalar is one. */
const rowsOf = (shape: Shape): number => shape[0] ?? 1;

/**
 * values (rows, …), float or bool, and weights for their leading axes → sums (2,), in place:
 * `sums[0] += factor · Σ mean(v·w)` and `sums[1] += factor · Σ mean(w)`, with the sums over the rows and the means over
 * what a row holds. Without weights w is 1. No values add nothing.
 */
export const accumulateMeanKernel: Kernel<AccumulateMeanAttrs> = {
  name: 'accumulateMean',
  variants: ['default'],
  updates: true,

  infer(op, [values, weights], { dtype }) {
    const { shape, dtype: kind } = values as TensorSpec;
    if (!isFloat(kind) && kind !== 'bool')
      throw new DTypeError(`${op}: values are floats or bool, not ${kind}; cast them: cast(x, 'float').`);
    if (weights && !isFloat(weights.dtype))
      throw new DTypeError(`${op}: weights are floats, not ${weights.dtype}; cast them: cast(x, 'float').`);
    if (weights && !sameShape(weights.shape, shape.slice(0, weights.shape.length))) {
      throw new ShapeError(
        `${op}: weights of shape ${formatShape(weights.shape)} for values of shape ${formatShape(shape)}; pass the ` +
          `leading axes of that, such as (batch,).`,
      );
    }
    return [{ shape: [2], dtype }];
  },

  plan([values, weights], _outputs, { factor }) {
    const { shape, dtype } = values as TensorSpec;
    const count = sizeOf(shape);
    if (count === 0) return { steps: [] };
    const rows = rowsOf(shape);
    const parts = Math.ceil(count / CHUNK);
    const weighted = weights !== undefined;
    const uniforms = new Uint32Array(WORDS);
    uniforms.set([count, weights ? count / sizeOf(weights.shape) : 1, CHUNK, parts]);
    uniforms[4] = floatBits((factor * rows) / count);
    uniforms[5] = floatBits(factor * rows);
    const first = {
      pipeline: collect(weighted, isFloat(dtype), parts === 1),
      buffers: ['in0', weighted ? 'in1' : 'in0', parts === 1 ? 'out0' : 'tmp0'] as const,
      uniforms,
      workgroups: grid(parts),
    };
    if (parts === 1) return { steps: [first] };
    const last = { pipeline: finish(weighted), buffers: ['tmp0', 'out0'] as const, uniforms };
    return { scratch: [8 * parts], steps: [first, { ...last, workgroups: grid(1) }] };
  },

  reference([values, weights], [out], { factor }) {
    const { shape, data } = values as HostTensor;
    if (data.length === 0) return;
    const sums = (out as HostTensor).data;
    const span = weights ? data.length / weights.data.length : 1;
    let total = 0;
    let count = 0;
    data.forEach((value, index) => {
      const weight = weights ? (weights.data[Math.floor(index / span)] as number) : 1;
      total += value * weight;
      count += weight;
    });
    const perRow = data.length / rowsOf(shape);
    sums[0] = (sums[0] as number) + (factor * total) / perRow;
    sums[1] = (sums[1] as number) + (factor * count) / perRow;
  },
};

/** sums (2,) → their quotient, a scalar, or the root of it; 0 where the divisor is 0. */
export const meanOfSumsKernel: Kernel<{ readonly root: boolean }> = {
  name: 'meanOfSums',
  variants: ['default'],

  infer(op, [sums]) {
    const { shape, dtype } = sums as TensorSpec;
    if (!sameShape(shape, [2]) || !isFloat(dtype))
      throw new ShapeError(`${op}: sums are two floats, not ${dtype} of shape ${formatShape(shape)}.`);
    return [{ shape: [], dtype }];
  },

  plan: (_inputs, _outputs, { root }) => ({
    steps: [
      {
        pipeline: quotient(root),
        buffers: ['in0', 'out0'],
        uniforms: new Uint32Array(WORDS),
        workgroups: grid(1),
      },
    ],
  }),

  reference([sums], [out], { root }) {
    const [total, count] = (sums as HostTensor).data as unknown as [number, number];
    const mean = count === 0 ? 0 : total / count;
    (out as HostTensor).data[0] = root ? Math.sqrt(mean) : mean;
  },
};
