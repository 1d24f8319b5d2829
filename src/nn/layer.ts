/**
 * The layer: weights with names, and a function of tensors. A layer of your own is a subclass:
 *
 * ```ts
 * class Residual extends Layer {
 *   readonly inner = layers.dense({ units: 64, activation: 'relu' });
 *   readonly outer = layers.dense({ units: 64 });
 *   override call([x]: readonly Tensor[]): Tensor {
 *     return add(x, this.outer.apply(this.inner.apply(x)));
 *   }
 * }
 * ```
 *
 * Layers that are held in properties belong to it, also those in arrays and plain objects there (private `#fields`, maps and
 * sets are not seen).
 */
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { Generator } from '../core/generator.ts';
import { isPlainObject } from '../core/plain-object.ts';
import { formatShape, type Shape, sameShape } from '../core/shape.ts';
import { checkOptions } from '../ops/options.ts';
import { defaultDevice } from '../runtime/default-device.ts';
import type { Device } from '../runtime/device.ts';
import { type CallContext, withinCall } from './call-context.ts';
import { buildingWeights, inferShapes, type PartialSpec, standsOpen, weightDevice } from './infer-shapes.ts';
import { inLayer } from './layer-errors.ts';
import { layerObservers } from './layer-observer.ts';
import { handOnMasks, type OutputMasks } from './mask.ts';
import { type Constraint, Parameter } from './parameter.ts';
import type { PartialShape } from './partial-shape.ts';
import { newNode, SymbolicTensor } from './symbolic.ts';

/** What every layer takes. */
export interface LayerOptions {
  /** Default: the property that holds it, or its type with a number where there are several. */
  name?: string;
  /** Whether its weights are updated in training. Default: true. */
  trainable?: boolean;
}

export interface WeightOptions {
  initializer: (shape: Shape, options: { device: Device }) => Tensor;
  /** False for weights that are no parameters, such as moving statistics. Default: true. */
  trainable?: boolean;
  regularizer?: ((value: Tensor) => Tensor) | null | undefined;
  constraint?: Constraint | null | undefined;
}

export interface ApplyOptions {
  /** Default: as the layer around it is called, else false. */
  training?: boolean;
}

interface OwnWeight {
  readonly parameter: Parameter;
  /** Never to be trained, whatever the layer is. */
  readonly fixed: boolean;
}

const uncapitalized = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/** The shapes with the batch left open, and all else that is. */
const openBatches = (inputs: readonly { readonly shape: PartialShape }[]): PartialShape[] =>
  inputs.map(({ shape }) => shape.map((extent, axis) => (axis === 0 || standsOpen(extent) ? null : extent)));

export abstract class Layer<Options extends LayerOptions = LayerOptions> {
  /** What kind of layer it is, as saved models name it. */
  readonly type: string;
  /** As they were given. */
  readonly options: Readonly<Options>;
  #name: string | null;
  #trainable: boolean;
  #built = false;
  #device: Device | null = null;
  readonly #own = new Map<string, OwnWeight>();
  readonly #generators = new Map<string, Generator>();

  /** `known` lists the layer's options, besides name and trainable; any other one is refused. */
  constructor(options?: Options, type?: string, known?: readonly (keyof Options & string)[]) {
    this.type = type ?? uncapitalized(new.target.name || 'layer');
    const given = options === undefined ? ({} as Options) : options;
    if (known)
      checkOptions<Options>(
        this.type,
        given,
        ['name', 'trainable', ...known] as (keyof Options & string)[],
        '',
      );
    const { name, trainable = true } = given;
    if (name !== undefined && (typeof name !== 'string' || name === '' || /[./]/.test(name)))
      throw new ArgumentError(
        `${this.type}: name is ${describe(name)}; pass a text without dots and slashes.`,
      );
    if (typeof trainable !== 'boolean')
      throw new ArgumentError(`${this.type}: trainable is ${describe(trainable)}; pass true or false.`);
    this.options = given;
    this.#name = name ?? null;
    this.#trainable = trainable;
  }

  get name(): string {
    return this.#name ?? this.type;
  }

  /** Whether it has a name of its own already. */
  get named(): boolean {
    return this.#name !== null;
  }

  /** Gives it a name, unless it has one. */
  adoptName(name: string): void {
    this.#name ??= name;
  }

  /** What the whole numbers in its input stay below; null where it takes any. */
  get inputLimit(): number | null {
    return null;
  }

  get built(): boolean {
    return this.#built;
  }

  /** Whether gradients reach its weights and optimizers update them, those of the layers inside included. */
  get trainable(): boolean {
    return this.#trainable;
  }

