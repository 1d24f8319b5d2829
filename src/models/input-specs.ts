/** What models know of their inputs. */
import type { Tensor } from '../autograd/tensor.ts';
import { isFloat } from '../core/dtype.ts';
import type { PartialSpec } from '../nn/infer-shapes.ts';
import type { InputOptions, SymbolicTensor } from '../nn/symbolic.ts';

type Given = Tensor | SymbolicTensor;

const specOf = ({ shape, dtype }: Given): PartialSpec => ({
  shape: shape.map((extent, axis) => (axis === 0 ? null : extent)),
  dtype: dtype !== 'float' && isFloat(dtype) ? 'float' : dtype,
});

/** What earlier calls and this one have in common; extents that differ may be any. Other ranks and dtypes begin anew. */
export function inCommonWith(
  before: readonly PartialSpec[] | null,
  inputs: Given | readonly Given[],
): readonly PartialSpec[] {
  const list = (Array.isArray(inputs) ? inputs : [inputs]) as readonly Given[];
  return list.map((given, index) => {
    const spec = specOf(given);
    const old = before?.[index];
    if (!old || old.dtype !== spec.dtype || old.shape.length !== spec.shape.length) return spec;
    return { ...spec, shape: spec.shape.map((extent, axis) => (extent === old.shape[axis] ? extent : null)) };
  });
}

/** What `input` takes to make such an input again. */
export const inputConfig = ({ shape, dtype, name }: SymbolicTensor): InputOptions => ({
  shape: shape.slice(1),
  dtype,
  ...(name !== null && { name }),
});
