/** The header of a safetensors file: what tensors it holds and where. All checks that need no element happen here. */
import { describe } from '../core/describe.ts';
import { ArgumentError, FormatError } from '../core/errors.ts';
import { formatShape, MAX_RANK, type Shape } from '../core/shape.ts';
import { viewOf } from './bytes.ts';

/** Bits of one element, by the format's name of its type. */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** The format's element types. Those of 4 to 8 bits other than BOOL, U8 and I8, and C64, can be listed, not read. */
export type SafetensorsDType = keyof typeof BITS;

/** One tensor of a file. */
export interface SafetensorsEntry {
  readonly dtype: SafetensorsDType;
  readonly shape: Shape;
  /** First byte, counted from the start of the file. */
  readonly start: number;
  /** The byte after the last. */
  readonly end: number;
}

export interface SafetensorsHeader {
  /** By name. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the elements start. */
  readonly start: number;
}

/** The reference implementation's limit. */
export const MAX_HEADER = 100_000_000;

const damaged = (op: string, what: string): FormatError =>
  new FormatError(`${op}: ${what}. The file is damaged or no safetensors file; fetch or save it again.`);

/** A name of any length, in a message. */
const quote = (name: string): string =>
  JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name).replace(/^"|"$/g, "'");

/** JSON.parse keeps the last of two equal keys without a word; this finds the first that stands twice. */
function repeatedKey(json: string): string | undefined {
  const objects: (Set<string> | null)[] = [];
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;
  let last = '';
  for (let match = tokens.exec(json); match; match = tokens.exec(json)) {
    const [token] = match;
    if (token === '{') objects.push(new Set());
    else if (token === '[') objects.push(null);
    else if (token === '}' || token === ']') objects.pop();
    else if (token === ':') {
      const keys = objects.at(-1);
      const key = JSON.parse(last) as string;
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
    last = token;
  }
  return undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function metadataOf(op: string, value: unknown): Record<string, string> {
  if (!isRecord(value)) throw damaged(op, `'__metadata__' is ${describe(value)}, not an object of strings`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw damaged(op, `'__metadata__' holds ${describe(text)} under ${quote(key)}, not a string`);
    }
  }
  return value as Record<string, string>;
}

/** Checks one entry by itself; offsets still count from the end of the header. */
function entryOf(op: string, name: string, value: unknown): SafetensorsEntry {
  const wrong = (what: string): FormatError => damaged(op, `the header's entry ${quote(name)} ${what}`);
  if (!isRecord(value)) throw wrong(`is ${describe(value)}, not an object`);
  for (const key of Object.keys(value)) {
    if (!['dtype', 'shape', 'data_offsets'].includes(key)) throw wrong(`has a field ${quote(key)}`);
  }
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(BITS, dtype)) {
    throw wrong(`has the dtype ${describe(dtype)}; the format knows ${Object.keys(BITS).join(', ')}`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) throw wrong(`has the shape ${JSON.stringify(shape)}`);
  if (shape.length > MAX_RANK) {
    throw new FormatError(
      `${op}: ${quote(name)} has rank ${shape.length}; tensors here have at most ${MAX_RANK}. Reshape it before saving.`,
    );
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw wrong(`has data_offsets ${JSON.stringify(offsets)}, not two byte positions`);
  }
  const [start, end] = offsets as [number, number];
  const bits = shape.reduce((size: number, extent: number) => size * extent, BITS[dtype as SafetensorsDType]);
  if (!Number.isSafeInteger(bits))
    throw wrong(`has more elements than can be counted: ${formatShape(shape)}`);
  if (end < start || (end - start) * 8 !== bits) {
    throw wrong(
      `says bytes ${start} to ${end}, but shape ${formatShape(shape)} of ${dtype} takes ${bits / 8} bytes`,
    );
  }
  return { dtype: dtype as SafetensorsDType, shape, start, end };
}

/** The tensors must lie one after another from the first byte to the last. */
function checkLayout(op: string, entries: ReadonlyMap<string, SafetensorsEntry>, available: number): void {
  const order = [...entries].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let at = 0;
  let before = 'the header';
  for (const [name, { start, end }] of order) {
    if (start < at)
      throw damaged(op, `${quote(name)} starts at byte ${start} inside ${before}, which ends at ${at}`);
    if (start > at)
      throw damaged(op, `bytes ${at} to ${start}, between ${before} and ${quote(name)}, belong to no tensor`);
    at = end;
    before = quote(name);
  }
  if (at > available) {
    throw damaged(op, `the tensors take ${at} bytes, but only ${available} follow the header; it is cut off`);
  }
  if (at < available) throw damaged(op, `${available - at} bytes follow after the last tensor`);
}

function parseJson(op: string, bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged(op, 'the header is no UTF-8 text');
  }
  if (!text.startsWith('{'))
    throw damaged(op, `the header starts with ${quote(text.slice(0, 1))}, not with '{'`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(op, `the header is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isRecord(value)) throw damaged(op, 'the header is no JSON object');
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw damaged(op, `the key ${quote(repeated)} stands twice in the header`);
  return value;
}

export function parseHeader(op: string, bytes: Uint8Array): SafetensorsHeader {
  if (!(bytes instanceof Uint8Array)) {
    throw new ArgumentError(`${op}: ${describe(bytes)} is no Uint8Array; pass new Uint8Array(arrayBuffer).`);
  }
  if (bytes.length < 8)
    throw damaged(op, `${bytes.length} bytes are too few for the header's length, which takes 8`);
  const length = viewOf(bytes).getBigUint64(0, true);
  if (length > MAX_HEADER) {
    throw damaged(
      op,
      `the first 8 bytes announce a header of ${length} bytes; at most ${MAX_HEADER} are allowed`,
    );
  }
  const start = 8 + Number(length);
  if (start > bytes.length) {
    throw damaged(op, `the header ends at byte ${start}, but the file has ${bytes.length}; it is cut off`);
  }
  const { __metadata__: metadata, ...fields } = parseJson(op, bytes.subarray(8, start));
  const relative = new Map(Object.entries(fields).map(([name, value]) => [name, entryOf(op, name, value)]));
  checkLayout(op, relative, bytes.length - start);
  const entries = new Map(
    [...relative].map(([name, entry]) => [
      name,
      { ...entry, start: start + entry.start, end: start + entry.end },
    ]),
  );
  return { entries, metadata: metadata === undefined ? {} : metadataOf(op, metadata), start };
}

/**
 * What a safetensors file holds, without reading an element: names, dtypes, shapes, byte ranges and metadata.
 *
 * @throws FormatError for a file that is damaged, cut off, overlapping or no safetensors file; it says what and where.
 */
export const readSafetensorsHeader = (bytes: Uint8Array): SafetensorsHeader =>
  parseHeader('readSafetensorsHeader', bytes);
