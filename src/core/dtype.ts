/**
 * Element types. `float32` is the float of a GPU, `float64` the float of the CPU device; `bool` is stored as a
 * 32-bit 0 or 1; `uint8` stays packed, four to a word, and is only unpacked by `cast`.
 */
export type DType = 'float32' | 'float64' | 'int32' | 'bool' | 'uint8';

/** The arrays that hold tensor elements on the host. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

export const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float64';

/** Bytes that `count` elements occupy in a buffer: whole 32-bit words, whatever the dtype. */
export function byteLength(dtype: DType, count: number): number {
  if (dtype === 'float64') return 8 * count;
  if (dtype === 'uint8') return 4 * Math.ceil(count / 4);
  return 4 * count;
}

/** A zeroed host array for `count` elements; `bool` elements are 32-bit words as on the GPU. */
export function hostArray(dtype: DType, count: number): HostArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(count);
    case 'float64':
      return new Float64Array(count);
    case 'int32':
      return new Int32Array(count);
    case 'bool':
      return new Uint32Array(count);
    case 'uint8':
      return new Uint8Array(count);
  }
}

/** Views bytes that were read from a device as `count` elements. */
export function viewBytes(dtype: DType, bytes: ArrayBuffer, offset: number, count: number): HostArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(bytes, offset, count);
    case 'float64':
      return new Float64Array(bytes, offset, count);
    case 'int32':
      return new Int32Array(bytes, offset, count);
    case 'bool':
      return new Uint32Array(bytes, offset, count);
    case 'uint8':
      return new Uint8Array(bytes, offset, count);
  }
}
