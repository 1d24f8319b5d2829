/** Max pooling, and the two linear maps of its gradient: to where the maxima stood, and from there. */
import { sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/pool.wgsl';
import {
  type Access,
  grid,
  type HostTensor,
  type Kernel,
  type PipelineSpec,
  type Plan,
  pipelineSpec,
  type Slot,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';
import {
  checkSide,
  checkWinners,
  extentsOn,
  forEachTap,
  type PoolAttrs,
  type PoolAxis,
  shapeOn,
  threeAxes,
  winnerType,
} from './pool-windows.ts';
import { divider } from './strided.ts';

export interface MaxPoolAttrs extends PoolAttrs {
  /** Whether to tell where the maxima stand, too. */
  readonly winners: boolean;
}

const module = wgslModule('pool', source);
const WORDS = 8 + 3 * 12;

/** How far neighbours along depth, height and width lie apart, and images, counted in groups of `per` channels. */
function stepsOf(extents: readonly number[], channels: number): { steps: number[]; image: number } {
  const [depth, height, width] = extents as [number, number, number];
  return {
    steps: [height * width * channels, width * channels, channels],
    image: depth * height * width * channels,
  };
}

interface Dispatch {
  readonly entry: string;
  readonly access: readonly Access[];
  readonly buffers: readonly Slot[];
  readonly axes: readonly PoolAxis[];
  /** Extents that invocations walk, depth to width, and those of the other side. */
  readonly own: readonly number[];
  readonly other: readonly number[];
  readonly batch: number;
  /** Channels, or groups of four of them. */
  readonly channels: number;
  /** Elements that one invocation owns, in the units of `channels`. */
  readonly each: number;
  /** The extents of dx, where invocations walk cells. */
  readonly cells?: readonly number[];
}

function pipelineOf({ entry, access, axes }: Dispatch): PipelineSpec {
  const constants = { RANK: axes.length, BYTES: Number(winnerType(axes) === 'uint8') };
  return pipelineSpec(module, entry, access, WORDS, constants);
}

function planOf(dispatch: Dispatch): Plan {
  const { own, other, batch, channels, each, cells, buffers } = dispatch;
  const axes = threeAxes(dispatch.axes);
  const count = batch * sizeOf(own) * channels;
  const { steps, image } = stepsOf(other, channels);
  const inner = cells && stepsOf(cells, channels);
  const uniforms = new Uint32Array(WORDS);
  uniforms.set([count, channels, ...divider(2 * channels), image, inner?.image ?? 0]);
  axes.forEach(({ size, stride, before }, axis) => {
    const extent = own[axis] as number;
    uniforms.set(
      [
        ...[extent, ...divider(2 * extent), other[axis] as number],
        ...[size, stride, before, steps[axis] as number],
        ...[...divider(2 * stride), inner?.steps[axis] ?? 0, cells?.[axis] ?? 0],
      ],
      8 + 12 * axis,
    );
  });
  const workgroups = grid(Math.ceil(count / each / 64));
  return { steps: [{ pipeline: pipelineOf(dispatch), buffers, uniforms, workgroups }] };
}

const inFours = ({ shape }: TensorSpec): boolean => (shape.at(-1) as number) % 4 === 0;

/** y and, if wanted, the winners: places in the window in row-major order, the first of equals, the first NaN. */
export const maxPoolKernel: Kernel<MaxPoolAttrs> = {
  name: 'maxPool',
  variants: ['elements', 'fours'],
  supports: (variant, [x]) => variant === 'elements' || inFours(x as TensorSpec),

  infer(op, [input], { axes, winners }) {
    const x = checkSide(op, input, 'input', axes);
    const shape = shapeOn('output', x, axes);
    const y: TensorSpec = { shape, dtype: x.dtype };
    return winners ? [y, { shape, dtype: winnerType(axes) }] : [y];
  },

  plan([input], _outputs, { axes, winners }, _traits, forced) {
    const { shape } = input as TensorSpec;
    const fours = forced ? forced === 'fours' : inFours(input as TensorSpec);
    return planOf({
      entry: (winners ? 'maxPool' : 'largest') + (fours ? 4 : 1),
      access: winners ? ['read', 'write', 'write'] : ['read', 'write'],
      buffers: winners ? ['in0', 'out0', 'out1'] : ['in0', 'out0'],
      axes,
      own: extentsOn('output', axes),
      other: extentsOn('input', axes),
      batch: shape[0] as number,
      channels: (shape.at(-1) as number) / (fours ? 4 : 1),
      each: fours ? 1 : 4,
    });
  },

  reference([x], [y, winners], { axes }) {
    if (!x || !y) return;
    const seen = new Uint8Array(y.data.length);
    forEachTap(x.shape[0] as number, axes, x.shape.at(-1) as number, (window, tap, element) => {
      const value = x.data[element] as number;
      const best = y.data[window] as number;
      if (seen[window] && (Number.isNaN(best) || !(value > best || Number.isNaN(value)))) return;
      seen[window] = 1;
      y.data[window] = value;
      if (winners) winners.data[window] = tap;
    });
  },
};

/** Whether no element belongs to two windows. */
const apart = (axes: readonly PoolAxis[]): boolean => axes.every(({ size, stride }) => size <= stride);

const cellExtents = (axes: readonly PoolAxis[]): number[] =>
  threeAxes(axes).map(({ input, before, stride }) => Math.ceil((input + before) / stride));

/**
 * Whether windows apart are worth a walk through their cells: an invocation writes its whole cell, and large cells leave
 * too few invocations for hardware.
 */
function prefersCells(
  axes: readonly PoolAxis[],
  batch: number,
  channels: number,
  software: boolean,
): boolean {
  if (!apart(axes)) return false;
  const volume = axes.reduce((product, { stride }) => product * stride, 1);
  return volume <= 64 || (software && batch * channels * sizeOf(cellExtents(axes)) >= 256);
}

/** dx from g and the winners: each element gets the gradients of the windows that it won. */
export const unpoolKernel: Kernel<PoolAttrs> = {
  name: 'unpool',
  variants: ['elements', 'fours', 'cells', 'cellsOfFours'],

  supports(variant, [g], { axes }) {
    const fours = variant === 'elements' || variant === 'cells' || inFours(g as TensorSpec);
    return fours && (variant === 'elements' || variant === 'fours' || apart(axes));
  },

  infer(op, [input, winners], { axes }) {
    const g = checkSide(op, input, 'output', axes);
    checkWinners(op, winners, g.shape, axes);
    return [{ shape: shapeOn('input', g, axes), dtype: g.dtype }];
  },

  plan([input], _outputs, { axes }, traits, forced) {
    const { shape } = input as TensorSpec;
    const fours = forced ? forced === 'fours' || forced === 'cellsOfFours' : inFours(input as TensorSpec);
    const batch = shape[0] as number;
    const channels = (shape.at(-1) as number) / (fours ? 4 : 1);
    const cells = forced ? forced.startsWith('cells') : prefersCells(axes, batch, channels, traits.software);
    const image = extentsOn('input', axes);
    return planOf({
      entry: `unpool${cells ? 'Cells' : ''}${fours ? 4 : 1}`,
      access: ['read', 'read', 'write'],
      buffers: ['in0', 'in1', 'out0'],
      axes,
      own: cells ? cellExtents(axes) : image,
      other: extentsOn('output', axes),
      batch,
      channels,
      each: 1,
      ...(cells ? { cells: image } : {}),
    });
  },

  reference(inputs, [dx], { axes }) {
    const [g, winners] = inputs as [HostTensor, HostTensor];
    if (!dx) return;
    dx.data.fill(0);
    forEachTap(g.shape[0] as number, axes, g.shape.at(-1) as number, (window, tap, element) => {
      if (winners.data[window] === tap)
        dx.data[element] = (dx.data[element] as number) + (g.data[window] as number);
    });
  },
};

/** y from x and the winners of another pooling with the same geometry. */
export const pickKernel: Kernel<PoolAttrs> = {
  name: 'pick',
  variants: ['default'],

  infer(op, [input, winners], { axes }) {
    const x = checkSide(op, input, 'input', axes);
    const shape = shapeOn('output', x, axes);
    checkWinners(op, winners, shape, axes);
    return [{ shape, dtype: x.dtype }];
  },

  plan([input], _outputs, { axes }) {
    const { shape } = input as TensorSpec;
    return planOf({
      entry: 'pick',
      access: ['read', 'read', 'write'],
      buffers: ['in0', 'in1', 'out0'],
      axes,
      own: extentsOn('output', axes),
      other: extentsOn('input', axes),
      batch: shape[0] as number,
      channels: shape.at(-1) as number,
      each: 1,
    });
  },

  reference(inputs, [y], { axes }) {
    const [x, winners] = inputs as [HostTensor, HostTensor];
    if (!y) return;
    forEachTap(x.shape[0] as number, axes, x.shape.at(-1) as number, (window, tap, element) => {
      if (winners.data[window] === tap) y.data[window] = x.data[element] as number;
    });
  },
};
