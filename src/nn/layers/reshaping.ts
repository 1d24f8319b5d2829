/** Layers that change shapes alone. */
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError, ShapeError } from '../../core/errors.ts';
import { formatShape, type Shape, sizeOf } from '../../core/shape.ts';
import { broadcastTo, permute, reshape } from '../../ops/shape.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import { checkCount, checkRank, onlyInput } from './check.ts';

/** (batch, …) → (batch, product of the rest). */
export class Flatten extends Layer {
  constructor(options: LayerOptions = {}) {
    super(options, 'flatten', []);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const x = onlyInput(inputs);
    const [batch = 1, ...rest] = x.shape;
    return reshape(x, [batch, sizeOf(rest)]);
  }
}

export interface ReshapeOptions extends LayerOptions {
  /** The shape of one example, without the batch; one extent may be −1 and is then worked out. */
  targetShape: Shape;
}

/**
 * (batch, …) → (batch, …targetShape), with the same elements in each example.
 *
 * @throws ArgumentError for a target that is no list of whole numbers ≥ 1 with at most one −1; ShapeError when called on
 *   examples that do not hold as many elements.
 */
export class Reshape extends Layer<ReshapeOptions> {
  constructor(options: ReshapeOptions) {
    super(options, 'reshape', ['targetShape']);
    const target: unknown = this.options.targetShape;
    const open = Array.isArray(target) ? target.filter((extent) => extent === -1).length : 2;
    const rest = Array.isArray(target) ? target.filter((extent) => extent !== -1) : [];
    if (open > 1 || !rest.every((extent) => Number.isSafeInteger(extent) && extent >= 1))
      throw new ArgumentError(
        `reshape: targetShape is ${describe(target)}; pass a list of extents ≥ 1 without the batch, one of which may be -1.`,
      );
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const x = onlyInput(inputs);
    const { targetShape } = this.options;
    const [batch = 1, ...example] = x.shape;
    // Worked out for one example, so that it also holds for a batch of none.
    const size = sizeOf(example);
    const known = sizeOf(targetShape.filter((extent) => extent !== -1));
    if (targetShape.includes(-1) ? size % known !== 0 : size !== known)
      throw new ShapeError(
        `examples of shape ${formatShape(example)} with ${size} elements do not fill targetShape ${formatShape(targetShape)}.`,
      );
    return reshape(x, [batch, ...targetShape.map((extent) => (extent === -1 ? size / known : extent))]);
  }
}

export interface PermuteOptions extends LayerOptions {
  /** The axes of an example in their new order, counted from 1, as axis 0 is the batch: [2, 1] swaps two. */
  dims: readonly number[];
}

/**
 * The axes behind the batch in another order: axis i of the result is axis `dims[i − 1]` of the input. See `permute`.
 *
 * @throws ArgumentError unless dims name each of 1, 2, … once; ShapeError when called on an input of another rank.
 */
export class Permute extends Layer<PermuteOptions> {
  constructor(options: PermuteOptions) {
    super(options, 'permute', ['dims']);
    const dims: unknown = this.options.dims;
    const sorted = Array.isArray(dims) ? [...dims].sort((a, b) => a - b) : [];
    if (sorted.length === 0 || !sorted.every((axis, index) => axis === index + 1))
      throw new ArgumentError(
        `permute: dims is ${describe(dims)}; pass each axis from 1 on once, such as [2, 1]; 0, the batch, stays.`,
      );
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const x = onlyInput(inputs);
    const { dims } = this.options;
    checkRank(x.shape, dims.length + 1, `inputs with a batch and the ${dims.length} axes of dims`);
    return permute(x, [0, ...dims]);
  }
}

export interface RepeatVectorOptions extends LayerOptions {
  /** How many times. */
  n: number;
}

/**
 * (batch, features) → (batch, n, features): the same vector at each of n steps.
 *
 * @throws ArgumentError unless n is a whole number ≥ 1; ShapeError when called on an input of another rank.
 */
export class RepeatVector extends Layer<RepeatVectorOptions> {
  constructor(options: RepeatVectorOptions) {
    super(options, 'repeatVector', ['n']);
    checkCount('repeatVector', 'n', this.options.n);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const x = onlyInput(inputs);
    checkRank(x.shape, 2, '(batch, features)');
    const [batch, features] = x.shape as [number, number];
    return scope(() => broadcastTo(reshape(x, [batch, 1, features]), [batch, this.options.n, features]));
  }
}
