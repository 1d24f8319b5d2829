/**
 * Results whose shape depends on the data. Their size must be known to the host, so these functions are async: they
 * read back (a mask, or sorted values) and must not stand inside `scope` or a captured step.
 */
import { noGrad } from '../autograd/modes.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, sizeOf } from '../core/shape.ts';
import { tensor } from './create.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import { reshape } from './shape.ts';
import { firstPositions, selectRows } from './sort.ts';

const positionsOf = (data: ArrayLike<number>): number[] => {
  const positions: number[] = [];
  for (let index = 0; index < data.length; index++) if (data[index] !== 0) positions.push(index);
  return positions;
};

/** The coordinates of the elements other than 0, int32 (count, rank), in row-major order; NaN is not 0. */
export async function nonzero(x: Tensor): Promise<Tensor> {
  assertTensor('nonzero', x);
  const { shape, rank, device } = x;
  const positions = positionsOf(await x.data());
  const coordinates = new Int32Array(positions.length * rank);
  positions.forEach((position, row) => {
    let rest = position;
    for (let axis = rank - 1; axis >= 0; axis--) {
      const extent = shape[axis] as number;
      coordinates[row * rank + axis] = rest % extent;
      rest = Math.floor(rest / extent);
    }
  });
  return tensor(coordinates, { device, shape: [positions.length, rank] });
}

/**
 * The elements of x where the bool `mask` is true, in row-major order: shape (count, …) with the axes of x that the mask
 * does not cover. The mask has the shape of x's first axes. Differentiable with respect to x.
 *
 * @throws ShapeError when the mask does not cover the first axes of x.
 */
export async function booleanMask(x: Tensor, mask: Tensor): Promise<Tensor> {
  assertTensor('booleanMask', x);
  assertTensor('booleanMask', mask);
  if (mask.dtype !== 'bool')
    throw new DTypeError(`booleanMask: the mask is ${mask.dtype}; compare it or cast it to bool.`);
  if (mask.rank > x.rank || mask.shape.some((extent, axis) => extent !== x.shape[axis])) {
    throw new ShapeError(
      `booleanMask: a mask of shape ${formatShape(mask.shape)} does not cover the first axes of ${formatShape(x.shape)}.`,
    );
  }
  const positions = Int32Array.from(positionsOf(await mask.data()));
  return scope(() => {
    const rows = reshape(x, [sizeOf(mask.shape), ...x.shape.slice(mask.rank)]);
    return selectRows('booleanMask', rows, tensor(positions, { device: x.device }));
  });
}

export interface UniqueOptions {
  /** Also return where each element of x stands among the values. Default: false. */
  returnInverse?: boolean;
}

export interface UniqueResult {
  /** The distinct elements in ascending order; all NaN count as one, which is last. */
  values: Tensor;
  /** How often each occurs, int32. */
  counts: Tensor;
  /** Of x's shape, int32: `values[inverse]` is x. */
  inverse?: Tensor;
}

/** The distinct elements of a tensor. No gradient. */
export async function unique(x: Tensor, options: UniqueOptions = {}): Promise<UniqueResult> {
  assertTensor('unique', x);
  checkOptions('unique', options, ['returnInverse']);
  const { shape, device, size } = x;
  const { sorted, order } = scope(() =>
    noGrad(() => {
      const flat = reshape(x, [size]);
      const order = firstPositions('unique', flat, 0);
      return { sorted: selectRows('unique', flat, order), order };
    }),
  );
  try {
    const [data, places] = await Promise.all([sorted.data(), order.data()]);
    const starts: number[] = [];
    const inverse = new Int32Array(size);
    for (let index = 0; index < size; index++) {
      const value = data[index] as number;
      const before = data[index - 1] as number;
      const same = value === before || (Number.isNaN(value) && Number.isNaN(before));
      if (index === 0 || !same) starts.push(index);
      inverse[places[index] as number] = starts.length - 1;
    }
    const counts = Int32Array.from(starts, (start, index) => (starts[index + 1] ?? size) - start);
    return scope(() => {
      const at = tensor(Int32Array.from(starts), { device });
      const result: UniqueResult = {
        values: selectRows('unique', sorted, at),
        counts: tensor(counts, { device }),
      };
      if (options.returnInverse) result.inverse = tensor(inverse, { device, shape });
      return result;
    });
  } finally {
    sorted.dispose();
    order.dispose();
  }
}
