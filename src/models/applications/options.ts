/** What the architectures of this folder have in common: their options, scaled channels, and layers in a row. */
import { checkNumber, checkNumbers } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import { checkChoice } from '../../nn/configurable.ts';
import type { Layer } from '../../nn/layer.ts';
import type { ActivationLike } from '../../nn/layers/activation-option.ts';
import * as layers from '../../nn/layers/index.ts';
import type { PartialShape } from '../../nn/partial-shape.ts';
import { input, type SymbolicTensor } from '../../nn/symbolic.ts';
import { checkOptions } from '../../ops/options.ts';
import { type Functional, model } from '../functional.ts';

/** What every architecture takes. */
export interface ApplicationOptions {
  /** How many classes there are. Default: those of the data set that the network was made for. */
  classes?: number;
  /** The shape of one example, without the batch. Default: as published. */
  inputShape?: PartialShape;
  /** Multiplies the channels and the hidden units; the results are rounded, and at least 1. Default: 1. */
  width?: number;
  /** The share that the dropout layers of the main path drop. Default: as published. */
  dropout?: number;
  /** Of the last layer; null for logits. Default: softmax. */
  classifierActivation?: ActivationLike;
  /** No weights come with the package: `loadPretrained` puts in those of a file. Default: null, fresh ones. */
  weights?: null;
  /** Default: the function's. */
  name?: string;
}

const COMMON = [
  'classes',
  'inputShape',
  'width',
  'dropout',
  'classifierActivation',
  'weights',
  'name',
] as const satisfies readonly (keyof ApplicationOptions)[];

/** What a function takes besides the common options, and what holds where nothing is said. */
export interface Published<Options extends ApplicationOptions> {
  readonly classes: number;
  readonly inputShape: PartialShape;
  /** Default: 0. */
  readonly dropout?: number;
  /** Further options. */
  readonly known?: readonly (Exclude<keyof Options, keyof ApplicationOptions> & string)[];
  /** Common options that this one has no use for. */
  readonly without?: readonly (keyof ApplicationOptions)[];
}

export interface Settings {
  readonly classes: number;
  readonly inputShape: PartialShape;
  readonly dropout: number;
  readonly activation: ActivationLike;
  readonly name: string;
  /** The published number of channels or units, times `width`. */
  scaled(count: number): number;
}

/** The published number, scaled to a multiple of `of`, and at least that. */
export const scaledBy = (count: number, width: number, of = 1): number =>
  Math.max(of, of * Math.round((count * width) / of));

/** The options with the published values where nothing is said. */
export function settingsFor<Options extends ApplicationOptions>(
  op: string,
  options: Options,
  { known = [], without = [], ...published }: Published<Options>,
): Settings {
  const names = [...COMMON.filter((name) => !without.includes(name)), ...known];
  checkOptions<Options>(op, options, names as (keyof Options & string)[], '');
  const { classes = published.classes, inputShape = published.inputShape, width = 1 } = options;
  const { dropout = published.dropout ?? 0, classifierActivation = 'softmax', weights = null } = options;
  checkNumber(op, 'classes', classes, { atLeast: 1, whole: true });
  checkNumber(op, 'width', width, { above: 0 });
  checkNumbers(op, { dropout }, { atLeast: 0, below: 1 });
  if (weights !== null)
    throw new ArgumentError(
      `${op}: weights is ${describe(weights)}; no weights come with the package. Leave it out, and then ` +
        `await applications.loadPretrained(model, bytes, { source }) with those of a safetensors file.`,
    );
  return {
    classes,
    inputShape,
    dropout,
    activation: classifierActivation,
    name: options.name ?? op,
    scaled: (count) => scaledBy(count, width),
  };
}

/** The variant that was asked for, the first one where nothing is said. */
export function variantOf<Name extends string>(
  op: string,
  given: Name | undefined,
  all: readonly [Name, ...Name[]],
): Name {
  const [usual] = all;
  checkChoice(op, 'variant', given ?? usual, all);
  return given ?? usual;
}

/** Layers, one after another. */
export const chain = (x: SymbolicTensor, ...items: readonly Layer[]): SymbolicTensor =>
  items.reduce((value, layer) => layer.apply(value), x);

/** The model that `body` makes of an input. */
export function network(
  { inputShape, name }: Pick<Settings, 'inputShape' | 'name'>,
  body: (x: SymbolicTensor) => SymbolicTensor | readonly SymbolicTensor[],
): Functional {
  const x = input({ shape: inputShape });
  return model({ inputs: x, outputs: body(x), name });
}

/**
 * Means of size × size windows, as torchvision's AlexNet and VGG have them in front of their dense layers, so that these fit
 * images of other sizes. Nothing is there where the map has this size already, as with the published images, or is smaller:
 * torchvision repeats its elements then, which makes dense layers larger and nothing better; Keras flattens it as it is.
 */
export function fixedMap(size: number, x: SymbolicTensor): Layer[] {
  const [, height, width] = x.shape;
  const isLarger = [height, width].some((extent) => extent === null || (extent as number) > size);
  return isLarger ? [layers.adaptiveAveragePooling2d({ outputSize: size })] : [];
}
