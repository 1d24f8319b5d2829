/** Batched Cholesky factors, triangular systems and general systems of small matrices. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/linalg.wgsl';
import {
  type Access,
  grid,
  type HostTensor,
  type Kernel,
  pipelineSpec,
  type Slot,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

/** The largest matrix that a GPU takes: one invocation for each row of it. */
export const MAX_GPU_ROWS = 64;

const module = wgslModule('linalg', source);
const WORDS = 8;

interface Sizes {
  readonly batch: number;
  readonly n: number;
  readonly m: number;
}

function sizesOf({ shape }: TensorSpec, right?: TensorSpec): Sizes {
  const n = shape[shape.length - 1] as number;
  const m = right ? (right.shape[right.shape.length - 1] as number) : n;
  return { batch: sizeOf(shape.slice(0, -2)), n, m };
}

/** Refuses what is no batch of square float matrices. */
function checkSquare(op: string, a: TensorSpec | undefined): TensorSpec {
  if (!a) throw new ArgumentError(`${op}: a matrix expected.`);
  if (!isFloat(a.dtype)) throw new DTypeError(`${op}: the matrix is ${a.dtype}; cast it to float first.`);
  const { shape } = a;
  if (shape.length < 2 || shape[shape.length - 1] !== shape[shape.length - 2]) {
    throw new ShapeError(`${op}: shape ${formatShape(shape)} is no batch of square matrices, (…, n, n).`);
  }
  return a;
}

function checkRight(op: string, a: TensorSpec, b: TensorSpec | undefined): TensorSpec {
  if (!b) throw new ArgumentError(`${op}: a right side expected.`);
  if (b.dtype !== a.dtype)
    throw new DTypeError(`${op}: the matrix is ${a.dtype}, the right side ${b.dtype}.`);
  if (b.shape.length !== a.shape.length || !sameShape(b.shape.slice(0, -1), a.shape.slice(0, -1))) {
    throw new ShapeError(
      `${op}: a matrix of shape ${formatShape(a.shape)} and a right side of shape ${formatShape(b.shape)} do not fit: ` +
        'the right side must be (…, n, m) with the same leading axes.',
    );
  }
  return b;
}

interface Flags {
  readonly lower?: boolean;
  readonly transpose?: boolean;
}

function step(
  entry: string,
  access: readonly Access[],
  buffers: readonly Slot[],
  { batch, n, m }: Sizes,
  { lower = false, transpose = false }: Flags,
): Step {
  if (n > MAX_GPU_ROWS) {
    throw new ShapeError(
      `${entry}: matrices of ${n} rows on a GPU; at most ${MAX_GPU_ROWS}. Move them to the CPU device with toDevice().`,
    );
  }
  return {
    pipeline: pipelineSpec(module, entry, access, WORDS),
    buffers,
    uniforms: Uint32Array.of(batch, n, m, Number(lower), Number(transpose), 0, 0, 0),
    workgroups: grid(batch),
  };
}

/** L with L·Lᵀ = a, from a's lower triangle; NaN for a matrix that is not positive definite. */
export const choleskyKernel: Kernel<undefined> = {
  name: 'cholesky',
  variants: ['default'],

  infer(op, [a]) {
    const { shape, dtype } = checkSquare(op, a);
    return [{ shape, dtype }];
  },

  plan: ([a]) => ({
    steps: [step('cholesky', ['read', 'write'], ['in0', 'out0'], sizesOf(a as TensorSpec), {})],
  }),

  reference(inputs, outputs) {
    const a = inputs[0] as HostTensor;
    const out = outputs[0] as HostTensor;
    const { batch, n } = sizesOf(a);
    for (let b = 0; b < batch; b++) {
      const source = a.data.subarray(b * n * n, (b + 1) * n * n);
      const l = out.data.subarray(b * n * n, (b + 1) * n * n);
      l.fill(0);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = source[i * n + j] as number;
          for (let p = 0; p < j; p++) sum -= (l[i * n + p] as number) * (l[j * n + p] as number);
          // The root of a negative pivot is NaN; 0, infinity and what follows from them are made so below.
          l[i * n + j] = i === j ? Math.sqrt(sum) : sum / (l[j * n + j] as number);
        }
      }
      let good = true;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) if (!Number.isFinite(l[i * n + j])) good = false;
        if (!((l[i * n + i] as number) > 0)) good = false;
      }
      if (!good) l.fill(Number.NaN);
    }
  },
};

export interface TriangularAttrs {
  /** Which triangle of a is read. */
  readonly lower: boolean;
  /** Solve aᵀ·x = b. */
  readonly transpose: boolean;
}

