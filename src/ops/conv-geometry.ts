/** Where a filter meets its input: the extents that strides, dilation and padding lead to. */
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape, type Shape, sizeOf } from '../core/shape.ts';
import {
  type AxisPadding,
  axisNames,
  type ConvPadding,
  checkReach,
  countWindows,
  isCount,
  type PerAxis,
  paddingOf,
  perAxis,
  sameWindows,
  shown,
} from './window-geometry.ts';

/** What a convolution does along one spatial axis. */
export interface AxisGeometry {
  readonly stride: number;
  readonly dilation: number;
  /** Zeros in front of the input; for a transposed convolution, what is cut from the front of the result. */
  readonly before: number;
  /** The extent of the result. */
  readonly output: number;
}

/** The shape that a batch of inputs must have, in words. */
const inputShapeText = (spatial: number): string => `(batch, ${axisNames(spatial).join(', ')}, channels)`;

/** Refuses an input that is not a batch of `spatial` axes and channels. */
export function checkInputRank(op: string, shape: Shape, spatial: number): void {
  if (shape.length === spatial + 2) return;
  throw new ShapeError(
    `${op}: x has shape ${formatShape(shape)}, expected ${inputShapeText(spatial)}. Reshape it; expandDims(x, 0) makes ` +
      'a batch of one, expandDims(x, -1) a single channel.',
  );
}

/** Refuses a filter of another rank, or one without a tap. `channels` names its two last axes. */
export function checkFilterShape(
  op: string,
  what: string,
  shape: Shape,
  spatial: number,
  channels: string,
): void {
  const expected = `(${axisNames(spatial).join(', ')}, ${channels})`;
  if (shape.length !== spatial + 2) {
    throw new ShapeError(
      `${op}: the ${what} has shape ${formatShape(shape)}, expected ${expected}. Reshape it.`,
    );
  }
  if (shape.slice(0, spatial).includes(0)) {
    throw new ShapeError(
      `${op}: the ${what} of shape ${formatShape(shape)} has no taps; ${expected} needs extents of at least 1.`,
    );
  }
}

/** Refuses a number of groups that does not divide the channels of both sides. */
export function checkGroups(op: string, groups: number, channels: number, filters: number): void {
  if (!isCount(groups, 1))
    throw new ArgumentError(
      `${op}: groups is ${shown(groups)}; it must be a whole number ≥ 1 and below 2^30.`,
    );
  if (channels % groups === 0 && filters % groups === 0) return;
  throw new ShapeError(
    `${op}: ${channels} channels and ${filters} filters in ${groups} groups; groups must divide both. Use another number.`,
  );
}

type Rule = 'valid' | 'same' | 'causal';

const rulesFor = (spatial: number): readonly Rule[] =>
  spatial === 1 ? ['valid', 'same', 'causal'] : ['valid', 'same'];

/** How far the outermost taps lie apart, both counted. */
function spanOf(op: string, axis: string, taps: number, dilation: number): number {
  const span = (taps - 1) * dilation + 1;
  checkReach(op, axis, 'the filter spans', span);
  return span;
}

/** The input gradient plans a part for each remainder of the strides, along each axis and of all axes together. */
const LARGEST_STRIDE = 65_535;
const MOST_REMAINDERS = 2 ** 18;

export interface GeometryOptions {
  readonly strides?: PerAxis | undefined;
  readonly padding?: ConvPadding | undefined;
  readonly dilationRate?: PerAxis | undefined;
}

/** Strides and dilation of each spatial axis. */
function steps(
  op: string,
  { strides = 1, dilationRate = 1 }: GeometryOptions,
  spatial: number,
): { stride: number; dilation: number }[] {
  const strideOf = perAxis(op, 'strides', strides, 1, spatial);
  if (strideOf.some((stride) => stride > LARGEST_STRIDE) || sizeOf(strideOf) > MOST_REMAINDERS) {
    throw new ArgumentError(
      `${op}: strides [${strideOf.join(', ')}]; each must be at most ${LARGEST_STRIDE}, and their product at most ` +
        `${MOST_REMAINDERS}. Slice the input first to skip more.`,
    );
  }
  const dilationOf = perAxis(op, 'dilationRate', dilationRate, 1, spatial);
  return strideOf.map((stride, axis) => ({ stride, dilation: dilationOf[axis] as number }));
}

