/** Models from their JSON. */
import { describe } from '../core/describe.ts';
import { ArgumentError, FormatError } from '../core/errors.ts';
import { unknownName } from '../core/nearest.ts';
import type { PartialSpec } from '../nn/infer-shapes.ts';
import { Layer } from '../nn/layer.ts';
import { BUILT_IN_LAYERS } from '../nn/layers/registry.ts';
import { checkPartial } from '../nn/partial-shape.ts';
import { type InputOptions, input, type SymbolicTensor } from '../nn/symbolic.ts';
import { checkOptions } from '../ops/options.ts';
import { defaultDevice, withDefaultDevice } from '../runtime/default-device.ts';
import { Device } from '../runtime/device.ts';
import { Functional, type GraphReference } from './functional.ts';
import { Model } from './model.ts';
import { Sequential } from './sequential.ts';

/** Makes layers of your own from what their `getConfig()` gave, name included, by their type: the class's name, not capitalised. */
export type CustomLayers = Readonly<Record<string, (config: never) => Layer>>;

export interface ModelFromJsonOptions {
  /** How layers of your own are made: `{ residual: (config) => new Residual(config) }`. Default: none. */
  layers?: CustomLayers;
  /** Where the weights go. Default: the default device. */
  device?: Device;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const damaged = (what: string): FormatError =>
  new FormatError(`modelFromJson: ${what}; pass what model.toJSON() gave.`);

const isLayer = (value: unknown): boolean =>
  isFields(value) &&
  (typeof value.shared === 'number'
    ? Object.keys(value).length === 1
    : typeof value.type === 'string' && typeof value.name === 'string' && isFields(value.config));

function listOf(where: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw damaged(`${where} is ${describe(value)}, not a list`);
}

/** The item of a list that a number in the JSON names. */
function itemOf<T>(where: string, list: readonly T[], index: unknown): T {
  const item = Number.isSafeInteger(index) ? list[index as number] : undefined;
  if (item === undefined) throw damaged(`${where} refers to number ${describe(index)} of ${list.length}`);
  return item;
}

/** Makes layers, and remembers them in the order in which they stand in the JSON. */
class Reader {
  readonly #custom: CustomLayers;
  readonly #layers: (Layer | undefined)[] = [];
  /** Outer layers first. */
  readonly #trainable: boolean[] = [];

  constructor(custom: CustomLayers) {
    this.#custom = custom;
  }

  get made(): readonly Layer[] {
    return this.#layers.filter((layer) => layer !== undefined);
  }

  layer(where: string, json: unknown): Layer {
    if (!isLayer(json)) throw damaged(`${where} is ${describe(json)}, no layer with type, name and config`);
    const { shared, type, name, config } = json as Fields;
    if (shared !== undefined) return itemOf(where, this.#layers, shared) as Layer;
    const number = this.#layers.push(undefined) - 1;
    this.#trainable.push((config as Fields).trainable !== false);
    const layer = this.#make(type as string, name as string, config as Fields);
    this.#layers[number] = layer;
    layer.adoptName(name as string);
    if (layer.name !== name)
      throw new ArgumentError(
        `modelFromJson: the layer '${name}' came out as '${layer.name}'; hand the whole config on to the constructor, name included.`,
      );
    return layer;
  }

  /** To be called when all weights are there. */
  freeze(): void {
    this.#layers.forEach((layer, index) => {
      const wanted = this.#trainable[index] as boolean;
      if (layer && layer.trainable !== wanted) layer.trainable = wanted;
    });
  }

