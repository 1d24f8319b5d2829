/** IDX files and what `data.mnist` makes of a folder, a cache and a network. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { HostTensor } from '../kernels/kernel.ts';
import { hostArray } from '../src/core/dtype.ts';
import { sizeOf } from '../src/core/shape.ts';
import { data, formatIdx, mean, parseIdx, type Tensor } from '../src/node.ts';
import { cpuDevice, isLong, seed, suite } from './support/harness.ts';
import { fails, rejects, resultOf } from './support/values.ts';

const test = suite('idx');

const plain = ({ shape, dtype, data: values }: HostTensor) => ({ shape, dtype, data: [...values] });

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test('every type code, big endian', () => {
  const files: [file: Uint8Array, expected: ReturnType<typeof plain>][] = [
    [bytes(0, 0, 8, 1, 0, 0, 0, 2, 0, 255), { shape: [2], dtype: 'uint8', data: [0, 255] }],
    [bytes(0, 0, 9, 1, 0, 0, 0, 2, 0x80, 127), { shape: [2], dtype: 'int32', data: [-128, 127] }],
    [
      bytes(0, 0, 11, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x80, 0, 1, 2),
      { shape: [1, 2], dtype: 'int32', data: [-32768, 258] },
    ],
    [bytes(0, 0, 12, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe), { shape: [1], dtype: 'int32', data: [-2] }],
    [bytes(0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0), { shape: [1], dtype: 'float32', data: [1.5] }],
    [
      bytes(0, 0, 14, 1, 0, 0, 0, 1, 0xc0, 4, 0, 0, 0, 0, 0, 0),
      { shape: [1], dtype: 'float64', data: [-2.5] },
    ],
    [bytes(0, 0, 8, 0, 7), { shape: [], dtype: 'uint8', data: [7] }],
    [bytes(0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 3), { shape: [0, 3], dtype: 'uint8', data: [] }],
  ];
  for (const [file, expected] of files) {
    assert.equal(plain(parseIdx(file)), expected);
    assert.equal(plain(parseIdx(new Uint8Array(gzipSync(file)))), expected);
    const shifted = new Uint8Array(file.length + 1);
    shifted.set(file, 1);
    assert.equal(plain(parseIdx(shifted.subarray(1))), expected);
  }
});

test('arrays survive the way there and back', () => {
  const array = fc
    .record({
      shape: fc
        .array(fc.integer({ min: 0, max: 4 }), { maxLength: 8 })
        .filter((shape) => sizeOf(shape) < 500),
      dtype: fc.constantFrom('float32' as const, 'float64' as const, 'int32' as const, 'uint8' as const),
      seed: fc.integer({ min: 1 }),
    })
    .map(({ shape, dtype, seed: start }): HostTensor => {
      const values = hostArray(dtype, sizeOf(shape));
      let state = start;
      for (let index = 0; index < values.length; index++) {
        state = Math.imul(state, 1664525) + 1013904223;
        values[index] = dtype === 'uint8' ? state & 255 : dtype === 'int32' ? state : state / 7;
      }
      return { shape, dtype, data: values };
    });
  fc.assert(
    fc.property(array, (original) => {
      const back = parseIdx(formatIdx(original));
      assert.equal(plain(back), plain(original));
    }),
    { seed, numRuns: isLong ? 500 : 50 },
  );
  fails(() => formatIdx({ shape: [1], dtype: 'bool', data: new Uint32Array(1) }), 'dtype', /bool/);
  fails(() => formatIdx({ shape: [2], dtype: 'uint8', data: new Uint8Array(1) }), 'argument', /\(2,\)/);
});

test('a damaged file is refused, with what was expected and what was found', () => {
  const good = bytes(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
  for (let length = 0; length < good.length; length++)
    fails(() => parseIdx(good.slice(0, length)), 'format', /parseIdx/, /expected/, /found/);
  const packed = new Uint8Array(gzipSync(good));
  for (let length = 2; length < packed.length; length++)
    fails(() => parseIdx(packed.slice(0, length)), 'format', /gzip/, /gunzip/);
  // From the deflated part on, every byte counts.
  for (let at = 10; at < packed.length; at++) {
    const bad = packed.slice();
    bad[at] = (bad[at] as number) ^ 0x10;
    fails(() => parseIdx(bad), 'format', /parseIdx/);
  }
  fails(() => parseIdx(bytes(1, 0, 8, 0, 0)), 'format', /0x00 0x00/, /found 0x01 0x00/);
  fails(() => parseIdx(bytes(0, 0, 10, 0, 0)), 'format', /0x0e \(float64\)/, /found 0x0a/);
  fails(() => parseIdx(bytes(0, 0, 8, 9)), 'format', /at most 8 axes/, /found 9/);
  fails(
    () => parseIdx(bytes(0, 0, 8, 1, 0, 0, 0, 1, 1, 1)),
    'format',
    /1 bytes/,
    /\(1,\)/,
    /found 2/,
    /damaged/,
  );
  fails(() => parseIdx(bytes(0, 0, 8, 3, ...new Array(12).fill(0xff))), 'format', /cut off/);
  fails(() => parseIdx([0] as unknown as Uint8Array), 'argument', /Uint8Array/);
});

const images = (count: number): Uint8Array =>
  formatIdx({
    shape: [count, 2, 2],
    dtype: 'uint8',
    data: Uint8Array.from({ length: 4 * count }, (_, i) => i),
  });
const labels = (count: number): Uint8Array =>
  formatIdx({ shape: [count], dtype: 'uint8', data: Uint8Array.from({ length: count }, (_, i) => i % 10) });

test('images and labels as a dataset', async () => {
  const { x, y } = await data.idxImages(images(3), new Uint8Array(gzipSync(labels(3)))).arrays();
  assert.equal([x.shape, x.dtype, x.scale], [[3, 2, 2, 1], 'uint8', 1 / 255]);
  assert.equal([y.shape, y.dtype, [...y.data]], [[3], 'int32', [0, 1, 2]]);
  fails(() => data.idxImages(labels(3), images(3)), 'shape', /the images/, /exchanged/);
  fails(() => data.idxImages(images(3), labels(2)), 'shape', /3 uint8 labels/, /\(2,\)/);
  fails(() => data.idxImages(images(3).slice(1), labels(3)), 'format', /the images/);
  fails(() => data.idxImages(images(0), labels(0)), 'argument', /no examples/);
});

const NAMES = [
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
];

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wgrad-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('mnist: a folder with files, packed or not, and one without', async () => {
  await withFolder(async (dir) => {
    writeFileSync(join(dir, `${NAMES[0]}.gz`), gzipSync(images(5)));
    writeFileSync(join(dir, `${NAMES[1]}`), labels(5));
    writeFileSync(join(dir, `${NAMES[2]}`), images(2));
    await rejects(
      data.mnist({ dir }),
      'data-missing',
      /t10k-labels-idx1-ubyte\.gz/,
      /storage\.googleapis/,
      /digits\(\)/,
    );
    writeFileSync(join(dir, `${NAMES[3]}.gz`), gzipSync(labels(2)));
    const { train, test: held } = await data.mnist({ dir });
    assert.equal([train.size, held.size], [5, 2]);
    writeFileSync(join(dir, `${NAMES[3]}.gz`), gzipSync(labels(3)));
    await rejects(data.mnist({ dir }), 'shape', /t10k-labels/, /2 uint8 labels/);
    writeFileSync(join(dir, `${NAMES[3]}.gz`), gzipSync(labels(2)).subarray(0, 20));
    await rejects(data.mnist({ dir }), 'format', /t10k-labels/, /gzip/);
  });
  await rejects(data.mnist({ dir: 5 as never }), 'argument', /dir/);
  await rejects(data.mnist({ folder: 'x' } as never), 'argument', /'folder'/, /cache/);
});

/** Serves files; the returned list says what was asked for. */
async function serve(
  files: ReadonlyMap<string, Uint8Array>,
): Promise<{ url: string; asked: string[]; server: Server }> {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const file = files.get(url.slice(1));
    if (file) response.writeHead(200, { 'content-length': file.length }).end(file);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, server };
}

