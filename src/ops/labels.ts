/** Labels on their way into vectors and counts. A negative one is a mistake: it does not count from the end. */
import { oneHotKernel } from '../../kernels/gather.ts';
import { bincountKernel } from '../../kernels/scatter.ts';
import { noGrad } from '../autograd/modes.ts';
import { runKernel1 } from '../autograd/op.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Device } from '../runtime/device.ts';
import { deviceOf } from './create.ts';
import { type Indices, withIndices } from './indices.ts';
import { checkOptions, deviceOfTensor } from './options.ts';

export interface OneHotOptions {
  /** Default: 1. */
  onValue?: number;
  /** Default: 0. */
  offValue?: number;
  /** For host numbers. Default: the default device. */
  device?: Device;
}

/** A whole number ≥ 0, and ≥ 1 where there is something to put: on a GPU, a result without elements reports nothing. */
function checkExtent(op: string, what: string, extent: unknown, indices: Indices): void {
  if (!Number.isInteger(extent) || (extent as number) < 0)
    throw new ArgumentError(`${op}: ${what} ${describe(extent)}; pass a whole number ≥ 0.`);
  if (extent === 0 && indices instanceof Tensor && indices.size > 0)
    throw new ArgumentError(
      `${op}: ${what} 0 leaves no place for ${indices.size} indices; pass a larger one.`,
    );
}

const targetOf = (op: string, indices: Indices, options: { device?: Device }): Device =>
  indices instanceof Tensor ? deviceOfTensor(op, indices, options) : deviceOf(op, options);

/**
 * Rows of `depth` floats, `(…indices, depth)`: `onValue` at the index, `offValue` elsewhere. A negative index is out of
 * range: as a label it is a mistake.
 */
export function oneHot(indices: Indices, depth: number, options: OneHotOptions = {}): Tensor {
  checkOptions('oneHot', options, ['onValue', 'offValue', 'device'], 'indices, depth');
  const { onValue = 1, offValue = 0 } = options;
  checkExtent('oneHot', 'depth', depth, indices);
  for (const value of [onValue, offValue] as unknown[]) {
    if (typeof value !== 'number')
      throw new ArgumentError(`oneHot: the value ${describe(value)} is no number; pass a number.`);
  }
  const device = targetOf('oneHot', indices, options);
  return withIndices(
    'oneHot',
    device,
    indices,
    () => [depth],
    (own, checked) =>
      noGrad(() =>
        runKernel1('oneHot', oneHotKernel, [own], { depth, onValue, offValue, dtype: device.float, checked }),
      ),
    false,
  );
}

/** How often each of the numbers 0 to size − 1 occurs, int32; a negative one is out of range. */
export function bincount(x: Indices, size: number, options: { device?: Device } = {}): Tensor {
  checkOptions('bincount', options, ['device'], 'x, size');
  checkExtent('bincount', 'size', size, x);
  return withIndices(
    'bincount',
    targetOf('bincount', x, options),
    x,
    () => [size],
    (own, checked) => noGrad(() => runKernel1('bincount', bincountKernel, [own], { size, checked })),
    false,
  );
}
