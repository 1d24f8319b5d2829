/** The package as its users get it: built, bundled for browsers, and the README's first example as printed. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import * as assert from 'uvu/assert';
import { binaryOps } from '../kernels/binary.ts';
import { type UnaryOp, unaryOps } from '../kernels/unary.ts';
import { suite } from './support/harness.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const test = suite('package', { timeout: 120_000 });

test('the build has JavaScript and declarations', () => {
  execFileSync('npm', ['run', '-s', 'build'], { cwd: root, stdio: 'pipe' });
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const file of [...Object.values<string>(manifest.exports['.']), manifest.bin.wgrad]) {
    assert.ok(existsSync(join(root, file)), `${file} is missing`);
  }
});

test('the "." entry bundles for browsers and holds no Node built-in and no loader', async () => {
  const entry = join(root, 'dist', 'index.js');
  const bundle = await rolldown({ input: entry, platform: 'browser', treeshake: false });
  const { output } = await bundle.generate({ format: 'esm' });
  await bundle.close();
  for (const chunk of output) {
    if (chunk.type !== 'chunk') continue;
    assert.equal(chunk.imports, [], 'the bundle imports from outside');
    assert.equal(chunk.dynamicImports, []);
    assert.not.match(chunk.code, /['"]node:\w|require\(|process\.env/);
    assert.match(chunk.code, /@compute/, 'the shaders are inlined');
  }
});

/** A folder inside the package, so that `import 'wgrad'` finds the build; removed afterwards. */
function withFolder<T>(use: (folder: string) => T): T {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, '.cache', 'consumer-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('the methods of Tensor survive tree-shaking', () => {
  withFolder((folder) => {
    writeFileSync(
      join(folder, 'consumer.mjs'),
      "import { Tensor } from 'wgrad';\nconsole.log(typeof Tensor.prototype.backward);\n",
    );
    for (const platform of ['node', 'browser']) {
      const bundle = join(folder, `${platform}.mjs`);
      const bundler = join(root, 'node_modules', '.bin', 'rolldown');
      const options = [
        join(folder, 'consumer.mjs'),
        '--platform',
        platform,
        '--format',
        'esm',
        '--file',
        bundle,
        '--minify',
      ];
      const external = ['--external', 'webgpu,@sparticuz/chromium'];
      execFileSync(bundler, [...options, ...(platform === 'node' ? external : [])], {
        cwd: root,
        stdio: 'pipe',
      });
      assert.is(execFileSync(process.execPath, [bundle], { encoding: 'utf8' }).trim(), 'function', platform);
    }
  });
});

test('the declarations stand alone', () => {
  withFolder((folder) => {
    writeFileSync(
      join(folder, 'consumer.ts'),
      "import { init, tensor } from 'wgrad';\nconst device = await init();\n" +
        'const x = tensor([1, 2], { device, requiresGrad: true });\nx.mul(2).sum().backward();\n' +
        'export const gradient: Promise<ArrayLike<number>> | undefined = x.grad?.data();\n',
    );
    // skipLibCheck: TypeScript's own DOM library and @webgpu/types each declare WebGPU, in different words.
    const base = {
      target: 'ES2022',
      module: 'NodeNext',
      strict: true,
      types: [],
      noEmit: true,
      skipLibCheck: true,
    };
    for (const lib of [['ES2022'], ['ES2022', 'ESNext.Disposable', 'DOM']]) {
      const config = { compilerOptions: { ...base, lib }, files: ['consumer.ts'] };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
      execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder], {
        cwd: root,
        encoding: 'utf8',
      });
    }
  });
});

/** Files that git knows or would know, without a leading './'. */
const filesOf = (...patterns: string[]): string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...patterns], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(root, file)));

