/**
 * The parameters of a model side by side in a few flat buffers, and their gradients in matching ones, so that a step of an
 * optimizer is one dispatch for each buffer, however many parameters there are.
 */
import { fillKernel } from '../../kernels/fill.ts';
import { BLOCK } from '../../kernels/optimizer.ts';
import { sumSquaresKernel } from '../../kernels/optimizer-flat.ts';
import { keep } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { checkNumbers } from '../core/check.ts';
import { byteLength, type DType } from '../core/dtype.ts';
import { ArgumentError, DeviceMismatchError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import { Parameter } from '../nn/parameter.ts';
import { checkOptions } from '../ops/options.ts';
import type { Device, Storage } from '../runtime/device.ts';

/** One flat buffer, and a view of it for each parameter. */
export interface FlatBuffer {
  readonly whole: Tensor;
  readonly parts: readonly Tensor[];
}

/** Parameters that share a flat buffer. Sixty-four neighbours are a block, which belongs to one parameter. */
export interface Chunk {
  readonly parameters: readonly Parameter[];
  /** All values, the padding between parameters included. */
  readonly values: Tensor;
  readonly gradients: FlatBuffer;
  /** The number of the parameter that each block belongs to. */
  readonly blocks: Tensor;
  /** The first block of each parameter, and the end of the last. */
  readonly starts: Tensor;
  /** The memory that each parameter was moved to. */
  readonly places: readonly Storage[];
}

const wrap = (storage: Storage, shape: Shape): Tensor =>
  keep(Tensor.adopt({ storage, shape, dtype: storage.dtype }, 'parameters'));

const blocksOf = ({ value }: Parameter): number => Math.ceil(value.size / BLOCK);

/** Whole runs of parameters, each within so many bytes where a single parameter allows. */
function inChunks(parameters: readonly Parameter[], dtype: DType, maxBytes: number): Parameter[][] {
  const chunks: Parameter[][] = [];
  const most = maxBytes / byteLength(dtype, BLOCK);
  let blocks = Number.POSITIVE_INFINITY;
  for (const parameter of parameters) {
    blocks += blocksOf(parameter);
    if (blocks > most) {
      chunks.push([]);
      blocks = blocksOf(parameter);
    }
    (chunks.at(-1) as Parameter[]).push(parameter);
  }
  return chunks;
}

export interface FlatParametersOptions {
  /** The largest flat buffer. Default: what the device can bind. */
  maxBytes?: number;
}

/**
 * Moves trainable parameters into flat buffers and lets `backward()` put their gradients into matching ones. The
 * parameters' tensors stay valid; other views of their old memory no longer follow them.
 *
 * @throws ArgumentError for no parameter, one given twice, or two of one name; DeviceMismatchError for parameters on
 *   several devices.
 */
export class FlatParameters {
  readonly device: Device;
  readonly parameters: readonly Parameter[];
  readonly chunks: readonly Chunk[];

  constructor(parameters: readonly Parameter[], options: FlatParametersOptions = {}) {
    checkOptions('FlatParameters', options, ['maxBytes'], 'parameters');
    checkNumbers('FlatParameters', { maxBytes: options.maxBytes }, { above: 0 });
    const trainable = parameters.filter((parameter) => parameter.trainable);
    const [first] = trainable;
    if (!first) throw new ArgumentError('FlatParameters: no parameter is trainable; pass some that are.');
    this.device = first.value.device;
    this.#check(trainable);
    this.parameters = trainable;
    const { maxBytes = this.device.maxBytes } = options;
    this.chunks = inChunks(trainable, this.device.float, maxBytes).map((own) => this.#move(own));
  }

  #check(parameters: readonly Parameter[]): void {
    const names = new Set<string>();
    const values = new Set<Tensor>();
    for (const { name, value } of parameters) {
      value.assertAlive(`FlatParameters: '${name}'`);
      if (names.has(name))
        throw new ArgumentError(`FlatParameters: two parameters are named '${name}'; rename one of them.`);
      if (values.has(value))
        throw new ArgumentError(
          `FlatParameters: '${name}' has the tensor of another parameter; pass it once.`,
        );
      if (value.device !== this.device) {
        throw new DeviceMismatchError(
          `FlatParameters: '${name}' lives on ${value.device.description}, others on ${this.device.description}; ` +
            `use one device.`,
        );
      }
      names.add(name);
      values.add(value);
    }
  }

  #move(parameters: readonly Parameter[]): Chunk {
    const { device } = this;
    const blocks = Int32Array.from(
      parameters.flatMap((parameter, index) => new Array<number>(blocksOf(parameter)).fill(index)),
    );
    const starts = new Int32Array(parameters.length + 1);
    parameters.forEach((parameter, index) => {
      starts[index + 1] = (starts[index] as number) + blocksOf(parameter);
    });
    const { whole, parts } = device.allocateParts(
      'parameters',
      device.float,
      parameters.map(({ value }) => value.size),
    );
    parameters.forEach(({ value }, index) => {
      const part = parts[index] as Storage;
      device.copy(value.storage, part);
      value.relocate(part);
    });
    const upload = (data: Int32Array): Tensor =>
      wrap(device.upload('parameters', 'int32', data), [data.length]);
    const gradients = this.#buffer(parameters);
    parameters.forEach(({ value }, index) => {
      value.state.target = gradients.parts[index] as Tensor;
    });
    return {
      parameters,
      values: wrap(whole, [whole.count]),
      gradients,
      blocks: upload(blocks),
      starts: upload(starts),
      places: parts,
    };
  }

  #buffer(parameters: readonly Parameter[]): FlatBuffer {
    const { whole, parts } = this.device.allocateParts(
      'parameters',
      this.device.float,
      parameters.map(({ value }) => value.size),
    );
    return {
      whole: wrap(whole, [whole.count]),
      parts: parts.map((part, index) => wrap(part, (parameters[index] as Parameter).shape)),
    };
  }

  /** A buffer beside the values of a chunk, all of one number. */
  allocate({ parameters }: Chunk, value = 0): FlatBuffer {
    const buffer = this.#buffer(parameters);
    const { shape, dtype } = buffer.whole;
    if (value !== 0)
      this.device.run('fill', fillKernel, [], { shape, dtype, value }, { into: [buffer.whole] });
    return buffer;
  }

  /**
   * Sees to it that the gradients lie in the chunk's buffer, also those that were set by hand or made with `createGraph`.
   *
   * @returns 1 for each parameter that has a gradient, else 0.
   */
  collect({ parameters, gradients, places }: Chunk): Uint8Array {
    return Uint8Array.from(parameters, ({ name, value }, index) => {
      value.assertAlive(`parameter '${name}'`);
      if (value.storage !== places[index]) {
        throw new ArgumentError(
          `FlatParameters: '${name}' was moved into other flat buffers since, by an optimizer that was built later; build this one anew (a model: ` +
            `compile() it again).`,
        );
      }
      const { grad } = value;
      if (!grad) return 0;
      const target = (gradients.parts[index] as Tensor).storage;
      if (grad.storage !== target) this.device.copy(grad.storage, target);
      return 1;
    });
  }

  /**
   * Sums of squares of gradients that lie beside a chunk's values, in place: one for each parameter, or one of all at
   * `wholeAt`. Only those count that have 1 in the third column of `table`.
   */
  sumSquares(
    { blocks, starts }: Chunk,
    gradients: Tensor,
    table: Tensor,
    sums: Tensor,
    wholeAt?: number,
  ): void {
    const inputs = [gradients, blocks, table, starts];
    this.device.run('gradientNorm', sumSquaresKernel, inputs, { sums: sums.size, wholeAt }, { into: [sums] });
  }

  /** Forgets the accumulated gradients; the next `backward()` starts anew. Costs no dispatch. */
  zeroGrad(): void {
    for (const { value } of this.parameters) value.grad = null;
  }

  /** Gives the gradients and tables back. The values stay where they are, as long as their parameters live. */
  dispose(): void {
    for (const { parameters, values, gradients, blocks, starts } of this.chunks) {
      parameters.forEach(({ value }, index) => {
        if (value.state.target === gradients.parts[index]) value.state.target = null;
      });
      disposeBuffer(gradients);
      for (const tensor of [values, blocks, starts]) tensor.dispose();
    }
  }
}

/** Gives a flat buffer back. */
export function disposeBuffer({ whole, parts }: FlatBuffer): void {
  for (const part of parts) part.dispose();
  whole.dispose();
}

/** What an optimizer is given: parameters, or leaves, which are named by their place. */
export function toParameters(op: string, given: readonly (Parameter | Tensor)[]): Parameter[] {
  if (!Array.isArray(given))
    throw new ArgumentError(`${op}: pass a list of parameters or of tensors that require a gradient.`);
  return given.map((item, index) => {
    if (item instanceof Parameter) return item;
    if (!(item instanceof Tensor) || !item.requiresGrad) {
      throw new ArgumentError(
        `${op}: item ${index} is neither a Parameter nor a tensor with requiresGrad; set w.requiresGrad = true first.`,
      );
    }
    return new Parameter(`parameter${index}`, item);
  });
}
