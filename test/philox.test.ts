/** Philox against the known answers that Random123 publishes (kat_vectors, philox4x32 with 10 rounds). */
import * as assert from 'uvu/assert';
import { mulHigh, normalQuantile, philox4x32, philoxBlock, wordsOf } from '../src/core/philox.ts';
import { suite } from './support/harness.ts';

const test = suite('philox');

test('gives the known answers of Random123', () => {
  assert.equal(philoxBlock([0, 0, 0, 0], 0, 0), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  const ones = 0xffffffff;
  assert.equal(
    philoxBlock([ones, ones, ones, ones], ones, ones),
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  );
  assert.equal(
    philoxBlock([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], 0xa4093822, 0x299f31d0),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
  assert.equal(philox4x32(0, 0, 0, 0), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
});

test('multiplies words exactly', () => {
  for (const [a, b] of [
    [0xffffffff, 0xffffffff],
    [0xd2511f53, 0x80000001],
    [0x10000, 0x10000],
    [1, 0xffffffff],
  ] as const) {
    assert.is(mulHigh(a, b), Number((BigInt(a) * BigInt(b)) >> 32n));
  }
});

test('splits seeds and counters into words', () => {
  assert.equal(wordsOf(2 ** 53 - 1), [0xffffffff, 0x1fffff]);
  assert.equal(wordsOf(2n ** 64n - 2n), [0xfffffffe, 0xffffffff]);
});

test('inverts the normal distribution', () => {
  // Φ⁻¹ at 0.975, 0.75 and 0.9772498680518208 (= Φ(2)), from tables.
  assert.ok(Math.abs(normalQuantile(0.475) - 1.959963984540054) < 1e-14);
  assert.ok(Math.abs(normalQuantile(0.25) - 0.6744897501960817) < 1e-14);
  assert.ok(Math.abs(normalQuantile(-0.4772498680518208) + 2) < 1e-14);
});
