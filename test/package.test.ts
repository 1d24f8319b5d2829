/** The package as its users get it: built, bundled for browsers, and the README's first example as printed. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import * as assert from 'uvu/assert';
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

/** The numbers in a text; an ellipsis cuts digits off. */
const numbersIn = (text: string): number[] => (text.match(/-?\d+(?:\.\d+)?(?:e-?\d+)?/g) ?? []).map(Number);

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
