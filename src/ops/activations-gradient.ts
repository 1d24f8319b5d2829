/**
 * The derivatives of the activations. The first is one dispatch, g · f′(s), with s the activation's input or output; the
 * second is made of ops, and so can be differentiated again.
 */
import {
  type ActivationSlope,
  type ActivationValue,
  activationGradientKernel,
  activationKernel,
} from '../../kernels/activation.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { add, div, mul, mulZero, sub, where, zeroGrad } from './binary.ts';
import { less } from './compare.ts';
import { abs, exp, neg, sigmoid, sign, softplus, square, tanh } from './unary.ts';

export interface ActivationScalars {
  readonly p?: number;
  readonly q?: number;
  readonly r?: number;
}

interface SlopeAttrs extends ActivationScalars {
  readonly op: ActivationSlope;
}

type Curvature = (s: Tensor, scalars: ActivationScalars) => Tensor;

/** σ′(u) = σ (1 − σ) and σ″(u) = σ′ (1 − 2σ). */
function sigmoidDerivatives(u: Tensor): [s: Tensor, first: Tensor, second: Tensor] {
  const s = sigmoid(u);
  const first = mul(s, sub(1, s));
  return [s, first, mul(first, sub(1, mul(s, 2)))];
}

const CUBIC = 0.044715;
const ROOT_2_PI = Math.sqrt(2 / Math.PI);

/** The derivative of `slope` in kernels/activation.ts with respect to s; absent where it is 0 everywhere. */
const CURVATURES: Partial<Record<ActivationSlope, Curvature>> = {
  /** −2 sign(x) / (1 + |x|)³ */
  softsign: (x) => {
    const size = add(abs(x), 1);
    return div(mul(sign(x), -2), mul(size, square(size)));
  },
  /** 1/3 between the kinks. */
  hardSilu: (x) => where(less(abs(x), 3), 1 / 3, 0),
  /** 2σ′ + x σ″ */
  silu: (x) => {
    const [, first, second] = sigmoidDerivatives(x);
    return add(mul(first, 2), mulZero(x, second));
  },
  /** φ(x) (2 − x²) */
  gelu: (x) => mulZero(mul(exp(mul(square(x), -0.5)), ROOT_2_PI / 2), sub(2, square(x))),
  /** (2u′ + x u″) σ′ + x u′² σ″ for x σ(u), u = 2 √(2/π) (x + 0.044715 x³) */
  geluTanh: (x) => {
    const x2 = square(x);
    const u = mul(mul(x, add(mul(x2, CUBIC), 1)), 2 * ROOT_2_PI);
    const rise = mul(add(mul(x2, 3 * CUBIC), 1), 2 * ROOT_2_PI);
    const [, first, second] = sigmoidDerivatives(u);
    const bend = mul(x2, 12 * ROOT_2_PI * CUBIC);
    return add(mulZero(first, add(mul(rise, 2), bend)), mulZero(second, mul(x, square(rise))));
  },
  /** 2w′ + x w″ for x w, w = tanh(softplus(x)): w′ = (1 − w²) σ, w″ = w′ (1 − σ − 2wσ) */
  mish: (x) => {
    const w = tanh(softplus(x));
    const s = sigmoid(x);
    const first = mul(mul(sub(1, w), add(w, 1)), s);
    const second = mul(first, sub(sub(1, s), mul(mul(w, s), 2)));
    return add(mul(first, 2), mulZero(second, x));
  },
  /** scale · alpha · eˣ for x ≤ 0; e^min(x, 0) keeps what is not chosen finite. */
  elu: (x, { p = 1, q = 1 }) => {
    const below = where(less(0, x), 0, x);
    return where(less(0, x), 0, mul(exp(below), p * q));
  },
  sigmoid: (y) => sub(1, mul(y, 2)),
  tanh: (y) => mul(y, -2),
  softplus: (x) => sigmoidDerivatives(x)[1],
  logSigmoid: (x) => neg(sigmoidDerivatives(x)[1]),
};

const slopeOps = new Map<ActivationSlope, Op<SlopeAttrs>>();

function slopeOp(name: ActivationSlope): Op<SlopeAttrs> {
  const op: Op<SlopeAttrs> = {
    name: `${name}Gradient`,
    forward: ([g, s], attrs) =>
      runKernel1(op.name, activationGradientKernel, [g as Tensor, s as Tensor], attrs),
    saves: ([g, s], _outputs, [, needsS]) => [needsS && CURVATURES[name] ? g : undefined, s],
    backward: ({ grad, saved: [g, s], attrs }) => {
      const curvature = CURVATURES[name];
      return [
        () => apply(op, [grad, s as Tensor], attrs),
        () => (curvature ? mulZero(mul(grad, g as Tensor), curvature(s as Tensor, attrs)) : zeroGrad(grad)),
      ];
    },
  };
  slopeOps.set(name, op);
  return op;
}

/**
 * g · f′(s) in one dispatch, and 0 where f′ is 0 whatever g is. s is what the activation's rule saves: its output for
 * sigmoid and tanh, else its input.
 */
export const activationGradient = (
  op: ActivationSlope,
  g: Tensor,
  s: Tensor,
  scalars: ActivationScalars = {},
): Tensor => apply(slopeOps.get(op) ?? slopeOp(op), [g, s], { op, ...scalars });

/** An activation of kernels/activation.ts: one dispatch forward, one back. */
export const activationOp = (op: ActivationValue, name: string = op): Op<ActivationScalars> => ({
  name,
  forward: ([x], scalars) => runKernel1(name, activationKernel, [x as Tensor], { op, ...scalars }),
  saves: ([x]) => [x],
  backward: ({ grad, saved: [x], attrs }) => [() => activationGradient(op, grad, x as Tensor, attrs)],
});
