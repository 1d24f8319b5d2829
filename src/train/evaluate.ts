/** Measuring a model on data, and asking it for its predictions. */
import { noGrad } from '../autograd/modes.ts';
import { keep, scope } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Dataset } from '../data/dataset.ts';
import { tensorsOf } from '../data/stages.ts';
import { concat } from '../ops/structure.ts';
import type { Device } from '../runtime/device.ts';
import { checkLimitOf, checkShapeOf, inputsOf, type Value } from './columns.ts';
import { prepared, wantedOf } from './fit-data.ts';
import type { Port, Trainable } from './signature.ts';
import type { Trainer } from './trainer.ts';

/** Batches between two waits for the device, so that it is never far behind. */
const WAIT_EVERY = 10;

/**
 * Loss and metrics over batches, without learning from them. The averages of a training that runs go on afterwards, as long
 * as its next step waits for the result.
 */
export async function measure(
  op: string,
  trainer: Trainer,
  batches: Dataset<unknown>,
  device: Device,
  signal?: AbortSignal,
): Promise<Record<string, number>> {
  if (batches.size === Number.POSITIVE_INFINITY)
    throw new ArgumentError(`${op}: the dataset has no end; take() some of it.`);
  return trainer.aside(device, async () => {
    let count = 0;
    for await (const batch of batches.from({ epoch: 0, index: 0 })) {
      signal?.throwIfAborted();
      scope(() => trainer.testStep(trainer.load(op, batch, device)));
      if (++count % WAIT_EVERY === 0) await device.idle();
    }
    return trainer.logs();
  });
}

/** The outputs for all batches, one above the other. */
export async function predictBatches(
  op: string,
  model: Trainable,
  batches: AsyncIterable<unknown>,
  device: Device,
): Promise<Tensor[]> {
  const { inputs } = model.signature();
  const found: Tensor[][] = [];
  try {
    for await (const x of batches) {
      const outputs = scope(() =>
        noGrad(() => {
          const values = inputsOf(op, x, inputs).map((value, index) =>
            toDevice(op, value, inputs[index] as Port, device),
          );
          return [...model.applyAll(values, { training: false })];
        }),
      );
      found.push(outputs.map((output) => keep(output)));
      if (found.length % WAIT_EVERY === 0) await device.idle();
    }
    const [first = []] = found;
    return scope(() =>
      first.map((_, index) => keep(concat(found.map((outputs) => outputs[index] as Tensor)))),
    );
  } finally {
    for (const outputs of found) for (const output of outputs) output.dispose();
  }
}

function toDevice(op: string, value: Value, port: Port, device: Device): Tensor {
  checkShapeOf(op, 'x', value, port);
  const own = prepared(op, 'x', value, wantedOf(port));
  checkLimitOf(op, 'x', own, port);
  return own instanceof Tensor ? own : (tensorsOf(own, device) as Tensor);
}
