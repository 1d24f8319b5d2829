/** Activations that have options, weights, or another output shape, as layers. For all others there is `activation`. */
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumbers } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError, ShapeError } from '../../core/errors.ts';
import { elu, leakyRelu, type ReluOptions, relu, thresholdedRelu } from '../../ops/activations.ts';
import { glu, maxout, prelu } from '../../ops/activations-gated.ts';
import { softmax } from '../../ops/softmax.ts';
import type { ConstraintLike } from '../constraints.ts';
import type { InitializerLike } from '../initializers/index.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import type { Parameter } from '../parameter.ts';
import { formatPartial, type PartialShape } from '../partial-shape.ts';
import type { RegularizerLike } from '../regularizers.ts';
import { checkCount, knownExtent, onlyInput, onlyShape } from './check.ts';
import { settingsOf, type WeightSettings } from './kernel-options.ts';

export interface ReluLayerOptions extends LayerOptions, ReluOptions {}

/**
 * max(x, 0), or with options min(x, maxValue) where x > threshold, else negativeSlope·(x − threshold). See `relu`.
 *
 * @throws ArgumentError for options that are negative or no finite numbers.
 */
export class Relu extends Layer<ReluLayerOptions> {
  constructor(options: ReluLayerOptions = {}) {
    super(options, 'relu', ['maxValue', 'negativeSlope', 'threshold']);
    const { maxValue, negativeSlope, threshold } = options;
    checkNumbers('relu', { maxValue: maxValue ?? undefined, negativeSlope, threshold }, { atLeast: 0 });
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const { maxValue = null, negativeSlope = 0, threshold = 0 } = this.options;
    return relu(onlyInput(inputs), { maxValue, negativeSlope, threshold });
  }
}

export interface LeakyReluOptions extends LayerOptions {
  /** The slope below 0, ≥ 0. Default: 0.3, unlike the function's 0.2, as in Keras. */
  negativeSlope?: number;
}

/**
 * x for x > 0, else negativeSlope·x. See `leakyRelu`.
 *
 * @throws ArgumentError unless negativeSlope is a finite number ≥ 0.
 */
export class LeakyRelu extends Layer<LeakyReluOptions> {
  constructor(options: LeakyReluOptions = {}) {
    super(options, 'leakyRelu', ['negativeSlope']);
    checkNumbers('leakyRelu', { negativeSlope: options.negativeSlope }, { atLeast: 0 });
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return leakyRelu(onlyInput(inputs), this.options.negativeSlope ?? 0.3);
  }
}

export interface PreluOptions extends LayerOptions {
  /** Default: zeros. */
  alphaInitializer?: InitializerLike;
  /** A penalty that the loss adds. Default: none. */
  alphaRegularizer?: RegularizerLike | null;
  /** What alpha becomes after each step of the optimizer. Default: as it is. */
  alphaConstraint?: ConstraintLike | null;
  /** Axes, counted from 1 behind the batch, along which one slope serves all: [1, 2] for a slope to each channel of images. */
  sharedAxes?: number | readonly number[] | null;
}

/**
 * x for x > 0, else alpha·x, with a slope alpha to each element of an example, or to each along the axes that are not
 * shared. See `prelu`.
 *
 * @throws ArgumentError for shared axes that are no whole numbers ≥ 1; ShapeError when built for an input without them.
 */
export class Prelu extends Layer<PreluOptions> {
  readonly #settings: WeightSettings;
  readonly #shared: readonly number[];
  #alpha: Parameter | null = null;

