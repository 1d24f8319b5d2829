/** LeNet-5 as in LeCun, Bottou, Bengio and Haffner (1998), with relu and maxima as it is built today, and digits for it. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { data, input, layers, optimizers, type Sequential, sequential } from '../../src/node.ts';

/** The real digits, where they are there. */
export const realDigits = fileURLToPath(new URL('../../../shared/data/mnist', import.meta.url));
export const hasRealDigits = existsSync(realDigits);

export const BATCH = 64;

/** Compiled with Adam at 0.002; weights come from the default generator. */
export const lenet = (): Sequential =>
  sequential([
    input({ shape: [28, 28, 1] }),
    layers.conv2d({ filters: 6, kernelSize: 5, padding: 'same', activation: 'relu' }),
    layers.maxPooling2d(),
    layers.conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }),
    layers.maxPooling2d(),
    layers.flatten(),
    layers.dense({ units: 120, activation: 'relu' }),
    layers.dense({ units: 84, activation: 'relu' }),
    layers.dense({ units: 10, activation: 'softmax' }),
  ]).compile({
    optimizer: optimizers.adam({ learningRate: 2e-3 }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
  });

/** Images and labels. */
export type Digits = Record<'x' | 'y', data.Column>;

/** Generated digits: 640 to train on, and 320 others to test on. */
export async function generatedDigits(): Promise<Record<'train' | 'test', Digits>> {
  const [train, test] = await Promise.all([
    data.digits({ samples: 10 * BATCH, seed: 1 }).arrays(),
    data.digits({ samples: 5 * BATCH, seed: 2 }).arrays(),
  ]);
  return { train, test };
}
