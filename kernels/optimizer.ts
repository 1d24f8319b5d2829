/**
 * The step of every optimizer, over flat parameters and in place. Sixty-four neighbours are a block, which belongs to one
 * segment (a parameter with its padding).
 */
import { ArgumentError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/optimizer.wgsl';
import {
  type Access,
  floatBits,
  grid,
  type HostTensor,
  type Kernel,
  pipelineSpec,
  type Slot,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

/** Elements of a block. */
export const BLOCK = 64;

/** Columns of the table of segments: rate factor, decay factor, and 1 where the segment is updated. */
export const SEGMENT_COLUMNS = 3;

/** The numbers of a rule that are the same for every element; each rule uses some. */
export interface RuleNumbers {
  readonly momentum?: number;
  /** The share of a running mean that is kept, and that of the new value in it: 1 − β, exact where β is near 1. */
  readonly keep1?: number;
  readonly fresh1?: number;
  readonly keep2?: number;
  readonly fresh2?: number;
  readonly epsilon?: number;
  /** Corrections for running means that began at 0. */
  readonly correction1?: number;
  readonly correction2?: number;
  /** Nadam: the weight of the gradient itself beside its running mean. */
  readonly direct?: number;
  readonly l1?: number;
  readonly l2?: number;
  readonly shrinkage?: number;
  readonly power?: number;
  readonly beta?: number;
}

/** In the order of the uniform block. */
const NUMBERS = [
  'momentum',
  'keep1',
  'fresh1',
  'keep2',
  'fresh2',
  'epsilon',
  'correction1',
  'correction2',
  'direct',
  'l1',
  'l2',
  'shrinkage',
  'power',
  'beta',
] as const satisfies readonly (keyof RuleNumbers)[];

type Numbers = Required<RuleNumbers>;

/** A parameter's element with its slots. */
interface Cell {
  w: number;
  a: number;
  b: number;
  c: number;
}

interface Rule {
  /** OP in wgsl/optimizer.wgsl. */
  readonly code: number;
  readonly slots: number;
  update(cell: Cell, g: number, rate: number, numbers: Numbers): void;
}

/** RMSprop's mean of squares, and how far it goes: g / √(a − mean² + ε). */
function normalized(cell: Cell, g: number, { keep1, fresh1, epsilon }: Numbers, centered: boolean): number {
  cell.a = keep1 * cell.a + fresh1 * g * g;
  if (centered) cell.b = keep1 * cell.b + fresh1 * g;
  return g / Math.sqrt(cell.a - (centered ? cell.b * cell.b : 0) + epsilon);
}

/** The running means of the gradient and of its square. */
function moments(cell: Cell, g: number, { fresh1, fresh2 }: Numbers): void {
  cell.a += fresh1 * (g - cell.a);
  cell.b += fresh2 * (g * g - cell.b);
}

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

export const rules = {
  sgd: {
    code: 0,
    slots: 0,
    update: (cell, g, rate) => {
      cell.w -= rate * g;
    },
  },
  momentum: {
    code: 1,
    slots: 1,
    update: (cell, g, rate, { momentum }) => {
      cell.a = momentum * cell.a - rate * g;
      cell.w += cell.a;
    },
  },
  nesterov: {
    code: 2,
    slots: 1,
    update: (cell, g, rate, { momentum }) => {
      cell.a = momentum * cell.a - rate * g;
      cell.w += momentum * cell.a - rate * g;
    },
  },
  rmsprop: {
    code: 3,
    slots: 1,
    update: (cell, g, rate, numbers) => {
      cell.w -= rate * normalized(cell, g, numbers, false);
    },
  },
  rmspropMomentum: {
    code: 4,
    slots: 2,
    update: (cell, g, rate, numbers) => {
      cell.b = numbers.momentum * cell.b + rate * normalized(cell, g, numbers, false);
      cell.w -= cell.b;
    },
  },
  rmspropCentered: {
    code: 5,
    slots: 2,
    update: (cell, g, rate, numbers) => {
      cell.w -= rate * normalized(cell, g, numbers, true);
    },
  },
  rmspropCenteredMomentum: {
    code: 6,
    slots: 3,
    update: (cell, g, rate, numbers) => {
      cell.c = numbers.momentum * cell.c + rate * normalized(cell, g, numbers, true);
      cell.w -= cell.c;
    },
  },
  adagrad: {
    code: 7,
    slots: 1,
    update: (cell, g, rate, { epsilon }) => {
      cell.a += g * g;
      cell.w -= (rate * g) / Math.sqrt(cell.a + epsilon);
    },
  },
  adadelta: {
    code: 8,
    slots: 2,
    update: (cell, g, rate, { keep1, fresh1, epsilon }) => {
      cell.a = keep1 * cell.a + fresh1 * g * g;
      const delta = (g * Math.sqrt(cell.b + epsilon)) / Math.sqrt(cell.a + epsilon);
      cell.b = keep1 * cell.b + fresh1 * delta * delta;
      cell.w -= rate * delta;
    },
  },
  adam: {
    code: 9,
    slots: 2,
    update: (cell, g, rate, numbers) => {
      moments(cell, g, numbers);
      cell.w -= (rate * numbers.correction1 * cell.a) / (Math.sqrt(cell.b) + numbers.epsilon);
    },
  },
  amsgrad: {
    code: 10,
    slots: 3,
    update: (cell, g, rate, numbers) => {
      moments(cell, g, numbers);
      cell.c = Math.max(cell.c, cell.b);
      cell.w -= (rate * numbers.correction1 * cell.a) / (Math.sqrt(cell.c) + numbers.epsilon);
    },
  },
  adamax: {
    code: 11,
    slots: 2,
    update: (cell, g, rate, { fresh1, keep2, correction1, epsilon }) => {
      cell.a += fresh1 * (g - cell.a);
      cell.b = Math.max(keep2 * cell.b, Math.abs(g));
      cell.w -= (rate * correction1 * cell.a) / (cell.b + epsilon);
    },
  },
  nadam: {
    code: 12,
    slots: 2,
    update: (cell, g, rate, numbers) => {
      moments(cell, g, numbers);
      const ahead = numbers.correction1 * cell.a + numbers.direct * g;
      cell.w -= (rate * ahead) / (Math.sqrt(numbers.correction2 * cell.b) + numbers.epsilon);
    },
  },
  lion: {
    code: 13,
    slots: 1,
    update: (cell, g, rate, { keep1, fresh1, keep2, fresh2 }) => {
      cell.w -= rate * Math.sign(keep1 * cell.a + fresh1 * g);
      cell.a = keep2 * cell.a + fresh2 * g;
    },
  },
  ftrl: {
    code: 14,
    slots: 2,
    update: (cell, g, rate, { l1, l2, shrinkage, power, beta }) => {
      if (rate === 0) return; // The limit; the formula itself divides by the rate.
      const sum = cell.a + g * g;
      const sigma = (sum ** power - cell.a ** power) / rate;
      cell.b += g + 2 * shrinkage * cell.w - sigma * cell.w;
      cell.w = (clamp(cell.b, -l1, l1) - cell.b) / ((sum ** power + beta) / rate + 2 * l2);
      cell.a = sum;
    },
  },
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;

/** How gradients are clipped: by their elements, by the norm of each segment, or by the norm of all gradients. */
export type ClipKind = 'none' | 'value' | 'norm' | 'global';

const CLIP_CODES: Readonly<Record<ClipKind, number>> = { none: 0, value: 1, norm: 2, global: 3 };

export interface OptimizerAttrs {
  readonly rule: RuleName;
  readonly numbers: RuleNumbers;
  readonly rate: number;
  readonly weightDecay: number;
  /** What gradients are multiplied by first; ≥ 0. */
  readonly gradientScale: number;
  readonly clip: ClipKind;
  /** The bound of the clipping. */
  readonly bound: number;
}

const module = wgslModule('optimizer', source);
const ENTRIES = ['withoutSlots', 'withOneSlot', 'withTwoSlots', 'withThreeSlots'] as const;
const TABLES: readonly Access[] = ['read', 'read', 'read', 'read'];
const UNIFORM_WORDS = 20;

const needsNorms = (clip: ClipKind): boolean => clip === 'norm' || clip === 'global';

/** What a gradient is multiplied by, so that the norm of `squares` becomes at most `bound`; NaN for a non-finite norm. */
function clipFactor(squares: number, scale: number, bound: number): number {
  const norm = Math.sqrt(squares) * scale;
  if (!Number.isFinite(norm)) return Number.NaN;
  return norm <= bound ? scale : (scale * bound) / norm;
}

/**
 * gradients (N,), blocks (N/64,), segments (S, 3), norms where clipping needs them → values (N,) and the rule's slots (N,),
 * updated in place. `norms` are sums of squares of the unscaled gradients: one for each segment, or, for the global norm,
 * any number of shares.
 */
export const optimizerKernel: Kernel<OptimizerAttrs> = {
  name: 'optimizer',
  variants: ['default'],
  updates: true,

  infer(op, inputs, { rule, clip }) {
    const [gradients, blocks, segments, norms] = inputs as [TensorSpec, TensorSpec, TensorSpec, TensorSpec?];
    const count = sizeOf(gradients.shape);
    const columns = segments.shape[1];
    if (count % BLOCK !== 0 || !sameShape(blocks.shape, [count / BLOCK]) || columns !== SEGMENT_COLUMNS) {
      throw new ShapeError(
        `${op}: gradients ${formatShape(gradients.shape)}, blocks ${formatShape(blocks.shape)}, segments ` +
          `${formatShape(segments.shape)}; pass (${BLOCK} n,), (n,) and (s, ${SEGMENT_COLUMNS}).`,
      );
    }
    if (needsNorms(clip) !== (norms !== undefined))
      throw new ArgumentError(`${op}: clip is '${clip}'; pass the norms for 'norm' and 'global', else none.`);
    if (norms && clip === 'norm' && sizeOf(norms.shape) !== segments.shape[0])
      throw new ShapeError(`${op}: norms ${formatShape(norms.shape)}; pass one for each segment.`);
    return Array.from({ length: 1 + rules[rule].slots }, () => gradients);
  },

  plan(inputs, _outputs, { rule, numbers, rate, weightDecay, gradientScale, clip, bound }) {
    const { code, slots } = rules[rule];
    const quads = sizeOf((inputs[0] as TensorSpec).shape) / 4;
    const uniforms = new Uint32Array(UNIFORM_WORDS);
    uniforms[0] = quads;
    uniforms[1] = inputs[3] ? sizeOf(inputs[3].shape) : 0;
    const floats = [
      rate,
      weightDecay,
      gradientScale,
      bound,
      ...NUMBERS.map((name) => (numbers as Numbers)[name] ?? 0),
    ];
    uniforms.set(floats.map(floatBits), 2);
    const access: Access[] = ['write', ...TABLES, ...new Array<Access>(slots).fill('write')];
    const constants = { OP: code, CLIP: CLIP_CODES[clip] };
    // What is missing is not read, but a buffer must be bound.
    const norms: Slot = inputs[3] ? 'in3' : 'in0';
    const buffers: Slot[] = ['out0', 'in0', 'in1', 'in2', norms];
    for (let slot = 1; slot <= slots; slot++) buffers.push(`out${slot}`);
    const pipeline = pipelineSpec(module, ENTRIES[slots] as string, access, UNIFORM_WORDS, constants);
    return { steps: [{ pipeline, buffers, uniforms, workgroups: grid(Math.ceil(quads / 64)) }] };
  },

  reference(inputs, outputs, attrs) {
    const [gradients, blocks, segments, norms] = inputs.map(({ data }) => data);
    const [values, a, b, c] = outputs.map(({ data }) => data);
    if (!gradients || !blocks || !segments || !values) return;
    const { rule, gradientScale, clip, bound } = attrs;
    const numbers = attrs.numbers as Numbers;
    let total = 0;
    if (clip === 'global') for (const share of norms ?? []) total += share;
    const update: Rule['update'] = rules[rule].update;
    for (let index = 0; index < values.length; index++) {
      const segment = blocks[Math.floor(index / BLOCK)] as number;
      const [factor, decays, active] = segments.subarray(SEGMENT_COLUMNS * segment);
      if (active === 0) continue;
      let scale = gradientScale;
      if (clip === 'norm') scale = clipFactor(norms?.[segment] as number, gradientScale, bound);
      if (clip === 'global') scale = clipFactor(total, gradientScale, bound);
      let g = (gradients[index] as number) * scale;
      if (clip === 'value') g = clamp(g, -bound, bound);
      const rate = attrs.rate * (factor as number);
      const w = values[index] as number;
      const cell: Cell = {
        w: w - w * attrs.weightDecay * rate * (decays as number),
        a: a?.[index] ?? 0,
        b: b?.[index] ?? 0,
        c: c?.[index] ?? 0,
      };
      update(cell, g, rate, numbers);
      values[index] = cell.w;
      if (a) a[index] = cell.a;
      if (b) b[index] = cell.b;
      if (c) c[index] = cell.c;
    }
  },
};

/** The table of segments as references read it. */
export const isActive = (segments: HostTensor, segment: number): boolean =>
  segments.data[SEGMENT_COLUMNS * segment + 2] !== 0;
