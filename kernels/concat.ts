/** Joining tensors along an axis. */
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, type Shape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/concat.wgsl';
import { grid, type Kernel, pipelineSpec, type Slot, type TensorSpec, wgslModule } from './kernel.ts';
import { divider } from './strided.ts';

export interface ConcatAttrs {
  /** In [0, rank). */
  readonly axis: number;
}

/** How many tensors one dispatch joins: with the output, the eight storage buffers of the default limits. */
export const CONCAT_PARTS = 7;

const access = ['read', 'read', 'read', 'read', 'read', 'read', 'read', 'write'] as const;
const module = wgslModule('concat', source);
const entries = { elements: 'concat', quads: 'concatQuads' } as const;
/** Numbers of parts with pipelines of their own: drivers may go through the loads of all parts for each element. */
const PIPELINES = [2, 4, CONCAT_PARTS];

/** What any number of tensors make when joined along `axis`. */
export function joined(op: string, inputs: readonly TensorSpec[], axis: number): TensorSpec {
  const [first] = inputs;
  if (!first) throw new ArgumentError(`${op}: no tensors given; it takes at least one.`);
  const { dtype } = first;
  if (dtype === 'uint8')
    throw new DTypeError(`${op}: packed uint8 cannot be moved; cast it to float or int32 first.`);
  let extent = 0;
  inputs.forEach(({ shape, dtype: own }, index) => {
    if (own !== dtype)
      throw new DTypeError(
        `${op}: tensor 0 is ${dtype} and tensor ${index} is ${own}; cast them to one dtype.`,
      );
    const fits =
      shape.length === first.shape.length && shape.every((size, a) => a === axis || size === first.shape[a]);
    if (!fits) {
      throw new ShapeError(
        `${op}: tensor 0 has shape ${formatShape(first.shape)}, tensor ${index} has ${formatShape(shape)}; they may ` +
          `differ along axis ${axis} only.`,
      );
    }
    extent += shape[axis] as number;
  });
  return { shape: first.shape.map((size, a) => (a === axis ? extent : size)), dtype };
}

const columnsOf = (shape: Shape, axis: number): number => sizeOf(shape.slice(axis));

/** Whether all parts have whole quads in every row. */
const inQuads = (inputs: readonly TensorSpec[], axis: number): boolean =>
  inputs.every(({ shape }) => columnsOf(shape, axis) % 4 === 0);

export const concatKernel: Kernel<ConcatAttrs> = {
  name: 'concat',
  variants: ['elements', 'quads'],

  supports: (variant, inputs, { axis }) => variant === 'elements' || inQuads(inputs, axis),

  infer(op, inputs, { axis }) {
    if (inputs.length > CONCAT_PARTS)
      throw new ArgumentError(
        `${op}: ${inputs.length} tensors for one dispatch, which takes ${CONCAT_PARTS}.`,
      );
    return [joined(op, inputs, axis)];
  },

  plan(inputs, [out], { axis }, _traits, forced) {
    const { shape } = out as TensorSpec;
    const variant = forced !== 'elements' && inQuads(inputs, axis) ? 'quads' : 'elements';
    const unit = variant === 'quads' ? 4 : 1;
    const count = sizeOf(shape) / unit;
    let rows = sizeOf(shape.slice(0, axis));
    // Rows of one element all come from the same part: as well one long row.
    const stretch = rows === count ? rows : 1;
    if (stretch > 1) rows = 1;
    const columns = count / rows;
    const uniforms = new Uint32Array(12);
    uniforms.set([count, columns, ...(rows === 1 ? [0, 0] : divider(columns))]);
    let end = 0;
    const buffers: Slot[] = [];
    for (let part = 0; part < CONCAT_PARTS; part++) {
      const input = inputs[part];
      if (input) end += (columnsOf(input.shape, axis) / unit) * stretch;
      uniforms[4 + part] = end;
      buffers.push(input ? `in${part}` : 'in0');
    }
    buffers.push('out0');
    const PARTS = PIPELINES.find((parts) => parts >= inputs.length) as number;
    const pipeline = pipelineSpec(module, entries[variant], access, 12, { PARTS });
    return { steps: [{ pipeline, buffers, uniforms, workgroups: grid(Math.ceil(count / 64)) }] };
  },

  reference(inputs, [out], { axis }) {
    if (!out) return;
    const rows = sizeOf(out.shape.slice(0, axis));
    const columns = columnsOf(out.shape, axis);
    let start = 0;
    for (const { shape, data } of inputs) {
      const width = columnsOf(shape, axis);
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < width; column++)
          out.data[row * columns + start + column] = data[row * width + column] as number;
      start += width;
    }
  },
};
