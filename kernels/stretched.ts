/** One operand that is broadcast to the shape of the other, which is not stretched itself. */
import type { Shape } from '../src/core/shape.ts';
import { type Collapsed, divider } from './strided.ts';

/** Whether NumPy's rule stretches `alpha` to `x` without stretching x. */
export const stretches = (alpha: Shape, x: Shape): boolean =>
  alpha.length <= x.length &&
  alpha.every((extent, axis) => extent === 1 || extent === x[x.length - alpha.length + axis]);

/** Words of the axes in a uniform block: an `array<vec4u, 8>`. */
export const STRETCHED_WORDS = 8 * 4;

/** For `stretchedAddress` in WGSL: extent, multiplier and shift that divide by it, and the stride of each axis; and how many. */
export function stretchedAxes({ extents, strides }: Collapsed): { rank: number; words: Uint32Array } {
  const words = new Uint32Array(STRETCHED_WORDS);
  extents.forEach((extent, axis) => {
    const [multiplier, shift] = axis > 0 ? divider(extent) : [0, 0];
    words.set([extent, multiplier, shift, (strides[0] as number[])[axis] as number], 4 * axis);
  });
  return { rank: extents.length, words };
}
