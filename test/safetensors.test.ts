/** Safetensors files: those of the reference implementation, our own, and damaged ones. */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { sizeOf } from '../src/core/shape.ts';
import {
  loadSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  saveSafetensors,
  setDefaultDevice,
  type Tensor,
  tensor,
  writeFileAtomic,
  writeSafetensors,
} from '../src/node.ts';
import { cpuDevice, isLong, seed, suite, testDevice } from './support/harness.ts';
import { fails, rejects } from './support/values.ts';

interface Literal {
  readonly file: string;
  readonly metadata: Record<string, string>;
  readonly arrays: Record<string, { shape: number[]; dtype: string; data: string[] }>;
}

/** Made by scripts/oracles/data.py. */
const literals = JSON.parse(
  readFileSync(new URL('./literals/safetensors.json', import.meta.url), 'utf8'),
) as Record<string, Literal>;

const literal = (name: string): Literal & { bytes: Uint8Array } => {
  const found = literals[name] as Literal;
  return { ...found, bytes: new Uint8Array(Buffer.from(found.file, 'base64')) };
};

const test = suite('safetensors');

const dispose = (tensors: Record<string, Tensor>): void => {
  for (const made of Object.values(tensors)) made.dispose();
};

/** Python's spelling of a number. */
const numberOf = (text: string): number => Number(text.replace('inf', 'Infinity'));

const KINDS: Record<string, string> = { uint8: 'uint8', bool: 'bool' };

for (const [device, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  test(`a file of the reference implementation, ${device}`, async () => {
    const { bytes, metadata, arrays } = literal('all dtypes');
    const where = await open();
    // Some files start at an odd address.
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    for (const file of [bytes, shifted.subarray(1)]) {
      const read = readSafetensors(file, { device: where, requiresGrad: true });
      assert.equal(read.metadata, metadata);
      assert.equal(Object.keys(read.tensors).sort(), Object.keys(arrays));
      for (const [name, { shape, dtype, data }] of Object.entries(arrays)) {
        const x = read.tensors[name] as Tensor;
        const isFloat = dtype.startsWith('float');
        assert.equal(x.shape, shape, name);
        assert.is(x.dtype, isFloat ? where.float : (KINDS[dtype] ?? 'int32'), name);
        assert.is(x.requiresGrad, isFloat, name);
        assert.equal([...(await x.data())], data.map(numberOf), name);
      }
      dispose(read.tensors);
    }
  });

  test(`the same bytes as the reference implementation, ${device}`, async () => {
    const { bytes } = literal('only ours');
    const { tensors, metadata } = readSafetensors(bytes, { device: await open() });
    assert.equal(metadata, {});
    assert.equal(await writeSafetensors(tensors), bytes);
    dispose(tensors);
  });

  test(`tensors survive the way there and back, ${device}`, async () => {
    const where = await open();
    const name = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('__proto__', '0', 'a.b/c', 'constructor'),
    );
    const array = fc
      .record({
        shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
        dtype: fc.constantFrom('float32', 'int32', 'bool', 'uint8'),
      })
      .chain(({ shape, dtype }) => {
        const element = {
          float32: fc.float(),
          int32: fc.integer(),
          bool: fc.integer({ min: 0, max: 1 }),
          uint8: fc.integer({ min: 0, max: 255 }),
        }[dtype];
        const size = sizeOf(shape);
        return fc.record({
          shape: fc.constant(shape),
          dtype: fc.constant(dtype),
          data: fc.array<number>(element, { minLength: size, maxLength: size }),
        });
      });
    const files = fc.dictionary(
      name.filter((key) => key !== '__metadata__'),
      array,
      { maxKeys: 5 },
    );
    const metadata = fc.option(fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(files, metadata, async (arrays, notes) => {
        const made = Object.fromEntries(
          Object.entries(arrays).map(([key, { data, shape, dtype }]) => [
            key,
            tensor(Float64Array.from(data), { shape, dtype, device: where }),
          ]),
        );
        const file = await writeSafetensors(made, notes ? { metadata: notes } : {});
        const back = readSafetensors(file, { device: where });
        assert.equal(Object.entries(back.metadata).sort(), Object.entries(notes ?? {}).sort());
        assert.equal(Object.keys(back.tensors).sort(), Object.keys(made).sort());
        for (const [key, x] of Object.entries(made)) {
          const copy = back.tensors[key] as Tensor;
          assert.equal([copy.shape, copy.dtype], [x.shape, x.dtype]);
          const [a, b] = [await x.data(), await copy.data()];
          // As bits, since NaN and -0 count.
          assert.equal(
            new Uint8Array(b.buffer, b.byteOffset, b.byteLength),
            new Uint8Array(a.buffer, a.byteOffset, a.byteLength),
          );
        }
        assert.equal(await writeSafetensors(back.tensors, notes ? { metadata: notes } : {}), file);
        dispose(made);
        dispose(back.tensors);
      }),
      { seed, numRuns: isLong ? 200 : 25 },
    );
  });
}

