/** Convolutions over the words of a sentence. */
import { checkNumber } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import * as layers from '../../nn/layers/index.ts';
import { input } from '../../nn/symbolic.ts';
import { type Functional, model } from '../functional.ts';
import { type ApplicationOptions, chain, settingsFor } from './options.ts';

export interface TextCnnOptions extends ApplicationOptions {
  /** How many words there are: the largest number + 1. Default: 20,000. */
  vocabulary?: number;
  /** The length of a word's vector, which `width` leaves alone. Default: 300. */
  embeddingSize?: number;
  /** How many words the filters see. Default: [3, 4, 5]. */
  kernelSizes?: readonly number[];
  /** How many filters of each size. Default: 100. */
  filters?: number;
}

/**
 * Vectors of words, convolutions over 3, 4 and 5 words side by side, the largest value of each filter over the sentence,
 * dropout, and dense with each class's vector of weights at most 3 long. Inputs are int32 numbers of words, (batch, words).
 * vocabulary·300 + Σ (300·size + 1)·100 + (300 + 1)·classes parameters: 6,360,902 with the defaults.
 *
 * Defaults: 2 classes, inputShape (null,), which is any number of words from the largest filter's on; dropout 0.5.
 *
 * @throws ArgumentError for options that are none; ShapeError for sentences shorter than the filters.
 *
 * Source: Kim, "Convolutional Neural Networks for Sentence Classification" (2014), CNN-rand.
 */
export function textCnn(options: TextCnnOptions = {}): Functional {
  const op = 'textCnn';
  const { classes, inputShape, dropout, activation, name, scaled } = settingsFor<TextCnnOptions>(
    op,
    options,
    {
      classes: 2,
      inputShape: [null],
      dropout: 0.5,
      known: ['vocabulary', 'embeddingSize', 'kernelSizes', 'filters'],
    },
  );
  const { vocabulary = 20_000, embeddingSize = 300, kernelSizes = [3, 4, 5], filters = 100 } = options;
  for (const [option, value] of Object.entries({ vocabulary, embeddingSize, filters }))
    checkNumber(op, option, value, { atLeast: 1, whole: true });
  if (
    !Array.isArray(kernelSizes) ||
    kernelSizes.length === 0 ||
    new Set(kernelSizes).size < kernelSizes.length
  )
    throw new ArgumentError(
      `${op}: kernelSizes is ${describe(kernelSizes)}; pass a list of different sizes, such as [3, 4, 5].`,
    );
  const x = input({ shape: inputShape, dtype: 'int32' });
  const words = layers
    .embedding({ name: 'embedding', inputDim: vocabulary, outputDim: embeddingSize })
    .apply(x);
  const strongest = kernelSizes.map((kernelSize) =>
    chain(
      words,
      layers.conv1d({ name: `conv${kernelSize}`, filters: scaled(filters), kernelSize, activation: 'relu' }),
      layers.globalMaxPooling1d(),
    ),
  );
  const [only] = strongest;
  const features = strongest.length === 1 && only ? only : layers.concatenate().apply(strongest);
  const outputs = chain(
    features,
    layers.dropout({ rate: dropout }),
    layers.dense({
      name: 'predictions',
      units: classes,
      activation,
      kernelConstraint: { constraint: 'maxNorm', options: { maxValue: 3 } },
    }),
  );
  return model({ inputs: x, outputs, name });
}
