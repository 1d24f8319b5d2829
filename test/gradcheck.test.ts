/** What gradcheck passes, fails and refuses. */
import * as assert from 'uvu/assert';
import {
  add,
  apply,
  gradcheck,
  mul,
  type Op,
  relu,
  setDefaultDevice,
  sqrt,
  square,
  type Tensor,
  tensor,
} from '../src/node.ts';
import { cpuDevice, suite } from './support/harness.ts';
import { rejects } from './support/values.ts';

const inner = suite('gradcheck');
const test = (title: string, body: () => unknown): void =>
  inner(title, async () => {
    setDefaultDevice(cpuDevice());
    await body();
  });

/** Calls `body` with a leaf, which goes afterwards. */
async function at(values: number[], body: (x: Tensor) => Promise<unknown>): Promise<void> {
  const x = tensor(values, { requiresGrad: true });
  try {
    await body(x);
  } finally {
    x.dispose();
  }
}

test('a kink within eps of the base point is refused, on either side and exactly there', async () => {
  for (const place of [-0.3e-6, 0.3e-6, 0]) {
    await at([1, place], (x) => rejects(gradcheck(relu, [x]), 'kink', /element 1/));
  }
  await at([1, -1e-3], async (x) => assert.ok((await gradcheck(relu, [x])).ok));
});

test('rounding of large values is no kink', () =>
  at([0.1, 0.3, 0.7, 1.234, -2.7], async (x) => assert.ok((await gradcheck((y) => add(y, 1e7), [x])).ok)));

test('one tensor may be returned twice', () =>
  at([0.5, -2], async (x) => {
    const result = await gradcheck(
      (y) => {
        const z = square(y);
        return [z, z];
      },
      [x],
    );
    assert.ok(result.ok);
  }));

test('outputs that leave the finite numbers within eps are refused', () =>
  at([5e-7], (x) => rejects(gradcheck(sqrt, [x]), 'non-finite')));

test('a wrong gradient fails, with its place', () =>
  at([1, 2], async (x) => {
    const wrong: Op = {
      name: 'wrong',
      forward: ([y]) => square(y as Tensor),
      saves: ([y]) => [y],
      backward: ({ grad, saved: [y] }) => [() => mul(grad, mul(y as Tensor, 2.1))],
    };
    const { ok, inputs } = await gradcheck((y) => apply(wrong, [y], undefined), [x]);
    assert.not(ok);
    assert.is(inputs[0]?.worst.inputElement, 1);
  }));
