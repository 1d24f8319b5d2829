/** Reading and writing by index (see indices.ts). Negative indices count from the end. */
import { gatherKernel } from '../../kernels/gather.ts';
import { type IndexAttrs, picksOf } from '../../kernels/indexing.ts';
import { scatterKernel } from '../../kernels/scatter.ts';
import { broadcastTo, filled, stretchesTo } from '../autograd/engine-ops.ts';
import { noGrad } from '../autograd/modes.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { Tensor } from '../autograd/tensor.ts';
import { ArgumentError } from '../core/errors.ts';
import { broadcastShapes, formatShape, normalizeAxis, type Shape, sameShape } from '../core/shape.ts';
import { where } from './binary.ts';
import { equal } from './compare.ts';
import { arange, full } from './create.ts';
import { type Indices, withIndices } from './indices.ts';
import { assertTensor, scalarLike, type TensorLike } from './operand.ts';
import { reshape } from './shape.ts';

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
 * that axis; a single number drops it. An index tensor that is out of range gives NaN (the least int32, false), and an
 * `IndexError` with the next readback, and that one only: a read beside it, as in `Promise.all`, gives what is there.
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
  // On a GPU, a result without elements reports nothing.
  if (x.shape[attrs.axis] === 0 && indices instanceof Tensor && indices.size > 0)
    throw new ArgumentError(
      `${op.name}: axis ${attrs.axis} of shape ${formatShape(x.shape)} has no place for ${indices.size} indices; pass a larger tensor.`,
    );
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
