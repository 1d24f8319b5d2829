/** Losses. */
import { crossEntropyGradientKernel, crossEntropyKernel } from '../../../kernels/cross-entropy.ts';
import {
  binaryCrossEntropyGradientKernel,
  binaryCrossEntropyKernel,
} from '../../../kernels/cross-entropy-binary.ts';
import { ctcGradientKernel, ctcKernel } from '../../../kernels/ctc.ts';
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import * as losses from '../../nn/losses/index.ts';
import { softmax } from '../../ops/softmax.ts';
import { sigmoid } from '../../ops/unary.ts';
import {
  awayFromZero,
  type CatalogEntry,
  differentiable,
  type GradCase,
  given,
  gradCase,
  type InputSpec,
  within,
} from './types.ts';

type Options = losses.CategoricalOptions;
type Loss = (yTrue: Tensor, yPred: Tensor, options?: Options) => Tensor;

const WEIGHTED: Options = { sampleWeight: [0.5, 2, 1], mask: [1, 0, 1], reduction: 'meanWithSampleWeight' };

const item = (name: string, loss: Loss, t: InputSpec, p: InputSpec, options?: Options): GradCase =>
  gradCase(name, (yTrue, yPred) => loss(yTrue as Tensor, yPred as Tensor, options), t, p);

/** A loss of pairs in three shapes, once per sample and once with weights and a mask. */
const entry = (
  name: string,
  loss: Loss,
  t: (shape: number[]) => InputSpec,
  p: (shape: number[]) => InputSpec,
): CatalogEntry =>
  differentiable(
    `losses.${name}`,
    'loss',
    [],
    [
      item('batch mean', loss, t([4, 3]), p([4, 3])),
      item('each sample', loss, t([2, 3, 2]), p([2, 3, 2]), { reduction: 'none' }),
      item('weights and a mask', loss, t([3, 5]), p([3, 5]), WEIGHTED),
    ],
  );

const low = (shape: number[]) => within(-2, -0.2, shape);
const high = (shape: number[]) => within(0.1, 2, shape, 1);
const share = (shape: number[]) => within(0.1, 0.9, shape);
const other = (shape: number[]) => within(0.15, 0.95, shape, 3);
const any = (shape: number[]) => within(-2, 2, shape, 4);
const signs = (shape: number[]) => awayFromZero(shape);

/** Labels as plain inputs, so that they travel to the device of the case. */
const labels = (values: readonly number[], shape?: readonly number[]) => given(values, shape, 'int32');

const sparse = (name: string, p: InputSpec, own: InputSpec, options: losses.SparseOptions = {}): GradCase =>
  gradCase(
    name,
    (yPred, yTrue) => losses.sparseCategoricalCrossentropy(yTrue as Tensor, yPred as Tensor, options),
    p,
    own,
  );

const crossEntropy = [crossEntropyKernel, crossEntropyGradientKernel];
const binary = [binaryCrossEntropyKernel, binaryCrossEntropyGradientKernel];

const ctcCase = (
  name: string,
  shape: readonly number[],
  own: InputSpec,
  options: losses.CtcOptions = {},
): GradCase =>
  gradCase(
    name,
    (yPred, yTrue) => losses.ctc(yTrue as Tensor, yPred as Tensor, options),
    within(-1.5, 1.5, shape),
    own,
  );

