/**
 * Reading and writing by index. Indices are int32 tensors, or host numbers, which are checked at the call; an index
 * tensor's values are only seen by the device, so a wrong one is reported by the next readback, which rejects with an
 * `IndexError`. Negative indices count from the end, but not for labels and counts (`oneHot`, `bincount`).
 */
import { gatherKernel, oneHotKernel } from '../../kernels/gather.ts';
import { findOffence, type IndexAttrs, picksOf } from '../../kernels/indexing.ts';
import { bincountKernel, scatterKernel } from '../../kernels/scatter.ts';
import { broadcastTo, filled, stretchesTo } from '../autograd/engine-ops.ts';
import { noGrad } from '../autograd/modes.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import { type NestedArray, Tensor } from '../autograd/tensor.ts';
import { ArgumentError, DTypeError, IndexError } from '../core/errors.ts';
import { broadcastShapes, normalizeAxis, type Shape, sameShape } from '../core/shape.ts';
import { defaultDevice } from '../runtime/default-device.ts';
import type { Device } from '../runtime/device.ts';
import { where } from './binary.ts';
import { equal } from './compare.ts';
import { arange, full, tensor } from './create.ts';
import { assertTensor, scalarLike, type TensorLike } from './operand.ts';
import { reshape } from './shape.ts';

/** Whole numbers on the host, nested like an array. */
export type HostIndices = number | Int32Array | readonly HostIndices[];

/** An int32 tensor, or host numbers. */
export type Indices = Tensor | HostIndices;

/** What is no list is taken for a number here, and judged where its place is known. */
const flatIndices = (indices: HostIndices): number[] =>
  Array.isArray(indices) || indices instanceof Int32Array
    ? [...(indices as readonly HostIndices[])].flatMap((part) => flatIndices(part))
    : [indices as number];

const nested = (indices: HostIndices): NestedArray =>
  typeof indices === 'number' ? indices : [...indices].map((part) => nested(part));

/**
 * Hands `body` the indices as a tensor, and whether their values were checked. `limitsOf` tells the extents that the
 * places of an index tuple must stay below; `wraps`: negative ones count from the end.
 */
function withIndices(
  op: string,
  device: Device,
  indices: Indices,
  limitsOf: (indices: Tensor) => readonly number[],
  body: (indices: Tensor, checked: boolean) => Tensor,
  wraps = true,
): Tensor {
  if (indices instanceof Tensor) {
    indices.assertAlive(op);
    return scope(() => body(indices, false));
  }
  if (typeof indices !== 'number' && !Array.isArray(indices) && !(indices instanceof Int32Array)) {
    throw new ArgumentError(`${op}: indices are an int32 tensor or whole numbers, got ${String(indices)}.`);
  }
  const values = flatIndices(indices);
  const position = values.findIndex((value) => !Number.isInteger(value) || value !== (value | 0));
  if (position >= 0)
    throw new DTypeError(
      `${op}: index ${String(values[position])} at position ${position} is no whole number that fits into int32; pass int32 indices.`,
    );
  const own = tensor(indices instanceof Int32Array ? indices : nested(indices), { device, dtype: 'int32' });
  try {
    const host = { shape: own.shape, dtype: own.dtype, data: Int32Array.from(values) };
    const offence = findOffence(host, limitsOf(own), wraps);
    if (offence) throw new IndexError(op, offence.position, offence.value, offence.lowest, offence.limit);
    return scope(() => body(own, true));
  } finally {
    own.dispose(); // The graph keeps an alias of what it saved.
  }
}

type Pair = [Tensor, Tensor];
type Triple = [Tensor, Tensor, Tensor];

/** Where the index tensor stands among the inputs of the ops below. */
const savesIndices: Op<IndexAttrs>['saves'] = ([, indices]) => [indices];
const again = (attrs: IndexAttrs): IndexAttrs => ({ ...attrs, checked: true });

/** Picks elements; the gradient adds what came back onto zeros. */
const pickOp = (name: string): Op<IndexAttrs> => ({
  name,
  forward: (inputs, attrs) => runKernel1(name, gatherKernel, inputs, attrs),
  saves: savesIndices,
  backward: ({ grad, saved: [indices], inputs: [x], attrs }) => [
    () => {
      const zeros = filled(grad.device, (x as { shape: Shape }).shape, 0);
      return apply(addOp, [zeros, indices as Tensor, grad], again(attrs));
    },
    undefined,
  ],
});
const gatherOp = pickOp('gather');
const embeddingOp = pickOp('embedding');
const takeAlongAxisOp = pickOp('takeAlongAxis');
const gatherNdOp = pickOp('gatherNd');

