/**
 * The backward engine. It visits the reachable nodes in descending order of creation, without recursion; un-broadcasts,
 * accumulates, and checks every gradient's shape; frees what a node saved as soon as it has passed it.
 */
import { type DType, isFloat } from '../core/dtype.ts';
import { ArgumentError, AutogradError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, type Shape, sameShape } from '../core/shape.ts';
import type { Device } from '../runtime/device.ts';
import { withGradientOf } from './anomaly.ts';
import { addTensors, copyOf, filled, stretchesTo, sumTo } from './engine-ops.ts';
import type { GradState, Node } from './graph.ts';
import { enableGrad, noGrad } from './modes.ts';
import { keep, scope } from './scope.ts';
import type { Tensor } from './tensor.ts';

export interface BackwardOptions {
  /** The gradient of the output; needed when it is not a single element. Default: 1. */
  gradient?: Tensor;
  /** Keep what the graph saved, for another backward. Default: the value of `createGraph`. */
  retainGraph?: boolean;
  /** Record the backward pass itself, for higher derivatives. Default: false. */
  createGraph?: boolean;
}

interface Root {
  readonly state: GradState;
  readonly gradient: Tensor;
}

/** Receives the finished gradient of a value. The engine keeps its own handle. */
type Deliver = (state: GradState, gradient: Tensor) => void;

/** A gradient for its owner, who may write to it in place: in memory that nobody else has. */
const ownGradient = (gradient: Tensor): Tensor =>
  gradient.storage.shared ? copyOf(gradient) : gradient.alias();

/** The sum of a leaf's gradients, on its way into the leaf's target. */
interface Arrival {
  readonly state: GradState;
  readonly value: Tensor;
}

/** Copies stand in a row at the end of the pass, so that they break the device's compute pass once. */
function putIntoTarget({ state, value }: Arrival): void {
  const target = state.target as Tensor;
  target.device.copy(value.storage, target.storage);
  const before = state.grad;
  if (before?.storage === target.storage) return;
  state.grad = keep(target.view('gradient'));
  before?.dispose();
}

/** The reachable nodes in descending order of creation. */
function nodesInOrder(roots: readonly Root[]): Node[] {
  const seen = new Set<Node>();
  const stack: Node[] = [];
  const visit = (state: GradState | null): void => {
    if (state?.node && !seen.has(state.node)) {
      seen.add(state.node);
      stack.push(state.node);
    }
  };
  for (const root of roots) visit(root.state);
  for (let node = stack.pop(); node; node = stack.pop()) node.inputs.forEach(visit);
  return [...seen].sort((a, b) => b.id - a.id);
}

/** Nodes from which a wanted value can be reached; null when all matter. */
function usefulNodes(order: readonly Node[], wanted: ReadonlySet<GradState> | null): Set<Node> | null {
  if (!wanted) return null;
  const useful = new Set<Node>();
  for (let index = order.length - 1; index >= 0; index--) {
    const node = order[index] as Node;
    if (node.inputs.some((input) => input && (wanted.has(input) || (input.node && useful.has(input.node)))))
      useful.add(node);
  }
  return useful;
}

/** Gives the gradient the input's shape, or says whose rule is wrong. */
function fit(node: Node, index: number, gradient: Tensor, device: Device): Tensor {
  const { shape, dtype } = node.inputSpecs[index] as { shape: Shape; dtype: DType };
  if (gradient.dtype !== dtype) {
    throw new AutogradError(
      'gradient-dtype',
      `backward of ${node.op.name}: the gradient of input ${index} is ${gradient.dtype}, the input ${dtype}.`,
    );
  }
  if (gradient.device !== device) {
    throw new AutogradError(
      'gradient-device',
      `backward of ${node.op.name}: the gradient of input ${index} is on ${gradient.device.description}, the input on ` +
        `${device.description}.`,
    );
  }
  if (sameShape(gradient.shape, shape)) return gradient;
  const broadcast = node.outputSpecs.some((output) => stretchesTo(gradient.shape, output.shape));
  if (broadcast && stretchesTo(shape, gradient.shape)) return sumTo(gradient, shape);
  throw new AutogradError(
    'gradient-shape',
    `backward of ${node.op.name}: the gradient of input ${index} has shape ${formatShape(gradient.shape)}, the input has ` +
      `${formatShape(shape)}. The backward rule must return the input's shape, or the output's broadcast shape.`,
  );
}

