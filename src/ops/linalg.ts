/** Linear algebra on batches of small matrices: at most 64 rows on a GPU, any number on the CPU device. */
import {
  choleskyKernel,
  MAX_GPU_ROWS,
  type SolveAttrs,
  solveKernel,
  type TriangularAttrs,
  triangularKernel,
} from '../../kernels/linalg.ts';
import { broadcastTo } from '../autograd/engine-ops.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { LimitError, ShapeError } from '../core/errors.ts';
import { broadcastShapes, formatShape } from '../core/shape.ts';
import type { Device } from '../runtime/device.ts';
import { add, mul } from './binary.ts';
import { eye, tensor } from './create.ts';
import { matmul } from './matmul.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import { expandDims, permute, squeeze } from './shape.ts';

const swapLast = (x: Tensor): Tensor =>
  permute(
    x,
    x.shape.map((_, axis) => (axis < x.rank - 2 ? axis : 2 * x.rank - 3 - axis)),
  );

/** 1 below the diagonal, `diagonal` on it, 0 above; or the transpose of that. */
function triangle(device: Device, n: number, diagonal: number, lower = true): Tensor {
  const values = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) values[lower ? i * n + j : j * n + i] = 1;
    values[i * n + i] = diagonal;
  }
  return tensor(values, { device, shape: [n, n] });
}

const rowsOf = (x: Tensor): number => x.shape[x.rank - 1] as number;

/** ∂b = op(a)⁻ᵀ·g; ∂a = −∂b·xᵀ, or its transpose, within the triangle that is read. */
const triangularOp: Op<TriangularAttrs> = {
  name: 'solveTriangular',
  forward: (inputs, attrs) => runKernel1('solveTriangular', triangularKernel, inputs, attrs),
  saves: ([a], [x], [needsA]) => [a, needsA ? x : undefined],
  backward({ grad, saved, attrs: { lower, transpose } }) {
    const [a, x] = saved as [Tensor, Tensor];
    let known: Tensor | undefined;
    const right = (): Tensor => (known ??= apply(triangularOp, [a, grad], { lower, transpose: !transpose }));
    return [
      () => {
        const product = transpose
          ? matmul(x, right(), { transposeB: true })
          : matmul(right(), x, { transposeB: true });
        return mul(product, mul(triangle(grad.device, rowsOf(a), 1, lower), -1));
      },
      right,
    ];
  },
};

/** Murray, "Differentiation of the Cholesky decomposition" (2016): ½(S + Sᵀ) with S = L⁻ᵀ·Φ(Lᵀ·g)·L⁻¹. */
const choleskyOp: Op = {
  name: 'cholesky',
  forward: ([a]) => runKernel1('cholesky', choleskyKernel, [a as Tensor], undefined),
  saves: (_, [l]) => [l],
  backward: ({ grad, saved }) => [
    () => {
      const l = saved[0] as Tensor;
      const attrs = { lower: true, transpose: true };
      const phi = mul(matmul(l, grad, { transposeA: true }), triangle(grad.device, rowsOf(l), 0.5));
      const left = apply(triangularOp, [l, phi], attrs);
      const s = apply(triangularOp, [l, swapLast(left)], attrs); // Sᵀ
      return mul(add(s, swapLast(s)), 0.5);
    },
  ],
};

/** ∂b = op(a)⁻ᵀ·g; ∂a = −∂b·xᵀ, or its transpose. */
const solving = (name: string): Op<SolveAttrs> => ({
  name,
  forward: (inputs, attrs) => runKernel1(name, solveKernel, inputs, attrs),
  saves: ([a], [x], [needsA]) => [a, needsA ? x : undefined],
  backward({ grad, saved, attrs: { transpose } }) {
    const [a, x] = saved as [Tensor, Tensor];
    let known: Tensor | undefined;
    const right = (): Tensor => (known ??= apply(solveOp, [a, grad], { transpose: !transpose }));
    return [
      () =>
        mul(
          transpose ? matmul(x, right(), { transposeB: true }) : matmul(right(), x, { transposeB: true }),
          -1,
        ),
      right,
    ];
  },
});
const solveOp = solving('solve');
const inverseOp = solving('inverse');

