/** Shapes with extents that are not known yet: the batch, the time steps, the size of an image. */
import { describe } from '../core/describe.ts';
import { ShapeError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';

/** A shape, the batch included; null stands for an extent that may be any. */
export type PartialShape = readonly (number | null)[];

/** `(null, 28, 28, 1)` */
export const formatPartial = (shape: PartialShape): string =>
  shape.length === 1 ? `(${shape[0]},)` : `(${shape.map(String).join(', ')})`;

/** Whether a shape is one of those that a partial shape stands for. */
export const fits = (shape: PartialShape, wanted: PartialShape): boolean =>
  shape.length === wanted.length &&
  wanted.every((extent, axis) => extent === null || shape[axis] === null || shape[axis] === extent);

/** What stands for extents that may be any. */
export interface Extents {
  readonly batch: number;
  readonly other: number;
}

/** The shape with numbers in the place of its nulls. */
export const withExtents = (shape: PartialShape, { batch, other }: Extents): Shape =>
  shape.map((own, axis) => own ?? (axis === 0 ? batch : other));

/** What two shapes have in common; null where they differ. */
export const inCommon = (a: Shape, b: Shape): PartialShape =>
  a.map((extent, axis) => (extent === b[axis] ? extent : null));

/** @throws ShapeError unless `shape` is a list of whole numbers ≥ 1 and nulls. */
export function checkPartial(op: string, shape: unknown): asserts shape is PartialShape {
  const bad = (what: string): ShapeError =>
    new ShapeError(
      `${op}: ${what}; pass a list of extents ≥ 1 without the batch, such as [28, 28, 1], with null for any.`,
    );
  if (!Array.isArray(shape)) throw bad(`the shape is ${describe(shape)}`);
  for (const extent of shape as unknown[])
    if (extent !== null && !(Number.isSafeInteger(extent) && (extent as number) >= 1))
      throw bad(`the shape holds ${describe(extent)}`);
}
