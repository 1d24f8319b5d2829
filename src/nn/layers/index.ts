/**
 * Layers by Keras 3's names: `layers.dense({ units: 64, activation: 'relu' })`. Each function makes a layer of the class with
 * the same name in capitals, which is there for `instanceof` and for subclasses.
 */

import type { LayerOptions } from '../layer.ts';
import { Activation, type ActivationOptions } from './activation.ts';
import {
  type AxisOptions,
  Elu,
  type EluOptions,
  Glu,
  LeakyRelu,
  type LeakyReluOptions,
  Maxout,
  type MaxoutLayerOptions,
  Prelu,
  type PreluOptions,
  Relu,
  type ReluLayerOptions,
  Softmax,
  ThresholdedRelu,
  type ThresholdedReluOptions,
} from './activation-layers.ts';
import { ActivityRegularization, type ActivityRegularizationOptions } from './activity-regularization.ts';
import { BatchNormalization, type BatchNormalizationOptions } from './batch-normalization.ts';
import { Conv1d, Conv2d, Conv3d, type ConvLayerOptions } from './conv.ts';
import {
  Conv1dTranspose,
  Conv2dTranspose,
  Conv3dTranspose,
  type ConvTransposeLayerOptions,
} from './conv-transpose.ts';
import { Dense, type DenseOptions } from './dense.ts';
import {
  DepthwiseConv1d,
  DepthwiseConv2d,
  type DepthwiseConvLayerOptions,
  SeparableConv1d,
  SeparableConv2d,
  type SeparableConvLayerOptions,
} from './depthwise.ts';
import { Dropout, type DropoutLayerOptions } from './dropout.ts';
import { Embedding, type EmbeddingOptions } from './embedding.ts';
import { Lambda, type LambdaFunction } from './lambda.ts';
import { Masking, type MaskingOptions } from './masking.ts';
import {
  Add,
  Average,
  Concatenate,
  type ConcatenateOptions,
  Dot,
  type DotOptions,
  Maximum,
  Minimum,
  Multiply,
  Subtract,
} from './merging.ts';
import {
  AlphaDropout,
  GaussianDropout,
  GaussianNoise,
  type GaussianNoiseLayerOptions,
  type RateOptions,
  SpatialDropout1d,
  SpatialDropout2d,
  SpatialDropout3d,
} from './noise.ts';
import {
  GroupNormalization,
  type GroupNormalizationOptions,
  InstanceNormalization,
  type InstanceNormalizationOptions,
  LayerNormalization,
  type LayerNormalizationOptions,
  LocalResponseNormalization,
  type LocalResponseNormalizationOptions,
  RmsNormalization,
  type RmsNormalizationOptions,
  UnitNormalization,
  type UnitNormalizationOptions,
} from './normalization.ts';
import {
  AdaptiveAveragePooling1d,
  AdaptiveAveragePooling2d,
  AdaptiveAveragePooling3d,
  type AdaptivePoolingOptions,
  AveragePooling1d,
  AveragePooling2d,
  AveragePooling3d,
  GlobalAveragePooling1d,
  GlobalAveragePooling2d,
  GlobalAveragePooling3d,
  GlobalMaxPooling1d,
  GlobalMaxPooling2d,
  GlobalMaxPooling3d,
  type GlobalPoolingOptions,
  MaxPooling1d,
  MaxPooling2d,
  MaxPooling3d,
  type PoolingOptions,
} from './pooling.ts';
import { Bidirectional, type BidirectionalOptions, type MergeMode } from './recurrent/bidirectional.ts';
import { Gru, type GruLayerOptions } from './recurrent/gru.ts';
import { Lstm, type LstmLayerOptions } from './recurrent/lstm.ts';
import { type GatedLayerOptions, RecurrentLayer, type RecurrentLayerOptions } from './recurrent/rnn-base.ts';
import { SimpleRnn } from './recurrent/simple-rnn.ts';
import { TimeDistributed, type TimeDistributedOptions } from './recurrent/time-distributed.ts';
import {
  Flatten,
  Permute,
  type PermuteOptions,
  RepeatVector,
  type RepeatVectorOptions,
  Reshape,
  type ReshapeOptions,
} from './reshaping.ts';
import {
  Cropping1d,
  Cropping2d,
  Cropping3d,
  type CroppingOptions,
  Resizing,
  type ResizingOptions,
  UpSampling1d,
  UpSampling2d,
  type UpSampling2dLayerOptions,
  UpSampling3d,
  type UpSamplingLayerOptions,
  ZeroPadding1d,
  ZeroPadding2d,
  ZeroPadding3d,
  type ZeroPaddingOptions,
} from './resizing.ts';