function checkMatrix(op: string, a: Tensor): void {
  assertTensor(op, a);
  const rows = a.shape[a.rank - 2];
  if (a.rank < 2 || rows !== rowsOf(a))
    throw new ShapeError(`${op}: shape ${formatShape(a.shape)} is no batch of square matrices, (…, n, n).`);
  if (a.device.kind === 'gpu' && rows > MAX_GPU_ROWS) {
    throw new LimitError(
      `${op}: matrices of ${rows} rows on a GPU; at most ${MAX_GPU_ROWS}. Move them to the CPU device with toDevice().`,
      rows,
      MAX_GPU_ROWS,
    );
  }
}

/** Brings a matrix and a right side to the same leading axes, and calls `body`; a vector is a column. */
function withRight(op: string, a: Tensor, b: Tensor, body: (a: Tensor, b: Tensor) => Tensor): Tensor {
  checkMatrix(op, a);
  assertTensor(op, b);
  return scope(() => {
    const column = b.rank === 1 ? expandDims(b, 1) : b;
    if (column.rank < 2 || column.shape[column.rank - 2] !== rowsOf(a)) {
      throw new ShapeError(
        `${op}: a matrix of shape ${formatShape(a.shape)} and a right side of shape ${formatShape(b.shape)} do not fit: the ` +
          'right side must be a vector (n,) or have the shape (…, n, m).',
      );
    }
    const batch = broadcastShapes(op, a.shape.slice(0, -2), column.shape.slice(0, -2));
    const result = body(
      broadcastTo(a, [...batch, ...a.shape.slice(-2)]),
      broadcastTo(column, [...batch, ...column.shape.slice(-2)]),
    );
    return b.rank === 1 ? squeeze(result, -1) : result;
  });
}

/**
 * The lower triangular L with L·Lᵀ = a, for symmetric positive definite a (…, n, n). Only the lower triangle of a is
 * read; the gradient is symmetric, as in PyTorch. The whole L is NaN where a is not positive definite.
 *
 * @throws LimitError for n > 64 on a GPU.
 */
export function cholesky(a: Tensor): Tensor {
  checkMatrix('cholesky', a);
  return apply(choleskyOp, [a], undefined);
}

/**
 * The solution of a·x = b, by LU decomposition with partial pivoting. a is (…, n, n), b is (…, n, m) or a vector (n,);
 * leading axes broadcast. The whole x is NaN where a is singular (exactly, in the device's arithmetic) or not finite.
 *
 * @throws LimitError for n > 64 on a GPU.
 */
export const solve = (a: Tensor, b: Tensor): Tensor =>
  withRight('solve', a, b, (left, right) => apply(solveOp, [left, right], { transpose: false }));

export interface SolveTriangularOptions {
  /** Which triangle of a is read. Default: true. */
  lower?: boolean;
  /** Solve aᵀ·x = b. Default: false. */
  transposeA?: boolean;
}

/** The solution of a·x = b for a triangular a; shapes as for `solve`. NaN where a has a zero on its diagonal. */
export function solveTriangular(a: Tensor, b: Tensor, options: SolveTriangularOptions = {}): Tensor {
  checkOptions('solveTriangular', options, ['lower', 'transposeA'], 'a, b');
  const { lower = true, transposeA = false } = options;
  return withRight('solveTriangular', a, b, (left, right) =>
    apply(triangularOp, [left, right], { lower, transpose: transposeA }),
  );
}

/**
 * a⁻¹ for a (…, n, n); NaN where a is singular. `solve` is faster and more accurate than a product with the inverse.
 *
 * @throws LimitError for n > 64 on a GPU.
 */
export function inverse(a: Tensor): Tensor {
  checkMatrix('inverse', a);
  return scope(() => {
    const identity = broadcastTo(eye(rowsOf(a), rowsOf(a), { device: a.device }), a.shape);
    return apply(inverseOp, [a, identity], { transpose: false });
  });
}
