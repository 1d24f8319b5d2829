/**
 * Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as
 * 1, 2, 3" (2011), and the distributions that are drawn from its words. One block of four words serves one element.
 */

/** Four 32-bit words. */
export type Words = readonly [number, number, number, number];

/** The high word of the 64-bit product of two 32-bit words. */
export function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

/** One block for a counter of four words and a key of two: ten rounds. */
export function philoxBlock(counter: Words, key0: number, key1: number): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const high1 = mulHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c0 = (high1 ^ c1 ^ key0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ key1) >>> 0;
    c3 = low0;
    key0 = (key0 + 0x9e3779b9) >>> 0;
    key1 = (key1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The block of a 64-bit counter; the upper half of Philox's counter stays 0. */
export const philox4x32 = (
  counterLo: number,
  counterHi: number,
  key0: number,
  key1: number,
): [number, number, number, number] => philoxBlock([counterLo, counterHi, 0, 0], key0, key1);

/** The two 32-bit words of a whole number from 0 to 2^53 − 1 (or of a bigint below 2^64), low word first. */
export function wordsOf(value: number | bigint): [low: number, high: number] {
  if (typeof value === 'bigint') return [Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn)];
  return [value >>> 0, Math.floor(value / 2 ** 32) >>> 0];
}

/** The upper 24 bits of a word. */
export const bits24 = (word: number): number => word >>> 8;

/** A uniform number in [0, 1): a multiple of 2^−24, exact in float32. */
export const uniform24 = (word: number): number => bits24(word) * 2 ** -24;

/** A standard normal number from two words, after Box and Muller: √(−2 ln u) · cos θ with u in (0, 1]. */
export function boxMuller(word0: number, word1: number): number {
  const radius = Math.sqrt(-2 * Math.log((bits24(word0) + 1) * 2 ** -24));
  return radius * Math.cos(2 * Math.PI * uniform24(word1));
}

const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0);

// Wichura, "Algorithm AS 241" (1988), PPND16. The third region, for |z| > 5, is not needed here.
const CENTRE = [
  3.3871328727963665, 1.3314166789178438e2, 1.9715909503065513e3, 1.373169376550946e4, 4.592195393154987e4,
  6.72657709270087e4, 3.343057558358813e4, 2.5090809287301227e3,
];
const CENTRE_BELOW = [
  1, 4.231333070160091e1, 6.871870074920579e2, 5.394196021424751e3, 2.1213794301586597e4, 3.930789580009271e4,
  2.8729085735721943e4, 5.226495278852854e3,
];
const FLANK = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
  2.417807251774506e-1, 2.2723844989269184e-2, 7.745450142783414e-4,
];
const FLANK_BELOW = [
  1, 2.053191626637759, 1.6763848301838038, 6.897673349851e-1, 1.4810397642748008e-1, 1.5198666563616457e-2,
  5.475938084995345e-4, 1.0507500716444169e-9,
];

/** The standard normal quantile of 1/2 + q, for |q| < 1/2 − 1e−10. */
export function normalQuantile(q: number): number {
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(CENTRE, r)) / polynomial(CENTRE_BELOW, r);
  }
  const r = Math.sqrt(-Math.log(0.5 - Math.abs(q))) - 1.6;
  return (Math.sign(q) * polynomial(FLANK, r)) / polynomial(FLANK_BELOW, r);
}

/** The probability that a standard normal number lies in [−2, 2]. */
const WITHIN_TWO = 0.9544997361036416;

/** A standard normal number cut at ±2, by the inverse distribution function at the middle of one of 2^24 steps. */
export const truncatedNormal = (word: number): number =>
  normalQuantile((2 * bits24(word) + 1 - 2 ** 24) * 2 ** -25 * WITHIN_TWO);
