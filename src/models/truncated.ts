/** Backpropagation through time over series that are too long for one graph. */
import { noGrad } from '../autograd/modes.ts';
import { scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { resetStates, withStatesHeld } from '../nn/layers/recurrent/state-memory.ts';
import { tensor } from '../ops/create.ts';
import { checkOptions } from '../ops/options.ts';
import { along } from '../ops/slice.ts';
import type { Model } from './model.ts';

/** Series side by side. */
export interface SeriesData {
  /** (batch, steps, features), or (batch, steps) of int32. */
  x: Tensor;
  /** What the model is to give at each step: (batch, steps, …). */
  y: Tensor;
}

export interface TruncatedOptions {
  /** How many steps the window moves from one update to the next. */
  k1: number;
  /** How many steps gradients flow back, k1 or more. Default: k1. */
  k2?: number;
}

/** A window that was trained on: the steps from `from` up to, but not including, `to`. */
export interface TruncatedStep {
  readonly from: number;
  readonly to: number;
}

/** Windows between two waits for the device, so that it is never far behind. */
const WAIT_EVERY = 10;

/** 0 for losses of steps that an earlier window had, and such a weight for the others that the mean is theirs. */
function weightsOfNew(batch: number, steps: number, fresh: number): Tensor {
  const row = Array.from({ length: steps }, (_, step) => (step < steps - fresh ? 0 : steps / fresh));
  return tensor(Array.from({ length: batch }, () => row));
}

/**
 * Truncated backpropagation through time (Williams and Peng, 1990): every k1 steps the model, whose recurrent layers are
 * stateful and return sequences, learns from the losses of k1 new steps, with gradients that flow back over the last k2. The
 * memory depends on k2, not on the length of the series. With k2 > k1 the first k1 steps of a window run a second time,
 * without gradients, to find the state that the next window begins with.
 *
 * The states begin at zeros. Metrics, and `model.trainer.logs()`, gather over all windows. What is left of the series behind the
 * last whole window is not trained on.
 *
 * ```ts
 * for await (const { to } of truncatedSteps(model, { x, y }, { k1: 20, k2: 60 })) console.log(to);
 * console.log(await model.trainer.logs());
 * ```
 *
 * @throws ArgumentError for k1 below 1, k2 below k1, series that are no tensors or shorter than k2, and x and y that do not go
 *   together.
 */
export async function* truncatedSteps(
  model: Model,
  data: SeriesData,
  options: TruncatedOptions,
): AsyncGenerator<TruncatedStep, void> {
  const op = 'truncatedSteps';
  checkOptions(op, options, ['k1', 'k2'], 'model, data');
  const { k1, k2 = k1 } = options;
  checkNumber(op, 'k1', k1, { atLeast: 1, whole: true });
  checkNumber(op, 'k2', k2, { atLeast: k1, whole: true });
  const { x, y } = data;
  for (const [name, series] of [
    ['x', x],
    ['y', y],
  ] as const)
    if (!(series instanceof Tensor) || series.rank < 2)
      throw new ArgumentError(
        `${op}: ${name} is ${describe(series)}; pass a tensor of series, (batch, steps, …).`,
      );
  const [batch, steps] = x.shape as readonly [number, number];
  if (batch !== y.shape[0] || steps !== y.shape[1] || steps < k2)
    throw new ArgumentError(
      `${op}: x has ${batch} series of ${steps} steps, y ${y.shape[0]} of ${y.shape[1]}; both must have as many, and k2 = ${k2} ` +
        'steps at least.',
    );
  const { trainer } = model;
  trainer.resetMeters();
  resetStates(model);
  yield* trainer.alone(windows());

  async function* windows(): AsyncGenerator<TruncatedStep, void> {
    for (let from = 0, count = 1; from + k2 <= steps; from += k1, count++) {
      const to = from + k2;
      scope(() => {
        const own = { x: along(x, 1, from, to), y: along(y, 1, from, to) };
        const fresh = from === 0 ? k2 : k1;
        const sampleWeight = fresh < k2 ? { sampleWeight: weightsOfNew(batch, k2, fresh) } : {};
        const loaded = trainer.load(op, { ...own, ...sampleWeight }, x.device);
        if (k2 === k1) return trainer.trainStep(loaded);
        withStatesHeld(() => trainer.trainStep(loaded));
        noGrad(() => void model.applyAll(along(x, 1, from, from + k1)));
      });
      if (count % WAIT_EVERY === 0) await x.device.idle();
      yield { from, to };
    }
  }
}
