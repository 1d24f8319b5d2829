/** Long short-term memory as a layer. */
import type { RecurrentActivation } from '../../../../kernels/recurrent-shapes.ts';
import { scope } from '../../../autograd/scope.ts';
import type { Tensor } from '../../../autograd/tensor.ts';
import { concat } from '../../../ops/join.ts';
import { lstm, type RecurrentResult } from '../../../ops/recurrent.ts';
import { type Initializer, ones } from '../../initializers/index.ts';
import { checkFlag } from '../check.ts';
import { type CellCall, cellActivation, type GatedLayerOptions, RecurrentLayer } from './rnn-base.ts';

export interface LstmLayerOptions extends GatedLayerOptions {
  /** Whether the bias of the forget gate starts at 1, whatever the initializer says. Default: true. */
  unitForgetBias?: boolean;
}

/**
 * Long short-term memory: (batch, steps, in) → (batch, units), or (batch, steps, units) with `returnSequences`; kernel
 * (in, 4·units), recurrentKernel (units, 4·units), bias (4·units,), with the gates i, f, c, o side by side. Steps that are
 * masked leave the state as it is. `apply([x, h, c])` begins with states of yours. See `lstm` for the formula.
 *
 * Hochreiter and Schmidhuber, 1997; the bias of 1 is of Jozefowicz et al., 2015. Keras's LSTM; `unroll` does not exist here.
 *
 * @throws as `SimpleRnn`.
 */
export class Lstm extends RecurrentLayer<LstmLayerOptions> {
  protected override readonly gates = 4;
  protected override readonly stateNames = ['h', 'c'];
  readonly #recurrentActivation: RecurrentActivation;

  constructor(options: LstmLayerOptions) {
    super(options, 'lstm', ['recurrentActivation', 'unitForgetBias']);
    const { recurrentActivation, unitForgetBias = true } = this.options;
    checkFlag('lstm', 'unitForgetBias', unitForgetBias);
    this.#recurrentActivation = cellActivation('lstm', 'recurrentActivation', recurrentActivation, 'sigmoid');
  }

  /** The gates i, f, c, o: f at 1, and the others as the initializer makes them. */
  protected override biasInitializer(given: Initializer): Initializer {
    const { units, unitForgetBias = true } = this.options;
    if (!unitForgetBias) return given;
    return (_shape, options) =>
      scope(() => concat([given([units], options), ones()([units], options), given([2 * units], options)]));
  }

  protected override walk(x: Tensor, call: CellCall, initial?: readonly Tensor[]): RecurrentResult {
    const [h, c] = initial ?? [];
    return lstm(x, {
      ...call,
      recurrentActivation: this.#recurrentActivation,
      initialState: h && c && [h, c],
    });
  }
}
