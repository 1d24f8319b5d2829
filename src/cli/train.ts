/** `wgrad train`: trains a model on pictures or on a table, and saves what it learned. */
import { basename, extname, join } from 'node:path';
import { ArgumentError } from '../core/errors.ts';
import { setSeed } from '../core/generator.ts';
import type { Column } from '../data/batch.ts';
import { rowOf } from '../data/batch.ts';
import type { Model } from '../models/model.ts';
import { saveModel } from '../models/node/files.ts';
import { terminateOnNaN } from '../train/callbacks/index.ts';
import type { OptimizerName } from '../train/compile.ts';
import type { History } from '../train/fit.ts';
import { loadCheckpoint } from '../train/node/checkpoint-file.ts';
import { checkpoint, csvLogger } from '../train/node/index.ts';
import { formatLogs, progress } from '../train/progress.ts';
import type { Logs } from '../train/trainer.ts';
import { type LoadedData, loadData, type Part } from './data/load.ts';
import { INTERRUPTED, Interrupt } from './interrupt.ts';
import { compileFor } from './model/compile.ts';
import { locateModel, resolveModel } from './model/resolve.ts';
import {
  beginRun,
  continueRun,
  dropPrevious,
  type RunOptions,
  readRun,
  runPaths,
  writeCard,
} from './run-folder.ts';
import { type SessionOptions, withSession } from './session.ts';
import { secondsText, self } from './text.ts';

export interface TrainArguments extends SessionOptions {
  readonly data?: string;
  readonly target?: string;
  readonly limit?: number;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly optimizer?: OptimizerName;
  readonly learningRate?: number;
  readonly seed?: number;
  readonly out?: string;
  readonly resume?: boolean;
}

/** What `--json` prints. */
export interface TrainSummary {
  readonly epochs: readonly Logs[];
  readonly test: Logs;
  readonly seconds: number;
  readonly adapter: string;
}

const nameOf = (given: string): string => basename(given, extname(given)) || 'model';

/** The options of the run: those that were given, then those that it began with, then the defaults. */
function settle(given: string, args: TrainArguments, earlier: RunOptions | null): RunOptions {
  const before = earlier?.learning;
  const { optimizer = before?.optimizer, learningRate = before?.learningRate } = args;
  const source = args.data ?? earlier?.data.source ?? 'digits';
  const pictures = /^(digits|mnist|auto)$/.test(source);
  const asked = optimizer !== undefined || learningRate !== undefined;
  return {
    model: given,
    data: {
      source,
      target: args.target ?? earlier?.data.target,
      limit: args.limit ?? earlier?.data.limit,
      seed: args.seed ?? earlier?.data.seed ?? 1,
    },
    epochs: args.epochs ?? earlier?.epochs ?? (pictures ? 5 : 50),
    batchSize: args.batchSize ?? earlier?.batchSize ?? (pictures ? 64 : 16),
    learning: asked ? { optimizer, learningRate } : null,
  };
}

const first = ({ x, y }: Part): { x: Column; y: Column } => {
  const row = (column: Column): Column => {
    const own = rowOf(column, 0);
    return { ...own, shape: [1, ...own.shape] };
  };
  return { x: row(x), y: row(y) };
};

/** What the test came to, with the error of a table's numbers in the target's own unit. */
export function testText(logs: Logs, count: number, { table }: Pick<LoadedData, 'table'>): string {
  const scale = table?.scale;
  const own =
    scale && logs.mae !== undefined
      ? `; on average ${(logs.mae * scale.deviation).toPrecision(4)} off the numbers in column '${table.target}'`
      : '';
  return `test${formatLogs(logs)} (${count.toLocaleString('en')} examples${own})`;
}

export async function trainCommand(given: string, args: TrainArguments): Promise<number> {
  locateModel('train', given);
  const folder = args.out ?? join('runs', nameOf(given));
  const paths = runPaths(folder);
  const earlier = args.resume ? await readRun(folder) : null;
  if (args.resume && !earlier)
    throw new ArgumentError(`train: ${folder} holds no run to resume; leave --resume out, or check --out.`);
  const options = settle(given, args, earlier);
  return withSession(args, async ({ device, say }) => {
    say(`device: ${device.description}`);
    const loaded = await loadData('train', options.data);
    say(`data: ${loaded.title}`);
    const settled: RunOptions = { ...options, data: loaded.spec };
    setSeed(loaded.spec.seed);
    const model = await resolveModel('train', given, loaded.task);
    try {
      compileFor(model, loaded.task, settled.learning);
      // Whatever does not fit shows before a file is touched.
      await model.testOnBatch(first(loaded.parts.train));
      say(`model: ${model.name}, ${model.countParams().toLocaleString('en')} parameters`);
      await (args.resume ? continueRun : beginRun)(folder, settled);
      const began = performance.now();
      const history = await fit(model, loaded, settled, folder, args);
      if (history.stoppedBy === 'interrupted') {
        const command = `${self()} train ${given} --out ${folder} --resume`;
        console.error(`interrupted; the checkpoint is in ${paths.checkpoints}. Go on with: ${command}`);
        return INTERRUPTED;
      }
      const seconds = (performance.now() - began) / 1000;
      if (history.stoppedBy !== null) {
        console.error(
          `train: stopped by ${history.stoppedBy}. No model was saved; try a smaller --learning-rate.`,
        );
        return 1;
      }
      const { test } = loaded.parts;
      const { batchSize } = settled;
      const logs = await model.evaluate(test, { batchSize });
      await saveModel(model, paths.model, { float: device.float });
      await writeCard(folder, {
        data: loaded.spec,
        task: loaded.task,
        classes: loaded.classes,
        table: loaded.table,
      });
      await dropPrevious(folder);
      say(testText(logs, test.x.shape[0] as number, loaded));
      say(`trained in ${secondsText(seconds)}; saved ${paths.model}`);
      say(`next: ${self()} predict ${paths.model} --data ${loaded.spec.source} --limit 10`);
      const summary: TrainSummary = {
        epochs: history.epochs,
        test: logs,
        seconds,
        adapter: device.description,
      };
      if (args.json) console.log(JSON.stringify(summary));
      return 0;
    } finally {
      model.dispose();
    }
  });
}

/** The training itself; after Ctrl-C the history says 'interrupted'. */
async function fit(
  model: Model,
  { parts, spec }: LoadedData,
  { epochs, batchSize }: RunOptions,
  folder: string,
  { resume = false, json = false }: TrainArguments,
): Promise<History> {
  const paths = runPaths(folder);
  const state = resume ? await loadCheckpoint(paths.checkpoints) : null;
  const interrupt = new Interrupt();
  interrupt.listen();
  try {
    return await model.fit(parts.train, {
      epochs,
      batchSize,
      seed: spec.seed,
      validationData: parts.validation,
      resume: state,
      signal: interrupt.signal,
      callbacks: [
        terminateOnNaN(),
        interrupt.stop,
        progress({ stream: json ? process.stderr : process.stdout }),
        csvLogger(paths.history),
        checkpoint({ directory: paths.checkpoints }),
        interrupt.abort,
      ],
    });
  } catch (error) {
    if (!interrupt.signal.aborted || !model.history) throw error;
    return model.history;
  } finally {
    interrupt.end();
    state?.dispose();
  }
}
