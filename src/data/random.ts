/** Random numbers on the host for data: the same on every machine and device, each stream named by a few whole numbers. */
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator } from '../core/generator.ts';
import { boxMuller, philoxBlock, type Words, wordsOf } from '../core/philox.ts';

/** What names a stream: its seed, and a number that tells streams of equal seeds apart. */
export interface Seed {
  readonly seed: number;
  readonly stream: number;
}

/** The seed that a user gave, or else the next one of the default generator, which `setSeed` starts. */
export function seedOf(op: string, seed: number | undefined): Seed {
  if (seed === undefined) {
    const drawn = defaultGenerator.take(1);
    // Streams of explicit seeds are 0, so these never meet.
    return { seed: drawn.seed, stream: 1 + (drawn.counter % (2 ** 32 - 1)) };
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ArgumentError(`${op}: seed ${describe(seed)}; a seed is a whole number from 0 to 2^53 - 1.`);
  }
  return { seed, stream: 0 };
}

/** A sequence of random numbers. */
export interface Stream {
  /** In [0, 1), with 53 bits. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** A whole number in [0, limit). */
  below(limit: number): number;
}

/** Philox's counter is (draw, index, stream, purpose): streams of other indices or purposes are independent. */
export function streamOf({ seed, stream }: Seed, purpose: number, index: number): Stream {
  const [key0, key1] = wordsOf(seed);
  let draw = 0;
  const words = (): Words => philoxBlock([draw++, index >>> 0, stream, purpose], key0, key1);
  const uniform = (): number => {
    const [high, low] = words();
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) * 2 ** -53;
  };
  return {
    uniform,
    normal: () => {
      const [word0, word1] = words();
      return boxMuller(word0, word1);
    },
    below: (limit) => Math.floor(uniform() * limit),
  };
}

/** Purposes, so that no two uses of one seed draw the same numbers. */
export const PURPOSE = { shuffle: 1, window: 2, split: 3, samples: 4, digits: 5 } as const;

/** A random order of 0 … count − 1, every one equally likely (Fisher and Yates). */
export function permutation(count: number, random: Stream): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = random.below(last + 1);
    const moved = order[last] as number;
    order[last] = order[other] as number;
    order[other] = moved;
  }
  return order;
}