  /** A model must be compiled anew after a change. */
  set trainable(wanted: boolean) {
    if (typeof wanted !== 'boolean')
      throw new ArgumentError(`layer '${this.name}': trainable is ${describe(wanted)}; pass true or false.`);
    this.#trainable = wanted;
    for (const { parameter, fixed } of this.#own.values()) parameter.trainable = wanted && !fixed;
    for (const [, layer] of this.sublayers()) layer.trainable = wanted;
  }

  /** The layers inside, with the names that their weights' paths take. */
  sublayers(): readonly (readonly [name: string, layer: Layer])[] {
    const found: [string, Layer][] = [];
    const seen = new Set<object>();
    const visit = (key: string, value: unknown): void => {
      if (value instanceof Layer) found.push([key, value]);
      else if ((Array.isArray(value) || isPlainObject(value)) && !seen.has(value)) {
        seen.add(value);
        // A dot would look like another level of the path.
        for (const [name, item] of Object.entries(value))
          visit(`${key}_${name.replaceAll(/[./]/g, '_')}`, item);
      }
    };
    for (const [key, value] of Object.entries(this) as [string, unknown][])
      if (key !== 'options') visit(key, value);
    for (const [key, layer] of found) layer.adoptName(key);
    return found.map(([, layer]) => [layer.name, layer] as const);
  }

  /**
   * All weights with their paths, such as `encoder.dense.kernel`; one that is shared stands once, at its first path.
   *
   * @throws ArgumentError when two weights have one path, because layers inside were given the same name.
   */
  namedWeights(): [path: string, weight: Parameter][] {
    const found = new Map<Parameter, string>();
    const visit = (layer: Layer, prefix: string): void => {
      for (const [name, { parameter }] of layer.#own)
        if (!found.has(parameter)) found.set(parameter, `${prefix}${name}`);
      for (const [name, inner] of layer.sublayers()) visit(inner, `${prefix}${name}.`);
    };
    visit(this, '');
    const paths = new Set<string>();
    return [...found].map(([parameter, path]) => {
      if (paths.has(path))
        throw new ArgumentError(
          `layer '${this.name}': two weights have the path '${path}'; give the layers inside names of their own.`,
        );
      paths.add(path);
      return [path, parameter];
    });
  }

  get weights(): Parameter[] {
    return this.namedWeights().map(([, weight]) => weight);
  }

  get trainableWeights(): Parameter[] {
    return this.weights.filter(({ trainable }) => trainable);
  }

  get nonTrainableWeights(): Parameter[] {
    return this.weights.filter(({ trainable }) => !trainable);
  }

  /** The random streams of its own that layers inside draw from, by path; others draw from that of `setSeed`. */
  namedGenerators(): [path: string, generator: Generator][] {
    const own = [...this.#generators].map(([name, generator]): [string, Generator] => [name, generator]);
    const inner = this.sublayers().flatMap(([name, layer]) =>
      layer.namedGenerators().map(([path, generator]): [string, Generator] => [`${name}.${path}`, generator]),
    );
    return [...own, ...inner];
  }

  /** The number of its weights' elements. */
  countParams(): number {
    return this.weights.reduce((sum, { value }) => sum + value.size, 0);
  }

  /** Makes the weights, by `addWeight`, for inputs of these shapes; called once, before the first call. */
  build(_inputShapes: readonly PartialShape[]): void {}

  /** What it computes, in differentiable ops. */
  abstract call(inputs: readonly Tensor[], context: CallContext): Tensor | readonly Tensor[];

  /** Whether masks of its inputs go on to its outputs, as `computeMask` says. Default: false, and masks end here. */
  get supportsMasking(): boolean {
    return false;
  }

  /** The masks of its outputs, null for none; a single one is that of the first. Default: the mask of the first input. */
  computeMask(_inputs: readonly Tensor[], masks: readonly (Tensor | null)[]): OutputMasks {
    return masks[0] ?? null;
  }

  /** Its options as JSON, from which `create` of a saved model's loader makes it again. */
  getConfig(): object {
    return this.options;
  }

  /** The result of a layer with one output. On symbolic tensors: the promise of it. */
  apply(inputs: Tensor | readonly Tensor[], options?: ApplyOptions): Tensor;
  apply(inputs: SymbolicTensor | readonly SymbolicTensor[]): SymbolicTensor;
  apply(inputs: Applied | readonly Applied[], options?: ApplyOptions): Applied {
    const outputs = this.applyAll(inputs as Tensor, options) as readonly Applied[];
    if (outputs.length !== 1)
      throw new ArgumentError(
        `layer '${this.name}': it has ${outputs.length} outputs; call applyAll(), which returns a list.`,
      );
    return outputs[0] as Applied;
  }

  /** The results of a layer with any number of outputs. */
  applyAll(inputs: Tensor | readonly Tensor[], options?: ApplyOptions): readonly Tensor[];
  applyAll(inputs: SymbolicTensor | readonly SymbolicTensor[]): readonly SymbolicTensor[];
  applyAll(inputs: Applied | readonly Applied[], options: ApplyOptions = {}): readonly Applied[] {
    const list = (Array.isArray(inputs) ? inputs : [inputs]) as readonly Applied[];
    checkOptions('apply', options, ['training']);
    return inLayer(this, () => {
      if (list.length > 0 && list.every((input) => input instanceof SymbolicTensor))
        return this.#describe(list as readonly SymbolicTensor[]);
      list.forEach((input, index) => {
        if (!(input instanceof Tensor))
          throw new ArgumentError(
            `input ${index} is ${describe(input)}; pass tensors, or symbolic tensors only.`,
          );
        input.assertAlive('apply');
      });
      return this.#run(list as readonly Tensor[], options.training);
    });
  }

  /** Makes the weights for inputs of these shapes, unless they are there. */
  ensureBuilt(inputShapes: readonly PartialShape[], device: Device): void {
    if (this.#built) return;
    this.#device = weightDevice(device);
    for (const [, layer] of this.sublayers()) if (!this.#trainable) layer.trainable = false;
    try {
      buildingWeights(
        () => inLayer(this, () => this.build(inputShapes)),
        () => this.#drop(),
      );
      this.#built = true;
    } catch (error) {
      this.#drop();
      throw error;
    } finally {
      this.#device = null;
    }
  }

  /** The shapes and dtypes of its outputs, found by a call without data; builds the layer where it is not. */
  outputSpecs(inputs: readonly PartialSpec[]): PartialSpec[] {
    // With what is open, which the call without data fills in.
    this.ensureBuilt(openBatches(inputs), defaultDevice());
    return inferShapes(inputs, (tensors) => this.applyAll(tensors));
  }

  /**
   * Adds a weight of the layer, inside `build`.
   *
   * @throws ArgumentError outside of `build`, for a name that is taken or holds a dot, and when the initializer makes
   *   something else than a float tensor of this shape on this device.
   */
  addWeight(name: string, shape: Shape, options: WeightOptions): Parameter {
    const { initializer, trainable = true, regularizer, constraint } = options;
    const device = this.#device;
    if (!device)
      throw new ArgumentError(`addWeight: weights are added in build(), which runs before the first call.`);
    if (this.#own.has(name) || name.includes('.'))
      throw new ArgumentError(`addWeight: the name '${name}' is taken, or holds a dot; choose another.`);
    const value = initializer(shape, { device });
    try {
      if (value instanceof Tensor && (value.device !== device || !sameShape(value.shape, shape)))
        throw new ArgumentError(
          `addWeight: the initializer of '${name}' made shape ${formatShape(value.shape)} on ${value.device.description}, not ` +
            `${formatShape(shape)} on ${device.description}; hand the shape and { device }, its arguments, on.`,
        );
      const parameter = new Parameter(`${this.name}.${name}`, value, {
        trainable: trainable && this.#trainable,
        regularizer: regularizer ?? undefined,
        constraint: constraint ?? undefined,
      });
      this.#own.set(name, { parameter, fixed: !trainable });
      return parameter;
    } catch (error) {
      if (value instanceof Tensor) value.dispose();
      throw error;
    }
  }

  /** A random stream of the layer's own, which a checkpoint takes along. */
  addGenerator(name: string, seed: number): Generator {
    const generator = new Generator(seed);
    this.#generators.set(name, generator);
    return generator;
  }

  /** Gives the memory of all weights back, also those of the layers inside. They are made anew at the next call. */
  dispose(): void {
    this.#drop();
    for (const [, layer] of this.sublayers()) layer.dispose();
  }

  #drop(): void {
    for (const { parameter } of this.#own.values()) parameter.dispose();
    this.#own.clear();
    this.#built = false;
  }

  #run(inputs: readonly Tensor[], training: boolean | undefined): readonly Tensor[] {
    if (!this.#built) {
      this.ensureBuilt(openBatches(inputs), inputs[0]?.device ?? defaultDevice());
    }
    return withinCall(training, (context) => {
      const watching = layerObservers();
      for (const { enter } of watching) enter?.(this, inputs);
      const result: unknown = this.call(inputs, context);
      const outputs: readonly unknown[] = Array.isArray(result) ? result : [result];
      if (!outputs.every((output) => output instanceof Tensor))
        throw new ArgumentError(
          `call() returned ${describe(result)}; return a tensor, or a list of tensors.`,
        );
      handOnMasks(this, inputs, outputs);
      for (const { leave } of watching) leave?.(this, inputs, outputs);
      return outputs;
    });
  }

  #describe(inputs: readonly SymbolicTensor[]): readonly SymbolicTensor[] {
    this.ensureBuilt(
      inputs.map(({ shape }) => shape),
      defaultDevice(),
    );
    const outputs: SymbolicTensor[] = [];
    const node = newNode(this, inputs, outputs);
    this.outputSpecs(inputs).forEach(({ shape, dtype }, output) => {
      outputs.push(new SymbolicTensor(shape, dtype, { node, output }));
    });
    return outputs;
  }
}

type Applied = Tensor | SymbolicTensor;
