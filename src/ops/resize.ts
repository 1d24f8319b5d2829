/** Resampling of images and sequences: upsampling by whole factors, and 2D resizing to any extents. */
import { type EvenAxis, type ResampleAttrs, resampleKernel } from '../../kernels/resize.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { checkInputRank } from './conv-geometry.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import { axisNames, type PerAxis, perAxis } from './window-geometry.ts';

/** A linear map from inputs to outputs; its gradient is the transposed map, whose gradient is the map itself. */
export function resampleOp(name: string): Op<ResampleAttrs> {
  const op: Op<ResampleAttrs> = {
    name,
    forward: ([x], attrs) => runKernel1(name, resampleKernel, [x as Tensor], attrs),
    backward: ({ grad, attrs }) => [() => apply(op, [grad], { ...attrs, transposed: !attrs.transposed })],
  };
  return op;
}

/** The spatial extents of a float tensor (batch, …spatial, channels), none of which is empty. */
export function spatialExtents(op: string, x: Tensor, spatial: number): number[] {
  assertTensor(op, x);
  x.assertAlive(op);
  checkInputRank(op, x.shape, spatial);
  if (!isFloat(x.dtype)) throw new DTypeError(`${op}: x is ${x.dtype}; cast it to float first.`);
  const extents = x.shape.slice(1, -1);
  const empty = extents.indexOf(0);
  if (empty >= 0) {
    throw new ShapeError(
      `${op}: x of shape ${formatShape(x.shape)} has no elements along ${axisNames(spatial)[empty]}; pass an input with ` +
        'extents of at least 1.',
    );
  }
  return extents;
}

/** `nearest` repeats elements, `bilinear` weighs the four nearest centres. */
export type Interpolation = 'nearest' | 'bilinear';

function kindOf(op: string, interpolation: Interpolation): 'nearest' | 'linear' {
  if (interpolation === 'nearest') return 'nearest';
  if (interpolation === 'bilinear') return 'linear';
  throw new ArgumentError(`${op}: no interpolation ${describe(interpolation)}; use 'nearest' or 'bilinear'.`);
}

export interface UpSamplingOptions {
  /** How often each element is repeated: one factor for all spatial axes, or one for each. Default: 2. */
  size?: PerAxis;
}

export interface UpSampling2dOptions extends UpSamplingOptions {
  /** Default: nearest. */
  interpolation?: Interpolation;
}

const enlarged = (op: string, x: Tensor, { size = 2 }: UpSamplingOptions, spatial: number): EvenAxis[] => {
  const extents = spatialExtents(op, x, spatial);
  const factors = perAxis(op, 'size', size, 1, spatial);
  return extents.map((input, axis) => ({ input, output: input * (factors[axis] as number) }));
};

const upSampling1dOp = resampleOp('upSampling1d');
const upSampling2dOp = resampleOp('upSampling2d');
const upSampling3dOp = resampleOp('upSampling3d');
const resize2dOp = resampleOp('resize2d');

/**
 * Repeats each step `size` times: (batch, steps, channels) → (batch, steps·size, channels). Keras's UpSampling1D.
 *
 * @throws ShapeError unless x has rank 3 and steps; ArgumentError when `size` is no whole number ≥ 1.
 */
export function upSampling1d(x: Tensor, options: UpSamplingOptions = {}): Tensor {
  checkOptions('upSampling1d', options, ['size']);
  const axes = enlarged('upSampling1d', x, options, 1);
  return apply(upSampling1dOp, [x], { kind: 'nearest', axes, transposed: false });
}

/**
 * Enlarges images by whole factors: (batch, height, width, channels) → (batch, height·size, width·size, channels), by
 * repetition or bilinearly with half-pixel centres. Keras's UpSampling2D.
 *
 * @throws ShapeError unless x has rank 4 and pixels; ArgumentError when `size` is no whole number ≥ 1.
 */
export function upSampling2d(x: Tensor, options: UpSampling2dOptions = {}): Tensor {
  checkOptions('upSampling2d', options, ['size', 'interpolation']);
  const axes = enlarged('upSampling2d', x, options, 2);
  const { interpolation = 'nearest' } = options;
  const kind = kindOf('upSampling2d', interpolation);
  return apply(upSampling2dOp, [x], { kind, axes, transposed: false });
}

/**
 * Repeats each voxel: (batch, depth, height, width, channels), each spatial extent times its `size`. Keras's
 * UpSampling3D.
 *
 * @throws ShapeError unless x has rank 5 and voxels; ArgumentError when `size` is no whole number ≥ 1.
 */
export function upSampling3d(x: Tensor, options: UpSamplingOptions = {}): Tensor {
  checkOptions('upSampling3d', options, ['size']);
  const axes = enlarged('upSampling3d', x, options, 3);
  return apply(upSampling3dOp, [x], { kind: 'nearest', axes, transposed: false });
}

export interface Resize2dOptions {
  /** Height and width of the result; one number makes it square. */
  size: PerAxis;
  /** Default: bilinear. */
  interpolation?: Interpolation;
}

/**
 * Images of another size: (batch, height, width, channels) → (batch, …size, channels). Centres of pixels are half-way, so
 * the centre of row o of H′ lies at (o + ½)·H/H′ − ½ of H rows: `nearest` takes the row ⌊(o + ½)·H/H′⌋, `bilinear` weighs
 * the two rows around by their distance, and at the rim takes the outermost row. There is no smoothing when an image is
 * made smaller. As tf.image.resize without antialiasing.
 *
 * @throws ShapeError unless x has rank 4 and pixels; ArgumentError when `size` is missing or holds no whole numbers ≥ 1.
 */
export function resize2d(x: Tensor, options: Resize2dOptions): Tensor {
  checkOptions('resize2d', options, ['size', 'interpolation']);
  const { size, interpolation = 'bilinear' } = options;
  const extents = spatialExtents('resize2d', x, 2);
  const outputs = perAxis('resize2d', 'size', size, 1, 2);
  const axes = extents.map((input, axis) => ({ input, output: outputs[axis] as number }));
  const kind = kindOf('resize2d', interpolation);
  return apply(resize2dOp, [x], { kind, axes, transposed: false });
}