test('mnist: without files and network the message says what to do', async () => {
  await withFolder(async (cache) => {
    await rejects(
      data.mnist({ cache, download: false }),
      'data-missing',
      /does not hold train-images/,
      /switched off/,
      /\{ dir \}/,
    );
    writeFileSync(join(cache, `${NAMES[0]}.gz`), 'damaged');
    await rejects(data.mnist({ cache, download: false }), 'data-missing', /damaged/);
    const mirrors = ['http://127.0.0.1:1/'];
    await rejects(
      data.mnist({ cache, mirrors }),
      'data-missing',
      /127\.0\.0\.1:1/,
      /bad port|ECONNREFUSED/, // fetch itself refuses port 1
      /digits\(\)/,
    );
  });
});

test('mnist: a download that is not the real thing is refused, tried elsewhere, and not kept', async () => {
  const { url, asked, server } = await serve(new Map([[`${NAMES[0]}.gz`, gzipSync(images(5))]]));
  const progress: number[] = [];
  try {
    await withFolder(async (cache) => {
      await rejects(
        data.mnist({
          cache,
          mirrors: [url, `${url}other`],
          onProgress: ({ loaded, total }) => progress.push(loaded / (total ?? 0)),
        }),
        'data-missing',
        /SHA-256/,
        /440fcabf/,
        /other\/train-images-idx3-ubyte\.gz: HTTP 404/,
      );
      assert.equal(asked, [`/${NAMES[0]}.gz`, `/other/${NAMES[0]}.gz`]);
      assert.is(progress.at(-1), 1);
      assert.equal(readdirSync(cache), []);
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

const real = fileURLToPath(new URL('../../shared/data/mnist', import.meta.url));
const title = 'real digits';
if (!existsSync(real)) test.skip(title, `${real} is not there`);
else {
  test(title, async () => {
    const { train, test: held } = await data.mnist({ dir: real });
    assert.equal([train.size, held.size], [8000, 1000]);
    for await (const { x, y } of held.batch(1000).tensors({ device: cpuDevice() })) {
      assert.equal([x.shape, y.shape, x.dtype, y.dtype], [[1000, 28, 28, 1], [1000], 'float64', 'int32']);
      // 0.1307 is the mean of all of MNIST.
      const average = (await resultOf(() => mean(x as Tensor))) as number;
      assert.ok(Math.abs(average - 0.1307) < 0.01, String(average));
      assert.is(new Set(await y.data()).size, 10);
    }
  });
}
