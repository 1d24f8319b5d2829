/**
 * The graph: one node per differentiable op that ran. A node knows its op, its inputs' graph state and what the op
 * saved. Nodes are counted, so that what they saved is given back as soon as nothing can reach it.
 */
import type { TensorSpec } from '../../kernels/kernel.ts';
import { AutogradError } from '../core/errors.ts';
import type { Op } from './op.ts';
import type { Tensor } from './tensor.ts';

/** What a tensor is to the graph; shared by all handles of the same value. */
export class GradState {
  requiresGrad: boolean;
  /** The node that made the value, or null for a leaf. */
  readonly node: Node | null;
  readonly output: number;
  /** The accumulated gradient of a leaf, or of a value that retains it. */
  grad: Tensor | null = null;
  /** Where `backward()` puts the gradient of a leaf: memory of the same shape, which others read as a whole. */
  target: Tensor | null = null;
  retainsGrad = false;

  constructor(requiresGrad: boolean, node: Node | null, output: number) {
    this.requiresGrad = requiresGrad;
    this.node = node;
    this.output = output;
  }
}

/** A saved tensor, and the version of its memory at that time. */
interface Saved {
  readonly tensor: Tensor;
  readonly version: number;
}

let created = 0;

export class Node {
  readonly id = ++created;
  readonly op: Op<unknown>;
  readonly attrs: unknown;
  /** The graph state of each input; null where no gradient is wanted. */
  readonly inputs: readonly (GradState | null)[];
  readonly inputSpecs: readonly TensorSpec[];
  readonly outputSpecs: readonly TensorSpec[];
  /** Where the op was called; only kept in anomaly mode. */
  readonly place: string | null;
  #saved: readonly (Saved | undefined)[] = [];
  #freed = false;
  /** Live handles of the outputs, and consumers that were not released. */
  #references = 0;

  constructor(
    op: Op<unknown>,
    attrs: unknown,
    inputs: readonly (GradState | null)[],
    inputSpecs: readonly TensorSpec[],
    outputSpecs: readonly TensorSpec[],
    place: string | null,
  ) {
    this.op = op;
    this.attrs = attrs;
    this.inputs = inputs;
    this.inputSpecs = inputSpecs;
    this.outputSpecs = outputSpecs;
    this.place = place;
    for (const input of inputs) input?.node?.retain();
  }

  get freed(): boolean {
    return this.#freed;
  }

  /** Keeps aliases of the tensors that backward will read. */
  save(tensors: readonly (Tensor | undefined)[]): void {
    this.#saved = tensors.map((tensor) =>
      tensor ? { tensor: tensor.savedAlias(), version: tensor.storage.version } : undefined,
    );
  }

  /** The saved tensors, after a check that nobody wrote into them. */
  saved(): (Tensor | undefined)[] {
    return this.#saved.map((saved) => {
      if (!saved) return undefined;
      if (saved.tensor.storage.version !== saved.version) {
        throw new AutogradError(
          'saved-tensor-modified',
          `backward of ${this.op.name}: a tensor that it saved was overwritten in place after the forward pass. ` +
            `Call backward() before the in-place write, or write into a copy.`,
        );
      }
      return saved.tensor;
    });
  }

  retain(): void {
    this.#references++;
  }

  /** Drops one reference; the last one frees this node and, in turn, those that only it kept. */
  release(): void {
    const pending: Node[] = [this];
    for (let node = pending.pop(); node; node = pending.pop()) {
      if (--node.#references > 0) continue;
      node.#free(pending);
    }
  }

  /** Gives back what was saved; backward calls it when it has passed this node. */
  free(): void {
    const pending: Node[] = [];
    this.#free(pending);
    for (const node of pending) node.release();
  }

  #free(pending: Node[]): void {
    if (this.#freed) return;
    this.#freed = true;
    for (const saved of this.#saved) saved?.tensor.dropAlias();
    this.#saved = [];
    for (const input of this.inputs) if (input?.node) pending.push(input.node);
  }
}
