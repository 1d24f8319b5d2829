/** What the kernels of max pooling share: their windows, the checks of what meets them, and a walk over all taps. */
import { isFloat } from '../src/core/dtype.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, type Shape } from '../src/core/shape.ts';
import type { TensorSpec } from './kernel.ts';

/** Windows along one spatial axis: window o has the elements from o·stride − before on, `size` of them. */
export interface PoolAxis {
  readonly input: number;
  readonly output: number;
  readonly size: number;
  readonly stride: number;
  readonly before: number;
}

export interface PoolAttrs {
  /** One to three spatial axes. Each window has an element inside the image. */
  readonly axes: readonly PoolAxis[];
}

/** Elements of a window up to which a winner fits into a byte. */
const BYTES = 256;

const volumeOf = (axes: readonly PoolAxis[]): number => axes.reduce((volume, { size }) => volume * size, 1);

export const winnerType = (axes: readonly PoolAxis[]): 'uint8' | 'int32' =>
  volumeOf(axes) <= BYTES ? 'uint8' : 'int32';

const ALONE: PoolAxis = { input: 1, output: 1, size: 1, stride: 1, before: 0 };

/** Depth, height and width; what is not there has an extent of 1. */
export const threeAxes = (axes: readonly PoolAxis[]): readonly PoolAxis[] =>
  [ALONE, ALONE, ...axes].slice(-3);

export type Side = 'input' | 'output';

export const shapeOn = (side: Side, { shape }: TensorSpec, axes: readonly PoolAxis[]): number[] => [
  shape[0] as number,
  ...axes.map((axis) => axis[side]),
  shape.at(-1) as number,
];

export function checkSide(
  op: string,
  input: TensorSpec | undefined,
  side: Side,
  axes: readonly PoolAxis[],
): TensorSpec {
  if (
    !input ||
    input.shape.length !== axes.length + 2 ||
    axes.some((axis, i) => axis[side] !== input.shape[i + 1])
  ) {
    throw new ShapeError(
      `${op}: shape ${formatShape(input?.shape ?? [])} does not have the spatial extents ` +
        `${formatShape(axes.map((axis) => axis[side]))}; pass the tensor that the geometry was made for.`,
    );
  }
  if (!isFloat(input.dtype))
    throw new DTypeError(`${op}: ${input.dtype} cannot be pooled; cast it to float first.`);
  return input;
}

export function checkWinners(
  op: string,
  winners: TensorSpec | undefined,
  like: Shape,
  axes: readonly PoolAxis[],
): void {
  if (winners?.dtype === winnerType(axes) && formatShape(winners.shape) === formatShape(like)) return;
  throw new ShapeError(
    `${op}: the winners do not belong to windows of shape ${formatShape(like)}; pass those of maxPool.`,
  );
}

export const extentsOn = (side: Side, axes: readonly PoolAxis[]): number[] =>
  threeAxes(axes).map((axis) => axis[side]);

/**
 * Calls `visit` for each window with the index in y and the tap's number and index in x, for taps inside the image. Taps
 * outside are not walked, so a window costs no more than the image, however large it is.
 */
export function forEachTap(
  batch: number,
  axes: readonly PoolAxis[],
  channels: number,
  visit: (window: number, tap: number, element: number) => void,
): void {
  const [depth, height, width] = threeAxes(axes) as [PoolAxis, PoolAxis, PoolAxis];
  /** Where window o starts along an axis, and its elements inside the image: from `low` to before `high`. */
  const windowOf = ({ input, size, stride, before }: PoolAxis, o: number) => {
    const start = o * stride - before;
    return { start, low: Math.max(start, 0), high: Math.min(start + size, input) };
  };
  let window = 0;
  for (let n = 0; n < batch; n++)
    for (let od = 0; od < depth.output; od++)
      for (let oh = 0; oh < height.output; oh++)
        for (let ow = 0; ow < width.output; ow++) {
          const [inDepth, inHeight, inWidth] = [
            windowOf(depth, od),
            windowOf(height, oh),
            windowOf(width, ow),
          ];
          for (let c = 0; c < channels; c++, window++)
            for (let d = inDepth.low; d < inDepth.high; d++)
              for (let h = inHeight.low; h < inHeight.high; h++)
                for (let w = inWidth.low; w < inWidth.high; w++) {
                  const row = (d - inDepth.start) * height.size + h - inHeight.start;
                  const pixel = ((n * depth.input + d) * height.input + h) * width.input + w;
                  visit(window, row * width.size + w - inWidth.start, pixel * channels + c);
                }
        }
}
