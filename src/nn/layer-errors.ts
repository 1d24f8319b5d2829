/** Errors tell the layer in which they arose. */
import { WgradError } from '../core/errors.ts';

/** Errors that tell it already: the innermost layer is the one that counts. */
const told = new WeakSet<WgradError>();

/** Runs `body`; an error of ours gets the layer's name in front of its message. */
export function inLayer<T>(layer: { readonly name: string }, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof WgradError && !told.has(error)) {
      told.add(error);
      const { message, stack } = error;
      error.message = `layer '${layer.name}': ${message}`;
      if (stack !== undefined) error.stack = stack.replace(message, () => error.message);
    }
    throw error;
  }
}
