/** Transposed convolutions: the adjoints of `conv1d`, `conv2d` and `conv3d`, which spread x instead of gathering it. */
import { apply } from '../autograd/op.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import {
  convOps,
  type EpilogueOptions,
  epilogueOf,
  filterShapes,
  imageShapes,
  kernelGeometry,
  withBias,
} from './conv-core.ts';
import { checkFilterShape, checkGroups, checkInputRank, transposedGeometry } from './conv-geometry.ts';
import { assertTensor } from './operand.ts';
import { checkOptions } from './options.ts';
import type { ConvPadding, PerAxis } from './window-geometry.ts';

export interface ConvTransposeOptions extends EpilogueOptions {
  /** How far neighbouring elements of x are spread apart. Default: 1. */
  strides?: PerAxis | undefined;
  /** `'valid'`, `'same'`, or how many positions are cut from the edges of the result. Default: valid. */
  padding?: Exclude<ConvPadding, 'causal'> | undefined;
  /**
   * How many positions the result has beyond (x − 1)·stride + span (minus the padding; for `'same'`, beyond
   * (x − 1)·stride + span mod 2); less than the stride. Default: what `padding` says for `'valid'` and `'same'`, else 0.
   */
  outputPadding?: PerAxis | undefined;
  /** How far neighbouring taps lie apart. Default: 1. */
  dilationRate?: PerAxis | undefined;
  /** Cuts the channels into so many groups, each of which sees only its own. Default: 1. */
  groups?: number | undefined;
}

const KEYS = ['strides', 'padding', 'outputPadding', 'dilationRate', 'groups', 'bias', 'activation'] as const;

function transposedConv(name: string, spatial: number) {
  const ops = convOps({ conv: `${name}Input`, convInput: name, convFilter: `${name}Filter` });
  return (x: Tensor, filter: Tensor, options: ConvTransposeOptions = {}): Tensor => {
    checkOptions(name, options, KEYS, 'x, filter');
    assertTensor(name, x);
    assertTensor(name, filter);
    const { groups = 1 } = options;
    checkInputRank(name, x.shape, spatial);
    checkFilterShape(name, 'filter', filter.shape, spatial, 'filters / groups, channels');
    const [perGroup, channels] = filter.shape.slice(-2) as [number, number];
    const filters = perGroup * groups;
    checkGroups(name, groups, channels, filters);
    if (channels !== x.shape[spatial + 1]) {
      throw new ShapeError(
        `${name}: x has shape ${formatShape(x.shape)}, the filter ${formatShape(filter.shape)}; the last axes of both are the ` +
          'channels of x and must be equal. A transposed filter is (…, filters, channels).',
      );
    }
    const epilogue = epilogueOf(name, options, filters);
    const axes = transposedGeometry(name, x.shape.slice(1, -1), filter.shape.slice(0, -2), options);
    const result = [x.shape[0] as number, ...axes.map(({ output }) => output), filters];
    const connection = {
      geometry: kernelGeometry(axes, groups),
      x: imageShapes(result),
      w: filterShapes(filter.shape),
      y: imageShapes(x.shape),
    };
    return apply(ops.convInput, withBias(x, filter, options.bias), { connection, epilogue });
  };
}

/**
 * y[n, i, f] = activation(Σ x[n, o, c] · filter[t, f, c] + bias[f]) over all positions o and taps t with i = o·stride +
 * t·dilation − before: the adjoint of the convolution that has the same filter and options.
 *
 * x is (batch, steps, channels), filter (taps, filters / groups, channels). The result has (steps − 1)·stride + max(span,
 * stride) positions for `'valid'`, steps·stride for `'same'`, where span = (taps − 1)·dilationRate + 1. Names, defaults
 * and extents are Keras 3's, groups are added. Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep
 * learning", 2016.
 *
 * @throws ShapeError when ranks, channels or the bias do not fit, and where the padding leaves nothing; ArgumentError for
 *   options that are none, and for an outputPadding that is not below the stride.
 */
export const conv1dTranspose = transposedConv('conv1dTranspose', 1);

/** `conv1dTranspose` over two axes: x (batch, height, width, channels), filter (height, width, filters / groups, channels). */
export const conv2dTranspose = transposedConv('conv2dTranspose', 2);

/** `conv1dTranspose` over three axes: x (batch, depth, height, width, channels), filter (depth, height, width, filters / groups, channels). */
export const conv3dTranspose = transposedConv('conv3dTranspose', 3);
