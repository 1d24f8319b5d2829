/** Fuzzed inputs for the broadcasting kernels: binary, where, copy, cast and fill. */
import fc from 'fast-check';
import { type BinaryName, binaryKernel, binaryOps } from '../../kernels/binary.ts';
import { castKernel } from '../../kernels/cast.ts';
import { copyKernel } from '../../kernels/copy.ts';
import { fillKernel } from '../../kernels/fill.ts';
import type { HostTensor } from '../../kernels/kernel.ts';
import { whereKernel } from '../../kernels/where.ts';
import { type DType, hostArray } from '../../src/core/dtype.ts';
import { sizeOf, stridesOf } from '../../src/core/shape.ts';
import { type FuzzFamily, family } from '../support/fuzz-case.ts';
import { uniforms } from '../support/random.ts';

const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 1, -1, 2];

function values(dtype: DType, shape: readonly number[], next: () => number): HostTensor {
  const data = hostArray(dtype, sizeOf(shape));
  for (let index = 0; index < data.length; index++) {
    if (dtype === 'bool') data[index] = next() < 0.5 ? 0 : 1;
    else if (dtype === 'int32')
      data[index] = next() < 0.3 ? Math.floor(next() * 5) - 2 : Math.floor((next() - 0.5) * 2 ** 32);
    else if (dtype === 'uint8') data[index] = Math.floor(next() * 256);
    else if (next() < 0.05) data[index] = specials[Math.floor(next() * specials.length)] as number;
    else data[index] = next() < 0.3 ? Math.floor(next() * 7) - 3 : (next() - 0.5) * 20;
  }
  return { shape, dtype, data };
}

