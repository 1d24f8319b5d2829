/** Random tensors: element i is drawn from Philox block `counter + i`, so the same numbers come on every device. */
import { type DType, isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError } from '../src/core/errors.ts';
import {
  bits24,
  boxMuller,
  mulHigh,
  philox4x32,
  truncatedNormal,
  uniform24,
  wordsOf,
} from '../src/core/philox.ts';
import { checkShape, type Shape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/random.wgsl';
import { type DeviceTraits, floatBits, grid, type Kernel, pipelineSpec, wgslModule } from './kernel.ts';

/** The distributions by their code in wgsl/random.wgsl. */
export const distributions = {
  /** [a, b) in 2^24 steps. */
  uniform: 0,
  /** Mean a, standard deviation b. */
  normal: 1,
  /** The same, within two standard deviations. */
  truncatedNormal: 2,
  /** 1 with probability a, else 0. */
  bernoulli: 3,
  /** Whole numbers in [a, b). */
  randint: 4,
  /** Raw 32-bit words. */
  bits: 5,
} as const;

/** The name of a distribution. */
export type Distribution = keyof typeof distributions;

/** What to draw, and from where in which stream. */
export interface RandomAttrs {
  readonly distribution: Distribution;
  /** The Philox key: a whole number from 0 to 2^53 − 1, or a bigint below 2^64. */
  readonly seed: number | bigint;
  /** The block of the first element, from 0 to 2^53 − 1. */
  readonly counter: number;
  readonly shape: Shape;
  /** A float; `bernoulli` also takes bool and int32; `randint` and `bits` need int32. */
  readonly dtype: DType;
  /** The meaning of a and b stands at `distributions`. Default: 0 and 1; for `bernoulli` a is required. */
  readonly a?: number;
  readonly b?: number;
}

const random = wgslModule('random', source);

const allowed: Readonly<Record<Distribution, readonly DType[]>> = {
  uniform: ['float32', 'float64'],
  normal: ['float32', 'float64'],
  truncatedNormal: ['float32', 'float64'],
  bernoulli: ['float32', 'float64', 'bool', 'int32'],
  randint: ['int32'],
  bits: ['int32'],
};

/** The largest float32 below `value`, which need not be a float32 itself. */
export function float32Below(value: number): number {
  const rounded = Math.fround(value);
  if (rounded < value) return rounded;
  const cell = Float32Array.of(rounded);
  const bits = new Uint32Array(cell.buffer);
  if (rounded === 0) bits[0] = 0x80000001;
  else bits[0] = (bits[0] as number) + (rounded > 0 ? -1 : 1);
  return cell[0] as number;
}

function checkScalars(op: string, { distribution, a = 0, b = 1 }: RandomAttrs): void {
  if (!Number.isFinite(a) || !Number.isFinite(b)) {
    throw new ArgumentError(`${op}: the parameters ${a} and ${b} must be finite numbers.`);
  }
  switch (distribution) {
    case 'uniform':
      if (a > b) throw new ArgumentError(`${op}: the range [${a}, ${b}) is empty; swap the bounds.`);
      if (b - a > 3.4e38) throw new ArgumentError(`${op}: the range [${a}, ${b}) is too wide for float32.`);
      return;
    case 'normal':
    case 'truncatedNormal':
      if (b < 0) throw new ArgumentError(`${op}: the standard deviation is ${b}; it must be ≥ 0.`);
      return;
    case 'bernoulli':
      if (a < 0 || a > 1) throw new ArgumentError(`${op}: ${a} is no probability; it must lie in [0, 1].`);
      return;
    case 'randint':
      if (!Number.isInteger(a) || !Number.isInteger(b) || a < -(2 ** 31) || b > 2 ** 31 || a >= b) {
        throw new ArgumentError(
          `${op}: [${a}, ${b}) is no range of int32; both bounds must be whole numbers, the first below the second, ` +
            `from -2^31 to 2^31.`,
        );
      }
      return;
    case 'bits':
      return;
  }
}

/** The words a, b and limit of the uniform block, in the meaning that the distribution gives them. */
function scalarWords({ distribution, dtype, a = 0, b = 1 }: RandomAttrs): [number, number, number] {
  switch (distribution) {
    case 'uniform':
      return [floatBits(a), floatBits(b - a), floatBits(a === b ? a : float32Below(b))];
    case 'normal':
    case 'truncatedNormal':
      return [floatBits(a), floatBits(b), 0];
    case 'bernoulli':
      return [isFloat(dtype) ? floatBits(1) : 1, 0, Math.floor(a * 2 ** 24)];
    case 'randint':
      return [a >>> 0, 0, (b - a) >>> 0];
    case 'bits':
      return [0, 0, 0];
  }
}

/** The number that a distribution makes of a Philox block. */
function drawn(distribution: Distribution, words: readonly number[], a: number, b: number): number {
  const [word0, word1] = words as [number, number];
  switch (distribution) {
    case 'uniform':
      return a + uniform24(word0) * (b - a);
    case 'normal':
      return a + b * boxMuller(word0, word1);
    case 'truncatedNormal':
      return a + b * truncatedNormal(word0);
    case 'bernoulli':
      return bits24(word0) < Math.floor(a * 2 ** 24) ? 1 : 0;
    case 'randint':
      return a + (b - a === 2 ** 32 ? word0 : mulHigh(word0, b - a));
    case 'bits':
      return word0 | 0;
  }
}

/** SwiftShader, known by its subgroups of 4, shifts lane by lane: 7 times the time of an addition. */
const shiftsAreDear = ({ software, subgroupSize }: DeviceTraits): boolean => software && subgroupSize === 4;

/** Fills a new tensor with random numbers; it has no inputs. */
export const randomKernel: Kernel<RandomAttrs> = {
  name: 'random',
  variants: ['integer', 'float'],

  infer(op, _inputs, attrs) {
    const { distribution, seed, counter, shape, dtype } = attrs;
    checkShape(op, shape);
    if (!allowed[distribution].includes(dtype)) {
      throw new DTypeError(
        `${op}: ${distribution} makes ${allowed[distribution].join(' or ')}, not ${dtype}. Draw one of these, then cast.`,
      );
    }
    const whole =
      typeof seed === 'bigint' ? seed >= 0n && seed < 2n ** 64n : Number.isSafeInteger(seed) && seed >= 0;
    if (!whole) {
      throw new ArgumentError(
        `${op}: ${seed} is no seed; use a whole number from 0 to 2^53 - 1 or a bigint below 2^64.`,
      );
    }
    if (!Number.isSafeInteger(counter) || counter < 0) {
      throw new ArgumentError(
        `${op}: the counter is ${counter}; it must be a whole number from 0 to 2^53 - 1.`,
      );
    }
    checkScalars(op, attrs);
    return [{ shape, dtype }];
  },

  plan(_inputs, _outputs, attrs, traits, variant) {
    const floats = variant ? variant === 'float' : shiftsAreDear(traits);
    const count = sizeOf(attrs.shape);
    const [key0, key1] = wordsOf(attrs.seed);
    const [counterLow, counterHigh] = wordsOf(attrs.counter);
    return {
      steps: [
        {
          pipeline: pipelineSpec(random, 'random', ['write'], 8, {
            DISTRIBUTION: distributions[attrs.distribution],
            FLOATS: floats ? 1 : 0,
          }),
          buffers: ['out0'],
          uniforms: Uint32Array.of(count, key0, key1, counterLow, counterHigh, ...scalarWords(attrs)),
          workgroups: grid(Math.ceil(count / 256)),
        },
      ],
    };
  },

  reference(_inputs, [output], attrs) {
    if (!output) return;
    const { distribution, counter, a = 0, b = 1 } = attrs;
    const [key0, key1] = wordsOf(attrs.seed);
    for (let i = 0; i < output.data.length; i++) {
      const [low, high] = wordsOf(counter + i);
      output.data[i] = drawn(distribution, philox4x32(low, high, key0, key1), a, b);
    }
  },
};
