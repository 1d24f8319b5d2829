/** Comparisons and boolean logic; the results are `bool` and have no gradient. */
import { type BinaryName, binaryKernel } from '../../kernels/binary.ts';
import { noGrad } from '../autograd/modes.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { pairOf, type TensorLike } from './operand.ts';

function predicate(op: BinaryName): (a: TensorLike, b: TensorLike) => Tensor {
  const definition: Op = {
    name: op,
    forward: ([a, b]) => runKernel1(op, binaryKernel, [a as Tensor, b as Tensor], { op }),
    backward: () => [undefined, undefined],
  };
  return (a, b) => noGrad(() => apply(definition, pairOf(op, a, b), undefined));
}

/** a = b; NaN equals nothing. */
export const equal = predicate('equal');
/** a ≠ b */
export const notEqual = predicate('notEqual');
/** a < b */
export const less = predicate('less');
/** a ≤ b */
export const lessEqual = predicate('lessEqual');
/** a > b */
export const greater = predicate('greater');
/** a ≥ b */
export const greaterEqual = predicate('greaterEqual');
/** a and b, for bool tensors. */
export const logicalAnd = predicate('logicalAnd');
/** a or b, for bool tensors. */
export const logicalOr = predicate('logicalOr');
/** Exactly one of a and b, for bool tensors. */
export const logicalXor = predicate('logicalXor');
/** not a, for bool tensors. */
export const logicalNot = (a: Tensor): Tensor => logicalXor(a, 1);
