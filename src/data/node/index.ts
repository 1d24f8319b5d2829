/** The `data` namespace in Node, with what reads folders. */
export * from '../index.ts';
export * from './mnist.ts';
