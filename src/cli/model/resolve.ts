/** From what a user writes for MODEL to the model. */
import { existsSync, statSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe } from '../../core/describe.ts';
import { ArgumentError } from '../../core/errors.ts';
import { unknownName } from '../../core/nearest.ts';
import { Model } from '../../models/model.ts';
import { loadModel } from '../../models/node/files.ts';
import * as wgrad from '../../node.ts';
import { BUILT_IN, type BuiltIn } from './built-in.ts';
import type { Task } from './task.ts';

const MODULES = ['.js', '.mjs', '.ts', '.mts'];

/** What `--help` says about MODEL. */
export const MODEL_HELP = [
  'MODEL is',
  ...Object.entries(BUILT_IN).map(([name, { about }]) => `  ${name.padEnd(20)} ${about}`),
  '  FILE.safetensors     a saved model, or the folder with a model.safetensors',
  '  FILE.js, .mjs, .ts   a module whose default export is a model, or a function that makes one:',
  '                       export default ({ layers, input, sequential }, { inputShape, outputs }) => …',
].join('\n');

/** The saved model that `given` names: a file, or the folder of a run. */
export function savedFile(given: string): string | null {
  if (extname(given) === '.safetensors') return resolve(given);
  const inside = join(given, 'model.safetensors');
  return existsSync(inside) ? resolve(inside) : null;
}

/** A module that imports another copy of wgrad than the one that runs has another default device, and other classes. */
const otherCopy = (op: string, path: string): ArgumentError =>
  new ArgumentError(
    `${op}: the model of ${basename(path)} belongs to another copy of wgrad; export a function of ` +
      `({ layers, input, sequential }), which gets this one.`,
  );

/** The default export of a module, called if it is a function. */
async function fromModule(op: string, path: string, task: Task): Promise<Model> {
  let made: unknown;
  try {
    const loaded = (await import(pathToFileURL(path).href)) as { default?: unknown };
    made = loaded.default;
    if (typeof made === 'function' && !(made.prototype instanceof Model)) made = await made(wgrad, task);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'no-device') throw otherCopy(op, path);
    if (code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
    throw new ArgumentError(
      `${op}: this Node does not load ${basename(path)}; compile it to JavaScript, or start it with a loader: node --import tsx.`,
    );
  }
  if (made instanceof Model) return made;
  if ((made as Partial<Model> | null | undefined)?.trainableWeights !== undefined) throw otherCopy(op, path);
  throw new ArgumentError(
    `${op}: the default export of ${basename(path)} is ${describe(made)}; export a model, or a function that returns one.`,
  );
}

/**
 * Where the model comes from, without making it: a check that costs nothing.
 *
 * @throws ArgumentError for a name that there is not, with the nearest one, and for a file that is missing.
 */
export function locateModel(op: string, given: string): { saved: boolean; path: string | null } {
  if (Object.hasOwn(BUILT_IN, given)) return { saved: false, path: null };
  const saved = savedFile(given);
  if (saved === null && !MODULES.includes(extname(given))) {
    const { message } = unknownName(op, 'model', given, Object.keys(BUILT_IN));
    throw new ArgumentError(`${message} Or pass a file: a saved .safetensors, or a .js or .ts module.`);
  }
  const path = saved ?? resolve(given);
  if (!existsSync(path) || !statSync(path).isFile())
    throw new ArgumentError(`${op}: there is no file ${given}; check the path.`);
  return { saved: saved !== null, path };
}

/**
 * The model: one of the built-in ones, made for the task; a saved one; or that of a module. The default device must be open,
 * since weights are made on it.
 *
 * @throws ArgumentError for what `locateModel` does not find, and for a module that exports no model.
 */
export async function resolveModel(op: string, given: string, task: Task): Promise<Model> {
  const { saved, path } = locateModel(op, given);
  if (path === null) return (BUILT_IN[given] as BuiltIn).make(task);
  return saved ? loadModel(path) : fromModule(op, path, task);
}
