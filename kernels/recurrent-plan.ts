/** How the steps of a recurrent layer are cut into dispatches and workgroups: what the layer and its gradient share. */
import {
  type DeviceTraits,
  grid,
  type PipelineSpec,
  pipelineSpec,
  type Slot,
  type Step,
  type WgslModule,
} from './kernel.ts';
import {
  CELLS,
  RECURRENT_ACTIVATIONS,
  type RecurrentAttrs,
  type RecurrentSizes,
} from './recurrent-shapes.ts';

/**
 * `sequence`: a workgroup carries its rows through the steps by itself. `step`: every step is a dispatch, which cuts the
 * units, too. The others are the same with register tiles that a subgroup shares.
 */
export const RECURRENT_VARIANTS = ['sequence', 'step', 'sequenceSubgroups', 'stepSubgroups'] as const;

export type RecurrentVariant = (typeof RECURRENT_VARIANTS)[number];

/** The same shader for any device, and for subgroups of four and of eight. */
export interface RecurrentModules {
  readonly portable: WgslModule;
  readonly subgroups: Readonly<Record<number, WgslModule>>;
}

export const canRun = (variant: string, { subgroupSize }: DeviceTraits): boolean =>
  !variant.endsWith('Subgroups') || subgroupSize === 4 || subgroupSize === 8;

/** Rows of a tile that a subgroup shares. */
const SUBGROUP_ROWS = 16;

/** What a turn of k costs for one lane: each load as much as ten multiplications, each exchange as much as one. */
const PORTABLE_COST = { 1: 54, 4: 96 } as const;
const SUBGROUP_COST = 140;

const portableRows = (batch: number, { software }: DeviceTraits): 1 | 4 =>
  !software || batch * PORTABLE_COST[1] < Math.ceil(batch / 4) * PORTABLE_COST[4] ? 1 : 4;

/**
 * Multiplications of a tile's step from which software gains by a dispatch for every step, as measured: a single tile is then
 * cut among the cores. Several tiles keep them busy anyway, and gain, with subgroups of eight, by reading less at a time.
 */
const WORTH_A_DISPATCH = 1 << 17;
const WORTH_A_DISPATCH_OF_SEVERAL = 1 << 19;

/** Of a recurrent kernel that hardware can afford to read once for every row of the batch. */
const SMALL_KERNEL = 1 << 16;

/** The form that suits the sizes and the device. */
export function chooseVariant(
  { batch, units, columns }: RecurrentSizes,
  traits: DeviceTraits,
): RecurrentVariant {
  if (!traits.software) return units * columns <= SMALL_KERNEL ? 'sequence' : 'step';
  const rows = portableRows(batch, traits);
  const shared =
    canRun('stepSubgroups', traits) &&
    Math.ceil(batch / SUBGROUP_ROWS) * SUBGROUP_COST < Math.ceil(batch / rows) * PORTABLE_COST[rows];
  const tile = shared ? SUBGROUP_ROWS : rows;
  const several = traits.subgroupSize === 4 ? Infinity : WORTH_A_DISPATCH_OF_SEVERAL;
  const inSteps = Math.max(4, tile) * units * columns >= (batch <= tile ? WORTH_A_DISPATCH : several);
  if (shared) return inSteps ? 'stepSubgroups' : 'sequenceSubgroups';
  return inSteps ? 'step' : 'sequence';
}

/** An entry point in one of its forms, and the part of a step that one workgroup owns. */
interface Form {
  readonly pipeline: PipelineSpec;
  readonly sequence: boolean;
  readonly rows: number;
  readonly lanes: number;
}

const UNIFORM_WORDS = 16;

/** The constants that every entry point of a layer takes. */
const constantsOf = ({ cell, activation, recurrentActivation }: RecurrentAttrs) => ({
  CELL: CELLS.indexOf(cell),
  ACTIVATION: RECURRENT_ACTIVATIONS.indexOf(activation),
  RECURRENT_ACTIVATION: RECURRENT_ACTIVATIONS.indexOf(recurrentActivation),
});

function lanesOf(
  units: number,
  apiece: number,
  sequence: boolean,
  { software, subgroupSize, maxInvocations }: DeviceTraits,
): number {
  if (software) return subgroupSize || 8;
  const whole = 2 ** Math.ceil(Math.log2(Math.max(32, units / apiece)));
  return Math.min(whole, sequence ? 256 : 64, maxInvocations);
}

