/** Checks of numbers and flags that configure what a user makes. */
import { describe } from './describe.ts';
import { ArgumentError } from './errors.ts';

/** What a number must be. */
export interface Bounds {
  readonly atLeast?: number;
  readonly above?: number;
  readonly atMost?: number;
  readonly below?: number;
  readonly whole?: boolean;
}

/** `a number ≥ 0 and < 1` */
function wanted({ atLeast, above, atMost, below, whole }: Bounds): string {
  const parts = [
    atLeast === undefined ? '' : `≥ ${atLeast}`,
    above === undefined ? '' : `> ${above}`,
    atMost === undefined ? '' : `≤ ${atMost}`,
    below === undefined ? '' : `< ${below}`,
  ].filter((part) => part !== '');
  return `a ${whole ? 'whole' : 'finite'} number ${parts.join(' and ')}`.trimEnd();
}

/** @throws ArgumentError unless `value` is a finite number within the bounds. */
export function checkNumber(op: string, name: string, value: unknown, bounds: Bounds = {}): void {
  const { atLeast = -Infinity, above = -Infinity, atMost = Infinity, below = Infinity, whole } = bounds;
  if (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= atLeast &&
    value > above &&
    value <= atMost &&
    value < below &&
    (!whole || Number.isInteger(value))
  ) {
    return;
  }
  throw new ArgumentError(`${op}: ${name} is ${describe(value)}; pass ${wanted(bounds)}.`);
}

/** The same for several numbers; those that are undefined are left out. */
export function checkNumbers(op: string, values: Readonly<Record<string, unknown>>, bounds: Bounds): void {
  for (const [name, value] of Object.entries(values))
    if (value !== undefined) checkNumber(op, name, value, bounds);
}

/** @throws ArgumentError unless each value is true, false or undefined. */
export function checkFlags(op: string, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && typeof value !== 'boolean')
      throw new ArgumentError(`${op}: ${name} is ${describe(value)}; pass true or false.`);
  }
}
