/** Connectionist temporal classification, after Graves et al. (2006): the loss of each sample, and its gradient. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape } from '../src/core/shape.ts';
import source from '../wgsl/ctc.wgsl';
import { findOffence } from './indexing.ts';
import {
  type DeviceTraits,
  grid,
  type HostTensor,
  type Kernel,
  type Offence,
  pipelineSpec,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

export interface CtcAttrs {
  readonly blank: number;
  /** Where no alignment exists the loss is 0 instead of infinite. */
  readonly forgive: boolean;
}

const module = wgslModule('ctc', source);
const WORDS = 8;
/** The uniform word of the op's number in the error record. */
const OP = 5;

interface Sizes {
  readonly batch: number;
  readonly steps: number;
  readonly classes: number;
  readonly width: number;
  /** Path symbols: the labels with a blank before, between and behind them. */
  readonly symbols: number;
}

function sizesOf(op: string, inputs: readonly (TensorSpec | undefined)[], { blank }: CtcAttrs): Sizes {
  const [lp, labels, lengths] = inputs;
  if (!lp || !labels || !lengths) throw new ArgumentError(`${op}: log-probabilities, labels and lengths.`);
  if (!isFloat(lp.dtype))
    throw new DTypeError(`${op}: the logits are ${lp.dtype}; cast them to float first.`);
  for (const { dtype } of [labels, lengths]) {
    if (dtype !== 'int32')
      throw new DTypeError(`${op}: labels and lengths are int32, got ${dtype}; cast them: cast(x, 'int32').`);
  }
  const [batch, steps, classes] = lp.shape;
  const width = labels.shape[1];
  if (batch === undefined || steps === undefined || classes === undefined || lp.shape.length !== 3) {
    throw new ShapeError(
      `${op}: logits of shape ${formatShape(lp.shape)}; they must be (batch, time, classes).`,
    );
  }
  if (width === undefined || labels.shape.length !== 2 || labels.shape[0] !== batch) {
    throw new ShapeError(
      `${op}: labels of shape ${formatShape(labels.shape)} for logits of shape ${formatShape(lp.shape)}; pass ` +
        `(${batch}, longest label), filled up with the blank.`,
    );
  }
  if (!sameShape(lengths.shape, [2, batch])) {
    throw new ShapeError(
      `${op}: lengths of shape ${formatShape(lengths.shape)}; they must be (2, ${batch}).`,
    );
  }
  if (steps === 0 || classes === 0) {
    throw new ShapeError(`${op}: logits of shape ${formatShape(lp.shape)} have no time steps or no classes.`);
  }
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes) {
    throw new ArgumentError(`${op}: blank ${blank} is none of the ${classes} classes, 0 to ${classes - 1}.`);
  }
  return { batch, steps, classes, width, symbols: 2 * width + 1 };
}

const uniformsOf = ({ batch, steps, classes, width }: Sizes, { blank, forgive }: CtcAttrs): Uint32Array =>
  Uint32Array.of(batch, steps, classes, width, blank, 0, Number(forgive), 0);

/** Software pays for barriers by the lane, so it gets as few lanes as run side by side. */
const workgroupOf = ({ software }: DeviceTraits): number => (software ? 8 : 64);

/** ln Σ eˣ; −∞ for nothing but −∞. */
function logSum(...terms: number[]): number {
  const largest = Math.max(...terms);
  if (largest === -Infinity) return largest;
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}

/** One sample as the textbook has it. */
interface Sample {
  readonly steps: number;
  /** l′: blank, l₁, blank, …, lₙ, blank. */
  readonly symbols: readonly number[];
  /** ln y of a class at a step. */
  readonly y: (t: number, label: number) => number;
  /** Whether a path may go from symbol k − 2 straight to k: both are labels, and different ones. */
  readonly leaps: (k: number) => boolean;
  readonly valid: boolean;
}

function sampleOf(
  b: number,
  [lp, labels, lengths]: readonly HostTensor[],
  { batch, steps, classes, width }: Sizes,
  blank: number,
): Sample {
  const T = lengths?.data[b] as number;
  const n = lengths?.data[batch + b] as number;
  const own = labels?.data.slice(b * width, b * width + Math.min(Math.max(n, 0), width)) as Int32Array;
  const symbols = [blank, ...[...own].flatMap((label) => [label, blank])];
  return {
    steps: Math.min(Math.max(T, 0), steps),
    symbols,
    y: (t, label) => lp?.data[(b * steps + t) * classes + label] as number,
    leaps: (k) => k % 2 === 1 && k >= 3 && symbols[k] !== symbols[k - 2],
    valid: T >= 0 && T <= steps && n >= 0 && n <= width && own.every((c) => c >= 0 && c < classes),
  };
}

