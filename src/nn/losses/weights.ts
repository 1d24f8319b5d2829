/** What makes some losses count more than others, or not at all: sample weights, masks, class weights. */
import { stretchesTo } from '../../autograd/engine-ops.ts';
import { type NestedArray, Tensor } from '../../autograd/tensor.ts';
import { describe } from '../../core/describe.ts';
import { isFloat } from '../../core/dtype.ts';
import { ArgumentError, DeviceMismatchError, DTypeError, ShapeError } from '../../core/errors.ts';
import { checkShape, formatShape, type Shape, sameShape } from '../../core/shape.ts';
import { where } from '../../ops/binary.ts';
import { greaterEqual, less, logicalAnd, notEqual } from '../../ops/compare.ts';
import { tensor } from '../../ops/create.ts';
import { gather } from '../../ops/indexing.ts';
import { reshape } from '../../ops/shape.ts';
import type { Device } from '../../runtime/device.ts';

/** Numbers on the host, nested as their shape is, or a tensor. */
export type Weights = Tensor | NestedArray | readonly number[] | Float32Array | Float64Array;

/** A weight for each label, by its number. */
export type ClassWeight = Readonly<Record<number, number>> | readonly number[];

/** Which of the two is spoken of, and what its numbers on the host are. */
interface Kind {
  readonly option: 'sampleWeight' | 'mask';
  readonly wanted: string;
  fits(value: unknown): boolean;
}

const SAMPLE_WEIGHT: Kind = {
  option: 'sampleWeight',
  wanted: 'weights are finite numbers ≥ 0',
  fits: (value) => typeof value === 'number' && value >= 0 && value < Infinity,
};

const MASK: Kind = {
  option: 'mask',
  wanted: 'a mask holds booleans, or numbers that are 0 or not',
  fits: (value) => typeof value === 'boolean' || (typeof value === 'number' && !Number.isNaN(value)),
};

/** What `Object.entries` shows as labels and weights: a plain object or a list. */
const isTable = (value: unknown): value is object =>
  typeof value === 'object' &&
  value !== null &&
  (Array.isArray(value) ||
    ArrayBuffer.isView(value) ||
    Object.getPrototypeOf(value) === Object.prototype ||
    Object.getPrototypeOf(value) === null);

/** Lays a weight or a mask beside the losses, so that it stretches to their shape. */
function fitted(op: string, option: string, weight: Tensor, shape: Shape): Tensor {
  let own = weight;
  if (own.rank === shape.length + 1 && own.shape.at(-1) === 1) own = reshape(own, own.shape.slice(0, -1));
  const missing = shape.length - own.rank;
  const leads = missing > 0 && own.shape.every((extent, axis) => extent === 1 || extent === shape[axis]);
  if (leads && own.rank > 0) return reshape(own, [...own.shape, ...new Array<number>(missing).fill(1)]);
  if (stretchesTo(own.shape, shape)) return own;
  throw new ShapeError(
    `${op}: a ${option} of shape ${formatShape(weight.shape)} for losses of shape ${formatShape(shape)}; pass a shape that ` +
      `stretches to that, or one with its leading axes.`,
  );
}

/** Refuses host values that are no weights or no mask, and rows that are not equally long. */
function checkHost(op: string, { option, wanted, fits }: Kind, given: unknown): void {
  const isList = ArrayBuffer.isView(given) ? !(given instanceof DataView) : Array.isArray(given);
  if (!isList && typeof given !== 'number' && typeof given !== 'boolean') {
    throw new ArgumentError(
      `${op}: the ${option} is ${describe(given)}; pass a tensor or an array of numbers.`,
    );
  }
  const top: unknown = ArrayBuffer.isView(given) ? Array.from(given as Float64Array) : given;
  const shape: number[] = [];
  for (let level = top; Array.isArray(level); level = level[0]) shape.push(level.length);
  checkShape(`${op}: the ${option}`, shape);
  const place: number[] = [];
  const visit = (value: unknown): void => {
    const length = shape[place.length];
    const fault = (): string =>
      `${op}: ${[option, ...place.map((index) => `[${index}]`)].join('')} is ${describe(value)}`;
    if (Array.isArray(value)) {
      if (value.length !== length) {
        throw new ShapeError(
          `${fault()}, which does not fit shape ${formatShape(shape)} of the first rows. Make all rows equally long.`,
        );
      }
      const at = place.push(0) - 1;
      for (const [index, item] of value.entries()) {
        place[at] = index;
        visit(item);
      }
      place.pop();
    } else if (length !== undefined || !fits(value)) throw new ArgumentError(`${fault()}; ${wanted}.`);
  };
  visit(top);
}

