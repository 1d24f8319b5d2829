/** What the kernels know of each parameter of a chunk: its rate factor, whether it decays, and whether it has a gradient. */
import { SEGMENT_COLUMNS } from '../../kernels/optimizer.ts';
import { keep } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { checkNumber } from '../core/check.ts';
import { hostArray } from '../core/dtype.ts';
import type { Chunk } from './flat-parameters.ts';
import type { OptimizerOptions } from './optimizer-options.ts';

export class SegmentTable {
  /** Row by row, the columns of `SEGMENT_COLUMNS`. */
  readonly tensor: Tensor;
  readonly #factors: readonly number[];
  readonly #decays: readonly number[];
  /** The third column as it was last written. */
  #active: Uint8Array | null = null;

  constructor(op: string, { parameters, values }: Chunk, options: OptimizerOptions) {
    const { excludeFromWeightDecay = [], learningRateFactor = () => 1 } = options;
    const excluded = (name: string): boolean =>
      excludeFromWeightDecay.some((part) =>
        part instanceof RegExp ? name.search(part) >= 0 : name.includes(part),
      );
    this.#factors = parameters.map(({ name }) => {
      const factor = learningRateFactor(name);
      checkNumber(op, `learningRateFactor of '${name}'`, factor, { atLeast: 0 });
      return factor;
    });
    this.#decays = parameters.map(({ name }) => (excluded(name) ? 0 : 1));
    const shape = [parameters.length, SEGMENT_COLUMNS];
    const storage = values.device.allocate(op, values.dtype, parameters.length * SEGMENT_COLUMNS);
    this.tensor = keep(Tensor.adopt({ storage, shape, dtype: values.dtype }, op));
  }

  /** Tells the device which parameters have a gradient, where that has changed. */
  setActive(active: Uint8Array): void {
    const before = this.#active;
    if (before && active.every((flag, index) => flag === before[index])) return;
    this.#active = active.slice();
    const { dtype, device, storage, size } = this.tensor;
    const data = hostArray(dtype, size);
    active.forEach((flag, index) => {
      const row = [this.#factors[index] as number, this.#decays[index] as number, flag];
      data.set(row, SEGMENT_COLUMNS * index);
    });
    device.write(storage, data);
  }

  dispose(): void {
    this.tensor.dispose();
  }
}