test('the header alone, and some of the tensors', async () => {
  const { bytes, metadata } = literal('all dtypes');
  const header = readSafetensorsHeader(bytes);
  assert.equal(header.metadata, metadata);
  assert.is(header.entries.size, 14);
  assert.equal(header.entries.get('f16'), {
    dtype: 'F16',
    shape: [5],
    start: header.start + 104,
    end: header.start + 114,
  });
  const { tensors } = readSafetensors(bytes, { device: cpuDevice(), names: ['u8', 'f32', 'u8'] });
  assert.equal(Object.keys(tensors), ['u8', 'f32']);
  dispose(tensors);
  fails(
    () => readSafetensors(bytes, { device: cpuDevice(), names: ['u9'] }),
    'argument',
    /'u9'/,
    /u64/,
    /4 more/,
  );
});

/** A file with this header, and so many bytes after it. */
function crafted(header: string | object, payload: number | Uint8Array = 0, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const rest = typeof payload === 'number' ? new Uint8Array(payload) : payload;
  const file = new Uint8Array(8 + text.length + rest.length);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(rest, 8 + text.length);
  return file;
}

const entry = (start: number, end: number, shape: unknown = [(end - start) / 4], dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [start, end],
});

test('a damaged file is refused, and the message says what and where', () => {
  const wrong: [file: Uint8Array, ...parts: RegExp[]][] = [
    [new Uint8Array(7), /7 bytes/],
    [crafted({}, 0, 100_000_001n), /100000001/, /100000000/],
    [crafted({}, 0, 2n ** 63n), /9223372036854775808/],
    [crafted({}, 0, 3n), /ends at byte 11/, /has 10/],
    [crafted(''), /starts with ''/],
    [crafted(' {}'), /starts with ' '/],
    [crafted('\ufeff{}'), /starts with/],
    [crafted('[]'), /'\['/],
    [crafted('{"a":'), /no JSON/],
    [crafted('{} x'), /no JSON/],
    [
      crafted(`{"a":${JSON.stringify(entry(0, 4))},"a":${JSON.stringify(entry(0, 4))}}`, 4),
      /'a' stands twice/,
    ],
    [
      crafted('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4),
      /'shape' stands twice/,
    ],
    [crafted('{"\\u0061":1,"a":1}'), /'a' stands twice/],
    [crafted('{"__metadata__":{"k":"1","k":"2"}}'), /'k' stands twice/],
    [crafted({ __metadata__: { k: 1 } }), /'k'/, /not a string/],
    [crafted({ __metadata__: 'k' }), /__metadata__/],
    [crafted({ a: 5 }), /'a' is 5/],
    [crafted({ a: { ...entry(0, 4), extra: 1 } }, 4), /'extra'/],
    [crafted({ a: entry(0, 4, [1], 'F31') }, 4), /'F31'/, /BF16/],
    [crafted({ a: entry(0, 4, [1], 'constructor') }, 4), /'constructor'/],
    [crafted({ a: { dtype: 'F32', shape: [1] } }, 4), /data_offsets undefined/],
    [crafted({ a: entry(0, 4, [-1]) }, 4), /shape \[-1\]/],
    [crafted({ a: entry(0, 4, [1.5]) }, 4), /shape \[1\.5\]/],
    [crafted({ a: entry(0, 4, 1) }, 4), /shape 1/],
    [crafted({ a: entry(0, 4, [1, 1, 1, 1, 1, 1, 1, 1, 1]) }, 4), /rank 9/],
    [crafted({ a: entry(0, 4, [2 ** 40, 2 ** 40]) }, 4), /can be counted/],
    [crafted({ a: entry(0, 8, [1]) }, 8), /takes 4 bytes/],
    [crafted({ a: entry(4, 0, [1]) }, 4), /bytes 4 to 0/],
    [crafted({ a: entry(0, 2, [3], 'F4') }, 2), /1\.5 bytes/],
    [crafted({ a: entry(0, 8), b: entry(4, 12) }, 12), /'b' starts at byte 4 inside 'a'/],
    [crafted({ a: entry(0, 4), b: entry(8, 12) }, 12), /bytes 4 to 8/, /no tensor/],
    [crafted({ a: entry(4, 8) }, 8), /bytes 0 to 4/],
    [crafted({ a: entry(0, 8) }, 7), /take 8 bytes/, /only 7/, /cut off/],
    [crafted({ a: entry(0, 8) }, 9), /1 bytes follow/],
    [crafted({ a: entry(0, 1, [1], 'BOOL') }, Uint8Array.of(2)), /'a' is the byte 2/],
  ];
  const before = cpuDevice().memory().tensors;
  for (const [file, ...parts] of wrong) {
    fails(() => readSafetensors(file, { device: cpuDevice() }), 'format', /readSafetensors/, ...parts);
  }
  fails(
    () => readSafetensorsHeader(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff)),
    'format',
    /readSafetensorsHeader/,
    /UTF-8/,
  );
  fails(
    () => readSafetensors('x' as unknown as Uint8Array, { device: cpuDevice() }),
    'argument',
    /Uint8Array/,
  );
  assert.is(cpuDevice().memory().tensors, before);
});

