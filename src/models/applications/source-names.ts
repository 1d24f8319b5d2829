/** What torchvision and Keras call the weights of a model, and in which layout they have them. */
import type { Tensor } from '../../autograd/tensor.ts';
import { ArgumentError } from '../../core/errors.ts';
import { unknownName } from '../../core/nearest.ts';
import type { Shape } from '../../core/shape.ts';
import type { Layer } from '../../nn/layer.ts';
import { BatchNormalization, Conv2d, Dense, Dropout, Flatten, MaxPooling2d } from '../../nn/layers/index.ts';
import type { Parameter } from '../../nn/parameter.ts';
import { permute, reshape } from '../../ops/shape.ts';
import { Functional } from '../functional.ts';
import type { Sequential } from '../sequential.ts';

/** Where a weight comes from. */
export interface WeightSource {
  /** As the source calls it. */
  readonly name: string;
  /** As the model calls it. */
  readonly path: string;
  /** As the source has it. */
  readonly shape: Shape;
  /** From the source's layout to ours. */
  convert(x: Tensor): Tensor;
  /** Several where a dense kernel lies in parts, side by side along the last axis. */
  readonly parameters: readonly Parameter[];
  /** Whether the model is to keep its own. */
  readonly skipped: boolean;
}

type Named = Functional | Sequential;

/** A weight of a layer, whole. */
interface Whole {
  readonly layer: Layer;
  readonly name: string;
  readonly shape: Shape;
  readonly parameters: readonly Parameter[];
}

/** The weights of each layer, with the parts of dense kernels together. */
function wholeWeights(layer: Layer): Whole[] {
  const groups = new Map<string, Parameter[]>();
  for (const [own, parameter] of layer.namedWeights()) {
    const name = layer instanceof Dense ? own.replace(/^kernel_\d+$/, 'kernel') : own;
    groups.set(name, [...(groups.get(name) ?? []), parameter]);
  }
  return [...groups].map(([name, parameters]) => {
    const [first] = parameters as [Parameter];
    const last = parameters.reduce((sum, { shape }) => sum + (shape.at(-1) as number), 0);
    return { layer, name, parameters, shape: [...first.shape.slice(0, -1), last] };
  });
}

/** PyTorch's names of what a layer holds. */
const TORCH_WEIGHTS: Readonly<Record<string, string>> = {
  kernel: 'weight',
  gamma: 'weight',
  bias: 'bias',
  beta: 'bias',
  movingMean: 'running_mean',
  movingVariance: 'running_var',
};

const TORCH_LAYERS = [Conv2d, Dense, BatchNormalization];

/**
 * torchvision's names of layers. Networks with batch normalisation have ours, with dots for `_`. AlexNet and VGG are two
 * lists, `features` and `classifier`, whose places relu, pooling and dropout take as well; `avgpool` stands between them.
 */
function torchLayers({ layers }: Named): Map<Layer, string> {
  const names = new Map<Layer, string>();
  if (layers.some((layer) => layer instanceof BatchNormalization)) {
    const known = layers.filter((layer) => TORCH_LAYERS.some((type) => layer instanceof type));
    for (const layer of known) names.set(layer, layer.name.replaceAll('_', '.'));
    return names;
  }
  let list = 'features';
  let place = 0;
  for (const layer of layers) {
    if (layer instanceof Flatten) {
      list = 'classifier';
      place = 0;
    } else if (layer instanceof Conv2d || layer instanceof Dense) {
      names.set(layer, `${list}.${place}`);
      place += 2;
    } else if (layer instanceof MaxPooling2d || layer instanceof Dropout) place++;
  }
  return names;
}

/** How many channels a dense layer's flattened input had; null where it was not flattened. */
function flattenedChannels(model: Named, layer: Layer): number | null {
  if (!(model instanceof Functional)) return null;
  let from = model.graph.nodes.find((node) => node.layer === layer)?.inputs[0];
  while (from?.node?.layer instanceof Dropout) from = from.node.inputs[0];
  if (!(from?.node?.layer instanceof Flatten)) return null;
  return from.node.inputs[0]?.shape.at(-1) ?? null;
}

interface Layout {
  readonly shape: Shape;
  convert(x: Tensor): Tensor;
}

/** PyTorch's layout of a weight. */
function torchLayout(model: Named, { layer, name, shape }: Whole): Layout {
  if (name === 'kernel' && layer instanceof Conv2d) {
    const [height, width, inputs, outputs] = shape as [number, number, number, number];
    return { shape: [outputs, inputs, height, width], convert: (x) => permute(x, [2, 3, 1, 0]) };
  }
  if (name === 'kernel' && layer instanceof Dense) {
    const [inputs, outputs] = shape as [number, number];
    const channels = flattenedChannels(model, layer) ?? inputs;
    const maps = [outputs, channels, inputs / channels];
    return {
      shape: [outputs, inputs],
      convert: (x) => reshape(permute(reshape(x, maps), [2, 1, 0]), [inputs, outputs]),
    };
  }
  return { shape, convert: (x) => x };
}

const KERAS_WEIGHTS: Readonly<Record<string, string>> = {
  movingMean: 'moving_mean',
  movingVariance: 'moving_variance',
};

/** `scope/conv1/depthwise_kernel:0` → `conv1.kernel` */
export function kerasName(name: string): string {
  const parts = name.replace(/:0$/, '').split(/[/.]/);
  return parts
    .slice(-2)
    .join('.')
    .replace(/\.depthwise_kernel$/, '.kernel');
}

/** Where all weights of a model come from. */
export function sourcesFor(
  op: string,
  model: Named,
  source: 'torchvision' | 'keras',
  skip: readonly string[],
): WeightSource[] {
  const known = model.layers.map(({ name }) => name);
  for (const name of skip) if (!known.includes(name)) throw unknownName(op, 'layer', name, known);
  const names = source === 'torchvision' ? torchLayers(model) : null;
  return model.layers.flatMap((layer) =>
    wholeWeights(layer).map((whole) => {
      const path = `${layer.name}.${whole.name}`;
      const common = { path, parameters: whole.parameters, skipped: skip.includes(layer.name) };
      if (!names) {
        const name = `${layer.name}.${KERAS_WEIGHTS[whole.name] ?? whole.name}`;
        return { ...common, name, shape: whole.shape, convert: (x: Tensor) => x };
      }
      const from = names.get(layer);
      const weight = TORCH_WEIGHTS[whole.name];
      if (from === undefined || weight === undefined)
        throw new ArgumentError(
          `${op}: torchvision has no weights for '${path}' of '${model.name}'; pass a ResNet, GoogLeNet, AlexNet or VGG, ` +
            `or use source 'keras'.`,
        );
      return { ...common, ...torchLayout(model, whole), name: `${from}.${weight}` };
    }),
  );
}
