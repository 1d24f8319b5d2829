/** Fuzzed inputs for kernels/unary.ts. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import { type UnaryAttrs, type UnaryName, unaryKernel, unaryOps } from '../../kernels/unary.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, type FuzzFamily, family } from '../support/fuzz-case.ts';
import { uniforms } from '../support/random.ts';

const names = Object.keys(unaryOps) as UnaryName[];
const intNames = names.filter((name) => 'int' in unaryOps[name]);

/** Extents of 0 and 1, primes, and sizes around the 64 invocations of a workgroup. */
const extent = fc.constantFrom<number>(0, 1, 1, 2, 3, 7, 13, 31, 63, 64, 65);
const shape = fc.oneof(
  fc.array(extent, { maxLength: 4 }).filter((extents) => sizeOf(extents) <= 20000),
  fc.constantFrom<number[]>([127], [128], [129], [4096], [4099], [101, 103]),
);

/** Where the function is interesting: [least, greatest] magnitudes and whether both signs belong to it. */
interface Domain {
  readonly low: number;
  readonly high: number;
  readonly signed: boolean;
}

const domains: Partial<Record<UnaryName, Domain>> = {
  exp: { low: 1e-6, high: 90, signed: true },
  expm1: { low: 1e-30, high: 90, signed: true },
  sinh: { low: 1e-30, high: 90, signed: true },
  cosh: { low: 1e-6, high: 90, signed: true },
  log: { low: 1e-37, high: 1e38, signed: false },
  sqrt: { low: 1e-37, high: 1e38, signed: false },
  rsqrt: { low: 1e-37, high: 1e38, signed: false },
  log1p: { low: 1e-30, high: 0.999, signed: true },
  sin: { low: 1e-6, high: 1e37, signed: true },
  cos: { low: 1e-6, high: 1e37, signed: true },
  tan: { low: 1e-6, high: 1.5, signed: true },
  asin: { low: 1e-30, high: 1, signed: true },
  acos: { low: 1e-6, high: 1, signed: true },
  atanh: { low: 1e-30, high: 0.9999, signed: true },
  acosh: { low: 1, high: 1e30, signed: false },
  square: { low: 1e-18, high: 1e18, signed: true },
  powScalar: { low: 1e-6, high: 1e6, signed: true },
  rpowScalar: { low: 1e-6, high: 60, signed: true },
  neg: { low: 1e-30, high: 1e30, signed: true },
  exp2: { low: 1e-30, high: 127, signed: true },
  log2: { low: 1e-37, high: 1e38, signed: false },
  log10: { low: 1e-37, high: 1e38, signed: false },
  cbrt: { low: 1e-37, high: 1e38, signed: true },
};
const everywhere: Domain = { low: 1e-6, high: 100, signed: true };

const specials = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1,
  -1,
  0.5,
  2.5,
  -1.5,
];

/** Magnitudes spread evenly in the logarithm for one half and linearly for the other. */
function floats(count: number, seed: number, domain: Domain, planted: boolean): Float32Array {
  const next = uniforms(seed);
  const { low, high, signed } = domain;
  return Float32Array.from({ length: count }, () => {
    if (planted && next() < 0.05) return specials[Math.floor(next() * specials.length)] as number;
    const size = next() < 0.5 ? low * (high / low) ** next() : low + (high - low) * next();
    return signed && next() < 0.5 ? -size : size;
  });
}

function tensor(extents: number[], data: Float32Array | Int32Array): HostTensor {
  return { shape: extents, dtype: data instanceof Float32Array ? 'float32' : 'int32', data };
}

/** float32 scalars, which the float64 reference must see too; no subnormals, which may count as zero. */
const scalar = fc
  .oneof(fc.constantFrom(0, 1, -1, 2, 0.5, -0.25), fc.double({ min: -5, max: 5, noNaN: true }))
  .map((value) => (Math.abs(value) < 1e-25 ? 0 : Math.fround(value)));

/** Whole and fractional exponents, and those of the corner cases; no subnormals, which may count as zero. */
const exponent = fc
  .oneof(
    fc.constantFrom(0, 1, 2, 3, -1, -2, -3, 0.5, -0.5, 1 / 3, 17),
    fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e20, 2 ** 24 + 2),
    fc.double({ min: -6, max: 6, noNaN: true }),
  )
  .map((value) => (Math.abs(value) < 1e-25 ? 0 : Math.fround(value)));

