/** Finding adapters in Node, in the order of preference, with the reason for each step. */
import { constants } from 'node:os';
import { AdapterError } from '../../core/errors.ts';
import { adapterName, isSoftware } from '../gpu/open.ts';
import type { AdapterChoice } from '../init.ts';
import { packagedSwiftShader } from './swiftshader.ts';

export interface FoundAdapter {
  readonly source: 'pinned' | 'hardware' | 'system' | 'swiftshader';
  readonly name: string;
  readonly software: boolean;
  readonly adapter: GPUAdapter;
}

/** One line of the search: what was tried and what came of it. */
export interface Attempt {
  readonly source: FoundAdapter['source'];
  readonly found: string | null;
  readonly note: string;
}

interface Dawn {
  create(options: string[]): GPU;
  globals: object;
}

let dawn: Promise<Dawn | string> | undefined;

/** The `webgpu` package, or the reason why it cannot be used. */
export function loadDawn(): Promise<Dawn | string> {
  dawn ??= import('webgpu').then(
    (module) => {
      Object.assign(globalThis, module.globals);
      return module as unknown as Dawn;
    },
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  return dawn;
}

const PINS = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'];

const pin = (): string | undefined => PINS.map((name) => process.env[name]).find(Boolean);

/**
 * What `create()` returned, by the pinned driver. Dawn aborts the process when an instance goes before its devices, and
 * an instance costs about 2 MB, so each is made once and kept.
 */
const instances = new Map<string, GPU>();

async function ask(source: FoundAdapter['source'] | null): Promise<FoundAdapter | string> {
  const module = await loadDawn();
  if (typeof module === 'string') return `the webgpu package does not load: ${module}`;
  try {
    const key = pin() ?? '';
    const instance = instances.get(key) ?? module.create([]);
    const adapter = await instance.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) return 'no Vulkan driver that Dawn accepts';
    instances.set(key, instance);
    const software = isSoftware(adapter.info);
    const found = source ?? (software ? 'system' : 'hardware');
    return { source: found, name: adapterName(adapter.info), software, adapter };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function askSwiftShader(): Promise<FoundAdapter | string> {
  const packaged = await packagedSwiftShader();
  if (!packaged) return 'not installed; `npm install @sparticuz/chromium@147.0.0` adds it on Linux x64';
  const before = PINS.map((name) => [name, process.env[name]] as const);
  for (const name of PINS) process.env[name] = packaged.driver;
  try {
    // A shared library is no Node addon, so this always throws; the library stays loaded, which is the point.
    process.dlopen({ exports: {} }, packaged.loader, constants.dlopen.RTLD_NOW | 0x1000 /* RTLD_NODELETE */);
  } catch {
    // Expected.
  }
  try {
    return await ask('swiftshader');
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

export interface Search {
  readonly found: FoundAdapter | null;
  readonly attempts: readonly Attempt[];
}

/** Searches run one after another, as they set environment variables for the Vulkan loader. */
let lastSearch: Promise<unknown> = Promise.resolve();

/** Walks the candidates until one is good enough for `choice`. */
export function findAdapter(choice: AdapterChoice): Promise<Search> {
  const search = lastSearch.then(() => searchFor(choice));
  lastSearch = search.catch(() => {});
  return search;
}

async function searchFor(choice: AdapterChoice): Promise<Search> {
  const attempts: Attempt[] = [];
  const note = (source: Attempt['source'], result: FoundAdapter | string): FoundAdapter | null => {
    const found = typeof result === 'string' ? null : result;
    attempts.push({
      source: found?.source ?? source,
      found: found?.name ?? null,
      note: typeof result === 'string' ? result : 'usable',
    });
    return found;
  };
  if (choice === 'cpu') return { found: null, attempts };
  if (choice === 'swiftshader') return { found: note('swiftshader', await askSwiftShader()), attempts };
  const pinned = pin();
  const found = note(pinned ? 'pinned' : 'system', await ask(pinned ? 'pinned' : null));
  if (found || choice === 'system') return { found, attempts };
  return { found: note('swiftshader', await askSwiftShader()), attempts };
}

/** The choice in the environment. */
export function choiceFromEnvironment(): AdapterChoice {
  const value = process.env.WGRAD_ADAPTER;
  if (value === undefined || value === '') return 'auto';
  if (value === 'auto' || value === 'system' || value === 'swiftshader' || value === 'cpu') return value;
  throw new AdapterError(`WGRAD_ADAPTER=${value} is unknown; it may be auto, system, swiftshader or cpu.`);
}
