/** Layers that make one tensor of several: `layers.add().apply([a, b])`. */
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumbers } from '../../core/check.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError, ShapeError } from '../../core/errors.ts';
import { formatShape, normalizeAxis, type Shape } from '../../core/shape.ts';
import { add, maximum, minimum, mul, sub } from '../../ops/binary.ts';
import { logicalOr } from '../../ops/compare.ts';
import { ones } from '../../ops/create.ts';
import { einsum } from '../../ops/einsum.ts';
import { concat } from '../../ops/join.ts';
import { reshape } from '../../ops/shape.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import { checkFlag } from './check.ts';
import { toUnitNorm } from './normalization.ts';

const shapesOf = (inputs: readonly Tensor[]): string =>
  inputs.map(({ shape }) => formatShape(shape)).join(' and ');

/** @throws ArgumentError unless there are two inputs, or more where `more` is true. */
function checkInputs(inputs: readonly Tensor[], more: boolean): void {
  if (more ? inputs.length >= 2 : inputs.length === 2) return;
  throw new ArgumentError(
    `it takes ${more ? 'two or more' : 'two'} inputs, and was called on ${inputs.length}; pass them as a list: ` +
      'apply([a, b]).',
  );
}

/** @throws ShapeError unless all inputs have as many examples. */
function checkBatches(inputs: readonly Tensor[]): void {
  const [first] = inputs;
  if (inputs.some(({ shape }) => shape.length === 0 || shape[0] !== first?.shape[0]))
    throw new ShapeError(
      `inputs of shapes ${shapesOf(inputs)} differ in their first axis, the batch; it must be the same.`,
    );
}

/** The inputs with axes of extent 1 behind the batch, so that all have the same rank; the last axes stay aligned. */
function alignRanks(inputs: readonly Tensor[]): Tensor[] {
  const rank = Math.max(...inputs.map((input) => input.rank));
  return inputs.map((input) => {
    const [batch = 1, ...rest] = input.shape;
    const missing = new Array<number>(rank - input.rank).fill(1);
    return missing.length === 0 ? input : reshape(input, [batch, ...missing, ...rest]);
  });
}

/** What any of the masks lets through; nothing is masked where an input has none. */
function anyOf(masks: readonly (Tensor | null)[]): Tensor | null {
  const given = masks.filter((mask) => mask !== null);
  return given.length < masks.length ? null : given.reduce((a, b) => logicalOr(a, b));
}

/** A layer that joins its inputs pair by pair, element by element. */
abstract class ElementwiseMerge extends Layer {
  readonly #more: boolean;

  constructor(options: LayerOptions, type: string, more = true) {
    super(options, type, []);
    this.#more = more;
  }

  protected abstract pair(a: Tensor, b: Tensor): Tensor;

