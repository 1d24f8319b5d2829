/**
 * Activations, with Keras 3's names, formulas and defaults. Each is one dispatch forward and one back. They are safe at ±∞
 * (a limit of 0 is 0, never ∞ · 0) and hand a NaN on; a derivative of 0 stops any gradient, also an infinite one.
 */
import { type UnaryName, unaryKernel } from '../../kernels/unary.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { glu } from './activations-gated.ts';
import { type ActivationScalars, activationOp } from './activations-gradient.ts';
import { ifPositive, mulZero, zeroGrad } from './binary.ts';
import { checkOptions } from './options.ts';
import { logSoftmax, softmax } from './softmax.ts';
import { logSigmoid, sigmoid, softplus, tanh } from './unary.ts';

/** What a layer applies to its output. */
export type Activation = (x: Tensor) => Tensor;

/** A function of kernels/unary.ts under the name of an activation, with its gradient from g and the output. */
function asActivation(
  name: string,
  op: UnaryName,
  saves: 'output' | 'nothing',
  derivative: (g: Tensor, y: Tensor) => Tensor,
): Activation {
  const definition: Op = {
    name,
    forward: ([x]) => runKernel1(name, unaryKernel, [x as Tensor], { op }),
    saves: (_inputs, [y]) => (saves === 'output' ? [y] : []),
    backward: ({ grad, saved: [y] }) => [() => derivative(grad, y as Tensor)],
  };
  return (x) => apply(definition, [x], undefined);
}

const linearOp: Op = {
  name: 'linear',
  forward: ([x]) => (x as Tensor).view('linear'),
  backward: ({ grad }) => [() => grad],
};

/** x itself, as a view that shares its memory. */
export const linear = (x: Tensor): Tensor => apply(linearOp, [x], undefined);

/**
 * 1 where x > 0, else 0: the perceptron's activation, the same function as `step`. Its gradient is zero everywhere, so
 * nothing below it can learn; it is here to show just that. Train with a sigmoid, and use this one afterwards if need be.
 */
export const binaryStep = asActivation('binaryStep', 'step', 'nothing', (g) => zeroGrad(g));

/** eˣ, the same function as `exp`. */
export const exponential = asActivation('exponential', 'exp', 'output', (g, y) => mulZero(g, y));

const plainRelu = asActivation('relu', 'relu', 'output', (g, y) => ifPositive(g, y));

/** How `relu` bends. */
export interface ReluOptions {
  /** The slope below the threshold. Default: 0. */
  negativeSlope?: number;
  /** The largest value, above which the result stays constant; null for none. Default: null. */
  maxValue?: number | null;
  /** Where the function begins. Default: 0. */
  threshold?: number;
}

/** An activation under its own name in messages; p and q are slope and threshold, r the largest value. */
const rectifier = (
  name: string,
  op: 'rectify' | 'rectifyTo',
): ((x: Tensor, s: ActivationScalars) => Tensor) => {
  const definition = activationOp(op, name);
  return (x, scalars) => apply(definition, [x], scalars);
};
const rectified = rectifier('relu', 'rectify');
const rectifiedTo = rectifier('relu', 'rectifyTo');

function finiteNumber(op: string, option: string, value: unknown): void {
  if (typeof value === 'number' && Number.isFinite(value)) return;
  throw new ArgumentError(`${op}: ${option} is ${describe(value)}; it must be a finite number.`);
}

function notNegative(op: string, option: string, value: unknown): void {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return;
  throw new ArgumentError(`${op}: ${option} is ${describe(value)}; it must be a number ≥ 0.`);
}

/**
 * max(x, 0). With options: min(x, maxValue) where x > threshold, else negativeSlope · (x − threshold). The derivative at
 * the threshold is negativeSlope, that at maxValue is 0. Without options it also takes int32.
 *
 * @throws ArgumentError for options that are negative or no finite numbers.
 */
export function relu(x: Tensor): Tensor;
export function relu(x: Tensor, options: ReluOptions | undefined): Tensor;
export function relu(x: Tensor, options?: ReluOptions): Tensor {
  if (options === undefined) return plainRelu(x);
  checkOptions('relu', options, ['negativeSlope', 'maxValue', 'threshold']);
  const { negativeSlope = 0, maxValue = null, threshold = 0 } = options;
  notNegative('relu', 'negativeSlope', negativeSlope);
  notNegative('relu', 'threshold', threshold);
  if (maxValue === null) return rectified(x, { p: negativeSlope, q: threshold });
  notNegative('relu', 'maxValue', maxValue);
  return rectifiedTo(x, { p: negativeSlope, q: threshold, r: maxValue });
}

