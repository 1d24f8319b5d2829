/** What surrounds an optimizer's step, over flat gradients and values: norms, sums over several batches, and averages. */
import { ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/optimizer-flat.wgsl';
import {
  floatBits,
  grid,
  type HostTensor,
  type Kernel,
  pipelineSpec,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';
import { BLOCK, isActive } from './optimizer.ts';

const module = wgslModule('optimizer-flat', source);
const WORDS = 8;
const squares = pipelineSpec(module, 'squares', ['read', 'read', 'read', 'write'], WORDS);
const combine = (whole: boolean) =>
  pipelineSpec(module, 'combine', ['read', 'read', 'write'], WORDS, { WHOLE: whole ? 1 : 0 });
const accumulate = (first: boolean) =>
  pipelineSpec(module, 'accumulate', ['read', 'read', 'read', 'write'], WORDS, { FIRST: first ? 1 : 0 });
const average = pipelineSpec(module, 'average', ['read', 'write'], WORDS);

/** The uniform block: counts first, floats from the fifth word on. */
function uniformsOf(counts: readonly number[], floats: readonly number[] = []): Uint32Array {
  const words = new Uint32Array(WORDS);
  words.set(counts);
  words.set(floats.map(floatBits), 4);
  return words;
}

export interface SquaresAttrs {
  /** The shape of the sums. */
  readonly sums: number;
  /** One sum of all gradients, at this place; else one for each segment. */
  readonly wholeAt?: number | undefined;
}

/**
 * gradients (N,), blocks (N/64,), segments (S, 3), starts (S + 1,) → sums of squares, in place. `starts` are the segments'
 * first blocks. What is not updated counts as 0.
 */
export const sumSquaresKernel: Kernel<SquaresAttrs> = {
  name: 'sumSquaresOfSegments',
  variants: ['default'],
  updates: true,

  infer(op, inputs, { sums, wholeAt }) {
    const [gradients, blocks, segments, starts] = inputs as [TensorSpec, TensorSpec, TensorSpec, TensorSpec];
    const count = segments.shape[0] as number;
    if (
      !sameShape(gradients.shape, [BLOCK * sizeOf(blocks.shape)]) ||
      !sameShape(starts.shape, [count + 1]) ||
      (wholeAt === undefined ? sums !== count : wholeAt >= sums)
    ) {
      throw new ShapeError(
        `${op}: gradients ${formatShape(gradients.shape)}, blocks ${formatShape(blocks.shape)}, starts ` +
          `${formatShape(starts.shape)} and ${sums} sums for ${count} segments do not fit together.`,
      );
    }
    return [{ shape: [sums], dtype: gradients.dtype }];
  },

  plan(inputs, _outputs, { wholeAt }) {
    const blocks = sizeOf((inputs[1] as TensorSpec).shape);
    const whole = wholeAt !== undefined;
    const count = whole ? 1 : ((inputs[2] as TensorSpec).shape[0] as number);
    return {
      scratch: [4 * Math.max(1, blocks)],
      steps: [
        {
          pipeline: squares,
          buffers: ['in0', 'in1', 'in2', 'tmp0'],
          uniforms: uniformsOf([blocks]),
          workgroups: grid(Math.ceil(blocks / 64)),
        },
        {
          pipeline: combine(whole),
          buffers: ['tmp0', 'in3', 'out0'],
          uniforms: uniformsOf([count, wholeAt ?? 0, blocks]),
          workgroups: grid(count),
        },
      ],
    };
  },

  reference(inputs, [out], { wholeAt }) {
    const [gradients, blocks, segments] = inputs as [HostTensor, HostTensor, HostTensor];
    const sums = (out as HostTensor).data;
    if (wholeAt === undefined) sums.fill(0);
    else sums[wholeAt] = 0;
    for (let index = 0; index < gradients.data.length; index++) {
      const segment = blocks.data[Math.floor(index / BLOCK)] as number;
      if (!isActive(segments, segment)) continue;
      const at = wholeAt ?? segment;
      sums[at] = (sums[at] as number) + (gradients.data[index] as number) ** 2;
    }
  },
};

/** gradients (N,), blocks (N/64,), segments (S, 3) → sums (N,) = gradients + sums, in place; `first` starts anew. */
export const accumulateKernel: Kernel<{ readonly first: boolean }> = {
  name: 'accumulateGradients',
  variants: ['default'],
  updates: true,

  infer: (_op, [gradients]) => [gradients as TensorSpec],

  plan(inputs, _outputs, { first }) {
    const quads = sizeOf((inputs[0] as TensorSpec).shape) / 4;
    return {
      steps: [
        {
          pipeline: accumulate(first),
          buffers: ['in0', 'in1', 'in2', 'out0'],
          uniforms: uniformsOf([quads]),
          workgroups: grid(Math.ceil(quads / 64)),
        },
      ],
    };
  },

  reference(inputs, [out], { first }) {
    const [gradients, blocks, segments] = inputs as [HostTensor, HostTensor, HostTensor];
    const sums = (out as HostTensor).data;
    for (let index = 0; index < sums.length; index++) {
      const active = isActive(segments, blocks.data[Math.floor(index / BLOCK)] as number);
      const before = first ? 0 : (sums[index] as number);
      sums[index] = before + (active ? (gradients.data[index] as number) : 0);
    }
  },
};

/** values (N,) → averages (N,) = momentum · averages + (1 − momentum) · values, in place. */
export const averageKernel: Kernel<{ readonly momentum: number }> = {
  name: 'averageOfValues',
  variants: ['default'],
  updates: true,

  infer: (_op, [values]) => [values as TensorSpec],

  plan([values], _outputs, { momentum }) {
    const quads = Math.ceil(sizeOf((values as TensorSpec).shape) / 4);
    return {
      steps: [
        {
          pipeline: average,
          buffers: ['in0', 'out0'],
          uniforms: uniformsOf([quads], [momentum, 1 - momentum]),
          workgroups: grid(Math.ceil(quads / 64)),
        },
      ],
    };
  },

  reference([values], [out], { momentum }) {
    const averages = (out as HostTensor).data;
    (values as HostTensor).data.forEach((value, index) => {
      averages[index] = momentum * (averages[index] as number) + (1 - momentum) * value;
    });
  },
};
