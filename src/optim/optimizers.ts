/**
 * Optimizers, with Keras 3's names, formulas and defaults. They are exported as a namespace: `optimizers.adam({ … })`.
 * `rate` in the formulas is the learning rate, g the gradient after clipping.
 */

import { checkFlags, checkNumbers } from '../core/check.ts';
import { checkOptions } from '../ops/options.ts';
import { Optimizer } from './optimizer.ts';
import { COMMON_OPTIONS, type OptimizerOptions } from './optimizer-options.ts';

export { type Method, Optimizer, type OptimizerJson } from './optimizer.ts';
export type { LearningRate, OptimizerOptions } from './optimizer-options.ts';
export type { OptimizerState } from './optimizer-state.ts';

/** Refuses unknown options; `own` are those beside the common ones. */
function check<T extends OptimizerOptions>(op: string, options: T, own: readonly (keyof T & string)[]): void {
  checkOptions<T>(op, options, [...COMMON_OPTIONS, ...own], '');
}

const SHARE = { atLeast: 0, below: 1 } as const;

export interface SgdOptions extends OptimizerOptions {
  /** Default: 0. */
  momentum?: number;
  /** Look ahead along the momentum. Default: false. */
  nesterov?: boolean;
  /** Divides the learning rate by 1 + decay · iterations. Default: 0. */
  decay?: number;
}

/**
 * w −= rate g; with momentum v = momentum v − rate g and w += v, or, nesterov, w += momentum v − rate g.
 * Default learning rate: 0.01.
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  check('sgd', options, ['momentum', 'nesterov', 'decay']);
  const { momentum = 0, nesterov = false, decay = 0 } = options;
  checkNumbers('sgd', { momentum }, SHARE);
  checkNumbers('sgd', { decay }, { atLeast: 0 });
  checkFlags('sgd', { nesterov });
  return new Optimizer(
    {
      name: 'sgd',
      rule: momentum === 0 ? 'sgd' : nesterov ? 'nesterov' : 'momentum',
      slots: momentum === 0 ? [] : ['momentum'],
      numbers: () => ({ momentum }),
      rate: (rate, t) => rate / (1 + decay * (t - 1)),
    },
    options,
    0.01,
  );
}

export interface RmspropOptions extends OptimizerOptions {
  /** What is kept of the mean of squares. Default: 0.9. */
  rho?: number;
  /** Default: 0. */
  momentum?: number;
  /** Default: 1e-7. */
  epsilon?: number;
  /** Divide by the variance rather than by the mean of squares. Default: false. */
  centered?: boolean;
}

/**
 * s = ρ s + (1 − ρ) g²; w −= rate g / √(s + ε), or, centered, with s − mean² in place of s. The momentum adds up the steps.
 * Default learning rate: 0.001. Hinton, "Neural Networks for Machine Learning", lecture 6 (2012).
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  check('rmsprop', options, ['rho', 'momentum', 'epsilon', 'centered']);
  const { rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false } = options;
  checkNumbers('rmsprop', { rho, momentum }, SHARE);
  checkNumbers('rmsprop', { epsilon }, { above: 0 });
  checkFlags('rmsprop', { centered });
  const moving = momentum > 0;
  return new Optimizer(
    {
      name: 'rmsprop',
      rule: centered
        ? moving
          ? 'rmspropCenteredMomentum'
          : 'rmspropCentered'
        : moving
          ? 'rmspropMomentum'
          : 'rmsprop',
      slots: ['velocity', ...(centered ? ['averageGradient'] : []), ...(moving ? ['momentum'] : [])],
      numbers: () => ({ momentum, keep1: rho, fresh1: 1 - rho, epsilon }),
    },
    options,
    0.001,
  );
}

export interface AdagradOptions extends OptimizerOptions {
  /** Default: 0.1. */
  initialAccumulatorValue?: number;
  /** Default: 1e-7. */
  epsilon?: number;
}

/** s += g²; w −= rate g / √(s + ε). Default learning rate: 0.001. Duchi, Hazan and Singer (2011). */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  check('adagrad', options, ['initialAccumulatorValue', 'epsilon']);
  const { initialAccumulatorValue = 0.1, epsilon = 1e-7 } = options;
  checkNumbers('adagrad', { initialAccumulatorValue }, { atLeast: 0 });
  checkNumbers('adagrad', { epsilon }, { above: 0 });
  return new Optimizer(
    {
      name: 'adagrad',
      rule: 'adagrad',
      slots: ['accumulator'],
      initial: [initialAccumulatorValue],
      numbers: () => ({ epsilon }),
    },
    options,
    0.001,
  );
}

