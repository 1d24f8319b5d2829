/** Weights by their paths: reading them out of a layer and putting others in. */
import { noGrad } from '../autograd/modes.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { WgradError } from '../core/errors.ts';
import { formatShape, sameShape } from '../core/shape.ts';
import { assign } from '../ops/cast.ts';
import type { Layer } from './layer.ts';
import type { Parameter } from './parameter.ts';

/** Weights that do not belong to a model. Nothing was changed. */
export class WeightsError extends WgradError {
  /** Paths that the model has and the file lacks. */
  readonly missing: readonly string[];
  /** Paths that only the file has. */
  readonly unexpected: readonly string[];
  /** Paths of other shapes. */
  readonly mismatched: readonly string[];

  constructor(
    op: string,
    missing: readonly string[],
    unexpected: readonly string[],
    mismatched: readonly string[],
  ) {
    const lines = [
      ...missing.map((path) => `  missing: ${path}`),
      ...unexpected.map((path) => `  unexpected: ${path}`),
      ...mismatched.map((line) => `  shape: ${line}`),
    ];
    super(
      'weights',
      `${op}: the weights are those of another model; nothing was changed.\n${lines.join('\n')}`,
    );
    this.missing = missing;
    this.unexpected = unexpected;
    this.mismatched = mismatched;
  }
}

export interface AssignWeightsOptions {
  /** Load what fits, and leave the rest as it is. Default: false. */
  partial?: boolean;
  /** Runs after the checks and before the first weight is changed; when it throws, nothing is. */
  commit?: () => void;
}

/**
 * Overwrites the weights of a built layer.
 *
 * @throws WeightsError that lists all that is missing, unexpected or of another shape, before anything is changed.
 */
export function assignWeights(
  op: string,
  layer: Layer,
  tensors: Readonly<Record<string, Tensor>>,
  options: AssignWeightsOptions = {},
): void {
  const weights = new Map<string, Parameter>(layer.namedWeights());
  const missing = [...weights.keys()].filter((path) => !Object.hasOwn(tensors, path));
  const unexpected = Object.keys(tensors).filter((path) => !weights.has(path));
  const mismatched = [...weights].flatMap(([path, { shape }]) => {
    const given = tensors[path];
    if (!given || sameShape(given.shape, shape)) return [];
    return [`${path} is ${formatShape(given.shape)}, the model has ${formatShape(shape)}`];
  });
  const clean = mismatched.length + (options.partial ? 0 : missing.length + unexpected.length) === 0;
  if (!clean) throw new WeightsError(op, missing, unexpected, mismatched);
  options.commit?.();
  noGrad(() => {
    for (const [path, { value }] of weights) {
      const given = tensors[path];
      if (given) assign(value, given);
    }
  });
}
