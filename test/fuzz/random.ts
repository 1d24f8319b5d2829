/** Fuzzed streams for kernels/random.ts. */
import fc from 'fast-check';
import { type RandomAttrs, randomKernel } from '../../kernels/random.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, type FuzzFamily, family } from '../support/fuzz-case.ts';

const extent = fc.constantFrom(0, 1, 2, 5, 13, 63, 64, 65);
const shape = fc.oneof(
  fc.array(extent, { maxLength: 3 }).filter((extents) => sizeOf(extents) <= 20000),
  fc.constantFrom([128], [4099], [101, 103]),
);

/** Where both words of key and counter matter, and where the counter carries into its upper word. */
const seed = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })) as fc.Arbitrary<
  number | bigint
>;
const counter = fc.oneof(
  fc.nat(),
  fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32 - 40, 2 ** 33 - 5000),
  fc.integer({ min: 0, max: 2 ** 52 }),
);

const stream = fc.record({ seed, counter, shape });

type Rest = Pick<RandomAttrs, 'distribution' | 'dtype'> & { a?: number; b?: number };

const cases = (
  rest: fc.Arbitrary<Rest & { abs: number; rel: number }>,
): fc.Arbitrary<FuzzCase<RandomAttrs>> =>
  fc
    .tuple(stream, rest)
    .map(([from, { abs, rel, ...attrs }]) => ({ inputs: [], attrs: { ...from, ...attrs }, abs, rel }));

/** float32 scalars without subnormals, which may count as zero. */
const float = fc
  .double({ min: -100, max: 100, noNaN: true })
  .map((value) => (Math.abs(value) < 1e-25 ? 0 : Math.fround(value)));
const exact = { abs: 0, rel: 0 };

/** [0, 1) is exact; elsewhere a + u (b − a) rounds b − a, the product and the sum, each to half an ulp. */
const uniform = fc.oneof(
  fc.constant({ distribution: 'uniform' as const, dtype: 'float32' as const, ...exact }),
  fc.tuple(float, float).map(([x, y]) => {
    const a = Math.min(x, y);
    const b = Math.max(x, y);
    const abs = 2 ** -23 * (2 * (b - a) + Math.max(Math.abs(a), Math.abs(b)));
    return { distribution: 'uniform' as const, dtype: 'float32' as const, a, b, abs, rel: 0 };
  }),
);

/** The stated bound on a standard normal number, 1e-5, and the rounding of a + b z for |z| < 6. */
const normal = fc
  .tuple(fc.constantFrom('normal' as const, 'truncatedNormal' as const), float, float.map(Math.abs))
  .chain(([distribution, a, b]) =>
    fc.constantFrom(
      { distribution, dtype: 'float32' as const, abs: 1e-5, rel: 0 },
      { distribution, dtype: 'float32' as const, a, b, abs: 1e-5 * b + 2 ** -23 * Math.abs(a), rel: 0 },
    ),
  );

const bernoulli = fc.record({
  distribution: fc.constant('bernoulli' as const),
  dtype: fc.constantFrom('float32' as const, 'bool' as const, 'int32' as const),
  a: fc.oneof(fc.constantFrom(0, 1, 0.5, 2 ** -24, 1 - 2 ** -24), fc.double({ min: 0, max: 1, noNaN: true })),
  abs: fc.constant(0),
  rel: fc.constant(0),
});

const bound = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 2 ** 31),
);
const randint = fc
  .tuple(bound, bound)
  .filter(([x, y]) => x !== y)
  .map(([x, y]) => ({
    distribution: 'randint' as const,
    dtype: 'int32' as const,
    a: Math.min(x, y),
    b: Math.max(x, y),
    ...exact,
  }));

const bits = fc.constant({ distribution: 'bits' as const, dtype: 'int32' as const, ...exact });

export const families: FuzzFamily<unknown>[] = [
  family('random uniform', randomKernel, cases(uniform)),
  family('random normal', randomKernel, cases(normal)),
  family('random bernoulli', randomKernel, cases(bernoulli)),
  family('random randint', randomKernel, cases(randint)),
  family('random bits', randomKernel, cases(bits)),
];