test('every cut and every changed header byte is refused or reads the same layout', () => {
  const { bytes } = literal('only ours');
  for (let length = 0; length < bytes.length; length++)
    fails(() => readSafetensorsHeader(bytes.slice(0, length)), 'format');
  const { start } = readSafetensorsHeader(bytes);
  for (let at = 0; at < start; at++) {
    for (const flip of [0x01, 0x10, 0x80]) {
      const bad = bytes.slice();
      bad[at] = (bad[at] as number) ^ flip;
      try {
        const { entries } = readSafetensorsHeader(bad);
        // What survives is another name or another type of the same width.
        assert.equal(
          [...entries.values()]
            .map(({ end }) => end)
            .sort((a, b) => a - b)
            .at(-1),
          bytes.length,
        );
      } catch (error) {
        assert.is((error as { code?: string }).code, 'format', String(error));
      }
    }
  }
});

test('a header of many megabytes', () => {
  const note = 'n"\\ü'.repeat(500_000);
  const file = crafted({ __metadata__: { note }, a: entry(0, 4) }, 4);
  assert.is(readSafetensorsHeader(file).metadata.note, note);
});

test('element types without a dtype of ours', async () => {
  const word = (value: bigint): Uint8Array => new Uint8Array(BigInt64Array.of(value).buffer);
  const device = cpuDevice();
  const read = (dtype: string, payload: Uint8Array) =>
    readSafetensors(crafted({ a: entry(0, payload.length, [1], dtype) }, payload), { device }).tensors
      .a as Tensor;
  for (const value of [2n ** 31n, -(2n ** 31n) - 1n]) {
    fails(() => read('I64', word(value)), 'dtype', /element 0 of 'a'/, new RegExp(String(value)), /int32/);
  }
  fails(() => read('U64', word(-1n)), 'dtype', /1844674407370955/);
  fails(() => read('U32', Uint8Array.of(0, 0, 0, 128)), 'dtype', /2147483648/);
  fails(() => read('F8_E4M3', Uint8Array.of(1)), 'dtype', /F8_E4M3/, /names/);
  fails(() => read('C64', new Uint8Array(8)), 'dtype', /C64/);
  // bfloat16: the upper halves of 1, -2.5, the smallest subnormal, infinity and NaN.
  for (const [bits, value] of [
    [0x3f80, 1],
    [0xc020, -2.5],
    [0x0001, 2 ** -133],
    [0x7f80, Number.POSITIVE_INFINITY],
    [0x7fc0, Number.NaN],
  ] as const) {
    const x = read('BF16', Uint8Array.of(bits & 255, bits >> 8));
    assert.equal([...(await x.data())], [value]);
    x.dispose();
  }
});

