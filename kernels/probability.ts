/** Probabilities on their way into a logarithm: kept away from 0 and 1, and checked to be probabilities. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError, type ValueRange } from '../src/core/errors.ts';
import { formatShape, type Shape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/probability.wgsl';
import { dividerWords } from './indexing.ts';
import { floatBits, grid, type Kernel, pipelineSpec, wgslModule } from './kernel.ts';

export interface ProbabilityAttrs {
  /** The bounds to clip to. */
  readonly low: number;
  readonly high: number;
  /** What the input must lie in, but for roundings. */
  readonly range: ValueRange;
  /** The axis of the classes, which the totals are sums over; not used without totals. */
  readonly axis?: number;
}

/** How far rounding may carry a probability out of its range. */
export const PROBABILITY_TOLERANCE = 1e-5;

const module = wgslModule('probability', source);
const WORDS = 16;
/** The uniform word of the op's number in the error record. */
const OP = 1;
const pipelines = {
  clip: pipelineSpec(module, 'clip', ['read', 'write', 'write'], WORDS),
  clipShare: pipelineSpec(module, 'clipShare', ['read', 'write', 'read', 'write'], WORDS),
};

/** x as (outer, columns, inner) around the axis. */
function around(shape: Shape, axis = 0): { columns: number; inner: number } {
  return { columns: shape[axis] ?? 1, inner: sizeOf(shape.slice(axis + 1)) };
}

const strays = (value: number, { lowest, highest }: ValueRange): boolean =>
  value < lowest - PROBABILITY_TOLERANCE || value > highest + PROBABILITY_TOLERANCE;

/** `clipped = min(max(p, low), high)`, or of `p / total` with a second input; a p out of range becomes NaN. */
export const probabilityKernel: Kernel<ProbabilityAttrs> = {
  name: 'probability',
  variants: ['default'],

  infer(op, [p, total], { axis = 0 }) {
    if (!p) throw new ArgumentError(`${op}: a tensor of probabilities expected.`);
    if (!isFloat(p.dtype)) {
      throw new DTypeError(`${op}: probabilities are floats, not ${p.dtype}; cast them: cast(x, 'float').`);
    }
    if (total && sizeOf(total.shape) * (p.shape[axis] ?? 1) !== sizeOf(p.shape)) {
      throw new ShapeError(
        `${op}: totals of shape ${formatShape(total.shape)} are no sums over axis ${axis} of ${formatShape(p.shape)}; ` +
          `pass sum(x, { axis: ${axis}, keepDims: true }).`,
      );
    }
    return [{ shape: p.shape, dtype: p.dtype }];
  },

  plan([, total], [out], { low, high, range, axis }) {
    if (!out) return { steps: [] };
    const count = sizeOf(out.shape);
    const { columns, inner } = around(out.shape, axis);
    const uniforms = new Uint32Array(WORDS);
    uniforms.set([count, 0, floatBits(low), floatBits(high)]);
    uniforms.set(dividerWords(columns * inner), 4);
    uniforms.set(dividerWords(inner), 8);
    uniforms[12] = floatBits(range.lowest - PROBABILITY_TOLERANCE);
    uniforms[13] = floatBits(range.highest + PROBABILITY_TOLERANCE);
    return {
      steps: [
        {
          pipeline: total ? pipelines.clipShare : pipelines.clip,
          buffers: total ? ['in0', 'err', 'in1', 'out0'] : ['in0', 'err', 'out0'],
          uniforms,
          workgroups: grid(Math.ceil(count / 64)),
          errorWord: OP,
          errorRange: range,
        },
      ],
    };
  },

  offence([p], { range }) {
    if (!p) return undefined;
    for (let position = 0; position < p.data.length; position++) {
      const value = p.data[position] as number;
      if (strays(value, range)) return { position, value, range };
    }
    return undefined;
  },

  reference([p, total], [out], { low, high, range, axis }) {
    if (!p || !out) return;
    const { columns, inner } = around(p.shape, axis);
    for (let i = 0; i < out.data.length; i++) {
      const value = p.data[i] as number;
      const own = Math.floor(i / (columns * inner)) * inner + (i % inner);
      const share = total ? value / (total.data[own] as number) : value;
      out.data[i] = strays(value, range) ? Number.NaN : Math.min(Math.max(share, low), high);
    }
  },
};
