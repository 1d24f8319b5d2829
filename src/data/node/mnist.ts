/** `data.mnist()`: from a folder, the cache, or the network. Node only. */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe } from '../../core/describe.ts';
import { ArgumentError, WgradError } from '../../core/errors.ts';
import { writeFileAtomic } from '../../io/atomic-file.ts';
import { checkOptions } from '../../ops/options.ts';
import type { Examples } from '../generated.ts';
import { imagesOf } from '../mnist.ts';

/** Data that are neither there nor to be had; `code` is 'data-missing'. */
export class DataMissingError extends WgradError {
  constructor(message: string, options?: ErrorOptions) {
    super('data-missing', message, options);
  }
}

/** The files as LeCun, Cortes and Burges published them, with SHA-256. */
const FILES = {
  'train-images-idx3-ubyte.gz': '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
  'train-labels-idx1-ubyte.gz': '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
  't10k-images-idx3-ubyte.gz': '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
  't10k-labels-idx1-ubyte.gz': 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
} as const;

type FileName = keyof typeof FILES;

/** The mirrors of TensorFlow and of PyTorch. */
const MIRRORS = [
  'https://storage.googleapis.com/cvdf-datasets/mnist/',
  'https://ossci-datasets.s3.amazonaws.com/mnist/',
];

export interface DownloadProgress {
  readonly file: string;
  /** Bytes so far. */
  readonly loaded: number;
  /** Bytes in all, where the server tells. */
  readonly total: number | undefined;
}

export interface MnistOptions {
  /**
   * A folder with the four IDX files, gzipped or not, under their usual names. They are read as they are, so subsets and
   * relatives such as Fashion-MNIST will do. Default: none; the cache is looked at, then the network.
   */
  dir?: string;
  /** Whether to fetch what neither folder nor cache has. Default: true. */
  download?: boolean;
  /** Where downloads are kept. Default: `$XDG_CACHE_HOME/wgrad/mnist`, else `~/.cache/wgrad/mnist`. */
  cache?: string;
  /** Where to fetch from, tried in turn. Default: the mirrors of TensorFlow and PyTorch. */
  mirrors?: readonly string[];
  /** Called while a file arrives. */
  onProgress?: (progress: DownloadProgress) => void;
}

export interface Mnist {
  readonly train: Examples;
  readonly test: Examples;
}

const OPTIONS = ['dir', 'download', 'cache', 'mirrors', 'onProgress'] as const;

const defaultCache = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'wgrad', 'mnist');

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const isGenuine = (file: FileName, bytes: Uint8Array): boolean =>
  createHash('sha256').update(bytes).digest('hex') === FILES[file];

/** What to do by hand. */
const help = (folder: string): string =>
  `Fetch ${Object.keys(FILES).join(', ')} from ${MIRRORS[0]} into ${folder}, pass { dir } with a folder that holds them, ` +
  `or use data.digits(), which needs no files.`;

async function fromFolder(dir: string): Promise<Map<FileName, Uint8Array>> {
  const found = new Map<FileName, Uint8Array>();
  for (const file of Object.keys(FILES) as FileName[]) {
    const plain = file.replace(/\.gz$/, '');
    const bytes = (await readIfThere(join(dir, file))) ?? (await readIfThere(join(dir, plain)));
    if (!bytes) {
      throw new DataMissingError(`mnist: ${dir} holds neither ${file} nor ${plain}. ${help(dir)}`);
    }
    found.set(file, bytes);
  }
  return found;
}

/** One file from one address, in parts, so that progress can be told. */
async function fetchFile(
  url: string,
  file: string,
  onProgress: MnistOptions['onProgress'],
): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
  const length = Number(response.headers.get('content-length'));
  const total = length > 0 ? length : undefined;
  const parts: Uint8Array[] = [];
  let loaded = 0;
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    parts.push(part);
    loaded += part.length;
    onProgress?.({ file, loaded, total });
  }
  return Buffer.concat(parts);
}

async function download(
  file: FileName,
  cache: string,
  { mirrors = MIRRORS, onProgress }: MnistOptions,
): Promise<Uint8Array> {
  const failures: string[] = [];
  for (const mirror of mirrors) {
    const url = new URL(file, mirror.endsWith('/') ? mirror : `${mirror}/`).href;
    try {
      const bytes = await fetchFile(url, file, onProgress);
      if (!isGenuine(file, bytes))
        throw new Error(`the SHA-256 of its ${bytes.length} bytes is not ${FILES[file]}`);
      await mkdir(cache, { recursive: true });
      await writeFileAtomic(join(cache, file), bytes);
      return bytes;
    } catch (error) {
      const { message, cause } = error as Error;
      failures.push(`${url}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`);
    }
  }
  throw new DataMissingError(
    `mnist: no download of ${file} succeeded: ${failures.join('; ')}. ${help(cache)}`,
  );
}

/** From the cache where the file is there and whole, else from the network. */
async function fromCache(options: MnistOptions): Promise<Map<FileName, Uint8Array>> {
  const cache = options.cache ?? defaultCache();
  const found = new Map<FileName, Uint8Array>();
  for (const file of Object.keys(FILES) as FileName[]) {
    const cached = await readIfThere(join(cache, file));
    if (cached && isGenuine(file, cached)) found.set(file, cached);
    else if (options.download === false) {
      const why = cached ? `the copy of ${file} in ${cache} is damaged` : `${cache} does not hold ${file}`;
      throw new DataMissingError(`mnist: ${why}, and downloads are switched off. ${help(cache)}`);
    } else found.set(file, await download(file, cache, options));
  }
  return found;
}

/**
 * The handwritten digits of LeCun, Cortes and Burges (60,000 + 10,000): x (28, 28, 1), bytes that become 0 … 1 on the
 * device, y the digit. Read from `dir` if that is given; else from the cache; else downloaded there, checked by SHA-256.
 *
 * @throws DataMissingError, which says what to do; FormatError for damaged files in `dir`.
 */
export async function mnist(options: MnistOptions = {}): Promise<Mnist> {
  const op = 'mnist';
  checkOptions(op, options, OPTIONS, '');
  for (const key of ['dir', 'cache'] as const) {
    if (options[key] !== undefined && typeof options[key] !== 'string') {
      throw new ArgumentError(`${op}: ${key} is ${describe(options[key])}; pass the path of a folder.`);
    }
  }
  const { dir } = options;
  const files = dir === undefined ? await fromCache(options) : await fromFolder(dir);
  const named = (file: FileName) => [file, files.get(file) as Uint8Array] as const;
  return {
    train: imagesOf(op, named('train-images-idx3-ubyte.gz'), named('train-labels-idx1-ubyte.gz')),
    test: imagesOf(op, named('t10k-images-idx3-ubyte.gz'), named('t10k-labels-idx1-ubyte.gz')),
  };
}
