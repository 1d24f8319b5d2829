/** Ctrl-C during a training: the step that runs is finished and saved. A second one ends the process at once. */
import type { Callback } from '../train/callbacks.ts';

export const INTERRUPTED = 130;

export class Interrupt {
  readonly #controller = new AbortController();
  #asked = false;
  readonly #onSignal = (): void => {
    if (this.#asked) process.exit(INTERRUPTED);
    this.#asked = true;
  };

  /** Whether the user asked for the end. */
  get asked(): boolean {
    return this.#asked;
  }

  /** For `fit`: aborted once the checkpoint is written, so that a broken epoch is neither measured nor told. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Put this before the checkpoint, which saves a run that is stopped. */
  readonly stop: Callback = {
    onStepEnd: (_step, run) => {
      if (this.#asked) run.stop('interrupted');
    },
    onEpochEnd: (_epoch, _logs, run) => {
      if (this.#asked) run.stop('interrupted');
    },
  };

  /** Put this behind the checkpoint. */
  readonly abort: Callback = {
    last: true,
    onStepEnd: (step, run) => {
      if (run.stoppedBy === 'interrupted' && step + 1 !== run.steps) this.#controller.abort();
    },
  };

  listen(): void {
    process.on('SIGINT', this.#onSignal);
  }

  end(): void {
    process.off('SIGINT', this.#onSignal);
  }
}
