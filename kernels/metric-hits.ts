/** Which predictions are right: above a threshold, or among the highest of a row. */
import { isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/metric-hits.wgsl';
import {
  floatBits,
  grid,
  type HostTensor,
  type Kernel,
  pipelineSpec,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

const module = wgslModule('metric-hits', source);
const WORDS = 4;
const thresholdHits = (float: boolean) =>
  pipelineSpec(module, 'thresholdHits', ['read', 'read', 'write'], WORDS, { FLOAT: float ? 1 : 0 });
const topHits = pipelineSpec(module, 'topHits', ['read', 'read', 'write'], WORDS);

function checkPredicted(op: string, { dtype }: TensorSpec): void {
  if (isFloat(dtype)) return;
  throw new DTypeError(`${op}: predictions are floats, not ${dtype}; cast them: cast(yPred, 'float').`);
}

/**
 * predictions and targets of one shape → bool: whether the target is 1 where the prediction is above the threshold, and 0
 * elsewhere. Any other target is missed.
 */
export const thresholdHitsKernel: Kernel<{ readonly threshold: number }> = {
  name: 'thresholdHits',
  variants: ['default'],

  infer(op, inputs) {
    const [predicted, wanted] = inputs as [TensorSpec, TensorSpec];
    checkPredicted(op, predicted);
    if (!sameShape(predicted.shape, wanted.shape)) {
      throw new ShapeError(
        `${op}: yTrue of shape ${formatShape(wanted.shape)} and yPred of shape ${formatShape(predicted.shape)}; both must ` +
          `have one shape, but for a last axis of 1. Reshape one of them.`,
      );
    }
    if (wanted.dtype === 'uint8')
      throw new DTypeError(`${op}: yTrue is packed uint8; cast it first: cast(yTrue, 'int32').`);
    return [{ shape: wanted.shape, dtype: 'bool' }];
  },

  plan(inputs, _outputs, { threshold }) {
    const [predicted, wanted] = inputs as [TensorSpec, TensorSpec];
    const count = sizeOf(predicted.shape);
    return {
      steps: [
        {
          pipeline: thresholdHits(isFloat(wanted.dtype)),
          buffers: ['in0', 'in1', 'out0'],
          uniforms: Uint32Array.of(count, 1, 1, floatBits(threshold)),
          workgroups: grid(Math.ceil(count / 64)),
        },
      ],
    };
  },

  reference(inputs, [out], { threshold }) {
    const [predicted, wanted] = inputs as [HostTensor, HostTensor];
    const hits = (out as HostTensor).data;
    predicted.data.forEach((value, index) => {
      const yes = value > threshold ? 1 : 0;
      hits[index] = wanted.data[index] === yes ? 1 : 0;
    });
  },
};

/**
 * predictions (…, classes) and int32 labels (…) → bool: whether fewer than k classes lie above the label's. A label that
 * is no class is missed, and so is a row with a NaN.
 */
export const topHitsKernel: Kernel<{ readonly k: number }> = {
  name: 'topHits',
  variants: ['default'],

  infer(op, inputs) {
    const [predicted, labels] = inputs as [TensorSpec, TensorSpec];
    checkPredicted(op, predicted);
    if (labels.dtype !== 'int32')
      throw new DTypeError(`${op}: labels are int32, not ${labels.dtype}; cast them: cast(yTrue, 'int32').`);
    if (predicted.shape.length === 0 || !sameShape(labels.shape, predicted.shape.slice(0, -1))) {
      throw new ShapeError(
        `${op}: labels of shape ${formatShape(labels.shape)} and yPred of shape ${formatShape(predicted.shape)}; labels ` +
          `have the shape of yPred without its last axis, the classes.`,
      );
    }
    return [{ shape: labels.shape, dtype: 'bool' }];
  },

  plan(inputs, _outputs, { k }) {
    const [predicted, labels] = inputs as [TensorSpec, TensorSpec];
    const count = sizeOf(labels.shape);
    return {
      steps: [
        {
          pipeline: topHits,
          buffers: ['in0', 'in1', 'out0'],
          uniforms: Uint32Array.of(count, predicted.shape.at(-1) as number, k, 0),
          workgroups: grid(Math.ceil(count / 64)),
        },
      ],
    };
  },

  reference(inputs, [out], { k }) {
    const [predicted, labels] = inputs as [HostTensor, HostTensor];
    const columns = predicted.shape.at(-1) as number;
    labels.data.forEach((label, index) => {
      const row = [...predicted.data.subarray(index * columns, (index + 1) * columns)];
      const own = row[label];
      const hit =
        own !== undefined && !row.some(Number.isNaN) && row.filter((value) => value > own).length < k;
      (out as HostTensor).data[index] = hit ? 1 : 0;
    });
  },
};
