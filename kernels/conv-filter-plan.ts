/** Plan of the filter gradient: a product of matrices whose long sum, over all pixels, is cut into parts. */

import { ArgumentError } from '../src/core/errors.ts';
import { sizeOf } from '../src/core/shape.ts';
import subgroups4Source from '../wgsl/conv-filter.subgroups4.wgsl';
import subgroups8Source from '../wgsl/conv-filter.subgroups8.wgsl';
import tiledSource from '../wgsl/conv-filter.tiled.wgsl';
import source from '../wgsl/conv-filter.wgsl';
import type { ConvGeometry, ConvSizes } from './conv-shapes.ts';
import {
  type DeviceTraits,
  grid,
  type PipelineSpec,
  type Plan,
  pipelineSpec,
  type Step,
  wgslModule,
} from './kernel.ts';

const module = wgslModule('conv-filter', source);
const tiledModule = wgslModule('conv-filter.tiled', tiledSource);
const subgroupsModules: Readonly<Record<number, ReturnType<typeof wgslModule>>> = {
  4: wgslModule('conv-filter.subgroups4', subgroups4Source, ['subgroups']),
  8: wgslModule('conv-filter.subgroups8', subgroups8Source, ['subgroups']),
};
const UNIFORM_WORDS = 40;
const ACCESS = ['read', 'read', 'write'] as const;

/** A float32 accumulator takes so many terms. */
const LONGEST_RUN = 4096;
const MOST_SCRATCH = 16 * 1024 * 1024;
/** Below so many pixels a part is not worth its place in the closing sum. */
const SHORTEST_PART = 128;

export const filterVariants = ['register', 'tiled', 'subgroups'] as const;

export function filterSupports(variant: string, traits: DeviceTraits): boolean {
  if (variant === 'subgroups') return traits.subgroupSize in subgroupsModules;
  return variant !== 'tiled' || (traits.maxInvocations >= 256 && traits.maxWorkgroupBytes >= 8192);
}

/** An entry point, and what one workgroup owns. */
interface Tiling {
  readonly pipeline: PipelineSpec;
  readonly rows: number;
  readonly filters: number;
  /** A tile may hold filters of several groups. */
  readonly acrossGroups: boolean;
  /** Time of one turn of the innermost loop, in fused multiply-adds of one lane. */
  readonly cost: number;
}

function registerTilings(traits: DeviceTraits): Tiling[] {
  const lanes = traits.software ? traits.subgroupSize || 8 : 32;
  const pipeline = (entry: string) => pipelineSpec(module, entry, ACCESS, UNIFORM_WORDS, { LANES: lanes });
  return [
    { pipeline: pipeline('filter4'), rows: 8, filters: 4 * lanes, acrossGroups: false, cost: 152 },
    { pipeline: pipeline('filter1'), rows: 8, filters: lanes, acrossGroups: true, cost: 98 },
  ];
}

function subgroupsTilings(traits: DeviceTraits): Tiling[] {
  const lanes = traits.subgroupSize;
  const sibling = subgroupsModules[lanes];
  if (!sibling) {
    throw new ArgumentError(`convFilter: no variant for subgroups of ${lanes} invocations, only of 4 and 8.`);
  }
  return [8, 16].map((filters) => ({
    pipeline: pipelineSpec(sibling, `filter${filters}`, ACCESS, UNIFORM_WORDS),
    rows: 32,
    filters,
    acrossGroups: false,
    cost: (32 / lanes) * (10 + 1.25 * filters) + 10 * (filters / lanes),
  }));
}

function tilingsOf(variant: string, traits: DeviceTraits): Tiling[] {
  if (variant === 'subgroups') return subgroupsTilings(traits);
  if (variant !== 'tiled') return registerTilings(traits);
  const pipeline = pipelineSpec(tiledModule, 'filterTiled', ACCESS, UNIFORM_WORDS);
  return [{ pipeline, rows: 64, filters: 64, acrossGroups: false, cost: 1 }];
}

