/** What every loss takes, and what it does to the losses of single samples: masks, weights, reduction. */
import { broadcastTo, stretchesTo } from '../../autograd/engine-ops.ts';
import { type NestedArray, Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { isFloat } from '../../core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../core/errors.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../../core/shape.ts';
import { div, maximum, mul, where } from '../../ops/binary.ts';
import { cast } from '../../ops/cast.ts';
import { notEqual } from '../../ops/compare.ts';
import { tensor } from '../../ops/create.ts';
import { gather } from '../../ops/indexing.ts';
import { assertTensor } from '../../ops/operand.ts';
import { checkOptions } from '../../ops/options.ts';
import { mean, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/shape.ts';
import type { Device } from '../../runtime/device.ts';

/**
 * - `sumOverBatchSize`: the sum divided by the number of losses, also when they have weights; with a mask by the number
 *   of losses that it keeps.
 * - `meanWithSampleWeight`: the sum divided by the sum of the weights.
 * - `none`: one loss for each sample.
 */
export type Reduction = 'sumOverBatchSize' | 'sum' | 'none' | 'meanWithSampleWeight';

const REDUCTIONS: readonly unknown[] = ['sumOverBatchSize', 'sum', 'none', 'meanWithSampleWeight'];

/** Numbers on the host, nested as their shape is, or a tensor. */
export type Weights = Tensor | NestedArray | readonly number[] | Float32Array | Float64Array;

export interface LossOptions {
  /**
   * A weight ≥ 0 for each loss. Of fewer axes, it counts for the leading ones: `(batch,)` weights whole samples; otherwise
   * it stretches as NumPy has it. Default: none.
   */
  sampleWeight?: Weights;
  /** A weight for each label, by its number; 1 for labels that are not named. It multiplies `sampleWeight`. */
  classWeight?: Readonly<Record<number, number>> | readonly number[];
  /** Losses that count: true, or not 0. Shaped like `sampleWeight`. Default: all. */
  mask?: Weights;
  /** Default: 'sumOverBatchSize'. */
  reduction?: Reduction;
}

const COMMON = ['sampleWeight', 'classWeight', 'mask', 'reduction'] as const;

/** Refuses unknown options, and a reduction that does not exist. */
export function checkLossOptions<T extends LossOptions>(
  op: string,
  options: T,
  own: readonly (keyof T & string)[] = [],
): void {
  checkOptions<LossOptions>(op, options, [...own, ...COMMON] as (keyof LossOptions)[], 'yTrue, yPred');
  const { reduction } = options;
  if (reduction !== undefined && !REDUCTIONS.includes(reduction)) {
    throw new ArgumentError(
      `${op}: there is no reduction ${describe(reduction)}; use ${REDUCTIONS.map((name) => `'${name}'`).join(', ')}.`,
    );
  }
}

/** Lays a weight or a mask beside the losses, so that it stretches to their shape. */
function fitted(op: string, what: string, weight: Tensor, shape: Shape): Tensor {
  let own = weight;
  if (own.rank === shape.length + 1 && own.shape.at(-1) === 1) own = reshape(own, own.shape.slice(0, -1));
  const missing = shape.length - own.rank;
  const leads = missing > 0 && own.shape.every((extent, axis) => extent === 1 || extent === shape[axis]);
  if (leads && own.rank > 0) return reshape(own, [...own.shape, ...new Array<number>(missing).fill(1)]);
  if (stretchesTo(own.shape, shape)) return own;
  throw new ShapeError(
    `${op}: a ${what} of shape ${formatShape(weight.shape)} for losses of shape ${formatShape(shape)}; pass a shape that ` +
      `stretches to that, or one with its leading axes.`,
  );
}

function tensorOf(op: string, what: string, value: Weights, device: Device): Tensor {
  if (value instanceof Tensor) {
    assertTensor(op, value);
    return value;
  }
  if (typeof value !== 'number' && !Array.isArray(value) && !ArrayBuffer.isView(value)) {
    throw new ArgumentError(
      `${op}: the ${what} is ${describe(value)}; pass a tensor or an array of numbers.`,
    );
  }
  return tensor(value as NestedArray | Float64Array, { device });
}

const isNegative = (value: Weights): boolean => {
  if (value instanceof Tensor) return false;
  if (typeof value === 'number') return value < 0;
  return typeof value === 'object' && [...value].some((part) => isNegative(part as NestedArray));
};

function sampleWeightOf(op: string, value: Weights, losses: Tensor): Tensor {
  if (isNegative(value))
    throw new ArgumentError(`${op}: a sampleWeight is negative; weights are numbers ≥ 0.`);
  const weight = tensorOf(op, 'sampleWeight', value, losses.device);
  if (!isFloat(weight.dtype)) {
    throw new DTypeError(`${op}: the sampleWeight is ${weight.dtype}; cast it: cast(sampleWeight, 'float').`);
  }
  return fitted(op, 'sampleWeight', weight, losses.shape);
}

function maskOf(op: string, value: Weights, losses: Tensor): Tensor {
  const mask = tensorOf(op, 'mask', value, losses.device);
  return fitted(op, 'mask', mask.dtype === 'bool' ? mask : notEqual(mask, 0), losses.shape);
}

/** Where class weights find the labels: one for each loss, and how many classes there are, if that is known. */
export interface Labels {
  readonly labels: Tensor;
  readonly classes?: number;
}

function classWeightOf(
  op: string,
  classWeight: NonNullable<LossOptions['classWeight']>,
  { labels, classes }: Labels,
  losses: Tensor,
): Tensor {
  if (typeof classWeight !== 'object' || classWeight === null)
    throw new ArgumentError(`${op}: classWeight is ${describe(classWeight)}; pass { 0: 1, 1: 5 }.`);
  if (!sameShape(labels.shape, losses.shape)) {
    throw new ShapeError(
      `${op}: classWeight needs one label for each loss, but there are labels of shape ${formatShape(labels.shape)} and ` +
        `losses of shape ${formatShape(losses.shape)}; give yTrue and yPred a last axis of 1, or use sampleWeight.`,
    );
  }
  const entries = Object.entries(classWeight).map(([label, weight]) => [Number(label), weight] as const);
  const largest = entries.reduce((most, [label]) => Math.max(most, label), 1);
  const table = new Float64Array(classes ?? largest + 1).fill(1);
  for (const [label, weight] of entries) {
    if (!Number.isInteger(label) || label < 0 || label >= table.length)
      throw new ArgumentError(
        `${op}: classWeight names the class ${label}; there are ${table.length}, from 0.`,
      );
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity))
      throw new ArgumentError(
        `${op}: the classWeight of ${label} is ${describe(weight)}; pass a number ≥ 0.`,
      );
    table[label] = weight;
  }
  return gather(tensor(table, { device: losses.device }), labels);
}

