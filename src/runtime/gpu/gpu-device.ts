/** The device that runs WGSL. */
import type { DeviceTraits, Kernel, Slot } from '../../../kernels/kernel.ts';
import { byteLength, type DType, type HostArray, hostArray, isFloat, viewBytes } from '../../core/dtype.ts';
import {
  AnomalyError,
  ArgumentError,
  DeviceLostError,
  GpuError,
  type WgradError,
} from '../../core/errors.ts';
import { formatShape, sizeOf } from '../../core/shape.ts';
import { userFrame } from '../../core/stack.ts';
import {
  checkInto,
  Device,
  type MemoryInfo,
  type Operand,
  type Parts,
  placeParts,
  type RunOptions,
  type Storage,
} from '../device.ts';
import { BindGroupCache } from './bind-groups.ts';
import { ERROR_RECORD_BYTES, ErrorRecord } from './error-record.ts';
import { GpuMemory, type GpuStorage } from './memory.ts';
import { PipelineCache } from './pipelines.ts';
import type { Slice } from './pool.ts';
import { Readback, type ReadRecord } from './readback.ts';
import { Recorder, type Run, UNIFORM_RING_BYTES } from './recorder.ts';
import type { Settle } from './settle.ts';

export interface GpuDeviceOptions {
  readonly description: string;
  readonly traits: DeviceTraits;
  readonly settle: Settle;
  /** Submit each op alone under an error scope, with the caller's place in the error. */
  readonly debug: boolean;
}

const UNIFORM_USAGE = 0x40 | 0x08; // UNIFORM | COPY_DST

/** A slot is a letter that names the list, and one digit (in0, out0, tmp0), or the error record (err). */
const LETTER_I = 105;
const LETTER_T = 116;
const LETTER_E = 101;
const DIGIT_0 = 48;

function checkVariant<Attrs>(
  op: string,
  kernel: Kernel<Attrs>,
  variant: string,
  inputs: readonly Operand[],
  attrs: Attrs,
  traits: DeviceTraits,
): void {
  const known = kernel.variants.includes(variant);
  if (known && (kernel.supports?.(variant, inputs, attrs, traits) ?? true)) return;
  throw new ArgumentError(
    `${op}: variant '${variant}' of ${kernel.name} ${known ? 'cannot run these shapes on this device' : 'does not exist'}; ` +
      `there are ${kernel.variants.join(', ')}.`,
  );
}

/** The outcome of `work`, unless something was found first. */
async function unlessFound<T>(findings: Promise<WgradError | null> | null, work: Promise<T>): Promise<T> {
  if (!findings) return work;
  work.catch(() => {}); // Heard below, where no finding comes first.
  const error = await findings;
  if (error) throw error;
  return work;
}

export class GpuDevice extends Device {
  readonly kind = 'gpu';
  readonly float = 'float32';
  readonly description: string;
  readonly traits: DeviceTraits;
  /** The WebGPU device underneath. */
  readonly gpu: GPUDevice;
  readonly #options: GpuDeviceOptions;
  readonly #settle: Settle;
  readonly #memory: GpuMemory;
  readonly #pipelines: PipelineCache;
  readonly #bindGroups: BindGroupCache;
  readonly #recorder: Recorder;
  readonly #uniforms: GPUBuffer;
  readonly #errors: ErrorRecord;
  readonly #readback: Readback;
  #flushScheduled = false;
  /** Set once the device is lost, destroyed or broken by a GPU error; every later call throws it. */
  #lost: WgradError | null = null;
  /** What the looks since the last read will find, the first finding of all; null while there are none. */
  #findings: Promise<WgradError | null> | null = null;

