/** The gradients of a normalisation by the statistics of its groups: the sums that they share, then that of x. */
import source from '../wgsl/normalize-gradient.wgsl';
import {
  type DeviceTraits,
  type HostTensor,
  type Kernel,
  type Plan,
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
  type Parts,
  rowParts,
  sharesWork,
  statisticsShape,
  stepOf,
} from './normalize-geometry.ts';

const module = wgslModule('normalize-gradient', source);

export interface NormalizeSumsAttrs extends NormalizeAttrs {
  /** Whether the sums of each channel are wanted, too: the gradients of beta and gamma. */
  readonly channels: boolean;
  /** The means were given: one number for each group, not an anchor and an offset. Default: false. */
  readonly given?: boolean;
}

const gammaShape = (attrs: NormalizeAttrs): number[][] => (attrs.scaled ? [[channelsOf(attrs)]] : []);

/** Σ g and Σ g·x̂ of parts of the rows, in every column, to two scratch buffers. */
const columnSums = (
  attrs: NormalizeSumsAttrs,
  traits: DeviceTraits,
  samples: number,
  parts: Parts,
  to: readonly [Slot, Slot],
): Step =>
  stepOf(attrs, traits, {
    module,
    entry: 'sumColumns',
    access: ['read', 'read', 'read', 'read', 'write', 'write'],
    buffers: ['in0', 'in1', 'in2', 'in3', ...to],
    count: samples * parts.parts * Math.ceil(channelsOf(attrs) / 4),
    parts,
    flags: { SHARED: attrs.width % 4 === 0, GIVEN: attrs.given ?? false },
  });

interface Fold {
  readonly from: readonly [Slot, Slot];
  readonly to: readonly [Slot, Slot];
  /** Results. */
  readonly count: number;
  /** Results of a sample, parts of a sample, and the neighbours in each part that go into one result. */
  readonly groups: number;
  readonly parts: number;
  readonly inner: number;
  readonly step: number;
  readonly scaled: boolean;
}

function fold(attrs: NormalizeAttrs, traits: DeviceTraits, share: boolean, how: Fold): Step {
  const { from, to, count, groups, parts, inner, step, scaled } = how;
  return stepOf(attrs, traits, {
    module,
    entry: share ? 'foldSumsByGroup' : 'foldSums',
    access: ['read', 'read', 'write', 'write', 'read'],
    buffers: [...from, ...to, scaled ? 'in4' : from[0]],
    count,
    parts: { length: 1, chunk: 1, parts },
    groups,
    inner,
    step,
    flags: { SCALED: scaled },
  });
}

/** Several rows to a sample: one pass over the columns serves groups and channels. */
function columnsPlan(attrs: NormalizeSumsAttrs, traits: DeviceTraits, share: boolean): Plan {
  const { samples, rows, groups, width, scaled } = attrs;
  const channels = channelsOf(attrs);
  const wanted = Math.ceil((samples * rows * channels) / 4 / enough(traits));
  const parts = cut(rows, wanted, 1024);
  const steps = [
    columnSums(attrs, traits, samples, parts, ['tmp0', 'tmp1']),
    fold(attrs, traits, share, {
      from: ['tmp0', 'tmp1'],
      to: ['out0', 'out1'],
      count: samples * groups,
      groups,
      parts: parts.parts,
      inner: width,
      step: channels,
      scaled,
    }),
  ];
  if (attrs.channels) steps.push(foldChannels(attrs, traits, share, samples * parts.parts, ['tmp0', 'tmp1']));
  const bytes = 4 * samples * parts.parts * channels;
  return { steps, scratch: [bytes, bytes] };
}

const foldChannels = (
  attrs: NormalizeAttrs,
  traits: DeviceTraits,
  share: boolean,
  parts: number,
  from: readonly [Slot, Slot],
): Step =>
  fold(attrs, traits, share, {
    from,
    to: ['out2', 'out3'],
    count: channelsOf(attrs),
    groups: channelsOf(attrs),
    parts,
    inner: 1,
    step: channelsOf(attrs),
    scaled: false,
  });

/** Samples of one row: a pass along the rows for the groups, and one along the columns for the channels. */
function rowsPlan(attrs: NormalizeSumsAttrs, traits: DeviceTraits, share: boolean): Plan {
  const { samples, groups, width, scaled } = attrs;
  const channels = channelsOf(attrs);
  const wanted = Math.ceil((samples * channels) / enough(traits));
  const parts = cut(width, share ? 4096 : wanted, share ? 8192 : 2048);
  const count = samples * groups * parts.parts;
  const whole = parts.parts === 1;
  const steps = [
    stepOf(attrs, traits, {
      module,
      entry: share ? 'sumRowsByGroup' : 'sumRows',
      access: ['read', 'read', 'read', 'read', 'write', 'write', 'read'],
      buffers: [
        'in0',
        'in1',
        'in2',
        'in3',
        ...(whole ? (['out0', 'out1'] as const) : (['tmp0', 'tmp1'] as const)),
        scaled ? 'in4' : 'in0',
      ],
      count,
      parts,
      flags: { SCALED: scaled, GIVEN: attrs.given ?? false },
    }),
  ];
  const scratch: number[] = [];
  if (!whole) {
    scratch.push(4 * count, 4 * count);
    steps.push(
      fold(attrs, traits, share, {
        from: ['tmp0', 'tmp1'],
        to: ['out0', 'out1'],
        count: samples * groups,
        groups: 1,
        parts: parts.parts,
        inner: 1,
        step: 1,
        scaled: false,
      }),
    );
  }
  if (attrs.channels) {
    const down = cut(samples, Math.ceil((samples * channels) / 4 / enough(traits)), 1024);
    const to: [Slot, Slot] = [`tmp${scratch.length}`, `tmp${scratch.length + 1}`];
    scratch.push(4 * down.parts * channels, 4 * down.parts * channels);
    steps.push(columnSums(attrs, traits, 1, down, to), foldChannels(attrs, traits, share, down.parts, to));
  }
  return { steps, scratch };
}

