/** The fused cross-entropies: one dispatch forward, one backward. Their gradients are ops, too, with composed rules. */
import {
  type CrossEntropyAttrs,
  crossEntropyGradientKernel,
  crossEntropyKernel,
} from '../../../kernels/cross-entropy.ts';
import {
  type BinaryCrossEntropyAttrs,
  binaryCrossEntropyGradientKernel,
  binaryCrossEntropyKernel,
} from '../../../kernels/cross-entropy-binary.ts';
import { oneHotKernel } from '../../../kernels/gather.ts';
import { noGrad } from '../../autograd/modes.ts';
import { apply, applyAll, type Op, runKernel, runKernel1 } from '../../autograd/op.ts';
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { add, mul, sub, where } from '../../ops/binary.ts';
import { equal } from '../../ops/compare.ts';
import { spread, sum } from '../../ops/reduce.ts';
import { permute, reshape } from '../../ops/shape.ts';
import { logSoftmax, softmax } from '../../ops/softmax.ts';
import { sigmoid } from '../../ops/unary.ts';

type Four = [x: Tensor, wanted: Tensor, stats: Tensor, g: Tensor];

/** t·(1 − smoothing) + smoothing / classes */
export const smooth = (targets: Tensor, smoothing: number, classes: number): Tensor =>
  smoothing === 0 ? targets : add(mul(targets, 1 - smoothing), smoothing / classes);

/**
 * One-hot floats along the axis of the classes. Rows of an ignored label are those of class 0; a label out of range is
 * reported unless it was checked.
 */
export function oneHotLabels(
  op: string,
  labels: Tensor,
  classes: number,
  { axis, ignored, checked = false }: CrossEntropyAttrs,
): Tensor {
  return noGrad(() => {
    const own = ignored === undefined ? labels : where(equal(labels, ignored), 0, labels);
    const { float } = labels.device;
    const attrs = { depth: classes, onValue: 1, offValue: 0, dtype: float, checked };
    const last = runKernel1(op, oneHotKernel, [own], attrs);
    if (axis === labels.rank) return last;
    const order = labels.shape.map((_, at) => at);
    order.splice(axis, 0, labels.rank);
    return permute(last, order);
  });
}

/** The weights of the classes, as plain ops have them: 0 everywhere for an ignored label. */
function weightsOf(op: string, x: Tensor, wanted: Tensor, attrs: CrossEntropyAttrs): Tensor {
  const { axis, from, ignored, smoothing = 0 } = attrs;
  const classes = x.shape[axis] as number;
  if (from === 'targets') return smooth(wanted, smoothing, classes);
  const hot = oneHotLabels(op, wanted, classes, { ...attrs, checked: true });
  if (ignored === undefined) return hot;
  const shape = x.shape.map((extent, at) => (at === axis ? 1 : extent));
  return where(reshape(equal(wanted, ignored), shape), 0, hot);
}

/** g·(softmax(x)·Σ y − y) as one dispatch; its own gradients in plain ops. */
const gradientOp = (name: string): Op<CrossEntropyAttrs> => ({
  name: `${name}Gradient`,
  forward: (inputs, attrs) => runKernel1(name, crossEntropyGradientKernel, inputs, attrs),
  saves: (inputs) => [...inputs],
  backward({ grad: v, saved, attrs }) {
    const [x, wanted, , g] = saved as Four;
    const { axis, smoothing = 0 } = attrs;
    const keep = { axis, keepDims: true };
    const parts = () => {
      const y = weightsOf(name, x, wanted, attrs);
      const p = softmax(x, axis);
      return { p, y, total: sum(y, keep), along: sum(mul(v, p), keep) };
    };
    const wide = () => spread(g, x.shape, [axis]);
    return [
      () => {
        const { p, total, along } = parts();
        return mul(mul(wide(), total), mul(p, sub(v, along)));
      },
      attrs.from === 'targets' ? () => mul(mul(wide(), 1 - smoothing), sub(parts().along, v)) : undefined,
      undefined, // The numbers of the forward pass are a function of x; its thunk has their share.
      () => {
        const { p, y, total } = parts();
        return sum(mul(v, sub(mul(p, total), y)), { axis });
      },
    ];
  },
});

function crossEntropyOp(name: string): Op<CrossEntropyAttrs> {
  const gradient = gradientOp(name);
  return {
    name,
    forward: (inputs, attrs) => runKernel(name, crossEntropyKernel, inputs, attrs),
    saves: ([x, wanted], [, stats]) => [x, wanted, stats],
    backward({ grad, saved, attrs }) {
      const [x] = saved as [Tensor];
      const { axis, smoothing = 0 } = attrs;
      return [
        () => apply(gradient, [...saved, grad], attrs),
        attrs.from === 'targets'
          ? () => mul(spread(grad, x.shape, [axis]), mul(logSoftmax(x, axis), smoothing - 1))
          : undefined,
      ];
    },
  };
}

const OPS = {
  labels: crossEntropyOp('sparseCategoricalCrossentropy'),
  targets: crossEntropyOp('categoricalCrossentropy'),
};

/** Σ y·(ln Σ eˣ − x) over the axis of the classes, for each column. */
export const crossEntropyOf = (x: Tensor, wanted: Tensor, attrs: CrossEntropyAttrs): Tensor =>
  scope(() => applyAll(OPS[attrs.from], [x, wanted], attrs)[0] as Tensor);

const binaryGradientOp: Op<BinaryCrossEntropyAttrs> = {
  name: 'binaryCrossentropyGradient',
  forward: (inputs, attrs) =>
    runKernel1('binaryCrossentropy', binaryCrossEntropyGradientKernel, inputs, attrs),
  saves: (inputs) => [...inputs],
  backward({ grad: v, saved, attrs: { smoothing } }) {
    const [x, wanted, g] = saved as [Tensor, Tensor, Tensor];
    return [
      () => {
        const s = sigmoid(x);
        return mul(mul(v, g), mul(s, sub(1, s)));
      },
      () => mul(mul(v, g), smoothing - 1),
      () => mul(v, sub(sigmoid(x), smooth(wanted, smoothing, 2))),
    ];
  },
};

const binaryOp: Op<BinaryCrossEntropyAttrs> = {
  name: 'binaryCrossentropy',
  forward: (inputs, attrs) => runKernel1('binaryCrossentropy', binaryCrossEntropyKernel, inputs, attrs),
  saves: (inputs) => [...inputs],
  backward({ grad, saved, attrs }) {
    const [x, wanted] = saved as [Tensor, Tensor];
    return [
      () => apply(binaryGradientOp, [x, wanted, grad], attrs),
      () => mul(mul(grad, x), attrs.smoothing - 1),
    ];
  },
};

/** max(x, 0) − x·y + ln(1 + e^−|x|), element by element. */
export const binaryCrossEntropyOf = (x: Tensor, wanted: Tensor, smoothing: number): Tensor =>
  apply(binaryOp, [x, wanted], { smoothing });
