/// <reference types="@webgpu/types" preserve="true" />
/** wgrad for Node: the same, with an `init()` that opens Dawn. */
import { attachMethods } from './ops/methods.ts';

export * as data from './data/node/index.ts';
export * from './exports.ts';
export { writeFileAtomic } from './io/atomic-file.ts';
export { loadSafetensors, saveSafetensors } from './io/safetensors-file.ts';
export { init } from './runtime/node/init.ts';

attachMethods();
