/** Strided copy: permutations, broadcasts, slices and flips. */
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { forEachOffset, type Shape, sizeOf, stridesOf } from '../src/core/shape.ts';
import source from '../wgsl/copy.wgsl';
import { grid, type Kernel, pipelineSpec, wgslModule } from './kernel.ts';
import { AXES_WORDS, type Collapsed, collapse, hasRows, writeAxes } from './strided.ts';

/** `out[i] = input[offset + Σ coordinate·stride]`; strides and offset count elements. */
export interface CopyAttrs {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

const module = wgslModule('copy', source);
const ACCESS = ['read', 'write'] as const;
const WORDS = 8 + AXES_WORDS;
const pipelines = {
  runs: pipelineSpec(module, 'copyRuns', ACCESS, WORDS),
  rows: pipelineSpec(module, 'copyRows', ACCESS, WORDS),
  blocks: pipelineSpec(module, 'copyBlocks', ACCESS, WORDS),
};

type Variant = keyof typeof pipelines;

/** The axis along which the input's neighbours lie, when 4×4 blocks can be turned: all other steps are whole vec4s. */
function turnedAxis({ extents, strides: [own = []] }: Collapsed, offset: number): number {
  const last = extents.length - 1;
  const axis = own.indexOf(1);
  const whole = (extents[axis] ?? 1) % 4 === 0 && (extents[last] ?? 1) % 4 === 0 && offset % 4 === 0;
  const aligned = own.every((stride, other) => other === axis || stride % 4 === 0);
  return axis >= 0 && axis < last && whole && aligned ? axis : -1;
}

const viewOf = ({ shape, strides }: CopyAttrs): Collapsed => collapse(shape, [strides]);

function chooseVariant(view: Collapsed, attrs: CopyAttrs): Variant {
  if (turnedAxis(view, attrs.offset) >= 0) return 'blocks';
  return hasRows(attrs.shape) ? 'rows' : 'runs';
}

/** The axes as copyBlocks wants them: the turned one last, the output's last before it, both in fours. */
function blockAxes({ extents, strides: [own = []] }: Collapsed, turned: number): Collapsed {
  const last = extents.length - 1;
  const out = stridesOf(extents);
  const fold = (axis: number): number => (axis === turned || axis === last ? 4 : 1);
  const count = (axis: number): number => (extents[axis] as number) / fold(axis);
  const outer = extents.map((_, axis) => axis).filter((axis) => axis !== turned && axis !== last);
  const order = [...outer, last, turned].filter((axis) => count(axis) > 1);
  return {
    extents: order.map(count),
    strides: [own, out].map((list) => order.map((axis) => (list[axis] as number) * fold(axis))),
  };
}

export const copyKernel: Kernel<CopyAttrs> = {
  name: 'copy',
  variants: ['runs', 'rows', 'blocks'],

  supports(variant, _inputs, attrs) {
    if (variant === 'runs') return true;
    return variant === 'rows' ? hasRows(attrs.shape) : turnedAxis(viewOf(attrs), attrs.offset) >= 0;
  },

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

  plan(_inputs, _outputs, attrs, _traits, forced) {
    const count = sizeOf(attrs.shape);
    const view = viewOf(attrs);
    const variant = (forced as Variant | undefined) ?? chooseVariant(view, attrs);
    const turned = variant === 'blocks' ? turnedAxis(view, attrs.offset) : -1;
    const axes = turned >= 0 ? blockAxes(view, turned) : view;
    const invocations = variant === 'blocks' ? count / 16 : Math.ceil(count / 4);
    const uniforms = new Uint32Array(WORDS);
    uniforms[0] = invocations;
    uniforms[1] = axes.extents.length;
    uniforms[2] = attrs.offset;
    uniforms[3] = view.strides[0]?.at(-1) ?? 0;
    uniforms[4] = stridesOf(view.extents)[turned] ?? 0;
    writeAxes(uniforms, 8, axes.extents, axes.strides);
    const pipeline = pipelines[variant];
    const workgroups = grid(Math.ceil(invocations / 64));
    return { steps: [{ pipeline, buffers: ['in0', 'out0'], uniforms, workgroups }] };
  },

  reference([input], [out], { shape, strides, offset }) {
    if (!input || !out) return;
    forEachOffset(shape, [strides], (index, [address]) => {
      out.data[index] = input.data[offset + (address as number)] as number;
    });
  },
};
