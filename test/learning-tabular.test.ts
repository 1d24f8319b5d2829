/** Classic tables, where `../shared/data` holds them: classes by accuracy, numbers by R², beside scikit-learn. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { data } from '../src/node.ts';
import { isLong, suite, testDevice } from './support/harness.ts';
import { learnsLike, type Peer, type Setup } from './support/learning.ts';

const test = suite('learning, tables', { timeout: isLong ? 300_000 : 60_000 });

const folder = fileURLToPath(new URL('../../shared/data/tabular/', import.meta.url));

const small: Setup = { hidden: [16], activation: 'relu', rate: 0.01, batchSize: 16, epochs: 40 };

/** File, what its last column is, the network, and scikit-learn's accuracy or R². */
const TABLES: readonly (readonly [string, 'classes' | 'numbers', Setup, Peer])[] = [
  ['iris', 'classes', small, { mean: 0.95, deviation: 0.0409 }],
  ['wine', 'classes', { ...small, epochs: 20 }, { mean: 0.9822, deviation: 0.0223 }],
  [
    'banknote_authentication',
    'classes',
    { ...small, batchSize: 64, epochs: 20 },
    { mean: 0.9993, deviation: 0.0023 },
  ],
  [
    'housing',
    'numbers',
    { ...small, hidden: [32, 32], rate: 0.005, batchSize: 32, epochs: 50 },
    { mean: 0.8584, deviation: 0.0425 },
  ],
  [
    'winequality-red',
    'numbers',
    { ...small, hidden: [32], rate: 0.005, batchSize: 64, epochs: 20 },
    { mean: 0.3708, deviation: 0.0345 },
  ],
];

for (const [name, labels, setup, peer] of TABLES) {
  const file = `${folder}${name}.csv`;
  const title = `${name}: ${labels}`;
  if (!existsSync(file)) test.skip(title, `${file} is not there`);
  else {
    test(title, async () => {
      await testDevice();
      const { dataset } = await data.csv(readFileSync(file), { header: false, labels });
      await learnsLike(peer, setup, () => dataset);
    });
  }
}
