/** Finds the line of the user's own code in a stack. */

/** The folder that holds the engine's own code: the package root in development, `dist/` in the build. */
const own = /\/(?:src|kernels)\/[^/]*\/?[^/]*$/.test(import.meta.url)
  ? [new URL('../../src/', import.meta.url).href, new URL('../../kernels/', import.meta.url).href]
  : [new URL('./', import.meta.url).href];

/** Frames to look through: a backward pass lies deep below the user's call. */
const DEPTH = 64;

function stack(): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  const { stack: text = '' } = new Error();
  Error.stackTraceLimit = before;
  return text;
}

/** `at name (file:line:column)` of the innermost frame outside wgrad, or `at an unknown place`. */
export function userFrame(): string {
  for (const frame of stack().split('\n').slice(1)) {
    const text = frame.trim();
    const ours = own.some((prefix) => text.includes(prefix) || text.includes(prefix.replace('file://', '')));
    const builtin = text.endsWith('(<anonymous>)') || text.endsWith('(native)') || text.includes('node:');
    if (text.startsWith('at ') && !ours && !builtin) return text;
  }
  return 'at an unknown place';
}
