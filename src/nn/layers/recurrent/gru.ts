/** The gated recurrent unit as a layer. */
import type { RecurrentActivation } from '../../../../kernels/recurrent-shapes.ts';
import type { Tensor } from '../../../autograd/tensor.ts';
import { gru, type RecurrentResult } from '../../../ops/recurrent.ts';
import { checkFlag } from '../check.ts';
import { type CellCall, cellActivation, type GatedLayerOptions, RecurrentLayer } from './rnn-base.ts';

export interface GruLayerOptions extends GatedLayerOptions {
  /** Whether the reset gate acts behind the recurrent product, not before it. Default: true. */
  resetAfter?: boolean;
}

/**
 * The gated recurrent unit: (batch, steps, in) → (batch, units), or (batch, steps, units) with `returnSequences`; kernel
 * (in, 3·units), recurrentKernel (units, 3·units), bias (2, 3·units), or (3·units,) without `resetAfter`, with the gates
 * z, r, h side by side. Steps that are masked leave the state as it is. `apply([x, h])` begins with a state of yours. See `gru`
 * for the formula.
 *
 * Cho et al., 2014. Keras's GRU; `unroll` does not exist here.
 *
 * @throws as `SimpleRnn`.
 */
export class Gru extends RecurrentLayer<GruLayerOptions> {
  protected override readonly gates = 3;
  protected override readonly stateNames = ['h'];
  readonly #recurrentActivation: RecurrentActivation;

  constructor(options: GruLayerOptions) {
    super(options, 'gru', ['recurrentActivation', 'resetAfter']);
    const { recurrentActivation, resetAfter = true } = this.options;
    checkFlag('gru', 'resetAfter', resetAfter);
    this.#recurrentActivation = cellActivation('gru', 'recurrentActivation', recurrentActivation, 'sigmoid');
  }

  protected override biasShape(): readonly number[] {
    const columns = this.gates * this.options.units;
    return (this.options.resetAfter ?? true) ? [2, columns] : [columns];
  }

  protected override walk(x: Tensor, call: CellCall, initial?: readonly Tensor[]): RecurrentResult {
    const { resetAfter = true } = this.options;
    return gru(x, {
      ...call,
      recurrentActivation: this.#recurrentActivation,
      resetAfter,
      initialState: initial?.[0],
    });
  }
}