/** log-probabilities (batch, time, classes), labels (batch, width), lengths (2, batch) → losses (batch), alpha. */
export const ctcKernel: Kernel<CtcAttrs> = {
  name: 'ctc',
  variants: ['default'],

  infer(op, inputs, attrs) {
    const { batch, steps, symbols } = sizesOf(op, inputs, attrs);
    const { dtype } = inputs[0] as TensorSpec;
    return [
      { shape: [batch], dtype },
      { shape: [batch, steps, symbols], dtype },
    ];
  },

  plan(inputs, _outputs, attrs, traits) {
    const sizes = sizesOf('ctc', inputs, attrs);
    return {
      steps: [
        {
          pipeline: pipelineSpec(module, 'ctc', ['read', 'read', 'read', 'write', 'write', 'write'], WORDS, {
            WORKGROUP: workgroupOf(traits),
          }),
          buffers: ['in0', 'in1', 'in2', 'err', 'out1', 'out0'],
          uniforms: uniformsOf(sizes, attrs),
          workgroups: grid(sizes.batch),
          errorWord: OP,
        },
      ],
    };
  },

  offence(inputs, attrs): Offence | undefined {
    const { batch, steps, classes, width } = sizesOf('ctc', inputs, attrs);
    const [, labels, lengths] = inputs;
    for (let b = 0; b < batch; b++) {
      for (const [at, limit] of [
        [b, steps + 1],
        [batch + b, width + 1],
      ] as const) {
        const value = lengths?.data[at] as number;
        if (value < 0 || value >= limit) return { position: b, value, lowest: 0, limit };
      }
      const n = lengths?.data[batch + b] as number;
      const data = (labels as HostTensor).data.slice(b * width, b * width + n);
      const found = findOffence({ shape: [n], dtype: 'int32', data }, [classes], false);
      if (found) return { ...found, position: b * width + found.position };
    }
    return undefined;
  },

  reference(inputs, [losses, alphas], attrs) {
    if (!losses || !alphas) return;
    const sizes = sizesOf('ctc', inputs, attrs);
    alphas.data.fill(-Infinity);
    for (let b = 0; b < sizes.batch; b++) {
      const { steps, symbols, y, leaps, valid } = sampleOf(b, inputs, sizes, attrs.blank);
      const last = symbols.length - 1;
      const at = (t: number, k: number): number => (b * sizes.steps + t) * sizes.symbols + k;
      const alpha = (t: number, k: number): number => (k < 0 ? -Infinity : (alphas.data[at(t, k)] as number));
      for (let t = 0; t < steps; t++) {
        symbols.forEach((label, k) => {
          const before =
            t === 0
              ? k < 2
                ? 0
                : -Infinity
              : logSum(alpha(t - 1, k), alpha(t - 1, k - 1), leaps(k) ? alpha(t - 1, k - 2) : -Infinity);
          alphas.data[at(t, k)] = before + (label >= 0 && label < sizes.classes ? y(t, label) : Number.NaN);
        });
      }
      const end =
        steps === 0
          ? last === 0
            ? 0
            : -Infinity
          : logSum(alpha(steps - 1, last), alpha(steps - 1, last - 1));
      losses.data[b] = !valid ? Number.NaN : attrs.forgive && end === -Infinity ? 0 : -end;
    }
  },
};

/** The inputs of `ctc`, its outputs alpha and losses, and g → the gradient with respect to the log-probabilities. */
export const ctcGradientKernel: Kernel<CtcAttrs> = {
  name: 'ctcGradient',
  variants: ['default'],

  infer(op, inputs, attrs) {
    sizesOf(op, inputs, attrs);
    const { shape, dtype } = inputs[0] as TensorSpec;
    return [{ shape, dtype }];
  },

  plan(inputs, _outputs, attrs, traits) {
    const sizes = sizesOf('ctcGradient', inputs, attrs);
    return {
      steps: [
        {
          pipeline: pipelineSpec(
            module,
            'ctcGradient',
            ['read', 'read', 'read', 'read', 'read', 'read', 'write', 'write'],
            WORDS,
            { WORKGROUP: workgroupOf(traits) },
          ),
          buffers: ['in0', 'in1', 'in2', 'in3', 'in4', 'in5', 'tmp0', 'out0'],
          uniforms: uniformsOf(sizes, attrs),
          workgroups: grid(sizes.batch),
        },
      ],
      scratch: [4 * sizes.batch * (4 * sizes.symbols + sizes.width)],
    };
  },

  reference(inputs, [gradient], attrs) {
    const [, , , alphas, losses, g] = inputs;
    if (!alphas || !losses || !g || !gradient) return;
    const sizes = sizesOf('ctcGradient', inputs, attrs);
    gradient.data.fill(0);
    for (let b = 0; b < sizes.batch; b++) {
      const { steps, symbols, y, leaps, valid } = sampleOf(b, inputs, sizes, attrs.blank);
      const last = symbols.length - 1;
      const loss = losses.data[b] as number;
      const own = g.data[b] as number;
      const scale = own === 0 || (valid && loss < Infinity) ? -own : Number.NaN;
      const row = (t: number): number => (b * sizes.steps + t) * sizes.classes;
      let beta: number[] = [];
      for (let t = steps - 1; t >= 0; t--) {
        const later = beta;
        // What paths from symbol k on cost behind this step.
        const via = (k: number): number =>
          k > last ? -Infinity : (later[k] as number) + y(t + 1, symbols[k] as number);
        beta = symbols.map((_, k) => {
          if (t === steps - 1) return k >= last - 1 ? 0 : -Infinity;
          return logSum(via(k), via(k + 1), leaps(k + 2) ? via(k + 2) : -Infinity);
        });
        if (Number.isNaN(scale)) gradient.data.fill(scale, row(t), row(t) + sizes.classes);
        else if (scale !== 0) {
          symbols.forEach((label, k) => {
            const alpha = alphas.data[(b * sizes.steps + t) * sizes.symbols + k] as number;
            const share = Math.exp(alpha + (beta[k] as number) + loss);
            (gradient.data[row(t) + label] as number) += scale * share;
          });
        }
      }
    }
  },
};
