/**
 * Losses of numbers, each the mean over the last axis, then reduced over the samples. The formulas are those of Keras 3;
 * t is yTrue, p is yPred, and both are `(batch, …, n)`.
 */
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import { normalizeAxis } from '../../core/shape.ts';
import { add, div, maximum, mul, sub, where } from '../../ops/binary.ts';
import { lessEqual } from '../../ops/compare.ts';
import { mean, sum, sumSquares } from '../../ops/reduce.ts';
import { abs, log1p, rsqrt, softplus, square } from '../../ops/unary.ts';
import { checkLossOptions, type LossOptions, reduceLosses } from './options.ts';
import { alignPair, EPSILON, labelsOf, lossOf, meanOfLast } from './pair.ts';

/** mean (t − p)² */
export const meanSquaredError = lossOf('meanSquaredError', (t, p) => meanOfLast(square(sub(t, p))));

/** mean |t − p| */
export const meanAbsoluteError = lossOf('meanAbsoluteError', (t, p) => meanOfLast(abs(sub(t, p))));

/** mean (ln(1 + t) − ln(1 + p))²; both are lifted to 1e-7 first. */
export const meanSquaredLogarithmicError = lossOf('meanSquaredLogarithmicError', (t, p) => {
  const lifted = (x: Tensor): Tensor => log1p(maximum(x, EPSILON));
  return meanOfLast(square(sub(lifted(t), lifted(p))));
});

/** 100 · mean |t − p| / max(|t|, 1e-7) */
export const meanAbsolutePercentageError = lossOf('meanAbsolutePercentageError', (t, p) =>
  mul(meanOfLast(abs(div(sub(t, p), maximum(abs(t), EPSILON)))), 100),
);

/** mean of ln cosh(p − t), as e + ln(1 + e^−2e) − ln 2 with e = p − t. */
export const logCosh = lossOf('logCosh', (t, p) => {
  const e = sub(p, t);
  return meanOfLast(add(add(e, softplus(mul(e, -2))), -Math.LN2));
});

export interface HuberOptions extends LossOptions {
  /** Up to here errors count with their square. Default: 1. */
  delta?: number;
}

/** mean of e²/2 for |e| ≤ delta, else delta·|e| − delta²/2, with e = p − t (Huber 1964). */
export function huber(yTrue: Tensor, yPred: Tensor, options: HuberOptions = {}): Tensor {
  checkLossOptions('huber', options, ['delta']);
  const { delta = 1 } = options;
  if (typeof delta !== 'number' || !(delta > 0))
    throw new ArgumentError(`huber: delta is ${describe(delta)}; pass a number above 0.`);
  return scope(() => {
    const [t, p] = alignPair('huber', yTrue, yPred);
    const e = sub(p, t);
    const size = abs(e);
    const near = mul(square(e), 0.5);
    const far = sub(mul(size, delta), 0.5 * delta * delta);
    const losses = mean(where(lessEqual(size, delta), near, far), { axis: -1 });
    return reduceLosses('huber', losses, options, () => labelsOf(t));
  });
}

export interface CosineSimilarityOptions extends LossOptions {
  /** The axis along which both are vectors. Default: −1. */
  axis?: number;
}

/** −Σ t·p / (|t|·|p|) along an axis, so that −1 is a perfect match; lengths are at least 1e-7. */
export function cosineSimilarity(
  yTrue: Tensor,
  yPred: Tensor,
  options: CosineSimilarityOptions = {},
): Tensor {
  const op = 'cosineSimilarity';
  checkLossOptions(op, options, ['axis']);
  const { axis: place = -1 } = options;
  return scope(() => {
    const [t, p] = alignPair(op, yTrue, yPred);
    const axis = normalizeAxis(op, place, t.rank);
    const unit = (x: Tensor): Tensor =>
      mul(x, rsqrt(maximum(sumSquares(x, { axis, keepDims: true }), EPSILON ** 2)));
    const losses = mul(sum(mul(unit(t), unit(p)), { axis }), -1);
    return reduceLosses(op, losses, options, () => labelsOf(t));
  });
}
