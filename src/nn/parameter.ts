/** A named weight of a model. */
import { keep } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, AutogradError, DTypeError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import { assertTensor } from '../ops/operand.ts';
import { checkOptions } from '../ops/options.ts';

/** A penalty on a weight: a scalar that the loss of a model adds. */
type Penalty = (value: Tensor) => Tensor;

/** What a weight becomes after each step of an optimizer: a tensor of the same shape. */
export type Constraint = (value: Tensor) => Tensor;

/** Other values in the place of parameters; undefined leaves one as it is. */
type Substitution = (parameter: Parameter) => Tensor | undefined;

let substitution: Substitution | null = null;

/**
 * Runs `body` with other values in the place of parameters: their shapes alone, or copies on another device. What is not
 * substituted inside stays as it is outside.
 */
export function withValues<T>(substitute: Substitution, body: () => T): T {
  const outer = substitution;
  substitution = (parameter) => substitute(parameter) ?? outer?.(parameter);
  try {
    return body();
  } finally {
    substitution = outer;
  }
}

/** Whether others stand in the place of parameters: whoever remembers something between calls leaves it alone then. */
export const valuesAreSubstituted = (): boolean => substitution !== null;

export interface ParameterOptions {
  /** Whether optimizers update it. Default: true. */
  trainable?: boolean;
  /** Default: none. */
  regularizer?: Penalty | undefined;
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
  /** A model that takes the weight in gives it its path as a name. */
  name: string;
  readonly #value: Tensor;
  readonly regularizer: Penalty | null;
  readonly constraint: Constraint | null;

  constructor(name: string, value: Tensor, options: ParameterOptions = {}) {
    if (typeof name !== 'string' || name === '')
      throw new ArgumentError(
        `Parameter: the name is ${describe(name)}; pass a text such as 'dense.kernel'.`,
      );
    assertTensor('Parameter', value);
    checkOptions('Parameter', options, ['trainable', 'regularizer', 'constraint'], 'name, value');
    const { trainable = true, regularizer = null, constraint = null } = options;
    if (!isFloat(value.dtype))
      throw new DTypeError(`Parameter '${name}': ${value.dtype} cannot be trained; cast it to float first.`);
    if (!value.isLeaf) {
      throw new AutogradError(
        'not-a-leaf',
        `Parameter '${name}': the value is the result of ${value.creator}, no leaf; detach() it first.`,
      );
    }
    this.name = name;
    this.#value = keep(value);
    this.regularizer = regularizer;
    this.constraint = constraint;
    this.trainable = trainable;
  }

  get value(): Tensor {
    return substitution?.(this) ?? this.#value;
  }

  get shape(): Shape {
    return this.#value.shape;
  }

  /** What `backward()` left, or null. */
  get grad(): Tensor | null {
    return this.value.grad;
  }

  /** Whether gradients reach it and optimizers update it. */
  get trainable(): boolean {
    return this.#value.requiresGrad;
  }

  set trainable(wanted: boolean) {
    if (typeof wanted !== 'boolean')
      throw new ArgumentError(
        `Parameter '${this.name}': trainable is ${describe(wanted)}; pass true or false.`,
      );
    this.#value.requiresGrad = wanted;
    if (!wanted) this.#value.grad = null;
  }

  /** Gives the memory of the value and of its gradient back. */
  dispose(): void {
    this.#value.dispose();
  }
}