  constructor(gpu: GPUDevice, options: GpuDeviceOptions) {
    super();
    this.gpu = gpu;
    this.description = options.description;
    this.traits = options.traits;
    this.#options = options;
    this.#settle = options.settle;
    this.#memory = new GpuMemory(this, gpu);
    this.#uniforms = gpu.createBuffer({
      label: 'uniform ring',
      size: UNIFORM_RING_BYTES,
      usage: UNIFORM_USAGE,
    });
    this.#errors = new ErrorRecord(
      this.#memory.reserve(ERROR_RECORD_BYTES),
      this.#memory.reserve(ERROR_RECORD_BYTES),
    );
    this.#bindGroups = new BindGroupCache(gpu, this.#uniforms);
    this.#pipelines = new PipelineCache(gpu, this.#settle, (key, milliseconds) => {
      for (const observer of this.observers ?? []) observer.pipeline?.({ key, milliseconds });
    });
    this.#readback = new Readback(gpu, this.#settle);
    this.#recorder = new Recorder({
      device: gpu,
      uniforms: this.#uniforms,
      uniformAlignment: Math.max(256, gpu.limits.minUniformBufferOffsetAlignment),
      bindGroups: this.#bindGroups,
      readback: this.#readback,
      submitted: (dispatches, copies) => {
        for (const observer of this.observers ?? []) observer.submit?.({ dispatches, copies });
      },
    });
    gpu.onuncapturederror = (event) => {
      event.preventDefault();
      this.#break(event.error.message);
    };
    void gpu.lost.then((info) => {
      gpu.onuncapturederror = null; // Dawn's binding holds on to the handler, and so to this device, for good.
      this.#lose(
        new DeviceLostError(
          `The GPU device was lost (${info.reason}): ${info.message} Call init() for a new one.`,
        ),
      );
    });
  }

  get maxBytes(): number {
    return this.#memory.limit;
  }

  allocate(op: string, dtype: DType, count: number): Storage {
    this.#check(op);
    return this.#memory.adopt(dtype, count, this.#memory.take(op, byteLength(dtype, count)));
  }

  allocateParts(op: string, dtype: DType, counts: readonly number[]): Parts {
    const { starts, total } = placeParts(dtype, counts);
    const whole = this.upload(op, dtype, hostArray(dtype, total)) as GpuStorage;
    const parts = counts.map((count, index) =>
      this.#memory.part(whole, count, byteLength(dtype, starts[index] as number)),
    );
    return { whole, parts };
  }

  upload(op: string, dtype: DType, data: HostArray): Storage {
    this.#check(op);
    const slice = this.#memory.take(op, byteLength(dtype, data.length));
    const storage = this.#memory.adopt(dtype, data.length, slice);
    if (slice) this.#writeSlice(slice, data);
    return storage;
  }

  write(storage: Storage, data: HostArray): void {
    this.#check('write');
    const { slice } = storage as GpuStorage;
    if (slice) this.#writeSlice(slice, data);
    storage.version++;
  }

  copy(source: Storage, target: Storage): void {
    this.#check('copy');
    const from = (source as GpuStorage).slice;
    const to = (target as GpuStorage).slice;
    target.version++;
    if (!from || !to || from === to) return;
    this.#recorder.push({ kind: 'copy', source: from, target: to, bytes: source.bytes });
  }

  run<Attrs>(
    op: string,
    kernel: Kernel<Attrs>,
    inputs: readonly Operand[],
    attrs: Attrs,
    options?: RunOptions,
  ): Operand[] {
    this.#check(op);
    const specs = kernel.infer(op, inputs, attrs);
    const into = checkInto(op, kernel, specs, inputs, options?.into);
    const outputs: Operand[] = into ? [...into] : [];
    try {
      let empty = true;
      for (const { shape, dtype } of specs) {
        const count = sizeOf(shape);
        if (count > 0) empty = false;
        if (!into) outputs.push({ shape, dtype, storage: this.allocate(op, dtype, count) });
      }
      if (!empty) this.#record(op, kernel, inputs, outputs, attrs, options?.variant);
    } catch (error) {
      if (!into) for (const { storage } of outputs) storage.release();
      throw error;
    }
    for (const { storage } of into ?? []) storage.version++;
    if (this.observers) {
      for (const observer of this.observers)
        observer.dispatch?.({ op, kernel: kernel.name, inputs, outputs });
    }
    if (this.#options.debug) this.#examine(op, outputs);
    return outputs;
  }

  read(storage: Storage): Promise<HostArray> {
    this.#check('read');
    const { slice } = storage as GpuStorage;
    const { dtype, count } = storage;
    if (!slice) return this.idle().then(() => viewBytes(dtype, new ArrayBuffer(0), 0, 0));
    const findings = this.#takeFindings();
    const bytes = this.#readSlice(slice);
    return unlessFound(findings, bytes).then((read) => viewBytes(dtype, read, 0, count));
  }

  #readSlice(source: Slice): Promise<ArrayBuffer> {
    return new Promise((resolve, reject) => {
      const record: ReadRecord = { kind: 'read', source, resolve, reject };
      this.#readback.add(record);
      this.#recorder.push(record);
      this.#scheduleFlush();
    });
  }

  /** Has `judge` look at memory as it is at this point of the program; the next read or `idle()` rejects with its finding. */
  #look(source: Slice, judge: (bytes: ArrayBuffer) => WgradError | null): void {
    const earlier = this.#findings;
    const own = this.#readSlice(source).then(judge, () => null); // What cannot be read is told to its readers.
    this.#findings = earlier ? earlier.then((error) => error ?? own) : own;
  }

  /** Looks at the error record, if a kernel may have written to it, and sets it back. */
  #lookAtErrors(place?: string): void {
    const errors = this.#errors;
    if (!errors.armed) return;
    errors.armed = false;
    this.#look(errors.slice, (bytes) => errors.parse(bytes, place));
    this.#recorder.push({
      kind: 'copy',
      source: errors.zeros,
      target: errors.slice,
      bytes: ERROR_RECORD_BYTES,
    });
  }

  /** What was found up to this point of the program, for the one reader that is told. */
  #takeFindings(): Promise<WgradError | null> | null {
    this.#lookAtErrors();
    const findings = this.#findings;
    this.#findings = null;
    return findings;
  }

  async idle(): Promise<void> {
    this.#check('idle');
    await unlessFound(this.#takeFindings(), this.#finish());
  }

  async #finish(): Promise<void> {
    await this.#recorder.drained();
    if (!this.#lost) await this.#settle(this.gpu.queue.onSubmittedWorkDone());
    if (this.#lost) throw this.#lost;
  }

  /** Submits what was recorded without waiting for it. */
  flush(): void {
    this.#recorder.flush();
  }

  memory(): MemoryInfo {
    const { counts } = this.#memory;
    return {
      ...counts,
      bufferBytes: counts.bufferBytes + this.#readback.bytes,
      pipelines: this.#pipelines.size,
      bindGroups: this.#bindGroups.size,
    };
  }

  /** Gives pooled buffers that nothing uses back to the driver, also where it rejects with what `idle()` would tell. */
  async trim(): Promise<void> {
    this.#check('trim');
    const findings = this.#takeFindings();
    await this.#finish();
    while (!this.#recorder.empty) await this.#recorder.drained(); // Others may have recorded meanwhile.
    this.#bindGroups.clear();
    this.#memory.trim();
    const error = await findings;
    if (error) throw error;
  }

  destroy(): void {
    this.#lose(new DeviceLostError('The GPU device was destroyed; call init() for a new one.'));
    this.gpu.destroy();
  }

  #record<Attrs>(
    op: string,
    kernel: Kernel<Attrs>,
    inputs: readonly Operand[],
    outputs: readonly Operand[],
    attrs: Attrs,
    variant: string | undefined,
  ): void {
    if (variant !== undefined) checkVariant(op, kernel, variant, inputs, attrs, this.traits);
    const plan = kernel.plan(inputs, outputs, attrs, this.traits, variant);
    const scratch: Slice[] = [];
    try {
      for (const bytes of plan.scratch ?? []) scratch.push(this.#memory.take(op, bytes) as Slice);
      const find = (slot: Slot): Slice => {
        const kind = slot.charCodeAt(0);
        const index = slot.charCodeAt(kind === LETTER_I ? 2 : 3) - DIGIT_0;
        if (kind === LETTER_T) return scratch[index] as Slice;
        if (kind === LETTER_E) return this.#errors.slice;
        const list = kind === LETTER_I ? inputs : outputs;
        return ((list[index] as Operand).storage as GpuStorage).slice ?? this.#nothing();
      };
      const run: Run = { updates: kernel.updates ? outputs.map((_, index) => find(`out${index}`)) : [] };
      for (const step of plan.steps) {
        if (step.errorWord !== undefined) {
          step.uniforms[step.errorWord] = this.#errors.numberOf(op, step.errorRange);
          this.#errors.armed = true;
        }
        this.#recorder.push({
          kind: 'dispatch',
          run,
          pipeline: this.#pipelines.get(step.pipeline),
          slices: step.buffers.map(find),
          uniforms: step.uniforms,
          workgroups: step.workgroups,
        });
      }
    } finally {
      for (const slice of scratch) this.#memory.release(slice);
    }
  }

  #empty: Slice | null = null;

  /** Bound in place of an empty input, which a kernel never reads. */
  #nothing(): Slice {
    this.#empty ??= this.#memory.reserve(64);
    return this.#empty;
  }

  #writeSlice(slice: Slice, data: HostArray): void {
    let bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    if (bytes.length % 4 !== 0) {
      const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4));
      padded.set(bytes);
      bytes = padded;
    }
    this.#recorder.write(slice, bytes);
  }

  /** Reads of the same tick share one flush, one staging buffer and one map. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      if (!this.#lost) this.#recorder.flush();
    });
  }

  /** Debug mode: submits the op alone under an error scope, looks for NaN, and remembers where it was called. */
  #examine(op: string, outputs: readonly Operand[]): void {
    const place = userFrame();
    this.#recorder.flush((submit) => {
      this.gpu.pushErrorScope('validation');
      submit();
      this.gpu.popErrorScope().then(
        (error) => {
          if (error) this.#break(`${op}, called ${place}: ${error.message}`);
        },
        () => {}, // The device is gone, and everybody is told.
      );
    });
    this.#lookAtErrors(place); // Ahead of the NaN that stands where an index was wrong.
    for (const { storage, dtype, shape } of outputs) {
      const { slice } = storage as GpuStorage;
      if (!slice || !isFloat(dtype)) continue;
      this.#look(slice, (bytes) => {
        const index = viewBytes(dtype, bytes, 0, storage.count).findIndex((value) => Number.isNaN(value));
        if (index < 0) return null;
        const where = `element ${index} of its result of shape ${formatShape(shape)}`;
        return new AnomalyError(`${op}, called ${place}, made a NaN at ${where}.`);
      });
    }
  }

  #check(op: string): void {
    if (!this.#lost) return;
    const message = `${op}: ${this.#lost.message}`;
    throw this.#lost instanceof GpuError ? new GpuError(message) : new DeviceLostError(message);
  }

  /** After an error of the driver the content of memory is unknown, so nothing is computed with it any more. */
  #break(message: string): void {
    this.#lose(new GpuError(`${message} The device is unusable after that; call init() for a new one.`));
  }

  #lose(error: WgradError): void {
    if (this.#lost) return;
    this.#lost = error;
    this.#memory.close();
    this.#readback.close(error);
    this.#recorder.close(error);
  }
}
