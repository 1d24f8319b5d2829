/** What a convolutional network does: convolution, pooling, normalisation and its loss, forward and backward. */
import {
  batchNorm,
  conv2d,
  localResponseNormalization,
  losses,
  maxPool2d,
  type Tensor,
} from '../../src/node.ts';
import { type BenchCase, bothWays, type InputSpec } from './case.ts';

type Layer = (...inputs: Tensor[]) => Tensor;

/** A layer forward, and forward and backward; `weights` come behind the image. */
function pair(
  label: string,
  task: string,
  layer: Layer,
  image: readonly number[],
  weights: readonly (readonly number[])[],
  output: readonly number[],
  flops?: number,
): BenchCase[] {
  const inputs: InputSpec[] = [image, ...weights].map((shape) => ({ shape }));
  const size = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);
  const weightSize = weights.reduce((sum, shape) => sum + size(shape), 0);
  // Backward reads dy and writes as many gradients as there are inputs; what else it must read, it could have kept.
  const forwardBytes = 4 * (size(image) + weightSize + size(output));
  return [
    {
      name: label,
      task,
      inputs,
      ...(flops ? { flops } : { bytes: forwardBytes }),
      run: (...all: Tensor[]) => layer(...all),
    },
    {
      name: `${label}, forward and backward`,
      task: `${task}Both`,
      inputs: [...inputs, { shape: output }],
      trains: true,
      ...(flops ? { flops: 3 * flops } : { bytes: 2 * forwardBytes }),
      run: bothWays(layer),
    },
  ];
}

function convolution(
  label: string,
  [batch, size, channels]: readonly [number, number, number],
  [kernel, filters]: readonly [number, number],
  padding: 'same' | 'valid',
): BenchCase[] {
  const out = padding === 'same' ? size : size - kernel + 1;
  return pair(
    label,
    padding === 'same' ? 'convSame' : 'convValid',
    (x, w) => conv2d(x as Tensor, w as Tensor, { padding }),
    [batch, size, size, channels],
    [[kernel, kernel, channels, filters]],
    [batch, out, out, filters],
    2 * batch * out ** 2 * filters * kernel ** 2 * channels,
  );
}

const image = [32, 28, 28, 64];

export const layerCases: readonly BenchCase[] = [
  ...convolution('conv 32×28×28, 16→32, 3×3', [32, 28, 16], [3, 32], 'same'),
  ...convolution('conv LeNet 1: 64×28×28, 1→6, 5×5', [64, 28, 1], [5, 6], 'same'),
  ...convolution('conv LeNet 2: 64×14×14, 6→16, 5×5', [64, 14, 6], [5, 16], 'valid'),
  ...convolution('conv 8×56×56, 64→64, 3×3', [8, 56, 64], [3, 64], 'same'),
  ...pair(
    'max pool 64×28×28×32, 2×2',
    'maxPool',
    (x) => maxPool2d(x as Tensor, { poolSize: 2 }),
    [64, 28, 28, 32],
    [],
    [64, 14, 14, 32],
  ),
  ...pair(
    'batch norm 32×28×28×64',
    'batchNorm',
    (x, gamma, beta) =>
      batchNorm(x as Tensor, { gamma: gamma as Tensor, beta: beta as Tensor, training: true }),
    image,
    [[64], [64]],
    image,
  ),
  ...pair(
    'local response norm 32×28×28×64',
    'localResponseNorm',
    (x) => localResponseNormalization(x as Tensor),
    image,
    [],
    image,
  ),
  {
    name: 'softmax cross-entropy 256×1000, forward and backward',
    task: 'crossEntropyBoth',
    inputs: [{ shape: [256], below: 1000 }, { shape: [256, 1000] }, { shape: [] }],
    trains: true,
    bytes: 8 * 256 * 1000,
    run: bothWays((labels, logits) =>
      losses.sparseCategoricalCrossentropy(labels as Tensor, logits as Tensor, { fromLogits: true }),
    ),
  },
];