/** Runs the thunks that somebody needs; everything else made on the way is freed. */
function gradientsOf(
  node: Node,
  grads: readonly (Tensor | undefined)[],
  needed: (state: GradState) => boolean,
): (Tensor | null)[] {
  return scope(() => {
    const { device } = grads.find((gradient) => gradient !== undefined) as Tensor;
    const thunks = node.op.backward({
      get grad() {
        return grads[0] ?? filled(device, (node.outputSpecs[0] as { shape: Shape }).shape, 0);
      },
      grads,
      saved: node.saved() as Tensor[],
      attrs: node.attrs,
      inputs: node.inputSpecs,
      outputs: node.outputSpecs,
    });
    return node.inputs.map((state, index) => {
      const thunk = thunks[index];
      if (!state || !thunk || !needed(state)) return null;
      const gradient = fit(node, index, thunk(), device);
      const own = gradient.alias(); // A rule may return what it was given, or one tensor twice.
      if (device.observers) {
        for (const observer of device.observers) {
          observer.gradient?.({ op: node.op.name, id: node.id, input: index, gradient: own });
        }
      }
      return own;
    });
  });
}

function run(
  roots: readonly Root[],
  wanted: ReadonlySet<GradState> | null,
  deliver: Deliver,
  retainGraph: boolean,
): void {
  const order = nodesInOrder(roots);
  const useful = usefulNodes(order, wanted);
  for (const node of order) {
    if (node.freed && (!useful || useful.has(node))) {
      throw new AutogradError(
        'graph-freed',
        `backward: the graph below ${node.op.name} was already used by a backward pass, which freed it. Pass ` +
          `{ retainGraph: true } to the first backward, or run the forward pass again.`,
      );
    }
  }
  const needed = (state: GradState): boolean =>
    !wanted || wanted.has(state) || (state.node !== null && useful?.has(state.node) === true);
  const pending = new Map<Node, (Tensor | undefined)[]>();
  /** Leaves and wanted values, delivered at the end or when their node is reached. */
  const finished = new Map<GradState, Tensor>();

  const accumulate = (known: Tensor | undefined, gradient: Tensor): Tensor => {
    if (!known) return gradient;
    const sum = addTensors(known, gradient);
    known.dispose();
    gradient.dispose();
    return sum;
  };
  const receive = (state: GradState, gradient: Tensor): void => {
    if (state.node) {
      let grads = pending.get(state.node);
      if (!grads) pending.set(state.node, (grads = new Array(state.node.outputSpecs.length)));
      grads[state.output] = accumulate(grads[state.output], gradient);
      if (wanted?.has(state) || state.retainsGrad) finishedStates.add(state);
    } else {
      finished.set(state, accumulate(finished.get(state), gradient));
    }
  };
  const finishedStates = new Set<GradState>();

  // A node whose handles are gone is kept by its consumers alone, and those are freed before its turn comes.
  for (const node of order) node.retain();
  try {
    for (const { state, gradient } of roots) receive(state, gradient.alias());
    for (const node of order) {
      const grads = pending.get(node);
      pending.delete(node);
      if (grads) {
        for (const state of finishedStates) {
          const gradient = state.node === node ? grads[state.output] : undefined;
          if (!gradient) continue;
          finishedStates.delete(state);
          deliver(state, gradient);
        }
        if (!useful || useful.has(node)) {
          const results = withGradientOf(node, () => gradientsOf(node, grads, needed));
          results.forEach((gradient, index) => {
            if (gradient) receive(node.inputs[index] as GradState, gradient);
          });
        }
        for (const gradient of grads) gradient?.dispose();
      }
      if (!retainGraph && (!useful || useful.has(node))) node.free();
    }
  } finally {
    for (const node of order) node.release();
  }
  for (const [state, gradient] of finished) {
    deliver(state, gradient);
    gradient.dispose();
  }
}

function rootOf(where: string, output: Tensor, gradient: Tensor | undefined): Root {
  output.assertAlive(where);
  if (!output.requiresGrad) {
    throw new AutogradError(
      'no-grad',
      `${where}: the result of ${output.creator} does not depend on any tensor that requires a gradient. Set ` +
        `requiresGrad = true on the inputs before the forward pass, and do not run it under noGrad().`,
    );
  }
  if (!gradient) {
    if (output.size !== 1) {
      throw new AutogradError(
        'non-scalar-loss',
        `${where}: the output has shape ${formatShape(output.shape)}; a gradient starts from a single number. Reduce it ` +
          `with sum() or mean(), or pass { gradient } of the same shape.`,
      );
    }
    return { state: output.state, gradient: filled(output.device, output.shape, 1) };
  }
  if (!sameShape(gradient.shape, output.shape)) {
    throw new ShapeError(
      `${where}: the gradient has shape ${formatShape(gradient.shape)}, the output ${formatShape(output.shape)}; they must be equal.`,
    );
  }
  if (gradient.dtype !== output.dtype || gradient.device !== output.device) {
    throw new DTypeError(
      `${where}: a ${gradient.dtype} gradient on ${gradient.device.description} for a ${output.dtype} output on ` +
        `${output.device.description}; dtype and device must be the output's.`,
    );
  }
  return { state: output.state, gradient };
}

