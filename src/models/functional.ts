/** Models that are graphs of layers: several inputs and outputs, shared layers, branches and skip connections. */
import type { Tensor } from '../autograd/tensor.ts';
import { ArgumentError } from '../core/errors.ts';
import { type Graph, graphOf, nameLayers, runGraph } from '../nn/graph.ts';
import type { PartialSpec } from '../nn/infer-shapes.ts';
import type { Layer, LayerOptions } from '../nn/layer.ts';
import type { SymbolicNode, SymbolicTensor } from '../nn/symbolic.ts';
import { checkOptions } from '../ops/options.ts';
import type { Port, Signature } from '../train/signature.ts';
import { inputConfig } from './input-specs.ts';
import { Model } from './model.ts';

export interface FunctionalOptions extends LayerOptions {
  /** What `input()` returned: one, or several. */
  inputs: SymbolicTensor | readonly SymbolicTensor[];
  /** What layers called on them returned. */
  outputs: SymbolicTensor | readonly SymbolicTensor[];
}

/** An input of the network by its number, or an output of a call of a layer. */
export type GraphReference = { readonly input: number } | { readonly node: number; readonly output: number };

const listOf = (given: SymbolicTensor | readonly SymbolicTensor[]): readonly SymbolicTensor[] =>
  Array.isArray(given) ? given : [given as SymbolicTensor];

export class Functional extends Model<FunctionalOptions> {
  readonly #graph: Graph;

  constructor(options: FunctionalOptions) {
    super(options, new.target === Functional ? 'functional' : undefined, ['inputs', 'outputs']);
    this.#graph = graphOf('model', listOf(options.inputs), listOf(options.outputs));
    nameLayers('model', this.graph.layers);
    const names = this.signature().inputs.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined)
      throw new ArgumentError(
        `model: two inputs are named '${twice}'; give one another name: input({ name }).`,
      );
    this.outputSpecs(this.graph.inputs);
  }

  override get graph(): Graph {
    return this.#graph;
  }

  override get inputSpecs(): readonly PartialSpec[] {
    return this.graph.inputs;
  }

  /** Layers, the calls of them in an order in which they can run, and where the inputs of each call come from. */
  override getConfig(): object {
    const { inputs, outputs, nodes, layers } = this.graph;
    const reference = (tensor: SymbolicTensor): GraphReference => {
      const input = inputs.indexOf(tensor);
      if (input >= 0) return { input };
      return { node: nodes.indexOf(tensor.node as SymbolicNode), output: tensor.output };
    };
    const { inputs: _inputs, outputs: _outputs, ...options } = this.options;
    return {
      ...options,
      inputs: inputs.map(inputConfig),
      layers,
      nodes: nodes.map(({ layer, inputs: from }) => ({
        layer: layers.indexOf(layer),
        inputs: from.map(reference),
      })),
      outputs: outputs.map(reference),
    };
  }

  get layers(): readonly Layer[] {
    return this.graph.layers;
  }

  override sublayers(): readonly (readonly [string, Layer])[] {
    return this.graph.layers.map((layer) => [layer.name, layer] as const);
  }

  override call(inputs: readonly Tensor[]): readonly Tensor[] {
    const wanted = this.graph.inputs.length;
    if (inputs.length !== wanted)
      throw new ArgumentError(`it takes ${wanted} inputs, and was called on ${inputs.length}.`);
    return runGraph(this.graph, inputs);
  }

  override signature(): Signature {
    const { inputs, outputs, nodes } = this.graph;
    const consumer = (input: SymbolicTensor): Layer | null =>
      nodes.find((node) => node.inputs.includes(input))?.layer ?? null;
    return {
      inputs: inputs.map((input, index) => ({
        name: input.name ?? (index === 0 ? 'input' : `input_${index}`),
        shape: input.shape,
        dtype: input.dtype,
        layer: consumer(input)?.name ?? null,
        limit: consumer(input)?.inputLimit ?? null,
      })),
      outputs: uniqueNames(
        outputs.map(({ shape, dtype, node }) => ({
          name: node?.layer.name ?? 'output',
          shape,
          dtype,
          layer: node?.layer.name ?? null,
        })),
      ),
    };
  }
}

/** A layer that makes several outputs gives each a number. */
function uniqueNames(ports: readonly Port[]): Port[] {
  const counts = new Map<string, number>();
  return ports.map((port) => {
    const count = counts.get(port.name) ?? 0;
    counts.set(port.name, count + 1);
    return count === 0 ? port : { ...port, name: `${port.name}_${count}` };
  });
}

/**
 * The model between symbolic inputs and what layers made of them.
 *
 * ```ts
 * const x = input({ shape: [32] });
 * const y = layers.add().apply([x, layers.dense({ units: 32, activation: 'relu' }).apply(x)]);
 * const net = model({ inputs: x, outputs: layers.dense({ units: 1 }).apply(y) });
 * ```
 *
 * @throws ArgumentError when an output depends on an input that is not listed, or for two layers of one name.
 */
export function model(options: FunctionalOptions): Functional {
  checkOptions('model', options, ['inputs', 'outputs', 'name', 'trainable'], '');
  return new Functional(options);
}
