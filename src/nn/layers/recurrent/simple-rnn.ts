/** The simple recurrent layer. */
import type { Tensor } from '../../../autograd/tensor.ts';
import { type RecurrentResult, simpleRnn } from '../../../ops/recurrent.ts';
import { type CellCall, RecurrentLayer, type RecurrentLayerOptions } from './rnn-base.ts';

/**
 * h(t) = activation(x(t)·kernel + h(t − 1)·recurrentKernel + bias) for (batch, steps, in) → (batch, units), or (batch, steps,
 * units) with `returnSequences`; kernel (in, units), recurrentKernel (units, units), bias (units,). Steps that are masked leave
 * the state as it is. `apply([x, h])` begins with a state of yours. See `simpleRnn`.
 *
 * Elman, "Finding structure in time", 1990. Keras's SimpleRNN; `unroll` does not exist here.
 *
 * @throws ArgumentError for units that are no whole number ≥ 1, rates outside of [0, 1), unknown names and activations;
 *   ShapeError when called on an input of another rank or width, a state or a mask that does not fit, and, if stateful, on
 *   batches of different sizes.
 */
export class SimpleRnn extends RecurrentLayer {
  protected override readonly gates = 1;
  protected override readonly stateNames = ['h'];

  constructor(options: RecurrentLayerOptions) {
    super(options, 'simpleRnn', []);
  }

  protected override walk(x: Tensor, call: CellCall, initial?: readonly Tensor[]): RecurrentResult {
    return simpleRnn(x, { ...call, initialState: initial?.[0] });
  }
}
