/**
 * What all optimizers share: flat parameters, slots beside them, clipping, weight decay, sums over several batches, moving
 * averages of the weights, and state that can be saved. What tells them apart is a `Method`.
 */
import {
  type OptimizerAttrs,
  optimizerKernel,
  type RuleName,
  type RuleNumbers,
} from '../../kernels/optimizer.ts';
import { accumulateKernel, averageKernel } from '../../kernels/optimizer-flat.ts';
import { noGrad } from '../autograd/modes.ts';
import { keep, scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { hostArray } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Parameter } from '../nn/parameter.ts';
import { assign } from '../ops/cast.ts';
import {
  type Chunk,
  disposeBuffer,
  type FlatBuffer,
  FlatParameters,
  toParameters,
} from './flat-parameters.ts';
import { type Clip, checkCommon, type LearningRate, type OptimizerOptions } from './optimizer-options.ts';
import { checkSlots, copySlots, fillSlots, type OptimizerState } from './optimizer-state.ts';
import { fromJson } from './schedules.ts';
import { SegmentTable } from './segment-table.ts';

/** What tells one optimizer from another. */
export interface Method {
  readonly name: string;
  readonly rule: RuleName;
  /** Names of the rule's slots, and what they hold at first (default 0). */
  readonly slots: readonly string[];
  readonly initial?: readonly number[];
  /** Numbers that the method itself carries from step to step. */
  readonly scalars?: Readonly<Record<string, number>>;
  /** The numbers of update `t`, counted from 1; changes `scalars`. */
  numbers(t: number, scalars: Record<string, number>): RuleNumbers;
  /** The learning rate of update `t`, where it is not the given one. */
  rate?(learningRate: number, t: number): number;
}

/** An optimizer as JSON: its name and its options. */
export interface OptimizerJson {
  readonly optimizer: string;
  readonly options: Readonly<Record<string, unknown>>;
}

const holdsPatterns = (value: unknown): boolean =>
  Array.isArray(value) && value.some((item) => item instanceof RegExp);

/** The buffers that belong to a chunk of parameters. */
interface Beside {
  readonly chunk: Chunk;
  readonly table: SegmentTable;
  readonly slots: readonly FlatBuffer[];
  readonly average: FlatBuffer | null;
  readonly accumulated: FlatBuffer | null;
  /** Parameters with a gradient since the last update. */
  readonly pending: Uint8Array;
  /** Sums of squares: one for each parameter, or one for each chunk, which all chunks share. */
  readonly norms: Tensor | null;
}

/**
 * Updates parameters from the gradients that `backward()` left.
 *
 * ```ts
 * const optimizer = optimizers.adam({ learningRate: 1e-3 }).build([w, b]);
 * for (const batch of batches) {
 *   scope(() => backward(loss(batch)));
 *   optimizer.step();
 *   optimizer.zeroGrad();
 * }
 * ```
 */
export class Optimizer {
  readonly name: string;
  readonly #method: Method;
  readonly #options: OptimizerOptions;
  readonly #clip: Clip;
  readonly #every: number;
  readonly #defaultRate: number;
  #learningRate: LearningRate;
  #flat: FlatParameters | null = null;
  #ownsFlat = false;
  #beside: readonly Beside[] = [];
  #scalars: Record<string, number>;
  #steps = 0;

  /** Users call `optimizers.adam(…)` and its like. */
  constructor(method: Method, options: OptimizerOptions, learningRate: number) {
    const op = method.name;
    this.name = op;
    this.#method = method;
    this.#options = options;
    this.#scalars = { ...method.scalars };
    this.#defaultRate = learningRate;
    this.#learningRate = learningRate;
    this.learningRate = options.learningRate ?? learningRate;
    this.#clip = checkCommon(op, options);
    this.#every = options.gradientAccumulationSteps ?? 1;
  }

