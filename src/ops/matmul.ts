/** Matrix products: batched with broadcasting, transposes as flags, optional fused bias and activation. */
import { type MatmulAttrs, matmulKernel } from '../../kernels/matmul.ts';
import { sumTo } from '../autograd/engine-ops.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { activationGrad, epilogueActivations, isEpilogueActivation } from './epilogue.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import { expandDims, squeeze } from './shape.ts';

const matmulOp: Op<MatmulAttrs> = {
  name: 'matmul',
  forward: (inputs, attrs) => runKernel1('matmul', matmulKernel, inputs, attrs),
  saves: ([a, b], [y], [needsA, needsB], { activation }) => [
    needsB ? a : undefined,
    needsA ? b : undefined,
    activation === 'linear' ? undefined : y,
  ],
  backward({ grad, saved, attrs, inputs }) {
    const [a, b, y] = saved as [Tensor, Tensor, Tensor];
    const { transposeA, transposeB, activation } = attrs;
    let linear: Tensor | undefined;
    const g = (): Tensor => (linear ??= activationGrad[activation](grad, y));
    // The engine un-broadcasts to the output's shape only; the batch axes of a product are broadcast here.
    const fit = (gradient: Tensor, input: number): Tensor =>
      sumTo(gradient, (inputs[input] as { shape: readonly number[] }).shape);
    const gradA = (): Tensor =>
      transposeA
        ? matmul(b, g(), { transposeA: transposeB, transposeB: true })
        : matmul(g(), b, { transposeB: !transposeB });
    const gradB = (): Tensor =>
      transposeB
        ? matmul(g(), a, { transposeA: true, transposeB: transposeA })
        : matmul(a, g(), { transposeA: !transposeA });
    return [() => fit(gradA(), 0), () => fit(gradB(), 1), inputs[2] ? () => fit(g(), 2) : undefined];
  },
};

export interface MatmulOptions {
  /** Take a as (…, K, M). Default: false. */
  transposeA?: boolean;
  /** Take b as (…, N, K). Default: false. */
  transposeB?: boolean;
  /** Added to each row; shape (N,). */
  bias?: Tensor;
  /** Applied last. Default: linear. */
  activation?: MatmulAttrs['activation'];
}

/**
 * activation(a · b + bias) for a (…, M, K) and b (…, K, N), with broadcast leading axes; the result is (…, M, N). A
 * vector stands for a row on the left and for a column on the right, as in NumPy, and its axis vanishes.
 *
 * @throws ShapeError when the inner extents differ, for scalars, and for a transposed vector.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  assertTensor('matmul', a);
  assertTensor('matmul', b);
  checkOptions('matmul', options, ['transposeA', 'transposeB', 'bias', 'activation'], 'a, b');
  const { transposeA = false, transposeB = false, bias, activation = 'linear' } = options;
  if (!isEpilogueActivation(activation)) {
    throw new ArgumentError(
      `matmul: no activation ${describe(activation)}; use one of ${epilogueActivations.join(', ')}, or apply a function to the result.`,
    );
  }
  if (bias !== undefined) assertTensor('matmul', bias);
  if (a.rank === 0 || b.rank === 0) {
    throw new ShapeError(
      `matmul: shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}; a scalar has no rows, use mul().`,
    );
  }
  const rowVector = a.rank === 1;
  const columnVector = b.rank === 1;
  if ((rowVector && transposeA) || (columnVector && transposeB)) {
    throw new ShapeError(
      'matmul: a vector cannot be transposed; reshape it to a matrix, or leave the flag away.',
    );
  }
  if (columnVector && bias)
    throw new ShapeError('matmul: a bias needs a matrix on the right; add() it to the result instead.');
  const attrs: MatmulAttrs = { transposeA, transposeB, bias: bias !== undefined, activation };
  const product = (left: Tensor, right: Tensor): Tensor =>
    apply(matmulOp, bias ? [left, right, bias] : [left, right], attrs);
  if (!rowVector && !columnVector) return product(a, b);
  return scope(() => {
    const y = product(rowVector ? expandDims(a, 0) : a, columnVector ? expandDims(b, 1) : b);
    const axes = [rowVector ? y.rank - 2 : -1, columnVector ? y.rank - 1 : -1].filter((axis) => axis >= 0);
    return squeeze(y, axes);
  });
}
