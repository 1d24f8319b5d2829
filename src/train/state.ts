/** All that a training run is made of between two steps, so that it can go on elsewhere with the same bits. */

import { copyOf } from '../autograd/engine-ops.ts';
import { noGrad } from '../autograd/modes.ts';
import { keep } from '../autograd/scope.ts';
import { disposeSymbol, type Tensor } from '../autograd/tensor.ts';
import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator } from '../core/generator.ts';
import { assignWeights } from '../nn/weights.ts';
import type { OptimizerState } from '../optim/optimizers.ts';
import type { Device } from '../runtime/device.ts';
import type { CallbackList } from './callbacks.ts';
import { copyMeters, restoreMeters } from './meters.ts';
import type { Logs, Trainer } from './trainer.ts';

export interface RunJson {
  readonly version: 1;
  /** The epoch and the step within it that come next. */
  readonly epoch: number;
  readonly step: number;
  /** The seed of the data's order; null where the data keep theirs. */
  readonly seed: number | null;
  readonly batchSize: number | null;
  readonly examples: number | null;
  readonly random: { readonly seed: number; readonly counter: number };
  readonly generators: Readonly<Record<string, { readonly seed: number; readonly counter: number }>>;
  readonly optimizer: OptimizerState['json'];
  readonly callbacks: Readonly<Record<string, unknown>>;
  readonly history: readonly Logs[];
}

/** A run between two steps. Its tensors are copies, and whoever has it disposes it: `using state = run.capture()`. */
export class RunState {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly json: RunJson;

  constructor(tensors: Readonly<Record<string, Tensor>>, json: RunJson) {
    this.tensors = tensors;
    this.json = json;
  }

  /** Gives the tensors back. */
  dispose(): void {
    for (const tensor of Object.values(this.tensors)) tensor.dispose();
  }

  [disposeSymbol](): void {
    this.dispose();
  }
}

/** What only the loop knows. */
export type LoopJson = Pick<RunJson, 'epoch' | 'step' | 'seed' | 'batchSize' | 'examples' | 'history'>;

/** Copies of everything. */
export function captureState(
  trainer: Trainer,
  callbacks: CallbackList,
  loop: LoopJson,
  device: Device,
): RunState {
  const { model, optimizer, meters } = trainer;
  const tensors: Record<string, Tensor> = {};
  const states: Record<string, unknown> = {};
  const add = (prefix: string, named: Readonly<Record<string, Tensor>>): void => {
    for (const [name, tensor] of Object.entries(named)) tensors[`${prefix}/${name}`] = tensor;
  };
  let slots: OptimizerState;
  try {
    noGrad(() => {
      for (const [path, { value }] of model.namedWeights()) tensors[`weights/${path}`] = keep(copyOf(value));
    });
    add('meters', copyMeters(meters, device));
    slots = optimizer.exportState();
    add('optimizer', slots.tensors);
    for (const [name, callback] of callbacks.stateful) {
      const state = callback.state?.();
      if (!state) continue;
      states[name] = state.json;
      add(`callbacks/${name}`, state.tensors ?? {});
    }
  } catch (error) {
    for (const tensor of Object.values(tensors)) tensor.dispose();
    throw error;
  }
  const streamOf = ({ seed, counter }: { seed: number; counter: number }) => ({ seed, counter });
  return new RunState(tensors, {
    version: 1,
    ...loop,
    random: streamOf(defaultGenerator),
    generators: Object.fromEntries(model.namedGenerators().map(([path, own]) => [path, streamOf(own)])),
    optimizer: slots.json,
    callbacks: states,
  });
}

/** The tensors whose names start with `prefix/`, by the rest of their names. */
function under(tensors: Readonly<Record<string, Tensor>>, prefix: string): Record<string, Tensor> {
  const start = `${prefix}/`;
  const found = Object.entries(tensors).filter(([name]) => name.startsWith(start));
  return Object.fromEntries(found.map(([name, tensor]) => [name.slice(start.length), tensor]));
}

/**
 * Goes on from a state, with the same bits.
 *
 * @throws ArgumentError for the state of another model, optimizer or data; nothing is changed then.
 */
export function restoreState(
  trainer: Trainer,
  callbacks: CallbackList,
  { tensors, json }: RunState,
  device: Device,
): void {
  const { model, optimizer, meters } = trainer;
  if (json?.version !== 1)
    throw new ArgumentError(
      `resume: the state is of version ${String(json?.version)}, this reads version 1.`,
    );
  const generators = new Map(model.namedGenerators());
  for (const path of Object.keys(json.generators))
    if (!generators.has(path))
      throw new ArgumentError(`resume: the model has no random stream '${path}'; it is another one.`);
  assignWeights('resume', model, under(tensors, 'weights'), {
    commit: () => optimizer.importState({ tensors: under(tensors, 'optimizer'), json: json.optimizer }),
  });
  for (const [path, { seed, counter }] of Object.entries(json.generators))
    generators.get(path)?.reseed(seed, counter);
  defaultGenerator.reseed(json.random.seed, json.random.counter);
  restoreMeters(meters, under(tensors, 'meters'), device);
  for (const [name, callback] of callbacks.stateful) {
    if (name in json.callbacks)
      callback.restore?.({ json: json.callbacks[name], tensors: under(tensors, `callbacks/${name}`) });
  }
}
