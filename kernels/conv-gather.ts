/** What the plans of the convolutions that gather share: the sum they all compute, and its uniform block. */
import { sizeOf } from '../src/core/shape.ts';
import { ACTIVATIONS, type Triple } from './conv-shapes.ts';
import type { Slot } from './kernel.ts';
import type { MatmulActivation } from './matmul.ts';
import { divider } from './strided.ts';

/** Along each axis, `source = ⌊place / phases⌋ · step + (place mod phases + offset + tap · tapStep) / phases`. */
export interface Gather {
  readonly batch: number;
  readonly source: Triple;
  readonly out: Triple;
  readonly kernel: Triple;
  readonly groups: number;
  /** Channels of the source that one tap sums up, and channels of the result, in one group. */
  readonly depth: number;
  readonly perGroup: number;
  readonly phases: Triple;
  readonly step: Triple;
  readonly offset: Triple;
  readonly tapStep: Triple;
  /** Strides of the filter: tap, channel that is summed up, channel of the result, group. */
  readonly wTap: number;
  readonly wDepth: number;
  readonly wChannel: number;
  readonly wGroup: number;
  readonly bias: boolean;
  readonly activation: MatmulActivation;
}

export const UNIFORM_WORDS = 60;
export const ACCESS = ['read', 'read', 'read', 'write'] as const;

/** Numbers of channels, and of taps in one turn, that conv.narrow has entry points for. */
export const NARROW_CHANNELS: readonly number[] = [1, 2, 4, 6, 8];
export const NARROW_TAPS: readonly number[] = [3, 5];

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** What all entry points take, with the taps and the depth of one of them as they are counted there. */
export function uniformsOf(
  gather: Gather,
  extents: readonly number[],
  { taps, depth, wTap }: { taps: Triple; depth: number; wTap: number },
): Uint32Array<ArrayBuffer> {
  const { source, groups, perGroup } = gather;
  const pixel = groups * gather.depth;
  const uniforms = new Uint32Array(UNIFORM_WORDS);
  uniforms[3] = gather.batch * sizeOf(extents);
  uniforms.set([depth, gather.depth, groups * perGroup, perGroup], 4);
  uniforms.set([wTap, gather.wDepth, gather.wChannel, gather.wGroup], 8);
  uniforms.set([...taps, gather.bias ? 1 : 0], 12);
  uniforms.set([source[0], source[1], source[2] * pixel, ACTIVATIONS.indexOf(gather.activation)], 16);
  uniforms.set([...gather.out, pixel], 20);
  uniforms.set(gather.phases, 24);
  uniforms.set(extents, 28);
  extents.forEach((extent, axis) => {
    if (extent > 1) [uniforms[32 + axis], uniforms[36 + axis]] = divider(extent);
  });
  uniforms.set(gather.step, 40);
  uniforms.set(gather.offset, 44);
  uniforms.set(gather.tapStep, 48);
  // Taps meet a phase at regular distances, though not from the first one on.
  gather.phases.forEach((phases, axis) => {
    const step = gather.tapStep[axis] as number;
    const stride = phases / greatestDivisor(phases, Math.abs(step));
    uniforms[52 + axis] = stride;
    uniforms[56 + axis] = (stride * step) / phases;
  });
  return uniforms;
}

/** Without a bias anything readable will do. */
export const biasOf = ({ bias }: Gather): Slot => (bias ? 'in2' : 'in1');
