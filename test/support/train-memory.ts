/** Trains for ten epochs and tells the resident memory after each, in MB; needs --expose-gc. */
import { data, init, input, layers, sequential, setSeed } from '../../src/node.ts';
import type { AdapterChoice } from '../../src/runtime/init.ts';

const device = await init({ adapter: (process.env.WGRAD_ADAPTER || 'swiftshader') as AdapterChoice });
setSeed(1);
const model = sequential([
  input({ shape: [28, 28, 1] }),
  layers.conv2d({ filters: 4, kernelSize: 5, activation: 'relu' }),
  layers.maxPooling2d(),
  layers.flatten(),
  layers.dropout({ rate: 0.2 }),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
const { x, y } = await data.digits({ samples: 640, seed: 1 }).arrays();
const tell = {
  onEpochEnd: () => {
    globalThis.gc?.();
    console.log(`rss ${Math.round(process.memoryUsage().rss / 2 ** 20)}`);
  },
};
await model.fit({ x, y }, { epochs: 10, batchSize: 32, validationSplit: 0.1, callbacks: [tell] });
device.destroy();
