/** A value that a user passed, in a few words for an error message; never throws. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) {
    const short = value.length <= 8 && value.every((item: unknown) => typeof item === 'number');
    return short ? `[${value.join(', ')}]` : `an array of ${value.length}`;
  }
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== 'Object' ? `a ${name}` : 'a plain object';
}
