/** Layers that make sequences, images and volumes larger or smaller: repetition, resizing, borders of zeros, and cuts. */
import type { Tensor } from '../../autograd/tensor.ts';
import { ArgumentError, ShapeError } from '../../core/errors.ts';
import { formatShape } from '../../core/shape.ts';
import { pad } from '../../ops/pad.ts';
import {
  type Interpolation,
  resize2d,
  type UpSampling2dOptions,
  type UpSamplingOptions,
  upSampling1d,
  upSampling2d,
  upSampling3d,
} from '../../ops/resize.ts';
import { slice } from '../../ops/slice.ts';
import { axisNames, isCount, perAxis, shown } from '../../ops/window-geometry.ts';
import { checkChoice } from '../configurable.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import { checkCount } from './check.ts';
import { imageOf, type Spatial } from './conv-base.ts';

const INTERPOLATIONS: readonly Interpolation[] = ['nearest', 'bilinear'];

export interface UpSamplingLayerOptions extends LayerOptions, UpSamplingOptions {}

export interface UpSampling2dLayerOptions extends LayerOptions, UpSampling2dOptions {}

export interface ResizingOptions extends LayerOptions {
  /** Of the result. */
  height: number;
  /** Of the result. */
  width: number;
  /** Default: bilinear. */
  interpolation?: Interpolation;
}

/**
 * What comes before and behind each spatial axis: one number for all; or a list with an entry for each axis, a number for
 * both sides or `[before, after]`. For one axis, `[before, after]` alone will do.
 */
export type Sides = number | readonly (number | readonly [before: number, after: number])[];

type Pair = readonly [before: number, after: number];

export interface ZeroPaddingOptions extends LayerOptions {
  /** How many zeros. Default: 1. */
  padding?: Sides;
}

export interface CroppingOptions extends LayerOptions {
  /** How many positions are cut off. Default: 1; 0 for `cropping2d`, as in Keras. */
  cropping?: Sides;
}

function sidesOf(op: string, option: string, value: unknown, spatial: Spatial): Pair[] {
  const list = Array.isArray(value) ? [...(value as unknown[])] : new Array<unknown>(spatial).fill(value);
  // Of one axis there is only one pair.
  const entries = spatial === 1 && list.length === 2 ? [list] : list;
  const pairs = entries.map((entry) => (Array.isArray(entry) ? (entry as unknown[]) : [entry, entry]));
  if (pairs.length === spatial && pairs.every((pair) => pair.length === 2 && pair.every((n) => isCount(n))))
    return pairs as unknown as Pair[];
  const names = axisNames(spatial).join(', ');
  throw new ArgumentError(
    `${op}: ${option} is ${shown(value)}; pass a whole number ≥ 0, or a list with one entry for each of ${names}: a number ` +
      `or [before, after], such as [${new Array(spatial).fill('[1, 2]').join(', ')}].`,
  );
}

/**
 * Repeats each step `size` times: (batch, steps, channels) → (batch, steps·size, channels). Keras's UpSampling1D.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank.
 */
export class UpSampling1d extends Layer<UpSamplingLayerOptions> {
  constructor(options: UpSamplingLayerOptions = {}) {
    super(options, 'upSampling1d', ['size']);
    const { size = 2 } = this.options;
    perAxis('upSampling1d', 'size', size, 1, 1);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const { size = 2 } = this.options;
    return upSampling1d(imageOf(inputs, 1), { size });
  }
}

/**
 * Enlarges images by whole factors, by repetition or bilinearly: (batch, height, width, channels) → (batch, height·size,
 * width·size, channels). Keras's UpSampling2D.
 *
 * @throws as `UpSampling1d`.
 */
export class UpSampling2d extends Layer<UpSampling2dLayerOptions> {
  constructor(options: UpSampling2dLayerOptions = {}) {
    super(options, 'upSampling2d', ['size', 'interpolation']);
    const { size = 2, interpolation = 'nearest' } = this.options;
    perAxis('upSampling2d', 'size', size, 1, 2);
    checkChoice('upSampling2d', 'interpolation', interpolation, INTERPOLATIONS);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const { size = 2, interpolation = 'nearest' } = this.options;
    return upSampling2d(imageOf(inputs, 2), { size, interpolation });
  }
}

/**
 * Repeats each voxel of (batch, depth, height, width, channels) `size` times along the three axes. Keras's UpSampling3D.
 *
 * @throws as `UpSampling1d`.
 */
