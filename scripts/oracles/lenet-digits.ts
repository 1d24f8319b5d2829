/**
 * Writes what test/lenet.test.ts starts from as an `.npz` file for `lenet.py --given`: initial weights and generated digits.
 *
 *   node --import ./scripts/register.mjs scripts/oracles/lenet-digits.ts OUT.npz
 */
import { writeFile } from 'node:fs/promises';
import { init, setSeed, tensor, writeNpz } from '../../src/node.ts';
import { generatedDigits, lenet } from '../../test/support/lenet.ts';

const [, , out] = process.argv;
if (out === undefined) throw new Error('Pass the path of the file to write.');
await init({ adapter: 'cpu' });
setSeed(1);
const weights = lenet().namedWeights();
const { train, test } = await generatedDigits();
const arrays = { x: train.x, y: train.y, testX: test.x, testY: test.y };
await writeFile(
  out,
  await writeNpz({
    ...Object.fromEntries(weights.map(([path, { value }]) => [path, value])),
    ...Object.fromEntries(
      Object.entries(arrays).map(([name, { data, shape, dtype }]) => [name, tensor(data, { shape, dtype })]),
    ),
  }),
);
