/**
 * Windows along spatial axes, those of a filter and those of a pooling: sizes, strides and padding as the user writes
 * them, and what `'same'` stands for.
 */
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';

/** One whole number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[];

/**
 * What surrounds the input with zeros:
 *
 * - `'valid'`: nothing.
 * - `'same'`: as much as gives ⌈extent / stride⌉ positions, half on either side; an odd one goes to the end.
 * - `'causal'`, for one spatial axis: all of it in front, so that no result sees a later step.
 * - a number: that many on every side; a list holds one entry for each spatial axis, a number or `[before, after]`.
 */
export type ConvPadding = 'valid' | 'same' | 'causal' | number | readonly PadEntry[];

type PadEntry = number | readonly [before: number, after: number];

/** Zeros before and after one axis, or the name of the rule that tells them. */
export type AxisPadding<Rule extends string> = Rule | readonly [before: number, after: number];

const AXIS_NAMES = ['depth', 'height', 'width'] as const;

/** What the spatial axes are called. */
export const axisNames = (count: number): readonly string[] =>
  count === 1 ? ['steps'] : AXIS_NAMES.slice(3 - count);

/** Positions, padding included, stay below this: a GPU counts them in 32 bits, and doubles them to divide. */
const LARGEST = 2 ** 30;

/** Whether this is a whole number that a GPU can count with, at least `least`. */
export const isCount = (value: unknown, least = 0): value is number =>
  Number.isInteger(value) && (value as number) >= least && (value as number) < LARGEST;

/** Refuses a geometry that reaches too far along an axis; `what` says which of its numbers it is. */
export function checkReach(op: string, axis: string, what: string, reach: number): void {
  if (reach < LARGEST) return;
  throw new ArgumentError(
    `${op}: along ${axis}, ${what} ${reach}; it must be below 2^30. Use smaller strides, windows or padding.`,
  );
}

/** An option as an error message shows it, lists of lists too. */
export const shown = (value: unknown, depth = 2): string =>
  Array.isArray(value) && depth > 0
    ? `[${Array.from(value, (item) => shown(item, depth - 1)).join(', ')}]`
    : describe(value);

/** A list as it is, without holes; anything else once for each axis. */
const entriesOf = (value: unknown, spatial: number): unknown[] =>
  Array.isArray(value) ? [...value] : new Array(spatial).fill(value);

/** The option as one whole number for each spatial axis. */
export function perAxis(
  op: string,
  option: string,
  value: PerAxis,
  least: number,
  spatial: number,
): number[] {
  const entries = entriesOf(value, spatial);
  if (entries.length === spatial && entries.every((entry) => isCount(entry, least)))
    return entries as number[];
  throw new ArgumentError(
    `${op}: ${option} is ${shown(value)}; it must be a whole number ≥ ${least} and below 2^30, or a list of one for each ` +
      `of ${axisNames(spatial).join(', ')}.`,
  );
}

function padPair(entry: unknown): readonly [number, number] | undefined {
  if (isCount(entry)) return [entry, entry];
  const [before, after, ...more]: unknown[] = Array.isArray(entry) ? entry : [];
  return isCount(before) && isCount(after) && more.length === 0 ? [before, after] : undefined;
}

/** The padding of each spatial axis; `rules` are the names that this function knows. */
export function paddingOf<Rule extends string>(
  op: string,
  value: unknown,
  rules: readonly Rule[],
  spatial: number,
): AxisPadding<Rule>[] {
  const rule = rules.find((name) => name === value);
  if (rule !== undefined) return new Array(spatial).fill(rule);
  const entries = entriesOf(value, spatial);
  const pairs = entries.flatMap((entry) => {
    const pair = padPair(entry);
    return pair ? [pair] : [];
  });
  if (entries.length === spatial && pairs.length === spatial) return pairs;
  const hint = value === 'causal' ? " 'causal' is for conv1d and its kin." : '';
  const example = spatial === 1 ? '[[1, 2]]' : `[${new Array(spatial).fill('[1, 2]').join(', ')}]`;
  throw new ArgumentError(
    `${op}: no padding ${shown(value)};${hint} use ${rules.map((name) => `'${name}'`).join(', ')}, a whole number ≥ 0 and ` +
      `below 2^30, or a list with one entry for each of ${axisNames(spatial).join(', ')}: a number or [before, after], such ` +
      `as ${example}.`,
  );
}

/** How many windows fit. */
export const countWindows = (padded: number, span: number, stride: number): number =>
  Math.floor((padded - span) / stride) + 1;

/** `'same'` as in TensorFlow: ⌈extent / stride⌉ windows, and the smaller half of the padding that they need in front. */
export function sameWindows(
  extent: number,
  span: number,
  stride: number,
): { before: number; output: number; padded: number } {
  const output = Math.ceil(extent / stride);
  const padded = Math.max((output - 1) * stride + span, extent);
  return { before: Math.floor((padded - extent) / 2), output, padded };
}
