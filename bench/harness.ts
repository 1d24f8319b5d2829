/** Runs cases: all contenders compute, results are compared, and only then each is timed, one after another. */
import type { GpuDevice } from '../src/node.ts';
import { type BenchCase, inputsOf } from './cases/case.ts';
import { difference, ownJob, resultOf, timeJob } from './contender.ts';
import type { Measurement } from './measure.ts';
import type { PeerProcess } from './peer.ts';

export interface PeerRow {
  readonly peer: string;
  /** Absent where the peer has no such thing, failed, or gave another result. */
  readonly measurement?: Measurement;
  readonly reason?: string;
}

export interface Row {
  readonly name: string;
  readonly flops?: number | undefined;
  readonly bytes?: number | undefined;
  readonly measurement: Measurement;
  readonly peers: readonly PeerRow[];
}

const UNSUPPORTED = 'has no such thing';

async function runPeer(
  peer: PeerProcess,
  benchCase: BenchCase,
  expected: Float32Array,
  seconds: number,
): Promise<PeerRow> {
  const { name } = peer;
  const checked = await peer.ask({ kind: 'check', task: benchCase.task, inputs: inputsOf(benchCase) });
  if (checked.kind === 'unsupported') return { peer: name, reason: UNSUPPORTED };
  if (checked.kind === 'failed') return { peer: name, reason: checked.reason };
  const differs = benchCase.comparable === false ? undefined : difference(checked.data, expected);
  if (differs) return { peer: name, reason: `another result: ${differs}` };
  const timed = await peer.ask({ kind: 'time', seconds });
  if (timed.kind === 'failed') return { peer: name, reason: timed.reason };
  return { peer: name, measurement: timed.measurement };
}

/** One case with all contenders. */
export async function runCase(
  device: GpuDevice,
  benchCase: BenchCase,
  peers: readonly PeerProcess[],
  seconds: number,
): Promise<Row> {
  const { name, flops, bytes } = benchCase;
  const job = ownJob(device, benchCase, inputsOf(benchCase));
  let expected: Float32Array;
  let measurement: Measurement;
  try {
    expected = await resultOf(job);
    measurement = await timeJob(name, job, seconds);
  } finally {
    job.dispose();
  }
  await device.trim();
  const rows: PeerRow[] = [];
  if (!benchCase.ownOnly)
    for (const peer of peers) rows.push(await runPeer(peer, benchCase, expected, seconds));
  return { name, flops, bytes, measurement, peers: rows };
}
