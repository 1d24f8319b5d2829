/** The gradient of recurrent layers: backpropagation through time. */

import subgroups4Source from '../wgsl/recurrent-gradient.subgroups4.wgsl';
import subgroups8Source from '../wgsl/recurrent-gradient.subgroups8.wgsl';
import source from '../wgsl/recurrent-gradient.wgsl';
import { type HostTensor, type Kernel, type Plan, type Slot, type TensorSpec, wgslModule } from './kernel.ts';
import { ACTIVATE, CELL_GRADIENT, SLOPE } from './recurrent-cells.ts';
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
  type GradientInput,
  type GradientOutput,
  gradientInputs,
  gradientOutputs,
  gradientSizes,
  named,
  partsOf,
  type RecurrentGradientAttrs,
} from './recurrent-shapes.ts';

const module = wgslModule('recurrent-gradient', source);
const modules = {
  portable: module,
  subgroups: {
    4: wgslModule('recurrent-gradient.subgroups4', subgroups4Source, ['subgroups']),
    8: wgslModule('recurrent-gradient.subgroups8', subgroups8Source, ['subgroups']),
  },
};

const ACCESS = ['read', 'read', 'read', 'read', 'write', 'write', 'write', 'write'] as const;

/** Scratch buffers: the transposed kernel and the packed options; then come the states, and one that nobody reads. */
const TURNED: Slot = 'tmp0';
const PACKED: Slot = 'tmp1';

/**
 * The recurrent kernel, what the layer kept, and the gradients of its outputs → the gradients of the projected input, of the
 * product where it is another one, of the initial states, and of h at each step: see `gradientOutputs`.
 */
