/** The command line: the catalogue is complete, every gradient in it is right, and a wrong one is noticed. */
import { existsSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { noGrad } from '../src/autograd/modes.ts';
import { apply, type Op } from '../src/autograd/op.ts';
import type { Tensor } from '../src/autograd/tensor.ts';
import { catalog, catalogGaps, exportedOps } from '../src/cli/catalog/index.ts';
import { gradCase, type InputSpec, within } from '../src/cli/catalog/types.ts';
import { type Check, checkCase, countChecks, walk } from '../src/cli/checks.ts';
import { findDevices } from '../src/cli/devices.ts';
import { opsPage } from '../src/cli/docs.ts';
import { report, summarize } from '../src/cli/gradcheck.ts';
import { run } from '../src/cli/program.ts';
import { nearest } from '../src/cli/text.ts';
import * as exported from '../src/exports.ts';
import { add, mul } from '../src/ops/binary.ts';
import { assign } from '../src/ops/cast.ts';
import { sum } from '../src/ops/reduce.ts';
import { exp } from '../src/ops/unary.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';

const test = suite('cli');

/** Runs the command line in this process; what it prints comes back with its exit code. */
async function wgrad(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const { log, error } = console;
  const { stderr } = process;
  const { isTTY, write } = stderr;
  let out = '';
  let err = '';
  console.log = (text: string) => void (out += `${text}\n`);
  console.error = (text: string) => void (err += `${text}\n`);
  stderr.isTTY = false;
  stderr.write = ((text: string) => {
    err += text;
    return true;
  }) as typeof stderr.write;
  try {
    const code = await run(argv);
    return { code, out, err };
  } finally {
    Object.assign(console, { log, error });
    Object.assign(stderr, { isTTY, write });
  }
}

test('docs/ops.md is current', () => {
  const path = new URL('../docs/ops.md', import.meta.url);
  assert.ok(existsSync(path), 'docs/ops.md is missing: npm run wgrad -- gradcheck --docs');
  assert.ok(
    readFileSync(path, 'utf8') === opsPage(),
    'docs/ops.md is stale: npm run wgrad -- gradcheck --docs',
  );
});

test('every exported op is in the catalogue, once', () => {
  assert.equal(catalogGaps(exported), []);
  assert.equal(catalogGaps({ ...exported, brandNew: () => 0, Klass: class {}, text: '' }), ['brandNew']);
  const names = catalog.map(({ op }) => op);
  assert.is(new Set(names).size, names.length);
  const found = new Set(exportedOps(exported));
  const missing = names.filter((name) => !found.has(name));
  assert.equal(missing, [], 'the catalogue names ops that are not exported');
});

test('every differentiable op has cases with names of their own', () => {
  for (const { op, differentiable, cases } of catalog) {
    assert.is(cases.length > 0, differentiable, op);
    assert.is(new Set(cases.map(({ name }) => name)).size, cases.length, op);
  }
});

test('every gradient agrees with differences, first and second order', async () => {
  const checks: Check[] = [];
  for await (const check of walk(catalog, cpuDevice())) checks.push(check);
  const summary = summarize(checks);
  assert.is(summary.failed, 0, report(summarize(checks.filter(({ ok }) => !ok))));
  assert.is(summary.passed, countChecks(catalog));
  assert.ok(checks.filter(({ order }) => order === 2).length > 200);
});

test("every gradient of the device under test agrees with the CPU device's", async () => {
  const device = await testDevice();
  if (device.kind === 'cpu') return;
  const checks: Check[] = [];
  for await (const check of walk(catalog, cpuDevice(), device)) checks.push(check);
  assert.is(summarize(checks).failed, 0, report(summarize(checks.filter(({ ok }) => !ok))));
});

/** x·y with a backward rule of one's own. */
const product = (name: string, rule: Op['backward'], saves: Op['saves'] = (inputs) => [...inputs]): Op => ({
  name,
  forward: ([x, y]) => mul(x as Tensor, y as Tensor),
  saves,
  backward: rule,
});

const matrices: InputSpec[] = [within(0.5, 2, [2, 3]), within(0.5, 2, [2, 3], 1)];
const matrixAndRow: InputSpec[] = [within(0.5, 2, [2, 3]), within(0.5, 2, [3], 1)];

const plant = (
  op: Op,
  inputs: readonly InputSpec[] = matrices,
  before: (x: Tensor) => void = () => {},
): Promise<Check[]> => {
  const item = gradCase(
    'planted',
    (x, y) => {
      const own = mul(x as Tensor, 1);
      const result = apply(op, [own, y as Tensor], undefined);
      before(own);
      return result;
    },
    ...inputs,
  );
  return Promise.all(([1, 2] as const).map((order) => checkCase(op.name, item, order, cpuDevice())));
};

const tensors = (list: readonly Tensor[]): [Tensor, Tensor] => list as [Tensor, Tensor];

test('a right rule of a custom op passes', async () => {
  const right = product('right', ({ grad, saved }) => {
    const [x, y] = tensors(saved);
    return [() => mul(grad, y), () => mul(grad, x)];
  });
  for (const inputs of [matrices, matrixAndRow])
    assert.equal(
      (await plant(right, inputs)).map(({ ok, error }) => [ok, error]),
      [
        [true, undefined],
        [true, undefined],
      ],
    );
});

const WRONG: Record<string, Op['backward']> = {
  'wrong sign': ({ grad, saved: [x, y] }) => [
    () => mul(grad, y as Tensor),
    () => mul(mul(grad, x as Tensor), -1),
  ],
  'missing factor': ({ grad, saved: [x] }) => [() => grad, () => mul(grad, x as Tensor)],
  'dropped gradient': ({ grad, saved: [, y] }) => [() => mul(grad, y as Tensor), () => mul(grad, 0)],
  'saved tensors swapped': ({ grad, saved: [x, y] }) => [
    () => mul(grad, x as Tensor),
    () => mul(grad, y as Tensor),
  ],
};

for (const [name, rule] of Object.entries(WRONG)) {
  test(`a planted ${name} is reported`, async () => {
    // The second order compares the rule with its own derivative, which may be right: the first one must fail.
    const [check] = (await plant(product(name, rule))) as [Check, Check];
    assert.is(check.ok, false);
    assert.is(check.error, undefined);
    assert.ok((check.maxAbsError as number) > 0.1);
  });
}

test('a planted dropped term is reported', async () => {
  const dropped: Op = {
    name: 'dropped',
    forward: ([x]) => mul(x as Tensor, exp(x as Tensor)),
    saves: ([x]) => [x],
    backward: ({ grad, saved: [x] }) => [() => mul(grad, exp(x as Tensor))], // without x·eˣ
  };
  const item = gradCase('planted', (x) => apply(dropped, [x as Tensor], undefined), within(0.5, 1, [3]));
  assert.is((await checkCase('dropped', item, 1, cpuDevice())).ok, false);
});

test('a rule that is right once but not twice fails at the second order only', async () => {
  const cut: Op = {
    name: 'cut',
    forward: ([x]) => mul(x as Tensor, x as Tensor),
    saves: ([x]) => [x],
    backward: ({ grad, saved: [x] }) => [() => mul(grad, mul((x as Tensor).detach(), 2))],
  };
  const item = gradCase('planted', (x) => apply(cut, [x as Tensor], undefined), within(0.5, 1, [3]));
  assert.is((await checkCase('cut', item, 1, cpuDevice())).ok, true);
  assert.is((await checkCase('cut', item, 2, cpuDevice())).ok, false);
});

test('a save that only a sibling in need of a gradient makes is reported', async () => {
  const careless = product(
    'careless',
    ({ grad, saved: [x, y] }) => [() => mul(grad, y as Tensor), () => mul(grad, x as Tensor)],
    ([x, y], _outputs, [needsX, needsY]) => [needsX ? x : undefined, needsY ? y : undefined],
  );
  const item = gradCase(
    'planted',
    (x, y) => apply(careless, [x as Tensor, y as Tensor], undefined),
    ...matrices,
  );
  for (const order of [1, 2] as const)
    assert.is((await checkCase('careless', item, order, cpuDevice())).ok, false);
});

test('a stale save throws and names the op', async () => {
  const right = product('stale', ({ grad, saved: [x, y] }) => [
    () => mul(grad, y as Tensor),
    () => mul(grad, x as Tensor),
  ]);
  for (const check of await plant(right, matrices, (x) => noGrad(() => assign(x, add(x, 1))))) {
    assert.is(check.ok, false);
    assert.match(check.error ?? '', /stale/);
  }
});

test('a gradient of the wrong shape throws and names the op', async () => {
  const transposed = product('unbroadcast', ({ grad, saved: [x, y] }) => [
    () => mul(grad, y as Tensor),
    () => sum(mul(grad, x as Tensor), { axis: 1 }),
  ]);
  for (const check of await plant(transposed, matrixAndRow)) {
    assert.is(check.ok, false);
    assert.match(check.error ?? '', /unbroadcast.*\(2,?\).*\(3,?\)/);
  }
});

test('what gradcheck refuses counts as failed', async () => {
  const kink = gradCase('at a kink', (x) => exported.relu(x as Tensor), {
    shape: [2],
    values: [0, 1],
    dtype: 'float',
  });
  const check = await checkCase('relu', kink, 1, cpuDevice());
  assert.match(check.error ?? '', /kink/);
  const { passed, failed } = summarize([check]);
  assert.equal([passed, failed], [0, 1]);
  assert.match(report(summarize([check])), /relu, at a kink, order 1: .*kink/);
});

test('wgrad gradcheck --json prints the checks and nothing else', async () => {
  const { code, out, err } = await wgrad('gradcheck', '--op', 'tanh', '--json');
  assert.is(code, 0);
  assert.is(err, '');
  const { checks, passed, failed } = JSON.parse(out);
  assert.equal([checks.length, passed, failed], [4, 4, 0]);
  assert.equal(Object.keys(checks[0]), ['op', 'case', 'order', 'device', 'maxAbsError', 'maxRelError', 'ok']);
});

test('wrong usage exits with 2 and says what would be right', async () => {
  const unknown = await wgrad('gradcheck', '--op', 'logsoftmax');
  assert.is(unknown.code, 2);
  assert.match(unknown.err, /no op 'logsoftmax'; the nearest are logSoftmax/);
  assert.is((await wgrad('gradcheck', '--op', 'argMax')).code, 2);
  assert.is((await wgrad('gradcheck', '--device', 'tpu')).code, 2);
  assert.is((await wgrad('gradchek')).code, 2);
  assert.equal(nearest('summ', ['mean', 'sum', 'exp'], 1), ['sum']);
});

test('wgrad devices knows one that would be chosen, and the CPU', async () => {
  const { devices, chosen, why } = await findDevices();
  assert.ok(chosen && why);
  assert.is(devices.filter((device) => device.chosen).length, 1);
  assert.is(devices.at(-1)?.source, 'cpu');
});
