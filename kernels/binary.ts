/** Elementwise functions of two operands, with broadcasting. */
import { type DType, isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import { broadcastShapes, broadcastStrides, forEachOffset, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/binary.wgsl';
import { grid, type Kernel, type PipelineSpec, pipelineSpec, wgslModule } from './kernel.ts';
import { collapse, writeAxes } from './strided.ts';

type Pair = (a: number, b: number) => number;

interface BinaryOp {
  /** OP for floats, integers and booleans; an absent one is not defined. */
  readonly float?: number;
  readonly int?: number;
  readonly bool?: number;
  /** The result is a bool whatever the operands are. */
  readonly predicate?: boolean;
  readonly f: Pair;
  /** The integer function where it differs. */
  readonly i?: Pair;
}

const word = (condition: boolean): number => (condition ? 1 : 0);

export const binaryOps = {
  add: { float: 0, int: 20, f: (a, b) => a + b, i: (a, b) => (a + b) | 0 },
  sub: { float: 1, int: 21, f: (a, b) => a - b, i: (a, b) => (a - b) | 0 },
  mul: { float: 2, int: 22, f: (a, b) => a * b, i: Math.imul },
  div: { float: 3, f: (a, b) => a / b },
  pow: { float: 4, f: (a, b) => a ** b },
  maximum: { float: 5, int: 25, f: Math.max },
  minimum: { float: 6, int: 26, f: Math.min },
  equal: { float: 10, int: 30, bool: 30, predicate: true, f: (a, b) => word(a === b) },
  notEqual: { float: 11, int: 31, bool: 31, predicate: true, f: (a, b) => word(a !== b) },
  less: { float: 12, int: 32, predicate: true, f: (a, b) => word(a < b) },
  lessEqual: { float: 13, int: 33, predicate: true, f: (a, b) => word(a <= b) },
  greater: { float: 14, int: 34, predicate: true, f: (a, b) => word(a > b) },
  greaterEqual: { float: 15, int: 35, predicate: true, f: (a, b) => word(a >= b) },
  logicalAnd: { bool: 40, predicate: true, f: (a, b) => a & b },
  logicalOr: { bool: 41, predicate: true, f: (a, b) => a | b },
  logicalXor: { bool: 42, predicate: true, f: (a, b) => a ^ b },
} as const satisfies Record<string, BinaryOp>;

export type BinaryName = keyof typeof binaryOps;

export interface BinaryAttrs {
  readonly op: BinaryName;
}

/** The OP constant for operands of this dtype, or undefined. */
function codeOf(op: BinaryOp, dtype: DType): number | undefined {
  if (isFloat(dtype)) return op.float;
  return dtype === 'int32' ? op.int : dtype === 'bool' ? op.bool : undefined;
}

const module = wgslModule('binary', source);
const ACCESS = ['read', 'read', 'write'] as const;
const WORDS = 44;

/** By OP. */
const samePipelines: PipelineSpec[] = [];
const stridedPipelines: PipelineSpec[] = [];

export const binaryKernel: Kernel<BinaryAttrs> = {
  name: 'binary',
  variants: ['strided', 'same'],

  supports: (variant, [a, b]) => variant === 'strided' || (!!a && !!b && sameShape(a.shape, b.shape)),

  infer(op, [a, b], attrs) {
    if (!a || !b) throw new ArgumentError(`${op}: two operands expected.`);
    if (a.dtype !== b.dtype) {
      throw new DTypeError(
        `${op}: operands are ${a.dtype} and ${b.dtype}; cast one of them, nothing is promoted in silence.`,
      );
    }
    const entry: BinaryOp = binaryOps[attrs.op];
    if (codeOf(entry, a.dtype) === undefined) {
      throw new DTypeError(`${op} is not defined for ${a.dtype}; cast the operands first.`);
    }
    const shape = sameShape(a.shape, b.shape) ? a.shape : broadcastShapes(op, a.shape, b.shape);
    return [{ shape, dtype: entry.predicate ? 'bool' : a.dtype }];
  },

  plan([a, b], [out], attrs, _traits, variant) {
    if (!a || !b || !out) return { steps: [] };
    const code = codeOf(binaryOps[attrs.op], a.dtype) as number;
    const count = sizeOf(out.shape);
    const same = variant ? variant === 'same' : sameShape(a.shape, b.shape);
    const uniforms = new Uint32Array(same ? 4 : WORDS);
    uniforms[0] = count;
    if (!same) {
      const { extents, strides } = collapse(out.shape, [
        broadcastStrides(a.shape, out.shape),
        broadcastStrides(b.shape, out.shape),
      ]);
      uniforms[1] = extents.length;
      writeAxes(uniforms, 4, extents, strides);
    }
    const known = same ? samePipelines : stridedPipelines;
    const pipeline = (known[code] ??= pipelineSpec(module, same ? 'binarySame' : 'binary', ACCESS, WORDS, {
      OP: code,
    }));
    return {
      steps: [
        { pipeline, buffers: ['in0', 'in1', 'out0'], uniforms, workgroups: grid(Math.ceil(count / 64)) },
      ],
    };
  },

  reference([a, b], [out], attrs) {
    if (!a || !b || !out) return;
    const entry: BinaryOp = binaryOps[attrs.op];
    const f = a.dtype === 'int32' ? (entry.i ?? entry.f) : entry.f;
    const strides = [broadcastStrides(a.shape, out.shape), broadcastStrides(b.shape, out.shape)];
    forEachOffset(out.shape, strides, (index, [i, j]) => {
      out.data[index] = f(a.data[i as number] as number, b.data[j as number] as number);
    });
  },
};
