/// <reference types="@webgpu/types" preserve="true" />
/** wgrad for Node: the same, with an `init()` that opens Dawn. */
import { attachMethods } from './ops/methods.ts';

export * as data from './data/node/index.ts';
export * from './exports.ts';
export { writeFileAtomic } from './io/atomic-file.ts';
export { loadSafetensors, saveSafetensors } from './io/safetensors-file.ts';
export { loadModel, loadWeights, saveModel, saveWeights } from './models/node/files.ts';
export { init } from './runtime/node/init.ts';
export { type LoadCheckpointOptions, loadCheckpoint } from './train/node/checkpoint-file.ts';
export * as callbacks from './train/node/index.ts';

attachMethods();
