/** A named weight of a model. */
import { keep } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, AutogradError, DTypeError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import { assertTensor } from '../ops/operand.ts';
import { checkOptions } from '../ops/options.ts';

/** What a weight becomes after each step of an optimizer: a tensor of the same shape. */
export type Constraint = (value: Tensor) => Tensor;

export interface ParameterOptions {
  /** Whether optimizers update it. Default: true. */
  trainable?: boolean;
  /** Default: none. */
  constraint?: Constraint | undefined;
}

/**
 * A weight: a dotted name, such as `encoder.dense.kernel`, and a leaf of the graph, which lives until `dispose()`. An
 * optimizer may move the values to other memory; the tensor stays the same one.
 *
 * @throws ArgumentError for a name that is empty or no text; DTypeError unless the value is of float dtype; AutogradError
 *   when it is the result of a recorded op.
 */
export class Parameter {
  readonly name: string;
  readonly value: Tensor;
  readonly constraint: Constraint | null;

  constructor(name: string, value: Tensor, options: ParameterOptions = {}) {
    if (typeof name !== 'string' || name === '')
      throw new ArgumentError(
        `Parameter: the name is ${describe(name)}; pass a text such as 'dense.kernel'.`,
      );
    assertTensor('Parameter', value);
    checkOptions('Parameter', options, ['trainable', 'constraint'], 'name, value');
    const { trainable = true, constraint = null } = options;
    if (!isFloat(value.dtype))
      throw new DTypeError(`Parameter '${name}': ${value.dtype} cannot be trained; cast it to float first.`);
    if (!value.isLeaf) {
      throw new AutogradError(
        'not-a-leaf',
        `Parameter '${name}': the value is the result of ${value.creator}, no leaf; detach() it first.`,
      );
    }
    this.name = name;
    this.value = keep(value);
    this.constraint = constraint;
    this.trainable = trainable;
  }

  get shape(): Shape {
    return this.value.shape;
  }

  /** What `backward()` left, or null. */
  get grad(): Tensor | null {
    return this.value.grad;
  }

  /** Whether gradients reach it and optimizers update it. */
  get trainable(): boolean {
    return this.value.requiresGrad;
  }

  set trainable(wanted: boolean) {
    if (typeof wanted !== 'boolean')
      throw new ArgumentError(
        `Parameter '${this.name}': trainable is ${describe(wanted)}; pass true or false.`,
      );
    this.value.requiresGrad = wanted;
    if (!wanted) this.value.grad = null;
  }

  /** Gives the memory of the value and of its gradient back. */
  dispose(): void {
    this.value.dispose();
  }
}
