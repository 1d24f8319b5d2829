/** Cross-entropy from logits along one axis, and its gradient with respect to the logits. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/cross-entropy.wgsl';
import { findOffence } from './indexing.ts';
import {
  floatBits,
  grid,
  type HostTensor,
  type Kernel,
  pipelineSpec,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

/** Which classes have weights: the one that an int32 label names, or each of them by a float target. */
export interface CrossEntropyAttrs {
  /** Normalised. */
  readonly axis: number;
  readonly from: 'labels' | 'targets';
  /** Targets t become t·(1 − smoothing) + smoothing / classes. */
  readonly smoothing?: number;
  /** Labels of this number cost nothing and get no gradient. */
  readonly ignored?: number | undefined;
  /** The labels were checked before: what is out of range is not reported once more. */
  readonly checked?: boolean;
}

const module = wgslModule('cross-entropy', source);
const WORDS = 12;
/** The uniform word of the op's number in the error record. */
const OP = 3;
const ENTRY = { lane: 'crossEntropyLane', group: 'crossEntropyGroup' };
type Variant = keyof typeof ENTRY;
/** Elements of one invocation of the gradient. */
const CHUNK = 16;

/** The logits as (outer, length, inner) around the axis of the classes. */
const around = (shape: Shape, axis: number): { outer: number; length: number; inner: number } => ({
  outer: sizeOf(shape.slice(0, axis)),
  length: shape[axis] as number,
  inner: sizeOf(shape.slice(axis + 1)),
});

const columnsOf = (shape: Shape, axis: number): number[] => shape.filter((_, at) => at !== axis);

/** Refuses logits, or probabilities, and labels or targets that do not go together. */
export function checkClasses(
  op: string,
  x: TensorSpec,
  wanted: TensorSpec,
  { axis, from }: CrossEntropyAttrs,
): void {
  if (!isFloat(x.dtype)) {
    throw new DTypeError(`${op}: the predictions are ${x.dtype}; cast them first: cast(yPred, 'float').`);
  }
  if (from === 'labels') {
    if (wanted.dtype !== 'int32') {
      throw new DTypeError(
        `${op}: the labels are ${wanted.dtype}; cast them: cast(yTrue, 'int32'), or use categoricalCrossentropy for ` +
          `one-hot targets.`,
      );
    }
    const columns = columnsOf(x.shape, axis);
    if (!sameShape(wanted.shape, columns)) {
      throw new ShapeError(
        `${op}: labels of shape ${formatShape(wanted.shape)} for predictions of shape ${formatShape(x.shape)}, whose axis ` +
          `${axis} holds the classes; pass labels of shape ${formatShape(columns)}, or use categoricalCrossentropy for ` +
          `one-hot targets.`,
      );
    }
  } else {
    if (wanted.dtype !== x.dtype) {
      throw new DTypeError(
        `${op}: the targets are ${wanted.dtype}; pass floats, or use sparseCategoricalCrossentropy for integer labels.`,
      );
    }
    if (!sameShape(wanted.shape, x.shape)) {
      throw new ShapeError(
        `${op}: targets of shape ${formatShape(wanted.shape)} for predictions of shape ${formatShape(x.shape)}; both must ` +
          `be equal. Use sparseCategoricalCrossentropy for integer labels.`,
      );
    }
  }
  if (x.shape[axis] === 0 && sizeOf(columnsOf(x.shape, axis)) > 0) {
    throw new ArgumentError(`${op}: axis ${axis} of ${formatShape(x.shape)} is empty; there are no classes.`);
  }
}

/** The uniforms that both kernels share. */
function uniformsOf(count: number, shape: Shape, attrs: CrossEntropyAttrs): Uint32Array {
  const { outer, length, inner } = around(shape, attrs.axis);
  const { smoothing = 0, ignored } = attrs;
  return Uint32Array.of(
    count,
    length,
    inner,
    0,
    outer * inner,
    Math.ceil(length / CHUNK),
    ignored === undefined ? 0 : 1,
    ignored ?? 0,
    floatBits(1 - smoothing),
    floatBits(smoothing / length),
    0,
    0,
  );
}

/** Calls `visit` with the classes' places in each column and with their weights; NaN for a label out of range. */
function forEachColumn(
  x: HostTensor,
  wanted: HostTensor,
  { axis, from, smoothing = 0, ignored }: CrossEntropyAttrs,
  visit: (column: number, places: readonly number[], weights: readonly number[], skip: boolean) => void,
): void {
  const { outer, length, inner } = around(x.shape, axis);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const column = o * inner + i;
      const places = Array.from({ length }, (_, r) => (o * length + r) * inner + i);
      const label = wanted.data[column] as number;
      const valid = label >= 0 && label < length;
      const weights = places.map((place, r) => {
        if (from === 'targets') return (wanted.data[place] as number) * (1 - smoothing) + smoothing / length;
        return valid ? Number(r === label) : Number.NaN;
      });
      visit(column, places, weights, from === 'labels' && label === ignored);
    }
  }
}

