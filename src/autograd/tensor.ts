/** The tensor: a handle on device memory with a shape, a dtype and its place in the graph. */
import { describe } from '../core/describe.ts';
import type { DType, HostArray } from '../core/dtype.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, AutogradError, DisposedError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, type Shape, sizeOf } from '../core/shape.ts';
import type { Device, Operand, Storage } from '../runtime/device.ts';
import { GradState } from './graph.ts';
import type { Origin } from './origin.ts';

/** Nested arrays of numbers or booleans, as `array()` returns them. */
export type NestedArray = number | boolean | NestedArray[];

/** The innermost open scope's list of tensors; null outside of scopes. */
export const tracking: { list: Tensor[] | null } = { list: null };

interface Held {
  readonly storage: Storage;
  readonly state: GradState;
  readonly joined: boolean;
}

/** The net under tensors that nobody disposed: gives their memory back after the garbage collector found them. */
const registry = new FinalizationRegistry<Held>(({ storage, state, joined }) => {
  storage.release();
  if (joined) state.node?.release();
});

const leafWithoutGrad = (): GradState => new GradState(false, null, 0);

export const disposeSymbol: typeof Symbol.dispose =
  Symbol.dispose ?? (Symbol.for('Symbol.dispose') as typeof Symbol.dispose);

/** Puts a tensor that left its last scope under the garbage collector's net. */
export function collectGarbage(tensor: Tensor): void {
  if (!tensor.disposed) registry.register(tensor, tensor.held(), tensor);
}

export class Tensor implements Operand {
  #storage: Storage;
  readonly shape: Shape;
  readonly dtype: DType;
  /** The op that made this tensor. */
  readonly creator: string;
  state: GradState;
  /** For losses: the softmax or sigmoid that made this value. */
  origin: Origin | null = null;
  /** Saved aliases do not keep their node alive; the graph does. */
  #joined = false;
  /** Whether the gradient in `state` goes with this handle. */
  #ownsGrad = true;
  #disposed: string | null = null;
  #kept = false;
  /** Handles that are given back with this one. */
  #companions: Tensor[] | null = null;

  /** Takes over one reference to the operand's memory. Users call `tensor()`, `zeros()` … */
  private constructor(storage: Storage, shape: Shape, dtype: DType, creator: string, state: GradState) {
    this.#storage = storage;
    this.shape = shape;
    this.dtype = dtype;
    this.creator = creator;
    this.state = state;
  }

  /** A new handle on memory whose one reference it takes over. */
  static adopt({ storage, shape, dtype }: Operand, creator: string): Tensor {
    const tensor = new Tensor(storage, shape, dtype, creator, leafWithoutGrad());
    tensor.#track();
    return tensor;
  }

  get storage(): Storage {
    return this.#storage;
  }

