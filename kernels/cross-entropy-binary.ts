/** Cross-entropy of yes-or-no questions from logits, element by element, and its gradient. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/cross-entropy-binary.wgsl';
import {
  type Access,
  type DeviceTraits,
  floatBits,
  grid,
  type Kernel,
  type Plan,
  pipelineSpec,
  type Slot,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

export interface BinaryCrossEntropyAttrs {
  /** Targets t become t·(1 − smoothing) + smoothing / 2. */
  readonly smoothing: number;
}

const module = wgslModule('cross-entropy-binary', source);

function check(op: string, inputs: readonly (TensorSpec | undefined)[]): TensorSpec {
  const [x] = inputs;
  if (!x) throw new ArgumentError(`${op}: logits and targets expected.`);
  for (const other of inputs) {
    if (!other || !isFloat(other.dtype) || other.dtype !== x.dtype) {
      throw new DTypeError(`${op}: takes floats, got ${other?.dtype}; cast it first: cast(y, 'float').`);
    }
    if (!sameShape(other.shape, x.shape)) {
      throw new ShapeError(
        `${op}: targets of shape ${formatShape(other.shape)} for predictions of shape ${formatShape(x.shape)}; both must ` +
          `be equal.`,
      );
    }
  }
  return { shape: x.shape, dtype: x.dtype };
}

function planOf(
  entry: string,
  access: readonly Access[],
  buffers: readonly Slot[],
  x: TensorSpec | undefined,
  { smoothing }: BinaryCrossEntropyAttrs,
  { software }: DeviceTraits,
): Plan {
  const count = Math.ceil(sizeOf((x as TensorSpec).shape) / 4);
  const workgroup = software ? 16 : 64;
  const pipeline = pipelineSpec(module, entry, access, 4, { WORKGROUP: workgroup });
  const uniforms = Uint32Array.of(count, floatBits(1 - smoothing), floatBits(smoothing / 2), 0);
  return { steps: [{ pipeline, buffers, uniforms, workgroups: grid(Math.ceil(count / workgroup)) }] };
}

/** logits, targets → max(x, 0) − x·y + ln(1 + e^−|x|). */
export const binaryCrossEntropyKernel: Kernel<BinaryCrossEntropyAttrs> = {
  name: 'binaryCrossEntropy',
  variants: ['default'],
  infer: (op, [x, wanted]) => [check(op, [x, wanted])],
  plan: ([x], _outputs, attrs, traits) =>
    planOf('binaryCrossEntropy', ['read', 'read', 'write'], ['in0', 'in1', 'out0'], x, attrs, traits),

  reference([x, wanted], [loss], { smoothing }) {
    if (!x || !wanted || !loss) return;
    for (let i = 0; i < loss.data.length; i++) {
      const logit = x.data[i] as number;
      const y = (wanted.data[i] as number) * (1 - smoothing) + smoothing / 2;
      loss.data[i] = Math.max(logit, 0) - logit * y + Math.log1p(Math.exp(-Math.abs(logit)));
    }
  },
};

/** logits, targets, g → g · (σ(x) − y), 0 for g = 0. */
export const binaryCrossEntropyGradientKernel: Kernel<BinaryCrossEntropyAttrs> = {
  name: 'binaryCrossEntropyGradient',
  variants: ['default'],
  infer: (op, [x, wanted, g]) => [check(op, [x, wanted, g])],
  plan: ([x], _outputs, attrs, traits) =>
    planOf(
      'binaryCrossEntropyGradient',
      ['read', 'read', 'read', 'write'],
      ['in0', 'in1', 'in2', 'out0'],
      x,
      attrs,
      traits,
    ),

  reference([x, wanted, g], [dx], { smoothing }) {
    if (!x || !wanted || !g || !dx) return;
    for (let i = 0; i < dx.data.length; i++) {
      const y = (wanted.data[i] as number) * (1 - smoothing) + smoothing / 2;
      const own = g.data[i] as number;
      dx.data[i] = own === 0 ? 0 : own * (1 / (1 + Math.exp(-(x.data[i] as number))) - y);
    }
  },
};
