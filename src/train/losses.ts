/** Losses by name, with their options, or as functions. */
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { unknownName } from '../core/nearest.ts';
import { sameShape } from '../core/shape.ts';
import * as losses from '../nn/losses/index.ts';
import { reduceLosses } from '../nn/losses/options.ts';
import { labelsOf } from '../nn/losses/pair.ts';
import { cast } from '../ops/cast.ts';
import { assertTensor } from '../ops/operand.ts';

/** What `fit` passes to a loss on top of targets and predictions. */
export interface LossCallOptions {
  /** What of the predictions counts, where layers masked some. */
  readonly mask?: Tensor;
  readonly sampleWeight?: Tensor;
  readonly classWeight?: Readonly<Record<number, number>>;
}

/**
 * One loss for each sample, `(batch, …)`, which is weighted and averaged as the named ones are; or a scalar. What makes a
 * scalar and shall heed weights takes them as its third parameter.
 */
export type LossFunction = (yTrue: Tensor, yPred: Tensor, options?: LossCallOptions) => Tensor;

const NAMED = {
  binaryCrossentropy: losses.binaryCrossentropy,
  categoricalCrossentropy: losses.categoricalCrossentropy,
  categoricalHinge: losses.categoricalHinge,
  cosineSimilarity: losses.cosineSimilarity,
  hinge: losses.hinge,
  huber: losses.huber,
  klDivergence: losses.klDivergence,
  logCosh: losses.logCosh,
  meanAbsoluteError: losses.meanAbsoluteError,
  meanAbsolutePercentageError: losses.meanAbsolutePercentageError,
  meanSquaredError: losses.meanSquaredError,
  meanSquaredLogarithmicError: losses.meanSquaredLogarithmicError,
  poisson: losses.poisson,
  sparseCategoricalCrossentropy: losses.sparseCategoricalCrossentropy,
  squaredHinge: losses.squaredHinge,
};

const SHORT = {
  mae: NAMED.meanAbsoluteError,
  mape: NAMED.meanAbsolutePercentageError,
  mse: NAMED.meanSquaredError,
  msle: NAMED.meanSquaredLogarithmicError,
};

const ALL = { ...NAMED, ...SHORT };

export type LossName = keyof typeof ALL;

/** A name with options: `{ loss: 'sparseCategoricalCrossentropy', fromLogits: true }`. */
export interface LossJson {
  readonly loss: LossName;
  readonly [option: string]: unknown;
}

export type LossLike = LossName | LossJson | LossFunction;

export interface ResolvedLoss {
  /** Null for a function of the user's own. */
  readonly name: string | null;
  /** Whether it takes logits; null where only the function knows. */
  readonly fromLogits: boolean | null;
  /** Whether its targets are the numbers of classes. */
  readonly sparse: boolean;
  readonly call: LossFunction;
}

/** The function with a scalar result; weights that would count for nothing are refused. */
const reducing =
  (own: LossFunction): LossFunction =>
  (yTrue, yPred, options = {}) => {
    const op = own.name || 'loss';
    const weights = Object.keys(options);
    const result = own(yTrue, yPred, options);
    assertTensor(`${op}: what the loss returned`, result);
    const takesWeights = own.length > 2;
    if (result.rank > 0) {
      const labels = () =>
        sameShape(yTrue.shape, result.shape)
          ? { labels: cast(yTrue, 'int32') }
          : labelsOf(isFloat(yTrue.dtype) ? yTrue : cast(yTrue, 'float'));
      return reduceLosses(op, result, takesWeights ? {} : options, labels);
    }
    if (weights.length > 0 && !takesWeights)
      throw new ArgumentError(
        `${op}: the loss is a scalar already and cannot heed the ${weights.join(' and the ')}; return one loss for each sample, ` +
          `or take the weights: (yTrue, yPred, options) => ….`,
      );
    return result;
  };

/**
 * The loss that a name stands for, with its options.
 *
 * @throws ArgumentError, with the nearest name, where there is none.
 */
export function lossOf(op: string, given: LossLike): ResolvedLoss {
  if (typeof given === 'function') {
    const [name] = Object.entries(ALL).find(([, own]) => (own as unknown) === given) ?? [null];
    return name === null
      ? { name, fromLogits: null, sparse: false, call: reducing(given) }
      : lossOf(op, name as LossName);
  }
  const json: unknown = typeof given === 'string' ? { loss: given } : given;
  if (typeof json !== 'object' || json === null || !('loss' in json)) {
    throw new ArgumentError(
      `${op}: the loss is ${describe(given)}; pass a name such as 'meanSquaredError', { loss: name, …options }, or a function.`,
    );
  }
  const { loss: name, ...options } = json as LossJson;
  if (typeof name !== 'string' || !Object.hasOwn(ALL, name))
    throw unknownName(op, 'loss', name, Object.keys(ALL));
  const own = ALL[name] as (yTrue: Tensor, yPred: Tensor, options: object) => Tensor;
  return {
    name,
    fromLogits: 'fromLogits' in options ? options.fromLogits === true : false,
    sparse: name === 'sparseCategoricalCrossentropy',
    call: (yTrue, yPred, more = {}) => own(yTrue, yPred, { ...options, ...more }),
  };
}
