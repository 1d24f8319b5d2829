/** Running products of floats along one axis, and the gradients of products: everything with an exponent apart. */
import { isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/scan-product.wgsl';
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

const module = wgslModule('scan-product', source);

/** Bytes of a pair (m, e), and of the two pairs of a map from one state to another. */
const PAIR = 8;
const MAP = 16;

interface Direction {
  readonly reverse: boolean;
  readonly exclusive: boolean;
}

/** Gives out scratch buffers, whose slots have one-digit names: a second scan takes those of the first again. */
class Scratch {
  readonly bytes: number[] = [];
  private next = 0;

  allocate(bytes: number): Slot {
    const index = this.next++;
    this.bytes[index] = Math.max(bytes, this.bytes[index] ?? 0);
    return `tmp${index}`;
  }

  /** What was given out after the first `kept` buffers is no longer read. */
  release(kept: number): void {
    this.next = kept;
  }
}

/**
 * The steps of a scan over levels. `down` writes what the parts of level i do into the elements of level i + 1; `up` scans
 * level i, from what the parts before gave, which is the scan of level i + 1. The last `up` is that of level 0.
 */
function overLevels(
  levels: readonly Level[],
  scratch: Scratch,
  bytes: { readonly element: number; readonly state: number },
  down: (level: Level, from: Slot | undefined, to: Slot) => Step,
  up: (level: Level, from: Slot | undefined, carry: Slot | undefined, to: Slot | undefined) => Step,
): Step[] {
  const steps: Step[] = [];
  const elements: (Slot | undefined)[] = [undefined];
  levels.slice(0, -1).forEach((level, i) => {
    const to = scratch.allocate(bytes.element * partsOf(level));
    elements.push(to);
    steps.push(down(level, elements[i], to));
  });
  let carry: Slot | undefined;
  for (let i = levels.length - 1; i >= 0; i--) {
    const level = levels[i] as Level;
    const to = i === 0 ? undefined : scratch.allocate(bytes.state * level.outer * level.length * level.inner);
    steps.push(up(level, elements[i], carry, to));
    carry = to;
  }
  return steps;
}

/** What the last pass of a product writes: floats, pairs, or floats that are multiplied by pairs. */
type Last = 'floats' | 'pairs' | { readonly times: Slot };

function productSteps(
  levels: readonly Level[],
  scratch: Scratch,
  input: Slot,
  output: Slot,
  { reverse, exclusive }: Direction,
  last: Last,
): Step[] {
  return overLevels(
    levels,
    scratch,
    { element: PAIR, state: PAIR },
    (level, from, to) =>
      levelStep(
        module,
        'productTotals',
        [
          ['read', from ?? input],
          ['write', to],
        ],
        level,
        from ? {} : { reverse },
        { RAW: Number(!from) },
      ),
    (level, from, carry, to) => {
      const elements = from ?? input;
      const flags = { ...(from ? {} : { reverse, exclusive }), carried: carry !== undefined };
      const ends = [
        ['read', elements],
        ['read', carry ?? elements],
      ] as const;
      if (!to && typeof last === 'object') {
        return levelStep(
          module,
          'productTimes',
          [...ends, ['read', last.times], ['write', output]],
          level,
          flags,
        );
      }
      return levelStep(module, 'productScan', [...ends, ['write', to ?? output]], level, flags, {
        RAW: Number(!from),
        JOINED: Number(!to && last === 'floats'),
      });
    },
  );
}

/** The plan of a running product of floats. */
export function planProductScan(levels: readonly Level[], direction: Direction): Plan {
  const scratch = new Scratch();
  const steps = productSteps(levels, scratch, 'in0', 'out0', direction, 'floats');
  return { steps, scratch: scratch.bytes };
}

const floatWithAxis = (op: string, input: TensorSpec | undefined, axis: number): TensorSpec => {
  const { shape, dtype } = withAxis(op, input, axis);
  if (!isFloat(dtype)) throw new DTypeError(`${op}: takes floats, got ${dtype}; cast it first.`);
  return { shape, dtype };
};

export interface ProductOfOthersAttrs {
  readonly axis: number;
}

/** y[s] = the product of all x[i] with i ≠ s: of those before times of those after, whatever these are. */
export const productOfOthersKernel: Kernel<ProductOfOthersAttrs> = {
  name: 'productOfOthers',
  variants: ['default'],

  infer: (op, [input], { axis }) => [floatWithAxis(op, input, axis)],

  plan([input], _outputs, { axis }): Plan {
    const { shape } = input as TensorSpec;
    const levels = levelsOf(rowsOf(shape, axis));
    const scratch = new Scratch();
    const before = scratch.allocate(PAIR * sizeOf(shape));
    const forward = { reverse: false, exclusive: true };
    const backward = { reverse: true, exclusive: true };
    const steps = productSteps(levels, scratch, 'in0', before, forward, 'pairs');
    scratch.release(1);
    steps.push(...productSteps(levels, scratch, 'in0', 'out0', backward, { times: before }));
    return { steps, scratch: scratch.bytes };
  },

  reference([x], [out], { axis }) {
    if (!x || !out) return;
    let running = 1;
    walk(x.shape, axis, false, (address, first) => {
      if (first) running = 1;
      out.data[address] = running;
      running *= x.data[address] as number;
    });
    walk(x.shape, axis, true, (address, first) => {
      if (first) running = 1;
      out.data[address] = (out.data[address] as number) * running;
      running *= x.data[address] as number;
    });
  },
};

export interface CumprodGradientAttrs extends Direction {
  readonly axis: number;
}

/** a · b, and 0 where either is 0. */
const cut = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

/**
 * The gradient of a running product y of x (in0) for the gradient g of y (in1):
 * ∂x[k] = Π_{i<k} x[i] · h[k], with h[k] = Σ_{j≥k} g[j]·Π_{k<i≤j} x[i] = g[k] + x[k + 1]·h[k + 1], without a division, so that
 * it holds at zeros too. For an exclusive product g[k + 1] stands in place of g[k]. What is multiplied by 0 is 0.
 */
export const cumprodGradientKernel: Kernel<CumprodGradientAttrs> = {
  name: 'cumprodGradient',
  variants: ['default'],

  infer(op, [x, g], { axis }) {
    const { shape, dtype } = floatWithAxis(op, x, axis);
    if (!g || !sameShape(shape, g.shape) || g.dtype !== dtype) {
      throw new ShapeError(
        `${op}: the gradient is ${g?.dtype} of shape ${formatShape(g?.shape ?? [])}; it must be ${dtype} of shape ` +
          `${formatShape(shape)}, as the product.`,
      );
    }
    return [{ shape, dtype }];
  },

  plan([x], _outputs, { axis, reverse, exclusive }): Plan {
    const { shape } = x as TensorSpec;
    const levels = levelsOf(rowsOf(shape, axis));
    const scratch = new Scratch();
    const before = scratch.allocate(PAIR * sizeOf(shape));
    const steps = productSteps(levels, scratch, 'in0', before, { reverse, exclusive: true }, 'pairs');
    scratch.release(1);
    const flagsOf = (raw: boolean) => (raw ? { reverse: !reverse, exclusive } : {});
    steps.push(
      ...overLevels(
        levels,
        scratch,
        { element: MAP, state: PAIR },
        (level, from, to) =>
          levelStep(
            module,
            'gradientTotals',
            [
              ['read', from ?? 'in0'],
              ['read', from ?? 'in1'],
              ['write', to],
            ],
            level,
            flagsOf(!from),
            { RAW: Number(!from) },
          ),
        (level, from, carry, to) =>
          levelStep(
            module,
            'gradientScan',
            [
              ['read', from ?? 'in0'],
              ['read', from ?? 'in1'],
              ['read', carry ?? from ?? 'in0'],
              ['read', from ?? before],
              ['write', to ?? 'out0'],
            ],
            level,
            { ...flagsOf(!from), carried: carry !== undefined },
            { RAW: Number(!from) },
          ),
      ),
    );
    return { steps, scratch: scratch.bytes };
  },

  reference(inputs, [out], { axis, reverse, exclusive }) {
    const [x, g] = inputs as [HostTensor, HostTensor];
    if (!out) return;
    let running = 1;
    walk(x.shape, axis, reverse, (address, first) => {
      if (first) running = 1;
      out.data[address] = running;
      running *= x.data[address] as number;
    });
    let state = 0;
    let after = 0;
    walk(x.shape, axis, !reverse, (address, first) => {
      const term = exclusive ? (first ? 0 : (g.data[after] as number)) : (g.data[address] as number);
      const carried = first ? 0 : cut(x.data[after] as number, state);
      state = carried + term;
      out.data[address] = cut(out.data[address] as number, state);
      after = address;
    });
  },
};
