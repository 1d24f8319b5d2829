/** Recurrent layers over whole sequences: simple, LSTM and GRU. */

import subgroups4Source from '../wgsl/recurrent.subgroups4.wgsl';
import subgroups8Source from '../wgsl/recurrent.subgroups8.wgsl';
import source from '../wgsl/recurrent.wgsl';
import { type HostTensor, type Kernel, type Plan, type Slot, type TensorSpec, wgslModule } from './kernel.ts';
import { ACTIVATE, CELL_STEP } from './recurrent-cells.ts';
import {
  canRun,
  chooseVariant,
  elementwise,
  packingOf,
  RECURRENT_VARIANTS,
  type RecurrentVariant,
  recurrence,
} from './recurrent-plan.ts';
import {
  CELLS,
  type ForwardInput,
  forwardInputs,
  forwardSizes,
  named,
  partsOf,
  type RecurrentAttrs,
} from './recurrent-shapes.ts';

const module = wgslModule('recurrent', source);
const modules = {
  portable: module,
  subgroups: {
    4: wgslModule('recurrent.subgroups4', subgroups4Source, ['subgroups']),
    8: wgslModule('recurrent.subgroups8', subgroups8Source, ['subgroups']),
  },
};

const ACCESS = ['read', 'read', 'read', 'write', 'write', 'write', 'write', 'write'] as const;

/** Units that an invocation owns, in each phase of a step. */
const APIECE = { simple: [4], lstm: [1], gru: [1], gruReset: [1, 4] } as const;

/**
 * The projected input (batch, steps, columns), the recurrent kernel and what else there is → the sequence of h, the last h
 * and (LSTM) c, what the gradient needs, and what met the recurrent kernel at each step.
 */
export const recurrentKernel: Kernel<RecurrentAttrs> = {
  name: 'recurrent',
  variants: RECURRENT_VARIANTS,

  supports: (variant, _inputs, _attrs, traits) => canRun(variant, traits),

  infer(op, inputs, attrs) {
    const { batch, steps, units } = forwardSizes(op, inputs, attrs);
    const { dtype } = inputs[0] as TensorSpec;
    const state = { shape: [batch, units], dtype };
    return [
      { shape: [batch, steps, units], dtype },
      state,
      ...(attrs.cell === 'lstm' ? [state] : []),
      { shape: [batch, steps, partsOf(attrs.cell) * units], dtype },
      { shape: [batch, steps, units], dtype },
    ];
  },

  plan(inputs, _outputs, attrs, traits, variant): Plan {
    const sizes = forwardSizes('recurrent', inputs, attrs);
    const { batch, steps, units, columns } = sizes;
    const names = forwardInputs(attrs);
    const slotOf = (name: ForwardInput): Slot | undefined =>
      names.includes(name) ? `in${names.indexOf(name)}` : undefined;
    const bias = slotOf('bias');
    const recurrentMask = slotOf('recurrentMask');
    const mask = slotOf('mask');
    const packing = packingOf(
      [
        [bias, 2 * columns],
        [recurrentMask, batch * units],
        [mask, batch * steps],
      ],
      'tmp1',
      'in1',
    );
    const has = (bias ? 1 : 0) + (recurrentMask ? 2 : 0) + (mask ? 4 : 0) + (attrs.initial ? 8 : 0);
    const lstm = attrs.cell === 'lstm';
    // Behind the states come `saved` and `previous`.
    const [stateC, saved, previous]: Slot[] = lstm ? ['out2', 'out3', 'out4'] : ['tmp0', 'out2', 'out3'];
    const rest = [Number(attrs.reversed), has, ...packing.starts];
    const uniforms = [batch, steps, units, columns, 0, 0, 0, 0, 0, 0, ...rest];
    const starting = elementwise(
      module,
      'begin',
      ['read', 'read', 'read', 'write', 'write', 'write'],
      [
        slotOf('h') ?? 'in1',
        slotOf('c') ?? 'in1',
        recurrentMask ?? 'in1',
        'out1',
        stateC as Slot,
        previous as Slot,
      ],
      batch * units,
      [...uniforms.slice(0, 12), 0, 0, 0],
      { CELL: CELLS.indexOf(attrs.cell) },
    );
    const pack = elementwise(
      module,
      'pack',
      ['read', 'read', 'read', 'write'],
      [bias ?? 'in1', recurrentMask ?? 'in1', mask ?? 'in1', packing.slot],
      packing.count,
      uniforms,
    );
    const walk = recurrence(
      {
        modules,
        entry: 'forward',
        access: ACCESS,
        buffers: [
          'in0',
          'in1',
          packing.slot,
          'out0',
          'out1',
          stateC as Slot,
          saved as Slot,
          previous as Slot,
        ],
        apiece: APIECE[attrs.cell],
        turns: steps,
        rest: [...rest, 0],
      },
      sizes,
      attrs,
      traits,
      (variant as RecurrentVariant | undefined) ?? chooseVariant(sizes, traits),
    );
    const scratch = [16, 4 * Math.max(4, packing.count)];
    return { steps: [...(packing.present > 1 ? [pack] : []), starting, ...walk], scratch };
  },

  reference(inputs, outputs, attrs) {
    const { batch, steps, units, columns } = forwardSizes('recurrent', inputs, attrs);
    const given = named(forwardInputs(attrs), inputs);
    const { data: input } = given.x as HostTensor;
    const { data: kernel } = given.kernel as HostTensor;
    const [sequence, lastH] = outputs as [HostTensor, HostTensor];
    const lastC = attrs.cell === 'lstm' ? outputs[2] : undefined;
    const [saved, previous] = outputs.slice(-2) as [HostTensor, HostTensor];
    const parts = partsOf(attrs.cell);
    const f = ACTIVATE[attrs.activation];
    const s = ACTIVATE[attrs.recurrentActivation];
    const bias = (row: number, column: number): number => given.bias?.data[row * columns + column] ?? 0;
    const product = (vector: readonly number[], gate: number, j: number): number => {
      const column = gate * units + j;
      return vector.reduce(
        (sum, v, k) => sum + v * (kernel[k * columns + column] as number),
        bias(1, column),
      );
    };
    saved.data.fill(0); // A masked step keeps nothing.
    for (let row = 0; row < batch; row++) {
      const stateAt = (tensor: HostTensor | undefined, absent: number): number[] =>
        Array.from({ length: units }, (_, j) => tensor?.data[row * units + j] ?? absent);
      const mask = stateAt(given.recurrentMask, 1);
      let h: readonly number[] = stateAt(given.h, 0);
      let c: readonly number[] = stateAt(given.c, 0);
      for (let t = 0; t < steps; t++) {
        const step = row * steps + (attrs.reversed ? steps - 1 - t : t);
        const masked = h.map((v, j) => v * (mask[j] as number));
        previous.data.set(masked, step * units);
        if (given.mask?.data[step] !== 0) {
          const x = (gate: number, j: number): number =>
            (input[step * columns + gate * units + j] as number) + bias(0, gate * units + j);
          const next = CELL_STEP[attrs.cell]({ h, c, masked, x, product, f, s });
          for (const [part, values] of next.parts.entries())
            saved.data.set(values, (step * parts + part) * units);
          ({ h, c } = next);
        }
        sequence.data.set(h, (row * steps + t) * units);
      }
      lastH.data.set(h, row * units);
      lastC?.data.set(c, row * units);
    }
  },
};
