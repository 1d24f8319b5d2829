/** The structure of a model as JSON, from which `modelFromJson` makes it again. */
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { isPlainObject } from '../core/plain-object.ts';
import type { PartialSpec } from '../nn/infer-shapes.ts';
import { Layer } from '../nn/layer.ts';
import * as layers from '../nn/layers/index.ts';
import { BUILT_IN_LAYERS } from '../nn/layers/registry.ts';
import { activations } from '../ops/activations.ts';
import type { Model } from './model.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** A layer: what it is made of. One that stood earlier in the text is `{ shared: n }`, the n-th from 0. */
export interface LayerJson {
  readonly type: string;
  readonly name: string;
  /** Its options; those of models hold further layers. */
  readonly config: JsonObject;
}

export interface ModelJson {
  readonly format: 'wgrad-model';
  readonly version: 1;
  readonly model: LayerJson;
  /** What the weights are made for; missing where there were none yet. */
  readonly build?: readonly PartialSpec[];
}

const uncapitalized = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/** The type that a loader finds the layer's class by: a subclass of a built-in one is not taken for that. */
function typeOf(layer: Layer): string {
  const { type } = layer;
  if (!Object.hasOwn(BUILT_IN_LAYERS, type)) return type;
  const classes: Readonly<Record<string, unknown>> = layers;
  if (layer.constructor === classes[type.charAt(0).toUpperCase() + type.slice(1)]) return type;
  const own = uncapitalized(layer.constructor.name);
  if (own !== '' && !Object.hasOwn(BUILT_IN_LAYERS, own)) return own;
  throw new ArgumentError(
    `layer '${layer.name}': its class is one of your own with the name of layers.${type}; rename it, so that a loader can ` +
      `tell the two apart.`,
  );
}

/** An activation by its name. */
const nameOfActivation = (call: unknown): string | undefined =>
  Object.entries(activations).find(([, own]) => own === call)?.[0];

/** Turns layers into JSON, each one once. */
class Writer {
  readonly #numbers = new Map<Layer, number>();

  layer(layer: Layer): JsonObject {
    const earlier = this.#numbers.get(layer);
    if (earlier !== undefined) return { shared: earlier };
    this.#numbers.set(layer, this.#numbers.size);
    const options = { ...layer.getConfig(), name: undefined, trainable: layer.trainable ? undefined : false };
    return { type: typeOf(layer), name: layer.name, config: this.#object(layer, '', options) };
  }

  #object(layer: Layer, path: string, value: object): JsonObject {
    const entries = Object.entries(value).filter(([, own]) => own !== undefined);
    const prefix = path === '' ? '' : `${path}.`;
    return Object.fromEntries(entries.map(([key, own]) => [key, this.#value(layer, `${prefix}${key}`, own)]));
  }

  #value(layer: Layer, path: string, value: unknown): Json {
    const refused = (what: string, fix: string): ArgumentError =>
      new ArgumentError(
        `layer '${layer.name}': the option '${path}' is ${what}, which JSON cannot hold; ${fix}`,
      );
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number') {
      if (Number.isFinite(value)) return value;
      throw refused(String(value), 'choose a finite number, or leave it out.');
    }
    if (value instanceof Layer) return this.layer(value);
    const { toJSON } = Object(value) as { toJSON?: unknown };
    if (typeof toJSON === 'function') return this.#value(layer, path, toJSON.call(value, path));
    if (typeof value === 'function') {
      const name = nameOfActivation(value);
      if (name !== undefined) return name;
      throw refused(
        'a function',
        `give it a toJSON(), take a built-in one by name, or write a subclass of Layer that computes it in call().`,
      );
    }
    if (Array.isArray(value))
      return value.map((item: unknown, index) => this.#value(layer, `${path}[${index}]`, item));
    if (isPlainObject(value)) return this.#object(layer, path, value);
    throw refused(describe(value), 'override getConfig() to return plain values.');
  }
}

/**
 * The structure of a model as JSON; see `Model.toJSON`.
 *
 * @throws ArgumentError for options that JSON cannot hold; it names layer and option.
 */
export function modelJson(model: Model): ModelJson {
  const { inputSpecs } = model;
  return {
    format: 'wgrad-model',
    version: 1,
    model: new Writer().layer(model) as JsonObject & LayerJson,
    ...(model.built &&
      inputSpecs && { build: inputSpecs.map(({ shape, dtype }) => ({ shape: [...shape], dtype })) }),
  };
}
