/**
 * Cross-entropies of classes and of yes-or-no questions, as Keras 3 has them. From logits, and from probabilities that come
 * straight out of `softmax` or `sigmoid`, they are one fused dispatch each way, exact for logits of any size; other
 * probabilities are cut to [1e-7, 1 − 1e-7], and those outside of [0, 1] are an error: at the call on the CPU device, else
 * told by the next readback, with NaN for their loss. A gradient with respect to such probabilities themselves needs
 * `retainGrad()` on them before the loss.
 */
import { type CrossEntropyAttrs, checkClasses } from '../../../kernels/cross-entropy.ts';
import { findOffence } from '../../../kernels/indexing.ts';
import { type Origin, originOf } from '../../autograd/origin.ts';
import { scope } from '../../autograd/scope.ts';
import { Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError, IndexError } from '../../core/errors.ts';
import { normalizeAxis } from '../../core/shape.ts';
import { add, mul, sub, where } from '../../ops/binary.ts';
import { equal, notEqual } from '../../ops/compare.ts';
import { type Indices, withIndices } from '../../ops/indices.ts';
import { assertTensor } from '../../ops/operand.ts';
import { argMax, mean, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/shape.ts';
import { log, neg } from '../../ops/unary.ts';
import { binaryCrossEntropyOf, crossEntropyOf, oneHotLabels, smooth } from './cross-entropy-ops.ts';
import { checkLossOptions, type LossOptions, reduceLosses } from './options.ts';
import { alignPair, checkPair, labelsOf } from './pair.ts';
import { clipped, clippedShares, probabilitySource } from './probability-op.ts';

interface ClassOptions extends LossOptions {
  /** Whether yPred holds logits rather than probabilities. Default: false. */
  fromLogits?: boolean;
  /** The axis of the classes. Default: −1. */
  axis?: number;
}

export interface CategoricalOptions extends ClassOptions {
  /** Moves this share of each target, in [0, 1), to all classes alike. Default: 0. */
  labelSmoothing?: number;
}

export interface SparseOptions extends ClassOptions {
  /** Samples with this label do not count. It need not be a class. Default: none. */
  ignoreClass?: number;
}

let warned = false;

/** Whether a loss with `fromLogits: true` would get probabilities: the output of a softmax or a sigmoid. */
export const doubleSoftmax = (yPred: Tensor): boolean => yPred.origin !== null;

function checkClassOptions(op: string, options: CategoricalOptions, yPred: Tensor): void {
  const { fromLogits = false, labelSmoothing = 0 } = options;
  if (typeof fromLogits !== 'boolean')
    throw new ArgumentError(`${op}: fromLogits is ${describe(fromLogits)}; pass true or false.`);
  if (typeof labelSmoothing !== 'number' || !(labelSmoothing >= 0 && labelSmoothing < 1))
    throw new ArgumentError(`${op}: labelSmoothing is ${describe(labelSmoothing)}; it lies in [0, 1).`);
  assertTensor(op, yPred);
  if (!fromLogits || warned || !doubleSoftmax(yPred)) return;
  warned = true;
  console.warn(
    `wgrad: ${op} with fromLogits: true got the output of ${yPred.origin?.op}. Remove that activation, or fromLogits: true; ` +
      `with both, the network learns slowly.`,
  );
}

/** The logits of a loss: yPred itself, or those behind it; null where it must work on probabilities. */
function logitsOf(op: Origin['op'], yPred: Tensor, fromLogits: boolean, axis: number): Tensor | null {
  if (fromLogits) return yPred;
  const origin = originOf(yPred);
  if (origin?.op !== op || origin.axis !== axis) return null;
  // Probabilities that were made outside of the graph stay outside of it.
  return yPred.requiresGrad || !origin.input.requiresGrad ? origin.input : origin.input.detach();
}

const source = (op: string, activation: string) =>
  probabilitySource(op, 'yPred', `apply ${activation} to it, or pass { fromLogits: true } for logits`);

const SOURCES = {
  categorical: source('categoricalCrossentropy', 'softmax'),
  sparse: source('sparseCategoricalCrossentropy', 'softmax'),
  binary: source('binaryCrossentropy', 'sigmoid'),
};

/**
 * −Σ t·ln p over the classes, for targets t like yPred: one-hot, or any distribution. With `fromLogits` p is
 * softmax(yPred), else yPred divided by its sum.
 *
 * ```ts
 * losses.categoricalCrossentropy(oneHot(labels, 10), logits, { fromLogits: true, labelSmoothing: 0.1 });
 * ```
 *
 * @throws ShapeError and DTypeError for targets unlike yPred; integer labels go to `sparseCategoricalCrossentropy`.
 * ValueRangeError for probabilities outside of [0, 1].
 */
export function categoricalCrossentropy(
  yTrue: Tensor,
  yPred: Tensor,
  options: CategoricalOptions = {},
): Tensor {
  const op = 'categoricalCrossentropy';
  checkLossOptions(op, options, ['fromLogits', 'labelSmoothing', 'axis']);
  checkPair(op, yTrue, yPred);
  checkClassOptions(op, options, yPred);
  const { fromLogits = false, labelSmoothing = 0, axis: place = -1 } = options;
  const axis = normalizeAxis(op, place, yPred.rank);
  const classes = yPred.shape[axis] as number;
  const attrs: CrossEntropyAttrs = { axis, from: 'targets', smoothing: labelSmoothing };
  checkClasses(op, yPred, yTrue, attrs);
  return scope(() => {
    const logits = logitsOf('softmax', yPred, fromLogits, axis);
    const losses = logits
      ? crossEntropyOf(logits, yTrue, attrs)
      : neg(
          sum(
            mul(smooth(yTrue, labelSmoothing, classes), log(clippedShares(SOURCES.categorical, yPred, axis))),
            { axis },
          ),
        );
    return reduceLosses(op, losses, options, () => ({ labels: argMax(yTrue, { axis }), classes }));
  });
}

/** Host labels are checked here, where an ignored one may be out of range. */
function checkHostLabels(
  op: string,
  labels: Tensor,
  given: Indices,
  classes: number,
  ignored?: number,
): void {
  if (given instanceof Tensor) return;
  const flat = typeof given === 'number' ? [given] : ([...(given as number[])].flat(8) as number[]);
  const data = Int32Array.from(flat, (label) => (label === ignored ? 0 : label));
  const found = findOffence({ shape: labels.shape, dtype: 'int32', data }, [classes], false);
  if (found) throw new IndexError(op, found.position, found.value, found.lowest, found.limit);
}

/**
 * −ln p of the class that an int32 label names, shaped like yPred without the axis of the classes (or with an extent of 1
 * there). With `fromLogits` p is softmax(yPred), else yPred divided by its sum. Labels are an int32 tensor or host
 * numbers.
 *
 * @throws IndexError for a label that is no class: at the call for host numbers, else by the next readback, and then
 * its loss is NaN. ValueRangeError for probabilities outside of [0, 1].
 */
export function sparseCategoricalCrossentropy(
  yTrue: Indices,
  yPred: Tensor,
  options: SparseOptions = {},
): Tensor {
  const op = 'sparseCategoricalCrossentropy';
  checkLossOptions(op, options, ['fromLogits', 'ignoreClass', 'axis']);
  const { fromLogits = false, ignoreClass, axis: place = -1 } = options;
  if (ignoreClass !== undefined && (!Number.isInteger(ignoreClass) || ignoreClass !== (ignoreClass | 0)))
    throw new ArgumentError(`${op}: ignoreClass is ${describe(ignoreClass)}; pass a whole number.`);
  checkClassOptions(op, options, yPred);
  const axis = normalizeAxis(op, place, yPred.rank);
  const classes = yPred.shape[axis] as number;
  if (yTrue instanceof Tensor) checkPair(op, yTrue, yPred);
  return withIndices(
    op,
    yPred.device,
    yTrue,
    () => [Number.POSITIVE_INFINITY], // Not here: an ignored label need not be a class.
    (given) => {
      const squeezed = given.rank === yPred.rank && given.shape[axis] === 1;
      const labels = squeezed
        ? reshape(
            given,
            given.shape.filter((_, at) => at !== axis),
          )
        : given;
      const host = !(yTrue instanceof Tensor);
      const attrs: CrossEntropyAttrs = { axis, from: 'labels', ignored: ignoreClass, checked: host };
      checkClasses(op, yPred, labels, attrs);
      checkHostLabels(op, labels, yTrue, classes, ignoreClass);
      const kept = ignoreClass === undefined ? undefined : notEqual(labels, ignoreClass);
      const logits = logitsOf('softmax', yPred, fromLogits, axis);
      let losses: Tensor;
      if (logits) losses = crossEntropyOf(logits, labels, attrs);
      else {
        const hot = oneHotLabels(op, labels, classes, attrs);
        losses = neg(sum(mul(hot, log(clippedShares(SOURCES.sparse, yPred, axis))), { axis }));
        if (kept) losses = where(kept, losses, 0);
      }
      const own = (): Tensor =>
        ignoreClass === undefined ? labels : where(equal(labels, ignoreClass), 0, labels);
      return reduceLosses(op, losses, options, () => ({ labels: own(), classes }), kept);
    },
  );
}

/**
 * The mean over an axis of −t·ln p − (1 − t)·ln(1 − p), for targets t like yPred, each in [0, 1]. With `fromLogits` p is
 * σ(yPred). Smoothed targets are t·(1 − s) + s/2.
 *
 * @throws ValueRangeError for probabilities outside of [0, 1].
 */
export function binaryCrossentropy(yTrue: Tensor, yPred: Tensor, options: CategoricalOptions = {}): Tensor {
  const op = 'binaryCrossentropy';
  checkLossOptions(op, options, ['fromLogits', 'labelSmoothing', 'axis']);
  checkClassOptions(op, options, yPred);
  const { fromLogits = false, labelSmoothing = 0, axis: place = -1 } = options;
  return scope(() => {
    const [target, pred] = alignPair(op, yTrue, yPred);
    const axis = normalizeAxis(op, place, pred.rank);
    const behind = logitsOf('sigmoid', yPred, fromLogits, 0);
    let each: Tensor;
    if (behind) each = binaryCrossEntropyOf(reshape(behind, pred.shape), target, labelSmoothing);
    else {
      const t = smooth(target, labelSmoothing, 2);
      const p = clipped(SOURCES.binary, pred);
      each = neg(add(mul(t, log(p)), mul(sub(1, t), log(sub(1, p)))));
    }
    return reduceLosses(op, mean(each, { axis }), options, () => labelsOf(target));
  });
}