export const recurrentGradientKernel: Kernel<RecurrentGradientAttrs> = {
  name: 'recurrentGradient',
  variants: RECURRENT_VARIANTS,

  supports: (variant, _inputs, _attrs, traits) => canRun(variant, traits),

  infer(op, inputs, attrs) {
    const { batch, steps, units, columns } = gradientSizes(op, inputs, attrs);
    const { dtype } = inputs[0] as TensorSpec;
    const gates = { shape: [batch, steps, columns], dtype };
    const state = { shape: [batch, units], dtype };
    const shapes = {
      gates,
      product: gates,
      h: state,
      c: state,
      total: { shape: [batch, steps, units], dtype },
    };
    return gradientOutputs(attrs).map((name) => shapes[name]);
  },

  plan(inputs, _outputs, attrs, traits, variant): Plan {
    const sizes = gradientSizes('recurrentGradient', inputs, attrs);
    const { batch, steps, units, columns } = sizes;
    const names = gradientInputs(attrs);
    const slotOf = (name: GradientInput): Slot | undefined =>
      names.includes(name) ? `in${names.indexOf(name)}` : undefined;
    const recurrentMask = slotOf('recurrentMask');
    const mask = slotOf('mask');
    const packing = packingOf(
      [
        [recurrentMask, batch * units],
        [mask, batch * steps],
      ],
      PACKED,
      'in0',
    );
    const bytes = 4 * batch * units;
    const { cell, ofSequence, ofH, ofC, total } = attrs;
    const has =
      (recurrentMask ? 2 : 0) +
      (mask ? 4 : 0) +
      (ofSequence ? 8 : 0) +
      (ofH ? 16 : 0) +
      (ofC ? 32 : 0) +
      (total ? 64 : 0);
    const results = gradientOutputs(attrs);
    const output = (name: GradientOutput, scratch: Slot): Slot =>
      results.includes(name) ? `out${results.indexOf(name)}` : scratch;
    const stateH = output('h', 'tmp2');
    const stateC = output('c', 'tmp3');
    const rest = [Number(attrs.reversed), has, ...packing.starts, batch * units];
    const uniforms = [batch, steps, units, columns, 0, 0, 0, 0, 0, 0, ...rest];
    const pack = elementwise(
      module,
      'pack',
      ['read', 'read', 'write'],
      [recurrentMask ?? 'in0', mask ?? 'in0', PACKED],
      packing.count,
      uniforms,
    );
    const starting = elementwise(
      module,
      'begin',
      ['read', 'read', 'read', 'write', 'write', 'write'],
      [slotOf('h') ?? 'in0', slotOf('c') ?? 'in0', 'in0', stateH, stateC, TURNED],
      units * columns,
      uniforms,
      { CELL: CELLS.indexOf(cell) },
      batch * units,
    );
    const walk = recurrence(
      {
        modules,
        entry: 'backward',
        access: ACCESS,
        buffers: [
          slotOf('sequence') ?? 'in0',
          'in1',
          packing.slot,
          TURNED,
          'out0',
          stateH,
          cell === 'gru' ? output('product', 'tmp3') : stateC,
          output('total', 'tmp4'),
        ],
        apiece: cell === 'gruReset' ? [4, 4] : [4],
        turns: attrs.initial ? steps + 1 : steps,
        rest: [...rest, 0],
      },
      sizes,
      attrs,
      traits,
      (variant as RecurrentVariant | undefined) ?? chooseVariant(sizes, traits),
    );
    const scratch = [4 * units * columns, 4 * Math.max(4, packing.count), bytes, bytes, 16];
    return { steps: [...(packing.present > 1 ? [pack] : []), starting, ...walk], scratch };
  },

  reference(inputs, outputs, attrs) {
    const { batch, steps, units, columns } = gradientSizes('recurrentGradient', inputs, attrs);
    const { cell } = attrs;
    const given = named(gradientInputs(attrs), inputs);
    const { data: kernel } = given.kernel as HostTensor;
    const { data: saved } = given.saved as HostTensor;
    const results = named(gradientOutputs(attrs), outputs);
    const { data: gates } = results.gates as HostTensor;
    const products = results.product?.data;
    const parts = partsOf(cell);
    const activations = {
      f: ACTIVATE[attrs.activation],
      slopeF: SLOPE[attrs.activation],
      slopeS: SLOPE[attrs.recurrentActivation],
    };
    gates.fill(0); // A masked step has no gradient.
    products?.fill(0);
    for (let row = 0; row < batch; row++) {
      const stateAt = (tensor: HostTensor | undefined, absent: number): number[] =>
        Array.from({ length: units }, (_, j) => tensor?.data[row * units + j] ?? absent);
      const mask = stateAt(given.recurrentMask, 1);
      /** The gradients of h and c of the step at hand. */
      const dh = stateAt(given.h, 0);
      const dc = stateAt(given.c, 0);
      for (let t = steps - 1; t >= 0; t--) {
        const step = row * steps + (attrs.reversed ? steps - 1 - t : t);
        const inSequence = (row * steps + t) * units;
        for (let j = 0; j < units; j++) {
          (dh[j] as number) += given.sequence?.data[inSequence + j] ?? 0;
          if (results.total) results.total.data[inSequence + j] = dh[j] as number;
        }
        if (given.mask?.data[step] === 0) continue;
        const kept = (part: number, j: number): number => saved[(step * parts + part) * units + j] as number;
        const direct = dh.map((d, j) => {
          const own = Array.from({ length: parts }, (_, part) => kept(part, j));
          const unit = CELL_GRADIENT[cell]({ d, dc: dc[j] as number, parts: own, ...activations });
          for (const [gate, value] of unit.gates.entries()) {
            gates[step * columns + gate * units + j] = value;
            if (products) products[step * columns + gate * units + j] = unit.products[gate] as number;
          }
          dc[j] = unit.dc;
          return unit.direct;
        });
        /** What the products of columns `first` to `end` hand to h of unit j. */
        const back = (first: number, end: number, j: number): number => {
          let sum = 0;
          for (let column = first; column < end; column++) {
            const gradient = (products ?? gates)[step * columns + column] as number;
            sum += gradient * (kernel[j * columns + column] as number);
          }
          return sum * (mask[j] as number);
        };
        if (cell === 'gruReset') {
          for (let j = 0; j < units; j++) {
            const d = back(2 * units, columns, j);
            gates[step * columns + units + j] = activations.slopeS(d * kept(4, j), kept(1, j));
            (direct[j] as number) += d * kept(1, j);
          }
        }
        for (let j = 0; j < units; j++)
          dh[j] = back(0, cell === 'gruReset' ? 2 * units : columns, j) + (direct[j] as number);
      }
      results.h?.data.set(dh, row * units);
      results.c?.data.set(dc, row * units);
    }
  },
};
