/** Elementwise choice between two operands, with broadcasting. */
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import {
  broadcastShapes,
  broadcastStrides,
  forEachOffset,
  type Shape,
  sameShape,
  sizeOf,
} from '../src/core/shape.ts';
import source from '../wgsl/where.wgsl';
import { grid, type Kernel, type Plan, pipelineSpec, type TensorSpec, wgslModule } from './kernel.ts';
import { AXES_WORDS, collapse, hasRows, MANY, writeAxes } from './strided.ts';

const WORDS = 8 + AXES_WORDS;
const module = wgslModule('where', source);
const ACCESS = ['read', 'read', 'read', 'write'] as const;
const chooseRuns = pipelineSpec(module, 'chooseRuns', ACCESS, WORDS);
const chooseRows = pipelineSpec(module, 'chooseRows', ACCESS, WORDS);

const shapeOf = (inputs: readonly TensorSpec[]): Shape =>
  broadcastShapes('where', ...inputs.map((input) => input.shape));

/** Whether nothing is stretched but a single a or b. */
function isSame(inputs: readonly TensorSpec[]): boolean {
  const shape = shapeOf(inputs);
  return inputs.every(
    (input, index) => sameShape(input.shape, shape) || (index > 0 && sizeOf(input.shape) === 1),
  );
}

function planSame(inputs: readonly TensorSpec[], count: number, quartered: boolean): Plan {
  const [ONE_A, ONE_B] = inputs.slice(1).map(({ shape }) => Number(sizeOf(shape) === 1)) as [number, number];
  const constants = { QUARTERS: Number(quartered), ONE_A, ONE_B };
  const pipeline = pipelineSpec(module, 'chooseSame', ACCESS, WORDS, constants);
  const invocations = quartered ? count / 16 : Math.ceil(count / 4);
  const uniforms = new Uint32Array(WORDS);
  uniforms[0] = uniforms[2] = invocations;
  const workgroups = grid(Math.ceil(invocations / 64));
  return { steps: [{ pipeline, buffers: ['in0', 'in1', 'in2', 'out0'], uniforms, workgroups }] };
}

export const whereKernel: Kernel<undefined> = {
  name: 'where',
  variants: ['runs', 'rows', 'same', 'sameQuarters'],

  supports(variant, inputs) {
    if (variant === 'runs') return true;
    if (variant === 'rows') return hasRows(shapeOf(inputs));
    return isSame(inputs) && (variant === 'same' || sizeOf(shapeOf(inputs)) % 16 === 0);
  },

  infer(op, [condition, a, b]) {
    if (!condition || !a || !b) throw new ArgumentError(`${op}: a condition and two operands expected.`);
    if (condition.dtype !== 'bool') {
      throw new DTypeError(`${op}: the condition is ${condition.dtype}; compare it or cast it to bool.`);
    }
    if (a.dtype !== b.dtype || a.dtype === 'uint8') {
      throw new DTypeError(`${op}: operands are ${a.dtype} and ${b.dtype}; cast them to one dtype.`);
    }
    return [{ shape: broadcastShapes(op, condition.shape, a.shape, b.shape), dtype: a.dtype }];
  },

  plan(inputs, [out], _attrs, _traits, variant) {
    if (!out) return { steps: [] };
    const count = sizeOf(out.shape);
    const same = variant ? variant.startsWith('same') : isSame(inputs);
    if (same) {
      const quartered = variant ? variant === 'sameQuarters' : count % 16 === 0 && count >= MANY;
      return planSame(inputs, count, quartered);
    }
    const rows = variant ? variant === 'rows' : hasRows(out.shape);
    const invocations = Math.ceil(count / 4);
    const { extents, strides } = collapse(
      out.shape,
      inputs.map((input) => broadcastStrides(input.shape, out.shape)),
    );
    const uniforms = new Uint32Array(WORDS);
    uniforms[0] = invocations;
    uniforms[1] = extents.length;
    uniforms.set(
      strides.map((own) => own.at(-1) ?? 0),
      4,
    );
    writeAxes(uniforms, 8, extents, strides);
    const pipeline = rows ? chooseRows : chooseRuns;
    const workgroups = grid(Math.ceil(invocations / 64));
    return { steps: [{ pipeline, buffers: ['in0', 'in1', 'in2', 'out0'], uniforms, workgroups }] };
  },

  reference([condition, a, b], [out]) {
    if (!condition || !a || !b || !out) return;
    const strides = [condition, a, b].map((input) => broadcastStrides(input.shape, out.shape));
    forEachOffset(out.shape, strides, (index, [c, i, j]) => {
      out.data[index] = (condition.data[c as number] ? a.data[i as number] : b.data[j as number]) as number;
    });
  },
};
