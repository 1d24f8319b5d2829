/** Whether ops join the graph. */
import { AsyncCallbackError } from '../core/errors.ts';

let enabled = true;

export const isGradEnabled = (): boolean => enabled;

export const isPromise = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

function withGrad<T>(state: boolean, where: string, body: () => T): T {
  const before = enabled;
  enabled = state;
  try {
    const result = body();
    if (isPromise(result)) {
      // It may yet reject as a consequence; the error below is the news.
      (result as Promise<unknown>).then(undefined, () => {});
      throw new AsyncCallbackError(where);
    }
    return result;
  } finally {
    enabled = before;
  }
}

/** Runs `body` without recording a graph. `body` is synchronous. */
export const noGrad = <T>(body: () => T): T => withGrad(false, 'noGrad', body);

/** Records a graph again inside `noGrad`. */
export const enableGrad = <T>(body: () => T): T => withGrad(true, 'enableGrad', body);
