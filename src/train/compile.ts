/** What a model is trained with: optimizer, losses and metrics, looked up and checked. */
import { checkNumber } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { unknownName } from '../core/nearest.ts';
import { isPlainObject } from '../core/plain-object.ts';
import type { Column } from '../data/batch.ts';
import * as metrics from '../metrics/index.ts';
import { MeanTracker, type Metric, type MetricFunction } from '../metrics/index.ts';
import { inferShapes } from '../nn/infer-shapes.ts';
import { doubleSoftmax } from '../nn/losses/crossentropy.ts';
import { checkOptions } from '../ops/options.ts';
import * as optimizers from '../optim/optimizers.ts';
import { Optimizer, type OptimizerJson } from '../optim/optimizers.ts';
import { fromJson, type ScheduleJson } from '../optim/schedules.ts';
import { type LossLike, lossOf, type ResolvedLoss } from './losses.ts';
import type { Port, Trainable } from './signature.ts';

/** Optimizers by name. */
export const OPTIMIZERS = {
  adadelta: optimizers.adadelta,
  adagrad: optimizers.adagrad,
  adam: optimizers.adam,
  adamax: optimizers.adamax,
  adamw: optimizers.adamw,
  ftrl: optimizers.ftrl,
  lion: optimizers.lion,
  nadam: optimizers.nadam,
  rmsprop: optimizers.rmsprop,
  sgd: optimizers.sgd,
};

export type OptimizerName = keyof typeof OPTIMIZERS;

/** A name such as 'accuracy', a metric, or a function of targets and predictions. */
export type MetricLike = string | Metric | MetricFunction;

/** One for every output: for all of them, or by the outputs' names. */
type PerOutput<T> = T | Readonly<Record<string, T>>;

export interface CompileOptions {
  /** A name, with its default options, or an optimizer, which belongs to the model from then on. Default: 'rmsprop', as in Keras. */
  optimizer?: OptimizerName | Optimizer | OptimizerJson;
  loss: PerOutput<LossLike>;
  /** How much each output's loss counts, by name. Default: 1. */
  lossWeights?: Readonly<Record<string, number>>;
  /** What to measure besides the loss, each sample alike. */
  metrics?: readonly MetricLike[] | Readonly<Record<string, readonly MetricLike[]>>;
  /** The same, with the samples' weights. */
  weightedMetrics?: readonly MetricLike[] | Readonly<Record<string, readonly MetricLike[]>>;
}

export interface CompiledOutput {
  readonly port: Port;
  readonly loss: ResolvedLoss;
  readonly weight: number;
  /** Its own loss, where there are several outputs. */
  readonly tracker: MeanTracker | null;
  readonly metrics: readonly { readonly metric: Metric; readonly weighted: boolean }[];
  /** Refuses targets on the host that the loss cannot take. */
  check(op: string, what: string, column: Column): void;
}

export interface Compiled {
  readonly optimizer: Optimizer;
  readonly outputs: readonly CompiledOutput[];
}

/** The learning rate of an optimizer's JSON, where it is a schedule. */
function optionsOf({ options }: OptimizerJson): Record<string, unknown> {
  const { learningRate } = options;
  return typeof learningRate === 'object' && learningRate !== null
    ? { ...options, learningRate: fromJson(learningRate as ScheduleJson) }
    : options;
}

function optimizerOf(given: OptimizerName | Optimizer | OptimizerJson): Optimizer {
  if (given instanceof Optimizer) return given;
  if (isPlainObject(given) && isPlainObject(given.options)) {
    const { optimizer: name } = given as unknown as OptimizerJson;
    if (!Object.hasOwn(OPTIMIZERS, name))
      throw unknownName('compile', 'optimizer', name, Object.keys(OPTIMIZERS));
    return OPTIMIZERS[name as OptimizerName](optionsOf(given as unknown as OptimizerJson));
  }
  if (typeof given !== 'string')
    throw new ArgumentError(
      `compile: the optimizer is ${describe(given)}; pass a name such as 'adam', or optimizers.adam({ … }).`,
    );
  if (!Object.hasOwn(OPTIMIZERS, given))
    throw unknownName('compile', 'optimizer', given, Object.keys(OPTIMIZERS));
  return OPTIMIZERS[given]();
}

