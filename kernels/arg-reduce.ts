/** Positions of the largest and smallest elements along an axis. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import { formatShape, reducedShape, type Shape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/arg-reduce.wgsl';
import { grid, type HostTensor, type Kernel, pipelineSpec, type TensorSpec, wgslModule } from './kernel.ts';

export interface ArgReduceAttrs {
  readonly op: 'argMax' | 'argMin';
  /** Normalised. */
  readonly axis: number;
  readonly keepDims: boolean;
}

const module = wgslModule('arg-reduce', source);

/** The tensor as (outer, length, inner) around one axis. */
const around = (shape: Shape, axis: number): { outer: number; length: number; inner: number } => ({
  outer: sizeOf(shape.slice(0, axis)),
  length: shape[axis] as number,
  inner: sizeOf(shape.slice(axis + 1)),
});

/** int32 positions along `axis`; ties go to the first, and the first NaN wins. */
export const argReduceKernel: Kernel<ArgReduceAttrs> = {
  name: 'argReduce',
  variants: ['lane', 'group'],

  infer(op, inputs, attrs) {
    const { shape, dtype } = inputs[0] as TensorSpec;
    if (!isFloat(dtype) && dtype !== 'int32') {
      throw new DTypeError(`${op}: takes floats or int32, got ${dtype}; cast it first: cast(x, 'int32').`);
    }
    if (shape[attrs.axis] === 0) {
      throw new ArgumentError(
        `${op}: axis ${attrs.axis} of ${formatShape(shape)} is empty, and nothing has no position. Check for an ` +
          `empty input first.`,
      );
    }
    return [{ shape: reducedShape(shape, [attrs.axis], attrs.keepDims), dtype: 'int32' }];
  },

  plan(inputs, _outputs, attrs, traits, variant) {
    const { shape, dtype } = inputs[0] as TensorSpec;
    const { outer, length, inner } = around(shape, attrs.axis);
    const count = outer * inner;
    const group = variant ? variant === 'group' : length >= 128 && count < (traits.software ? 512 : 16384);
    const workgroup = group ? (traits.software ? 8 : 128) : traits.software ? 16 : 64;
    const pipeline = pipelineSpec(module, group ? 'argGroup' : 'argLane', ['read', 'write'], 4, {
      SMALLEST: attrs.op === 'argMin' ? 1 : 0,
      FLOAT: isFloat(dtype) ? 1 : 0,
      WORKGROUP: workgroup,
    });
    const uniforms = Uint32Array.of(count, length, inner, 0);
    const workgroups = grid(group ? count : Math.ceil(count / workgroup));
    return { steps: [{ pipeline, buffers: ['in0', 'out0'], uniforms, workgroups }] };
  },

  reference(inputs, outputs, attrs) {
    const { shape, data } = inputs[0] as HostTensor;
    const result = (outputs[0] as HostTensor).data;
    const { outer, length, inner } = around(shape, attrs.axis);
    const sign = attrs.op === 'argMin' ? -1 : 1;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let best = 0;
        for (let r = 0; r < length; r++) {
          const value = data[(o * length + r) * inner + i] as number;
          const champion = data[(o * length + best) * inner + i] as number;
          if (Number.isNaN(champion)) break;
          if (Number.isNaN(value) || sign * value > sign * champion) best = r;
        }
        result[o * inner + i] = best;
      }
    }
  },
};
