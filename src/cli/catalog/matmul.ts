/** Matrix products: plain, batched, vectors, transposed, with bias and activation. */
import { matmulKernel } from '../../../kernels/matmul.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { type MatmulOptions, matmul } from '../../ops/matmul.ts';
import { type CatalogEntry, differentiable, type GradCase, given, gradCase, within } from './types.ts';

type Extents = readonly number[];

const product = (name: string, a: Extents, b: Extents, options?: MatmulOptions): GradCase =>
  gradCase(name, (x, y) => matmul(x as Tensor, y as Tensor, options), within(-1, 1, a), within(-1, 1, b, 1));

const FLAGS = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

const transposed = FLAGS.flatMap(([transposeA, transposeB]) => {
  const a = transposeA ? [3, 2] : [2, 3];
  const b = transposeB ? [4, 3] : [3, 4];
  const flags = `a${transposeA ? 'ᵀ' : ''} b${transposeB ? 'ᵀ' : ''}`;
  return [
    product(flags, a, b, { transposeA, transposeB }),
    product(`${flags}, batched`, [2, ...a], [2, ...b], { transposeA, transposeB }),
  ];
});

/** All products with bias lie at least 0.3 from 0, where relu has its kink. */
const reluInputs = [
  given([1, -0.5, 0.75, -1, 1.25, 0.5], [2, 3]),
  given([1, -1, 0.5, 1, 1, -0.5], [3, 2]),
  given([0.25, -0.5], [2]),
];

const fused = (['linear', 'sigmoid', 'tanh'] as const).flatMap((activation) => [
  gradCase(
    `bias, ${activation}`,
    (a, b, bias) => matmul(a as Tensor, b as Tensor, { bias: bias as Tensor, activation }),
    within(-1, 1, [2, 3]),
    within(-1, 1, [3, 2], 1),
    within(-1, 1, [2], 2),
  ),
  product(`${activation} without bias`, [2, 3], [3, 2], { activation }),
]);

export const matmulEntries: readonly CatalogEntry[] = [
  differentiable(
    'matmul',
    'matmul',
    [matmulKernel],
    [
      ...transposed,
      product('batch of a broadcasts', [1, 2, 3], [2, 3, 2]),
      product('batch of b broadcasts', [2, 2, 3], [3, 2]),
      product('two batch axes broadcast', [2, 1, 2, 2], [3, 2, 2]),
      product('row vector', [3], [3, 2]),
      product('column vector', [2, 3], [3]),
      product('two vectors', [3], [3]),
      product('batch and row vector', [3], [2, 3, 2]),
      ...fused,
      gradCase(
        'bias, relu',
        (a, b, bias) => matmul(a as Tensor, b as Tensor, { bias: bias as Tensor, activation: 'relu' }),
        ...reluInputs,
      ),
      gradCase(
        'batched with bias, transposed b',
        (a, b, bias) => matmul(a as Tensor, b as Tensor, { bias: bias as Tensor, transposeB: true }),
        within(-1, 1, [2, 2, 3]),
        within(-1, 1, [2, 3], 1),
        within(-1, 1, [2], 2),
      ),
    ],
  ),
];
