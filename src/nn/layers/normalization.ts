/** Layers of normalisation that treat each example by itself. Batch normalisation has a file of its own. */
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumber, checkNumbers } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import { normalizeAxes, normalizeAxis } from '../../core/shape.ts';
import { div, maximum } from '../../ops/binary.ts';
import { groupNorm, instanceNorm } from '../../ops/group-norm.ts';
import { layerNorm, rmsNorm } from '../../ops/layer-norm.ts';
import { type LocalResponseOptions, localResponseNormalization } from '../../ops/local-response.ts';
import { norm2 } from '../../ops/norm.ts';
import type { Axes } from '../../ops/reduce.ts';
import * as initializers from '../initializers/index.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import type { Parameter } from '../parameter.ts';
import { formatPartial, type PartialShape } from '../partial-shape.ts';
import {
  AFFINE_OPTIONS,
  type AffineOptions,
  type AffineSettings,
  type AffineWeights,
  addAffine,
  affineSettings,
  affineValues,
} from './affine-options.ts';
import { knownExtent, onlyInput, onlyShape } from './check.ts';

/** @throws ArgumentError unless it is a whole number, a list of some, or left out. */
function checkAxes(op: string, axis: unknown): void {
  if (axis === undefined) return;
  const list: readonly unknown[] = Array.isArray(axis) ? axis : [axis];
  if (list.length > 0 && list.every(Number.isSafeInteger)) return;
  throw new ArgumentError(
    `${op}: axis is ${describe(axis)}; pass a whole number or a list of some, such as [-2, -1].`,
  );
}

/** The extent of the axis of channels. */
export const channelsOf = (op: string, shape: PartialShape, axis: number): number =>
  knownExtent(shape, normalizeAxis(op, axis, shape.length), 'axis of channels');

/** The extents of the axes that are normalised together, which must be the last ones. */
function lastExtents(op: string, shape: PartialShape, axis: Axes): number[] {
  const axes = normalizeAxes(op, axis, shape.length);
  if (axes[0] !== shape.length - axes.length)
    throw new ArgumentError(
      `axes [${axes.join(', ')}] of an input of shape ${formatPartial(shape)} are not its last ones; put a layer permute() ` +
        'in front.',
    );
  return axes.map((one) => knownExtent(shape, one, `axis ${one}`));
}

interface CommonOptions extends LayerOptions, AffineOptions {
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
}

type Affine = ReturnType<typeof affineValues>;

/** A normalisation with gamma and beta. */
abstract class AffineNormalization<Options extends CommonOptions> extends Layer<Options> {
  readonly #settings: AffineSettings;
  #weights: AffineWeights | null = null;

  constructor(options: Options, type: string, known: readonly (keyof Options & string)[]) {
    super(options, type, ['epsilon', ...AFFINE_OPTIONS, ...known]);
    checkNumbers(type, { epsilon: options.epsilon }, { above: 0 });
    this.#settings = affineSettings(type, options);
  }

  override get supportsMasking(): boolean {
    return true;
  }

  /** The shape of gamma and beta. */
  protected abstract affineShape(shape: PartialShape): number[];

  protected abstract normalize(x: Tensor, affine: Affine): Tensor;