export interface AdadeltaOptions extends OptimizerOptions {
  /** What is kept of the means. Default: 0.95. */
  rho?: number;
  /** Default: 1e-7. */
  epsilon?: number;
}

/**
 * s = ρ s + (1 − ρ) g²; d = g √(u + ε) / √(s + ε); u = ρ u + (1 − ρ) d²; w −= rate d. Default learning rate: 0.001, as in
 * Keras; Zeiler's paper (2012) has 1.
 */
export function adadelta(options: AdadeltaOptions = {}): Optimizer {
  check('adadelta', options, ['rho', 'epsilon']);
  const { rho = 0.95, epsilon = 1e-7 } = options;
  checkNumbers('adadelta', { rho }, SHARE);
  checkNumbers('adadelta', { epsilon }, { above: 0 });
  return new Optimizer(
    {
      name: 'adadelta',
      rule: 'adadelta',
      slots: ['accumulatedGradient', 'accumulatedDelta'],
      numbers: () => ({ keep1: rho, fresh1: 1 - rho, epsilon }),
    },
    options,
    0.001,
  );
}

/** What the relatives of Adam share. */
export interface MomentOptions extends OptimizerOptions {
  /** What is kept of the mean of gradients. Default: 0.9. */
  beta1?: number;
  /** What is kept of the mean of squares (adamax: of the largest magnitude). Default: 0.999. */
  beta2?: number;
  /** Default: 1e-7. */
  epsilon?: number;
}

export interface AdamOptions extends MomentOptions {
  /** Divide by the largest mean of squares so far. Default: false. */
  amsgrad?: boolean;
}

const MOMENTS = ['beta1', 'beta2', 'epsilon'] as const;

/** The betas and epsilon, checked, with their shares of a new value. */
function momentsOf(
  op: string,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }: MomentOptions,
): {
  beta1: number;
  beta2: number;
  shares: Record<'keep1' | 'fresh1' | 'keep2' | 'fresh2' | 'epsilon', number>;
} {
  checkNumbers(op, { beta1, beta2 }, SHARE);
  checkNumbers(op, { epsilon }, { above: 0 });
  return {
    beta1,
    beta2,
    shares: { keep1: beta1, fresh1: 1 - beta1, keep2: beta2, fresh2: 1 - beta2, epsilon },
  };
}

function adamLike(name: 'adam' | 'adamw', options: AdamOptions): Optimizer {
  check(name, options, [...MOMENTS, 'amsgrad']);
  const { amsgrad = false } = options;
  checkFlags(name, { amsgrad });
  const { beta1, beta2, shares } = momentsOf(name, options);
  return new Optimizer(
    {
      name,
      rule: amsgrad ? 'amsgrad' : 'adam',
      slots: ['momentum', 'velocity', ...(amsgrad ? ['velocityHat'] : [])],
      numbers: (t) => ({ ...shares, correction1: Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t) }),
    },
    options,
    0.001,
  );
}

/**
 * m += (1 − β₁)(g − m); v += (1 − β₂)(g² − v); w −= rate √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε). The ε is the ε̂ of Kingma and
 * Ba (2014), outside of the corrected root. Default learning rate: 0.001. `amsgrad`: Reddi, Kale and Kumar (2018).
 */
export const adam = (options: AdamOptions = {}): Optimizer => adamLike('adam', options);

/** `adam` with a weight decay of 0.004 unless another is given. Loshchilov and Hutter (2019). */
export const adamw = (options: AdamOptions = {}): Optimizer => {
  check('adamw', options, [...MOMENTS, 'amsgrad']);
  return adamLike('adamw', { ...options, weightDecay: options.weightDecay ?? 0.004 });
};

/**
 * m += (1 − β₁)(g − m); u = max(β₂ u, |g|); w −= rate / (1 − β₁ᵗ) · m / (u + ε). Default learning rate: 0.001. Kingma and Ba
 * (2014), section 7.
 */
export function adamax(options: MomentOptions = {}): Optimizer {
  check('adamax', options, MOMENTS);
  const { beta1, shares } = momentsOf('adamax', options);
  return new Optimizer(
    {
      name: 'adamax',
      rule: 'adamax',
      slots: ['momentum', 'norm'],
      numbers: (t) => ({ ...shares, correction1: 1 / (1 - beta1 ** t) }),
    },
    options,
    0.001,
  );
}

