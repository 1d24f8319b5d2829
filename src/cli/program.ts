/** The commands of `wgrad` and their options. */
import { Command, CommanderError, Option } from 'commander';
import { WgradError } from '../core/errors.ts';
import { devicesCommand } from './devices.ts';
import { writeOpsPage } from './docs.ts';
import { type GradcheckArguments, gradcheckCommand } from './gradcheck.ts';

/** Runs the command line (without `node` and the script) and returns the exit code; 2 stands for wrong usage. */
export async function run(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command('wgrad').description('Train neural networks on any GPU.').exitOverride();
  program.configureHelp({ showGlobalOptions: true }).showHelpAfterError('(--help tells what there is.)');
  program
    .command('gradcheck')
    .description('check the gradient of every op, first and second order')
    .option('--op <name>', 'only this op')
    .addOption(
      new Option('--device <device>', 'cpu: against differences in float64; gpu: against the CPU device')
        .choices(['cpu', 'gpu'])
        .default('cpu'),
    )
    .option('--json', 'print JSON')
    .option('--docs [path]', 'also write the table of ops, by default to docs/ops.md')
    .action(async ({ docs, ...options }: GradcheckArguments & { docs?: string | true }) => {
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
    if (!(error instanceof WgradError)) throw error;
    console.error(error.message);
    return 1;
  }
}