  constructor(options: PreluOptions = {}) {
    super(options, 'prelu', ['alphaInitializer', 'alphaRegularizer', 'alphaConstraint', 'sharedAxes']);
    const { alphaInitializer = 'zeros', alphaRegularizer, alphaConstraint, sharedAxes } = options;
    this.#settings = settingsOf(alphaInitializer, alphaRegularizer, alphaConstraint);
    this.#shared = Array.isArray(sharedAxes) ? sharedAxes : [sharedAxes ?? []].flat();
    for (const axis of this.#shared)
      if (!Number.isSafeInteger(axis) || axis < 1)
        throw new ArgumentError(
          `prelu: sharedAxes is ${describe(sharedAxes)}; pass axes ≥ 1 (0 is the batch), such as [1, 2].`,
        );
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override build(inputShapes: readonly PartialShape[]): void {
    const shape = onlyShape(inputShapes);
    const missing = this.#shared.find((axis) => axis >= shape.length);
    if (missing !== undefined)
      throw new ShapeError(
        `there is no axis ${missing} to share in an input of shape ${formatPartial(shape)}; sharedAxes are 1 to ` +
          `${shape.length - 1}.`,
      );
    const extents = shape.slice(1).map((_, index) => {
      const axis = index + 1;
      return this.#shared.includes(axis) ? 1 : knownExtent(shape, axis, `axis ${axis}`);
    });
    this.#alpha = this.addWeight('alpha', extents, this.#settings);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return prelu(onlyInput(inputs), (this.#alpha as Parameter).value);
  }
}

export interface EluOptions extends LayerOptions {
  /** The limit at −∞ is −alpha. Default: 1. */
  alpha?: number;
}

/**
 * x for x > 0, else alpha·(eˣ − 1). See `elu`.
 *
 * @throws ArgumentError unless alpha is a finite number.
 */
export class Elu extends Layer<EluOptions> {
  constructor(options: EluOptions = {}) {
    super(options, 'elu', ['alpha']);
    checkNumbers('elu', { alpha: options.alpha }, {});
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return elu(onlyInput(inputs), this.options.alpha ?? 1);
  }
}

export interface AxisOptions extends LayerOptions {
  /** Default: −1. */
  axis?: number;
}

/** eˣ/Σ eˣ along an axis. See `softmax`. */
export class Softmax extends Layer<AxisOptions> {
  constructor(options: AxisOptions = {}) {
    super(options, 'softmax', ['axis']);
    checkNumbers('softmax', { axis: options.axis }, { whole: true });
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return softmax(onlyInput(inputs), this.options.axis ?? -1);
  }
}

export interface ThresholdedReluOptions extends LayerOptions {
  /** ≥ 0. Default: 1. */
  theta?: number;
}

/**
 * x where x > theta, else 0. See `thresholdedRelu`.
 *
 * @throws ArgumentError unless theta is a finite number ≥ 0.
 */
export class ThresholdedRelu extends Layer<ThresholdedReluOptions> {
  constructor(options: ThresholdedReluOptions = {}) {
    super(options, 'thresholdedRelu', ['theta']);
    checkNumbers('thresholdedRelu', { theta: options.theta }, { atLeast: 0 });
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return thresholdedRelu(onlyInput(inputs), this.options.theta ?? 1);
  }
}

export interface MaxoutLayerOptions extends AxisOptions {
  /** How many neighbours along the axis make one unit. */
  pieces: number;
}

/**
 * The largest of each `pieces` neighbours along an axis: k linear pieces to a unit, behind `dense({ units: k · units })`. See
 * `maxout`.
 *
 * @throws ArgumentError unless pieces is a whole number ≥ 1; ShapeError when called on an extent that is no multiple of it.
 */
export class Maxout extends Layer<MaxoutLayerOptions> {
  constructor(options: MaxoutLayerOptions) {
    super(options, 'maxout', ['pieces', 'axis']);
    const { pieces, axis } = this.options;
    checkCount('maxout', 'pieces', pieces);
    checkNumbers('maxout', { axis }, { whole: true });
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const { pieces, axis = -1 } = this.options;
    return maxout(onlyInput(inputs), { pieces, axis });
  }
}

/**
 * a·sigmoid(b) for the halves a and b along an axis, which is half as long afterwards. See `glu`.
 *
 * @throws ShapeError when called on an odd extent.
 */
export class Glu extends Layer<AxisOptions> {
  constructor(options: AxisOptions = {}) {
    super(options, 'glu', ['axis']);
    checkNumbers('glu', { axis: options.axis }, { whole: true });
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return glu(onlyInput(inputs), this.options.axis ?? -1);
  }
}
