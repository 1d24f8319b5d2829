/** Layers of noise: they act in training only. */
import type { Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import type { Generator } from '../../core/generator.ts';
import { dropout } from '../../ops/dropout.ts';
import type { CallContext } from '../call-context.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import { onlyInput } from './check.ts';

export interface SeedOption {
  /** A random stream of the layer's own. Default: the one that `setSeed` starts. */
  seed?: number;
}

/** Where a layer's noise comes from. */
export function noiseStream(layer: Layer, { seed }: SeedOption): { generator?: Generator } {
  return seed === undefined ? {} : { generator: layer.addGenerator('noise', seed) };
}

export interface DropoutLayerOptions extends LayerOptions, SeedOption {
  /** The share of elements to drop, in [0, 1). */
  rate: number;
  /** One draw for each element of this shape, the batch included; null stands for the input's extent. Default: its shape. */
  noiseShape?: readonly (number | null)[];
}

/** @throws ArgumentError unless the rate lies in [0, 1). */
export function checkRate(op: string, rate: unknown): asserts rate is number {
  if (typeof rate === 'number' && rate >= 0 && rate < 1) return;
  throw new ArgumentError(
    `${op}: rate is ${describe(rate)}; it is the share to drop, from 0 up to, but not including, 1.`,
  );
}

/** Zero with probability `rate`, else x / (1 − rate), in training; else x. See `dropout`. */
export class Dropout extends Layer<DropoutLayerOptions> {
  readonly #stream: { generator?: Generator };

  constructor(options: DropoutLayerOptions) {
    super(options, 'dropout', ['rate', 'noiseShape', 'seed']);
    checkRate('dropout', this.options.rate);
    this.#stream = noiseStream(this, this.options);
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[], { training }: CallContext): Tensor {
    const x = onlyInput(inputs);
    const { rate, noiseShape } = this.options;
    return dropout(x, { rate, training, ...(noiseShape && { noiseShape }), ...this.#stream });
  }
}
