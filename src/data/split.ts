/** Parts of a source without a common example. */
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';
import { PURPOSE, seedOf } from './random.ts';
import type { Source } from './source.ts';
import { shuffleSource, windowOf } from './stages.ts';

export interface SplitOptions {
  /** Draw the examples at random. Default: cut them in their order. */
  seed?: number;
}

/** The shares by name, checked. */
function sharesOf<K extends string>(shares: Readonly<Record<K, number>>): [name: K, share: number][] {
  if (typeof shares !== 'object' || shares === null) {
    throw new ArgumentError(
      `split: ${describe(shares)}; pass shares by name, as in { train: 0.8, test: 0.2 }.`,
    );
  }
  const parts = Object.entries<number>(shares) as [K, number][];
  for (const [name, share] of parts) {
    if (typeof share !== 'number' || !(share > 0 && share <= 1)) {
      throw new ArgumentError(
        `split: the share of ${name} is ${describe(share)}; shares lie above 0 and add up to 1.`,
      );
    }
  }
  const total = parts.reduce((sum, [, share]) => sum + share, 0);
  if (!(Math.abs(total - 1) < 1e-9)) {
    throw new ArgumentError(`split: the shares add up to ${Number(total.toPrecision(6))}; make that 1.`);
  }
  return parts;
}

/** A source for each share, in their order; what rounding leaves over goes to the last. */
export function splitSource<K extends string, T>(
  source: Source<T>,
  shares: Readonly<Record<K, number>>,
  options: SplitOptions,
): [name: K, part: Source<T>][] {
  const parts = sharesOf(shares);
  checkOptions('split', options, ['seed'], 'shares');
  if (source.kind === 'streamed' || source.size === Infinity) {
    throw new ArgumentError('split: the dataset is a stream; split the arrays first, or use take and skip.');
  }
  if (source.reshuffled) {
    throw new ArgumentError(
      'split: the examples are shuffled anew in each epoch and would wander between the parts; split first, or pass { seed } here.',
    );
  }
  const { size } = source;
  const mixed =
    options.seed === undefined
      ? source
      : shuffleSource(source, seedOf('split', options.seed), { reshuffle: false, purpose: PURPOSE.split });
  let share = 0;
  let start = 0;
  return parts.map(([name, own], index) => {
    share += own;
    const end = index === parts.length - 1 ? size : Math.round(share * size);
    if (end <= start) {
      throw new ArgumentError(
        `split: no example is left for ${name}, a share of ${own} of ${size}; make it larger.`,
      );
    }
    const part = windowOf(mixed, start, end);
    start = end;
    return [name, part];
  });
}
