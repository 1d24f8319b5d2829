/** Fuzzed streams for kernels/dropout.ts. */
import fc from 'fast-check';
import { type DropoutAttrs, dropoutKernel } from '../../kernels/dropout.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, type FuzzFamily, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

const extent = fc.constantFrom(0, 1, 2, 3, 5, 13, 16, 64, 65);
const shape = fc.oneof(
  fc.array(extent, { maxLength: 4 }).filter((extents) => sizeOf(extents) <= 20000),
  fc.constantFrom([128], [4099], [101, 103]),
);

/** Where both words of key and counter matter, and where the counter carries into its upper word. */
const seed = fc.oneof(fc.nat(), fc.maxSafeNat());
const counter = fc.oneof(
  fc.nat(),
  fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32 - 40, 2 ** 33 - 500),
  fc.integer({ min: 0, max: 2 ** 52 }),
);

/** Float32 scalars without subnormals, which may count as zero. */
const float = fc
  .double({ min: -3, max: 3, noNaN: true })
  .map((value) => (Math.abs(value) < 1e-25 ? 0 : Math.fround(value)));

const base = fc.record({
  extents: shape,
  /** Which of the last axes have noise of their own. */
  own: fc.array(fc.boolean(), { maxLength: 4 }),
  whole: fc.boolean(),
  seed,
  counter,
  data: fc.nat(),
  planted: fc.boolean(),
});

type Rest = Pick<DropoutAttrs, 'kind' | 'keep' | 'a' | 'b' | 'c'> & { abs: number; rel: number };

const cases = (rest: fc.Arbitrary<Rest>): fc.Arbitrary<FuzzCase<DropoutAttrs>> =>
  fc.tuple(base, rest).map(([from, { abs, rel, ...noise }]) => {
    const { extents, own, whole } = from;
    const last = extents.slice(Math.max(0, extents.length - own.length));
    const noiseShape = whole ? extents : last.map((length, axis) => (own[axis] ? length : 1));
    const next = uniforms(from.data);
    const data = Float32Array.from({ length: sizeOf(extents) }, () => 4 * next() - 2);
    if (from.planted) plant(data, [Number.NaN, Infinity, -Infinity, 0, -0], next);
    return {
      inputs: [{ shape: extents, dtype: 'float32', data }],
      attrs: { ...noise, seed: from.seed, counter: from.counter, noiseShape },
      abs,
      rel,
    };
  });

/** |x| < 2, |a| and |b| ≤ 3: a product and a sum, rounded once or twice. */
const drop = fc
  .record({
    keep: fc.oneof(
      fc.constantFrom(1, 0.5, 2 ** -24, 1 - 2 ** -24),
      fc.double({ min: 0, max: 1, noNaN: true }),
    ),
    a: float,
    b: fc.oneof(fc.constant(0), float),
    c: fc.oneof(fc.constant(0), float),
  })
  .map(
    (scalars): Rest => ({
      kind: 'drop',
      ...scalars,
      abs: scalars.b === 0 ? 1.2e-38 : 9 * 2 ** -23,
      rel: 2 ** -23,
    }),
  );

/** A standard normal number is exact to 1e-5; beside it, what is added or multiplied stays below 20. */
const normal = fc.record({ kind: fc.constantFrom('add' as const, 'scale' as const), a: float }).map(
  ({ kind, a }): Rest => ({
    kind,
    keep: 1,
    a,
    b: 0,
    c: 0,
    abs: 2e-5 * Math.abs(a) + 20 * 2 ** -23,
    rel: 2 ** -22,
  }),
);

export const families: FuzzFamily<unknown>[] = [
  family('dropout', dropoutKernel, cases(drop)),
  family('dropout, normal noise', dropoutKernel, cases(normal)),
];
