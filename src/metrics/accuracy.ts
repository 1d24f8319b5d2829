/** How often predictions are right. */
import { thresholdHitsKernel, topHitsKernel } from '../../kernels/metric-hits.ts';
import { runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, sameShape } from '../core/shape.ts';
import { alignRanks } from '../nn/losses/pair.ts';
import { cast } from '../ops/cast.ts';
import { equal } from '../ops/compare.ts';
import { argMax } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import { type Metric, type MetricFunction, type MetricOptions, meanMetric, nameOf } from './metric.ts';

/** int32 labels, one for each row of the predictions `(…, classes)`; a last axis of 1 is dropped. */
export function labelsFor(op: string, yTrue: Tensor, yPred: Tensor): Tensor {
  if (yTrue.dtype !== 'int32')
    throw new DTypeError(
      `${op}: yTrue is ${yTrue.dtype}; labels are int32, so cast them: cast(yTrue, 'int32').`,
    );
  const labels =
    yTrue.rank === yPred.rank && yTrue.shape.at(-1) === 1 ? reshape(yTrue, yTrue.shape.slice(0, -1)) : yTrue;
  if (yPred.rank === 0 || !sameShape(labels.shape, yPred.shape.slice(0, -1))) {
    throw new ShapeError(
      `${op}: labels of shape ${formatShape(yTrue.shape)} and yPred of shape ${formatShape(yPred.shape)}; labels have the ` +
        `shape of yPred without its last axis, the classes, or with 1 there.`,
    );
  }
  return labels;
}

/** The position of the largest target: the first of equals. */
function labelsOfTargets(op: string, yTrue: Tensor, yPred: Tensor): Tensor {
  if (yPred.rank === 0 || !sameShape(yTrue.shape, yPred.shape)) {
    throw new ShapeError(
      `${op}: yTrue of shape ${formatShape(yTrue.shape)} and yPred of shape ${formatShape(yPred.shape)}; both must be ` +
        `(…, classes). Labels go to sparse${op.charAt(0).toUpperCase()}${op.slice(1)}.`,
    );
  }
  return argMax(yTrue, { axis: -1 });
}

/** Bool, shaped like yPred, but for a last axis of 1. */
function binaryHits(op: string, threshold: number): MetricFunction {
  return (yTrue, yPred) => {
    const [target, predicted] = alignRanks(yTrue, yPred);
    const wanted = target.dtype === 'uint8' ? cast(target, 'int32') : target;
    return runKernel1(op, thresholdHitsKernel, [predicted, wanted], { threshold });
  };
}

const sparseHits =
  (op: string): MetricFunction =>
  (yTrue, yPred) =>
    equal(labelsFor(op, yTrue, yPred), argMax(yPred, { axis: -1 }));

const categoricalHits =
  (op: string): MetricFunction =>
  (yTrue, yPred) =>
    equal(labelsOfTargets(op, yTrue, yPred), argMax(yPred, { axis: -1 }));

export interface BinaryAccuracyOptions extends MetricOptions {
  /** A prediction above it says 1, any other 0. For logits, pass 0. Default: 0.5. */
  threshold?: number;
}

/**
 * The share of elements where `(yPred > threshold) = yTrue`, for targets of 0 and 1 of any dtype, shaped like yPred but for
 * a last axis of 1. Other targets are never hit; a NaN prediction says 0.
 *
 * @throws ShapeError for other shapes.
 */
export function binaryAccuracy(options: BinaryAccuracyOptions = {}): Metric {
  const op = 'binaryAccuracy';
  const name = nameOf(op, options, ['threshold']);
  const { threshold = 0.5 } = options;
  checkNumber(op, 'threshold', threshold);
  return meanMetric(name, binaryHits(op, threshold));
}

/**
 * The share of rows where yPred `(…, classes)` is largest where yTrue, one-hot and of the same shape, is. Of equals the first
 * counts. Logits do as well as probabilities.
 *
 * @throws ShapeError for shapes that differ.
 */
export function categoricalAccuracy(options: MetricOptions = {}): Metric {
  const op = 'categoricalAccuracy';
  return meanMetric(nameOf(op, options), categoricalHits(op));
}

