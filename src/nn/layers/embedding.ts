/** Vectors for the numbers of words, users, classes. */
import type { Tensor } from '../../autograd/tensor.ts';
import { DTypeError } from '../../core/errors.ts';
import { notEqual } from '../../ops/compare.ts';
import { embedding } from '../../ops/indexing.ts';
import type { ConstraintLike } from '../constraints.ts';
import type { InitializerLike } from '../initializers/index.ts';
import { Layer, type LayerOptions } from '../layer.ts';
import type { Parameter } from '../parameter.ts';
import type { PartialShape } from '../partial-shape.ts';
import type { RegularizerLike } from '../regularizers.ts';
import { checkCount, checkFlag, onlyInput, onlyShape } from './check.ts';
import { settingsOf, type WeightSettings } from './kernel-options.ts';

export interface EmbeddingOptions extends LayerOptions {
  /** How many numbers there are: the largest one + 1. */
  inputDim: number;
  /** The length of their vectors. */
  outputDim: number;
  /**
   * Whether 0 stands for no token at all: recurrent layers and the loss then skip it. The numbers of tokens begin at 1, and
   * inputDim counts the 0 as well. Default: false.
   */
  maskZero?: boolean;
  /** Default: randomUniform, from −0.05 to 0.05. */
  embeddingsInitializer?: InitializerLike;
  /** A penalty that the loss adds. Default: none. */
  embeddingsRegularizer?: RegularizerLike | null;
  /** What the table becomes after each step of the optimizer. Default: as it is. */
  embeddingsConstraint?: ConstraintLike | null;
}

/**
 * The rows of a table, embeddings (inputDim, outputDim), that int32 numbers name: (batch, …) → (batch, …, outputDim). A
 * number that is out of range is told at the next readback, as in `embedding`.
 *
 * @throws ArgumentError for extents that are no whole numbers ≥ 1; DTypeError when called on anything but int32.
 */
export class Embedding extends Layer<EmbeddingOptions> {
  readonly #settings: WeightSettings;
  #table: Parameter | null = null;

  constructor(options: EmbeddingOptions) {
    super(options, 'embedding', [
      'inputDim',
      'outputDim',
      'maskZero',
      'embeddingsInitializer',
      'embeddingsRegularizer',
      'embeddingsConstraint',
    ]);
    const { inputDim, outputDim, embeddingsInitializer = 'randomUniform', maskZero = false } = this.options;
    const { embeddingsRegularizer, embeddingsConstraint } = this.options;
    checkCount('embedding', 'inputDim', inputDim);
    checkCount('embedding', 'outputDim', outputDim);
    checkFlag('embedding', 'maskZero', maskZero);
    this.#settings = settingsOf(embeddingsInitializer, embeddingsRegularizer, embeddingsConstraint);
  }

  override get inputLimit(): number {
    return this.options.inputDim;
  }

  override get supportsMasking(): boolean {
    return this.options.maskZero === true;
  }

  override computeMask([x]: readonly Tensor[]): Tensor {
    return notEqual(x as Tensor, 0);
  }

  override build(inputShapes: readonly PartialShape[]): void {
    onlyShape(inputShapes);
    const { inputDim, outputDim } = this.options;
    this.#table = this.addWeight('embeddings', [inputDim, outputDim], this.#settings);
  }

  override call(inputs: readonly Tensor[]): Tensor {
    const x = onlyInput(inputs);
    if (x.dtype !== 'int32')
      throw new DTypeError(
        `it takes int32 numbers of rows, got ${x.dtype}; cast(x, 'int32'), and input({ dtype: 'int32' }).`,
      );
    return embedding((this.#table as Parameter).value, x);
  }
}
