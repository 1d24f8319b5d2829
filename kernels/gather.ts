/** Reading by index: NumPy's take and take_along_axis, gather_nd, and one-hot rows. */
import { type DType, isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import { checkShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/gather.wgsl';
import {
  checkIndices,
  dividerWords,
  findOffence,
  forEachPick,
  type IndexAttrs,
  NO_WRAP,
  picksOf,
  writeIndexedAxes,
} from './indexing.ts';
import {
  floatBits,
  grid,
  type Kernel,
  pipelineSpec,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

const module = wgslModule('gather', source);
const ACCESS = ['read', 'write', 'read', 'write'] as const;
const WORDS = 32;
/** The uniform word of the op's number in the error record. */
const OP = 2;
const pipelines = {
  element: pipelineSpec(module, 'gather', ACCESS, WORDS),
  along: pipelineSpec(module, 'gather', ACCESS, WORDS, { ALONG: 1 }),
  quad: pipelineSpec(module, 'gather4', ACCESS, WORDS),
  sixteen: pipelineSpec(module, 'gather16', ACCESS, WORDS),
  sixtyFour: pipelineSpec(module, 'gather64', ACCESS, WORDS),
};
const oneHotPipeline = pipelineSpec(module, 'oneHot', ['read', 'write', 'write'], WORDS);

const NAN_BITS = 0x7fc00000;

/** What a result holds where an index is out of range: NaN, the least int32, false. */
const missingBits = (dtype: DType): number =>
  dtype === 'float32' ? NAN_BITS : dtype === 'int32' ? 0x80000000 : 0;
const missingValue = (dtype: DType): number =>
  isFloat(dtype) ? Number.NaN : dtype === 'int32' ? -2147483648 : 0;

/** How many neighbours an invocation of each variant moves. */
const WIDTH = { element: 1, quad: 4, sixteen: 16, sixtyFour: 64 };
type Variant = keyof typeof WIDTH;

/** Whether rows consist of pieces of this width. */
const fits = (width: number, [x, indices]: readonly TensorSpec[], attrs: IndexAttrs): boolean =>
  width === 1 ||
  (attrs.mode !== 'along' && !!x && !!indices && picksOf('gather', x, indices, attrs).inner % width === 0);

/** The work on indices is dear to software, so its invocations move much; hardware likes lanes side by side. */
function preferred(
  inputs: readonly TensorSpec[],
  { shape }: TensorSpec,
  attrs: IndexAttrs,
  software: boolean,
): Variant {
  const may = (variant: Variant): boolean => fits(WIDTH[variant], inputs, attrs);
  if (software && sizeOf(shape) >= 64 * 512 && may('sixtyFour')) return 'sixtyFour';
  if (software && may('sixteen')) return 'sixteen';
  return may('quad') ? 'quad' : 'element';
}

/** `out[o, j, i] = x[o, index(j), i]` for inputs x and indices; see `IndexMode`. */
export const gatherKernel: Kernel<IndexAttrs> = {
  name: 'gather',
  variants: ['element', 'quad', 'sixteen', 'sixtyFour'],

  supports: (variant, inputs, attrs) => fits(WIDTH[variant as Variant], inputs, attrs),

  infer(op, [x, indices], attrs) {
    if (!x || !indices) throw new ArgumentError(`${op}: a tensor and its indices expected.`);
    return [{ shape: picksOf(op, x, indices, attrs).shape, dtype: x.dtype }];
  },

  plan(inputs, [out], attrs, traits, variant) {
    const [x, indices] = inputs;
    if (!x || !indices || !out) return { steps: [] };
    const picks = picksOf('gather', x, indices, attrs);
    const chosen = (variant as Variant | undefined) ?? preferred(inputs, out, attrs, traits.software);
    const width = WIDTH[chosen];
    const count = sizeOf(out.shape) / width;
    const inner = picks.inner / width;
    const uniforms = new Uint32Array(WORDS);
    uniforms.set([count, picks.extents.length, 0, picks.rows * inner]);
    uniforms.set(dividerWords(inner), 4);
    uniforms.set(dividerWords(picks.m), 8);
    uniforms[12] = missingBits(out.dtype);
    uniforms[15] = WIDTH.sixtyFour / 16; // Not a constant, so that no driver unrolls the loop.
    writeIndexedAxes(uniforms, 16, picks);
    const step: Step = {
      pipeline: pipelines[attrs.mode === 'along' ? 'along' : chosen],
      buffers: ['in1', 'err', 'in0', 'out0'],
      uniforms,
      workgroups: grid(Math.ceil(count / 64)),
    };
    return { steps: [attrs.checked ? step : { ...step, errorWord: OP }] };
  },

  offence([x, indices], attrs) {
    if (!x || !indices || attrs.checked) return undefined;
    const { extents, shape } = picksOf('gather', x, indices, attrs);
    return sizeOf(shape) === 0 ? undefined : findOffence(indices, extents, true);
  },

  reference([x, indices], [out], attrs) {
    if (!x || !indices || !out) return;
    forEachPick(indices, picksOf('gather', x, indices, attrs), attrs.mode, (picked, place) => {
      out.data[picked] = place < 0 ? missingValue(out.dtype) : (x.data[place] as number);
    });
  },
};

/** `out[j, c] = indices[j] = c ? onValue : offValue`; negative indices are out of range. */
export interface OneHotAttrs {
  readonly depth: number;
  readonly onValue: number;
  readonly offValue: number;
  readonly dtype: 'float32' | 'float64';
  readonly checked?: boolean;
}

export const oneHotKernel: Kernel<OneHotAttrs> = {
  name: 'oneHot',
  variants: ['default'],

  infer(op, [indices], { depth, dtype }) {
    checkIndices(op, indices);
    if (!Number.isInteger(depth) || depth < 0)
      throw new ArgumentError(`${op}: depth ${depth}; the depth is a whole number ≥ 0.`);
    if (!isFloat(dtype))
      throw new DTypeError(`${op}: the result is a float; cast it to ${dtype} afterwards.`);
    const shape = [...(indices as TensorSpec).shape, depth];
    checkShape(op, shape);
    return [{ shape, dtype }];
  },

  plan(_inputs, [out], { depth, onValue, offValue, checked }) {
    if (!out) return { steps: [] };
    const count = sizeOf(out.shape);
    const uniforms = new Uint32Array(WORDS);
    uniforms.set([count, 1, 0, 0]);
    uniforms.set(dividerWords(depth), 4);
    uniforms.set([NAN_BITS, floatBits(onValue), floatBits(offValue)], 12);
    uniforms.set([depth | NO_WRAP], 16);
    uniforms.set([1], 24);
    const step: Step = {
      pipeline: oneHotPipeline,
      buffers: ['in0', 'err', 'out0'],
      uniforms,
      workgroups: grid(Math.ceil(count / 64)),
    };
    return { steps: [checked ? step : { ...step, errorWord: OP }] };
  },

  offence([indices], { depth, checked }) {
    return !indices || checked || depth === 0 ? undefined : findOffence(indices, [depth], false);
  },

  reference([indices], [out], { depth, onValue, offValue }) {
    if (!indices || !out) return;
    for (let j = 0; j < indices.data.length; j++) {
      const hot = indices.data[j] as number;
      const missing = hot < 0 || hot >= depth;
      for (let c = 0; c < depth; c++) {
        out.data[j * depth + c] = missing ? Number.NaN : c === hot ? onValue : offValue;
      }
    }
  },
};
