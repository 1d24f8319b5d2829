/** A penalty on activations as a layer. */
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumbers } from '../../core/check.ts';
import { linear } from '../../ops/activations.ts';
import type { CallContext } from '../call-context.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import { l1l2 } from '../regularizers.ts';
import { onlyInput } from './check.ts';
import { activityPenalty } from './kernel-options.ts';

export interface ActivityRegularizationOptions extends LayerOptions {
  /** The factor of Σ |x|, ≥ 0. Default: 0. */
  l1?: number;
  /** The factor of Σ x², ≥ 0. Default: 0. */
  l2?: number;
}

/**
 * x as it is; the loss grows by l1·Σ |x| + l2·Σ x², sums over the whole batch, as in Keras 3.
 *
 * @throws ArgumentError unless both are finite numbers ≥ 0.
 */
export class ActivityRegularization extends Layer<ActivityRegularizationOptions> {
  readonly #penalize: (context: CallContext, output: Tensor) => void;

  constructor(options: ActivityRegularizationOptions = {}) {
    super(options, 'activityRegularization', ['l1', 'l2']);
    const { l1 = 0, l2 = 0 } = options;
    checkNumbers('activityRegularization', { l1, l2 }, { atLeast: 0 });
    this.#penalize = activityPenalty(l1 > 0 || l2 > 0 ? l1l2({ l1, l2 }) : null);
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[], context: CallContext): Tensor {
    const x = onlyInput(inputs);
    this.#penalize(context, x);
    return linear(x);
  }
}
