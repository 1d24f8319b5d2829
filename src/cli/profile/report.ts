/** A profile as tables. */
import { table } from '../text.ts';
import type { Ledger, OpTime, Phase, Profile } from './collect.ts';

const PHASES: readonly Phase[] = ['forward', 'backward', 'update'];

/** Time of one kind: a layer, or an op. */
export interface Share {
  readonly name: string;
  readonly calls: number;
  readonly forward: number;
  readonly backward: number;
  readonly update: number;
  readonly total: number;
}

/** The times added up by `nameOf`, in the order in which the names come up. */
export function sharesBy(ops: readonly OpTime[], nameOf: (op: OpTime) => string): Share[] {
  const shares = new Map<string, { calls: number } & Record<Phase, number>>();
  for (const op of ops) {
    const name = nameOf(op);
    const share = shares.get(name) ?? { calls: 0, forward: 0, backward: 0, update: 0 };
    share.calls++;
    share[op.phase] += op.milliseconds;
    shares.set(name, share);
  }
  return [...shares].map(([name, { calls, ...times }]) => ({
    name,
    calls,
    ...times,
    total: times.forward + times.backward + times.update,
  }));
}

const time = (milliseconds: number): string => (milliseconds === 0 ? '–' : milliseconds.toFixed(3));

function shareTable(title: string, shares: readonly Share[]): string {
  const whole = shares.reduce((sum, { total }) => sum + total, 0) || 1;
  const rows = shares.map((share) => [
    share.name,
    String(share.calls),
    ...PHASES.map((phase) => time(share[phase])),
    time(share.total),
    `${((100 * share.total) / whole).toFixed(1)} %`,
  ]);
  return table([[title, 'calls', ...PHASES, 'total', 'share'], ...rows]);
}

/** `1.5 MB`. */
function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(2)} ${units[power]}`;
}

const MEANING: Readonly<Record<keyof Ledger, string>> = {
  weights: 'all weights',
  gradients: 'one for each trained weight',
  optimizer: "the optimizer's slots",
  batch: 'inputs and targets',
  other: 'metrics, padding, tables',
  activations: 'kept by forward for backward',
  peak: 'the most at any time of a step, all of the above included',
  buffers: 'device buffers, those kept for reuse included',
};

/** All tables, times in milliseconds. */
export function profileText({ how, steps, batchSize, millisecondsPerStep, ops, memory }: Profile): string {
  const byOp = sharesBy(ops, ({ op }) => op).sort((a, b) => b.total - a.total);
  const sum = ops.reduce((total, { milliseconds }) => total + milliseconds, 0);
  const ledger = Object.entries(memory).map(([name, bytes]) => [
    name,
    bytesText(bytes),
    MEANING[name as keyof Ledger],
  ]);
  return [
    `a step of ${batchSize}: ${millisecondsPerStep.toFixed(2)} ms by wall clock; ${sum.toFixed(2)} ms in ${ops.length} ops`,
    `measured over ${steps} steps, by ${how}`,
    '',
    shareTable(
      'layer (ms)',
      sharesBy(ops, ({ layer }) => layer),
    ),
    '',
    shareTable('op (ms)', byOp),
    '',
    table([['memory', 'bytes', ''], ...ledger]),
  ].join('\n');
}
