/**
 * The one source of randomness: a seed (the Philox key) and a counter that advances by one for each element drawn,
 * so that a program draws the same numbers on every device.
 */
import { ArgumentError } from './errors.ts';

export class Generator {
  #seed = 0;
  #counter = 0;

  /** `seed` is a whole number from 0 to 2^53 − 1. */
  constructor(seed = 0) {
    this.reseed(seed);
  }

  get seed(): number {
    return this.#seed;
  }

  /** How many elements were drawn since the seed was set. */
  get counter(): number {
    return this.#counter;
  }

  reseed(seed: number, counter = 0): void {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new ArgumentError(`setSeed: ${seed} is no seed; a seed is a whole number from 0 to 2^53 - 1.`);
    }
    this.#seed = seed;
    this.#counter = counter;
  }

  /** Reserves `count` draws and tells where they start. */
  take(count: number): { seed: number; counter: number } {
    const counter = this.#counter;
    this.#counter += count;
    return { seed: this.#seed, counter };
  }
}

/** The generator that random ops use unless they are given their own. */
export const defaultGenerator = new Generator();

/** Starts the default random stream anew. Default seed: 0. */
export const setSeed = (seed: number): void => defaultGenerator.reseed(seed);
