/** Recurrent layers as functions of tensors: every step of a sequence in a few dispatches, forward and backward. */
import type { RecurrentActivation, RecurrentCell } from '../../kernels/recurrent-shapes.ts';
import { GATES } from '../../kernels/recurrent-shapes.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkFlags } from '../core/check.ts';
import { zeros } from './create.ts';
import { matmul } from './matmul.ts';
import { applyRecurrent, recurrentOp } from './recurrent-core.ts';
import {
  type CallSizes,
  checkActivation,
  checkCall,
  maskOf,
  type RecurrentOptions,
  statesOf,
} from './recurrent-options.ts';
import { reshape } from './shape.ts';

export type { RecurrentActivation } from '../../kernels/recurrent-shapes.ts';
export type { RecurrentOptions } from './recurrent-options.ts';

/** What a recurrent layer makes. */
export interface RecurrentResult {
  /** h of each step, (batch, steps, units). */
  readonly sequences: Tensor;
  /** h behind the last step, (batch, units). */
  readonly last: Tensor;
  /** The state behind the last step, which a later call can go on from: [h], or [h, c] of an LSTM; h is `last`. */
  readonly state: readonly Tensor[];
}

interface Layer {
  readonly cell: RecurrentCell;
  readonly recurrentActivation: RecurrentActivation;
  readonly states: readonly Tensor[];
  /** The bias that belongs into the cell, not to the projection. */
  readonly inCell: boolean;
}

const ops = {
  simple: recurrentOp('simpleRnn'),
  lstm: recurrentOp('lstm'),
  gru: recurrentOp('gru'),
  gruReset: recurrentOp('gru'),
};

/** Projects the whole input, and walks through the steps. */
function run(
  x: Tensor,
  options: RecurrentOptions & { bias?: Tensor | undefined },
  { cell, recurrentActivation, states, inCell }: Layer,
  sizes: CallSizes,
): RecurrentResult {
  const { batch, steps, units } = sizes;
  const { kernel, recurrentKernel, bias, recurrentMask, activation = 'tanh', goBackwards = false } = options;
  return scope(() => {
    const { device } = x;
    const [h0, c0] = states;
    if (steps === 0) {
      // Views, for the caller may dispose of the result.
      const state = Array.from({ length: cell === 'lstm' ? 2 : 1 }, (_, i) => {
        const own = states[i];
        return own ? reshape(own, own.shape) : zeros([batch, units], { device });
      });
      return { sequences: zeros([batch, 0, units], { device }), last: state[0] as Tensor, state };
    }
    const rows = reshape(x, [batch * steps, x.shape[2] as number]);
    const projected = matmul(rows, kernel, bias && !inCell ? { bias } : {});
    const mask = maskOf(ops[cell].name, x, options, sizes);
    const attrs = {
      cell,
      activation,
      recurrentActivation,
      reversed: goBackwards,
      bias: bias !== undefined && inCell,
      recurrentMask: recurrentMask !== undefined,
      mask: mask !== undefined,
      initial: h0 !== undefined,
      hiddenGradient: options.hiddenGradient,
    };
    const inputs = {
      x: reshape(projected, [batch, steps, GATES[cell] * units]),
      kernel: recurrentKernel,
      ...(bias && { bias }),
      ...(recurrentMask && { recurrentMask }),
      ...(mask && { mask }),
      ...(h0 && { h: h0 }),
      ...(c0 && { c: c0 }),
    };
    const { sequence, h, c } = applyRecurrent(ops[cell], inputs, attrs);
    return { sequences: sequence, last: h, state: c ? [h, c] : [h] };
  });
}

export interface SimpleRnnOptions extends RecurrentOptions {
  /** (units,). Default: 0. */
  bias?: Tensor | undefined;
  /** h before the first step, (batch, units). Default: 0. */
  initialState?: Tensor | readonly [Tensor] | undefined;
}

/**
 * The simple recurrent layer (Elman, 1990): h(t) = activation(x(t)·kernel + h(t − 1)·recurrentKernel + bias) for x (batch,
 * steps, in), a kernel (in, units) and a recurrent kernel (units, units).
 *
 * ```ts
 * const { sequences, last } = simpleRnn(x, { kernel, recurrentKernel, bias });
 * ```
 *
 * @throws ShapeError for tensors that do not fit together, ArgumentError for an option or an activation that is not known,
 * DTypeError for a mask that is not bool, IndexError for a length beyond the steps.
 */