const clippedAt6 = rectifier('relu6', 'rectifyTo');
/** min(max(x, 0), 6); the derivative at 0 and at 6 is 0. */
export const relu6 = (x: Tensor): Tensor => clippedAt6(x, { p: 0, q: 0, r: 6 });

const aboveTheta = rectifier('thresholdedRelu', 'rectify');
/** x where x > theta, else 0; the derivative at theta is 0 (Konda, Memisevic and Krueger, 2014). */
export const thresholdedRelu = (x: Tensor, theta = 1): Tensor => {
  notNegative('thresholdedRelu', 'theta', theta);
  return aboveTheta(x, { p: 0, q: theta });
};

const leaky = rectifier('leakyRelu', 'rectify');
/** x for x > 0, else slope · x; the derivative at 0 is the slope (Maas, Hannun and Ng, 2013). */
export const leakyRelu = (x: Tensor, slope = 0.2): Tensor => {
  finiteNumber('leakyRelu', 'slope', slope);
  return leaky(x, { p: slope, q: 0 });
};

const eluOp = activationOp('elu');
/** x for x > 0, else alpha · (eˣ − 1); the derivative at 0 is alpha (Clevert, Unterthiner and Hochreiter, 2016). */
export const elu = (x: Tensor, alpha = 1): Tensor => {
  finiteNumber('elu', 'alpha', alpha);
  return apply(eluOp, [x], { p: alpha, q: 1 });
};

/** The constants of SELU, with which activations of mean 0 and variance 1 keep both (Klambauer et al., 2017). */
export const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 } as const;

const seluOp = activationOp('elu', 'selu');
/**
 * scale · elu(x, alpha) with alpha = 1.67326324 and scale = 1.05070098, for self-normalising networks: initialise with
 * LeCun's normal numbers and drop with `alphaDropout` (Klambauer et al., 2017).
 */
export const selu = (x: Tensor): Tensor => apply(seluOp, [x], { p: SELU.alpha, q: SELU.scale });

const NONE: ActivationScalars = {};
const named = (
  op: 'softsign' | 'silu' | 'mish' | 'hardSigmoid' | 'hardSilu',
  name: string = op,
): Activation => {
  const definition = activationOp(op, name);
  return (x) => apply(definition, [x], NONE);
};

/** x / (1 + |x|) */
export const softsign = named('softsign');

/** x · sigmoid(x) (Elfwing, Uchibe and Doya, 2018; Ramachandran, Zoph and Le, 2017). */
export const silu = named('silu');

/** The same function as `silu`. */
export const swish = named('silu', 'swish');

/** x · tanh(softplus(x)) (Misra, 2019). */
export const mish = named('mish');

/** relu6(x + 3) / 6; the derivative at ±3 is 0. */
export const hardSigmoid = named('hardSigmoid');

/** x · hardSigmoid(x), with the derivative 0 at −3 and 1 at 3 (Howard et al., 2019). */
export const hardSilu = named('hardSilu');

/** The same function as `hardSilu`. */
export const hardSwish = named('hardSilu', 'hardSwish');

/** Which form `gelu` takes. */
export interface GeluOptions {
  /** x · (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 instead of the exact form. Default: false. */
  approximate?: boolean;
}

const exactGelu = activationOp('gelu');
const tanhGelu = activationOp('geluTanh', 'gelu');
/** x · Φ(x), with Φ(x) = (1 + erf(x / √2)) / 2 the share of normal numbers below x (Hendrycks and Gimpel, 2016). */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  checkOptions('gelu', options, ['approximate']);
  return apply(options.approximate ? tanhGelu : exactGelu, [x], NONE);
}

/** The activations by the names that layers take. */
export const activations = {
  binaryStep,
  elu,
  exponential,
  gelu,
  glu,
  hardSigmoid,
  hardSilu,
  hardSwish,
  leakyRelu,
  linear,
  logSigmoid,
  logSoftmax,
  mish,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  softsign,
  swish,
  tanh,
  thresholdedRelu,
} as const satisfies Record<string, Activation>;

/** The name of an activation. */
export type ActivationName = keyof typeof activations;

/**
 * The activation of this name; a function is returned as it is, and nothing stands for `linear`.
 *
 * ```ts
 * getActivation('relu');                          // relu
 * getActivation((x) => elu(x, 0.5));              // that function
 * ```
 *
 * @throws ArgumentError, which lists the names.
 */
export function getActivation(identifier?: ActivationName | Activation | null): Activation {
  const given: unknown = identifier ?? linear;
  if (typeof given === 'function') return given as Activation;
  if (typeof given === 'string' && Object.hasOwn(activations, given))
    return activations[given as ActivationName];
  throw new ArgumentError(
    `getActivation: ${describe(given)} is no activation; pass a function from tensor to tensor, or one of ` +
      `${Object.keys(activations).join(', ')}.`,
  );
}
