/** Looks for NaN and infinities, and keeps what it finds on the device. */
import { isFloat } from '../src/core/dtype.ts';
import { DTypeError } from '../src/core/errors.ts';
import { sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/check-finite.wgsl';
import { grid, type HostTensor, type Kernel, pipelineSpec, type TensorSpec, wgslModule } from './kernel.ts';

export interface CheckFiniteAttrs {
  /** The number of this check, from 1: another one for each. */
  readonly check: number;
}

const module = wgslModule('check-finite', source);

/** Floats that an invocation looks at. */
const RUN = 4 * 8;

/** What the record tells of a float. */
const kindOf = (value: number): number => (Number.isNaN(value) ? 1 : value > 0 ? 2 : 4);

/**
 * values (any shape), floats → record (3,), int32, in place: unless an earlier check has claimed it, `check`, the sum of the
 * kinds found (1 NaN, 2 +∞, 4 −∞), and the position of the last find, from 1. Finite values change nothing.
 */
export const checkFiniteKernel: Kernel<CheckFiniteAttrs> = {
  name: 'checkFinite',
  variants: ['default'],
  updates: true,

  infer(op, [values]) {
    const { dtype } = values as TensorSpec;
    if (!isFloat(dtype)) throw new DTypeError(`${op}: only floats can be NaN or infinite, not ${dtype}.`);
    return [{ shape: [3], dtype: 'int32' }];
  },

  plan([values], _outputs, { check }, { software }) {
    const count = sizeOf((values as TensorSpec).shape);
    if (count === 0) return { steps: [] };
    const workgroup = software ? 16 : 64;
    return {
      steps: [
        {
          pipeline: pipelineSpec(module, 'checkFinite', ['read', 'write'], 4, { WORKGROUP: workgroup }),
          buffers: ['in0', 'out0'],
          uniforms: Uint32Array.of(count, check, 0, 0),
          workgroups: grid(Math.ceil(count / (RUN * workgroup))),
        },
      ],
    };
  },

  reference([values], [out], { check }) {
    const record = (out as HostTensor).data;
    (values as HostTensor).data.forEach((value, index) => {
      if (Number.isFinite(value)) return;
      if (record[0] === 0) record[0] = check;
      if (record[0] !== check) return;
      record[1] = (record[1] as number) | kindOf(value);
      record[2] = index + 1;
    });
  },
};
