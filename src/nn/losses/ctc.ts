/** Connectionist temporal classification: sequences of labels that are not aligned with the steps of time. */
import { type CtcAttrs, ctcGradientKernel, ctcKernel } from '../../../kernels/ctc.ts';
import { apply, applyAll, type Op, runKernel, runKernel1 } from '../../autograd/op.ts';
import { Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError, AutogradError, DTypeError, ShapeError } from '../../core/errors.ts';
import { formatShape } from '../../core/shape.ts';
import { cast } from '../../ops/cast.ts';
import { notEqual } from '../../ops/compare.ts';
import { full } from '../../ops/create.ts';
import { type Indices, withIndices } from '../../ops/indices.ts';
import { stack } from '../../ops/join.ts';
import { sum } from '../../ops/reduce.ts';
import { logSoftmax } from '../../ops/softmax.ts';
import { checkLossOptions, type LossOptions, reduceLosses } from './options.ts';
import { checkPair } from './pair.ts';

const NAME = 'ctc';

const gradientOp: Op<CtcAttrs> = {
  name: 'ctcGradient',
  forward: (inputs, attrs) => runKernel1(NAME, ctcGradientKernel, inputs, attrs),
  backward() {
    throw new AutogradError(
      'second-order',
      'ctc: its gradient cannot be differentiated again; take first derivatives of it only.',
    );
  },
};

/** log-probabilities, labels, lengths → losses; alpha is kept for the backward pass. */
const ctcOp: Op<CtcAttrs> = {
  name: NAME,
  forward: (inputs, attrs) => runKernel(NAME, ctcKernel, inputs, attrs),
  saves: (inputs, [losses, alpha]) => [...inputs, alpha, losses],
  backward: ({ grad, saved, attrs }) => [
    () => apply(gradientOp, [...saved, grad], attrs),
    undefined,
    undefined,
  ],
};

export interface CtcOptions extends Omit<LossOptions, 'classWeight'> {
  /** How many labels each sample has, `(batch,)`. Default: those in its row that are not the blank. */
  labelLength?: Indices;
  /** How many steps each sample has, `(batch,)`. Default: all. */
  inputLength?: Indices;
  /** The class that stands for no label. Default: 0, as in Keras 3, where it also fills up short rows of labels. */
  blank?: number;
  /** Let samples without any alignment cost 0, with a gradient of 0, instead of ∞. Default: false. */
  zeroInfinity?: boolean;
}

/** Int32 lengths of a batch; host numbers are checked here, those of a tensor by the device. */
function lengthsOf(what: string, given: Indices, batch: number, limit: number, like: Tensor): Tensor {
  return withIndices(
    `${NAME}: ${what}`,
    like.device,
    given,
    () => [limit + 1],
    (own) => {
      if (own.dtype !== 'int32')
        throw new DTypeError(`${NAME}: ${what} is ${own.dtype}; cast it: cast(${what}, 'int32').`);
      if (own.rank !== 1 || own.shape[0] !== batch) {
        throw new ShapeError(
          `${NAME}: ${what} of shape ${formatShape(own.shape)} for ${batch} samples; pass (${batch},).`,
        );
      }
      return own.alias();
    },
    false,
  );
}

/**
 * −ln of the probability that a path through the steps spells the labels, when repeated symbols are merged and blanks
 * dropped; summed over all such paths (Graves, Fernández, Gomez, Schmidhuber 2006). Logits are `(batch, time, classes)`,
 * unnormalised; labels int32 `(batch, longest)`. One loss for each sample, ∞ (with a gradient of NaN) where the labels do
 * not fit into the steps, unless `zeroInfinity`. Losses are not divided by their labels' lengths, as PyTorch's mean does.
 *
 * ```ts
 * losses.ctc(tensor([[3, 1, 0], [2, 2, 5]], { dtype: 'int32' }), logits);   // 0 is the blank and fills up
 * ```
 *
 * The gradient is the forward-backward algorithm's; it cannot be differentiated again.
 *
 * @throws IndexError for a label that is no class and a length beyond its axis: at the call for host numbers, else by the
 * next readback.
 */
export function ctc(yTrue: Indices, yPred: Tensor, options: CtcOptions = {}): Tensor {
  checkLossOptions<CtcOptions>(NAME, options, ['labelLength', 'inputLength', 'blank', 'zeroInfinity']);
  const { labelLength, inputLength, blank = 0, zeroInfinity = false } = options;
  if (typeof zeroInfinity !== 'boolean')
    throw new ArgumentError(`${NAME}: zeroInfinity is ${describe(zeroInfinity)}; pass true or false.`);
  if (yTrue instanceof Tensor) checkPair(NAME, yTrue, yPred);
  else checkPair(NAME, yPred, yPred);
  const [batch, steps, classes] = yPred.shape;
  if (yPred.rank !== 3 || batch === undefined || steps === undefined || !classes) {
    throw new ShapeError(
      `${NAME}: yPred of shape ${formatShape(yPred.shape)}; logits are (batch, time, classes), of at least one class.`,
    );
  }
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes) {
    throw new ArgumentError(
      `${NAME}: blank ${describe(blank)} is none of the ${classes} classes; pass a whole number from 0 to ` +
        `${classes - 1}.`,
    );
  }
  return withIndices(
    NAME,
    yPred.device,
    yTrue,
    () => [classes],
    (labels) => {
      const { device } = yPred;
      if (labels.rank !== 2)
        throw new ShapeError(
          `${NAME}: labels of shape ${formatShape(labels.shape)}; pass (batch, longest label), filled up with the blank.`,
        );
      const width = labels.shape[1] as number;
      const counts =
        labelLength === undefined
          ? sum(cast(notEqual(labels, blank), 'int32'), { axis: 1 })
          : lengthsOf('labelLength', labelLength, batch, width, yPred);
      const times =
        inputLength === undefined
          ? full([batch], steps, { dtype: 'int32', device })
          : lengthsOf('inputLength', inputLength, batch, steps, yPred);
      const inputs = [logSoftmax(yPred), labels, stack([times, counts])];
      const losses = applyAll(ctcOp, inputs, { blank, forgive: zeroInfinity })[0] as Tensor;
      return reduceLosses(NAME, losses, options, undefined);
    },
    false,
  );
}
