/** The networks that the command line knows by name. */
import { ArgumentError } from '../../core/errors.ts';
import { formatShape, sameShape } from '../../core/shape.ts';
import type { Model } from '../../models/model.ts';
import { sequential } from '../../models/sequential.ts';
import * as layers from '../../nn/layers/index.ts';
import { input } from '../../nn/symbolic.ts';
import type { Task } from './task.ts';

export interface BuiltIn {
  readonly about: string;
  make(task: Task): Model;
}

/** The last layer: a probability for each class, or the numbers themselves. */
const head = ({ kind, outputs }: Task) =>
  layers.dense({ units: outputs, activation: kind === 'classification' ? 'softmax' : 'linear' });

/**
 * LeNet-5 for 28×28 grey pictures: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document
 * Recognition" (1998), with the relu and the maximum of today in the place of tanh and the mean.
 */
function lenet(task: Task): Model {
  if (!sameShape(task.inputShape, [28, 28, 1]) || task.kind !== 'classification')
    throw new ArgumentError(
      `lenet: it sorts pictures of shape (28, 28, 1) into classes, and the data have shape ${formatShape(task.inputShape)}; ` +
        `take mlp, or a module of your own.`,
    );
  return sequential(
    [
      input({ shape: [28, 28, 1] }),
      layers.conv2d({ filters: 6, kernelSize: 5, padding: 'same', activation: 'relu' }),
      layers.maxPooling2d(),
      layers.conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }),
      layers.maxPooling2d(),
      layers.flatten(),
      layers.dense({ units: 120, activation: 'relu' }),
      layers.dense({ units: 84, activation: 'relu' }),
      head(task),
    ],
    { name: 'lenet' },
  );
}

/** Two hidden layers: 128 and 64 units on pictures, 32 and 16 on the rows of a table. */
function mlp(task: Task): Model {
  const flat = task.inputShape.length === 1;
  const [first, second] = flat ? [32, 16] : [128, 64];
  return sequential(
    [
      input({ shape: task.inputShape }),
      ...(flat ? [] : [layers.flatten()]),
      layers.dense({ units: first, activation: 'relu' }),
      layers.dense({ units: second, activation: 'relu' }),
      head(task),
    ],
    { name: 'mlp' },
  );
}

export const BUILT_IN: Readonly<Record<string, BuiltIn>> = {
  lenet: { about: 'LeNet-5, a small convolutional network for digits of 28×28 pixels', make: lenet },
  mlp: { about: 'two hidden layers of units, for tables and for pictures', make: mlp },
};
