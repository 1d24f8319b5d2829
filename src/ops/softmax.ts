/** Softmax and its relatives along one axis. */
import { softmaxKernel } from '../../kernels/softmax.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { normalizeAxis } from '../core/shape.ts';
import { mul, sub } from './binary.ts';
import { type ArgOptions, inputShape, spread, sum } from './reduce.ts';
import { reshape } from './shape.ts';
import { exp } from './unary.ts';

interface AxisAttrs {
  readonly axis: number;
  readonly keepDims: boolean;
}

const logSumExpOp: Op<AxisAttrs> = {
  name: 'logSumExp',
  forward: ([x], attrs) =>
    runKernel1('logSumExp', softmaxKernel, [x as Tensor], { op: 'logSumExp', ...attrs }),
  saves: ([x], [y]) => [x, y],
  backward: (c) => [
    () => {
      const [x, y] = c.saved as [Tensor, Tensor];
      const shape = inputShape(c);
      return mul(spread(c.grad, shape, [c.attrs.axis]), exp(sub(x, spread(y, shape, [c.attrs.axis]))));
    },
  ],
};

/** ln Σ eˣ along one axis (all elements by default), safe against overflow. */
export function logSumExp(x: Tensor, { axis, keepDims = false }: ArgOptions = {}): Tensor {
  if (axis !== undefined)
    return apply(logSumExpOp, [x], { axis: normalizeAxis('logSumExp', axis, x.rank), keepDims });
  return scope(() => {
    const y = apply(logSumExpOp, [reshape(x, [x.size])], { axis: 0, keepDims: false });
    return keepDims ? reshape(y, new Array(x.rank).fill(1)) : y;
  });
}

const softmaxOp: Op<number> = {
  name: 'softmax',
  forward: ([x], axis) => runKernel1('softmax', softmaxKernel, [x as Tensor], { op: 'softmax', axis }),
  saves: (_, [y]) => [y],
  backward: ({ grad, saved: [y], attrs: axis }) => [
    () => {
      const weighted = mul(grad, y as Tensor);
      return sub(weighted, mul(y as Tensor, sum(weighted, { axis, keepDims: true })));
    },
  ],
};

const logSoftmaxOp: Op<number> = {
  name: 'logSoftmax',
  forward: ([x], axis) => runKernel1('logSoftmax', softmaxKernel, [x as Tensor], { op: 'logSoftmax', axis }),
  saves: (_, [y]) => [y],
  backward: ({ grad, saved: [y], attrs: axis }) => [
    () => sub(grad, mul(exp(y as Tensor), sum(grad, { axis, keepDims: true }))),
  ],
};

/** eˣ / Σ eˣ along an axis. Default: the last. */
export const softmax = (x: Tensor, axis = -1): Tensor =>
  apply(softmaxOp, [x], normalizeAxis('softmax', axis, x.rank));

/** ln softmax(x) along an axis. Default: the last. */
export const logSoftmax = (x: Tensor, axis = -1): Tensor =>
  apply(logSoftmaxOp, [x], normalizeAxis('logSoftmax', axis, x.rank));
