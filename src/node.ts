/// <reference types="@webgpu/types" preserve="true" />
/** wgrad for Node: the same, with an `init()` that opens Dawn. */
import { attachMethods } from './ops/methods.ts';

export * from './exports.ts';
export { init } from './runtime/node/init.ts';

attachMethods();
