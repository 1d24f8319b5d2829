/** Noise that regularises; each case fixes its seed, so that the function gives one answer. */
import { dropoutKernel } from '../../../kernels/dropout.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import type { Shape } from '../../core/shape.ts';
import * as ops from '../../ops/dropout.ts';
import { type CatalogEntry, differentiable, gradCase, within } from './types.ts';

function row(
  op: string,
  ...cases: readonly [name: string, f: (x: Tensor) => Tensor, shape: Shape][]
): CatalogEntry {
  return differentiable(
    op,
    'regularization',
    [dropoutKernel],
    cases.map(([name, f, shape]) => gradCase(name, (x) => f(x as Tensor), within(-2, 2, shape))),
  );
}

const HALF = { rate: 0.5, seed: 7 };

export const regularizationEntries: readonly CatalogEntry[] = [
  row(
    'dropout',
    ['rate 0.5', (x) => ops.dropout(x, HALF), [3, 4]],
    ['a noise shape', (x) => ops.dropout(x, { ...HALF, noiseShape: [4, 1, 3] }), [4, 2, 3]],
    ['inference', (x) => ops.dropout(x, { rate: 0.5, training: false }), [5]],
  ),
  row('spatialDropout1d', ['rate 0.5', (x) => ops.spatialDropout1d(x, HALF), [2, 3, 4]]),
  row('spatialDropout2d', ['rate 0.5', (x) => ops.spatialDropout2d(x, HALF), [2, 2, 2, 3]]),
  row('spatialDropout3d', ['rate 0.5', (x) => ops.spatialDropout3d(x, HALF), [2, 2, 1, 2, 3]]),
  row('alphaDropout', ['rate 0.5', (x) => ops.alphaDropout(x, HALF), [3, 4]]),
  row('gaussianNoise', ['deviation 0.3', (x) => ops.gaussianNoise(x, { stddev: 0.3, seed: 7 }), [3, 4]]),
  row('gaussianDropout', ['rate 0.5', (x) => ops.gaussianDropout(x, HALF), [3, 4]]),
];
