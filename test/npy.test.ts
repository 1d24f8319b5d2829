/** `.npy` and `.npz` files: those of NumPy, our own, and damaged ones. */
import * as assert from 'uvu/assert';
import type { HostTensor } from '../kernels/kernel.ts';
import { type HostArray, hostArray } from '../src/core/dtype.ts';
import { sizeOf } from '../src/core/shape.ts';
import {
  cast,
  type DType,
  formatNpy,
  parseNpy,
  readNpy,
  readNpz,
  setDefaultDevice,
  type Tensor,
  tensor,
  writeNpy,
  writeNpz,
} from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { uniforms } from './support/random.ts';
import { close, fails, rejects, resultOf } from './support/values.ts';

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));

interface Expected {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: readonly number[];
}

/**
 * Written by NumPy 1.24.2:
 *
 *     python3 -c "import numpy as np, io, base64
 *     def b(a, **k): f = io.BytesIO(); np.lib.format.write_array(f, a, **k); print(base64.b64encode(f.getvalue()).decode())
 *     b(np.array([[1.5, -2], [0, np.inf]], '<f4')); b(np.asfortranarray(np.arange(6, dtype='>f8').reshape(2, 3) / 4))
 *     b(np.array([1, -2, 2**31 - 1, -2**31], '<i8')); b(np.array([[1], [-70000]], '>i4'), version=(2, 0))
 *     b(np.array([0, 7, 255], 'u1'), version=(3, 0)); b(np.array(True)); b(np.zeros((0, 3), '<f4'))
 *     for save in np.savez, np.savez_compressed:
 *       f = io.BytesIO(); save(f, x=np.arange(3, dtype='<f4'), y=np.array([[True, False]]))
 *       print(base64.b64encode(f.getvalue()).decode())"
 */
const FILES: Record<string, readonly [base64: string, expected: Expected]> = {
  f4: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDIpLCB9ICAgICAg' +
      'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAMA/AAAAwAAAAAAAAIB/',
    { shape: [2, 2], dtype: 'float32', data: [1.5, -2, 0, Infinity] },
  ],
  'f8 big endian, Fortran order': [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAg' +
      'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAAAAOg/AAAAAAAA' +
      '0D8AAAAAAADwPwAAAAAAAOA/AAAAAAAA9D8=',
    { shape: [2, 3], dtype: 'float64', data: [0, 0.25, 0.5, 0.75, 1, 1.25] },
  ],
  i8: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDQsKSwgfSAgICAgICAg' +
      'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAAAAAAAAP7/////////////fwAA' +
      'AAAAAACA/////w==',
    { shape: [4], dtype: 'int32', data: [1, -2, 2 ** 31 - 1, -(2 ** 31)] },
  ],
  'i4 big endian, version 2': [
    'k05VTVBZAgB0AAAAeydkZXNjcic6ICc+aTQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMSksIH0gICAg' +
      'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAB//7ukA==',
    { shape: [2, 1], dtype: 'int32', data: [1, -70000] },
  ],
  'u1, version 3': [
    'k05VTVBZAwB0AAAAeydkZXNjcic6ICd8dTEnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMywpLCB9ICAgICAg' +
      'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAB/8=',
    { shape: [3], dtype: 'uint8', data: [0, 7, 255] },
  ],
  'b1 scalar': [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfGIxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0gICAgICAgICAg' +
      'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoB',
    { shape: [], dtype: 'bool', data: [1] },
  ],
  empty: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDAsIDMpLCB9ICAgICAg' +
      'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAo=',
    { shape: [0, 3], dtype: 'float32', data: [] },
  ],
};

