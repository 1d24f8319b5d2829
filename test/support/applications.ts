/** What scripts/oracles/applications.py gives networks for weights, and the names that it has for them. */
import type { Shape } from '../../src/core/shape.ts';
import { sizeOf } from '../../src/core/shape.ts';
import type { Device, Functional, Model, Sequential } from '../../src/node.ts';
import { applications, type Tensor, tensor } from '../../src/node.ts';

/** The sum of the characters, each times a power of 31, in 32 bits. */
export function textHash(text: string): number {
  let hash = 0;
  for (const character of text) hash = (Math.imul(hash, 31) + (character.codePointAt(0) as number)) >>> 0;
  return hash;
}

/** Numbers in [−1, 1) that only name and place decide: the script's u(name, i). */
export function noise(name: string, count: number): Float64Array {
  const start = textHash(name);
  return Float64Array.from({ length: count }, (_, index) => {
    let x = (Math.imul(index, 2654435761) + start) >>> 0;
    for (let round = 0; round < 2; round++) x = Math.imul(x ^ (x >>> 16), 0x45d9f3b) >>> 0;
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

export interface Case {
  readonly make: () => Functional | Sequential;
  readonly source: 'torchvision' | 'keras';
  readonly inputShape: readonly number[];
}

const small = { classes: 10, classifierActivation: null } as const;

const image = (
  make: (options: applications.ApplicationOptions) => Functional | Sequential,
  side: number,
  width: number,
  source: Case['source'] = 'torchvision',
  channels = 3,
): Case => {
  const inputShape = [side, side, channels];
  return { make: () => make({ ...small, inputShape, width }), source, inputShape };
};

/** As in the script's table of the same name. */
export const CASES: Readonly<Record<string, Case>> = {
  lenet5: image(applications.lenet5, 28, 1, 'keras', 1),
  lenet5Classic: image((o) => applications.lenet5({ ...o, variant: 'classic' }), 28, 1, 'keras', 1),
  mlp: {
    make: () => applications.mlp({ ...small, inputShape: [20], units: [32, 16], width: 0.5 }),
    source: 'keras',
    inputShape: [20],
  },
  textCnn: {
    make: () =>
      applications.textCnn({ classifierActivation: null, vocabulary: 50, embeddingSize: 12, width: 0.1 }),
    source: 'keras',
    inputShape: [20],
  },
  alexnet: image(applications.alexnet, 127, 0.125),
  alexnetOriginal: image((o) => applications.alexnet({ ...o, variant: 'original' }), 131, 0.125, 'keras'),
  vgg11: image(applications.vgg11, 64, 0.125),
  vgg16: image(applications.vgg16, 64, 0.125),
  resnet18: image(applications.resnet18, 64, 0.125),
  resnet34: image(applications.resnet34, 64, 0.125),
  resnet50: image(applications.resnet50, 64, 0.125),
  resnet20: image(applications.resnet20, 16, 0.5),
  resnet56: image(applications.resnet56, 16, 0.5),
  googlenet: image((o) => applications.googlenet({ ...o, auxiliary: true }), 80, 0.125),
  mobilenet: {
    make: () => applications.mobilenet({ ...small, inputShape: [64, 64, 3], alpha: 0.25 }),
    source: 'keras',
    inputShape: [64, 64, 3],
  },
};

/** Where torchvision's lists have layers with weights; `print(vgg11())` shows them. */
const FEATURES: Readonly<Record<string, readonly number[]>> = {
  alexnet: [0, 3, 6, 8, 10],
  vgg11: [0, 3, 6, 8, 11, 13, 16, 18],
  vgg16: [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
};
const CLASSIFIERS: Readonly<Record<string, readonly number[]>> = {
  alexnet: [1, 4, 6],
  vgg11: [0, 3, 6],
  vgg16: [0, 3, 6],
};

function torchLayer(model: Model, layer: string): string {
  const features = FEATURES[model.name];
  if (!features) return layer.replaceAll('_', '.');
  const weighted = (model as Functional).layers.filter(({ weights }) => weights.length > 0);
  const place = weighted.findIndex(({ name }) => name === layer);
  if (place < features.length) return `features.${features[place]}`;
  return `classifier.${CLASSIFIERS[model.name]?.[place - features.length]}`;
}

const TORCH: Readonly<Record<string, string>> = {
  kernel: 'weight',
  gamma: 'weight',
  bias: 'bias',
  beta: 'bias',
  movingMean: 'running_mean',
  movingVariance: 'running_var',
};

const KERAS: Readonly<Record<string, string>> = {
  movingMean: 'moving_mean',
  movingVariance: 'moving_variance',
};

export interface Foreign {
  readonly path: string;
  readonly name: string;
  readonly shape: Shape;
}

/** A model's weights by the names and shapes of torchvision or Keras. */
export const foreignWeights = (model: Model, source: Case['source']): Foreign[] =>
  model.namedWeights().map(([path, { shape }]) => {
    const [layer, weight] = path.split('.') as [string, string];
    if (source === 'keras') return { path, name: `${layer}.${KERAS[weight] ?? weight}`, shape };
    const [a, b, c, d] = shape as [number, number, number, number];
    const turned = shape.length === 4 ? [d, c, a, b] : shape.length === 2 ? [b, a] : shape;
    return { path, name: `${torchLayer(model, layer)}.${TORCH[weight]}`, shape: turned };
  });

/** How the script changes u, by our name of the weight. */
function changed({ path, shape }: Foreign, source: Case['source']): (u: number) => number {
  const weight = path.split('.').at(-1);
  if (weight === 'gamma') return (u) => 1 + u / 5;
  if (weight === 'movingVariance') return (u) => 1 + u / 2;
  if (weight === 'embeddings') return (u) => u;
  if (weight !== 'kernel') return (u) => 0.1 * u;
  const isDepthwise = path.startsWith('conv_dw');
  const fanIn = sizeOf(source === 'torchvision' ? shape.slice(1) : shape.slice(0, isDepthwise ? -2 : -1));
  return (u) => u * Math.sqrt(6 / fanIn);
}

/** The script's weights for a model, as tensors by foreign names. */
export const scriptWeights = (model: Model, source: Case['source'], device: Device): Record<string, Tensor> =>
  Object.fromEntries(
    foreignWeights(model, source).map((weight) => {
      const data = noise(weight.name, sizeOf(weight.shape)).map(changed(weight, source));
      return [weight.name, tensor(data, { shape: weight.shape, device, dtype: 'float' })];
    }),
  );

/** The script's checksum of names and shapes. */
export const namesHash = (model: Model, source: Case['source']): number =>
  textHash(
    foreignWeights(model, source)
      .map(({ name, shape }) => `${name} ${shape.join(',')}`)
      .sort()
      .join('\n'),
  );
