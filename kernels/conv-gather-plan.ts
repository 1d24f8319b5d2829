/**
 * Plans of the two convolutions that gather: each place of the result sums up what its taps meet in a source. Forward walks
 * the source by the stride; the input gradient walks it one by one, in as many phases as the stride.
 */
import { ArgumentError } from '../src/core/errors.ts';
import { sizeOf } from '../src/core/shape.ts';
import depthwiseSource from '../wgsl/conv.depthwise.wgsl';
import narrowSource from '../wgsl/conv.narrow.wgsl';
import subgroups4Source from '../wgsl/conv.subgroups4.wgsl';
import subgroups8Source from '../wgsl/conv.subgroups8.wgsl';
import tiledSource from '../wgsl/conv.tiled.wgsl';
import source from '../wgsl/conv.wgsl';
import { ACTIVATIONS, type Triple } from './conv-shapes.ts';
import {
  type DeviceTraits,
  grid,
  type PipelineSpec,
  type Plan,
  pipelineSpec,
  type Slot,
  type Step,
  wgslModule,
} from './kernel.ts';
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

const module = wgslModule('conv', source);
const tiledModule = wgslModule('conv.tiled', tiledSource);
const depthwiseModule = wgslModule('conv.depthwise', depthwiseSource);
const narrowModule = wgslModule('conv.narrow', narrowSource);
const subgroupsModules: Readonly<Record<number, ReturnType<typeof wgslModule>>> = {
  4: wgslModule('conv.subgroups4', subgroups4Source, ['subgroups']),
  8: wgslModule('conv.subgroups8', subgroups8Source, ['subgroups']),
};
const UNIFORM_WORDS = 52;
const ACCESS = ['read', 'read', 'read', 'write'] as const;

export const gatherVariants = ['register', 'tiled', 'subgroups', 'narrow', 'depthwise'] as const;

/** Neighbouring places that one invocation owns in conv.narrow. */
const NARROW_PLACES = 8;
/** Its entry points. */
const NARROW_CHANNELS = [1, 2, 4, 6, 8];
const NARROW_TAPS = [3, 5];
/** What a tile costs besides its turns: the way in and out. SwiftShader's turns cost twice as much as counted. */
const TILE_OVERHEAD = 2000;
/** Places that one invocation owns in conv.depthwise, where its window slides and elsewhere. */
const DEPTHWISE_NEIGHBOURS = 8;
const DEPTHWISE_PLACES = 4;
/** Taps that it takes in one turn where its window slides. */
const DEPTHWISE_TAPS = 3;

export function gatherSupports(variant: string, gather: Gather, traits: DeviceTraits): boolean {
  if (variant === 'narrow') return isNarrow(gather);
  if (variant === 'depthwise') return isDepthwise(gather);
  if (variant === 'subgroups') return traits.subgroupSize in subgroupsModules;
  return variant !== 'tiled' || (traits.maxInvocations >= 256 && traits.maxWorkgroupBytes >= 8192);
}

/** A window that moves by one from place to place and from tap to tap of the last axis, along lines of some length. */
function slides({ out, phases, step, tapStep }: Gather, places: number): boolean {
  return sizeOf(phases) === 1 && step[2] === 1 && Math.abs(tapStep[2]) === 1 && out[2] >= places;
}

/** Few channels in one group. */
function isNarrow(gather: Gather): boolean {
  const { groups, depth, perGroup } = gather;
  return groups === 1 && depth > 0 && perGroup <= 8 && slides(gather, NARROW_PLACES);
}

/** One channel makes one channel, and they come in fours. */
const isDepthwise = ({ groups, depth, perGroup }: Gather): boolean =>
  depth === 1 && perGroup === 1 && groups % 4 === 0;

/** An entry point, and what one workgroup owns. */
interface Tiling {
  readonly pipeline: PipelineSpec;
  readonly places: number;
  readonly channels: number;
  /** A tile may hold channels of several groups. */
  readonly acrossGroups: boolean;
  /** It cannot take several taps as one run. */
  readonly wholePixels?: boolean;
  /** Time of one turn of the innermost loop, in fused multiply-adds of one lane. */
  readonly cost: number;
}

function registerTilings(traits: DeviceTraits): Tiling[] {
  const lanes = traits.software ? traits.subgroupSize || 8 : 32;
  const pipeline = (entry: string) => pipelineSpec(module, entry, ACCESS, UNIFORM_WORDS, { LANES: lanes });
  return [
    { pipeline: pipeline('conv4'), places: 8, channels: 4 * lanes, acrossGroups: false, cost: 300 },
    { pipeline: pipeline('conv1'), places: 8, channels: lanes, acrossGroups: true, cost: 98 },
    {
      pipeline: pipeline('convAcross'),
      places: 4,
      channels: 4 * lanes,
      acrossGroups: true,
      wholePixels: true,
      cost: 216,
    },
  ];
}

function subgroupsTilings(traits: DeviceTraits): Tiling[] {
  const lanes = traits.subgroupSize;
  const sibling = subgroupsModules[lanes];
  if (!sibling)
    throw new ArgumentError(`conv: no variant for subgroups of ${lanes} invocations, only of 4 and 8.`);
  return [8, 16].map((channels) => ({
    pipeline: pipelineSpec(sibling, `conv${channels}`, ACCESS, UNIFORM_WORDS),
    places: 32,
    channels,
    acrossGroups: false,
    cost: (32 / lanes) * (10 + 1.25 * channels) + 10 * (channels / lanes),
  }));
}

function tilingsOf(variant: string, traits: DeviceTraits): Tiling[] {
  if (variant === 'subgroups') return subgroupsTilings(traits);
  if (variant !== 'tiled') return registerTilings(traits);
  const pipeline = pipelineSpec(tiledModule, 'convTiled', ACCESS, UNIFORM_WORDS);
  return [{ pipeline, places: 64, channels: 64, acrossGroups: false, cost: 1 }];
}

