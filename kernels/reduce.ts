/** Reductions over any axes: sums, products, extrema, and `all` and `any` of bools. */
import { type HostArray, isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import {
  forEachOffset,
  formatShape,
  reducedShape,
  type Shape,
  sizeOf,
  stridesOf,
} from '../src/core/shape.ts';
import normSource from '../wgsl/norm.wgsl';
import productSource from '../wgsl/product.wgsl';
import source from '../wgsl/reduce.wgsl';
import {
  type DeviceTraits,
  floatBits,
  grid,
  type Kernel,
  type Plan,
  pipelineSpec,
  type Slot,
  type Step,
  type TensorSpec,
  type WgslModule,
  wgslModule,
} from './kernel.ts';

export type ReduceOp =
  | 'sum'
  | 'sumSquares'
  | 'sumAbs'
  | 'norm2'
  | 'prod'
  | 'max'
  | 'min'
  | 'maxAbs'
  | 'minAbs'
  | 'all'
  | 'any';

export interface ReduceAttrs {
  readonly op: ReduceOp;
  /** Normalised and ascending; no axes at all reduce nothing (and still square, take absolute values, or scale). */
  readonly axes: readonly number[];
  readonly keepDims: boolean;
  /** The result is multiplied by it; a float `sum` only, so that a mean is one dispatch. */
  readonly scale?: number;
}

const module = wgslModule('reduce', source);
/** Floats whose partial results need two words: products, and the norm √Σx², which have scales of their own. */
const WIDE: Partial<Record<ReduceOp, Record<Schedule['entry'], string> & { readonly module: WgslModule }>> = {
  prod: {
    module: wgslModule('product', productSource),
    reduceLane: 'productLane',
    reduceGroup: 'productGroup',
  },
  norm2: { module: wgslModule('norm', normSource), reduceLane: 'normLane', reduceGroup: 'normGroup' },
};
const UNIFORM_WORDS = 8;

const OP_CODE: Record<Exclude<ReduceOp, 'norm2'>, number> = {
  sum: 0,
  sumSquares: 0,
  sumAbs: 0,
  prod: 1,
  max: 2,
  min: 3,
  maxAbs: 2,
  minAbs: 3,
  all: 4,
  any: 5,
};
const PRE_CODE: Partial<Record<ReduceOp, number>> = { sumSquares: 1, sumAbs: 2, maxAbs: 2, minAbs: 2 };

/** What the elements are mapped to first, how two are combined, and what an empty reduction gives. */
interface Rule {
  readonly neutral: number;
  readonly map: (v: number) => number;
  readonly combine: (a: number, b: number) => number;
}

const same = (v: number): number => v;
const add = (a: number, b: number): number => a + b;

/** √(a² + b²) of ratios to the larger one, so that no square over- or underflows. */
function hypot(a: number, b: number): number {
  const larger = Math.max(a, b);
  if (!(larger > 0 && larger < Infinity)) return larger;
  const ratio = Math.min(a, b) / larger;
  return larger * Math.sqrt(1 + ratio * ratio);
}

/** Math.max and Math.min return NaN when either argument is NaN, as the reduction does. */
const RULES: Record<ReduceOp, Rule> = {
  sum: { neutral: 0, map: same, combine: add },
  sumSquares: { neutral: 0, map: (v) => v * v, combine: add },
  sumAbs: { neutral: 0, map: Math.abs, combine: add },
  norm2: { neutral: 0, map: Math.abs, combine: hypot },
  prod: { neutral: 1, map: same, combine: (a, b) => a * b },
  max: { neutral: -Infinity, map: same, combine: Math.max },
  min: { neutral: Infinity, map: same, combine: Math.min },
  maxAbs: { neutral: -Infinity, map: Math.abs, combine: Math.max },
  minAbs: { neutral: Infinity, map: Math.abs, combine: Math.min },
  all: { neutral: 1, map: same, combine: (a, b) => a & b },
  any: { neutral: 0, map: same, combine: (a, b) => a | b },
};

/** int32 arithmetic wraps around modulo 2³², as on the GPU. */
const INTEGER_RULES: Partial<Record<ReduceOp, Rule>> = {
  sum: { neutral: 0, map: same, combine: (a, b) => (a + b) | 0 },
  sumAbs: { neutral: 0, map: Math.abs, combine: (a, b) => (a + b) | 0 },
  prod: { neutral: 1, map: same, combine: Math.imul },
  max: { neutral: -(2 ** 31), map: same, combine: Math.max },
  min: { neutral: 2 ** 31 - 1, map: same, combine: Math.min },
};

const ruleOf = (attrs: ReduceAttrs, float: boolean): Rule =>
  (float ? undefined : INTEGER_RULES[attrs.op]) ?? RULES[attrs.op];

/** A maximal group of neighbouring axes that are all reduced; the tensor is (outer, length, inner) around it. */
interface Run {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** The runs from last to first, each in the shape that the reductions before it have left; at least one. */
function runsOf(shape: Shape, axes: readonly number[]): Run[] {
  const groups: { extent: number; reduced: boolean }[] = [];
  shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const reduced = axes.includes(axis);
    const last = groups[groups.length - 1];
    if (last && last.reduced === reduced) last.extent *= extent;
    else groups.push({ extent, reduced });
  });
  const runs: Run[] = [];
  let outer = sizeOf(shape);
  let inner = 1;
  for (const { extent, reduced } of groups.reverse()) {
    outer /= extent;
    if (reduced) runs.push({ outer, length: extent, inner });
    else inner *= extent;
  }
  return runs.length > 0 ? runs : [{ outer: 1, length: 1, inner: sizeOf(shape) }];
}

