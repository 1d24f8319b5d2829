/**
 * Pooling over one, two or three spatial axes of (batch, …spatial, channels): maxima and averages of windows, of the whole
 * image, or of as many windows as are wanted.
 */
import { type MaxPoolAttrs, maxPoolKernel, pickKernel, unpoolKernel } from '../../kernels/pool.ts';
import type { PoolAttrs, PoolAxis } from '../../kernels/pool-windows.ts';
import { reduceKernel } from '../../kernels/reduce.ts';
import { type ResampleAttrs, resampleKernel } from '../../kernels/resize.ts';
import { isGradEnabled } from '../autograd/modes.ts';
import { apply, applyAll, type Op, runKernel, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { sizeOf } from '../core/shape.ts';
import { checkOptions } from './options.ts';
import { type PoolOptions, poolAxes, wholeImage } from './pool-geometry.ts';
import { resampleOp, spatialExtents } from './resize.ts';
import { reshape } from './shape.ts';
import { type PerAxis, perAxis } from './window-geometry.ts';

export type { PoolOptions, PoolPadding } from './pool-geometry.ts';

/** The gradient goes to where the maxima stood; from there comes the gradient of that. */
function maxPoolOp(name: string): Op<MaxPoolAttrs> {
  const unpool: Op<PoolAttrs> = {
    name: `${name}Backward`,
    forward: (inputs, attrs) => runKernel1(unpool.name, unpoolKernel, inputs, attrs),
    saves: ([, winners]) => [winners],
    backward: ({ grad, saved: [winners], attrs }) => [
      () => apply(pick, [grad, winners as Tensor], attrs),
      undefined,
    ],
  };
  const pick: Op<PoolAttrs> = {
    name: `${name}Pick`,
    forward: (inputs, attrs) => runKernel1(pick.name, pickKernel, inputs, attrs),
    saves: ([, winners]) => [winners],
    backward: ({ grad, saved: [winners], attrs }) => [
      () => apply(unpool, [grad, winners as Tensor], attrs),
      undefined,
    ],
  };
  return {
    name,
    forward: ([x], attrs) => runKernel(name, maxPoolKernel, [x as Tensor], attrs),
    saves: (_, [, winners]) => [winners],
    backward: ({ grad, saved: [winners], attrs: { axes } }) => [
      () => apply(unpool, [grad, winners as Tensor], { axes }),
    ],
  };
}

function pooledMax(op: Op<MaxPoolAttrs>, x: Tensor, axes: readonly PoolAxis[]): Tensor {
  const [y, winners] = applyAll(op, [x], { axes, winners: isGradEnabled() && x.requiresGrad });
  winners?.dispose(); // The graph keeps an alias.
  return y as Tensor;
}

const maxPool = (spatial: number) => {
  const name = `maxPool${spatial}d`;
  const op = maxPoolOp(name);
  return (x: Tensor, options: PoolOptions): Tensor => pooledMax(op, x, poolAxes(name, x, options, spatial));
};

/**
 * The largest element of each window: (batch, steps, channels) → (batch, windows, channels). A NaN wins; the gradient goes
 * to the first of equals, and to the first NaN. The number of windows is ⌊(steps + padding − poolSize) / strides⌋ + 1, or
 * ⌈steps / strides⌉ for `'same'`. Keras's MaxPooling1D.
 *
 * @throws ShapeError unless x has rank 3 and steps, and when a window is larger than the padded input; ArgumentError for
 * sizes and strides that are no whole numbers ≥ 1 and for padding as large as a window.
 */
export const maxPool1d = maxPool(1);

/**
 * The largest element of each window of (batch, height, width, channels), as `maxPool1d` along both axes. Equals and NaN
 * are looked for in row-major order.
 *
 * @throws as `maxPool1d`; x has rank 4.
 */
export const maxPool2d = maxPool(2);

/**
 * The largest element of each window of (batch, depth, height, width, channels), as `maxPool1d` along the three axes.
 *
 * @throws as `maxPool1d`; x has rank 5.
 */
export const maxPool3d = maxPool(3);

const averagePool = (spatial: number) => {
  const name = `averagePool${spatial}d`;
  const op = resampleOp(name);
  return (x: Tensor, options: PoolOptions): Tensor =>
    apply(op, [x], { kind: 'mean', axes: poolAxes(name, x, options, spatial), transposed: false });
};

/**
 * The mean of each window: (batch, steps, channels) → (batch, windows, channels), with windows as in `maxPool1d`. Padding
 * does not count: a window at the edge divides by the number of its elements inside. Keras's AveragePooling1D.
 *
 * @throws as `maxPool1d`.
 */
export const averagePool1d = averagePool(1);

/**
 * The mean of each window of (batch, height, width, channels), as `averagePool1d` along both axes.
 *
 * @throws as `maxPool1d`; x has rank 4.
 */
export const averagePool2d = averagePool(2);

/**
 * The mean of each window of (batch, depth, height, width, channels), as `averagePool1d` along the three axes.
 *
 * @throws as `maxPool1d`; x has rank 5.
 */
export const averagePool3d = averagePool(3);

export interface GlobalPoolOptions {
  /** Leave the spatial axes in place with an extent of 1. Default: false. */
  keepDims?: boolean;
}

/** (batch, …1, channels) without the axes of 1, unless they are kept. */
const withoutAxes = (y: Tensor, keepDims: boolean): Tensor =>
  keepDims ? y : reshape(y, [y.shape[0] as number, y.shape.at(-1) as number]);

const globalMaxPool = (spatial: number) => {
  const name = `globalMaxPool${spatial}d`;
  const op = maxPoolOp(name);
  return (x: Tensor, options: GlobalPoolOptions = {}): Tensor => {
    checkOptions(name, options, ['keepDims']);
    const axes = wholeImage(name, x, spatial);
    return scope(() => withoutAxes(pooledMax(op, x, axes), options.keepDims ?? false));
  };
};

/**
 * The largest element of each channel: (batch, steps, channels) → (batch, channels). A NaN wins; the gradient goes to the
 * first of equals. Keras's GlobalMaxPooling1D.
 *
 * @throws ShapeError unless x has rank 3 and steps.
 */
export const globalMaxPool1d = globalMaxPool(1);

/** The largest element of each channel of (batch, height, width, channels), as `globalMaxPool1d`; x has rank 4. */
export const globalMaxPool2d = globalMaxPool(2);

/** The largest element of each channel of (batch, depth, height, width, channels), as `globalMaxPool1d`; x has rank 5. */
export const globalMaxPool3d = globalMaxPool(3);

/** A mean by the reduction's tree, accurate however large the image is; its gradient is spread in one dispatch. */
function globalAverageOp(name: string): Op<readonly PoolAxis[]> {
  const spreadOp: Op<readonly PoolAxis[]> = {
    name: `${name}Backward`,
    forward: ([g], axes) =>
      runKernel1(spreadOp.name, resampleKernel, [g as Tensor], { kind: 'mean', axes, transposed: true }),
    backward: ({ grad, attrs }) => [() => apply(meanOp, [grad], attrs)],
  };
  const meanOp: Op<readonly PoolAxis[]> = {
    name,
    forward: ([x], axes) =>
      runKernel1(name, reduceKernel, [x as Tensor], {
        op: 'sum',
        axes: axes.map((_, index) => index + 1),
        keepDims: true,
        scale: 1 / sizeOf(axes.map(({ size }) => size)),
      }),
    backward: ({ grad, attrs }) => [() => apply(spreadOp, [grad], attrs)],
  };
  return meanOp;
}

const globalAveragePool = (spatial: number) => {
  const name = `globalAveragePool${spatial}d`;
  const op = globalAverageOp(name);
  return (x: Tensor, options: GlobalPoolOptions = {}): Tensor => {
    checkOptions(name, options, ['keepDims']);
    const axes = wholeImage(name, x, spatial);
    return scope(() => withoutAxes(apply(op, [x], axes), options.keepDims ?? false));
  };
};

/**
 * The mean of each channel: (batch, steps, channels) → (batch, channels). Keras's GlobalAveragePooling1D.
 *
 * @throws ShapeError unless x has rank 3 and steps.
 */
export const globalAveragePool1d = globalAveragePool(1);

/** The mean of each channel of (batch, height, width, channels), as `globalAveragePool1d`; x has rank 4. */
export const globalAveragePool2d = globalAveragePool(2);

/** The mean of each channel of (batch, depth, height, width, channels), as `globalAveragePool1d`; x has rank 5. */
export const globalAveragePool3d = globalAveragePool(3);

export interface AdaptivePoolOptions {
  /** Extents of the result: one number for all spatial axes, or one for each. */
  outputSize: PerAxis;
}

const adaptiveAveragePool = (spatial: number) => {
  const name = `adaptiveAveragePool${spatial}d`;
  const op = resampleOp(name);
  return (x: Tensor, options: AdaptivePoolOptions): Tensor => {
    checkOptions(name, options, ['outputSize']);
    const sizes = perAxis(name, 'outputSize', options.outputSize, 1, spatial);
    const axes = spatialExtents(name, x, spatial).map((input, axis) => ({
      input,
      output: sizes[axis] as number,
    }));
    const attrs: ResampleAttrs = { kind: 'adaptive', axes, transposed: false };
    return apply(op, [x], attrs);
  };
};

/**
 * The means of `outputSize` windows, whatever the number of steps n: window i holds the elements from ⌊i·n / outputSize⌋ to
 * before ⌈(i + 1)·n / outputSize⌉. (batch, steps, channels) → (batch, outputSize, channels). PyTorch's AdaptiveAvgPool1d.
 *
 * @throws ShapeError unless x has rank 3 and steps; ArgumentError when `outputSize` holds no whole numbers ≥ 1.
 */
export const adaptiveAveragePool1d = adaptiveAveragePool(1);

/** The means of windows of (batch, height, width, channels), as `adaptiveAveragePool1d` along both axes; x has rank 4. */
export const adaptiveAveragePool2d = adaptiveAveragePool(2);

/**
 * The means of windows of (batch, depth, height, width, channels), as `adaptiveAveragePool1d` along the three axes; x has
 * rank 5.
 */
export const adaptiveAveragePool3d = adaptiveAveragePool(3);
