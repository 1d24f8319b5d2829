/** What tests of layers on sequences and images ask of each of them. */
import * as assert from 'uvu/assert';
import type { Layer } from '../../src/nn/layer.ts';
import { input } from '../../src/nn/symbolic.ts';
import { grad, mul, ones, type Shape, scope, sum, type Tensor, tensor } from '../../src/node.ts';
import { withDefaultDevice } from '../../src/runtime/default-device.ts';
import { cpuDevice } from './harness.ts';
import { uniforms } from './random.ts';
import { fails, resultsOf } from './values.ts';

/** What no type checker would let through, but JavaScript does. */
export const wrong = (value: unknown): never => value as never;

/** Runs `body` as before `init()`. */
export const withoutDevice = <T>(body: () => T): T => withDefaultDevice(wrong(null), body);

/** All ways to take one value for each key. */
export function combinations<T extends Record<string, readonly unknown[]>>(
  values: T,
): { [K in keyof T]: T[K][number] }[] {
  const made = Object.entries(values).reduce<Record<string, unknown>[]>(
    (all, [key, choices]) => all.flatMap((one) => choices.map((choice) => ({ ...one, [key]: choice }))),
    [{}],
  );
  return made as { [K in keyof T]: T[K][number] }[];
}

/** Without the options that are undefined. */
export const given = (options: object): never =>
  wrong(Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));

/** Seeded numbers in [−1, 1). */
export function numbers(shape: Shape, requiresGrad = true): Tensor {
  const next = uniforms(7);
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float64Array.from({ length: size }, () => 2 * next() - 1),
    { shape, requiresGrad },
  );
}

/**
 * The promised shape is the shape that comes out, for a known image and for one of any size. The batch is unknown always;
 * of the extents of an unknown image, the layer may fix those in `fixed`.
 */
export function promisesItsShape(make: () => Layer, shape: Shape, fixed: readonly number[] = []): void {
  const layer = make();
  const fresh = make();
  const title = `${layer.type} ${JSON.stringify(layer.options)} on (${shape.join(', ')})`;
  try {
    const real = scope(() => layer.apply(ones(shape, { device: cpuDevice() })).shape.slice());
    assert.equal(fresh.apply(input({ shape: shape.slice(1) })).shape, [null, ...real.slice(1)], title);
    const open = shape.slice(1).map((extent, axis) => (axis < shape.length - 2 ? null : extent));
    const promised = real.map((extent, axis) =>
      axis === real.length - 1 || fixed.includes(axis) ? extent : null,
    );
    assert.equal(layer.apply(input({ shape: open })).shape, promised, `${title}, open`);
  } finally {
    layer.dispose();
    fresh.dispose();
  }
}

/** The layer gives what `op` gives with the layer's weights, and leaves the same gradients in x and in the weights. */
export async function doesAs(
  layer: Layer,
  shape: Shape,
  op: (x: Tensor, ...weights: Tensor[]) => Tensor,
): Promise<void> {
  const title = `${layer.type} ${JSON.stringify(layer.options)}`;
  try {
    const results = await resultsOf(() => {
      const x = numbers(shape);
      const y = layer.apply(x);
      const g = numbers(y.shape, false);
      sum(mul(y, g)).backward();
      const leaves = [x, ...layer.weights.map(({ value }) => value)];
      const expected = op(...(leaves as [Tensor, ...Tensor[]]));
      // Copies, since the layer owns its gradients.
      const grads = leaves.map((leaf) => mul(leaf.grad as Tensor, 1));
      return [y, ...grads, expected, ...grad(expected, leaves, { gradients: [g] })];
    });
    const half = results.length / 2;
    results.slice(0, half).forEach((actual, index) => {
      assert.equal(actual, results[half + index], `${title}, result ${index}`);
      assert.ok(
        [actual].flat(8).some((value) => value !== 0),
        `${title}, result ${index} is zeros`,
      );
    });
  } finally {
    layer.dispose();
  }
}

/** A wrong call, the code of its error, and what the message says. */
export type Refusal = readonly [make: () => unknown, code: string, ...parts: RegExp[]];

export function refuses(rows: readonly Refusal[]): void {
  for (const row of rows) fails(...row);
}