export type {
  ActivationOptions,
  ActivityRegularizationOptions,
  AdaptivePoolingOptions,
  AxisOptions,
  BatchNormalizationOptions,
  BidirectionalOptions,
  ConcatenateOptions,
  ConvLayerOptions,
  ConvTransposeLayerOptions,
  CroppingOptions,
  DenseOptions,
  DepthwiseConvLayerOptions,
  DotOptions,
  DropoutLayerOptions,
  EluOptions,
  EmbeddingOptions,
  GatedLayerOptions,
  GaussianNoiseLayerOptions,
  GlobalPoolingOptions,
  GroupNormalizationOptions,
  GruLayerOptions,
  InstanceNormalizationOptions,
  LambdaFunction,
  LayerNormalizationOptions,
  LeakyReluOptions,
  LocalResponseNormalizationOptions,
  LstmLayerOptions,
  MaskingOptions,
  MaxoutLayerOptions,
  MergeMode,
  PermuteOptions,
  PoolingOptions,
  PreluOptions,
  RateOptions,
  RecurrentLayerOptions,
  ReluLayerOptions,
  RepeatVectorOptions,
  ReshapeOptions,
  ResizingOptions,
  RmsNormalizationOptions,
  SeparableConvLayerOptions,
  ThresholdedReluOptions,
  TimeDistributedOptions,
  UnitNormalizationOptions,
  UpSampling2dLayerOptions,
  UpSamplingLayerOptions,
  ZeroPaddingOptions,
};
export {
  Activation,
  ActivityRegularization,
  AdaptiveAveragePooling1d,
  AdaptiveAveragePooling2d,
  AdaptiveAveragePooling3d,
  Add,
  AlphaDropout,
  Average,
  AveragePooling1d,
  AveragePooling2d,
  AveragePooling3d,
  BatchNormalization,
  Bidirectional,
  Concatenate,
  Conv1d,
  Conv1dTranspose,
  Conv2d,
  Conv2dTranspose,
  Conv3d,
  Conv3dTranspose,
  Cropping1d,
  Cropping2d,
  Cropping3d,
  Dense,
  DepthwiseConv1d,
  DepthwiseConv2d,
  Dot,
  Dropout,
  Elu,
  Embedding,
  Flatten,
  GaussianDropout,
  GaussianNoise,
  GlobalAveragePooling1d,
  GlobalAveragePooling2d,
  GlobalAveragePooling3d,
  GlobalMaxPooling1d,
  GlobalMaxPooling2d,
  GlobalMaxPooling3d,
  Glu,
  GroupNormalization,
  Gru,
  InstanceNormalization,
  Lambda,
  LayerNormalization,
  LeakyRelu,
  LocalResponseNormalization,
  Lstm,
  Masking,
  Maximum,
  Maxout,
  MaxPooling1d,
  MaxPooling2d,
  MaxPooling3d,
  Minimum,
  Multiply,
  Permute,
  Prelu,
  RecurrentLayer,
  Relu,
  RepeatVector,
  Reshape,
  Resizing,
  RmsNormalization,
  SeparableConv1d,
  SeparableConv2d,
  SimpleRnn,
  Softmax,
  SpatialDropout1d,
  SpatialDropout2d,
  SpatialDropout3d,
  Subtract,
  ThresholdedRelu,
  TimeDistributed,
  UnitNormalization,
  UpSampling1d,
  UpSampling2d,
  UpSampling3d,
  ZeroPadding1d,
  ZeroPadding2d,
  ZeroPadding3d,
};

export const activation = (options: ActivationOptions): Activation => new Activation(options);
export const activityRegularization = (options?: ActivityRegularizationOptions): ActivityRegularization =>
  new ActivityRegularization(options);
