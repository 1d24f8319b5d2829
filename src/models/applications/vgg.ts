/** VGG: depth by small filters alone. */
import * as layers from '../../nn/layers/index.ts';
import type { Functional } from '../functional.ts';
import { type ApplicationOptions, chain, fixedMap, network, settingsFor } from './options.ts';

/** How many convolutions each block has, and of how many filters. */
type Blocks = readonly (readonly [convolutions: number, filters: number])[];

function vgg(op: string, options: ApplicationOptions, blocks: Blocks): Functional {
  const settings = settingsFor(op, options, { classes: 1000, inputShape: [224, 224, 3], dropout: 0.5 });
  const relu = { activation: 'relu', kernelInitializer: 'heNormal' } as const;
  const units = settings.scaled(4096);
  return network(settings, (x) => {
    const map = chain(
      x,
      ...blocks.flatMap(([count, filters], block) => [
        ...Array.from({ length: count }, (_, index) =>
          layers.conv2d({
            name: `block${block + 1}_conv${index + 1}`,
            filters: settings.scaled(filters),
            kernelSize: 3,
            padding: 1,
            ...relu,
          }),
        ),
        layers.maxPooling2d({ name: `block${block + 1}_pool` }),
      ]),
    );
    return chain(
      map,
      ...fixedMap(7, map),
      layers.flatten(),
      layers.dense({ name: 'fc1', units, ...relu }),
      layers.dropout({ rate: settings.dropout }),
      layers.dense({ name: 'fc2', units, ...relu }),
      layers.dropout({ rate: settings.dropout }),
      layers.dense({ name: 'predictions', units: settings.classes, activation: settings.activation }),
    );
  });
}

/**
 * VGG of 11 layers with weights (the paper's A): 3×3 convolutions of 64, 128, 256, 256, 512, 512, 512, 512 filters, maxima
 * of 2×2 behind the first two and then every second one, and dense layers of 4096, 4096 and the classes; 132,863,336
 * parameters. Layers have Keras's names, `block1_conv1` to `predictions`; kernels start by He (2015), without which a network
 * so deep does not begin to learn.
 *
 * The first dense kernel of the published size, 25,088 × 4096, is 411 MB: devices that bind less hold it in parts, as `dense`
 * does with every kernel that is too large.
 *
 * Defaults: 1000 classes, inputShape (224, 224, 3), dropout 0.5. Images of other sizes: a map
 * larger than 7×7 is averaged to that in front of the dense layers, as in torchvision; a smaller one is flattened as it is.
 *
 * @throws ArgumentError for options that are none; ShapeError for images smaller than 32×32.
 *
 * Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2015).
 */
export const vgg11 = (options: ApplicationOptions = {}): Functional =>
  vgg('vgg11', options, [
    [1, 64],
    [1, 128],
    [2, 256],
    [2, 512],
    [2, 512],
  ]);

/**
 * VGG of 16 layers with weights (the paper's D): as `vgg11`, with blocks of 2, 2, 3, 3 and 3 convolutions; 138,357,544
 * parameters. The weights of both torchvision and Keras fit; Keras's expect their own preparation of the images.
 *
 * @throws as `vgg11`.
 *
 * Source: Simonyan and Zisserman (2015).
 */
export const vgg16 = (options: ApplicationOptions = {}): Functional =>
  vgg('vgg16', options, [
    [2, 64],
    [2, 128],
    [3, 256],
    [3, 512],
    [3, 512],
  ]);
