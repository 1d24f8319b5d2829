/** A confusion matrix over many batches, updated in place. */
import { type DType, isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/metric-confusion.wgsl';
import { findOffence } from './indexing.ts';
import { grid, type HostTensor, type Kernel, pipelineSpec, type TensorSpec, wgslModule } from './kernel.ts';

export interface ConfusionAttrs {
  readonly classes: number;
  /** The dtype of the matrix: the device's float. */
  readonly dtype: DType;
  /** The labels are known to be in range, or nobody wants to be told; default: false. */
  readonly checked?: boolean;
}

const module = wgslModule('metric-confusion', source);
const WORDS = 8;
/** The uniform word of the op's number in the error record. */
const OP = 5;
/** Samples that an invocation adds one after another, where there is room for so many parts. */
export const PART = 256;
/** Elements of all partial matrices together. */
const ROOM = 2 ** 20;
/** Invocations of a workgroup; few, so that a few parts spread over the device. */
const LANES = 8;

const clear = pipelineSpec(module, 'clear', ['write'], WORDS);
const collect = (weighted: boolean) =>
  pipelineSpec(module, 'collect', ['read', 'read', 'read', 'write', 'write'], WORDS, {
    WEIGHTED: weighted ? 1 : 0,
    LANES,
  });
const finish = pipelineSpec(module, 'finish', ['read', 'write'], WORDS);

/**
 * labels, predicted labels of the same shape, int32 or bool, and perhaps weights for their leading axes → (classes, classes), in
 * place: `matrix[t, p] += w`, or `+= 1` without weights, in the order of the samples. A label out of range is told, and its
 * sample does not count. One dispatch for up to 256 samples; three for more, in parts of at least as many, with a matrix each.
 */
export const confusionKernel: Kernel<ConfusionAttrs> = {
  name: 'confusion',
  variants: ['default'],
  updates: true,

  infer(op, [truth, predicted, weights], { classes, dtype }) {
    for (const { dtype: own } of [truth, predicted] as TensorSpec[]) {
      if (own !== 'int32' && own !== 'bool')
        throw new DTypeError(`${op}: labels are int32 or bool, not ${own}; cast them: cast(x, 'int32').`);
    }
    const { shape } = truth as TensorSpec;
    const { shape: given } = predicted as TensorSpec;
    if (!sameShape(shape, given)) {
      throw new ShapeError(
        `${op}: labels of shape ${formatShape(shape)} and predicted ones of shape ${formatShape(given)}; both must have one shape.`,
      );
    }
    if (weights && !isFloat(weights.dtype))
      throw new DTypeError(`${op}: weights are floats, not ${weights.dtype}; cast them: cast(x, 'float').`);
    if (weights && !sameShape(weights.shape, shape.slice(0, weights.shape.length))) {
      throw new ShapeError(
        `${op}: weights of shape ${formatShape(weights.shape)} for labels of shape ${formatShape(shape)}; pass the ` +
          `leading axes of that, such as (batch,).`,
      );
    }
    return [{ shape: [classes, classes], dtype }];
  },

  plan([truth, , weights], _outputs, { classes, checked = false }) {
    const count = sizeOf((truth as TensorSpec).shape);
    if (count === 0) return { steps: [] };
    const most = Math.max(1, Math.floor(ROOM / classes ** 2));
    const chunk = Math.max(PART, Math.ceil(count / most));
    const parts = Math.ceil(count / chunk);
    const uniforms = new Uint32Array(WORDS);
    uniforms.set([count, classes, weights ? count / sizeOf(weights.shape) : 1, chunk, parts]);
    const main = {
      pipeline: collect(weights !== undefined),
      buffers: ['in0', 'in1', weights ? 'in2' : 'in0', 'err', parts === 1 ? 'out0' : 'tmp0'] as const,
      uniforms,
      workgroups: grid(Math.ceil(parts / LANES)),
      ...(checked ? {} : { errorWord: OP }),
    };
    if (parts === 1) return { steps: [main] };
    const elements = classes ** 2;
    const step = { uniforms, workgroups: grid(Math.ceil((parts * elements) / 64)) };
    return {
      scratch: [4 * parts * elements],
      steps: [
        { ...step, pipeline: clear, buffers: ['tmp0'] },
        main,
        { ...step, pipeline: finish, buffers: ['tmp0', 'out0'], workgroups: grid(Math.ceil(elements / 64)) },
      ],
    };
  },

  offence([truth, predicted], { classes, checked = false }) {
    if (checked) return undefined;
    const [wanted, given] = [truth, predicted].map((labels) =>
      findOffence(labels as HostTensor, [classes], false),
    );
    return wanted && given && given.position < wanted.position ? given : (wanted ?? given);
  },

  reference([truth, predicted, weights], [out], { classes }) {
    const matrix = (out as HostTensor).data;
    const isClass = (label: number): boolean => label >= 0 && label < classes;
    const { data } = truth as HostTensor;
    const span = weights ? data.length / weights.data.length : 1;
    data.forEach((label, sample) => {
      const given = (predicted as HostTensor).data[sample] as number;
      if (!isClass(label) || !isClass(given)) return;
      const at = label * classes + given;
      const weight = weights ? (weights.data[Math.floor(sample / span)] as number) : 1;
      matrix[at] = (matrix[at] as number) + weight;
    });
  },
};
