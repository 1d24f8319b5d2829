/** Elementwise functions of one tensor. One table row per op: how its derivative is computed, and from what. */
import { type UnaryName, unaryKernel } from '../../kernels/unary.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { noteOrigin } from '../autograd/origin.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { activationGradient } from './activations-gradient.ts';
import { add, div, mul, mulZero, sub, where, zeroGrad } from './binary.ts';
import { isFinite as finite, greaterEqual, lessEqual, logicalAnd } from './compare.ts';
import { full } from './create.ts';
import { checkOptions } from './options.ts';

interface Scalars {
  readonly p?: number;
  readonly q?: number;
  readonly r?: number;
}

/** A unary op; `saves` says what `derivative` reads: the input, the output, or neither. */
function unaryOp(
  op: UnaryName,
  saves: 'input' | 'output' | 'nothing',
  derivative: (grad: Tensor, saved: Tensor, scalars: Scalars) => Tensor,
  name: string = op,
): Op<Scalars> {
  return {
    name,
    forward: ([x], scalars) => runKernel1(name, unaryKernel, [x as Tensor], { op, ...scalars }),
    saves: ([x], [y]) => (saves === 'input' ? [x] : saves === 'output' ? [y] : []),
    backward: ({ grad, saved, attrs }) => [() => derivative(grad, saved[0] as Tensor, attrs)],
  };
}

const NONE: Scalars = {};
const call =
  (op: Op<Scalars>) =>
  (x: Tensor): Tensor =>
    apply(op, [x], NONE);
/** 1 − y² */
const oneMinusSquare = (y: Tensor): Tensor => sub(1, square(y));

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/** −x */
export const neg = call(unaryOp('neg', 'nothing', (g) => neg(g)));
/** |x|; the derivative at 0 is 0. */
export const abs = call(unaryOp('abs', 'input', (g, x) => mulZero(g, sign(x))));
/** −1, 0 or 1; its derivative is 0. */
export const sign = call(unaryOp('sign', 'nothing', (g) => zeroGrad(g)));
/** eˣ */
export const exp = call(unaryOp('exp', 'output', (g, y) => mul(g, y)));
/** The natural logarithm. */
export const log = call(unaryOp('log', 'input', (g, x) => div(g, x)));
/** ln(1 + x), accurate near 0. */
export const log1p = call(unaryOp('log1p', 'input', (g, x) => div(g, add(x, 1))));
/** eˣ − 1, accurate near 0. */
export const expm1 = call(unaryOp('expm1', 'output', (g, y) => mul(g, add(y, 1))));
/** 2ˣ */
export const exp2 = call(unaryOp('exp2', 'output', (g, y) => mul(g, mul(y, Math.LN2))));
/** The logarithm to base 2, exact for powers of two. */
export const log2 = call(unaryOp('log2', 'input', (g, x) => div(mul(g, Math.LOG2E), x)));
/** The logarithm to base 10. */
export const log10 = call(unaryOp('log10', 'input', (g, x) => div(mul(g, Math.LOG10E), x)));
/** ∛x, of negative numbers too. */
export const cbrt = call(unaryOp('cbrt', 'output', (g, y) => div(g, mul(square(y), 3))));
/** √x */
export const sqrt = call(unaryOp('sqrt', 'output', (g, y) => div(mul(g, 0.5), y)));
/** 1/√x */
export const rsqrt = call(unaryOp('rsqrt', 'output', (g, y) => mul(mul(g, -0.5), mul(y, square(y)))));
/** x² */
export const square = call(unaryOp('square', 'input', (g, x) => mul(g, mul(x, 2))));
/** 1/x */
export const reciprocal = call(unaryOp('reciprocal', 'output', (g, y) => neg(mul(mul(g, y), y))));
/** sin x, x in radians. */
export const sin = call(unaryOp('sin', 'input', (g, x) => mul(g, cos(x))));
/** cos x, x in radians. */
export const cos = call(unaryOp('cos', 'input', (g, x) => neg(mul(g, sin(x)))));
/** tan x, x in radians. */
export const tan = call(unaryOp('tan', 'output', (g, y) => mul(g, add(square(y), 1))));
export const asin = call(unaryOp('asin', 'input', (g, x) => mul(g, rsqrt(oneMinusSquare(x)))));
export const acos = call(unaryOp('acos', 'input', (g, x) => neg(mul(g, rsqrt(oneMinusSquare(x))))));
export const atan = call(unaryOp('atan', 'input', (g, x) => div(g, add(square(x), 1))));
export const sinh = call(unaryOp('sinh', 'input', (g, x) => mul(g, cosh(x))));
export const cosh = call(unaryOp('cosh', 'input', (g, x) => mul(g, sinh(x))));
export const asinh = call(unaryOp('asinh', 'input', (g, x) => mul(g, rsqrt(add(square(x), 1)))));
export const acosh = call(unaryOp('acosh', 'input', (g, x) => mul(g, rsqrt(sub(square(x), 1)))));
export const atanh = call(unaryOp('atanh', 'input', (g, x) => div(g, oneMinusSquare(x))));
/** The error function 2/√π ∫₀ˣ e^(−t²) dt. */
export const erf = call(
  unaryOp('erf', 'input', (g, x) => mul(g, mul(exp(neg(square(x))), TWO_OVER_SQRT_PI))),
);
const sigmoidOp = unaryOp('sigmoid', 'output', (g, y) => activationGradient('sigmoid', g, y));

