/** The upper or the lower triangle of matrices, zero elsewhere. */
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/triangle.wgsl';
import { grid, type Kernel, pipelineSpec, type TensorSpec, wgslModule } from './kernel.ts';
import { divider } from './strided.ts';

export interface TriangleAttrs {
  readonly upper: boolean;
  /** Keeps column − row ≥ diagonal (upper) or ≤ diagonal (lower). */
  readonly diagonal: number;
}

const module = wgslModule('triangle', source);
const pipelines = {
  elements: pipelineSpec(module, 'triangle', ['read', 'write'], 12),
  quads: pipelineSpec(module, 'triangleQuads', ['read', 'write'], 12),
};

const hasQuads = ({ shape }: TensorSpec): boolean => (shape.at(-1) as number) % 4 === 0;

export const triangleKernel: Kernel<TriangleAttrs> = {
  name: 'triangle',
  variants: ['elements', 'quads'],

  supports: (variant, [input]) => variant === 'elements' || hasQuads(input as TensorSpec),

  infer(op, [input], { diagonal }) {
    if (!input) throw new ArgumentError(`${op}: one input expected.`);
    if (input.dtype === 'uint8')
      throw new DTypeError(`${op}: packed uint8 cannot be moved; cast it to float or int32 first.`);
    if (input.shape.length < 2) {
      throw new ShapeError(
        `${op}: a matrix has at least two axes, got shape ${formatShape(input.shape)}; add one with expandDims.`,
      );
    }
    if (!Number.isInteger(diagonal))
      throw new ArgumentError(`${op}: diagonal ${diagonal} is no whole number.`);
    return [{ shape: input.shape, dtype: input.dtype }];
  },

  plan([input], _outputs, { upper, diagonal }, _traits, forced) {
    const spec = input as TensorSpec;
    const variant = forced !== 'elements' && hasQuads(spec) ? 'quads' : 'elements';
    const owned = variant === 'quads' ? 4 : 1;
    const count = sizeOf(spec.shape) / owned;
    const rows = spec.shape.at(-2) as number;
    const columns = spec.shape.at(-1) as number;
    const by = (extent: number): [number, number] => (extent > 1 ? divider(extent) : [0, 0]);
    // Diagonals outside of the matrix are all the same.
    const clamped = Math.max(-rows, Math.min(columns, diagonal));
    const uniforms = new Uint32Array(12);
    uniforms.set([count, rows, columns, clamped, upper ? 1 : 0, ...by(rows), ...by(columns / owned)]);
    const workgroups = grid(Math.ceil(count / 64));
    return { steps: [{ pipeline: pipelines[variant], buffers: ['in0', 'out0'], uniforms, workgroups }] };
  },

  reference([input], [out], { upper, diagonal }) {
    if (!input || !out) return;
    const rows = out.shape.at(-2) as number;
    const columns = out.shape.at(-1) as number;
    for (let index = 0; index < out.data.length; index++) {
      const column = index % columns;
      const row = Math.floor(index / columns) % rows;
      const kept = upper ? column - row >= diagonal : column - row <= diagonal;
      out.data[index] = kept ? (input.data[index] as number) : 0;
    }
  },
};