  override build(inputShapes: readonly PartialShape[]): void {
    this.#weights = addAffine(this, this.#settings, this.affineShape(onlyShape(inputShapes)));
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return this.normalize(onlyInput(inputs), affineValues(this.#weights as AffineWeights));
  }
}

export interface LayerNormalizationOptions extends CommonOptions {
  /** The axes to normalise over: the last one, or a list of the last few. Default: −1. */
  axis?: Axes;
}

/**
 * (x − mean)/√(variance + epsilon)·gamma + beta over the last axes; gamma and beta in their shape. See `layerNorm`.
 *
 * @throws ArgumentError for an epsilon that is not above 0; when built, for axes that are not the last ones.
 */
export class LayerNormalization extends AffineNormalization<LayerNormalizationOptions> {
  constructor(options: LayerNormalizationOptions = {}) {
    super(options, 'layerNormalization', ['axis']);
    checkAxes('layerNormalization', options.axis);
  }

  protected override affineShape(shape: PartialShape): number[] {
    return lastExtents(this.type, shape, this.options.axis ?? -1);
  }

  protected override normalize(x: Tensor, affine: Affine): Tensor {
    const { axis = -1, epsilon = 1e-3 } = this.options;
    return layerNorm(x, { ...affine, axis, epsilon });
  }
}

export interface InstanceNormalizationOptions extends CommonOptions {
  /** The axis of the channels. Default: −1. */
  axis?: number;
}

export interface GroupNormalizationOptions extends InstanceNormalizationOptions {
  /** How many groups of neighbouring channels; a divisor of the channels, or −1 for one to each. Default: 32. */
  groups?: number;
}

/**
 * Each example by itself, over its positions and the channels of a group; gamma and beta (channels,). See `groupNorm`.
 *
 * @throws ArgumentError for an epsilon that is not above 0 and groups that are no whole number; when called, for groups that
 *   do not divide the channels.
 */
export class GroupNormalization extends AffineNormalization<GroupNormalizationOptions> {
  constructor(options: GroupNormalizationOptions = {}) {
    super(options, 'groupNormalization', ['axis', 'groups']);
    const { axis = -1, groups = 32 } = options;
    checkNumber('groupNormalization', 'axis', axis, { whole: true });
    if (groups !== -1) checkNumber('groupNormalization', 'groups', groups, { whole: true, atLeast: 1 });
  }

  protected override affineShape(shape: PartialShape): number[] {
    return [channelsOf(this.type, shape, this.options.axis ?? -1)];
  }

  protected override normalize(x: Tensor, affine: Affine): Tensor {
    const { axis = -1, epsilon = 1e-3, groups = 32 } = this.options;
    return groupNorm(x, { ...affine, axis, epsilon, groups });
  }
}

/**
 * Every channel of every example over its positions; gamma and beta (channels,). See `instanceNorm`.
 *
 * @throws ArgumentError for an epsilon that is not above 0; ShapeError when called on examples of one position.
 */
export class InstanceNormalization extends AffineNormalization<InstanceNormalizationOptions> {
  constructor(options: InstanceNormalizationOptions = {}) {
    super(options, 'instanceNormalization', ['axis']);
    checkNumbers('instanceNormalization', { axis: options.axis }, { whole: true });
  }

  protected override affineShape(shape: PartialShape): number[] {
    return [channelsOf(this.type, shape, this.options.axis ?? -1)];
  }

  protected override normalize(x: Tensor, affine: Affine): Tensor {
    const { axis = -1, epsilon = 1e-3 } = this.options;
    return instanceNorm(x, { ...affine, axis, epsilon });
  }
}

export interface RmsNormalizationOptions extends LayerOptions {
  /** The axes to normalise over: the last one, or a list of the last few. Default: −1. */
  axis?: Axes;
  /** Added to the mean of the squares. Default: 1e-6. */
  epsilon?: number;
}

/**
 * x/√(mean of x² + epsilon)·scale over the last axes; scale, at first 1, in their shape. See `rmsNorm`.
 *
 * @throws ArgumentError for an epsilon that is not above 0; when built, for axes that are not the last ones.
 */
export class RmsNormalization extends Layer<RmsNormalizationOptions> {
  #scale: Parameter | null = null;

  constructor(options: RmsNormalizationOptions = {}) {
    super(options, 'rmsNormalization', ['axis', 'epsilon']);
    checkAxes('rmsNormalization', options.axis);
    checkNumbers('rmsNormalization', { epsilon: options.epsilon }, { above: 0 });
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override build(inputShapes: readonly PartialShape[]): void {
    const shape = lastExtents(this.type, onlyShape(inputShapes), this.options.axis ?? -1);
    this.#scale = this.addWeight('scale', shape, { initializer: initializers.ones() });
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const { axis = -1, epsilon = 1e-6 } = this.options;
    return rmsNorm(onlyInput(inputs), { gamma: this.#scale?.value, axis, epsilon });
  }
}

/** x/max(‖x‖, epsilon), with the Euclidean norm along some axes. */
export const toUnitNorm = (x: Tensor, axis: Axes, epsilon: number): Tensor =>
  scope(() => div(x, maximum(norm2(x, { axis, keepDims: true }), epsilon)));

export interface UnitNormalizationOptions extends LayerOptions {
  /** The axes of one norm. Default: −1. */
  axis?: Axes;
}

/** x/max(‖x‖, 1e-12), with the Euclidean norm along `axis`, so that all norms are 1. */
export class UnitNormalization extends Layer<UnitNormalizationOptions> {
  constructor(options: UnitNormalizationOptions = {}) {
    super(options, 'unitNormalization', ['axis']);
    checkAxes('unitNormalization', options.axis);
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[]): Tensor {
    return toUnitNorm(onlyInput(inputs), this.options.axis ?? -1, 1e-12);
  }
}

export interface LocalResponseNormalizationOptions extends LayerOptions, LocalResponseOptions {}

/**
 * x/(bias + alpha·Σ x²)^beta, with the sum over the channels at most `depthRadius` away. See the op of the same name.
 *
 * @throws ArgumentError for a depthRadius that is no whole number ≥ 0, or numbers that are not finite.
 */
export class LocalResponseNormalization extends Layer<LocalResponseNormalizationOptions> {
  constructor(options: LocalResponseNormalizationOptions = {}) {
    const op = 'localResponseNormalization';
    super(options, op, ['depthRadius', 'bias', 'alpha', 'beta']);
    const { depthRadius = 5, bias, alpha, beta } = options;
    checkNumber(op, 'depthRadius', depthRadius, { whole: true, atLeast: 0 });
    checkNumbers(op, { bias, alpha, beta }, {});
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const { depthRadius = 5, bias = 1, alpha = 1, beta = 0.5 } = this.options;
    return localResponseNormalization(onlyInput(inputs), { depthRadius, bias, alpha, beta });
  }
}
