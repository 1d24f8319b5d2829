/** The activations that a kernel can apply to its result before it writes it, and their derivatives. */
import type { MatmulActivation } from '../../kernels/matmul.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { activationGradient } from './activations-gradient.ts';
import { ifPositive } from './binary.ts';

export type EpilogueActivation = MatmulActivation;

/**
 * What the gradient `g` of the activation's output `y` is for its input: the derivatives are known from `y` alone, and
 * where one is 0 it stops any `g`.
 */
export const activationGrad: Readonly<Record<EpilogueActivation, (g: Tensor, y: Tensor) => Tensor>> = {
  linear: (g) => g,
  relu: (g, y) => ifPositive(g, y),
  sigmoid: (g, y) => activationGradient('sigmoid', g, y),
  tanh: (g, y) => activationGradient('tanh', g, y),
};

/** The names of the activations. */
export const epilogueActivations = Object.keys(activationGrad) as readonly EpilogueActivation[];

export const isEpilogueActivation = (name: unknown): name is EpilogueActivation =>
  (epilogueActivations as readonly unknown[]).includes(name);
