/** Watches steps of training: which op ran when and for which layer, how long it took, and how much memory was in use. */
import { scope } from '../../autograd/scope.ts';
import { byteLength } from '../../core/dtype.ts';
import type { Model } from '../../models/model.ts';
import { pathsOf } from '../../models/twins.ts';
import type { Layer } from '../../nn/layer.ts';
import { observeLayers } from '../../nn/layer-observer.ts';
import type { Parameter } from '../../nn/parameter.ts';
import type { SyntheticBatch } from '../model/synthetic.ts';
import { clockFor } from './clock.ts';

export type Phase = 'forward' | 'backward' | 'update';

/** One op of a step, with the mean of its times. */
export interface OpTime {
  readonly op: string;
  /** The layer's path; 'loss' for what follows the model, 'optimizer' for what follows the gradients. */
  readonly layer: string;
  readonly phase: Phase;
  readonly milliseconds: number;
}

/** Bytes of live tensors. */
export interface Ledger {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly batch: number;
  /** The rest of what lives between two steps: sums of metrics and the like. */
  readonly other: number;
  /** What forward keeps for backward. */
  readonly activations: number;
  /** The most at any time of a step, what lives between steps included. */
  readonly peak: number;
  /** What the device holds for it, blocks kept for reuse included. */
  readonly buffers: number;
}

export interface Profile {
  readonly how: string;
  readonly steps: number;
  readonly batchSize: number;
  /** Of a step that nobody watches. */
  readonly millisecondsPerStep: number;
  readonly ops: readonly OpTime[];
  readonly memory: Ledger;
}

interface Seen {
  readonly op: string;
  layer: string | null;
}

/** The events of one step in their order. */
class Step {
  readonly ops: Seen[] = [];
  readonly live: number[] = [];
  /** The layer of each node of the graph. */
  readonly #nodes = new Map<number, string>();
  readonly #stack: string[] = [];
  /** How many ops had run before backward began, and before its last gradient. */
  forward = 0;
  backward = 0;
  /** Ops of backward whose gradient is still to come. */
  #open = 0;

  enter(path: string): void {
    this.#stack.push(path);
  }

  leave(): void {
    this.#stack.pop();
  }

  node(id: number): void {
    this.#nodes.set(id, this.#stack.at(-1) ?? 'loss');
    this.forward = this.ops.length;
    this.backward = this.ops.length;
    this.#open = this.ops.length;
  }

  dispatch(op: string, live: number): void {
    this.ops.push({ op, layer: this.#stack.at(-1) ?? null });
    this.live.push(live);
  }

  gradient(id: number): void {
    const layer = this.#nodes.get(id) ?? 'loss';
    for (const op of this.ops.slice(this.#open)) op.layer = layer;
    this.#open = this.ops.length;
    this.backward = this.ops.length;
  }

  phaseOf(index: number): Phase {
    return index < this.forward ? 'forward' : index < this.backward ? 'backward' : 'update';
  }
}

const bytesOf = (weights: readonly Parameter[]): number =>
  weights.reduce((sum, { value }) => sum + byteLength(value.dtype, value.size), 0);

/** Bytes of the optimizer's slots. */
function slotBytes(model: Model): number {
  const { tensors } = model.trainer.optimizer.exportState();
  const slots = Object.values(tensors);
  const bytes = slots.reduce((sum, { dtype, size }) => sum + byteLength(dtype, size), 0);
  for (const slot of slots) slot.dispose();
  return bytes;
}

/** Steps before the first one that counts: pipelines are compiled, and memory comes from the pool. */
const WARM_UP = 2;

/** Trains on one batch again and again, and watches. The model's weights change. */
export async function collect(
  model: Model,
  batch: SyntheticBatch,
  batchSize: number,
  steps: number,
): Promise<Profile> {
  const { device, trainer } = model;
  const step = (): void =>
    scope(() => {
      trainer.trainStep(trainer.load('profile', batch, device));
    });
  for (let index = 0; index < WARM_UP; index++) step();
  await device.idle();
  const start = performance.now();
  for (let index = 0; index < steps; index++) step();
  await device.idle();
  const millisecondsPerStep = (performance.now() - start) / steps;

  const paths = pathsOf(model);
  const pathOf = (layer: Layer): string => paths.get(layer) || 'model';
  const between = device.memory().bytes;
  const clock = clockFor(device);
  let seen = new Step();
  let last = seen;
  const ends = [
    observeLayers({ enter: (layer) => seen.enter(pathOf(layer)), leave: () => seen.leave() }),
    device.observe({
      dispatch: ({ op }) => {
        seen.dispatch(op, device.memory().bytes);
        clock.dispatched();
      },
      node: ({ id }) => seen.node(id),
      gradient: ({ id }) => seen.gradient(id),
    }),
  ];
  const sums: number[] = [];
  try {
    for (let index = 0; index < steps; index++) {
      await device.idle();
      seen = new Step();
      clock.begin();
      step();
      last = seen;
      seen = new Step(); // A clock may run ops again.
      const times = await clock.end();
      times.forEach((time, at) => {
        sums[at] = (sums[at] ?? 0) + time;
      });
    }
  } finally {
    clock.close();
    for (const end of ends) end();
  }
  const ops = last.ops.map(({ op, layer }, index): OpTime => {
    const phase = last.phaseOf(index);
    const own = phase === 'update' ? 'optimizer' : (layer ?? 'loss');
    return { op, layer: own, phase, milliseconds: (sums[index] ?? 0) / steps };
  });
  const columns = [...Object.values(batch.x), batch.y];
  const batchBytes = columns.reduce((sum, { data }) => sum + byteLength(device.float, data.length), 0);
  const weights = bytesOf(model.weights);
  const gradients = bytesOf(model.trainableWeights);
  const optimizer = slotBytes(model);
  const afterForward = last.live[last.forward - 1] ?? between;
  return {
    how: clock.how,
    steps,
    batchSize,
    millisecondsPerStep,
    ops,
    memory: {
      weights,
      gradients,
      optimizer,
      batch: batchBytes,
      other: Math.max(0, between - weights - gradients - optimizer),
      activations: Math.max(0, afterForward - between - batchBytes),
      peak: Math.max(...last.live, between),
      buffers: device.memory().bufferBytes,
    },
  };
}
