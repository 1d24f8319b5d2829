/** Fuzz cases for softmax, logSoftmax and logSumExp, and for the gradients of the first two. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import { type SoftmaxAttrs, type SoftmaxOp, softmaxKernel } from '../../kernels/softmax.ts';
import { type SoftmaxGradientAttrs, softmaxGradientKernel } from '../../kernels/softmax-gradient.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';
import { shapes } from './reduce.ts';

const specials: fc.Arbitrary<readonly number[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.constant([-Infinity, -Infinity, -Infinity]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom([Number.NaN], [Infinity], [Infinity, -Infinity], [Number.NaN, Infinity]),
  },
);

/**
 * softmax: with d = x - m, the rounding of d costs |d| half-ulps of exp(d), which are 20·6e-8 at exp(d) = 1e-9; exp,
 * the blocked sum and the division add a few half-ulps: 2e-6 relative, and 1e-9 absolute for what is smaller still.
 * logSoftmax and logSumExp: a few half-ulps of the largest term (|x - m|, or |m|) and of log s, whose argument
 * carries the sum's error: 1e-6 absolute for log s, and 1e-6 relative to the result or, in logSumExp, where m and
 * log s may cancel, to log s (at most 11 here).
 */
const tolerance: Record<SoftmaxOp, { abs: number; rel: number }> = {
  softmax: { abs: 1e-9, rel: 2e-6 },
  logSoftmax: { abs: 1e-6, rel: 1e-6 },
  logSumExp: { abs: 2e-6, rel: 1e-6 },
};

const softmaxCase = shapes
  .filter((shape) => shape.length > 0)
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.nat(shape.length - 1),
      op: fc.constantFrom<SoftmaxOp>('softmax', 'logSoftmax', 'logSumExp'),
      keepDims: fc.boolean(),
      spread: fc.constantFrom(0, 1, 10, 100, 1e4),
      shift: fc.constantFrom(0, 0, 3, -1e4),
      specials,
      hide: fc.boolean(),
      seed: fc.nat(),
    }),
  )
  .filter(({ shape, axis }) => shape[axis] !== 0)
  .map(({ shape, axis, op, keepDims, spread, shift, specials, hide, seed }): FuzzCase<SoftmaxAttrs> => {
    const next = uniforms(seed);
    const data = Float32Array.from({ length: sizeOf(shape) }, () => shift + spread * (2 * next() - 1));
    // A masked stretch, long enough that whole rows of -Inf occur.
    if (hide && specials.length > 0) data.fill(-Infinity, 0, Math.floor(data.length * next()));
    plant(data, specials, next);
    const attrs: SoftmaxAttrs = op === 'logSumExp' ? { op, axis, keepDims } : { op, axis };
    return { inputs: [{ shape, dtype: 'float32', data }], attrs, ...tolerance[op] };
  });

/**
 * The sum has terms of both signs, in blocks of 32: a few half-ulps of Σ|g·y| ≤ 1 for softmax, and of Σ|g| ≤ n for its
 * logarithm, times eʸ; ∂x is a difference of two such numbers, each times y ≤ 1.
 */
const gradientCase = shapes
  .filter((shape) => shape.length > 0)
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.nat(shape.length - 1),
      op: fc.constantFrom('softmax' as const, 'logSoftmax' as const),
      spread: fc.constantFrom(0, 1, 10, 100),
      specials,
      seed: fc.nat(),
    }),
  )
  .map(({ shape, axis, op, spread, specials, seed }): FuzzCase<SoftmaxGradientAttrs> => {
    const next = uniforms(seed);
    const random = (low: number, high: number): HostTensor => ({
      shape,
      dtype: 'float32',
      data: Float32Array.from({ length: sizeOf(shape) }, () => low + (high - low) * next()),
    });
    const x = random(-spread, spread);
    const y: HostTensor = { ...x, data: new Float32Array(x.data.length) };
    softmaxKernel.reference([x], [y], { op, axis });
    // No output is +∞, and none subnormal: the kernel makes 0 of these.
    for (const [index, v] of y.data.entries()) if (Math.abs(v) < 2 ** -126) y.data[index] = 0;
    plant(
      y.data,
      specials.filter((v) => Number.isNaN(v) || (v < 0 && op === 'logSoftmax')),
      next,
    );
    const g = random(-1, 1);
    // 0·∞ is NaN: an infinite gradient is planted where no exponential underflows.
    plant(
      g.data,
      specials.filter((v) => Number.isNaN(v) || (spread <= 10 && y.data.every(Number.isFinite))),
      next,
    );
    const length = op === 'softmax' ? 1 : Math.max(1, shape[axis] as number);
    return { inputs: [y, g], attrs: { op, axis }, abs: 1e-6 * length, rel: 2e-6 };
  });

export const families = [
  family('softmax family', softmaxKernel, softmaxCase),
  family('softmax gradient', softmaxGradientKernel, gradientCase),
];
