/** A strided region of a tensor of equal values: padding, diagonals, and the adjoint of slices. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { forEachOffset, formatShape, type Shape, sizeOf, stridesOf } from '../src/core/shape.ts';
import source from '../wgsl/place.wgsl';
import { fillKernel } from './fill.ts';
import {
  type DeviceTraits,
  floatBits,
  grid,
  type Kernel,
  pipelineSpec,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';
import { divider } from './strided.ts';

/**
 * `out[start + position·step] = input[position]` on every axis, `value` elsewhere. A negative step writes the input
 * backwards.
 */
export interface PlaceAttrs {
  /** The output's shape; as many axes as the input. */
  readonly shape: Shape;
  readonly start: readonly number[];
  readonly step: readonly number[];
  readonly value: number;
}

const module = wgslModule('place', source);
const WORDS = 4 + 8 * 8;
const pipelines = {
  runs: pipelineSpec(module, 'placeRuns', ['read', 'write'], WORDS),
  quads: pipelineSpec(module, 'placeQuads', ['read', 'write'], WORDS),
  rows: pipelineSpec(module, 'placeRows', ['read', 'write'], WORDS),
};

type Variant = keyof typeof pipelines;

/** One axis of the output, and of the region in it; `stride` is the input's. */
interface Axis {
  readonly extent: number;
  readonly start: number;
  readonly step: number;
  readonly size: number;
  readonly stride: number;
}

/** The axes with positive steps, whole ones merged into their outer neighbours, and where the input's reading starts. */
function axesOf(input: Shape, { shape, start, step }: PlaceAttrs): { axes: Axis[]; offset: number } {
  const strides = stridesOf(input);
  const axes: Axis[] = [];
  let offset = 0;
  shape.forEach((extent, axis) => {
    const size = input[axis] as number;
    if (extent === 1) return; // The region is the whole axis: an empty one never gets here.
    let own: Axis = {
      extent,
      size,
      start: start[axis] as number,
      step: size === 1 ? 1 : (step[axis] as number),
      stride: strides[axis] as number,
    };
    if (own.step < 0) {
      offset += (size - 1) * own.stride;
      own = { ...own, start: own.start + (size - 1) * own.step, step: -own.step, stride: -own.stride };
    }
    const outer = axes.at(-1);
    const whole = own.start === 0 && own.step === 1 && size === extent;
    if (outer && whole && outer.step === 1 && outer.stride === extent * own.stride) {
      axes[axes.length - 1] = {
        extent: outer.extent * extent,
        size: outer.size * extent,
        start: outer.start * extent,
        step: 1,
        stride: own.stride,
      };
    } else axes.push(own);
  });
  return { axes, offset };
}

/** The axes counted in fours, where the region's rows start and end at multiples of four and move as they are. */
function inQuads(axes: readonly Axis[], offset: number): Axis[] | undefined {
  const last = axes.at(-1);
  if (last?.step !== 1 || last.stride !== 1) return undefined;
  const outer = axes.slice(0, -1);
  const counts = [offset, last.extent, last.start, last.size, ...outer.map(({ stride }) => stride)];
  if (counts.some((count) => count % 4 !== 0)) return undefined;
  const quads = [
    ...outer.map((axis) => ({ ...axis, stride: axis.stride / 4 })),
    { ...last, extent: last.extent / 4, start: last.start / 4, size: last.size / 4 },
  ];
  return quads.filter(({ extent }) => extent > 1);
}

/** Software finds its way to a row slowly, so its invocations move much; hardware likes lanes side by side. */
const preferred = (quads: readonly Axis[] | undefined, { software }: DeviceTraits): Variant =>
  !quads ? 'runs' : software ? 'rows' : 'quads';

/** The axis of an output of one element. */
const SINGLE: Axis = { extent: 1, size: 1, start: 0, step: 1, stride: 1 };

