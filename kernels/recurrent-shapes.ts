/** What the kernels of recurrent layers share: their options, the order of their inputs, and the checks of shapes. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, type Shape, sameShape } from '../src/core/shape.ts';
import type { TensorSpec } from './kernel.ts';

/** `gruReset` is a GRU that resets the state before the product, the first published form. */
export type RecurrentCell = 'simple' | 'lstm' | 'gru' | 'gruReset';

/** The activations that a cell can have; the derivative of each is known from its output. */
export const RECURRENT_ACTIVATIONS = ['tanh', 'relu', 'sigmoid', 'linear', 'hardSigmoid'] as const;

export type RecurrentActivation = (typeof RECURRENT_ACTIVATIONS)[number];

/** The code of a cell in the shaders. */
export const CELLS: readonly RecurrentCell[] = ['simple', 'lstm', 'gru', 'gruReset'];

/** Columns of the recurrent kernel for each unit. */
export const GATES: Readonly<Record<RecurrentCell, number>> = { simple: 1, lstm: 4, gru: 3, gruReset: 3 };

/** Numbers that a cell keeps for its gradient, for each unit and step. */
export const partsOf = (cell: RecurrentCell): number => (cell === 'simple' ? 1 : 5);

export interface RecurrentAttrs {
  readonly cell: RecurrentCell;
  readonly activation: RecurrentActivation;
  /** Of the gates; a simple cell has none. */
  readonly recurrentActivation: RecurrentActivation;
  /** The steps go from the last one of the input to the first. */
  readonly reversed: boolean;
  /** There is an input (2, columns), for a `gru` alone: what is added to x, and what is added to the product. */
  readonly bias: boolean;
  /** There is an input (batch, units) that multiplies h before the product. */
  readonly recurrentMask: boolean;
  /** There is a bool input (batch, steps): the state stays as it is where it is false. */
  readonly mask: boolean;
  /** There are initial states: h, and c for an LSTM. */
  readonly initial: boolean;
}

export interface RecurrentGradientAttrs extends RecurrentAttrs {
  /** Which gradients come in: of the sequence, of the last h, of the last c. */
  readonly ofSequence: boolean;
  readonly ofH: boolean;
  readonly ofC: boolean;
  /** There is a last output (batch, steps, units): the whole gradient of h of each step, in the order of the steps. */
  readonly total: boolean;
}

export interface RecurrentSizes {
  readonly batch: number;
  readonly steps: number;
  readonly units: number;
  readonly columns: number;
}

/** A list by the names of its members. */
export type Named<Name extends string, T> = Readonly<Partial<Record<Name, T>>>;

export type ForwardInput = 'x' | 'kernel' | 'bias' | 'recurrentMask' | 'mask' | 'h' | 'c';
export type GradientInput = 'kernel' | 'saved' | 'recurrentMask' | 'mask' | 'sequence' | 'h' | 'c';

/** The inputs of the layer that are there, in their order. */
export const forwardInputs = (attrs: RecurrentAttrs): ForwardInput[] => {
  const { cell, bias, recurrentMask, mask, initial } = attrs;
  return [
    'x',
    'kernel',
    ...(bias ? (['bias'] as const) : []),
    ...(recurrentMask ? (['recurrentMask'] as const) : []),
    ...(mask ? (['mask'] as const) : []),
    ...(initial ? (['h'] as const) : []),
    ...(initial && cell === 'lstm' ? (['c'] as const) : []),
  ];
};

/** The inputs of the gradient that are there, in their order. */
export const gradientInputs = (attrs: RecurrentGradientAttrs): GradientInput[] => {
  const { recurrentMask, mask, ofSequence, ofH, ofC } = attrs;
  return [
    'kernel',
    'saved',
    ...(recurrentMask ? (['recurrentMask'] as const) : []),
    ...(mask ? (['mask'] as const) : []),
    ...(ofSequence ? (['sequence'] as const) : []),
    ...(ofH ? (['h'] as const) : []),
    ...(ofC ? (['c'] as const) : []),
  ];
};