/** Adds updates onto x; the gradient of the updates is picked from the result's. */
const addOp: Op<IndexAttrs> = {
  name: 'scatterAdd',
  forward: (inputs, attrs) => runKernel1('scatterAdd', scatterKernel, inputs, { ...attrs, op: 'add' }),
  saves: savesIndices,
  backward: ({ grad, saved: [indices], attrs }) => [
    () => grad,
    undefined,
    () => apply(gatherOp, [grad, indices as Tensor], again(attrs)),
  ],
};

/** Replaces slices of x; what was overwritten, in x or by a later update, gets no gradient. */
const putOp: Op<IndexAttrs> = {
  name: 'indexPut',
  forward: (inputs, attrs) => runKernel1('indexPut', scatterKernel, inputs, { ...attrs, op: 'set' }),
  saves: savesIndices,
  backward: ({ grad, saved: [saved], inputs: [x, , updates], attrs }) => {
    const indices = saved as Tensor;
    const { shape } = x as { shape: Shape };
    return [
      () => {
        const zeros = filled(grad.device, (updates as { shape: Shape }).shape, 0);
        return apply(putOp, [grad, indices, zeros], again(attrs));
      },
      undefined,
      () => {
        const after = shape.slice(attrs.axis + 1);
        const last = noGrad(() =>
          reshape(lastWrites(indices, shape[attrs.axis] as number), [
            ...indices.shape,
            ...after.map(() => 1),
          ]),
        );
        return where(last, apply(gatherOp, [grad, indices], again(attrs)), 0);
      },
    ];
  },
};

/** For each index whether no later one names the same row. */
function lastWrites(indices: Tensor, rows: number): Tensor {
  const { device } = indices;
  const attrs: IndexAttrs = { mode: 'take', axis: 0, checked: true };
  const positions = reshape(arange(0, indices.size, 1, { dtype: 'int32', device }), indices.shape);
  const none = full([rows], -1, { dtype: 'int32', device });
  const winners = apply(putOp, [none, indices, positions], attrs);
  return equal(apply(gatherOp, [winners, indices], attrs), positions);
}

const alongAxis = (op: string, x: Tensor, axis: number): IndexAttrs => {
  assertTensor(op, x);
  x.assertAlive(op);
  return { mode: 'take', axis: normalizeAxis(op, axis, x.rank) };
};

function take(op: Op<IndexAttrs>, x: Tensor, indices: Indices, axis: number): Tensor {
  const attrs = alongAxis(op.name, x, axis);
  return withIndices(
    op.name,
    x.device,
    indices,
    () => [x.shape[attrs.axis] as number],
    (own, checked) => apply(op, [x, own] satisfies Pair, { ...attrs, checked }),
  );
}

/**
 * The slices of x along `axis` that the indices name, as NumPy's `take`: the axes of the indices stand in the place of
 * that axis; a single number drops it. Out of range: NaN (the least int32, false), and an `IndexError` with the next readback.
 *
 * ```ts
 * gather(x, [2, 0, 2]);             // rows 2, 0 and 2
 * gather(x, labels, 1);             // columns that an int32 tensor names
 * ```
 *
 * @throws IndexError at the call for host numbers that are out of range.
 */
export const gather = (x: Tensor, indices: Indices, axis = 0): Tensor => take(gatherOp, x, indices, axis);

/**
 * The rows of a table of embeddings that the indices name: `(…indices, features)`. The gradient adds, for each row of the
 * table, the gradients of its uses in their order, so it is the same in every run.
 */
export const embedding = (table: Tensor, indices: Indices): Tensor => take(embeddingOp, table, indices, 0);

/**
 * `out[a, j, b] = x[a, indices[a, j, b], b]` along one axis, as NumPy's `take_along_axis`; the other axes broadcast.
 * It undoes `argMax` and `argMin` with `keepDims`.
 */
