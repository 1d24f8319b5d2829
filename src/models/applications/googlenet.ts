/** GoogLeNet: modules that look at several scales at once, and heads halfway that help to train it. */

import { checkFlag } from '../../nn/layers/check.ts';
import * as layers from '../../nn/layers/index.ts';
import type { SymbolicTensor } from '../../nn/symbolic.ts';
import type { Functional } from '../functional.ts';
import { type ApplicationOptions, chain, network, type Settings, settingsFor, variantOf } from './options.ts';

export interface GooglenetOptions extends ApplicationOptions {
  /** With batch normalisation, as torchvision has it, or without. Default: 'torchvision'. */
  variant?: 'torchvision' | 'original';
  /** Two more outputs, from `aux1` and `aux2`. Default: false. */
  auxiliary?: boolean;
}

/** Filters of an inception module: 1×1; 1×1 and 3×3; 1×1 and 5×5; 1×1 behind the maxima. */
type Filters = readonly [number, number, number, number, number, number];

const MODULES: Readonly<Record<string, Filters>> = {
  '3a': [64, 96, 128, 16, 32, 32],
  '3b': [128, 128, 192, 32, 96, 64],
  '4a': [192, 96, 208, 16, 48, 64],
  '4b': [160, 112, 224, 24, 64, 64],
  '4c': [128, 128, 256, 24, 64, 64],
  '4d': [112, 144, 288, 32, 64, 64],
  '4e': [256, 160, 320, 32, 128, 128],
  '5a': [256, 160, 320, 32, 128, 128],
  '5b': [384, 192, 384, 48, 128, 128],
};

/** PyTorch's `ceil_mode`: a last window may reach beyond the image; one more position behind it is the same. */
const shrink = (poolSize = 3) =>
  layers.maxPooling2d({
    poolSize,
    strides: 2,
    padding: [
      [0, 1],
      [0, 1],
    ],
  });

class Builder {
  readonly #settings: Settings;
  readonly #isOriginal: boolean;

  constructor(settings: Settings, isOriginal: boolean) {
    this.#settings = settings;
    this.#isOriginal = isOriginal;
  }