const tilesOfFilters = ({ filters: own, acrossGroups }: Tiling, filters: number, groups: number): number =>
  acrossGroups ? Math.ceil(filters / own) : groups * Math.ceil(filters / groups / own);

/**
 * The tilings to choose from. On hardware, tiles in workgroup memory pay where most of them is filled; for the rest there is the
 * portable kernel, whose filters may be of any group. On software there is nothing against counting.
 */
function candidates(rows: number, perGroup: number, traits: DeviceTraits): Tiling[] {
  if (!traits.software) {
    const fills = filterSupports('tiled', traits) && perGroup >= 24 && rows >= 24;
    return tilingsOf(fills ? 'tiled' : 'register', traits);
  }
  const portable = tilingsOf('register', traits);
  return filterSupports('subgroups', traits) ? [...tilingsOf('subgroups', traits), ...portable] : portable;
}

export function filterPlan(
  sizes: ConvSizes,
  { strides, dilation, before, groups }: ConvGeometry,
  traits: DeviceTraits,
  variant?: string,
): Plan {
  const { batch, input, output, kernel, channels, filters } = sizes;
  const depth = channels / groups;
  const rows = sizeOf(kernel) * depth;
  const elements = rows * filters;
  const time = (tiling: Tiling): number =>
    Math.ceil(rows / tiling.rows) * tilesOfFilters(tiling, filters, groups) * tiling.cost;
  const tilings = variant ? tilingsOf(variant, traits) : candidates(rows, filters / groups, traits);
  const tiling = tilings.reduce((best, own) => (time(own) < time(best) ? own : best));
  const tiles = Math.ceil(rows / tiling.rows);
  const columns = tilesOfFilters(tiling, filters, groups);

  // As many parts as the runs' length asks for, or as keep the device busy. What does not fit into the scratch buffer goes
  // into further rounds, which add to the result; a round of one part writes there itself.
  const pixels = batch * sizeOf(output);
  const wanted = Math.ceil((traits.software ? 16 : 512) / (tiles * columns));
  const least = Math.ceil(pixels / LONGEST_RUN);
  const parts = Math.max(1, least, Math.min(wanted, Math.floor(pixels / SHORTEST_PART)));
  const partLength = Math.ceil(pixels / parts);
  const perRound = Math.max(1, Math.min(parts, Math.floor(MOST_SCRATCH / (4 * elements))));
  const steps: Step[] = [];
  for (let part = 0; part < parts; part += perRound) {
    const own = Math.min(perRound, parts - part);
    const workgroups = tiles * columns * own;
    const last = Math.min(pixels, (part + own) * partLength);
    const uniforms = new Uint32Array(UNIFORM_WORDS);
    uniforms.set([workgroups, tiles, tiling.acrossGroups ? columns : columns / groups, rows]);
    uniforms.set([depth, channels, filters, filters / groups], 4);
    uniforms.set([Math.min(last, part * partLength), last, partLength, own, elements], 8);
    [kernel, input, output, strides, before, dilation].forEach((triple, index) => {
      uniforms.set(triple, 16 + 4 * index);
    });
    const further = part > 0 ? 1 : 0;
    if (perRound === 1) uniforms[13] = further;
    steps.push({
      pipeline: tiling.pipeline,
      buffers: ['in0', 'in1', perRound === 1 ? 'out0' : 'tmp0'],
      uniforms,
      workgroups: grid(workgroups),
    });
    if (perRound === 1) continue;
    const closing = uniforms.slice();
    closing[13] = further;
    steps.push({
      pipeline: pipelineSpec(module, 'addParts', ['read', 'write'], UNIFORM_WORDS),
      buffers: ['tmp0', 'out0'],
      uniforms: closing,
      workgroups: grid(Math.ceil(elements / 64)),
    });
  }
  return perRound === 1 ? { steps } : { steps, scratch: [4 * perRound * elements] };
}
