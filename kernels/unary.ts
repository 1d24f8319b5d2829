/** Elementwise functions of one tensor, with up to three scalars: out[i] = f(in[i], p, q, r). */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import { formatShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/unary.wgsl';
import { floatBits, grid, type Kernel, pipelineSpec, type TensorSpec, wgslModule } from './kernel.ts';

/** One function: its code in wgsl/unary.wgsl and its definition in float64. */
export interface UnaryOp {
  readonly code: number;
  readonly f: (x: number, p: number, q: number, r: number) => number;
  /** The same on int32, wrapping; ops without it take floats only. */
  readonly int?: (x: number, p: number, q: number) => number;
  /** What the scalars p, q and r are called in messages, one name for each that the op reads. */
  readonly scalars?: readonly string[];
  /** The result is a bool. */
  readonly predicate?: boolean;
}

/**
 * The error function to about 1e-15: a series of positive terms, erf x = 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!,
 * and for |x| ≥ 3 Laplace's continued fraction of erfc.
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const a = Math.abs(x);
  if (a >= 6) return Math.sign(x);
  if (a >= 3) {
    let fraction = a;
    for (let n = 60; n >= 1; n--) fraction = a + n / 2 / fraction;
    return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction));
  }
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Rounds to the nearest whole number, halves to the even one. */
export function roundHalfToEven(x: number): number {
  const low = Math.floor(x);
  const fraction = x - low;
  if (fraction < 0.5) return low;
  if (fraction > 0.5) return low + 1;
  return fraction === 0.5 && low % 2 !== 0 ? low + 1 : low;
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** 1 / (1 + e^(−x)), without the overflow of e^(−x). */
export const sigmoid = (x: number): number =>
  x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x));

const SCALAR = ['scalar'];
const word = (condition: boolean): number => (condition ? 1 : 0);

/** Every unary op by name. */
export const unaryOps = {
  neg: { code: 0, f: (x) => -x, int: (x) => -x | 0 },
  abs: { code: 1, f: Math.abs, int: (x) => Math.abs(x) | 0 },
  sign: { code: 2, f: Math.sign, int: Math.sign },
  exp: { code: 3, f: Math.exp },
  log: { code: 4, f: Math.log },
  log1p: { code: 5, f: Math.log1p },
  expm1: { code: 6, f: Math.expm1 },
  sqrt: { code: 7, f: Math.sqrt },
  rsqrt: { code: 8, f: (x) => 1 / Math.sqrt(x) },
  square: { code: 9, f: (x) => x * x, int: (x) => Math.imul(x, x) },
  reciprocal: { code: 10, f: (x) => 1 / x },
  sin: { code: 11, f: Math.sin },
  cos: { code: 12, f: Math.cos },
  tan: { code: 13, f: Math.tan },
  asin: { code: 14, f: Math.asin },
  acos: { code: 15, f: Math.acos },
  atan: { code: 16, f: Math.atan },
  sinh: { code: 17, f: Math.sinh },
  cosh: { code: 18, f: Math.cosh },
  asinh: { code: 19, f: Math.asinh },
  acosh: { code: 20, f: Math.acosh },
  atanh: { code: 21, f: Math.atanh },
  erf: { code: 22, f: erf },
  sigmoid: { code: 23, f: sigmoid },
  tanh: { code: 24, f: Math.tanh },
  relu: { code: 25, f: (x) => Math.max(x, 0), int: (x) => Math.max(x, 0) },
  softplus: { code: 26, f: softplus },
  logSigmoid: { code: 27, f: (x) => -softplus(-x) },
  floor: { code: 28, f: Math.floor },
  ceil: { code: 29, f: Math.ceil },
  round: { code: 30, f: roundHalfToEven },
  trunc: { code: 31, f: Math.trunc },
  /** p is the lower bound, q the upper one, which wins when they cross. */
  clip: {
    code: 32,
    f: (x, p, q) => Math.min(Math.max(x, p), q),
    int: (x, p, q) => Math.min(Math.max(x, p), q),
    scalars: ['lower bound', 'upper bound'],
  },
  addScalar: { code: 33, f: (x, p) => x + p, int: (x, p) => (x + p) | 0, scalars: SCALAR },
  mulScalar: { code: 34, f: (x, p) => x * p, int: (x, p) => Math.imul(x, p), scalars: SCALAR },
  rsubScalar: { code: 35, f: (x, p) => p - x, scalars: SCALAR },
  rdivScalar: { code: 36, f: (x, p) => p / x, scalars: SCALAR },
  powScalar: { code: 37, f: (x, p) => x ** p, scalars: SCALAR },
  rpowScalar: { code: 38, f: (x, p) => p ** x, scalars: SCALAR },
  /** The derivative of relu. */
  step: { code: 39, f: (x) => (Number.isNaN(x) ? x : Number(x > 0)) },
  exp2: { code: 41, f: (x) => 2 ** x },
  log2: { code: 42, f: Math.log2 },
  log10: { code: 43, f: Math.log10 },
  cbrt: { code: 44, f: Math.cbrt },
  isNaN: { code: 45, f: (x) => word(Number.isNaN(x)), predicate: true },
  isFinite: { code: 46, f: (x) => word(Number.isFinite(x)), predicate: true },
  isInf: { code: 47, f: (x) => word(Math.abs(x) === Number.POSITIVE_INFINITY), predicate: true },
  /** p, q and r stand in for NaN, ∞ and −∞. */
  nanToNum: {
    code: 48,
    f: (x, p, q, r) => (Number.isFinite(x) ? x : Number.isNaN(x) ? p : x > 0 ? q : r),
    scalars: ['nan', 'posInf', 'negInf'],
  },
} as const satisfies Record<string, UnaryOp>;

