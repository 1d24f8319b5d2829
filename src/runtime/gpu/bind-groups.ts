/** Bind groups by layout and buffers. Uniforms come with a dynamic offset, so the key depends on buffers only. */
import type { Pipeline } from './pipelines.ts';
import type { Slice } from './pool.ts';

/** One level per binding: slice id → next level, the last level holds the bind group. */
interface Level {
  readonly next: Map<number, Level>;
  group: GPUBindGroup | null;
}

const LARGEST = 8192;

export class BindGroupCache {
  readonly #device: GPUDevice;
  readonly #uniforms: GPUBuffer;
  #roots = new Map<GPUBindGroupLayout, Level>();
  #size = 0;

  constructor(device: GPUDevice, uniforms: GPUBuffer) {
    this.#device = device;
    this.#uniforms = uniforms;
  }

  get size(): number {
    return this.#size;
  }

  get(pipeline: Pipeline, slices: readonly Slice[]): GPUBindGroup {
    let level: Level | undefined = this.#roots.get(pipeline.layout);
    if (!level) this.#roots.set(pipeline.layout, (level = { next: new Map(), group: null }));
    for (const slice of slices) {
      let next: Level | undefined = level.next.get(slice.id);
      if (!next) level.next.set(slice.id, (next = { next: new Map(), group: null }));
      level = next;
    }
    if (level.group) return level.group;
    const group = this.#device.createBindGroup({
      layout: pipeline.layout,
      entries: [
        { binding: 0, resource: { buffer: this.#uniforms, offset: 0, size: pipeline.spec.uniformBytes } },
        ...slices.map((slice, index) => ({
          binding: index + 1,
          resource: { buffer: slice.block.buffer, offset: slice.offset, size: slice.bytes },
        })),
      ],
    });
    if (this.#size >= LARGEST) this.clear();
    else level.group = group;
    this.#size++;
    return group;
  }

  /** Forgets all groups; called when buffers are destroyed, and when the cache is full. */
  clear(): void {
    this.#roots = new Map();
    this.#size = 0;
  }
}
