/** Noise on a tensor, drawn where it is used: element i takes the Philox block `counter + j`, j its place in the noise's shape. */
import { isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { bits24, boxMuller, philox4x32, wordsOf } from '../src/core/philox.ts';
import { broadcastStrides, forEachOffset, formatShape, type Shape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/dropout.wgsl';
import {
  type DeviceTraits,
  floatBits,
  grid,
  type Kernel,
  pipelineSpec,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';
import { STRETCHED_WORDS, stretchedAxes, stretches } from './stretched.ts';
import { collapse, hasRows } from './strided.ts';

/** What becomes of x, by its code in wgsl/dropout.wgsl. */
export const noiseKinds = {
  /** a x + b with probability `keep`, else c. */
  drop: 0,
  /** x + a z with a standard normal z. */
  add: 1,
  /** x (1 + a z). */
  scale: 2,
} as const;

export interface DropoutAttrs {
  readonly kind: keyof typeof noiseKinds;
  /** The Philox key, a whole number from 0 to 2^53 − 1. */
  readonly seed: number;
  /** The block of the noise's first element. */
  readonly counter: number;
  /** One draw for each element of this shape, which is broadcast to x's. */
  readonly noiseShape: Shape;
  /** The probability that an element is kept, in steps of 2^−24; for `drop`. */
  readonly keep: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const module = wgslModule('dropout', source);
const WORDS = 12 + STRETCHED_WORDS;

/** SwiftShader, known by its subgroups of 4, shifts lane by lane: 7 times the time of an addition. */
const shiftsAreDear = ({ software, subgroupSize }: DeviceTraits): boolean => software && subgroupSize === 4;

/** Below this, the 24 bits of a kept element stay, as those of a Bernoulli number that is 1. */
const limitOf = (keep: number): number => Math.floor(keep * 2 ** 24);

/** Dropout, its relatives, and their gradients, in one dispatch that saves no mask. */
export const dropoutKernel: Kernel<DropoutAttrs> = {
  name: 'dropout',
  variants: ['integer', 'float'],

  infer(op, inputs, { noiseShape }) {
    const { shape, dtype } = inputs[0] as TensorSpec;
    if (!isFloat(dtype))
      throw new DTypeError(`${op}: takes floats, got ${dtype}; cast it first: cast(x, 'float').`);
    if (!stretches(noiseShape, shape)) {
      throw new ShapeError(
        `${op}: noiseShape ${formatShape(noiseShape)} does not broadcast to x of shape ${formatShape(shape)}; give it x's ` +
          `extents, and 1 along axes that share their noise.`,
      );
    }
    return [{ shape, dtype }];
  },

  plan(inputs, _outputs, attrs, traits, variant) {
    const { shape } = inputs[0] as TensorSpec;
    const invocations = Math.ceil(sizeOf(shape) / 4);
    const own = sizeOf(attrs.noiseShape) === sizeOf(shape);
    const view = collapse(shape, [broadcastStrides(attrs.noiseShape, shape)]);
    const { rank, words } = stretchedAxes(view);
    const uniforms = new Uint32Array(WORDS);
    uniforms.set([
      invocations,
      ...wordsOf(attrs.seed),
      ...wordsOf(attrs.counter),
      limitOf(attrs.keep),
      rank,
      view.strides[0]?.at(-1) ?? 0,
    ]);
    uniforms.set([floatBits(attrs.a), floatBits(attrs.b), floatBits(attrs.c)], 8);
    uniforms.set(words, 12);
    const floats = variant ? variant === 'float' : shiftsAreDear(traits);
    return {
      steps: [
        {
          pipeline: pipelineSpec(module, 'dropout', ['read', 'write'], WORDS, {
            KIND: noiseKinds[attrs.kind],
            STRETCHED: own ? 0 : 1,
            ROWS: hasRows(shape) ? 1 : 0,
            FLOATS: floats ? 1 : 0,
          }),
          buffers: ['in0', 'out0'],
          uniforms,
          workgroups: grid(Math.ceil(invocations / 64)),
        },
      ],
    };
  },

  reference([input], [output], { kind, seed, counter, noiseShape, keep, a, b, c }) {
    if (!input || !output) return;
    const [key0, key1] = wordsOf(seed);
    const limit = limitOf(keep);
    forEachOffset(output.shape, [broadcastStrides(noiseShape, output.shape)], (index, [place]) => {
      const [low, high] = wordsOf(counter + (place as number));
      const [word0, word1] = philox4x32(low, high, key0, key1);
      const x = input.data[index] as number;
      if (kind === 'drop') output.data[index] = bits24(word0) < limit ? a * x + b : c;
      else if (kind === 'add') output.data[index] = x + a * boxMuller(word0, word1);
      else output.data[index] = x * (1 + a * boxMuller(word0, word1));
    });
  },
};
