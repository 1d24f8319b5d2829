/** Models and weights on disk. Node only. */
import { readFile } from 'node:fs/promises';
import { WgradError } from '../../core/errors.ts';
import { writeFileAtomic } from '../../io/atomic-file.ts';
import type { Layer } from '../../nn/layer.ts';
import type { Model } from '../model.ts';
import {
  type ReadModelOptions,
  type ReadWeightsOptions,
  readModel,
  readWeights,
  type WriteModelOptions,
  writeModel,
  writeWeights,
} from '../save.ts';

/** Reads a file; errors of ours tell its path. */
async function withFile<T>(path: string, use: (bytes: Uint8Array) => T): Promise<T> {
  const bytes = await readFile(path);
  try {
    return use(bytes);
  } catch (error) {
    if (error instanceof WgradError) error.message = `${path}: ${error.message}`;
    throw error;
  }
}

/**
 * `writeModel` to a file, whole or not at all: whatever happens on the way, `path` holds the old file or the new.
 *
 * ```ts
 * await saveModel(net, 'net.safetensors');
 * const same = await loadModel('net.safetensors');
 * ```
 */
export async function saveModel(model: Model, path: string, options: WriteModelOptions = {}): Promise<void> {
  await writeFileAtomic(path, await writeModel(model, options));
}

/** `readModel` from a file. */
export const loadModel = (path: string, options: ReadModelOptions = {}): Promise<Model> =>
  withFile(path, (bytes) => readModel(bytes, options));

/** `writeWeights` to a file, whole or not at all. */
export async function saveWeights(
  layer: Layer,
  path: string,
  options: WriteModelOptions = {},
): Promise<void> {
  await writeFileAtomic(path, await writeWeights(layer, options));
}

/** `readWeights` from a file. */
export const loadWeights = (layer: Layer, path: string, options: ReadWeightsOptions = {}): Promise<void> =>
  withFile(path, (bytes) => readWeights(layer, bytes, options));
