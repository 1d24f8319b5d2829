/** Residual networks: for ImageNet as torchvision has them, and the small ones for CIFAR. */
import * as layers from '../../nn/layers/index.ts';
import type { SymbolicTensor } from '../../nn/symbolic.ts';
import type { Functional } from '../functional.ts';
import { type ApplicationOptions, chain, network, type Settings, settingsFor } from './options.ts';

/** PyTorch's defaults; its momentum of 0.1 is the share of what is new. */
const norm = (name: string) => layers.batchNormalization({ name, epsilon: 1e-5, momentum: 0.9 });

/** Padded on both sides, whatever the stride: PyTorch's `padding`, which is not 'same' for a stride of 2. */
const conv = (name: string, filters: number, kernelSize: number, strides = 1) =>
  layers.conv2d({
    name,
    filters,
    kernelSize,
    strides,
    padding: (kernelSize - 1) / 2,
    useBias: false,
    kernelInitializer: 'heNormal',
  });

const channelsOf = ({ shape }: SymbolicTensor): number => shape.at(-1) as number;

interface BlockOptions {
  readonly name: string;
  /** Of the 3×3 convolutions. */
  readonly filters: number;
  readonly strides: number;
}

const join = (main: SymbolicTensor, shortcut: SymbolicTensor): SymbolicTensor =>
  chain(layers.add().apply([main, shortcut]), layers.relu());

/** Where a block changes the shape, its input goes through a 1×1 convolution; the paper's option B. */
const projected = (x: SymbolicTensor, { name, strides }: BlockOptions, channels: number): SymbolicTensor =>
  strides === 1 && channelsOf(x) === channels
    ? x
    : chain(x, conv(`${name}_downsample_0`, channels, 1, strides), norm(`${name}_downsample_1`));

/** Two 3×3 convolutions; the first one has the stride. */
const twoConvolutions = (x: SymbolicTensor, { name, filters, strides }: BlockOptions): SymbolicTensor =>
  chain(
    x,
    conv(`${name}_conv1`, filters, 3, strides),
    norm(`${name}_bn1`),
    layers.relu(),
    conv(`${name}_conv2`, filters, 3),
    norm(`${name}_bn2`),
  );

type Block = (x: SymbolicTensor, options: BlockOptions) => SymbolicTensor;

const basic: Block = (x, options) =>
  join(twoConvolutions(x, options), projected(x, options, options.filters));

/** 1×1 down, 3×3, 1×1 up to four times the filters. The 3×3 has the stride, in the paper the first 1×1. */
const bottleneck: Block = (x, options) => {
  const { name, filters, strides } = options;
  const main = chain(
    x,
    conv(`${name}_conv1`, filters, 1),
    norm(`${name}_bn1`),
    layers.relu(),
    conv(`${name}_conv2`, filters, 3, strides),
    norm(`${name}_bn2`),
    layers.relu(),
    conv(`${name}_conv3`, 4 * filters, 1),
    norm(`${name}_bn3`),
  );
  return join(main, projected(x, options, 4 * filters));
};

/** Stages of blocks, `layer1` and on; the first block of each but the first stage halves the image. */
function stages(
  x: SymbolicTensor,
  block: Block,
  depths: readonly number[],
  filtersOf: (stage: number) => number,
): SymbolicTensor {
  let y = x;
  depths.forEach((depth, stage) => {
    for (let index = 0; index < depth; index++) {
      const strides = stage > 0 && index === 0 ? 2 : 1;
      y = block(y, { name: `layer${stage + 1}_${index}`, filters: filtersOf(stage), strides });
    }
  });
  return y;
}

const head = (x: SymbolicTensor, { dropout, classes, activation }: Settings): SymbolicTensor =>
  chain(
    x,
    layers.globalAveragePooling2d(),
    ...(dropout > 0 ? [layers.dropout({ rate: dropout })] : []),
    layers.dense({ name: 'fc', units: classes, activation }),
  );

