/** Two recurrent layers, one from each end of the sequence. */
import { scope } from '../../../autograd/scope.ts';
import type { Tensor } from '../../../autograd/tensor.ts';
import { describe } from '../../../core/describe.ts';
import { ArgumentError } from '../../../core/errors.ts';
import { unknownName } from '../../../core/nearest.ts';
import { add, mul, where } from '../../../ops/binary.ts';
import { concat } from '../../../ops/join.ts';
import { expandDims } from '../../../ops/shape.ts';
import { flip } from '../../../ops/slice.ts';
import { Layer, type LayerOptions } from '../../layer.ts';
import { getMask, type OutputMasks } from '../../mask.ts';
import { RecurrentLayer, type RecurrentLayerOptions } from './rnn-base.ts';

/** How two outputs become one: side by side, sum, product, mean; 'ave' is Keras's name of 'average'. */
export type MergeMode = 'concat' | 'sum' | 'mul' | 'average' | 'ave';

export interface BidirectionalOptions extends LayerOptions {
  /** What walks forward: `layers.lstm({ units: 32 })`, or another recurrent layer. */
  layer: RecurrentLayer;
  /** What becomes of the two outputs; null returns both. Default: concat. */
  mergeMode?: MergeMode | null;
  /** What walks backward, with `goBackwards`. Default: a layer with the options of the first. */
  backwardLayer?: RecurrentLayer;
}

const MERGES: Readonly<Record<MergeMode, (a: Tensor, b: Tensor) => Tensor>> = {
  concat: (a, b) => concat([a, b], -1),
  sum: add,
  mul,
  average: (a, b) => mul(add(a, b), 0.5),
  ave: (a, b) => mul(add(a, b), 0.5),
};

/** A layer of the same class with other options, and weights of its own. */
function remade(layer: RecurrentLayer, options: Partial<RecurrentLayerOptions>): RecurrentLayer {
  const Same = layer.constructor as new (options: RecurrentLayerOptions) => RecurrentLayer;
  return new Same({ ...layer.options, trainable: layer.trainable, ...options });
}

/** The layer under a name with a prefix; one that has a name without it is made anew, as names do not change. */
function prefixed(prefix: 'forward_' | 'backward_', layer: RecurrentLayer): RecurrentLayer {
  layer.adoptName(`${prefix}${layer.type}`);
  if (layer.name.startsWith(prefix)) return layer;
  if (layer.built)
    throw new ArgumentError(
      `bidirectional: the layer '${layer.name}' has weights already; name it '${prefix}${layer.name}', or pass a fresh one.`,
    );
  return remade(layer, { name: `${prefix}${layer.name}` });
}

function checkRecurrent(option: string, layer: unknown): asserts layer is RecurrentLayer {
  if (layer instanceof RecurrentLayer) return;
  const given = layer instanceof Layer ? `a layer of type ${layer.type}` : describe(layer);
  throw new ArgumentError(
    `bidirectional: ${option} is ${given}; pass a recurrent layer, such as layers.lstm({ units: 32 }).`,
  );
}

const SAME = ['returnSequences', 'returnState', 'stateful'] as const;

/**
 * A recurrent layer that walks forward and one that walks backward, `forward_lstm` and `backward_lstm` in the paths of the
 * weights: (batch, steps, in) → (batch, 2·units), or (batch, units) with another `mergeMode` than concat; with
 * `returnSequences` of both (batch, steps, …), the backward one turned round so that the steps lie side by side, and zeros at
 * masked steps. With `returnState` the states follow, forward first. `apply([x, …])` takes initial states in that order.
 *
 * Schuster and Paliwal, 1997. Keras's Bidirectional.
 *
 * @throws ArgumentError unless the layers are recurrent ones that walk in opposite directions and otherwise return the same,
 *   and for an unknown merge mode.
 */
export class Bidirectional extends Layer<BidirectionalOptions> {
  readonly forwardLayer: RecurrentLayer;
  readonly backwardLayer: RecurrentLayer;

  constructor(options: BidirectionalOptions) {
    super(options, 'bidirectional', ['layer', 'mergeMode', 'backwardLayer']);
    const { layer, mergeMode = 'concat', backwardLayer } = this.options;
    checkRecurrent('layer', layer);
    if (backwardLayer !== undefined) checkRecurrent('backwardLayer', backwardLayer);
    if (mergeMode !== null && !Object.hasOwn(MERGES, mergeMode))
      throw unknownName('bidirectional', 'mergeMode', mergeMode, Object.keys(MERGES));
    this.forwardLayer = prefixed('forward_', layer);
    const { name, options: own } = this.forwardLayer;
    this.backwardLayer = backwardLayer
      ? prefixed('backward_', backwardLayer)
      : remade(layer, {
          name: `backward_${name.slice('forward_'.length)}`,
          goBackwards: !(own.goBackwards ?? false),
        });
    const { options: other } = this.backwardLayer;
    const differs = SAME.find((option) => (own[option] ?? false) !== (other[option] ?? false));
    if (differs !== undefined)
      throw new ArgumentError(
        `bidirectional: ${differs} is ${own[differs] ?? false} forward and ${other[differs] ?? false} backward; give both the same.`,
      );
    if ((own.goBackwards ?? false) === (other.goBackwards ?? false))
      throw new ArgumentError(
        'bidirectional: both layers walk in the same direction; make the backwardLayer with { goBackwards: true }.',
      );
  }

  /** Both layers as they are, so that a model that is read has their options and flags. */
  override getConfig(): object {
    return { ...this.options, layer: this.forwardLayer, backwardLayer: this.backwardLayer };
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override computeMask(_inputs: readonly Tensor[], [mask]: readonly (Tensor | null)[]): OutputMasks {
    const { returnSequences, goBackwards } = this.forwardLayer.options;
    if (!returnSequences || !mask) return null;
    const own = goBackwards ? flip(mask, 1) : mask;
    return this.options.mergeMode === null ? [own, own] : own;
  }

  override call(inputs: readonly Tensor[]): readonly Tensor[] {
    const [x, ...states] = inputs as readonly [Tensor, ...Tensor[]];
    const half = states.length / 2;
    if (!Number.isInteger(half))
      throw new ArgumentError(
        `it takes x alone, or x, the states of the forward layer, and as many of the backward one; it was called on ${inputs.length} inputs.`,
      );
    const [front, ...frontStates] = this.forwardLayer.applyAll([x, ...states.slice(0, half)]);
    const [back, ...backStates] = this.backwardLayer.applyAll([x, ...states.slice(half)]);
    const outputs = scope(() => this.#merged(x, front as Tensor, back as Tensor));
    return [...outputs, ...frontStates, ...backStates];
  }

  #merged(x: Tensor, front: Tensor, back: Tensor): readonly Tensor[] {
    const { mergeMode = 'concat' } = this.options;
    const merge = (a: Tensor, b: Tensor): readonly Tensor[] =>
      mergeMode === null ? [a, b] : [MERGES[mergeMode](a, b)];
    const { returnSequences, goBackwards } = this.forwardLayer.options;
    if (!returnSequences) return merge(front, back);
    // Each in the order of the forward walk.
    const turned = flip(back, 1);
    const mask = getMask(x);
    if (!mask) return merge(front, turned);
    const steps = expandDims(goBackwards ? flip(mask, 1) : mask, 2);
    return merge(where(steps, front, 0), where(steps, turned, 0));
  }
}
