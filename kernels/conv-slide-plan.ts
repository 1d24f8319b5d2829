/**
 * Plans of the two kernels for special channels, which share nothing between invocations: conv.narrow, for results of few
 * channels, and conv.depthwise. Where the window slides, what it meets is loaded once for several taps and places.
 */
import { sizeOf } from '../src/core/shape.ts';
import depthwiseSource from '../wgsl/conv.depthwise.wgsl';
import narrowQuadsSource from '../wgsl/conv.narrow.subgroups4.wgsl';
import narrowSource from '../wgsl/conv.narrow.wgsl';
import {
  ACCESS,
  biasOf,
  type Gather,
  NARROW_CHANNELS,
  NARROW_TAPS,
  UNIFORM_WORDS,
  uniformsOf,
} from './conv-gather.ts';
import { type DeviceTraits, grid, type Plan, pipelineSpec, type Step, wgslModule } from './kernel.ts';

const depthwiseModule = wgslModule('conv.depthwise', depthwiseSource);
const narrowModule = wgslModule('conv.narrow', narrowSource);
const narrowQuadsModule = wgslModule('conv.narrow.subgroups4', narrowQuadsSource, ['subgroups']);
/** Neighbouring places that one invocation owns in conv.narrow. */
const NARROW_PLACES = 8;
/** Places that one invocation owns in conv.depthwise, where its window slides and elsewhere. */
const DEPTHWISE_NEIGHBOURS = 8;
const DEPTHWISE_PLACES = 4;
/** Taps that it takes in one turn where its window slides. */
const DEPTHWISE_TAPS = 3;

/** A window that moves by one from place to place and from tap to tap of the last axis, along lines of some length. */
function slides({ out, phases, step, tapStep }: Gather, places: number): boolean {
  return sizeOf(phases) === 1 && step[2] === 1 && Math.abs(tapStep[2]) === 1 && out[2] >= places;
}

/** Few channels in one group. */
export function isNarrow(gather: Gather): boolean {
  const { groups, depth, perGroup } = gather;
  return groups === 1 && depth > 0 && perGroup <= 8 && slides(gather, NARROW_PLACES);
}

/** One channel makes one channel, and they come in fours. */
export const isDepthwise = ({ groups, depth, perGroup }: Gather): boolean =>
  depth === 1 && perGroup === 1 && groups % 4 === 0;

/** Invocations of a workgroup in the two kernels that share nothing. To start one costs SwiftShader (subgroups of 4) most. */
function portableLanes({ software, subgroupSize }: DeviceTraits): number {
  if (!software) return 64;
  return subgroupSize === 4 ? 32 : subgroupSize || 8;
}

/** How conv.narrow cuts up the work. `time` is in fused multiply-adds of one lane, as in `Tiling`. */
export function narrowTiling({ batch, out, kernel, perGroup, depth }: Gather, traits: DeviceTraits) {
  const own = NARROW_CHANNELS.find((count) => count >= perGroup) as number;
  const turnsOf = (taps: number): number => Math.ceil(kernel[2] / taps);
  const taps = NARROW_TAPS.reduce((best, t) =>
    turnsOf(t) * (t + 2) < turnsOf(best) * (best + 2) ? t : best,
  );
  const tapTurns = turnsOf(taps);
  const lanes = portableLanes(traits);
  const vectors = Math.ceil((own * taps) / 4);
  const blocks = kernel[0] * kernel[1] * tapTurns * depth;
  const pieces = Math.ceil(out[2] / NARROW_PLACES);
  const items = batch * out[0] * out[1] * pieces;
  const workgroups = Math.ceil(items / lanes);
  // Loads of the window and of the filter, products, and what it takes to keep so many sums.
  const turn = 10 * (NARROW_PLACES + taps - 1) + 39 * vectors + (taps + 8) * own * NARROW_PLACES;
  return {
    own,
    taps,
    tapTurns,
    lanes,
    vectors,
    blocks,
    pieces,
    items,
    workgroups,
    time: workgroups * (lanes / (traits.subgroupSize || lanes)) * blocks * turn,
  };
}

export function narrowPlan(gather: Gather, traits: DeviceTraits): Plan {
  const { out, kernel, depth, wTap } = gather;
  const { own, taps, tapTurns, lanes, vectors, blocks, pieces, items, workgroups } = narrowTiling(
    gather,
    traits,
  );
  const uniforms = uniformsOf(gather, out, { taps: kernel, depth, wTap });
  uniforms[0] = workgroups;
  uniforms[27] = pieces;
  uniforms[31] = items;
  uniforms[35] = tapTurns;
  uniforms[43] = blocks;
  const pack = pipelineSpec(narrowModule, 'pack', ['read', 'write'], UNIFORM_WORDS, {
    OWN: own,
    TAPS: taps,
    VECTORS: vectors,
  });
  const module = traits.subgroupSize === 4 ? narrowQuadsModule : narrowModule;
  const entry = pipelineSpec(module, `narrow${own}x${taps}`, [...ACCESS, 'read'], UNIFORM_WORDS, {
    LANES: lanes,
  });
  const packing: Step = {
    pipeline: pack,
    buffers: ['in1', 'tmp0'],
    uniforms,
    workgroups: grid(Math.ceil((blocks * vectors * 4) / 64)),
  };
  const summing: Step = {
    pipeline: entry,
    buffers: ['in0', 'in1', biasOf(gather), 'out0', 'tmp0'],
    uniforms,
    workgroups: grid(workgroups),
  };
  return { steps: [packing, summing], scratch: [16 * blocks * vectors] };
}

export function depthwisePlan(gather: Gather, traits: DeviceTraits): Plan {
  const { batch, out, kernel, phases, groups, depth, wTap } = gather;
  const sliding = slides(gather, DEPTHWISE_NEIGHBOURS);
  const extents = out.map((extent, axis) => Math.ceil(extent / (phases[axis] as number)));
  const pieces = Math.ceil(out[2] / DEPTHWISE_NEIGHBOURS);
  const tiles = sliding
    ? batch * out[0] * out[1] * pieces
    : Math.ceil((batch * sizeOf(extents)) / DEPTHWISE_PLACES);
  const items = tiles * sizeOf(phases) * (groups / 4);
  const lanes = portableLanes(traits);
  const workgroups = Math.ceil(items / lanes);
  const uniforms = uniformsOf(gather, extents, { taps: kernel, depth, wTap });
  uniforms.set([workgroups, tiles]);
  uniforms[27] = pieces;
  uniforms[31] = items;
  uniforms[35] = Math.ceil(kernel[2] / DEPTHWISE_TAPS);
  uniforms[43] = kernel[0] * kernel[1] * Math.ceil(kernel[2] / DEPTHWISE_TAPS);
  const entry = sliding ? 'depthwise' : 'depthwiseAny';
  return {
    steps: [
      {
        pipeline: pipelineSpec(depthwiseModule, entry, ACCESS, UNIFORM_WORDS, { LANES: lanes }),
        buffers: ['in0', 'in1', biasOf(gather), 'out0'],
        uniforms,
        workgroups: grid(workgroups),
      },
    ],
  };
}
