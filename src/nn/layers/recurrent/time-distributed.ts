/** A layer at each step of a sequence. */
import { scope } from '../../../autograd/scope.ts';
import type { Tensor } from '../../../autograd/tensor.ts';
import { describe } from '../../../core/describe.ts';
import { ArgumentError, ShapeError } from '../../../core/errors.ts';
import { formatShape } from '../../../core/shape.ts';
import { stack } from '../../../ops/join.ts';
import { reshape } from '../../../ops/shape.ts';
import { along } from '../../../ops/slice.ts';
import { standsOpen } from '../../infer-shapes.ts';
import { Layer, type LayerOptions } from '../../layer.ts';
import * as activation from '../activation.ts';
import * as activationLayers from '../activation-layers.ts';
import { onlyInput } from '../check.ts';
import * as conv from '../conv.ts';
import * as convTranspose from '../conv-transpose.ts';
import * as dense from '../dense.ts';
import * as depthwise from '../depthwise.ts';
import * as dropout from '../dropout.ts';
import * as embedding from '../embedding.ts';
import * as masking from '../masking.ts';
import * as noise from '../noise.ts';
import * as normalization from '../normalization.ts';
import * as pooling from '../pooling.ts';
import * as reshaping from '../reshaping.ts';
import * as resizing from '../resizing.ts';
import { Bidirectional } from './bidirectional.ts';
import { Gru } from './gru.ts';
import { Lstm } from './lstm.ts';
import { SimpleRnn } from './simple-rnn.ts';

export interface TimeDistributedOptions extends LayerOptions {
  /** What is applied at each step, always with the same weights. */
  layer: Layer;
}

/** Layers that treat each example of a batch by itself, so that the steps may join the batch. */
const BY_EXAMPLE: ReadonlySet<unknown> = new Set<unknown>([
  ...[
    activation,
    activationLayers,
    conv,
    convTranspose,
    dense,
    depthwise,
    dropout,
    embedding,
    masking,
  ].flatMap((module) => Object.values(module)),
  ...[noise, normalization, pooling, reshaping, resizing].flatMap((module) => Object.values(module)),
  SimpleRnn,
  Lstm,
  Gru,
  Bidirectional,
]);

/** Models without a `call` of their own are as good as their layers. */
const MODELS = ['sequential', 'functional'];

/** Whether a layer gives each example what it would give it in a batch of its own. */
function isByExample(layer: Layer): boolean {
  const { stateful, noiseShape } = layer.options as { stateful?: boolean; noiseShape?: unknown };
  if (stateful || noiseShape !== undefined) return false;
  const known =
    BY_EXAMPLE.has(layer.constructor) || layer instanceof TimeDistributed || MODELS.includes(layer.type);
  return known && layer.sublayers().every(([, inner]) => isByExample(inner));
}

/**
 * A layer at each step: (batch, steps, …) → (batch, steps, …what the layer makes of (batch, …)). A mask goes on as it is.
 *
 * Steps join the batch in one call of the layer where that gives the same, as for all built-in layers that treat examples one by
 * one; others, batch normalisation, stateful layers and layers of your own, are called once for each step.
 *
 * ```ts
 * layers.timeDistributed({ layer: layers.conv2d({ filters: 8, kernelSize: 3 }) }).apply(video);
 * ```
 *
 * Keras's TimeDistributed.
 *
 * @throws ArgumentError unless `layer` is a layer; ShapeError when called on an input of less than three axes.
 */
export class TimeDistributed extends Layer<TimeDistributedOptions> {
  readonly layer: Layer;

  constructor(options: TimeDistributedOptions) {
    super(options, 'timeDistributed', ['layer']);
    const layer: unknown = this.options.layer;
    if (!(layer instanceof Layer))
      throw new ArgumentError(
        `timeDistributed: layer is ${describe(layer)}; pass a layer, such as layers.dense({ units: 8 }).`,
      );
    layer.adoptName(layer.type);
    this.layer = layer;
  }

  override get supportsMasking(): boolean {
    return true;
  }

  override call(inputs: readonly Tensor[]): readonly Tensor[] {
    const x = onlyInput(inputs);
    const [batch, steps, ...example] = x.shape;
    if (batch === undefined || steps === undefined || (example.length === 0 && x.dtype !== 'int32'))
      throw new ShapeError(`it takes (batch, steps, …), got ${formatShape(x.shape)}; reshape the input.`);
    // Of steps that are none, or not known yet, the shapes alone matter.
    if (steps === 0 || standsOpen(steps) || isByExample(this.layer)) {
      const outputs = this.layer.applyAll(reshape(x, [batch * steps, ...example]));
      return outputs.map((output) => reshape(output, [batch, steps, ...output.shape.slice(1)]));
    }
    const rows = Array.from({ length: steps }, (_, step) =>
      this.layer.applyAll(scope(() => reshape(along(x, 1, step, step + 1), [batch, ...example]))),
    );
    return (rows[0] as readonly Tensor[]).map((_, output) =>
      stack(
        rows.map((row) => row[output] as Tensor),
        1,
      ),
    );
  }
}
