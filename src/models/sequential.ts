/** Models that are one layer after another. */
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { nameLayers } from '../nn/graph.ts';
import type { PartialSpec } from '../nn/infer-shapes.ts';
import { Layer, type LayerOptions } from '../nn/layer.ts';
import { SymbolicTensor } from '../nn/symbolic.ts';
import type { Signature } from '../train/signature.ts';
import { inputConfig } from './input-specs.ts';
import { Model } from './model.ts';

export class Sequential extends Model {
  readonly #layers: readonly Layer[];
  readonly #input: SymbolicTensor | null;
  #output: PartialSpec | null = null;

  constructor(items: readonly (Layer | SymbolicTensor)[], options: LayerOptions = {}) {
    // A subclass has a type of its own, so that a saved one is not taken for this.
    super(options, new.target === Sequential ? 'sequential' : undefined, []);
    if (!Array.isArray(items))
      throw new ArgumentError(`sequential: the layers are ${describe(items)}; pass a list of them.`);
    const [first] = items as readonly unknown[];
    this.#input = first instanceof SymbolicTensor && first.node === null ? first : null;
    const list = (this.#input ? items.slice(1) : items) as readonly unknown[];
    if (list.length === 0) throw new ArgumentError('sequential: there are no layers; pass at least one.');
    this.#layers = list.map((item, index) => {
      if (item instanceof Layer) return item;
      throw new ArgumentError(
        `sequential: item ${index} is ${describe(item)}; pass layers, and at most one input() in front of them.`,
      );
    });
    nameLayers('sequential', [...new Set(this.#layers)]);
    if (this.#input) this.#output = this.outputSpecs([this.#input])[0] ?? null;
  }

  get layers(): readonly Layer[] {
    return this.#layers;
  }

  /** The input that was given, or null where the first data tell. */
  get input(): SymbolicTensor | null {
    return this.#input;
  }

  override get inputSpecs(): readonly PartialSpec[] | null {
    return this.#input ? [this.#input] : super.inputSpecs;
  }

  override getConfig(): object {
    return {
      ...this.options,
      input: this.#input ? inputConfig(this.#input) : undefined,
      layers: this.#layers,
    };
  }

  override sublayers(): readonly (readonly [string, Layer])[] {
    return this.#layers.map((layer) => [layer.name, layer] as const);
  }

  override call([x]: readonly [Tensor]): Tensor {
    return this.#layers.reduce((value, layer) => layer.apply(value), x);
  }

  override signature(): Signature {
    const [first] = this.#layers as readonly [Layer];
    const last = this.#layers.at(-1) as Layer;
    const { shape = null, dtype = null } = this.#input ?? {};
    return {
      inputs: [
        {
          name: this.#input?.name ?? 'input',
          shape,
          dtype: dtype ?? (first.inputLimit === null ? null : 'int32'),
          layer: first.name,
          limit: first.inputLimit,
        },
      ],
      outputs: [
        {
          name: last.name,
          shape: this.#output?.shape ?? null,
          dtype: this.#output?.dtype ?? null,
          layer: last.name,
        },
      ],
    };
  }
}

/**
 * A model of layers that follow each other. Begin with `input({ shape })`, and the weights are made at once; without it the
 * first data tell the shapes.
 *
 * ```ts
 * const model = sequential([
 *   input({ shape: [20] }),
 *   layers.dense({ units: 64, activation: 'relu' }),
 *   layers.dense({ units: 10, activation: 'softmax' }),
 * ]);
 * ```
 *
 * @throws ArgumentError for no layers, or two of one name; ShapeError, which names the layer, when one does not fit the next.
 */
export const sequential = (items: readonly (Layer | SymbolicTensor)[], options?: LayerOptions): Sequential =>
  new Sequential(items, options);
