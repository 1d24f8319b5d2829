/** `wgrad gradcheck`: checks the gradient of every op, or of one. */
import { CpuDevice } from '../runtime/cpu-device.ts';
import type { AdapterChoice } from '../runtime/init.ts';
import { init } from '../runtime/node/init.ts';
import { catalog } from './catalog/index.ts';
import type { CatalogEntry } from './catalog/types.ts';
import { type Check, countChecks, walk } from './checks.ts';
import { nearest, table } from './text.ts';

export interface GradcheckArguments {
  readonly op?: string;
  readonly device: 'cpu' | 'gpu';
  readonly json?: boolean;
  /** For the GPU. Default: what the environment asks for. */
  readonly adapter?: AdapterChoice;
}

/** What `--json` prints. */
export interface GradcheckSummary {
  readonly checks: readonly Check[];
  readonly passed: number;
  readonly failed: number;
}

/** The entries that `--op` names, or a text for the user. */
function select(op: string | undefined): readonly CatalogEntry[] | string {
  if (op === undefined) return catalog.filter(({ differentiable }) => differentiable);
  const entry = catalog.find((candidate) => candidate.op === op);
  if (!entry) {
    const names = catalog.filter(({ differentiable }) => differentiable).map((candidate) => candidate.op);
    return `gradcheck: there is no op '${op}'; the nearest are ${nearest(op, names).join(', ')}.`;
  }
  if (!entry.differentiable) return `gradcheck: ${op} has no gradient: ${entry.secondOrder}.`;
  return [entry];
}

export function summarize(checks: readonly Check[]): GradcheckSummary {
  const passed = checks.filter(({ ok }) => ok).length;
  return { checks, passed, failed: checks.length - passed };
}

const number = (value: number | null): string =>
  value === null ? '–' : value === 0 ? '0' : value.toExponential(1);

/** The table at the end, followed by why some checks could not be made. */
export function report({ checks, passed, failed }: GradcheckSummary): string {
  const rows = checks.map((check) => [
    check.op,
    check.case,
    String(check.order),
    check.device,
    number(check.maxAbsError),
    number(check.maxRelError),
    check.ok ? 'ok' : 'FAILED',
  ]);
  const head = ['op', 'case', 'order', 'device', 'max abs error', 'max rel error', 'ok'];
  const errors = checks.flatMap((check) =>
    check.error === undefined ? [] : [`${check.op}, ${check.case}, order ${check.order}: ${check.error}`],
  );
  return [table([head, ...rows]), ...errors, '', `${passed} passed, ${failed} failed`].join('\n');
}

/** Runs the checks and returns the exit code: 0, 1 after a failure or a refusal, 2 for a wrong argument. */
export async function gradcheckCommand({
  op,
  device,
  json = false,
  adapter,
}: GradcheckArguments): Promise<number> {
  const entries = select(op);
  if (typeof entries === 'string') {
    console.error(entries);
    return 2;
  }
  const cpu = new CpuDevice();
  const gpu = device === 'gpu' ? await init(adapter ? { adapter } : {}) : undefined;
  const total = countChecks(entries);
  const checks: Check[] = [];
  const progress = process.stderr.isTTY ? (text: string) => process.stderr.write(`\r\x1b[K${text}`) : null;
  try {
    for await (const check of walk(entries, cpu, gpu)) {
      checks.push(check);
      progress?.(`${checks.length}/${total} ${check.op}: ${check.case}`);
    }
  } finally {
    progress?.('');
    gpu?.destroy();
    cpu.destroy();
  }
  const summary = summarize(checks);
  if (json) console.log(JSON.stringify(summary));
  else console.log((gpu ? `${gpu.description}\n\n` : '') + report(summary));
  return summary.failed === 0 ? 0 : 1;
}