/** What belongs to each output; an object that is no `T` itself holds one by name. */
function perOutput<T>(
  what: string,
  ports: readonly Port[],
  given: unknown,
  isOne: (value: unknown) => boolean,
  missing?: T,
): T[] {
  if (isOne(given)) return ports.map(() => given as T);
  if (!isPlainObject(given))
    throw new ArgumentError(`compile: ${what} is ${describe(given)}; pass one, or one by output.`);
  const names = ports.map(({ name }) => name);
  for (const name of Object.keys(given))
    if (!names.includes(name)) throw unknownName('compile', 'output', name, names);
  return names.map((name) => {
    const own = given[name] ?? missing;
    if (own === undefined) throw new ArgumentError(`compile: ${what} lacks output '${name}'.`);
    return own as T;
  });
}

/** Labels on the host that are no classes, told with their row. */
function checkLabels(op: string, what: string, { data, shape }: Column, classes: number): void {
  const at = (data as Int32Array).findIndex((label) => label < 0 || label >= classes);
  if (at < 0) return;
  const row = Math.floor(at / Math.max(1, data.length / (shape[0] as number)));
  throw new ArgumentError(
    `${op}: the label ${data[at]} of ${what} in row ${row} is none of the ${classes} classes, 0 to ${classes - 1}; ` +
      `count labels from 0, or give the last layer more units.`,
  );
}

/** Warns where a loss that takes logits gets the output of a softmax or a sigmoid. */
function warnOfDoubleSoftmax(model: Trainable, outputs: readonly CompiledOutput[]): void {
  const { inputs } = model.signature();
  const specs = inputs.map(({ shape, dtype }) => (shape && dtype ? { shape, dtype } : null));
  if (!model.built || specs.some((spec) => spec === null)) return;
  inferShapes(specs as { shape: readonly (number | null)[]; dtype: 'float' }[], (tensors) => {
    const results = model.applyAll(tensors);
    results.forEach((result, index) => {
      const output = outputs[index];
      if (output?.loss.fromLogits !== true || !doubleSoftmax(result) || warned.has(model)) return;
      warned.add(model);
      console.warn(
        `wgrad: compile: output '${output.port.name}' ends in a ${result.origin?.op}, and ${output.loss.name} has fromLogits: true, ` +
          `which applies it again. Remove the activation, or fromLogits; with both the network learns slowly.`,
      );
    });
    return results;
  });
}

/** Models that were warned of. */
const warned = new WeakSet<Trainable>();

/** @throws ArgumentError for unknown names, with the nearest one, and for losses or metrics of outputs that do not exist. */
export function compiled(model: Trainable, options: CompileOptions): Compiled {
  checkOptions('compile', options, ['optimizer', 'loss', 'lossWeights', 'metrics', 'weightedMetrics'], '');
  const {
    optimizer = 'rmsprop',
    loss,
    lossWeights = {},
    metrics: plain = [],
    weightedMetrics = [],
  } = options;
  const { outputs: ports } = model.signature();
  const isLoss = (value: unknown): boolean =>
    typeof value === 'string' ||
    typeof value === 'function' ||
    (isPlainObject(value) && typeof value.loss === 'string');
  if (loss === undefined)
    throw new ArgumentError(`compile: there is no loss; pass { loss: 'meanSquaredError' } or another.`);
  const losses = perOutput<LossLike>('loss', ports, loss, isLoss);
  const lists = [plain, weightedMetrics].map((given) =>
    perOutput<readonly MetricLike[]>('metrics', ports, given, Array.isArray, []),
  );
  const weights = perOutput<number>('lossWeights', ports, lossWeights, () => false, 1);
  const outputs = ports.map((port, index): CompiledOutput => {
    const resolved = lossOf('compile', losses[index] as LossLike);
    const weight = weights[index] as number;
    checkNumber('compile', `lossWeights.${port.name}`, weight, { atLeast: 0 });
    const own = lists.flatMap((list, kind) =>
      (list[index] as readonly MetricLike[]).map((like) => ({
        metric: metrics.get(like, { loss: resolved.name }),
        weighted: kind === 1,
      })),
    );
    const classes = port.shape?.at(-1);
    return {
      port,
      loss: resolved,
      weight,
      tracker: ports.length > 1 ? new MeanTracker(`${port.name}_loss`) : null,
      metrics: own,
      check: (op, what, column) => {
        if (resolved.sparse && typeof classes === 'number') checkLabels(op, what, column, classes);
      },
    };
  });
  warnOfDoubleSoftmax(model, outputs);
  return { optimizer: optimizerOf(optimizer), outputs };
}
