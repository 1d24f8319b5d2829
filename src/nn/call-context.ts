/** What layers know of the call that they are part of: it is handed down from layer to layer. */
import type { Tensor } from '../autograd/tensor.ts';

export interface CallContext {
  /** Whether layers behave as in training: dropout drops, batch normalisation looks at the batch. */
  readonly training: boolean;
  /** Adds a scalar to the loss of the model that is being trained; elsewhere it is dropped. */
  addLoss(loss: Tensor): void;
}

/** A call under way, and the losses that its layers added. */
class Call implements CallContext {
  readonly training: boolean;
  readonly losses: Tensor[];

  constructor(training: boolean, losses: Tensor[]) {
    this.training = training;
    this.losses = losses;
  }

  addLoss(loss: Tensor): void {
    this.losses.push(loss);
  }
}

let current: Call | null = null;

/** Runs `body` as part of a call; without `training` as the call around it does, or as out of training. */
export function withinCall<T>(training: boolean | undefined, body: (context: CallContext) => T): T {
  const outer = current;
  current = new Call(training ?? outer?.training ?? false, outer?.losses ?? []);
  try {
    return body(current);
  } finally {
    current = outer;
  }
}

/** Runs `body`, and tells what losses the layers inside added. */
export function collectingLosses<T>(body: () => T): { result: T; losses: readonly Tensor[] } {
  const outer = current;
  const losses: Tensor[] = [];
  current = new Call(outer?.training ?? false, losses);
  try {
    return { result: body(), losses };
  } finally {
    current = outer;
  }
}
