/** A peer's process, seen from the benchmark. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Reply, Request } from './peers/protocol.ts';

/** For a request; a time request has its seconds on top. Cold shaders of a peer can take half a minute. */
const LIMIT_MILLISECONDS = 90_000;

/** What may answer a request. */
type Answers = {
  check: Reply & { kind: 'result' | 'unsupported' | 'failed' };
  time: Reply & { kind: 'time' | 'failed' };
};

export class PeerProcess {
  readonly name: string;
  /** Versions and adapter, once it runs. */
  version = '';
  adapter = '';
  #child: ChildProcess | undefined;
  readonly #choice: string;

  constructor(name: string, choice: string) {
    this.name = name;
    this.#choice = choice;
  }

  /** Starts the process; resolves to the reason why this peer cannot be measured, if there is one. */
  async start(): Promise<string | undefined> {
    const root = new URL('../', import.meta.url);
    const child = fork(fileURLToPath(new URL('bench/peers/child.ts', root)), [this.name], {
      cwd: fileURLToPath(root),
      execArgv: ['--import', './scripts/register.mjs'],
      env: { ...process.env, WGRAD_ADAPTER: this.#choice },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    child.on('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    child.on('error', () => {}); // A message to a process that just ended; its exit is noticed anyway.
    const reply = await this.#next(LIMIT_MILLISECONDS);
    if (reply.kind === 'ready') {
      this.version = reply.version;
      this.adapter = reply.adapter;
      return undefined;
    }
    this.stop();
    return 'reason' in reply ? reply.reason : `answered ${reply.kind}`;
  }

  /** Asks, and starts the process again if the last request ended it. */
  async ask<Asked extends Request>(request: Asked): Promise<Answers[Asked['kind']]> {
    type Answer = Answers[Asked['kind']];
    if (!this.#child) {
      const reason = await this.start();
      if (reason) return { kind: 'failed', reason } as Answer;
    }
    const extra = 'seconds' in request ? 1000 * request.seconds : 0;
    this.#child?.send(request);
    return (await this.#next(LIMIT_MILLISECONDS + extra)) as Answer;
  }

  /** Ends the process. */
  stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  /** The next message, or what came instead; the process does not survive silence. */
  #next(milliseconds: number): Promise<Reply> {
    const child = this.#child;
    return new Promise((resolve) => {
      const finish = (reply: Reply): void => {
        clearTimeout(timer);
        child?.off('message', finish);
        child?.off('exit', ended);
        if (reply.kind === 'failed' && this.#child === child) this.stop();
        resolve(reply);
      };
      const ended = (code: number | null, signal: string | null): void =>
        finish({ kind: 'failed', reason: `its process ended (${signal ?? code})` });
      const timer = setTimeout(
        () => finish({ kind: 'failed', reason: `no answer within ${milliseconds / 1000} s` }),
        milliseconds,
      );
      child?.on('message', finish);
      child?.on('exit', ended);
    });
  }
}
