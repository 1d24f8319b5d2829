/** Bytes as the readers of files look at them. */

/** The same memory, to be read and written number by number. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
