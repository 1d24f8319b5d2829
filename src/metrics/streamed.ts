/** What metrics over batches share that are no mean: their tensors on one device, and the classes of a batch. */
import { fillKernel } from '../../kernels/fill.ts';
import { copyOf } from '../autograd/engine-ops.ts';
import { noGrad } from '../autograd/modes.ts';
import { keep } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { isFloat } from '../core/dtype.ts';
import { DeviceMismatchError, ShapeError } from '../core/errors.ts';
import { formatShape, type Shape, sameShape } from '../core/shape.ts';
import { alignRanks } from '../nn/losses/pair.ts';
import { div, where } from '../ops/binary.ts';
import { cast } from '../ops/cast.ts';
import { equal, greater } from '../ops/compare.ts';
import { argMax } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import type { Device, Operand } from '../runtime/device.ts';
import { labelsFor } from './accuracy.ts';

/** Refuses a batch of another device than what was gathered. */
export function checkDevice(name: string, gathered: Tensor | undefined, device: Device): void {
  if (!gathered || gathered.device === device) return;
  throw new DeviceMismatchError(
    `${name}: its sums live on ${gathered.device.description}, the new values on ${device.description}; dispose() it to start anew there.`,
  );
}

/** Zeros that live until they are disposed. */
export function zerosFor(name: string, device: Device, shape: Shape): Tensor {
  const [made] = device.run(name, fillKernel, [], { shape, dtype: device.float, value: 0 }) as [Operand];
  return keep(Tensor.adopt(made, name));
}

/** Zeros in the same memory. */
export function clear(name: string, { device, shape, dtype, storage }: Tensor): void {
  device.run(name, fillKernel, [], { shape, dtype, value: 0 }, { into: [{ storage, shape, dtype }] });
}

/** a / b, and `otherwise` where b is 0. */
export const quotient = (a: Tensor, b: Tensor, otherwise = 0): Tensor =>
  where(equal(b, 0), otherwise, div(a, b));

/** The true and the predicted class of each sample, int32 or bool. */
export interface ClassPair {
  readonly truth: Tensor;
  readonly predicted: Tensor;
  /** As many as the scores tell apart; null where only labels were given. */
  readonly classes: number | null;
}

/** Yes where a float is above 1/2; bool and int32 stay as they are. */
function yesOrNo(target: Tensor): Tensor {
  if (isFloat(target.dtype)) return greater(target, 0.5);
  return target.dtype === 'uint8' ? cast(target, 'int32') : target;
}

/**
 * Classes from what a network is given and answers, by the rule of `accuracy`:
 *
 * 1. yPred (batch,) or with a last axis of 1: scores of class 1, which is predicted above the threshold.
 * 2. yTrue with fewer axes than yPred, or with a last axis of 1: int32 labels; predicted is the class with the highest score.
 * 3. Both of one shape: with the loss 'binaryCrossentropy' each column is a question as in 1, and all of them count together;
 *    else yTrue is one-hot.
 *
 * int32 or bool predictions are classes themselves.
 */
export function classesOf(
  name: string,
  yTrue: Tensor,
  yPred: Tensor,
  threshold: number,
  loss: string | null,
): ClassPair {
  const same = sameShape(yTrue.shape, yPred.shape);
  const labels = !isFloat(yPred.dtype);
  const questions = yPred.rank <= 1 || yPred.shape.at(-1) === 1 || (same && loss === 'binaryCrossentropy');
  if (labels || questions) {
    const [target, given] = alignRanks(yTrue, yPred);
    if (!sameShape(target.shape, given.shape)) {
      throw new ShapeError(
        `${name}: yTrue of shape ${formatShape(yTrue.shape)} and yPred of shape ${formatShape(yPred.shape)}; both must ` +
          `have one shape, but for a last axis of 1. Reshape one of them.`,
      );
    }
    if (!labels) return { truth: yesOrNo(target), predicted: greater(given, threshold), classes: 2 };
    if (given.dtype === 'bool') return { truth: yesOrNo(target), predicted: given, classes: 2 };
    return { truth: target, predicted: given, classes: null };
  }
  const classes = yPred.shape.at(-1) as number;
  const predicted = argMax(yPred, { axis: -1 });
  if (same) return { truth: argMax(yTrue, { axis: -1 }), predicted, classes };
  return { truth: labelsFor(name, yTrue, yPred), predicted, classes };
}

/** A copy that lives until it is disposed. */
export const copied = (x: Tensor): Tensor => keep(noGrad(() => copyOf(x)));

/** Without axes. */
export const scalar = (x: Tensor): Tensor => reshape(x, []);