const extent = fc.constantFrom<number>(0, 1, 1, 2, 3, 4, 5, 8, 12, 13, 63, 64, 65);
const shapes = fc.oneof(
  { weight: 4, arbitrary: fc.array(extent, { maxLength: 4 }).filter((shape) => sizeOf(shape) <= 20000) },
  { weight: 1, arbitrary: fc.array(fc.constantFrom<number>(1, 2, 3), { minLength: 5, maxLength: 8 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<number[]>([127], [129], [4099], [257, 31], [32, 64], [8, 3, 20], [4, 12, 16]),
  },
);

/** `count` shapes that broadcast to `target`: leading axes cut off, some extents set to 1. */
const stretched = (target: readonly number[], count: number) =>
  fc
    .array(fc.tuple(fc.nat({ max: 3 }), fc.array(fc.boolean(), { minLength: 8, maxLength: 8 })), {
      minLength: count,
      maxLength: count,
    })
    .map((choices) =>
      choices.map(([cut, ones], index) =>
        index === 0 && cut > 0
          ? target
          : target.slice(Math.min(cut, target.length)).map((size, axis) => (ones[axis] ? 1 : size)),
      ),
    );

const dtypesOf = (op: BinaryName): DType[] => {
  const entry: { float?: number; int?: number; bool?: number } = binaryOps[op];
  return [
    ...(entry.float === undefined ? [] : (['float32'] as const)),
    ...(entry.int === undefined ? [] : (['int32'] as const)),
    ...(entry.bool === undefined ? [] : (['bool'] as const)),
  ];
};

const pairs = (Object.keys(binaryOps) as BinaryName[]).flatMap((op) =>
  dtypesOf(op).map((dtype) => ({ op, dtype })),
);

/**
 * Sums and products are rounded once (2^-24); a driver's division may be off by 2.5 ulp (WGSL §15.7.4); pow is ours,
 * within 4 ulp. The remainder of mod is exact and then rounded once where the signs differ; the quotient of floorDiv is
 * exact below 2^24 and within 2 ulp above. atan2 is a division and an atan of 2 ulp; hypot a rounded sum, a root of 2.5
 * ulp, all halved by the root. The logarithm in logAddExp is at most log 2, 4 ulp of which count absolutely.
 */
const REL: Partial<Record<BinaryName, number>> = {
  add: 1.2e-7,
  sub: 1.2e-7,
  mul: 1.2e-7,
  mulZero: 1.2e-7,
  div: 4e-7,
  pow: 5e-7,
  mod: 1.2e-7,
  floorDiv: 2.4e-7,
  atan2: 6e-7,
  hypot: 4e-7,
  logAddExp: 1.2e-7,
};
const ABS: Partial<Record<BinaryName, number>> = { atan2: 1.2e-38, logAddExp: 3e-7 };
const tolerance = (op: BinaryName): { abs: number; rel: number } => ({
  abs: ABS[op] ?? 0,
  rel: REL[op] ?? 0,
});

/** Operands of every magnitude, close multiples among them; whole shifts around the 32 bits of a word. */
function operands(op: BinaryName, dtype: DType, shape: readonly number[], next: () => number): HostTensor {
  const made = values(dtype, shape, next);
  const wide = op === 'mod' || op === 'floorDiv' || op === 'atan2' || op === 'hypot';
  for (let index = 0; index < made.data.length; index++) {
    if (dtype === 'int32' && op.endsWith('Shift') && next() < 0.5)
      made.data[index] = Math.floor(next() * 36) - 2;
    if (dtype === 'int32' && next() < 0.03) made.data[index] = next() < 0.5 ? -(2 ** 31) : -1;
    if (dtype !== 'float32') continue;
    if (wide && next() < 0.2) made.data[index] = (next() < 0.5 ? -1 : 1) * 10 ** (next() * 72 - 36);
    if (op === 'logAddExp' && next() < 0.2) made.data[index] = (next() - 0.5) * 2e4;
  }
  return made;
}

const binary = fc
  .record({ pair: fc.constantFrom(...pairs), target: shapes, seed: fc.nat() })
  .chain(({ pair, target, seed }) =>
    stretched(target, 2).map((shapes) => {
      const next = uniforms(seed);
      return {
        inputs: shapes.map((shape) => operands(pair.op, pair.dtype, shape, next)),
        attrs: { op: pair.op },
        ...tolerance(pair.op),
      };
    }),
  );

const same = fc
  .record({ pair: fc.constantFrom(...pairs), shape: shapes, seed: fc.nat() })
  .map(({ pair, shape, seed }) => {
    const next = uniforms(seed);
    return {
      inputs: [operands(pair.op, pair.dtype, shape, next), operands(pair.op, pair.dtype, shape, next)],
      attrs: { op: pair.op },
      ...tolerance(pair.op),
    };
  });

const where = fc
  .record({ dtype: fc.constantFrom<DType>('float32', 'int32', 'bool'), target: shapes, seed: fc.nat() })
  .chain(({ dtype, target, seed }) =>
    stretched(target, 3).map((operands) => {
      const next = uniforms(seed);
      const dtypes: DType[] = ['bool', dtype, dtype];
      return {
        inputs: operands.map((shape, index) => values(dtypes[index] as DType, shape, next)),
        attrs: undefined,
        abs: 0,
        rel: 0,
      };
    }),
  );

/** Views: a permutation of the axes, some flipped, some stretched. */
const copy = fc
  .record({
    dtype: fc.constantFrom<DType>('float32', 'int32', 'bool'),
    shape: shapes,
    order: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
    flips: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    stretch: fc.nat({ max: 3 }),
    seed: fc.nat(),
  })
  .map(({ dtype, shape, order, flips, stretch, seed }) => {
    const axes = shape.map((_, axis) => axis).sort((a, b) => (order[a] as number) - (order[b] as number));
    const own = stridesOf(shape);
    const view = axes.map((axis) => shape[axis] as number);
    let offset = 0;
    const strides = axes.map((axis) => {
      if (!flips[axis] || shape[axis] === 0) return own[axis] as number;
      offset += ((shape[axis] as number) - 1) * (own[axis] as number);
      return -(own[axis] as number);
    });
    if (stretch > 0 && view.length < 8) {
      view.unshift(stretch);
      strides.unshift(0);
    }
    const attrs = { shape: view, strides, offset: sizeOf(view) === 0 ? 0 : offset };
    return { inputs: [values(dtype, shape, uniforms(seed))], attrs, abs: 0, rel: 0 };
  });

/** Permutations of axes in fours, sometimes with a slice along the first. */
const turned = fc
  .record({
    shape: fc.array(fc.constantFrom<number>(1, 3, 4, 8, 12, 20), { minLength: 2, maxLength: 4 }),
    order: fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
    skip: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({ shape, order, skip, seed }) => {
    const axes = shape.map((_, axis) => axis).sort((a, b) => (order[a] as number) - (order[b] as number));
    const own = stridesOf(shape);
    const first = skip && (shape[0] as number) > 1 ? 1 : 0;
    const attrs = {
      shape: axes.map((axis) => (shape[axis] as number) - (axis === 0 ? first : 0)),
      strides: axes.map((axis) => own[axis] as number),
      offset: first * (own[0] as number),
    };
    return { inputs: [values('float32', shape, uniforms(seed))], attrs, abs: 0, rel: 0 };
  });

const casts: readonly [DType, DType][] = [
  ['float32', 'int32'],
  ['float32', 'bool'],
  ['float32', 'float32'],
  ['int32', 'float32'],
  ['int32', 'bool'],
  ['bool', 'float32'],
  ['bool', 'int32'],
  ['uint8', 'float32'],
  ['uint8', 'int32'],
];

const cast = fc
  .record({ pair: fc.constantFrom(...casts), shape: shapes, scaled: fc.boolean(), seed: fc.nat() })
  .map(({ pair: [from, dtype], shape, scaled, seed }) => ({
    inputs: [values(from, shape, uniforms(seed))],
    attrs: scaled && from === 'uint8' && dtype === 'float32' ? { dtype, scale: 1 / 255 } : { dtype },
    abs: 0,
    // The scale and the product, or a large integer, are each rounded once.
    rel: 2.4e-7,
  }));

const fill = fc
  .record({
    dtype: fc.constantFrom<DType>('float32', 'int32', 'bool'),
    shape: shapes,
    value: fc.integer({ min: -1000, max: 1000 }),
    step: fc.option(fc.integer({ min: -50, max: 50 }), { nil: undefined }),
  })
  .map(({ dtype, shape, value, step }) => {
    const first = dtype === 'bool' ? Math.abs(value) % 2 : value;
    const sequence = step === undefined || dtype === 'bool' ? {} : { step };
    return { inputs: [], attrs: { shape, dtype, value: first, ...sequence }, abs: 0, rel: 0 };
  });

export const families: FuzzFamily<unknown>[] = [
  family('binary, broadcasting', binaryKernel, binary),
  family('binary, same shape', binaryKernel, same),
  family('where', whereKernel, where),
  family('copy', copyKernel, copy),
  family('copy, turned', copyKernel, turned),
  family('cast', castKernel, cast),
  family('fill', fillKernel, fill),
];
