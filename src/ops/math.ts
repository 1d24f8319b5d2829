/** More arithmetic of two operands, bit operations, and norms and distances of any order. */
import { type BinaryName, binaryKernel } from '../../kernels/binary.ts';
import { noGrad } from '../autograd/modes.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape, normalizeAxes, sizeOf } from '../core/shape.ts';
import { add, binaryOp, div, mul, pow, sub, where } from './binary.ts';
import { equal, greater, less, logicalAnd } from './compare.ts';
import { type TensorLike, withPair } from './operand.ts';
import { max, min, norm1, type ReduceOptions, sum, sumSquares } from './reduce.ts';
import { expandDims } from './shape.ts';
import { abs, neg, sigmoid, sign, sqrt, square } from './unary.ts';

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
  binaryOp('floorDiv', { forA: NOTHING, forB: NOTHING }, (g) => [() => mul(g, 0), () => mul(g, 0)]),
);

/** The angle of the point (b, a) in (−π, π], as in `Math.atan2(a, b)`. The gradient at the origin is NaN. */
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
  if (!(a instanceof Tensor || b instanceof Tensor || t instanceof Tensor)) {
    throw new ArgumentError('lerp: at least one operand must be a tensor; make one with tensor(…).');
  }
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
export const bitwiseNot = (a: Tensor): Tensor => flipped(a, a.dtype === 'bool' ? 1 : -1);
/** a · 2ᵇ modulo 2³², for int32; 0 for b outside of 0 to 31. */
export const leftShift = bitOp('leftShift');
/** ⌊a / 2ᵇ⌋, for int32; 0 or −1 for b outside of 0 to 31. */
export const rightShift = bitOp('rightShift');

/** (Σ |x|ᵖ)^(1/p) for a p other than 0, 1, 2 and ±∞. Scaled by the largest |x|, so that no power overflows. */
function powerNorm(x: Tensor, p: number, axes: readonly number[], keepDims: boolean): Tensor {
  const size = abs(x);
  const empty = sizeOf(axes.map((axis) => x.shape[axis] as number)) === 0;
  const scale = (kept: boolean): TensorLike =>
    empty
      ? 1
      : noGrad(() => {
          const largest = max(size, { axis: axes, keepDims: kept });
          return where(logicalAnd(greater(largest, 0), less(largest, Number.POSITIVE_INFINITY)), largest, 1);
        });
  const scaled = div(size, scale(true));
  // 0ᵖ has no finite derivative of first or second order for 0 < p < 2; its share of the gradient is 0.
  const zero = equal(x, 0);
  const powers = p > 0 && p < 2 ? where(zero, 0, pow(where(zero, 1, scaled), p)) : pow(scaled, p);
  return mul(
    root(sum(powers, { axis: axes, keepDims }), (y) => pow(y, 1 / p)),
    scale(keepDims),
  );
}

/** f(s), and 0 with a gradient of 0 where s = 0. */
function root(s: Tensor, f: (s: Tensor) => Tensor): Tensor {
  const zero = equal(s, 0);
  return where(zero, 0, f(where(zero, 1, s)));
}

/**
 * The Lp norm (Σ |x|ᵖ)^(1/p) over some axes (all by default), and its limits: p = 0 counts what is not 0, ∞ and −∞ take
 * the largest and the smallest magnitude. The gradient of a zero vector is 0; p = 0 has the gradient 0 everywhere.
 */
export function norm(x: Tensor, p = 2, options: ReduceOptions = {}): Tensor {
  x.assertAlive('norm');
  if (typeof p !== 'number' || Number.isNaN(p)) {
    throw new ArgumentError(`norm: p is ${String(p)}; pass a number, or Infinity.`);
  }
  const { keepDims = false } = options;
  const axes = normalizeAxes('norm', options.axis, x.rank);
  const over = { axis: axes, keepDims };
  return scope(() => {
    if (p === 0) return sum(square(sign(x)), over);
    if (p === 1) return norm1(x, over);
    if (p === 2) return root(sumSquares(x, over), sqrt);
    if (p === Number.POSITIVE_INFINITY) return max(abs(x), over);
    if (p === Number.NEGATIVE_INFINITY) return min(abs(x), over);
    return powerNorm(x, p, axes, keepDims);
  });
}

/** The Lp norm of a − b along the last axis; a and b broadcast. The gradient at a distance of 0 is 0 for p ≥ 1. */
export function pairwiseDistance(a: Tensor, b: Tensor, p = 2, options: { keepDims?: boolean } = {}): Tensor {
  if (a.rank === 0 && b.rank === 0) {
    throw new ShapeError(
      'pairwiseDistance: two scalars have no last axis; reshape them to vectors, or use abs(sub(a, b)).',
    );
  }
  const { keepDims = false } = options;
  return scope(() => norm(sub(a, b), p, { axis: -1, keepDims }));
}

/**
 * The distances between all rows of a (…, N, D) and all rows of b (…, M, D) as (…, N, M), in the Lp norm. Differences are
 * taken before they are squared, which keeps close rows exact and needs memory for N·M·D elements.
 */
export function cdist(a: Tensor, b: Tensor, p = 2): Tensor {
  const columns = a.shape[a.rank - 1];
  if (a.rank < 2 || b.rank < 2 || columns !== b.shape[b.rank - 1]) {
    throw new ShapeError(
      `cdist: shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}; both must be matrices of rows, (…, N, D) and ` +
        `(…, M, D), with the same D. Use expandDims for a single row.`,
    );
  }
  a.assertAlive('cdist');
  b.assertAlive('cdist');
  return scope(() => norm(sub(expandDims(a, -2), expandDims(b, -3)), p, { axis: -1 }));
}
