/**
 * Initializers: functions that make the first values of a weight, with Keras 3's names, formulas and defaults. They are
 * exported as a namespace: `initializers.heNormal({ seed: 1 })`.
 */
import { getConfigured } from '../configurable.ts';
import { constant, identity, ones, zeros } from './constant.ts';
import type { Initializer, InitializerJson } from './initializer.ts';
import { orthogonal } from './orthogonal.ts';
import { randomNormal, randomUniform, truncatedNormal } from './random.ts';
import {
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  lecunNormal,
  lecunUniform,
  varianceScaling,
} from './variance-scaling.ts';

export { type ConstantOptions, constant, type IdentityOptions, identity, ones, zeros } from './constant.ts';
export type { InitializeOptions, Initializer, InitializerJson, SeedOptions } from './initializer.ts';
export { type OrthogonalOptions, orthogonal } from './orthogonal.ts';
export {
  type NormalOptions,
  type RandomUniformOptions,
  randomNormal,
  randomUniform,
  truncatedNormal,
} from './random.ts';
export {
  computeFans,
  type FanMode,
  type Fans,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  lecunNormal,
  lecunUniform,
  type ScaledDistribution,
  type VarianceScalingOptions,
  varianceScaling,
} from './variance-scaling.ts';

const MAKERS = {
  zeros,
  ones,
  constant,
  identity,
  randomUniform,
  randomNormal,
  truncatedNormal,
  varianceScaling,
  glorotUniform,
  glorotNormal,
  heUniform,
  heNormal,
  lecunUniform,
  lecunNormal,
  orthogonal,
} as const;

/** The name of an initializer. */
export type InitializerName = keyof typeof MAKERS;

/** What layers take for an initializer. */
export type InitializerLike = InitializerName | Initializer | InitializerJson;

/**
 * The initializer that a name stands for, with its defaults, or what `JSON.stringify` wrote, parsed. A function is returned
 * as it is.
 *
 * ```ts
 * initializers.get('heNormal');
 * initializers.get({ initializer: 'randomNormal', options: { stddev: 0.01 } });
 * initializers.get((shape, options) => zeros(shape, { device: options?.device }));
 * ```
 *
 * @throws ArgumentError, which lists the names.
 */
export const get = (identifier: InitializerLike): Initializer =>
  getConfigured<Initializer>('initializer', MAKERS, identifier);
