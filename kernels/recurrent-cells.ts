/** The cells of recurrent layers and their gradients, one row and one step at a time: what the references are made of. */
import type { RecurrentActivation, RecurrentCell } from './recurrent-shapes.ts';

/** The activations. */
export const ACTIVATE: Readonly<Record<RecurrentActivation, (v: number) => number>> = {
  tanh: Math.tanh,
  relu: (v) => Math.max(v, 0),
  sigmoid: (v) => 1 / (1 + Math.exp(-v)),
  linear: (v) => v,
  hardSigmoid: (v) => Math.min(Math.max((v + 3) / 6, 0), 1),
};

/** d times the derivative, which is known from the output y. */
export const SLOPE: Readonly<Record<RecurrentActivation, (d: number, y: number) => number>> = {
  tanh: (d, y) => d * ((1 - y) * (1 + y)),
  relu: (d, y) => (y > 0 ? d : 0 * y),
  sigmoid: (d, y) => d * (y * (1 - y)),
  linear: (d) => d,
  hardSigmoid: (d, y) => (y > 0 && y < 1 ? d / 6 : 0 * y),
};

type Vector = readonly number[];

/** What a cell sees of a step; gates and units are counted. */
export interface CellStep {
  readonly h: Vector;
  readonly c: Vector;
  /** h times the recurrent mask. */
  readonly masked: Vector;
  /** The projected input and its bias. */
  readonly x: (gate: number, j: number) => number;
  /** The product of a vector with the recurrent kernel, and its bias. */
  readonly product: (vector: Vector, gate: number, j: number) => number;
  readonly f: (v: number) => number;
  readonly s: (v: number) => number;
}

/** What a cell makes of a step: the state, and what its gradient needs, by parts. */
export interface CellResult {
  readonly h: Vector;
  readonly c: Vector;
  readonly parts: readonly Vector[];
}

/** z·h + (1 − z)·n, in all units. */
const blend = (z: Vector, h: Vector, n: Vector): Vector =>
  z.map((v, j) => v * (h[j] as number) + (1 - v) * (n[j] as number));

export const CELL_STEP: Readonly<Record<RecurrentCell, (step: CellStep) => CellResult>> = {
  simple({ c, masked, x, product, f }) {
    const h = masked.map((_, j) => f(x(0, j) + product(masked, 0, j)));
    return { h, c, parts: [h] };
  },

  lstm({ c: before, masked, x, product, f, s }) {
    const gate = (g: number, activation: (v: number) => number): Vector =>
      masked.map((_, j) => activation(x(g, j) + product(masked, g, j)));
    const [i, forget, g, o] = [gate(0, s), gate(1, s), gate(2, f), gate(3, s)] as const;
    const c = before.map((v, j) => (forget[j] as number) * v + (i[j] as number) * (g[j] as number));
    const h = c.map((v, j) => (o[j] as number) * f(v));
    return { h, c, parts: [i, forget, g, o, before] };
  },

  gru({ h, c, masked, x, product, f, s }) {
    const z = h.map((_, j) => s(x(0, j) + product(masked, 0, j)));
    const r = h.map((_, j) => s(x(1, j) + product(masked, 1, j)));
    const inner = h.map((_, j) => product(masked, 2, j));
    const n = r.map((v, j) => f(x(2, j) + v * (inner[j] as number)));
    return { h: blend(z, h, n), c, parts: [z, r, n, inner, h] };
  },

  gruReset({ h, c, masked, x, product, f, s }) {
    const z = h.map((_, j) => s(x(0, j) + product(masked, 0, j)));
    const r = h.map((_, j) => s(x(1, j) + product(masked, 1, j)));
    const reset = r.map((v, j) => v * (masked[j] as number));
    const n = h.map((_, j) => f(x(2, j) + product(reset, 2, j)));
    return { h: blend(z, h, n), c, parts: [z, r, n, reset, h] };
  },
};

/** What the gradient of a cell sees of one unit: the gradients of h and c, and the parts that were kept. */
export interface UnitGradient {
  readonly d: number;
  readonly dc: number;
  readonly parts: Vector;
  readonly f: (v: number) => number;
  readonly slopeF: (d: number, y: number) => number;
  readonly slopeS: (d: number, y: number) => number;
}

/** Of one unit: the gradients of its gates, of the products in them, of c before, and what reaches h before directly. */
export interface UnitResult {
  readonly gates: Vector;
  readonly products: Vector;
  readonly dc: number;
  readonly direct: number;
}

type Five = readonly [number, number, number, number, number];

export const CELL_GRADIENT: Readonly<Record<RecurrentCell, (unit: UnitGradient) => UnitResult>> = {
  simple({ d, parts: [h], slopeF }) {
    const gates = [slopeF(d, h as number)];
    return { gates, products: gates, dc: 0, direct: 0 };
  },

  lstm({ d, dc: later, parts, f, slopeF, slopeS }) {
    const [i, forget, g, o, before] = parts as Five;
    const y = f(forget * before + i * g);
    const dc = later + slopeF(d * o, y);
    const gates = [slopeS(dc * g, i), slopeS(dc * before, forget), slopeF(dc * i, g), slopeS(d * y, o)];
    return { gates, products: gates, dc: dc * forget, direct: 0 };
  },

  gru({ d, parts, slopeF, slopeS }) {
    const [z, r, n, inner, before] = parts as Five;
    const dz = slopeS(d * (before - n), z);
    const dn = slopeF(d * (1 - z), n);
    const dr = slopeS(dn * inner, r);
    return { gates: [dz, dr, dn], products: [dz, dr, dn * r], dc: 0, direct: d * z };
  },

  /** The gradient of r has to wait for that of the product with r·h. */
  gruReset({ d, parts, slopeF, slopeS }) {
    const [z, , n, , before] = parts as Five;
    const gates = [slopeS(d * (before - n), z), 0, slopeF(d * (1 - z), n)];
    return { gates, products: gates, dc: 0, direct: d * z };
  },
};