/** 1/(1 + e⁻ˣ) */
export function sigmoid(x: Tensor): Tensor {
  const y = apply(sigmoidOp, [x], NONE);
  noteOrigin(y, 'sigmoid', x);
  return y;
}
/** tanh x */
export const tanh = call(unaryOp('tanh', 'output', (g, y) => activationGradient('tanh', g, y)));
/** ln(1 + eˣ) */
export const softplus = call(unaryOp('softplus', 'input', (g, x) => activationGradient('softplus', g, x)));
/** −ln(1 + e⁻ˣ) */
export const logSigmoid = call(
  unaryOp('logSigmoid', 'input', (g, x) => activationGradient('logSigmoid', g, x)),
);
/** 1 where x > 0, else 0; its derivative is 0. */
export const step = call(unaryOp('step', 'nothing', (g) => zeroGrad(g)));
/** The next lower whole number; its derivative is 0. */
export const floor = call(unaryOp('floor', 'nothing', (g) => zeroGrad(g)));
/** The next higher whole number; its derivative is 0. */
export const ceil = call(unaryOp('ceil', 'nothing', (g) => zeroGrad(g)));
/** The nearest whole number, halves to the even one; its derivative is 0. */
export const round = call(unaryOp('round', 'nothing', (g) => zeroGrad(g)));
/** Towards zero; its derivative is 0. */
export const trunc = call(unaryOp('trunc', 'nothing', (g) => zeroGrad(g)));

const clipOp = unaryOp('clip', 'input', (g, x, { p = -Infinity, q = Infinity }) =>
  where(
    logicalAnd(greaterEqual(x, p), lessEqual(x, q)),
    g,
    full([], 0, { device: x.device, dtype: x.dtype }),
  ),
);

/** min(max(x, low), high); the gradient passes where low ≤ x ≤ high. */
export const clip = (x: Tensor, low: number, high: number): Tensor => apply(clipOp, [x], { p: low, q: high });

/** What `nanToNum` puts in place of what is not finite. */
export interface NanToNumOptions {
  /** For NaN. Default: 0. */
  nan?: number;
  /** For ∞. Default: the largest float32, on every device. */
  posInf?: number;
  /** For −∞. Default: the least float32, on every device. */
  negInf?: number;
}

const LARGEST_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

const nanToNumOp = unaryOp('nanToNum', 'input', (g, x) => where(finite(x), g, 0));

/** x with NaN and the infinities replaced; the gradient passes where x is finite. */
export function nanToNum(x: Tensor, options: NanToNumOptions = {}): Tensor {
  checkOptions('nanToNum', options, ['nan', 'posInf', 'negInf']);
  const { nan = 0, posInf = LARGEST_FLOAT32, negInf = -LARGEST_FLOAT32 } = options;
  return apply(nanToNumOp, [x], { p: nan, q: posInf, r: negInf });
}
