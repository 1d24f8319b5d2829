/** The gated linear unit and its gradient, with the tensor taken as (outer, 2, run): a is its first half, b the second. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/activation-glu.wgsl';
import { sigmoidSlope, timesFactor } from './activation.ts';
import {
  type Access,
  grid,
  type Kernel,
  type Plan,
  pipelineSpec,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';
import { divider } from './strided.ts';
import { sigmoid } from './unary.ts';

export interface GluAttrs {
  /** Normalised; its extent is even. */
  readonly axis: number;
}

const module = wgslModule('activation-glu', source);
const VARIANTS = ['elements', 'vectors'];

/** How many elements of a half lie together. */
const runOf = ({ shape }: TensorSpec, axis: number): number => sizeOf(shape.slice(axis)) / 2;

function planOf(x: TensorSpec, { axis }: GluAttrs, access: readonly Access[], variant?: string): Plan {
  const size = sizeOf(x.shape) / 2;
  const run = runOf(x, axis);
  const vectors = variant ? variant === 'vectors' : run % 4 === 0;
  const share = vectors ? 4 : 1;
  const entry = access.length === 2 ? 'glu' : 'gluGradient';
  const count = size / share;
  return {
    steps: [
      {
        pipeline: pipelineSpec(module, vectors ? `${entry}Vectors` : entry, access, 4),
        buffers: access.length === 2 ? ['in0', 'out0'] : ['in0', 'in1', 'out0'],
        uniforms: Uint32Array.of(count, run / share, ...divider((2 * run) / share)),
        workgroups: grid(Math.ceil(count / 64)),
      },
    ],
  };
}

/** The shape of a half. */
function halfOf(op: string, { shape, dtype }: TensorSpec, axis: number): number[] {
  if (!isFloat(dtype))
    throw new DTypeError(`${op}: takes floats, got ${dtype}; cast it first: cast(x, 'float').`);
  if ((shape[axis] as number) % 2 !== 0) {
    throw new ShapeError(
      `${op}: axis ${axis} of ${formatShape(shape)} cannot be halved into values and gates; give it an even extent, twice ` +
        `that of the result.`,
    );
  }
  return shape.map((extent, at) => (at === axis ? extent / 2 : extent));
}

const supports = (variant: string, x: TensorSpec | undefined, { axis }: GluAttrs): boolean =>
  variant === 'elements' || (!!x && runOf(x, axis) % 4 === 0);

/** Calls `visit` for each element of a half with its two places in x. */
function forEachPair(x: TensorSpec, axis: number, visit: (i: number, a: number, b: number) => void): void {
  const run = runOf(x, axis);
  for (let i = 0; i < sizeOf(x.shape) / 2; i++) {
    const first = i + Math.floor(i / run) * run;
    visit(i, first, first + run);
  }
}

/** a · sigmoid(b). */
export const gluKernel: Kernel<GluAttrs> = {
  name: 'glu',
  variants: VARIANTS,
  supports: (variant, [x], attrs) => supports(variant, x, attrs),
  infer: (op, inputs, { axis }) => {
    const x = inputs[0] as TensorSpec;
    return [{ shape: halfOf(op, x, axis), dtype: x.dtype }];
  },
  plan: ([x], _outputs, attrs, _traits, variant) =>
    planOf(x as TensorSpec, attrs, ['read', 'write'], variant),

  reference([x], [y], { axis }) {
    if (!x || !y) return;
    forEachPair(x, axis, (i, first, second) => {
      const b = x.data[second] as number;
      y.data[i] = Number.isNaN(b) ? b : timesFactor(x.data[first] as number, sigmoid(b));
    });
  },
};

/** The gradient of x from that of the result: g · sigmoid(b) and g · a · sigmoid′(b); the inputs are g and x. */
export const gluGradientKernel: Kernel<GluAttrs> = {
  name: 'gluGradient',
  variants: VARIANTS,
  supports: (variant, [, x], attrs) => supports(variant, x, attrs),
  infer: (op, [g, x], { axis }) => {
    if (!g || !x) throw new ArgumentError(`${op}: the gradient and the input expected.`);
    const half = halfOf(op, x, axis);
    if (!sameShape(g.shape, half) || g.dtype !== x.dtype) {
      throw new ShapeError(
        `${op}: the gradient of shape ${formatShape(g.shape)} must have the result's, ${formatShape(half)}.`,
      );
    }
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  plan: ([, x], _outputs, attrs, _traits, variant) =>
    planOf(x as TensorSpec, attrs, ['read', 'read', 'write'], variant),

  reference([g, x], [dx], { axis }) {
    if (!g || !x || !dx) return;
    forEachPair(x, axis, (i, first, second) => {
      const gradient = g.data[i] as number;
      const a = x.data[first] as number;
      const b = x.data[second] as number;
      const open = timesFactor(gradient, sigmoid(b));
      const moved = Number.isNaN(a) ? a : timesFactor(gradient, timesFactor(a, sigmoidSlope(b)));
      dx.data[first] = Number.isNaN(b) ? b : open;
      dx.data[second] = Number.isNaN(b) ? b : moved;
    });
  },
};
