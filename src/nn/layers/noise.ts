/** Layers of noise besides `dropout`: they act in training only, and hand their input on otherwise. */
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumber } from '../../core/check.ts';
import type { Generator } from '../../core/generator.ts';
import {
  alphaDropout,
  gaussianDropout,
  gaussianNoise,
  spatialDropout1d,
  spatialDropout2d,
  spatialDropout3d,
} from '../../ops/dropout.ts';
import type { CallContext } from '../call-context.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import { onlyInput } from './check.ts';
import { checkRate, type DropoutLayerOptions, noiseStream, type SeedOption } from './dropout.ts';

export interface RateOptions extends LayerOptions, SeedOption {
  /** The share to drop, in [0, 1). */
  rate: number;
}

type RateOp = typeof spatialDropout1d;

/** A layer of an op that takes a rate alone. */
class RateNoise extends Layer<RateOptions> {
  readonly #op: RateOp;
  readonly #stream: { generator?: Generator };

  constructor(options: RateOptions, type: string, op: RateOp) {
    super(options, type, ['rate', 'seed']);
    checkRate(type, this.options.rate);
    this.#op = op;
    this.#stream = noiseStream(this, this.options);
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[], { training }: CallContext): Tensor {
    return this.#op(onlyInput(inputs), { rate: this.options.rate, training, ...this.#stream });
  }
}

/** Drops whole channels of (batch, steps, channels). See `spatialDropout1d`. */
export class SpatialDropout1d extends RateNoise {
  constructor(options: RateOptions) {
    super(options, 'spatialDropout1d', spatialDropout1d);
  }
}

/** Drops whole channels of (batch, height, width, channels). See `spatialDropout2d`. */
export class SpatialDropout2d extends RateNoise {
  constructor(options: RateOptions) {
    super(options, 'spatialDropout2d', spatialDropout2d);
  }
}

/** Drops whole channels of (batch, depth, height, width, channels). See `spatialDropout3d`. */
export class SpatialDropout3d extends RateNoise {
  constructor(options: RateOptions) {
    super(options, 'spatialDropout3d', spatialDropout3d);
  }
}

/** x·(1 + σz) with normal z and σ = √(rate/(1 − rate)), in training. See `gaussianDropout`. */
export class GaussianDropout extends RateNoise {
  constructor(options: RateOptions) {
    super(options, 'gaussianDropout', gaussianDropout);
  }
}

/** Dropout that keeps mean 0 and variance 1 behind `selu`. See `alphaDropout`. */
export class AlphaDropout extends Layer<DropoutLayerOptions> {
  readonly #stream: { generator?: Generator };

  constructor(options: DropoutLayerOptions) {
    super(options, 'alphaDropout', ['rate', 'noiseShape', 'seed']);
    checkRate('alphaDropout', this.options.rate);
    this.#stream = noiseStream(this, this.options);
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[], { training }: CallContext): Tensor {
    const { rate, noiseShape } = this.options;
    return alphaDropout(onlyInput(inputs), {
      rate,
      training,
      ...(noiseShape && { noiseShape }),
      ...this.#stream,
    });
  }
}

export interface GaussianNoiseLayerOptions extends LayerOptions, SeedOption {
  /** The standard deviation of the noise, ≥ 0. */
  stddev: number;
}

/**
 * x + stddev·z with normal z, in training. See `gaussianNoise`.
 *
 * @throws ArgumentError unless stddev is a finite number ≥ 0.
 */
export class GaussianNoise extends Layer<GaussianNoiseLayerOptions> {
  readonly #stream: { generator?: Generator };

  constructor(options: GaussianNoiseLayerOptions) {
    super(options, 'gaussianNoise', ['stddev', 'seed']);
    checkNumber('gaussianNoise', 'stddev', this.options.stddev, { atLeast: 0 });
    this.#stream = noiseStream(this, this.options);
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[], { training }: CallContext): Tensor {
    return gaussianNoise(onlyInput(inputs), { stddev: this.options.stddev, training, ...this.#stream });
  }
}
