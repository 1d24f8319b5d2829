/** A training run as a file: safetensors, with everything that is no tensor as JSON in its metadata. Node only. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from '../../core/describe.ts';
import { ArgumentError, FormatError } from '../../core/errors.ts';
import { writeFileAtomic } from '../../io/atomic-file.ts';
import { crc32 } from '../../io/crc32.ts';
import { readSafetensors, writeSafetensors } from '../../io/safetensors.ts';
import { checkOptions } from '../../ops/options.ts';
import type { Device } from '../../runtime/device.ts';
import { type RunJson, RunState } from '../state.ts';

/** The place that a run goes on from, which names its file. */
export interface Place {
  readonly epoch: number;
  readonly step: number;
}

export interface CheckpointEntry extends Place {
  readonly path: string;
}

const NAME = /^checkpoint-(\d{6,})-(\d{6,})\.safetensors$/;
/** What a writer that was killed leaves behind. */
const UNFINISHED = /^\.checkpoint-\d+-\d+\.safetensors\..*\.tmp$/;
const FORMAT = 'wgrad-run-1';

const digits = (count: number): string => String(count).padStart(6, '0');

export const checkpointName = ({ epoch, step }: Place): string =>
  `checkpoint-${digits(epoch)}-${digits(step)}.safetensors`;

export const isLater = (a: Place, b: Place): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.step > b.step);

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The checkpoints of a folder, the earliest first; none where there is no folder. */
export async function listCheckpoints(directory: string): Promise<CheckpointEntry[]> {
  const entries = (await namesIn(directory)).flatMap((name) => {
    const [, epoch, step] = NAME.exec(name) ?? [];
    return epoch === undefined
      ? []
      : [{ path: join(directory, name), epoch: Number(epoch), step: Number(step) }];
  });
  return entries.sort((a, b) => (isLater(a, b) ? 1 : -1));
}

export const listUnfinished = async (directory: string): Promise<string[]> =>
  (await namesIn(directory)).filter((name) => UNFINISHED.test(name)).map((name) => join(directory, name));

/** JSON has no NaN, no infinities and no −0; averages of a bad run hold them. */
const NUMBER = '$number';

const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, own: unknown) =>
    typeof own === 'number' && (!Number.isFinite(own) || Object.is(own, -0))
      ? { [NUMBER]: Object.is(own, -0) ? '-0' : String(own) }
      : own,
  );

const fromJson = (text: string): unknown =>
  JSON.parse(text, (_, own: unknown) =>
    typeof own === 'object' && own !== null && NUMBER in own ? Number(own[NUMBER]) : own,
  );

/** Where the checksum's eight digits stand in the header, where a quote within a text would be escaped. */
const CHECKSUM = '"crc32":"';

function checksumPlace(file: Buffer): number {
  const at = file.indexOf(CHECKSUM);
  return at < 0 ? -1 : at + CHECKSUM.length;
}

/** The checksum of the file with zeros in its own place. */
function checksumOf(file: Buffer, place: number): string {
  const digitsThere = file.toString('latin1', place, place + 8);
  file.write('00000000', place, 'latin1');
  const sum = crc32(file).toString(16).padStart(8, '0');
  file.write(digitsThere, place, 'latin1');
  return sum;
}

/** Writes a run, whole or not at all; its floats keep their bits on either device. */
export async function writeCheckpoint(
  path: string,
  { tensors, json }: RunState,
  device: Device,
): Promise<void> {
  const bytes = await writeSafetensors(tensors, {
    float: device.float,
    metadata: { format: FORMAT, crc32: '00000000', run: toJson(json) },
  });
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const place = checksumPlace(file);
  file.write(checksumOf(file, place), place, 'latin1');
  await writeFileAtomic(path, file);
}

export interface LoadCheckpointOptions {
  /** Where the tensors are made. Default: the default device. */
  device?: Device;
}

/** @throws FormatError for a file that is damaged, cut off, or no checkpoint. */
async function readCheckpoint(path: string, options: LoadCheckpointOptions): Promise<RunState> {
  const file = await readFile(path);
  const place = checksumPlace(file);
  if (place < 0)
    throw new FormatError(`loadCheckpoint: ${path} is no checkpoint of a training run, or damaged.`);
  if (checksumOf(file, place) !== file.toString('latin1', place, place + 8))
    throw new FormatError(`loadCheckpoint: the checksum of ${path} is wrong; the file is damaged.`);
  const { tensors, metadata } = readSafetensors(file, options);
  try {
    if (metadata.format !== FORMAT || metadata.run === undefined)
      throw new FormatError(`loadCheckpoint: ${path} is no checkpoint of a training run.`);
    return new RunState(tensors, fromJson(metadata.run) as RunJson);
  } catch (error) {
    for (const tensor of Object.values(tensors)) tensor.dispose();
    throw error;
  }
}

/**
 * The newest whole checkpoint of a folder, or null where there is none, also where the folder does not exist; damaged files are
 * skipped with a warning. From a file: that one. Dispose it when the training has begun with it:
 *
 * ```ts
 * const state = await loadCheckpoint('run');
 * await model.fit(data, { resume: state, callbacks: [callbacks.checkpoint({ directory: 'run' })] });
 * state?.dispose();
 * ```
 *
 * @throws FormatError for a file that is damaged or no checkpoint; the file system's own error for one that is not there.
 */
export async function loadCheckpoint(
  path: string,
  options: LoadCheckpointOptions = {},
): Promise<RunState | null> {
  checkOptions('loadCheckpoint', options, ['device'], 'path');
  if (typeof path !== 'string' || path === '')
    throw new ArgumentError(
      `loadCheckpoint: the path is ${describe(path)}; pass that of a folder or a file.`,
    );
  if (path.endsWith('.safetensors') && (await stat(path)).isFile()) return readCheckpoint(path, options);
  for (const { path: file } of (await listCheckpoints(path)).reverse()) {
    try {
      return await readCheckpoint(file, options);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      console.warn(`wgrad: skipped a damaged checkpoint. ${error.message} (${file})`);
    }
  }
  return null;
}
