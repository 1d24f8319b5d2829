/** Microbenchmarks: `npm run bench`. Prints medians of one run; ratios across runs mean little. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { GpuDevice, init, tensor } from '../src/node.ts';
import type { AdapterChoice } from '../src/runtime/init.ts';
import { cases } from './cases/index.ts';
import { measureCeilings } from './ceilings.ts';
import { measureDispatch } from './dispatch.ts';
import { type Row, runCase } from './harness.ts';
import { PeerProcess } from './peer.ts';
import { peerModules } from './peers/protocol.ts';
import { asText, type Report, writePage } from './report.ts';

interface Options {
  readonly filter?: string;
  readonly json?: string;
  readonly peers: string;
  readonly adapter?: AdapterChoice;
  readonly seconds: number;
  readonly write?: string | true;
  readonly list?: true;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0 is needed.');
  return value;
}

const program = new Command('bench')
  .description('Time every kernel family beside the device’s ceilings and the peers.')
  .option('--filter <texts>', 'only cases whose name contains one of these, separated by commas')
  .option('--peers <names>', 'separated by commas, or none', Object.keys(peerModules).join(','))
  .addOption(
    new Option('--adapter <choice>', 'default: WGRAD_ADAPTER, else auto').choices([
      'auto',
      'system',
      'swiftshader',
    ]),
  )
  .option('--seconds <number>', 'for each case and contender', positive, 2)
  .option('--json <file>', 'also write all numbers to this file')
  .option('--write [file]', 'also write the table, by default to bench/RESULTS.md')
  .option('--list', 'name the cases and end')
  .parse();
const options = program.opts<Options>();

const wanted = (options.filter ?? '').toLowerCase().split(',');
const chosen = cases.filter(({ name }) => wanted.some((text) => name.toLowerCase().includes(text.trim())));
if (chosen.length === 0) program.error(`No case matches ${options.filter}; --list names them.`);
const peerNames = options.peers === 'none' ? [] : options.peers.split(',').map((name) => name.trim());
for (const name of peerNames) {
  if (!(name in peerModules))
    program.error(`--peers ${name}: the peers are ${Object.keys(peerModules).join(', ')}.`);
}

async function startPeers(
  adapter: string,
  choice: string,
): Promise<Pick<Report, 'missing'> & { running: PeerProcess[] }> {
  const missing: Record<string, string> = {};
  const running: PeerProcess[] = [];
  for (const name of peerNames) {
    const peer = new PeerProcess(name, choice);
    let reason = await peer.start();
    if (reason === undefined && !adapter.startsWith(peer.adapter)) {
      peer.stop();
      reason = `it opened another adapter, ${peer.adapter}`;
    }
    if (reason === undefined) running.push(peer);
    else {
      missing[name] = reason;
      console.log(`${name} is left out: ${reason}; \`npm ci --prefix bench\` installs the peers.`);
    }
  }
  return { missing, running };
}

async function main(): Promise<void> {
  const device = await init(options.adapter ? { adapter: options.adapter } : {});
  if (!(device instanceof GpuDevice))
    return program.error('The benchmarks need a GPU device; see `wgrad devices`.');
  const choice = options.adapter ?? process.env.WGRAD_ADAPTER ?? 'auto';
  console.log(device.description);
  const { missing, running } = await startPeers(device.description, choice);
  try {
    const report = await measureAll(device, running, missing);
    console.log(`\n${asText(report)}`);
    if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
    if (options.write) writePage(options.write === true ? 'bench/RESULTS.md' : options.write, report);
  } finally {
    for (const peer of running) peer.stop();
    device.destroy();
  }
}

async function measureAll(
  device: GpuDevice,
  peers: readonly PeerProcess[],
  missing: Report['missing'],
): Promise<Report> {
  const ceilings = await measureCeilings(device, options.seconds / 2);
  const small = [tensor([1, 2, 3, 4]), tensor([5, 6, 7, 8])] as const;
  const dispatch = await measureDispatch(device, ...small);
  for (const each of small) each.dispose();
  const rows: Row[] = [];
  for (const benchCase of chosen) {
    const row = await runCase(device, benchCase, peers, options.seconds);
    rows.push(row);
    const times = row.peers.map(
      ({ peer, measurement, reason }) =>
        `, ${peer} ${measurement ? (1e3 * measurement.median).toPrecision(3) : reason}`,
    );
    console.log(`${row.name}: ${(1e3 * row.measurement.median).toPrecision(3)} ms${times.join('')}`);
  }
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return {
    adapter: device.description,
    date: new Date().toISOString().slice(0, 10),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    versions: {
      wgrad: version,
      ...Object.fromEntries(peers.map((peer) => [peer.name, peer.version])),
      Node: process.versions.node,
    },
    missing,
    ceilings,
    dispatch,
    rows,
  };
}

if (options.list) console.log(cases.map(({ name }) => name).join('\n'));
else await main();
