/** Matrix products of broadcast batches, with either operand transposed, and with bias and activation on the way out. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import {
  broadcastShapes,
  broadcastStrides,
  forEachOffset,
  formatShape,
  type Shape,
  sizeOf,
} from '../src/core/shape.ts';
import subgroups4Source from '../wgsl/matmul.subgroups4.wgsl';
import subgroups8Source from '../wgsl/matmul.subgroups8.wgsl';
import tiledSource from '../wgsl/matmul.tiled.wgsl';
import source from '../wgsl/matmul.wgsl';
import {
  type DeviceTraits,
  grid,
  type HostTensor,
  type Kernel,
  type PipelineSpec,
  type Plan,
  pipelineSpec,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';
import { collapse } from './strided.ts';

export type MatmulActivation = 'linear' | 'relu' | 'sigmoid' | 'tanh';

export interface MatmulAttrs {
  /** a is (…, K, M) instead of (…, M, K). */
  readonly transposeA: boolean;
  /** b is (…, N, K) instead of (…, K, N). */
  readonly transposeB: boolean;
  /** There is a third input of shape (N,), added to every row. */
  readonly bias: boolean;
  readonly activation: MatmulActivation;
}

const module = wgslModule('matmul', source);
const tiledModule = wgslModule('matmul.tiled', tiledSource);
const subgroupsModules: Readonly<Record<number, ReturnType<typeof wgslModule>>> = {
  4: wgslModule('matmul.subgroups4', subgroups4Source, ['subgroups']),
  8: wgslModule('matmul.subgroups8', subgroups8Source, ['subgroups']),
};

const ACTIVATIONS: readonly MatmulActivation[] = ['linear', 'relu', 'sigmoid', 'tanh'];
const UNIFORM_WORDS = 44;
const ACCESS = ['read', 'read', 'read', 'write'] as const;

