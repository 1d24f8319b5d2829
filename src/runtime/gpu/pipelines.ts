/** Shader modules and pipelines, each made once per device, with explicit layouts from the kernel's description. */
import type { PipelineSpec, WgslModule } from '../../../kernels/kernel.ts';
import { ShaderError } from '../../core/errors.ts';
import type { Settle } from './settle.ts';

export interface Pipeline {
  readonly spec: PipelineSpec;
  readonly layout: GPUBindGroupLayout;
  /** `null` until compiled. */
  compiled: GPUComputePipeline | null;
  readonly ready: Promise<void>;
}

export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #settle: Settle;
  readonly #onCompiled: (key: string, milliseconds: number) => void;
  readonly #modules = new Map<WgslModule, Promise<GPUShaderModule>>();
  readonly #pipelines = new Map<PipelineSpec, Pipeline>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(device: GPUDevice, settle: Settle, onCompiled: (key: string, milliseconds: number) => void) {
    this.#device = device;
    this.#settle = settle;
    this.#onCompiled = onCompiled;
  }

  get size(): number {
    return this.#pipelines.size;
  }

  get(spec: PipelineSpec): Pipeline {
    const known = this.#pipelines.get(spec);
    if (known) return known;
    const layout = this.#layout(spec);
    const entry: Pipeline = { spec, layout, compiled: null, ready: this.#compile(spec, layout) };
    entry.ready.catch(() => {}); // Reported by the flush that needs the pipeline.
    this.#pipelines.set(spec, entry);
    return entry;
  }

  async #compile(spec: PipelineSpec, layout: GPUBindGroupLayout): Promise<void> {
    const start = performance.now();
    const module = await this.#module(spec.module);
    const compiled = await this.#settle(
      this.#device.createComputePipelineAsync({
        label: spec.key,
        layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: spec.entry, constants: { ...spec.constants } },
      }),
    );
    const entry = this.#pipelines.get(spec);
    if (entry) entry.compiled = compiled;
    this.#onCompiled(spec.key, performance.now() - start);
  }

  #module(module: WgslModule): Promise<GPUShaderModule> {
    const known = this.#modules.get(module);
    if (known) return known;
    const made = compileModule(this.#device, module, this.#settle);
    this.#modules.set(module, made);
    return made;
  }

  #layout(spec: PipelineSpec): GPUBindGroupLayout {
    const key = `${spec.uniformBytes}:${spec.access.join()}`;
    const known = this.#layouts.get(key);
    if (known) return known;
    const layout = this.#device.createBindGroupLayout({
      label: key,
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: spec.uniformBytes },
        },
        ...spec.access.map((access, index) => ({
          binding: index + 1,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
        })),
      ],
    });
    this.#layouts.set(key, layout);
    return layout;
  }
}

/** Compiles a WGSL file; errors carry line, column and the source line. */
export async function compileModule(
  device: GPUDevice,
  module: WgslModule,
  settle: Settle,
): Promise<GPUShaderModule> {
  device.pushErrorScope('validation');
  const shader = device.createShaderModule({ label: module.name, code: module.source });
  const scope = device.popErrorScope();
  const info = await settle(shader.getCompilationInfo());
  await settle(scope);
  const errors = info.messages.filter((message) => message.type === 'error');
  if (errors.length > 0) {
    const lines = module.source.split('\n');
    const report = errors.map(
      (error) =>
        `${module.name}.wgsl:${error.lineNum}:${error.linePos}: ${error.message}\n` +
        `  ${lines[error.lineNum - 1] ?? ''}\n  ${' '.repeat(Math.max(0, error.linePos - 1))}^`,
    );
    throw new ShaderError(`The shader module does not compile.\n${report.join('\n')}`);
  }
  return shader;
}
