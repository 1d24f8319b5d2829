/**
 * What initializers, regularizers and constraints share: functions that know their name and options, so that
 * `JSON.stringify` writes all that it takes to make them again.
 */
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { unknownName } from '../core/nearest.ts';

/** What such a function is; also the key of its name in its JSON form. */
export type Kind = 'initializer' | 'regularizer' | 'constraint';

/** Makes one from its options; all of them have defaults. */
type Maker<F> = (options?: never) => F;

/** Gives a function its JSON form, `{ [kind]: name, options }`; options that are undefined are left out. */
export function configured<F extends (...args: never[]) => unknown>(
  call: F,
  kind: Kind,
  name: string,
  options: Readonly<Record<string, unknown>> = {},
): F {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const json = { [kind]: name, options: Object.fromEntries(given) };
  return Object.assign(call, { toJSON: () => json });
}

/** The options, of which a number alone stands for one. */
export const optionsOf = <T extends object>(options: number | T, key: keyof T & string): T =>
  typeof options === 'number' ? ({ [key]: options } as T) : options;

/** Refuses all options. */
export function checkNoOptions(op: string, options: unknown): void {
  const isPlain = Object.prototype.toString.call(options) === '[object Object]';
  const [key] = isPlain ? Object.keys(options as object) : [];
  if (isPlain && key === undefined) return;
  const fault = isPlain ? `no option '${key}'` : `${describe(options)} stands where nothing is expected`;
  throw new ArgumentError(`${op}: ${fault}; it takes no options, so call ${op}().`);
}

/** One of `values`, or the error that names the nearest. */
export function checkChoice(op: string, what: string, given: unknown, values: readonly string[]): void {
  if (!values.includes(given as string)) throw unknownName(op, what, given, values);
}

/** The function that a name or its JSON form stands for; a function is returned as it is. */
export function getConfigured<F>(
  kind: Kind,
  makers: Readonly<Record<string, Maker<F>>>,
  identifier: unknown,
): F {
  const op = `${kind}s.get`;
  if (typeof identifier === 'function') {
    const maker = Object.keys(makers).find((name) => makers[name] === identifier);
    if (maker === undefined) return identifier as F;
    throw new ArgumentError(
      `${op}: ${kind}s.${maker} only makes the function; call it: ${kind}s.${maker}().`,
    );
  }
  const isJson = typeof identifier === 'object' && identifier !== null && kind in identifier;
  if (typeof identifier !== 'string' && !isJson) {
    const [example] = Object.keys(makers);
    throw new ArgumentError(
      `${op}: ${describe(identifier)} is no ${kind}; pass a name such as '${example}', a function, or ` +
        `{ ${kind}: '${example}', options: {} }.`,
    );
  }
  const { [kind]: name, options } = isJson
    ? (identifier as { readonly [key in Kind]: unknown } & { readonly options?: unknown })
    : { [kind]: identifier, options: undefined };
  const make = typeof name === 'string' && Object.hasOwn(makers, name) ? makers[name] : undefined;
  if (!make) throw unknownName(op, kind, name, Object.keys(makers));
  return make(options as never);
}