/** Bases whose powers stay finite and away from the subnormals over the domain of rpowScalar. */
const base = fc
  .oneof(fc.constantFrom(0, 1, -1, 2, 0.5, Math.E), fc.double({ min: 0.25, max: 4, noNaN: true }))
  .map(Math.fround);

/**
 * Four ulp, 5e-7, for the elementary functions (polynomials of about 1 ulp, a division of 2.5 ulp); one ulp and a half
 * for plain arithmetic. `abs` is the least normal float32, since subnormals may flush to zero; sin and cos are bounded
 * absolutely, by the rounding of the remainder.
 */
function tolerance(op: UnaryName): { abs: number; rel: number } {
  switch (op) {
    case 'sin':
    case 'cos':
      return { abs: 1e-6, rel: 0 };
    case 'tan':
      // Towards the pole at 1.5 the remainder's error of 1e-8 grows by 1 / (pi / 2 - 1.5) = 14.
      return { abs: 1.2e-38, rel: 1e-6 };
    case 'nanToNum':
    case 'neg':
    case 'abs':
    case 'sign':
    case 'relu':
    case 'step':
    case 'floor':
    case 'ceil':
    case 'round':
    case 'trunc':
    case 'clip':
      return { abs: 0, rel: 0 };
    case 'addScalar':
    case 'mulScalar':
    case 'rsubScalar':
    case 'square':
      return { abs: 1.2e-38, rel: 1e-7 };
    default:
      return { abs: 1.2e-38, rel: 5e-7 };
  }
}

function scalarsFor(op: UnaryName): fc.Arbitrary<{ p?: number; q?: number; r?: number }> {
  if (op === 'nanToNum') return fc.tuple(scalar, scalar, scalar).map(([p, q, r]) => ({ p, q, r }));
  if (op === 'clip') {
    return fc.tuple(scalar, scalar).map(([p, q]) => ({ p: Math.min(p, q), q: Math.max(p, q) }));
  }
  if (op === 'powScalar') return exponent.map((p) => ({ p }));
  if (op === 'rpowScalar') return base.map((p) => ({ p }));
  return 'scalars' in unaryOps[op] ? scalar.map((p) => ({ p })) : fc.constant({});
}

const floatCase = fc.constantFrom(...names).chain((op) =>
  fc.record({ extents: shape, seed: fc.nat(), planted: fc.boolean(), scalars: scalarsFor(op) }).map(
    ({ extents, seed, planted, scalars }): FuzzCase<UnaryAttrs> => ({
      inputs: [tensor(extents, floats(sizeOf(extents), seed, domains[op] ?? everywhere, planted))],
      attrs: { op, ...scalars },
      ...tolerance(op),
    }),
  ),
);

const intScalar = fc.oneof(
  fc.integer({ min: -10, max: 10 }),
  fc.constantFrom(2 ** 31 - 1, -(2 ** 31), 65537, -65536),
);

const intScalarsFor = (op: UnaryName): fc.Arbitrary<{ p?: number; q?: number }> => {
  if (op === 'clip') {
    return fc
      .tuple(
        fc.oneof(intScalar, fc.constant(Number.NEGATIVE_INFINITY)),
        fc.oneof(intScalar, fc.constant(1e12)),
      )
      .map(([p, q]) => ({ p: Math.min(p, q), q: Math.max(p, q) }));
  }
  return 'scalars' in unaryOps[op] ? intScalar.map((p) => ({ p })) : fc.constant({});
};

/** Integers of all sizes with the extremes among them: results wrap, and must agree exactly. */
const intCase = fc.constantFrom(...intNames).chain((op) =>
  fc
    .record({ extents: shape, seed: fc.nat(), scalars: intScalarsFor(op) })
    .map(({ extents, seed, scalars }): FuzzCase<UnaryAttrs> => {
      const next = uniforms(seed);
      const data = Int32Array.from({ length: sizeOf(extents) }, () => {
        if (next() < 0.05) return [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)][Math.floor(next() * 5)] as number;
        return Math.trunc((next() - 0.5) * 2 ** (33 * next()));
      });
      return { inputs: [tensor(extents, data)], attrs: { op, ...scalars }, abs: 0, rel: 0 };
    }),
);

export const families: FuzzFamily<unknown>[] = [
  family('unary on floats', unaryKernel, floatCase),
  family('unary on int32', unaryKernel, intCase),
];
