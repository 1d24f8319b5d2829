/** How the normalisations see a tensor, and what their steps share. */
import { isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, type Shape, sizeOf } from '../src/core/shape.ts';
import {
  type Access,
  type DeviceTraits,
  floatBits,
  grid,
  type HostTensor,
  pipelineSpec,
  type Slot,
  type Step,
  type TensorSpec,
  type WgslModule,
} from './kernel.ts';

/**
 * The tensor as (samples, rows, groups · width): a group of a sample, rows · width elements, is normalised by itself.
 * Batch norm has one sample and a width of 1, instance norm a width of 1, layer norm one row and one group.
 */
export interface NormalizeGeometry {
  readonly samples: number;
  readonly rows: number;
  readonly groups: number;
  readonly width: number;
}

export interface NormalizeAttrs extends NormalizeGeometry {
  readonly epsilon: number;
  /** False for the root mean square: the mean is taken as 0. */
  readonly centred: boolean;
  /** Whether there is a gamma, and whether there is a beta. */
  readonly scaled: boolean;
  readonly shifted: boolean;
}

const UNIFORM_WORDS = 24;

/** The channels, each of which has a gamma and a beta. */
export const channelsOf = ({ groups, width }: NormalizeGeometry): number => groups * width;

/** Elements of a group. */
export const groupSize = ({ rows, width }: NormalizeGeometry): number => rows * width;

/** Checks that all inputs are floats of one dtype, with these shapes; `undefined` takes any shape of x's size. */
export function checkInputs(
  op: string,
  inputs: readonly TensorSpec[],
  attrs: NormalizeGeometry,
  shapes: readonly (Shape | undefined)[],
): void {
  const size = attrs.samples * attrs.rows * channelsOf(attrs);
  inputs.forEach(({ shape, dtype }, index) => {
    const wanted = shapes[index];
    if (!isFloat(dtype) || dtype !== inputs[0]?.dtype) {
      throw new DTypeError(
        `${op}: takes floats of one dtype, got ${dtype}; cast it first: cast(x, 'float').`,
      );
    }
    if (wanted ? formatShape(shape) !== formatShape(wanted) : sizeOf(shape) !== size) {
      throw new ShapeError(
        `${op}: input ${index} has shape ${formatShape(shape)}, expected ${wanted ? formatShape(wanted) : `${size} elements`}.`,
      );
    }
  });
}

/** The shape of what belongs to a group. */
export const statisticsShape = ({ samples, groups }: NormalizeGeometry): number[] => [samples, groups];

/** The shape of the means: the anchors, then the offsets from them. */
export const centresShape = ({ samples, groups }: NormalizeGeometry): number[] => [2, samples, groups];

/** Five elements spread over a group, from its first one on: their median is the anchor of its mean. */
export function probesOf(attrs: NormalizeGeometry): number[] {
  const size = groupSize(attrs);
  return [0, 1, 2, 3, 4].map((probe) => {
    const element = Math.floor(size / 10) + probe * Math.floor(size / 5);
    return Math.floor(element / attrs.width) * channelsOf(attrs) + (element % attrs.width);
  });
}

/** How a length is cut into parts. */
export interface Parts {
  readonly length: number;
  readonly chunk: number;
  readonly parts: number;
}

/** Parts of a multiple of 8 with about `wanted` and at most `most` each. */
export function cut(length: number, wanted: number, most: number): Parts {
  const target = Math.min(Math.max(wanted, 16), most);
  const chunk = 8 * Math.ceil(length / Math.ceil(length / target) / 8);
  return { length, chunk, parts: Math.ceil(length / chunk) };
}

/** Invocations that fill a device. */
export const enough = (traits: DeviceTraits): number => (traits.software ? 1024 : 32768);

/** Rows for each invocation of a step that writes a tensor: few loads of what belongs to the channels, many invocations. */
export function rowParts(attrs: NormalizeGeometry, traits: DeviceTraits): Parts {
  const length = attrs.samples * attrs.rows;
  const quads = Math.ceil(channelsOf(attrs) / 4);
  const chunk = Math.min(64, Math.max(1, Math.ceil((length * quads) / enough(traits))));
  return { length, chunk, parts: Math.ceil(length / chunk) };
}

