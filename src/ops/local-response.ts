/** Local response normalisation. */
import {
  type LocalResponseAttrs,
  localResponseGradientKernel,
  localResponseKernel,
} from '../../kernels/local-response.ts';
import { isGradEnabled } from '../autograd/modes.ts';
import { apply, type Op, runKernel, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { add, mul, pow, sub } from './binary.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import { pad } from './pad.ts';
import { slice } from './slice.ts';
import { square } from './unary.ts';

/** Σ of v over each channel's window, in plain ops: the window slides over a padded copy. */
function windowSum(v: Tensor, { channels, depthRadius }: LocalResponseAttrs): Tensor {
  const radius = Math.min(depthRadius, Math.max(0, channels - 1));
  if (radius === 0) return v;
  const rest = v.shape.slice(0, -1);
  const padded = pad(v, [...rest.map((): [number, number] => [0, 0]), [radius, radius]]);
  let total: Tensor | undefined;
  for (let shift = 0; shift <= 2 * radius; shift++) {
    const shifted = slice(padded, [...rest.map(() => 0), shift], [...rest, shift + channels]);
    total = total ? add(total, shifted) : shifted;
  }
  return total as Tensor;
}

const scaleOf = (x: Tensor, attrs: LocalResponseAttrs): Tensor =>
  add(mul(windowSum(square(x), attrs), attrs.alpha), attrs.bias);

/** The same in plain ops, differentiable as often as one likes. */
export const composedLocalResponse = (x: Tensor, attrs: LocalResponseAttrs): Tensor =>
  mul(x, pow(scaleOf(x, attrs), -attrs.beta));

function composedGradient(x: Tensor, g: Tensor, attrs: LocalResponseAttrs): Tensor {
  const scale = scaleOf(x, attrs);
  const terms = mul(mul(g, x), pow(scale, -attrs.beta - 1));
  const through = mul(mul(x, windowSum(terms, attrs)), 2 * attrs.alpha * attrs.beta);
  return sub(mul(g, pow(scale, -attrs.beta)), through);
}

const localResponseOp: Op<LocalResponseAttrs> = {
  name: 'localResponseNormalization',
  forward: ([x], attrs) => runKernel('localResponseNormalization', localResponseKernel, [x as Tensor], attrs),
  saves: ([x], [, scale]) => [x, scale],
  backward: ({ grad, saved, attrs }) => [
    () => {
      const [x, scale] = saved as [Tensor, Tensor];
      if (isGradEnabled()) return composedGradient(x, grad, attrs);
      const inputs = [x, scale, grad];
      return runKernel1('localResponseGradient', localResponseGradientKernel, inputs, attrs);
    },
  ],
};

export interface LocalResponseOptions {
  /** The window holds this many channels on either side. Default: 5. */
  depthRadius?: number;
  /** Default: 1. */
  bias?: number;
  /** Default: 1. */
  alpha?: number;
  /** Default: 0.5. */
  beta?: number;
}

/**
 * Local response normalisation over the last axis: x/(bias + alpha·Σ x²)^beta, with the sum over the channels at most
 * `depthRadius` away. Formula and defaults are TensorFlow's (`tf.nn.local_response_normalization`).
 *
 * AlexNet (Krizhevsky, Sutskever and Hinton, 2012) has depthRadius 2, bias 2 (there k), alpha 1e-4 and beta 0.75.
 * PyTorch's `LocalResponseNorm(size)` has a window of `size` channels and divides its alpha by `size`: pass
 * depthRadius = (size − 1)/2 for an odd size, and alpha/size.
 *
 * @throws ArgumentError for a depthRadius that is not a whole number ≥ 0, or numbers that are not finite.
 */
export function localResponseNormalization(x: Tensor, options: LocalResponseOptions = {}): Tensor {
  const op = 'localResponseNormalization';
  checkOptions(op, options, ['depthRadius', 'bias', 'alpha', 'beta']);
  assertTensor(op, x);
  x.assertAlive(op);
  const { depthRadius = 5, bias = 1, alpha = 1, beta = 0.5 } = options;
  if (!Number.isInteger(depthRadius) || depthRadius < 0) {
    throw new ArgumentError(
      `${op}: depthRadius ${describe(depthRadius)} is no whole number ≥ 0; 5 is the default.`,
    );
  }
  for (const [name, value] of Object.entries({ bias, alpha, beta })) {
    if (!Number.isFinite(value))
      throw new ArgumentError(
        `${op}: ${name} ${describe(value)} is no finite number; pass one, or leave it out.`,
      );
  }
  if (x.rank === 0)
    throw new ShapeError(`${op}: a scalar has no axis of channels; reshape it, for instance to (1,).`);
  const channels = x.shape[x.rank - 1] as number;
  return scope(() => apply(localResponseOp, [x], { channels, depthRadius, bias, alpha, beta }));
}
