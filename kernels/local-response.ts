/** Local response normalisation along the last axis, and its gradient. */
import { isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/local-response.wgsl';
import {
  type Access,
  type DeviceTraits,
  floatBits,
  grid,
  type HostTensor,
  type Kernel,
  pipelineSpec,
  type Slot,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

export interface LocalResponseAttrs {
  readonly channels: number;
  /** The window holds 2·depthRadius + 1 channels. */
  readonly depthRadius: number;
  readonly bias: number;
  readonly alpha: number;
  readonly beta: number;
}

const module = wgslModule('local-response', source);
const UNIFORM_WORDS = 8;

/** Powers that are made of roots. */
const POWERS = new Map([
  [0.5, 1],
  [0.75, 2],
  [1, 3],
]);

function stepOf(
  entry: string,
  access: readonly Access[],
  buffers: readonly Slot[],
  size: number,
  { channels, depthRadius, bias, alpha, beta }: LocalResponseAttrs,
  traits: DeviceTraits,
): Step {
  const workgroup = traits.software ? 16 : 64;
  const eights = Math.ceil(channels / 8);
  const count = (size / channels) * eights;
  const pipeline = pipelineSpec(module, entry, access, UNIFORM_WORDS, {
    POWER: POWERS.get(beta) ?? 0,
    WORKGROUP: workgroup,
  });
  const uniforms = Uint32Array.of(
    count,
    eights,
    channels,
    Math.min(depthRadius, channels - 1),
    floatBits(bias),
    floatBits(alpha),
    floatBits(beta),
    0,
  );
  return { pipeline, buffers, uniforms, workgroups: grid(Math.ceil(count / workgroup)) };
}

function checkInputs(
  op: string,
  inputs: readonly TensorSpec[],
  { channels }: LocalResponseAttrs,
): TensorSpec {
  const first = inputs[0] as TensorSpec;
  for (const { shape, dtype } of inputs) {
    if (!isFloat(dtype) || dtype !== first.dtype) {
      throw new DTypeError(
        `${op}: takes floats of one dtype, got ${dtype}; cast it first: cast(x, 'float').`,
      );
    }
    if (shape.at(-1) !== channels || !sameShape(shape, first.shape)) {
      throw new ShapeError(
        `${op}: shape ${formatShape(shape)} beside ${formatShape(first.shape)}; both must be equal and end in ${channels} channels.`,
      );
    }
  }
  return { shape: first.shape, dtype: first.dtype };
}

/** Calls `visit` with each element and the first and last element of its window. */
function forEachWindow(
  size: number,
  { channels, depthRadius }: LocalResponseAttrs,
  visit: (index: number, first: number, last: number) => void,
): void {
  for (let index = 0; index < size; index++) {
    const channel = index % channels;
    visit(
      index,
      index - Math.min(depthRadius, channel),
      index + Math.min(depthRadius, channels - 1 - channel),
    );
  }
}

/** x → y = x·s^−beta, and s = bias + alpha·Σ x² over the window. */
export const localResponseKernel: Kernel<LocalResponseAttrs> = {
  name: 'localResponse',
  variants: ['eights'],

  infer(op, inputs, attrs) {
    const spec = checkInputs(op, inputs, attrs);
    return [spec, spec];
  },

  plan: ([x], _outputs, attrs, traits) => ({
    steps: [
      stepOf(
        'localResponse',
        ['read', 'write', 'write'],
        ['in0', 'out0', 'out1'],
        sizeOf((x as TensorSpec).shape),
        attrs,
        traits,
      ),
    ],
  }),

  reference(inputs, outputs, attrs) {
    const x = (inputs[0] as HostTensor).data;
    const [y, s] = outputs.map(({ data }) => data) as [HostTensor['data'], HostTensor['data']];
    forEachWindow(x.length, attrs, (index, first, last) => {
      let squares = 0;
      for (let near = first; near <= last; near++) squares += (x[near] as number) ** 2;
      const scale = attrs.bias + attrs.alpha * squares;
      s[index] = scale;
      y[index] = (x[index] as number) * scale ** -attrs.beta;
    });
  },
};

/** x, s, g → ∂x = g·s^−beta − 2·alpha·beta·x·Σ g·x·s^(−beta−1) over the window. */
export const localResponseGradientKernel: Kernel<LocalResponseAttrs> = {
  name: 'localResponseGradient',
  variants: ['eights'],

  infer: (op, inputs, attrs) => [checkInputs(op, inputs, attrs)],

  plan([x], _outputs, attrs, traits) {
    const size = sizeOf((x as TensorSpec).shape);
    return {
      steps: [
        stepOf(
          'localResponseTerms',
          ['read', 'read', 'read', 'write'],
          ['in0', 'in1', 'in2', 'tmp0'],
          size,
          attrs,
          traits,
        ),
        stepOf(
          'localResponseGradient',
          ['read', 'read', 'read', 'read', 'write'],
          ['in0', 'in1', 'in2', 'tmp0', 'out0'],
          size,
          attrs,
          traits,
        ),
      ],
      scratch: [4 * size],
    };
  },

  reference(inputs, outputs, attrs) {
    const [x, s, g] = inputs.map(({ data }) => data) as [
      HostTensor['data'],
      HostTensor['data'],
      HostTensor['data'],
    ];
    const dx = (outputs[0] as HostTensor).data;
    const { alpha, beta } = attrs;
    forEachWindow(x.length, attrs, (index, first, last) => {
      let sum = 0;
      for (let near = first; near <= last; near++) {
        sum += (g[near] as number) * (x[near] as number) * (s[near] as number) ** (-beta - 1);
      }
      const direct = (g[index] as number) * (s[index] as number) ** -beta;
      dx[index] = direct - 2 * alpha * beta * (x[index] as number) * sum;
    });
  },
};
