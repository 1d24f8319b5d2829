/** Comparisons and boolean logic; the results are `bool` and have no gradient. */
import { type BinaryName, binaryKernel } from '../../kernels/binary.ts';
import { unaryKernel } from '../../kernels/unary.ts';
import { noGrad } from '../autograd/modes.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { type TensorLike, withPair } from './operand.ts';

function predicate(op: BinaryName, name: string = op): (a: TensorLike, b: TensorLike) => Tensor {
  const definition: Op = {
    name,
    forward: ([a, b]) => runKernel1(name, binaryKernel, [a as Tensor, b as Tensor], { op }),
    backward: () => [undefined, undefined],
  };
  return (a, b) => noGrad(() => withPair(name, a, b, (x, y) => apply(definition, [x, y], undefined)));
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
/** a and b; a number is true unless it is 0, NaN included. */
export const logicalAnd = predicate('logicalAnd');
/** a or b; a number is true unless it is 0, NaN included. */
export const logicalOr = predicate('logicalOr');
/** Exactly one of a and b; a number is true unless it is 0, NaN included. */
export const logicalXor = predicate('logicalXor');
const negated = predicate('logicalXor', 'logicalNot');
/** not a; a number is true unless it is 0, NaN included. */
export const logicalNot = (a: Tensor): Tensor => negated(a, 1);

function question(op: 'isNaN' | 'isFinite' | 'isInf'): (x: Tensor) => Tensor {
  const definition: Op = {
    name: op,
    forward: ([x]) => runKernel1(op, unaryKernel, [x as Tensor], { op }),
    backward: () => [undefined],
  };
  return (x) => noGrad(() => apply(definition, [x], undefined));
}

/** Whether an element is NaN. */
const nanTest = question('isNaN');
/** Whether an element is neither NaN nor infinite. */
const finiteTest = question('isFinite');
/** Whether an element is ∞ or −∞. */
const infTest = question('isInf');

export { finiteTest as isFinite, infTest as isInf, nanTest as isNaN };
