/** What the recurrent layers share: options and weights as Keras has them, dropout, masks, and states from batch to batch. */
import { RECURRENT_ACTIVATIONS, type RecurrentActivation } from '../../../../kernels/recurrent-shapes.ts';
import { scope } from '../../../autograd/scope.ts';
import type { Tensor } from '../../../autograd/tensor.ts';
import { checkFlags, checkNumbers } from '../../../core/check.ts';
import { ArgumentError } from '../../../core/errors.ts';
import { unknownName } from '../../../core/nearest.ts';
import { where } from '../../../ops/binary.ts';
import { ones } from '../../../ops/create.ts';
import { dropout } from '../../../ops/dropout.ts';
import type { RecurrentOptions, RecurrentResult } from '../../../ops/recurrent.ts';
import { expandDims, reshape } from '../../../ops/shape.ts';
import { flip } from '../../../ops/slice.ts';
import type { CallContext } from '../../call-context.ts';
import type { ConstraintLike } from '../../constraints.ts';
import type { Initializer, InitializerLike } from '../../initializers/index.ts';
import { Layer, type LayerOptions } from '../../layer.ts';
import { getMask } from '../../mask.ts';
import type { Parameter } from '../../parameter.ts';
import type { PartialShape } from '../../partial-shape.ts';
import type { RegularizerLike } from '../../regularizers.ts';
import { checkCount, checkExtent, checkRank, knownExtent } from '../check.ts';
import { noiseStream, type SeedOption } from '../dropout.ts';
import {
  KERNEL_OPTIONS,
  type KernelOptions,
  type KernelSettings,
  kernelSettings,
  settingsOf,
  type WeightSettings,
} from '../kernel-options.ts';
import { StateMemory } from './state-memory.ts';

export interface RecurrentLayerOptions extends LayerOptions, KernelOptions, SeedOption {
  /** The width of the state, and of the output's last axis. */
  units: number;
  /** What h is made with: 'tanh', 'relu', 'sigmoid', 'hardSigmoid', or 'linear', for which null stands too. Default: tanh. */
  activation?: RecurrentActivation | null;
  /** Default: orthogonal. */
  recurrentInitializer?: InitializerLike;
  /** A penalty that the loss adds. Default: none. */
  recurrentRegularizer?: RegularizerLike | null;
  /** What the recurrent kernel becomes after each step of the optimizer. Default: as it is. */
  recurrentConstraint?: ConstraintLike | null;
  /** The share of features of the input to drop in training, the same at all steps, in [0, 1). Default: 0. */
  dropout?: number;
  /** The share of the state to drop on its way to the recurrent kernel, the same at all steps, in [0, 1). Default: 0. */
  recurrentDropout?: number;
  /** Whether to return h of each step, (batch, steps, units), not of the last one alone. Default: false. */
  returnSequences?: boolean;
  /** Whether to return the last state as well: `applyAll` gives [output, h], and [output, h, c] for an LSTM. Default: false. */
  returnState?: boolean;
  /** Whether to walk from the last step to the first; a sequence comes out in the order of the walk. Default: false. */
  goBackwards?: boolean;
  /**
   * Whether each batch begins where its rows ended in the one before, until `resetStates()`; gradients end between batches. The
   * states are no weights: files and checkpoints do not hold them. Default: false.
   */
  stateful?: boolean;
  /** Whether a sequence holds zeros at masked steps, not h of the step before. Default: false. */
  zeroOutputForMask?: boolean;
}

/** The options of layers with gates. */
export interface GatedLayerOptions extends RecurrentLayerOptions {
  /** What the gates are made with; see `activation`. Default: sigmoid. */
  recurrentActivation?: RecurrentActivation | null;
}

const FLAGS = ['returnSequences', 'returnState', 'goBackwards', 'stateful', 'zeroOutputForMask'] as const;

