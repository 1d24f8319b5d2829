/** Fuzz cases for the three kernels of convolution. */
import fc from 'fast-check';
import {
  type ConvAttrs,
  type ConvFilterAttrs,
  type ConvInputAttrs,
  convFilterKernel,
  convInputKernel,
  convKernel,
  type Triple,
} from '../../kernels/conv.ts';
import type { HostTensor } from '../../kernels/kernel.ts';
import type { MatmulActivation } from '../../kernels/matmul.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';
import { type FuzzCase, family } from '../support/fuzz-case.ts';
import { plant, uniforms } from '../support/random.ts';

/** Half an ulp of 1 in float32. */
const U = 2 ** -24;
const MAX_ELEMENTS = 50000;
/** Multiplications that the reference can do in a blink. */
const MAX_PRODUCTS = 400000;

/** All that is free in a convolution; x and y may have any extents, since what lies beyond x is padding. */
interface Layout {
  readonly batch: number;
  readonly input: Triple;
  readonly output: Triple;
  readonly kernel: Triple;
  readonly strides: Triple;
  readonly dilation: Triple;
  readonly before: Triple;
  readonly groups: number;
  readonly channelGroup: number;
  readonly filterGroup: number;
}

type Axis = readonly [
  input: number,
  output: number,
  kernel: number,
  stride: number,
  dilation: number,
  before: number,
];

/** One axis: extents that follow from the other numbers, as in real layers, or any at all. */
const axis = (extents: fc.Arbitrary<number>): fc.Arbitrary<Axis> =>
  fc
    .tuple(
      extents,
      fc.constantFrom(1, 2, 3, 3, 4, 5, 7),
      fc.constantFrom(1, 1, 1, 2, 3, 5),
      fc.constantFrom(1, 1, 1, 2, 3),
      fc.constantFrom(0, 1, 2, 3, 9),
      fc.constantFrom(0, 0, 0, 1, 4),
      fc.boolean(),
    )
    .map(([input, kernel, stride, dilation, before, more, same]) => {
      const reach = (kernel - 1) * dilation + 1;
      const ahead = same ? reach >> 1 : before;
      const output = Math.max(0, Math.floor((input + 2 * ahead - reach) / stride) + 1);
      return [input, output + more, kernel, stride, dilation, ahead] as const;
    });

const flat: fc.Arbitrary<Axis> = fc.constant([1, 1, 1, 1, 1, 0] as const);

/** One, two and three dimensions; extents of 0, 1, primes. */
const axes: fc.Arbitrary<readonly [Axis, Axis, Axis]> = fc.oneof(
  fc.tuple(flat, flat, axis(fc.constantFrom(0, 1, 7, 31, 32, 33, 100, 257))),
  fc.tuple(
    flat,
    axis(fc.constantFrom(0, 1, 2, 5, 8, 13, 17)),
    axis(fc.constantFrom(0, 1, 3, 7, 8, 9, 16, 28)),
  ),
  fc.tuple(
    axis(fc.constantFrom(0, 1, 3, 5)),
    axis(fc.constantFrom(1, 2, 5, 6)),
    axis(fc.constantFrom(1, 3, 4, 7)),
  ),
);

/** A window that moves by one along the last axis. */
const sliding: fc.Arbitrary<Axis> = fc
  .tuple(
    fc.constantFrom(4, 7, 8, 9, 15, 16, 17, 28),
    fc.constantFrom(1, 2, 3, 5, 6, 7),
    fc.constantFrom(0, 1, 2, 9),
  )
  .map(
    ([output, kernel, before]) =>
      [Math.max(1, output + kernel - 1 - before), output, kernel, 1, 1, before] as const,
  );

/** Sizes around the tiles of 4, 8, 16, 32 and 64 channels. */
const channels = fc.constantFrom(0, 1, 1, 2, 3, 4, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 67);