/** Weights or a mask as a tensor that lives where the losses do. */
function tensorOf(op: string, kind: Kind, given: Weights, device: Device): Tensor {
  if (!(given instanceof Tensor)) {
    checkHost(op, kind, given);
    return tensor(given as NestedArray | Float64Array, { device });
  }
  const { option } = kind;
  given.assertAlive(`${op}: the ${option}`);
  if (given.device !== device) {
    throw new DeviceMismatchError(
      `${op}: the ${option} and yPred live on different devices; use toDevice() first.`,
    );
  }
  return given;
}

/** Sample weights as floats that stretch to the losses. */
export function sampleWeightOf(op: string, given: Weights, losses: Tensor): Tensor {
  const weight = tensorOf(op, SAMPLE_WEIGHT, given, losses.device);
  if (!isFloat(weight.dtype)) {
    throw new DTypeError(`${op}: the sampleWeight is ${weight.dtype}; cast it: cast(sampleWeight, 'float').`);
  }
  return fitted(op, 'sampleWeight', weight, losses.shape);
}

/** A mask as bools that stretch to the losses. */
export function maskOf(op: string, given: Weights, losses: Tensor): Tensor {
  const mask = tensorOf(op, MASK, given, losses.device);
  if (mask.dtype === 'uint8')
    throw new DTypeError(`${op}: the mask is packed uint8; cast it: cast(mask, 'bool').`);
  return fitted(op, 'mask', mask.dtype === 'bool' ? mask : notEqual(mask, 0), losses.shape);
}

/** Where class weights find the labels: one for each loss, and how many classes there are, if that is known. */
export interface Labels {
  readonly labels: Tensor;
  readonly classes?: number;
}

/** The weight of each loss by its label; 1 for a label that has none. */
export function classWeightOf(
  op: string,
  given: ClassWeight,
  { labels, classes }: Labels,
  losses: Tensor,
): Tensor {
  if (!isTable(given))
    throw new ArgumentError(`${op}: classWeight is ${describe(given)}; pass { 0: 1, 1: 5 }.`);
  if (!sameShape(labels.shape, losses.shape)) {
    throw new ShapeError(
      `${op}: classWeight needs one label for each loss, but there are labels of shape ${formatShape(labels.shape)} and ` +
        `losses of shape ${formatShape(losses.shape)}; give yTrue and yPred a last axis of 1, or use sampleWeight.`,
    );
  }
  // Where nobody counts the classes, labels are rounded floats, which are exact up to here.
  const limit = classes ?? 2 ** 24;
  const entries = Object.entries<unknown>(given).map(([name, weight]) => {
    const label = name.trim() === '' ? Number.NaN : Number(name);
    if (!Number.isInteger(label) || label < 0 || label >= limit)
      throw new ArgumentError(`${op}: classWeight names the class ${name}; there are ${limit}, from 0.`);
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity))
      throw new ArgumentError(`${op}: the classWeight of ${name} is ${describe(weight)}; pass a number ≥ 0.`);
    return [label, weight] as const;
  });
  const table = new Float64Array(classes ?? 1 + Math.max(0, ...entries.map(([label]) => label))).fill(1);
  for (const [label, weight] of entries) table[label] = weight;
  const named = logicalAnd(greaterEqual(labels, 0), less(labels, table.length));
  const weights = gather(tensor(table, { device: losses.device }), where(named, labels, 0));
  return where(named, weights, 1);
}
