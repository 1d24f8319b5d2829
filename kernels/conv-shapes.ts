/** What the three kernels of convolution share: attributes, checks, and the one place that says which input a tap meets. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape } from '../src/core/shape.ts';
import type { HostTensor, TensorSpec } from './kernel.ts';
import type { MatmulActivation } from './matmul.ts';

/** One number for each spatial axis: depth, height, width. */
export type Triple = readonly [number, number, number];

/** How a filter moves over its input. */
export interface ConvGeometry {
  readonly strides: Triple;
  /** Distance of neighbouring taps, in input elements. */
  readonly dilation: Triple;
  /** Zero padding ahead of each spatial axis, in input elements; it may exceed the kernel. */
  readonly before: Triple;
  readonly groups: number;
}

/** Extents of both sides: x is (batch, …input, channels), y is (batch, …output, filters). */
export interface ConvSizes {
  readonly batch: number;
  readonly input: Triple;
  readonly output: Triple;
  readonly kernel: Triple;
  readonly channels: number;
  readonly filters: number;
}

/** In the order of their numbers in WGSL. */
export const ACTIVATIONS: readonly MatmulActivation[] = ['linear', 'relu', 'sigmoid', 'tanh'];

const AXES = ['depth', 'height', 'width'] as const;

/** The three spatial extents of a tensor (batch, depth, height, width, channels). */
export const spatial = ({ shape: [, depth = 1, height = 1, width = 1] }: TensorSpec): Triple => [
  depth,
  height,
  width,
];

/** The three spatial extents of a filter (depth, height, width, channels / groups, filters). */
export const filterExtents = ({ shape: [depth = 1, height = 1, width = 1] }: TensorSpec): Triple => [
  depth,
  height,
  width,
];

/** The last extent. */
export const lastOf = ({ shape }: TensorSpec): number => shape[shape.length - 1] as number;

/** Whole numbers of at least `least`, one for each axis. */
function checkTriple(op: string, name: string, triple: Triple, least: number): void {
  triple.forEach((value, axis) => {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new ArgumentError(
        `${op}: ${name} along ${AXES[axis]} must be a whole number of at least ${least}, got ${value}.`,
      );
    }
  });
}

/** Checks the number, ranks and dtypes of the inputs, and the attributes. */
export function checkConv(
  op: string,
  inputs: readonly TensorSpec[],
  names: readonly string[],
  { strides, dilation, before, groups }: ConvGeometry,
  extents: Triple,
): void {
  if (inputs.length !== names.length) {
    throw new ArgumentError(`${op}: takes ${names.join(', ')}; got ${inputs.length} tensors.`);
  }
  inputs.forEach(({ shape, dtype }, index) => {
    const rank = names[index] === 'bias' ? 1 : 5;
    if (shape.length !== rank) {
      throw new ShapeError(`${op}: ${names[index]} must have ${rank} axes, got shape ${formatShape(shape)}.`);
    }
    if (!isFloat(dtype) || dtype !== inputs[0]?.dtype) {
      const dtypes = inputs.map((input) => input.dtype).join(', ');
      throw new DTypeError(
        `${op}: takes floats of one dtype, got ${dtypes}; cast first: cast(x, 'float32').`,
      );
    }
  });
  checkTriple(op, 'the stride', strides, 1);
  checkTriple(op, 'the dilation', dilation, 1);
  checkTriple(op, 'the padding', before, 0);
  checkTriple(op, 'the extent', extents, 0);
  checkTriple(op, 'groups', [groups, groups, groups], 1);
}

/** Checks that channels, filters and groups fit together and that the filter has an extent along each axis. */
export function checkChannels(
  op: string,
  channels: number,
  filters: number,
  groups: number,
  filter: readonly number[],
): void {
  checkTriple(op, 'the kernel', filter.slice(0, 3) as unknown as Triple, 1);
  if (channels % groups !== 0 || filters % groups !== 0) {
    throw new ShapeError(
      `${op}: ${channels} input and ${filters} output channels cannot be cut into ${groups} groups; ` +
        'both must be multiples of groups.',
    );
  }
  if (filter[3] !== channels / groups || filter[4] !== filters) {
    throw new ShapeError(
      `${op}: the filter has shape ${formatShape(filter)}, but ${channels} input and ${filters} output channels in ` +
        `${groups} group${groups === 1 ? '' : 's'} need (…, ${channels / groups}, ${filters}).`,
    );
  }
}

/** A bias has one number for each of `count` channels. */
export function checkBias(op: string, bias: TensorSpec | undefined, count: number): void {
  if (bias && bias.shape[0] !== count) {
    throw new ShapeError(
      `${op}: the bias has shape ${formatShape(bias.shape)}, the result has ${count} channels; it must be (${count},).`,
    );
  }
}

/**
 * Calls `visit` with the addresses of x, w and y for each product of a convolution, at `input = output · stride − before +
 * tap · dilation`. What a tap meets in the padding is left out.
 */
export function forEachProduct(
  { batch, input, output, kernel, channels, filters }: ConvSizes,
  { strides, dilation, before, groups }: ConvGeometry,
  visit: (atX: number, atW: number, atY: number) => void,
): void {
  const [depth, height, width] = input;
  const channelGroup = channels / groups;
  const filterGroup = filters / groups;
  const meets = (axis: 0 | 1 | 2, place: number, tap: number): number =>
    place * strides[axis] - before[axis] + tap * dilation[axis];
  let atY = 0;
  for (let n = 0; n < batch; n++)
    for (let oz = 0; oz < output[0]; oz++)
      for (let oy = 0; oy < output[1]; oy++)
        for (let ox = 0; ox < output[2]; ox++, atY += filters)
          for (let tz = 0, tap = 0; tz < kernel[0]; tz++)
            for (let ty = 0; ty < kernel[1]; ty++)
              for (let tx = 0; tx < kernel[2]; tx++, tap++) {
                const [z, y, x] = [meets(0, oz, tz), meets(1, oy, ty), meets(2, ox, tx)];
                if (z < 0 || z >= depth || y < 0 || y >= height || x < 0 || x >= width) continue;
                const atX = (((n * depth + z) * height + y) * width + x) * channels;
                for (let c = 0; c < channels; c++) {
                  const first = Math.floor(c / channelGroup) * filterGroup;
                  const atW = (tap * channelGroup + (c % channelGroup)) * filters;
                  for (let f = first; f < first + filterGroup; f++) visit(atX + c, atW + f, atY + f);
                }
              }
}

/** Adds the bias to each channel and applies the activation, in place. */
export function finishReference(
  out: HostTensor,
  bias: HostTensor | undefined,
  activation: MatmulActivation,
): void {
  const channels = lastOf(out);
  const activate = ACTIVATE[activation];
  for (let i = 0; i < out.data.length; i++) {
    const sum = (out.data[i] as number) + (bias ? (bias.data[i % channels] as number) : 0);
    out.data[i] = activate(sum);
  }
}

const ACTIVATE: Record<MatmulActivation, (v: number) => number> = {
  linear: (v) => v,
  relu: (v) => Math.max(v, 0),
  sigmoid: (v) => 1 / (1 + Math.exp(-v)),
  tanh: Math.tanh,
};
