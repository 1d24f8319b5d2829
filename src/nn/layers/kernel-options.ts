/** The options of layers with a kernel and a bias, as Keras has them, and the two weights. */
import type { Tensor } from '../../autograd/tensor.ts';
import { sum } from '../../ops/reduce.ts';
import type { CallContext } from '../call-context.ts';
import * as constraints from '../constraints.ts';
import * as initializers from '../initializers/index.ts';
import * as regularizers from '../regularizers.ts';
import { checkFlag } from './check.ts';

export interface KernelOptions {
  /** Whether to add a bias. Default: true. */
  useBias?: boolean;
  /** Default: glorotUniform. */
  kernelInitializer?: initializers.InitializerLike;
  /** Default: zeros. */
  biasInitializer?: initializers.InitializerLike;
  /** A penalty that the loss adds. Default: none. */
  kernelRegularizer?: regularizers.RegularizerLike | null;
  /** Default: none. */
  biasRegularizer?: regularizers.RegularizerLike | null;
  /** A penalty on the layer's output. Default: none. */
  activityRegularizer?: regularizers.RegularizerLike | null;
  /** What the kernel becomes after each step of the optimizer. Default: as it is. */
  kernelConstraint?: constraints.ConstraintLike | null;
  /** Default: none. */
  biasConstraint?: constraints.ConstraintLike | null;
}

export const KERNEL_OPTIONS = [
  'useBias',
  'kernelInitializer',
  'biasInitializer',
  'kernelRegularizer',
  'biasRegularizer',
  'activityRegularizer',
  'kernelConstraint',
  'biasConstraint',
] as const satisfies readonly (keyof KernelOptions)[];

export interface WeightSettings {
  readonly initializer: initializers.Initializer;
  readonly regularizer: regularizers.Regularizer | null;
  readonly constraint: constraints.Constraint | null;
}

/** What names and JSON stand for; null and undefined are nothing. */
export const settingsOf = (
  initializer: initializers.InitializerLike,
  regularizer?: regularizers.RegularizerLike | null,
  constraint?: constraints.ConstraintLike | null,
): WeightSettings => ({
  initializer: initializers.get(initializer),
  regularizer: regularizer ? regularizers.get(regularizer) : null,
  constraint: constraint ? constraints.get(constraint) : null,
});

export interface KernelSettings {
  readonly kernel: WeightSettings;
  readonly bias: WeightSettings | null;
  /** Adds the penalty on the layer's output. */
  penalize(context: CallContext, output: Tensor): void;
}

/** The options with names looked up, in the constructor, so that a wrong one is told there. */
export function kernelSettings(op: string, options: KernelOptions): KernelSettings {
  const { useBias = true, kernelInitializer = 'glorotUniform', biasInitializer = 'zeros' } = options;
  checkFlag(op, 'useBias', useBias);
  return {
    kernel: settingsOf(kernelInitializer, options.kernelRegularizer, options.kernelConstraint),
    bias: useBias ? settingsOf(biasInitializer, options.biasRegularizer, options.biasConstraint) : null,
    penalize: activityPenalty(options.activityRegularizer),
  };
}

/** What adds a penalty on a layer's output to the loss. */
export function activityPenalty(
  regularizer: regularizers.RegularizerLike | null | undefined,
): (context: CallContext, output: Tensor) => void {
  if (!regularizer) return () => {};
  const penalty = regularizers.get(regularizer);
  return (context, output) => context.addLoss(sum(penalty(output)));
}
