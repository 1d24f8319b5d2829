/** A slope that is chosen by the sign of x: PReLU and its two derivatives. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import {
  broadcastStrides,
  forEachOffset,
  formatShape,
  type Shape,
  sameShape,
  sizeOf,
} from '../src/core/shape.ts';
import source from '../wgsl/activation-prelu.wgsl';
import { timesFactor } from './activation.ts';
import { grid, type Kernel, pipelineSpec, type TensorSpec, wgslModule } from './kernel.ts';
import { STRETCHED_WORDS, stretchedAxes, stretches } from './stretched.ts';
import { type Collapsed, collapse, hasRows } from './strided.ts';

export interface PreluAttrs {
  /** `'both'`: x > 0 ? v : alpha v. `'slopes'`: x > 0 ? 0 : alpha v. */
  readonly side: 'both' | 'slopes';
}

const module = wgslModule('activation-prelu', source);
const ACCESS = ['read', 'read', 'read', 'write'] as const;

const viewOf = (alpha: Shape, x: Shape): Collapsed => collapse(x, [broadcastStrides(alpha, x)]);

/** Whether four neighbours of x always meet a whole vec4 of alpha. */
function meetsVectors(alpha: Shape, x: Shape): boolean {
  const [strides = []] = viewOf(alpha, x).strides;
  return hasRows(x) && strides.at(-1) === 1 && strides.slice(0, -1).every((stride) => stride % 4 === 0);
}

/** The inputs are x, v of x's shape, and alpha, which is broadcast to it. */
export const preluKernel: Kernel<PreluAttrs> = {
  name: 'prelu',
  variants: ['runs', 'vectors'],

  supports: (variant, [x, , alpha]) =>
    variant === 'runs' || (!!x && !!alpha && meetsVectors(alpha.shape, x.shape)),

  infer(op, [x, v, alpha]) {
    if (!x || !v || !alpha) throw new ArgumentError(`${op}: x, v and alpha expected.`);
    for (const { dtype } of [x, v, alpha]) {
      if (!isFloat(dtype))
        throw new DTypeError(`${op}: takes floats, got ${dtype}; cast it first: cast(x, 'float').`);
    }
    if (!sameShape(x.shape, v.shape) || !stretches(alpha.shape, x.shape)) {
      throw new ShapeError(
        `${op}: alpha of shape ${formatShape(alpha.shape)} does not broadcast to x of shape ${formatShape(x.shape)}; give it ` +
          `x's extents without the batch, or 1 along axes that share their slopes.`,
      );
    }
    return [{ shape: x.shape, dtype: x.dtype }];
  },

  plan([x, , alpha], _outputs, { side }, _traits, variant) {
    const { shape } = x as TensorSpec;
    const slopes = (alpha as TensorSpec).shape;
    const invocations = Math.ceil(sizeOf(shape) / 4);
    const { rank, words } = stretchedAxes(viewOf(slopes, shape));
    const uniforms = new Uint32Array(4 + STRETCHED_WORDS);
    uniforms.set([invocations, rank]);
    uniforms.set(words, 4);
    const vectors = variant ? variant === 'vectors' : meetsVectors(slopes, shape);
    const entry = vectors ? 'preluVectors' : 'preluRuns';
    const constants = { SLOPE_SIDE: Number(side === 'slopes') };
    return {
      steps: [
        {
          pipeline: pipelineSpec(module, entry, ACCESS, uniforms.length, constants),
          buffers: ['in0', 'in1', 'in2', 'out0'],
          uniforms,
          workgroups: grid(Math.ceil(invocations / 64)),
        },
      ],
    };
  },

  reference([input, values, alpha], [output], { side }) {
    if (!input || !values || !alpha || !output) return;
    forEachOffset(output.shape, [broadcastStrides(alpha.shape, output.shape)], (index, [at]) => {
      const x = input.data[index] as number;
      const v = values.data[index] as number;
      const sloped = timesFactor(v, alpha.data[at as number] as number);
      output.data[index] = Number.isNaN(x) ? x : x > 0 ? (side === 'both' ? v : 0) : sloped;
    });
  },
};