  /** Updates done. */
  get iterations(): number {
    return Math.floor(this.#steps / this.#every);
  }

  /** Its parameters and their gradients, in flat buffers; none before `build()`. */
  get chunks(): readonly Chunk[] {
    return this.#beside.map(({ chunk }) => chunk);
  }

  /** The rate of the next step. */
  get learningRate(): number {
    const rate = this.#learningRate;
    if (typeof rate === 'number') return rate;
    const now = rate(this.#steps);
    checkNumber(this.name, `the schedule's rate at step ${this.#steps}`, now, { atLeast: 0 });
    return now;
  }

  set learningRate(rate: LearningRate) {
    if (typeof rate !== 'function') checkNumber(this.name, 'learningRate', rate, { atLeast: 0 });
    this.#learningRate = rate;
  }

  /**
   * Makes the slots for these parameters (or leaves), and moves their values into flat buffers. Those that are not
   * trainable stay out. `FlatParameters` that several readers share are not disposed with the optimizer.
   */
  build(parameters: FlatParameters | readonly (Parameter | Tensor)[]): this {
    if (this.#flat)
      throw new ArgumentError(`${this.name}: already built; make a new optimizer for other parameters.`);
    this.#ownsFlat = !(parameters instanceof FlatParameters);
    const flat =
      parameters instanceof FlatParameters
        ? parameters
        : new FlatParameters(toParameters(this.name, parameters));
    this.#flat = flat;
    const shares = this.#clip.kind === 'global' ? this.#zeros(flat.chunks.length) : null;
    const beside: Beside[] = [];
    this.#beside = beside;
    try {
      for (const chunk of flat.chunks) beside.push(this.#besideOf(chunk, flat, shares));
    } catch (error) {
      this.dispose();
      throw error;
    }
    return this;
  }

  /**
   * One step. Parameters without a gradient stay as they are, their slots too. With `gradientAccumulationSteps` only every
   * n-th step updates.
   *
   * @throws ArgumentError before `build()`, without any gradient, or when a schedule's rate is not finite.
   */
  step(): void {
    const flat = this.#built('step');
    const active = this.#beside.map(({ chunk }) => flat.collect(chunk));
    if (!active.some((flags) => flags.includes(1))) {
      throw new ArgumentError(
        `${this.name}: no parameter has a gradient; call backward() before step(), and check that the loss depends on them.`,
      );
    }
    const learningRate = this.learningRate;
    if (this.#every > 1) this.#accumulate(active);
    if ((this.#steps + 1) % this.#every === 0) {
      this.#update(this.#every > 1 ? this.#beside.map(({ pending }) => pending) : active, learningRate);
      for (const { pending } of this.#beside) pending.fill(0);
    }
    this.#moveAverages();
    this.#steps++;
    for (const { constraint, value } of flat.parameters) {
      if (constraint) scope(() => noGrad(() => assign(value, constraint(value))));
    }
  }

  /** Forgets all gradients; the next `backward()` starts anew. */
  zeroGrad(): void {
    this.#built('zeroGrad').zeroGrad();
  }

  /** Puts the moving averages in place of the weights, at the end of a training; without `useEma` nothing happens. */
  finalize(): void {
    const { device } = this.#built('finalize');
    for (const { chunk, average } of this.#beside)
      if (average) device.copy(average.whole.storage, chunk.values.storage);
  }

  /**
   * Its name and options, from which `compile` makes such an optimizer again, without its state; null where an option is a
   * function or a pattern of your own.
   */
  toJSON(): OptimizerJson | null {
    const rate = this.#learningRate;
    const options: Record<string, unknown> = { ...this.#options };
    if (this.#options.learningRate !== undefined || typeof rate !== 'number' || rate !== this.#defaultRate)
      options.learningRate = typeof rate === 'function' && 'toJSON' in rate ? rate.toJSON() : rate;
    const values = Object.entries(options).filter(([, value]) => value !== undefined);
    const plain = values.every(([, value]) => typeof value !== 'function' && !holdsPatterns(value));
    return plain ? { optimizer: this.name, options: Object.fromEntries(values) } : null;
  }

  /** Copies of the slots, and the rest as JSON. */
  exportState(): OptimizerState {
    this.#built('exportState');
    const rate = this.#learningRate;
    return {
      tensors: copySlots(this.#slotsByName()),
      json: {
        optimizer: this.name,
        steps: this.#steps,
        learningRate: typeof rate === 'number' ? rate : 'toJSON' in rate ? rate.toJSON() : null,
        scalars: { ...this.#scalars },
        pending: this.#beside.flatMap(({ chunk, pending }) =>
          chunk.parameters.filter((_, index) => pending[index] === 1).map(({ name }) => name),
        ),
      },
    };
  }

  /**
   * Goes on where `exportState()` was called, bit for bit; the parameters themselves are not part of it.
   *
   * @throws ArgumentError for the state of another optimizer, or of other parameters; nothing is changed then.
   */
  importState({ tensors, json }: OptimizerState): void {
    this.#built('importState');
    if (json?.optimizer !== this.name) {
      throw new ArgumentError(
        `importState: the state is that of ${describe(json?.optimizer)}, this is '${this.name}'; make the same optimizer.`,
      );
    }
    checkNumber('importState', 'steps', json.steps, { atLeast: 0, whole: true });
    const slots = this.#slotsByName();
    checkSlots(slots, tensors);
    fillSlots(slots, tensors);
    const { learningRate } = json;
    if (learningRate !== null)
      this.learningRate = typeof learningRate === 'number' ? learningRate : fromJson(learningRate);
    this.#scalars = { ...json.scalars };
    this.#steps = json.steps;
    for (const { chunk, pending } of this.#beside)
      pending.set(chunk.parameters.map(({ name }) => (json.pending.includes(name) ? 1 : 0)));
  }

  /** Gives the slots back. The parameters live on. */
  dispose(): void {
    for (const { table, slots, average, accumulated, norms } of this.#beside) {
      table.dispose();
      norms?.dispose();
      for (const buffer of [...slots, average, accumulated]) if (buffer) disposeBuffer(buffer);
    }
    if (this.#ownsFlat) this.#flat?.dispose();
    this.#beside = [];
    this.#flat = null;
  }

  #built(call: string): FlatParameters {
    if (!this.#flat) throw new ArgumentError(`${this.name}: call build(parameters) before ${call}().`);
    return this.#flat;
  }

  #besideOf(chunk: Chunk, flat: FlatParameters, shares: Tensor | null): Beside {
    const { slots, initial } = this.#method;
    const count = chunk.parameters.length;
    return {
      chunk,
      table: new SegmentTable(this.name, chunk, this.#options),
      slots: slots.map((_, index) => flat.allocate(chunk, initial?.[index])),
      average: this.#options.useEma ? flat.allocate(chunk) : null,
      accumulated: this.#every > 1 ? flat.allocate(chunk) : null,
      pending: new Uint8Array(count),
      norms: this.#clip.kind === 'norm' ? this.#zeros(count) : shares,
    };
  }

  #zeros(count: number): Tensor {
    const { device } = this.#flat as FlatParameters;
    const storage = device.upload(this.name, device.float, hostArray(device.float, count));
    return keep(Tensor.adopt({ storage, shape: [count], dtype: device.float }, this.name));
  }

  #accumulate(active: readonly Uint8Array[]): void {
    const { device } = this.#flat as FlatParameters;
    const first = this.#steps % this.#every === 0;
    this.#beside.forEach(({ chunk, table, accumulated, pending }, index) => {
      const flags = active[index] as Uint8Array;
      table.setActive(flags);
      const into = [(accumulated as FlatBuffer).whole];
      const inputs = [chunk.gradients.whole, chunk.blocks, table.tensor];
      device.run('accumulateGradients', accumulateKernel, inputs, { first }, { into });
      flags.forEach((flag, parameter) => {
        if (flag === 1) pending[parameter] = 1;
      });
    });
  }

  #update(active: readonly Uint8Array[], learningRate: number): void {
    const flat = this.#flat as FlatParameters;
    const { kind, bound } = this.#clip;
    const t = this.iterations + 1;
    const attrs: OptimizerAttrs = {
      rule: this.#method.rule,
      numbers: this.#method.numbers(t, this.#scalars),
      rate: this.#method.rate?.(learningRate, t) ?? learningRate,
      weightDecay: this.#options.weightDecay ?? 0,
      gradientScale: 1 / this.#every,
      clip: kind,
      bound,
    };
    const gradientsOf = ({ chunk, accumulated }: Beside): Tensor => (accumulated ?? chunk.gradients).whole;
    this.#beside.forEach((beside, index) => {
      const { chunk, table, norms } = beside;
      table.setActive(active[index] as Uint8Array);
      if (norms)
        flat.sumSquares(
          chunk,
          gradientsOf(beside),
          table.tensor,
          norms,
          kind === 'global' ? index : undefined,
        );
    });
    for (const beside of this.#beside) {
      const { chunk, table, slots, norms } = beside;
      const inputs = [gradientsOf(beside), chunk.blocks, table.tensor, ...(norms ? [norms] : [])];
      const into = [chunk.values, ...slots.map(({ whole }) => whole)];
      flat.device.run(this.name, optimizerKernel, inputs, attrs, { into });
    }
  }

  #moveAverages(): void {
    const { emaMomentum = 0.99, emaOverwriteFrequency } = this.#options;
    const { device } = this.#flat as FlatParameters;
    const momentum = this.iterations === 0 ? 0 : emaMomentum;
    const overwrite =
      emaOverwriteFrequency !== undefined && (this.iterations + 1) % emaOverwriteFrequency === 0;
    for (const { chunk, average } of this.#beside) {
      if (!average) continue;
      device.run('average', averageKernel, [chunk.values], { momentum }, { into: [average.whole] });
      if (overwrite) device.copy(average.whole.storage, chunk.values.storage);
    }
  }

  /** Every slot of every parameter, by `parameter/slot`. */
  #slotsByName(): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    for (const { chunk, slots, average, accumulated } of this.#beside) {
      chunk.parameters.forEach(({ name }, index) => {
        const add = (slot: string, buffer: FlatBuffer): void => {
          found.set(`${name}/${slot}`, buffer.parts[index] as Tensor);
        };
        this.#method.slots.forEach((slot, place) => {
          add(slot, slots[place] as FlatBuffer);
        });
        if (average) add('average', average);
        if (accumulated) add('accumulated', accumulated);
      });
    }
    return found;
  }
}
