/** Batch, layer, group, instance and root-mean-square normalisation: forward, with given statistics, and the moving ones. */
import { ArgumentError } from '../src/core/errors.ts';
import { formatShape } from '../src/core/shape.ts';
import source from '../wgsl/normalize.wgsl';
import momentsSource from '../wgsl/normalize-moments.wgsl';
import {
  type DeviceTraits,
  type HostTensor,
  type Kernel,
  type Slot,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';
import {
  at,
  centresShape,
  channelsOf,
  checkInputs,
  cut,
  enough,
  forEachGroup,
  forEachInGroup,
  groupSize,
  type NormalizeAttrs,
  type NormalizeGeometry,
  probesOf,
  rowParts,
  sharesWork,
  statisticsShape,
  stepOf,
} from './normalize-geometry.ts';

const scratchOf = (floats: number): readonly number[] => [4 * floats, 4 * floats];

const module = wgslModule('normalize', source);
const momentsModule = wgslModule('normalize-moments', momentsSource);

/** The steps that leave centres and variances in out1 and out2, and the scratch that they need. */
function momentSteps(
  attrs: NormalizeAttrs,
  traits: DeviceTraits,
  variant: string | undefined,
): { steps: Step[]; scratch: readonly number[] } {
  const { samples, rows, groups, width } = attrs;
  const channels = channelsOf(attrs);
  const quads = Math.ceil(channels / 4);
  const share = sharesWork(traits, variant);
  const columns = rows > 1;
  const inverse = 1 / groupSize(attrs);
  // Parts of rows in four columns each, or parts of a group that lies in one row.
  const parts = columns
    ? cut(rows, Math.ceil((samples * rows * quads) / enough(traits)), 1024)
    : cut(width, share ? 4096 : Math.ceil((samples * channels) / enough(traits)), share ? 8192 : 2048);
  const inner = columns ? width : 1;
  const whole = parts.parts * inner === 1;
  const count = samples * parts.parts * (columns ? quads : groups);
  const moments = stepOf(attrs, traits, {
    module: momentsModule,
    entry: columns ? 'momentsOfColumns' : share ? 'momentsOfRowsByGroup' : 'momentsOfRows',
    access: ['read', 'write', 'write'],
    buffers: whole ? ['in0', 'out1', 'out2'] : ['in0', 'tmp0', 'tmp1'],
    count,
    parts,
    inverse: whole ? inverse : 1,
    flags: { SHARED: width % 4 === 0, WHOLE: whole },
  });
  if (whole) return { steps: [moments], scratch: [] };
  const merge = stepOf(attrs, traits, {
    module: momentsModule,
    entry: share ? 'mergeMomentsByGroup' : 'mergeMoments',
    access: ['read', 'read', 'write', 'write', 'read'],
    buffers: ['tmp0', 'tmp1', 'out1', 'out2', 'in0'],
    count: samples * groups,
    parts,
    inner,
    // Columns: a part's results lie side by side; rows: the parts of a group do, so that each group is a sample.
    ...(columns ? { step: channels } : { step: 1, groups: 1 }),
    inverse,
  });
  return {
    steps: [moments, merge],
    scratch: scratchOf(samples * parts.parts * (columns ? channels : groups)),
  };
}

/** The step that writes out0 = y from x, the centres (or given means) and the variances. */
function normalizeStep(
  attrs: NormalizeAttrs,
  traits: DeviceTraits,
  statistics: readonly [Slot, Slot],
  firstOptional: number,
  given: boolean,
): Step {
  const parts = rowParts(attrs, traits);
  const { scaled, shifted } = attrs;
  // What is missing is not read, but a buffer must be bound.
  const gamma: Slot = scaled ? `in${firstOptional}` : 'in0';
  const beta: Slot = shifted ? `in${firstOptional + (scaled ? 1 : 0)}` : 'in0';
  return stepOf(attrs, traits, {
    module,
    entry: 'normalizeRows',
    access: ['read', 'read', 'read', 'write', 'read', 'read'],
    buffers: ['in0', ...statistics, 'out0', gamma, beta],
    count: parts.parts * Math.ceil(channelsOf(attrs) / 4),
    parts,
    flags: { GIVEN: given, SCALED: scaled, SHIFTED: shifted, SHARED: attrs.width % 4 === 0 },
  });
}

/** The median of five elements of the group that begins at `first`. */
function anchorOf(x: HostTensor['data'], attrs: NormalizeAttrs, first: number): number {
  const five = probesOf(attrs).map((probe) => x[first + probe] as number);
  return five.sort((a, b) => a - b)[2] as number;
}

/** gamma and beta as they are among the inputs from `first` on. */
function affineOf(
  inputs: readonly HostTensor[],
  first: number,
  { scaled, shifted }: NormalizeAttrs,
): [gamma: HostTensor | undefined, beta: HostTensor | undefined] {
  return [scaled ? inputs[first] : undefined, shifted ? inputs[first + (scaled ? 1 : 0)] : undefined];
}

/** The shapes of gamma and beta, as far as they are there. */
function affineShapes(attrs: NormalizeAttrs): number[][] {
  const own = [channelsOf(attrs)];
  return [...(attrs.scaled ? [own] : []), ...(attrs.shifted ? [own] : [])];
}

/**
 * x, gamma?, beta? → y, centres, variance, by the statistics of each group. The centres are the anchors, the medians of
 * five elements, and then the offsets of the means from them; the variance is the biased one. Not centred: 0 and 0, and
 * the mean of the squares. Where the variance is not finite, the whole group becomes NaN.
 */
export const normalizeKernel: Kernel<NormalizeAttrs> = {
  name: 'normalize',
  variants: ['lane', 'group'],

  infer(op, inputs, attrs) {
    checkInputs(op, inputs, attrs, [undefined, ...affineShapes(attrs)]);
    const { shape, dtype } = inputs[0] as TensorSpec;
    if (groupSize(attrs) === 0 && attrs.samples * attrs.groups > 0) {
      throw new ArgumentError(
        `${op}: shape ${formatShape(shape)} leaves no elements to take a mean of. Check for an empty input first.`,
      );
    }
    return [
      { shape, dtype },
      { shape: centresShape(attrs), dtype },
      { shape: statisticsShape(attrs), dtype },
    ];
  },

  plan(_inputs, _outputs, attrs, traits, variant) {
    const { steps, scratch } = momentSteps(attrs, traits, variant);
    return { steps: [...steps, normalizeStep(attrs, traits, ['out1', 'out2'], 1, false)], scratch };
  },

  reference(inputs, outputs, attrs) {
    const x = (inputs[0] as HostTensor).data;
    const [gamma, beta] = affineOf(inputs, 1, attrs);
    const [y, centres, variances] = outputs.map(({ data }) => data) as [
      HostTensor['data'],
      HostTensor['data'],
      HostTensor['data'],
    ];
    const size = groupSize(attrs);
    forEachGroup(attrs, (sample, group, number, first) => {
      let sum = 0;
      forEachInGroup(attrs, sample, group, (index) => {
        sum += x[index] as number;
      });
      const mean = attrs.centred ? sum / size : 0;
      const anchor = attrs.centred ? anchorOf(x, attrs, first) : 0;
      let squares = 0;
      forEachInGroup(attrs, sample, group, (index) => {
        squares += ((x[index] as number) - mean) ** 2;
      });
      const variance = Number.isFinite(squares) ? squares / size : Number.NaN;
      const defined = Number.isFinite(variance);
      centres[number] = defined ? anchor : Number.NaN;
      centres[attrs.samples * attrs.groups + number] = defined ? mean - anchor : Number.NaN;
      variances[number] = variance;
      forEachInGroup(attrs, sample, group, (index, channel) => {
        const standard = ((x[index] as number) - mean) / Math.sqrt(variance + attrs.epsilon);
        y[index] = standard * at(gamma, channel, 1) + at(beta, channel, 0);
      });
    });
  },
};

/**
 * x, mean, variance, gamma?, beta? → y, by given statistics of each channel: one sample, a width of 1. Not centred: the
 * mean is not read.
 */
export const normalizeByKernel: Kernel<NormalizeAttrs> = {
  name: 'normalizeBy',
  variants: ['lane'],

  infer(op, inputs, attrs) {
    const channels = [attrs.groups];
    checkInputs(op, inputs, attrs, [undefined, channels, channels, ...affineShapes(attrs)]);
    const { shape, dtype } = inputs[0] as TensorSpec;
    return [{ shape, dtype }];
  },

  plan: (_inputs, _outputs, attrs, traits) => ({
    steps: [normalizeStep(attrs, traits, ['in1', 'in2'], 3, true)],
  }),

  reference(inputs, outputs, attrs) {
    const [x, mean, variance] = inputs as [HostTensor, HostTensor, HostTensor];
    const [gamma, beta] = affineOf(inputs, 3, attrs);
    const y = (outputs[0] as HostTensor).data;
    for (let index = 0; index < y.length; index++) {
      const c = index % attrs.groups;
      const middle = attrs.centred ? at(mean, c, 0) : 0;
      const standard = (at(x, index, 0) - middle) / Math.sqrt(at(variance, c, 0) + attrs.epsilon);
      y[index] = standard * at(gamma, c, 1) + at(beta, c, 0);
    }
  },
};

export interface MovingAttrs extends NormalizeGeometry {
  readonly momentum: number;
}

/** Centres, variance, moving mean, moving variance → moving · momentum + batch · (1 − momentum), for both. */
export const movingStatisticsKernel: Kernel<MovingAttrs> = {
  name: 'movingStatistics',
  variants: ['lane'],

  infer(op, inputs, attrs) {
    const channels = [attrs.groups];
    checkInputs(op, inputs, attrs, [centresShape(attrs), statisticsShape(attrs), channels, channels]);
    const { dtype } = inputs[0] as TensorSpec;
    return [
      { shape: channels, dtype },
      { shape: channels, dtype },
    ];
  },

  plan: (_inputs, _outputs, attrs, traits) => ({
    steps: [
      stepOf({ ...attrs, epsilon: 0, centred: true }, traits, {
        module: momentsModule,
        entry: 'movingStatistics',
        access: ['read', 'read', 'read', 'read', 'write', 'write'],
        buffers: ['in0', 'in1', 'in2', 'in3', 'out0', 'out1'],
        count: attrs.groups,
        momentum: attrs.momentum,
      }),
    ],
  }),

  reference(inputs, outputs, { groups, momentum }) {
    const [centres, variance, movingMean, movingVariance] = inputs;
    const [nextMean, nextVariance] = outputs as [HostTensor, HostTensor];
    for (let c = 0; c < groups; c++) {
      const mean = at(centres, c, 0) + at(centres, groups + c, 0);
      nextMean.data[c] = at(movingMean, c, 0) * momentum + mean * (1 - momentum);
      nextVariance.data[c] = at(movingVariance, c, 0) * momentum + at(variance, c, 0) * (1 - momentum);
    }
  },
};
