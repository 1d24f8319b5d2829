/**
 * A training that can be killed at any moment and started again: `train-child.ts FOLDER CASE`. It tells each step, and at
 * the end a digest of everything.
 */
import { callbacks, init, loadCheckpoint } from '../../src/node.ts';
import type { AdapterChoice } from '../../src/runtime/init.ts';
import { type CaseName, outcomeOf, trainCase } from './train-cases.ts';

const [directory = '', name = ''] = process.argv.slice(2);
const device = await init({ adapter: (process.env.WGRAD_ADAPTER || 'swiftshader') as AdapterChoice });
const resume = await loadCheckpoint(directory);
const { model, data, options } = await trainCase(name as CaseName, resume ? 77 : 1);
const saving = callbacks.checkpoint({ directory, everySteps: 2 });
const tellStep = { onStepEnd: () => console.log('step') };
const all = [tellStep, ...(options.callbacks ?? []), saving];
const history = await model.fit(data, { ...options, epochs: 6, resume, callbacks: all });
console.log(`outcome ${await outcomeOf(model, history)}`);
device.destroy();
