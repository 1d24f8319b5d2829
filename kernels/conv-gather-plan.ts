/**
 * Plans of the two convolutions that gather: each place of the result sums up what its taps meet in a source. Forward walks
 * the source by the stride; the input gradient walks it one by one, in as many phases as the stride.
 */
import { ArgumentError } from '../src/core/errors.ts';
import { sizeOf } from '../src/core/shape.ts';
import subgroups4Source from '../wgsl/conv.subgroups4.wgsl';
import subgroups8Source from '../wgsl/conv.subgroups8.wgsl';
import tiledSource from '../wgsl/conv.tiled.wgsl';
import source from '../wgsl/conv.wgsl';
import { ACCESS, biasOf, type Gather, UNIFORM_WORDS, uniformsOf } from './conv-gather.ts';
import type { Triple } from './conv-shapes.ts';
import { depthwisePlan, isDepthwise, isNarrow, narrowPlan, narrowTiling } from './conv-slide-plan.ts';
import { type DeviceTraits, grid, type PipelineSpec, type Plan, pipelineSpec, wgslModule } from './kernel.ts';

const module = wgslModule('conv', source);
const tiledModule = wgslModule('conv.tiled', tiledSource);
const subgroupsModules: Readonly<Record<number, ReturnType<typeof wgslModule>>> = {
  4: wgslModule('conv.subgroups4', subgroups4Source, ['subgroups']),
  8: wgslModule('conv.subgroups8', subgroups8Source, ['subgroups']),
};

export const gatherVariants = ['register', 'tiled', 'subgroups', 'narrow', 'depthwise'] as const;

/** What a tile costs besides its turns: the way in and out. SwiftShader's turns cost twice as much as counted. */
const TILE_OVERHEAD = 2000;

export function gatherSupports(variant: string, gather: Gather, traits: DeviceTraits): boolean {
  if (variant === 'narrow') return isNarrow(gather);
  if (variant === 'depthwise') return isDepthwise(gather);
  if (variant === 'subgroups') return traits.subgroupSize in subgroupsModules;
  return variant !== 'tiled' || (traits.maxInvocations >= 256 && traits.maxWorkgroupBytes >= 8192);
}

/** An entry point, and what one workgroup owns. */
interface Tiling {
  readonly pipeline: PipelineSpec;
  readonly places: number;
  readonly channels: number;
  /** A tile may hold channels of several groups. */
  readonly acrossGroups: boolean;
  /** It cannot take several taps as one run. */
  readonly wholePixels?: boolean;
  /** Time for one element of the depth, in fused multiply-adds of one lane. */
  readonly cost: number;
  /** Elements of the depth that a turn of the loop takes, some of them in vain at its end; 1 where it is not given. */
  readonly step?: number;
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
    places: 8 * lanes,
    channels,
    acrossGroups: false,
    cost: 8 * (10 + 1.25 * channels) + 10 * (channels / lanes),
    step: lanes === 4 ? 4 : 1,
  }));
}

function tilingsOf(variant: string, traits: DeviceTraits): Tiling[] {
  if (variant === 'subgroups') return subgroupsTilings(traits);
  if (variant !== 'tiled') return registerTilings(traits);
  const pipeline = pipelineSpec(tiledModule, 'convTiled', ACCESS, UNIFORM_WORDS);
  return [{ pipeline, places: 64, channels: 64, acrossGroups: false, cost: 1 }];
}

/** The elements of the depth that are computed. */
const depthOf = ({ step = 1 }: Tiling, depth: number): number => Math.ceil(depth / step) * step;

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

export function gatherPlan(gather: Gather, traits: DeviceTraits, variant?: string): Plan {
  if (variant === 'narrow') return narrowPlan(gather, traits);
  if (variant === 'depthwise' || (!variant && isDepthwise(gather))) return depthwisePlan(gather, traits);
  const { batch, out, groups, phases } = gather;
  const runs = runsOf(gather);
  const extents = out.map((extent, axis) => Math.ceil(extent / (phases[axis] as number)));
  const places = batch * sizeOf(extents);
  const time = (tiling: Tiling): number =>
    Math.ceil(places / tiling.places) *
    tilesOfChannels(tiling, gather) *
    depthOf(tiling, runs.depth) *
    tiling.cost;
  const tilings = variant ? tilingsOf(variant, traits) : candidates(gather, runs.depth, traits);
  // Runs across taps check each element against its line, which convAcross does for whole pixels only.
  const fit = tilings.filter(({ wholePixels }) => !wholePixels || groups > 1);
  const tiling = fit.reduce((best, own) => (time(own) < time(best) ? own : best));

  if (!variant && isNarrow(gather)) {
    const turns = sizeOf(runs.taps) * depthOf(tiling, runs.depth);
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
