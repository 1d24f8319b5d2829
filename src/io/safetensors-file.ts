/** Safetensors files on disk. Node only. */
import { readFile } from 'node:fs/promises';
import type { Tensor } from '../autograd/tensor.ts';
import { writeFileAtomic } from './atomic-file.ts';
import {
  type ReadSafetensorsOptions,
  readSafetensors,
  type SafetensorsFile,
  type WriteSafetensorsOptions,
  writeSafetensors,
} from './safetensors.ts';

/**
 * `writeSafetensors` to a file, whole or not at all: whatever happens on the way, `path` holds the old file or the new.
 */
export async function saveSafetensors(
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  options: WriteSafetensorsOptions = {},
): Promise<void> {
  await writeFileAtomic(path, await writeSafetensors(tensors, options));
}

/** `readSafetensors` from a file. */
export async function loadSafetensors(
  path: string,
  options: ReadSafetensorsOptions = {},
): Promise<SafetensorsFile> {
  return readSafetensors(await readFile(path), options);
}
