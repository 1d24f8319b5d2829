/** Order along an axis: sort, argsort, topk; and rows by their position. */
import { moveAlongKernel, type SortAttrs, sortKernel } from '../../kernels/sort.ts';
import { apply, applyAll, type Op, runKernel, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { normalizeAxis, type Shape } from '../core/shape.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';

/** `op` calls it: errors speak in its name. */
const gatherOp: Op<{ readonly axis: number; readonly op?: string }> = {
  name: 'gatherAlong',
  forward: (inputs, { axis, op = 'gatherAlong' }) => runKernel1(op, moveAlongKernel, inputs, { axis }),
  saves: ([, indices]) => [indices],
  backward: ({ grad, saved: [indices], attrs: { axis }, inputs: [x] }) => [
    () =>
      apply(scatterOp, [grad, indices as Tensor], {
        axis,
        extent: (x as { shape: Shape }).shape[axis] as number,
      }),
    undefined,
  ],
};

const scatterOp: Op<{ readonly axis: number; readonly extent: number }> = {
  name: 'scatterAlong',
  forward: (inputs, attrs) => runKernel1('scatterAlong', moveAlongKernel, inputs, attrs),
  saves: ([, indices]) => [indices],
  backward: ({ grad, saved: [indices], attrs: { axis } }) => [
    () => apply(gatherOp, [grad, indices as Tensor], { axis }),
    undefined,
  ],
};

/** Rows of x by indices in range, for `op`. Its gradient holds for distinct indices only; repeat them under `noGrad` alone. */
export const selectRows = (op: string, x: Tensor, indices: Tensor): Tensor =>
  apply(gatherOp, [x, indices], { axis: 0, op });

const sortOp = (name: string): Op<SortAttrs> => ({
  name,
  forward: ([x], attrs) => runKernel(name, sortKernel, [x as Tensor], attrs),
  saves: (_, [, indices]) => [indices],
  backward: ({ grad, saved: [indices], attrs: { axis }, inputs: [x] }) => [
    () =>
      apply(scatterOp, [grad, indices as Tensor], {
        axis,
        extent: (x as { shape: Shape }).shape[axis] as number,
      }),
  ],
});

const sortValuesOp = sortOp('sort');
const topkOp = sortOp('topk');

export interface SortOptions {
  /** Default: −1, the last. */
  axis?: number;
  /** Default: false. */
  descending?: boolean;
}

function orderOf(op: string, x: Tensor, options: SortOptions): { axis: number; descending: boolean } {
  assertTensor(op, x);
  checkOptions(op, options, ['axis', 'descending']);
  const { axis = -1, descending = false } = options;
  return { axis: normalizeAxis(op, axis, x.rank), descending };
}

/** The elements in ascending order along an axis. Stable; NaN comes last in either direction. */
export function sort(x: Tensor, options: SortOptions = {}): Tensor {
  const { axis, descending } = orderOf('sort', x, options);
  const [values, indices] = applyAll(sortValuesOp, [x], {
    axis,
    descending,
  }) as [Tensor, Tensor];
  indices.dispose();
  return values;
}

/** Where the elements of `sort(x)` stand in x, int32. */
export function argsort(x: Tensor, options: SortOptions = {}): Tensor {
  const { axis, descending } = orderOf('argsort', x, options);
  return firstPositions('argsort', x, axis, descending);
}

/** Where the first `keep` elements of the sorted x stand in x, all of them by default; for `op`. */
export function firstPositions(
  op: string,
  x: Tensor,
  axis: number,
  descending = false,
  keep?: number,
): Tensor {
  const attrs = { axis, descending, ...(keep === undefined ? {} : { keep }) };
  const [values, indices] = runKernel(op, sortKernel, [x], attrs) as [Tensor, Tensor];
  values.dispose();
  return indices;
}

export interface TopkOptions {
  /** Default: −1, the last. */
  axis?: number;
  /** The largest elements, or the smallest. Default: true. */
  largest?: boolean;
}

/**
 * The k largest (or smallest) elements along an axis and where they stand, int32. Of equals the first ones are taken;
 * a NaN only when the numbers do not suffice. The best come first.
 *
 * @throws ArgumentError unless 0 ≤ k ≤ the axis's extent.
 */
export function topk(x: Tensor, k: number, options: TopkOptions = {}): { values: Tensor; indices: Tensor } {
  assertTensor('topk', x);
  checkOptions('topk', options, ['axis', 'largest'], 'x, k');
  const { axis = -1, largest = true } = options;
  const [values, indices] = applyAll(topkOp, [x], {
    axis: normalizeAxis('topk', axis, x.rank),
    descending: largest,
    keep: k,
  }) as [Tensor, Tensor];
  return { values, indices };
}
