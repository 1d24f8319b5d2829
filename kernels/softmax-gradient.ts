/** The gradients of softmax and of its logarithm along one axis. */
import { isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape } from '../src/core/shape.ts';
import source from '../wgsl/softmax-gradient.wgsl';
import { grid, type HostTensor, type Kernel, pipelineSpec, type TensorSpec, wgslModule } from './kernel.ts';
import { around, sharesColumns } from './softmax.ts';

export interface SoftmaxGradientAttrs {
  readonly op: 'softmax' | 'logSoftmax';
  /** Normalised. */
  readonly axis: number;
}

const module = wgslModule('softmax-gradient', source);

/** The output y and its gradient g → ∂x: y·(g − Σ g·y) for softmax, g − eʸ·Σ g for its logarithm; one dispatch. */
export const softmaxGradientKernel: Kernel<SoftmaxGradientAttrs> = {
  name: 'softmaxGradient',
  variants: ['lane', 'group'],

  infer(op, inputs) {
    const [y, g] = inputs as [TensorSpec, TensorSpec];
    if (!isFloat(y.dtype) || g.dtype !== y.dtype) {
      throw new DTypeError(
        `${op}: takes floats of one dtype, got ${y.dtype} and ${g.dtype}; cast them first.`,
      );
    }
    if (!sameShape(y.shape, g.shape)) {
      throw new ShapeError(
        `${op}: the gradient has shape ${formatShape(g.shape)}, the output ${formatShape(y.shape)}; they must agree.`,
      );
    }
    return [{ shape: y.shape, dtype: y.dtype }];
  },

  plan(inputs, _outputs, { op, axis }, traits, variant) {
    const { outer, length, inner } = around((inputs[0] as TensorSpec).shape, axis);
    const count = outer * inner;
    const group = variant ? variant === 'group' : sharesColumns(length, count, inner, traits);
    const workgroup = group ? (traits.software ? 8 : 128) : traits.software ? 16 : 64;
    const pipeline = pipelineSpec(
      module,
      group ? 'gradientGroup' : 'gradientLane',
      ['read', 'read', 'write'],
      4,
      { LOGARITHM: op === 'logSoftmax' ? 1 : 0, WORKGROUP: workgroup },
    );
    const uniforms = Uint32Array.of(count, length, inner, 0);
    const workgroups = grid(group ? count : Math.ceil(count / workgroup));
    return { steps: [{ pipeline, buffers: ['in0', 'in1', 'out0'], uniforms, workgroups }] };
  },

  reference(inputs, outputs, { op, axis }) {
    const [{ shape, data: y }, { data: g }] = inputs as [HostTensor, HostTensor];
    const dx = (outputs[0] as HostTensor).data;
    const { outer, length, inner } = around(shape, axis);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (r: number): number => (o * length + r) * inner + i;
        let sum = 0;
        for (let r = 0; r < length; r++) {
          sum += (g[at(r)] as number) * (op === 'softmax' ? (y[at(r)] as number) : 1);
        }
        for (let r = 0; r < length; r++) {
          const [own, out] = [g[at(r)] as number, y[at(r)] as number];
          dx[at(r)] = op === 'softmax' ? out * (own - sum) : own - Math.exp(out) * sum;
        }
      }
    }
  },
};
