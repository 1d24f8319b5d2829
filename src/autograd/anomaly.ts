/**
 * The anomaly mode: looks at every value that an op makes, forward or backward, and names the op and the line of user
 * code that first made a NaN or an infinity. It reads every result, so it is slow.
 */

import { type HostArray, isFloat } from '../core/dtype.ts';
import { AnomalyError, AsyncCallbackError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { userFrame } from '../core/stack.ts';
import type { Device, Operand } from '../runtime/device.ts';
import { anomalyMode, enterAnomalyMode } from './anomaly-mode.ts';
import type { Node } from './graph.ts';
import { isPromise } from './modes.ts';

/** The node whose gradient is being computed. */
let inBackward: Node | null = null;

/** Marks that `body` computes the gradient of `node`. */
export function withGradientOf<T>(node: Node, body: () => T): T {
  if (!anomalyMode()) return body();
  const before = inBackward;
  inBackward = node;
  try {
    return body();
  } finally {
    inBackward = before;
  }
}

interface Suspect {
  readonly op: string;
  readonly place: string;
  readonly node: Node | null;
  readonly output: Operand;
  readonly values: Promise<HostArray>;
}

function describe({ op, place, node, output }: Suspect, index: number, value: number): string {
  const what = `${op} made the value ${value} at element ${index} of its result of shape ${formatShape(output.shape)}`;
  return node
    ? `In the backward pass of ${node.op.name}, ${what}. ${node.op.name} was called ${node.place ?? 'outside of the anomaly mode'}; ` +
        `backward was called ${place}.`
    : `${what}. It was called ${place}.`;
}

/**
 * Runs `body` and rejects with an `AnomalyError` that names the first op, in program order, whose result held a NaN
 * or an infinity, forward or backward, and the line of your code that called it.
 *
 * @returns what `body` returned, when all values were finite.
 */
export async function detectAnomaly<T>(device: Device, body: () => T): Promise<T> {
  const suspects: Suspect[] = [];
  const stop = device.observe({
    dispatch({ op, outputs }) {
      for (const output of outputs) {
        if (!isFloat(output.dtype)) continue;
        const values = device.read(output.storage);
        values.catch(() => {}); // Met below, unless something else is reported first.
        suspects.push({ op, place: userFrame(), node: inBackward, output, values });
      }
    },
  });
  const leave = enterAnomalyMode();
  let result: T;
  try {
    result = body();
    if (isPromise(result)) throw new AsyncCallbackError('detectAnomaly');
  } finally {
    leave();
    stop();
  }
  for (const suspect of suspects) {
    const values = await suspect.values;
    const index = values.findIndex((value) => !Number.isFinite(value));
    if (index >= 0) throw new AnomalyError(describe(suspect, index, values[index] as number));
  }
  return result;
}
