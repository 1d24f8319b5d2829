/** Running sums and products, linear recurrences, and shifts along one axis. */
import { isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape } from '../src/core/shape.ts';
import source from '../wgsl/scan.wgsl';
import {
  type HostTensor,
  type Kernel,
  type Plan,
  type Slot,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';
import { type Level, levelStep, levelsOf, partsOf, rowsOf, walk, withAxis } from './scan-levels.ts';
import { planProductScan } from './scan-product.ts';

const module = wgslModule('scan', source);

export interface ScanAttrs {
  readonly op: 'sum' | 'prod';
  readonly axis: number;
  /** From the end to the start. */
  readonly reverse: boolean;
  /** Without the element itself. */
  readonly exclusive: boolean;
}

/**
 * y[s] = x[0] + … + x[s], or the product; int32 wraps around. Floats are added in nested blocks: as in any other order, the
 * sums are finite as long as Σ|x| is. Products are zero or infinite only where a prefix itself is beyond the range of
 * float32, whatever the products of its parts are; a prefix with a zero among finite factors is zero.
 */
export const scanKernel: Kernel<ScanAttrs> = {
  name: 'scan',
  variants: ['default'],

  infer(op, [input], { axis }) {
    const { shape, dtype } = withAxis(op, input, axis);
    if (!isFloat(dtype) && dtype !== 'int32')
      throw new DTypeError(`${op}: ${dtype} cannot be accumulated; cast it to float or int32 first.`);
    return [{ shape, dtype }];
  },

  plan(inputs, _outputs, attrs): Plan {
    const input = inputs[0] as TensorSpec;
    const levels = levelsOf(rowsOf(input.shape, attrs.axis));
    const float = input.dtype === 'float32';
    if (float && attrs.op === 'prod') return planProductScan(levels, attrs);
    const constants = { PRODUCT: Number(attrs.op === 'prod'), FLOAT: Number(float) };
    const steps: Step[] = [];
    const scratch: number[] = [];
    // Level i > 0 has its elements in tmp(2i − 2) and its scan in tmp(2i − 1).
    const elements = (i: number): Slot => (i === 0 ? 'in0' : `tmp${2 * i - 2}`);
    const scanned = (i: number): Slot => (i === 0 ? 'out0' : `tmp${2 * i - 1}`);
    levels.slice(0, -1).forEach((level, i) => {
      scratch.push(4 * partsOf(level), 4 * partsOf(level));
      const bindings = [
        ['read', elements(i)],
        ['write', elements(i + 1)],
      ] as const;
      steps.push(
        levelStep(module, 'totals', bindings, level, i === 0 ? { reverse: attrs.reverse } : {}, constants),
      );
    });
    for (let i = levels.length - 1; i >= 0; i--) {
      const carried = i < levels.length - 1;
      const { reverse, exclusive } = attrs;
      const flags = { ...(i === 0 ? { reverse, exclusive } : {}), carried };
      const bindings = [
        ['read', elements(i)],
        ['read', carried ? scanned(i + 1) : elements(i)],
        ['write', scanned(i)],
      ] as const;
      steps.push(levelStep(module, 'scan', bindings, levels[i] as Level, flags, constants));
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

/**
 * h[s] = a[s]·h[s − 1] + b[s] with h[−1] = 0, or with a[s − 1] in place of a[s]. A factor of 0 forgets the state before it,
 * whatever that is: 0·∞ counts as 0.
 */
export const linearScanKernel: Kernel<LinearScanAttrs> = {
  name: 'linearScan',
  variants: ['default'],

  infer(op, [a, b], { axis }) {
    const { shape, dtype } = withAxis(op, a, axis);
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

  plan(inputs, _outputs, { axis, ...flags }): Plan {
    const levels = levelsOf(rowsOf((inputs[0] as TensorSpec).shape, axis));
    const steps: Step[] = [];
    const scratch: number[] = [];
    // Level i > 0 has factors, terms and states in tmp(3i − 3), tmp(3i − 2) and tmp(3i − 1).
    const factors = (i: number): Slot => (i === 0 ? 'in0' : `tmp${3 * i - 3}`);
    const terms = (i: number): Slot => (i === 0 ? 'in1' : `tmp${3 * i - 2}`);
    const states = (i: number): Slot => (i === 0 ? 'out0' : `tmp${3 * i - 1}`);
    levels.slice(0, -1).forEach((level, i) => {
      const bytes = 4 * partsOf(level);
      scratch.push(bytes, bytes, bytes);
      const bindings = [
        ['read', factors(i)],
        ['read', terms(i)],
        ['write', factors(i + 1)],
        ['write', terms(i + 1)],
      ] as const;
      steps.push(levelStep(module, 'linearTotals', bindings, level, i === 0 ? flags : { composed: true }));
    });
    for (let i = levels.length - 1; i >= 0; i--) {
      const carried = i < levels.length - 1;
      const bindings = [
        ['read', factors(i)],
        ['read', terms(i)],
        ['read', carried ? states(i + 1) : terms(i)],
        ['write', states(i)],
      ] as const;
      const own = { ...(i === 0 ? flags : { composed: true }), carried };
      steps.push(levelStep(module, 'linear', bindings, levels[i] as Level, own));
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
      state = first || factor === 0 ? term : factor * state + term;
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
    const { shape, dtype } = withAxis(op, input, axis);
    if (dtype === 'uint8') throw new DTypeError(`${op}: uint8 is packed; cast it first.`);
    return [{ shape, dtype }];
  },

  plan(inputs, _outputs, { axis, reverse }): Plan {
    const rows = rowsOf((inputs[0] as TensorSpec).shape, axis);
    const level = { ...rows, parts: rows.length, chunk: 1 };
    const bindings = [
      ['read', 'in0'],
      ['write', 'out0'],
    ] as const;
    return { steps: [levelStep(module, 'shift', bindings, level, { reverse })] };
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
