/** Activations with more than one operand: learned slopes, gates, and the largest of several pieces. */
import { gluGradientKernel, gluKernel } from '../../kernels/activation-glu.ts';
import { preluKernel } from '../../kernels/activation-prelu.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, normalizeAxis, sizeOf } from '../core/shape.ts';
import { add, mul, mulZero, sub, zeroGrad } from './binary.ts';
import { joinAlong } from './join.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import { maxPool1d } from './pool.ts';
import { reshape } from './shape.ts';
import { along } from './slice.ts';
import { sigmoid } from './unary.ts';

/** x > 0 ? v : alpha · v, linear in v and in alpha. */
const bySignOp: Op = {
  name: 'preluGradient',
  forward: (inputs) => runKernel1('preluGradient', preluKernel, inputs, { side: 'both' }),
  saves: ([x, v, alpha], _outputs, [, , needsAlpha]) => [x, needsAlpha ? v : undefined, alpha],
  backward: ({ grad, saved: [x, v, alpha] }) => [
    () => zeroGrad(grad),
    () => apply(bySignOp, [x as Tensor, grad, alpha as Tensor], undefined),
    () => apply(slopeSideOp, [x as Tensor, grad, v as Tensor], undefined),
  ],
};

/** x > 0 ? 0 : u · v, linear in u and in v. */
const slopeSideOp: Op = {
  name: 'preluGradient',
  forward: (inputs) => runKernel1('preluGradient', preluKernel, inputs, { side: 'slopes' }),
  saves: ([x, u, v], _outputs, [, needsU, needsV]) => [x, needsV ? u : undefined, needsU ? v : undefined],
  backward: ({ grad, saved: [x, u, v] }) => [
    () => zeroGrad(grad),
    () => apply(slopeSideOp, [x as Tensor, grad, v as Tensor], undefined),
    () => apply(slopeSideOp, [x as Tensor, grad, u as Tensor], undefined),
  ],
};

const preluOp: Op = {
  name: 'prelu',
  forward: ([x, alpha]) =>
    runKernel1('prelu', preluKernel, [x as Tensor, x as Tensor, alpha as Tensor], { side: 'both' }),
  saves: ([x, alpha], _outputs, [needsX]) => [x, needsX ? alpha : undefined],
  backward: ({ grad, saved: [x, alpha] }) => [
    () => apply(bySignOp, [x as Tensor, grad, alpha as Tensor], undefined),
    () => apply(slopeSideOp, [x as Tensor, grad, x as Tensor], undefined),
  ],
};

/**
 * x for x > 0, else alpha · x, with slopes that are learned: alpha broadcasts to x's shape, so Keras's `shared_axes` are
 * alpha's extents of 1. The derivative at 0 is alpha (He et al., 2015).
 *
 * @throws ShapeError when alpha does not broadcast to x's shape.
 */
export const prelu = (x: Tensor, alpha: Tensor): Tensor => apply(preluOp, [x, alpha], undefined);

/** The halves a and b along an axis. */
function halves(x: Tensor, axis: number): [a: Tensor, b: Tensor] {
  const extent = x.shape[axis] as number;
  return [along(x, axis, 0, extent / 2), along(x, axis, extent / 2, extent)];
}

/** With A = g σ(b) and B = g a σ′(b) and their gradients P and Q. */
const gluGradientOp: Op<number> = {
  name: 'gluGradient',
  forward: ([g, x], axis) =>
    runKernel1('gluGradient', gluGradientKernel, [g as Tensor, x as Tensor], { axis }),
  saves: (inputs) => inputs,
  backward: ({ grad, saved, attrs: axis }) => {
    const [g, x] = saved as [Tensor, Tensor];
    const parts = () => {
      const [p, q] = halves(grad, axis);
      const [a, b] = halves(x, axis);
      const gate = sigmoid(b);
      const slope = mul(gate, sub(1, gate));
      return { p, q, a, gate, slope };
    };
    return [
      () => {
        const { p, q, a, gate, slope } = parts();
        return add(mulZero(p, gate), mulZero(q, mulZero(a, slope)));
      },
      () => {
        const { p, q, a, gate, slope } = parts();
        const bend = mul(slope, sub(1, mul(gate, 2)));
        const forA = mulZero(mul(q, g), slope);
        const forB = add(mulZero(mul(p, g), slope), mulZero(mul(q, g), mulZero(a, bend)));
        return joinAlong('gluGradient', [forA, forB], axis);
      },
    ];
  },
};

const gluOp: Op<number> = {
  name: 'glu',
  forward: ([x], axis) => runKernel1('glu', gluKernel, [x as Tensor], { axis }),
  saves: ([x]) => [x],
  backward: ({ grad, saved: [x], attrs: axis }) => [() => apply(gluGradientOp, [grad, x as Tensor], axis)],
};

/**
 * The gated linear unit a · sigmoid(b): a is the first half of x along the axis, b the second, and the result has half the
 * extent there. Default: the last axis (Dauphin et al., 2017).
 *
 * @throws ShapeError when the extent is odd or the axis does not exist.
 */
export function glu(x: Tensor, axis = -1): Tensor {
  assertTensor('glu', x);
  return apply(gluOp, [x], normalizeAxis('glu', axis, x.rank));
}

export interface MaxoutOptions {
  /** How many neighbours along the axis make one unit. */
  pieces: number;
  /** Default: −1, the channels. */
  axis?: number;
}

/**
 * The largest of each `pieces` neighbours along an axis, whose extent shrinks by that factor: unit j is the maximum of
 * elements j · pieces to j · pieces + pieces − 1. The gradient goes to the first of equals; a NaN wins (Goodfellow et al.,
 * 2013).
 *
 * @throws ArgumentError unless `pieces` is a whole number ≥ 1; ShapeError when it does not divide the extent.
 */
export function maxout(x: Tensor, options: MaxoutOptions): Tensor {
  assertTensor('maxout', x);
  checkOptions('maxout', options, ['pieces', 'axis']);
  const { pieces, axis = -1 } = options;
  if (!Number.isInteger(pieces) || pieces < 1)
    throw new ArgumentError(`maxout: pieces is ${describe(pieces)}; it must be a whole number ≥ 1.`);
  if (!isFloat(x.dtype))
    throw new DTypeError(`maxout: takes floats, got ${x.dtype}; cast it first: cast(x, 'float').`);
  const at = normalizeAxis('maxout', axis, x.rank);
  const extent = x.shape[at] as number;
  if (extent % pieces !== 0) {
    throw new ShapeError(
      `maxout: axis ${at} of ${formatShape(x.shape)} is no multiple of ${pieces} pieces; give the layer below ` +
        `units · pieces outputs.`,
    );
  }
  const shape = x.shape.map((own, a) => (a === at ? extent / pieces : own));
  if (x.size === 0) return reshape(x, shape);
  const [outer, inner] = [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at + 1))];
  // With nothing behind the axis, all windows lie in one row.
  const steps = inner === 1 ? [1, outer * extent, 1] : [outer, extent, inner];
  return scope(() => reshape(maxPool1d(reshape(x, steps), { poolSize: pieces }), shape));
}