function resnet(
  op: string,
  options: ApplicationOptions,
  block: Block,
  depths: readonly number[],
): Functional {
  const settings = settingsFor(op, options, { classes: 1000, inputShape: [224, 224, 3] });
  return network(settings, (x) => {
    const first = chain(
      x,
      conv('conv1', settings.scaled(64), 7, 2),
      norm('bn1'),
      layers.relu(),
      layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 1 }),
    );
    return head(
      stages(first, block, depths, (stage) => settings.scaled(64 * 2 ** stage)),
      settings,
    );
  });
}

/**
 * ResNet of 18 layers, as torchvision has it: 7×7 convolution of stride 2, maxima of 3×3, four stages of two blocks with 64,
 * 128, 256 and 512 filters, shortcuts by 1×1 convolution where the shape changes, the mean of each channel, dense;
 * 11,689,512 parameters. Layers have torchvision's names with `_` for the dots, `layer1_0_conv1`. Batch normalisation has
 * PyTorch's epsilon, 1e-5; padding is the same on both sides. Keras's ResNets are built otherwise (biases, other strides,
 * epsilon 1.001e-5), and their weights do not fit.
 *
 * Defaults: 1000 classes, inputShape (224, 224, 3), dropout 0 (in front of `fc`).
 *
 * @throws ArgumentError for options that are none.
 *
 * Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (2016).
 */
export const resnet18 = (options: ApplicationOptions = {}): Functional =>
  resnet('resnet18', options, basic, [2, 2, 2, 2]);

/** As `resnet18`, with 3, 4, 6 and 3 blocks: 34 layers, 21,797,672 parameters. */
export const resnet34 = (options: ApplicationOptions = {}): Functional =>
  resnet('resnet34', options, basic, [3, 4, 6, 3]);

/**
 * As `resnet34`, with blocks of 1×1, 3×3 and 1×1 convolutions: 50 layers, 25,557,032 parameters. The stride is that of the
 * 3×3 convolution, as in torchvision ("version 1.5"); the paper has it one convolution earlier.
 */
export const resnet50 = (options: ApplicationOptions = {}): Functional =>
  resnet('resnet50', options, bottleneck, [3, 4, 6, 3]);

/**
 * The shortcut without parameters, the paper's option A: every second row and column, and channels of zeros, half of them in
 * front and half behind, as is usual in PyTorch's versions; the paper does not say where.
 */
function padded(x: SymbolicTensor, filters: number, strides: number): SymbolicTensor {
  const missing = filters - channelsOf(x);
  if (strides === 1 && missing === 0) return x;
  const before = Math.floor(missing / 2);
  return chain(
    x,
    layers.averagePooling2d({ poolSize: 1, strides }),
    layers.permute({ dims: [1, 3, 2] }),
    layers.zeroPadding2d({ padding: [0, [before, missing - before]] }),
    layers.permute({ dims: [1, 3, 2] }),
  );
}

const plain: Block = (x, options) =>
  join(twoConvolutions(x, options), padded(x, options.filters, options.strides));

function cifar(op: string, options: ApplicationOptions, depth: number): Functional {
  const settings = settingsFor(op, options, { classes: 10, inputShape: [32, 32, 3] });
  return network(settings, (x) => {
    const first = chain(x, conv('conv1', settings.scaled(16), 3), norm('bn1'), layers.relu());
    return head(
      stages(first, plain, [depth, depth, depth], (stage) => settings.scaled(16 * 2 ** stage)),
      settings,
    );
  });
}

/**
 * ResNet of 20 layers for CIFAR-10: 3×3 convolution, three stages of three blocks with 16, 32 and 64 filters, the mean of
 * each channel, dense. Shortcuts have no parameters (option A): 269,722 in all, the paper's 0.27M.
 *
 * Defaults: 10 classes, inputShape (32, 32, 3), dropout 0 (in front of `fc`).
 *
 * @throws ArgumentError for options that are none.
 *
 * Source: He, Zhang, Ren and Sun (2016), section 4.2.
 */
export const resnet20 = (options: ApplicationOptions = {}): Functional => cifar('resnet20', options, 3);

/** As `resnet20`, with nine blocks in each stage: 56 layers, 853,018 parameters, the paper's 0.85M. */
export const resnet56 = (options: ApplicationOptions = {}): Functional => cifar('resnet56', options, 9);
