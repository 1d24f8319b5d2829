/**
 * Index arithmetic that the broadcasting kernels share: axes are collapsed to as few as possible, and a division by
 * an extent becomes a multiplication (Granlund and Montgomery, 1994, for 31-bit dividends).
 */
import type { Shape } from '../src/core/shape.ts';

/** Words of one collapsed axis in a uniform block: extent, multiplier, shift, and a stride for each operand. */
export interface Collapsed {
  readonly extents: number[];
  /** strides[operand][axis] */
  readonly strides: number[][];
}

/** Drops axes of extent 1 and merges neighbours that every operand walks with one stride. */
export function collapse(shape: Shape, strides: readonly (readonly number[])[]): Collapsed {
  const extents: number[] = [];
  const merged: number[][] = strides.map(() => []);
  for (let axis = 0; axis < shape.length; axis++) {
    const extent = shape[axis] as number;
    if (extent === 1) continue;
    const last = extents.length - 1;
    const joins =
      last >= 0 &&
      strides.every((own, s) => (merged[s] as number[])[last] === (own[axis] as number) * extent);
    if (joins) {
      extents[last] = (extents[last] as number) * extent;
      strides.forEach((own, s) => {
        (merged[s] as number[])[last] = own[axis] as number;
      });
    } else {
      extents.push(extent);
      strides.forEach((own, s) => {
        (merged[s] as number[]).push(own[axis] as number);
      });
    }
  }
  return { extents, strides: merged };
}

/** Multiplier and shift such that ⌊n / d⌋ = mulHigh(n, multiplier) >> shift for 0 ≤ n < 2³¹ and d ≥ 2. */
export function divider(d: number): [multiplier: number, shift: number] {
  const bits = 32 - Math.clz32(d - 1);
  const multiplier =
    d <= 1 << 21
      ? Math.ceil(2 ** (31 + bits) / d)
      : Number((2n ** BigInt(31 + bits) + BigInt(d) - 1n) / BigInt(d));
  return [multiplier, bits - 1];
}

/**
 * Writes the axes of a broadcasting kernel into its uniform block, from word `at` on: eight words each of extents,
 * multipliers and shifts, then eight words of strides for each operand.
 */
export function writeAxes(
  uniforms: Uint32Array,
  at: number,
  extents: readonly number[],
  strides: readonly (readonly number[])[],
): void {
  for (let axis = 0; axis < extents.length; axis++) {
    const extent = extents[axis] as number;
    const [multiplier, shift] = divider(extent);
    uniforms[at + axis] = extent;
    uniforms[at + 8 + axis] = multiplier;
    uniforms[at + 16 + axis] = shift;
    for (let operand = 0; operand < strides.length; operand++) {
      uniforms[at + 24 + 8 * operand + axis] = (strides[operand] as readonly number[])[axis] as number;
    }
  }
}

/** Whether four neighbours always lie in one row, so that an invocation can own four of them. */
export function hasRows(shape: Shape): boolean {
  const last = shape.findLast((extent) => extent !== 1) ?? 1;
  return last % 4 === 0;
}