const OPTIONS = [
  'units',
  'activation',
  'recurrentInitializer',
  'recurrentRegularizer',
  'recurrentConstraint',
  'dropout',
  'recurrentDropout',
  'seed',
  ...FLAGS,
  ...KERNEL_OPTIONS,
] as const satisfies readonly (keyof RecurrentLayerOptions)[];

interface Weights {
  readonly features: number;
  readonly kernel: Parameter;
  readonly recurrentKernel: Parameter;
  readonly bias: Parameter | null;
}

/** What a layer's op is called with. */
export type CellCall = RecurrentOptions & { readonly bias: Tensor | undefined };

/** @throws ArgumentError for an activation that the kernels do not have. */
export function cellActivation(
  op: string,
  option: string,
  given: RecurrentActivation | null | undefined,
  fallback: RecurrentActivation,
): RecurrentActivation {
  const name: unknown = given === null ? 'linear' : (given ?? fallback);
  if ((RECURRENT_ACTIVATIONS as readonly unknown[]).includes(name)) return name as RecurrentActivation;
  const error = unknownName(op, `${option} of recurrent layers`, name, RECURRENT_ACTIVATIONS);
  error.message += ' For another one write the steps with ops, in a subclass of Layer.';
  throw error;
}

/** A layer whose op walks through the steps. */
export abstract class RecurrentLayer<
  Options extends RecurrentLayerOptions = RecurrentLayerOptions,
