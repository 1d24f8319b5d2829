/**
 * Whole models and their weights as the bytes of safetensors files: weights by their paths, and the model's JSON among the
 * metadata. Any program that reads safetensors can read the weights.
 */
import type { Tensor } from '../autograd/tensor.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, FormatError } from '../core/errors.ts';
import { defaultGenerator } from '../core/generator.ts';
import { readSafetensors, writeSafetensors } from '../io/safetensors.ts';
import { readSafetensorsHeader } from '../io/safetensors-header.ts';
import type { Layer } from '../nn/layer.ts';
import { assignWeights, WeightsError } from '../nn/weights.ts';
import { checkOptions } from '../ops/options.ts';
import type { Device } from '../runtime/device.ts';
import type { CompileOptions } from '../train/compile.ts';
import { compileJson } from './compile-json.ts';
import { type ModelFromJsonOptions, modelFromJson, targetDevice } from './json-read.ts';
import type { Model } from './model.ts';

/** The metadata that hold the model, and what it was compiled with. */
const MODEL_KEY = 'wgrad.model';
const COMPILE_KEY = 'wgrad.compile';

export interface WriteModelOptions {
  /** How weights are stored. float64 keeps all digits of the CPU device. Default: float32. */
  float?: 'float32' | 'float64';
}

export interface ReadModelOptions extends ModelFromJsonOptions {
  /** Compile as the saved model was, where the file tells. Default: true. */
  compile?: boolean;
}

export interface ReadWeightsOptions {
  /** Load the weights whose paths both have, and leave the rest as it is; other shapes are refused. Default: false. */
  partial?: boolean;
}

const valuesOf = (layer: Layer): Record<string, Tensor> =>
  Object.fromEntries(layer.namedWeights().map(([path, { value }]) => [path, value]));

/**
 * The whole model as the bytes of one safetensors file: structure, weights, and what `compile` was given, unless there
 * are functions of your own in it (compile again after reading then). The state of a training is not in it.
 *
 * @throws ArgumentError for options of layers that JSON cannot hold; DTypeError for a weight beyond float32, unless `float` is
 *   'float64'.
 */
export async function writeModel(model: Model, options: WriteModelOptions = {}): Promise<Uint8Array> {
  checkOptions('writeModel', options, ['float'], 'model');
  const json = model.toJSON();
  const values = valuesOf(model);
  if (Object.keys(values).length > 0 && !json.build)
    throw new ArgumentError(
      `writeModel: the model '${model.name}' does not know what it is called on; call it once before saving.`,
    );
  const settings = compileJson(model.compileOptions);
  const metadata = {
    [MODEL_KEY]: JSON.stringify(json),
    ...(settings && { [COMPILE_KEY]: JSON.stringify(settings) }),
  };
  return writeSafetensors(values, { ...options, metadata });
}

/** The weights alone, as the bytes of a safetensors file. */
export async function writeWeights(layer: Layer, options: WriteModelOptions = {}): Promise<Uint8Array> {
  checkOptions('writeWeights', options, ['float'], 'layer');
  return writeSafetensors(valuesOf(layer), options);
}

/** Puts the weights of a file, which is checked as a whole before the first one changes, into a layer. */
function assignFrom(op: string, layer: Layer, bytes: Uint8Array, device: Device, partial: boolean): void {
  const { tensors } = readSafetensors(bytes, { device });
  try {
    const integers = layer.namedWeights().flatMap(([path]) => {
      const given = tensors[path];
      return given && !isFloat(given.dtype) ? [`${path} is ${given.dtype}, the model has floats`] : [];
    });
    if (integers.length > 0) throw new WeightsError(op, [], [], integers);
    assignWeights(op, layer, tensors, { partial });
  } finally {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
}

/**
 * Overwrites the weights of a layer or model by those of a file, found by their paths, also from a whole model's file.
 *
 * @throws WeightsError, which lists all that is missing, unexpected or of another shape; FormatError for a damaged file;
 *   ArgumentError for a layer without weights yet. Nothing is changed then.
 */
export function readWeights(layer: Layer, bytes: Uint8Array, options: ReadWeightsOptions = {}): void {
  const op = 'readWeights';
  checkOptions(op, options, ['partial'], 'layer, bytes');
  const { partial = false } = options;
  if (typeof partial !== 'boolean')
    throw new ArgumentError(`${op}: partial is ${String(partial)}; pass true or false.`);
  const [first] = layer.weights;
  if (!first)
    throw new ArgumentError(
      `${op}: '${layer.name}' has no weights yet; begin the model with input({ shape }), or call it once before.`,
    );
  assignFrom(op, layer, bytes, first.value.device, partial);
}

/** Runs `body`, and leaves the default random stream where it was: fresh weights that are overwritten at once are no news. */
function withoutDraws<T>(body: () => T): T {
  const { seed, counter } = defaultGenerator;
  try {
    return body();
  } finally {
    defaultGenerator.reseed(seed, counter);
  }
}

function parsed(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new FormatError(
      `readModel: the ${what} in the file is no JSON; the file is damaged, save it again.`,
    );
  }
}

/**
 * The model that `writeModel` made bytes of, with its weights, compiled as it was where the file tells.
 *
 * @throws FormatError for a damaged file, or one that holds weights only; ArgumentError for a layer of your own that `layers`
 *   lacks; WeightsError when the weights are not those of the model. No tensor is left then.
 */
export function readModel(bytes: Uint8Array, options: ReadModelOptions = {}): Model {
  checkOptions('readModel', options, ['layers', 'device', 'compile'], 'bytes');
  const { compile = true, ...rest } = options;
  const device = targetDevice('readModel', options.device);
  const { metadata, entries } = readSafetensorsHeader(bytes);
  const text = metadata[MODEL_KEY];
  if (text === undefined)
    throw new FormatError(
      `readModel: the file holds weights only, ${entries.size} of them, and no model; make the model and call readWeights(model, bytes).`,
    );
  const model = withoutDraws(() => modelFromJson(parsed('model', text), rest));
  try {
    assignFrom('readModel', model, bytes, device, false);
    const settings = metadata[COMPILE_KEY];
    if (compile && settings !== undefined)
      model.compile(parsed('compile options', settings) as CompileOptions);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}
