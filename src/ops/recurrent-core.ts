/** The op of recurrent layers: all steps at once, and its gradient. */
import { recurrentKernel } from '../../kernels/recurrent.ts';
import { recurrentGradientKernel } from '../../kernels/recurrent-gradient.ts';
import {
  type ForwardInput,
  forwardInputs,
  type GradientInput,
  type GradientOutput,
  gradientInputs,
  gradientOutputs,
  type Named,
  named,
  type RecurrentAttrs,
} from '../../kernels/recurrent-shapes.ts';
import { grad } from '../autograd/backward.ts';
import { isGradEnabled } from '../autograd/modes.ts';
import { applyAll, type GradientThunk, type Op, runKernel } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { concat } from './join.ts';
import { matmul } from './matmul.ts';
import { composedRecurrent } from './recurrent-composed.ts';
import { sum } from './reduce.ts';
import { reshape } from './shape.ts';
import { along } from './slice.ts';
import { stack } from './structure.ts';

export interface RecurrentOpAttrs extends RecurrentAttrs {
  /** Is handed ∂L/∂h of every step, (batch, steps, units), in each backward pass. */
  readonly hiddenGradient?: ((gradient: Tensor) => void) | undefined;
}

/** The gradients that arrive: of the sequence, of the last h and of the last c. */
interface Arriving {
  readonly sequence: Tensor | undefined;
  readonly h: Tensor | undefined;
  readonly c: Tensor | undefined;
}

/** (batch, steps, n) as a matrix. */
const rowsOf = (x: Tensor): Tensor =>
  reshape(x, [(x.shape[0] as number) * (x.shape[1] as number), x.shape[2] as number]);

/** The products of the layer, transposed: what met the kernel, times the gradients of what it made. */
function kernelGradient(
  gradient: Named<GradientOutput, Tensor>,
  saved: Tensor,
  previous: Tensor,
  { cell }: RecurrentAttrs,
): Tensor {
  const product = rowsOf(gradient.product ?? (gradient.gates as Tensor));
  const times = (left: Tensor, right: Tensor): Tensor => matmul(rowsOf(left), right, { transposeA: true });
  if (cell !== 'gruReset') return times(previous, product);
  const units = previous.shape[2] as number;
  // The candidate's columns met r h, which the cell kept.
  const reset = along(saved, 2, 3 * units, 4 * units);
  return concat(
    [times(previous, along(product, 1, 0, 2 * units)), times(reset, along(product, 1, 2 * units, 3 * units))],
    1,
  );
}

/** The gradients by backpropagation through time, in one kernel. */
function fusedThunks(
  op: string,
  inputs: Named<ForwardInput, Tensor>,
  saved: Tensor,
  previous: Tensor,
  arriving: Arriving,
  attrs: RecurrentOpAttrs,
): Named<ForwardInput, () => Tensor> {
  const { hiddenGradient, ...layer } = attrs;
  const own = {
    ...layer,
    ofSequence: arriving.sequence !== undefined,
    ofH: arriving.h !== undefined,
    ofC: arriving.c !== undefined,
    total: hiddenGradient !== undefined,
  };
  let known: Named<GradientOutput, Tensor> | undefined;
  const gradients = (): Named<GradientOutput, Tensor> => {
    if (known) return known;
    const { kernel, recurrentMask, mask } = inputs;
    const all: Named<GradientInput, Tensor | undefined> = { kernel, saved, recurrentMask, mask, ...arriving };
    const list = gradientInputs(own).map((name) => all[name] as Tensor);
    known = named(gradientOutputs(own), runKernel(`${op} backward`, recurrentGradientKernel, list, own));
    if (known.total) hiddenGradient?.(known.total);
    return known;
  };
  const gradient = (name: GradientOutput) => () => gradients()[name] as Tensor;
  return {
    x: gradient('gates'),
    kernel: () => kernelGradient(gradients(), saved, previous, attrs),
    bias: () => stack([gradient('gates')(), gradient('product')()].map((g) => sum(g, { axis: [0, 1] }))),
    h: gradient('h'),
    c: gradient('c'),
  };
}

/** The gradients of the composed layer, as part of a graph. */
function composedThunks(
  inputs: Named<ForwardInput, Tensor>,
  arriving: Arriving,
  attrs: RecurrentAttrs,
): Named<ForwardInput, () => Tensor> {
  let known: Named<ForwardInput, Tensor> | undefined;
  const gradients = (): Named<ForwardInput, Tensor> => {
    if (known) return known;
    const names = forwardInputs(attrs);
    // Views, at which this walk ends: an input may itself depend on another one.
    const views = named(
      names,
      names.map((name) => reshape(inputs[name] as Tensor, (inputs[name] as Tensor).shape)),
    );
    const wanted = names.filter((name) => views[name]?.requiresGrad);
    const { sequence, h, c } = composedRecurrent(views, attrs);
    const pairs = [
      [sequence, arriving.sequence],
      [h, arriving.h],
      [c, arriving.c],
    ].filter((pair): pair is [Tensor, Tensor] => pair[0] !== undefined && pair[1] !== undefined);
    const found = grad(
      pairs.map(([output]) => output),
      wanted.map((name) => views[name] as Tensor),
      { gradients: pairs.map(([, gradient]) => gradient), createGraph: true, allowUnused: true },
    );
    known = named(wanted, found);
    return known;
  };
  const gradient = (name: ForwardInput) => () => gradients()[name] as Tensor;
  return {
    x: gradient('x'),
    kernel: gradient('kernel'),
    bias: gradient('bias'),
    h: gradient('h'),
    c: gradient('c'),
  };
}

/**
 * What `forwardInputs` names → the sequence, the last h, the last c (LSTM); what the gradient needs and what met the
 * recurrent kernel, through which no gradient flows. The masks get none.
 */
export const recurrentOp = (name: string): Op<RecurrentOpAttrs> => ({
  name,
  forward: (inputs, { hiddenGradient, ...attrs }) => runKernel(name, recurrentKernel, inputs, attrs),
  saves: (inputs, outputs) => [...inputs, ...outputs.slice(-2)],
  backward({ grads, saved, attrs }): GradientThunk[] {
    const names = forwardInputs(attrs);
    const inputs = named(names, saved);
    const [kept, previous] = saved.slice(-2) as [Tensor, Tensor];
    const arriving = { sequence: grads[0], h: grads[1], c: attrs.cell === 'lstm' ? grads[2] : undefined };
    const thunks = isGradEnabled()
      ? composedThunks(inputs, arriving, attrs)
      : fusedThunks(name, inputs, kept, previous, arriving, attrs);
    return names.map((input) => thunks[input]);
  },
});

/** Applies the op; the inputs in any order. */
export function applyRecurrent(
  op: Op<RecurrentOpAttrs>,
  inputs: Named<ForwardInput, Tensor>,
  attrs: RecurrentOpAttrs,
): { sequence: Tensor; h: Tensor; c?: Tensor } {
  const list = forwardInputs(attrs).map((name) => inputs[name] as Tensor);
  const [sequence, h, c] = applyAll(op, list, attrs) as [Tensor, Tensor, Tensor];
  return { sequence, h, ...(attrs.cell === 'lstm' && { c }) };
}
