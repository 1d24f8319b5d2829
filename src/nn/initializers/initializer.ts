/** What an initializer is, and what all of them check. */
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumber } from '../../core/check.ts';
import { Generator } from '../../core/generator.ts';
import { checkShape, type Shape } from '../../core/shape.ts';
import { deviceOf } from '../../ops/create.ts';
import { assertList } from '../../ops/operand.ts';
import { checkOptions } from '../../ops/options.ts';
import { generatorOf } from '../../ops/random.ts';
import type { Device } from '../../runtime/device.ts';
import { configured } from '../configurable.ts';

/** An initializer as JSON: its name and its options. */
export interface InitializerJson {
  readonly initializer: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Where the weights go, and where random ones come from. */
export interface InitializeOptions {
  /** Default: the default device. */
  device?: Device;
  /** Default: the generator that `setSeed` resets. An initializer with a seed of its own leaves it alone. */
  generator?: Generator;
}

/** Makes the first values of a weight: a leaf of the device's float that does not require its gradient. */
export interface Initializer {
  (shape: Shape, options?: InitializeOptions): Tensor;
  toJSON?(): InitializerJson;
}

export interface SeedOptions {
  /**
   * A whole number from 0 to 2^53 − 1: each call draws the same numbers for the same shape, and so do other initializers
   * with this seed. Default: none, each call goes on in the stream of a generator.
   */
  seed?: number | undefined;
}

/** Refuses what is no seed. */
export function checkSeed(op: string, { seed }: SeedOptions): void {
  if (seed !== undefined)
    checkNumber(op, 'seed', seed, { atLeast: 0, atMost: Number.MAX_SAFE_INTEGER, whole: true });
}

/** Where to draw from, and onto what. */
interface Target {
  readonly device: Device;
  readonly generator: Generator;
}

/** An initializer under its name, which refuses wrong shapes and options before `make` runs. */
export function initializerOf(
  name: string,
  options: SeedOptions & Readonly<Record<string, unknown>>,
  make: (shape: Shape, target: Target) => Tensor,
): Initializer {
  const { seed } = options;
  const call: Initializer = (shape, where = {}) => {
    assertList(name, 'shape', shape);
    checkShape(name, shape);
    checkOptions(name, where, ['device', 'generator'], 'shape');
    const device = deviceOf(name, where);
    const generator = generatorOf(name, where);
    return make(shape, { device, generator: seed === undefined ? generator : new Generator(seed) });
  };
  return configured(call, 'initializer', name, options);
}
