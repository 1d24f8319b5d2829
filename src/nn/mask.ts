/**
 * Masks: which steps of a sequence count. A mask belongs to a tensor and is handed on from layer to layer by Keras's rules:
 * `embedding({ maskZero: true })` and `masking()` make masks, recurrent layers skip the steps that are masked, and the loss
 * leaves them out. It lives as long as its tensor.
 */
import { scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, DeviceMismatchError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { assertTensor } from '../ops/operand.ts';

const masks = new WeakMap<Tensor, Tensor>();

/** The mask of a tensor, which goes when the tensor is disposed; null where it has none. */
export function getMask(x: Tensor): Tensor | null {
  assertTensor('getMask', x);
  return masks.get(x) ?? null;
}

/**
 * Gives a tensor a mask, or another one, or, with null, none. The mask is yours still; what is kept shares its memory.
 *
 * ```ts
 * setMask(x, less(arange(steps), expandDims(lengths, 1)));
 * const y = layers.lstm({ units: 32 }).apply(x);
 * ```
 *
 * @param mask Bool, true at what counts, in the shape of the first axes of x: (batch, steps).
 * @throws ArgumentError for what is no mask; DTypeError unless it is bool; ShapeError unless its axes are the first ones of x;
 *   DeviceMismatchError for a mask of another device.
 */
export function setMask(x: Tensor, mask: Tensor | null): void {
  assertTensor('setMask', x);
  if (mask !== null) checkMask(x, mask);
  masks.get(x)?.dispose();
  masks.delete(x);
  if (mask === null) return;
  const own = mask.detach();
  x.takeAlong(own);
  masks.set(x, own);
}

function checkMask(x: Tensor, mask: Tensor): void {
  if (!(mask instanceof Tensor))
    throw new ArgumentError(`setMask: the mask is ${describe(mask)}; pass a bool tensor, or null for none.`);
  mask.assertAlive('setMask');
  if (mask.device !== x.device)
    throw new DeviceMismatchError(
      'setMask: the mask and its tensor live on different devices; use toDevice() first.',
    );
  if (mask.dtype !== 'bool')
    throw new DTypeError(`setMask: the mask is ${mask.dtype}; make it bool: cast(mask, 'bool').`);
  if (mask.rank > x.rank || mask.shape.some((extent, axis) => extent !== x.shape[axis]))
    throw new ShapeError(
      `setMask: a mask of shape ${formatShape(mask.shape)} does not fit a tensor of shape ${formatShape(x.shape)}; it must ` +
        'have the first axes of that, (batch, steps).',
    );
}

/** What becomes of masks at a layer: one for each output, null for none; a single one is that of the first output. */
export type OutputMasks = Tensor | null | readonly (Tensor | null)[];

/** What hands masks on; a layer does. */
interface Masking {
  readonly supportsMasking: boolean;
  computeMask(inputs: readonly Tensor[], masks: readonly (Tensor | null)[]): OutputMasks;
}

/** Gives the outputs of a layer their masks, but for those that have one already. */
export function handOnMasks(layer: Masking, inputs: readonly Tensor[], outputs: readonly Tensor[]): void {
  if (!layer.supportsMasking) return;
  scope(() => {
    const found = layer.computeMask(inputs, inputs.map(getMask));
    const list = found === null || found instanceof Tensor ? [found] : found;
    for (const [index, mask] of list.entries()) {
      const output = outputs[index];
      if (mask && output && !masks.has(output)) setMask(output, mask);
    }
  });
}