/**
 * Adds ∂output/∂leaf to `leaf.grad` of every leaf that requires a gradient, and of values that `retainGrad()`. The gradient
 * of an optimizer's parameter is memory that the optimizer owns: later backward passes write to it in place.
 *
 * @throws AutogradError `non-scalar-loss`, `no-grad`, `graph-freed`, `saved-tensor-modified`, `gradient-shape`,
 *   `gradient-dtype`, `gradient-device`.
 */
export function backward(output: Tensor, options: BackwardOptions = {}): void {
  const { gradient, createGraph = false, retainGraph = createGraph } = options;
  const mode = createGraph ? enableGrad : noGrad;
  mode(() =>
    scope(() => {
      const arrivals: Arrival[] = [];
      const deliver: Deliver = (state, value) => {
        const before = state.grad;
        if (state.target && !createGraph) {
          arrivals.push({ state, value: before ? addTensors(before, value) : value.alias() });
          return;
        }
        state.grad = keep(before ? addTensors(before, value) : ownGradient(value));
        before?.dispose();
      };
      run([rootOf('backward', output, gradient)], null, deliver, retainGraph);
      arrivals.forEach(putIntoTarget);
    }),
  );
}

export interface GradOptions extends Omit<BackwardOptions, 'gradient'> {
  /** One gradient per output. Default: 1 for outputs of a single element. */
  gradients?: readonly Tensor[];
  /** Return zeros instead of throwing for inputs that the outputs do not depend on. Default: false. */
  allowUnused?: boolean;
}

/**
 * The gradients of the sum of `outputs` with respect to `inputs`, as new tensors; `.grad` stays as it is.
 *
 * @throws AutogradError `unused-input` when an output does not depend on an input and `allowUnused` is false.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  options: GradOptions = {},
): Tensor[] {
  const list = Array.isArray(outputs) ? (outputs as readonly Tensor[]) : [outputs as Tensor];
  const { gradients, createGraph = false, retainGraph = createGraph, allowUnused = false } = options;
  if (list.length === 0) throw new ArgumentError('grad: no outputs.');
  for (const input of inputs) {
    input.assertAlive('grad');
    if (!input.requiresGrad) {
      throw new AutogradError(
        'no-grad',
        'grad: an input does not require a gradient; set requiresGrad = true before the forward pass.',
      );
    }
  }
  const mode = createGraph ? enableGrad : noGrad;
  return mode(() =>
    scope(() => {
      const found = new Map<GradState, Tensor>();
      const roots = list.map((output, index) => rootOf('grad', output, gradients?.[index]));
      const wanted = new Set(inputs.map((input) => input.state));
      run(roots, wanted, (state, gradient) => found.set(state, ownGradient(gradient)), retainGraph);
      return inputs.map((input, index) => {
        const gradient = found.get(input.state);
        if (gradient) {
          found.delete(input.state);
          return gradient;
        }
        const twin = inputs.findIndex((other) => other.state === input.state);
        if (twin < index) throw new ArgumentError(`grad: inputs ${twin} and ${index} are the same tensor.`);
        if (!allowUnused) {
          throw new AutogradError(
            'unused-input',
            `grad: the outputs do not depend on input ${index}. Pass { allowUnused: true } to get zeros for it.`,
          );
        }
        return filled(input.device, input.shape, 0);
      });
    }),
  );
}

/**
 * Evaluates `f` and its gradients in one go: `const { value, grads } = valueAndGrad(loss, [w, b])`.
 * Integer and bool inputs get no gradient and must not be among `inputs`.
 */
export function valueAndGrad(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradOptions = {},
): { value: Tensor; grads: Tensor[] } {
  for (const input of inputs) {
    if (!isFloat(input.dtype))
      throw new AutogradError('not-differentiable', `valueAndGrad: a ${input.dtype} input has no gradient.`);
  }
  return scope(() => {
    const tracked = inputs.map((input) => {
      if (input.requiresGrad) return input;
      const leaf = input.detach();
      leaf.requiresGrad = true;
      return leaf;
    });
    const value = enableGrad(() => f(...tracked));
    const grads = grad(value, tracked, options);
    return { value: options.createGraph ? value : value.detach(), grads };
  });
}