/** logits, labels or targets → the loss of each column, and (2, …columns): the maximum, and Σ y / Σ exp(x − maximum). */
export const crossEntropyKernel: Kernel<CrossEntropyAttrs> = {
  name: 'crossEntropy',
  variants: ['lane', 'group'],

  infer(op, [x, wanted], attrs) {
    if (!x || !wanted) throw new ArgumentError(`${op}: logits and labels or targets expected.`);
    checkClasses(op, x, wanted, attrs);
    const columns = columnsOf(x.shape, attrs.axis);
    // One flat pair, since a ninth axis would be one too many.
    return [
      { shape: columns, dtype: x.dtype },
      { shape: [2, sizeOf(columns)], dtype: x.dtype },
    ];
  },

  plan([x], _outputs, attrs, traits, variant) {
    const { shape } = x as TensorSpec;
    const { outer, length, inner } = around(shape, attrs.axis);
    const count = outer * inner;
    const group = traits.software
      ? length >= 32 && count < 16
      : length >= 64 && (inner === 1 || count < 1024);
    const chosen = (variant as Variant | undefined) ?? (group ? 'group' : 'lane');
    const workgroup = traits.software ? (chosen === 'group' ? 8 : 16) : 64;
    const dense = attrs.from === 'targets';
    const step: Step = {
      pipeline: pipelineSpec(module, ENTRY[chosen], ['read', 'read', 'write', 'write', 'write'], WORDS, {
        DENSE: Number(dense),
        WORKGROUP: workgroup,
      }),
      buffers: ['in0', 'in1', 'err', 'out0', 'out1'],
      uniforms: uniformsOf(count, shape, attrs),
      workgroups: grid(chosen === 'group' ? count : Math.ceil(count / workgroup)),
    };
    return { steps: [dense || attrs.checked ? step : { ...step, errorWord: OP }] };
  },

  offence([x, labels], { axis, from, ignored, checked }) {
    if (!x || !labels || from === 'targets' || checked) return undefined;
    const data = Int32Array.from(labels.data, (label) => (label === ignored ? 0 : label));
    return findOffence({ ...labels, data }, [x.shape[axis] as number], false);
  },

  reference([x, wanted], [loss, stats], attrs) {
    if (!x || !wanted || !loss || !stats) return;
    forEachColumn(x, wanted, attrs, (column, places, weights, skip) => {
      const logits = places.map((place) => x.data[place] as number);
      const largest = Math.max(...logits);
      let sum = 0;
      for (const logit of logits) sum += Math.exp(logit - largest); // NaN where the maximum is infinite
      let cost = 0;
      let total = 0;
      weights.forEach((weight, r) => {
        if (weight !== 0) cost += weight * (largest - (logits[r] as number) + Math.log(sum));
        total += weight;
      });
      const undefinedSum = Number.isNaN(sum);
      loss.data[column] = skip ? 0 : undefinedSum ? Number.NaN : cost;
      stats.data[column] = largest;
      stats.data[loss.data.length + column] = skip ? 0 : total / sum;
    });
  },
};

/** logits, labels or targets, the second output of `crossEntropy`, g → g · (exp(x − maximum) · stats[1] − y), 0 for g = 0. */
export const crossEntropyGradientKernel: Kernel<CrossEntropyAttrs> = {
  name: 'crossEntropyGradient',
  variants: ['default'],

  infer(op, [x, wanted, stats, g], attrs) {
    if (!x || !wanted || !stats || !g) throw new ArgumentError(`${op}: logits, labels, numbers, gradient.`);
    checkClasses(op, x, wanted, attrs);
    return [{ shape: x.shape, dtype: x.dtype }];
  },

  plan([x], _outputs, attrs, traits) {
    const { shape } = x as TensorSpec;
    const { outer, length, inner } = around(shape, attrs.axis);
    const count = outer * inner * Math.ceil(length / CHUNK);
    const workgroup = traits.software ? 16 : 64;
    return {
      steps: [
        {
          pipeline: pipelineSpec(
            module,
            'crossEntropyGradient',
            ['read', 'read', 'read', 'read', 'write'],
            WORDS,
            { DENSE: Number(attrs.from === 'targets'), WORKGROUP: workgroup },
          ),
          buffers: ['in0', 'in1', 'in2', 'in3', 'out0'],
          uniforms: uniformsOf(count, shape, attrs),
          workgroups: grid(Math.ceil(count / workgroup)),
        },
      ],
    };
  },

  reference([x, wanted, stats, g], [dx], attrs) {
    if (!x || !wanted || !stats || !g || !dx) return;
    const columns = g.data.length;
    forEachColumn(x, wanted, attrs, (column, places, weights, skip) => {
      const largest = stats.data[column] as number;
      const share = stats.data[columns + column] as number;
      places.forEach((place, r) => {
        const p = Math.exp((x.data[place] as number) - largest) * share;
        const own = g.data[column] as number;
        dx.data[place] = skip || own === 0 ? 0 : own * (p - (weights[r] as number));
      });
    });
  },
};