  /** A convolution and relu, with batch normalisation between them and no bias where there is any. */
  conv(name: string, filters: number, kernelSize: number, strides = 1) {
    const options = {
      name: `${name}_conv`,
      filters: this.#settings.scaled(filters),
      kernelSize,
      strides,
      padding: (kernelSize - 1) / 2,
      kernelInitializer: 'heNormal',
    } as const;
    if (this.#isOriginal) return [layers.conv2d({ ...options, activation: 'relu' })];
    return [
      layers.conv2d({ ...options, useBias: false }),
      layers.batchNormalization({ name: `${name}_bn`, epsilon: 1e-3, momentum: 0.9 }),
      layers.relu(),
    ];
  }

  /** Caffe's numbers; the paper gives none. */
  response() {
    const options = { depthRadius: 2, bias: 1, alpha: 1e-4 / 5, beta: 0.75 };
    return this.#isOriginal ? [layers.localResponseNormalization(options)] : [];
  }

  inception(x: SymbolicTensor, module: string): SymbolicTensor {
    const name = `inception${module}`;
    const [one, reduce3, three, reduce5, five, pooled] = MODULES[module] as Filters;
    // torchvision's third branch has 3×3 filters, by a mistake that its weights were trained with.
    const large = this.#isOriginal ? 5 : 3;
    const branches = [
      chain(x, ...this.conv(`${name}_branch1`, one, 1)),
      chain(x, ...this.conv(`${name}_branch2_0`, reduce3, 1), ...this.conv(`${name}_branch2_1`, three, 3)),
      chain(x, ...this.conv(`${name}_branch3_0`, reduce5, 1), ...this.conv(`${name}_branch3_1`, five, large)),
      chain(
        x,
        layers.maxPooling2d({ poolSize: 3, strides: 1, padding: 1 }),
        ...this.conv(`${name}_branch4_1`, pooled, 1),
      ),
    ];
    return layers.concatenate({ name }).apply(branches);
  }

  auxiliary(x: SymbolicTensor, name: string): SymbolicTensor {
    const { classes, activation, scaled } = this.#settings;
    const pooling = this.#isOriginal
      ? layers.averagePooling2d({ poolSize: 5, strides: 3 })
      : layers.adaptiveAveragePooling2d({ outputSize: 4 });
    return chain(
      x,
      pooling,
      ...this.conv(`${name}_conv`, 128, 1),
      layers.flatten(),
      layers.dense({ name: `${name}_fc1`, units: scaled(1024), activation: 'relu' }),
      layers.dropout({ rate: 0.7 }),
      layers.dense({ name: `${name}_fc2`, units: classes, activation }),
    );
  }
}

/**
 * GoogLeNet of 22 layers: three convolutions, nine inception modules, the mean of each channel, and dense. A module joins the
 * channels of 1×1, 3×3 and 5×5 convolutions, the larger ones behind a 1×1 that makes fewer channels, and of maxima.
 *
 * - `'torchvision'`: batch normalisation (epsilon 1e-3) behind every convolution, no biases there, and 3×3 filters in the
 *   place of the 5×5; 6,624,904 parameters, 13,004,888 with the auxiliary heads. torchvision's trained weights expect images
 *   of mean and deviation 0.5, `transform_input`.
 * - `'original'`: the paper's, with responses normalised around the second and third convolution; 6,998,552 parameters,
 *   13,378,280 with the heads.
 *
 * With `auxiliary: true` the model has three outputs, in training and out of it: the classes, those of `aux1` behind module
 * 4a, and of `aux2` behind 4d. Train with `lossWeights: { fc: 1, aux1_fc2: 0.3, aux2_fc2: 0.3 }`, as in the paper.
 *
 * Defaults: 1000 classes, inputShape (224, 224, 3), dropout 0.2, or the paper's 0.4; that of the auxiliary heads is 0.7.
 *
 * @throws ArgumentError for options that are none.
 *
 * Source: Szegedy et al., "Going Deeper with Convolutions" (2015).
 */
export function googlenet(options: GooglenetOptions = {}): Functional {
  const op = 'googlenet';
  const isOriginal = variantOf(op, options.variant, ['torchvision', 'original']) === 'original';
  const settings = settingsFor<GooglenetOptions>(op, options, {
    classes: 1000,
    inputShape: [224, 224, 3],
    dropout: isOriginal ? 0.4 : 0.2,
    known: ['variant', 'auxiliary'],
  });
  const { auxiliary = false } = options;
  checkFlag(op, 'auxiliary', auxiliary);
  const net = new Builder(settings, isOriginal);
  return network(settings, (x) => {
    const heads: SymbolicTensor[] = [];
    const watched = (map: SymbolicTensor, name: string): SymbolicTensor => {
      if (auxiliary) heads.push(net.auxiliary(map, name));
      return map;
    };
    const modules = (map: SymbolicTensor, ...names: readonly string[]): SymbolicTensor =>
      names.reduce((value, name) => net.inception(value, name), map);
    const stem = chain(
      x,
      ...net.conv('conv1', 64, 7, 2),
      shrink(),
      ...net.response(),
      ...net.conv('conv2', 64, 1),
      ...net.conv('conv3', 192, 3),
      ...net.response(),
      shrink(),
    );
    const third = chain(modules(stem, '3a', '3b'), shrink());
    const first = watched(modules(third, '4a'), 'aux1');
    const second = watched(modules(first, '4b', '4c', '4d'), 'aux2');
    const fourth = chain(modules(second, '4e'), shrink(isOriginal ? 3 : 2));
    const classes = chain(
      modules(fourth, '5a', '5b'),
      layers.globalAveragePooling2d(),
      layers.dropout({ rate: settings.dropout }),
      layers.dense({ name: 'fc', units: settings.classes, activation: settings.activation }),
    );
    return [classes, ...heads];
  });
}
