/** Running sums and products along an axis, products over axes, and the linear recurrence under their gradients. */
import { reduceKernel } from '../../kernels/reduce.ts';
import {
  type LinearScanAttrs,
  linearScanKernel,
  type ScanAttrs,
  type ShiftAttrs,
  scanKernel,
  shiftKernel,
} from '../../kernels/scan.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { normalizeAxes, normalizeAxis, sizeOf } from '../core/shape.ts';
import { mul } from './binary.ts';
import { inputShape, type ReduceOptions, spread } from './reduce.ts';
import { permute, reshape } from './shape.ts';

const shiftOp: Op<ShiftAttrs> = {
  name: 'shift',
  forward: ([x], attrs) => runKernel1('shift', shiftKernel, [x as Tensor], attrs),
  backward: ({ grad, attrs: { axis, reverse } }) => [() => shift(grad, axis, !reverse)],
};

/** y[s] = x[s − 1], y[0] = 0; from the end when `reverse`. */
const shift = (x: Tensor, axis: number, reverse: boolean): Tensor => apply(shiftOp, [x], { axis, reverse });

/**
 * The adjoint λ of h runs the other way: λ[s] = g[s] + (the factor from s to s + 1)·λ[s + 1]. Then ∂b = λ, and the
 * factor of each step gets λ·(the state before the step).
 */
const linearScanOp: Op<LinearScanAttrs> = {
  name: 'linearScan',
  forward: (inputs, attrs) => runKernel1('linearScan', linearScanKernel, inputs, attrs),
  saves: ([a], [h], [needsA]) => [a, needsA ? h : undefined],
  backward({ grad, saved, attrs: { axis, reverse, shifted } }) {
    const [a, h] = saved as [Tensor, Tensor];
    let adjoint: Tensor | undefined;
    const lambda = (): Tensor =>
      (adjoint ??= apply(linearScanOp, [a, grad], { axis, reverse: !reverse, shifted: !shifted }));
    return [
      () => (shifted ? mul(shift(lambda(), axis, !reverse), h) : mul(lambda(), shift(h, axis, reverse))),
      lambda,
    ];
  },
};

const cumsumOp: Op<ScanAttrs> = {
  name: 'cumsum',
  forward: ([x], attrs) => runKernel1('cumsum', scanKernel, [x as Tensor], attrs),
  backward: ({ grad, attrs }) => [() => apply(cumsumOp, [grad], { ...attrs, reverse: !attrs.reverse })],
};

/**
 * ∂x[k] = Π_{i<k} x[i] · Σ_{j≥k} g[j]·Π_{k<i≤j} x[i]: a running product times a linear recurrence, without a division,
 * so that it holds at zeros too. An exclusive product moves g by one.
 */
const cumprodOp: Op<ScanAttrs> = {
  name: 'cumprod',
  forward: ([x], attrs) => runKernel1('cumprod', scanKernel, [x as Tensor], attrs),
  saves: ([x]) => [x],
  backward: ({ grad, saved, attrs: { op, axis, reverse, exclusive } }) => [
    () => {
      const x = saved[0] as Tensor;
      const terms = exclusive ? shift(grad, axis, !reverse) : grad;
      const after = apply(linearScanOp, [x, terms], { axis, reverse: !reverse, shifted: true });
      return mul(apply(cumprodOp, [x], { op, axis, reverse, exclusive: true }), after);
    },
  ],
};

export interface ScanOptions {
  /** Leave out the element itself: the first result is 0, or 1 for a product. Default: false. */
  exclusive?: boolean;
  /** Run from the end to the start. Default: false. */
  reverse?: boolean;
}

const scanAttrs = (
  name: string,
  op: ScanAttrs['op'],
  x: Tensor,
  axis: number,
  { exclusive = false, reverse = false }: ScanOptions,
): ScanAttrs => {
  x.assertAlive(name);
  return { op, axis: normalizeAxis(name, axis, x.rank), exclusive, reverse };
};

/** The running sum along an axis, in a fixed order; its error is at most 1e-6·Σ|x| on a million elements. */
export const cumsum = (x: Tensor, axis: number, options: ScanOptions = {}): Tensor =>
  apply(cumsumOp, [x], scanAttrs('cumsum', 'sum', x, axis, options));

/** The running product along an axis; the gradient is right at zeros, too. */
export const cumprod = (x: Tensor, axis: number, options: ScanOptions = {}): Tensor =>
  apply(cumprodOp, [x], scanAttrs('cumprod', 'prod', x, axis, options));

interface ProdAttrs {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** The product of all other elements along the given axes: of those before times of those after. */
function productOfOthers(x: Tensor, axes: readonly number[]): Tensor {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const sorted = order.every((axis, index) => axis === index);
  const moved = sorted ? x : permute(x, order);
  const extents = kept.map((axis) => x.shape[axis] as number);
  const flat = reshape(moved, [...extents, sizeOf(axes.map((axis) => x.shape[axis] as number))]);
  const axis = kept.length;
  const before = cumprod(flat, axis, { exclusive: true });
  const after = cumprod(flat, axis, { exclusive: true, reverse: true });
  const others = reshape(mul(before, after), moved.shape);
  if (sorted) return others;
  return permute(
    others,
    order.map((_, at) => order.indexOf(at)),
  );
}

const prodOp: Op<ProdAttrs> = {
  name: 'prod',
  forward: ([x], attrs) => runKernel1('prod', reduceKernel, [x as Tensor], { op: 'prod', ...attrs }),
  saves: ([x]) => [x],
  backward: (context) => [
    () =>
      mul(
        spread(context.grad, inputShape(context), context.attrs.axes),
        productOfOthers(context.saved[0] as Tensor, context.attrs.axes),
      ),
  ],
};

/** Π x; the gradient is right at zeros, too. */
export function prod(x: Tensor, { axis, keepDims = false }: ReduceOptions = {}): Tensor {
  x.assertAlive('prod');
  return apply(prodOp, [x], { axes: normalizeAxes('prod', axis, x.rank), keepDims });
}
