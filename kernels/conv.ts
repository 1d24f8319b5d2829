/**
 * N-dimensional convolution with three spatial axes, channels last: forward, input gradient (which is also transposed
 * convolution) and filter gradient. One and two dimensions are three with extents of 1.
 */
import { ShapeError } from '../src/core/errors.ts';
import type { Shape } from '../src/core/shape.ts';
import { filterPlan, filterSupports, filterVariants } from './conv-filter-plan.ts';
import type { Gather } from './conv-gather.ts';
import { gatherPlan, gatherSupports, gatherVariants } from './conv-gather-plan.ts';
import {
  type ConvGeometry,
  type ConvSizes,
  checkBias,
  checkChannels,
  checkConv,
  filterExtents,
  finishReference,
  forEachProduct,
  lastOf,
  spatial,
  type Triple,
} from './conv-shapes.ts';
import type { HostTensor, Kernel, TensorSpec } from './kernel.ts';
import type { MatmulActivation } from './matmul.ts';

export type { ConvGeometry, Triple } from './conv-shapes.ts';

export interface ConvAttrs extends ConvGeometry {
  /** Spatial extents of y; whatever lies beyond the input is zero padding. */
  readonly output: Triple;
  /** There is a third input of shape (filters,). */
  readonly bias: boolean;
  readonly activation: MatmulActivation;
}

export interface ConvInputAttrs extends ConvGeometry {
  /** Spatial extents of dx. */
  readonly input: Triple;
  /** There is a third input of shape (channels,). */
  readonly bias: boolean;
  readonly activation: MatmulActivation;
}

export interface ConvFilterAttrs extends ConvGeometry {
  /** Spatial extents of dw. */
  readonly kernel: Triple;
}

const withBias = (names: readonly string[], { bias }: { bias: boolean }): string[] =>
  bias ? [...names, 'bias'] : [...names];

/** `y[n, o, f] = act(Σ_tap,c x[n, o·stride − before + tap·dilation, c] · w[tap, c, f] + bias[f])` */
export const convKernel: Kernel<ConvAttrs> = {
  name: 'conv',
  variants: gatherVariants,
  supports: (variant, inputs, attrs, traits) => gatherSupports(variant, forwardGather(inputs, attrs), traits),

  infer(op, inputs, attrs) {
    checkConv(op, inputs, withBias(['x', 'w'], attrs), attrs, attrs.output);
    const [x, w, bias] = inputs as [TensorSpec, TensorSpec, TensorSpec | undefined];
    const filters = lastOf(w);
    checkChannels(op, lastOf(x), filters, attrs.groups, w.shape);
    checkBias(op, bias, filters);
    return [{ shape: [x.shape[0] as number, ...attrs.output, filters], dtype: x.dtype }];
  },

  plan(inputs, _outputs, attrs, traits, variant) {
    return gatherPlan(forwardGather(inputs, attrs), traits, variant);
  },

  reference(inputs, outputs, attrs) {
    const [x, w, bias] = inputs as [HostTensor, HostTensor, HostTensor | undefined];
    const y = outputs[0] as HostTensor;
    y.data.fill(0);
    forEachProduct(forwardSizes(inputs, attrs), attrs, (atX, atW, atY) => {
      y.data[atY] = (y.data[atY] as number) + (x.data[atX] as number) * (w.data[atW] as number);
    });
    finishReference(y, bias, attrs.activation);
  },
};

/** `dx[n, i, c] = act(Σ_tap,f dy[n, o, f] · w[tap, c, f] + bias[c])` over all o with `i = o·stride − before + tap·dilation` */
export const convInputKernel: Kernel<ConvInputAttrs> = {
  name: 'convInput',
  variants: gatherVariants,
  supports: (variant, inputs, attrs, traits) => gatherSupports(variant, inputGather(inputs, attrs), traits),

  infer(op, inputs, attrs) {
    checkConv(op, inputs, withBias(['dy', 'w'], attrs), attrs, attrs.input);
    const [dy, w, bias] = inputs as [TensorSpec, TensorSpec, TensorSpec | undefined];
    const channels = (w.shape[3] as number) * attrs.groups;
    checkChannels(op, channels, lastOf(dy), attrs.groups, w.shape);
    checkBias(op, bias, channels);
    return [{ shape: [dy.shape[0] as number, ...attrs.input, channels], dtype: dy.dtype }];
  },

  plan(inputs, _outputs, attrs, traits, variant) {
    return gatherPlan(inputGather(inputs, attrs), traits, variant);
  },

  reference(inputs, outputs, attrs) {
    const [dy, w, bias] = inputs as [HostTensor, HostTensor, HostTensor | undefined];
    const dx = outputs[0] as HostTensor;
    dx.data.fill(0);
    forEachProduct(inputSizes(inputs, attrs), attrs, (atX, atW, atY) => {
      dx.data[atX] = (dx.data[atX] as number) + (dy.data[atY] as number) * (w.data[atW] as number);
    });
    finishReference(dx, bias, attrs.activation);
  },
};

