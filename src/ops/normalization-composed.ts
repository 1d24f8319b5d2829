/**
 * The normalisations in plain ops, differentiable as often as one likes: what the fused kernels compute, and the
 * gradients of their gradients.
 */
import { channelsOf, type NormalizeAttrs } from '../../kernels/normalize-geometry.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { add, div, mul, sub } from './binary.ts';
import { mean, sum, sumSquares } from './reduce.ts';
import { reshape } from './shape.ts';
import { sqrt } from './unary.ts';

/** Rows and channels of a group, in (samples, rows, groups, width). */
const REDUCED = { axis: [1, 3], keepDims: true };

const grouped = (x: Tensor, { samples, rows, groups, width }: NormalizeAttrs): Tensor =>
  reshape(x, [samples, rows, groups, width]);

const perChannel = (v: Tensor, { groups, width }: NormalizeAttrs): Tensor => reshape(v, [groups, width]);

/** x̂ = (x − mean)/√(variance + ε) in (samples, rows, groups, width), and √(variance + ε) of each group. */
function standardised(x: Tensor, attrs: NormalizeAttrs): [standard: Tensor, deviation: Tensor] {
  const whole = grouped(x, attrs);
  const centred = attrs.centred ? sub(whole, mean(whole, REDUCED)) : whole;
  const variance = mul(sumSquares(centred, REDUCED), 1 / (attrs.rows * attrs.width));
  const deviation = sqrt(add(variance, attrs.epsilon));
  return [div(centred, deviation), deviation];
}

/** x̂·gamma + beta, in the shape of x. */
export function composedNormalize(
  x: Tensor,
  gamma: Tensor | undefined,
  beta: Tensor | undefined,
  attrs: NormalizeAttrs,
): Tensor {
  let [y] = standardised(x, attrs);
  if (gamma) y = mul(y, perChannel(gamma, attrs));
  if (beta) y = add(y, perChannel(beta, attrs));
  return reshape(y, x.shape);
}

/** The gradients of x, gamma and beta, each made when it is called. */
export interface NormalizeGradients {
  readonly x: () => Tensor;
  readonly gamma: () => Tensor;
  readonly beta: () => Tensor;
}

export function composedGradients(
  x: Tensor,
  gamma: Tensor | undefined,
  g: Tensor,
  attrs: NormalizeAttrs,
): NormalizeGradients {
  const upstream = grouped(g, attrs);
  const toChannels = (v: Tensor): Tensor => reshape(sum(v, { axis: [0, 1] }), [channelsOf(attrs)]);
  return {
    x() {
      const [standard, deviation] = standardised(x, attrs);
      const scaled = gamma ? mul(upstream, perChannel(gamma, attrs)) : upstream;
      const along = mul(standard, mean(mul(scaled, standard), REDUCED));
      const centred = attrs.centred ? sub(scaled, mean(scaled, REDUCED)) : scaled;
      return reshape(div(sub(centred, along), deviation), x.shape);
    },
    gamma: () => toChannels(mul(upstream, standardised(x, attrs)[0])),
    beta: () => toChannels(upstream),
  };
}
