/** Copies of a layer's weights on another device, and the inputs that calls there need. */
import { keep } from '../autograd/scope.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator } from '../core/generator.ts';
import type { Layer } from '../nn/layer.ts';
import { type Parameter, withValues } from '../nn/parameter.ts';
import { toDevice } from '../ops/cast.ts';
import { withDefaultDevice } from '../runtime/default-device.ts';
import type { Device } from '../runtime/device.ts';
import { inCommonWith } from './input-specs.ts';

export type Tensors = Tensor | readonly Tensor[];

/** @throws ArgumentError unless they are tensors, at least one. */
export function tensorList(op: string, what: string, given: Tensors): readonly Tensor[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (list.length > 0 && list.every((item) => item instanceof Tensor)) return list as readonly Tensor[];
  throw new ArgumentError(`${op}: ${what} is ${describe(given)}; pass a tensor, or a list of tensors.`);
}

/** Makes the weights of a layer that has none yet, for such inputs. */
export function buildFor(layer: Layer, inputs: readonly Tensor[], device: Device): void {
  if (!layer.built) withDefaultDevice(device, () => layer.outputSpecs(inCommonWith(null, inputs)));
}

/** Values of parameters on a device. */
export type Twins = ReadonlyMap<Parameter, Tensor>;

/** Copies of tensors on a device, which are yours to dispose; none is left after an error. */
export async function copiesOn(device: Device, tensors: readonly Tensor[]): Promise<Tensor[]> {
  const copies: Tensor[] = [];
  try {
    for (const tensor of tensors) copies.push(keep(await toDevice(tensor, device)));
  } catch (error) {
    for (const copy of copies) copy.dispose();
    throw error;
  }
  return copies;
}

/** Copies of all weights of a layer. */
export async function twinsOf(layer: Layer, device: Device): Promise<Twins> {
  const { weights } = layer;
  const copies = await copiesOn(
    device,
    weights.map(({ value }) => value),
  );
  return new Map(weights.map((weight, index) => [weight, copies[index] as Tensor]));
}

/** Runs `body` on a device with these values for the weights, and leaves all random streams where they were. */
export function onTwins<T>(layer: Layer, twins: Twins, device: Device, body: () => T): T {
  const streams = [defaultGenerator, ...layer.namedGenerators().map(([, own]) => own)];
  const before = streams.map(({ seed, counter }) => ({ seed, counter }));
  try {
    return withDefaultDevice(device, () => withValues((parameter) => twins.get(parameter), body));
  } finally {
    streams.forEach((stream, index) => {
      const { seed, counter } = before[index] as (typeof before)[number];
      stream.reseed(seed, counter);
    });
  }
}

/** The paths of a layer and all layers inside; its own is empty. One that is shared has its first. */
export function pathsOf(layer: Layer): Map<Layer, string> {
  const paths = new Map<Layer, string>([[layer, '']]);
  const visit = (outer: Layer, prefix: string): void => {
    for (const [name, inner] of outer.sublayers()) {
      if (paths.has(inner)) continue;
      paths.set(inner, `${prefix}${name}`);
      visit(inner, `${prefix}${name}.`);
    }
  };
  visit(layer, '');
  return paths;
}
