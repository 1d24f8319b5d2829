/** Elementwise functions of two operands, with broadcasting. */
import { type DType, isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import {
  broadcastShapes,
  broadcastStrides,
  forEachOffset,
  type Shape,
  sameShape,
  sizeOf,
  stridesOf,
} from '../src/core/shape.ts';
import source from '../wgsl/binary.wgsl';
import { grid, type Kernel, type PipelineSpec, type Plan, pipelineSpec, wgslModule } from './kernel.ts';
import { AXES_WORDS, type Collapsed, collapse, hasRows, MANY, slabsOf, writeAxes } from './strided.ts';

type Pair = (a: number, b: number) => number;

interface BinaryOp {
  /** OP for floats, integers and booleans; an absent one is not defined. */
  readonly float?: number;
  readonly int?: number;
  readonly bool?: number;
  /** The result is a bool whatever the operands are. */
  readonly predicate?: boolean;
  readonly f: Pair;
  /** The integer function where it differs. */
  readonly i?: Pair;
}

const word = (condition: boolean): number => (condition ? 1 : 0);

/** a − b ⌊a / b⌋ with the sign of b, as NumPy's `mod`; JavaScript's % is exact. */
export function mod(a: number, b: number): number {
  const rest = a % b;
  if (rest === 0) return b < 0 || Object.is(b, -0) ? -0 : 0;
  return rest < 0 !== b < 0 ? rest + b : rest;
}

/** ⌊a / b⌋ of the exact quotient, as NumPy's `floor_divide`. */
export function floorDivide(a: number, b: number): number {
  if (b === 0) return a / b;
  const rest = a % b;
  const quotient = (a - rest) / b;
  const nearest = Math.round(quotient);
  return rest !== 0 && rest < 0 !== b < 0 ? nearest - 1 : nearest;
}

/** ln(eᵃ + eᵇ) */
function logAddExp(a: number, b: number): number {
  if (a === b) return a + Math.LN2;
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}

/** A NaN counts as true, as in NumPy. */
const truth = (x: number): boolean => x !== 0;

/** a · b, and 0 where either is 0, also beside ∞ and NaN. */
const multiplyZero = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

/** Every binary op by name. */
export const binaryOps = {
  add: { float: 0, int: 20, f: (a, b) => a + b, i: (a, b) => (a + b) | 0 },
  sub: { float: 1, int: 21, f: (a, b) => a - b, i: (a, b) => (a - b) | 0 },
  mul: { float: 2, int: 22, f: (a, b) => a * b, i: Math.imul },
  div: { float: 3, f: (a, b) => a / b },
  pow: { float: 4, f: (a, b) => a ** b },
  maximum: { float: 5, int: 25, f: Math.max },
  minimum: { float: 6, int: 26, f: Math.min },
  mulZero: { float: 16, f: multiplyZero },
  /** The gradient of relu: g where its output y is above 0 (or NaN), else 0, whatever g is. */
  ifPositive: { float: 17, f: (g, y) => (y <= 0 ? 0 : g) },
  equal: { float: 10, int: 30, bool: 30, predicate: true, f: (a, b) => word(a === b) },
  notEqual: { float: 11, int: 31, bool: 31, predicate: true, f: (a, b) => word(a !== b) },
  less: { float: 12, int: 32, predicate: true, f: (a, b) => word(a < b) },
  lessEqual: { float: 13, int: 33, predicate: true, f: (a, b) => word(a <= b) },
  greater: { float: 14, int: 34, predicate: true, f: (a, b) => word(a > b) },
  greaterEqual: { float: 15, int: 35, predicate: true, f: (a, b) => word(a >= b) },
  logicalAnd: { float: 53, int: 56, bool: 40, predicate: true, f: (a, b) => word(truth(a) && truth(b)) },
  logicalOr: { float: 54, int: 57, bool: 41, predicate: true, f: (a, b) => word(truth(a) || truth(b)) },
  logicalXor: { float: 55, int: 58, bool: 42, predicate: true, f: (a, b) => word(truth(a) !== truth(b)) },
  mod: { float: 7, int: 27, f: mod, i: (a, b) => (b === 0 ? 0 : mod(a, b)) },
  floorDiv: { float: 8, int: 28, f: floorDivide, i: (a, b) => (b === 0 ? 0 : Math.floor(a / b) | 0) },
  atan2: { float: 50, f: Math.atan2 },
  hypot: { float: 51, f: Math.hypot },
  logAddExp: { float: 52, f: logAddExp },
  bitwiseAnd: { int: 40, bool: 40, f: (a, b) => a & b },
  bitwiseOr: { int: 41, bool: 41, f: (a, b) => a | b },
  bitwiseXor: { int: 42, bool: 42, f: (a, b) => a ^ b },
  leftShift: { int: 60, f: (a, b) => (b >>> 0 > 31 ? 0 : a << b) },
  rightShift: { int: 61, f: (a, b) => a >> Math.min(b >>> 0, 31) },
} as const satisfies Record<string, BinaryOp>;

export type BinaryName = keyof typeof binaryOps;

export interface BinaryAttrs {
  readonly op: BinaryName;
}

/** The OP constant for operands of this dtype, or undefined. */
function codeOf(op: BinaryOp, dtype: DType): number | undefined {
  if (isFloat(dtype)) return op.float;
  return dtype === 'int32' ? op.int : dtype === 'bool' ? op.bool : undefined;
}

const module = wgslModule('binary', source);
const ACCESS = ['read', 'read', 'write'] as const;
const AXES_AT = 8;
const WORDS = AXES_AT + AXES_WORDS;

/** Ops whose arithmetic outweighs their loads: written out sixteen times they would only compile slowly. */
const HEAVY: ReadonlySet<BinaryName> = new Set(['pow', 'mod', 'floorDiv', 'atan2', 'hypot', 'logAddExp']);

type Entry = 'binaryRuns' | 'binaryRows' | 'binaryVectors' | 'binarySame';

function planOf(pipeline: PipelineSpec, invocations: number, uniforms: Uint32Array): Plan {
  uniforms[0] = invocations;
  const workgroups = grid(Math.ceil(invocations / 64));
  return { steps: [{ pipeline, buffers: ['in0', 'in1', 'out0'], uniforms, workgroups }] };
}

const specOf = (entry: Entry, constants: Record<string, number>): PipelineSpec =>
  pipelineSpec(module, entry, ACCESS, WORDS, constants);

/** By OP, without and with slabs, since this is the path of most dispatches. */
const samePipelines: readonly [PipelineSpec[], PipelineSpec[]] = [[], []];

/** Operands that lie like the output; slabs from `least` vec4s on. */
function planSame(code: number, count: number, least: number): Plan {
  const slabs = slabsOf([count / 4], [[1]], least);
  const known = samePipelines[slabs ? 1 : 0];
  const pipeline = (known[code] ??= specOf('binarySame', { OP: code, SLABS: Number(!!slabs) }));
  const step = slabs?.steps[0] ?? 0;
  return planOf(pipeline, slabs ? step : Math.ceil(count / 4), Uint32Array.of(0, 0, 0, 0, 0, 0, step, 0));
}

/** How an operand's four neighbours along the last axis lie: one value, a whole vec4, or apart. */
function neighbours(strides: readonly number[]): 'one' | 'vec4' | 'apart' {
  const last = strides.at(-1) ?? 0;
  if (last === 0) return 'one';
  return last === 1 && strides.slice(0, -1).every((stride) => stride % 4 === 0) ? 'vec4' : 'apart';
}

type Strategy = 'runs' | 'rows' | 'vectors';

/** Operands that are stretched; slabs from `least` elements on. */
function planBroadcast(code: number, view: Collapsed, strategy: Strategy, least: number): Plan {
  const { extents, strides } = view;
  const count = sizeOf(extents);
  const uniforms = new Uint32Array(WORDS);
  uniforms[1] = extents.length;
  strides.forEach((own, operand) => {
    uniforms[2 + operand] = own.at(-1) ?? 0;
  });
  if (strategy !== 'vectors') {
    writeAxes(uniforms, AXES_AT, extents, strides);
    return strategy === 'rows'
      ? planOf(specOf('binaryRows', { OP: code }), count / 4, uniforms)
      : planOf(specOf('binaryRuns', { OP: code }), Math.ceil(count / 4), uniforms);
  }
  const slabs = extents.length > 1 ? slabsOf(extents, [...strides, stridesOf(extents)], least) : undefined;
  if (slabs) {
    const [stepA = 0, stepB = 0, stepOut = 0] = slabs.steps;
    uniforms.set([stepA, stepB, stepOut / 4], 4);
  }
  writeAxes(uniforms, AXES_AT, slabs?.extents ?? extents, strides);
  const [ONE_A = 0, ONE_B = 0] = strides.map((own) => Number(neighbours(own) === 'one'));
  const [MOVES_A = 1, MOVES_B = 1] = strides.map((own) => Number(own[0] !== 0));
  const moves = slabs ? { SLABS: 1, MOVES_A, MOVES_B } : { SLABS: 0 };
  const pipeline = specOf('binaryVectors', { OP: code, ONE_A, ONE_B, ...moves });
  return planOf(pipeline, count / (slabs ? 16 : 4), uniforms);
}

/** The fastest way through these strides. */
function strategyOf(shape: Shape, { strides }: Collapsed): Strategy {
  if (!hasRows(shape)) return 'runs';
  return strides.every((own) => neighbours(own) !== 'apart') ? 'vectors' : 'rows';
}

const viewOf = (a: Shape, b: Shape, out: Shape): Collapsed =>
  collapse(out, [broadcastStrides(a, out), broadcastStrides(b, out)]);

export const binaryKernel: Kernel<BinaryAttrs> = {
  name: 'binary',
  /** With slabs an invocation owns a place in each quarter of the outermost axis; chosen for light ops on many elements. */
  variants: ['runs', 'rows', 'vectors', 'vectorSlabs', 'same', 'sameSlabs'],

  supports(variant, [a, b]) {
    if (!a || !b || variant === 'runs') return true;
    if (variant === 'same' || variant === 'sameSlabs') {
      return sameShape(a.shape, b.shape) && (variant === 'same' || sizeOf(a.shape) % 16 === 0);
    }
    const shape = broadcastShapes('binary', a.shape, b.shape);
    if (variant === 'rows') return hasRows(shape);
    const view = viewOf(a.shape, b.shape, shape);
    if (strategyOf(shape, view) !== 'vectors') return false;
    return variant === 'vectors' || (view.extents.length > 1 && (view.extents[0] as number) % 4 === 0);
  },

  infer(op, [a, b], attrs) {
    if (!a || !b) throw new ArgumentError(`${op}: two operands expected.`);
    if (a.dtype !== b.dtype) {
      throw new DTypeError(
        `${op}: operands are ${a.dtype} and ${b.dtype}; cast one of them, nothing is promoted in silence.`,
      );
    }
    const entry: BinaryOp = binaryOps[attrs.op];
    if (codeOf(entry, a.dtype) === undefined) {
      throw new DTypeError(`${op} is not defined for ${a.dtype}; cast the operands first.`);
    }
    const shape = sameShape(a.shape, b.shape) ? a.shape : broadcastShapes(op, a.shape, b.shape);
    return [{ shape, dtype: entry.predicate ? 'bool' : a.dtype }];
  },

  plan([a, b], [out], attrs, _traits, variant) {
    if (!a || !b || !out) return { steps: [] };
    const code = codeOf(binaryOps[attrs.op], a.dtype) as number;
    const count = sizeOf(out.shape);
    const least = variant
      ? variant.endsWith('Slabs')
        ? 0
        : Infinity
      : HEAVY.has(attrs.op)
        ? Infinity
        : MANY;
    const same = variant ? variant.startsWith('same') : sameShape(a.shape, b.shape);
    if (same) return planSame(code, count, least);
    const view = viewOf(a.shape, b.shape, out.shape);
    const strategy = variant
      ? (variant.replace('vectorSlabs', 'vectors') as Strategy)
      : strategyOf(out.shape, view);
    return planBroadcast(code, view, strategy, least);
  },

  reference([a, b], [out], attrs) {
    if (!a || !b || !out) return;
    const entry: BinaryOp = binaryOps[attrs.op];
    const f = a.dtype === 'int32' ? (entry.i ?? entry.f) : entry.f;
    const strides = [broadcastStrides(a.shape, out.shape), broadcastStrides(b.shape, out.shape)];
    forEachOffset(out.shape, strides, (index, [i, j]) => {
      out.data[index] = f(a.data[i as number] as number, b.data[j as number] as number);
    });
  },
};
