/** Running sums and products, linear recurrences, and shifts along one axis. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/scan.wgsl';
import {
  type Access,
  grid,
  type HostTensor,
  type Kernel,
  type Plan,
  pipelineSpec,
  type Slot,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

const module = wgslModule('scan', source);
const WORDS = 12;

/** Elements of a part; three nested levels of it keep rounding small. */
const CHUNK = 64;
/** Scratch buffers have one-digit names, and `linear` needs three for each level. */
const MAX_LEVELS = 3;

interface Rows {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

const rowsOf = (shape: Shape, axis: number): Rows => ({
  outer: sizeOf(shape.slice(0, axis)),
  length: shape[axis] as number,
  inner: sizeOf(shape.slice(axis + 1)),
});

interface Flags {
  readonly reverse?: boolean;
  readonly exclusive?: boolean;
  readonly shifted?: boolean;
  readonly composed?: boolean;
}

interface Level extends Rows {
  readonly parts: number;
  readonly chunk: number;
}

/** The axis, its parts, their parts …, until one part holds all; longer parts where that would take too many levels. */
function levelsOf({ outer, length, inner }: Rows): Level[] {
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

function step(
  entry: string,
  access: readonly Access[],
  buffers: readonly Slot[],
  level: Level,
  flags: Flags,
  carried: boolean,
  constants: Readonly<Record<string, number>>,
): Step {
  const lanes = level.outer * level.parts * level.inner;
  return {
    pipeline: pipelineSpec(module, entry, access, WORDS, constants),
    buffers,
    uniforms: Uint32Array.of(
      lanes,
      level.length,
      level.inner,
      level.parts,
      level.chunk,
      Number(flags.reverse ?? false),
      Number(flags.exclusive ?? false),
      Number(carried),
      Number(flags.shifted ?? false),
      Number(flags.composed ?? false),
      0,
      0,
    ),
    workgroups: grid(Math.ceil(lanes / 64)),
  };
}

const bytesOf = ({ outer, parts, inner }: Level): number => 4 * outer * parts * inner;

const oneFloat = (op: string, input: TensorSpec | undefined, axis: number): TensorSpec => {
  if (!input) throw new ArgumentError(`${op}: a tensor expected.`);
  if (input.shape[axis] === undefined)
    throw new ShapeError(`${op}: axis ${axis} does not exist in ${formatShape(input.shape)}.`);
  return input;
};

/** Calls `visit` with the address of each element in the order of the scan, and whether it is the first of its row. */
function walk(
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

export interface ScanAttrs {
  readonly op: 'sum' | 'prod';
  readonly axis: number;
  /** From the end to the start. */
  readonly reverse: boolean;
  /** Without the element itself. */
  readonly exclusive: boolean;
}

/** y[s] = x[0] + … + x[s], or the product; int32 wraps around. */
export const scanKernel: Kernel<ScanAttrs> = {
  name: 'scan',
  variants: ['default'],

  infer(op, [input], { axis }) {
    const { shape, dtype } = oneFloat(op, input, axis);
    if (!isFloat(dtype) && dtype !== 'int32')
      throw new DTypeError(`${op}: ${dtype} cannot be accumulated; cast it to float or int32 first.`);
    return [{ shape, dtype }];
  },

  plan(inputs, _outputs, attrs): Plan {
    const input = inputs[0] as TensorSpec;
    const levels = levelsOf(rowsOf(input.shape, attrs.axis));
    const constants = { PRODUCT: Number(attrs.op === 'prod'), FLOAT: Number(input.dtype === 'float32') };
    const steps: Step[] = [];
    const scratch: number[] = [];
    // Level i > 0 has its elements in tmp(2i − 2) and its scan in tmp(2i − 1).
    const elements = (i: number): Slot => (i === 0 ? 'in0' : `tmp${2 * i - 2}`);
    const scanned = (i: number): Slot => (i === 0 ? 'out0' : `tmp${2 * i - 1}`);
    levels.slice(0, -1).forEach((level, i) => {
      scratch.push(bytesOf(level), bytesOf(level));
      const flags = i === 0 ? { reverse: attrs.reverse } : {};
      const slots = [elements(i), elements(i + 1)];
      steps.push(step('totals', ['read', 'write'], slots, level, flags, false, constants));
    });
    for (let i = levels.length - 1; i >= 0; i--) {
      const carried = i < levels.length - 1;
      const slots = [elements(i), carried ? scanned(i + 1) : elements(i), scanned(i)];
      const flags = i === 0 ? attrs : {};
      const level = levels[i] as Level;
      steps.push(step('scan', ['read', 'read', 'write'], slots, level, flags, carried, constants));
    }
    return { steps, scratch };
  },

  reference([input], [out], { op, axis, reverse, exclusive }) {
    if (!input || !out) return;
    const integer = out.dtype === 'int32';
    const combine = (a: number, b: number): number => {
      if (op === 'sum') return integer ? (a + b) | 0 : a + b;
      return integer ? Math.imul(a, b) : a * b;
    };
    let running = 0;
    walk(input.shape, axis, reverse, (address, first) => {
      if (first) running = op === 'sum' ? 0 : 1;
      const next = combine(running, input.data[address] as number);
      out.data[address] = exclusive ? running : next;
      running = next;
    });
  },
};

export interface LinearScanAttrs {
  readonly axis: number;
  readonly reverse: boolean;
  /** Use the factor of the element before, in the direction of the scan. */
  readonly shifted: boolean;
}

/** h[s] = a[s]·h[s − 1] + b[s] with h[−1] = 0, or with a[s − 1] in place of a[s]. */
export const linearScanKernel: Kernel<LinearScanAttrs> = {
  name: 'linearScan',
  variants: ['default'],

  infer(op, [a, b], { axis }) {
    const { shape, dtype } = oneFloat(op, a, axis);
    if (!b || !sameShape(shape, b.shape)) {
      throw new ShapeError(
        `${op}: factors of shape ${formatShape(shape)} and terms of shape ${formatShape(b?.shape ?? [])} must be equal in ` +
          'shape; broadcastTo() one of them.',
      );
    }
    if (!isFloat(dtype) || b.dtype !== dtype)
      throw new DTypeError(`${op}: factors are ${dtype}, terms are ${b.dtype}; cast both to float.`);
    return [{ shape, dtype }];
  },

  plan(inputs, _outputs, attrs): Plan {
    const levels = levelsOf(rowsOf((inputs[0] as TensorSpec).shape, attrs.axis));
    const steps: Step[] = [];
    const scratch: number[] = [];
    // Level i > 0 has factors, terms and states in tmp(3i − 3), tmp(3i − 2) and tmp(3i − 1).
    const factors = (i: number): Slot => (i === 0 ? 'in0' : `tmp${3 * i - 3}`);
    const terms = (i: number): Slot => (i === 0 ? 'in1' : `tmp${3 * i - 2}`);
    const states = (i: number): Slot => (i === 0 ? 'out0' : `tmp${3 * i - 1}`);
    levels.slice(0, -1).forEach((level, i) => {
      scratch.push(bytesOf(level), bytesOf(level), bytesOf(level));
      const slots = [factors(i), terms(i), factors(i + 1), terms(i + 1)];
      const access = ['read', 'read', 'write', 'write'] as const;
      steps.push(step('linearTotals', access, slots, level, i === 0 ? attrs : { composed: true }, false, {}));
    });
    for (let i = levels.length - 1; i >= 0; i--) {
      const carried = i < levels.length - 1;
      const slots = [factors(i), terms(i), carried ? states(i + 1) : terms(i), states(i)];
      const access = ['read', 'read', 'read', 'write'] as const;
      steps.push(
        step('linear', access, slots, levels[i] as Level, i === 0 ? attrs : { composed: true }, carried, {}),
      );
    }
    return { steps, scratch };
  },

  reference(inputs, [out], { axis, reverse, shifted }) {
    const [a, b] = inputs as [HostTensor, HostTensor];
    if (!out) return;
    let state = 0;
    let before = 0;
    walk(a.shape, axis, reverse, (address, first) => {
      const factor = a.data[shifted ? before : address] as number;
      const term = b.data[address] as number;
      state = first ? term : factor * state + term;
      out.data[address] = state;
      before = address;
    });
  },
};

export interface ShiftAttrs {
  readonly axis: number;
  readonly reverse: boolean;
}

/** y[s] = x[s − 1] with y[0] = 0. */
export const shiftKernel: Kernel<ShiftAttrs> = {
  name: 'shift',
  variants: ['default'],

  infer(op, [input], { axis }) {
    const { shape, dtype } = oneFloat(op, input, axis);
    if (dtype === 'uint8') throw new DTypeError(`${op}: uint8 is packed; cast it first.`);
    return [{ shape, dtype }];
  },

  plan(inputs, _outputs, attrs): Plan {
    const rows = rowsOf((inputs[0] as TensorSpec).shape, attrs.axis);
    const level = { ...rows, parts: rows.length, chunk: 1 };
    return { steps: [step('shift', ['read', 'write'], ['in0', 'out0'], level, attrs, false, {})] };
  },

  reference([input], [out], { axis, reverse }) {
    if (!input || !out) return;
    let before = 0;
    walk(input.shape, axis, reverse, (address, first) => {
      out.data[address] = first ? 0 : (input.data[before] as number);
      before = address;
    });
  },
};
