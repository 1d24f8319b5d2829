/** LeNet-5, the first convolutional network that went to work. */
import * as layers from '../../nn/layers/index.ts';
import { input } from '../../nn/symbolic.ts';
import { type Sequential, sequential } from '../sequential.ts';
import { type ApplicationOptions, settingsFor, variantOf } from './options.ts';

export interface LenetOptions extends ApplicationOptions {
  /** relu and maxima, as it is built today, or tanh and means, as it was taught first. Default: 'modern'. */
  variant?: 'modern' | 'classic';
}

/**
 * LeNet-5 for grey digits: 6 filters of 5×5 with `'same'` padding, pooling, 16 filters of 5×5, pooling, dense 120, 84 and
 * one for each class; 61,706 parameters. Images of 28×28 get the border of zeros that the paper's 32×32 came with. Both
 * variants leave out what nobody builds any more: trained factors in the pooling, the table of which map sees which, and
 * the radial output.
 *
 * Defaults: 10 classes, inputShape (28, 28, 1), dropout 0 (in front of each of the last two layers).
 *
 * @throws ArgumentError for options that are none; ShapeError for images that are smaller than the filters reach.
 *
 * Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition" (1998).
 */
export function lenet5(options: LenetOptions = {}): Sequential {
  const op = 'lenet5';
  const published = { classes: 10, inputShape: [28, 28, 1], known: ['variant'] as const };
  const { classes, inputShape, dropout, activation, name, scaled } = settingsFor(op, options, published);
  const isModern = variantOf(op, options.variant, ['modern', 'classic']) === 'modern';
  const hidden = isModern ? 'relu' : 'tanh';
  const pooling = () => (isModern ? layers.maxPooling2d() : layers.averagePooling2d());
  const drop = () => (dropout > 0 ? [layers.dropout({ rate: dropout })] : []);
  return sequential(
    [
      input({ shape: inputShape }),
      layers.conv2d({ filters: scaled(6), kernelSize: 5, padding: 'same', activation: hidden }),
      pooling(),
      layers.conv2d({ filters: scaled(16), kernelSize: 5, activation: hidden }),
      pooling(),
      layers.flatten(),
      layers.dense({ units: scaled(120), activation: hidden }),
      ...drop(),
      layers.dense({ units: scaled(84), activation: hidden }),
      ...drop(),
      layers.dense({ units: classes, activation }),
    ],
    { name },
  );
}
