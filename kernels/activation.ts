/** Activations of one tensor with their scalars, out[i] = f(x[i]), and their gradients, g[i] · f′(s[i]), each in one dispatch. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/activation.wgsl';
import {
  floatBits,
  grid,
  type Kernel,
  type PipelineSpec,
  type Plan,
  pipelineSpec,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';
import { erf, sigmoid } from './unary.ts';

type Formula = (x: number, p: number, q: number, r: number) => number;

/** One activation: its code in wgsl/activation.wgsl, its value and its derivative in float64. */
export interface ActivationOp {
  readonly code: number;
  /** Absent where kernels/unary.ts has the function itself. */
  readonly f?: Formula;
  /** f′ from x, or, where it says so, from the output y. */
  readonly slope: Formula;
  /** What the scalars p, q and r are called in messages. */
  readonly scalars?: readonly string[];
}

/** v times a factor that is 0 wherever the product's limit is, so that −∞ · e^(−∞) is 0 and not NaN. */
export const timesFactor = (v: number, factor: number): number => (factor === 0 ? 0 : v * factor);

/** The derivative of the sigmoid: e / (1 + e)² with e = e^(−|x|). */
export function sigmoidSlope(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return e / ((1 + e) * (1 + e));
}

/** The density of a standard normal number. */
const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** Φ(x), the share of normal numbers below x; far below 0 by Laplace's continued fraction, where 1 + erf would cancel. */
function normalBelow(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  if (z < 3) return (1 + erf(x / Math.SQRT2)) / 2;
  let fraction = z;
  for (let n = 60; n >= 1; n--) fraction = z + n / 2 / fraction;
  const tail = Math.exp(-z * z) / (2 * Math.sqrt(Math.PI) * fraction);
  return x < 0 ? tail : 1 - tail;
}

/** 2u in gelu's approximation x (1 + tanh u) / 2 = x sigmoid(2u), with u = √(2/π) (x + 0.044715 x³). */
const TWO_ROOT = 2 * Math.sqrt(2 / Math.PI);
const geluArgument = (x: number): number => TWO_ROOT * (x + 0.044715 * x ** 3);

/** tanh(ln(1 + eˣ)) = (e² + 2e) / (e² + 2e + 2), in powers of e^(−|x|). */
function mishGate(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return x > 0 ? (1 + 2 * e) / (1 + 2 * e + 2 * e * e) : (e * (e + 2)) / (e * (e + 2) + 2);
}

/** The derivative of `mishGate`: 4 e (1 + e) / (e² + 2e + 2)². */
function mishGateSlope(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return x > 0
    ? (4 * e * e * (1 + e)) / (1 + 2 * e + 2 * e * e) ** 2
    : (4 * e * (1 + e)) / (e * (e + 2) + 2) ** 2;
}

/** Every activation by name. At a kink the derivative is the one from the left, unless the formula says otherwise. */
export const activationOps = {
  softsign: {
    code: 0,
    f: (x) => (Math.abs(x) === Infinity ? Math.sign(x) : x / (1 + Math.abs(x))),
    slope: (x) => 1 / (1 + Math.abs(x)) ** 2,
  },
  hardSigmoid: {
    code: 1,
    f: (x) => Math.min(Math.max((x + 3) / 6, 0), 1),
    slope: (x) => (Math.abs(x) < 3 ? 1 / 6 : 0),
  },
  hardSilu: {
    code: 2,
    f: (x) => (x >= 3 ? x : x <= -3 ? 0 : (x * (x + 3)) / 6),
    slope: (x) => (x >= 3 ? 1 : x <= -3 ? 0 : (2 * x + 3) / 6),
  },
  silu: {
    code: 3,
    f: (x) => timesFactor(x, sigmoid(x)),
    slope: (x) => sigmoid(x) + timesFactor(x, sigmoidSlope(x)),
  },
  gelu: {
    code: 4,
    f: (x) => timesFactor(x, normalBelow(x)),
    slope: (x) => normalBelow(x) + timesFactor(x, normalDensity(x)),
  },
  geluTanh: {
    code: 5,
    f: (x) => timesFactor(x, sigmoid(geluArgument(x))),
    slope: (x) => {
      const u = geluArgument(x);
      return sigmoid(u) + timesFactor(x * TWO_ROOT * (1 + 3 * 0.044715 * x * x), sigmoidSlope(u));
    },
  },
  mish: {
    code: 6,
    f: (x) => timesFactor(x, mishGate(x)),
    slope: (x) => mishGate(x) + timesFactor(x, mishGateSlope(x)),
  },
  /** p is alpha, q scales the whole. */
  elu: {
    code: 7,
    f: (x, p, q) => q * (x > 0 ? x : p * Math.expm1(x)),
    slope: (x, p, q) => q * (x > 0 ? 1 : p * Math.exp(x)),
    scalars: ['alpha', 'scale'],
  },
  /** x above the threshold q, else p (x − q). */
  rectify: {
    code: 8,
    f: (x, p, q) => (x > q ? x : timesFactor(x - q, p)),
    slope: (x, p, q) => (x > q ? 1 : p),
    scalars: ['negative slope', 'threshold'],
  },
  /** The same, and at most r. */
  rectifyTo: {
    code: 9,
    f: (x, p, q, r) => (x > q ? Math.min(x, r) : timesFactor(x - q, p)),
    slope: (x, p, q, r) => (x > q ? Number(x < r) : p),
    scalars: ['negative slope', 'threshold', 'largest value'],
  },
  /** From y. */
  sigmoid: { code: 10, slope: (y) => y * (1 - y) },
  /** From y. */
  tanh: { code: 11, slope: (y) => (1 - y) * (1 + y) },
  softplus: { code: 12, slope: sigmoid },
  logSigmoid: { code: 13, slope: (x) => sigmoid(-x) },
} as const satisfies Record<string, ActivationOp>;