/**
 * Adam with Nesterov's momentum: with uₜ = β₁ (1 − ½ · 0.96ᵗ) and Uₜ = u₁ … uₜ,
 * m̂ = uₜ₊₁ m / (1 − Uₜ₊₁) + (1 − uₜ) g / (1 − Uₜ), w −= rate m̂ / (√(v / (1 − β₂ᵗ)) + ε). Default learning rate: 0.001. Dozat
 * (2015).
 */
export function nadam(options: MomentOptions = {}): Optimizer {
  check('nadam', options, MOMENTS);
  const { beta1, beta2, shares } = momentsOf('nadam', options);
  const u = (t: number): number => beta1 * (1 - 0.5 * 0.96 ** t);
  return new Optimizer(
    {
      name: 'nadam',
      rule: 'nadam',
      slots: ['momentum', 'velocity'],
      scalars: { product: 1 },
      numbers: (t, scalars) => {
        const product = (scalars.product ?? 1) * u(t);
        scalars.product = product;
        return {
          ...shares,
          correction1: u(t + 1) / (1 - product * u(t + 1)),
          direct: (1 - u(t)) / (1 - product),
          correction2: 1 / (1 - beta2 ** t),
        };
      },
    },
    options,
    0.001,
  );
}

export interface LionOptions extends OptimizerOptions {
  /** The momentum's share in the direction. Default: 0.9. */
  beta1?: number;
  /** What is kept of the momentum. Default: 0.99. */
  beta2?: number;
}

/** w −= rate sign(β₁ m + (1 − β₁) g); m = β₂ m + (1 − β₂) g. Default learning rate: 0.001. Chen et al. (2023). */
export function lion(options: LionOptions = {}): Optimizer {
  check('lion', options, ['beta1', 'beta2']);
  const { shares } = momentsOf('lion', { beta1: options.beta1 ?? 0.9, beta2: options.beta2 ?? 0.99 });
  return new Optimizer(
    { name: 'lion', rule: 'lion', slots: ['momentum'], numbers: () => shares },
    options,
    0.001,
  );
}

export interface FtrlOptions extends OptimizerOptions {
  /** ≤ 0. Default: −0.5. */
  learningRatePower?: number;
  /** Default: 0.1. */
  initialAccumulatorValue?: number;
  /** Default: 0. */
  l1RegularizationStrength?: number;
  /** Default: 0. */
  l2RegularizationStrength?: number;
  /** A penalty on large weights, rather than a steadying one. Default: 0. */
  l2ShrinkageRegularizationStrength?: number;
  /** Default: 0. */
  beta?: number;
}

/**
 * Follow the regularised leader, with n' = n + g² and p = −learningRatePower:
 * z += g + 2 shrinkage w − (n'ᵖ − nᵖ) / rate · w; w = (clamp(z, ±l1) − z) / ((n'ᵖ + β) / rate + 2 l2). Default learning rate:
 * 0.001. McMahan et al. (2013).
 */
export function ftrl(options: FtrlOptions = {}): Optimizer {
  check('ftrl', options, [
    'learningRatePower',
    'initialAccumulatorValue',
    'l1RegularizationStrength',
    'l2RegularizationStrength',
    'l2ShrinkageRegularizationStrength',
    'beta',
  ]);
  const { learningRatePower = -0.5, initialAccumulatorValue = 0.1, beta = 0 } = options;
  const {
    l1RegularizationStrength: l1 = 0,
    l2RegularizationStrength: l2 = 0,
    l2ShrinkageRegularizationStrength: shrinkage = 0,
  } = options;
  checkNumbers('ftrl', { learningRatePower }, { atMost: 0 });
  checkNumbers(
    'ftrl',
    {
      initialAccumulatorValue,
      beta,
      l1RegularizationStrength: l1,
      l2RegularizationStrength: l2,
      l2ShrinkageRegularizationStrength: shrinkage,
    },
    { atLeast: 0 },
  );
  return new Optimizer(
    {
      name: 'ftrl',
      rule: 'ftrl',
      slots: ['accumulator', 'linear'],
      initial: [initialAccumulatorValue, 0],
      numbers: () => ({ l1, l2, shrinkage, power: -learningRatePower, beta }),
    },
    options,
    0.001,
  );
}
