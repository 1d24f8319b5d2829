/** Convolutions: every function with what its geometry can be, with a bias, and with each activation. */
import { convFilterKernel, convInputKernel, convKernel } from '../../../kernels/conv.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import {
  conv1d,
  conv2d,
  conv3d,
  depthwiseConv1d,
  depthwiseConv2d,
  type SeparableConvOptions,
  separableConv1d,
  separableConv2d,
} from '../../ops/conv.ts';
import type { EpilogueOptions } from '../../ops/conv-core.ts';
import { conv1dTranspose, conv2dTranspose, conv3dTranspose } from '../../ops/conv-transpose.ts';
import { epilogueActivations } from '../../ops/epilogue.ts';
import { awayFromZero, type CatalogEntry, differentiable, type GradCase, gradCase, within } from './types.ts';

type Extents = readonly number[];

type Conv<Options> = (x: Tensor, filter: Tensor, options?: Options) => Tensor;

/** What is special, the shapes of x and of the filter, and the options. */
type Row<Options> = readonly [name: string, x: Extents, filter: Extents, options?: Options];

/** A case with a bias for each activation; the results have two channels. */
function closing(
  f: (inputs: readonly Tensor[], epilogue: EpilogueOptions) => Tensor,
  x: Extents,
  filters: readonly Extents[],
): GradCase[] {
  return epilogueActivations.map((activation) =>
    gradCase(
      `bias, ${activation}`,
      (...inputs) => f(inputs, { bias: inputs.at(-1), activation }),
      // One channel has sums above 0.09, the other below −0.09, and the bias moves them by less: away from relu's kink.
      within(0.3, 1.6, x),
      ...filters.map((shape, index) =>
        index === filters.length - 1 ? awayFromZero(shape) : within(0.3, 1.6, shape, 1),
      ),
      within(-0.05, 0.05, [2], 2),
    ),
  );
}

function entry<Options extends EpilogueOptions>(
  op: string,
  f: Conv<Options>,
  rows: readonly Row<Options>[],
  [x, filter, geometry]: readonly [x: Extents, filter: Extents, geometry: Options],
): CatalogEntry {
  const kernels = [convKernel, convInputKernel, convFilterKernel];
  return differentiable(op, 'convolution', kernels, [
    ...rows.map(([name, xShape, filterShape, options]) =>
      gradCase(
        name,
        (...inputs) => f(inputs[0] as Tensor, inputs[1] as Tensor, options),
        within(-1, 1, xShape),
        within(-1, 1, filterShape, 1),
      ),
    ),
    ...closing(
      (inputs, epilogue) => f(inputs[0] as Tensor, inputs[1] as Tensor, { ...geometry, ...epilogue }),
      x,
      [filter],
    ),
  ]);
}

const plain: readonly CatalogEntry[] = [
  entry(
    'conv1d',
    conv1d,
    [
      ['valid', [2, 5, 2], [3, 2, 2]],
      ['same, strides', [1, 5, 2], [2, 2, 1], { padding: 'same', strides: 2 }],
      ['causal, dilation', [1, 5, 2], [2, 2, 2], { padding: 'causal', dilationRate: 2 }],
      ['stride beyond the filter', [1, 6, 2], [2, 2, 2], { strides: 3 }],
      ['padding by pairs, groups', [1, 4, 4], [2, 2, 2], { padding: [[0, 2]], groups: 2 }],
      ['strides and dilation', [1, 7, 1], [2, 1, 2], { strides: 2, dilationRate: 3 }],
    ],
    [[1, 4, 1], [2, 1, 2], { padding: 'causal' }],
  ),
  entry(
    'conv2d',
    conv2d,
    [
      ['valid', [2, 3, 4, 2], [2, 3, 2, 2]],
      ['same, strides', [1, 4, 3, 1], [3, 2, 1, 2], { padding: 'same', strides: [2, 1] }],
      ['same, dilation', [1, 4, 4, 1], [2, 2, 1, 2], { padding: 'same', dilationRate: [1, 2] }],
      ['one pixel', [2, 1, 1, 2], [3, 3, 2, 2], { padding: 'same' }],
      ['one tap', [1, 2, 3, 3], [1, 1, 3, 2]],
      ['padding, groups', [1, 2, 3, 4], [2, 2, 2, 2], { padding: [1, [0, 1]], groups: 2 }],
    ],
    [[1, 3, 3, 1], [2, 2, 1, 2], { padding: 1, strides: 2 }],
  ),
  entry(
    'conv3d',
    conv3d,
    [
      ['valid', [2, 2, 3, 2, 1], [2, 2, 1, 1, 2]],
      ['same, strides', [1, 3, 2, 3, 1], [2, 1, 2, 1, 2], { padding: 'same', strides: [2, 1, 2] }],
      ['dilation, groups', [1, 3, 2, 3, 2], [2, 1, 2, 1, 2], { dilationRate: [2, 1, 2], groups: 2 }],
    ],
    [[1, 2, 2, 3, 1], [1, 2, 2, 1, 2], { padding: 'same' }],
  ),
];

