/**
 * Where probabilities come from. A loss that gets the output of `softmax` or `sigmoid` works on the logits behind it,
 * which is exact for logits of any size. The note is no part of the graph: it holds the handle of the logits, not their
 * memory, which is given back as ever.
 */
import type { Tensor } from './tensor.ts';

export interface Origin {
  readonly op: 'softmax' | 'sigmoid';
  /** The axis of a softmax, normalised. */
  readonly axis: number;
  readonly input: Tensor;
  /** The versions of both memories when the note was made. */
  readonly inputVersion: number;
  readonly outputVersion: number;
}

/** Notes that `output` was made from `input`. */
export function noteOrigin(output: Tensor, op: Origin['op'], input: Tensor, axis = 0): void {
  // Of a chain of such ops only the last link is kept, or a loop of them would hold all its handles.
  input.origin = null;
  output.origin = {
    op,
    axis,
    input,
    inputVersion: input.storage.version,
    outputVersion: output.storage.version,
  };
}

/**
 * The logits that `probabilities` were made from, and how; null where a loss must take the probabilities as they are:
 * their own gradient is asked for, either memory was overwritten, or that of the logits was given back.
 */
export function originOf(probabilities: Tensor): Origin | null {
  const { origin, state } = probabilities;
  if (!origin) return null;
  const { input, inputVersion, outputVersion } = origin;
  const current =
    !input.disposed &&
    input.storage.version === inputVersion &&
    probabilities.storage.version === outputVersion;
  const wanted = state.retainsGrad || (state.requiresGrad && state.node === null);
  return current && !wanted ? origin : null;
}
