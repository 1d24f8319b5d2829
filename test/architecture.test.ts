/** The folders import in one direction only, and the browser's entry reaches nothing of Node. */
import { builtinModules } from 'node:module';
import * as assert from 'uvu/assert';
import { suite } from './support/harness.ts';
import {
  importsOf,
  objection,
  reachable,
  readSource,
  resolveImport,
  sourceFiles,
} from './support/imports.ts';

const test = suite('architecture');

const isNodeOnly = (path: string): boolean =>
  path.startsWith('node:') ||
  builtinModules.includes(path) ||
  path.startsWith('src/runtime/node/') ||
  path === 'src/node.ts';

test('every import follows the order of the folders', () => {
  const files = ['kernels', 'src'].flatMap(sourceFiles);
  assert.ok(files.length > 20, `only ${files.length} files were found`);
  const objections = files.flatMap((file) =>
    importsOf(readSource(file)).flatMap(({ target }) => objection(file, resolveImport(file, target)) ?? []),
  );
  assert.is(objections.join('\n'), '');
});

test('src/index.ts reaches nothing that only Node has', () => {
  const offences = [...reachable('src/index.ts')].filter(([path]) => isNodeOnly(path));
  assert.is(offences.map(([path, from]) => `${from} imports ${path}`).join('\n'), '');
});

test('a forbidden import is found', () => {
  const forbidden: [file: string, target: string][] = [
    ['src/core/shape.ts', '../../kernels/kernel.ts'],
    ['kernels/unary.ts', '../src/runtime/device.ts'],
    ['src/runtime/device.ts', '../autograd/tensor.ts'],
    ['src/autograd/op.ts', '../ops/unary.ts'],
    ['src/nn/layers/dense.ts', '../../train/fit.ts'],
    ['src/ops/unary.ts', '../index.ts'],
    ['src/index.ts', './cli/main.ts'],
    ['src/node.ts', './cli/main.ts'],
    ['src/ops/unary.ts', '../../test/support/harness.ts'],
    ['src/ops/unary.ts', '../misc/helper.ts'],
    ['src/misc/helper.ts', '../core/shape.ts'],
  ];
  for (const [file, target] of forbidden) {
    assert.type(objection(file, resolveImport(file, target)), 'string', `${file} → ${target}`);
  }
  const allowed: [file: string, target: string][] = [
    ['kernels/unary.ts', '../wgsl/unary.wgsl'],
    ['kernels/unary.ts', '../src/core/shape.ts'],
    ['src/ops/unary.ts', './operand.ts'],
    ['src/ops/unary.ts', '../../kernels/unary.ts'],
    ['src/index.ts', './report/html.ts'],
    ['src/cli/main.ts', '../node.ts'],
    ['src/runtime/node/init.ts', 'node:os'],
  ];
  for (const [file, target] of allowed) assert.is(objection(file, resolveImport(file, target)), null);
});

test('every form of import is read', () => {
  const text = `
    import a from './a.ts';
    import type { B } from "./b.ts";
    import {
      type C,
      c,
    } from './c.ts';
    import * as d from './d.ts'; import './e.ts';
    export * from './f.ts';
    export { g } from './g.ts';
    export type { H } from './h.ts';
    const i = await import('./i.ts');
    // import './not.ts';
    /* import './nor.ts'; */
    export const text = 'no import from here';
    export function from(x: number) { return Array.from('abc'); }
  `;
  const lines = importsOf(text);
  assert.equal(
    lines.map(({ target }) => target),
    ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name) => `./${name}.ts`),
  );
  assert.equal(
    lines.filter(({ typeOnly }) => typeOnly).map(({ target }) => target),
    ['./b.ts', './h.ts'],
  );
});

test('a builtin behind two files is reached, one behind a type is not', () => {
  const files: Record<string, string> = {
    'src/index.ts': "export * from './a.ts'; import type { T } from './node.ts';",
    'src/a.ts': "import { b } from './b.ts';",
    'src/b.ts': "import fs from 'node:fs';",
  };
  const found = reachable('src/index.ts', (file) => files[file] as string);
  assert.equal(
    [...found].filter(([path]) => isNodeOnly(path)),
    [['node:fs', 'src/b.ts']],
  );
});
