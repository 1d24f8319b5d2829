/** Pooling: maxima and averages of windows, of whole sequences and images, or of as many windows as are wanted. */
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { ArgumentError } from '../../core/errors.ts';
import { div, maximum, where } from '../../ops/binary.ts';
import { cast } from '../../ops/cast.ts';
import {
  type AdaptivePoolOptions,
  adaptiveAveragePool1d,
  adaptiveAveragePool2d,
  adaptiveAveragePool3d,
  averagePool1d,
  averagePool2d,
  averagePool3d,
  type GlobalPoolOptions,
  globalAveragePool1d,
  globalAveragePool2d,
  globalAveragePool3d,
  globalMaxPool1d,
  globalMaxPool2d,
  globalMaxPool3d,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  type PoolOptions,
  type PoolPadding,
} from '../../ops/pool.ts';
import { sum } from '../../ops/reduce.ts';
import { expandDims } from '../../ops/shape.ts';
import { axisNames, type PerAxis, paddingOf, perAxis } from '../../ops/window-geometry.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import { getMask } from '../mask.ts';
import { checkRank, onlyInput } from './check.ts';
import { imageOf, type Spatial } from './conv-base.ts';

export interface PoolingOptions extends LayerOptions {
  /** Extents of the windows: one number for all spatial axes, or one for each. Default: 2. */
  poolSize?: PerAxis;
  /** How far neighbouring windows lie apart. Default: poolSize. */
  strides?: PerAxis;
  /**
   * `'valid'`, `'same'`, or what surrounds the input on each side, smaller than the window; it never counts. Default: valid.
   */
  padding?: PoolPadding;
}

export interface GlobalPoolingOptions extends LayerOptions, GlobalPoolOptions {}

export interface AdaptivePoolingOptions extends LayerOptions, AdaptivePoolOptions {}

/** The options with their defaults, looked through before there is an input. */
function windowsOf(op: string, options: PoolingOptions, spatial: Spatial): PoolOptions {
  const { poolSize = 2, strides = poolSize, padding = 'valid' } = options;
  const sizes = perAxis(op, 'poolSize', poolSize, 1, spatial);
  perAxis(op, 'strides', strides, 1, spatial);
  paddingOf(op, padding, ['valid', 'same'], spatial).forEach((sides, axis) => {
    const size = sizes[axis] as number;
    if (typeof sides !== 'string' && Math.max(...sides) >= size)
      throw new ArgumentError(
        `${op}: padding [${sides.join(', ')}] along ${axisNames(spatial)[axis]} must be smaller than the window, ${size}.`,
      );
  });
  return { poolSize, strides, padding };
}

abstract class Pooling extends Layer<PoolingOptions> {
  readonly #spatial: Spatial;
  readonly #op: typeof maxPool1d;
  readonly #windows: PoolOptions;

  constructor(options: PoolingOptions, type: string, spatial: Spatial, op: typeof maxPool1d) {
    super(options, type, ['poolSize', 'strides', 'padding']);
    this.#spatial = spatial;
    this.#op = op;
    this.#windows = windowsOf(type, this.options, spatial);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return this.#op(imageOf(inputs, this.#spatial), this.#windows);
  }
}

abstract class GlobalPooling extends Layer<GlobalPoolingOptions> {
  readonly #spatial: Spatial;
  readonly #op: typeof globalMaxPool1d;

  constructor(options: GlobalPoolingOptions, type: string, spatial: Spatial, op: typeof globalMaxPool1d) {
    super(options, type, ['keepDims']);
    this.#spatial = spatial;
    this.#op = op;
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const { keepDims = false } = this.options;
    return this.#op(imageOf(inputs, this.#spatial), { keepDims });
  }
}

abstract class AdaptivePooling extends Layer<AdaptivePoolingOptions> {
  readonly #spatial: Spatial;
  readonly #op: typeof adaptiveAveragePool1d;

  constructor(
    options: AdaptivePoolingOptions,
    type: string,
    spatial: Spatial,
    op: typeof adaptiveAveragePool1d,
  ) {
    super(options, type, ['outputSize']);
    perAxis(type, 'outputSize', this.options.outputSize, 1, spatial);
    this.#spatial = spatial;
    this.#op = op;
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return this.#op(imageOf(inputs, this.#spatial), { outputSize: this.options.outputSize });
  }
}

/**
 * The largest element of each window: (batch, steps, channels) → (batch, windows, channels), with ⌊(steps + padding −
 * poolSize) / strides⌋ + 1 windows, or ⌈steps / strides⌉ for `'same'`. Keras's MaxPooling1D. See `maxPool1d`.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank, and for a window larger than
 *   the padded input.
 */
export class MaxPooling1d extends Pooling {
  constructor(options: PoolingOptions = {}) {
    super(options, 'maxPooling1d', 1, maxPool1d);
  }
}

