/** A layer that tells which steps count. */
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { checkNumbers } from '../../core/check.ts';
import { ShapeError } from '../../core/errors.ts';
import { formatShape } from '../../core/shape.ts';
import { where } from '../../ops/binary.ts';
import { notEqual } from '../../ops/compare.ts';
import { any } from '../../ops/reduce.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import { onlyInput } from './check.ts';

export interface MaskingOptions extends LayerOptions {
  /** What all features of a step are equal to that does not count. Default: 0. */
  maskValue?: number;
}

const counts = (x: Tensor, maskValue: number, keepDims: boolean): Tensor =>
  scope(() => any(notEqual(x, maskValue), { axis: -1, keepDims }));

/**
 * Masks the steps of (batch, steps, features) at which all features are equal to a value, and makes zeros of them: recurrent
 * layers behind it skip these steps, and the loss leaves them out. Keras's Masking.
 *
 * @throws ArgumentError unless maskValue is a finite number; ShapeError when called on an input of less than three axes.
 */
export class Masking extends Layer<MaskingOptions> {
  constructor(options: MaskingOptions = {}) {
    super(options, 'masking', ['maskValue']);
    checkNumbers('masking', { maskValue: options.maskValue }, {});
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override computeMask([x]: readonly Tensor[]): Tensor {
    return counts(x as Tensor, this.options.maskValue ?? 0, false);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const x = onlyInput(inputs);
    if (x.rank < 3)
      throw new ShapeError(
        `it takes (batch, steps, features), got ${formatShape(x.shape)}; reshape the input.`,
      );
    return scope(() => where(counts(x, this.options.maskValue ?? 0, true), x, 0));
  }
}
