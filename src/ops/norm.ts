/** Norms and distances of any order. */
import { reduceKernel } from '../../kernels/reduce.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape, normalizeAxes, reducedShape, type Shape, sizeOf } from '../core/shape.ts';
import { div, mul, mulZero, pow, sub, where, zeroGrad } from './binary.ts';
import { equal, greater, logicalOr } from './compare.ts';
import { full } from './create.ts';
import { assertTensor, checkFloats } from './operand.ts';
import { checkOptions } from './options.ts';
import { inputShape, max, min, type ReduceOptions, spread, sum } from './reduce.ts';
import { expandDims, reshape } from './shape.ts';
import { abs, clip, sign } from './unary.ts';

interface NormAttrs {
  /** Finite and not 0. */
  readonly p: number;
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** Up to this a number can be divided by, and its reciprocal is normal. */
const LARGEST = { float32: 2 ** 126, float64: 2 ** 1022 };

/** LARGEST for the dtype of y. */
const largestOf = (y: Tensor): number => LARGEST[y.dtype === 'float64' ? 'float64' : 'float32'];

/** x / y for y ≥ 0, as x over each of two factors of y; y = 0 counts as the least normal number. */
function ratio(x: Tensor, y: Tensor): Tensor {
  const largest = largestOf(y);
  const most = clip(y, 1 / largest, largest);
  return div(div(x, most), clip(div(y, most), 1, 4));
}

/**
 * (Σ |x|ᵖ)^(1/p). For |p| ≥ 1 of x over the largest magnitude (the smallest for p < 0), and times it: no power overflows, and
 * one that underflows does not count. For |p| < 1 of x itself: no power leaves the range, but a ratio might.
 */
function powerNorm(name: string, x: Tensor, { p, axes, keepDims }: NormAttrs): Tensor {
  const over = { axis: axes, keepDims };
  if (Math.abs(p) < 1) return pow(sum(pow(abs(x), p), over), 1 / p);
  const op = p > 0 ? 'maxAbs' : 'minAbs';
  const extreme = runKernel1(name, reduceKernel, [x], { op, axes, keepDims: true });
  const root = pow(sum(pow(abs(ratio(x, extreme)), p), over), 1 / p);
  return mul(root, reshape(extreme, root.shape));
}

/**
 * The gradient g·sign(x)·(|x| / y)^(p − 1) from the norm y itself; g and y broadcast. For 0 < p < 2 the power is one of x
 * times one of y, both in range; for other p a ratio beyond the range gives a power that is 0. The gradient is 0 for every
 * x of a group whose norm is 0, and for p < 2 where x is 0.
 */
function normGrad(g: Tensor, x: Tensor, y: Tensor, p: number): Tensor {
  const flat = equal(y, 0);
  const nonzero = where(flat, 1, y);
  if (p === 2) {
    // g · (4x / y) / 4 where y is too large to divide by.
    const shrink = where(greater(y, largestOf(y)), 0.25, 1);
    return mulZero(where(flat, 0, mul(g, shrink)), div(x, mul(nonzero, shrink)));
  }
  const zero = p > 2 ? flat : logicalOr(flat, equal(x, 0));
  const size = where(zero, 1, abs(x));
  const power =
    p > 0 && p < 2 ? mul(pow(size, p - 1), pow(nonzero, 1 - p)) : pow(ratio(size, nonzero), p - 1);
  return mulZero(where(zero, 0, g), mul(sign(x), power));
}

const normOp = (name: string): Op<NormAttrs> => ({
  name,
  forward([input], attrs) {
    const x = input as Tensor;
    const { p, axes, keepDims } = attrs;
    const empty = sizeOf(axes.map((axis) => x.shape[axis] as number)) === 0;
    const op = p === 2 ? 'norm2' : 'sumAbs';
    if (p === 1 || p === 2 || empty) return runKernel1(name, reduceKernel, [x], { op, axes, keepDims });
    return scope(() => powerNorm(name, x, attrs));
  },
  saves: ([x], [y], _needs, { p }) => [x, p === 1 ? undefined : y],
  backward: (context) => [
    () => {
      const { p, axes } = context.attrs;
      const shape = reducedShape(inputShape(context), axes, true);
      const g = reshape(context.grad, shape);
      const [x, y] = context.saved as [Tensor, Tensor];
      return p === 1 ? mulZero(g, sign(x)) : normGrad(g, x, reshape(y, shape), p);
    },
  ],
});

/** The number of elements that are not 0. */
const countOp: Op<Omit<NormAttrs, 'p'>> = {
  name: 'norm',
  forward([input], { axes, keepDims }) {
    const x = input as Tensor;
    const { device, dtype } = x;
    return scope(() => sum(where(equal(x, 0), 0, full([], 1, { device, dtype })), { axis: axes, keepDims }));
  },
  backward: ({ grad, attrs: { axes }, inputs: [x] }) => [
    () => zeroGrad(spread(grad, (x as { shape: Shape }).shape, axes)),
  ],
};

/** Refuses groups without elements, where they have no norm. */
function checkFilled(name: string, { shape }: Tensor, axes: readonly number[], p: number): void {
  if (!axes.some((axis) => shape[axis] === 0) || sizeOf(reducedShape(shape, axes, false)) === 0) return;
  throw new ArgumentError(
    `${name}: shape ${formatShape(shape)} has no elements along axes [${axes.join(', ')}], and nothing has no norm of ` +
      `order ${p}. Check for an empty input first.`,
  );
}

/** The norm of order p under a public name. */
function lpNorm(name: string): (x: Tensor, p: number, options: ReduceOptions) => Tensor {
  const op = normOp(name);
  return (x, p, options) => {
    assertTensor(name, x);
    checkOptions(name, options, ['axis', 'keepDims'], name === 'norm' ? 'x, p' : 'x');
    if (typeof p !== 'number' || Number.isNaN(p)) {
      throw new ArgumentError(`${name}: p is ${String(p)}; pass a number, or Infinity.`);
    }
    const { keepDims = false } = options;
    const axes = normalizeAxes(name, options.axis, x.rank);
    const over = { axis: axes, keepDims };
    if (p < 0 || p === Number.POSITIVE_INFINITY) checkFilled(name, x, axes, p);
    if (p === 0) return apply(countOp, [x], { axes, keepDims });
    if (p === Number.POSITIVE_INFINITY) return scope(() => max(abs(x), over));
    if (p === Number.NEGATIVE_INFINITY) return scope(() => min(abs(x), over));
    return apply(op, [x], { p, axes, keepDims });
  };
}

const anyNorm = lpNorm('norm');
const firstNorm = lpNorm('norm1');
const secondNorm = lpNorm('norm2');

/**
 * The Lp norm (Σ |x|ᵖ)^(1/p) over some axes (all by default), and its limits: p = 0 counts what is not 0 (a NaN is not),
 * ∞ and −∞ take the largest and the smallest magnitude. It over- or underflows only where it is itself out of range, and so
 * does each factor of its gradient. A small |p| multiplies the relative error of the sum by 1/|p|. The gradient of a group
 * whose norm is 0 is 0, as is that of a 0 for p < 2 (PyTorch's convention), and p = 0 has the gradient 0 everywhere.
 *
 * @throws ArgumentError for p < 0 and p = ∞ over nothing; the norm of nothing is 0 for other p.
 */
export const norm = (x: Tensor, p = 2, options: ReduceOptions = {}): Tensor => anyNorm(x, p, options);

/** Σ |x|: `norm` with p = 1. */
export const norm1 = (x: Tensor, options: ReduceOptions = {}): Tensor => firstNorm(x, 1, options);

/** √Σ x²: `norm` with p = 2. */
export const norm2 = (x: Tensor, options: ReduceOptions = {}): Tensor => secondNorm(x, 2, options);

/** The Lp norm of a − b along the last axis; a and b broadcast. The gradient at a distance of 0 is 0 for p ≥ 1. */
export function pairwiseDistance(a: Tensor, b: Tensor, p = 2, options: { keepDims?: boolean } = {}): Tensor {
  assertTensor('pairwiseDistance', a);
  assertTensor('pairwiseDistance', b);
  checkFloats('pairwiseDistance', a, b);
  checkOptions('pairwiseDistance', options, ['keepDims'], 'a, b, p');
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
  assertTensor('cdist', a);
  assertTensor('cdist', b);
  const columns = a.shape[a.rank - 1];
  if (a.rank < 2 || b.rank < 2 || columns !== b.shape[b.rank - 1]) {
    throw new ShapeError(
      `cdist: shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}; both must be matrices of rows, (…, N, D) and ` +
        `(…, M, D), with the same D. Use expandDims for a single row.`,
    );
  }
  return scope(() => {
    const [left, right] = [expandDims(a, -2), expandDims(b, -3)];
    checkFloats('cdist', left, right);
    return norm(sub(left, right), p, { axis: -1 });
  });
}