/** `MaxPooling1d` over two axes, of (batch, height, width, channels). Keras's MaxPooling2D. */
export class MaxPooling2d extends Pooling {
  constructor(options: PoolingOptions = {}) {
    super(options, 'maxPooling2d', 2, maxPool2d);
  }
}

/** `MaxPooling1d` over three axes, of (batch, depth, height, width, channels). Keras's MaxPooling3D. */
export class MaxPooling3d extends Pooling {
  constructor(options: PoolingOptions = {}) {
    super(options, 'maxPooling3d', 3, maxPool3d);
  }
}

/**
 * The mean of each window of (batch, steps, channels), with windows as in `MaxPooling1d`; padding does not count. Keras's
 * AveragePooling1D. See `averagePool1d`.
 *
 * @throws as `MaxPooling1d`.
 */
export class AveragePooling1d extends Pooling {
  constructor(options: PoolingOptions = {}) {
    super(options, 'averagePooling1d', 1, averagePool1d);
  }
}

/** `AveragePooling1d` over two axes, of (batch, height, width, channels). Keras's AveragePooling2D. */
export class AveragePooling2d extends Pooling {
  constructor(options: PoolingOptions = {}) {
    super(options, 'averagePooling2d', 2, averagePool2d);
  }
}

/** `AveragePooling1d` over three axes, of (batch, depth, height, width, channels). Keras's AveragePooling3D. */
export class AveragePooling3d extends Pooling {
  constructor(options: PoolingOptions = {}) {
    super(options, 'averagePooling3d', 3, averagePool3d);
  }
}

/**
 * The largest element of each channel: (batch, steps, channels) → (batch, channels), or (batch, 1, channels) with
 * `keepDims`. Keras's GlobalMaxPooling1D.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank.
 */
export class GlobalMaxPooling1d extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(options, 'globalMaxPooling1d', 1, globalMaxPool1d);
  }
}

/** `GlobalMaxPooling1d` over two axes, of (batch, height, width, channels). Keras's GlobalMaxPooling2D. */
export class GlobalMaxPooling2d extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(options, 'globalMaxPooling2d', 2, globalMaxPool2d);
  }
}

/** `GlobalMaxPooling1d` over three axes, of (batch, depth, height, width, channels). Keras's GlobalMaxPooling3D. */
export class GlobalMaxPooling3d extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(options, 'globalMaxPooling3d', 3, globalMaxPool3d);
  }
}

/**
 * The mean of each channel: (batch, steps, channels) → (batch, channels), or (batch, 1, channels) with `keepDims`. Steps that
 * are masked do not count; of none that count the mean is 0. Keras's GlobalAveragePooling1D.
 *
 * @throws as `GlobalMaxPooling1d`.
 */
export class GlobalAveragePooling1d extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(options, 'globalAveragePooling1d', 1, globalAveragePool1d);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const x = onlyInput(inputs);
    const steps = getMask(x);
    if (!steps) return super.call(inputs);
    checkRank(x.shape, 3, '(batch, steps, channels)');
    const { keepDims = false } = this.options;
    return scope(() => {
      const mask = expandDims(steps, 2);
      const count = sum(cast(mask, 'float'), { axis: 1, keepDims });
      return div(sum(where(mask, x, 0), { axis: 1, keepDims }), maximum(count, 1));
    });
  }
}

/** `GlobalAveragePooling1d` over two axes, of (batch, height, width, channels). Keras's GlobalAveragePooling2D. */
export class GlobalAveragePooling2d extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(options, 'globalAveragePooling2d', 2, globalAveragePool2d);
  }
}

/** `GlobalAveragePooling1d` over three axes, of (batch, depth, height, width, channels). Keras's GlobalAveragePooling3D. */
export class GlobalAveragePooling3d extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(options, 'globalAveragePooling3d', 3, globalAveragePool3d);
  }
}

/**
 * The means of `outputSize` windows, whatever the number of steps: (batch, steps, channels) → (batch, outputSize,
 * channels). Keras's AdaptiveAveragePooling1D. See `adaptiveAveragePool1d`.
 *
 * @throws ArgumentError for options that are none; ShapeError for an input of another rank.
 */
export class AdaptiveAveragePooling1d extends AdaptivePooling {
  constructor(options: AdaptivePoolingOptions) {
    super(options, 'adaptiveAveragePooling1d', 1, adaptiveAveragePool1d);
  }
}

/** `AdaptiveAveragePooling1d` over two axes, of (batch, height, width, channels). */
export class AdaptiveAveragePooling2d extends AdaptivePooling {
  constructor(options: AdaptivePoolingOptions) {
    super(options, 'adaptiveAveragePooling2d', 2, adaptiveAveragePool2d);
  }
}

/** `AdaptiveAveragePooling1d` over three axes, of (batch, depth, height, width, channels). */
export class AdaptiveAveragePooling3d extends AdaptivePooling {
  constructor(options: AdaptivePoolingOptions) {
    super(options, 'adaptiveAveragePooling3d', 3, adaptiveAveragePool3d);
  }
}
