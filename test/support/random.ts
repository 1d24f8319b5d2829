/** Seeded numbers for tests. */
import type { HostArray } from '../../src/core/dtype.ts';

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Puts each of `specials` at a random place or two. */
export function plant(data: HostArray, specials: readonly number[], next: () => number): void {
  if (data.length === 0) return;
  for (const special of specials) {
    for (let times = 0; times < 2; times++) data[Math.floor(next() * data.length)] = special;
  }
}
