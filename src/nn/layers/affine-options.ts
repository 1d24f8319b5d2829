/** The options of normalisations with a learned scale and shift, as Keras has them, and the two weights. */
import type { Tensor } from '../../autograd/tensor.ts';
import type { Shape } from '../../core/shape.ts';
import type { ConstraintLike } from '../constraints.ts';
import type { InitializerLike } from '../initializers/index.ts';
import type { Layer } from '../layer.ts';
import type { Parameter } from '../parameter.ts';
import type { RegularizerLike } from '../regularizers.ts';
import { checkFlag } from './check.ts';
import { settingsOf, type WeightSettings } from './kernel-options.ts';

export interface AffineOptions {
  /** Whether to add beta. Default: true. */
  center?: boolean;
  /** Whether to multiply by gamma. Default: true. */
  scale?: boolean;
  /** Default: zeros. */
  betaInitializer?: InitializerLike;
  /** Default: ones. */
  gammaInitializer?: InitializerLike;
  /** A penalty that the loss adds. Default: none. */
  betaRegularizer?: RegularizerLike | null;
  /** Default: none. */
  gammaRegularizer?: RegularizerLike | null;
  /** What beta becomes after each step of the optimizer. Default: as it is. */
  betaConstraint?: ConstraintLike | null;
  /** Default: none. */
  gammaConstraint?: ConstraintLike | null;
}

export const AFFINE_OPTIONS = [
  'center',
  'scale',
  'betaInitializer',
  'gammaInitializer',
  'betaRegularizer',
  'gammaRegularizer',
  'betaConstraint',
  'gammaConstraint',
] as const satisfies readonly (keyof AffineOptions)[];

export interface AffineSettings {
  readonly gamma: WeightSettings | null;
  readonly beta: WeightSettings | null;
}

/** The options with names looked up, in the constructor, so that a wrong one is told there. */
export function affineSettings(op: string, options: AffineOptions): AffineSettings {
  const { center = true, scale = true, betaInitializer = 'zeros', gammaInitializer = 'ones' } = options;
  checkFlag(op, 'center', center);
  checkFlag(op, 'scale', scale);
  const gamma = settingsOf(gammaInitializer, options.gammaRegularizer, options.gammaConstraint);
  const beta = settingsOf(betaInitializer, options.betaRegularizer, options.betaConstraint);
  return { gamma: scale ? gamma : null, beta: center ? beta : null };
}

export interface AffineWeights {
  readonly gamma: Parameter | null;
  readonly beta: Parameter | null;
}

export const addAffine = (layer: Layer, settings: AffineSettings, shape: Shape): AffineWeights => ({
  gamma: settings.gamma && layer.addWeight('gamma', shape, settings.gamma),
  beta: settings.beta && layer.addWeight('beta', shape, settings.beta),
});

/** The weights as the normalising ops take them. */
export const affineValues = ({
  gamma,
  beta,
}: AffineWeights): { gamma: Tensor | undefined; beta: Tensor | undefined } => ({
  gamma: gamma?.value,
  beta: beta?.value,
});