/** Applies mask and weights to the losses and reduces them; `ownMask` is what the loss itself leaves out. */
export function reduceLosses(
  op: string,
  losses: Tensor,
  options: LossOptions,
  labels: (() => Labels) | undefined,
  ownMask?: Tensor,
): Tensor {
  const { sampleWeight, classWeight, mask, reduction = 'sumOverBatchSize' } = options;
  const factors: Tensor[] = [];
  if (sampleWeight !== undefined) factors.push(sampleWeightOf(op, sampleWeight, losses));
  if (classWeight !== undefined) {
    if (!labels) throw new ArgumentError(`${op}: has no classes for a classWeight; use sampleWeight.`);
    factors.push(classWeightOf(op, classWeight, labels(), losses));
  }
  const masks: Tensor[] = [];
  if (mask !== undefined) masks.push(maskOf(op, mask, losses));
  if (ownMask) masks.push(ownMask);

  let weighted = factors.reduce((product, factor) => mul(product, factor), losses);
  for (const own of masks) weighted = where(own, weighted, 0); // Not a product: 0 · NaN would stay.
  if (reduction === 'none') return weighted;
  if (reduction === 'sum' || losses.size === 0) return sum(weighted);

  const counted = (values: readonly Tensor[]): Tensor => {
    const ones = values.map((own) => (own.dtype === 'bool' ? cast(own, 'float') : own));
    return ones.reduce((product, own) => mul(product, own));
  };
  if (reduction === 'meanWithSampleWeight' && factors.length > 0) {
    const weights = counted([...factors, ...masks]);
    const total = sum(broadcastTo(weights, losses.shape));
    // Of no weight at all the mean is 0, as in Keras.
    return div(sum(weighted), where(notEqual(total, 0), total, 1));
  }
  if (masks.length === 0) return mean(weighted);
  const kept = counted(masks);
  const share = mul(maximum(sum(kept), 1), losses.size / sizeOf(kept.shape));
  return div(sum(weighted), share);
}
