/** What the normalisations by a group's own statistics share: the fused op, and the checks. */
import { normalizeKernel } from '../../kernels/normalize.ts';
import { channelsOf, type NormalizeAttrs } from '../../kernels/normalize-geometry.ts';
import { normalizeGradientKernel, normalizeSumsKernel } from '../../kernels/normalize-gradient.ts';
import { filled } from '../autograd/engine-ops.ts';
import { isGradEnabled } from '../autograd/modes.ts';
import { applyAll, type Op, runKernel, runKernel1 } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape, sameShape } from '../core/shape.ts';
import { composedGradients } from './normalization-composed.ts';
import { assertTensor } from './operand.ts';
import { permute } from './shape.ts';

/** The inputs after the first `required` ones, as far as they are there. */
export const affine = <T>(inputs: readonly T[], required: number, { scaled, shifted }: NormalizeAttrs) => ({
  gamma: scaled ? inputs[required] : undefined,
  beta: shifted ? inputs[required + (scaled ? 1 : 0)] : undefined,
});

/** The thunks in the order of the inputs. */
export const thunksOf = (
  required: readonly ((() => Tensor) | undefined)[],
  { scaled, shifted }: NormalizeAttrs,
  gamma: () => Tensor,
  beta: () => Tensor,
): ((() => Tensor) | undefined)[] => [...required, ...(scaled ? [gamma] : []), ...(shifted ? [beta] : [])];

/**
 * x, gamma?, beta? → y, and the centres and variance of each group, through which no gradient flows; one op for each of
 * the public functions, under its name.
 */
export const normalizeOp = (name: string): Op<NormalizeAttrs> => ({
  name,
  forward: (inputs, attrs) => runKernel(name, normalizeKernel, inputs, attrs),
  saves: (inputs, [, centres, variance], _needs, attrs) => [
    inputs[0],
    centres,
    variance,
    affine(inputs, 1, attrs).gamma,
  ],
  backward({ grad, saved, attrs }) {
    const [x, centres, variance, gamma] = saved as [Tensor, Tensor, Tensor, Tensor | undefined];
    if (isGradEnabled()) {
      const composed = composedGradients(x, gamma, grad, attrs);
      return thunksOf([composed.x], attrs, composed.gamma, composed.beta);
    }
    const optional = gamma ? [gamma] : [];
    const statistics = [x, centres, variance, grad];
    let known: Tensor[] | undefined;
    const sums = (index: number): Tensor => {
      known ??= runKernel(`${name} backward`, normalizeSumsKernel, [...statistics, ...optional], {
        ...attrs,
        channels: attrs.scaled || attrs.shifted,
      });
      return known[index] as Tensor;
    };
    const ofChannels = (index: number) => (): Tensor =>
      x.size === 0 ? filled(x.device, [channelsOf(attrs)], 0) : sums(index);
    return thunksOf(
      [
        () => {
          const inputs = [...statistics, sums(0), sums(1), ...optional];
          return runKernel1(`${name} backward`, normalizeGradientKernel, inputs, attrs);
        },
      ],
      attrs,
      ofChannels(3),
      ofChannels(2),
    );
  },
});

export interface Affine {
  readonly gamma?: Tensor | undefined;
  readonly beta?: Tensor | undefined;
}

export function checkEpsilon(op: string, epsilon: number): void {
  if (Number.isFinite(epsilon) && epsilon > 0) return;
  throw new ArgumentError(`${op}: epsilon ${describe(epsilon)} is no finite number above 0; 1e-3 is usual.`);
}

/** Refuses vectors that are not of the expected shape, by their names. */
export function checkVectors(
  op: string,
  x: Tensor,
  shape: readonly number[],
  vectors: Readonly<Record<string, Tensor | undefined>>,
): void {
  for (const [name, vector] of Object.entries(vectors)) {
    if (vector === undefined) continue;
    assertTensor(op, vector);
    if (sameShape(vector.shape, shape)) continue;
    throw new ShapeError(
      `${op}: ${name} has shape ${formatShape(vector.shape)}, but x of shape ${formatShape(x.shape)} needs ` +
        `${formatShape(shape)}; reshape it.`,
    );
  }
}

export function checkInput(op: string, x: unknown): asserts x is Tensor {
  assertTensor(op, x);
  x.assertAlive(op);
}

export const present = (...tensors: (Tensor | undefined)[]): Tensor[] =>
  tensors.filter((tensor) => tensor !== undefined);

/** Runs `body` on x with its channels last, and moves them back. */
export function channelsLast(x: Tensor, axis: number, body: (x: Tensor) => Tensor): Tensor {
  if (axis === x.rank - 1) return body(x);
  const others = x.shape.map((_, other) => other).filter((other) => other !== axis);
  const last = body(permute(x, [...others, axis]));
  return permute(last, [
    ...others.slice(0, axis),
    x.rank - 1,
    ...others.slice(axis).map((other) => other - 1),
  ]);
}

/** Normalises by the statistics of the groups themselves. */
export function normalize(
  op: Op<NormalizeAttrs>,
  x: Tensor,
  { gamma, beta }: Affine,
  geometry: Omit<NormalizeAttrs, 'scaled' | 'shifted'>,
): readonly [y: Tensor, centres: Tensor, variance: Tensor] {
  const attrs = { ...geometry, scaled: gamma !== undefined, shifted: beta !== undefined };
  return applyAll(op, [x, ...present(gamma, beta)], attrs) as [Tensor, Tensor, Tensor];
}
