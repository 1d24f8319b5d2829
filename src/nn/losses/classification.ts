/**
 * Losses of margins and of distributions over the last axis, with the formulas of Keras 3; t is yTrue, p is yPred.
 */
import type { Tensor } from '../../autograd/tensor.ts';
import { relu } from '../../ops/activations.ts';
import { add, div, mul, sub, where } from '../../ops/binary.ts';
import { equal, logicalOr } from '../../ops/compare.ts';
import { all, max, sum } from '../../ops/reduce.ts';
import { log, square } from '../../ops/unary.ts';
import { EPSILON, lossOf, meanOfLast } from './pair.ts';
import { clipped, probabilitySource } from './probability-op.ts';

/** Labels of 0 and 1 alone become −1 and 1; others stay. */
function signed(t: Tensor): Tensor {
  const binary = all(logicalOr(equal(t, 0), equal(t, 1)));
  return where(binary, sub(mul(t, 2), 1), t);
}

/** 1 − t·p where that is above 0. */
const shortfall = (t: Tensor, p: Tensor): Tensor => relu(sub(1, mul(signed(t), p)));

/** mean max(1 − t·p, 0) for labels t of −1 and 1; if all are 0 or 1, 0 stands for −1. */
export const hinge = lossOf('hinge', (t, p) => meanOfLast(shortfall(t, p)));

/** mean max(1 − t·p, 0)² for labels t of −1 and 1; if all are 0 or 1, 0 stands for −1. */
export const squaredHinge = lossOf('squaredHinge', (t, p) => meanOfLast(square(shortfall(t, p))));

/** max(1 + max (1 − t)·p − Σ t·p, 0) for one-hot t. */
export const categoricalHinge = lossOf('categoricalHinge', (t, p) => {
  const right = sum(mul(t, p), { axis: -1 });
  const wrong = max(mul(sub(1, t), p), { axis: -1 });
  return relu(add(sub(wrong, right), 1));
});

const TARGETS = probabilitySource('klDivergence', 'yTrue', 'pass probabilities, as softmax gives them');
const PREDICTED = probabilitySource(
  'klDivergence',
  'yPred',
  'pass softmax(yPred) for logits, or exp(yPred) for logarithms',
);

/**
 * Σ t·ln(t / p), with both cut to [1e-7, 1] first (Kullback and Leibler 1951).
 *
 * @throws ValueRangeError for t or p outside of [0, 1]: at the call on the CPU device, else by the next readback.
 */
export const klDivergence = lossOf('klDivergence', (t, p) => {
  const [own, other] = [clipped(TARGETS, t, 1), clipped(PREDICTED, p, 1)];
  return sum(mul(own, log(div(own, other))), { axis: -1 });
});

/** mean of p − t·ln(p + 1e-7): the Poisson likelihood of counts t at rates p, but for a constant. */
export const poisson = lossOf('poisson', (t, p) => meanOfLast(sub(p, mul(t, log(add(p, EPSILON))))));
