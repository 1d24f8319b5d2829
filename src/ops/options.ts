/** Options objects: what is none, and a name that is not known, must not pass in silence. */
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { Device } from '../runtime/device.ts';

/** Options that are true or false, whichever function takes them. */
const FLAGS: ReadonlySet<string> = new Set([
  'approximate',
  'compress',
  'descending',
  'exclusive',
  'fromLogits',
  'keepDims',
  'largest',
  'lower',
  'replace',
  'requiresGrad',
  'returnInverse',
  'reverse',
  'training',
  'transposeA',
  'transposeB',
  'zeroInfinity',
]);

const isAxes = (value: unknown): value is number | readonly number[] =>
  typeof value === 'number' ||
  (Array.isArray(value) && value.every((item: unknown) => typeof item === 'number'));

/**
 * Refuses what is no options object, options that the function does not know, and flags that are neither true nor false.
 * Call it before anything reads `options`; it costs a loop over the keys.
 *
 * ```ts
 * export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
 *   checkOptions('sum', options, ['axis', 'keepDims']);
 * ```
 *
 * @param before The arguments that precede the options, as the message shows them.
 * @throws ArgumentError, which for a bare number or list beside an option `axis` says `sum(x, { axis: 0 })`.
 */
export function checkOptions<T extends object>(
  op: string,
  options: T,
  known: readonly (keyof T & string)[],
  before = 'x',
): void {
  const given: unknown = options;
  if (
    typeof given !== 'object' ||
    given === null ||
    Array.isArray(given) ||
    ArrayBuffer.isView(given) ||
    given instanceof Tensor
  ) {
    const call =
      isAxes(given) && (known as readonly string[]).includes('axis')
        ? `write ${op}(${before === '' ? '' : `${before}, `}{ axis: ${describe(given)} }).`
        : `pass an object with some of ${known.join(', ')}.`;
    throw new ArgumentError(`${op}: ${describe(given)} stands where an options object is expected; ${call}`);
  }
  for (const key in given) {
    if (!(known as readonly string[]).includes(key))
      throw new ArgumentError(`${op}: no option '${key}'; it takes ${known.join(', ')}.`);
    if (!FLAGS.has(key)) continue;
    const flag = (given as Record<string, unknown>)[key];
    if (flag !== undefined && typeof flag !== 'boolean')
      throw new ArgumentError(`${op}: ${key} is ${describe(flag)}; pass true or false.`);
  }
}

/** The device of a tensor that a call starts from; another one in the options is refused. */
export function deviceOfTensor(op: string, x: Tensor, { device }: { device?: Device | undefined }): Device {
  if (device === undefined || device === x.device) return x.device;
  throw new ArgumentError(
    `${op}: device is ${device instanceof Device ? device.description : describe(device)}, the tensor lives on ` +
      `${x.device.description}, and so does the result; leave the option out, or use toDevice() first.`,
  );
}
