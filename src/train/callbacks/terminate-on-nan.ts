/** Ends a training that has become NaN or infinite, and tells where that began. */
import { checkFiniteKernel } from '../../../kernels/check-finite.ts';
import { BLOCK } from '../../../kernels/optimizer.ts';
import { keep } from '../../autograd/scope.ts';
import { Tensor } from '../../autograd/tensor.ts';
import { isFloat } from '../../core/dtype.ts';
import { ValueRangeError } from '../../core/errors.ts';
import { observeLayers } from '../../nn/layer-observer.ts';
import type { Chunk } from '../../optim/flat-parameters.ts';
import type { Storage } from '../../runtime/device.ts';
import type { Callback, Run } from '../callbacks.ts';
import type { Logs } from '../trainer.ts';

/** The first value of a run that was no finite number. */
export interface NonFinite {
  readonly kind: 'NaN' | 'Infinity' | '-Infinity';
  /** Where it was met. */
  readonly in: 'input' | 'output' | 'loss' | 'gradient';
  /** The layer of an input or output, or the path of a gradient's weight; null for the loss. */
  readonly name: string | null;
  /** Counted from 0. */
  readonly epoch: number;
  readonly step: number;
}

/** What a check looked at. */
type Site =
  | { readonly in: 'input' | 'output'; readonly layer: string }
  | { readonly in: 'loss' }
  | { readonly in: 'gradient'; readonly chunk: Chunk };

interface Check {
  readonly number: number;
  readonly site: Site;
  readonly epoch: number;
  readonly step: number;
}

/** Steps between two looks at the record, each of which waits for the one before it. */
const LOOK_EVERY = 10;

/** The parameter that a place in a flat buffer belongs to. */
function parameterAt({ parameters }: Chunk, position: number): string {
  let end = 0;
  for (const { name, value } of parameters) {
    end += BLOCK * Math.ceil(value.size / BLOCK);
    if (position < end) return name;
  }
  return '';
}

function findingOf({ site, epoch, step }: Check, kinds: number, last: number): NonFinite {
  const kind = kinds & 1 ? 'NaN' : kinds & 2 ? 'Infinity' : '-Infinity';
  const name =
    'layer' in site ? site.layer : site.in === 'gradient' ? parameterAt(site.chunk, last - 1) : null;
  return { kind, in: site.in, name, epoch, step };
}

function messageOf({ kind, in: place, name, epoch, step }: NonFinite): string {
  const where = {
    input: `the input of layer '${name}'`,
    output: `the output of layer '${name}'`,
    loss: 'the loss',
    gradient: `the gradient of '${name}'`,
  };
  return `${kind} in ${where[place]} at epoch ${epoch}, step ${step}`;
}

/**
 * Each check is a dispatch behind what it checks, and the first one that finds something keeps its number in a record on the
 * device. The host remembers the checks since the record was last seen clean, a few steps' worth.
 */
class TerminateOnNaN implements Callback {
  readonly #op = 'terminateOnNaN';
  #found: NonFinite | null = null;
  #record: Tensor | null = null;
  #checks: Check[] = [];
  #numbers = 0;
  #place = { epoch: 0, step: 0 };
  #pending: Promise<NonFinite | null> | null = null;
  #unwatch: (() => void) | null = null;

  /** What ended the last run; null where nothing was found. */
  get found(): NonFinite | null {
    return this.#found;
  }

  onTrainBegin({ device }: Run): void {
    this.#found = null;
    this.#checks = [];
    this.#numbers = 0;
    const storage = device.upload(this.#op, 'int32', new Int32Array(3));
    this.#record = keep(Tensor.adopt({ storage, shape: [3], dtype: 'int32' }, this.#op));
  }

  onStepBegin(step: number, { epoch }: Run): void {
    this.#place = { epoch, step };
    // What one layer hands on, another one does not have to check again. Inner layers leave first.
    const seen = new Set<Storage>();
    const check = (values: readonly Tensor[], place: 'input' | 'output', layer: string): void => {
      for (const value of values) {
        if (seen.has(value.storage)) continue;
        seen.add(value.storage);
        if (isFloat(value.dtype)) this.#check(value, { in: place, layer });
      }
    };
    this.#unwatch = observeLayers({
      leave({ name }, inputs, outputs) {
        check(inputs, 'input', name);
        check(outputs, 'output', name);
      },
    });
  }

  async onStepEnd(step: number, run: Run): Promise<void> {
    this.#endWatch();
    const [loss] = run.meters;
    if (loss) for (const sums of Object.values(loss[1].state())) this.#check(sums, { in: 'loss' });
    for (const chunk of run.optimizer.chunks) this.#check(chunk.gradients.whole, { in: 'gradient', chunk });
    if (run.device.kind === 'cpu') this.#stop(await this.#look(run), run);
    else if ((step + 1) % LOOK_EVERY === 0) {
      const earlier = this.#pending;
      this.#pending = this.#look(run);
      this.#pending.catch(() => {}); // Told by whoever waits for it, or by another read of the run.
      if (earlier) this.#stop(await earlier, run);
    }
  }

  async onEpochEnd(_epoch: number, _logs: Logs, run: Run): Promise<void> {
    this.#stop(await this.#look(run), run);
  }

  /**
   * A loss may refuse an infinite output before it is looked for here. What is found behind the outputs is not the cause of
   * such an error, but its effect.
   */
  async onError(error: unknown, run: Run): Promise<null | undefined> {
    this.#endWatch();
    if (!(error instanceof ValueRangeError)) return undefined;
    const found = await this.#look(run);
    if (found?.in !== 'output' && found?.in !== 'input') return undefined;
    this.#stop(found, run);
    return null;
  }

  async onTrainEnd(): Promise<void> {
    this.#endWatch();
    await Promise.allSettled([this.#pending]);
    this.#pending = null;
    this.#record?.dispose();
    this.#record = null;
  }

  #check(values: Tensor, site: Site): void {
    const record = this.#record;
    if (!record || values.device !== record.device) return;
    const number = ++this.#numbers;
    this.#checks.push({ number, site, ...this.#place });
    values.device.run(this.#op, checkFiniteKernel, [values], { check: number }, { into: [record] });
  }

  /** What the record tells of the checks up to now. */
  async #look(run: Run): Promise<NonFinite | null> {
    const record = this.#record;
    if (!record) return null;
    const done = this.#numbers;
    const [number = 0, kinds = 0, last = 0] = await run.device.read(record.storage);
    const check = this.#checks.find((own) => own.number === number);
    if (check) return findingOf(check, kinds, last);
    this.#checks = this.#checks.filter((own) => own.number > done);
    return null;
  }

  #stop(found: NonFinite | null, run: Run): void {
    if (!found || this.#found) return;
    this.#found = found;
    run.stop(messageOf(found));
  }

  #endWatch(): void {
    this.#unwatch?.();
    this.#unwatch = null;
  }
}

export type { TerminateOnNaN };

/**
 * Ends the training when a layer's input or output, the loss or a gradient is NaN or infinite, and tells what and when:
 * `history.stoppedBy` is then "NaN in the output of layer 'conv2d_1' at epoch 3, step 17", both counted from 0. `fit` resolves, as
 * in Keras, and `found` tells the same to programs. A layer that is infinite on purpose ends the training, too.
 *
 * The checks run on the device and cost one dispatch for each layer, and one look through the gradients; what they find is
 * noticed within 20 steps, on the CPU device at once. Of several, the first one is told: of outputs the first layer's, of
 * gradients the one nearest to the loss.
 */
export const terminateOnNaN = (): TerminateOnNaN => new TerminateOnNaN();
