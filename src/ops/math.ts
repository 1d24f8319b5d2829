/** More arithmetic of two operands, and bit operations. */
import { type BinaryName, binaryKernel } from '../../kernels/binary.ts';
import { noGrad } from '../autograd/modes.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { add, binaryOp, div, mul, sub, where, zeroGrad } from './binary.ts';
import { equal } from './compare.ts';
import { assertTensor, checkFloats, type TensorLike, withPair } from './operand.ts';
import { neg, sigmoid } from './unary.ts';

const NOTHING = [false, false, false] as const;
const BOTH = [true, true, false] as const;

const pair =
  (op: Op): ((a: TensorLike, b: TensorLike) => Tensor) =>
  (a, b) =>
    withPair(op.name, a, b, (x, y) => apply(op, [x, y], undefined));

/**
 * a − b ⌊a / b⌋, the remainder with the sign of b, exact before one rounding. NaN for b = 0 and for an infinite a; for
 * int32 the remainder of a division by 0 is 0, as in NumPy. The gradients are 1 and −⌊a / b⌋.
 */
export const mod = pair(
  binaryOp('mod', { forA: NOTHING, forB: BOTH }, (g, a, b) => [() => g, () => mul(g, neg(floorDiv(a, b)))]),
);

/**
 * ⌊a / b⌋ of the exact quotient, in float32 exact below 2²⁴. a / 0 is infinite or NaN; for int32 it is 0, as in NumPy.
 * The gradients are 0.
 */
export const floorDiv = pair(
  binaryOp('floorDiv', { forA: NOTHING, forB: NOTHING }, (g) => [() => zeroGrad(g), () => zeroGrad(g)]),
);

/** The angle of the point (b, a) in [−π, π], as in `Math.atan2(a, b)`: the sign of a zero counts. The gradient at the origin is NaN. */
export const atan2 = pair(
  binaryOp('atan2', { forA: BOTH, forB: BOTH }, (g, a, b) => {
    // x / r² in two steps: r² itself may over- or underflow.
    const over = (x: Tensor): Tensor => {
      const r = hypot(a, b);
      return div(div(x, r), r);
    };
    return [() => mul(g, over(b)), () => mul(g, neg(over(a)))];
  }),
);

/** √(a² + b²) without overflow on the way. The gradient at the origin is NaN, as it has none there. */
export const hypot = pair(
  binaryOp('hypot', { forA: [true, false, true], forB: [false, true, true] }, (g, a, b, y) => [
    () => mul(g, div(a, y)),
    () => mul(g, div(b, y)),
  ]),
);

/** a − b, which is 0 and not NaN for two equal infinities. */
const difference = (a: Tensor, b: Tensor): Tensor => where(equal(a, b), 0, sub(a, b));

/** ln(eᵃ + eᵇ) without overflow. Equals, infinite ones too, share the gradient. */
export const logAddExp = pair(
  binaryOp('logAddExp', { forA: BOTH, forB: BOTH }, (g, a, b) => [
    () => mul(g, sigmoid(difference(a, b))),
    () => mul(g, sigmoid(difference(b, a))),
  ]),
);

/** a · b where either may be a number. */
const product = (a: TensorLike, b: TensorLike): TensorLike =>
  typeof a === 'number' && typeof b === 'number' ? a * b : mul(a, b);

/** (1 − t) · a + t · b: exactly a at t = 0 and b at t = 1 while both are finite. At least one of the three is a tensor. */
export function lerp(a: TensorLike, b: TensorLike, t: TensorLike): Tensor {
  checkFloats('lerp', a, b, t);
  return scope(() => {
    const rest = typeof t === 'number' ? 1 - t : sub(1, t);
    return add(product(a, rest), product(b, t));
  });
}

function bitOp(op: BinaryName, name: string = op): (a: TensorLike, b: TensorLike) => Tensor {
  const definition: Op = {
    name,
    forward: ([a, b]) => runKernel1(name, binaryKernel, [a as Tensor, b as Tensor], { op }),
    backward: () => [undefined, undefined],
  };
  return (a, b) => noGrad(() => withPair(name, a, b, (x, y) => apply(definition, [x, y], undefined)));
}

/** Bits that are set in both, for int32 and bool. */
export const bitwiseAnd = bitOp('bitwiseAnd');
/** Bits that are set in either, for int32 and bool. */
export const bitwiseOr = bitOp('bitwiseOr');
/** Bits that are set in exactly one, for int32 and bool. */
export const bitwiseXor = bitOp('bitwiseXor');
const flipped = bitOp('bitwiseXor', 'bitwiseNot');
/** All bits turned over, for int32 (−a − 1) and bool. */
export function bitwiseNot(a: Tensor): Tensor {
  assertTensor('bitwiseNot', a);
  return flipped(a, a.dtype === 'bool' ? 1 : -1);
}
/** a · 2ᵇ modulo 2³², for int32; 0 for b outside of 0 to 31. */
export const leftShift = bitOp('leftShift');
/** ⌊a / 2ᵇ⌋, for int32; 0 or −1 for b outside of 0 to 31. */
export const rightShift = bitOp('rightShift');