> extends Layer<Options> {
  /**
   * Is handed ∂L/∂h of every step, (batch, steps, units), in the order of the sequence, when a backward pass comes by; freed
   * afterwards. Not under `createGraph`.
   */
  hiddenGradient: ((gradient: Tensor) => void) | null = null;
  protected readonly activation: RecurrentActivation;
  readonly #settings: KernelSettings;
  readonly #recurrent: WeightSettings;
  readonly #stream: ReturnType<typeof noiseStream>;
  readonly #memory = new StateMemory();
  #weights: Weights | null = null;

  constructor(options: Options, type: string, known: readonly (keyof Options & string)[]) {
    super(options, type, [...OPTIONS, ...known]);
    const own = this.options as RecurrentLayerOptions;
    const { units, activation, dropout: rate, recurrentDropout } = own;
    checkCount(type, 'units', units);
    checkFlags(type, Object.fromEntries(FLAGS.map((flag) => [flag, own[flag]])));
    checkNumbers(type, { dropout: rate, recurrentDropout }, { atLeast: 0, below: 1 });
    this.activation = cellActivation(type, 'activation', activation, 'tanh');
    this.#settings = kernelSettings(type, own);
    const { recurrentInitializer = 'orthogonal', recurrentRegularizer, recurrentConstraint } = own;
    this.#recurrent = settingsOf(recurrentInitializer, recurrentRegularizer, recurrentConstraint);
    this.#stream = noiseStream(this, own);
  }

  /** How many kernels of (in, units) lie side by side. */
  protected abstract readonly gates: number;

  /** The names of its states, h first. */
  protected abstract readonly stateNames: readonly string[];

  /** The op, for x, what all ops take, and the initial states or none. */
  protected abstract walk(x: Tensor, call: CellCall, initial: readonly Tensor[] | undefined): RecurrentResult;

  protected biasShape(): readonly number[] {
    return [this.gates * this.options.units];
  }

  /** The initializer of the bias, which an LSTM changes. */
  protected biasInitializer(given: Initializer): Initializer {
    return given;
  }

  get stateful(): boolean {
    return this.options.stateful ?? false;
  }

  /** What a stateful layer goes on from; null before the first batch. They are the layer's. */
  get states(): readonly Tensor[] | null {
    return this.#memory.states;
  }

  /**
   * Lets a stateful layer begin at zeros with the next batch, which may have another size.
   *
   * @throws ArgumentError when the layer is not stateful.
   */
  resetStates(): void {
    if (!this.stateful)
      throw new ArgumentError(`layer '${this.name}': it keeps no states; make it with { stateful: true }.`);
    this.#memory.forget();
  }

  override dispose(): void {
    super.dispose();
    this.#memory.forget();
  }

  override get supportsMasking(): boolean {
    return true;
  }

  /** In the order of the walk, as the sequence is. */
  override computeMask(_inputs: readonly Tensor[], [mask]: readonly (Tensor | null)[]): Tensor | null {
    const { returnSequences, goBackwards } = this.options;
    if (!returnSequences || !mask) return null;
    return goBackwards ? flip(mask, 1) : mask;
  }

  override build(inputShapes: readonly PartialShape[]): void {
    const [shape = []] = inputShapes;
    checkRank(shape, 3, '(batch, steps, features)');
    const features = knownExtent(shape, -1, 'last axis');
    const { units } = this.options;
    const { kernel, bias } = this.#settings;
    const columns = this.gates * units;
    this.#weights = {
      features,
      kernel: this.addWeight('kernel', [features, columns], kernel),
      recurrentKernel: this.addWeight('recurrentKernel', [units, columns], this.#recurrent),
      bias:
        bias &&
        this.addWeight('bias', this.biasShape(), {
          ...bias,
          initializer: this.biasInitializer(bias.initializer),
        }),
    };
  }

  override call(inputs: readonly Tensor[], context: CallContext): readonly Tensor[] {
    const [x, ...given] = inputs as readonly [Tensor, ...Tensor[]];
    const { features } = this.#weights as Weights;
    checkRank(x.shape, 3, '(batch, steps, features)');
    checkExtent(x.shape, -1, features, 'a last axis');
    if (given.length > 0 && given.length !== this.stateNames.length)
      throw new ArgumentError(
        `it takes x, or [x, ${this.stateNames.join(', ')}], and was called on ${inputs.length} inputs.`,
      );
    const outputs = scope(() => this.#outputs(x, given, context.training));
    this.#settings.penalize(context, outputs[0] as Tensor);
    return outputs;
  }

  #outputs(x: Tensor, given: readonly Tensor[], training: boolean): readonly Tensor[] {
    const { returnSequences, returnState, goBackwards = false, zeroOutputForMask } = this.options;
    const { kernel, recurrentKernel, bias } = this.#weights as Weights;
    const [batch] = x.shape as readonly [number];
    const kept = this.stateful && given.length === 0 ? this.#memory.begin(batch) : null;
    const mask = getMask(x) ?? undefined;
    const call: CellCall = {
      kernel: kernel.value,
      recurrentKernel: recurrentKernel.value,
      bias: bias?.value,
      activation: this.activation,
      goBackwards,
      mask,
      recurrentMask: this.#recurrentMask(batch, x, training),
      hiddenGradient: this.hiddenGradient ?? undefined,
    };
    const { sequences, last, state } = this.walk(
      this.#dropped(x, training),
      call,
      given.length > 0 ? given : (kept ?? undefined),
    );
    if (this.stateful) this.#memory.remember(state);
    if (returnSequences) {
      const zeroed = mask && zeroOutputForMask;
      const steps = zeroed && expandDims(goBackwards ? flip(mask, 1) : mask, 2);
      const output = steps ? where(steps, sequences, 0) : sequences;
      return returnState ? [output, ...state] : [output];
    }
    // The last h twice, each a handle of its own.
    return returnState ? [reshape(last, last.shape), ...state] : [last];
  }

  /** x with the same features dropped at all steps. */
  #dropped(x: Tensor, training: boolean): Tensor {
    const { dropout: rate = 0 } = this.options;
    return rate > 0 && training ? dropout(x, { rate, noiseShape: [null, 1, null], ...this.#stream }) : x;
  }

  #recurrentMask(batch: number, { device }: Tensor, training: boolean): Tensor | undefined {
    const { recurrentDropout: rate = 0, units } = this.options;
    return rate > 0 && training
      ? dropout(ones([batch, units], { device }), { rate, ...this.#stream })
      : undefined;
  }
}