  get device(): Device {
    return this.storage.device;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** The number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  get disposed(): boolean {
    return this.#disposed !== null;
  }

  get keptAlive(): boolean {
    return this.#kept;
  }

  /** Whether the value was not made by a recorded op. */
  get isLeaf(): boolean {
    return this.state.node === null;
  }

  get requiresGrad(): boolean {
    return this.state.requiresGrad;
  }

  /** Only leaves of float dtype can be switched. */
  set requiresGrad(wanted: boolean) {
    this.assertAlive('requiresGrad');
    if (this.state.node) {
      throw new AutogradError(
        'not-a-leaf',
        `requiresGrad: the result of ${this.state.node.op.name} is no leaf; detach() it first.`,
      );
    }
    if (wanted && !isFloat(this.dtype)) {
      throw new AutogradError(
        'not-differentiable',
        `requiresGrad: a ${this.dtype} tensor has no gradient; cast it to float first.`,
      );
    }
    this.state.requiresGrad = wanted;
  }

  /**
   * The gradient that `backward()` accumulated; null before. Owned by this tensor: the next `backward()` replaces it,
   * and `dispose()` takes it along.
   */
  get grad(): Tensor | null {
    return this.state.grad;
  }

  /** Replaces the accumulated gradient; `null` clears it and gives its memory back. */
  set grad(value: Tensor | null) {
    if (value && (value.dtype !== this.dtype || value.device !== this.device)) {
      throw new DTypeError(
        `grad: a ${value.dtype} gradient on ${value.device.description} for a ${this.dtype} tensor on ` +
          `${this.device.description}; dtype and device must be the tensor's.`,
      );
    }
    if (value && formatShape(value.shape) !== formatShape(this.shape)) {
      throw new ShapeError(
        `grad: shape ${formatShape(value.shape)} is not the tensor's ${formatShape(this.shape)}.`,
      );
    }
    if (this.state.grad !== value) this.state.grad?.dispose();
    this.state.grad = value;
    value?.keepAlive();
  }

  /** Keeps the gradient of a value inside the graph, as `backward()` passes it. */
  retainGrad(): this {
    if (!this.requiresGrad) {
      throw new AutogradError('no-grad', 'retainGrad: this tensor does not require a gradient.');
    }
    this.state.retainsGrad = true;
    return this;
  }

  /** The same values outside of the graph; shares the memory. */
  detach(): Tensor {
    return this.view('detach');
  }

  /** A handle of its own on the same memory, outside of the graph. */
  view(creator: string): Tensor {
    this.assertAlive(creator);
    return Tensor.adopt({ storage: this.storage.retain(), shape: this.shape, dtype: this.dtype }, creator);
  }

  /** Another handle on the same value, with the same place in the graph. */
  alias(): Tensor {
    this.assertAlive('alias');
    const copy = this.view(this.creator);
    copy.join(this.state);
    copy.#ownsGrad = false;
    return copy;
  }

  /** A handle for the graph itself: outside of scopes, and not counted as a reason to keep its node. */
  savedAlias(): Tensor {
    this.assertAlive('save');
    const alias = new Tensor(this.storage.retain(), this.shape, this.dtype, this.creator, this.state);
    alias.#ownsGrad = false;
    return alias;
  }

  dropAlias(): void {
    if (this.#disposed === null) this.storage.release();
    this.#disposed = 'its graph';
  }

  /**
   * Moves this handle to other memory, whose one reference it takes over, with the same values. Other handles and what
   * the graph saved stay where they are.
   */
  relocate(storage: Storage): void {
    this.assertAlive('relocate');
    const caught = registry.unregister(this);
    this.#storage.release();
    this.#storage = storage;
    if (caught) collectGarbage(this);
  }

  /** Sets the place in the graph; only the engine calls this, once, on a tensor it has just made. */
  join(state: GradState): void {
    this.state = state;
    if (!state.node) return;
    state.node.retain();
    this.#joined = true;
    if (!tracking.list && !this.#kept) {
      registry.unregister(this);
      collectGarbage(this);
    }
  }

  /** Gives the memory back. Other handles on it, and what the graph saved, stay valid. */
  dispose(by = 'dispose()'): void {
    if (this.#disposed !== null) return;
    this.#disposed = by;
    registry.unregister(this);
    this.storage.release();
    if (this.#ownsGrad) this.grad = null;
    if (this.#joined) this.state.node?.release();
    for (const other of this.#companions ?? []) other.dispose(by);
  }

  /** Takes another handle out of all scopes, and gives it back with this one, as a mask goes with what it belongs to. */
  takeAlong(other: Tensor): void {
    other.keepAlive();
    this.#companions ??= [];
    this.#companions.push(other);
  }

  [disposeSymbol](): void {
    this.dispose('the end of its `using` block');
  }

  /** Takes the tensor out of all scopes. */
  keepAlive(): void {
    if (this.#kept) return;
    this.#kept = true;
    registry.unregister(this);
    collectGarbage(this);
  }

  /** Lets go of the gradient without disposing it, for a scope that returns it. */
  surrenderGrad(): Tensor | null {
    const { grad } = this.state;
    if (!grad || !this.#ownsGrad) return null;
    this.state.grad = null;
    grad.#kept = false;
    return grad;
  }

  /** What the garbage collector's net must give back; holds no reference to the tensor itself. */
  held(): Held {
    return { storage: this.storage, state: this.state, joined: this.#joined };
  }

  assertAlive(op: string): void {
    if (this.#disposed === null) return;
    throw new DisposedError(
      `${op}: this tensor of shape ${formatShape(this.shape)}, made by ${this.creator}, was disposed by ${this.#disposed}. ` +
        `Return it from its scope, or keep() it, to use it longer.`,
    );
  }

  /** The elements in row-major order: Float32Array, Float64Array, Int32Array, or 0 and 1 for bool. */
  async data(): Promise<HostArray> {
    this.assertAlive('data');
    return this.device.read(this.storage);
  }

  /**
   * The only element as a number, or, of a bool tensor, as true or false: `await loss.item()`, `await any(x).item('bool')`.
   *
   * @throws ShapeError unless there is one element; DTypeError when the tensor holds the other kind.
   */
  item(): Promise<number>;
  item(kind: 'bool'): Promise<boolean>;
  async item(kind?: 'bool'): Promise<number | boolean> {
    if (kind !== undefined && kind !== 'bool')
      throw new ArgumentError(`item: ${describe(kind)}; pass 'bool' for a bool tensor, else nothing.`);
    if (this.size !== 1) {
      throw new ShapeError(
        `item: shape ${formatShape(this.shape)} holds ${this.size} elements, not one; use data() or array().`,
      );
    }
    if ((this.dtype === 'bool') !== (kind === 'bool')) {
      throw new DTypeError(
        kind === 'bool'
          ? `item: a ${this.dtype} tensor holds no bool; use item().`
          : `item: a bool tensor holds true or false; use item('bool').`,
      );
    }
    const value = (await this.data())[0] as number;
    return kind === 'bool' ? value !== 0 : value;
  }

  /** The elements as nested arrays; bool elements as true and false. */
  async array(): Promise<NestedArray> {
    const data = await this.data();
    const { shape, dtype } = this;
    let at = 0;
    const nest = (axis: number): NestedArray => {
      if (axis === shape.length) {
        const value = data[at++] as number;
        return dtype === 'bool' ? value !== 0 : value;
      }
      return Array.from({ length: shape[axis] as number }, () => nest(axis + 1));
    };
    return nest(0);
  }

  toString(): string {
    const state = this.#disposed === null ? '' : `, disposed by ${this.#disposed}`;
    return `Tensor(shape ${formatShape(this.shape)}, ${this.dtype}, ${this.device.kind}, from ${this.creator}${state}; values: await data())`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  #track(): void {
    if (tracking.list) tracking.list.push(this);
    else collectGarbage(this);
  }
}

/** Refuses what is no tensor, and a disposed one, before its fields are read. */
export function assertTensor(op: string, x: unknown): asserts x is Tensor {
  if (x instanceof Tensor) return x.assertAlive(op);
  throw new ArgumentError(`${op}: ${describe(x)} is not a tensor; make one with tensor(…).`);
}
