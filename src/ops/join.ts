/** Tensors joined along an axis, taken apart again, or both in turn. */
import { CONCAT_PARTS, concatKernel, joined } from '../../kernels/concat.ts';
import { filled } from '../autograd/engine-ops.ts';
import { apply, applyAll, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { checkShape, formatShape, normalizeAxis, type Shape, sameShape } from '../core/shape.ts';
import { assertTensor, assertTensors, checkMovable } from './operand.ts';
import { apart, expandDims, reshape } from './shape.ts';
import { along, whole } from './slice.ts';

/** A dispatch joins a few tensors; more of them are joined in groups, and the groups again. */
function joinAll(op: string, tensors: readonly Tensor[], axis: number): Tensor {
  let list = tensors;
  while (list.length > CONCAT_PARTS) {
    const groups: Tensor[] = [];
    for (let at = 0; at < list.length; at += CONCAT_PARTS) {
      const group = list.slice(at, at + CONCAT_PARTS);
      groups.push(group.length > 1 ? runKernel1(op, concatKernel, group, { axis }) : (group[0] as Tensor));
    }
    list = groups;
  }
  return runKernel1(op, concatKernel, list, { axis });
}

interface Join {
  readonly op: string;
  readonly axis: number;
}

const concatOp: Op<Join> = {
  name: 'concat',
  forward: (tensors, { op, axis }) => scope(() => joinAll(op, tensors, axis)),
  backward({ grad, attrs: { axis }, inputs }) {
    let end = 0;
    return inputs.map(({ shape }) => {
      const start = end;
      end += shape[axis] as number;
      const stop = end;
      return () => along(grad, axis, start, stop);
    });
  },
};

/** `concat` under the name of the op that needs it; the axis is in [0, rank). */
export function joinAlong(op: string, tensors: readonly Tensor[], axis: number): Tensor {
  joined(op, tensors, axis);
  return apply(concatOp, tensors, { op, axis });
}

function firstOf(op: string, tensors: readonly Tensor[]): Tensor {
  assertTensors(op, tensors);
  const [first] = tensors;
  if (!first) throw new ArgumentError(`${op}: no tensors given; it takes at least one.`);
  return first;
}

/** The tensors one behind the other along `axis`, where alone their extents may differ; any number of them. */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const { rank } = firstOf('concat', tensors);
  if (rank === 0) throw new ShapeError('concat: scalars have no axis to be joined along; use stack.');
  return joinAlong('concat', tensors, normalizeAxis('concat', axis, rank));
}

/** Tensors of one shape as the slices of a new axis, which stands at `axis` of the result. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = firstOf('stack', tensors);
  const at = normalizeAxis('stack', axis, first.rank + 1);
  tensors.forEach(({ shape }, index) => {
    if (sameShape(shape, first.shape)) return;
    throw new ShapeError(
      `stack: tensor 0 has shape ${formatShape(first.shape)}, tensor ${index} has ${formatShape(shape)}; all must have ` +
        `the same shape.`,
    );
  });
  checkShape('stack', [...first.shape, 1]);
  return scope(() =>
    joinAlong(
      'stack',
      tensors.map((tensor) => expandDims(tensor, at)),
      at,
    ),
  );
}

interface Split {
  readonly axis: number;
  readonly sizes: readonly number[];
}

const splitOp: Op<Split> = {
  name: 'split',
  forward([x], { axis, sizes }) {
    let end = 0;
    return sizes.map((size) => {
      end += size;
      return along(x as Tensor, axis, end - size, end);
    });
  },
  backward: ({ grad, grads, attrs: { axis }, outputs }) => [
    () =>
      joinAlong(
        'split',
        outputs.map(({ shape }, index) => grads[index] ?? filled(grad.device, shape, 0)),
        axis,
      ),
  ],
};

/**
 * Cuts x along `axis`: into `sections` equal parts, or into parts of the given sizes, which add up to its extent.
 * (NumPy's list holds positions; this one holds sizes.)
 */
