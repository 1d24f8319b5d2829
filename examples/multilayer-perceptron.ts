/**
 * A multilayer perceptron with dropout for ten classes, as in Keras's guide to its sequential model. The data are random:
 * all there is to learn is that the classes are alike, which is a loss of ln 10 = 2.303.
 *
 *   node --import ./scripts/register.mjs examples/multilayer-perceptron.ts
 */
import * as wgrad from '../src/node.ts';

const { init, input, layers, oneHot, optimizers, randomInt, randomUniform, sequential, setSeed } = wgrad;

const device = await init();
setSeed(1);

const examples = (count: number) => ({
  x: randomUniform([count, 20]),
  y: oneHot(randomInt([count], 0, 10), 10),
});
const [train, test] = [examples(1000), examples(100)];

const model = sequential([
  input({ shape: [20] }),
  layers.dense({ units: 64, activation: 'relu' }),
  layers.dropout({ rate: 0.5 }),
  layers.dense({ units: 64, activation: 'relu' }),
  layers.dropout({ rate: 0.5 }),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
model.compile({
  optimizer: optimizers.sgd({ learningRate: 0.01, decay: 1e-6, momentum: 0.9, nesterov: true }),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});

const told = ({ loss = 0, accuracy = 0 }) => `loss: ${loss.toFixed(4)} - accuracy: ${accuracy.toFixed(4)}`;
const { epochs } = await model.fit(train, { epochs: 20, batchSize: 128 });
for (const [index, logs] of epochs.entries()) console.log(`epoch ${index + 1}/20 - ${told(logs)}`);
console.log(`test - ${told(await model.evaluate(test, { batchSize: 128 }))}`);
device.destroy();
