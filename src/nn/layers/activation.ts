/** Activations as layers. */
import type { Tensor } from '../../autograd/tensor.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import { type ActivationLike, activationOf } from './activation-option.ts';
import { onlyInput } from './check.ts';

export interface ActivationOptions extends LayerOptions {
  activation: ActivationLike;
}

/** Applies an activation, by its name or as a function. */
export class Activation extends Layer<ActivationOptions> {
  readonly #activation: (x: Tensor) => Tensor;

  constructor(options: ActivationOptions) {
    super(options, 'activation', ['activation']);
    this.#activation = activationOf('activation', this.options.activation);
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const x = onlyInput(inputs);
    return this.#activation(x);
  }
}
