/** The network of dense layers alone. */
import { checkNumber } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import type { ActivationLike } from '../../nn/layers/activation-option.ts';
import * as layers from '../../nn/layers/index.ts';
import { input } from '../../nn/symbolic.ts';
import { type Sequential, sequential } from '../sequential.ts';
import { type ApplicationOptions, settingsFor } from './options.ts';

export interface MlpOptions extends ApplicationOptions {
  /** The hidden layers, from the first to the last. Default: [128, 64]. */
  units?: readonly number[];
  /** Of the hidden layers. Default: relu. */
  activation?: ActivationLike;
}

/**
 * Dense layers: hidden ones of `units`, each followed by dropout where it is wanted, and one for each class. Examples of
 * several axes are flattened first.
 *
 * Defaults: 10 classes, inputShape (784,), dropout 0. For regression: `classes: 1, classifierActivation: null`.
 *
 * @throws ArgumentError for units that are no list of whole numbers ≥ 1.
 *
 * Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors" (1986).
 */
export function mlp(options: MlpOptions = {}): Sequential {
  const op = 'mlp';
  const published = { classes: 10, inputShape: [784], known: ['units', 'activation'] as const };
  const settings = settingsFor<MlpOptions>(op, options, published);
  const { units = [128, 64], activation = 'relu' } = options;
  if (!Array.isArray(units))
    throw new ArgumentError(`${op}: units is ${describe(units)}; pass a list, such as [128, 64].`);
  units.forEach((count, index) => {
    checkNumber(op, `units[${index}]`, count, { atLeast: 1, whole: true });
  });
  const { dropout, inputShape, name, scaled } = settings;
  return sequential(
    [
      input({ shape: inputShape }),
      ...(inputShape.length === 1 ? [] : [layers.flatten()]),
      ...units.flatMap((count) => [
        layers.dense({ units: scaled(count), activation }),
        ...(dropout > 0 ? [layers.dropout({ rate: dropout })] : []),
      ]),
      layers.dense({ units: settings.classes, activation: settings.activation }),
    ],
    { name },
  );
}
