/** Initializers that draw nothing. */
import { checkNumber } from '../../core/check.ts';
import { ShapeError } from '../../core/errors.ts';
import { formatShape } from '../../core/shape.ts';
import { full, tensor } from '../../ops/create.ts';
import { checkOptions } from '../../ops/options.ts';
import { checkNoOptions, optionsOf } from '../configurable.ts';
import { type Initializer, initializerOf } from './initializer.ts';

const filled = (name: string, value: number, options = {}): Initializer =>
  initializerOf(name, options, (shape, { device }) => full(shape, value, { device }));

/** All 0. */
export function zeros(options: Readonly<Record<string, never>> = {}): Initializer {
  checkNoOptions('zeros', options);
  return filled('zeros', 0);
}

/** All 1. */
export function ones(options: Readonly<Record<string, never>> = {}): Initializer {
  checkNoOptions('ones', options);
  return filled('ones', 1);
}

export interface ConstantOptions {
  /** Default: 0. */
  value?: number;
}

/**
 * One number everywhere: `constant(0.1)` or `constant({ value: 0.1 })`.
 *
 * @throws ArgumentError unless the value is a finite number.
 */
export function constant(options: number | ConstantOptions = {}): Initializer {
  const given = optionsOf(options, 'value');
  checkOptions('constant', given, ['value'], '');
  const { value = 0 } = given;
  checkNumber('constant', 'value', value);
  return filled('constant', value, { value });
}

export interface IdentityOptions {
  /** What stands on the diagonal. Default: 1. */
  gain?: number;
}

/**
 * `gain` on the diagonal of a matrix, 0 elsewhere: `identity()` or `identity(0.5)`. A recurrent kernel that starts so keeps
 * its state: Le, Jaitly and Hinton, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units" (2015).
 *
 * @throws ArgumentError unless the gain is a finite number; when called, ShapeError unless the rank is 2.
 */
export function identity(options: number | IdentityOptions = {}): Initializer {
  const given = optionsOf(options, 'gain');
  checkOptions('identity', given, ['gain'], '');
  const { gain = 1 } = given;
  checkNumber('identity', 'gain', gain);
  return initializerOf('identity', { gain }, (shape, { device }) => {
    const [rows, columns] = shape;
    if (rows === undefined || columns === undefined || shape.length !== 2) {
      throw new ShapeError(
        `identity: shape ${formatShape(shape)} is of rank ${shape.length}; only a matrix can be an identity, so choose ` +
          `another initializer here.`,
      );
    }
    const values = new Float64Array(rows * columns);
    for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = gain;
    return tensor(values, { device, shape });
  });
}
