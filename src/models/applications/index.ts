/**
 * The architectures that the field is taught by, built with the layers of this package: `applications.resnet18({ classes: 10
 * })`. Each is a model as `sequential` and `model` make them, with fresh weights; `loadPretrained` puts those of a file in.
 * Numbers of parameters are the papers' or torchvision's, to the digit; `width` and `inputShape` scale a network down.
 */
export { type AlexnetOptions, alexnet } from './alexnet.ts';
export { countParameters, type ParameterCounts } from './count.ts';
export { type GooglenetOptions, googlenet } from './googlenet.ts';
export { type LenetOptions, lenet5 } from './lenet.ts';
export { type MlpOptions, mlp } from './mlp.ts';
export { type MobilenetOptions, mobilenet } from './mobilenet.ts';
export type { ApplicationOptions } from './options.ts';
export { type LoadPretrainedOptions, loadPretrained, type PretrainedWeights } from './pretrained.ts';
export { resnet18, resnet20, resnet34, resnet50, resnet56 } from './resnet.ts';
export { type TextCnnOptions, textCnn } from './text-cnn.ts';
export { vgg11, vgg16 } from './vgg.ts';
