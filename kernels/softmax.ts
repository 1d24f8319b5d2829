/** Softmax, its logarithm, and the logarithm of a sum of exponentials, along one axis. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import { formatShape, reducedShape, type Shape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/softmax.wgsl';
import {
  type DeviceTraits,
  grid,
  type HostTensor,
  type Kernel,
  pipelineSpec,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

export type SoftmaxOp = 'softmax' | 'logSoftmax' | 'logSumExp';

export interface SoftmaxAttrs {
  readonly op: SoftmaxOp;
  /** Normalised. */
  readonly axis: number;
  /** For `logSumExp`: the axis stays, with an extent of 1. */
  readonly keepDims?: boolean;
}

const module = wgslModule('softmax', source);
const ENTRY = { lane: 'softmaxLane', group: 'softmaxGroup', short: 'softmaxShort' };
type Variant = keyof typeof ENTRY;
const KIND: Record<SoftmaxOp, number> = { softmax: 0, logSoftmax: 1, logSumExp: 2 };

/** The tensor as (outer, length, inner) around one axis. */
export const around = (shape: Shape, axis: number): { outer: number; length: number; inner: number } => ({
  outer: sizeOf(shape.slice(0, axis)),
  length: shape[axis] as number,
  inner: sizeOf(shape.slice(axis + 1)),
});

/** Up to here a column fits into registers. */
const SHORT = 16;

/** Whether a workgroup takes a column, not one invocation. */
export const sharesColumns = (length: number, count: number, inner: number, traits: DeviceTraits): boolean =>
  traits.software ? length >= 32 && count < 16 : length >= 64 && (inner === 1 || count < 1024);

/** One dispatch; the maximum is subtracted first, so any finite input is safe. */
export const softmaxKernel: Kernel<SoftmaxAttrs> = {
  name: 'softmax',
  variants: ['lane', 'group', 'short'],

  supports: (variant, [input], { axis }) =>
    variant !== 'short' || (!!input && (input.shape[axis] as number) <= SHORT),

  infer(op, inputs, attrs) {
    const { shape, dtype } = inputs[0] as TensorSpec;
    if (!isFloat(dtype)) {
      throw new DTypeError(`${op}: takes floats, got ${dtype}; cast it first: cast(x, 'float32').`);
    }
    if (attrs.op !== 'logSumExp') return [{ shape, dtype }];
    const reduced = reducedShape(shape, [attrs.axis], attrs.keepDims ?? false);
    if (shape[attrs.axis] === 0 && sizeOf(reduced) > 0) {
      throw new ArgumentError(
        `${op}: axis ${attrs.axis} of ${formatShape(shape)} is empty, and nothing has no maximum to subtract. Check ` +
          `for an empty input first.`,
      );
    }
    return [{ shape: reduced, dtype }];
  },

  plan(inputs, _outputs, attrs, traits, variant) {
    const { outer, length, inner } = around((inputs[0] as TensorSpec).shape, attrs.axis);
    const count = outer * inner;
    const group = sharesColumns(length, count, inner, traits);
    const chosen = (variant as Variant | undefined) ?? (length <= SHORT ? 'short' : group ? 'group' : 'lane');
    const workgroup = chosen === 'group' ? (traits.software ? 8 : 128) : traits.software ? 16 : 64;
    const pipeline = pipelineSpec(module, ENTRY[chosen], ['read', 'write'], 4, {
      KIND: KIND[attrs.op],
      WORKGROUP: workgroup,
    });
    const uniforms = Uint32Array.of(count, length, inner, 0);
    const workgroups = grid(chosen === 'group' ? count : Math.ceil(count / workgroup));
    return { steps: [{ pipeline, buffers: ['in0', 'out0'], uniforms, workgroups }] };
  },

  reference(inputs, outputs, attrs) {
    const { shape, data: x } = inputs[0] as HostTensor;
    const y = (outputs[0] as HostTensor).data;
    const { outer, length, inner } = around(shape, attrs.axis);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (r: number): number => (o * length + r) * inner + i;
        let largest = -Infinity;
        for (let r = 0; r < length; r++) largest = Math.max(largest, x[at(r)] as number);
        let sum = 0;
        for (let r = 0; r < length; r++) sum += Math.exp((x[at(r)] as number) - largest);
        if (attrs.op === 'logSumExp') {
          y[o * inner + i] = Math.abs(largest) === Infinity ? largest : largest + Math.log(sum);
          continue;
        }
        for (let r = 0; r < length; r++) {
          const centred = (x[at(r)] as number) - largest; // NaN where the maximum is infinite
          const value = attrs.op === 'softmax' ? Math.exp(centred) / sum : centred - Math.log(sum);
          y[at(r)] = value;
        }
      }
    }
  },
};
