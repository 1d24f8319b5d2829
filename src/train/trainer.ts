/**
 * One step of training: forward, loss, backward, update, metrics. Everything stays on the device; `logs()` reads the
 * averages when somebody wants to see them.
 */
import { backward } from '../autograd/backward.ts';
import { noGrad } from '../autograd/modes.ts';
import { scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import { tensorsOf } from '../data/stages.ts';
import type { Metric } from '../metrics/index.ts';
import { MeanTracker } from '../metrics/index.ts';
import { collectingLosses } from '../nn/call-context.ts';
import { labelsOf } from '../nn/losses/pair.ts';
import { classWeightOf, sampleWeightOf } from '../nn/losses/weights.ts';
import { getMask } from '../nn/mask.ts';
import type { Parameter } from '../nn/parameter.ts';
import { add, mul } from '../ops/binary.ts';
import { cast } from '../ops/cast.ts';
import { reshape } from '../ops/shape.ts';
import type { Optimizer } from '../optim/optimizers.ts';
import type { Device } from '../runtime/device.ts';
import { checkLimitOf, checkShapeOf, type Parts, partsOf, type Value } from './columns.ts';
import { type Compiled, type CompiledOutput, type CompileOptions, compiled } from './compile.ts';
import { prepared, wantedOf } from './fit-data.ts';
import { copyMeters, restoreMeters } from './meters.ts';
import type { Port, Trainable } from './signature.ts';

/** Averages by name: `loss`, and each metric under its own. */
export type Logs = Readonly<Record<string, number>>;

/** A weight for each label. */
export type ClassWeight = Readonly<Record<number, number>>;

/** A batch on the device. */
export interface DeviceBatch {
  readonly x: readonly Tensor[];
  readonly y: readonly Tensor[];
  readonly sampleWeight: readonly Tensor[];
  readonly size: number;
}

interface Losses {
  readonly total: Tensor;
  readonly each: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly masks: readonly (Tensor | null)[];
}

const sumOf = (terms: readonly Tensor[]): Tensor =>
  terms.slice(1).reduce((sum, term) => add(sum, term), terms[0] as Tensor);

const capitalized = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** The weights of samples and of their classes in one, as Keras makes them for metrics. */
function weightsOf(
  target: Tensor,
  sparse: boolean,
  sampleWeight: Tensor | undefined,
  classWeight: ClassWeight | undefined,
): Tensor | undefined {
  if (!classWeight) return sampleWeight;
  const floats = isFloat(target.dtype) ? target : cast(target, 'float');
  const column = sparse || target.rank === 1 ? reshape(floats, [...plainLabels(target.shape), 1]) : floats;
  const { labels } = labelsOf(column);
  const own = classWeightOf('fit', classWeight, { labels }, labels);
  return sampleWeight ? mul(sampleWeightOf('fit', sampleWeight, labels), own) : own;
}

/** Weights that are 0 where a mask is false. */
function maskedWeights(weights: Tensor | undefined, mask: Tensor | null): Tensor | undefined {
  if (!mask) return weights;
  const kept = cast(mask, 'float');
  if (!weights) return kept;
  const rank = Math.max(weights.rank, kept.rank);
  const [a, b] = [weights, kept].map((own) =>
    own.rank === rank ? own : reshape(own, [...own.shape, ...new Array<number>(rank - own.rank).fill(1)]),
  ) as [Tensor, Tensor];
  return mul(a, b);
}

/** The shape of numbers of classes, which may have a last axis of 1. */
const plainLabels = (shape: Shape): Shape =>
  shape.length > 1 && shape.at(-1) === 1 ? shape.slice(0, -1) : shape;

export class Trainer {
  readonly model: Trainable;
  readonly optimizer: Optimizer;
  readonly outputs: readonly CompiledOutput[];
  readonly #compiled: Compiled;
  readonly #loss = new MeanTracker('loss');
  /** The weights that the optimizer was built for. */
  #trained: readonly Parameter[] | null = null;
  #busy = false;

  constructor(model: Trainable, options: CompileOptions) {
    this.#compiled = compiled(model, options);
    this.model = model;
    this.optimizer = this.#compiled.optimizer;
    this.outputs = this.#compiled.outputs;
    const names = this.meters.map(([name]) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined)
      throw new ArgumentError(
        `compile: two metrics are called '${twice}' in the logs; give one a name of its own, as in metrics.accuracy({ name: 'top' }).`,
      );
  }

  /** @throws ArgumentError while a training runs: two at once would mix their averages. */
  assertIdle(): void {
    if (this.#busy)
      throw new ArgumentError(
        `fit: the model '${this.model.name}' is being trained; await that fit first, or end its loop over steps().`,
      );
  }

  /** Hands the steps of a training on, and lets no other begin meanwhile. */
  async *alone<T>(steps: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
    this.assertIdle();
    this.#busy = true;
    try {
      yield* steps;
    } finally {
      this.#busy = false;
    }
  }

  /** Runs `body` with averages of its own; those of a training that runs are put aside meanwhile. */
  async aside<T>(device: Device, body: () => Promise<T>): Promise<T> {
    const saved = this.#busy ? copyMeters(this.meters, device) : {};
    try {
      this.resetMeters();
      return await body();
    } finally {
      this.resetMeters();
      if (this.#busy) restoreMeters(this.meters, saved, device);
      for (const tensor of Object.values(saved)) tensor.dispose();
    }
  }

  /** Everything that is averaged over an epoch, under its name in the logs. */
  get meters(): readonly (readonly [name: string, meter: Metric | MeanTracker])[] {
    const many = this.outputs.length > 1;
    return [
      ['loss', this.#loss],
      ...this.outputs.flatMap(({ port, tracker, metrics }) => [
        ...(tracker ? [[`${port.name}_loss`, tracker] as const] : []),
        ...metrics.map(({ metric, weighted }) => {
          const twin = weighted && metrics.some((own) => !own.weighted && own.metric.name === metric.name);
          const name = twin ? `weighted${capitalized(metric.name)}` : metric.name;
          return [many ? `${port.name}_${name}` : name, metric] as const;
        }),
      ]),
    ];
  }

  /** A batch of a dataset on the device, after a check of its shapes. Run it inside a scope. */
  load(op: string, batch: unknown, device: Device): DeviceBatch {
    const { inputs, outputs } = this.model.signature();
    const parts = partsOf(op, batch, inputs, outputs);
    return this.#onDevice(op, parts, inputs, device);
  }

  #onDevice(op: string, { x, y, sampleWeight }: Parts, inputs: readonly Port[], device: Device): DeviceBatch {
    const send = (value: Value): Tensor =>
      value instanceof Tensor ? value : (tensorsOf(value, device) as Tensor);
    const xs = x.map((value, index) => {
      const port = inputs[index] as Port;
      const what = x.length > 1 ? `x.${port.name}` : 'x';
      checkShapeOf(op, what, value, port);
      const own = prepared(op, what, value, wantedOf(port));
      checkLimitOf(op, `a batch's ${what}`, own, port);
      return send(own);
    });
    const size = xs[0]?.shape[0] ?? 0;
    const ys = y.map((value, index) => {
      const { port, loss, check } = this.outputs[index] as CompiledOutput;
      const what = y.length > 1 ? `y.${port.name}` : 'y';
      if (value.shape[0] !== size)
        throw new ArgumentError(
          `${op}: ${what} has ${value.shape[0]} rows, x has ${size}; they go together.`,
        );
      const own = prepared(op, what, value, loss.sparse ? 'int32' : loss.name === null ? null : 'float');
      if (!(own instanceof Tensor)) check(op, `a batch's ${what}`, own);
      return send(own);
    });
    const weights = sampleWeight.map((value) => send(prepared(op, 'sampleWeight', value, 'float')));
    return { x: xs, y: ys, sampleWeight: weights, size };
  }

  /** Trains on a batch. */
  trainStep(batch: DeviceBatch, classWeight?: ClassWeight): void {
    scope(() => {
      const losses = this.#losses(batch, true, classWeight);
      this.build();
      backward(losses.total);
      this.optimizer.step();
      this.optimizer.zeroGrad();
      this.#measure(batch, losses, classWeight);
    });
  }

  /** Measures a batch without learning from it. */
  testStep(batch: DeviceBatch): void {
    scope(() =>
      noGrad(() => {
        this.#measure(batch, this.#losses(batch, false));
      }),
    );
  }

  /** Builds the optimizer for the weights, after the model's first call. */
  build(): void {
    const trainable = this.model.trainableWeights;
    if (this.#trained) {
      const same =
        trainable.length === this.#trained.length &&
        trainable.every((own, at) => own === this.#trained?.[at]);
      if (same) return;
      throw new ArgumentError(
        'fit: other weights are trainable than when the training began; compile the model again.',
      );
    }
    if (trainable.length === 0)
      throw new ArgumentError(
        'fit: the model has no trainable weights; set trainable = true and compile it again.',
      );
    for (const [path, weight] of this.model.namedWeights()) weight.name = path;
    this.optimizer.build(trainable);
    this.#trained = trainable;
  }

  /** The averages since `resetMeters`, read from the device. */
  async logs(): Promise<Record<string, number>> {
    const results = scope(() => this.meters.map(([name, meter]) => [name, meter.result()] as const));
    try {
      const values = await Promise.all(
        results.map(async ([name, value]) => [name, await value.item()] as const),
      );
      return Object.fromEntries(values);
    } finally {
      for (const [, value] of results) value.dispose();
    }
  }

  resetMeters(): void {
    for (const [, meter] of this.meters) meter.reset();
  }

  dispose(): void {
    for (const [, meter] of this.meters) meter.dispose();
    if (this.#trained) this.optimizer.dispose();
  }

  #losses({ x, y, sampleWeight }: DeviceBatch, training: boolean, classWeight?: ClassWeight): Losses {
    const { result, losses: added } = collectingLosses(() => this.model.applyAll(x, { training }));
    if (y.length === 0) throw new ArgumentError('fit: there are no targets; pass { x, y }.');
    if (result.length !== this.outputs.length || y.length !== this.outputs.length) {
      throw new ArgumentError(
        `fit: the model has ${result.length} outputs, ${this.outputs.length} losses and ${y.length} targets; pass one of each for every output.`,
      );
    }
    const masks = result.map(getMask);
    const each = this.outputs.map(({ loss }, index) => {
      const weight = sampleWeight[index];
      const mask = masks[index];
      return loss.call(y[index] as Tensor, result[index] as Tensor, {
        ...(mask && { mask }),
        ...(weight && { sampleWeight: weight }),
        ...(classWeight && { classWeight }),
      });
    });
    const weighted = each.map((loss, index) => {
      const { weight } = this.outputs[index] as CompiledOutput;
      return weight === 1 ? loss : mul(loss, weight);
    });
    const penalties = (this.#trained ?? this.model.trainableWeights).flatMap(({ regularizer, value }) =>
      regularizer ? [regularizer(value)] : [],
    );
    return { total: sumOf([...weighted, ...added, ...penalties]), each, outputs: result, masks };
  }

  #measure(
    { y, sampleWeight, size }: DeviceBatch,
    { total, each, outputs, masks }: Losses,
    classWeight?: ClassWeight,
  ): void {
    noGrad(() => {
      this.#loss.add(total, size);
      this.outputs.forEach(({ tracker, metrics, loss }, index) => {
        const target = y[index] as Tensor;
        tracker?.add(each[index] as Tensor, size);
        const heeded = metrics.some(({ weighted }) => weighted);
        const weights = heeded ? weightsOf(target, loss.sparse, sampleWeight[index], classWeight) : undefined;
        for (const { metric, weighted } of metrics) {
          const own = maskedWeights(weighted ? weights : undefined, masks[index] ?? null);
          metric.update(target, outputs[index] as Tensor, own);
        }
      });
    });
  }
}
