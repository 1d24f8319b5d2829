/** Order along an axis, random order, and results whose shape depends on the data. */
import { randomKernel } from '../../../kernels/random.ts';
import { moveAlongKernel, sortKernel } from '../../../kernels/sort.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { type SortOptions, sort, type TopkOptions, topk } from '../../ops/sort.ts';
import {
  type CatalogEntry,
  differentiable,
  type GradCase,
  gradCase,
  within,
  withoutGradient,
} from './types.ts';

/** Distinct values, so that a difference does not change the order. */
const sorted = (name: string, shape: readonly number[], options?: SortOptions): GradCase =>
  gradCase(name, (x) => sort(x as Tensor, options), within(-2, 2, shape));

const best = (name: string, shape: readonly number[], k: number, options?: TopkOptions): GradCase =>
  gradCase(name, (x) => topk(x as Tensor, k, options).values, within(-2, 2, shape));

const kernels = [sortKernel, moveAlongKernel];
const ASYNC = 'the shape of the result depends on the data';

export const sortEntries: readonly CatalogEntry[] = [
  differentiable('sort', 'order', kernels, [
    sorted('vector', [6]),
    sorted('last axis', [2, 4]),
    sorted('axis 0, descending', [4, 2], { axis: 0, descending: true }),
    sorted('axis 1 of three', [2, 3, 2], { axis: 1 }),
  ]),
  differentiable('topk', 'order', kernels, [
    best('vector', [6], 3),
    best('all of them', [2, 3], 3),
    best('axis 0, smallest', [4, 2], 2, { axis: 0, largest: false }),
    best('axis 1 of three', [2, 3, 2], 1, { axis: 1 }),
  ]),
  withoutGradient('argsort', 'order', kernels, 'the result is int32'),
  withoutGradient('randomPermutation', 'creation', [randomKernel, sortKernel], 'it has no tensor as input'),
  withoutGradient('choice', 'creation', [randomKernel, sortKernel], 'it draws outside of the graph'),
  withoutGradient('nonzero', 'order', [], 'the result is int32'),
  withoutGradient('unique', 'order', kernels, ASYNC),
  {
    ...withoutGradient('booleanMask', 'order', [moveAlongKernel], ASYNC),
    secondOrder: 'it is async; its gradient has a test of its own',
  },
];
