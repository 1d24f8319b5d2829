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
import {
  type CumprodGradientAttrs,
  cumprodGradientKernel,
  type ProductOfOthersAttrs,
  productOfOthersKernel,
} from '../../kernels/scan-product.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { normalizeAxes, normalizeAxis, reducedShape, sizeOf } from '../core/shape.ts';
import { add, mulZero } from './binary.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import { inputShape, type ReduceOptions } from './reduce.ts';
import { permute, reshape } from './shape.ts';

const shiftOp: Op<ShiftAttrs> = {
  name: 'shift',
  forward: ([x], attrs) => runKernel1('shift', shiftKernel, [x as Tensor], attrs),
  backward: ({ grad, attrs: { axis, reverse } }) => [() => shift(grad, axis, !reverse)],
};

/** y[s] = x[s − 1], y[0] = 0; from the end when `reverse`. */
const shift = (x: Tensor, axis: number, reverse: boolean): Tensor => apply(shiftOp, [x], { axis, reverse });

/** The value of `make`, which is called when it is first asked for. */
function once(make: () => Tensor): () => Tensor {
  let made: Tensor | undefined;
  return () => (made ??= make());
}

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
    const lambda = once(() => apply(linearScanOp, [a, grad], { axis, reverse: !reverse, shifted: !shifted }));
    return [
      () =>
        shifted ? mulZero(shift(lambda(), axis, !reverse), h) : mulZero(lambda(), shift(h, axis, reverse)),
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
 * The gradient u = P·h of a running product, linear in g: P the product before an element, h the recurrence of
 * `cumprodGradientKernel`. It is in range where it is itself; its own gradient is built from P, h and the adjoint of h, and
 * asks for these to be in range too.
 */
const cumprodGradientOp: Op<CumprodGradientAttrs> = {
  name: 'cumprodGradient',
  forward: (inputs, attrs) => runKernel1('cumprod', cumprodGradientKernel, inputs, attrs),
  saves: ([x, g], _, [needsX]) => [x, needsX ? g : undefined],
  backward({ grad, saved, attrs: { axis, reverse, exclusive } }) {
    const [x, g] = saved as [Tensor, Tensor];
    const towards = { axis, reverse: !reverse, shifted: true };
    const products = once(() => apply(cumprodOp, [x], { op: 'prod', axis, reverse, exclusive: true }));
    // What reaches the terms of h: the recurrence in the direction of the product.
    const adjoint = once(() =>
      apply(linearScanOp, [x, mulZero(grad, products())], { axis, reverse, shifted: false }),
    );
    return [
      () => {
        const h = apply(linearScanOp, [x, exclusive ? shift(g, axis, !reverse) : g], towards);
        const throughProducts = apply(cumprodGradientOp, [x, mulZero(grad, h)], {
          axis,
          reverse,
          exclusive: true,
        });
        return add(throughProducts, mulZero(shift(adjoint(), axis, reverse), h));
      },
      () => (exclusive ? shift(adjoint(), axis, reverse) : adjoint()),
    ];
  },
};

const cumprodOp: Op<ScanAttrs> = {
  name: 'cumprod',
  forward: ([x], attrs) => runKernel1('cumprod', scanKernel, [x as Tensor], attrs),
  saves: ([x]) => [x],
  backward: ({ grad, saved: [x], attrs: { axis, reverse, exclusive } }) => [
    () => apply(cumprodGradientOp, [x as Tensor, grad], { axis, reverse, exclusive }),
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
  options: ScanOptions,
): ScanAttrs => {
  assertTensor(name, x);
  checkOptions(name, options, ['exclusive', 'reverse'], 'x, axis');
  const { exclusive = false, reverse = false } = options;
  return { op, axis: normalizeAxis(name, axis, x.rank), exclusive, reverse };
};

/**
 * The running sum along an axis, in a fixed order; its error is at most 1e-6·Σ|x| on a million elements. In float32 it is
 * finite as long as Σ|x| is.
 */
export const cumsum = (x: Tensor, axis: number, options: ScanOptions = {}): Tensor =>
  apply(cumsumOp, [x], scanAttrs('cumsum', 'sum', x, axis, options));

/**
 * The running product along an axis; the gradient is right at zeros, too. In float32 an element is 0 or ∞ only where its
 * product is beyond the range of float32, and a gradient only where it is so itself; what partial products are does not
 * matter. Second derivatives ask for the products before and after an element to be in range.
 */
export const cumprod = (x: Tensor, axis: number, options: ScanOptions = {}): Tensor =>
  apply(cumprodOp, [x], scanAttrs('cumprod', 'prod', x, axis, options));

interface ProdAttrs {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/**
 * The product of all other elements along an axis: of those before times of those after. It is in range where it is itself;
 * its gradient asks for both factors to be in range.
 */
const productOfOthersOp: Op<ProductOfOthersAttrs> = {
  name: 'productOfOthers',
  forward: ([x], attrs) => runKernel1('prod', productOfOthersKernel, [x as Tensor], attrs),
  saves: ([x]) => [x],
  backward: ({ grad, saved, attrs: { axis } }) => [
    () => {
      const x = saved[0] as Tensor;
      const [before, after] = [false, true].map((reverse) => ({ axis, reverse, exclusive: true })) as [
        CumprodGradientAttrs,
        CumprodGradientAttrs,
      ];
      const through = (side: CumprodGradientAttrs, other: CumprodGradientAttrs): Tensor =>
        apply(cumprodGradientOp, [x, mulZero(grad, apply(cumprodOp, [x], { op: 'prod', ...other }))], side);
      return add(through(before, after), through(after, before));
    },
  ],
};

/** The same along several axes. */
function productOfOthers(x: Tensor, axes: readonly number[]): Tensor {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const sorted = order.every((axis, index) => axis === index);
  const moved = sorted ? x : permute(x, order);
  const extents = kept.map((axis) => x.shape[axis] as number);
  const flat = reshape(moved, [...extents, sizeOf(axes.map((axis) => x.shape[axis] as number))]);
  const others = reshape(apply(productOfOthersOp, [flat], { axis: kept.length }), moved.shape);
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
    () => {
      const { axes } = context.attrs;
      const g = reshape(context.grad, reducedShape(inputShape(context), axes, true));
      return mulZero(g, productOfOthers(context.saved[0] as Tensor, axes));
    },
  ],
};

/**
 * Π x; the gradient is right at zeros, too. In float32 it is 0 or ∞ only where the product is beyond the range of float32,
 * and a gradient only where the product of all other elements is; what partial products are does not matter. Second
 * derivatives ask for the products before and after an element to be in range.
 */
export function prod(x: Tensor, options: ReduceOptions = {}): Tensor {
  assertTensor('prod', x);
  checkOptions('prod', options, ['axis', 'keepDims']);
  const { axis, keepDims = false } = options;
  return apply(prodOp, [x], { axes: normalizeAxes('prod', axis, x.rank), keepDims });
}
