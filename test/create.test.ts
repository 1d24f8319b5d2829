/** Creation: null and other nonsense in the place of an option is refused, never taken for the default. */
import * as w from '../src/node.ts';
import { cpuDevice, suite } from './support/harness.ts';
import { fails } from './support/values.ts';

const test = suite('creation, wrong calls');

/** What no type checker would let through, but JavaScript does. */
const wrong = (value: unknown): never => value as never;

test('null, and what is no number, in shapes and dtypes', () => {
  const device = cpuDevice();
  for (const dtype of [null, 0, '', false, 'float16'])
    fails(() => w.tensor([1, 2], { device, dtype: wrong(dtype) }), 'dtype', /tensor/, /is no dtype/);
  for (const shape of [null, 0, '', false, Number.NaN])
    fails(() => w.tensor([1, 2], { device, shape: wrong(shape) }), 'shape', /tensor: shape/, /no array/);
  for (const extent of [null, undefined, Number.NaN, '2', -2, 0.5])
    fails(() => w.tensor([], { device, shape: [0, wrong(extent)] }), 'shape', /tensor/, /whole numbers ≥ 0/);
  fails(() => w.zeros([2, Number.NaN], { device }), 'shape', /zeros/, /NaN/);
  fails(() => w.zeros([2], { device, dtype: wrong(null) }), 'dtype', /zeros/, /null/);
  fails(() => w.tensor([1], { device: wrong(null) }), 'argument', /tensor: device is null/);
});
