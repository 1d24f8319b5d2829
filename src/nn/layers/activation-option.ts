/** The option `activation` of layers: part of the kernel where it can be, a function after it elsewhere. */
import type { Tensor } from '../../autograd/tensor.ts';
import { unknownName } from '../../core/nearest.ts';
import type { Activation, ActivationName } from '../../ops/activations.ts';
import { activations, getActivation } from '../../ops/activations.ts';
import { type EpilogueActivation, isEpilogueActivation } from '../../ops/epilogue.ts';

/** A name, or a function of tensors of your own, which cannot be saved. */
export type ActivationLike = ActivationName | Activation | null;

export interface FusedActivation {
  /** What the kernel applies. */
  readonly fused: EpilogueActivation;
  /** What is left to do with its result. */
  after(x: Tensor): Tensor;
}

const same = (x: Tensor): Tensor => x;

/** The function of an activation. */
export function activationOf(op: string, activation: ActivationLike | undefined): Activation {
  if (typeof activation === 'string' && !Object.hasOwn(activations, activation))
    throw unknownName(op, 'activation', activation, Object.keys(activations));
  return getActivation(activation);
}

/**
 * Splits an activation; softmax and the like stay behind the kernel. So does sigmoid: a loss finds the logits in front of it
 * and is exact then, which it cannot where the kernel never wrote them.
 */
export function fusedActivation(op: string, activation: ActivationLike | undefined): FusedActivation {
  if (activation === undefined || activation === null) return { fused: 'linear', after: same };
  if (activation !== 'sigmoid' && isEpilogueActivation(activation)) return { fused: activation, after: same };
  return { fused: 'linear', after: activationOf(op, activation) };
}