const grouping = fc.oneof(
  fc.record({ groups: fc.constant(1), channelGroup: channels, filterGroup: channels }),
  fc.record({
    groups: fc.constantFrom(2, 3, 8),
    channelGroup: fc.constantFrom(1, 2, 5, 8),
    filterGroup: fc.constantFrom(1, 3, 8, 9),
  }),
  // Depthwise: each channel is a group, with one or more filters.
  fc.record({
    groups: fc.constantFrom(1, 3, 16, 33, 67),
    channelGroup: fc.constant(1),
    filterGroup: fc.constantFrom(1, 1, 2, 3),
  }),
);

const pick = (three: readonly [Axis, Axis, Axis], field: 0 | 1 | 2 | 3 | 4 | 5): Triple => [
  three[0][field],
  three[1][field],
  three[2][field],
];

const shapesOf = ({ batch, input, output, kernel, groups, channelGroup, filterGroup }: Layout) => ({
  x: [batch, ...input, groups * channelGroup],
  w: [...kernel, channelGroup, groups * filterGroup],
  y: [batch, ...output, groups * filterGroup],
});

const productsOf = ({ batch, output, kernel, groups, channelGroup, filterGroup }: Layout): number =>
  batch * sizeOf(output) * sizeOf(kernel) * groups * channelGroup * filterGroup;

const few = fc.constantFrom(1, 1, 2, 3, 4, 5, 6, 7, 8);

/** What the kernels for few channels and for single channels take. */
const slidingGrouping = fc.oneof(
  fc.record({ groups: fc.constant(1), channelGroup: few, filterGroup: few }),
  fc.record({
    groups: fc.constantFrom(4, 12, 64),
    channelGroup: fc.constant(1),
    filterGroup: fc.constant(1),
  }),
);

const layouts: fc.Arbitrary<Layout> = fc
  .record({
    batch: fc.constantFrom(0, 1, 1, 2, 3, 5),
    place: fc.oneof(
      { weight: 3, arbitrary: fc.record({ three: axes, channels: grouping }) },
      {
        weight: 1,
        arbitrary: fc.record({
          three: fc.tuple(axis(fc.constantFrom(1, 2)), axis(fc.constantFrom(1, 3, 5)), sliding),
          channels: slidingGrouping,
        }),
      },
    ),
  })
  .map(({ batch, place }) => ({ batch, ...place }))
  .map(({ batch, three, channels }) => ({
    batch,
    input: pick(three, 0),
    output: pick(three, 1),
    kernel: pick(three, 2),
    strides: pick(three, 3),
    dilation: pick(three, 4),
    before: pick(three, 5),
    ...channels,
  }))
  .filter((layout) => {
    const { x, w, y } = shapesOf(layout);
    return [x, w, y].every((s) => sizeOf(s) <= MAX_ELEMENTS) && productsOf(layout) <= MAX_PRODUCTS;
  });

/** Many pixels and few channels, so that the filter gradient's sum is cut into parts. */
const longSums: fc.Arbitrary<Layout> = fc
  .record({
    batch: fc.constantFrom(1, 2, 7),
    width: fc.constantFrom(129, 700, 4097, 9001),
    kernel: fc.constantFrom(1, 2, 3),
    before: fc.constantFrom(0, 1),
    stride: fc.constantFrom(1, 2),
    channelGroup: fc.constantFrom(1, 2, 3),
    filterGroup: fc.constantFrom(1, 4, 5),
  })
  .map(
    ({ batch, width, kernel, before, stride, channelGroup, filterGroup }): Layout => ({
      batch,
      input: [1, 1, width],
      output: [1, 1, Math.floor((width + before - kernel) / stride) + 1],
      kernel: [1, 1, kernel],
      strides: [1, 1, stride],
      dilation: [1, 1, 1],
      before: [0, 0, before],
      groups: 1,
      channelGroup,
      filterGroup,
    }),
  )
  .filter((layout) => {
    const { x, y } = shapesOf(layout);
    return sizeOf(x) <= MAX_ELEMENTS && sizeOf(y) <= MAX_ELEMENTS && productsOf(layout) <= 2 * MAX_PRODUCTS;
  });

