/**
 * Separable resampling: average pooling, nearest and linear interpolation, and their transposes. Each is a sum over taps
 * with a weight for each axis; along an axis, output o has taps and weights among the inputs, which `tapsOf` lists as the
 * definition has it.
 */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/resize.wgsl';
import { floatBits, grid, type Kernel, pipelineSpec, type TensorSpec, wgslModule } from './kernel.ts';
import type { PoolAxis } from './pool-windows.ts';
import { divider } from './strided.ts';

/** Extents of one spatial axis, without a window of its own: `output` places spread evenly over `input`. */
export interface EvenAxis {
  readonly input: number;
  readonly output: number;
}

/** `mean` averages regular windows, `adaptive` windows from ⌊o·input/output⌋ to ⌈(o + 1)·input/output⌉. */
export type ResampleAxes =
  | { readonly kind: 'mean'; readonly axes: readonly PoolAxis[] }
  | { readonly kind: 'adaptive' | 'nearest' | 'linear'; readonly axes: readonly EvenAxis[] };

export type ResampleAttrs = ResampleAxes & {
  /** From outputs to inputs, with the same weights. */
  readonly transposed: boolean;
};

const module = wgslModule('resize', source);
const WORDS = 64;
const KIND_CODE = { mean: 0, adaptive: 0, nearest: 1, linear: 2 };