/**
 * The share of rows where yPred `(…, classes)` is largest at the class that an int32 label names. Of equals the first counts;
 * a label that is no class is never hit. Labels have the shape of yPred without its last axis, or with 1 there.
 *
 * @throws ShapeError and DTypeError for other labels.
 */
export function sparseCategoricalAccuracy(options: MetricOptions = {}): Metric {
  const op = 'sparseCategoricalAccuracy';
  return meanMetric(nameOf(op, options), sparseHits(op));
}

export interface TopKOptions extends MetricOptions {
  /** How many classes count. Default: 5. */
  k?: number;
}

function topK(
  op: string,
  options: TopKOptions,
  labelsOf: (op: string, t: Tensor, p: Tensor) => Tensor,
): Metric {
  const name = nameOf(op, options, ['k']);
  const { k = 5 } = options;
  checkNumber(op, 'k', k, { atLeast: 1, atMost: 2 ** 31 - 1, whole: true });
  return meanMetric(name, (yTrue, yPred) =>
    runKernel1(op, topHitsKernel, [yPred, labelsOf(op, yTrue, yPred)], { k }),
  );
}

/**
 * The share of rows where fewer than k classes are predicted above the one of the one-hot yTrue. Equals share a place, as in
 * Keras and TensorFlow: where all predictions are the same, each class is among the first. A row with a NaN is missed.
 *
 * @throws ShapeError for shapes that differ, ArgumentError unless k is a whole number ≥ 1.
 */
export const topKCategoricalAccuracy = (options: TopKOptions = {}): Metric =>
  topK('topKCategoricalAccuracy', options, labelsOfTargets);

/**
 * `topKCategoricalAccuracy` for int32 labels; a label that is no class is missed.
 *
 * @throws ShapeError and DTypeError for other labels, ArgumentError unless k is a whole number ≥ 1.
 */
export const sparseTopKCategoricalAccuracy = (options: TopKOptions = {}): Metric =>
  topK('sparseTopKCategoricalAccuracy', options, labelsFor);

/** Extents with the batch first; null where one is not known. */
export type PartialShape = readonly (number | null)[];

export interface AccuracyOptions extends MetricOptions {
  /** The loss that is minimised. Default: none. */
  loss?: string | null | undefined;
  /** The shape of yPred, the batch included. Default: that of the first batch. */
  outputShape?: PartialShape | undefined;
  /** The shape of yTrue, the batch included. Default: that of the first batch. */
  targetShape?: PartialShape | undefined;
}

function accuracyFor(target: PartialShape, output: PartialShape, loss: string | null): MetricFunction {
  const columns = output.at(-1);
  if (output.length <= 1 || columns === 1) return binaryHits('binaryAccuracy', 0.5);
  if (target.length < output.length || target.at(-1) === 1) return sparseHits('sparseCategoricalAccuracy');
  if (loss === 'binaryCrossentropy') return binaryHits('binaryAccuracy', 0.5);
  return categoricalHits('categoricalAccuracy');
}

/**
 * The accuracy that suits the shapes, which are those of the first batch unless they are given; the rule of Keras 3 for
 * `metrics=['accuracy']`:
 *
 * 1. yPred with a last axis of 1: `binaryAccuracy`; here also a yPred without a second axis, `(batch,)`.
 * 2. yTrue with fewer axes than yPred, or with a last axis of 1: `sparseCategoricalAccuracy`.
 * 3. Else: `categoricalAccuracy`. Other than Keras, `binaryAccuracy` if the loss is 'binaryCrossentropy': each column is
 *    then a question of its own, and a row has no single right class.
 *
 * (Keras's class `Accuracy`, which compares for equality, is `metrics.meanOf('accuracy', equal)`.)
 */
export function accuracy(options: AccuracyOptions = {}): Metric {
  const name = nameOf('accuracy', options, ['loss', 'outputShape', 'targetShape']);
  const { loss = null, outputShape, targetShape } = options;
  let chosen = outputShape && targetShape ? accuracyFor(targetShape, outputShape, loss) : null;
  return meanMetric(name, (yTrue, yPred) => {
    chosen ??= accuracyFor(yTrue.shape, yPred.shape, loss);
    return chosen(yTrue, yPred);
  });
}
