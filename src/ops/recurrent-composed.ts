/**
 * Recurrent layers in plain ops, step by step, differentiable as often as one likes: what the fused kernels compute, and the
 * gradients of their gradients.
 */
import {
  type ForwardInput,
  GATES,
  type Named,
  type RecurrentActivation,
  type RecurrentAttrs,
} from '../../kernels/recurrent-shapes.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { hardSigmoid, relu } from './activations.ts';
import { add, mul, sub, where } from './binary.ts';
import { zeros } from './create.ts';
import { concat } from './join.ts';
import { matmul } from './matmul.ts';
import { expandDims, reshape } from './shape.ts';
import { along } from './slice.ts';
import { sigmoid, tanh } from './unary.ts';

const ACTIVATIONS: Readonly<Record<RecurrentActivation, (x: Tensor) => Tensor>> = {
  tanh,
  relu,
  sigmoid,
  linear: (x) => x,
  hardSigmoid,
};

/** The state of a layer; c belongs to an LSTM. */
interface State {
  readonly h: Tensor;
  readonly c?: Tensor;
}

/** One step: the state before, and the projected input of the step, (batch, columns). */
type Cell = (state: State, x: Tensor) => State;

function cellOf(inputs: Named<ForwardInput, Tensor>, attrs: RecurrentAttrs): Cell {
  const kernel = inputs.kernel as Tensor;
  const { recurrentMask, bias } = inputs;
  const units = kernel.shape[0] as number;
  const f = ACTIVATIONS[attrs.activation];
  const s = ACTIVATIONS[attrs.recurrentActivation];
  const masked = (h: Tensor): Tensor => (recurrentMask ? mul(h, recurrentMask) : h);
  /** The gates of a product or an input, from the first to the last. */
  const gatesOf = (x: Tensor): Tensor[] =>
    Array.from({ length: GATES[attrs.cell] }, (_, gate) => along(x, 1, gate * units, (gate + 1) * units));
  const biased = (x: Tensor, row: number): Tensor => (bias ? add(x, along(bias, 0, row, row + 1)) : x);
  const blend = (z: Tensor, h: Tensor, n: Tensor): State => ({ h: add(mul(z, h), mul(sub(1, z), n)) });

  switch (attrs.cell) {
    case 'simple':
      return ({ h }, x) => ({ h: f(add(x, matmul(masked(h), kernel))) });
    case 'lstm':
      return ({ h, c }, x) => {
        const gates = gatesOf(add(x, matmul(masked(h), kernel))) as [Tensor, Tensor, Tensor, Tensor];
        const [i, forget, g, o] = gates;
        const next = add(mul(s(forget), c as Tensor), mul(s(i), f(g)));
        return { h: mul(s(o), f(next)), c: next };
      };
    case 'gru':
      return ({ h }, x) => {
        const [xz, xr, xn] = gatesOf(biased(x, 0)) as [Tensor, Tensor, Tensor];
        const [hz, hr, hn] = gatesOf(biased(matmul(masked(h), kernel), 1)) as [Tensor, Tensor, Tensor];
        return blend(s(add(xz, hz)), h, f(add(xn, mul(s(add(xr, hr)), hn))));
      };
    case 'gruReset':
      return ({ h }, x) => {
        const [xz, xr, xn] = gatesOf(x) as [Tensor, Tensor, Tensor];
        const [kz, kr, kn] = gatesOf(kernel) as [Tensor, Tensor, Tensor];
        const z = s(add(xz, matmul(masked(h), kz)));
        const r = s(add(xr, matmul(masked(h), kr)));
        return blend(z, h, f(add(xn, matmul(mul(r, masked(h)), kn))));
      };
  }
}

/** The sequence of h (batch, steps, units), and the state behind the last step. */
export function composedRecurrent(
  inputs: Named<ForwardInput, Tensor>,
  attrs: RecurrentAttrs,
): { sequence: Tensor; h: Tensor; c?: Tensor } {
  const x = inputs.x as Tensor;
  const [batch, steps, columns] = x.shape as [number, number, number];
  const units = (inputs.kernel as Tensor).shape[0] as number;
  const cell = cellOf(inputs, attrs);
  const start = (): Tensor => zeros([batch, units], { device: x.device });
  let state: State = { h: inputs.h ?? start(), ...(attrs.cell === 'lstm' && { c: inputs.c ?? start() }) };
  const sequence: Tensor[] = [];
  for (let t = 0; t < steps; t++) {
    const at = attrs.reversed ? steps - 1 - t : t;
    const next = cell(state, reshape(along(x, 1, at, at + 1), [batch, columns]));
    if (inputs.mask) {
      const on = along(inputs.mask, 1, at, at + 1);
      const { h, c } = state;
      state = { h: where(on, next.h, h), ...(next.c && c && { c: where(on, next.c, c) }) };
    } else {
      state = next;
    }
    sequence.push(expandDims(state.h, 1));
  }
  return { sequence: concat(sequence, 1), ...state };
}