/** The name of an activation whose gradient is here. */
export type ActivationSlope = keyof typeof activationOps;

/** The name of an activation whose value is here too. */
export type ActivationValue = {
  [K in ActivationSlope]: (typeof activationOps)[K] extends { readonly f: Formula } ? K : never;
}[ActivationSlope];

export interface ActivationAttrs<Name extends ActivationSlope = ActivationValue> {
  readonly op: Name;
  readonly p?: number;
  readonly q?: number;
  readonly r?: number;
}

const module = wgslModule('activation', source);

function check(op: string, { shape, dtype }: TensorSpec, attrs: ActivationAttrs<ActivationSlope>): void {
  if (!isFloat(dtype)) {
    throw new DTypeError(
      `${op}: takes floats, but the input of shape ${formatShape(shape)} holds ${dtype}. Cast it first: cast(x, 'float').`,
    );
  }
  const { scalars }: ActivationOp = activationOps[attrs.op];
  scalars?.forEach((what, index) => {
    const value: unknown = [attrs.p, attrs.q, attrs.r][index];
    if (typeof value === 'number' && Number.isFinite(value)) return;
    throw new ArgumentError(`${op}: the ${what} is ${String(value)}; pass a finite number.`);
  });
}

function planOf(pipeline: PipelineSpec, count: number, attrs: ActivationAttrs<ActivationSlope>): Plan {
  const { p = 0, q = 0, r = 0 } = attrs;
  const invocations = Math.ceil(count / 4);
  const buffers =
    pipeline.access.length === 2 ? (['in0', 'out0'] as const) : (['in0', 'in1', 'out0'] as const);
  return {
    steps: [
      {
        pipeline,
        buffers,
        uniforms: Uint32Array.of(invocations, floatBits(p), floatBits(q), floatBits(r)),
        workgroups: grid(Math.ceil(invocations / 64)),
      },
    ],
  };
}

/** f(x). */
export const activationKernel: Kernel<ActivationAttrs> = {
  name: 'activation',
  variants: ['default'],

  infer(op, inputs, attrs) {
    const { shape, dtype } = inputs[0] as TensorSpec;
    check(op, { shape, dtype }, attrs);
    return [{ shape, dtype }];
  },

  plan: ([x], _outputs, attrs) =>
    planOf(
      pipelineSpec(module, 'activation', ['read', 'write'], 4, { OP: activationOps[attrs.op].code }),
      sizeOf((x as TensorSpec).shape),
      attrs,
    ),

  reference([input], [output], { op, p = 0, q = 0, r = 0 }) {
    if (!input || !output) return;
    const { f } = activationOps[op];
    for (let i = 0; i < output.data.length; i++) {
      const x = input.data[i] as number;
      output.data[i] = Number.isNaN(x) ? x : f(x, p, q, r);
    }
  },
};

/** g · f′(s); the inputs are g and s, which is the activation's input or output. */
export const activationGradientKernel: Kernel<ActivationAttrs<ActivationSlope>> = {
  name: 'activationGradient',
  variants: ['default'],

  infer(op, [g, s], attrs) {
    if (!g || !s) throw new ArgumentError(`${op}: the gradient and the saved tensor expected.`);
    check(op, g, attrs);
    if (!sameShape(g.shape, s.shape) || g.dtype !== s.dtype) {
      throw new ShapeError(
        `${op}: the gradient is ${g.dtype} of shape ${formatShape(g.shape)}, the saved tensor ${s.dtype} of shape ` +
          `${formatShape(s.shape)}; they must be alike.`,
      );
    }
    return [{ shape: g.shape, dtype: g.dtype }];
  },

  plan: ([g], _outputs, attrs) =>
    planOf(
      pipelineSpec(module, 'activationGradient', ['read', 'read', 'write'], 4, {
        OP: activationOps[attrs.op].code,
      }),
      sizeOf((g as TensorSpec).shape),
      attrs,
    ),

  reference([gradient, saved], [output], { op, p = 0, q = 0, r = 0 }) {
    if (!gradient || !saved || !output) return;
    const { slope }: ActivationOp = activationOps[op];
    for (let i = 0; i < output.data.length; i++) {
      const s = saved.data[i] as number;
      output.data[i] = Number.isNaN(s) ? s : timesFactor(gradient.data[i] as number, slope(s, p, q, r));
    }
  },
};
