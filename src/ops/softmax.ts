/** Softmax and its relatives along one axis. */
import { softmaxKernel } from '../../kernels/softmax.ts';
import { softmaxGradientKernel } from '../../kernels/softmax-gradient.ts';
import { isGradEnabled } from '../autograd/modes.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { noteOrigin } from '../autograd/origin.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { normalizeAxis } from '../core/shape.ts';
import { mul, sub } from './binary.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
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
export function logSumExp(x: Tensor, options: ArgOptions = {}): Tensor {
  assertTensor('logSumExp', x);
  checkOptions('logSumExp', options, ['axis', 'keepDims']);
  const { axis, keepDims = false } = options;
  if (axis !== undefined)
    return apply(logSumExpOp, [x], { axis: normalizeAxis('logSumExp', axis, x.rank), keepDims });
  return scope(() => {
    const y = apply(logSumExpOp, [reshape(x, [x.size])], { axis: 0, keepDims: false });
    return keepDims ? reshape(y, new Array(x.rank).fill(1)) : y;
  });
}

/** Backward in one dispatch, and in plain ops where it is to be differentiated again. */
const softmaxRule = (
  op: 'softmax' | 'logSoftmax',
  composed: (y: Tensor, grad: Tensor, axis: number) => Tensor,
): Op<number> => ({
  name: op,
  forward: ([x], axis) => runKernel1(op, softmaxKernel, [x as Tensor], { op, axis }),
  saves: (_, [y]) => [y],
  backward: ({ grad, saved, attrs: axis }) => [
    () => {
      const y = saved[0] as Tensor;
      if (isGradEnabled()) return composed(y, grad, axis);
      return runKernel1(`${op} backward`, softmaxGradientKernel, [y, grad], { op, axis });
    },
  ],
});

const softmaxOp = softmaxRule('softmax', (y, grad, axis) =>
  mul(y, sub(grad, sum(mul(grad, y), { axis, keepDims: true }))),
);

const logSoftmaxOp = softmaxRule('logSoftmax', (y, grad, axis) =>
  sub(grad, mul(exp(y), sum(grad, { axis, keepDims: true }))),
);

function alongAxis(op: Op<number>, x: Tensor, axis: number): Tensor {
  assertTensor(op.name, x);
  return apply(op, [x], normalizeAxis(op.name, axis, x.rank));
}

/** eˣ / Σ eˣ along an axis. Default: the last. */
export function softmax(x: Tensor, axis = -1): Tensor {
  const y = alongAxis(softmaxOp, x, axis);
  noteOrigin(y, 'softmax', x, axis < 0 ? axis + x.rank : axis);
  return y;
}

/** ln softmax(x) along an axis. Default: the last. */
export const logSoftmax = (x: Tensor, axis = -1): Tensor => alongAxis(logSoftmaxOp, x, axis);
