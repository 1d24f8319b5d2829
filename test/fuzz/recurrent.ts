/** Fuzz cases for recurrent layers and their gradients. */
import fc from 'fast-check';
import type { HostTensor } from '../../kernels/kernel.ts';
import { recurrentKernel } from '../../kernels/recurrent.ts';
import { recurrentGradientKernel } from '../../kernels/recurrent-gradient.ts';
import {
  GATES,
  partsOf,
  RECURRENT_ACTIVATIONS,
  type RecurrentAttrs,
  type RecurrentCell,
  type RecurrentGradientAttrs,
} from '../../kernels/recurrent-shapes.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';
import { runReference } from '../support/run-case.ts';

/** Rows around tiles of 1, 4 and 16. */
const batch = fc.constantFrom(0, 1, 1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 33);
const steps = fc.constantFrom(1, 1, 2, 3, 5, 7, 11);
/** Units around blocks of 4, 8, 16 and 32. */
const units = fc.constantFrom(0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 64, 67);

const SPECIALS = fc.constantFrom<readonly number[]>([], [], [], [], [Number.NaN], [Infinity], [-Infinity]);

const activation = fc.constantFrom(...RECURRENT_ACTIVATIONS);

const drawOf = (cell: RecurrentCell) =>
  fc
    .record({
      batch,
      steps,
      units,
      // Mostly those that every network uses.
      activation: fc.oneof(fc.constant('tanh' as const), activation),
      recurrentActivation: fc.oneof(fc.constant('sigmoid' as const), activation),
      reversed: fc.boolean(),
      bias: fc.boolean(),
      recurrentMask: fc.boolean(),
      mask: fc.constantFrom('none', 'none', 'some', 'right', 'rows'),
      initial: fc.boolean(),
      specials: SPECIALS,
      flags: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
      seed: fc.nat(),
    })
    .filter(({ batch, steps, units }) => {
      const columns = GATES[cell] * units;
      return batch * steps * units * 5 <= 50000 && batch * steps * units * columns <= 4e6;
    })
    .map(({ batch, steps, units, mask, bias, specials, seed, flags, ...rest }) => {
      const next = uniforms(seed);
      const attrs: RecurrentAttrs = { cell, ...rest, mask: mask !== 'none', bias: bias && cell === 'gru' };
      return { batch, steps, units, mask, attrs, specials, next, flags };
    });

type Draw = ReturnType<typeof drawOf> extends fc.Arbitrary<infer T> ? T : never;

const floats = (shape: Shape, scale: number, next: () => number): HostTensor => ({
  shape,
  dtype: 'float32',
  data: Float32Array.from({ length: sizeOf(shape) }, () => scale * (2 * next() - 1)),
});

/** Each row of the recurrent kernel keeps a state below 1, so that rounding errors do not grow with the steps. */
const kernelOf = (units: number, columns: number, next: () => number): HostTensor =>
  floats([units, columns], 1 / Math.max(1, units), next);

/** Steps here and there, the end of each row, or whole rows. */
function maskOf({ batch, steps, mask, next }: Draw): HostTensor {
  const data = new Uint32Array(batch * steps);
  for (let row = 0; row < batch; row++) {
    const length = Math.floor(next() * (steps + 1));
    const whole = next() < 0.5;
    for (let t = 0; t < steps; t++)
      data[row * steps + t] = Number(mask === 'right' ? t < length : mask === 'rows' ? whole : next() < 0.6);
  }
  return { shape: [batch, steps], dtype: 'bool', data };
}

/** Dropout's mask: zeros, and what keeps the mean. */
const dropped = (shape: Shape, next: () => number): HostTensor => ({
  shape,
  dtype: 'float32',
  data: Float32Array.from({ length: sizeOf(shape) }, () => (next() < 0.3 ? 0 : 1 / 0.7)),
});

function layerInputs(draw: Draw): HostTensor[] {
  const { batch, steps, units, attrs, next } = draw;
  const columns = GATES[attrs.cell] * units;
  const x = floats([batch, steps, columns], 1.5, next);
  const state = [batch, units];
  return [
    x,
    kernelOf(units, columns, next),
    ...(attrs.bias ? [floats([2, columns], 0.5, next)] : []),
    ...(attrs.recurrentMask ? [dropped(state, next)] : []),
    ...(attrs.mask ? [maskOf(draw)] : []),
    ...(attrs.initial ? [floats(state, 1, next)] : []),
    ...(attrs.initial && attrs.cell === 'lstm' ? [floats(state, 1, next)] : []),
  ];
}

/**
 * A product has up to 67 terms below 1.5/67 each, known to 67·6e-8 of their sum, 1.5: 6e-6; an activation adds 3 ulp. What is
 * carried over a step shrinks, except for the linear activations, which let it grow twofold at most for 11 steps here.
 */
const layerCase = (cell: RecurrentCell) =>
  drawOf(cell).map((draw): FuzzCase<RecurrentAttrs> => {
    const inputs = layerInputs(draw);
    plant((inputs[0] as HostTensor).data, draw.specials, draw.next);
    return { inputs, attrs: draw.attrs, abs: 1e-5, rel: 1e-5 };
  });

/** What the layer kept comes from its reference; the gradients are below 1 and grow like the states do. */
const gradientCase = (cell: RecurrentCell) =>
  drawOf(cell).map((draw): FuzzCase<RecurrentGradientAttrs> => {
    const { batch, steps, units, next, flags, specials } = draw;
    const [ofSequence, ofH, ofC, total] = flags;
    const attrs = { ...draw.attrs, ofSequence, ofH, ofC: ofC && cell === 'lstm', total };
    const inputs = layerInputs(draw);
    const saved = runReference('recurrent', recurrentKernel, inputs, draw.attrs).at(-2) as HostTensor;
    const narrow: HostTensor = {
      shape: [batch, steps, partsOf(cell) * units],
      dtype: 'float32',
      data: Float32Array.from(saved.data),
    };
    const state = [batch, units];
    const optional = inputs.slice(
      attrs.bias ? 3 : 2,
      inputs.length - (attrs.initial ? (cell === 'lstm' ? 2 : 1) : 0),
    );
    const gradients = [
      ...(ofSequence ? [floats([batch, steps, units], 1, next)] : []),
      ...(ofH ? [floats(state, 1, next)] : []),
      ...(attrs.ofC ? [floats(state, 1, next)] : []),
    ];
    if (gradients[0]) plant(gradients[0].data, specials, next);
    return {
      inputs: [inputs[1] as HostTensor, narrow, ...optional, ...gradients],
      attrs,
      abs: 1e-5,
      rel: 1e-5,
    };
  });

const CELLS = ['simple', 'lstm', 'gru', 'gruReset'] as const;

export const families = [
  ...CELLS.map((cell) => family(`recurrent, ${cell}`, recurrentKernel, layerCase(cell))),
  ...CELLS.map((cell) =>
    family(`gradient of recurrent, ${cell}`, recurrentGradientKernel, gradientCase(cell)),
  ),
];