/** `dw[tap, c, f] = Σ_n,o x[n, o·stride − before + tap·dilation, c] · dy[n, o, f]` */
export const convFilterKernel: Kernel<ConvFilterAttrs> = {
  name: 'convFilter',
  variants: filterVariants,
  supports: (variant, _inputs, _attrs, traits) => filterSupports(variant, traits),

  infer(op, inputs, attrs) {
    checkConv(op, inputs, ['x', 'dy'], attrs, attrs.kernel);
    const [x, dy] = inputs as [TensorSpec, TensorSpec];
    const shape: Shape = [...attrs.kernel, lastOf(x) / attrs.groups, lastOf(dy)];
    checkChannels(op, lastOf(x), lastOf(dy), attrs.groups, shape);
    if (x.shape[0] !== dy.shape[0]) {
      throw new ShapeError(`${op}: x has ${x.shape[0]} images, dy has ${dy.shape[0]}; these must be equal.`);
    }
    return [{ shape, dtype: x.dtype }];
  },

  plan: (inputs, _outputs, attrs, traits, variant) =>
    filterPlan(filterSizes(inputs, attrs), attrs, traits, variant),

  reference(inputs, outputs, attrs) {
    const [x, dy] = inputs as [HostTensor, HostTensor];
    const dw = outputs[0] as HostTensor;
    dw.data.fill(0);
    forEachProduct(filterSizes(inputs, attrs), attrs, (atX, atW, atY) => {
      dw.data[atW] = (dw.data[atW] as number) + (x.data[atX] as number) * (dy.data[atY] as number);
    });
  },
};

function forwardSizes([x, w]: readonly TensorSpec[], { output }: ConvAttrs): ConvSizes {
  const [source, filter] = [x as TensorSpec, w as TensorSpec];
  return {
    batch: source.shape[0] as number,
    input: spatial(source),
    output,
    kernel: filterExtents(filter),
    channels: lastOf(source),
    filters: lastOf(filter),
  };
}

function inputSizes([dy, w]: readonly TensorSpec[], { input, groups }: ConvInputAttrs): ConvSizes {
  const [source, filter] = [dy as TensorSpec, w as TensorSpec];
  return {
    batch: source.shape[0] as number,
    input,
    output: spatial(source),
    kernel: filterExtents(filter),
    channels: (filter.shape[3] as number) * groups,
    filters: lastOf(filter),
  };
}

function filterSizes([x, dy]: readonly TensorSpec[], { kernel }: ConvFilterAttrs): ConvSizes {
  const [source, gradient] = [x as TensorSpec, dy as TensorSpec];
  return {
    batch: source.shape[0] as number,
    input: spatial(source),
    output: spatial(gradient),
    kernel,
    channels: lastOf(source),
    filters: lastOf(gradient),
  };
}

function forwardGather(inputs: readonly TensorSpec[], attrs: ConvAttrs): Gather {
  const sizes = forwardSizes(inputs, attrs);
  const { strides, dilation, before, groups, bias, activation } = attrs;
  const filterGroup = sizes.filters / groups;
  const channelGroup = sizes.channels / groups;
  return {
    batch: sizes.batch,
    source: sizes.input,
    out: sizes.output,
    kernel: sizes.kernel,
    groups,
    depth: channelGroup,
    perGroup: filterGroup,
    phases: [1, 1, 1],
    step: strides,
    offset: before.map((ahead) => -ahead) as unknown as Triple,
    tapStep: dilation,
    wTap: channelGroup * sizes.filters,
    wDepth: sizes.filters,
    wChannel: 1,
    wGroup: filterGroup,
    bias,
    activation,
  };
}

function inputGather(inputs: readonly TensorSpec[], attrs: ConvInputAttrs): Gather {
  const sizes = inputSizes(inputs, attrs);
  const { strides, dilation, before, groups, bias, activation } = attrs;
  const filterGroup = sizes.filters / groups;
  const channelGroup = sizes.channels / groups;
  return {
    batch: sizes.batch,
    source: sizes.output,
    out: sizes.input,
    kernel: sizes.kernel,
    groups,
    depth: filterGroup,
    perGroup: channelGroup,
    phases: strides,
    step: [1, 1, 1],
    offset: before,
    tapStep: dilation.map((spread) => -spread) as unknown as Triple,
    wTap: channelGroup * sizes.filters,
    wDepth: 1,
    wChannel: sizes.filters,
    wGroup: filterGroup,
    bias,
    activation,
  };
}
