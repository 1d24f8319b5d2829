/** A function of tensors as a layer. */
import type { Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import { Layer, type LayerOptions } from '../layer.ts';

/** What `lambda` wraps: differentiable ops on as many tensors as the layer is called on. */
export type LambdaFunction = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/**
 * What a function of its inputs returns: `layers.lambda((x) => mul(x, 2))`. It has no weights, and cannot be saved, as
 * functions cannot: write a subclass of `Layer` for that.
 *
 * @throws ArgumentError for what is no function, and when its configuration is asked for.
 */
export class Lambda extends Layer {
  readonly #function: LambdaFunction;

  constructor(body: LambdaFunction, options: LayerOptions = {}) {
    super(options, 'lambda', []);
    if (typeof body !== 'function')
      throw new ArgumentError(
        `lambda: got ${describe(body)}; pass a function of tensors first, such as (x) => mul(x, 2).`,
      );
    this.#function = body;
  }

  override call(inputs: readonly Tensor[]): Tensor | readonly Tensor[] {
    return this.#function(...inputs);
  }

  override getConfig(): object {
    throw new ArgumentError(
      `layer '${this.name}': a function cannot be saved; write a subclass of Layer in the place of lambda().`,
    );
  }
}