/** The longest chain of one invocation: 4 + 16 + 8 additions in blocks, so about 14 half-ulps of rounding error. */
const MAX_PER_LANE = 2048;
/** Shorter parts are not worth a further stage. */
const MIN_PER_LANE = 64;
/** Software takes so many elements in the time of a further dispatch. */
const NEVER_SPLIT = 1024;

/** How a run is computed: one invocation or one workgroup for each part of `chunk` elements. */
interface Schedule {
  readonly entry: 'reduceLane' | 'reduceGroup';
  readonly workgroup: number;
  readonly chunk: number;
}

function schedule(
  { outer, length, inner }: Run,
  traits: DeviceTraits,
  variant: string | undefined,
): Schedule {
  const rows = outer * inner;
  const enough = traits.software ? 512 : 16384;
  const group = variant
    ? variant === 'group'
    : !traits.software && length >= 2 * MIN_PER_LANE && (inner === 1 || rows * inner < enough / 64);
  const workgroup = group ? (traits.software ? 8 : 128) : traits.software ? 16 : 64;
  const lanes = group ? workgroup : 1;
  // Few outputs: parts as short as it takes to fill the device; many: as long as the accuracy permits.
  const perLane = Math.ceil((length * rows) / enough);
  const least = traits.software && length <= NEVER_SPLIT ? length : MIN_PER_LANE;
  const chunk = lanes * Math.min(MAX_PER_LANE, Math.max(least, perLane));
  const parts = Math.ceil(length / chunk);
  return {
    entry: group ? 'reduceGroup' : 'reduceLane',
    workgroup,
    chunk: parts > 0 ? Math.ceil(length / parts) : 1,
  };
}

/** The neutral element as bits of the tensor's dtype. */
const bitsOf = (value: number, float: boolean): number => (float ? floatBits(value) : value >>> 0);

function fillPlan(attrs: ReduceAttrs, count: number, float: boolean): Plan {
  const value = ruleOf(attrs, float).neutral * (attrs.scale ?? 1);
  const pipeline = pipelineSpec(module, 'reduceFill', ['write'], UNIFORM_WORDS);
  const uniforms = Uint32Array.of(count, 0, 1, 1, 1, 0, 0, bitsOf(value, float));
  return { steps: [{ pipeline, buffers: ['out0'], uniforms, workgroups: grid(Math.ceil(count / 64)) }] };
}

function checkDType(op: string, attrs: ReduceAttrs, { dtype }: TensorSpec): void {
  const logical = attrs.op === 'all' || attrs.op === 'any';
  if (logical) {
    if (dtype !== 'bool') {
      throw new DTypeError(
        `${op}: takes bool, got ${dtype}; compare first, for instance with notEqual(x, 0).`,
      );
    }
    return;
  }
  if (isFloat(dtype)) return;
  const floatsOnly =
    attrs.op === 'sumSquares' || attrs.op === 'norm2' || attrs.op === 'maxAbs' || attrs.op === 'minAbs';
  if (dtype === 'int32' && !floatsOnly) {
    if (attrs.scale !== undefined) {
      throw new DTypeError(
        `${op}: a scaled sum (a mean) takes floats, got int32; cast it first: cast(x, 'float32').`,
      );
    }
    return;
  }
  const takes = floatsOnly ? 'floats' : 'floats or int32';
  const way = dtype === 'int32' || floatsOnly ? "cast(x, 'float32')" : "cast(x, 'int32')";
  throw new DTypeError(`${op}: takes ${takes}, got ${dtype}; cast it first: ${way}.`);
}

