/**
 * What a person sees of a training: on a terminal one line that moves, elsewhere the lines of Keras's own log. The text is
 * made by pure functions; the callback only decides when to write it.
 */
import { checkNumber } from '../core/check.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkOptions } from '../ops/options.ts';
import type { Callback, Run } from './callbacks.ts';
import type { Logs } from './trainer.ts';

/** Where the text goes: a `NodeJS.WriteStream`, or anything with its three members. */
export interface ProgressStream {
  /** Whether lines can be overwritten. */
  readonly isTTY?: boolean;
  /** The width of the terminal; read anew for each line, since windows change. */
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** Default: `process.stdout`; in browsers, `console.log`. */
  stream?: ProgressStream;
  /** Milliseconds between two updates of the live line. Default: 100. */
  interval?: number;
  /** 0 writes nothing, 1 the live line, 2 a line for each epoch; 'auto' is 1 on a terminal and 2 elsewhere. Default: 'auto'. */
  verbose?: 0 | 1 | 2 | 'auto';
  /** The time in milliseconds. Default: `performance.now`. */
  now?: () => number;
}

/** What one live line tells. */
export interface ProgressState {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps of this epoch that are done. */
  readonly step: number;
  /** Undefined where the data do not tell. */
  readonly steps: number | undefined;
  readonly logs: Logs;
  /** Milliseconds since this process began the epoch. */
  readonly elapsed: number;
  /** Steps in a second; null as long as that is not known. */
  readonly speed: number | null;
  /** Examples of a step on average; undefined where nobody counts them. */
  readonly perStep: number | undefined;
}

const BAR = 30;
const LEAST_BAR = 8;

/** `val_loss` of `valLoss`, as Keras writes it. */
const snake = (name: string): string =>
  name.replace(/[A-Z]/g, (letter, at: number) => `${at > 0 ? '_' : ''}${letter.toLowerCase()}`);

/** Four decimals, or four digits where those would show none. */
const figure = (value: number): string =>
  !Number.isFinite(value) || value === 0 || Math.abs(value) > 1e-3
    ? value.toFixed(4)
    : value.toExponential(4);

/** ` - loss: 0.2406 - acc: 0.9302`. */
export const formatLogs = (logs: Logs): string =>
  Object.entries(logs)
    .map(([name, value]) => ` - ${snake(name)}: ${figure(value)}`)
    .join('');

