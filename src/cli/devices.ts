/** `wgrad devices`: what was found, what would be chosen and why. */
import {
  type Attempt,
  choiceFromEnvironment,
  type FoundAdapter,
  findAdapter,
} from '../runtime/node/adapters.ts';
import { table } from './text.ts';

interface DeviceRow {
  readonly source: Attempt['source'] | 'cpu';
  readonly found: string | null;
  readonly note: string;
  readonly chosen: boolean;
}

export interface DeviceReport {
  /** What `WGRAD_ADAPTER` asks for. */
  readonly choice: string;
  readonly devices: readonly DeviceRow[];
  /** The device that `init()` would open; null when it would throw. */
  readonly chosen: string | null;
  readonly why: string;
  readonly software: boolean | null;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
] as const;

/** The features that a kernel variant or a timing can use. */
const FEATURES = ['subgroups', 'shader-f16', 'timestamp-query'];

const WHY: Record<FoundAdapter['source'], string> = {
  pinned: 'VK_DRIVER_FILES or VK_ICD_FILENAMES pins its driver',
  hardware: 'it is hardware, which goes first',
  system: "it is the system's Vulkan, and no hardware was found",
  swiftshader: 'it is the packaged SwiftShader, and the system has no Vulkan driver that works',
};

function limitsOf({ adapter }: FoundAdapter): Record<string, number> {
  const { subgroupMinSize, subgroupMaxSize } = adapter.info;
  return {
    ...Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
    ...(subgroupMinSize === undefined ? {} : { subgroupMinSize }),
    ...(subgroupMaxSize === undefined ? {} : { subgroupMaxSize }),
  };
}

/** Looks at every source; what `init()` would not have come to is tried last, so that it changes nothing. */
export async function findDevices(): Promise<DeviceReport> {
  const choice = choiceFromEnvironment();
  const { found, attempts } = await findAdapter(choice);
  const rows: DeviceRow[] = attempts.map((attempt) => ({
    ...attempt,
    chosen: found !== null && attempt.source === found.source,
  }));
  const others = (['system', 'swiftshader'] as const).filter((other) =>
    other === 'swiftshader'
      ? !rows.some(({ source }) => source === 'swiftshader')
      : rows.every(({ source }) => source === 'swiftshader'),
  );
  for (const other of others) {
    const { attempts: more } = await findAdapter(other);
    rows.push(...more.map((attempt) => ({ ...attempt, chosen: false })));
  }
  const cpu = found === null && (choice === 'auto' || choice === 'cpu');
  rows.push({ source: 'cpu', found: 'CPU in float64', note: 'always there; slow', chosen: cpu });
  const asked = choice === 'auto' ? '' : `WGRAD_ADAPTER=${choice} asks for it`;
  return {
    choice,
    devices: rows,
    chosen: found ? found.name : cpu ? 'CPU in float64' : null,
    why: found
      ? asked || WHY[found.source]
      : cpu
        ? asked || 'no WebGPU adapter was found'
        : `WGRAD_ADAPTER=${choice} asks for an adapter that is not there; init() throws`,
    software: found ? found.software : null,
    features: found ? FEATURES.filter((feature) => found.adapter.features.has(feature)) : [],
    limits: found ? limitsOf(found) : {},
  };
}

function describe(report: DeviceReport): string {
  const rows = report.devices.map(({ source, found, note, chosen }) => [
    chosen ? '*' : '',
    source,
    found ?? '–',
    note,
  ]);
  const details = [
    ...(report.software === null ? [] : [['software', report.software ? 'yes' : 'no']]),
    ...(report.chosen === null || report.software === null
      ? []
      : [['features', report.features.join(', ') || 'none of interest']]),
    ...Object.entries(report.limits).map(([name, value]) => [name, value.toLocaleString('en')]),
  ];
  return [
    table([['', 'source', 'device', 'note'], ...rows]),
    '',
    `${report.chosen ? `init() opens ${report.chosen}` : 'init() opens nothing'}: ${report.why}.`,
    ...(details.length > 0 ? ['', table(details)] : []),
  ].join('\n');
}

/** Prints the report; the exit code is 1 when `init()` would throw. */
export async function devicesCommand({ json = false }: { json?: boolean }): Promise<number> {
  const report = await findDevices();
  console.log(json ? JSON.stringify(report) : describe(report));
  return report.chosen === null ? 1 : 0;
}
