/** Areas under curves over batches: exact, so that they keep the score of every sample. */
import { oneHotKernel } from '../../kernels/gather.ts';
import { noGrad } from '../autograd/modes.ts';
import { runKernel1 } from '../autograd/op.ts';
import { keep, scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { isFloat } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, sameShape } from '../core/shape.ts';
import { alignRanks, checkPair } from '../nn/losses/pair.ts';
import { add, div, mul, sub, where } from '../ops/binary.ts';
import { cast } from '../ops/cast.ts';
import { equal, greater, isNaN as isNaNOf, notEqual } from '../ops/compare.ts';
import { full, zeros } from '../ops/create.ts';
import { gather, scatterAdd } from '../ops/indexing.ts';
import { any, sum } from '../ops/reduce.ts';
import { cumsum } from '../ops/scan.ts';
import { broadcastTo, reshape } from '../ops/shape.ts';
import { along } from '../ops/slice.ts';
import { argsort } from '../ops/sort.ts';
import { concat, stack } from '../ops/structure.ts';
import { type Metric, type MetricOptions, nameOf, weightsFor } from './metric.ts';
import { checkDevice, copied, quotient } from './streamed.ts';

/** By descending threshold, one for equal scores, and behind them zeros: weights of negatives and of positives. */
interface Groups {
  readonly negative: Tensor;
  readonly positive: Tensor;
  /** Sums up to and with each. */
  readonly fps: Tensor;
  readonly tps: Tensor;
}

/** The scores and the weights as positives and as negatives of each sample, (3, samples), in chunks. */
class RankingMetric implements Metric {
  readonly name: string;
  readonly #area: (groups: Groups) => Tensor;
  #chunks: Tensor[] = [];

  constructor(name: string, area: (groups: Groups) => Tensor) {
    this.name = name;
    this.#area = area;
  }

  update(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor): void {
    const { name } = this;
    checkPair(name, yTrue, yPred);
    checkDevice(name, this.#chunks[0], yTrue.device);
    noGrad(() =>
      scope(() => {
        const { truth, scores } = questionsOf(name, yTrue, yPred);
        const weights = sampleWeight && weightsFor(name, sampleWeight, scores);
        if (scores.size === 0) return;
        const flat = (x: Tensor): Tensor => reshape(x, [scores.size]);
        const weighed = (share: Tensor): Tensor => {
          if (!weights) return flat(share);
          const ones = scores.shape.map((extent, axis) => (axis < weights.rank ? extent : 1));
          return flat(mul(share, broadcastTo(reshape(weights, ones), scores.shape)));
        };
        const positive = positivesOf(name, truth);
        const chunk = stack([flat(scores), weighed(positive), weighed(sub(1, positive))]);
        this.#add(keep(chunk));
      }),
    );
  }

  /** Joins chunks of like size, so that there are few, and each number is moved log₂(batches) times. */
  #add(chunk: Tensor): void {
    let own = chunk;
    for (let before = this.#chunks.at(-1); before; before = this.#chunks.at(-1)) {
      if ((before.shape[1] as number) > (own.shape[1] as number)) break;
      const joined = keep(concat([before, own], 1));
      this.#chunks.pop();
      before.dispose();
      own.dispose();
      own = joined;
    }
    this.#chunks.push(own);
  }

