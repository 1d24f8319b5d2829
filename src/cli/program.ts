/** The commands of `wgrad` and their options. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { WgradError } from '../core/errors.ts';
import { OPTIMIZERS } from '../train/compile.ts';
import { DATA_HELP } from './data/load.ts';
import { devicesCommand } from './devices.ts';
import { writeOpsPage } from './docs.ts';
import { type GradcheckArguments, gradcheckCommand } from './gradcheck.ts';
import {
  type ModelGradcheckArguments,
  modelGradcheckCommand,
  type ProfileArguments,
  profileCommand,
  summaryCommand,
} from './inspect.ts';
import { type EvaluateArguments, evaluateCommand, type PredictArguments, predictCommand } from './measure.ts';
import { MODEL_HELP } from './model/resolve.ts';
import type { SessionOptions } from './session.ts';
import { type TrainArguments, trainCommand } from './train.ts';

/** The options of both kinds of gradient check. */
type AnyGradcheck = GradcheckArguments & ModelGradcheckArguments & { docs?: string | true };

/** A parser of numbers, which refuses others. */
const number =
  (wanted: string, accepts: (value: number) => boolean) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || !accepts(value))
      throw new InvalidArgumentError(`Pass ${wanted}.`);
    return value;
  };

const count = number('a whole number ≥ 1', (value) => Number.isInteger(value) && value >= 1);
const seed = number('a whole number ≥ 0', (value) => Number.isSafeInteger(value) && value >= 0);
const rate = number('a number > 0', (value) => value > 0);

const adapter = (): Option =>
  new Option('--adapter <kind>', 'the device to run on (default: WGRAD_ADAPTER, else auto)').choices([
    'auto',
    'system',
    'swiftshader',
    'cpu',
  ]);

/** A command that takes a model. */
const withModel = (command: Command, argument = '<model>'): Command =>
  command
    .argument(argument, 'see below')
    .addOption(adapter())
    .option('--json', 'end with one line of JSON')
    .addHelpText('after', `\n${MODEL_HELP}`);

const withData = (command: Command): Command =>
  command
    .option('--data <source>', `${DATA_HELP} (default: the test part of what the model was trained on)`)
    .option('--target <column>', 'the column of a table to predict (default: the last)')
    .option('--batch-size <n>', 'examples at a time (default: 64)', count);

/** Runs the command line (without `node` and the script) and returns the exit code; 2 stands for wrong usage. */
export async function run(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command('wgrad').description('Train neural networks on any GPU.').exitOverride();
  program.configureHelp({ showGlobalOptions: true }).showHelpAfterError('(--help tells what there is.)');
  withModel(program.command('train'))
    .description('train a model, and save it')
    .option('--data <source>', `${DATA_HELP} (default: digits)`)
    .option('--target <column>', 'the column of a table to predict (default: the last)')
    .option('--limit <n>', 'train on n examples at most', count)
    .option('--epochs <n>', 'passes through the data (default: 5 for pictures, 50 for tables)', count)
    .option('--batch-size <n>', 'examples of a step (default: 64 for pictures, 16 for tables)', count)
    .addOption(new Option('--optimizer <name>', '(default: adam)').choices(Object.keys(OPTIMIZERS)))
    .option('--learning-rate <x>', '(default: 0.001 for pictures, 0.005 for tables)', rate)
    .option('--seed <n>', 'decides weights, order and split (default: 1)', seed)
    .option('--out <folder>', 'where the run is kept (default: runs/MODEL)')
    .option('--resume', 'go on from the newest checkpoint of that folder')
    .action(async (model: string, options: TrainArguments) => {
      code = await trainCommand(model, options);
    });
  withData(withModel(program.command('evaluate')))
    .description('measure a trained model')
    .action(async (model: string, options: EvaluateArguments) => {
      code = await evaluateCommand(model, options);
    });
  withData(withModel(program.command('predict')))
    .description('ask a trained model')
    .option('--limit <n>', 'the first n examples (default: 20, with --json all)', count)
    .action(async (model: string, options: PredictArguments) => {
      code = await predictCommand(model, options);
    });
  withModel(program.command('summary'))
    .description('list the layers of a model and their parameters')
    .action(async (model: string, options: SessionOptions) => {
      code = await summaryCommand(model, options);
    });
  withModel(program.command('profile'))
    .description('time every op of a training step, by layer and by op, and account for its memory')
    .option('--batch-size <n>', 'examples of a step (default: 64)', count)
    .option('--steps <n>', 'steps to average over (default: 10)', count)
    .action(async (model: string, options: ProfileArguments) => {
      code = await profileCommand(model, options);
    });
  withModel(program.command('gradcheck'), '[model]')
    .description(
      'check the gradients of every layer of a model; without one, of every op, first and second order',
    )
    .option('--op <name>', 'only this op')
    .option('--samples <n>', 'elements of each weight of a model (default: 10)', count)
    .addOption(
      new Option('--device <device>', 'cpu: against differences in float64; gpu: against the CPU device')
        .choices(['cpu', 'gpu'])
        .default('cpu'),
    )
    .option('--docs [path]', 'also write the table of ops, by default to docs/ops.md')
    .action(async (model: string | undefined, { docs, ...options }: AnyGradcheck) => {
      if (model !== undefined) {
        if (options.op !== undefined || docs || options.device === 'gpu')
          program.error('error: --op, --docs and --device gpu are about ops; leave them out, or the model.');
        code = await modelGradcheckCommand(model, options);
        return;
      }
      if (options.samples !== undefined)
        program.error('error: --samples is about the weights of a model; name one, or leave it out.');
      code = await gradcheckCommand(options);
      if (docs) writeOpsPage(docs === true ? 'docs/ops.md' : docs);
    });
  program
    .command('devices')
    .description('list the devices that were found, and which one init() would open')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      code = await devicesCommand(options);
    });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof WgradError || isFileError(error)) {
      console.error(error.message);
      return 1;
    }
    throw error;
  }
}

/** What the file system refused, such as a folder without the right to write. */
const isFileError = (error: unknown): error is Error =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