export class UpSampling3d extends Layer<UpSamplingLayerOptions> {
  constructor(options: UpSamplingLayerOptions = {}) {
    super(options, 'upSampling3d', ['size']);
    const { size = 2 } = this.options;
    perAxis('upSampling3d', 'size', size, 1, 3);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const { size = 2 } = this.options;
    return upSampling3d(imageOf(inputs, 3), { size });
  }
}

/**
 * Images of one size, whatever they had: (batch, …, …, channels) → (batch, height, width, channels). Keras's Resizing,
 * without its cropping and padding to an aspect ratio. See `resize2d`.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank.
 */
export class Resizing extends Layer<ResizingOptions> {
  constructor(options: ResizingOptions) {
    super(options, 'resizing', ['height', 'width', 'interpolation']);
    const { height, width, interpolation = 'bilinear' } = this.options;
    checkCount('resizing', 'height', height);
    checkCount('resizing', 'width', width);
    checkChoice('resizing', 'interpolation', interpolation, INTERPOLATIONS);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const { height, width, interpolation = 'bilinear' } = this.options;
    return resize2d(imageOf(inputs, 2), { size: [height, width], interpolation });
  }
}

abstract class ZeroPadding extends Layer<ZeroPaddingOptions> {
  readonly #spatial: Spatial;
  readonly #sides: readonly Pair[];

  constructor(options: ZeroPaddingOptions, type: string, spatial: Spatial) {
    super(options, type, ['padding']);
    this.#spatial = spatial;
    const { padding = 1 } = this.options;
    this.#sides = sidesOf(type, 'padding', padding, spatial);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return pad(imageOf(inputs, this.#spatial), [[0, 0], ...this.#sides, [0, 0]]);
  }
}

/**
 * Puts zeros around each sequence: (batch, steps, channels) → (batch, before + steps + after, channels). Keras's
 * ZeroPadding1D.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank.
 */
export class ZeroPadding1d extends ZeroPadding {
  constructor(options: ZeroPaddingOptions = {}) {
    super(options, 'zeroPadding1d', 1);
  }
}

/** Puts zeros around each image of (batch, height, width, channels), as `ZeroPadding1d` along both axes. Keras's ZeroPadding2D. */
export class ZeroPadding2d extends ZeroPadding {
  constructor(options: ZeroPaddingOptions = {}) {
    super(options, 'zeroPadding2d', 2);
  }
}

/** Puts zeros around each volume of (batch, depth, height, width, channels), as `ZeroPadding1d` along the three axes. Keras's ZeroPadding3D. */
export class ZeroPadding3d extends ZeroPadding {
  constructor(options: ZeroPaddingOptions = {}) {
    super(options, 'zeroPadding3d', 3);
  }
}

abstract class Cropping extends Layer<CroppingOptions> {
  readonly #spatial: Spatial;
  readonly #sides: readonly Pair[];

  constructor(options: CroppingOptions, type: string, spatial: Spatial, usual: number) {
    super(options, type, ['cropping']);
    this.#spatial = spatial;
    const { cropping = usual } = this.options;
    this.#sides = sidesOf(type, 'cropping', cropping, spatial);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const x = imageOf(inputs, this.#spatial);
    const ends = this.#sides.map(([before, after], axis) => {
      const extent = x.shape[axis + 1] as number;
      if (before + after < extent) return extent - after;
      throw new ShapeError(
        `it cuts ${before} + ${after} off ${axisNames(this.#spatial)[axis]}, and the input of shape ` +
          `${formatShape(x.shape)} has ${extent}; nothing would be left. Cut less.`,
      );
    });
    return slice(x, [null, ...this.#sides.map(([before]) => before)], [null, ...ends]);
  }
}

/**
 * Cuts steps off both ends: (batch, steps, channels) → (batch, steps − before − after, channels). Keras's Cropping1D.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank, or of which nothing would be
 *   left.
 */
export class Cropping1d extends Cropping {
  constructor(options: CroppingOptions = {}) {
    super(options, 'cropping1d', 1, 1);
  }
}

/** Cuts the borders off images of (batch, height, width, channels), as `Cropping1d` along both axes. Keras's Cropping2D. */
export class Cropping2d extends Cropping {
  constructor(options: CroppingOptions = {}) {
    super(options, 'cropping2d', 2, 0);
  }
}

/** Cuts the borders off volumes of (batch, depth, height, width, channels), as `Cropping1d` along the three axes. Keras's Cropping3D. */
export class Cropping3d extends Cropping {
  constructor(options: CroppingOptions = {}) {
    super(options, 'cropping3d', 3, 1);
  }
}
