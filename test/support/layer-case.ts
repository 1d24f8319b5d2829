/** What every layer must do, tried on one case: the op's result, known shapes, gradients for all, and nothing left. */
import * as assert from 'uvu/assert';
import type { Shape } from '../../src/core/shape.ts';
import type { Layer } from '../../src/nn/layer.ts';
import { input } from '../../src/nn/symbolic.ts';
import {
  assign,
  backward,
  Generator,
  mul,
  noGrad,
  randomInt,
  randomNormal,
  randomUniform,
  scope,
  sum,
  type Tensor,
} from '../../src/node.ts';
import { close, resultsOf } from './values.ts';

export interface LayerCase {
  readonly name: string;
  readonly make: () => Layer;
  /** The shapes of its inputs, with the batch. */
  readonly inputs: readonly Shape[];
  /** Default: 'float'. Inputs of int32 are from 0 to 4. */
  readonly dtype?: 'float' | 'int32';
  /** Default: false. */
  readonly training?: boolean;
  /** The shapes of its weights by their names, in order. Default: none. */
  readonly weights?: Readonly<Record<string, Shape>>;
  /** Those that no gradient may reach. */
  readonly fixed?: readonly string[];
  /** The same in ops. */
  readonly expected: (inputs: Tensor[], weights: Readonly<Record<string, Tensor>>) => Tensor;
}

const makeInputs = ({ inputs, dtype }: LayerCase, requiresGrad = false): Tensor[] => {
  const generator = new Generator(11);
  return inputs.map((shape) =>
    dtype === 'int32'
      ? randomInt(shape, 0, 5, { generator })
      : randomNormal(shape, 0, 1, { generator, requiresGrad }),
  );
};

const openBatch = (shape: Shape): (number | null)[] =>
  shape.map((extent, axis) => (axis === 0 ? null : extent));

/** Weights away from their first values, so that each of them matters. */
function shake(layer: Layer): void {
  const generator = new Generator(12);
  for (const { value } of layer.weights) {
    const values = scope(() => randomUniform(value.shape, 0.5, 1.5, { generator }));
    noGrad(() => assign(value, values));
    values.dispose();
  }
}

/** Fails where the layer falls short of the case. */
export async function checkLayerCase(given: LayerCase): Promise<void> {
  const { make, inputs, dtype = 'float', training = false, weights = {}, fixed = [], expected } = given;
  const layer = make();
  const symbolic = make();
  try {
    // Shapes alone first: they build the layer with weights of the same shapes as a call does.
    const promise = symbolic.apply(inputs.map((shape) => input({ shape: shape.slice(1), dtype })));
    const shapes = (one: Layer) => one.namedWeights().map(([name, { shape }]) => [name, [...shape]]);
    assert.equal(
      shapes(symbolic),
      Object.entries(weights).map(([name, shape]) => [name, [...shape]]),
    );

    scope(() => {
      layer.apply(makeInputs(given));
    });
    assert.equal(shapes(layer), shapes(symbolic));
    assert.equal(
      layer.nonTrainableWeights.map(({ name }) => name.split('.').at(-1)),
      fixed,
    );
    shake(layer);

    const [actual, wanted] = await resultsOf(() => {
      const values = Object.fromEntries(layer.namedWeights().map(([name, { value }]) => [name, value]));
      const result = expected(makeInputs(given), values);
      const y = layer.apply(makeInputs(given), { training });
      assert.equal(openBatch(y.shape), promise.shape);
      assert.is(y.dtype, promise.dtype);
      return [y, result];
    });
    close(actual as never, wanted as never, { abs: 1e-6, rel: 1e-5 });

    scope(() => {
      const xs = makeInputs(given, dtype === 'float');
      const y = layer.apply(xs, { training });
      // Weighed, as the sum of a normalised tensor is constant.
      backward(sum(mul(y, randomUniform(y.shape, 0.5, 1.5, { generator: new Generator(13) }))));
      for (const x of xs) assert.is(x.grad !== null, dtype === 'float', 'the gradient of an input');
      for (const { name, grad, trainable } of layer.weights) assert.is(grad !== null, trainable, name);
    });
  } finally {
    layer.dispose();
    symbolic.dispose();
  }
  assert.is(layer.weights.length, 0);
}
