/** What the benchmark and a peer's process say to each other. */
import type { Input } from '../cases/case.ts';
import type { Job } from '../contender.ts';
import type { Measurement } from '../measure.ts';

export type Request =
  | { readonly kind: 'check'; readonly task: string; readonly inputs: readonly Input[] }
  /** Times the task that was checked last. */
  | { readonly kind: 'time'; readonly seconds: number };

export type Reply =
  | { readonly kind: 'ready'; readonly version: string; readonly adapter: string }
  /** The library is not installed, or finds no device. */
  | { readonly kind: 'missing'; readonly reason: string }
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'result'; readonly data: Float32Array }
  | { readonly kind: 'time'; readonly measurement: Measurement }
  | { readonly kind: 'failed'; readonly reason: string };

/** A peer as its module hands it out. `wait` is the process's own, the same for all. */
export interface Peer {
  readonly version: string;
  /** The task on these inputs, or undefined where the library has no such thing. */
  prepare(
    task: string,
    inputs: readonly Input[],
  ): Promise<Omit<Job, 'wait'> | undefined> | Omit<Job, 'wait'> | undefined;
  /** Submits what the library holds back; called before each wait. */
  flush?(): void;
}

/** Each peer module exports `open`. `device()` is the `GPUDevice` that the library asked for. */
export type OpenPeer = (host: { device(): GPUDevice }) => Promise<Peer>;

export const peerModules: Readonly<Record<string, string>> = {
  'gpu.js': './gpujs.mjs',
  tfjs: './tfjs.mjs',
  jax: './jaxjs.mjs',
};