/** The geometry of a convolution whose input has the spatial extents `input` and whose filter has `taps`. */
export function convGeometry(
  op: string,
  input: Shape,
  taps: Shape,
  options: GeometryOptions,
): AxisGeometry[] {
  const spatial = input.length;
  const { padding = 'valid' } = options;
  const paddings = paddingOf(op, padding, rulesFor(spatial), spatial);
  return steps(op, options, spatial).map(({ stride, dilation }, axis) => {
    const name = axisNames(spatial)[axis] as string;
    const extent = input[axis] as number;
    const count = taps[axis] as number;
    const span = spanOf(op, name, count, dilation);
    const rule = paddings[axis] as AxisPadding<Rule>;
    if (rule === 'same') {
      const { before, output, padded } = sameWindows(extent, span, stride);
      checkReach(op, name, 'the padded input has the extent', padded);
      return { stride, dilation, before, output };
    }
    const [before, after] = rule === 'valid' ? [0, 0] : rule === 'causal' ? [span - 1, 0] : rule;
    const padded = extent + before + after;
    checkReach(op, name, 'the padded input has the extent', padded);
    if (span > padded) {
      const dilated = dilation > 1 ? ` (${count} taps, dilationRate ${dilation})` : '';
      throw new ShapeError(
        `${op}: along ${name} the filter spans ${span}${dilated}, more than the padded input's ` +
          `${padded} (${before} + ${extent} + ${after}). Use a smaller filter, or padding: 'same'.`,
      );
    }
    return { stride, dilation, before, output: countWindows(padded, span, stride) };
  });
}

/**
 * The geometry of a transposed convolution: `input` are the spatial extents of what it spreads out. The full result has
 * (input − 1)·stride + span positions; padding cuts some of them away, `outputPadding` adds some at the end. Without
 * `outputPadding` the result has input·stride positions (`'same'`), or (input − 1)·stride + max(span, stride)
 * (`'valid'`): extents from which a convolution with the same options makes `input` positions, so that this is its
 * exact adjoint.
 */
export function transposedGeometry(
  op: string,
  input: Shape,
  taps: Shape,
  options: GeometryOptions & { readonly outputPadding?: PerAxis | undefined },
): AxisGeometry[] {
  const spatial = input.length;
  const { padding = 'valid' } = options;
  const paddings = paddingOf(op, padding, ['valid', 'same'], spatial);
  const extras =
    options.outputPadding === undefined
      ? undefined
      : perAxis(op, 'outputPadding', options.outputPadding, 0, spatial);
  return steps(op, options, spatial).map(({ stride, dilation }, axis) => {
    const name = axisNames(spatial)[axis] as string;
    const extent = input[axis] as number;
    const span = spanOf(op, name, taps[axis] as number, dilation);
    const extra = extras?.[axis];
    if (extra !== undefined && extra >= stride) {
      throw new ArgumentError(
        `${op}: outputPadding ${extra} along ${name} must be smaller than the stride, ${stride}.`,
      );
    }
    if (extent === 0) return { stride, dilation, before: 0, output: 0 };
    const full = (extent - 1) * stride + span;
    const rule = paddings[axis] as AxisPadding<TransposedRule>;
    const [before, output] = transposedAxis(rule, full, span, stride, extra);
    checkReach(op, name, 'the full result has the extent', Math.max(full, before + output));
    if (output < 1) {
      throw new ShapeError(
        `${op}: along ${name} the full result has ${full} positions, and the padding cuts all of them ` +
          `away. Use less padding, or a larger input.`,
      );
    }
    return { stride, dilation, before, output };
  });
}

type TransposedRule = 'valid' | 'same';

/** What is cut from the front of the full result, and how many positions there are then. */
function transposedAxis(
  padding: AxisPadding<TransposedRule>,
  full: number,
  span: number,
  stride: number,
  extra: number | undefined,
): [before: number, output: number] {
  if (padding === 'same') {
    const output = full - span + (extra === undefined ? stride : (span % 2) + extra);
    return [Math.max(Math.floor((full - output) / 2), 0), output];
  }
  if (padding === 'valid') return [0, full + (extra ?? Math.max(stride - span, 0))];
  const [before, after] = padding;
  return [before, full - before - after + (extra ?? 0)];
}
