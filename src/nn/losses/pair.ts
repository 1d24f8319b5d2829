/** Targets and predictions on their way into a loss that compares them element by element. */

import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { isFloat } from '../../core/dtype.ts';
import { DeviceMismatchError, DTypeError, ShapeError } from '../../core/errors.ts';
import { formatShape, sameShape } from '../../core/shape.ts';
import { cast } from '../../ops/cast.ts';
import { assertTensor } from '../../ops/operand.ts';
import { argMax, mean } from '../../ops/reduce.ts';
import { reshape } from '../../ops/shape.ts';
import { round } from '../../ops/unary.ts';
import { checkLossOptions, type LossOptions, reduceLosses } from './options.ts';
import type { Labels } from './weights.ts';

/** Keras' constant: what probabilities and divisors are kept away from 0 by. */
export const EPSILON = 1e-7;

/** Refuses what is no pair of tensors of one device. */
export function checkPair(op: string, yTrue: unknown, yPred: unknown): void {
  assertTensor(op, yTrue);
  assertTensor(op, yPred);
  if (yTrue.device !== yPred.device)
    throw new DeviceMismatchError(`${op}: yTrue and yPred live on different devices; use toDevice() first.`);
}

/** Gives a tensor another last axis of 1, or takes it away, so that both have one rank, as Keras does. */
export function alignRanks(yTrue: Tensor, yPred: Tensor): [Tensor, Tensor] {
  const align = (longer: Tensor, shorter: Tensor): [Tensor, Tensor] => {
    if (longer.rank !== shorter.rank + 1 || longer.shape.at(-1) !== 1) return [longer, shorter];
    if (shorter.rank === 1) return [longer, reshape(shorter, [...shorter.shape, 1])];
    return [reshape(longer, longer.shape.slice(0, -1)), shorter];
  };
  if (yTrue.rank > yPred.rank) return align(yTrue, yPred);
  const [pred, target] = align(yPred, yTrue);
  return [target, pred];
}

/** Both as floats of one shape, with at least one axis. */
export function alignPair(op: string, yTrue: Tensor, yPred: Tensor): [yTrue: Tensor, yPred: Tensor] {
  checkPair(op, yTrue, yPred);
  for (const [name, { dtype }] of [
    ['yTrue', yTrue],
    ['yPred', yPred],
  ] as const) {
    if (!isFloat(dtype))
      throw new DTypeError(`${op}: ${name} is ${dtype}; cast it first: cast(${name}, 'float').`);
  }
  const [target, pred] = alignRanks(yTrue, yPred);
  if (!sameShape(target.shape, pred.shape) || target.rank === 0) {
    throw new ShapeError(
      `${op}: yTrue of shape ${formatShape(yTrue.shape)} and yPred of shape ${formatShape(yPred.shape)}; both must have one ` +
        `shape (batch, …), but for a last axis of 1. Reshape one of them.`,
    );
  }
  return [target, pred];
}

/** The label of each sample, as Keras finds it for class weights: the largest of the last axis, or its only number. */
export const labelsOf = (yTrue: Tensor): Labels =>
  yTrue.shape.at(-1) === 1
    ? { labels: cast(reshape(round(yTrue), yTrue.shape.slice(0, -1)), 'int32') }
    : { labels: argMax(yTrue, { axis: -1 }), classes: yTrue.shape.at(-1) as number };

/** A loss of the last axis: `f` gives one number for each sample. */
export const lossOf =
  (op: string, f: (yTrue: Tensor, yPred: Tensor) => Tensor) =>
  (yTrue: Tensor, yPred: Tensor, options: LossOptions = {}): Tensor => {
    checkLossOptions(op, options);
    return scope(() => {
      const [target, pred] = alignPair(op, yTrue, yPred);
      return reduceLosses(op, f(target, pred), options, () => labelsOf(target));
    });
  };

/** The mean of the last axis. */
export const meanOfLast = (x: Tensor): Tensor => mean(x, { axis: -1 });
