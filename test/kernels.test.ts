/** Every kernel and variant against its float64 reference, over the cases of the generators in `test/fuzz/`. */
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { HostTensor, Kernel } from '../kernels/kernel.ts';
import { formatShape } from '../src/core/shape.ts';
import { GpuDevice } from '../src/runtime/gpu/gpu-device.ts';
import type { FuzzCase, FuzzFamily } from './support/fuzz-case.ts';
import { isLong, seed, suite, testDevice } from './support/harness.ts';
import { compareOutputs, isClose, runCase } from './support/run-case.ts';

const CASES = isLong ? 200 : 12;
/** After a failure, the search for a smaller case ends after this time. */
const SHRINK_MS = 15_000;

async function importFolder(folder: string): Promise<Map<string, Record<string, unknown>>> {
  const base = new URL(folder, import.meta.url);
  const modules = new Map<string, Record<string, unknown>>();
  for (const name of readdirSync(base).sort()) {
    if (name.endsWith('.ts')) modules.set(name, await import(new URL(name, base).href));
  }
  return modules;
}

function isKernel(value: unknown): value is Kernel<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const { variants, plan, reference } = value as Partial<Kernel<unknown>>;
  return Array.isArray(variants) && typeof plan === 'function' && typeof reference === 'function';
}

const generators = await importFolder('./fuzz/');
const families = [...generators.values()].flatMap(
  (module) => (module.families ?? []) as FuzzFamily<unknown>[],
);
const device = await testDevice();
const test = suite('kernels', { timeout: isLong ? 600_000 : 60_000 });

const describe = ({ inputs, attrs, abs, rel }: FuzzCase<unknown>): string => {
  const list = inputs.map(({ shape, dtype, data }: HostTensor) => {
    const some = [...data.slice(0, 8)].join(', ');
    return `  ${dtype} ${formatShape(shape)}: ${some}${data.length > 8 ? ', …' : ''}`;
  });
  const shown = JSON.stringify(attrs, (_, value) =>
    typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))
      ? String(value)
      : value,
  );
  return [`attrs ${shown}, abs ${abs}, rel ${rel}, inputs:`, ...list].join('\n');
};

/** Whether this device can run a variant for at least one of a good number of cases. */
function canRun({ kernel, arbitrary }: FuzzFamily<unknown>, variant: string, gpu: GpuDevice): boolean {
  const { supports } = kernel;
  if (!supports) return true;
  return fc
    .sample(arbitrary, { seed, numRuns: 60 })
    .some(({ inputs, attrs }) => supports.call(kernel, variant, inputs, attrs, gpu.traits));
}

async function fuzz(
  { label, kernel, arbitrary, runs }: FuzzFamily<unknown>,
  variant: string,
  gpu: GpuDevice,
): Promise<void> {
  let deadline = Infinity;
  const cases = isLong ? (runs ?? CASES) : CASES;
  const property = fc.asyncProperty(arbitrary, async (fuzzCase) => {
    if (performance.now() > deadline) return;
    if (kernel.supports) fc.pre(kernel.supports(variant, fuzzCase.inputs, fuzzCase.attrs, gpu.traits));
    try {
      await runCase(gpu, label, kernel, fuzzCase, variant);
    } catch (error) {
      deadline = Math.min(deadline, performance.now() + SHRINK_MS);
      throw error;
    }
  });
  const result = await fc.check(property, { seed, numRuns: cases, maxSkipsPerRun: 1000 });
  if (!result.failed) return;
  if (!result.counterexample) throw new Error(`only ${result.numRuns} of ${cases} cases suit this variant`);
  throw new Error(
    `${label}, variant ${variant}: ${String((result.errorInstance as Error | null)?.message)}\n` +
      `${describe(result.counterexample[0])}\n` +
      `Again: ${isLong ? 'WGRAD_TEST_LONG=1 ' : ''}WGRAD_TEST_SEED=${seed} npm test -- kernels`,
    { cause: result.errorInstance },
  );
}

const runsElsewhere = ({ kernel }: FuzzFamily<unknown>, variant: string, gpu: GpuDevice): boolean =>
  families.some((other) => other.kernel === kernel && canRun(other, variant, gpu));

for (const family of families) {
  for (const variant of family.kernel.variants) {
    const name = `${family.label}: ${variant}`;
    if (!(device instanceof GpuDevice)) test.skip(name, 'the CPU device runs the reference itself');
    else if (canRun(family, variant, device)) test(name, () => fuzz(family, variant, device));
    // A variant for special shapes is the business of the family that draws them.
    else if (!runsElsewhere(family, variant, device)) test.skip(name, 'this device supports no case of it');
  }
}

test('every generator file exports families', () => {
  const without = [...generators].filter(
    ([, { families: list }]) => !Array.isArray(list) || list.length === 0,
  );
  assert.equal(
    without.map(([name]) => name),
    [],
  );
});

test('every kernel has a generator', async () => {
  const covered = new Set(families.map(({ kernel }) => kernel.name));
  const missing = new Set<string>();
  for (const module of (await importFolder('../kernels/')).values()) {
    for (const value of Object.values(module)) {
      if (isKernel(value) && !covered.has(value.name)) missing.add(value.name);
    }
  }
  assert.equal([...missing], []);
});

test('the comparison tells NaN, infinities and flushed numbers apart', () => {
  assert.ok(isClose(Number.NaN, Number.NaN, 0, 0));
  assert.not.ok(isClose(Number.NaN, 1, 1e9, 1e9));
  assert.not.ok(isClose(1, Number.NaN, 1e9, 1e9));
  assert.not.ok(isClose(Infinity, Number.NaN, 1e9, 1e9));
  assert.not.ok(isClose(Infinity, 1, 1e9, 1));
  assert.not.ok(isClose(1, Infinity, 1e9, 1));
  assert.not.ok(isClose(-Infinity, Infinity, 1e9, 1));
  assert.ok(isClose(Infinity, 1e39, 0, 0));
  assert.not.ok(isClose(3e38, 1e39, 0, 1));
  assert.ok(isClose(0, 1e-39, 0, 0));
  assert.not.ok(isClose(1e-39, 2e-39, 0, 0));
  assert.ok(isClose(1.5, 1, 0.25, 0.25));
  assert.not.ok(isClose(1.51, 1, 0.25, 0.25));
  const out = (data: Int32Array) => [{ shape: [data.length], dtype: 'int32' as const, data }];
  assert.throws(
    () => compareOutputs(out(Int32Array.of(1, 2)), out(Int32Array.of(1, 3)), 1e9, 1e9),
    /element 1: 2/,
  );
});
