/** Normalisations over batches, layers, groups and neighbouring channels. */
import { localResponseGradientKernel, localResponseKernel } from '../../../kernels/local-response.ts';
import { movingStatisticsKernel, normalizeByKernel, normalizeKernel } from '../../../kernels/normalize.ts';
import { normalizeGradientKernel, normalizeSumsKernel } from '../../../kernels/normalize-gradient.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { type LocalResponseOptions, localResponseNormalization } from '../../ops/local-response.ts';
import {
  type BatchNormOptions,
  batchNorm,
  type GroupNormOptions,
  groupNorm,
  type InstanceNormOptions,
  instanceNorm,
  type LayerNormOptions,
  layerNorm,
  type RmsNormOptions,
  rmsNorm,
} from '../../ops/normalization.ts';
import { type CatalogEntry, differentiable, type GradCase, gradCase, within } from './types.ts';

const kernels = [normalizeKernel, normalizeSumsKernel, normalizeGradientKernel];

type Shape = readonly number[];

/** Some normalisation as a function of x, gamma and beta. */
type Norm = (x: Tensor, gamma: Tensor | undefined, beta: Tensor | undefined) => Tensor;

const x = (shape: Shape) => within(-1.5, 2, shape);
const gammaOf = (shape: Shape) => within(0.5, 1.5, shape, 1);
const betaOf = (shape: Shape) => within(-1, 1, shape, 2);

const whole = (name: string, shape: Shape, vector: Shape, norm: Norm): GradCase =>
  gradCase(
    name,
    (x, gamma, beta) => norm(x as Tensor, gamma, beta),
    x(shape),
    gammaOf(vector),
    betaOf(vector),
  );

const plain = (name: string, shape: Shape, norm: Norm): GradCase =>
  gradCase(name, (x) => norm(x as Tensor, undefined, undefined), x(shape));

const batch = (options: BatchNormOptions): Norm => {
  return (x, gamma, beta) => batchNorm(x, { gamma, beta, ...options });
};

const batchInference = (name: string, options: BatchNormOptions, shape: Shape, channels: number): GradCase =>
  gradCase(
    name,
    (x, movingMean, movingVariance, gamma, beta) =>
      batchNorm(x as Tensor, { movingMean, movingVariance, gamma, beta, ...options }),
    x(shape),
    within(-1, 1, [channels], 3),
    within(0.3, 2, [channels], 4),
    gammaOf([channels]),
    betaOf([channels]),
  );

const layer = (options: LayerNormOptions = {}): Norm => {
  return (x, gamma, beta) => layerNorm(x, { gamma, beta, ...options });
};
const rms = (options: RmsNormOptions = {}): Norm => {
  return (x, gamma) => rmsNorm(x, { gamma, ...options });
};
const group = (options: GroupNormOptions): Norm => {
  return (x, gamma, beta) => groupNorm(x, { gamma, beta, ...options });
};
const instance = (options: InstanceNormOptions = {}): Norm => {
  return (x, gamma, beta) => instanceNorm(x, { gamma, beta, ...options });
};

const response = (name: string, shape: Shape, options?: LocalResponseOptions): GradCase =>
  gradCase(name, (x) => localResponseNormalization(x as Tensor, options), x(shape));

export const normalizationEntries: readonly CatalogEntry[] = [
  differentiable(
    'batchNorm',
    'normalization',
    [...kernels, normalizeByKernel, movingStatisticsKernel],
    [
      whole('training', [5, 3], [3], batch({ training: true })),
      whole('training, images', [2, 2, 3, 2], [2], batch({ training: true, epsilon: 1e-5 })),
      whole('training, axis 1', [3, 2, 2], [2], batch({ training: true, axis: 1 })),
      whole('training, five channels', [3, 5], [5], batch({ training: true })),
      plain('training, neither gamma nor beta', [4, 3], batch({ training: true })),
      batchInference('inference', {}, [3, 2], 2),
      batchInference('inference, axis 1', { axis: 1 }, [2, 3, 2], 3),
      gradCase(
        'inference, neither gamma nor beta',
        (x, movingMean, movingVariance) => batchNorm(x as Tensor, { movingMean, movingVariance }),
        x([2, 3]),
        within(-1, 1, [3], 3),
        within(0.3, 2, [3], 4),
      ),
    ],
  ),
  differentiable('layerNorm', 'normalization', kernels, [
    whole('last axis', [3, 5], [5], layer()),
    whole('last axis of four elements', [2, 3, 4], [4], layer({ epsilon: 1e-5 })),
    whole('two axes', [2, 2, 3], [2, 3], layer({ axis: [-2, -1] })),
    plain('neither gamma nor beta', [2, 4], layer()),
    gradCase(
      'beta alone',
      (x, beta) => layerNorm(x as Tensor, { beta }),
      within(-1.5, 2, [2, 3]),
      betaOf([3]),
    ),
  ]),
  differentiable('groupNorm', 'normalization', kernels, [
    whole('two groups', [2, 3, 4], [4], group({ groups: 2 })),
    whole('a group of all', [2, 2, 3], [3], group({ groups: 1 })),
    whole('no positions', [3, 6], [6], group({ groups: 2 })),
    whole('groups of four, images', [1, 2, 1, 8], [8], group({ groups: 2 })),
    plain('axis 1', [2, 4, 3], group({ groups: 2, axis: 1 })),
  ]),
  differentiable('instanceNorm', 'normalization', kernels, [
    whole('sequences', [2, 4, 3], [3], instance()),
    whole('images', [2, 2, 2, 2], [2], instance({ epsilon: 1e-5 })),
    plain('axis 1', [2, 2, 3], instance({ axis: 1 })),
  ]),
  differentiable('rmsNorm', 'normalization', kernels, [
    gradCase('last axis', (x, gamma) => rms()(x as Tensor, gamma, undefined), x([3, 5]), gammaOf([5])),
    gradCase(
      'two axes',
      (x, gamma) => rms({ axis: [-2, -1], epsilon: 1e-3 })(x as Tensor, gamma, undefined),
      x([2, 2, 4]),
      gammaOf([2, 4]),
    ),
    plain('no gamma', [2, 3], rms()),
  ]),
  differentiable(
    'localResponseNormalization',
    'normalization',
    [localResponseKernel, localResponseGradientKernel],
    [
      response('defaults', [2, 9]),
      response('AlexNet', [1, 2, 6], { depthRadius: 2, bias: 2, alpha: 1e-4, beta: 0.75 }),
      response('a strong one', [2, 5], { depthRadius: 1, bias: 0.5, alpha: 0.7, beta: 0.75 }),
      response('a power of its own', [2, 4], { depthRadius: 2, alpha: 0.3, beta: 0.6 }),
      response('no neighbours', [2, 3], { depthRadius: 0 }),
    ],
  ),
];
