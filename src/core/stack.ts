/** Finds the line of the user's own code in a stack. */

/** The folder that holds the engine's own code: the package root in development, `dist/` in the build. */
const own = /\/(?:src|kernels)\/[^/]*\/?[^/]*$/.test(import.meta.url)
  ? [new URL('../../src/', import.meta.url).href, new URL('../../kernels/', import.meta.url).href]
  : [new URL('./', import.meta.url).href];

/** `at name (file:line:column)` of the innermost frame outside wgrad, or `at an unknown place`. */
export function userFrame(error: Error = new Error()): string {
  const frames = (error.stack ?? '').split('\n').slice(1);
  for (const frame of frames) {
    const text = frame.trim();
    if (
      text.startsWith('at ') &&
      !own.some((prefix) => text.includes(prefix) || text.includes(prefix.slice(7)))
    )
      return text;
  }
  return 'at an unknown place';
}