/** (x − mean)/√(variance + ε), from a given mean, or from an anchor and the offset from it. */
function standardOf(inputs: readonly HostTensor[], attrs: NormalizeAttrs, group: number, given = false) {
  const [x, centres, variance] = inputs;
  const offset = given ? 0 : at(centres, attrs.samples * attrs.groups + group, 0);
  const mean = attrs.centred ? at(centres, group, 0) + offset : 0;
  const deviation = Math.sqrt(at(variance, group, 0) + attrs.epsilon);
  return (index: number): number => (at(x, index, 0) - mean) / deviation;
}

/**
 * x, centres, variance, g, gamma? → for each group Σ gamma·g and Σ gamma·g·x̂, and, where wanted, for each channel
 * Σ g = ∂beta and Σ g·x̂ = ∂gamma.
 */
export const normalizeSumsKernel: Kernel<NormalizeSumsAttrs> = {
  name: 'normalizeSums',
  variants: ['lane', 'group'],

  infer(op, inputs, attrs) {
    const shape = statisticsShape(attrs);
    const means = attrs.given ? [attrs.groups] : centresShape(attrs);
    const spread = attrs.given ? [attrs.groups] : shape;
    checkInputs(op, inputs, attrs, [undefined, means, spread, undefined, ...gammaShape(attrs)]);
    const { dtype } = inputs[0] as TensorSpec;
    const groups = { shape, dtype };
    const channels = { shape: [channelsOf(attrs)], dtype };
    return attrs.channels ? [groups, groups, channels, channels] : [groups, groups];
  },

  plan(_inputs, _outputs, attrs, traits, variant) {
    const share = sharesWork(traits, variant);
    return attrs.rows > 1 ? columnsPlan(attrs, traits, share) : rowsPlan(attrs, traits, share);
  },

  reference(inputs, outputs, attrs) {
    const g = inputs[3] as HostTensor;
    const gamma = attrs.scaled ? inputs[4] : undefined;
    const [sums, products, betaGradient, gammaGradient] = outputs.map(({ data }) => data.fill(0));
    const add = (to: HostTensor['data'] | undefined, index: number, value: number): void => {
      if (to) to[index] = (to[index] as number) + value;
    };
    forEachGroup(attrs, (sample, group, number) => {
      const standard = standardOf(inputs, attrs, number, attrs.given);
      forEachInGroup(attrs, sample, group, (index, channel) => {
        const own = at(g, index, 0);
        const scaled = own * at(gamma, channel, 1);
        add(sums, number, scaled);
        add(products, number, scaled * standard(index));
        add(betaGradient, channel, own);
        add(gammaGradient, channel, own * standard(index));
      });
    });
  },
};

/**
 * x, centres, variance, g, Σ gamma·g, Σ gamma·g·x̂, gamma? → ∂x = (gamma·g − mean(gamma·g) − x̂·mean(gamma·g·x̂))
 * / √(variance + ε), with the means over the group; not centred: without the first of them.
 */
export const normalizeGradientKernel: Kernel<NormalizeAttrs> = {
  name: 'normalizeGradient',
  variants: ['lane'],

  infer(op, inputs, attrs) {
    const own = statisticsShape(attrs);
    const shapes = [undefined, centresShape(attrs), own, undefined, own, own, ...gammaShape(attrs)];
    checkInputs(op, inputs, attrs, shapes);
    const { shape, dtype } = inputs[0] as TensorSpec;
    return [{ shape, dtype }];
  },

  plan(_inputs, _outputs, attrs, traits) {
    const parts = rowParts(attrs, traits);
    const step = stepOf(attrs, traits, {
      module,
      entry: 'gradientRows',
      access: ['read', 'read', 'read', 'read', 'write', 'read', 'read', 'read'],
      buffers: ['in0', 'in1', 'in2', 'in3', 'out0', 'in4', 'in5', attrs.scaled ? 'in6' : 'in0'],
      count: parts.parts * Math.ceil(channelsOf(attrs) / 4),
      parts,
      inverse: 1 / groupSize(attrs),
      flags: { SCALED: attrs.scaled, SHARED: attrs.width % 4 === 0 },
    });
    return { steps: [step] };
  },

  reference(inputs, outputs, attrs) {
    const [, , variance, g, sums, products] = inputs;
    const gamma = attrs.scaled ? inputs[6] : undefined;
    const dx = (outputs[0] as HostTensor).data;
    const size = groupSize(attrs);
    forEachGroup(attrs, (sample, group, number) => {
      const standard = standardOf(inputs, attrs, number);
      const deviation = Math.sqrt(at(variance, number, 0) + attrs.epsilon);
      const mean = attrs.centred ? at(sums, number, 0) / size : 0;
      const slope = at(products, number, 0) / size;
      forEachInGroup(attrs, sample, group, (index, channel) => {
        const own = at(g, index, 0) * at(gamma, channel, 1);
        dx[index] = (own - mean - standard(index) * slope) / deviation;
      });
    });
  },
};
