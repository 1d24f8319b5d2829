/** The SwiftShader inside `@sparticuz/chromium`: a software Vulkan that needs neither root nor an installation. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { parseTar } from 'nanotar';
import { AdapterError } from '../../core/errors.ts';

const ARCHIVE_SHA256 = 'f957ea867313f9815b71dc2ed30cce301e01db4f3973fbdb31ffa5391b0ec45a';
const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];

export interface SwiftShader {
  /** The Vulkan loader to open. */
  readonly loader: string;
  /** The driver manifest that the loader shall use. */
  readonly driver: string;
}

/** The archive inside the installed package, or undefined. */
function findArchive(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
    for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
      const candidate = join(folder, 'bin', 'swiftshader.tar.br');
      if (existsSync(candidate)) return candidate;
    }
  } catch {
    // Not installed.
  }
  return undefined;
}

/** Folders that may hold the unpacked files, the first writable one wins. */
function cacheFolders(): string[] {
  const name = `swiftshader-${ARCHIVE_SHA256.slice(0, 12)}`;
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return [join(base, 'wgrad', name), join(tmpdir(), `wgrad-${process.getuid?.() ?? 'user'}`, name)];
}

const isComplete = (folder: string): boolean => FILES.every((file) => existsSync(join(folder, file)));

/** Unpacks into a temporary folder and renames it, so that two processes at once do no harm. */
async function unpack(archive: string, folder: string): Promise<void> {
  const packed = await readFile(archive);
  const digest = createHash('sha256').update(packed).digest('hex');
  if (digest !== ARCHIVE_SHA256) {
    throw new AdapterError(
      `${archive} is not the SwiftShader of @sparticuz/chromium 147.0.0 (SHA-256 ${digest}).`,
    );
  }
  const entries = parseTar(await promisify(brotliDecompress)(packed));
  const temporary = `${folder}.${randomUUID()}`;
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  try {
    for (const file of FILES) {
      const entry = entries.find(({ name }) => name === file || name.endsWith(`/${file}`));
      if (!entry?.data) throw new AdapterError(`${archive} holds no ${file}.`);
      await writeFile(join(temporary, file), entry.data, { mode: 0o755 });
    }
    await rename(temporary, folder);
  } catch (error) {
    if (!isComplete(folder)) throw error; // Another process may have been faster.
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Finds, and unpacks if need be, the packaged SwiftShader; undefined when the package is not installed. */
export async function packagedSwiftShader(): Promise<SwiftShader | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const folders = cacheFolders();
  let folder = folders.find(isComplete);
  if (!folder) {
    const archive = findArchive();
    if (!archive) return undefined;
    let failure: unknown;
    for (const candidate of folders) {
      try {
        await unpack(archive, candidate);
        folder = candidate;
        break;
      } catch (error) {
        failure = error;
      }
    }
    if (!folder) throw failure;
  }
  return { loader: join(folder, 'libvulkan.so.1'), driver: join(folder, 'vk_swiftshader_icd.json') };
}