/** From ⌊max(0, i·scale + low) / divisor⌋ to before min(⌊(i·scale + high) / divisor⌋, extent). */
interface Stretches {
  readonly scale: number;
  readonly low: number;
  readonly high: number;
  readonly divisor: number;
  readonly extent: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** The stretch of inputs of each output along an axis, and the stretch of outputs of each input. */
function stretchesOf(attrs: ResampleAttrs, axis: number): { inputs: Stretches; outputs: Stretches } {
  const { input, output } = attrs.axes[axis] as EvenAxis;
  const both = (
    [scaleIn, lowIn, highIn, divisorIn]: readonly [number, number, number, number],
    [scaleOut, lowOut, highOut, divisorOut]: readonly [number, number, number, number],
  ): { inputs: Stretches; outputs: Stretches } => ({
    inputs: { scale: scaleIn, low: lowIn, high: highIn, divisor: divisorIn, extent: input },
    outputs: { scale: scaleOut, low: lowOut, high: highOut, divisor: divisorOut, extent: output },
  });
  if (attrs.kind === 'mean') {
    const { size, stride, before } = attrs.axes[axis] as PoolAxis;
    return both([stride, -before, size - before, 1], [1, before - size + stride, before + stride, stride]);
  }
  // p / q is input / output in lowest terms. The centre of output o stands at (2o + 1)·p / 2q − 1/2 among the inputs' centres.
  const common = gcd(input, output);
  const p = input / common;
  const q = output / common;
  if (attrs.kind === 'adaptive') return both([p, 0, p + q - 1, q], [q, 0, p + q - 1, p]);
  if (attrs.kind === 'nearest')
    return both([2 * p, p, p + 2 * q, 2 * q], [2 * q, p - 1, p + 2 * q - 1, 2 * p]);
  return both([2 * p, p - q, p + 3 * q - 1, 2 * q], [2 * q, p - q, p + 3 * q - 1, 2 * p]);
}

/** Dividends stay below this in the shader. */
const LARGEST = 2 ** 30;

/** What a linear map's shader needs to place outputs among inputs. */
function positions({ input, output }: EvenAxis): number[] {
  const common = gcd(input, output);
  const unit = (2 * output) / common;
  return [(2 * input) / common, (input - output) / common, unit * (input - 1), unit];
}

const words = ({ scale, low, high, divisor, extent }: Stretches, step: number): number[] => [
  scale,
  low,
  high,
  extent,
  ...divider(2 * divisor),
  step,
];

/** The number of elements that every window has along an axis, or undefined where they differ. */
function evenSize(attrs: ResampleAttrs, axis: number): number | undefined {
  const { input, output } = attrs.axes[axis] as EvenAxis;
  if (attrs.kind === 'adaptive') return input % output === 0 ? input / output : undefined;
  if (attrs.kind !== 'mean') return undefined;
  const { size, stride, before } = attrs.axes[axis] as PoolAxis;
  return before === 0 && (output - 1) * stride + size <= input ? size : undefined;
}

/** The number of elements that every window has. */
const evenVolume = (attrs: ResampleAttrs): number | undefined =>
  attrs.axes.reduce<number | undefined>((volume, _, axis) => {
    const size = evenSize(attrs, axis);
    return volume === undefined || size === undefined ? undefined : volume * size;
  }, 1);

/** Whether nothing has more than one tap along any axis. */
const hasSingleTaps = ({ kind, axes, transposed }: ResampleAttrs): boolean => {
  if (kind === 'mean') return transposed && axes.every(({ size, stride }) => size <= stride);
  if (kind !== 'nearest') return false;
  return !transposed || axes.every(({ input, output }) => output <= input);
};

function uniformsOf(
  attrs: ResampleAttrs,
  shape: readonly number[],
  channels: number,
  count: number,
): Uint32Array {
  const uniforms = new Uint32Array(WORDS);
  uniforms.set([count, channels, ...divider(2 * channels)]);
  const { axes, transposed } = attrs;
  let step = channels;
  for (let axis = axes.length - 1; axis >= 0; axis--) {
    const at = 4 + 20 * (axis + 3 - axes.length);
    const own = axes[axis] as EvenAxis;
    const place = shape[axis + 1] as number;
    const { inputs, outputs } = stretchesOf(attrs, axis);
    uniforms.set([place, ...divider(2 * place)], at);
    uniforms.set(words(transposed ? outputs : inputs, step), at + 4);
    uniforms.set(attrs.kind === 'linear' ? positions(own) : words(inputs, 0), at + 12);
    step *= transposed ? own.output : own.input;
  }
  uniforms[4 + 3] = step;
  uniforms[4 + 2 * 20 + 3] = floatBits(1 / (evenVolume(attrs) ?? 1));
  return uniforms;
}

interface Tap {
  readonly at: number;
  readonly weight: number;
}

/** The taps of each output along an axis. */
function tapsOf(attrs: ResampleAttrs, axis: number): Tap[][] {
  const { input, output } = attrs.axes[axis] as EvenAxis;
  const mean = (low: number, high: number): Tap[] => {
    const from = Math.max(low, 0);
    const size = Math.min(high, input) - from;
    return Array.from({ length: size }, (_, index) => ({ at: from + index, weight: 1 / size }));
  };
  return Array.from({ length: output }, (_, o): Tap[] => {
    if (attrs.kind === 'mean') {
      const { size, stride, before } = attrs.axes[axis] as PoolAxis;
      return mean(o * stride - before, o * stride - before + size);
    }
    if (attrs.kind === 'adaptive')
      return mean(Math.floor((o * input) / output), Math.ceil(((o + 1) * input) / output));
    if (attrs.kind === 'nearest')
      return [{ at: Math.floor(((2 * o + 1) * input) / (2 * output)), weight: 1 }];
    // In units of 1 / (2·output), so that both weights are exact fractions.
    const position = Math.min(Math.max((2 * o + 1) * input - output, 0), 2 * output * (input - 1));
    const at = Math.floor(position / (2 * output));
    const share = (position - at * 2 * output) / (2 * output);
    const first = { at, weight: 1 - share };
    return share === 0 ? [first] : [first, { at: at + 1, weight: share }];
  });
}

const inFours = ({ shape }: TensorSpec): boolean => (shape.at(-1) as number) % 4 === 0;

export const resampleKernel: Kernel<ResampleAttrs> = {
  name: 'resample',
  variants: ['elements', 'fours'],
  supports: (variant, [input]) => variant === 'elements' || inFours(input as TensorSpec),

  infer(op, [input], attrs) {
    const { axes, transposed } = attrs;
    const from = axes.map((axis) => (transposed ? axis.output : axis.input));
    if (
      !input ||
      input.shape.length !== axes.length + 2 ||
      from.some((extent, i) => extent !== input.shape[i + 1])
    ) {
      throw new ShapeError(
        `${op}: shape ${formatShape(input?.shape ?? [])} does not have the spatial extents ${formatShape(from)}; pass the ` +
          'tensor that the geometry was made for.',
      );
    }
    if (!isFloat(input.dtype))
      throw new DTypeError(`${op}: ${input.dtype} cannot be averaged; cast it to float first.`);
    axes.forEach((axis, index) => {
      const { inputs, outputs } = stretchesOf(attrs, index);
      const largest = Math.max(
        axis.output * inputs.scale + inputs.high,
        axis.input * outputs.scale + outputs.high,
      );
      if (largest < LARGEST) return;
      throw new ArgumentError(
        `${op}: from ${axis.input} to ${axis.output} elements, the positions' fractions leave the range of 30 bits. ` +
          'Use extents with a larger common divisor, or resize in two steps.',
      );
    });
    const spatial = axes.map((axis) => (transposed ? axis.input : axis.output));
    return [
      { shape: [input.shape[0] as number, ...spatial, input.shape.at(-1) as number], dtype: input.dtype },
    ];
  },

  plan([input], [output], attrs, _traits, forced) {
    const { shape } = output as TensorSpec;
    const fours = forced ? forced === 'fours' : inFours(input as TensorSpec);
    const channels = (shape.at(-1) as number) / (fours ? 4 : 1);
    const count = sizeOf(shape) / (fours ? 4 : 1);
    const constants = {
      RANK: attrs.axes.length,
      KIND: KIND_CODE[attrs.kind],
      TRANSPOSED: Number(attrs.transposed),
      DIVIDES: Number(attrs.kind !== 'mean' || attrs.transposed),
      EVEN: Number(evenVolume(attrs) !== undefined),
      SINGLE: Number(hasSingleTaps(attrs)),
    };
    const entry = fours ? 'resample4' : 'resample1';
    return {
      steps: [
        {
          pipeline: pipelineSpec(module, entry, ['read', 'write'], WORDS, constants),
          buffers: ['in0', 'out0'],
          uniforms: uniformsOf(attrs, shape, channels, count),
          workgroups: grid(Math.ceil(count / 64)),
        },
      ],
    };
  },

  reference([input], [result], attrs) {
    if (!input || !result) return;
    const { axes, transposed } = attrs;
    const alone: Tap[][] = [[{ at: 0, weight: 1 }]];
    const [depth, height, width] = [alone, alone, ...axes.map((_, axis) => tapsOf(attrs, axis))].slice(
      -3,
    ) as [Tap[][], Tap[][], Tap[][]];
    const [, inHeight, inWidth] = [1, 1, ...axes.map((axis) => axis.input)].slice(-3) as [
      number,
      number,
      number,
    ];
    const batch = input.shape[0] as number;
    const channels = input.shape.at(-1) as number;
    const inImage = sizeOf(axes.map((axis) => axis.input));
    result.data.fill(0);
    const move = (output: number, from: number, weight: number): void => {
      for (let c = 0; c < channels; c++) {
        const [to, what] = transposed
          ? [from * channels + c, output * channels + c]
          : [output * channels + c, from * channels + c];
        result.data[to] = (result.data[to] as number) + weight * (input.data[what] as number);
      }
    };
    let output = 0;
    for (let n = 0; n < batch; n++)
      for (const planes of depth)
        for (const rows of height)
          for (const places of width) {
            for (const d of planes)
              for (const h of rows)
                for (const w of places) {
                  const from = n * inImage + (d.at * inHeight + h.at) * inWidth + w.at;
                  move(output, from, d.weight * h.weight * w.weight);
                }
            output++;
          }
  },
};
