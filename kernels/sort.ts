/** Stable sorting along one axis, and moves by the indices that it gives. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/sort.wgsl';
import {
  grid,
  type HostTensor,
  type Kernel,
  type Plan,
  pipelineSpec,
  type Slot,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

const module = wgslModule('sort', source);
const WORDS = 8;

/** Pairs that one workgroup sorts. */
const BLOCK = 512;
/** Rows that `rank` takes: it compares all pairs of elements. */
const RANK_LIMIT = 256;
/** Up to here `rank` is the faster one. */
const RANK_BEST = 64;
/** Up to here `bitonic` is preferred on hardware (judged, not measured); software dislikes its barriers. */
const BITONIC_BEST = 2048;

export interface SortAttrs {
  readonly axis: number;
  readonly descending: boolean;
  /** Keep only the first elements of each row. Default: all. */
  readonly keep?: number;
}

interface Around {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

const around = (shape: Shape, axis: number): Around => ({
  outer: sizeOf(shape.slice(0, axis)),
  length: shape[axis] as number,
  inner: sizeOf(shape.slice(axis + 1)),
});

const withExtent = (shape: Shape, axis: number, extent: number): number[] =>
  shape.map((own, index) => (index === axis ? extent : own));

/** Negative when a comes first; equals keep their order, NaN is last in either direction. */
function order(a: number, b: number, descending: boolean): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  if (a === b) return 0;
  return a < b === descending ? 1 : -1;
}

function bitonic(
  rows: number,
  padded: number,
  words: (span: number) => Uint32Array,
  constants: Readonly<Record<string, number>>,
  kept: number,
): Plan {
  const count = rows * padded;
  const steps: Step[] = [
    {
      pipeline: pipelineSpec(module, 'sortBlocks', ['read', 'write'], WORDS, constants),
      buffers: ['in0', 'tmp0'],
      uniforms: words(0),
      workgroups: grid(Math.ceil(count / BLOCK)),
    },
  ];
  const layer = (span: number, mirrored: boolean): void => {
    steps.push({
      pipeline: pipelineSpec(module, 'mergeStep', ['write'], WORDS, { FLIP: Number(mirrored) }),
      buffers: ['tmp0'],
      uniforms: words(span),
      workgroups: grid(Math.ceil(count / 2 / 64)),
    });
  };
  for (let span = 2 * BLOCK; span <= padded; span *= 2) {
    layer(span, true);
    for (let width = span / 2; width > BLOCK; width /= 2) layer(width, false);
    steps.push({
      pipeline: pipelineSpec(module, 'mergeBlocks', ['write'], WORDS),
      buffers: ['tmp0'],
      uniforms: words(0),
      workgroups: grid(count / BLOCK),
    });
  }
  steps.push({
    pipeline: pipelineSpec(module, 'emit', ['read', 'read', 'write', 'write'], WORDS),
    buffers: ['in0', 'tmp0', 'out0', 'out1'],
    uniforms: words(0),
    workgroups: grid(Math.ceil((rows * kept) / 64)),
  });
  return { steps, scratch: [8 * count] };
}

/** Pairs of a first run, which `rankBlocks` sorts. */
const RUN = 32;

function merge(
  rows: number,
  length: number,
  words: (span: number) => Uint32Array,
  constants: Readonly<Record<string, number>>,
  kept: number,
): Plan {
  const workgroups = grid(Math.ceil((rows * length) / 64));
  const steps: Step[] = [
    {
      pipeline: pipelineSpec(module, 'rankBlocks', ['read', 'write'], WORDS, constants),
      buffers: ['in0', 'tmp0'],
      uniforms: words(0),
      workgroups,
    },
  ];
  let from: Slot = 'tmp0';
  let to: Slot = 'tmp1';
  for (let span = RUN; span < length; span *= 2) {
    steps.push({
      pipeline: pipelineSpec(module, 'mergeRuns', ['read', 'write'], WORDS),
      buffers: [from, to],
      uniforms: words(span),
      workgroups,
    });
    [from, to] = [to, from];
  }
  steps.push({
    pipeline: pipelineSpec(module, 'emit', ['read', 'read', 'write', 'write'], WORDS),
    buffers: ['in0', from, 'out0', 'out1'],
    uniforms: words(0),
    workgroups: grid(Math.ceil((rows * kept) / 64)),
  });
  return { steps, scratch: [8 * rows * length, 8 * rows * length] };
}

