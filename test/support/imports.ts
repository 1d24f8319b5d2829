/** Reads the imports of source files and judges them by the order of the folders. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);

/** A folder imports from itself and from those before it. */
export const LAYERS = [
  'wgsl',
  'src/core',
  'kernels',
  'src/runtime',
  'src/autograd',
  'src/ops',
  'src/nn',
  'src/optim',
  'src/io',
  'src/data',
  'src/metrics',
  'src/train',
  'src/models',
  'src/doctor',
  'src/report',
  'src/cli',
] as const;

/** The public faces, which may import everything but the command; only they and the command may import them. */
const FACES = ['src/exports.ts', 'src/index.ts', 'src/node.ts'];

export interface ImportLine {
  readonly target: string;
  /** Vanishes when the file is compiled. */
  readonly typeOnly: boolean;
}

const STATEMENT = /(?<![\w$.])(?:import|export)\s+(type\s+)?(?:[\w$*{}\s,]+?\s+from\s*)?['"]([^'"\n]+)['"]/g;
const DYNAMIC = /(?<![\w$.])import\s*\(\s*['"`]([^'"`\n]+)['"`]/g;

/** The import specifiers of a TypeScript text. */
export function importsOf(text: string): ImportLine[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/(^|\s)\/\/.*$/gm, '$1');
  const lines = [...code.matchAll(STATEMENT)].map(([, type, target]) => ({
    target: target as string,
    typeOnly: type !== undefined,
  }));
  return [
    ...lines,
    ...[...code.matchAll(DYNAMIC)].map(([, target]) => ({ target: target as string, typeOnly: false })),
  ];
}

/** The path, from the root, that a relative specifier in `file` names; packages and builtins as they stand. */
export function resolveImport(file: string, target: string): string {
  if (!target.startsWith('.')) return target;
  return new URL(target, `file:///${file}`).pathname.slice(1);
}

const layerOf = (file: string): number => LAYERS.findIndex((folder) => file.startsWith(`${folder}/`));

/** Why `file` may not import `target`, a path from the root; `null` where it may. */
export function objection(file: string, target: string): string | null {
  const local = target.startsWith('src/') || target.startsWith('kernels/') || target.startsWith('wgsl/');
  if (!local)
    return /^(?:test|bench|examples|scripts|dist)\//.test(target) ? `${file} imports ${target}` : null;
  const to = layerOf(target);
  if (FACES.includes(file)) {
    return target.startsWith('src/cli/')
      ? `${file} imports ${target}: only the command itself uses src/cli`
      : null;
  }
  const from = layerOf(file);
  if (from < 0) return `${file} stands in no known folder`;
  if (FACES.includes(target)) {
    return file.startsWith('src/cli/')
      ? null
      : `${file} imports ${target}: only src/cli uses the public faces`;
  }
  if (to < 0) return `${file} imports ${target}, which stands in no known folder`;
  return to <= from ? null : `${file} imports ${target}: ${LAYERS[from]} stands below ${LAYERS[to]}`;
}

/** All TypeScript files under a folder, as paths from the root. */
export function sourceFiles(folder: string): string[] {
  const url = new URL(`${folder}/`, root);
  if (!existsSync(url)) return [];
  return readdirSync(url, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
    .sort();
}

export const readSource = (file: string): string => readFileSync(fileURLToPath(new URL(file, root)), 'utf8');

/** Everything that `entry` pulls in at run time: paths, packages and builtins, with the file that names each. */
export function reachable(entry: string, read: (file: string) => string = readSource): Map<string, string> {
  const found = new Map([[entry, '']]);
  const queue = [entry];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    for (const { target, typeOnly } of importsOf(read(file))) {
      const path = resolveImport(file, target);
      if (typeOnly || found.has(path)) continue;
      found.set(path, file);
      if (target.startsWith('.') && path.endsWith('.ts')) queue.push(path);
    }
  }
  return found;
}