export const adaptiveAveragePooling1d = (options: AdaptivePoolingOptions): AdaptiveAveragePooling1d =>
  new AdaptiveAveragePooling1d(options);
export const adaptiveAveragePooling2d = (options: AdaptivePoolingOptions): AdaptiveAveragePooling2d =>
  new AdaptiveAveragePooling2d(options);
export const adaptiveAveragePooling3d = (options: AdaptivePoolingOptions): AdaptiveAveragePooling3d =>
  new AdaptiveAveragePooling3d(options);
export const add = (options?: LayerOptions): Add => new Add(options);
export const alphaDropout = (options: DropoutLayerOptions): AlphaDropout => new AlphaDropout(options);
export const average = (options?: LayerOptions): Average => new Average(options);
export const averagePooling1d = (options?: PoolingOptions): AveragePooling1d => new AveragePooling1d(options);
export const averagePooling2d = (options?: PoolingOptions): AveragePooling2d => new AveragePooling2d(options);
export const averagePooling3d = (options?: PoolingOptions): AveragePooling3d => new AveragePooling3d(options);
export const batchNormalization = (options?: BatchNormalizationOptions): BatchNormalization =>
  new BatchNormalization(options);
export const bidirectional = (options: BidirectionalOptions): Bidirectional => new Bidirectional(options);
export const concatenate = (options?: ConcatenateOptions): Concatenate => new Concatenate(options);
export const conv1d = (options: ConvLayerOptions): Conv1d => new Conv1d(options);
export const conv1dTranspose = (options: ConvTransposeLayerOptions): Conv1dTranspose =>
  new Conv1dTranspose(options);
export const conv2d = (options: ConvLayerOptions): Conv2d => new Conv2d(options);
export const conv2dTranspose = (options: ConvTransposeLayerOptions): Conv2dTranspose =>
  new Conv2dTranspose(options);
export const conv3d = (options: ConvLayerOptions): Conv3d => new Conv3d(options);
export const conv3dTranspose = (options: ConvTransposeLayerOptions): Conv3dTranspose =>
  new Conv3dTranspose(options);
export const cropping1d = (options?: CroppingOptions): Cropping1d => new Cropping1d(options);
export const cropping2d = (options?: CroppingOptions): Cropping2d => new Cropping2d(options);
export const cropping3d = (options?: CroppingOptions): Cropping3d => new Cropping3d(options);
export const dense = (options: DenseOptions): Dense => new Dense(options);
export const depthwiseConv1d = (options: DepthwiseConvLayerOptions): DepthwiseConv1d =>
  new DepthwiseConv1d(options);
export const depthwiseConv2d = (options: DepthwiseConvLayerOptions): DepthwiseConv2d =>
  new DepthwiseConv2d(options);
export const dot = (options: DotOptions): Dot => new Dot(options);
export const dropout = (options: DropoutLayerOptions): Dropout => new Dropout(options);
export const elu = (options?: EluOptions): Elu => new Elu(options);
export const embedding = (options: EmbeddingOptions): Embedding => new Embedding(options);
export const flatten = (options?: LayerOptions): Flatten => new Flatten(options);
export const gaussianDropout = (options: RateOptions): GaussianDropout => new GaussianDropout(options);
export const gaussianNoise = (options: GaussianNoiseLayerOptions): GaussianNoise =>
  new GaussianNoise(options);
export const globalAveragePooling1d = (options?: GlobalPoolingOptions): GlobalAveragePooling1d =>
  new GlobalAveragePooling1d(options);
export const globalAveragePooling2d = (options?: GlobalPoolingOptions): GlobalAveragePooling2d =>
  new GlobalAveragePooling2d(options);
export const globalAveragePooling3d = (options?: GlobalPoolingOptions): GlobalAveragePooling3d =>
  new GlobalAveragePooling3d(options);
export const globalMaxPooling1d = (options?: GlobalPoolingOptions): GlobalMaxPooling1d =>
  new GlobalMaxPooling1d(options);
export const globalMaxPooling2d = (options?: GlobalPoolingOptions): GlobalMaxPooling2d =>
  new GlobalMaxPooling2d(options);
export const globalMaxPooling3d = (options?: GlobalPoolingOptions): GlobalMaxPooling3d =>
  new GlobalMaxPooling3d(options);