/** Planted in the operands; what the padding meets stays out of the sum, also 0 · Inf. */
const specials = fc.oneof(
  { weight: 5, arbitrary: fc.constant<readonly number[]>([]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<readonly number[]>(
      [Number.NaN],
      [Infinity],
      [-Infinity],
      [Infinity, -Infinity],
      [Infinity, 0],
    ),
  },
);

const epilogue = fc.record({
  bias: fc.boolean(),
  activation: fc.constantFrom<MatmulActivation>('linear', 'linear', 'relu', 'sigmoid', 'tanh'),
});

interface Drawn {
  readonly layout: Layout;
  readonly seed: number;
  readonly first: readonly number[];
  readonly second: readonly number[];
}

const drawn = (layout: fc.Arbitrary<Layout>): fc.Arbitrary<Drawn> =>
  fc.record({ layout, seed: fc.nat(), first: specials, second: specials });

/** Tensors with numbers in [-1, 1) and the specials. */
function tensors({ seed, first, second }: Drawn, shapes: readonly Shape[]): HostTensor[] {
  const next = uniforms(seed);
  const made = shapes.map(
    (shape): HostTensor => ({
      shape,
      dtype: 'float32',
      data: Float32Array.from({ length: sizeOf(shape) }, () => 2 * next() - 1),
    }),
  );
  [first, second].forEach((list, index) => {
    plant((made[index] as HostTensor).data, list, next);
  });
  return made;
}

/**
 * A sum of k products of numbers in [-1, 1] wanders like √k / 3, and so do its prefixes; k roundings of half an ulp of
 * them add up to a standard deviation of about U·k / 7, in whatever order. 4·U·(k + 8) is 28 times that, and leaves room
 * for the bias (below 1). Activations have slopes of at most 1 and add 4 half-ulps of their own.
 */
const tolerance = (terms: number) => ({ abs: 4 * U * (terms + 8), rel: 8 * U });

const geometry = ({ strides, dilation, before, groups }: Layout) => ({ strides, dilation, before, groups });

const forward: fc.Arbitrary<FuzzCase<ConvAttrs>> = fc
  .record({ own: drawn(layouts), way: epilogue })
  .map(({ own, way }) => {
    const { x, w, y } = shapesOf(own.layout);
    const bias = way.bias ? [y.slice(-1)] : [];
    return {
      inputs: tensors(own, [x, w, ...bias]),
      attrs: { ...geometry(own.layout), output: own.layout.output, ...way },
      ...tolerance(sizeOf(own.layout.kernel) * own.layout.channelGroup),
    };
  });

const inputGradient: fc.Arbitrary<FuzzCase<ConvInputAttrs>> = fc
  .record({ own: drawn(layouts), way: epilogue })
  .map(({ own, way }) => {
    const { x, w, y } = shapesOf(own.layout);
    const bias = way.bias ? [x.slice(-1)] : [];
    return {
      inputs: tensors(own, [y, w, ...bias]),
      attrs: { ...geometry(own.layout), input: own.layout.input, ...way },
      ...tolerance(sizeOf(own.layout.kernel) * own.layout.filterGroup),
    };
  });

const filterGradient = (layout: fc.Arbitrary<Layout>): fc.Arbitrary<FuzzCase<ConvFilterAttrs>> =>
  drawn(layout).map((own) => {
    const { x, y } = shapesOf(own.layout);
    return {
      inputs: tensors(own, [x, y]),
      attrs: { ...geometry(own.layout), kernel: own.layout.kernel },
      ...tolerance(own.layout.batch * sizeOf(own.layout.output)),
    };
  });

export const families = [
  family('conv', convKernel, forward),
  family('convInput', convInputKernel, inputGradient),
  family('convFilter', convFilterKernel, filterGradient(layouts)),
  family('convFilter, long sums', convFilterKernel, filterGradient(longSums)),
];