const ARCHIVES: Record<string, string> = {
  stored:
    'UEsDBBQAAAAAAAAAIQC2jIZTjAAAAIwAAAAFABQAeC5ucHkBABAAjAAAAAAAAACMAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzog' +
    'JzxmNCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgzLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAAAAAAAgD8AAABAUEsDBBQAAAAAAAAAIQAQGToZggAAAIIAAAAFABQA' +
    'eS5ucHkBABAAggAAAAAAAACCAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3xiMScsICdmb3J0cmFuX29yZGVyJzogRmFsc2Us' +
    'ICdzaGFwZSc6ICgxLCAyKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
    'ICAKAQBQSwECFAMUAAAAAAAAACEAtoyGU4wAAACMAAAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwECFAMUAAAAAAAAACEAEBk6' +
    'GYIAAACCAAAABQAAAAAAAAAAAAAAgAHDAAAAeS5ucHlQSwUGAAAAAAIAAgBmAAAAfAEAAAAA',
  deflated:
    'UEsDBBQAAAAIAAAAIQC2jIZTSwAAAIwAAAAFABQAeC5ucHkBABAAjAAAAAAAAABLAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6l' +
    'oG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6mjoKtQoUAC4GMGiwBxIOAFBLAwQUAAAACAAAACEAEBk6GUgA' +
    'AACCAAAABQAUAHkubnB5AQAQAIIAAAAAAAAASAAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBek2SorqOgnpZfVFKUmBefX5SS' +
    'ChJ3S8wpTgWKF2ckFqQC+RqGOgpGmjoKtQpkAy5GBgBQSwECFAMUAAAACAAAACEAtoyGU0sAAACMAAAABQAAAAAAAAAAAAAAgAEA' +
    'AAAAeC5ucHlQSwECFAMUAAAACAAAACEAEBk6GUgAAACCAAAABQAAAAAAAAAAAAAAgAGCAAAAeS5ucHlQSwUGAAAAAAIAAgBmAAAA' +
    'AQEAAAAA',
};

const test = suite('npy');

const plain = ({ shape, dtype, data }: HostTensor): Expected => ({ shape, dtype, data: [...data] });

for (const [name, [base64, expected]] of Object.entries(FILES)) {
  test(`a file of NumPy: ${name}`, () => {
    // Some files start at an odd address, as members of an archive do.
    const shifted = new Uint8Array(bytesOf(base64).length + 1);
    shifted.set(bytesOf(base64), 1);
    for (const file of [bytesOf(base64), shifted.subarray(1)]) assert.equal(plain(parseNpy(file)), expected);
  });
}

test('formatNpy writes the bytes that NumPy writes', () => {
  for (const name of ['f4', 'b1 scalar', 'empty']) {
    const file = bytesOf((FILES[name] as readonly [string, Expected])[0]);
    assert.equal(formatNpy(parseNpy(file)), file);
  }
});

function random(dtype: DType, shape: readonly number[], seed: number): HostTensor {
  const next = uniforms(seed);
  const data: HostArray = hostArray(dtype, sizeOf(shape));
  for (let index = 0; index < data.length; index++) {
    if (dtype === 'bool') data[index] = next() < 0.5 ? 1 : 0;
    else if (dtype === 'uint8') data[index] = Math.floor(next() * 256);
    else if (dtype === 'int32') data[index] = Math.floor((next() - 0.5) * 2 ** 32);
    else if (next() < 0.1)
      data[index] = [Number.NaN, Number.POSITIVE_INFINITY, -0][Math.floor(next() * 3)] as number;
    else data[index] = (next() - 0.5) * 10 ** (next() * 60 - 30);
  }
  return { shape, dtype, data };
}

test('every dtype and rank survives the way there and back', () => {
  const shapes = [[], [0], [1], [7], [2, 3], [3, 0, 2], [1, 2, 3, 4, 1, 2, 1, 2]];
  for (const dtype of ['float32', 'float64', 'int32', 'bool', 'uint8'] as const) {
    shapes.forEach((shape, seed) => {
      const array = random(dtype, shape, seed + 1);
      const file = formatNpy(array);
      assert.is(
        file.length % 64,
        (array.data.length * { float32: 4, float64: 8, int32: 4, bool: 1, uint8: 1 }[dtype]) % 64,
      );
      const back = parseNpy(file);
      assert.equal([back.shape, back.dtype], [shape, dtype]);
      // As bytes, since NaN and -0 count.
      assert.equal(new Uint8Array(back.data.buffer), new Uint8Array(array.data.buffer));
    });
  }
});