export const glu = (options?: AxisOptions): Glu => new Glu(options);
export const groupNormalization = (options?: GroupNormalizationOptions): GroupNormalization =>
  new GroupNormalization(options);
export const gru = (options: GruLayerOptions): Gru => new Gru(options);
export const instanceNormalization = (options?: InstanceNormalizationOptions): InstanceNormalization =>
  new InstanceNormalization(options);
export const lambda = (body: LambdaFunction, options?: LayerOptions): Lambda => new Lambda(body, options);
export const layerNormalization = (options?: LayerNormalizationOptions): LayerNormalization =>
  new LayerNormalization(options);
export const leakyRelu = (options?: LeakyReluOptions): LeakyRelu => new LeakyRelu(options);
export const localResponseNormalization = (
  options?: LocalResponseNormalizationOptions,
): LocalResponseNormalization => new LocalResponseNormalization(options);
export const lstm = (options: LstmLayerOptions): Lstm => new Lstm(options);
export const masking = (options?: MaskingOptions): Masking => new Masking(options);
export const maxPooling1d = (options?: PoolingOptions): MaxPooling1d => new MaxPooling1d(options);
export const maxPooling2d = (options?: PoolingOptions): MaxPooling2d => new MaxPooling2d(options);
export const maxPooling3d = (options?: PoolingOptions): MaxPooling3d => new MaxPooling3d(options);
export const maximum = (options?: LayerOptions): Maximum => new Maximum(options);
export const maxout = (options: MaxoutLayerOptions): Maxout => new Maxout(options);
export const minimum = (options?: LayerOptions): Minimum => new Minimum(options);
export const multiply = (options?: LayerOptions): Multiply => new Multiply(options);
export const permute = (options: PermuteOptions): Permute => new Permute(options);
export const prelu = (options?: PreluOptions): Prelu => new Prelu(options);
export const relu = (options?: ReluLayerOptions): Relu => new Relu(options);
export const repeatVector = (options: RepeatVectorOptions): RepeatVector => new RepeatVector(options);
export const reshape = (options: ReshapeOptions): Reshape => new Reshape(options);
export const resizing = (options: ResizingOptions): Resizing => new Resizing(options);
export const rmsNormalization = (options?: RmsNormalizationOptions): RmsNormalization =>
  new RmsNormalization(options);
export const separableConv1d = (options: SeparableConvLayerOptions): SeparableConv1d =>
  new SeparableConv1d(options);
export const separableConv2d = (options: SeparableConvLayerOptions): SeparableConv2d =>
  new SeparableConv2d(options);
export const simpleRnn = (options: RecurrentLayerOptions): SimpleRnn => new SimpleRnn(options);
export const softmax = (options?: AxisOptions): Softmax => new Softmax(options);
export const spatialDropout1d = (options: RateOptions): SpatialDropout1d => new SpatialDropout1d(options);
export const spatialDropout2d = (options: RateOptions): SpatialDropout2d => new SpatialDropout2d(options);
export const spatialDropout3d = (options: RateOptions): SpatialDropout3d => new SpatialDropout3d(options);
export const subtract = (options?: LayerOptions): Subtract => new Subtract(options);
export const thresholdedRelu = (options?: ThresholdedReluOptions): ThresholdedRelu =>
  new ThresholdedRelu(options);
export const timeDistributed = (options: TimeDistributedOptions): TimeDistributed =>
  new TimeDistributed(options);
export const unitNormalization = (options?: UnitNormalizationOptions): UnitNormalization =>
  new UnitNormalization(options);
export const upSampling1d = (options?: UpSamplingLayerOptions): UpSampling1d => new UpSampling1d(options);
export const upSampling2d = (options?: UpSampling2dLayerOptions): UpSampling2d => new UpSampling2d(options);
export const upSampling3d = (options?: UpSamplingLayerOptions): UpSampling3d => new UpSampling3d(options);
export const zeroPadding1d = (options?: ZeroPaddingOptions): ZeroPadding1d => new ZeroPadding1d(options);
export const zeroPadding2d = (options?: ZeroPaddingOptions): ZeroPadding2d => new ZeroPadding2d(options);
export const zeroPadding3d = (options?: ZeroPaddingOptions): ZeroPadding3d => new ZeroPadding3d(options);
