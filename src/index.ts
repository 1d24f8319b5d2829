/// <reference types="@webgpu/types" preserve="true" />
/** wgrad for browsers, and for any other place with `navigator.gpu`. */
import { attachMethods } from './ops/methods.ts';

export * from './exports.ts';
export { init } from './runtime/init.ts';

attachMethods();
