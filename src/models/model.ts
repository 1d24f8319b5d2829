/**
 * A layer that can be trained, measured and saved. `sequential` and `model` make the usual ones; a network that they cannot
 * describe is a subclass with a `call` of its own:
 *
 * ```ts
 * class Net extends Model {
 *   readonly hidden = layers.dense({ units: 64, activation: 'relu' });
 *   readonly out = layers.dense({ units: 10, activation: 'softmax' });
 *   override call([x]: readonly Tensor[]): Tensor {
 *     return this.out.apply(this.hidden.apply(x));
 *   }
 * }
 * ```
 */
import { scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { ArgumentError } from '../core/errors.ts';
import { Dataset } from '../data/dataset.ts';
import type { Graph } from '../nn/graph.ts';
import type { PartialSpec } from '../nn/infer-shapes.ts';
import { type ApplyOptions, Layer, type LayerOptions } from '../nn/layer.ts';
import type { SymbolicTensor } from '../nn/symbolic.ts';
import { checkOptions } from '../ops/options.ts';
import { along } from '../ops/slice.ts';
import { defaultDevice } from '../runtime/default-device.ts';
import type { Device } from '../runtime/device.ts';
import type { CompileOptions } from '../train/compile.ts';
import { measure, predictBatches } from '../train/evaluate.ts';
import { type FitOptions, type History, type StepInfo, trainingSteps } from '../train/fit.ts';
import { type ArrayData, type ArrayOrTensor, examplesOf, type TrainingData } from '../train/fit-data.ts';
import { batched } from '../train/prepare.ts';
import type { Signature, Trainable } from '../train/signature.ts';
import { type ClassWeight, type Logs, Trainer } from '../train/trainer.ts';
import { inCommonWith } from './input-specs.ts';
import { type ModelJson, modelJson } from './json.ts';
import { type SummaryOptions, summaryOf } from './summary.ts';

export interface EvaluateOptions {
  /** Examples at a time, for arrays. Default: 32. */
  batchSize?: number;
}

export interface PredictOptions {
  /** Examples at a time. Default: 32. */
  batchSize?: number;
}

export interface TrainOnBatchOptions {
  classWeight?: ClassWeight;
  /** Measure since the last reset rather than this batch alone. Default: false. */
  accumulate?: boolean;
}

/** What `predict` takes: arrays or a tensor, by name where there are several inputs. */
export type PredictData = ArrayOrTensor | Readonly<Record<string, ArrayOrTensor>>;

type Called = Tensor | SymbolicTensor;

export abstract class Model<Options extends LayerOptions = LayerOptions>
  extends Layer<Options>
  implements Trainable
{
  #trainer: Trainer | null = null;
  #history: History | null = null;
  #settings: CompileOptions | null = null;
  #seen: readonly PartialSpec[] | null = null;

  /** What it takes and gives, as far as that is known: here one of each. A subclass with more of them overrides it. */
  signature(): Signature {
    const port = { name: 'x', shape: null, dtype: null, layer: null };
    return { inputs: [port], outputs: [{ ...port, name: this.name }] };
  }

  /** What it is called on: what was declared, or what all calls so far had in common; null before the first. */
  get inputSpecs(): readonly PartialSpec[] | null {
    return this.#seen;
  }

  /** The graph that it runs; null where `call` is code. */
  get graph(): Graph | null {
    return null;
  }

  /** What the last `compile` was given. */
  get compileOptions(): Readonly<CompileOptions> | null {
    return this.#settings;
  }

  override applyAll(inputs: Tensor | readonly Tensor[], options?: ApplyOptions): readonly Tensor[];
  override applyAll(inputs: SymbolicTensor | readonly SymbolicTensor[]): readonly SymbolicTensor[];
  override applyAll(inputs: Called | readonly Called[], options?: ApplyOptions): readonly Called[] {
    const outputs = super.applyAll(inputs as Tensor, options);
    this.#seen = inCommonWith(this.#seen, inputs);
    return outputs;
  }

  /** The device of its weights, or the default device before there are any. */
  get device(): Device {
    return this.weights[0]?.value.device ?? defaultDevice();
  }

  get compiled(): boolean {
    return this.#trainer !== null;
  }

  /** The last training, or the one that runs. */
  get history(): History | null {
    return this.#history;
  }

  /**
   * Chooses optimizer, loss and metrics. What an earlier call chose is forgotten, the optimizer's state included; the
   * weights stay.
   *
   * @throws ArgumentError for unknown names, with the nearest one.
   */
  compile(options: CompileOptions): this {
    const next = new Trainer(this, options);
    this.#trainer?.dispose();
    this.#trainer = next;
    this.#settings = options;
    return this;
  }

  /** The step of training behind `fit`, for loops of your own. */
  get trainer(): Trainer {
    if (!this.#trainer)
      throw new ArgumentError(
        `model '${this.name}': call compile({ optimizer, loss }) before training or measuring.`,
      );
    return this.#trainer;
  }

  /**
   * Trains on `{ x, y }`, or on a dataset of batches.
   *
   * ```ts
   * const history = await model.fit({ x, y }, { epochs: 5, batchSize: 64, validationSplit: 0.1 });
   * ```
   */
  async fit(data: TrainingData, options: FitOptions = {}): Promise<History> {
    for await (const step of this.steps(data, options)) void step;
    return this.#history as History;
  }

  /**
   * The same, step by step: the loop runs as long as you ask for the next step, and ends in order when you break off.
   *
   * ```ts
   * for await (const { epoch, step, run } of model.steps({ x, y }, { epochs: 5 })) { … }
   * ```
   */
  steps(data: TrainingData, options: FitOptions = {}): AsyncGenerator<StepInfo, void> {
    const { trainer } = this;
    trainer.assertIdle();
    this.#history = { epochs: [], stoppedBy: null };
    return trainer.alone(trainingSteps(trainer, data, options, this.device, this.#history));
  }

  /** Loss and metrics over `{ x, y }`, or over a dataset of batches. */
  async evaluate(data: TrainingData, options: EvaluateOptions = {}): Promise<Logs> {
    checkOptions('evaluate', options, ['batchSize'], 'data');
    const { trainer } = this;
    const batches = await batched('evaluate', trainer, data, options.batchSize);
    return measure('evaluate', trainer, batches, this.device);
  }

  /**
   * The output for arrays, a tensor, or a dataset of batches, whose targets are passed over; in batches, out of training, and
   * yours to dispose.
   */
  async predict(x: PredictData | Dataset<unknown>, options: PredictOptions = {}): Promise<Tensor> {
    const outputs = await this.predictAll(x, options);
    const [first] = outputs;
    if (outputs.length === 1 && first) return first;
    for (const output of outputs) output.dispose();
    throw new ArgumentError(
      `predict: the model has ${outputs.length} outputs; call predictAll(), which returns a list.`,
    );
  }

  /** The outputs of a model with any number of them. */
  async predictAll(x: PredictData | Dataset<unknown>, options: PredictOptions = {}): Promise<Tensor[]> {
    checkOptions('predict', options, ['batchSize'], 'x');
    const { batchSize = 32 } = options;
    checkNumber('predict', 'batchSize', batchSize, { atLeast: 1, whole: true });
    const { device } = this;
    const batches =
      x instanceof Tensor && x.device === device ? slices(x, batchSize) : await columns(x, batchSize);
    return predictBatches('predict', this, batches, device);
  }

  /** One step on one batch, and its loss and metrics. */
  async trainOnBatch(batch: ArrayData, options: TrainOnBatchOptions = {}): Promise<Logs> {
    checkOptions('trainOnBatch', options, ['classWeight', 'accumulate'], 'batch');
    const { trainer, device } = this;
    trainer.assertIdle();
    const loaded = await this.#whole('trainOnBatch', batch);
    if (!options.accumulate) trainer.resetMeters();
    scope(() => trainer.trainStep(trainer.load('trainOnBatch', loaded, device), options.classWeight));
    return trainer.logs();
  }

  /** Loss and metrics of one batch. */
  async testOnBatch(batch: ArrayData): Promise<Logs> {
    const { trainer, device } = this;
    const loaded = await this.#whole('testOnBatch', batch);
    return trainer.aside(device, () => {
      scope(() => trainer.testStep(trainer.load('testOnBatch', loaded, device)));
      return trainer.logs();
    });
  }

  /** All examples as one batch on the host. */
  async #whole(op: string, batch: ArrayData): Promise<unknown> {
    const { size } = await examplesOf(op, batch);
    const batches = await batched(op, this.trainer, batch, size);
    return (await batches.from({ epoch: 0, index: 0 }).next()).value;
  }

  /** Its layers with output shapes and parameters, as Keras prints them. */
  summary(options: SummaryOptions = {}): string {
    return summaryOf(this, options);
  }

  /**
   * Its structure, without weights, as `modelFromJson` takes it; `JSON.stringify(model)` is its text.
   *
   * @throws ArgumentError for options that JSON cannot hold, such as functions of your own; it names layer and option.
   */
  toJSON(): ModelJson {
    return modelJson(this);
  }

  /** Gives weights, optimizer and metrics back. */
  override dispose(): void {
    this.#trainer?.dispose();
    this.#trainer = null;
    this.#settings = null;
    super.dispose();
  }
}

/** Batches of a tensor that is on the device already. */
async function* slices(x: Tensor, batchSize: number): AsyncGenerator<Tensor> {
  const rows = x.shape[0] ?? 0;
  if (rows === 0) throw new ArgumentError(`predict: x has no examples; pass at least one.`);
  for (let row = 0; row < rows; row += batchSize) {
    const part = along(x, 0, row, Math.min(rows, row + batchSize));
    try {
      yield part;
    } finally {
      part.dispose();
    }
  }
}

/** Batches of arrays on the host, or of a dataset that may hold targets as well. */
async function columns(
  x: PredictData | Dataset<unknown>,
  batchSize: number,
): Promise<AsyncIterable<unknown>> {
  if (x instanceof Dataset) return x.from({ epoch: 0, index: 0 });
  const examples = await examplesOf('predict', { x } as ArrayData);
  const batches = examples.batch(batchSize).map((batch) => {
    const { x: own, ...named } = batch as Record<string, unknown>;
    return own ?? Object.fromEntries(Object.entries(named).map(([key, value]) => [key.slice(2), value]));
  });
  return batches.from({ epoch: 0, index: 0 });
}
