/** Networks as graphs of layers: what lies between inputs and outputs, and how it runs. */
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Layer } from './layer.ts';
import { type SymbolicNode, SymbolicTensor } from './symbolic.ts';

export interface Graph {
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
  /** In an order in which they can run: that in which they were made. */
  readonly nodes: readonly SymbolicNode[];
  /** Each once, in the order of its first node. */
  readonly layers: readonly Layer[];
}

function checkList(op: string, what: string, list: readonly unknown[]): void {
  if (list.length === 0) throw new ArgumentError(`${op}: there are no ${what}; pass at least one.`);
  list.forEach((item, index) => {
    if (!(item instanceof SymbolicTensor))
      throw new ArgumentError(
        `${op}: ${what} ${index} is ${describe(item)}; pass what input() and layers called on it return.`,
      );
  });
}

/**
 * The graph between inputs and outputs.
 *
 * @throws ArgumentError when an output depends on an input that is not listed, or an input on a layer.
 */
export function graphOf(
  op: string,
  inputs: readonly SymbolicTensor[],
  outputs: readonly SymbolicTensor[],
): Graph {
  checkList(op, 'inputs', inputs);
  checkList(op, 'outputs', outputs);
  if (new Set(inputs).size < inputs.length)
    throw new ArgumentError(`${op}: an input is listed twice; list each once.`);
  const found = new Set<SymbolicNode>();
  const pending: SymbolicTensor[] = [...outputs];
  for (let tensor = pending.pop(); tensor; tensor = pending.pop()) {
    if (inputs.includes(tensor)) continue;
    const { node } = tensor;
    if (!node)
      throw new ArgumentError(
        `${op}: an output depends on an input of shape ${tensor} that is not among the inputs; list it.`,
      );
    if (found.has(node)) continue;
    found.add(node);
    pending.push(...node.inputs);
  }
  const nodes = [...found].sort((a, b) => a.id - b.id);
  return { inputs, outputs, nodes, layers: [...new Set(nodes.map(({ layer }) => layer))] };
}

/** Calls the layers of a graph on tensors for its inputs. */
export function runGraph({ inputs, outputs, nodes }: Graph, tensors: readonly Tensor[]): Tensor[] {
  const values = new Map<SymbolicTensor, Tensor>();
  inputs.forEach((input, index) => {
    values.set(input, tensors[index] as Tensor);
  });
  for (const { layer, inputs: from, outputs: to } of nodes) {
    const results = layer.applyAll(from.map((input) => values.get(input) as Tensor));
    to.forEach((output, index) => {
      values.set(output, results[index] as Tensor);
    });
  }
  return outputs.map((output) => values.get(output) as Tensor);
}

/** Gives each layer a name of its own: the one it has, else its type, with a number from the second on. */
export function nameLayers(op: string, layers: readonly Layer[]): void {
  const taken = new Set<string>();
  for (const layer of layers) {
    if (!layer.named) continue;
    if (taken.has(layer.name))
      throw new ArgumentError(`${op}: two layers are named '${layer.name}'; rename one of them.`);
    taken.add(layer.name);
  }
  for (const layer of layers) {
    if (layer.named) continue;
    let name = layer.type;
    for (let count = 1; taken.has(name); count++) name = `${layer.type}_${count}`;
    taken.add(name);
    layer.adoptName(name);
  }
}