/** A file with this header text, the elements 0. */
function crafted(header: string, payload: number, version = 1): Uint8Array {
  const text = `${header}\n`;
  const head = version === 1 ? 10 : 12;
  const file = new Uint8Array(head + text.length + payload);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const view = new DataView(file.buffer);
  if (version === 1) view.setUint16(8, text.length, true);
  else view.setUint32(8, text.length, true);
  file.set(new TextEncoder().encode(text), head);
  return file;
}

test('headers in other spellings are read', () => {
  const spellings = [
    "{'shape': (2L, 1L), 'fortran_order': True, 'descr': '<i4'}",
    "{ 'descr' : '=i4' , 'shape':(2,1),'fortran_order':False }   ",
  ];
  for (const header of spellings)
    for (const version of [1, 2, 3])
      assert.equal(plain(parseNpy(crafted(header, 8, version))), {
        shape: [2, 1],
        dtype: 'int32',
        data: [0, 0],
      });
});

const header = (descr: string, shape = '(2,)', rest = ''): string =>
  `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, ${rest}}`;

test('damaged files are refused with a typed error', () => {
  const good = crafted(header("'<f4'"), 8);
  const wrong: readonly (readonly [file: Uint8Array, code: string, ...parts: RegExp[]])[] = [
    [new Uint8Array(0), 'format', /0 bytes/, /cut off/],
    [new TextEncoder().encode('PK not numpy at all'), 'format', /NUMPY/],
    [crafted(header("'<f4'"), 8, 4), 'format', /version 4/],
    [crafted(header("'<f4'"), 0), 'format', /\(2,\)/, /8 bytes/, /cut off/],
    [crafted(header("'<f4'"), 9), 'format', /damaged/],
    [crafted(header("'<f4'", '(-2,)'), 8), 'format', /header/],
    [crafted(header("'<f4'", '(2.5,)'), 8), 'format', /header/],
    [crafted(header("'<f4'", '(2 3,)'), 8), 'format', /no number/],
    [crafted(header("'<f4'", '(99999999999, 99999999999)'), 8), 'format', /cut off/],
    [crafted(header("'<f4'", '(1, 1, 1, 1, 1, 1, 1, 1, 1)'), 4), 'shape', /rank 9/],
    [crafted(header("'<f4'", '(2,)', "'more': True, "), 8), 'format', /exactly/],
    [crafted(header("'<f4'", '(2,)', "'shape': (2,), "), 8), 'format', /twice/],
    [crafted("{'descr': '<f4', 'shape': (2,)}", 8), 'format', /exactly/],
    [crafted("'descr'", 8), 'format', /dictionary/],
    [crafted(`${header("'<f4'")} and more`, 8), 'format', /cannot be read/],
    [crafted(header("[('a', '<f4')]"), 8), 'format', /structured/, /field/],
    ...['<f2', '<c8', '<u4', '<i2', '|O', '<U3', '<M8[ns]', '|f4', 'constructor', ''].map(
      (descr) => [crafted(header(`'${descr}'`), 8), 'dtype', /not read/, /astype/] as const,
    ),
  ];
  for (const [file, code, ...parts] of wrong) fails(() => parseNpy(file), code, /parseNpy/, ...parts);
  for (let length = 0; length < good.length; length++) fails(() => parseNpy(good.slice(0, length)), 'format');
  fails(() => parseNpy([1, 2] as unknown as Uint8Array), 'argument', /Uint8Array/);
  fails(() => formatNpy({ shape: [3], dtype: 'int32', data: new Int32Array(2) }), 'argument', /\(3,\)/);
});

test('an int64 that does not fit into int32 is named', () => {
  for (const value of [2n ** 31n, -(2n ** 31n) - 1n, 2n ** 53n + 1n]) {
    const file = crafted(header("'>i8'"), 16);
    new DataView(file.buffer).setBigInt64(file.length - 8, value);
    fails(() => parseNpy(file), 'dtype', /element 1/, new RegExp(String(value)), /float64/);
  }
});

