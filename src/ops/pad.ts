/** Padding with a constant, with the edge, or with a reflection. */
import { broadcastTo } from '../autograd/engine-ops.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { joinAlong } from './join.ts';
import { reshape } from './shape.ts';
import { along, flip, place } from './slice.ts';

export type PadMode = 'constant' | 'edge' | 'reflect';

export interface PadOptions {
  /**
   * `constant` fills with `value`, `edge` repeats the outermost element, `reflect` mirrors without repeating it.
   * Default: constant.
   */
  mode?: PadMode;
  /** What `constant` fills with. Default: 0. */
  value?: number;
}

/** How many elements come before and behind each axis: one number for all, one pair for all, or a pair for each. */
export type Paddings = number | readonly [number, number] | readonly (readonly [number, number])[];

const MODES: readonly PadMode[] = ['constant', 'edge', 'reflect'];

function pairsOf(paddings: Paddings, x: Tensor): readonly (readonly [number, number])[] {
  const pairs =
    typeof paddings === 'number'
      ? x.shape.map(() => [paddings, paddings] as const)
      : typeof paddings[0] === 'number'
        ? x.shape.map(() => paddings as readonly [number, number])
        : (paddings as readonly (readonly [number, number])[]);
  if (pairs.length !== x.rank) {
    throw new ShapeError(
      `pad: ${pairs.length} pairs for the ${x.rank} axes of ${formatShape(x.shape)}; give one pair for each axis.`,
    );
  }
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2 || pair.some((size) => !Number.isInteger(size) || size < 0))
      throw new ArgumentError(`pad: [${String(pair)}] is no pair of whole numbers ≥ 0; cut with slice().`);
  }
  return pairs;
}

/** What stands before (or behind) x along an axis: its edge, or its reflection. */
function border(x: Tensor, axis: number, size: number, mode: PadMode, before: boolean): Tensor {
  const extent = x.shape[axis] as number;
  if (mode === 'edge') {
    const at = before ? 0 : extent - 1;
    return broadcastTo(
      along(x, axis, at, at + 1),
      x.shape.map((own, a) => (a === axis ? size : own)),
    );
  }
  const [from, to] = before ? [1, size + 1] : [extent - 1 - size, extent - 1];
  return flip(along(x, axis, from, to), axis);
}

/** x with more elements around it, as NumPy's `pad`. */
export function pad(
  x: Tensor,
  paddings: Paddings,
  { mode = 'constant', value = 0 }: PadOptions = {},
): Tensor {
  if (!MODES.includes(mode))
    throw new ArgumentError(
      `pad: no mode '${mode}'; there are ${MODES.map((name) => `'${name}'`).join(', ')}.`,
    );
  const pairs = pairsOf(paddings, x);
  if (mode === 'constant') {
    return place(x, {
      shape: x.shape.map(
        (extent, axis) =>
          extent + (pairs[axis] as [number, number])[0] + (pairs[axis] as [number, number])[1],
      ),
      start: pairs.map(([before]) => before),
      step: x.shape.map(() => 1),
      value,
    });
  }
  pairs.forEach(([before, behind], axis) => {
    const extent = x.shape[axis] as number;
    const most = mode === 'reflect' ? Math.max(0, extent - 1) : extent > 0 ? Number.POSITIVE_INFINITY : 0;
    if (Math.max(before, behind) <= most) return;
    throw new ShapeError(
      `pad: axis ${axis} of ${formatShape(x.shape)} offers at most ${most} elements to ${mode} padding, asked for ` +
        `[${before}, ${behind}]. Pad less, or in mode 'constant'.`,
    );
  });
  return scope(() =>
    pairs.reduce(
      (y, [before, behind], axis) => {
        if (before === 0 && behind === 0) return y;
        const parts = [
          ...(before > 0 ? [border(y, axis, before, mode, true)] : []),
          y,
          ...(behind > 0 ? [border(y, axis, behind, mode, false)] : []),
        ];
        return joinAlong('pad', parts, axis);
      },
      reshape(x, x.shape),
    ),
  );
}