export function takeAlongAxis(x: Tensor, indices: Indices, axis: number): Tensor {
  const op = 'takeAlongAxis';
  const at = alongAxis(op, x, axis).axis;
  return withIndices(
    op,
    x.device,
    indices,
    () => [x.shape[at] as number],
    (own, checked) => {
      let [source, places] = [x, own];
      if (own.rank === x.rank) {
        const rest = broadcastShapes(
          op,
          ...[x, own].map(({ shape }) => shape.map((extent, axis) => (axis === at ? 1 : extent))),
        );
        const stretch = (t: Tensor): Tensor =>
          broadcastTo(
            t,
            rest.map((extent, axis) => (axis === at ? (t.shape[at] as number) : extent)),
          );
        [source, places] = [stretch(x), stretch(own)];
      }
      return apply(takeAlongAxisOp, [source, places] satisfies Pair, { mode: 'along', axis: at, checked });
    },
  );
}

/**
 * Elements or slices by index tuples: the last axis of the indices holds k numbers for the first k axes of x, as
 * TensorFlow's `gather_nd`. The result has shape `(…tuples, …the other axes of x)`.
 */
export function gatherNd(x: Tensor, indices: Indices): Tensor {
  const op = 'gatherNd';
  assertTensor(op, x);
  x.assertAlive(op);
  const attrs: IndexAttrs = { mode: 'nd', axis: 0 };
  return withIndices(
    op,
    x.device,
    indices,
    (own) => picksOf(op, x, own, attrs).extents,
    (own, checked) => apply(gatherNdOp, [x, own] satisfies Pair, { ...attrs, checked }),
  );
}

function write(op: Op<IndexAttrs>, x: Tensor, indices: Indices, values: TensorLike, axis: number): Tensor {
  const attrs = alongAxis(op.name, x, axis);
  return withIndices(
    op.name,
    x.device,
    indices,
    () => [x.shape[attrs.axis] as number],
    (own, checked) => {
      const { shape } = picksOf(op.name, x, own, attrs);
      const given = values instanceof Tensor ? values : scalarLike(op.name, values, x.device, x.dtype);
      const fits = sameShape(given.shape, shape) || !stretchesTo(given.shape, shape);
      const updates = fits ? given : broadcastTo(given, shape);
      return apply(op, [x, own, updates] satisfies Triple, { ...attrs, checked });
    },
  );
}

/**
 * A copy of x with `updates` added to the slices along `axis` that the indices name; one that is named several times
 * gets all its updates, added in their order (NumPy's `add.at`). Updates have the shape of `gather(x, indices, axis)`
 * or stretch to it.
 */
export const scatterAdd = (x: Tensor, indices: Indices, updates: TensorLike, axis = 0): Tensor =>
  write(addOp, x, indices, updates, axis);

/**
 * A copy of x with the slices along `axis` that the indices name replaced by `values`, as `x[indices] = values` in
 * NumPy; of several values for one slice the last one stays. Values have the shape of `gather(x, indices, axis)` or
 * stretch to it.
 */
export const indexPut = (x: Tensor, indices: Indices, values: TensorLike, axis = 0): Tensor =>
  write(putOp, x, indices, values, axis);

export interface OneHotOptions {
  /** Default: 1. */
  onValue?: number;
  /** Default: 0. */
  offValue?: number;
  /** For host numbers. Default: the default device. */
  device?: Device;
}

function checkCount(op: string, what: string, count: number): void {
  if (!Number.isInteger(count) || count < 0)
    throw new ArgumentError(`${op}: ${what} ${String(count)}; pass a whole number ≥ 0.`);
}

const deviceOf = (indices: Indices, device: Device | undefined): Device =>
  indices instanceof Tensor ? indices.device : (device ?? defaultDevice());

/**
 * Rows of `depth` floats, `(…indices, depth)`: `onValue` at the index, `offValue` elsewhere. A negative index is out of
 * range: as a label it is a mistake.
 */
export function oneHot(indices: Indices, depth: number, options: OneHotOptions = {}): Tensor {
  const { onValue = 1, offValue = 0 } = options;
  checkCount('oneHot', 'depth', depth);
  const device = deviceOf(indices, options.device);
  return withIndices(
    'oneHot',
    device,
    indices,
    () => [depth],
    (own, checked) =>
      noGrad(() =>
        runKernel1('oneHot', oneHotKernel, [own], { depth, onValue, offValue, dtype: device.float, checked }),
      ),
    false,
  );
}

/** How often each of the numbers 0 to size − 1 occurs, int32; a negative one is out of range. */
export function bincount(x: Indices, size: number, options: { device?: Device } = {}): Tensor {
  checkCount('bincount', 'size', size);
  return withIndices(
    'bincount',
    deviceOf(x, options.device),
    x,
    () => [size],
    (own, checked) => noGrad(() => runKernel1('bincount', bincountKernel, [own], { size, checked })),
    false,
  );
}