export function split(x: Tensor, sectionsOrSizes: number | readonly number[], axis = 0): Tensor[] {
  assertTensor('split', x);
  checkMovable('split', x);
  const at = normalizeAxis('split', axis, x.rank);
  const extent = x.shape[at] as number;
  const where = `axis ${at} of ${formatShape(x.shape)}`;
  let sizes: readonly number[];
  if (typeof sectionsOrSizes === 'number') {
    const sections = sectionsOrSizes;
    if (!Number.isInteger(sections) || sections < 1)
      throw new ArgumentError(`split: ${sections} sections; their number is a whole number ≥ 1.`);
    if (extent % sections !== 0) {
      throw new ShapeError(
        `split: ${where} with extent ${extent} has no ${sections} equal sections; give the sizes as a list.`,
      );
    }
    sizes = new Array<number>(sections).fill(extent / sections);
  } else {
    if (!Array.isArray(sectionsOrSizes)) {
      throw new ArgumentError(
        `split: ${describe(sectionsOrSizes)} is no number of sections and no list of sizes; pass one of them.`,
      );
    }
    sizes = sectionsOrSizes;
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (sizes.length === 0 || sizes.some((size) => !Number.isInteger(size) || size < 0) || total !== extent) {
      throw new ShapeError(
        `split: sizes [${sizes.join(', ')}] do not cut ${where}; they must be whole numbers ≥ 0 that add up to ${extent}.`,
      );
    }
  }
  return applyAll(splitOp, [x], { axis: at, sizes });
}

const without = (shape: Shape, axis: number): Shape => shape.filter((_, a) => a !== axis);

/** The slices of an axis, without that axis: the inverse of `stack`. */
export function unstack(x: Tensor, axis = 0): Tensor[] {
  assertTensor('unstack', x);
  checkMovable('unstack', x);
  const at = normalizeAxis('unstack', axis, x.rank);
  const extent = x.shape[at] as number;
  if (extent === 0) return [];
  return scope(() => split(x, extent, at).map((part) => reshape(part, without(x.shape, at))));
}

/** Positions to move along each axis. */
const rollOp: Op<readonly number[]> = {
  name: 'roll',
  forward: ([x], shifts) =>
    scope(() => {
      let y = x as Tensor;
      shifts.forEach((shift, axis) => {
        const extent = y.shape[axis] as number;
        const cut = extent === 0 ? 0 : ((-shift % extent) + extent) % extent;
        if (cut !== 0) y = joinAlong('roll', [along(y, axis, cut, extent), along(y, axis, 0, cut)], axis);
      });
      return apart(y, x as Tensor);
    }),
  backward: ({ grad, attrs: shifts }) => [
    () =>
      apply(
        rollOp,
        [grad],
        shifts.map((shift) => -shift),
      ),
  ],
};

/**
 * The elements moved by `shift` positions along an axis; those that leave at one end enter at the other. Several axes
 * take one shift each, or share one; without an axis, the flattened elements move.
 */
export function roll(
  x: Tensor,
  shift: number | readonly number[],
  axes?: number | readonly number[],
): Tensor {
  assertTensor('roll', x);
  checkMovable('roll', x);
  const shifts = Array.isArray(shift) ? (shift as readonly number[]) : [shift as number];
  for (const by of shifts) whole('roll', 'shift', by);
  if (axes === undefined) {
    const total = shifts.reduce((sum, by) => sum + by, 0);
    return scope(() => reshape(apply(rollOp, [reshape(x, [x.size])], [total]), x.shape));
  }
  const list = typeof axes === 'number' ? [axes] : axes;
  if (shifts.length !== list.length && shifts.length !== 1 && list.length !== 1) {
    throw new ArgumentError(
      `roll: ${shifts.length} shifts for ${list.length} axes; give one shift, or one for each axis.`,
    );
  }
  const total = x.shape.map(() => 0);
  for (let index = 0; index < Math.max(shifts.length, list.length); index++) {
    const axis = normalizeAxis('roll', (list[index] ?? list[0]) as number, x.rank);
    total[axis] = (total[axis] as number) + ((shifts[index] ?? shifts[0]) as number);
  }
  return apply(rollOp, [x], total);
}
