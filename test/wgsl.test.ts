/** The WGSL modules: all compile, all are used, and what they share is the same everywhere. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { loadDawn } from '../src/runtime/node/adapters.ts';
import { suite } from './support/harness.ts';
import { importsOf, readSource, resolveImport, sourceFiles } from './support/imports.ts';

const test = suite('wgsl');
const root = new URL('../', import.meta.url);
const folder = new URL('wgsl/', root);
const sources = new Map(
  readdirSync(folder)
    .filter((name) => name.endsWith('.wgsl'))
    .sort()
    .map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]),
);

/** Functions that share a name, not a meaning, each with the reason. */
const OWN_MEANING: Readonly<Record<string, string>> = {};

/** Functions of a module by name, without comments; entry points are left out. */
function functionsOf(source: string): Map<string, string> {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/[ \t]*\/\/.*$/gm, '');
  const functions = new Map<string, string>();
  for (const match of code.matchAll(/((?:@\w+\s*(?:\([^)]*\)\s*)?)*)\bfn\s+(\w+)/g)) {
    if (/@compute\b/.test(match[1] as string)) continue;
    const start = match.index + (match[1] as string).length;
    let end = code.indexOf('{', start);
    let depth = 0;
    do {
      if (code[end] === '{') depth++;
      if (code[end] === '}') depth--;
      end++;
    } while (depth > 0 && end < code.length);
    functions.set(match[2] as string, code.slice(start, end));
  }
  return functions;
}

/** `name: a.wgsl and b.wgsl` for each function whose text differs between two modules. */
function differences(modules: ReadonlyMap<string, string>): string[] {
  const first = new Map<string, { file: string; text: string }>();
  const found: string[] = [];
  for (const [file, source] of modules) {
    for (const [name, text] of functionsOf(source)) {
      const known = first.get(name);
      if (!known) first.set(name, { file, text });
      else if (known.text !== text) found.push(`${name}: ${known.file} and ${file}`);
    }
  }
  return found;
}

/** The extensions that a module enables. */
const enabled = (source: string): string[] =>
  [...source.matchAll(/^enable\s+([^;]+);/gm)].flatMap(([, list]) =>
    (list as string).split(',').map((s) => s.trim()),
  );

const FEATURES: Record<string, GPUFeatureName> = { subgroups: 'subgroups', f16: 'shader-f16' };

/** Compiles the modules without a GPU; each complaint names module, line and column. */
async function complaints(modules: ReadonlyMap<string, string>): Promise<string[]> {
  const dawn = await loadDawn();
  if (typeof dawn === 'string') throw new Error(dawn);
  const gpu = dawn.create(['backend=null']);
  const adapter = await gpu.requestAdapter();
  assert.ok(adapter, 'Dawn offers no null adapter');
  const wanted = Object.values(FEATURES).filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ requiredFeatures: wanted });
  const found: string[] = [];
  device.onuncapturederror = (event) => event.preventDefault();
  for (const [name, source] of modules) {
    const missing = enabled(source).filter(
      (extension) => !device.features.has(FEATURES[extension] ?? extension),
    );
    if (missing.length > 0) {
      console.log(`  not compiled: ${name} (the null adapter lacks ${missing.join(', ')})`);
      continue;
    }
    const info = await device.createShaderModule({ label: name, code: source }).getCompilationInfo();
    for (const { type, lineNum, linePos, message } of info.messages) {
      if (type === 'error') found.push(`${name}:${lineNum}:${linePos} ${message}`);
    }
  }
  device.destroy();
  return found;
}

test('every module compiles', async () => {
  assert.ok(sources.size > 0);
  assert.is((await complaints(sources)).join('\n'), '');
});

test('a module that does not compile is found', async () => {
  const broken = new Map([['broken.wgsl', 'fn f() -> f32 {\n  return 1u;\n}']]);
  assert.match((await complaints(broken)).join('\n'), /^broken\.wgsl:2:/);
});

test('a module that enables an extension says so in its name, and the reverse', () => {
  for (const [name, source] of sources) {
    const named = name
      .split('.')
      .slice(1, -1)
      .map((part) => part.replace(/\d+$/, ''));
    const extensions = named.filter((part) => part in FEATURES);
    assert.equal(enabled(source).sort(), extensions.sort(), name);
  }
});

test('functions of the same name are the same', () => {
  const different = differences(sources).filter((line) => !((line.split(':')[0] as string) in OWN_MEANING));
  assert.is(different.join('\n'), '');
});

test('the list of exceptions holds nothing stale', () => {
  const names = new Set(differences(sources).map((line) => line.split(':')[0]));
  assert.equal(
    Object.keys(OWN_MEANING).filter((name) => !names.has(name)),
    [],
  );
});

test('a helper that drifted apart is found; entry points may differ', () => {
  const a =
    'fn isNan(v: f32) -> bool { return v > 1.0; } // fn x()\n@compute @workgroup_size(64, 1)\nfn main() { if (true) { } }';
  const b = a.replace('1.0', '2.0').replace('true', 'false');
  assert.equal(
    differences(
      new Map([
        ['a.wgsl', a],
        ['b.wgsl', b],
      ]),
    ),
    ['isNan: a.wgsl and b.wgsl'],
  );
  assert.equal(
    differences(
      new Map([
        ['a.wgsl', a],
        ['b.wgsl', a],
      ]),
    ),
    [],
  );
});

test('every module is used by a kernel', () => {
  const used = new Set(
    sourceFiles('kernels').flatMap((file) =>
      importsOf(readSource(file)).map(({ target }) => resolveImport(file, target)),
    ),
  );
  assert.equal(
    [...sources.keys()].filter((name) => !used.has(`wgsl/${name}`)),
    [],
  );
});

for (const siblings of [
  'scripts/matmul-siblings.ts',
  'scripts/conv-siblings.ts',
  'scripts/recurrent-siblings.ts',
]) {
  if (!existsSync(new URL(siblings, root))) continue;
  test(`what ${siblings} writes is current`, () => {
    execFileSync(process.execPath, ['--import', './scripts/register.mjs', siblings, '--check'], {
      cwd: fileURLToPath(root),
      stdio: 'pipe',
    });
  });
}
