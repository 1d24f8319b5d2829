/** Fuzzed inputs for the kernels of the activations. */
import fc from 'fast-check';
import {
  type ActivationAttrs,
  type ActivationOp,
  type ActivationSlope,
  type ActivationValue,
  activationGradientKernel,
  activationKernel,
  activationOps,
} from '../../kernels/activation.ts';
import { type GluAttrs, gluGradientKernel, gluKernel } from '../../kernels/activation-glu.ts';
import { type PreluAttrs, preluKernel } from '../../kernels/activation-prelu.ts';
import type { HostTensor } from '../../kernels/kernel.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, type FuzzFamily, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

const slopes = Object.keys(activationOps) as ActivationSlope[];
const values = slopes.filter((name): name is ActivationValue => 'f' in activationOps[name]);

/** Extents of 0 and 1, primes, and sizes around the four elements of an invocation and the 64 of a workgroup. */
const extent = fc.constantFrom(0, 1, 1, 2, 3, 4, 7, 13, 31, 64, 65);
const shape = fc.oneof(
  fc.array(extent, { maxLength: 4 }).filter((extents) => sizeOf(extents) <= 20000),
  fc.constantFrom([255], [256], [257], [4099], [101, 103]),
);

const SPECIALS = [Number.NaN, Infinity, -Infinity, 0, -0, 1e4, -1e4, 3, -3, 6, 1];

/** Magnitudes from 1e-6 to `high`, half of them spread in the logarithm, of both signs. */
function floats(
  extents: readonly number[],
  seed: number,
  high: number,
  specials: readonly number[],
): HostTensor {
  const next = uniforms(seed);
  const data = Float32Array.from({ length: sizeOf(extents) }, () => {
    const size = next() < 0.5 ? 1e-6 * (high / 1e-6) ** next() : high * next();
    return next() < 0.5 ? -size : size;
  });
  plant(data, specials, next);
  return { shape: extents, dtype: 'float32', data };
}

/** Scalars that float32 holds, for alpha or slope, scale or threshold, and the largest value. */
const scalar = fc
  .oneof(fc.constantFrom(0, 1, 0.25, 2), fc.double({ min: 1e-3, max: 4, noNaN: true }))
  .map(Math.fround);
const scalars = fc.record({ p: scalar, q: scalar, r: scalar });
const scalarsFor = (op: ActivationSlope): fc.Arbitrary<{ p?: number; q?: number; r?: number }> =>
  'scalars' in (activationOps[op] as ActivationOp) ? scalars : fc.constant({});

/** How far the tails stay normal numbers, also times small scalars and gradients: what is flushed on the way is no rounding. */
const REACH: Partial<Record<ActivationSlope, number>> = { gelu: 11.5, geluTanh: 8, elu: 45 };
const reach = (op: ActivationSlope): number => REACH[op] ?? 65;

/**
 * Eight ulp for what is made of an exponential (4 ulp, as in `unary`), a division and two or three products or sums of
 * terms of one sign; the polynomial behind Φ adds 3. The argument of the approximate gelu's sigmoid reaches 50, and three
 * roundings of it become as many relative errors of the result: 50 · 3 · 2⁻²⁴. The others are one or two roundings.
 */
function relative(op: ActivationSlope): number {
  if (op === 'geluTanh') return 9e-6;
  return ['gelu', 'mish', 'silu', 'elu', 'softplus', 'logSigmoid'].includes(op) ? 1e-6 : 3e-7;
}

/** Subnormals may flush to zero. */
const TINY = 1.2e-38;

const valueCase = fc.constantFrom(...values).chain((op) =>
  fc.record({ extents: shape, seed: fc.nat(), planted: fc.boolean(), scalars: scalarsFor(op) }).map(
    (c): FuzzCase<ActivationAttrs> => ({
      inputs: [floats(c.extents, c.seed, reach(op), c.planted ? SPECIALS : [])],
      attrs: { op, ...c.scalars },
      abs: TINY,
      rel: relative(op),
    }),
  ),
);

const gradientOf = (g: HostTensor, s: HostTensor): readonly HostTensor[] => [g, s];

/** The derivatives of gelu, silu and mish cross 0, where their two terms of at most 1 cancel: times a gradient below 2. */
const CROSSING: Partial<Record<ActivationSlope, number>> = {
  gelu: 1e-6,
  geluTanh: 2e-6,
  silu: 1e-6,
  mish: 1e-6,
};

