/** Arithmetic with NumPy's broadcasting; a number as an operand goes into the uniform block. */
import { type BinaryName, binaryKernel } from '../../kernels/binary.ts';
import { type UnaryName, unaryKernel } from '../../kernels/unary.ts';
import { whereKernel } from '../../kernels/where.ts';
import { addTensors, filled } from '../autograd/engine-ops.ts';
import { apply, type GradientThunk, type Op, runKernel1 } from '../autograd/op.ts';
import { Tensor } from '../autograd/tensor.ts';
import { ArgumentError } from '../core/errors.ts';
import { equal, greater, less } from './compare.ts';
import { assertTensor, type TensorLike, withOperands, withPair } from './operand.ts';
import { log } from './unary.ts';

/** What a rule reads: gradient, both operands, result. Only what `saves` names is there. */
type Rule = (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => readonly [GradientThunk, GradientThunk];

/** Which of (a, b, result) the gradients of a and of b read. */
interface Reads {
  readonly forA: readonly [boolean, boolean, boolean];
  readonly forB: readonly [boolean, boolean, boolean];
}

/** A binary op; `reads` says what the rule needs for either gradient. */
export function binaryOp(op: BinaryName, reads: Reads, rule: Rule): Op {
  return {
    name: op,
    forward: ([a, b]) => runKernel1(op, binaryKernel, [a as Tensor, b as Tensor], { op }),
    saves: ([a, b], [y], [needsA, needsB]) =>
      [a, b, y].map((tensor, index) =>
        (needsA && reads.forA[index]) || (needsB && reads.forB[index]) ? tensor : undefined,
      ),
    backward: ({ grad, saved: [a, b, y] }) => rule(grad, a as Tensor, b as Tensor, y as Tensor),
  };
}

/** An op of a tensor and a number; `derivative` gets the saved tensor. */
function scalarOp(
  name: string,
  op: UnaryName,
  savesInput: boolean,
  derivative: (g: Tensor, x: Tensor, p: number) => Tensor,
): Op<number> {
  return {
    name,
    forward: ([x], p) => runKernel1(name, unaryKernel, [x as Tensor], { op, p }),
    saves: ([x]) => (savesInput ? [x] : []),
    backward: ({ grad, saved, attrs }) => [() => derivative(grad, saved[0] as Tensor, attrs)],
  };
}

const subOp = binaryOp('sub', { forA: [false, false, false], forB: [false, false, false] }, (g) => [
  () => g,
  () => mul(g, -1),
]);
const mulOp = binaryOp('mul', { forA: [false, true, false], forB: [true, false, false] }, (g, a, b) => [
  () => mul(g, b),
  () => mul(g, a),
]);
const divOp = binaryOp('div', { forA: [false, true, false], forB: [false, true, true] }, (g, _a, b, y) => [
  () => div(g, b),
  () => mul(div(mul(g, y), b), -1),
]);
const mulZeroOp = binaryOp(
  'mulZero',
  { forA: [false, true, false], forB: [true, false, false] },
  (g, a, b) => [() => mulZero(g, b), () => mulZero(g, a)],
);
const ifPositiveOp = binaryOp(
  'ifPositive',
  { forA: [false, true, false], forB: [false, false, false] },
  (g, _a, b) => [() => ifPositive(g, b), () => zeroGrad(g)],
);
const powOp = binaryOp('pow', { forA: [true, true, false], forB: [true, false, true] }, (g, a, b, y) => [
  // b·a^(b−1), which is 0 and not NaN for b = 0
  () => mulZero(g, where(equal(b, 0), 0, mul(b, pow(a, sub(b, 1))))),
  // a^b·ln a, which is 0 for a = 0 (where only b ≥ 0 gives a finite power)
  () => mulZero(g, where(equal(a, 0), 0, mul(y, log(where(equal(a, 0), 1, a))))),
]);

/** The gradient goes to the chosen operand, half to each of two equals, and to both beside a NaN, which must not vanish. */
const extremum = (op: 'maximum' | 'minimum'): Op =>
  binaryOp(op, { forA: [true, true, false], forB: [true, true, false] }, (g, a, b) => {
    const loses = op === 'maximum' ? less : greater;
    const share = (mine: Tensor, other: Tensor): Tensor =>
      mulZero(g, where(loses(mine, other), 0, where(equal(mine, other), 0.5, 1)));
    return [() => share(a, b), () => share(b, a)];
  });
const maximumOp = extremum('maximum');
const minimumOp = extremum('minimum');

const addScalarOp = scalarOp('add', 'addScalar', false, (g) => g);
const mulScalarOp = scalarOp('mul', 'mulScalar', false, (g, _x, p) => mul(g, p));
/** Its attribute is the negative of what is subtracted. */
const subScalarOp = scalarOp('sub', 'addScalar', false, (g) => g);
const rsubScalarOp = scalarOp('sub', 'rsubScalar', false, (g) => mul(g, -1));
const rdivScalarOp = scalarOp(
  'div',
  'rdivScalar',
  true,
  (g, x, p) => div(mul(g, div(-p, x)), x), // not p / x², whose divisor over- or underflows first
);
const powScalarOp = scalarOp('pow', 'powScalar', true, (g, x, p) =>
  p === 0 ? zeroGrad(g) : mul(g, mul(pow(x, p - 1), p)),
);
const rpowScalarOp = scalarOp('pow', 'rpowScalar', true, (g, x, p) =>
  p === 0 ? zeroGrad(g) : mul(g, mul(pow(p, x), Math.log(p))),
);

const bothNumbers = (op: string): never => {
  throw new ArgumentError(`${op}: at least one operand must be a tensor; make one with tensor(…).`);
};

/** a + b */
export function add(a: TensorLike, b: TensorLike): Tensor {
  if (typeof b === 'number') return a instanceof Tensor ? apply(addScalarOp, [a], b) : bothNumbers('add');
  if (typeof a === 'number') return apply(addScalarOp, [b], a);
  return addTensors(a, b);
}

/** a − b */
export function sub(a: TensorLike, b: TensorLike): Tensor {
  // Integers go as a pair: −b of the least int32 is none.
  if (typeof b === 'number' && a instanceof Tensor && a.dtype !== 'int32') return apply(subScalarOp, [a], -b);
  if (typeof a === 'number' && b instanceof Tensor && b.dtype !== 'int32') return apply(rsubScalarOp, [b], a);
  return withPair('sub', a, b, (x, y) => apply(subOp, [x, y], undefined));
}

/** a · b, elementwise */
export function mul(a: TensorLike, b: TensorLike): Tensor {
  if (typeof b === 'number') return a instanceof Tensor ? apply(mulScalarOp, [a], b) : bothNumbers('mul');
  if (typeof a === 'number') return apply(mulScalarOp, [b], a);
  return apply(mulOp, [a, b], undefined);
}

/**
 * a · b, and 0 where either is 0: what a gradient times a factor is where a factor of 0 cuts the path, for 0 · ∞ would be
 * NaN. Floats only.
 */
export const mulZero = (a: Tensor, b: Tensor): Tensor => apply(mulZeroOp, [a, b], undefined);

/** g where y > 0 or y is NaN, else 0 whatever g is: the gradient of relu from its output y. Piecewise constant in y. */
export const ifPositive = (g: Tensor, y: Tensor): Tensor => apply(ifPositiveOp, [g, y], undefined);

const zeroGradOp: Op = {
  name: 'zeros',
  forward: ([g]) => filled((g as Tensor).device, (g as Tensor).shape, 0),
  backward: ({ grad }) => [() => zeroGrad(grad)],
};

/** Zeros in place of a gradient `g`, in its shape and its graph: 0 · g would be NaN where g is not finite. */
export const zeroGrad = (g: Tensor): Tensor => apply(zeroGradOp, [g], undefined);

/** a / b, floats only */
export function div(a: TensorLike, b: TensorLike): Tensor {
  if (typeof a === 'number') return b instanceof Tensor ? apply(rdivScalarOp, [b], a) : bothNumbers('div');
  return withPair('div', a, b, (x, y) => apply(divOp, [x, y], undefined));
}

/** aᵇ with JavaScript's corner cases. The gradient for a negative base with respect to b is NaN, as is ln a. */
export function pow(a: TensorLike, b: TensorLike): Tensor {
  if (typeof b === 'number') return a instanceof Tensor ? apply(powScalarOp, [a], b) : bothNumbers('pow');
  if (typeof a === 'number') return apply(rpowScalarOp, [b], a);
  return apply(powOp, [a, b], undefined);
}

/** The larger of a and b; a NaN wins. Equals share the gradient. */
export const maximum = (a: TensorLike, b: TensorLike): Tensor =>
  withPair('maximum', a, b, (x, y) => apply(maximumOp, [x, y], undefined));

/** The smaller of a and b; a NaN wins. Equals share the gradient. */
export const minimum = (a: TensorLike, b: TensorLike): Tensor =>
  withPair('minimum', a, b, (x, y) => apply(minimumOp, [x, y], undefined));

const whereOp: Op = {
  name: 'where',
  forward: (inputs) => runKernel1('where', whereKernel, inputs, undefined),
  saves: ([condition]) => [condition],
  backward: ({ grad, saved: [condition] }) => [
    undefined,
    () => where(condition as Tensor, grad, 0),
    () => where(condition as Tensor, 0, grad),
  ],
};

/** a where `condition` holds, else b; all three broadcast. */
export function where(condition: Tensor, a: TensorLike, b: TensorLike): Tensor {
  assertTensor('where', condition);
  return withOperands('where', condition.device, a, b, (x, y) =>
    apply(whereOp, [condition, x, y], undefined),
  );
}
