/** Normalisations: what users see of them. */
export { type BatchNormOptions, batchNorm } from './batch-norm.ts';
export { type GroupNormOptions, groupNorm, type InstanceNormOptions, instanceNorm } from './group-norm.ts';
export { type LayerNormOptions, layerNorm, type RmsNormOptions, rmsNorm } from './layer-norm.ts';
