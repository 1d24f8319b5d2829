/** What the kernels that run along one axis share: the axis in parts, and the parts in parts again. */
import { ArgumentError, ShapeError } from '../src/core/errors.ts';
import { formatShape, type Shape, sizeOf } from '../src/core/shape.ts';
import {
  type Access,
  grid,
  pipelineSpec,
  type Slot,
  type Step,
  type TensorSpec,
  type WgslModule,
} from './kernel.ts';

const WORDS = 12;

/** Elements of a part; three nested levels of it keep rounding small. */
const CHUNK = 64;
/** Scratch buffers have one-digit names, and a linear recurrence needs three for each level. */
const MAX_LEVELS = 3;

export interface Rows {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** A tensor around one of its axes. */
export const rowsOf = (shape: Shape, axis: number): Rows => ({
  outer: sizeOf(shape.slice(0, axis)),
  length: shape[axis] as number,
  inner: sizeOf(shape.slice(axis + 1)),
});

/** An axis, or the parts of the level before it, in parts. */
export interface Level extends Rows {
  readonly parts: number;
  readonly chunk: number;
}

/** The axis, its parts, their parts …, until one part holds all; longer parts where that would take too many levels. */
export function levelsOf({ outer, length, inner }: Rows): Level[] {
  const chunk = Math.max(CHUNK, 4 * Math.ceil(length ** (1 / (MAX_LEVELS + 1)) / 4 + 1));
  const levels: Level[] = [];
  let extent = length;
  do {
    const parts = Math.ceil(extent / chunk);
    levels.push({ outer, length: extent, inner, parts, chunk });
    extent = parts;
  } while (extent > 1);
  return levels;
}

/** What the uniform block of a scan says. */
export interface Flags {
  readonly reverse?: boolean;
  readonly exclusive?: boolean;
  /** There are parts before, and their result is bound. */
  readonly carried?: boolean;
  readonly shifted?: boolean;
  readonly composed?: boolean;
}

/** A dispatch with one invocation for each part of a level. */
export function levelStep(
  module: WgslModule,
  entry: string,
  bindings: readonly (readonly [Access, Slot])[],
  level: Level,
  flags: Flags,
  constants: Readonly<Record<string, number>> = {},
): Step {
  const lanes = partsOf(level);
  return {
    pipeline: pipelineSpec(
      module,
      entry,
      bindings.map(([access]) => access),
      WORDS,
      constants,
    ),
    buffers: bindings.map(([, slot]) => slot),
    uniforms: Uint32Array.of(
      lanes,
      level.length,
      level.inner,
      level.parts,
      level.chunk,
      Number(flags.reverse ?? false),
      Number(flags.exclusive ?? false),
      Number(flags.carried ?? false),
      Number(flags.shifted ?? false),
      Number(flags.composed ?? false),
      0,
      0,
    ),
    workgroups: grid(Math.ceil(lanes / 64)),
  };
}

/** The number of parts in all rows. */
export const partsOf = ({ outer, parts, inner }: Level): number => outer * parts * inner;

/** The input, which must have the axis. */
export const withAxis = (op: string, input: TensorSpec | undefined, axis: number): TensorSpec => {
  if (!input) throw new ArgumentError(`${op}: a tensor expected.`);
  if (input.shape[axis] === undefined)
    throw new ShapeError(`${op}: axis ${axis} does not exist in ${formatShape(input.shape)}.`);
  return input;
};

/** Calls `visit` with the address of each element in the order of the scan, and whether it is the first of its row. */
export function walk(
  shape: Shape,
  axis: number,
  reverse: boolean,
  visit: (address: number, first: boolean) => void,
): void {
  const { outer, length, inner } = rowsOf(shape, axis);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      for (let s = 0; s < length; s++) {
        const r = reverse ? length - 1 - s : s;
        visit((o * length + r) * inner + i, s === 0);
      }
    }
  }
}
