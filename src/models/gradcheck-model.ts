/** Whether the gradients of a model's layers are right, layer by layer, in float64. */
import { copyOf } from '../autograd/engine-ops.ts';
import type { Differentiable } from '../autograd/finite-differences.ts';
import { noGrad } from '../autograd/modes.ts';
import { keep, scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { collectingLosses } from '../nn/call-context.ts';
import type { Layer } from '../nn/layer.ts';
import { observeLayers } from '../nn/layer-observer.ts';
import type { Parameter } from '../nn/parameter.ts';
import { add, mul } from '../ops/binary.ts';
import { checkOptions } from '../ops/options.ts';
import { CpuDevice } from '../runtime/cpu-device.ts';
import { type LossFunction, type LossLike, lossOf } from '../train/losses.ts';
import { type ArgumentCheck, type CallSettings, checkCall, projected } from './gradcheck-call.ts';
import type { Model } from './model.ts';
import {
  buildFor,
  copiesOn,
  onTwins,
  pathsOf,
  type Tensors,
  type Twins,
  tensorList,
  twinsOf,
} from './twins.ts';

export interface GradcheckModelOptions {
  /** For models with one output. Default: what the model was compiled with. */
  loss?: LossLike;
  /** How many elements of each weight and input to check. Default: 10. */
  samples?: number;
  /** Half the distance of the two evaluations of a difference. Default: 1e-6. */
  eps?: number;
  /** Default: 1e-5. */
  atol?: number;
  /** Default: 1e-3. */
  rtol?: number;
  /** Of the choice of elements. Default: 0. */
  seed?: number;
}

/** What the check of one weight or input of one layer found. */
export interface GradcheckRow extends ArgumentCheck {
  /** The layer's name, or 'loss'. */
  readonly layer: string;
  /** Where the layer lies in the model; empty for the model itself and for the loss. */
  readonly path: string;
  readonly type: string;
  /** The weight's path in the layer; 'input', 'input_1' … for what the layer was called on. */
  readonly weight: string;
  /** The number of its elements. */
  readonly size: number;
}

export interface GradcheckModelResult {
  readonly ok: boolean;
  /** Layers ran as out of training: dropout does nothing, batch normalisation uses its moving statistics. */
  readonly mode: 'inference';
  /** Inner layers first; a layer that holds others is checked after them, and the model last. */
  readonly rows: readonly GradcheckRow[];
  /** The first that did not pass: the layer with the wrong gradient. Those around it do not pass either. */
  readonly first: GradcheckRow | null;
}

/** One call of a layer on the CPU device. */
interface Call {
  readonly layer: Layer;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

interface Setting {
  readonly model: Model;
  readonly device: CpuDevice;
  readonly twins: Twins;
  readonly settings: CallSettings;
  /** The loss of predictions; null without targets. */
  readonly loss: ((outputs: readonly Tensor[]) => Tensor) | null;
}

/** The first call of each layer. `made` takes the tensors. */
function firstCalls(
  { model, device, twins }: Setting,
  inputs: readonly Tensor[],
  made: Tensor[],
): readonly Call[] {
  const calls = new Map<Layer, Call>();
  const take = (tensor: Tensor): Tensor => {
    const copy = keep(copyOf(tensor));
    made.push(copy);
    return copy;
  };
  const leave = (layer: Layer, from: readonly Tensor[], to: readonly Tensor[]): void => {
    if (!calls.has(layer)) calls.set(layer, { layer, inputs: from.map(take), outputs: to.map(take) });
  };
  const stop = observeLayers({ leave });
  try {
    onTwins(model, twins, device, () =>
      scope(() => noGrad(() => void model.applyAll(inputs, { training: false }))),
    );
  } finally {
    stop();
  }
  return [...calls.values()];
}

/** The model's loss, with what layers add to it and the penalties on weights. */
function totalLoss({ model, loss }: Setting, inputs: readonly Tensor[]): Tensor {
  const { result, losses } = collectingLosses(() => model.applyAll(inputs, { training: false }));
  const penalties = model.trainableWeights.flatMap(({ regularizer, value }) =>
    regularizer ? [regularizer(value)] : [],
  );
  const own = (loss as NonNullable<typeof loss>)(result);
  return [...losses, ...penalties].reduce((sum, term) => add(sum, term), own);
}

function checkLayer(setting: Setting, { layer, inputs, outputs }: Call, path: string): GradcheckRow[] {
  const { model, device, twins, settings, loss } = setting;
  const weights = layer.namedWeights().filter(([, { trainable }]) => trainable);
  const named = [
    ...inputs.map((tensor, index) => ({ weight: index === 0 ? 'input' : `input_${index}`, tensor })),
    ...weights.map(([weight, parameter]) => ({ weight, tensor: twins.get(parameter) as Tensor })),
  ];
  const floats = named.filter(({ tensor }) => isFloat(tensor.dtype));
  if (floats.length === 0 || !outputs.some(({ dtype }) => isFloat(dtype))) return [];
  const f: Differentiable = (...points) => {
    const own = new Map<Parameter, Tensor>(twins);
    weights.forEach(([, parameter], index) => {
      own.set(parameter, points[inputs.length + index] as Tensor);
    });
    const xs = points.slice(0, inputs.length);
    return onTwins(model, own, device, () =>
      layer === model && loss
        ? totalLoss(setting, xs)
        : projected(layer.applyAll(xs, { training: false }), device, settings.seed),
    );
  };
  // Of a layer that holds others, each of which is checked by itself, one direction through all elements is enough.
  const whole = layer === model || layer.sublayers().length > 0;
  const points = named.map(({ tensor }) => tensor);
  const checks = checkCall(f, points, device, whole, settings);
  return floats.map(({ weight, tensor }, index) => ({
    layer: layer.name,
    path,
    type: layer.type,
    weight,
    size: tensor.size,
    ...(checks[index] as ArgumentCheck),
  }));
}

function checkLoss({ device, settings, loss }: Setting, outputs: readonly Tensor[]): GradcheckRow[] {
  if (!loss) return [];
  const checks = checkCall((...points) => loss(points), outputs, device, false, settings);
  const floats = outputs.filter(({ dtype }) => isFloat(dtype));
  return floats.map(({ size }, index) => ({
    layer: 'loss',
    path: '',
    type: 'loss',
    weight: index === 0 ? 'yPred' : `yPred_${index}`,
    size,
    ...(checks[index] as ArgumentCheck),
  }));
}

/** The losses of a model's outputs, and how much each counts. */
function lossesOf(
  op: string,
  model: Model,
  loss: LossLike | undefined,
  targets: number,
): { readonly call: LossFunction; readonly weight: number }[] {
  const losses =
    loss !== undefined
      ? [{ call: lossOf(op, loss).call, weight: 1 }]
      : model.compiled
        ? model.trainer.outputs.map(({ loss: own, weight }) => ({ call: own.call, weight }))
        : [];
  if (losses.length === 0)
    throw new ArgumentError(
      `${op}: y without a loss; pass { loss: 'meanSquaredError' } or compile the model.`,
    );
  if (losses.length !== targets)
    throw new ArgumentError(
      `${op}: ${targets} targets for ${losses.length} losses; pass one y for each output.`,
    );
  return losses;
}

/**
 * Checks the gradients of every layer against central differences: with float64 copies of the weights on a CPU device, each
 * layer on what it is called on in the model, for all its inputs and trainable weights. An element passes when
 * |analytic − numeric| ≤ atol + rtol·|numeric|. Given targets, the loss and the whole model's gradient of it are checked too.
 *
 * Layers run as out of training: dropout does nothing, batch normalisation uses its moving statistics. The model is not
 * changed.
 *
 * ```ts
 * const { ok, first } = await gradcheckModel(net, x, y, { loss: 'meanSquaredError' });
 * if (first) console.log(`${first.path}: the gradient of ${first.weight} is wrong`);
 * ```
 *
 * @throws ArgumentError for targets without a loss, and a loss without targets.
 */
export async function gradcheckModel(
  model: Model,
  x: Tensors,
  y?: Tensors,
  options: GradcheckModelOptions = {},
): Promise<GradcheckModelResult> {
  const op = 'gradcheckModel';
  checkOptions(op, options, ['loss', 'samples', 'eps', 'atol', 'rtol', 'seed'], 'model, x, y');
  const { samples = 10, eps = 1e-6, atol = 1e-5, rtol = 1e-3, seed = 0 } = options;
  checkNumber(op, 'samples', samples, { atLeast: 1, whole: true });
  checkNumber(op, 'eps', eps, { above: 0 });
  checkNumber(op, 'atol', atol, { atLeast: 0 });
  checkNumber(op, 'rtol', rtol, { atLeast: 0 });
  checkNumber(op, 'seed', seed, { atLeast: 0, whole: true });
  if (y === undefined && options.loss !== undefined)
    throw new ArgumentError(
      `${op}: there is a loss, and no y to compare with; pass the targets, or no loss.`,
    );
  const inputs = tensorList(op, 'x', x);
  const targets = y === undefined ? [] : tensorList(op, 'y', y);
  const losses = y === undefined ? null : lossesOf(op, model, options.loss, targets.length);
  buildFor(model, inputs, model.device);
  const device = new CpuDevice('gradients in double precision');
  const made: Tensor[] = [];
  try {
    const xs = await copiesOn(device, inputs);
    const ys = await copiesOn(device, targets);
    const twins = await twinsOf(model, device);
    // Which of them are differentiated is told by the layer that they are checked with.
    made.push(...xs, ...ys, ...twins.values());
    const loss = losses
      ? (outputs: readonly Tensor[]): Tensor =>
          losses
            .map(({ call, weight }, index) =>
              mul(call(ys[index] as Tensor, outputs[index] as Tensor), weight),
            )
            .reduce((sum, term) => add(sum, term))
      : null;
    const setting: Setting = { model, device, twins, settings: { samples, eps, atol, rtol, seed }, loss };
    const calls = firstCalls(setting, xs, made);
    for (const { inputs: from, outputs } of calls)
      for (const tensor of [...from, ...outputs]) if (isFloat(tensor.dtype)) tensor.requiresGrad = true;
    const paths = pathsOf(model);
    const inner = calls.filter(({ layer }) => layer !== model);
    const whole = calls.filter(({ layer }) => layer === model);
    const rows = [
      ...inner.flatMap((call) => checkLayer(setting, call, paths.get(call.layer) ?? call.layer.name)),
      ...whole.flatMap(({ outputs }) => checkLoss(setting, outputs)),
      ...whole.flatMap((call) => checkLayer(setting, call, '')),
    ];
    const first = rows.find(({ passed }) => !passed) ?? null;
    return { ok: first === null, mode: 'inference', rows, first };
  } finally {
    for (const tensor of made) tensor.dispose();
    device.destroy();
  }
}