/** The name of a unary op. */
export type UnaryName = keyof typeof unaryOps;

/** Which function, and its scalars. */
export interface UnaryAttrs {
  readonly op: UnaryName;
  readonly p?: number;
  readonly q?: number;
  readonly r?: number;
}

const unary = wgslModule('unary', source);
const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;

/** A clip bound for int32: beyond the integers it binds nothing. */
const intBound = (value: number): number => Math.min(Math.max(value, INT_MIN), INT_MAX);

/** The scalars as the entry point reads them; bounds of an integer clip may be infinite. */
function scalarsOf(attrs: UnaryAttrs, integer: boolean): [p: number, q: number, r: number] {
  const { p = 0, q = 0, r = 0 } = attrs;
  return integer && attrs.op === 'clip' ? [intBound(p), intBound(q), r] : [p, q, r];
}

function checkScalar(
  op: string,
  attrs: UnaryAttrs,
  value: number | undefined,
  what: string,
  integer: boolean,
): void {
  const clip = attrs.op === 'clip';
  if (typeof value !== 'number' || (clip && Number.isNaN(value))) {
    throw new ArgumentError(`${op}: the ${what} is ${String(value)}; pass a number.`);
  }
  if (!integer || (clip && Math.abs(value) === Number.POSITIVE_INFINITY)) return;
  if (!Number.isInteger(value)) {
    throw new DTypeError(
      `${op}: the ${what} ${value} is not a whole number, but the tensor holds int32. ` +
        `Use a whole number, or cast the tensor first: cast(x, 'float32').`,
    );
  }
  if (!clip && (value < INT_MIN || value > INT_MAX)) {
    throw new ArgumentError(
      `${op}: the ${what} ${value} does not fit into int32; cast the tensor first: cast(x, 'float32').`,
    );
  }
}

/** Elementwise unary functions: float → float, and int32 → int32 where the op has an integer form. */
export const unaryKernel: Kernel<UnaryAttrs> = {
  name: 'unary',
  variants: ['default'],

  infer(op, inputs, attrs) {
    const { shape, dtype } = inputs[0] as TensorSpec;
    const entry: UnaryOp = unaryOps[attrs.op];
    const integer = dtype === 'int32';
    if (!isFloat(dtype) && !(integer && entry.int)) {
      throw new DTypeError(
        `${op}: takes floats${entry.int ? ' or int32' : ''}, but the input of shape ${formatShape(shape)} holds ` +
          `${dtype}. Cast it first: cast(x, 'float32').`,
      );
    }
    entry.scalars?.forEach((what, index) => {
      checkScalar(op, attrs, [attrs.p, attrs.q, attrs.r][index], what, integer);
    });
    return [{ shape, dtype: entry.predicate ? 'bool' : dtype }];
  },

  plan(inputs, _outputs, attrs) {
    const { shape, dtype } = inputs[0] as TensorSpec;
    const count = sizeOf(shape);
    const integer = dtype === 'int32';
    const [p, q, r] = scalarsOf(attrs, integer);
    const bits = integer ? (value: number) => value >>> 0 : floatBits;
    const { code, predicate }: UnaryOp = unaryOps[attrs.op];
    const entry = predicate ? 'unaryTest' : integer ? 'unaryInt' : 'unary';
    const access = ['read', 'write'] as const;
    const invocations = entry === 'unary' ? Math.ceil(count / 4) : count;
    return {
      steps: [
        {
          pipeline: pipelineSpec(unary, entry, access, 4, { OP: code }),
          buffers: ['in0', 'out0'],
          uniforms: Uint32Array.of(invocations, bits(p), bits(q), bits(r)),
          workgroups: grid(Math.ceil(invocations / 64)),
        },
      ],
    };
  },

  reference([input], [output], attrs) {
    if (!input || !output) return;
    const entry: UnaryOp = unaryOps[attrs.op];
    const integer = input.dtype === 'int32';
    const [p, q, r] = scalarsOf(attrs, integer);
    const f: UnaryOp['f'] = integer && entry.int ? entry.int : entry.f;
    for (let i = 0; i < output.data.length; i++) output.data[i] = f(input.data[i] as number, p, q, r);
  },
};