export interface Recurrence {
  readonly modules: RecurrentModules;
  readonly entry: string;
  readonly access: PipelineSpec['access'];
  readonly buffers: readonly Slot[];
  /** Units that an invocation owns in each phase of a step. */
  readonly apiece: readonly number[];
  /** Steps, or turns, to go through. */
  readonly turns: number;
  /** The words behind those that tell the sizes, the range and the grid. */
  readonly rest: readonly number[];
}

function formOf(
  variant: RecurrentVariant,
  { modules, entry, access, apiece }: Recurrence,
  { batch, units }: RecurrentSizes,
  attrs: RecurrentAttrs,
  traits: DeviceTraits,
): Form {
  const sequence = variant.startsWith('sequence');
  const own = { ...constantsOf(attrs), SEQUENCE: Number(sequence) };
  if (variant.endsWith('Subgroups')) {
    const lanes = traits.subgroupSize;
    const module = modules.subgroups[lanes] as WgslModule;
    const pipeline = pipelineSpec(module, entry, access, UNIFORM_WORDS, own);
    return { pipeline, sequence, rows: SUBGROUP_ROWS, lanes };
  }
  const rows = portableRows(batch, traits);
  const lanes = lanesOf(units, Math.min(...apiece), sequence, traits);
  const constants = { ...own, LANES: lanes, ROWS: rows };
  const pipeline = pipelineSpec(modules.portable, entry, access, UNIFORM_WORDS, constants);
  return { pipeline, sequence, rows, lanes };
}

/** Multiplications of one workgroup in one dispatch: far below a second on the slowest device. */
const MAX_WORK = 1 << 26;

/** The dispatches of a whole sequence. */
export function recurrence(
  how: Recurrence,
  sizes: RecurrentSizes,
  attrs: RecurrentAttrs,
  traits: DeviceTraits,
  variant: RecurrentVariant,
): Step[] {
  const { batch, steps, units, columns } = sizes;
  const form = formOf(variant, how, sizes, attrs, traits);
  const tiles = Math.ceil(batch / form.rows);
  const dispatch = (begin: number, end: number, phases: readonly [number, number], blocks: number): Step => ({
    pipeline: form.pipeline,
    buffers: how.buffers,
    uniforms: Uint32Array.of(
      batch,
      steps,
      units,
      columns,
      begin,
      end,
      ...phases,
      tiles * blocks,
      blocks,
      ...how.rest,
    ),
    workgroups: grid(tiles * blocks),
  });
  const result: Step[] = [];
  if (form.sequence) {
    const work = Math.max(4, form.rows) * units * columns;
    const chunk = Math.max(1, Math.floor(MAX_WORK / work));
    for (let begin = 0; begin < how.turns; begin += chunk)
      result.push(dispatch(begin, Math.min(begin + chunk, how.turns), [0, how.apiece.length - 1], 1));
    return result;
  }
  for (let turn = 0; turn < how.turns; turn++) {
    how.apiece.forEach((apiece, phase) => {
      // The turn behind the last step of a gradient has no second phase.
      if (turn < steps || phase === 0)
        result.push(dispatch(turn, turn + 1, [phase, phase], Math.ceil(units / (apiece * form.lanes))));
    });
  }
  return result;
}

/** A dispatch of 64 invocations to a workgroup, one for each of `count` elements, and at least `least`. */
export function elementwise(
  module: WgslModule,
  entry: string,
  access: PipelineSpec['access'],
  buffers: readonly Slot[],
  count: number,
  uniforms: readonly number[],
  constants: Readonly<Record<string, number>> = {},
  least = 0,
): Step {
  return {
    pipeline: pipelineSpec(module, entry, access, UNIFORM_WORDS, constants),
    buffers,
    uniforms: Uint32Array.of(...uniforms, count),
    workgroups: grid(Math.ceil(Math.max(count, least) / 64)),
  };
}

/** Options that lie one after another in one buffer. */
export interface Packing {
  /** How many are there. */
  readonly present: number;
  /** The only one, as it is, or a scratch buffer that a dispatch fills; something readable where there is none. */
  readonly slot: Slot;
  /** Where each lies. */
  readonly starts: readonly number[];
  readonly count: number;
}

/** Places the options that are there, each with its slot and its elements. */
export function packingOf(
  options: readonly (readonly [slot: Slot | undefined, count: number])[],
  scratch: Slot,
  none: Slot,
): Packing {
  const there = options.filter(([slot]) => slot !== undefined);
  let count = 0;
  const starts = options.map(([slot, own]) => {
    const start = count;
    if (slot !== undefined) count += own;
    return start;
  });
  const slot = there.length > 1 ? scratch : (there[0]?.[0] ?? none);
  return { present: there.length, slot, starts, count };
}