const tilesOfChannels = ({ channels, acrossGroups }: Tiling, { groups, perGroup }: Gather): number =>
  acrossGroups ? Math.ceil((groups * perGroup) / channels) : groups * Math.ceil(perGroup / channels);

/**
 * The tilings to choose from. On hardware, tiles in workgroup memory pay where most of them is filled; for the rest there is the
 * portable kernel, whose channels may be of any group. On software there is nothing against counting.
 */
function candidates(gather: Gather, depth: number, traits: DeviceTraits): Tiling[] {
  if (!traits.software) {
    const fills = gatherSupports('tiled', gather, traits) && gather.perGroup >= 24 && depth >= 8;
    return tilingsOf(fills ? 'tiled' : 'register', traits);
  }
  const portable = tilingsOf('register', traits);
  return gatherSupports('subgroups', gather, traits)
    ? [...tilingsOf('subgroups', traits), ...portable]
    : portable;
}

/** Neighbouring taps of the last axis that meet neighbouring pixels are one tap as deep as all of them. */
function runsOf({ kernel, depth, groups, phases, tapStep, wTap, wDepth }: Gather): {
  taps: Triple;
  depth: number;
  wTap: number;
} {
  const neighbours = tapStep[2] === 1 && phases[2] === 1 && groups === 1 && wTap === depth * wDepth;
  if (!neighbours) return { taps: kernel, depth, wTap };
  return { taps: [kernel[0], kernel[1], 1], depth: kernel[2] * depth, wTap: kernel[2] * wTap };
}

/** What all entry points take, with the taps and the depth of one of them as they are counted there. */
function uniformsOf(
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
  return uniforms;
}

/** Without a bias anything readable will do. */
const biasOf = ({ bias }: Gather): Slot => (bias ? 'in2' : 'in1');

/** How conv.narrow cuts up the work. `time` is in fused multiply-adds of one lane, as in `Tiling`. */
function narrowTiling({ batch, out, kernel, perGroup, depth }: Gather, traits: DeviceTraits) {
  const own = NARROW_CHANNELS.find((count) => count >= perGroup) as number;
  const turnsOf = (taps: number): number => Math.ceil(kernel[2] / taps);
  const taps = NARROW_TAPS.reduce((best, t) =>
    turnsOf(t) * (t + 2) < turnsOf(best) * (best + 2) ? t : best,
  );
  const tapTurns = turnsOf(taps);
  const lanes = traits.software ? traits.subgroupSize || 8 : 64;
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
    time: workgroups * blocks * turn,
  };
}

function narrowPlan(gather: Gather, traits: DeviceTraits): Plan {
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
  const entry = pipelineSpec(narrowModule, `narrow${own}x${taps}`, [...ACCESS, 'read'], UNIFORM_WORDS, {
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

function depthwisePlan(gather: Gather, traits: DeviceTraits): Plan {
  const { batch, out, kernel, phases, groups, depth, wTap } = gather;
  const sliding = slides(gather, DEPTHWISE_NEIGHBOURS);
  const extents = out.map((extent, axis) => Math.ceil(extent / (phases[axis] as number)));
  const pieces = Math.ceil(out[2] / DEPTHWISE_NEIGHBOURS);
  const tiles = sliding
    ? batch * out[0] * out[1] * pieces
    : Math.ceil((batch * sizeOf(extents)) / DEPTHWISE_PLACES);
  const items = tiles * sizeOf(phases) * (groups / 4);
  const lanes = traits.software ? traits.subgroupSize || 8 : 64;
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

export function gatherPlan(gather: Gather, traits: DeviceTraits, variant?: string): Plan {
  if (variant === 'narrow') return narrowPlan(gather, traits);
  if (variant === 'depthwise' || (!variant && isDepthwise(gather))) return depthwisePlan(gather, traits);
  const { batch, out, groups, phases } = gather;
  const runs = runsOf(gather);
  const extents = out.map((extent, axis) => Math.ceil(extent / (phases[axis] as number)));
  const places = batch * sizeOf(extents);
  const time = (tiling: Tiling): number =>
    Math.ceil(places / tiling.places) * tilesOfChannels(tiling, gather) * tiling.cost;
  const tilings = variant ? tilingsOf(variant, traits) : candidates(gather, runs.depth, traits);
  // Runs across taps check each element against its line, which convAcross does for whole pixels only.
  const fit = tilings.filter(({ wholePixels }) => !wholePixels || groups > 1);
  const tiling = fit.reduce((best, own) => (time(own) < time(best) ? own : best));

  if (!variant && isNarrow(gather)) {
    const turns = sizeOf(runs.taps) * runs.depth;
    const turn = (traits.subgroupSize === 4 ? 2 : 1) * tiling.cost;
    const workgroups = Math.ceil(places / tiling.places) * tilesOfChannels(tiling, gather);
    const isFaster = narrowTiling(gather, traits).time < workgroups * (turns * turn + TILE_OVERHEAD);
    if (!traits.software || isFaster) return narrowPlan(gather, traits);
  }
  const tiles = Math.ceil(places / tiling.places);
  const columns = tilesOfChannels(tiling, gather);
  const workgroups = tiles * columns * sizeOf(phases);
  const uniforms = uniformsOf(gather, extents, runs);
  uniforms.set([workgroups, tiles, tiling.acrossGroups ? columns : columns / groups], 0);
  return {
    steps: [
      {
        pipeline: tiling.pipeline,
        buffers: ['in0', 'in1', biasOf(gather), 'out0'],
        uniforms,
        workgroups: grid(workgroups),
      },
    ],
  };
}
