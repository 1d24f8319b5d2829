/** The built package in Chromium: `init()` on `navigator.gpu`, a forward pass and a gradient. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import chromium from '@sparticuz/chromium';
import { parseTar } from 'nanotar';
import { chromium as driver } from 'playwright-core';
import * as assert from 'uvu/assert';
import { suite } from './support/harness.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const test = suite('browser', { timeout: 120_000 });

/** DESIGN: SwiftShader behind WebGPU, and nothing that reaches for a network. */
const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--use-angle=swiftshader',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
];

/** Unpacks the shared libraries that this Chromium brings along, so that nothing need be installed. */
async function unpackLibraries(folder: string): Promise<void> {
  const packed = await readFile(join(root, 'node_modules/@sparticuz/chromium/bin/al2023.tar.br'));
  for (const { name, data } of parseTar(brotliDecompressSync(packed))) {
    if (!data?.length) continue;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), data);
  }
}

/** Serves `dist/` and an empty page on the loopback address. */
async function serve(): Promise<{ origin: string; close(): void }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === '/') {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>wgrad</title>');
      return;
    }
    readFile(join(root, 'dist', pathname.replace(/[^\w.-]/g, ''))).then(
      (body) => response.writeHead(200, { 'content-type': 'text/javascript' }).end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
}

test('the built entry trains in a page', async () => {
  if (!existsSync(join(root, 'dist', 'index.js'))) execFileSync('npm', ['run', '-s', 'build'], { cwd: root });
  const executablePath = await chromium.executablePath();
  const libraries = await mkdtemp(join(tmpdir(), 'wgrad-chromium-'));
  await unpackLibraries(libraries);
  const { origin, close } = await serve();
  const browser = await driver.launch({
    executablePath,
    args: FLAGS,
    env: { ...process.env, LD_LIBRARY_PATH: join(libraries, 'lib') },
  });
  try {
    const page = await browser.newPage();
    await page.goto(origin);
    const result = await page.evaluate(async () => {
      // Served by the test; a variable keeps the type checker from looking for it here.
      const entry = '/index.js';
      const { init, matmul, mean, square, sub, tensor } = (await import(
        entry
      )) as typeof import('../src/index.ts');
      const device = await init();
      const w = tensor([[0.1], [0.2]], { requiresGrad: true });
      const x = tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
      const loss = mean(square(sub(matmul(x, w), tensor([[1], [2], [3]]))));
      loss.backward();
      const [value, gradient] = [await loss.item(), await w.grad?.array()];
      device.destroy();
      return { kind: device.kind, description: device.description, value, gradient: gradient as number[][] };
    });
    assert.is(result.kind, 'gpu', result.description);
    assert.ok(Math.abs(result.value - 0.9166667) < 1e-5, String(result.value));
    const [[first], [second]] = result.gradient as [[number], [number]];
    assert.ok(
      Math.abs(first + 6.4666667) < 1e-4 && Math.abs(second + 8.2666667) < 1e-4,
      `${first}, ${second}`,
    );
  } finally {
    await browser.close();
    close();
    await rm(libraries, { recursive: true, force: true });
  }
});
