/** Trainings that take everything along that a checkpoint must hold, and their outcome bit by bit. */
import { createHash } from 'node:crypto';
import {
  callbacks,
  data,
  type FitOptions,
  type History,
  input,
  layers,
  type Model,
  optimizers,
  schedules,
  sequential,
  setSeed,
  type TrainingData,
} from '../../src/node.ts';

/** A training that has not begun: every call makes new objects, as a new process would. */
export interface TrainCase {
  readonly model: Model;
  readonly data: TrainingData;
  readonly options: FitOptions;
}

/** 44 rows of three classes: five batches of 9, the last one smaller, and 4 rows to validate on. */
const blobs = () => data.blobs({ samples: 44, centers: 3, seed: 4 });

async function arrays(): Promise<TrainingData> {
  const { x, y } = await blobs().arrays();
  return { x, y };
}

async function withNoise(): Promise<TrainCase> {
  const model = sequential([
    input({ shape: [2] }),
    layers.dense({ units: 8, activation: 'tanh' }),
    layers.batchNormalization(),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units: 8, activation: 'relu' }),
    layers.gaussianNoise({ stddev: 0.1, seed: 9 }),
    layers.dropout({ rate: 0.3, seed: 5 }),
    layers.dense({ units: 3, activation: 'softmax' }),
  ]);
  const learningRate = schedules.cosineDecay({ initialLearningRate: 0.05, decaySteps: 15 });
  model.compile({
    optimizer: optimizers.adam({ learningRate }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy', 'kappa'],
  });
  return {
    model,
    data: await arrays(),
    options: {
      epochs: 3,
      batchSize: 9,
      validationSplit: 0.1,
      classWeight: { 0: 2, 1: 0.5, 2: 1 },
      callbacks: [callbacks.earlyStopping({ monitor: 'loss', patience: 2, restoreBestWeights: true })],
    },
  };
}

async function accumulating(): Promise<TrainCase> {
  const model = sequential([
    input({ shape: [2] }),
    layers.dense({ units: 6, activation: 'sigmoid' }),
    layers.dropout({ rate: 0.1 }),
    layers.dense({ units: 3, activation: 'softmax' }),
  ]);
  model.compile({
    optimizer: optimizers.sgd({
      learningRate: 0.1,
      momentum: 0.9,
      gradientAccumulationSteps: 3,
      useEma: true,
      emaMomentum: 0.8,
    }),
    loss: 'sparseCategoricalCrossentropy',
  });
  return {
    model,
    data: await arrays(),
    options: {
      epochs: 3,
      batchSize: 9,
      validationSplit: 0.1,
      callbacks: [
        callbacks.reduceLearningRateOnPlateau({ monitor: 'loss', patience: 1, minDelta: 10, factor: 0.5 }),
        callbacks.learningRateScheduler((_epoch, rate) => 0.9 * rate),
      ],
    },
  };
}

/** An endless dataset with an order of its own. */
async function endless(): Promise<TrainCase> {
  const model = sequential([
    layers.dense({ units: 4, activation: 'relu' }),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units: 3, activation: 'softmax' }),
  ]);
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  return {
    model,
    data: blobs().shuffle({ seed: 2 }).repeat().batch(9),
    options: { epochs: 3, stepsPerEpoch: 4 },
  };
}

/** Metrics whose state grows with the examples. */
async function ranking(): Promise<TrainCase> {
  const model = sequential([input({ shape: [2] }), layers.dense({ units: 1, activation: 'sigmoid' })]);
  model.compile({ loss: 'binaryCrossentropy', metrics: ['auc', 'averagePrecision', 'precision', 'f1'] });
  const { x, y } = await data.twoMoons({ samples: 44, seed: 4 }).arrays();
  return { model, data: { x, y }, options: { epochs: 3, batchSize: 9, validationSplit: 0.1 } };
}

const MAKERS = { withNoise, accumulating, endless, ranking };

export type CaseName = keyof typeof MAKERS;

export const caseNames = Object.keys(MAKERS) as CaseName[];

/** @param seed What the weights, and everything without a seed of its own, follow from. */
export function trainCase(name: CaseName, seed: number): Promise<TrainCase> {
  setSeed(seed);
  return MAKERS[name]();
}

/** A digest of all weights, of the optimizer's slots and numbers, and of the history. */
export async function outcomeOf(model: Model, history: History): Promise<string> {
  const hash = createHash('sha256');
  const state = model.trainer.optimizer.exportState();
  try {
    const weights = model.namedWeights().map(([path, { value }]) => [path, value] as const);
    for (const [name, tensor] of [...weights, ...Object.entries(state.tensors)]) {
      const values = await tensor.data();
      hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
    hash.update(JSON.stringify([state.json, history]));
    return hash.digest('hex');
  } finally {
    for (const tensor of Object.values(state.tensors)) tensor.dispose();
  }
}