/** op(a)·x = b for a triangular a; NaN for one with a zero on its diagonal. */
export const triangularKernel: Kernel<TriangularAttrs> = {
  name: 'triangular',
  variants: ['default'],

  infer(op, [a, b]) {
    const { shape, dtype } = checkRight(op, checkSquare(op, a), b);
    return [{ shape, dtype }];
  },

  plan([a, b], _outputs, attrs) {
    const sizes = sizesOf(a as TensorSpec, b);
    return {
      steps: [step('triangular', ['read', 'read', 'write'], ['in0', 'in1', 'out0'], sizes, attrs)],
    };
  },

  reference(inputs, outputs, { lower, transpose }) {
    const [a, b] = inputs as [HostTensor, HostTensor];
    const out = outputs[0] as HostTensor;
    const { batch, n, m } = sizesOf(a, b);
    for (let number = 0; number < batch; number++) {
      const matrix = a.data.subarray(number * n * n, (number + 1) * n * n);
      const right = b.data.subarray(number * n * m, (number + 1) * n * m);
      const x = out.data.subarray(number * n * m, (number + 1) * n * m);
      const at = (i: number, j: number): number => matrix[transpose ? j * n + i : i * n + j] as number;
      let good = true;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          const value = matrix[lower ? i * n + j : j * n + i] as number;
          if (!Number.isFinite(value) || (i === j && value === 0)) good = false;
        }
      }
      const downwards = lower !== transpose;
      for (let turn = 0; turn < n; turn++) {
        const i = downwards ? turn : n - 1 - turn;
        for (let c = 0; c < m; c++) {
          let sum = right[i * m + c] as number;
          for (let before = 0; before < turn; before++) {
            const j = downwards ? before : n - 1 - before;
            sum -= at(i, j) * (x[j * m + c] as number);
          }
          x[i * m + c] = sum / at(i, i);
        }
      }
      if (!good) x.fill(Number.NaN);
    }
  },
};

export interface SolveAttrs {
  /** Solve aᵀ·x = b. */
  readonly transpose: boolean;
}

/** Exchanges rows p and q of a matrix with `columns` columns. */
function exchange(data: HostTensor['data'], p: number, q: number, columns: number): void {
  for (let c = 0; c < columns; c++) {
    const kept = data[p * columns + c] as number;
    data[p * columns + c] = data[q * columns + c] as number;
    data[q * columns + c] = kept;
  }
}

/** op(a)·x = b by Gaussian elimination with partial pivoting; NaN for a singular matrix. */
export const solveKernel: Kernel<SolveAttrs> = {
  name: 'solve',
  variants: ['default'],

  infer(op, [a, b]) {
    const { shape, dtype } = checkRight(op, checkSquare(op, a), b);
    return [{ shape, dtype }];
  },

  plan([a, b], _outputs, attrs) {
    const sizes = sizesOf(a as TensorSpec, b);
    const access = ['read', 'read', 'write', 'write'] as const;
    const slots = ['in0', 'in1', 'out0', 'tmp0'] as const;
    return {
      steps: [step('solve', access, slots, sizes, attrs)],
      scratch: [4 * sizes.batch * sizes.n * sizes.n],
    };
  },

  reference(inputs, outputs, { transpose }) {
    const [a, b] = inputs as [HostTensor, HostTensor];
    const out = outputs[0] as HostTensor;
    const { batch, n, m } = sizesOf(a, b);
    for (let number = 0; number < batch; number++) {
      const matrix = a.data.subarray(number * n * n, (number + 1) * n * n);
      const x = out.data.subarray(number * n * m, (number + 1) * n * m);
      x.set(b.data.subarray(number * n * m, (number + 1) * n * m));
      const u = matrix.slice();
      if (transpose) {
        for (let at = 0; at < n * n; at++) u[at] = matrix[(at % n) * n + Math.floor(at / n)] as number;
      }
      let good = u.every((value: number) => Number.isFinite(value));
      for (let k = 0; k < n; k++) {
        let best = k;
        for (let i = k + 1; i < n; i++) {
          if (Math.abs(u[i * n + k] as number) > Math.abs(u[best * n + k] as number)) best = i;
        }
        exchange(u, k, best, n);
        exchange(x, k, best, m);
        const pivot = u[k * n + k] as number;
        if (pivot === 0 || !Number.isFinite(pivot)) good = false;
        for (let i = k + 1; i < n; i++) {
          const scale = (u[i * n + k] as number) / pivot;
          for (let j = k + 1; j < n; j++) {
            u[i * n + j] = (u[i * n + j] as number) - scale * (u[k * n + j] as number);
          }
          for (let c = 0; c < m; c++) {
            x[i * m + c] = (x[i * m + c] as number) - scale * (x[k * m + c] as number);
          }
        }
      }
      for (let k = n - 1; k >= 0; k--) {
        for (let c = 0; c < m; c++) {
          let sum = x[k * m + c] as number;
          for (let j = k + 1; j < n; j++) sum -= (u[k * n + j] as number) * (x[j * m + c] as number);
          x[k * m + c] = sum / (u[k * n + k] as number);
        }
      }
      if (!good) x.fill(Number.NaN);
    }
  },
};
