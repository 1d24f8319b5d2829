/** A batch that fits a model, for commands that look at how it computes and not at what it learned. */
import { ArgumentError } from '../../core/errors.ts';
import { sizeOf } from '../../core/shape.ts';
import type { Column } from '../../data/batch.ts';
import { streamOf } from '../../data/random.ts';
import type { Model } from '../../models/model.ts';

export interface SyntheticBatch {
  readonly x: Readonly<Record<string, Column>>;
  readonly y: Column;
}

/** No purpose of the library's own data. */
const PURPOSE = 0x7379;

/** Uniform numbers below 1; for integers zeros, which every embedding has. */
function column(shape: readonly number[], integers: boolean, part: number): Column {
  const count = sizeOf(shape);
  if (integers) return { data: new Int32Array(count), shape, dtype: 'int32' };
  const { uniform } = streamOf({ seed: 0, stream: 0 }, PURPOSE, part);
  return { data: Float32Array.from({ length: count }, () => uniform()), shape, dtype: 'float32' };
}

/**
 * Uniform random inputs, and random targets for its loss.
 *
 * @throws ArgumentError for a model of unknown input shapes, or with several outputs.
 */
export function syntheticBatch(op: string, model: Model, batchSize: number): SyntheticBatch {
  const { inputs, outputs } = model.signature();
  const x: Record<string, Column> = {};
  const specs = inputs.map(({ name, shape, dtype }, index) => {
    if (!shape || shape.slice(1).some((extent) => extent === null))
      throw new ArgumentError(
        `${op}: the shape of the model's input '${name}' is not known; begin the model with input({ shape }).`,
      );
    const own = [batchSize, ...shape.slice(1)] as number[];
    x[name] = column(own, dtype === 'int32', index);
    return { shape, dtype: dtype ?? ('float' as const) };
  });
  const [found] = model.outputSpecs(specs);
  if (outputs.length !== 1 || !found)
    throw new ArgumentError(`${op}: the model has ${outputs.length} outputs; it takes models with one.`);
  const shape = [batchSize, ...found.shape.slice(1)] as number[];
  const { loss } = model.trainer.outputs[0] ?? {};
  if (!loss?.sparse) return { x, y: column(shape, false, inputs.length) };
  const classes = shape.at(-1) as number;
  const { below } = streamOf({ seed: 0, stream: 0 }, PURPOSE, inputs.length);
  const rows = shape.slice(0, -1);
  const labels = Int32Array.from({ length: sizeOf(rows) }, () => below(classes));
  return { x, y: { data: labels, shape: rows, dtype: 'int32' } };
}