  result(): Tensor {
    if (this.#chunks.length === 0) return zeros([]);
    return noGrad(() =>
      scope(() => {
        const all = concat(this.#chunks, 1);
        const scores = reshape(along(all, 0, 0, 1), [all.shape[1] as number]);
        const { device } = all;
        return where(
          any(isNaNOf(scores)),
          full([], Number.NaN, { device }),
          this.#area(groupsOf(all, scores)),
        );
      }),
    );
  }

  reset(): void {
    this.dispose();
  }

  state(): Readonly<Record<string, Tensor>> {
    return Object.fromEntries(this.#chunks.map((chunk, index) => [`chunk${index}`, chunk]));
  }

  restore(state: Readonly<Record<string, Tensor>>): void {
    this.dispose();
    for (let chunk = state.chunk0; chunk; chunk = state[`chunk${this.#chunks.length}`])
      this.#chunks.push(copied(chunk));
  }

  dispose(): void {
    for (const chunk of this.#chunks) chunk.dispose();
    this.#chunks = [];
  }
}

/** Both of one shape: what is true, and how high it scores. */
function questionsOf(name: string, yTrue: Tensor, yPred: Tensor): { truth: Tensor; scores: Tensor } {
  if (!isFloat(yPred.dtype))
    throw new DTypeError(
      `${name}: yPred is ${yPred.dtype}; scores are floats, so cast it: cast(yPred, 'float').`,
    );
  // Labels beside the probabilities of two classes: those of class 1 are the scores.
  const pair = yPred.rank > 1 && yPred.shape.at(-1) === 2 && yTrue.size * 2 === yPred.size;
  const [truth, scores] = alignRanks(yTrue, pair ? along(yPred, yPred.rank - 1, 1, 2) : yPred);
  if (sameShape(truth.shape, scores.shape)) return { truth, scores };
  throw new ShapeError(
    `${name}: yTrue of shape ${formatShape(yTrue.shape)} and yPred of shape ${formatShape(yPred.shape)}; both must have one ` +
      `shape, but for a last axis of 1. For several classes, ask metrics.rocAucScore once for all samples.`,
  );
}

/** 1 where it is yes, floats above 1/2 among them, else 0. */
function positivesOf(name: string, truth: Tensor): Tensor {
  if (isFloat(truth.dtype)) return cast(greater(truth, 0.5), 'float');
  if (truth.dtype === 'bool') return cast(truth, 'float');
  const labels = truth.dtype === 'int32' ? truth : cast(truth, 'int32');
  const attrs = { depth: 2, onValue: 1, offValue: 0, dtype: truth.device.float, checked: false };
  const both = runKernel1(name, oneHotKernel, [labels], attrs);
  return reshape(along(both, truth.rank, 1, 2), truth.shape);
}

function groupsOf(all: Tensor, scores: Tensor): Groups {
  const count = scores.size;
  const sorted = gather(all, argsort(scores, { descending: true }), 1);
  const row = (index: number, from = 0, to = count): Tensor =>
    reshape(along(along(sorted, 0, index, index + 1), 1, from, to), [to - from]);
  const { device } = all;
  // A new group starts where the score is another one than before.
  const first = zeros([1], { dtype: 'int32', device });
  const starts = concat([first, cast(notEqual(row(0, 1), row(0, 0, count - 1)), 'int32')]);
  const group = cumsum(starts, 0);
  const inGroups = (values: Tensor): Tensor => scatterAdd(zeros([count], { device }), group, values);
  const [positive, negative] = [inGroups(row(1)), inGroups(row(2))];
  return { positive, negative, tps: cumsum(positive, 0), fps: cumsum(negative, 0) };
}

/**
 * The area under the ROC curve of all samples, exact, with equal scores sharing a threshold: `rocAucScore` of all batches; NaN with
 * one class only, or where a score is NaN, and 0 before the first batch. yTrue holds 0 and 1 of any dtype, and is shaped like
 * yPred but for a last axis of 1; of probabilities of two classes beside labels those of class 1 count.
 *
 * It keeps three floats for each sample on the device (12 bytes on a GPU), sorts them when it is asked for its result, and is
 * exact up to 2²⁴ samples. Its `state()` has as many tensors as there are chunks.
 *
 * @throws ShapeError and DTypeError for what does not fit. An int32 label other than 0 and 1 is an IndexError, on a GPU told by the
 *   next readback.
 */
export const auc = (options: MetricOptions = {}): Metric =>
  new RankingMetric(nameOf('auc', options), ({ positive, negative, tps }) => {
    const [positives, negatives] = [sum(positive), sum(negative)];
    const below = sub(tps, mul(positive, 0.5));
    const area = sum(mul(div(negative, negatives), div(below, positives)));
    const nothing = full([], Number.NaN, { device: positive.device });
    return where(equal(mul(positives, negatives), 0), nothing, area);
  });

/**
 * Average precision of all samples, exact: `averagePrecisionScore` of all batches; 0 without positives. What it takes, memory and
 * errors as of `auc`.
 */
export const averagePrecision = (options: MetricOptions = {}): Metric =>
  new RankingMetric(nameOf('averagePrecision', options), ({ positive, tps, fps }) => {
    const precision = quotient(tps, add(tps, fps));
    return quotient(sum(mul(positive, precision)), sum(positive));
  });
