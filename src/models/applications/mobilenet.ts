/** MobileNet: convolutions of every channel on its own, and mixing by 1×1. */
import { checkNumber } from '../../core/check.ts';
import * as layers from '../../nn/layers/index.ts';
import type { SymbolicTensor } from '../../nn/symbolic.ts';
import type { Functional } from '../functional.ts';
import { type ApplicationOptions, chain, network, settingsFor } from './options.ts';

export interface MobilenetOptions extends Omit<ApplicationOptions, 'width'> {
  /** The paper's width multiplier: channels are alpha times the published ones, rounded down, and at least 1. Default: 1. */
  alpha?: number;
}

/** Filters and stride of each block. */
const BLOCKS = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
] as const;

/** What follows each convolution, which has no bias: Keras's defaults, epsilon 1e-3 and momentum 0.99, and min(relu, 6). */
const normalized = (name: string) => [
  layers.batchNormalization({ name: `${name}_bn` }),
  layers.relu({ name: `${name}_relu`, maxValue: 6 }),
];

/** As Keras pads for a stride of 2: behind the image only, as 'same' does for even extents. */
const borders = (stride: number) =>
  stride === 1
    ? 1
    : ([
        [0, 1],
        [0, 1],
      ] as const);

const block = (x: SymbolicTensor, number: number, filters: number, strides: number): SymbolicTensor =>
  chain(
    x,
    layers.depthwiseConv2d({
      name: `conv_dw_${number}`,
      kernelSize: 3,
      strides,
      padding: borders(strides),
      useBias: false,
    }),
    ...normalized(`conv_dw_${number}`),
    layers.conv2d({ name: `conv_pw_${number}`, filters, kernelSize: 1, useBias: false }),
    ...normalized(`conv_pw_${number}`),
  );

/**
 * MobileNet, version 1, in Keras's form and with its names: a 3×3 convolution of stride 2, thirteen blocks of a depthwise 3×3
 * and a 1×1 convolution, the mean of each channel, and a 1×1 convolution, `conv_preds`, to the classes; 4,253,864 weights with
 * the moving statistics, 4,231,976 without them.
 *
 * Defaults: 1000 classes, inputShape (224, 224, 3), dropout 1e-3.
 *
 * @throws ArgumentError for options that are none.
 *
 * Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications" (2017).
 */
export function mobilenet(options: MobilenetOptions = {}): Functional {
  const op = 'mobilenet';
  const settings = settingsFor<ApplicationOptions & MobilenetOptions>(op, options, {
    classes: 1000,
    inputShape: [224, 224, 3],
    dropout: 1e-3,
    known: ['alpha'],
    without: ['width'],
  });
  const { alpha = 1 } = options;
  checkNumber(op, 'alpha', alpha, { above: 0 });
  const scaled = (count: number): number => Math.max(1, Math.floor(count * alpha));
  return network(settings, (x) => {
    const first = chain(
      x,
      layers.conv2d({
        name: 'conv1',
        filters: scaled(32),
        kernelSize: 3,
        strides: 2,
        padding: 'same',
        useBias: false,
      }),
      ...normalized('conv1'),
    );
    const map = BLOCKS.reduce(
      (value, [filters, stride], index) => block(value, index + 1, scaled(filters), stride),
      first,
    );
    return chain(
      map,
      layers.globalAveragePooling2d({ keepDims: true }),
      layers.dropout({ rate: settings.dropout }),
      layers.conv2d({ name: 'conv_preds', filters: settings.classes, kernelSize: 1 }),
      layers.reshape({ targetShape: [settings.classes] }),
      layers.activation({ name: 'predictions', activation: settings.activation }),
    );
  });
}
