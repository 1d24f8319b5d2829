/**
 * What a kernel is: plain data and pure functions. `infer` is the shape rule, `plan` describes the dispatches for a
 * GPU, `reference` computes the same in plain loops, in the precision of the arrays it is given (float64 on the CPU
 * device). Nothing here touches a device.
 */
import type { DType, HostArray } from '../src/core/dtype.ts';
import type { ValueRange } from '../src/core/errors.ts';
import type { Shape } from '../src/core/shape.ts';

export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A tensor's elements on the host, as references read and write them. */
export interface HostTensor extends TensorSpec {
  readonly data: HostArray;
}

/** A WGSL file. `features` lists what the device must offer for the file to compile. */
export interface WgslModule {
  readonly name: string;
  readonly source: string;
  readonly features: readonly GPUFeatureName[];
}

/** How an entry point binds a buffer. Binding 0 is the uniform block, buffers follow from binding 1 in this order. */
export type Access = 'read' | 'write';

/** An entry point with its override constants: all that a pipeline depends on. Made once, compared by identity. */
export interface PipelineSpec {
  readonly module: WgslModule;
  readonly entry: string;
  readonly constants: Readonly<Record<string, number>>;
  readonly access: readonly Access[];
  /** Bytes of the uniform block, a multiple of 16. */
  readonly uniformBytes: number;
  readonly key: string;
}

/**
 * Names a buffer of the running kernel: the i-th input, output or scratch buffer, i from 0 to 9, or the device's error
 * record: four words (op number, position, value, limit), of which the first offence wins. An index has its limit, whose
 * top bit tells that negative indices do not count from the end; a float has its bits as the value, and no limit.
 */
export type Slot = `in${number}` | `out${number}` | `tmp${number}` | 'err';

/**
 * One dispatch. Outputs and scratch have no defined content before a step writes them; only a kernel that `updates` finds
 * in its outputs what stands there.
 */
export interface Step {
  readonly pipeline: PipelineSpec;
  /** One slot per entry of `pipeline.access`. */
  readonly buffers: readonly Slot[];
  /** The uniform block as 32-bit words. */
  readonly uniforms: Uint32Array;
  readonly workgroups: readonly [number, number, number];
  /** The uniform word that takes the op's number, for a step that binds `err`. */
  readonly errorWord?: number;
  /** For a step that reports floats rather than indices: what they lie outside of. */
  readonly errorRange?: ValueRange;
}

/** An index that is out of range: where it stands, what it is, the lowest valid index, and the extent to stay below. */
export interface Offence {
  readonly position: number;
  readonly value: number;
  /** −limit where negative indices count from the end, else 0. */
  readonly lowest: number;
  readonly limit: number;
}

/** A float that is out of range: where it stands, what it is, and what it should lie in. */
export interface ValueOffence {
  readonly position: number;
  readonly value: number;
  readonly range: ValueRange;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** Scratch buffers in bytes. */
  readonly scratch?: readonly number[];
}

/** What a plan may know of the device. */
export interface DeviceTraits {
  /** A software rasteriser: dislikes workgroup memory and barriers. */
  readonly software: boolean;
  /** Lanes of a subgroup where the size is fixed and the feature is there; 0 otherwise. */
  readonly subgroupSize: number;
  readonly maxInvocations: number;
  readonly maxWorkgroupBytes: number;
}

export interface Kernel<Attrs> {
  readonly name: string;
  /** Algorithm variants by name; the first one is always possible. */
  readonly variants: readonly string[];
  /**
   * Whether the outputs are existing memory, which the caller names with `RunOptions.into` and the kernel reads before it
   * writes. A reference then finds their content in its outputs. Their buffers are bound as 'write', and as nothing else.
   */
  readonly updates?: boolean;
  /** Whether a variant can run these shapes on this device. */
  supports?(variant: string, inputs: readonly TensorSpec[], attrs: Attrs, traits: DeviceTraits): boolean;
  /** Checks the inputs and tells the outputs; throws a typed error that names `op`. */
  infer(op: string, inputs: readonly TensorSpec[], attrs: Attrs): TensorSpec[];
  /** Chooses a variant, or takes the one that is asked for. Never called when every output is empty. */
  plan(
    inputs: readonly TensorSpec[],
    outputs: readonly TensorSpec[],
    attrs: Attrs,
    traits: DeviceTraits,
    variant?: string,
  ): Plan;
  /** The first index or float out of range in the inputs, which a GPU reports into its error record instead. */
  offence?(inputs: readonly HostTensor[], attrs: Attrs): Offence | ValueOffence | undefined;
  reference(inputs: readonly HostTensor[], outputs: readonly HostTensor[], attrs: Attrs): void;
}

/** Declares a WGSL file. */
export const wgslModule = (
  name: string,
  source: string,
  features: readonly GPUFeatureName[] = [],
): WgslModule => ({ name, source, features });

const specs = new WeakMap<WgslModule, Map<string, PipelineSpec>>();

/** The one `PipelineSpec` for an entry point of this module and its constants; an entry point has one layout. */
export function pipelineSpec(
  module: WgslModule,
  entry: string,
  access: readonly Access[],
  uniformWords: number,
  constants: Readonly<Record<string, number>> = {},
): PipelineSpec {
  let key = `${module.name}:${entry}`;
  for (const name in constants) key += `,${name}=${constants[name]}`;
  let own = specs.get(module);
  if (!own) specs.set(module, (own = new Map()));
  const known = own.get(key);
  if (known) return known;
  const spec: PipelineSpec = {
    module,
    entry,
    constants,
    access,
    uniformBytes: 16 * Math.ceil(uniformWords / 4),
    key,
  };
  own.set(key, spec);
  return spec;
}

const MAX_GRID = 65535;

/**
 * A grid of at least `groups` workgroups, folded into two dimensions beyond 65,535. A shader finds its linear number
 * as `workgroup_id.x + workgroup_id.y * num_workgroups.x` and must check it against the count.
 */
export function grid(groups: number, depth = 1): [number, number, number] {
  if (groups <= MAX_GRID) return [groups, 1, depth];
  const rows = Math.ceil(groups / MAX_GRID);
  return [Math.ceil(groups / rows), rows, depth];
}

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** The bits of a number as float32, for a uniform word. */
export function floatBits(value: number): number {
  scratchFloat[0] = value;
  return scratchBits[0] as number;
}