  #make(type: string, name: string, config: Fields): Layer {
    const own = Object.hasOwn(this.#custom, type) ? this.#custom[type] : undefined;
    if (!own && type === 'sequential') return this.#sequential(name, config);
    if (!own && type === 'functional') return this.#functional(name, config);
    const make = own ?? (Object.hasOwn(BUILT_IN_LAYERS, type) ? BUILT_IN_LAYERS[type] : undefined);
    if (!make) {
      const known = [
        'sequential',
        'functional',
        ...Object.keys(BUILT_IN_LAYERS),
        ...Object.keys(this.#custom),
      ];
      const error = unknownName('modelFromJson', 'layer', type, known);
      error.message += ` A layer of your own is made by { layers: { ${type}: (config) => … } }.`;
      throw error;
    }
    const options = { ...(this.#value(`layer '${name}'`, config) as object), name };
    const layer: unknown = make(options as never);
    if (layer instanceof Layer) return layer;
    throw new ArgumentError(`modelFromJson: layers.${type} returned ${describe(layer)}; return a layer.`);
  }

  #value(where: string, value: unknown): unknown {
    if (isLayer(value)) return this.layer(where, value);
    if (Array.isArray(value)) return value.map((item: unknown) => this.#value(where, item));
    if (!isFields(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, this.#value(where, own)]));
  }

  #layerList(name: string, config: Fields): Layer[] {
    return listOf(`the layers of '${name}'`, config.layers).map((json, index) =>
      this.layer(`layer ${index} of '${name}'`, json),
    );
  }

  #sequential(name: string, config: Fields): Sequential {
    const items: (SymbolicTensor | Layer)[] = this.#layerList(name, config);
    if (config.input !== undefined) items.unshift(input(config.input as InputOptions));
    return new Sequential(items, { name });
  }

  #functional(name: string, config: Fields): Functional {
    const inputs = listOf(`the inputs of '${name}'`, config.inputs).map((own) => input(own as InputOptions));
    const layers = this.#layerList(name, config);
    const results: (readonly SymbolicTensor[])[] = [];
    const referred = (reference: unknown): SymbolicTensor => {
      const where = `a reference in '${name}'`;
      const own = (isFields(reference) ? reference : {}) as Partial<GraphReference & Fields>;
      if ('input' in own) return itemOf(where, inputs, own.input);
      return itemOf(where, itemOf(where, results, own.node), own.output);
    };
    for (const node of listOf(`the nodes of '${name}'`, config.nodes)) {
      const { layer, inputs: from } = (isFields(node) ? node : {}) as Fields;
      const sources = listOf(`the inputs of a node of '${name}'`, from).map(referred);
      results.push(itemOf(`a node of '${name}'`, layers, layer).applyAll(sources));
    }
    const outputs = listOf(`the outputs of '${name}'`, config.outputs).map(referred);
    return new Functional({ inputs, outputs, name });
  }
}

/** Where the weights are to go. */
export function targetDevice(op: string, device: Device | undefined): Device {
  if (device === undefined) return defaultDevice();
  if (device instanceof Device) return device;
  throw new ArgumentError(`${op}: device is ${describe(device)}; pass what init() returned.`);
}

function specsOf(build: unknown): PartialSpec[] {
  return listOf('build', build).map((spec) => {
    const { shape, dtype } = (isFields(spec) ? spec : {}) as Fields;
    const [, ...example] = listOf('a shape in build', shape);
    checkPartial('modelFromJson', example);
    const { shape: whole, dtype: checked } = input({ shape: example, dtype: dtype as 'float' });
    return { shape: whole, dtype: checked };
  });
}

/**
 * The model that `toJSON()` described, with fresh weights.
 *
 * @throws ArgumentError for a type of layer that is neither built in nor in `layers`, with the nearest name, and for options
 *   that a layer refuses; FormatError for what is no such JSON. No tensor is left then.
 */
export function modelFromJson(json: unknown, options: ModelFromJsonOptions = {}): Model {
  checkOptions('modelFromJson', options, ['layers', 'device'], 'json');
  const device = targetDevice('modelFromJson', options.device);
  if (!isFields(json) || json.format !== 'wgrad-model')
    throw damaged(`${describe(json)} is no model${typeof json === 'string' ? '; JSON.parse it first' : ''}`);
  if (json.version !== 1)
    throw new FormatError(
      `modelFromJson: the model is written in version ${describe(json.version)}, this reads version 1; update wgrad.`,
    );
  const reader = new Reader(options.layers ?? {});
  try {
    return withDefaultDevice(device, () => {
      const model = reader.layer('the model', json.model);
      if (!(model instanceof Model))
        throw damaged(`'${model.name}' is a layer of type ${model.type}, no model`);
      if (!model.built && json.build !== undefined) model.outputSpecs(specsOf(json.build));
      reader.freeze();
      return model;
    });
  } catch (error) {
    for (const layer of reader.made) layer.dispose();
    throw error;
  }
}
