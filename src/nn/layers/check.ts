/** Checks of layers' options and of the shapes that they are built for. */
import type { Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { ArgumentError, ShapeError } from '../../core/errors.ts';
import { formatPartial, type PartialShape } from '../partial-shape.ts';

/** @throws ArgumentError unless it is a whole number ≥ 1. */
export function checkCount(op: string, name: string, value: unknown): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return;
  throw new ArgumentError(`${op}: ${name} is ${describe(value)}; pass a whole number ≥ 1.`);
}

/** @throws ArgumentError unless it is true or false. */
export function checkFlag(op: string, name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean')
    throw new ArgumentError(`${op}: ${name} is ${describe(value)}; pass true or false.`);
}

/** The only shape that a layer with one input is built for. */
export function onlyShape(inputShapes: readonly PartialShape[]): PartialShape {
  const [shape] = inputShapes;
  if (inputShapes.length !== 1 || !shape)
    throw new ArgumentError(`it takes one input, and was called on ${inputShapes.length}.`);
  return shape;
}

/** An extent that weights depend on. */
export function knownExtent(shape: PartialShape, axis: number, what: string): number {
  const extent = shape[axis < 0 ? shape.length + axis : axis];
  if (typeof extent === 'number' && extent > 0) return extent;
  throw new ShapeError(
    `the input of shape ${formatPartial(shape)} leaves its ${what} open, and the weights depend on it; name the extent in input().`,
  );
}

/** @throws ShapeError unless the input has so many axes. */
export function checkRank(shape: PartialShape, rank: number, layout: string): void {
  if (shape.length !== rank)
    throw new ShapeError(`it takes ${layout}, got ${formatPartial(shape)}; reshape the input.`);
}

/** @throws ShapeError when an input's extent is not what the weights were made for. */
export function checkExtent(shape: PartialShape, axis: number, wanted: number, what: string): void {
  const extent = shape[axis < 0 ? shape.length + axis : axis];
  if (extent !== wanted)
    throw new ShapeError(
      `it was built for ${what} of ${wanted}, and the input of shape ${formatPartial(shape)} has ${extent}.`,
    );
}

/** The only input that a layer with one input is called on. */
export function onlyInput(inputs: readonly Tensor[]): Tensor {
  const [x] = inputs;
  if (inputs.length !== 1 || !x)
    throw new ArgumentError(`it takes one input, and was called on ${inputs.length}.`);
  return x;
}
