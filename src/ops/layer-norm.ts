/** Layer and root-mean-square normalisation. */
import type { NormalizeAttrs } from '../../kernels/normalize-geometry.ts';
import type { Op } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ArgumentError } from '../core/errors.ts';
import { normalizeAxes, sizeOf } from '../core/shape.ts';
import { type Affine, checkEpsilon, checkInput, checkVectors, normalize, normalizeOp } from './normalize.ts';
import { checkOptions } from './options.ts';
import { reshape } from './shape.ts';

const layerOp = normalizeOp('layerNorm');
const rmsOp = normalizeOp('rmsNorm');

export interface LayerNormOptions {
  /** In the shape of the normalised axes; default: 1. */
  gamma?: Tensor | undefined;
  /** In the shape of the normalised axes; default: 0. */
  beta?: Tensor | undefined;
  /** The axes to normalise over: the last one, or a list of the last few. Default: −1. */
  axis?: number | readonly number[];
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
}

/** The axes must be the last ones: their extents. */
function lastExtents(op: string, x: Tensor, axis: number | readonly number[]): readonly number[] {
  const axes = normalizeAxes(op, axis, x.rank);
  if (axes.length === 0 || axes[0] !== x.rank - axes.length) {
    throw new ArgumentError(
      `${op}: axes [${axes.join(', ')}] of a tensor of rank ${x.rank} are not its last ones; permute it first.`,
    );
  }
  return x.shape.slice(axes[0]);
}

/** Layer and root-mean-square normalisation: every stretch of the last axes by itself. */
function normalizeLast(
  op: Op<NormalizeAttrs>,
  x: Tensor,
  { gamma, beta }: Affine,
  axis: number | readonly number[],
  epsilon: number,
  centred: boolean,
): Tensor {
  checkInput(op.name, x);
  checkEpsilon(op.name, epsilon);
  const extents = lastExtents(op.name, x, axis);
  checkVectors(op.name, x, extents, { gamma, beta });
  const width = sizeOf(extents);
  return scope(() => {
    const flat = (vector: Tensor | undefined): Tensor | undefined => vector && reshape(vector, [width]);
    const samples = sizeOf(x.shape.slice(0, x.rank - extents.length));
    const attrs = { samples, rows: 1, groups: 1, width, epsilon, centred };
    return normalize(op, x, { gamma: flat(gamma), beta: flat(beta) }, attrs)[0];
  });
}

/**
 * Layer normalisation (Ba, Kiros and Hinton, 2016): (x − mean)/√(variance + epsilon)·gamma + beta, with the mean and the
 * biased variance over the last axes of each sample. PyTorch's default epsilon is 1e-5. In float32, |x − mean| must stay
 * below some 1e19, as its square must not overflow; beyond, the sample becomes NaN.
 *
 * @throws ArgumentError for axes that are not the last ones, or an epsilon that is not above 0; ShapeError for a gamma or
 * beta of another shape than the normalised axes.
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  checkOptions('layerNorm', options, ['gamma', 'beta', 'axis', 'epsilon']);
  const { axis = -1, epsilon = 1e-3 } = options;
  return normalizeLast(layerOp, x, options, axis, epsilon, true);
}

export interface RmsNormOptions {
  /** In the shape of the normalised axes; default: 1. Keras calls it `scale`. */
  gamma?: Tensor | undefined;
  /** The axes to normalise over: the last one, or a list of the last few. Default: −1. */
  axis?: number | readonly number[];
  /** Added to the mean of the squares. Default: 1e-6. */
  epsilon?: number;
}

/**
 * Root-mean-square normalisation (Zhang and Sennrich, 2019): x/√(mean of x² + epsilon)·gamma over the last axes. In
 * float32, |x| must stay below some 1e19, as its square must not overflow; beyond, and with an infinity, the sample
 * becomes NaN.
 *
 * @throws as `layerNorm`.
 */
export function rmsNorm(x: Tensor, options: RmsNormOptions = {}): Tensor {
  checkOptions('rmsNorm', options, ['gamma', 'axis', 'epsilon']);
  const { axis = -1, epsilon = 1e-6, gamma } = options;
  return normalizeLast(rmsOp, x, { gamma }, axis, epsilon, false);
}