for (const [name, open] of [
  ['device under test', testDevice],
  ['CPU', async () => cpuDevice()],
] as const) {
  test(`tensors, ${name}`, async () => {
    const device = await open();
    setDefaultDevice(device);
    const [base64, expected] = FILES['f8 big endian, Fortran order'] as readonly [string, Expected];
    const x = readNpy(bytesOf(base64), { requiresGrad: true });
    assert.is(x.dtype, device.float);
    assert.ok(x.requiresGrad);
    assert.equal(x.shape, expected.shape);
    assert.equal([...(await x.data())], expected.data);
    assert.is(parseNpy(await writeNpy(x)).dtype, 'float32');
    assert.equal(plain(parseNpy(await writeNpy(x, { float: 'float64' }))), expected);
    const pixels = readNpy(bytesOf((FILES['u1, version 3'] as readonly [string, Expected])[0]));
    assert.is(pixels.dtype, 'uint8');
    close(await resultOf(() => cast(pixels, 'float')), [0, 7, 255]);
    const flag = tensor([[true, false]]);
    for (const compress of [false, true]) {
      const archive = await writeNpz({ x, pixels, 'a name/with ü': flag }, { compress });
      assert.equal(await writeNpz({ x, pixels, 'a name/with ü': flag }, { compress }), archive);
      const back = readNpz(archive);
      assert.equal(Object.keys(back), ['x', 'pixels', 'a name/with ü']);
      for (const [key, original] of Object.entries({ x, pixels, 'a name/with ü': flag })) {
        const copy = back[key] as Tensor;
        assert.equal([copy.shape, copy.dtype], [original.shape, original.dtype]);
        assert.equal(await copy.data(), await original.data());
      }
      for (const copy of Object.values(back)) copy.dispose();
    }
    for (const made of [x, pixels, flag]) made.dispose();
    await rejects(writeNpy(x), 'disposed', /writeNpy/);
    await rejects(writeNpz({ x: 5 as unknown as Tensor }), 'argument', /writeNpz/, /tensor/);
  });

  test(`archives of NumPy, ${name}`, async () => {
    setDefaultDevice(await open());
    for (const archive of Object.values(ARCHIVES)) {
      const { x, y, ...rest } = readNpz(bytesOf(archive)) as { x: Tensor; y: Tensor };
      assert.equal(rest, {});
      assert.equal([await x.array(), await y.array()], [[0, 1, 2], [[true, false]]]);
      x.dispose();
      y.dispose();
    }
  });
}

test('damaged archives are refused, whatever byte is missing or wrong, and leave no tensor', async () => {
  setDefaultDevice(cpuDevice());
  for (const [kind, archive] of Object.entries(ARCHIVES)) {
    const good = bytesOf(archive);
    for (let length = 0; length < good.length; length += 3)
      fails(() => readNpz(good.slice(0, length)), 'format', /readNpz/);
    // Every byte of the first member's contents; its local header is 30 bytes, the name 5 and an extra field 20.
    const contents = kind === 'stored' ? 140 : 75;
    for (let at = 55; at < 55 + contents; at++) {
      const bad = good.slice();
      bad[at] = (bad[at] as number) ^ 0x10;
      fails(() => readNpz(bad), 'format', /readNpz/);
    }
  }
  fails(() => readNpz(new Uint8Array(100)), 'format', /directory/, /savez/);
  const foreign = await writeNpz({});
  assert.equal(readNpz(foreign), {});
});