/** Sorted values and the positions they came from, both of them cut to `keep` elements. */
export const sortKernel: Kernel<SortAttrs> = {
  name: 'sort',
  variants: ['bitonic', 'merge', 'rank'],

  supports: (variant, [input], { axis }) =>
    variant !== 'rank' || (input !== undefined && (input.shape[axis] as number) <= RANK_LIMIT),

  infer(op, [input], { axis, keep }) {
    if (!input) throw new ArgumentError(`${op}: one tensor expected.`);
    if (!isFloat(input.dtype) && input.dtype !== 'int32') {
      throw new DTypeError(`${op}: ${input.dtype} has no order here; cast it to float or int32 first.`);
    }
    const length = input.shape[axis];
    if (length === undefined)
      throw new ShapeError(`${op}: axis ${axis} does not exist in ${formatShape(input.shape)}.`);
    const kept = keep ?? length;
    if (!Number.isInteger(kept) || kept < 0 || kept > length) {
      throw new ArgumentError(
        `${op}: k is ${kept}; along axis ${axis} of ${formatShape(input.shape)} it must be a whole number from 0 to ${length}.`,
      );
    }
    const shape = withExtent(input.shape, axis, kept);
    return [
      { shape, dtype: input.dtype },
      { shape, dtype: 'int32' },
    ];
  },

  plan(inputs, outputs, attrs, traits, variant) {
    const input = inputs[0] as TensorSpec;
    const { outer, length, inner } = around(input.shape, attrs.axis);
    const kept = (outputs[0] as TensorSpec).shape[attrs.axis] as number;
    const rows = outer * inner;
    const float = input.dtype === 'float32';
    const constants = { FLOAT: Number(float), DESCENDING: Number(attrs.descending) };
    const long = traits.software || length > BITONIC_BEST ? 'merge' : 'bitonic';
    const chosen = variant ?? (length <= RANK_BEST ? 'rank' : long);
    const padded = chosen === 'bitonic' ? Math.max(2, 2 ** Math.ceil(Math.log2(length))) : length;
    const words = (span: number): Uint32Array =>
      Uint32Array.of(rows, length, inner, kept, padded, span, 0, 0);
    if (chosen === 'bitonic') return bitonic(rows, padded, words, constants, kept);
    if (chosen === 'merge') return merge(rows, length, words, constants, kept);
    return {
      steps: [
        {
          pipeline: pipelineSpec(module, 'rank', ['read', 'write', 'write'], WORDS, constants),
          buffers: ['in0', 'out0', 'out1'],
          uniforms: words(0),
          workgroups: grid(Math.ceil((rows * length) / 64)),
        },
      ],
    };
  },

  reference([input], [values, indices], { axis, descending }) {
    if (!input || !values || !indices) return;
    const { outer, length, inner } = around(input.shape, axis);
    const kept = values.shape[axis] as number;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (r: number): number => input.data[(o * length + r) * inner + i] as number;
        const positions = Array.from({ length }, (_, r) => r);
        positions.sort((a, b) => order(at(a), at(b), descending)); // stable since ES2019
        for (let r = 0; r < kept; r++) {
          values.data[(o * kept + r) * inner + i] = at(positions[r] as number);
          indices.data[(o * kept + r) * inner + i] = positions[r] as number;
        }
      }
    }
  },
};

export interface MoveAttrs {
  readonly axis: number;
  /**
   * Without it elements are gathered: out[…, r, …] = x[…, indices[…, r, …], …]. With it they are scattered into zeros,
   * the axis having this extent: out[…, indices[…, r, …], …] = x[…, r, …]; the indices of a row must be distinct.
   */
  readonly extent?: number;
}

/**
 * Moves elements along an axis by indices that are known to be in range, as `sortKernel` gives them. The indices have
 * the shape of the shorter side, or are one list for all rows.
 */
export const moveAlongKernel: Kernel<MoveAttrs> = {
  name: 'moveAlong',
  variants: ['default'],

  infer(op, [input, indices], { axis, extent }) {
    if (!input || !indices) throw new ArgumentError(`${op}: a tensor and its indices expected.`);
    if (indices.dtype !== 'int32')
      throw new DTypeError(`${op}: the indices are ${indices.dtype}, not int32.`);
    if (input.dtype === 'uint8') throw new DTypeError(`${op}: uint8 is packed; cast it first.`);
    const oneList = indices.shape.length === 1;
    const kept = indices.shape[oneList ? 0 : axis] as number;
    const listed = withExtent(input.shape, axis, kept);
    if (
      (!oneList && !sameShape(indices.shape, listed)) ||
      (extent !== undefined && !sameShape(input.shape, listed))
    ) {
      throw new ShapeError(
        `${op}: indices of shape ${formatShape(indices.shape)} do not fit to ${formatShape(input.shape)} along axis ${axis}; ` +
          'all other extents must be equal.',
      );
    }
    return [
      { shape: extent === undefined ? listed : withExtent(input.shape, axis, extent), dtype: input.dtype },
    ];
  },

  plan(inputs, outputs, { axis, extent }) {
    const [input, indices] = inputs as [TensorSpec, TensorSpec];
    const scattering = extent !== undefined;
    const long = around(scattering ? (outputs[0] as TensorSpec).shape : input.shape, axis);
    const kept = scattering
      ? (input.shape[axis] as number)
      : ((outputs[0] as TensorSpec).shape[axis] as number);
    const rows = long.outer * long.inner;
    const uniforms = Uint32Array.of(
      rows,
      long.length,
      long.inner,
      kept,
      0,
      0,
      Number(indices.shape.length === 1),
      0,
    );
    const steps: Step[] = [];
    if (scattering && kept < long.length) {
      steps.push({
        pipeline: pipelineSpec(module, 'clear', ['write'], WORDS),
        buffers: ['out0'],
        uniforms,
        workgroups: grid(Math.ceil((rows * long.length) / 64)),
      });
    }
    if (rows * kept > 0) {
      steps.push({
        pipeline: pipelineSpec(module, scattering ? 'scatter' : 'gather', ['read', 'read', 'write'], WORDS),
        buffers: ['in0', 'in1', 'out0'],
        uniforms,
        workgroups: grid(Math.ceil((rows * kept) / 64)),
      });
    }
    return { steps };
  },

  reference(inputs, outputs, { axis, extent }) {
    const [input, indices] = inputs as [HostTensor, HostTensor];
    const out = outputs[0] as HostTensor;
    const { outer, length, inner } = around(extent === undefined ? input.shape : out.shape, axis);
    const kept = (extent === undefined ? out : input).shape[axis] as number;
    const oneList = indices.shape.length === 1;
    if (extent !== undefined) out.data.fill(0);
    for (let o = 0; o < outer; o++) {
      for (let r = 0; r < kept; r++) {
        for (let i = 0; i < inner; i++) {
          const short = (o * kept + r) * inner + i;
          const long = (o * length + (indices.data[oneList ? r : short] as number)) * inner + i;
          if (extent === undefined) out.data[short] = input.data[long] as number;
          else out.data[long] = input.data[short] as number;
        }
      }
    }
  },
};
