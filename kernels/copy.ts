/** Strided copy: permutations, broadcasts, slices and flips. */
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { forEachOffset, type Shape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/copy.wgsl';
import { grid, type Kernel, pipelineSpec, wgslModule } from './kernel.ts';
import { collapse, writeAxes } from './strided.ts';

/** `out[i] = input[offset + Σ coordinate·stride]`; strides and offset count elements. */
export interface CopyAttrs {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

const module = wgslModule('copy', source);
const pipeline = pipelineSpec(module, 'copy', ['read', 'write'], 36);

export const copyKernel: Kernel<CopyAttrs> = {
  name: 'copy',
  variants: ['default'],

  infer(op, [input], { shape, strides, offset }) {
    if (!input) throw new ShapeError(`${op}: one input expected.`);
    if (input.dtype === 'uint8')
      throw new DTypeError(`${op}: packed uint8 cannot be moved; cast it to float first.`);
    if (sizeOf(shape) > 0) {
      let low = offset;
      let high = offset;
      strides.forEach((stride, axis) => {
        const reach = stride * ((shape[axis] as number) - 1);
        if (reach < 0) low += reach;
        else high += reach;
      });
      if (low < 0 || high >= sizeOf(input.shape))
        throw new ShapeError(`${op}: the view reaches outside of its input.`);
    }
    return [{ shape, dtype: input.dtype }];
  },

  plan(_inputs, _outputs, { shape, strides, offset }) {
    const count = sizeOf(shape);
    const { extents, strides: collapsed } = collapse(shape, [strides]);
    const uniforms = new Uint32Array(36);
    uniforms[0] = count;
    uniforms[1] = extents.length;
    uniforms[2] = offset;
    writeAxes(uniforms, 4, extents, collapsed);
    return {
      steps: [{ pipeline, buffers: ['in0', 'out0'], uniforms, workgroups: grid(Math.ceil(count / 64)) }],
    };
  },

  reference([input], [out], { shape, strides, offset }) {
    if (!input || !out) return;
    forEachOffset(shape, [strides], (index, [address]) => {
      out.data[index] = input.data[offset + (address as number)] as number;
    });
  },
};
