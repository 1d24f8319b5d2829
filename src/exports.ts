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
export {
  formatNpy,
  parseNpy,
  type ReadNpyOptions,
  readNpy,
  type WriteNpyOptions,
  writeNpy,
} from './io/npy.ts';
export { readNpz, type WriteNpzOptions, writeNpz } from './io/npz.ts';
export { add, div, maximum, minimum, mul, pow, sub, where } from './ops/binary.ts';
export { assign, cast, toDevice } from './ops/cast.ts';
export * from './ops/compare.ts';
export * from './ops/create.ts';
export * from './ops/indexing.ts';
export * from './ops/linalg.ts';
export * from './ops/math.ts';
export * from './ops/matmul.ts';
export { attachMethods } from './ops/methods.ts';
export type { TensorLike } from './ops/operand.ts';
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
  norm1,
  norm2,
  type ReduceOptions,
  std,
  sum,
  sumSquares,
  type VarianceOptions,
  variance,
} from './ops/reduce.ts';
export { cumprod, cumsum, prod, type ScanOptions } from './ops/scan.ts';
export { booleanMask, nonzero, type UniqueOptions, type UniqueResult, unique } from './ops/select.ts';
export * from './ops/shape.ts';
export { logSoftmax, logSumExp, softmax } from './ops/softmax.ts';
export {
  argsort,
  type ChoiceOptions,
  choice,
  randomPermutation,
  type SortOptions,
  sort,
  type TopkOptions,
  topk,
} from './ops/sort.ts';
export * from './ops/structure.ts';
export * from './ops/unary.ts';
export { CpuDevice } from './runtime/cpu-device.ts';
export { defaultDevice, setDefaultDevice } from './runtime/default-device.ts';
export { Device, type MemoryInfo, type Operand, type RunOptions, type Storage } from './runtime/device.ts';
export { GpuDevice } from './runtime/gpu/gpu-device.ts';
export type { AdapterChoice, InitOptions } from './runtime/init.ts';
export type { Observer } from './runtime/observer.ts';
