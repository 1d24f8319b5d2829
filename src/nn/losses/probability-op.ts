/** Probabilities on their way into a logarithm: divided by a total, checked and clipped, in one dispatch. */
import { type ProbabilityAttrs, probabilityKernel } from '../../../kernels/probability.ts';
import { apply, type Op, runKernel1 } from '../../autograd/op.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import type { ValueRange } from '../../core/errors.ts';
import { div, mul, where } from '../../ops/binary.ts';
import { greaterEqual, lessEqual, logicalAnd } from '../../ops/compare.ts';
import { sum } from '../../ops/reduce.ts';
import { neg } from '../../ops/unary.ts';
import { EPSILON } from './pair.ts';

const probabilityOp = (name: string): Op<ProbabilityAttrs> => ({
  name,
  forward: (inputs, attrs) => runKernel1(name, probabilityKernel, inputs, attrs),
  saves: (inputs) => [...inputs],
  backward({ grad, saved, attrs: { low, high } }) {
    const [p, total] = saved as [Tensor, Tensor | undefined];
    const q = total ? div(p, total) : p;
    const passed = where(logicalAnd(greaterEqual(q, low), lessEqual(q, high)), grad, 0);
    if (!total) return [() => passed];
    const own = div(passed, total);
    return [() => own, () => neg(mul(own, q))];
  },
});

/** What a loss knows of its probabilities: the op under its name, and what it says of those out of range. */
export interface ProbabilitySource {
  readonly op: Op<ProbabilityAttrs>;
  readonly range: ValueRange;
}

/** `remedy` says what to do about values outside of [0, 1] in the tensor that users know as `of`. */
export const probabilitySource = (name: string, of: string, remedy: string): ProbabilitySource => ({
  op: probabilityOp(name),
  range: { of, lowest: 0, highest: 1, remedy },
});

/** min(max(p, 1e-7), high); the gradient passes where 1e-7 ≤ p ≤ high. */
export const clipped = ({ op, range }: ProbabilitySource, p: Tensor, high: number = 1 - EPSILON): Tensor =>
  apply(op, [p], { low: EPSILON, high, range });

/** The same of p divided by its sum over the axis. */
export const clippedShares = ({ op, range }: ProbabilitySource, p: Tensor, axis: number): Tensor =>
  apply(op, [p, sum(p, { axis, keepDims: true })], { low: EPSILON, high: 1 - EPSILON, range, axis });
