/** The benchmark harness on one tiny case, without peers, and what it prints. */
import * as assert from 'uvu/assert';
import type { BenchCase } from '../bench/cases/case.ts';
import { inputsOf } from '../bench/cases/case.ts';
import { cases } from '../bench/cases/index.ts';
import { difference } from '../bench/contender.ts';
import { runCase } from '../bench/harness.ts';
import { cells, type Report, ratioToBest, updatedPage } from '../bench/report.ts';
import { add, GpuDevice, type Tensor } from '../src/node.ts';
import { suite, testDevice } from './support/harness.ts';

const test = suite('bench');

const tiny: BenchCase = {
  name: 'tiny add',
  task: 'add',
  inputs: [{ shape: [2, 3] }, { shape: [3] }],
  bytes: 4 * (6 + 3 + 6),
  run: (a: Tensor, b: Tensor) => add(a, b),
};

const reportOf = (adapter: string, rows: Report['rows']): Report => ({
  adapter,
  date: '2026-01-01',
  command: 'npm run bench --',
  versions: { wgrad: '0' },
  missing: { jax: 'it is not installed' },
  ceilings: { bytesPerSecond: 1e9, kernelBytesPerSecond: 1e9, largeBytesPerSecond: 1e9, flopsPerSecond: 1e9 },
  dispatch: { op: 2, bare: 1 },
  rows,
});

const device = await testDevice();
if (device instanceof GpuDevice) {
  test('a case is timed and leaves nothing behind', async () => {
    const row = await runCase(device, tiny, [], 0.1);
    assert.ok(row.measurement.median > 0 && row.measurement.median < 1);
    assert.ok(row.measurement.samples >= 3);
    assert.is(ratioToBest(row), undefined);
    assert.equal(
      cells(reportOf('a', [row])).map((line) => line[0]),
      ['case', 'tiny add'],
    );
  });
} else test.skip('a case is timed and leaves nothing behind', 'needs a GPU device');

test('names are unique, inputs are seeded', () => {
  assert.is(new Set(cases.map(({ name }) => name)).size, cases.length);
  assert.equal(inputsOf(tiny), inputsOf(tiny));
  assert.equal(inputsOf({ ...tiny, inputs: [{ shape: [50], below: 3 }] })[0]?.data.length, 50);
});

test('results that differ are told apart, NaN included', () => {
  assert.is(difference([1, 1000], [1.0005, 1000.5]), undefined);
  assert.match(difference([1], [1.01]) ?? '', 'element 0 is 1, wgrad has 1.01');
  assert.type(difference([Number.NaN], [1]), 'string');
  assert.type(difference([1, 2], [1]), 'string');
});

test('the ratio is taken to the fastest peer; the page holds one section for each adapter', () => {
  const time = (median: number) => ({ median, spread: 0.05, samples: 5, batch: 1 });
  const row = {
    name: 'x',
    flops: 1e6,
    measurement: time(2e-3),
    peers: [
      { peer: 'jax', measurement: time(3e-3) },
      { peer: 'tfjs', measurement: time(1e-3) },
      { peer: 'gpu.js', reason: 'no answer' },
    ],
  };
  assert.is(ratioToBest(row), 0.5);
  const both = updatedPage(updatedPage('', reportOf('b', [row])), reportOf('a', [row]));
  assert.ok(both.indexOf('## a\n') < both.indexOf('## b\n'));
  assert.is(updatedPage(both, reportOf('b', [row])), both);
  assert.match(both, '| x | 2.00 ms | ±5.0 % | 0.500 GFLOP/s | 50 % | 3.00 ms | 1.00 ms | failed | 0.50 |');
  assert.match(both, '- Not measured: jax: it is not installed.');
});
