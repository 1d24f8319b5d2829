/** Files that are either the old ones or the new ones, whatever happens in between. Node only. */
import { randomUUID } from 'node:crypto';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What `path` names, through symbolic links, and the permissions of the file that is there. */
async function existing(path: string): Promise<{ target: string; mode: number | undefined }> {
  try {
    const target = await realpath(path);
    return { target, mode: (await stat(target)).mode & 0o777 };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { target: path, mode: undefined };
  }
}

/** Makes a rename last through a power cut. Windows cannot open folders, and needs no such thing. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a whole file: a temporary file in the same folder, `fsync`, `rename` over `path`, `fsync` of the folder. A
 * reader sees the old content or the new, never a part; after an error the old file is untouched and the temporary one
 * is gone. A symbolic link keeps pointing where it did, and the permissions stay.
 *
 * @throws The file system's own error, for instance ENOENT for a folder that does not exist.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const { target, mode } = await existing(path);
  const folder = dirname(target);
  const temporary = join(folder, `.${basename(target)}.${randomUUID()}.tmp`);
  const handle = await open(temporary, 'wx', mode);
  try {
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}
