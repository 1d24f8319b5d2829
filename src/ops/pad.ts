/** Padding with a constant, with the edge, or with a reflection. */
import { broadcastTo } from '../autograd/engine-ops.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { joinAlong } from './join.ts';
import { assertTensor, checkMovable } from './operand.ts';
import { checkOptions } from './options.ts';
import { apart } from './shape.ts';
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
  if (typeof paddings !== 'number' && !Array.isArray(paddings as unknown)) {
    throw new ArgumentError(
      `pad: paddings ${describe(paddings)}; pass a number, a pair, or a pair for each axis.`,
    );
  }
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
      throw new ArgumentError(`pad: ${describe(pair)} is no pair of whole numbers ≥ 0; cut with slice().`);
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

/**
 * x with more elements around it, as NumPy's `pad`.
 *
 * @throws ShapeError where `edge` or `reflect` have too few elements to take; ArgumentError for a `value` beside them.
 */
export function pad(x: Tensor, paddings: Paddings, options: PadOptions = {}): Tensor {
  assertTensor('pad', x);
  checkOptions('pad', options, ['mode', 'value'], 'x, paddings');
  checkMovable('pad', x);
  const { mode = 'constant', value = 0 } = options;
  if (!MODES.includes(mode)) {
    throw new ArgumentError(
      `pad: no mode ${describe(mode)}; there are ${MODES.map((name) => `'${name}'`).join(', ')}.`,
    );
  }
  if (mode !== 'constant' && options.value !== undefined) {
    throw new ArgumentError(
      `pad: a value of ${describe(options.value)} in mode '${mode}', which fills with elements of x; leave it away.`,
    );
  }
  if (typeof value !== 'number')
    throw new ArgumentError(`pad: the value ${describe(value)} is no number; pass a number.`);
  const pairs = pairsOf(paddings, x);
  if (mode === 'constant') {
    const shape = pairs.map(([before, behind], axis) => before + (x.shape[axis] as number) + behind);
    const start = pairs.map(([before]) => before);
    return place(x, { shape, start, step: shape.map(() => 1), value }, 'pad');
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
  return scope(() => {
    const y = pairs.reduce((inner, [before, behind], axis) => {
      if (before === 0 && behind === 0) return inner;
      const parts = [
        ...(before > 0 ? [border(inner, axis, before, mode, true)] : []),
        inner,
        ...(behind > 0 ? [border(inner, axis, behind, mode, false)] : []),
      ];
      return joinAlong('pad', parts, axis);
    }, x);
    return apart(y, x);
  });
}