/** Where the links of a page lead, without those to other sites and within the page. */
function linksIn(page: string): string[] {
  const text = page.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');
  const targets = [...text.matchAll(/\]\(([^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(\S+)|\b(?:src|href)="([^"]+)"/gm)];
  return targets
    .map(([, inline, reference, html]) => (inline ?? reference ?? html) as string)
    .filter((target) => !/^(?:[a-z]+:|#)/.test(target))
    .map((target) => target.replace(/#.*$/, ''));
}

test('links between files lead somewhere', () => {
  const pages = filesOf('*.md', 'docs/*.md');
  assert.ok(pages.length >= 4, `only ${pages.join(', ')}`);
  const dead = pages.flatMap((page) =>
    linksIn(readFileSync(join(root, page), 'utf8'))
      .filter((target) => !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page} links to ${target}`),
  );
  assert.is(dead.join('\n'), '');
  const sample =
    '[a](b.md#c) [d](https://e) [f](#g)\n[h]: i/j.md\n<img src="k.png"> `[l](m)`\n```\n[n](o)\n```';
  assert.equal(linksIn(sample), ['b.md', 'i/j.md', 'k.png']);
});

test('no two functions of a shader share a code, and the one in CONTRIBUTING is free', () => {
  const taken = (list: readonly (number | undefined)[]): number[] =>
    list.filter((code) => code !== undefined).sort((a, b) => a - b);
  const unique = (codes: readonly number[], of: string): void =>
    assert.equal(
      codes.filter((code, index) => codes[index - 1] === code),
      [],
      of,
    );
  const unaryCodes = taken(Object.values<UnaryOp>(unaryOps).map(({ code }) => code));
  unique(unaryCodes, 'unary');
  // One case of the shader may serve integers and booleans, whose words it treats alike.
  const binary = Object.values<{ float?: number; int?: number; bool?: number }>(binaryOps);
  const codes = binary.map(({ float, int, bool }) => [...new Set([float, int, bool])]);
  const logical = ['logicalAnd', 'logicalOr', 'logicalXor'];
  const names = Object.keys(binaryOps);
  unique(
    taken(codes.flatMap((own, index) => (logical.includes(names[index] as string) ? own.slice(0, 2) : own))),
    'binary',
  );

  const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
  const inShader = /case (\d+)u: \{ return/.exec(text)?.[1];
  const [, name = '', inTable] = /(\w+): \{ code: (\d+), f:/.exec(text) ?? [];
  assert.is(inShader, inTable, 'the example gives its shader and its table two numbers');
  assert.ok(
    !unaryCodes.includes(Number(inTable)),
    `CONTRIBUTING.md uses ${inTable}, which is taken; take the next one`,
  );
  assert.ok(name !== '' && !Object.hasOwn(unaryOps, name), `CONTRIBUTING.md adds '${name}', which is there`);
});

/** The numbers in a text; an ellipsis cuts digits off. */
const numbersIn = (text: string): number[] => (text.match(/-?\d+(?:\.\d+)?(?:e-?\d+)?/g) ?? []).map(Number);

test('what the README prints of the examples is in them', () => {
  const blocks = readFileSync(join(root, 'README.md'), 'utf8').split('from [examples/').slice(1);
  assert.ok(blocks.length > 0, 'the README prints no example');
  for (const block of blocks) {
    const file = block.slice(0, block.indexOf(']'));
    const printed = /```ts\n([\s\S]*?)```/.exec(block)?.[1] as string;
    assert.ok(
      readFileSync(join(root, 'examples', file), 'utf8').includes(printed),
      `examples/${file} differs`,
    );
  }
});

test('the first example of the README runs as printed', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  assert.ok(example, 'the README has no TypeScript example');
  const source = example as string;
  withFolder((folder) => {
    writeFileSync(join(folder, 'example.mjs'), source);
    const env = { ...process.env, WGRAD_ADAPTER: process.env.WGRAD_ADAPTER ?? 'swiftshader' };
    const printed = execFileSync(process.execPath, ['example.mjs'], { cwd: folder, env, encoding: 'utf8' });
    const expected = [...source.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map((match) => match[1] as string);
    assert.ok(expected.length > 0, 'the example promises no output');
    const actual = numbersIn(printed.split('\n').slice(1).join('\n'));
    const wanted = expected.flatMap(numbersIn);
    assert.is(actual.length, wanted.length);
    wanted.forEach((value, index) => {
      const close = Math.abs(value - (actual[index] as number)) < 1e-3;
      assert.ok(close, `${actual[index]} is printed, the README says ${value}`);
    });
  });
});