test('a float64 beyond float32 is refused where the device has only float32', async () => {
  const x = tensor([1, 1e300], { device: cpuDevice() });
  await rejects(writeSafetensors({ x }), 'dtype', /element 1 of 'x'/, /1e\+300/, /float64/);
  const file = await writeSafetensors({ x }, { float: 'float64' });
  const { tensors } = readSafetensors(file, { device: cpuDevice() });
  assert.equal([...(await (tensors.x as Tensor).data())], [1, 1e300]);
  dispose(tensors);
  x.dispose();
  const device = await testDevice();
  if (device.float === 'float32') fails(() => readSafetensors(file, { device }), 'dtype', /1e\+300/, /CPU/);
});

test('wrong calls', async () => {
  const wrong = (value: unknown): never => value as never;
  const x = tensor([1], { device: cpuDevice() });
  setDefaultDevice(cpuDevice());
  await rejects(writeSafetensors({ x }, wrong({ meta: {} })), 'argument', /'meta'/);
  await rejects(
    writeSafetensors({ x }, { metadata: wrong({ epoch: 5 }) }),
    'argument',
    /metadata\.epoch/,
    /JSON/,
  );
  await rejects(writeSafetensors({ x }, { metadata: wrong(['a']) }), 'argument', /metadata/);
  await rejects(writeSafetensors({ __metadata__: x }), 'argument', /__metadata__/);
  await rejects(writeSafetensors(wrong(null)), 'argument', /null/);
  await rejects(writeSafetensors({ x: wrong(5) }), 'argument', /tensor/);
  const file = await writeSafetensors({ x });
  fails(() => readSafetensors(file, wrong({ name: 'x' })), 'argument', /'name'/, /names/);
  fails(() => readSafetensors(file, { names: wrong('x') }), 'argument', /names/);
  x.dispose();
});

test('a file is replaced as a whole or not at all', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wgrad-'));
  const x = tensor([1, 2], { device: cpuDevice() });
  try {
    const path = join(folder, 'model.safetensors');
    await saveSafetensors(path, { x }, { metadata: { epoch: '3' } });
    const { tensors, metadata } = await loadSafetensors(path, { device: cpuDevice() });
    assert.equal(metadata, { epoch: '3' });
    assert.equal([...(await (tensors.x as Tensor).data())], [1, 2]);
    dispose(tensors);
    // What fails leaves the old file.
    await rejects(saveSafetensors(path, { x }, { metadata: { epoch: 4 as never } }), 'argument');
    const link = join(folder, 'latest');
    symlinkSync(path, link);
    writeFileSync(path, 'old', { mode: 0o640 });
    const mode = statSync(path).mode;
    await writeFileAtomic(link, new TextEncoder().encode('new'));
    assert.is(readFileSync(path, 'utf8'), 'new');
    assert.is(statSync(path).mode, mode);
    assert.equal(readdirSync(folder).sort(), ['latest', 'model.safetensors']);
    // A folder cannot be replaced by a file: the temporary file must go.
    const error = await writeFileAtomic(folder, new Uint8Array(1)).catch((caught: unknown) => caught);
    assert.instance(error, Error);
    assert.not(readdirSync(join(folder, '..')).some((file) => file.includes(`${folder.split('/').at(-1)}.`)));
    const gone = await writeFileAtomic(join(folder, 'no', 'x'), new Uint8Array(1)).catch(
      (caught: unknown) => caught,
    );
    assert.is((gone as NodeJS.ErrnoException).code, 'ENOENT');
  } finally {
    x.dispose();
    rmSync(folder, { recursive: true });
  }
});

test('writers at the same time leave one whole file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wgrad-'));
  try {
    const path = join(folder, 'x');
    writeFileSync(path, 'old');
    const contents = Array.from({ length: 8 }, (_, index) => new Uint8Array(100_000).fill(index));
    await Promise.all(contents.map((bytes) => writeFileAtomic(path, bytes)));
    const [first, ...rest] = readFileSync(path);
    assert.is(rest.length, 99_999);
    assert.ok(rest.every((byte) => byte === first));
    assert.equal(readdirSync(folder), ['x']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