/** A step as the plans describe it; the rest of the uniform block follows from the geometry. */
export interface StepOptions {
  readonly module: WgslModule;
  readonly entry: string;
  readonly access: readonly Access[];
  readonly buffers: readonly Slot[];
  /** Invocations, or workgroups for the entries that end in ByGroup. */
  readonly count: number;
  readonly parts?: Parts;
  readonly inner?: number;
  readonly step?: number;
  /** Groups of a sample, where they are not those of the geometry. */
  readonly groups?: number;
  readonly inverse?: number;
  readonly momentum?: number;
  readonly flags?: Readonly<Record<string, boolean>>;
}

export function stepOf(
  attrs: NormalizeGeometry & { readonly epsilon: number; readonly centred: boolean },
  traits: DeviceTraits,
  options: StepOptions,
): Step {
  const { module, entry, access, buffers, count, parts, flags = {} } = options;
  const byGroup = entry.endsWith('ByGroup');
  const workgroup = byGroup ? (traits.software ? 8 : 128) : traits.software ? 16 : 64;
  const constants: Record<string, number> = { WORKGROUP: workgroup, CENTRED: attrs.centred ? 1 : 0 };
  if (attrs.rows === 1) constants.SINGLE = 1;
  for (const [name, flag] of Object.entries(flags)) constants[name] = flag ? 1 : 0;
  const uniforms = Uint32Array.of(
    count,
    attrs.rows,
    channelsOf(attrs),
    attrs.width,
    options.groups ?? attrs.groups,
    parts?.length ?? 1,
    parts?.chunk ?? 1,
    parts?.parts ?? 1,
    Math.ceil(channelsOf(attrs) / 4),
    options.inner ?? 1,
    options.step ?? 1,
    floatBits(options.inverse ?? 1),
    floatBits(attrs.epsilon),
    floatBits(options.momentum ?? 0),
    floatBits(1 - (options.momentum ?? 0)), // In float32, 1 − 0.99 would be off by 2e-6 of itself.
    attrs.samples * attrs.groups,
    ...probesOf(attrs),
    0,
    0,
    0,
  );
  const pipeline = pipelineSpec(module, entry, access, UNIFORM_WORDS, constants);
  return { pipeline, buffers, uniforms, workgroups: grid(byGroup ? count : Math.ceil(count / workgroup)) };
}

/** Whether workgroups share the sums of rows and the merging of parts; the other way is one invocation for each. */
export const sharesWork = (traits: DeviceTraits, variant: string | undefined): boolean =>
  variant ? variant === 'group' : !traits.software;

/** Calls `visit` with the flat index and the channel of each element of a group. */
export function forEachInGroup(
  attrs: NormalizeGeometry,
  sample: number,
  group: number,
  visit: (index: number, channel: number) => void,
): void {
  const { rows, width } = attrs;
  for (let row = 0; row < rows; row++) {
    for (let inside = 0; inside < width; inside++) {
      const channel = group * width + inside;
      visit((sample * rows + row) * channelsOf(attrs) + channel, channel);
    }
  }
}

/** Calls `visit` with each group: its sample, its number in the sample, its number among all, its first element. */
export function forEachGroup(
  attrs: NormalizeGeometry,
  visit: (sample: number, group: number, number: number, first: number) => void,
): void {
  const { samples, rows, groups, width } = attrs;
  for (let sample = 0; sample < samples; sample++) {
    for (let group = 0; group < groups; group++) {
      visit(sample, group, sample * groups + group, sample * rows * channelsOf(attrs) + group * width);
    }
  }
}

/** An optional input of a reference: 1 for a missing gamma, 0 for a missing beta. */
export const at = (input: HostTensor | undefined, index: number, missing: number): number =>
  input ? (input.data[index] as number) : missing;