  /** What is done to the result for all inputs. */
  protected finish(joined: Tensor, _count: number): Tensor {
    return joined;
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override computeMask(_inputs: readonly Tensor[], masks: readonly (Tensor | null)[]): Tensor | null {
    return anyOf(masks);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    checkInputs(inputs, this.#more);
    checkBatches(inputs);
    return scope(() => {
      const joined = alignRanks(inputs).reduce((a, b) => this.pair(a, b));
      return this.finish(joined, inputs.length);
    });
  }
}

/**
 * The sum of two or more inputs. Like all layers here that work element by element, it stretches extents of 1, and gives an
 * input with fewer axes further ones behind the batch: (batch, channels) joins (batch, height, width, channels).
 *
 * @throws ArgumentError when called on less than two inputs; ShapeError on shapes that do not broadcast.
 */
export class Add extends ElementwiseMerge {
  constructor(options: LayerOptions = {}) {
    super(options, 'add');
  }

  protected override pair(a: Tensor, b: Tensor): Tensor {
    return add(a, b);
  }
}

/** a − b for two inputs; else as `Add`. */
export class Subtract extends ElementwiseMerge {
  constructor(options: LayerOptions = {}) {
    super(options, 'subtract', false);
  }

  protected override pair(a: Tensor, b: Tensor): Tensor {
    return sub(a, b);
  }
}

/** The product of two or more inputs; else as `Add`. */
export class Multiply extends ElementwiseMerge {
  constructor(options: LayerOptions = {}) {
    super(options, 'multiply');
  }

  protected override pair(a: Tensor, b: Tensor): Tensor {
    return mul(a, b);
  }
}

/** The mean of two or more inputs; else as `Add`. */
export class Average extends ElementwiseMerge {
  constructor(options: LayerOptions = {}) {
    super(options, 'average');
  }

  protected override pair(a: Tensor, b: Tensor): Tensor {
    return add(a, b);
  }

  protected override finish(joined: Tensor, count: number): Tensor {
    return mul(joined, 1 / count);
  }
}

/** The largest of two or more inputs; equals share the gradient. Else as `Add`. */
export class Maximum extends ElementwiseMerge {
  constructor(options: LayerOptions = {}) {
    super(options, 'maximum');
  }

  protected override pair(a: Tensor, b: Tensor): Tensor {
    return maximum(a, b);
  }
}

/** The smallest of two or more inputs; equals share the gradient. Else as `Add`. */
export class Minimum extends ElementwiseMerge {
  constructor(options: LayerOptions = {}) {
    super(options, 'minimum');
  }

  protected override pair(a: Tensor, b: Tensor): Tensor {
    return minimum(a, b);
  }
}

export interface ConcatenateOptions extends LayerOptions {
  /** The axis along which they stand one behind the other. Default: −1. */
  axis?: number;
}

/**
 * Two or more inputs one behind the other along an axis, where alone their extents may differ. See `concat`.
 *
 * @throws ArgumentError when called on less than two inputs; ShapeError on shapes that differ elsewhere.
 */
export class Concatenate extends Layer<ConcatenateOptions> {
  constructor(options: ConcatenateOptions = {}) {
    super(options, 'concatenate', ['axis']);
    checkNumbers('concatenate', { axis: options.axis }, { whole: true });
  }

  override get supportsMasking(): boolean {
    return true;
  }

  /** Along the batch or the steps the masks stand one behind the other, too; an input without one counts as a whole. */
  override computeMask(inputs: readonly Tensor[], masks: readonly (Tensor | null)[]): Tensor | null {
    const [first] = inputs as readonly [Tensor];
    const axis = normalizeAxis('concatenate', this.options.axis ?? -1, first.rank);
    if (axis > 1) return anyOf(masks);
    if (masks.every((mask) => mask === null)) return null;
    const { device } = first;
    const whole = (shape: Shape): Tensor => ones(shape.slice(0, 2), { device, dtype: 'bool' });
    return concat(
      inputs.map(({ shape }, index) => masks[index] ?? whole(shape)),
      axis,
    );
  }

  override call(inputs: readonly Tensor[]): Tensor {
    checkInputs(inputs, true);
    return concat(inputs, this.options.axis ?? -1);
  }
}

export interface DotOptions extends LayerOptions {
  /** The axis to sum over, of both inputs or one of each; the batch is axis 0 and none of them. */
  axes: number | readonly [number, number];
  /** Whether to bring both inputs to length 1 along their axis first, which makes it the cosine. Default: false. */
  normalize?: boolean;
}

/** Keras' epsilon, which keeps lengths of 0 from dividing. */
const EPSILON = 1e-7;

/**
 * Σ a·b over one axis of each of two inputs, example by example: (batch, …the other axes of a, …the other axes of b), and
 * (batch, 1) where there are no others. `dot({ axes: 1 })` of two (batch, features) is the product of vectors;
 * `dot({ axes: [2, 1] })` of (batch, m, k) and (batch, k, n) that of matrices.
 *
 * @throws ArgumentError for axes that are no whole numbers, or the batch, and when called on another number of inputs;
 *   ShapeError when the extents differ.
 */
export class Dot extends Layer<DotOptions> {
  readonly #axes: readonly [number, number];

  constructor(options: DotOptions) {
    super(options, 'dot', ['axes', 'normalize']);
    const { axes, normalize = false } = this.options;
    const pair: readonly unknown[] = Array.isArray(axes) ? axes : [axes, axes];
    if (pair.length !== 2 || !pair.every((axis) => Number.isSafeInteger(axis) && axis !== 0))
      throw new ArgumentError(
        `dot: axes is ${describe(axes)}; pass one axis for both inputs or a list of two, such as [2, 1]; 0 is the batch.`,
      );
    checkFlag('dot', 'normalize', normalize);
    this.#axes = pair as readonly [number, number];
  }

  override call(inputs: readonly Tensor[]): Tensor {
    checkInputs(inputs, false);
    checkBatches(inputs);
    const axes = inputs.map(({ rank }, index) => normalizeAxis('dot', this.#axes[index] as number, rank));
    const extents = inputs.map(({ shape }, index) => shape[axes[index] as number]);
    if (axes.includes(0) || extents[0] !== extents[1])
      throw new ShapeError(
        `inputs of shapes ${shapesOf(inputs)} have the extents ${extents.join(' and ')} in axes ${axes.join(' and ')}; they ` +
          'must be equal, and not the batch.',
      );
    return scope(() => {
      const [a, b] = inputs.map((x, index) =>
        this.options.normalize ? toUnitNorm(x, axes[index] as number, EPSILON) : x,
      ) as [Tensor, Tensor];
      // Letters: a for the batch, b for the sum, and one for each other axis.
      let letters = 2;
      const [left, right] = [a, b].map(({ shape }, index) =>
        shape.map((_, axis) => {
          if (axis === 0) return 'a';
          return axis === axes[index] ? 'b' : String.fromCharCode(97 + letters++);
        }),
      ) as [string[], string[]];
      const others = [...left, ...right].filter((letter) => letter !== 'a' && letter !== 'b');
      const y = einsum(`${left.join('')},${right.join('')}->a${others.join('')}`, a, b);
      return others.length === 0 ? reshape(y, [y.size, 1]) : y;
    });
  }
}