const transposed: readonly CatalogEntry[] = [
  entry(
    'conv1dTranspose',
    conv1dTranspose,
    [
      ['valid', [2, 4, 2], [3, 2, 2]],
      ['stride beyond the filter', [1, 3, 2], [2, 2, 2], { strides: 3 }],
      ['same, strides', [1, 3, 2], [3, 1, 2], { padding: 'same', strides: 2 }],
      ['same, outputPadding', [1, 3, 1], [4, 2, 1], { padding: 'same', strides: 2, outputPadding: 1 }],
      ['padding by pairs, dilation', [1, 4, 1], [2, 2, 1], { padding: [[1, 0]], dilationRate: 2 }],
      ['groups', [1, 3, 4], [2, 1, 4], { groups: 2 }],
    ],
    [[1, 3, 1], [2, 2, 1], { strides: 2 }],
  ),
  entry(
    'conv2dTranspose',
    conv2dTranspose,
    [
      ['valid', [2, 2, 3, 2], [2, 3, 2, 2]],
      ['same, strides', [1, 2, 3, 1], [3, 2, 2, 1], { padding: 'same', strides: [2, 1] }],
      ['outputPadding', [1, 2, 2, 1], [2, 2, 2, 1], { strides: 2, padding: 1, outputPadding: [1, 0] }],
      ['dilation, groups', [1, 2, 2, 4], [2, 2, 1, 4], { dilationRate: [1, 2], groups: 2 }],
    ],
    [[1, 2, 2, 1], [2, 2, 2, 1], { padding: 'same' }],
  ),
  entry(
    'conv3dTranspose',
    conv3dTranspose,
    [
      ['valid', [1, 2, 1, 2, 2], [2, 1, 2, 1, 2]],
      ['same, strides', [1, 1, 2, 2, 1], [2, 1, 3, 2, 1], { padding: 'same', strides: [2, 1, 2] }],
    ],
    [[1, 2, 1, 2, 1], [1, 2, 2, 2, 1], { strides: [1, 2, 1] }],
  ),
];

const depthwise: readonly CatalogEntry[] = [
  entry(
    'depthwiseConv1d',
    depthwiseConv1d,
    [
      ['valid', [2, 4, 3], [2, 3, 2]],
      ['same, strides', [1, 5, 2], [3, 2, 1], { padding: 'same', strides: 2 }],
      ['causal, dilation', [1, 4, 2], [2, 2, 2], { padding: 'causal', dilationRate: 2 }],
    ],
    [[1, 4, 1], [2, 1, 2], { padding: 'same' }],
  ),
  entry(
    'depthwiseConv2d',
    depthwiseConv2d,
    [
      ['valid', [2, 3, 2, 2], [2, 2, 2, 2]],
      ['same, strides', [1, 4, 3, 2], [3, 2, 2, 1], { padding: 'same', strides: 2 }],
      ['padding, dilation', [1, 3, 3, 2], [2, 2, 2, 1], { padding: [[1, 0], 1], dilationRate: 2 }],
    ],
    [[1, 3, 2, 1], [2, 2, 1, 2], {}],
  ),
];

type Separable = (x: Tensor, first: Tensor, second: Tensor, options?: SeparableConvOptions) => Tensor;

function separableEntry(
  op: string,
  f: Separable,
  rows: readonly (readonly [
    name: string,
    x: Extents,
    first: Extents,
    second: Extents,
    options?: SeparableConvOptions,
  ])[],
  [x, first, second]: readonly [x: Extents, first: Extents, second: Extents],
): CatalogEntry {
  const call = (inputs: readonly Tensor[], options?: SeparableConvOptions): Tensor =>
    f(inputs[0] as Tensor, inputs[1] as Tensor, inputs[2] as Tensor, options);
  return differentiable(
    op,
    'convolution',
    [convKernel, convInputKernel, convFilterKernel],
    [
      ...rows.map(([name, xShape, firstShape, secondShape, options]) =>
        gradCase(
          name,
          (...inputs) => call(inputs, options),
          within(-1, 1, xShape),
          within(-1, 1, firstShape, 1),
          within(-1, 1, secondShape, 2),
        ),
      ),
      ...closing(call, x, [first, second]),
    ],
  );
}

const separable: readonly CatalogEntry[] = [
  separableEntry(
    'separableConv1d',
    separableConv1d,
    [
      ['valid', [2, 4, 2], [2, 2, 2], [1, 4, 2]],
      ['causal, dilation', [1, 4, 2], [2, 2, 1], [1, 2, 2], { padding: 'causal', dilationRate: 2 }],
      ['same, strides', [1, 5, 1], [3, 1, 2], [1, 2, 2], { padding: 'same', strides: 2 }],
    ],
    [
      [1, 4, 2],
      [2, 2, 1],
      [1, 2, 2],
    ],
  ),
  separableEntry(
    'separableConv2d',
    separableConv2d,
    [
      ['valid', [1, 3, 3, 2], [2, 2, 2, 1], [1, 1, 2, 2]],
      ['same, strides', [1, 3, 4, 1], [2, 3, 1, 2], [1, 1, 2, 2], { padding: 'same', strides: [1, 2] }],
      ['dilation', [1, 3, 3, 1], [2, 2, 1, 1], [1, 1, 1, 2], { padding: 'same', dilationRate: 2 }],
    ],
    [
      [1, 2, 3, 1],
      [2, 2, 1, 2],
      [1, 1, 2, 2],
    ],
  ),
];

export const convEntries: readonly CatalogEntry[] = [...plain, ...transposed, ...depthwise, ...separable];
