/** einsum against the sum that its definition spells out. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { arange, type Device, einsum, reshape, scope, setDefaultDevice, tensor } from '../src/node.ts';
import { cpuDevice, isLong, seed, suite, testDevice } from './support/harness.ts';
import { uniforms } from './support/random.ts';
import { close, resultsOf } from './support/values.ts';

/** The definition of einsum for letters: a loop over every value of every letter. */
function bySummation(
  terms: readonly string[],
  output: string,
  shapes: readonly (readonly number[])[],
  data: readonly (readonly number[])[],
): number[] {
  const extents = new Map<string, number>();
  terms.forEach((term, index) => {
    [...term].forEach((letter, axis) => {
      extents.set(letter, shapes[index]?.[axis] as number);
    });
  });
  const letters = [...extents.keys()];
  const flat = (names: string, at: ReadonlyMap<string, number>): number =>
    [...names].reduce((sum, name) => sum * (extents.get(name) as number) + (at.get(name) as number), 0);
  const result = new Array<number>(
    [...output].reduce((n, name) => n * (extents.get(name) as number), 1),
  ).fill(0);
  const at = new Map<string, number>();
  const loop = (depth: number): void => {
    if (depth === letters.length) {
      const term = terms.reduce((p, names, index) => p * (data[index]?.[flat(names, at)] as number), 1);
      result[flat(output, at)] = (result[flat(output, at)] as number) + term;
      return;
    }
    const letter = letters[depth] as string;
    for (let value = 0; value < (extents.get(letter) as number); value++) {
      at.set(letter, value);
      loop(depth + 1);
    }
  };
  loop(0);
  return result;
}

/** Equations of up to five operands over four letters, with repeated ones, and any output. */
const equations = fc.record({
  terms: fc.array(
    fc.array(fc.constantFrom('i', 'j', 'k', 'B'), { maxLength: 4 }).map((letters) => letters.join('')),
    { minLength: 1, maxLength: 5 },
  ),
  extents: fc.array(fc.constantFrom(0, 1, 2, 3, 3), { minLength: 4, maxLength: 4 }),
  order: fc.shuffledSubarray(['i', 'j', 'k', 'B']),
  seed: fc.nat(),
});

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  const inner = suite(`einsum, ${name}`);
  const test = (title: string, body: (device: Device) => unknown): void =>
    inner(title, async () => {
      const device = await open();
      setDefaultDevice(device);
      await body(device);
    });

  test('einsum is the sum that its equation spells out', async () => {
    const property = fc.asyncProperty(equations, async ({ terms, extents, order, seed: own }) => {
      const output = order.filter((letter) => terms.some((term) => term.includes(letter))).join('');
      const shapes = terms.map((term) =>
        [...term].map((letter) => extents['ijkB'.indexOf(letter)] as number),
      );
      const next = uniforms(own);
      // Small whole numbers: sums of at most 81 products below 3^5 are exact in float32.
      const data = shapes.map((shape) =>
        Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.floor(next() * 7) - 3),
      );
      const result = scope(() =>
        einsum(
          `${terms.join(',')}->${output}`,
          ...shapes.map((shape, index) => tensor(Float32Array.from(data[index] as number[]), { shape })),
        ),
      );
      try {
        assert.equal(
          [...(await result.data())].map((v) => v + 0),
          bySummation(terms, output, shapes, data).map((v) => v + 0),
        );
      } finally {
        result.dispose();
      }
    });
    await fc.assert(property, { seed, numRuns: isLong ? 400 : 60 });
  });

  test('seven operands, and ellipses that broadcast', async () => {
    const [chain, mixed] = await resultsOf(() => {
      const m = tensor([
        [1, 1],
        [1, 0],
      ]);
      const wide = reshape(arange(0, 6), [3, 2, 1]);
      return [
        einsum('ab,bc,cd,de,ef,fg,gh->ah', m, m, m, m, m, m, m),
        einsum('...i,...i->...', wide, tensor([[1], [10]])),
      ];
    });
    close(chain as never, [
      [21, 13],
      [13, 8],
    ]);
    close(mixed as never, [
      [0, 10],
      [2, 30],
      [4, 50],
    ]);
  });
}
