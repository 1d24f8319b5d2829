/** Values that are not there yet: what layers are called on to describe a network with branches. */
import { describe } from '../core/describe.ts';
import type { DType } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';
import type { Layer } from './layer.ts';
import { checkPartial, formatPartial, type PartialShape } from './partial-shape.ts';

/** A layer at one place of a network. A shared layer has several. */
export interface SymbolicNode {
  /** Rises in the order in which layers were called. */
  readonly id: number;
  readonly layer: Layer;
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
}

let nodes = 0;

/** A new node; `outputs` is filled by the caller. */
export const newNode = (
  layer: Layer,
  inputs: readonly SymbolicTensor[],
  outputs: readonly SymbolicTensor[],
): SymbolicNode => ({ id: nodes++, layer, inputs, outputs });

/** The promise of a tensor: a shape with the batch first, and the layer that will make it. */
export class SymbolicTensor {
  readonly shape: PartialShape;
  readonly dtype: DType | 'float';
  /** Null for an input of the network. */
  readonly node: SymbolicNode | null;
  /** Which output of its node it is. */
  readonly output: number;
  /** For an input: the name that `fit` takes its data by. */
  readonly name: string | null;

  constructor(
    shape: PartialShape,
    dtype: DType | 'float',
    from: { readonly node: SymbolicNode; readonly output: number } | { readonly name: string | null },
  ) {
    this.shape = shape;
    this.dtype = dtype;
    this.node = 'node' in from ? from.node : null;
    this.output = 'node' in from ? from.output : 0;
    this.name = 'name' in from ? from.name : null;
  }

  toString(): string {
    const maker = this.node ? `from layer '${this.node.layer.name}'` : 'input';
    return `SymbolicTensor(shape ${formatPartial(this.shape)}, ${this.dtype}, ${maker})`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

export interface InputOptions {
  /** The shape of one example, without the batch; null for an extent that may change from call to call. */
  shape: PartialShape;
  /** Default: 'float'. Token numbers and labels are 'int32'. */
  dtype?: DType | 'float';
  /** What `fit` finds its data by where there are several inputs. Default: input, input_1 … */
  name?: string;
}

const INPUT_DTYPES: readonly unknown[] = ['float', 'float32', 'float64', 'int32', 'bool', 'uint8'];

/**
 * An input of a network, for `sequential` and for layers to be called on.
 *
 * ```ts
 * const x = input({ shape: [28, 28, 1] });
 * const y = layers.dense({ units: 10 }).apply(layers.flatten().apply(x));
 * ```
 */
export function input(options: InputOptions): SymbolicTensor {
  checkOptions('input', options, ['shape', 'dtype', 'name'], '');
  const { shape, dtype = 'float', name = null } = options;
  checkPartial('input', shape);
  if (!INPUT_DTYPES.includes(dtype))
    throw new ArgumentError(`input: dtype is ${describe(dtype)}; pass 'float' or 'int32'.`);
  if (name !== null && (typeof name !== 'string' || name === ''))
    throw new ArgumentError(`input: name is ${describe(name)}; pass a text.`);
  return new SymbolicTensor([null, ...shape], dtype, { name });
}
