/** Weights that were trained elsewhere: torchvision's and Keras's names and layouts, mapped onto a model of this folder. */
import { noGrad } from '../../autograd/modes.ts';
import { scope } from '../../autograd/scope.ts';
import { Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { isFloat } from '../../core/dtype.ts';
import { ArgumentError } from '../../core/errors.ts';
import { formatShape, type Shape, sameShape } from '../../core/shape.ts';
import { readSafetensors } from '../../io/safetensors.ts';
import { readSafetensorsHeader } from '../../io/safetensors-header.ts';
import { checkChoice } from '../../nn/configurable.ts';
import { WeightsError } from '../../nn/weights.ts';
import { assign } from '../../ops/cast.ts';
import { checkOptions } from '../../ops/options.ts';
import { along } from '../../ops/slice.ts';
import { CpuDevice } from '../../runtime/cpu-device.ts';
import { Functional } from '../functional.ts';
import { Model } from '../model.ts';
import { Sequential } from '../sequential.ts';
import { kerasName, sourcesFor, type WeightSource } from './source-names.ts';

/** The bytes of a safetensors file, or tensors by the names that the other library has for them. */
export type PretrainedWeights = Uint8Array | Readonly<Record<string, Tensor>>;

export interface LoadPretrainedOptions {
  /** Whose names and layouts they have. */
  source: 'torchvision' | 'keras';
  /** Layers that keep their weights, such as the last one, `['fc']`, where the classes are others. Default: none. */
  skip?: readonly string[];
}

/** What can be told about a weight before it is read. */
interface Given {
  readonly shape: Shape;
  readonly isFloat: boolean;
  /** The tensor, on whatever device; the caller gives it back where `owned` says so. */
  read(): { tensor: Tensor; owned: boolean };
}

function givenWeights(op: string, weights: PretrainedWeights, cpu: CpuDevice): Map<string, Given> {
  if (weights instanceof Uint8Array) {
    const { entries } = readSafetensorsHeader(weights);
    return new Map(
      [...entries].map(([name, { shape, dtype }]) => [
        name,
        {
          shape,
          isFloat: /^(F|BF)\d/.test(dtype),
          read: () => {
            const { tensors } = readSafetensors(weights, { device: cpu, names: [name] });
            return { tensor: tensors[name] as Tensor, owned: true };
          },
        },
      ]),
    );
  }
  if (Object.prototype.toString.call(weights) !== '[object Object]')
    throw new ArgumentError(
      `${op}: the weights are ${describe(weights)}; pass the bytes of a safetensors file, a Uint8Array, or an object of tensors.`,
    );
  return new Map(
    Object.entries(weights).map(([name, tensor]) => {
      if (!(tensor instanceof Tensor))
        throw new ArgumentError(`${op}: '${name}' is ${describe(tensor)}; pass tensors by their names.`);
      tensor.assertAlive(op);
      const { shape, dtype } = tensor;
      return [name, { shape, isFloat: isFloat(dtype), read: () => ({ tensor, owned: false }) }];
    }),
  );
}

/** Keras's weights as `layer.weight`, without the scopes in front. */
function byLayer(op: string, given: ReadonlyMap<string, Given>): Map<string, Given> {
  const found = new Map<string, Given>();
  for (const [full, own] of given) {
    const name = kerasName(full);
    if (found.has(name))
      throw new ArgumentError(
        `${op}: two weights are named '${name}', one of them '${full}'; leave one out.`,
      );
    found.set(name, own);
  }
  return found;
}

/** Pairs every weight of the model with one that was given, or tells all that did not fit. */
function paired(
  op: string,
  sources: readonly WeightSource[],
  given: ReadonlyMap<string, Given>,
  ignored: (name: string) => boolean,
): [WeightSource, Given][] {
  const pairs: [WeightSource, Given][] = [];
  const missing: string[] = [];
  const mismatched: string[] = [];
  const left = new Set(given.keys());
  for (const source of sources) {
    const own = given.get(source.name);
    left.delete(source.name);
    if (source.skipped) continue;
    if (!own) missing.push(`${source.name}, for ${source.path}`);
    else if (!own.isFloat) mismatched.push(`${source.name} has no floats, the model's ${source.path} has`);
    else if (!sameShape(own.shape, source.shape))
      mismatched.push(
        `${source.name} is ${formatShape(own.shape)}, the model's ${source.path} takes ${formatShape(source.shape)}`,
      );
    else pairs.push([source, own]);
  }
  const unexpected = [...left].filter((name) => !ignored(name));
  if (missing.length + unexpected.length + mismatched.length > 0)
    throw new WeightsError(op, missing, unexpected, mismatched);
  return pairs;
}

/** Reads one weight, turns its axes, and puts it, in parts where it lies in parts, into the model. */
async function move({ convert, parameters }: WeightSource, given: Given): Promise<void> {
  const { tensor, owned } = given.read();
  const parts = noGrad(() =>
    scope(() => {
      const whole = convert(tensor);
      let from = 0;
      return parameters.map(({ shape }) => {
        if (parameters.length === 1) return whole;
        const to = from + (shape.at(-1) as number);
        const part = along(whole, whole.rank - 1, from, to);
        from = to;
        return part;
      });
    }),
  );
  try {
    for (const [index, { value }] of parameters.entries()) {
      const part = parts[index] as Tensor;
      const data = part.device === value.device ? part : await part.data();
      noGrad(() => assign(value, data));
    }
  } finally {
    for (const part of parts) if (part !== tensor) part.dispose();
    if (owned) tensor.dispose();
  }
}

/**
 * Puts weights that were trained with torchvision or Keras into a model of `applications`, whose names and layouts they have:
 *
 * ```ts
 * const model = applications.resnet18();
 * await applications.loadPretrained(model, await readFile('resnet18.safetensors'), { source: 'torchvision' });
 * ```
 *
 * - `'torchvision'`: `layer1.0.conv1.weight`, `features.0.weight`; for ResNet-18, -34 and -50, GoogLeNet, AlexNet and VGG.
 *   Convolutions are turned from (out, in, height, width) to (height, width, in, out), dense kernels from (out, in) to (in,
 *   out), and behind a flatten the inputs from (channels, height, width) to (height, width, channels). `num_batches_tracked`
 *   and, without such heads, GoogLeNet's `aux1` and `aux2` are left out.
 * - `'keras'`: `block1_conv1/kernel` or `block1_conv1.kernel`, also with `:0` behind and scopes in front; for VGG and
 *   MobileNet, and every model whose layers have the same names. Layouts are the same.
 *
 * All names and shapes are checked first. Weights are moved one by one, so that a large file needs little memory besides.
 *
 * @throws WeightsError that lists all that is missing, unexpected or of another shape, by the names of the source; nothing is
 *   changed then. FormatError for a damaged file; ArgumentError for a model without `input()`.
 */
export async function loadPretrained(
  model: Model,
  weights: PretrainedWeights,
  options: LoadPretrainedOptions,
): Promise<void> {
  const op = 'loadPretrained';
  if (!(model instanceof Model))
    throw new ArgumentError(
      `${op}: ${describe(model)} is no model; pass one of applications, such as resnet18().`,
    );
  checkOptions(op, options, ['source', 'skip'], 'model, weights');
  const { source, skip = [] } = options;
  checkChoice(op, 'source', source, ['torchvision', 'keras']);
  if (!(model instanceof Functional || model instanceof Sequential) || model.weights.length === 0)
    throw new ArgumentError(
      `${op}: the model '${model.name}' is not built of layers with names, or has no weights yet; pass one of applications.`,
    );
  const cpu = new CpuDevice('for reading weights');
  try {
    const all = givenWeights(op, weights, cpu);
    const given = source === 'keras' ? byLayer(op, all) : all;
    const sources = sourcesFor(op, model, source, skip);
    const hasHeads = model.layers.some(({ name }) => name.startsWith('aux'));
    const ignored = (name: string): boolean =>
      source === 'torchvision' &&
      (name.endsWith('.num_batches_tracked') || (!hasHeads && /^aux[12]\./.test(name)));
    for (const [target, own] of paired(op, sources, given, ignored)) await move(target, own);
  } finally {
    cpu.destroy();
  }
}
