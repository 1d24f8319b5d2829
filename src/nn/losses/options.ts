/** What every loss takes, and what it does to the losses of single samples: masks, weights, reduction. */
import { broadcastTo } from '../../autograd/engine-ops.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { ArgumentError } from '../../core/errors.ts';
import { unknownName } from '../../core/nearest.ts';
import { sizeOf } from '../../core/shape.ts';
import { div, maximum, mul, where } from '../../ops/binary.ts';
import { cast } from '../../ops/cast.ts';
import { notEqual } from '../../ops/compare.ts';
import { checkOptions } from '../../ops/options.ts';
import { mean, sum } from '../../ops/reduce.ts';
import {
  type ClassWeight,
  classWeightOf,
  type Labels,
  maskOf,
  sampleWeightOf,
  type Weights,
} from './weights.ts';

/**
 * - `sumOverBatchSize`: the sum divided by the number of losses, also when they have weights; with a mask by the number
 *   of losses that it keeps.
 * - `meanWithSampleWeight`: the sum divided by the sum of the weights.
 * - `none`: one loss for each sample.
 */
export type Reduction = 'sumOverBatchSize' | 'sum' | 'none' | 'meanWithSampleWeight';

const REDUCTIONS: readonly Reduction[] = ['sumOverBatchSize', 'sum', 'none', 'meanWithSampleWeight'];

export interface LossOptions {
  /**
   * A weight ≥ 0 for each loss. Of fewer axes, it counts for the leading ones: `(batch,)` weights whole samples; otherwise
   * it stretches as NumPy has it. Default: none.
   */
  sampleWeight?: Weights;
  /** A weight for each label, by its number; 1 for labels that are not named. It multiplies `sampleWeight`. */
  classWeight?: ClassWeight;
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
  if (reduction !== undefined && !REDUCTIONS.includes(reduction))
    throw unknownName(op, 'reduction', reduction, REDUCTIONS);
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
