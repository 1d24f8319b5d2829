/** Conversion between dtypes, copies between devices, and writes in place. */
import { castKernel } from '../../kernels/cast.ts';
import { isGradEnabled } from '../autograd/modes.ts';
import { apply, type Op, runKernel1 } from '../autograd/op.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { type DType, type HostArray, isFloat } from '../core/dtype.ts';
import { ArgumentError, AutogradError, DeviceMismatchError, DTypeError, ShapeError } from '../core/errors.ts';
import { formatShape, sameShape } from '../core/shape.ts';
import { Device } from '../runtime/device.ts';
import { toHostArray } from './host.ts';
import { assertDType, assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';

interface CastTo {
  readonly dtype: DType;
  readonly scale?: number;
}

const castOp: Op<CastTo> = {
  name: 'cast',
  forward: ([x], attrs) => runKernel1('cast', castKernel, [x as Tensor], attrs),
  backward: ({ grad }) => [() => grad],
};

/**
 * The elements in another dtype. float → int32 truncates and saturates, NaN becomes 0; anything → bool is `≠ 0`.
 * Every float is the device's own. `scale` multiplies while bytes are unpacked: `cast(pixels, 'float', { scale: 1/255 })`.
 */
export function cast(x: Tensor, dtype: DType | 'float', options: { scale?: number } = {}): Tensor {
  assertTensor('cast', x);
  checkOptions('cast', options, ['scale'], 'x, dtype');
  assertDType('cast', dtype);
  const target = dtype === 'float' || isFloat(dtype) ? x.device.float : dtype;
  return apply(castOp, [x], { dtype: target, ...options });
}

/** A copy on another device, outside of the graph; floats become that device's float. */
export async function toDevice(x: Tensor, device: Device): Promise<Tensor> {
  assertTensor('toDevice', x);
  if (!(device instanceof Device))
    throw new ArgumentError(`toDevice: ${describe(device)} is no device; pass what init() returned.`);
  const { shape, dtype, requiresGrad, isLeaf } = x;
  const data = await x.data();
  const target = isFloat(dtype) ? device.float : dtype;
  const storage = device.upload('toDevice', target, toHostArray('toDevice', data, target));
  const copy = Tensor.adopt({ storage, shape, dtype: target }, 'toDevice');
  if (requiresGrad && isLeaf) copy.requiresGrad = true;
  return copy;
}

/**
 * Overwrites the target in place with another tensor of the same shape and dtype, or with host data. Values saved for
 * a backward pass that has not run yet are protected: that pass throws `saved-tensor-modified`.
 */
export function assign(target: Tensor, value: Tensor | HostArray): void {
  assertTensor('assign', target);
  if (isGradEnabled() && target.requiresGrad) {
    throw new AutogradError(
      'in-place-on-graph',
      'assign: the target requires a gradient, and a write in place has none. Wrap the update in noGrad(() => …).',
    );
  }
  if (!(value instanceof Tensor)) {
    if (!ArrayBuffer.isView(value)) {
      throw new ArgumentError(
        `assign: ${describe(value)} is neither a tensor nor a typed array; make one with tensor(…).`,
      );
    }
    if (value.length !== target.size) {
      throw new ShapeError(
        `assign: ${value.length} values for a tensor of shape ${formatShape(target.shape)}; pass ${target.size}.`,
      );
    }
    target.device.write(target.storage, toHostArray('assign', value, target.dtype));
    return;
  }
  value.assertAlive('assign');
  if (value.device !== target.device)
    throw new DeviceMismatchError('assign: the tensors live on different devices; use toDevice() first.');
  if (value.dtype !== target.dtype)
    throw new DTypeError(`assign: ${value.dtype} into ${target.dtype}; cast the value first.`);
  if (!sameShape(value.shape, target.shape)) {
    throw new ShapeError(
      `assign: shape ${formatShape(value.shape)} into ${formatShape(target.shape)}; they must be equal.`,
    );
  }
  target.device.copy(value.storage, target.storage);
}
