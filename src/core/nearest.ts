/** Names that somebody mistyped. */
import { distance } from 'fastest-levenshtein';
import { describe } from './describe.ts';
import { ArgumentError } from './errors.ts';

/** The name that was most likely meant, whatever its case and underscores; null where none comes near. */
function nearestName(given: string, names: Iterable<string>): string | null {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_ ]/g, '');
  const wanted = plain(given);
  let best: string | null = null;
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    const steps = distance(wanted, plain(name));
    if (steps >= least) continue;
    best = name;
    least = steps;
  }
  return best;
}

/** The error for a name that does not exist: it tells the nearest one, and all there are. */
export function unknownName(
  op: string,
  kind: string,
  given: unknown,
  names: Iterable<string>,
): ArgumentError {
  const known = [...names];
  const near = typeof given === 'string' ? nearestName(given, known) : null;
  const hint = near === null ? '' : ` Did you mean '${near}'?`;
  return new ArgumentError(
    `${op}: there is no ${kind} ${describe(given)}.${hint} There are ${known.join(', ')}.`,
  );
}
