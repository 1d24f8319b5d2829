/** Reductions over any axes, all of them by default. */
import { argReduceKernel } from '../../kernels/arg-reduce.ts';
import { type ReduceOp, reduceKernel } from '../../kernels/reduce.ts';
import { unaryKernel } from '../../kernels/unary.ts';
import { broadcastTo } from '../autograd/engine-ops.ts';
import { noGrad } from '../autograd/modes.ts';
import { apply, type BackwardContext, type GradientThunk, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, DTypeError } from '../core/errors.ts';
import { normalizeAxes, normalizeAxis, reducedShape, type Shape, sizeOf } from '../core/shape.ts';
import { div, mul, mulZero, sub, where } from './binary.ts';
import { equal } from './compare.ts';
import { arange } from './create.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import { permute, reshape } from './shape.ts';

export type Axes = number | readonly number[];

export interface ReduceOptions {
  /** Default: all axes. */
  axis?: Axes | undefined;
  /** Leave the reduced axes in place with an extent of 1. Default: false. */
  keepDims?: boolean;
}

interface Attrs {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
  readonly scale?: number;
}

export const inputShape = (context: BackwardContext<unknown>): Shape =>
  (context.inputs[0] as { shape: Shape }).shape;

/** A reduced tensor with its axes put back, stretched to the input's shape. */
export const spread = (y: Tensor, shape: Shape, axes: readonly number[]): Tensor =>
  broadcastTo(reshape(y, reducedShape(shape, axes, true)), shape);

function reduceOp(
  name: string,
  op: ReduceOp,
  saves: 'nothing' | 'input',
  thunk: (context: BackwardContext<Attrs>) => GradientThunk,
): Op<Attrs> {
  return {
    name,
    forward: ([x], attrs) => runKernel1(name, reduceKernel, [x as Tensor], { op, ...attrs }),
    saves: ([x]) => (saves === 'nothing' ? [] : [x]),
    backward: (context) => [thunk(context)],
  };
}

const spreadGrad = (context: BackwardContext<Attrs>): Tensor =>
  spread(context.grad, inputShape(context), context.attrs.axes);

const sumOp = reduceOp('sum', 'sum', 'nothing', (c) => () => spreadGrad(c));
const meanOp = reduceOp('mean', 'sum', 'nothing', (c) => () => mul(spreadGrad(c), c.attrs.scale ?? 1));
const sumSquaresOp = reduceOp(
  'sumSquares',
  'sumSquares',
  'input',
  (c) => () => mul(spreadGrad(c), mul(c.saved[0] as Tensor, 2)),
);

/** The gradient goes to the first of the largest (or smallest) elements. */
const extremum = (name: 'max' | 'min'): Op<Attrs> =>
  reduceOp(name, name, 'input', (c) => () => {
    const first = noGrad(() => extremeMask(name, c.saved[0] as Tensor, c.attrs.axes));
    return where(first, spreadGrad(c), 0);
  });
const maxOp = extremum('max');
const minOp = extremum('min');

/** Where each reduced group has its largest (or smallest) element: the first of equals, the first NaN if there is one. */
function extremeMask(name: 'max' | 'min', x: Tensor, axes: readonly number[]): Tensor {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const moved = permuteIfNeeded(x, order);
  const length = sizeOf(axes.map((axis) => x.shape[axis] as number));
  const flat = reshape(moved, [sizeOf(kept.map((axis) => x.shape[axis] as number)), length]);
  const position = (name === 'max' ? argMax : argMin)(flat, { axis: 1, keepDims: true });
  const columns = arange(0, length, 1, { dtype: 'int32', device: x.device });
  const mask = reshape(equal(columns, position), moved.shape);
  return permuteIfNeeded(
    mask,
    order.map((_, axis) => order.indexOf(axis)),
  );
}

const permuteIfNeeded = (x: Tensor, order: readonly number[]): Tensor =>
  order.every((axis, index) => axis === index) ? x : permute(x, order);

const REDUCE_OPTIONS = ['axis', 'keepDims'] as const;

function attrsOf(
  op: string,
  x: Tensor,
  options: ReduceOptions,
  known: readonly (keyof VarianceOptions)[] = REDUCE_OPTIONS,
): Attrs {
  assertTensor(op, x);
  checkOptions<VarianceOptions>(op, options, known);
  const { axis, keepDims = false } = options;
  return { axes: normalizeAxes(op, axis, x.rank), keepDims };
}

const countAlong = (x: Tensor, axes: readonly number[]): number =>
  sizeOf(axes.map((axis) => x.shape[axis] as number));

