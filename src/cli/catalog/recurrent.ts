/** Recurrent layers. */
import { recurrentKernel } from '../../../kernels/recurrent.ts';
import { recurrentGradientKernel } from '../../../kernels/recurrent-gradient.ts';
import { scope } from '../../autograd/scope.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { tensor } from '../../ops/create.ts';
import { concat } from '../../ops/join.ts';
import {
  type GruOptions,
  gru,
  type LstmOptions,
  lstm,
  type RecurrentResult,
  type SimpleRnnOptions,
  simpleRnn,
} from '../../ops/recurrent.ts';
import { expandDims } from '../../ops/shape.ts';
import { type CatalogEntry, differentiable, type GradCase, gradCase, within } from './types.ts';

const kernels = [recurrentKernel, recurrentGradientKernel];

interface Extents {
  readonly batch: number;
  readonly steps: number;
  readonly width: number;
  readonly units: number;
}

const SMALL: Extents = { batch: 2, steps: 3, width: 2, units: 2 };

type Weights = Pick<LstmOptions, 'kernel' | 'recurrentKernel' | 'bias'>;

/** Every result in one tensor, along the steps, so that all of them have a gradient. */
const joined = ({ sequences, state }: RecurrentResult): Tensor =>
  concat([sequences, ...state.map((part) => expandDims(part, 1))], 1);

/** A layer as a function of its input, its weights and its initial states. */
function layerCase(
  name: string,
  gates: number,
  biasRows: number | undefined,
  states: number,
  layer: (x: Tensor, weights: Weights, states: readonly Tensor[]) => Tensor,
  { batch, steps, width, units }: Extents = SMALL,
): GradCase {
  const columns = gates * units;
  return gradCase(
    name,
    (x, kernel, recurrentKernel, bias, ...initial) =>
      scope(() => layer(x as Tensor, { kernel, recurrentKernel, bias } as Weights, initial)),
    within(-1, 1, [batch, steps, width]),
    within(-0.8, 0.9, [width, columns], 1),
    within(-0.9, 0.8, [units, columns], 2),
    within(-0.5, 0.5, biasRows === undefined ? [columns] : [biasRows, columns], 3),
    ...Array.from({ length: states }, (_, i) => within(-0.9, 0.9, [batch, units], 4 + i)),
  );
}

/** The last step of one row and all of the other are left out. */
const lengths = [2, 0];

const simple = (name: string, options: Partial<SimpleRnnOptions>, states = 0, extents?: Extents): GradCase =>
  layerCase(
    name,
    1,
    undefined,
    states,
    (x, weights, [h]) => joined(simpleRnn(x, { ...weights, ...options, initialState: h })),
    extents,
  );

const long = (name: string, options: Partial<LstmOptions>, states = 0, extents?: Extents): GradCase =>
  layerCase(
    name,
    4,
    undefined,
    states,
    (x, weights, [h, c]) =>
      joined(lstm(x, { ...weights, ...options, initialState: h && c ? [h, c] : undefined })),
    extents,
  );

const gated = (name: string, options: Partial<GruOptions>, states = 0, extents?: Extents): GradCase =>
  layerCase(
    name,
    3,
    options.resetAfter === false ? undefined : 2,
    states,
    (x, weights, [h]) => joined(gru(x, { ...weights, ...options, initialState: h })),
    extents,
  );

const LONGER: Extents = { batch: 1, steps: 4, width: 1, units: 3 };

export const recurrentEntries: readonly CatalogEntry[] = [
  differentiable('simpleRnn', 'recurrent', kernels, [
    simple('defaults', {}),
    simple('initial state', {}, 1, LONGER),
    simple('backwards, with lengths', { goBackwards: true, lengths }, 1),
    simple('sigmoid', { activation: 'sigmoid' }, 1),
    simple('linear', { activation: 'linear' }),
  ]),
  differentiable('lstm', 'recurrent', kernels, [
    long('defaults', {}),
    long('initial state', {}, 2, LONGER),
    long('backwards, with lengths', { goBackwards: true, lengths }, 2),
    long('hard sigmoid', { recurrentActivation: 'hardSigmoid', activation: 'linear' }, 2),
    gradCase(
      'the last h alone, masks',
      (x, kernel, recurrentKernel) =>
        scope(() => {
          const { device } = x as Tensor;
          const recurrentMask = tensor([0, 1.25, 1.25, 0], { device, shape: [2, 2] });
          return lstm(x as Tensor, { kernel, recurrentKernel, recurrentMask, lengths } as LstmOptions).last;
        }),
      within(-1, 1, [2, 3, 2]),
      within(-0.8, 0.9, [2, 8], 1),
      within(-0.9, 0.8, [2, 8], 2),
    ),
  ]),
  differentiable('gru', 'recurrent', kernels, [
    gated('defaults', {}),
    gated('initial state', {}, 1, LONGER),
    gated('backwards, with lengths', { goBackwards: true, lengths }, 1),
    gated('reset before the product', { resetAfter: false }),
    gated('reset before the product, all options', { resetAfter: false, goBackwards: true, lengths }, 1),
    gated('other activations', { activation: 'sigmoid', recurrentActivation: 'tanh' }, 1),
  ]),
];
