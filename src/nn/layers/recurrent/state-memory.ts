/** What stateful layers remember from one batch to the next. */
import { copyOf } from '../../../autograd/engine-ops.ts';
import { noGrad } from '../../../autograd/modes.ts';
import { keep } from '../../../autograd/scope.ts';
import type { Tensor } from '../../../autograd/tensor.ts';
import { ShapeError } from '../../../core/errors.ts';
import { assign } from '../../../ops/cast.ts';
import type { Layer } from '../../layer.ts';
import { valuesAreSubstituted } from '../../parameter.ts';

let held = false;

/** Runs `body`, in which stateful layers begin where they stand, and stay there. */
export function withStatesHeld<T>(body: () => T): T {
  const outer = held;
  held = true;
  try {
    return body();
  } finally {
    held = outer;
  }
}

/** The state behind the last batch, apart from its graph: gradients end at the borders of batches. */
export class StateMemory {
  #states: readonly Tensor[] | null = null;

  /** Null before the first batch. */
  get states(): readonly Tensor[] | null {
    return this.#states;
  }

  /**
   * Copies to begin with, or null for zeros.
   *
   * @throws ShapeError when the batch has another size than the one before.
   */
  begin(batch: number): readonly Tensor[] | null {
    // Shapes that are worked out, and checks on copies of the weights, are no part of the series.
    if (!this.#states || valuesAreSubstituted()) return null;
    const size = this.#states[0]?.shape[0];
    if (size !== batch)
      throw new ShapeError(
        `a stateful layer goes on row by row, and a batch of ${batch} follows batches of ${size}; keep the size of the batch, ` +
          'or call resetStates() between them.',
      );
    return noGrad(() => (this.#states as readonly Tensor[]).map(copyOf));
  }

  /** Remembers these, in the same memory as before. */
  remember(states: readonly Tensor[]): void {
    if (held || valuesAreSubstituted()) return;
    noGrad(() => {
      if (this.#states) {
        for (const [index, own] of this.#states.entries()) assign(own, states[index] as Tensor);
      } else {
        this.#states = states.map((state) => keep(copyOf(state)));
      }
    });
  }

  /** The next batch begins at zeros, and may have another size. */
  forget(): void {
    for (const state of this.#states ?? []) state.dispose();
    this.#states = null;
  }
}

/** A layer that remembers its state. */
interface Stateful {
  resetStates(): void;
}

const isStateful = (layer: Layer): layer is Layer & Stateful =>
  'resetStates' in layer && (layer as { readonly stateful?: unknown }).stateful === true;

/**
 * Lets all stateful layers of a model begin at zeros with the next batch: between two series, and at the start of an epoch.
 *
 * ```ts
 * await model.fit(series, { epochs: 5, callbacks: [{ onEpochBegin: () => resetStates(model) }] });
 * ```
 */
export function resetStates(layer: Layer): void {
  if (isStateful(layer)) layer.resetStates();
  for (const [, inner] of layer.sublayers()) resetStates(inner);
}
