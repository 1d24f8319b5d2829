/** Running `wgrad`: in this process, or in one of its own. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/cli/program.ts';

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The adapter of the tests. */
export const adapter = process.env.WGRAD_ADAPTER || 'swiftshader';

/** In a process of its own; `watch` sees what was written to stderr so far, and may send a signal. */
export function command(
  argv: readonly string[],
  watch: (err: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--import', './scripts/register.mjs', 'src/cli/main.ts', ...argv],
      { cwd: root, env: { ...process.env, WGRAD_ADAPTER: adapter } },
    );
    let out = '';
    let err = '';
    child.stdout.on('data', (bytes) => (out += bytes));
    child.stderr.on('data', (bytes) => {
      err += bytes;
      watch(err, (signal) => child.kill(signal));
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

/** In this process, on a device of its own, which is faster; what it prints does not reach the terminal. */
export async function commandHere(...argv: string[]): Promise<Ran> {
  const { log, error } = console;
  const writes = [process.stdout, process.stderr].map((stream) => ({ stream, write: stream.write }));
  const before = process.env.WGRAD_ADAPTER;
  let out = '';
  let err = '';
  process.env.WGRAD_ADAPTER = adapter;
  console.log = (text: string) => void (out += `${text}\n`);
  console.error = (text: string) => void (err += `${text}\n`);
  process.stdout.write = ((text: string) => {
    out += text;
    return true;
  }) as typeof process.stdout.write;
  process.stderr.write = ((text: string) => {
    err += text;
    return true;
  }) as typeof process.stderr.write;
  try {
    return { code: await run(argv), out, err };
  } finally {
    for (const { stream, write } of writes) stream.write = write;
    Object.assign(console, { log, error });
    if (before === undefined) delete process.env.WGRAD_ADAPTER;
    else process.env.WGRAD_ADAPTER = before;
  }
}