export function simpleRnn(x: Tensor, options: SimpleRnnOptions): RecurrentResult {
  const sizes = checkCall('simpleRnn', x, options, [], 1, undefined);
  const states = statesOf('simpleRnn', options.initialState, 1, sizes);
  return run(x, options, { cell: 'simple', recurrentActivation: 'sigmoid', states, inCell: false }, sizes);
}

export interface LstmOptions extends RecurrentOptions {
  /** (4·units,). Default: 0; layers start with 1 for the gate f. */
  bias?: Tensor | undefined;
  /** [h, c] before the first step, each (batch, units). Default: 0. */
  initialState?: readonly [h: Tensor, c: Tensor] | undefined;
  /** What the gates i, f and o are made with. Default: sigmoid. */
  recurrentActivation?: RecurrentActivation;
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber, 1997, with the forget gate of Gers, Schmidhuber and Cummins, 2000).
 * With s the recurrent activation, f the activation, and the gates in Keras's order i, f, c, o along the columns of
 * a = x(t)·kernel + h(t − 1)·recurrentKernel + bias:
 *
 *   c(t) = s(a_f)·c(t − 1) + s(a_i)·f(a_c),   h(t) = s(a_o)·f(c(t))
 *
 * x is (batch, steps, in), the kernel (in, 4·units), the recurrent kernel (units, 4·units).
 *
 * ```ts
 * const { sequences, state } = lstm(x, { kernel, recurrentKernel, bias });
 * const next = lstm(later, { kernel, recurrentKernel, bias, initialState: [state[0], state[1]] });
 * ```
 *
 * @throws as `simpleRnn`.
 */
export function lstm(x: Tensor, options: LstmOptions): RecurrentResult {
  const sizes = checkCall('lstm', x, options, ['recurrentActivation'], 4, undefined);
  const { recurrentActivation = 'sigmoid' } = options;
  checkActivation('lstm', 'recurrentActivation', recurrentActivation);
  const states = statesOf('lstm', options.initialState, 2, sizes);
  return run(x, options, { cell: 'lstm', recurrentActivation, states, inCell: false }, sizes);
}

export interface GruOptions extends RecurrentOptions {
  /** (2, 3·units), of the input and of the recurrent product; (3·units,) without `resetAfter`. Default: 0. */
  bias?: Tensor | undefined;
  /** h before the first step, (batch, units). Default: 0. */
  initialState?: Tensor | readonly [Tensor] | undefined;
  /** What the gates z and r are made with. Default: sigmoid. */
  recurrentActivation?: RecurrentActivation;
  /** The gate r resets the product, not the state before it. Default: true. */
  resetAfter?: boolean;
}

/**
 * The gated recurrent unit (Cho et al., 2014). With s the recurrent activation, f the activation, and the gates in Keras's
 * order z, r, h along the columns of a = x(t)·kernel + bias[0] and u = h(t − 1)·recurrentKernel + bias[1]:
 *
 *   z = s(a_z + u_z),   r = s(a_r + u_r),   n = f(a_h + r·u_h),   h(t) = z·h(t − 1) + (1 − z)·n
 *
 * Without `resetAfter` there is one bias, and n = f(a_h + (r·h(t − 1))·recurrentKernel_h), the first published form. x is
 * (batch, steps, in), the kernel (in, 3·units), the recurrent kernel (units, 3·units).
 *
 * ```ts
 * const { last } = gru(x, { kernel, recurrentKernel, bias, lengths: [5, 3] });
 * ```
 *
 * @throws as `simpleRnn`.
 */
export function gru(x: Tensor, options: GruOptions): RecurrentResult {
  const { resetAfter = true } = options ?? {};
  checkFlags('gru', { resetAfter });
  const own = ['recurrentActivation', 'resetAfter'] as const;
  const sizes = checkCall('gru', x, options, own, 3, resetAfter ? 2 : undefined);
  const { recurrentActivation = 'sigmoid' } = options;
  checkActivation('gru', 'recurrentActivation', recurrentActivation);
  const states = statesOf('gru', options.initialState, 1, sizes);
  const cell = resetAfter ? 'gru' : 'gruReset';
  return run(x, options, { cell, recurrentActivation, states, inCell: resetAfter }, sizes);
}
