/** AlexNet, which made deep convolutional networks the rule. */
import * as layers from '../../nn/layers/index.ts';
import type { Functional } from '../functional.ts';
import {
  type ApplicationOptions,
  chain,
  fixedMap,
  network,
  scaledBy,
  settingsFor,
  variantOf,
} from './options.ts';

export interface AlexnetOptions extends ApplicationOptions {
  /** One column, as torchvision has it, or two halves and normalised responses. Default: 'torchvision'. */
  variant?: 'torchvision' | 'original';
}

/** The paper's: k + α Σ a² over 5 neighbouring channels, not divided by their number. */
const RESPONSE = { depthRadius: 2, bias: 2, alpha: 1e-4, beta: 0.75 };

/**
 * Five convolutions, `conv1` to `conv5`, and three dense layers, `fc6` to `fc8`, with maxima of overlapping 3×3 windows.
 *
 * - `'torchvision'`: one column of 64, 192, 384, 256, 256 filters for images of 224×224 with a border of 2, no
 *   normalisation; 61,100,840 parameters. Source: Krizhevsky, "One weird trick for parallelizing convolutional neural
 *   networks" (2014), with 256 filters in the fourth convolution, as torchvision has it.
 * - `'original'`: 96, 256, 384, 384, 256 filters for images of 227×227 without a border, of which the second, fourth and
 *   fifth convolutions see half of the channels each (`groups: 2`), and responses normalised behind the first two;
 *   60,965,224 parameters. The paper writes 224, from which its own 55×55 positions do not follow. Source: Krizhevsky,
 *   Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks" (2012).
 *
 * Kernels start by He (2015), the paper's normals of deviation 0.01 need its biases of 1.
 *
 * Defaults: 1000 classes, inputShape (224, 224, 3) or (227, 227, 3), dropout 0.5. Images of other sizes: a map
 * larger than 6×6 is averaged to that in front of the dense layers, as in torchvision; a smaller one is flattened as it is.
 *
 * @throws ArgumentError for options that are none; ShapeError for images that are too small.
 */
export function alexnet(options: AlexnetOptions = {}): Functional {
  const op = 'alexnet';
  const isOriginal = variantOf(op, options.variant, ['torchvision', 'original']) === 'original';
  const side = isOriginal ? 227 : 224;
  const settings = settingsFor<AlexnetOptions>(op, options, {
    classes: 1000,
    inputShape: [side, side, 3],
    dropout: 0.5,
    known: ['variant'],
  });
  const groups = isOriginal ? 2 : 1;
  const relu = { activation: 'relu', kernelInitializer: 'heNormal' } as const;
  const conv = (name: string, filters: number, kernelSize: number, padding: number, grouped = true) =>
    layers.conv2d({
      name,
      filters: scaledBy(filters, options.width ?? 1, groups),
      kernelSize,
      padding,
      groups: grouped ? groups : 1,
      ...relu,
    });
  const pooling = () => layers.maxPooling2d({ poolSize: 3, strides: 2 });
  const response = () => (isOriginal ? [layers.localResponseNormalization(RESPONSE)] : []);
  const drop = () => layers.dropout({ rate: settings.dropout });
  const [first, second, third, fourth] = isOriginal ? [96, 256, 384, 384] : [64, 192, 384, 256];
  const units = settings.scaled(4096);
  return network(settings, (x) => {
    const map = chain(
      x,
      layers.conv2d({
        name: 'conv1',
        filters: scaledBy(first as number, options.width ?? 1, groups),
        kernelSize: 11,
        strides: 4,
        padding: isOriginal ? 0 : 2,
        ...relu,
      }),
      ...response(),
      pooling(),
      conv('conv2', second as number, 5, 2),
      ...response(),
      pooling(),
      conv('conv3', third as number, 3, 1, false),
      conv('conv4', fourth as number, 3, 1),
      conv('conv5', 256, 3, 1),
      pooling(),
    );
    return chain(
      map,
      ...fixedMap(6, map),
      layers.flatten(),
      drop(),
      layers.dense({ name: 'fc6', units, ...relu }),
      drop(),
      layers.dense({ name: 'fc7', units, ...relu }),
      layers.dense({ name: 'fc8', units: settings.classes, activation: settings.activation }),
    );
  });
}