/** Σ x */
export const sum = (x: Tensor, options: ReduceOptions = {}): Tensor =>
  apply(sumOp, [x], attrsOf('sum', x, options));

/** Σ x / n; NaN for n = 0. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  const attrs = attrsOf('mean', x, options);
  return apply(meanOp, [x], { ...attrs, scale: 1 / countAlong(x, attrs.axes) });
}

/** Σ x² */
export const sumSquares = (x: Tensor, options: ReduceOptions = {}): Tensor =>
  apply(sumSquaresOp, [x], attrsOf('sumSquares', x, options));

/** The largest element; a NaN wins; the gradient goes to the first of equals. */
export const max = (x: Tensor, options: ReduceOptions = {}): Tensor =>
  apply(maxOp, [x], attrsOf('max', x, options));

/** The smallest element; a NaN wins; the gradient goes to the first of equals. */
export const min = (x: Tensor, options: ReduceOptions = {}): Tensor =>
  apply(minOp, [x], attrsOf('min', x, options));

export interface VarianceOptions extends ReduceOptions {
  /** The divisor is n − correction: 0 for the population, 1 for Bessel's estimate. Default: 0, as in NumPy. */
  correction?: number;
}

function varianceOf(op: string, x: Tensor, options: VarianceOptions): Tensor {
  const attrs = attrsOf(op, x, options, [...REDUCE_OPTIONS, 'correction']);
  const { correction = 0 } = options;
  if (!Number.isFinite(correction))
    throw new ArgumentError(`${op}: correction is ${describe(correction)}; pass a finite number.`);
  if (!isFloat(x.dtype))
    throw new DTypeError(`${op}: takes floats, got ${x.dtype}; cast it first: cast(x, 'float').`);
  const n = countAlong(x, attrs.axes);
  if (n - correction <= 0)
    throw new ArgumentError(
      `${op}: ${n} elements with correction ${correction} leave the divisor ${n - correction}.`,
    );
  return scope(() => {
    const centred = sub(x, mean(x, { axis: attrs.axes, keepDims: true }));
    return mul(sumSquares(centred, { axis: attrs.axes, keepDims: attrs.keepDims }), 1 / (n - correction));
  });
}

/** Σ (x − mean)² / (n − correction), in two passes. */
export const variance = (x: Tensor, options: VarianceOptions = {}): Tensor =>
  varianceOf('variance', x, options);

/** √s whose gradient is 0 at 0. */
const rootOp: Op = {
  name: 'std',
  forward: ([s]) => runKernel1('std', unaryKernel, [s as Tensor], { op: 'sqrt' }),
  saves: (_inputs, [y]) => [y],
  backward: ({ grad, saved: [y] }) => [
    () => {
      const zero = equal(y as Tensor, 0);
      return mulZero(where(zero, 0, grad), div(0.5, where(zero, 1, y as Tensor)));
    },
  ],
};

/** √variance; the gradient of a group of equal values is 0. */
export const std = (x: Tensor, options: VarianceOptions = {}): Tensor =>
  scope(() => apply(rootOp, [varianceOf('std', x, options)], undefined));

const predicate =
  (op: 'all' | 'any') =>
  (x: Tensor, options: ReduceOptions = {}): Tensor =>
    noGrad(() => runKernel1(op, reduceKernel, [x], { op, ...attrsOf(op, x, options) }));

/** Whether all elements of a bool tensor are true. */
export const all = predicate('all');
/** Whether any element of a bool tensor is true. */
export const any = predicate('any');

export interface ArgOptions {
  /** Default: the position in the flattened tensor. */
  axis?: number;
  keepDims?: boolean;
}

const argReduce =
  (op: 'argMax' | 'argMin') =>
  (x: Tensor, options: ArgOptions = {}): Tensor =>
    noGrad(() => {
      assertTensor(op, x);
      checkOptions(op, options, REDUCE_OPTIONS);
      const { axis, keepDims = false } = options;
      if (axis !== undefined) {
        return runKernel1(op, argReduceKernel, [x], { op, axis: normalizeAxis(op, axis, x.rank), keepDims });
      }
      return scope(() => {
        const position = runKernel1(op, argReduceKernel, [reshape(x, [x.size])], {
          op,
          axis: 0,
          keepDims: false,
        });
        return keepDims ? reshape(position, new Array(x.rank).fill(1)) : position;
      });
    });

/** Positions of the largest elements, int32; the first of equals, the first NaN if there is one. */
export const argMax = argReduce('argMax');
/** Positions of the smallest elements, int32; the first of equals, the first NaN if there is one. */
export const argMin = argReduce('argMin');