/**
 * Reduces the named axes. Long sums are blocked and split in a fixed order: deterministic, and accurate. A product of
 * floats and a norm are zero or infinite only where they are themselves beyond the range of float32, whatever parts are.
 */
export const reduceKernel: Kernel<ReduceAttrs> = {
  name: 'reduce',
  variants: ['lane', 'group'],

  infer(op, inputs, attrs) {
    const input = inputs[0] as TensorSpec;
    checkDType(op, attrs, input);
    if (attrs.scale !== undefined && attrs.op !== 'sum') {
      throw new ArgumentError(`${op}: only a sum is scaled, not ${attrs.op}; multiply the result.`);
    }
    const shape = reducedShape(input.shape, attrs.axes, attrs.keepDims);
    const extreme = /^(max|min)/.test(attrs.op);
    if (extreme && sizeOf(input.shape) === 0 && sizeOf(shape) > 0) {
      throw new ArgumentError(
        `${op}: shape ${formatShape(input.shape)} has no elements along axes [${attrs.axes.join(', ')}], and nothing ` +
          `has no ${attrs.op}. Check for an empty input first.`,
      );
    }
    return [{ shape, dtype: input.dtype }];
  },

  plan(inputs, outputs, attrs, traits, variant) {
    const input = inputs[0] as TensorSpec;
    const float = isFloat(input.dtype);
    if (sizeOf(input.shape) === 0) return fillPlan(attrs, sizeOf((outputs[0] as TensorSpec).shape), float);

    // Each run is one stage, or several while it is split into more than one part.
    const stages: { run: Run; parts: number; how: Schedule }[] = [];
    for (const run of runsOf(input.shape, attrs.axes)) {
      let length = run.length;
      do {
        const stage = { ...run, length };
        const how = schedule(stage, traits, variant);
        const parts = Math.ceil(length / how.chunk);
        stages.push({ run: stage, parts, how });
        length = parts;
      } while (length > 1);
    }

    const neutral = bitsOf(ruleOf(attrs, float).neutral, float);
    const scale = attrs.scale ?? 1;
    const wide = float ? WIDE[attrs.op] : undefined;
    const scratch: number[] = [];
    const steps = stages.map(({ run, parts, how }, s): Step => {
      const last = s === stages.length - 1;
      const count = run.outer * parts * run.inner;
      if (!last) scratch.push((wide ? 8 : 4) * count);
      const from: Slot = s === 0 ? 'in0' : `tmp${s - 1}`;
      const to: Slot = last ? 'out0' : `tmp${s}`;
      const constants: Record<string, number> = wide
        ? { RAW: Number(s === 0), LAST: Number(last) }
        : {
            OP: OP_CODE[attrs.op as keyof typeof OP_CODE],
            PRE: s === 0 ? (PRE_CODE[attrs.op] ?? 0) : 0,
            FLOAT: float ? 1 : 0,
            SCALED: last && scale !== 1 ? 1 : 0,
          };
      constants.WORKGROUP = how.workgroup;
      const [code, entry] = wide ? [wide.module, wide[how.entry]] : [module, how.entry];
      const pipeline = pipelineSpec(code, entry, ['read', 'write'], UNIFORM_WORDS, constants);
      const uniforms = Uint32Array.of(
        count,
        run.length,
        run.inner,
        parts,
        how.chunk,
        neutral,
        floatBits(scale),
        0,
      );
      const groups = how.entry === 'reduceGroup' ? count : Math.ceil(count / how.workgroup);
      return { pipeline, buffers: [from, to], uniforms, workgroups: grid(groups) };
    });
    return { steps, scratch };
  },

  reference(inputs, outputs, attrs) {
    const [{ shape, data, dtype }, output] = [inputs[0], outputs[0]] as unknown as [
      TensorSpec & { data: HostArray },
      { data: HostArray },
    ];
    const result = output.data;
    const { neutral, map, combine } = ruleOf(attrs, isFloat(dtype));
    const kept = stridesOf(reducedShape(shape, attrs.axes, true)).map((stride, axis) =>
      attrs.axes.includes(axis) ? 0 : stride,
    );
    result.fill(neutral);
    forEachOffset(shape, [kept], (index, offsets) => {
      const at = offsets[0] as number;
      result[at] = combine(result[at] as number, map(data[index] as number));
    });
    if (attrs.scale !== undefined) {
      for (let at = 0; at < result.length; at++) result[at] = (result[at] as number) * attrs.scale;
    }
  },
};