export type GradientOutput = 'gates' | 'product' | 'h' | 'c' | 'total';

/** The outputs of the gradient, in their order. */
export const gradientOutputs = ({ cell, initial, total }: RecurrentGradientAttrs): GradientOutput[] => [
  'gates',
  ...(cell === 'gru' ? (['product'] as const) : []),
  ...(initial ? (['h'] as const) : []),
  ...(initial && cell === 'lstm' ? (['c'] as const) : []),
  ...(total ? (['total'] as const) : []),
];

/** The members of a list by name. */
export function named<Name extends string, T>(names: readonly Name[], list: readonly T[]): Named<Name, T> {
  const result: Partial<Record<Name, T>> = {};
  names.forEach((name, index) => {
    result[name] = list[index] as T;
  });
  return result;
}

function checkEach(
  op: string,
  names: readonly string[],
  inputs: readonly TensorSpec[],
  shapes: Readonly<Record<string, Shape>>,
): void {
  if (inputs.length !== names.length)
    throw new ArgumentError(`${op}: takes ${names.join(', ')}, got ${inputs.length} tensors.`);
  names.forEach((name, index) => {
    const { shape, dtype } = inputs[index] as TensorSpec;
    const wanted = shapes[name] as Shape;
    if (!sameShape(shape, wanted)) {
      throw new ShapeError(
        `${op}: ${name} has shape ${formatShape(shape)}; the other inputs need ${formatShape(wanted)}.`,
      );
    }
    if (name === 'mask' ? dtype !== 'bool' : !isFloat(dtype) || dtype !== inputs[0]?.dtype) {
      throw new DTypeError(
        `${op}: ${name} is ${dtype}; ${name === 'mask' ? 'a mask is bool' : 'it must be a float like the other inputs'}; cast it.`,
      );
    }
  });
}

function checkSteps(op: string, steps: number): void {
  if (steps > 0) return;
  throw new ShapeError(`${op}: the sequence has no steps; the state stays what it was.`);
}

/** Checks the inputs of the layer. */
export function forwardSizes(
  op: string,
  inputs: readonly TensorSpec[],
  attrs: RecurrentAttrs,
): RecurrentSizes {
  const names = forwardInputs(attrs);
  const { x, kernel } = named(names, inputs);
  const [batch = 0, steps = 0, columns = 0] = x?.shape ?? [];
  const units = kernel?.shape[0] ?? 0;
  if (x?.shape.length !== 3 || columns !== GATES[attrs.cell] * units) {
    throw new ShapeError(
      `${op}: a projected input of shape ${formatShape(x?.shape ?? [])} for a recurrent kernel of shape ` +
        `${formatShape(kernel?.shape ?? [])}; they must be (batch, steps, ${GATES[attrs.cell]} units) and (units, ` +
        `${GATES[attrs.cell]} units).`,
    );
  }
  checkSteps(op, steps);
  const state = [batch, units];
  checkEach(op, names, inputs, {
    x: [batch, steps, columns],
    kernel: [units, columns],
    bias: [2, columns],
    recurrentMask: state,
    mask: [batch, steps],
    h: state,
    c: state,
  });
  return { batch, steps, units, columns };
}

/** Checks the inputs of the gradient. */
export function gradientSizes(
  op: string,
  inputs: readonly TensorSpec[],
  attrs: RecurrentGradientAttrs,
): RecurrentSizes {
  const names = gradientInputs(attrs);
  const { kernel, saved } = named(names, inputs);
  const units = kernel?.shape[0] ?? 0;
  const columns = GATES[attrs.cell] * units;
  const [batch = 0, steps = 0] = saved?.shape ?? [];
  checkSteps(op, steps);
  const state = [batch, units];
  checkEach(op, names, inputs, {
    kernel: [units, columns],
    saved: [batch, steps, partsOf(attrs.cell) * units],
    recurrentMask: state,
    mask: [batch, steps],
    sequence: [batch, steps, units],
    h: state,
    c: state,
  });
  return { batch, steps, units, columns };
}