const gradientCase = fc.constantFrom(...slopes).chain((op) =>
  fc.record({ extents: shape, seed: fc.nat(), planted: fc.boolean(), scalars: scalarsFor(op) }).map(
    (c): FuzzCase<ActivationAttrs<ActivationSlope>> => ({
      inputs: gradientOf(
        floats(c.extents, c.seed + 1, 2, []),
        floats(c.extents, c.seed, reach(op), c.planted ? SPECIALS : []),
      ),
      attrs: { op, ...c.scalars },
      abs: CROSSING[op] ?? TINY,
      rel: relative(op),
    }),
  ),
);

/** Left of −3 both terms of these derivatives are far from cancelling: they are as exact as the functions. */
const tailCase = fc
  .record({ op: fc.constantFrom('gelu', 'geluTanh', 'silu', 'mish'), extents: shape, seed: fc.nat() })
  .map(({ op, extents, seed }): FuzzCase<ActivationAttrs<ActivationSlope>> => {
    const s = floats(extents, seed, reach(op) - 3, []);
    for (let i = 0; i < s.data.length; i++) s.data[i] = -3 - Math.abs(s.data[i] as number);
    return {
      inputs: gradientOf(floats(extents, seed + 1, 2, []), s),
      attrs: { op },
      abs: TINY,
      rel: 1.5 * relative(op),
    };
  });

/** Where the derivative is 0, an infinite or undefined gradient stops; elsewhere it goes on. */
const stopCase = fc
  .record({
    op: fc.constantFrom('hardSigmoid', 'hardSilu', 'rectify', 'rectifyTo'),
    extents: shape,
    seed: fc.nat(),
    p: fc.constantFrom(0, 0.5),
  })
  .map(
    ({ op, extents, seed, p }): FuzzCase<ActivationAttrs<ActivationSlope>> => ({
      inputs: gradientOf(
        floats(extents, seed + 1, 2, [Number.NaN, Infinity, -Infinity]),
        floats(extents, seed, 8, SPECIALS),
      ),
      attrs: { op, p, q: 1, r: 5 },
      abs: 0,
      rel: 3e-7,
    }),
  );

/** Gates within ±20, where their float32 and float64 are not 0, or so far out that both are. */
const gluInput = fc
  .record({
    extents: fc.array(extent, { minLength: 1, maxLength: 3 }),
    seed: fc.nat(),
    place: fc.nat(),
    planted: fc.boolean(),
  })
  .map(({ extents, seed, place, planted }) => {
    const axis = place % extents.length;
    const whole = extents.map((own, at) => (at === axis ? 2 * own : own));
    return { axis, half: extents, seed, x: floats(whole, seed, 20, planted ? SPECIALS : []) };
  })
  .filter(({ x }) => x.data.length <= 40000);

const gluCase = gluInput.map(
  ({ axis, x }): FuzzCase<GluAttrs> => ({ inputs: [x], attrs: { axis }, abs: TINY, rel: 1e-6 }),
);
const gluGradientCase = gluInput.map(
  ({ axis, half, seed, x }): FuzzCase<GluAttrs> => ({
    inputs: [floats(half, seed + 1, 2, []), x],
    attrs: { axis },
    abs: TINY,
    rel: 1e-6,
  }),
);

/** A product at most. */
const preluCase = fc
  .record({
    extents: shape,
    seed: fc.nat(),
    kept: fc.array(fc.boolean(), { maxLength: 4 }),
    side: fc.constantFrom('both', 'slopes'),
    planted: fc.boolean(),
  })
  .map(({ extents, seed, kept, side, planted }): FuzzCase<PreluAttrs> => {
    const own = extents.slice(Math.max(0, extents.length - kept.length));
    const alpha = own.map((length, axis) => (kept[axis] ? length : 1));
    const x = floats(extents, seed, 10, planted ? SPECIALS : []);
    const v = floats(extents, seed + 1, 10, planted ? [Infinity, 0] : []);
    return {
      inputs: [x, v, floats(alpha, seed + 2, 2, planted ? [0] : [])],
      attrs: { side },
      abs: TINY,
      rel: 1e-7,
    };
  });

export const families: FuzzFamily<unknown>[] = [
  family('activation', activationKernel, valueCase),
  family('activation gradient', activationGradientKernel, gradientCase),
  family('activation gradient, tails', activationGradientKernel, tailCase),
  family('activation gradient, stopped', activationGradientKernel, stopCase),
  family('glu', gluKernel, gluCase),
  family('glu gradient', gluGradientKernel, gluGradientCase),
  family('prelu', preluKernel, preluCase),
];
