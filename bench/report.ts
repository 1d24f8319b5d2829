/** Prints what was measured: a table for the terminal, JSON, and a page with one section for each adapter. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { table } from '../src/cli/text.ts';
import type { Ceilings } from './ceilings.ts';
import type { PeerRow, Row } from './harness.ts';

export interface Report {
  readonly adapter: string;
  readonly date: string;
  readonly command: string;
  /** Versions of Node, wgrad and the peers. */
  readonly versions: Readonly<Record<string, string>>;
  /** Peers that were asked for and could not be measured, with the reason. */
  readonly missing: Readonly<Record<string, string>>;
  readonly ceilings: Ceilings;
  /** Microseconds on the host for a recorded `add`, and for the bare WebGPU calls that it cannot avoid. */
  readonly dispatch: { readonly op: number; readonly bare: number };
  readonly rows: readonly Row[];
}

/** Three digits: `12.3 ms`, `0.456 ms`. */
function duration(seconds: number): string {
  const milliseconds = 1e3 * seconds;
  return `${milliseconds >= 100 ? milliseconds.toFixed(0) : milliseconds.toPrecision(3)} ms`;
}

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** What was achieved, and its share of what the device can do. */
function achieved(row: Row, ceilings: Ceilings): [rate: string, share: string] {
  const { median } = row.measurement;
  if (row.flops !== undefined) {
    const rate = row.flops / median;
    return [`${(rate / 1e9).toPrecision(3)} GFLOP/s`, percent(rate / ceilings.flopsPerSecond)];
  }
  if (row.bytes === undefined) return ['', ''];
  const rate = row.bytes / median;
  return [`${(rate / 1e9).toPrecision(3)} GB/s`, percent(rate / ceilings.bytesPerSecond)];
}

const mark = ({ measurement, reason }: PeerRow): string =>
  measurement ? duration(measurement.median) : reason === 'has no such thing' ? 'none' : 'failed';

/** The fastest peer's time over ours: above 1 we are faster. */
export function ratioToBest(row: Row): number | undefined {
  const times = row.peers.flatMap(({ measurement }) => measurement?.median ?? []);
  return times.length > 0 ? Math.min(...times) / row.measurement.median : undefined;
}

/** Heading and one line for each case. */
export function cells(report: Report): string[][] {
  const peers = [...new Set(report.rows.flatMap((row) => row.peers.map(({ peer }) => peer)))];
  const heading = ['case', 'wgrad', 'spread', 'achieved', 'of the ceiling', ...peers, 'best peer ÷ wgrad'];
  const lines = report.rows.map((row) => {
    const ratio = ratioToBest(row);
    const others = peers.map((name) => {
      const peer = row.peers.find((each) => each.peer === name);
      return peer ? mark(peer) : '';
    });
    const { median, spread } = row.measurement;
    return [
      row.name,
      duration(median),
      Number.isNaN(spread) ? 'one sample' : `±${percent(spread)}`,
      ...achieved(row, report.ceilings),
      ...others,
      ratio === undefined ? '' : ratio.toPrecision(2),
    ];
  });
  return [heading, ...lines];
}

const gigabytes = (rate: number): string => (rate / 1e9).toPrecision(3);

function notes({ ceilings, dispatch, rows, missing }: Report): string[] {
  const failures = rows.flatMap(({ name, peers }) =>
    peers.flatMap(({ peer, reason }) =>
      reason === undefined || reason === 'has no such thing' ? [] : [`${name}: ${peer}: ${reason}.`],
    ),
  );
  return [
    `Ceilings: ${(ceilings.flopsPerSecond / 1e9).toPrecision(3)} GFLOP/s (multiply-adds in registers), ` +
      `${gigabytes(ceilings.bytesPerSecond)} GB/s (copy of 4 MB; ${gigabytes(ceilings.kernelBytesPerSecond)} by a kernel), ` +
      `${gigabytes(ceilings.largeBytesPerSecond)} GB/s (copy of 64 MB).`,
    `Host time of a recorded op: ${dispatch.op.toFixed(1)} µs; of the bare WebGPU calls: ${dispatch.bare.toFixed(1)} µs.`,
    ...Object.entries(missing).map(([peer, reason]) => `Not measured: ${peer}: ${reason}.`),
    ...failures,
  ];
}

export const asText = (report: Report): string => `${table(cells(report))}\n\n${notes(report).join('\n')}`;

const PAGE_HEAD = `# Microbenchmarks

Written by \`npm run bench -- --write\`. Times are medians, the spread is half the distance between the quartiles. Shares
are of the ceilings measured in the same run: multiply-adds for matrix products, a copy of 4 MB for the rest, where
each input counts as read once and the output as written once. Each peer runs in its own process on the same adapter, is
waited for in the same way, and is timed only after its results agreed with ours to 1e-3. Only ratios within a line mean
something on another machine.
`;

function section(report: Report): string {
  const [heading = [], ...lines] = cells(report);
  const versions = Object.entries(report.versions).map(([name, version]) => `${name} ${version}`);
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  return [
    `## ${report.adapter}`,
    '',
    `${report.date}; ${versions.join(', ')}; \`${report.command}\`.`,
    '',
    line(heading),
    line(heading.map((_, column) => (column === 0 ? '---' : '---:'))),
    ...lines.map(line),
    '',
    ...notes(report).map((note) => `- ${note}`),
    '',
  ].join('\n');
}

/** Puts the report's section into the page, in place of an older one for the same adapter. */
export function updatedPage(page: string, report: Report): string {
  const kept = page
    .split(/^(?=## )/m)
    .slice(1)
    .filter((part) => !part.startsWith(`## ${report.adapter}\n`))
    .map((part) => `${part.trimEnd()}\n`);
  return [PAGE_HEAD, ...[...kept, section(report)].sort()].join('\n');
}

export function writePage(path: string, report: Report): void {
  writeFileSync(path, updatedPage(existsSync(path) ? readFileSync(path, 'utf8') : '', report));
}