test('formatNpy writes nothing that the file could only hold as something else', () => {
  const wrong: [given: object, code: string, ...parts: RegExp[]][] = [
    [
      { shape: [2], dtype: 'int32', data: new Float32Array([1, Number.NaN]) },
      'argument',
      /Float32Array/,
      /Int32Array/,
    ],
    [{ shape: [2], dtype: 'uint8', data: new Int32Array([1, 256]) }, 'argument', /Int32Array/, /Uint8Array/],
    [{ shape: [2], dtype: 'float32', data: [1, 2] }, 'argument', /\[1, 2\]/, /Float32Array or Float64Array/],
    [{ shape: [2], dtype: 'float32' }, 'argument', /undefined/],
    [{ shape: [1], dtype: 'bool', data: new Float32Array([1]) }, 'argument', /Uint32Array/],
    [{ shape: [2], dtype: 'bool', data: new Uint32Array([1, 2]) }, 'dtype', /element 1, 2/, /0 and 1/],
    [
      { shape: [1], dtype: 'float32', data: new Float64Array([1e300]) },
      'dtype',
      /element 0, 1e\+300/,
      /float64/,
    ],
    [{ shape: [1], dtype: 'float16', data: new Float32Array(1) }, 'dtype', /float16/],
    [{ shape: [1], dtype: 'constructor', data: new Float32Array(1) }, 'dtype', /constructor/],
    [{ shape: 1, dtype: 'float32', data: new Float32Array(1) }, 'shape', /shape 1/],
    [{ shape: [1.5], dtype: 'float32', data: new Float32Array(1) }, 'shape', /1\.5/],
    [{}, 'shape', /undefined/],
  ];
  for (const [given, code, ...parts] of wrong)
    fails(() => formatNpy(given as HostTensor), code, /formatNpy/, ...parts);
  const beyond = formatNpy({ shape: [2], dtype: 'float32', data: new Float64Array([Infinity, Number.NaN]) });
  assert.equal([...parseNpy(beyond).data], [Infinity, Number.NaN]);
});

test('a tensor beyond float32 is refused unless float64 is asked for', async () => {
  const x = tensor([1e300], { device: cpuDevice() });
  await rejects(writeNpy(x), 'dtype', /writeNpy/, /1e\+300/, /float64/);
  const good = tensor([1], { device: cpuDevice() });
  await rejects(writeNpz({ good, weights: x }), 'dtype', /^writeNpz: weights: element 0, 1e\+300/, /float64/);
  good.dispose();
  assert.is(parseNpy(await writeNpy(x, { float: 'float64' })).data[0], 1e300);
  x.dispose();
});

test('requiresGrad: floats of an archive get it, an array without floats is refused', async () => {
  setDefaultDevice(cpuDevice());
  const [x, n] = [tensor([1, 2]), tensor([1, 2], { dtype: 'int32' })];
  const back = readNpz(await writeNpz({ x, n }), { requiresGrad: true });
  assert.equal([back.x?.requiresGrad, back.n?.requiresGrad], [true, false]);
  const file = await writeNpy(n);
  fails(() => readNpy(file, { requiresGrad: true }), 'not-differentiable', /int32/);
  for (const made of [x, n, ...Object.values(back)]) made.dispose();
});

test('options that are none', async () => {
  const bytes = bytesOf((FILES.f4 as readonly [string, Expected])[0]);
  const wrong = (value: unknown): never => value as never;
  fails(() => readNpy(bytes, wrong({ grad: true })), 'argument', /readNpy/, /'grad'/, /requiresGrad/);
  fails(() => readNpz(bytes, wrong(true)), 'argument', /readNpz/, /true/);
  const x = tensor([1], { device: cpuDevice() });
  await rejects(writeNpy(x, wrong({ floats: 'float64' })), 'argument', /writeNpy/, /'floats'/);
  await rejects(writeNpz({ x }, wrong({ level: 6 })), 'argument', /writeNpz/, /compress/);
  for (const none of [5, null, x, [x], new Map([['x', x]])])
    await rejects(writeNpz(wrong(none)), 'argument', /^writeNpz: .* as in \{ x, y \}/);
  await rejects(writeNpz({ x, y: wrong(5) }), 'argument', /^writeNpz: y: 5 is not a tensor/);
  await rejects(writeNpz({ x }, wrong({ compress: 'yes' })), 'argument', /writeNpz: compress is 'yes'/);
  x.dispose();
});