export const lossEntries: readonly CatalogEntry[] = [
  differentiable('losses.categoricalCrossentropy', 'loss', crossEntropy, [
    item('logits', losses.categoricalCrossentropy, share([3, 4]), any([3, 4]), { fromLogits: true }),
    item('logits, smoothed, axis 1', losses.categoricalCrossentropy, share([2, 3, 2]), any([2, 3, 2]), {
      fromLogits: true,
      labelSmoothing: 0.1,
      axis: 1,
      reduction: 'none',
    }),
    item('probabilities', losses.categoricalCrossentropy, share([3, 4]), other([3, 4]), {
      labelSmoothing: 0.2,
    }),
    item(
      'behind a softmax',
      (t, p, options) => scope(() => losses.categoricalCrossentropy(t, softmax(p), options)),
      share([3, 5]),
      any([3, 5]),
      WEIGHTED,
    ),
  ]),
  differentiable('losses.sparseCategoricalCrossentropy', 'loss', crossEntropy, [
    sparse('logits', any([3, 4]), labels([2, 0, 3]), { fromLogits: true, classWeight: { 0: 2, 3: 0.5 } }),
    sparse('logits, ignoring, axis 1', any([2, 3, 2]), labels([2, -1, 0, 1], [2, 2]), {
      fromLogits: true,
      axis: 1,
      ignoreClass: -1,
    }),
    sparse('probabilities, ignoring', other([3, 4]), labels([2, 0, 3]), { ignoreClass: 0 }),
    gradCase(
      'behind a softmax',
      (p, t) =>
        scope(() =>
          losses.sparseCategoricalCrossentropy(t as Tensor, softmax(p as Tensor), { reduction: 'none' }),
        ),
      any([4, 3]),
      labels([0, 1, 2, 1]),
    ),
  ]),
  differentiable('losses.binaryCrossentropy', 'loss', binary, [
    item('logits', losses.binaryCrossentropy, share([3, 2]), any([3, 2]), { fromLogits: true }),
    item('logits, smoothed', losses.binaryCrossentropy, share([2, 3, 2]), any([2, 3, 2]), {
      fromLogits: true,
      labelSmoothing: 0.1,
      reduction: 'none',
    }),
    item('probabilities', losses.binaryCrossentropy, share([3, 4]), other([3, 4]), { labelSmoothing: 0.2 }),
    item(
      'behind a sigmoid',
      (t, p, options) => scope(() => losses.binaryCrossentropy(t, sigmoid(p), options)),
      share([3, 5]),
      any([3, 5]),
      WEIGHTED,
    ),
  ]),
  {
    ...differentiable(
      'losses.ctc',
      'loss',
      [ctcKernel, ctcGradientKernel],
      [
        ctcCase('repeated labels', [2, 5, 3], labels([1, 1, 2, 0], [2, 2])),
        ctcCase('lengths', [2, 6, 4], labels([1, 3, 2, 2, 1, 0], [2, 3]), {
          labelLength: [3, 2],
          inputLength: [6, 4],
          reduction: 'sum',
        }),
        ctcCase('the last class as blank', [1, 4, 3], labels([0, 1], [1, 2]), { blank: 2 }),
        ctcCase('no labels', [2, 3, 3], labels([0, 0], [2, 1]), { reduction: 'none' }),
      ],
    ),
    secondOrder: 'the forward-backward recursion is not differentiated again',
  },
  entry('meanSquaredError', losses.meanSquaredError, any, low),
  entry('meanAbsoluteError', losses.meanAbsoluteError, low, high),
  entry('meanSquaredLogarithmicError', losses.meanSquaredLogarithmicError, share, high),
  entry('meanAbsolutePercentageError', losses.meanAbsolutePercentageError, low, high),
  differentiable(
    'losses.huber',
    'loss',
    [],
    [
      item('both branches', losses.huber, given([0, 0, 0, 0], [2, 2]), given([0.25, -0.5, 2, -3], [2, 2])),
      item('delta', (t, p) => losses.huber(t, p, { delta: 2.5 }), low([2, 3]), high([2, 3])),
      item('weights and a mask', losses.huber, low([3, 5]), given(any([15]).values, [3, 5]), WEIGHTED),
    ],
  ),
  entry('logCosh', losses.logCosh, any, low),
  entry('hinge', losses.hinge, signs, any),
  entry('squaredHinge', losses.squaredHinge, signs, any),
  entry('categoricalHinge', losses.categoricalHinge, share, any),
  entry('klDivergence', losses.klDivergence, share, other),
  entry('poisson', losses.poisson, high, share),
  entry('cosineSimilarity', losses.cosineSimilarity, any, high),
];
