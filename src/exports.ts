/** The public face, except `init`, which differs between Node and browsers. */

export type {
  Access,
  DeviceTraits,
  HostTensor,
  Kernel,
  PipelineSpec,
  Plan,
  Slot,
  Step,
  TensorSpec,
  WgslModule,
} from '../kernels/kernel.ts';
export { floatBits, grid, pipelineSpec, wgslModule } from '../kernels/kernel.ts';
export { detectAnomaly } from './autograd/anomaly.ts';
export { type BackwardOptions, backward, type GradOptions, grad, valueAndGrad } from './autograd/backward.ts';
export * from './autograd/gradcheck.ts';
export { enableGrad, isGradEnabled, noGrad } from './autograd/modes.ts';
export {
  apply,
  applyAll,
  type BackwardContext,
  type GradientThunk,
  type Op,
  runKernel,
  runKernel1,
} from './autograd/op.ts';
export { keep, scope } from './autograd/scope.ts';
export { type NestedArray, Tensor } from './autograd/tensor.ts';
export type { DType, HostArray } from './core/dtype.ts';
export * from './core/errors.ts';
export { Generator, setSeed } from './core/generator.ts';
export type { Shape } from './core/shape.ts';
export * as data from './data/index.ts';
export { formatIdx, parseIdx } from './io/idx.ts';
export {
  formatNpy,
  parseNpy,
  type ReadNpyOptions,
  readNpy,
  type WriteNpyOptions,
  writeNpy,
} from './io/npy.ts';
export { readNpz, type WriteNpzOptions, writeNpz } from './io/npz.ts';
export {
  type ReadSafetensorsOptions,
  readSafetensors,
  type SafetensorsFile,
  type WriteSafetensorsOptions,
  writeSafetensors,
} from './io/safetensors.ts';
export {
  readSafetensorsHeader,
  type SafetensorsDType,
  type SafetensorsEntry,
  type SafetensorsHeader,
} from './io/safetensors-header.ts';
export * as metrics from './metrics/index.ts';
export * as applications from './models/applications/index.ts';
export {
  type CompareDevicesOptions,
  compareDevices,
  type DeviceComparison,
  type LayerDifference,
} from './models/compare-devices.ts';
export { type Functional, type FunctionalOptions, model } from './models/functional.ts';
export {
  type GradcheckModelOptions,
  type GradcheckModelResult,
  type GradcheckRow,
  gradcheckModel,
} from './models/gradcheck-model.ts';
export type { LayerJson, ModelJson } from './models/json.ts';
export { type CustomLayers, type ModelFromJsonOptions, modelFromJson } from './models/json-read.ts';
export { type EvaluateOptions, Model, type PredictData, type PredictOptions } from './models/model.ts';
export {
  type ReadModelOptions,
  type ReadWeightsOptions,
  readModel,
  readWeights,
  type WriteModelOptions,
  writeModel,
  writeWeights,
} from './models/save.ts';
export { type Sequential, sequential } from './models/sequential.ts';
export type { SummaryOptions } from './models/summary.ts';
export {
  type SeriesData,
  type TruncatedOptions,
  type TruncatedStep,
  truncatedSteps,
} from './models/truncated.ts';
export type { CallContext } from './nn/call-context.ts';
export * as constraints from './nn/constraints.ts';
export * as initializers from './nn/initializers/index.ts';
export { type ApplyOptions, Layer, type LayerOptions, type WeightOptions } from './nn/layer.ts';
export * as layers from './nn/layers/index.ts';
export { resetStates } from './nn/layers/recurrent/state-memory.ts';
export * as losses from './nn/losses/index.ts';
export { getMask, type OutputMasks, setMask } from './nn/mask.ts';
export { type Constraint, Parameter, type ParameterOptions } from './nn/parameter.ts';
export type { PartialShape } from './nn/partial-shape.ts';
export * as regularizers from './nn/regularizers.ts';
export { type InputOptions, input, SymbolicTensor } from './nn/symbolic.ts';
export { WeightsError } from './nn/weights.ts';
export {
  type Activation,
  type ActivationName,
  activations,
  binaryStep,
  elu,
  exponential,
  type GeluOptions,
  gelu,
  getActivation,
  hardSigmoid,
  hardSilu,
  hardSwish,
  leakyRelu,
  linear,
  mish,
  type ReluOptions,
  relu,
  relu6,
  selu,
  silu,
  softsign,
  swish,
  thresholdedRelu,
} from './ops/activations.ts';
export { glu, type MaxoutOptions, maxout, prelu } from './ops/activations-gated.ts';
export { add, div, maximum, minimum, mul, pow, sub, where } from './ops/binary.ts';
export { assign, cast, toDevice } from './ops/cast.ts';
export { type ChoiceOptions, choice, type DrawOptions, randomPermutation } from './ops/choice.ts';
export * from './ops/compare.ts';
export * from './ops/conv.ts';
export * from './ops/conv-transpose.ts';
export {
  arange,
  type CreateOptions,
  eye,
  full,
  linspace,
  ones,
  type TensorOptions,
  tensor,
  zeros,
} from './ops/create.ts';
export * from './ops/dropout.ts';
export * from './ops/indexing.ts';
export type { HostIndices, Indices } from './ops/indices.ts';
export * from './ops/labels.ts';
export * from './ops/linalg.ts';
export { type LocalResponseOptions, localResponseNormalization } from './ops/local-response.ts';
export * from './ops/math.ts';
export * from './ops/matmul.ts';
export { attachMethods } from './ops/methods.ts';
export * from './ops/norm.ts';
export * from './ops/normalization.ts';
export type { TensorLike } from './ops/operand.ts';
export * from './ops/pool.ts';
export {
  bernoulli,
  type RandomOptions,
  randomInt,
  randomNormal,
  randomUniform,
  truncatedNormal,
} from './ops/random.ts';
export * from './ops/recurrent.ts';
export {
  type ArgOptions,
  type Axes,
  all,
  any,
  argMax,
  argMin,
  max,
  mean,
  min,
  type ReduceOptions,
  std,
  sum,
  sumSquares,
  type VarianceOptions,
  variance,
} from './ops/reduce.ts';
export {
  type Interpolation,
  type Resize2dOptions,
  resize2d,
  type UpSampling2dOptions,
  type UpSamplingOptions,
  upSampling1d,
  upSampling2d,
  upSampling3d,
} from './ops/resize.ts';
export { cumprod, cumsum, prod, type ScanOptions } from './ops/scan.ts';
export { booleanMask, nonzero, type UniqueOptions, type UniqueResult, unique } from './ops/select.ts';
export {
  broadcastTo,
  expandDims,
  flatten,
  permute,
  reshape,
  squeeze,
  transpose,
} from './ops/shape.ts';
export { logSoftmax, logSumExp, softmax } from './ops/softmax.ts';
export { argsort, type SortOptions, sort, type TopkOptions, topk } from './ops/sort.ts';
export * from './ops/structure.ts';
export * from './ops/unary.ts';
export type { ConvPadding, PerAxis } from './ops/window-geometry.ts';
export { FlatParameters, type FlatParametersOptions } from './optim/flat-parameters.ts';
export * as optimizers from './optim/optimizers.ts';
export * as schedules from './optim/schedules.ts';
export { CpuDevice } from './runtime/cpu-device.ts';
export { defaultDevice, setDefaultDevice } from './runtime/default-device.ts';
export {
  Device,
  type MemoryInfo,
  type Operand,
  type Parts,
  type RunOptions,
  type Storage,
} from './runtime/device.ts';
export { GpuDevice } from './runtime/gpu/gpu-device.ts';
export type { AdapterChoice, InitOptions } from './runtime/init.ts';
export type { Observer } from './runtime/observer.ts';
export * as callbacks from './train/callbacks/index.ts';
export type { Callback, CallbackState, Run } from './train/callbacks.ts';
export type { CompileOptions, MetricLike, OptimizerName } from './train/compile.ts';
export type { FitOptions, History, StepInfo } from './train/fit.ts';
export type { ArrayData, TrainingData } from './train/fit-data.ts';
export type { LossLike, LossName } from './train/losses.ts';
export type { Port, Signature } from './train/signature.ts';
export { type RunJson, RunState } from './train/state.ts';
export type { Logs } from './train/trainer.ts';