/** The batch axes of both operands, and the extents of one product. */
interface Extents {
  readonly batch: Shape;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function extentsOf(op: string, [a, b]: readonly TensorSpec[], attrs: MatmulAttrs): Extents {
  const shapeA = (a as TensorSpec).shape;
  const shapeB = (b as TensorSpec).shape;
  const [m, k] = lastTwo(shapeA, attrs.transposeA);
  const [kB, n] = lastTwo(shapeB, attrs.transposeB);
  if (k !== kB) {
    const turned = (name: string, transposed: boolean) => (transposed ? `${name} transposed` : name);
    throw new ShapeError(
      `${op}: shapes ${formatShape(shapeA)} and ${formatShape(shapeB)} do not fit: ${turned('a', attrs.transposeA)} has ` +
        `${k} columns, ${turned('b', attrs.transposeB)} has ${kB} rows, and these must be equal. Transpose or reshape one.`,
    );
  }
  return { batch: broadcastShapes(`${op} (batch axes)`, shapeA.slice(0, -2), shapeB.slice(0, -2)), m, n, k };
}

/** Rows and columns of the matrices, as they are multiplied. */
function lastTwo(shape: Shape, transposed: boolean): [rows: number, columns: number] {
  const rows = shape[shape.length - 2] as number;
  const columns = shape[shape.length - 1] as number;
  return transposed ? [columns, rows] : [rows, columns];
}

/** Strides of a row and of a column step in the stored matrix. */
function matrixStrides(shape: Shape, transposed: boolean): [row: number, column: number] {
  const width = shape[shape.length - 1] as number;
  return transposed ? [1, width] : [width, 1];
}

/** Strides of the leading axes against the broadcast batch. */
function batchStrides(shape: Shape, batch: Shape): number[] {
  const matrix = (shape[shape.length - 2] as number) * (shape[shape.length - 1] as number);
  return broadcastStrides(shape.slice(0, -2), batch).map((stride) => stride * matrix);
}

/** An entry point and the part of the result that one workgroup owns. */
interface Tiling {
  readonly pipeline: PipelineSpec;
  readonly rows: number;
  readonly columns: number;
}

function registerTiling(rows: 1 | 8, traits: DeviceTraits): Tiling {
  const lanes = traits.software ? traits.subgroupSize || 8 : 32;
  const pipeline = pipelineSpec(module, `matmul${rows}`, ACCESS, UNIFORM_WORDS, { LANES: lanes });
  return { pipeline, rows, columns: 8 * lanes };
}

function tilings(variant: string, traits: DeviceTraits): Tiling[] {
  if (variant === 'register') return [registerTiling(1, traits), registerTiling(8, traits)];
  if (variant === 'tiled') {
    return [
      { pipeline: pipelineSpec(tiledModule, 'matmulTiled', ACCESS, UNIFORM_WORDS), rows: 64, columns: 64 },
    ];
  }
  const lanes = traits.subgroupSize;
  const sibling = subgroupsModules[lanes];
  if (!sibling)
    throw new ArgumentError(`matmul: no variant for subgroups of ${lanes} invocations, only of 4 and 8.`);
  const pipeline = pipelineSpec(sibling, 'matmulSubgroups', ACCESS, UNIFORM_WORDS);
  return [{ pipeline, rows: 16, columns: 4 * lanes }];
}

function chooseVariant({ m, n, k }: Extents, traits: DeviceTraits): string {
  const thin = Math.min(m, n) <= 4;
  if (traits.software) {
    const subgroups = traits.subgroupSize in subgroupsModules;
    return subgroups && !thin && m * n * k > 4096 ? 'subgroups' : 'register';
  }
  return thin || Math.max(m, n) <= 16 ? 'register' : 'tiled';
}

/** What a tiling costs per turn of k: the multiplications it does, useful or not, and its loads at ten times as much. */
function cost({ rows, columns }: Tiling, m: number, n: number): number {
  return Math.ceil(m / rows) * Math.ceil(n / columns) * (rows * columns + 10 * (rows + columns));
}

/** The longest sum of one accumulator: longer ones are cut, for accuracy. */
const MAX_PART = 4096;
/** Shorter parts are not worth a dispatch that adds them up. */
const MIN_PART = 256;
/** Floats of scratch memory for partial sums, at most. */
const MAX_PARTIALS = 1 << 24;

function partsOf(k: number, groups: number, elements: number, traits: DeviceTraits): number {
  const enough = traits.software ? 8 : 128;
  const forSpeed = Math.min(Math.floor(enough / groups), Math.floor(k / MIN_PART));
  const forAccuracy = Math.floor(k / MAX_PART);
  const wanted = Math.min(Math.max(forSpeed, forAccuracy), Math.floor(MAX_PARTIALS / elements));
  const length = Math.ceil(k / Math.max(1, wanted));
  return length > 0 ? Math.ceil(k / length) : 1;
}

/**
 * Matrix product. Rows and columns are exchangeable (the transposed product of the transposed operands, by strides), so
 * a tall, narrow result is computed as a flat, wide one where that wastes less of the tiles.
 */
export const matmulKernel: Kernel<MatmulAttrs> = {
  name: 'matmul',
  variants: ['register', 'tiled', 'subgroups'],

  supports(variant, _inputs, _attrs, traits) {
    if (variant === 'subgroups') return traits.subgroupSize in subgroupsModules;
    return variant !== 'tiled' || (traits.maxInvocations >= 256 && traits.maxWorkgroupBytes >= 8192);
  },

  infer(op, inputs, attrs) {
    if (inputs.length !== (attrs.bias ? 3 : 2)) {
      throw new ArgumentError(
        `${op}: takes a, b${attrs.bias ? ' and a bias' : ''}, got ${inputs.length} tensors.`,
      );
    }
    const [a, b, bias] = inputs as [TensorSpec, TensorSpec, TensorSpec | undefined];
    for (const { shape } of [a, b]) {
      if (shape.length < 2) {
        throw new ShapeError(
          `${op}: a matrix has at least two axes, got shape ${formatShape(shape)}; add one with expandDims.`,
        );
      }
    }
    for (const { dtype } of inputs) {
      if (!isFloat(dtype) || dtype !== a.dtype) {
        const dtypes = inputs.map((input) => input.dtype).join(', ');
        throw new DTypeError(
          `${op}: takes floats of one dtype, got ${dtypes}; cast first: cast(x, 'float32').`,
        );
      }
    }
    const { batch, m, n } = extentsOf(op, inputs, attrs);
    if (batch.length > 6) {
      throw new ShapeError(
        `${op}: ${batch.length} batch axes; at most 6 go together with a matrix. Reshape first.`,
      );
    }
    if (bias && (bias.shape.length !== 1 || bias.shape[0] !== n)) {
      throw new ShapeError(
        `${op}: the bias has shape ${formatShape(bias.shape)}, the result has ${n} columns; it must be (${n},).`,
      );
    }
    return [{ shape: [...batch, m, n], dtype: a.dtype }];
  },

  plan(inputs, _outputs, attrs, traits, variant): Plan {
    const [a, b] = inputs as [TensorSpec, TensorSpec];
    const extents = extentsOf('matmul', inputs, attrs);
    const { batch, m, n, k } = extents;
    let tiling: Tiling | undefined;
    let swapped = false;
    for (const candidate of tilings(variant ?? chooseVariant(extents, traits), traits)) {
      for (const swap of [false, true]) {
        const own = swap ? cost(candidate, n, m) : cost(candidate, m, n);
        const best = tiling ? (swapped ? cost(tiling, n, m) : cost(tiling, m, n)) : Infinity;
        if (own < best) [tiling, swapped] = [candidate, swap];
      }
    }
    const { pipeline, rows, columns } = tiling as Tiling;
    const tilesM = Math.ceil((swapped ? n : m) / rows);
    const tilesN = Math.ceil((swapped ? m : n) / columns);
    const batches = sizeOf(batch);
    const elements = batches * m * n;
    const parts = partsOf(k, tilesM * tilesN * batches, elements, traits);
    const groups = tilesM * tilesN * batches * parts;
    const epilogue = [attrs.bias ? 1 : 0, ACTIVATIONS.indexOf(attrs.activation)] as const;

    const [strideAm, strideAk] = matrixStrides(a.shape, attrs.transposeA);
    const [strideBk, strideBn] = matrixStrides(b.shape, attrs.transposeB);
    const axes = collapse(batch, [batchStrides(a.shape, batch), batchStrides(b.shape, batch)]);
    const uniforms = new Uint32Array(UNIFORM_WORDS);
    uniforms.set(swapped ? [n, m] : [m, n]);
    uniforms.set([k, groups, tilesM, tilesN, parts, Math.ceil(k / parts)], 2);
    uniforms.set(
      swapped ? [strideBn, strideBk, strideAk, strideAm] : [strideAm, strideAk, strideBk, strideBn],
      8,
    );
    uniforms.set(swapped ? [1, n] : [n, 1], 12);
    if (attrs.bias) uniforms[swapped ? 14 : 15] = 1;
    uniforms.set([elements, axes.extents.length], 16);
    if (parts === 1) uniforms.set(epilogue, 18);
    uniforms.set(axes.extents, 20);
    uniforms.set(axes.strides[swapped ? 1 : 0] as number[], 28);
    uniforms.set(axes.strides[swapped ? 0 : 1] as number[], 36);

    const bias = attrs.bias ? 'in2' : 'in1'; // without a bias anything readable will do
    const target = parts === 1 ? 'out0' : 'tmp0';
    const product: Step = {
      pipeline,
      buffers: swapped ? ['in1', 'in0', bias, target] : ['in0', 'in1', bias, target],
      uniforms,
      workgroups: grid(groups),
    };
    if (parts === 1) return { steps: [product] };
    const closing = new Uint32Array(UNIFORM_WORDS);
    closing.set([m, n, k], 0);
    closing[6] = parts;
    closing[16] = elements;
    closing.set(epilogue, 18);
    const sum: Step = {
      pipeline: pipelineSpec(module, 'sumParts', ['read', 'read', 'write'], UNIFORM_WORDS),
      buffers: ['tmp0', bias, 'out0'],
      uniforms: closing,
      workgroups: grid(Math.ceil(elements / 64)),
    };
    return { steps: [product, sum], scratch: [4 * parts * elements] };
  },

  reference(inputs, outputs, attrs) {
    const [a, b, bias] = inputs as [HostTensor, HostTensor, HostTensor | undefined];
    const out = (outputs[0] as HostTensor).data;
    const { batch, m, n, k } = extentsOf('matmul', inputs, attrs);
    const [strideAm, strideAk] = matrixStrides(a.shape, attrs.transposeA);
    const [strideBk, strideBn] = matrixStrides(b.shape, attrs.transposeB);
    const activate = ACTIVATE[attrs.activation];
    const strides = [batchStrides(a.shape, batch), batchStrides(b.shape, batch)];
    forEachOffset(batch, strides, (matrix, [offsetA, offsetB]) => {
      for (let row = 0; row < m; row++) {
        for (let column = 0; column < n; column++) {
          let atA = (offsetA as number) + row * strideAm;
          let atB = (offsetB as number) + column * strideBn;
          let sum = 0;
          for (let step = 0; step < k; step++) {
            sum += (a.data[atA] as number) * (b.data[atB] as number);
            atA += strideAk;
            atB += strideBk;
          }
          if (bias) sum += bias.data[column] as number;
          out[(matrix * m + row) * n + column] = activate(sum);
        }
      }
    });
  },
};

const ACTIVATE: Record<MatmulActivation, (v: number) => number> = {
  linear: (v) => v,
  relu: (v) => Math.max(v, 0),
  sigmoid: (v) => 1 / (1 + Math.exp(-v)),
  tanh: Math.tanh,
};
