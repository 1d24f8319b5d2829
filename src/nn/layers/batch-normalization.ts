/** Batch normalisation as a layer. */
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumbers } from '../../core/check.ts';
import { batchNorm } from '../../ops/batch-norm.ts';
import type { CallContext } from '../call-context.ts';
import * as initializers from '../initializers/index.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import type { Parameter } from '../parameter.ts';
import type { PartialShape } from '../partial-shape.ts';
import {
  AFFINE_OPTIONS,
  type AffineOptions,
  type AffineSettings,
  type AffineWeights,
  addAffine,
  affineSettings,
  affineValues,
} from './affine-options.ts';
import { onlyInput, onlyShape } from './check.ts';
import { channelsOf } from './normalization.ts';

export interface BatchNormalizationOptions extends LayerOptions, AffineOptions {
  /** The axis of the channels. Default: −1. */
  axis?: number;
  /** How much of the moving statistics stays at an update. Default: 0.99. */
  momentum?: number;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
  /** Default: zeros. */
  movingMeanInitializer?: initializers.InitializerLike;
  /** Default: ones. */
  movingVarianceInitializer?: initializers.InitializerLike;
}

interface Weights extends AffineWeights {
  readonly movingMean: Parameter;
  readonly movingVariance: Parameter;
}

/**
 * (x − mean)/√(variance + epsilon)·gamma + beta for each channel; gamma, beta, movingMean and movingVariance (channels,).
 * In training by the mean and variance of the batch, which also move the moving ones; else by the moving ones. A frozen
 * layer (`trainable` false) behaves as out of training, whatever is around it, as in Keras. A mask goes on, but steps that are
 * masked count in the statistics as well, unlike Keras. See `batchNorm`.
 *
 * @throws ArgumentError for a momentum outside of [0, 1] and an epsilon that is not above 0; ShapeError for channels that are
 *   not known when it is built, or others than then.
 */
export class BatchNormalization extends Layer<BatchNormalizationOptions> {
  readonly #affine: AffineSettings;
  readonly #movingMean: initializers.Initializer;
  readonly #movingVariance: initializers.Initializer;
  #weights: Weights | null = null;

  constructor(options: BatchNormalizationOptions = {}) {
    const op = 'batchNormalization';
    super(options, op, [
      'axis',
      'momentum',
      'epsilon',
      'movingMeanInitializer',
      'movingVarianceInitializer',
      ...AFFINE_OPTIONS,
    ]);
    checkNumbers(op, { axis: options.axis }, { whole: true });
    checkNumbers(op, { momentum: options.momentum }, { atLeast: 0, atMost: 1 });
    checkNumbers(op, { epsilon: options.epsilon }, { above: 0 });
    this.#affine = affineSettings(op, options);
    this.#movingMean = initializers.get(options.movingMeanInitializer ?? 'zeros');
    this.#movingVariance = initializers.get(options.movingVarianceInitializer ?? 'ones');
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override build(inputShapes: readonly PartialShape[]): void {
    const shape = [channelsOf(this.type, onlyShape(inputShapes), this.options.axis ?? -1)];
    const moving = (name: string, initializer: initializers.Initializer): Parameter =>
      this.addWeight(name, shape, { initializer, trainable: false });
    this.#weights = {
      ...addAffine(this, this.#affine, shape),
      movingMean: moving('movingMean', this.#movingMean),
      movingVariance: moving('movingVariance', this.#movingVariance),
    };
  }

  override call(inputs: readonly Tensor[], { training }: CallContext): Tensor {
    const { axis = -1, momentum = 0.99, epsilon = 1e-3 } = this.options;
    const weights = this.#weights as Weights;
    return batchNorm(onlyInput(inputs), {
      ...affineValues(weights),
      movingMean: weights.movingMean.value,
      movingVariance: weights.movingVariance.value,
      training: training && this.trainable,
      axis,
      momentum,
      epsilon,
    });
  }
}