/** `42s`, `3m 05s` or `2h 07m`. */
export function formatSeconds(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`;
  return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
}

/** `[=======>....]`, with `width` characters between the brackets. */
export function formatBar(step: number, steps: number, width: number): string {
  const done = Math.min(width, Math.floor((width * step) / steps));
  if (done === width) return `[${'='.repeat(width)}]`;
  return `[${'='.repeat(done)}>${'.'.repeat(width - done - 1)}]`;
}

/** `head` with a bar and `tail`; the bar shrinks, and in the end goes, where the line is too narrow. */
function withBar(head: string, step: number, steps: number, tail: string, columns: number): string {
  const room = columns - head.length - tail.length - 4; // Two brackets and the spaces after head and bar.
  const width = Math.min(BAR, room);
  return width < LEAST_BAR
    ? `${head}${tail.startsWith(' ') ? '' : ' '}${tail}`
    : `${head} ${formatBar(step, steps, width)} ${tail}`;
}

/**
 * `Epoch 3/10  [=======>....]  120/157 - loss: 0.2406 - acc: 0.9302 - 5120 samples/s - 2s left`, in at most `columns`
 * characters: a narrow terminal loses bar, rate and the last averages, in this order.
 */
export function formatLive(state: ProgressState, columns: number): string {
  const { epoch, epochs, step, steps, logs, speed, perStep } = state;
  const head = `Epoch ${epoch}/${epochs} `;
  const count = steps === undefined ? ` step ${step}` : ` ${step}/${steps}`;
  const rate =
    speed === null
      ? ''
      : perStep === undefined
        ? ` - ${speed.toPrecision(3)} steps/s`
        : ` - ${Math.round(speed * perStep)} samples/s`;
  const left =
    speed === null || steps === undefined ? '' : ` - ${formatSeconds(((steps - step) / speed) * 1000)} left`;
  const full = `${count}${formatLogs(logs)}${rate}${left}`;
  const tail = head.length + full.length <= columns ? full : `${count}${formatLogs(logs)}${left}`;
  const line = steps === undefined ? head + tail : withBar(head, step, steps, tail, columns);
  return line.slice(0, columns);
}

/** `Epoch 3/10  [======]  157/157 - 4s - loss: 0.2406 - val_loss: 0.1234`; what an epoch came to is never cut. */
export function formatDone(state: ProgressState, columns: number): string {
  const { epoch, epochs, step, steps = step, logs, elapsed } = state;
  const tail = ` ${step}/${steps} - ${formatSeconds(elapsed)}${formatLogs(logs)}`;
  return withBar(`Epoch ${epoch}/${epochs} `, step, steps, tail, columns);
}

/** A stream over `console.log`, which writes whole lines. */
const consoleStream: ProgressStream = { write: (text) => console.log(text.replace(/\n$/, '')) };

const defaultStream = (): ProgressStream =>
  (globalThis as { process?: { stdout?: ProgressStream } }).process?.stdout ?? consoleStream;

const CLEAR = '\r\x1b[K';

class Progress implements Callback {
  readonly name = 'progress';
  readonly #stream: ProgressStream;
  readonly #interval: number;
  readonly #verbose: 0 | 1 | 2;
  readonly #now: () => number;
  #began = 0;
  #drawn = 0;
  #done = 0;
  /** Where the speed is measured from. */
  #mark: { readonly step: number; readonly time: number } | null = null;
  /** Steps in a second, the last epoch's to begin with. */
  #speed: number | null = null;
  /** Whether a live line waits for its end. */
  #open = false;

  constructor({ stream = defaultStream(), interval = 100, verbose = 'auto', now }: ProgressOptions) {
    this.#stream = stream;
    this.#interval = interval;
    this.#verbose = verbose === 'auto' ? (stream.isTTY ? 1 : 2) : verbose;
    this.#now = now ?? (() => performance.now());
  }

  onEpochBegin(epoch: number, run: Run): void {
    this.#began = this.#now();
    this.#done = run.step;
    this.#mark = null;
    if (run.device.kind === 'cpu') this.#measure(run.step);
    if (this.#verbose === 2) this.#stream.write(`Epoch ${epoch + 1}/${run.epochs}\n`);
    if (this.#verbose === 1) this.#draw(epoch, run);
  }

  onStepEnd(step: number, run: Run): void {
    this.#done = step + 1;
    if (run.device.kind === 'cpu') this.#measure(step + 1);
    if (this.#verbose !== 1) return;
    if (step + 1 === run.steps || this.#now() - this.#drawn >= this.#interval) this.#draw(run.epoch, run);
  }

  /** A GPU works through steps some time after they were recorded; averages that arrive tell how far it is. */
  onLogs(_logs: Logs, run: Run): void {
    if (run.device.kind === 'gpu') this.#measure(run.step);
  }

  onEpochEnd(epoch: number, logs: Logs, run: Run): void {
    const elapsed = this.#now() - this.#began;
    if (this.#verbose === 2) this.#stream.write(` - ${Math.round(elapsed / 1000)}s${formatLogs(logs)}\n`);
    if (this.#verbose !== 1) return;
    const state = { ...this.#state(epoch, run), logs };
    this.#stream.write(`${CLEAR}${formatDone(state, this.#columns)}\n`);
    this.#open = false;
  }

  /** After an error or an abort the live line stays as it was, and what follows begins on a line of its own. */
  onTrainEnd(): void {
    if (this.#open) this.#stream.write('\n');
    this.#open = false;
  }

  /** A terminal wraps when its last column is filled. */
  get #columns(): number {
    return Math.max(20, (this.#stream.columns ?? 80) - 1);
  }

  #state(epoch: number, run: Run): ProgressState {
    const { epochs, steps, examples, logs } = run;
    return {
      epoch: epoch + 1,
      epochs,
      step: this.#done,
      steps,
      logs,
      elapsed: this.#now() - this.#began,
      speed: this.#speed,
      perStep: examples === undefined || !steps ? undefined : examples / steps,
    };
  }

  #measure(step: number): void {
    const time = this.#now();
    this.#mark ??= { step, time };
    if (time > this.#mark.time) this.#speed = (1000 * (step - this.#mark.step)) / (time - this.#mark.time);
  }

  #draw(epoch: number, run: Run): void {
    this.#drawn = this.#now();
    this.#open = true;
    this.#stream.write(CLEAR + formatLive(this.#state(epoch, run), this.#columns));
  }
}

/**
 * Shows how a training goes. On a terminal: `Epoch 3/10  [=======>....]  120/157 - loss: 0.2406 - acc: 0.9302 - 5120 samples/s
 * - 2s left`, fitted to its width. Elsewhere Keras's own log: `Epoch 3/10`, then ` - 4s - loss: 0.2406 - val_loss: 0.1234`.
 * It shows the averages that the run has read anyway, and never makes the device wait. The cursor is not hidden, so
 * nothing is out of order when the process is killed.
 *
 * ```ts
 * await model.fit(data, { epochs: 10, callbacks: [callbacks.progress()] });
 * ```
 *
 * @throws ArgumentError for a stream without `write`, and for values out of range.
 */
export function progress(options: ProgressOptions = {}): Callback {
  const op = 'progress';
  checkOptions(op, options, ['stream', 'interval', 'verbose', 'now'], '');
  const { stream, interval, verbose = 'auto' } = options;
  if (stream !== undefined && typeof (stream as ProgressStream | null)?.write !== 'function')
    throw new ArgumentError(
      `${op}: stream is ${describe(stream)}; pass one with write(), as process.stderr.`,
    );
  if (interval !== undefined) checkNumber(op, 'interval', interval, { atLeast: 0 });
  if (verbose !== 'auto' && verbose !== 0 && verbose !== 1 && verbose !== 2)
    throw new ArgumentError(`${op}: verbose is ${describe(verbose)}; pass 0, 1, 2 or 'auto'.`);
  return new Progress(options);
}
