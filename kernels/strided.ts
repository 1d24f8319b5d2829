/**
 * Index arithmetic that the broadcasting kernels share: axes are collapsed to as few as possible, and a division by
 * an extent becomes a multiplication (Granlund and Montgomery, 1994, for 31-bit dividends).
 */
import { type Shape, sizeOf } from '../src/core/shape.ts';

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

/** Words that `writeAxes` fills: the outermost axis' strides, then seven axes of eight words. */
export const AXES_WORDS = 4 + 7 * 8;

/**
 * Writes the axes of a broadcasting kernel into its uniform block, from word `at` on. First come the strides of the
 * outermost axis, one for each of up to four operands; then, for each further axis, what divides by its extent (extent,
 * multiplier, shift, unused) and its strides. In WGSL these are a vec4u and an array of seven `Axis`.
 */
export function writeAxes(
  uniforms: Uint32Array,
  at: number,
  extents: readonly number[],
  strides: readonly (readonly number[])[],
): void {
  for (let axis = 0; axis < extents.length; axis++) {
    const place = at + 4 + 8 * (axis - 1);
    if (axis > 0) {
      const extent = extents[axis] as number;
      const [multiplier, shift] = divider(extent);
      uniforms[place] = extent;
      uniforms[place + 1] = multiplier;
      uniforms[place + 2] = shift;
    }
    const own = axis > 0 ? place + 4 : at;
    for (let operand = 0; operand < strides.length; operand++) {
      uniforms[own + operand] = (strides[operand] as readonly number[])[axis] as number;
    }
  }
}

/** Whether four neighbours always lie in one row, so that an invocation can own four of them. */
export function hasRows(shape: Shape): boolean {
  const last = shape.findLast((extent) => extent !== 1) ?? 1;
  return last % 4 === 0;
}

/**
 * The outermost axis in four slabs: an invocation that owns the same place in each of them works out its address once.
 * `strides` are those of the operands and, last, the output's.
 */
export interface Slabs {
  readonly extents: number[];
  /** How far one slab lies from the next, for each operand. */
  readonly steps: number[];
}

/** Elements from which slabs leave enough invocations for every device. */
export const MANY = 1 << 16;

/** Cuts the outermost axis; undefined where it has no four equal parts, or where there are less than `least` places. */
export function slabsOf(
  extents: readonly number[],
  strides: readonly (readonly number[])[],
  least: number,
): Slabs | undefined {
  const [outermost = 1, ...inner] = extents;
  if (outermost % 4 !== 0 || sizeOf(extents) < least) return undefined;
  return {
    extents: [outermost / 4, ...inner],
    steps: strides.map((own) => ((own[0] as number) * outermost) / 4),
  };
}