function checkRegion(op: string, { shape: input }: TensorSpec, { shape, start, step }: PlaceAttrs): void {
  const fits =
    input.length === shape.length &&
    input.every((size, axis) => {
      const from = start[axis] as number;
      const by = step[axis] as number;
      const last = from + (size - 1) * by;
      return (
        size === 0 ||
        (by !== 0 && Math.min(from, last) >= 0 && Math.max(from, last) < (shape[axis] as number))
      );
    });
  if (fits) return;
  throw new ShapeError(
    `${op}: a region of shape ${formatShape(input)} from [${start.join(', ')}] in steps of [${step.join(', ')}] does ` +
      `not lie inside of ${formatShape(shape)}.`,
  );
}

export const placeKernel: Kernel<PlaceAttrs> = {
  name: 'place',
  variants: ['runs', 'quads', 'rows'],

  supports(variant, [input], attrs) {
    const { shape } = input as TensorSpec;
    if (variant === 'runs' || sizeOf(shape) === 0) return true;
    const { axes, offset } = axesOf(shape, attrs);
    return inQuads(axes, offset) !== undefined;
  },

  infer(op, [input], attrs) {
    if (!input) throw new ArgumentError(`${op}: one input expected.`);
    const { dtype } = input;
    const { shape, value } = attrs;
    if (dtype === 'uint8')
      throw new DTypeError(`${op}: packed uint8 cannot be moved; cast it to float or int32 first.`);
    const valid = isFloat(dtype) || (dtype === 'bool' ? value === 0 || value === 1 : Number.isInteger(value));
    if (!valid) throw new DTypeError(`${op}: the value ${value} does not fit into ${dtype}.`);
    checkRegion(op, input, attrs);
    return [{ shape, dtype }];
  },

  plan([input], outputs, attrs, traits, forced) {
    const { shape, dtype } = input as TensorSpec;
    const { value } = attrs;
    if (sizeOf(shape) === 0)
      return fillKernel.plan([], outputs, { shape: attrs.shape, dtype, value }, traits);
    const { axes, offset } = axesOf(shape, attrs);
    const quads = forced === 'runs' ? undefined : inQuads(axes, offset);
    const variant = quads && forced ? (forced as Variant) : preferred(quads, traits);
    const list = quads ?? axes;
    const own = list.length > 0 ? list : [SINGLE];
    // The rows of placeRows, in pieces of four quads.
    const last = own.length - 1;
    const { extent: columns } = own[last] as Axis;
    const pieces = Math.ceil(columns / 4);
    const fours = Math.ceil(sizeOf(attrs.shape) / 4);
    const count = variant === 'rows' ? (fours / columns) * pieces : fours;
    const uniforms = new Uint32Array(WORDS);
    uniforms.set([count, own.length, quads ? offset / 4 : offset, isFloat(dtype) ? floatBits(value) : value]);
    own.forEach(({ extent, start, step, size, stride }, axis) => {
      const inPieces = variant === 'rows' && axis === last;
      const by = inPieces ? pieces : extent;
      const [multiplier, shift] = by > 1 && (axis > 0 || inPieces) ? divider(by) : [0, 0];
      uniforms.set([by, multiplier, shift, extent, start, step, size, stride], 4 + 8 * axis);
    });
    const workgroups = grid(Math.ceil(count / 64));
    return { steps: [{ pipeline: pipelines[variant], buffers: ['in0', 'out0'], uniforms, workgroups }] };
  },

  reference([input], [out], { shape, start, step, value }) {
    if (!input || !out) return;
    out.data.fill(value);
    const strides = stridesOf(shape);
    const first = start.reduce((sum, at, axis) => sum + at * (strides[axis] as number), 0);
    const jumps = step.map((by, axis) => by * (strides[axis] as number));
    forEachOffset(input.shape, [jumps], (index, [offset]) => {
      out.data[first + (offset as number)] = input.data[index] as number;
    });
  },
};
