/** Tensors of random numbers: the same bits on every device, one draw per element. */
import { type Distribution, randomKernel } from '../../kernels/random.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, DTypeError } from '../core/errors.ts';
import { defaultGenerator, Generator } from '../core/generator.ts';
import { checkShape, type Shape, sizeOf } from '../core/shape.ts';
import type { Operand } from '../runtime/device.ts';
import { CREATE_OPTIONS, type CreateOptions, deviceOf, finish, resolve } from './create.ts';
import { assertList } from './operand.ts';
import { checkOptions } from './options.ts';

export interface RandomOptions extends CreateOptions {
  /** Default: the generator that `setSeed` resets. */
  generator?: Generator;
}

const RANDOM_OPTIONS = [...CREATE_OPTIONS, 'generator'] as const;

/** The generator that the options name, or the default one. */
export function generatorOf(op: string, { generator = defaultGenerator }: RandomOptions): Generator {
  if (generator instanceof Generator) return generator;
  throw new ArgumentError(`${op}: generator is ${describe(generator)}; make one with new Generator(seed).`);
}

function draw(
  op: string,
  distribution: Distribution,
  shape: Shape,
  options: RandomOptions,
  a: number,
  b: number,
): Tensor {
  checkOptions(op, options, RANDOM_OPTIONS, 'shape');
  assertList(op, 'shape', shape);
  checkShape(op, shape);
  const device = deviceOf(op, options);
  if (distribution === 'randint' && (options.dtype ?? 'int32') !== 'int32')
    throw new DTypeError(`${op}: the result is int32; cast it to ${String(options.dtype)} afterwards.`);
  const dtype = distribution === 'randint' ? 'int32' : resolve(op, device, options.dtype);
  const { seed, counter } = generatorOf(op, options).take(sizeOf(shape));
  const attrs = { distribution, seed, counter, shape, dtype, a, b };
  return finish(Tensor.adopt(device.run(op, randomKernel, [], attrs)[0] as Operand, op), options);
}

/** Uniform in [low, high). */
export const randomUniform = (shape: Shape, low = 0, high = 1, options: RandomOptions = {}): Tensor =>
  draw('randomUniform', 'uniform', shape, options, low, high);

/** Normal with this mean and standard deviation, by Box and Muller (1958). */
export const randomNormal = (shape: Shape, mean = 0, stddev = 1, options: RandomOptions = {}): Tensor =>
  draw('randomNormal', 'normal', shape, options, mean, stddev);

/** Normal, cut off at two standard deviations. */
export const truncatedNormal = (shape: Shape, mean = 0, stddev = 1, options: RandomOptions = {}): Tensor =>
  draw('truncatedNormal', 'truncatedNormal', shape, options, mean, stddev);

/** 1 with probability p, else 0. */
export const bernoulli = (shape: Shape, p = 0.5, options: RandomOptions = {}): Tensor =>
  draw('bernoulli', 'bernoulli', shape, options, p, 0);

/** Whole numbers in [low, high), int32. */
export const randomInt = (shape: Shape, low: number, high: number, options: RandomOptions = {}): Tensor =>
  draw('randomInt', 'randint', shape, options, low, high);
