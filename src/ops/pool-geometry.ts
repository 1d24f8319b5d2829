/** The windows of a pooling: from sizes, strides and padding as the user writes them, or the whole image. */
import type { PoolAxis } from '../../kernels/pool-windows.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { checkOptions } from './options.ts';
import { spatialExtents } from './resize.ts';
import {
  type AxisPadding,
  axisNames,
  type ConvPadding,
  checkReach,
  countWindows,
  type PerAxis,
  paddingOf,
  perAxis,
  sameWindows,
} from './window-geometry.ts';

/**
 * What surrounds the input, and never counts: a maximum ignores it, an average divides by the elements inside.
 *
 * - `'valid'`: nothing; what is left behind the last whole window is not looked at.
 * - `'same'`: as much as gives ⌈extent / stride⌉ windows, half on either side; an odd one goes to the end.
 * - a number: that many on every side; a list holds one entry for each spatial axis, a number or `[before, after]`. Each is
 *   smaller than the window, so that none lies in the padding alone.
 */
export type PoolPadding = Exclude<ConvPadding, 'causal'>;

export interface PoolOptions {
  /** Extents of the windows: one number for all spatial axes, or one for each. */
  poolSize: PerAxis;
  /** How far neighbouring windows lie apart. Default: poolSize. */
  strides?: PerAxis | undefined;
  /** Default: valid. */
  padding?: PoolPadding;
}

/** Windows along one axis; Keras's counting. */
function windowsOf(
  op: string,
  name: string,
  input: number,
  size: number,
  stride: number,
  padding: AxisPadding<'valid' | 'same'>,
): PoolAxis {
  const axis = { input, size, stride };
  const reached = ({ before, output }: { before: number; output: number }): PoolAxis => {
    // What the kernels count with: the end of a window one further, and an element's distance from the window ahead.
    checkReach(
      op,
      name,
      'the windows reach',
      Math.max(output * stride + size - before, input + before + stride),
    );
    return { ...axis, output, before };
  };
  if (padding === 'same') return reached(sameWindows(input, size, stride));
  const [before, after] = padding === 'valid' ? [0, 0] : padding;
  if (before >= size || after >= size) {
    throw new ArgumentError(
      `${op}: padding [${before}, ${after}] along ${name} must be smaller than the window, ${size}, or a window would ` +
        'hold padding alone. Use less padding, or pad() the input.',
    );
  }
  const padded = before + input + after;
  if (size > padded) {
    throw new ShapeError(
      `${op}: along ${name} a window of ${size} is larger than the padded input, ${padded} (${before} + ${input} + ` +
        `${after}). Use a smaller poolSize, or padding: 'same'.`,
    );
  }
  return reached({ before, output: countWindows(padded, size, stride) });
}

/** The windows of a pooling over the `spatial` axes of x. */
export function poolAxes(op: string, x: Tensor, options: PoolOptions, spatial: number): PoolAxis[] {
  checkOptions(op, options, ['poolSize', 'strides', 'padding']);
  const { poolSize, strides = poolSize, padding = 'valid' } = options;
  const extents = spatialExtents(op, x, spatial);
  const sizes = perAxis(op, 'poolSize', poolSize, 1, spatial);
  const steps = perAxis(op, 'strides', strides, 1, spatial);
  const paddings = paddingOf(op, padding, ['valid', 'same'], spatial);
  const names = axisNames(spatial);
  checkReach(op, names.join(' · '), 'a window holds', sizeOf(sizes));
  return extents.map((input, axis) =>
    windowsOf(
      op,
      names[axis] as string,
      input,
      sizes[axis] as number,
      steps[axis] as number,
      paddings[axis] as AxisPadding<'valid' | 'same'>,
    ),
  );
}

/** One window along each axis, the whole image. */
export const wholeImage = (op: string, x: Tensor, spatial: number): PoolAxis[] =>
  spatialExtents(op, x, spatial).map((input) => ({
    input,
    output: 1,
    size: input,
    stride: input,
    before: 0,
  }));
